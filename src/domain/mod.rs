//! The words of Gridgate: pure values and rules, no I/O and no async.
//!
//! Everything else in the crate may use this module; it uses nothing of ours.

pub mod address;
pub mod audit;
pub mod authority;
mod base62;
pub mod budget;
pub mod clock;
pub mod credential;
pub mod encoding;
pub mod environment;
pub mod hygiene;
pub mod id;
pub mod judge;
pub mod key;
pub mod leak;
pub mod legacy;
pub mod limit;
pub mod origin;
pub mod permission;
pub mod random;
pub mod reach;
pub mod refusal;
pub mod role;
pub mod secret;
pub mod signal;
pub mod slug;
pub mod tags;
pub mod tenant;
pub mod token;
mod transport;
pub mod uses;
pub mod webhook;

pub use address::AllowedAddresses;
pub use audit::Actor;
pub use budget::{Budget, BudgetExceeded, Reservation};
pub use clock::{Clock, SystemClock, Timestamp};
pub use encoding::Encoding;
pub use environment::{Environment, EnvironmentCode};
pub use id::{KeyId, RecordId};
pub use key::{Binding, Changed, Key, KeyChange, KeyStatus, Secret, SecretState};
pub use leak::LeakPolicy;
pub use legacy::LegacyToken;
pub use limit::Limits;
pub use origin::Origin;
pub use permission::{Permission, Permissions};
pub use random::{OsRandom, Random};
pub use refusal::{GrpcCode, Reason, Refusal};
pub use role::Role;
pub use secret::{Digest, Pepper};
pub use signal::Signal;
pub use slug::Slug;
pub use tags::Tags;
pub use tenant::Tenant;
pub use token::{Token, TokenError, TokenKind};
pub use transport::Transport;
