//! Metering: what is counted and remembered of each export, for as long as it takes until somebody writes it down.
//!
//! The path of an export tells [`Books`] of two moments: whose the export is, once that is proved, and what became of it. Every
//! export has exactly one of the second. Nothing here waits for anything.

pub mod buckets;
pub mod feed;
pub mod limiter;
pub mod refusals;
pub mod requests;
pub mod senders;
pub mod usage;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{KeyId, Origin, Refusal, Signal, Tenant, Timestamp, Transport};
use refusals::Refusals;
use requests::Requests;
use senders::Senders;
use usage::Usage;

/// Everything that is remembered of exports.
#[derive(Debug, Default)]
pub struct Books {
    /// Single exports.
    pub requests: Requests,
    /// What was turned away, and why.
    pub refusals: Refusals,
    /// Who uses which key.
    pub senders: Senders,
    /// How much came in and what became of it.
    pub usage: Usage,
}

/// An export whose sender has proved possession of a secret.
#[derive(Clone, Debug)]
pub struct Identified {
    /// Its key.
    pub key: KeyId,
    /// The version of the secret.
    pub secret_version: u32,
    /// Whether another secret of the key is good, too.
    pub rotating: bool,
    /// Its tenant.
    pub tenant: Arc<Tenant>,
}

/// How much an export holds, known from the scan on.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Measured {
    /// Spans, data points, log records or profile samples.
    pub items: u64,
    /// Bytes as they were sent.
    pub wire_bytes: u64,
    /// Bytes of the payload in protobuf, decompressed.
    pub bytes: u64,
}

/// What became of an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome<'a> {
    /// It is durable.
    Accepted,
    /// It was turned away.
    Refused(&'a Refusal),
    /// Its client left while the body was still arriving.
    Gone,
}

/// One export at its end.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// When its headers had arrived. It counts for this instant, whenever it ended.
    pub at: Timestamp,
    /// From its headers to its end.
    pub took: Duration,
    /// How it came.
    pub transport: Transport,
    /// The signal that its path names; `None` where the path is none of OTLP's.
    pub signal: Option<Signal>,
    /// The address that it came from.
    pub address: IpAddr,
    /// What its `User-Agent` header says; empty where there is none.
    pub agent: &'a [u8],
    /// The key that its token names, proved or not; `None` where it names none.
    pub claimed: Option<KeyId>,
    /// Whose it is; `None` where nobody proved anything.
    pub identified: Option<&'a Identified>,
    /// How much it holds; `None` where that was not found out.
    pub measured: Option<Measured>,
    /// Who sent it, by its own account; `None` where the body was not read to its end.
    pub origin: Option<&'a Origin>,
    /// What became of it.
    pub outcome: Outcome<'a>,
    /// Whether it was accepted although a limit that is not enforced had nothing left.
    pub would_refuse: bool,
}

impl Books {
    /// An export has ended.
    pub fn decided(&self, decided: &Decided<'_>) {
        self.refusals.decided(decided);
        self.senders.record(decided);
        self.usage.decided(decided);
        self.requests.decided(decided);
    }

    /// A question of whoami was refused: no export, but asked in place of one.
    pub fn whoami_refused(&self, decided: &Decided<'_>) {
        self.refusals.decided(decided);
    }
}
