//! The lock of the data folder, and of a log outside of it: one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::domain::Timestamp;

/// Held for as long as the process may write to the folder. The operating system releases it, however the process ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Why a folder cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("the folder {folder} is in use by another gridgate: {holder}")]
    Held {
        /// The folder.
        folder: PathBuf,
        /// What the other process wrote about itself: its process id and when it started.
        holder: String,
    },
    /// The folder or the lock file cannot be used.
    #[error("the folder {folder} cannot be locked: {source}")]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl FolderLock {
    /// Locks `folder`, which must exist, and leaves word of who holds it.
    ///
    /// # Errors
    /// Where another process has it, or the lock file cannot be written.
    pub fn acquire(folder: &Path, now: Timestamp) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable { folder: folder.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("lock"))
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(unusable)?;
                return Err(LockError::Held { folder: folder.to_owned(), holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(unusable)?;
        writeln!(file, "process {}, started {now}", std::process::id()).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_told_who_the_first_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let now = Timestamp::from_micros(0);
        let first = FolderLock::acquire(folder.path(), now).expect("nobody has it");
        let refused = FolderLock::acquire(folder.path(), now).expect_err("the first has it");
        let expected = format!("process {}, started 1970-01-01T00:00:00.000000Z", std::process::id());
        assert!(refused.to_string().ends_with(&expected), "{refused}");
        drop(first);
        FolderLock::acquire(folder.path(), now).expect("nobody has it any more");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let refused =
            FolderLock::acquire(Path::new("/nowhere/at/all"), Timestamp::from_micros(0)).expect_err("no folder");
        assert!(refused.to_string().contains("/nowhere/at/all"), "{refused}");
    }
}
