//! The pepper file: one line a pepper, `<version> <64 hexadecimal digits>`, readable by its owner alone.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::domain::secret::{Pepper, Peppers};

/// What is wrong with the pepper file. No message holds any of its contents.
#[derive(Debug, thiserror::Error)]
pub enum PepperError {
    /// The file is not there. Without it no key can be checked.
    #[error(
        "the pepper file {0} is missing; restore it from its backup, or run `gridgate bootstrap` for a new installation"
    )]
    Missing(PathBuf),
    /// The file is there already: a new pepper would make every key invalid.
    #[error("the pepper file {0} exists already and is not overwritten")]
    Exists(PathBuf),
    /// Others than the owner may read or write it.
    #[error("the pepper file {path} can be used by others (mode {mode:03o}); run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A line is not `<version> <64 hexadecimal digits>`, or a version is there twice.
    #[error(
        "line {line} of the pepper file {path} is not a version and 64 hexadecimal digits, or its version is there twice"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// It cannot be read or written.
    #[error("the pepper file {path} cannot be used: {source}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Reads the pepper file.
///
/// # Errors
/// [`PepperError`]; it is refused where others than its owner can use it.
pub fn read(path: &Path) -> Result<Peppers, PepperError> {
    let unusable = |source| PepperError::Unusable { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => PepperError::Missing(path.to_owned()),
        _ => unusable(error),
    })?;
    let mode = file.metadata().map_err(unusable)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(PepperError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(unusable)?;
    let mut peppers = Vec::new();
    let mut last = 1;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        last = index + 1;
        peppers.push(parse(line).ok_or(PepperError::Line { path: path.to_owned(), line: last })?);
    }
    Peppers::new(peppers).ok_or(PepperError::Line { path: path.to_owned(), line: last })
}

/// Writes a new pepper file with `pepper` in it, mode 0600, durably.
///
/// # Errors
/// [`PepperError::Exists`] where there is one: it is never overwritten.
pub fn create(path: &Path, pepper: &Pepper) -> Result<(), PepperError> {
    let unusable = |source| PepperError::Unusable { path: path.to_owned(), source };
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => PepperError::Exists(path.to_owned()),
            _ => unusable(error),
        })?;
    let mut line = Zeroizing::new(String::with_capacity(80));
    line.push_str(&pepper.version().to_string());
    line.push(' ');
    for byte in pepper.reveal() {
        line.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
    }
    line.push('\n');
    file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(unusable)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(unusable)
}

fn parse(line: &str) -> Option<Pepper> {
    let (version, digits) = line.trim().split_once(' ')?;
    let digits = digits.as_bytes().as_chunks::<2>();
    let mut secret = Zeroizing::new([0; 32]);
    if digits.0.len() != secret.len() || !digits.1.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (&[high, low], place) in digits.0.iter().zip(secret.iter_mut()) {
        *place = digit(high)? << 4 | digit(low)?;
    }
    Some(Pepper::new(version.parse().ok()?, secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SeededRandom;
    use std::os::unix::fs::PermissionsExt;

    fn created() -> (tempfile::TempDir, PathBuf, Pepper) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pepper");
        let pepper = Pepper::random(1, &SeededRandom::new(5)).expect("random bytes");
        create(&path, &pepper).expect("it is written");
        (folder, path, pepper)
    }

    #[test]
    fn what_is_written_is_read_back_and_private() {
        let (_folder, path, pepper) = created();
        assert_eq!(std::fs::metadata(&path).expect("it is there").mode() & 0o777, 0o600);
        let read = read(&path).expect("it is readable");
        assert!(read.newest().digest("a").matches(&pepper.digest("a")));
        assert!(matches!(create(&path, &pepper), Err(PepperError::Exists(_))));
    }

    #[test]
    fn missing_exposed_and_damaged_files_are_refused() {
        let (folder, path, _) = created();
        assert!(matches!(read(&folder.path().join("none")), Err(PepperError::Missing(_))));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("the mode is set");
        assert!(matches!(read(&path), Err(PepperError::Exposed { mode: 0o640, .. })));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("the mode is set");
        let whole = std::fs::read_to_string(&path).expect("it is readable");
        for text in
            ["", "1 abcd", "x 00", &whole.replace("1 ", ""), &format!("{whole}{whole}"), &whole.replace('\n', "0\n")]
        {
            std::fs::write(&path, text).expect("it is written");
            let error = read(&path).expect_err("it is damaged");
            assert!(matches!(error, PepperError::Line { .. }), "{text:?}: {error}");
        }
    }
}
