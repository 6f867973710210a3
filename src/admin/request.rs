//! What is known of a request beside its head, in its extensions.

use std::net::IpAddr;

/// The address of the client. The server puts it there; without it the request comes from nowhere that is known.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// The id that the answer names the request by.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);
