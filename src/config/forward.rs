//! `[[forward]]` and `[[route]]`: where records go beside the lake, and which.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Bytes, Config, Span};
use crate::domain::Slug;
use crate::storage::destination::otlp::{Compression, Protocol};
use crate::storage::route::{LAKE_NAME, RouteError, Routes};

/// `[[forward]]`: another OTLP server that records are sent on to.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardConfig {
    /// Its name, in routes, paths and metrics.
    #[serde(deserialize_with = "slug")]
    pub name: Slug,
    /// Where it is.
    pub endpoint: String,
    /// What it speaks.
    #[serde(default = "protocol")]
    pub protocol: Protocol,
    /// How payloads are compressed on the way.
    #[serde(default = "compression")]
    pub compression: Compression,
    /// Its headers, by name: templates with `{project}`, `{grid}`, `{environment}`, `{signal}` and `{env:NAME}`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How long it may take to answer.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// Whether project, grid and environment are written into the attributes of resources.
    #[serde(default)]
    pub stamp: bool,
    /// The authorities that may have signed its certificate; empty: those that the machine trusts.
    #[serde(default)]
    pub ca: PathBuf,
    /// The gate's own certificate; empty: none.
    #[serde(default)]
    pub certificate: PathBuf,
    /// The key of the gate's own certificate.
    #[serde(default)]
    pub key: PathBuf,
    /// From this much on that waits or lies in quarantine, every tenant that is routed here is refused.
    #[serde(default = "backlog")]
    pub backlog: Bytes,
    /// From this much of a tenant on, that tenant is refused.
    #[serde(default = "tenant_backlog")]
    pub tenant_backlog: Bytes,
    /// Records under way at the same time.
    #[serde(default = "in_flight")]
    pub in_flight: usize,
    /// How long a record may wait in the shared log before it is moved.
    #[serde(default = "patience")]
    pub patience: Span,
}

fn slug<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Slug, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

const fn protocol() -> Protocol {
    Protocol::Grpc
}

const fn compression() -> Compression {
    Compression::AsReceived
}

const fn timeout() -> Span {
    Span::seconds(10)
}

const fn backlog() -> Bytes {
    Bytes::mebi(1 << 10)
}

const fn tenant_backlog() -> Bytes {
    Bytes::mebi(256)
}

const fn in_flight() -> usize {
    8
}

const fn patience() -> Span {
    Span::seconds(15)
}

/// More at once would be a slip of the keyboard.
const MOST_IN_FLIGHT: usize = 10_000;

impl Config {
    /// The names of the destinations: the lake, and then the forwards in their order.
    #[must_use]
    pub fn destinations(&self) -> Vec<String> {
        [LAKE_NAME.to_owned()].into_iter().chain(self.forward.iter().map(|forward| forward.name.to_string())).collect()
    }

    /// The routes among the [`destinations`](Self::destinations).
    ///
    /// # Errors
    /// [`RouteError`], which names the option.
    pub fn routes(&self) -> Result<Routes, RouteError> {
        Routes::new(&self.destinations(), &self.route)
    }
}

