//! Webhooks: what happens to keys is told to whoever subscribed to it.
//!
//! Every change of a key is in the audit log, in the same transaction. The [`courier`] reads on from where it was, writes a
//! delivery for each subscriber down together with its new place, and only then sends ([`send`]): so nothing is lost between a
//! change and its message, and a message may arrive twice, with the same id. What is sent is a [`message`] in the form of
//! CloudEvents, signed as Standard Webhooks describes ([`sign`]). Where it is sent is checked ([`target`]): a webhook must not be a
//! way to the machines around the gate.

pub mod courier;
pub mod message;
mod retry_after;
pub mod send;
pub mod sign;
pub mod target;
