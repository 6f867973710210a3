//! Gridgate, the front door for OpenTelemetry.
//!
//! # The path of one export
//!
//! ```text
//!         milliseconds: the client waits                          seconds: behind the acknowledgement
//! accept → authenticate → read → scan → admit → append → acknowledge     ⇒     route → deliver → checkpoint → retire
//! ```
//!
//! An SDK sends a batch of spans to `/v1/traces`, with its token in the `api-key` header. [`server`] has accepted the
//! connection; what happens now is [`ingest::export`], six calls in a row, each of which consumes what the one before built.
//!
//! 1. **accept.** From path and method, [`ingest::accept`] knows the signal, and makes an [`Arrival`] of it: headers, peer, and
//!    the listener it came in by.
//! 2. **authenticate.** [`ingest::authenticate`] reads the token, checks its form and checksum, and asks the
//!    [key cache](ingest::key_cache) for its key; only a key that is not cached costs a query of the [`catalog`]. The digest
//!    is compared in constant time. Then the key's state, its environment and its permission for traces decide. Not
//!    one byte of the body has been read.
//! 3. **read.** [`ingest::read`] collects the body, within caps of size and time, and as far as the
//!    [memory budget](domain::budget) goes.
//! 4. **scan.** [`ingest::scan`] inflates the body (or transcodes it from [JSON](otlp::json)), and passes once over its wire
//!    bytes: [`otlp::scan`] validates them and counts the spans. Nothing is decoded into structs.
//! 5. **admit.** [`ingest::admit`] makes a [`Record`] of it: the payload as it was sent, and whose it is.
//! 6. **append.** [`ingest::append`] looks whether the key was changed while the body arrived, and hands the record to the
//!    [log](storage::log). It joins the open batch; when the batch is durable as a [segment](storage::segment), the export is
//!    [`Stored`].
//!
//! **acknowledge.** [`ingest::acknowledge`] turns `Result<Stored, Refusal>` into the answer of OTLP over HTTP or gRPC. Every
//! [refusal](domain::refusal) is one row of one table: status, code, retry hint, advice.
//!
//! The client is gone; a few seconds later [`storage::deliver`] takes the segment, together with its neighbours. It decides which
//! record goes into which file (**route**), writes that plan into its **checkpoint**, builds the Parquet files of the
//! [lake](storage::destination::lake) straight from the wire bytes (**deliver**), checkpoints that it is done, and removes the
//! segments (**retire**). Killed anywhere in between, the next start carries the same plan out again, to the same names.
//!
//! Where a [route](storage::route) says so, [`storage::forward`] sends the record to [another OTLP server](storage::destination::otlp),
//! too, or instead. The segment is removed once every destination has passed it.
//!
//! # Around it
//!
//! [`admin`] makes and changes keys; a change makes the key cache forget the key before it is answered. [`cli`] is a client of
//! the admin API, and opens installations; [`console`] is one for the browser. [`metering`] remembers what became of
//! each export. [`upkeep`] writes that down, and tells others what happens to keys. [`config`] says what can be set. [`observe`] is how the gate is watched.
//!
//! [`Arrival`]: ingest::accept::Arrival
//! [`Record`]: storage::record::Record
//! [`Stored`]: ingest::append::Stored

// In reading order.
pub mod domain;
pub mod otlp;

pub mod ingest;
pub mod metering;
pub mod storage;

pub mod admin;
pub mod catalog;
pub mod console;
pub mod upkeep;

pub mod cli;
pub mod config;
pub mod observe;
pub mod server;
pub mod shutdown;
