//! Reading the configuration, with errors that name the option and where it was set.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;
use super::check::out_of_range;

/// What is wrong with the configuration. Each is one line that names the option.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// An option does not exist, or its value is not good.
    #[error("{option} (set by {source_name}): {message}")]
    Option {
        /// The option, `section.key`.
        option: String,
        /// The file, environment variable or flag that set it.
        source_name: String,
        /// What is wrong with it.
        message: String,
    },
}

/// Variables of this form are options: `GRIDGATE_LISTEN__GRPC` is `listen.grpc`.
const PREFIX: &str = "GRIDGATE_";
const SEPARATOR: &str = "__";

impl Config {
    /// The configuration of `file` (the defaults without one), overridden by `environment` and then by `flags`, which are
    /// options by name like `data.folder`.
    ///
    /// # Errors
    /// [`ConfigError`], which names the option.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(&str, String)],
    ) -> Result<Self, ConfigError> {
        let mut table = match file {
            Some(path) => read(path)?,
            None => Table::new(),
        };
        let mut sources = Vec::new();
        for (name, value) in environment {
            let Some(option) = option_of(&name) else { continue };
            set(&mut table, &option, scalar(&value));
            sources.push((option, name));
        }
        for (option, value) in flags {
            set(&mut table, option, Value::String(value.clone()));
            sources.push(((*option).to_owned(), "a flag".to_owned()));
        }
        let wrong = |option: String, message: String| {
            let source = sources.iter().rev().find(|(set, _)| *set == option).map(|(_, source)| source.clone());
            let file = || file.map_or("nothing".to_owned(), |path| path.display().to_string());
            ConfigError::Option { option, source_name: source.unwrap_or_else(file), message }
        };
        let config = serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
            wrong(error.path().to_string(), error.inner().to_string().trim_end().replace('\n', " "))
        })?;
        match out_of_range(&config) {
            Some((option, message)) => Err(wrong(option.to_owned(), message)),
            None => Ok(config),
        }
    }
}

fn read(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        ConfigError::Syntax { path: path.to_owned(), message: format!("line {line}: {}", error.message()) }
    })
}

/// The option that an environment variable sets, if it is one.
fn option_of(variable: &str) -> Option<String> {
    let option = variable.strip_prefix(PREFIX)?;
    option.contains(SEPARATOR).then(|| option.to_ascii_lowercase().replace(SEPARATOR, "."))
}

/// A number, truth value or list where the text is one, otherwise the text itself.
fn scalar(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    match parsed {
        Some(value @ (Value::Integer(_) | Value::Boolean(_) | Value::Array(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

fn set(table: &mut Table, option: &str, value: Value) {
    let (section, key) = option.split_once('.').unwrap_or(("", option));
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(section) = section else { return };
    if key.contains('.') {
        set(section, key, value);
    } else {
        section.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Bytes;
    use std::io::Write;

    fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(toml.as_bytes()).expect("the file is written");
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let path = file.path().display().to_string();
        Config::load(Some(file.path()), environment, &[]).map_err(|error| error.to_string().replace(&path, "FILE"))
    }

    /// `config/gridgate.toml` shows every option with its default.
    #[test]
    fn the_reference_file_is_the_defaults() {
        let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/gridgate.toml");
        let config = Config::load(Some(&reference), [], &[]).expect("the reference is valid");
        assert_eq!(config, Config::default());
        // Every option of every section stands there: taking a line away would go unnoticed by the comparison above.
        let shown: Table = std::fs::read_to_string(&reference).expect("it is there").parse().expect("it is TOML");
        let debug = format!("{:?}", Config::default());
        assert_eq!(options(&shown), debug.matches(": ").count(), "config/gridgate.toml lacks an option");
    }

    /// The number of keys, those of the tables inside included.
    fn options(table: &Table) -> usize {
        table.values().map(|value| 1 + value.as_table().map_or(0, options)).sum()
    }

    #[test]
    fn the_environment_overrides_the_file_and_a_flag_both() {
        let environment =
            [("GRIDGATE_LISTEN__GRPC", "127.0.0.1:1"), ("GRIDGATE_KEYS__LOOKUPS", "7"), ("GRIDGATE_ADMIN_KEY", "x")];
        let config =
            load("[listen]\ngrpc = \"127.0.0.1:9\"\n[limits]\nbody = \"1MiB\"", &environment).expect("it is valid");
        assert_eq!(config.listen.grpc.port(), 1);
        assert_eq!((config.keys.lookups, config.limits.body), (7, Bytes(1 << 20)));
        let environment = [("GRIDGATE_DATA__FOLDER".to_owned(), "/a".to_owned())];
        let config = Config::load(None, environment, &[("data.folder", "/b".to_owned())]).expect("it is valid");
        assert_eq!(config.data.folder, Path::new("/b"));
    }

    #[test]
    fn what_is_wrong_is_one_line_that_names_the_option() {
        for (toml, environment, expected) in [
            ("[limits]\nbodi = 1", &[][..], "limits.bodi (set by FILE): unknown field `bodi`"),
            (
                "[limits]\nbody = \"much\"",
                &[],
                "limits.body (set by FILE): invalid value: string \"much\", expected a number of bytes",
            ),
            (
                "[log]\nlinger = 5",
                &[],
                "log.linger (set by FILE): invalid type: integer `5`, expected a length of time",
            ),
            ("[log]\ndurability = \"maybe\"", &[], "log.durability (set by FILE): unknown variant `maybe`"),
            ("[listen]\nenvironment = \"Prod\"", &[], "listen.environment (set by FILE): write \"any\" or the slug"),
            ("", &[("GRIDGATE_LISTEN__GRPC", "here")], "listen.grpc (set by GRIDGATE_LISTEN__GRPC): "),
            ("", &[("GRIDGATE_LISTN__GRPC", "1")], "listn"),
            ("limits = [", &[], "FILE: line 1: "),
        ] {
            let message = load(toml, environment).expect_err("it is wrong");
            assert!(message.starts_with(expected) && !message.contains('\n'), "{message}");
        }
    }
}
