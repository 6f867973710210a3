//! Which server to talk to, and as whom.

use std::path::PathBuf;

use clap::Args;
use http::{HeaderValue, Uri};
use zeroize::Zeroizing;

use super::https::Trust;
use crate::cli::{Exit, Failure, Terminal};
use crate::domain::TokenKind;
use crate::domain::token::PresentedToken;

/// Which server to talk to, and as whom. The admin key comes from `GRIDGATE_ADMIN_KEY` or a file, never from an argument,
/// which every user of the machine could read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Admin API")]
pub struct Target {
    /// The address of the admin API.
    #[arg(
        long,
        global = true,
        env = "GRIDGATE_ADMIN_URL",
        default_value = "http://127.0.0.1:4319",
        value_name = "URL"
    )]
    pub(in crate::cli) admin_url: String,
    /// A file that holds the admin key; without it the environment variable `GRIDGATE_ADMIN_KEY` does.
    #[arg(long, global = true, value_name = "FILE")]
    admin_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) trust: Trust,
}

impl Target {
    /// Scheme, host, port and whatever path stands before `/api/v1`, without a final `/`.
    pub(super) fn base(&self) -> Result<String, Failure> {
        let usage = |what: &str| {
            Failure::new(Exit::Usage, format!("--admin-url (GRIDGATE_ADMIN_URL) {what}"))
                .hint("it looks like http://127.0.0.1:4319")
        };
        let uri: Uri = self.admin_url.parse().map_err(|_| usage("is not a URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(usage("does not begin with http:// or https://"));
        }
        if uri.query().is_some() {
            return Err(usage("has a query"));
        }
        Ok(self.admin_url.trim_end_matches('/').to_owned())
    }

    /// Whether somebody gave an admin key.
    pub(in crate::cli) const fn has_key(&self, terminal: &Terminal<'_>) -> bool {
        self.admin_key_file.is_some() || terminal.admin_key.is_some()
    }

    /// The header that carries the admin key.
    pub(super) fn authorization(&self, terminal: &Terminal<'_>) -> Result<HeaderValue, Failure> {
        let key = self.admin_key(terminal)?;
        let value = Zeroizing::new(format!("Bearer {}", &*key));
        let mut authorization = HeaderValue::from_str(&value)
            .map_err(|_| Failure::new(Exit::Usage, "the admin key has other characters than a token"))?;
        authorization.set_sensitive(true);
        Ok(authorization)
    }

    fn admin_key(&self, terminal: &Terminal<'_>) -> Result<Zeroizing<String>, Failure> {
        let text = match (&self.admin_key_file, &terminal.admin_key) {
            (Some(path), _) => std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
                Failure::new(Exit::Usage, format!("cannot read --admin-key-file {}: {error}", path.display()))
            })?,
            (None, Some(key)) => key.clone(),
            (None, None) => {
                return Err(Failure::new(Exit::Usage, "there is no admin key").hint(
                    "set GRIDGATE_ADMIN_KEY or give --admin-key-file; `gridgate bootstrap` makes the first one",
                ));
            }
        };
        let presented = PresentedToken::parse(&text)
            .map_err(|error| Failure::new(Exit::Usage, format!("the admin key is no token: {error}")))?;
        if presented.kind == TokenKind::Ingest {
            return Err(Failure::new(Exit::Usage, "the admin key is an ingest token; those only export telemetry")
                .hint("use an admin token, which begins with gga_"));
        }
        Ok(Zeroizing::new(presented.text.to_owned()))
    }
}
