//! Sessions of the console: an admin key was presented once, and the browser holds an opaque text in its place.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::base62::{is_base62, random_base62};
use super::random::{Random, RandomError};
use super::{KeyId, Timestamp, hexadecimal};

/// Characters of the text that a browser holds: 32 of base62 are 190 bits.
const TICKET_LENGTH: usize = 32;
/// Characters of an id.
const ID_LENGTH: usize = 12;

/// What a browser holds and presents: whoever has it has the session. Only its digest is kept, and its `Debug` form tells nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(Zeroizing<String>);

/// What a session is found by: the SHA-256 of its ticket. The ticket has so many random bits that no slower hash is needed.
pub type TicketDigest = [u8; 32];

/// The public name of a session, `ses_` and twelve characters; safe to show and to log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(String);

/// The text is no id of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the id of a session is ses_ and 12 characters from 0-9, A-Z and a-z")]
pub struct SessionIdError;

/// A session, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its public name.
    pub id: SessionId,
    /// The admin key that was presented.
    pub key: KeyId,
    /// The version of its secret: once that is retired the session is over, too.
    pub secret_version: u32,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used; up to [`SEEN_STEP`] late.
    pub seen_at: Timestamp,
    /// It ends then at the latest.
    pub expires_at: Timestamp,
    /// From where it was begun.
    pub address: Option<IpAddr>,
    /// What the browser called itself, cut where it is long.
    pub user_agent: Option<String>,
}

/// A use is written down where the last one that was is so long ago.
pub const SEEN_STEP: Duration = Duration::from_mins(1);

impl Session {
    /// Whether it goes on at `now`, where it may be unused for `idle`.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp, idle: Duration) -> bool {
        now < self.expires_at && now < self.seen_at.after(idle)
    }
}

impl Ticket {
    /// A new one.
    ///
    /// # Errors
    /// Where `random` gives no bytes.
    pub fn mint(random: &dyn Random) -> Result<Self, RandomError> {
        let characters = Zeroizing::new(random_base62::<TICKET_LENGTH>(random)?);
        let mut text = Zeroizing::new(String::with_capacity(TICKET_LENGTH));
        text.extend(characters.iter().map(|&byte| char::from(byte)));
        Ok(Self(text))
    }

    /// The one that a browser presents; `None` where the text cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == TICKET_LENGTH && is_base62(text.as_bytes())).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What is given to the browser.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the session is found by.
    #[must_use]
    pub fn digest(&self) -> TicketDigest {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// What a form of this session's pages has to bring back, so that no other site's form is taken for one: 64 hexadecimal digits that
    /// nobody can compute without the ticket, and from which nobody can compute the ticket.
    #[must_use]
    pub fn form_token(&self) -> String {
        // A key of any length is good.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()) else { return String::new() };
        mac.update(b"form");
        hexadecimal(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(…)")
    }
}

impl SessionId {
    /// A new one.
    ///
    /// # Errors
    /// Where `random` gives no bytes.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let characters = random_base62::<ID_LENGTH>(random)?;
        Ok(Self("ses_".chars().chain(characters.iter().map(|&byte| char::from(byte))).collect()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SessionId {
    type Err = SessionIdError;

    fn from_str(text: &str) -> Result<Self, SessionIdError> {
        let bare = text.strip_prefix("ses_").ok_or(SessionIdError)?;
        if bare.len() == ID_LENGTH && is_base62(bare.as_bytes()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SessionIdError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OsRandom;

    #[test]
    fn a_ticket_is_read_back_and_hidden() {
        let ticket = Ticket::mint(&OsRandom).expect("randomness");
        assert_eq!(Ticket::parse(ticket.reveal()).as_ref(), Some(&ticket));
        assert_eq!(format!("{ticket:?}"), "Ticket(…)");
        let other = Ticket::mint(&OsRandom).expect("randomness");
        assert_ne!(ticket.digest(), other.digest());
        assert_ne!(ticket.form_token(), other.form_token());
        assert_eq!(ticket.form_token().len(), 64);
        for wrong in ["", "x", &"ä".repeat(16), &"a".repeat(31), &"a".repeat(33), &"-".repeat(32)] {
            assert_eq!(Ticket::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_id_is_read_back() {
        let id = SessionId::generate(&OsRandom).expect("randomness");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        for wrong in ["", "ses_", "key_7Hq2mZxK9wPa", "ses_7Hq2mZxK9wP", "ses_7Hq2mZxK9wP-"] {
            assert_eq!(wrong.parse::<SessionId>(), Err(SessionIdError), "{wrong}");
        }
    }

    #[test]
    fn a_session_ends_unused_and_at_its_end() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let session = Session {
            id: "ses_7Hq2mZxK9wPa".parse().expect("an id"),
            key: "key_7Hq2mZxK9wPa".parse().expect("an id"),
            secret_version: 1,
            created_at: at(0),
            seen_at: at(50),
            expires_at: at(100),
            address: None,
            user_agent: None,
        };
        let idle = Duration::from_secs(30);
        assert!(session.is_alive(at(79), idle));
        assert!(!session.is_alive(at(80), idle), "unused for so long");
        let used = Session { seen_at: at(99), ..session };
        assert!(used.is_alive(at(99), idle));
        assert!(!used.is_alive(at(100), idle), "its end");
    }
}
