//! `[webhooks]`: where messages about keys may be sent.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::Span;

/// `[webhooks]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksConfig {
    /// Plain http, too.
    pub allow_http: bool,
    /// Internal networks that may be called all the same.
    #[serde(deserialize_with = "networks")]
    pub allow_networks: Vec<IpNet>,
    /// The authorities of receivers' certificates, in PEM; empty: those that the machine trusts.
    pub ca: PathBuf,
    /// How long an attempt may take.
    pub timeout: Span,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self { allow_http: false, allow_networks: Vec::new(), ca: PathBuf::new(), timeout: Span::seconds(10) }
    }
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let network = |text: String| {
        // Bits behind the prefix are a slip: it is not clear which network is meant.
        let network = text.parse::<IpNet>().ok().filter(|network| network.trunc() == *network);
        network.ok_or_else(|| D::Error::custom(format!("{text:?} is not a network like \"10.20.0.0/16\"")))
    };
    texts.into_iter().map(network).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn networks_are_read_or_refused_by_name() {
        let load = |value: &str| {
            let variable = ("GRIDGATE_WEBHOOKS__ALLOW_NETWORKS".to_owned(), value.to_owned());
            Config::load(None, [variable], &[]).map(|config| config.webhooks.allow_networks)
        };
        let networks = load("[\"10.20.0.0/16\", \"fd00::/8\"]").expect("they are good");
        assert_eq!(networks.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.20.0.0/16", "fd00::/8"]);
        for value in ["[\"10.20.0.1/16\"]", "[\"10.20.0.0\"]", "[\"x\"]"] {
            let message = load(value).expect_err(value).to_string();
            assert!(message.starts_with("webhooks.allow_networks (set by GRIDGATE_WEBHOOKS__ALLOW_NETWORKS): "));
            assert!(message.contains("is not a network"), "{message}");
        }
    }
}