/// The first option that is wrong by itself or beside others, and why.
pub(super) fn fault(config: &Config) -> Option<(String, String)> {
    let mut names = vec![LAKE_NAME];
    for (place, forward) in config.forward.iter().enumerate() {
        let wrong = |option: &str, why: String| Some((format!("forward[{place}].{option}"), why));
        let name = forward.name.as_str();
        if name == LAKE_NAME {
            return wrong("name", format!("{LAKE_NAME} is the destination that is always there"));
        }
        if names.contains(&name) {
            return wrong("name", format!("there is another destination {name}"));
        }
        names.push(name);
        if !(1..=MOST_IN_FLIGHT).contains(&forward.in_flight) {
            let why = format!("it has to be at least 1 and at most {MOST_IN_FLIGHT}, not {}", forward.in_flight);
            return wrong("in_flight", why);
        }
        if forward.timeout.0.is_zero() {
            return wrong("timeout", "it has to be longer than zero".to_owned());
        }
        for (option, bytes) in [("backlog", forward.backlog), ("tenant_backlog", forward.tenant_backlog)] {
            if bytes.0 == 0 {
                return wrong(option, "it has to be at least 1, not 0".to_owned());
            }
        }
    }
    config.routes().err().map(|RouteError { option, fault }| (option, fault.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn load(toml: &str) -> Result<Config, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(toml.as_bytes()).expect("the file is written");
        let path = file.path().display().to_string();
        Config::load(Some(file.path()), [], &[]).map_err(|error| error.to_string().replace(&path, "FILE"))
    }

    const VENDOR: &str = "[[forward]]\nname = \"vendor\"\nendpoint = \"http://127.0.0.1:4317\"\n";

    #[test]
    fn what_is_left_out_has_a_default() {
        let config =
            load(&format!("{VENDOR}[[route]]\nproject = \"shop\"\nto = [\"lake\", \"vendor\"]")).expect("it is good");
        let [forward] = &config.forward[..] else { panic!("{config:?}") };
        assert_eq!((forward.protocol, forward.compression), (Protocol::Grpc, Compression::AsReceived));
        assert_eq!((forward.backlog, forward.tenant_backlog), (Bytes(1 << 30), Bytes(1 << 28)));
        assert_eq!((forward.in_flight, forward.patience, forward.timeout), (8, Span::seconds(15), Span::seconds(10)));
        assert_eq!(config.destinations(), ["lake", "vendor"]);
        assert!(config.routes().is_ok());
    }

    fn read(path: &str) -> String {
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is there")
    }

    #[test]
    fn what_the_documentation_shows_can_be_configured() {
        let other = VENDOR.replace("vendor", "shop-backend") + &VENDOR.replace("vendor", "collector");
        let text = read("docs/forwarding.md");
        let blocks: Vec<_> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(blocks.len(), 3);
        for block in blocks {
            // What a block leaves out is somewhere else in the document.
            let toml = match block {
                whole if whole.contains("[[forward]]") => whole.to_owned(),
                routes if routes.contains("[[route]]") => other.clone() + routes,
                options => VENDOR.to_owned() + options,
            };
            load(&toml).unwrap_or_else(|error| panic!("{error}: {block}"));
        }
    }

    /// The examples in `config/gridgate.toml` show the defaults.
    #[test]
    fn the_reference_files_examples_can_be_configured() {
        let text = read("config/gridgate.toml");
        let examples: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
        let config = load(&examples.join("\n")).expect("they are good");
        let least = VENDOR.replace("vendor", "collector");
        assert_eq!(config.forward, load(&least).expect("it is good").forward);
        assert_eq!((config.route.len(), config.listen.more.len()), (1, 1));
    }

    #[test]
    fn what_is_wrong_is_told_by_option() {
        for (more, expected) in [
            ("in_flight = 0", "forward[0].in_flight (set by FILE): it has to be at least 1 and at most 10000, not 0"),
            ("timeout = \"0s\"", "forward[0].timeout (set by FILE): it has to be longer than zero"),
            ("backlog = 0", "forward[0].backlog (set by FILE): it has to be at least 1, not 0"),
            ("tenant_backlog = 0", "forward[0].tenant_backlog (set by FILE): it has to be at least 1, not 0"),
            ("protocol = \"smtp\"", "forward[0].protocol (set by FILE): unknown variant `smtp`"),
            ("[[forward]]\nname = \"lake\"\nendpoint = \"\"", "forward[1].name (set by FILE): lake is the destination"),
            ("[[forward]]\nname = \"Lake\"\nendpoint = \"\"", "forward[1].name (set by FILE): a slug has only"),
            (VENDOR, "forward[1].name (set by FILE): there is another destination vendor"),
            ("[[route]]\nto = []", "route[0].to (set by FILE): a route needs at least one destination"),
            (
                "[[route]]\nto = [\"x\"]",
                "route[0].to (set by FILE): there is no destination \"x\"; there are lake, vendor",
            ),
            ("[[route]]\nsignals = [\"spans\"]\nto = [\"lake\"]", "route[0].signals (set by FILE): \"spans\" is not"),
            ("[[route]]\nproject = \"A\"\nto = [\"lake\"]", "route[0].project (set by FILE): \"A\" is not a slug"),
        ] {
            let message = load(&format!("{VENDOR}{more}")).expect_err("it is wrong");
            assert!(message.starts_with(expected), "{more}: {message}");
        }
    }
}
