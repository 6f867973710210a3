//! Floods and attacks on the protocols below OTLP (CVE-2023-44487, CVE-2024-27316 and their relatives): each is bounded or ends
//! with its connection, and whoever else is there is served as before.

mod connections;
mod control;
mod descriptors;
mod headers;
mod resets;
mod streams;

use std::time::Duration;

use gridgate::config::Span;

use super::client::{Export, Form};
use super::{Gate, Issued};

/// A limit that is over soon, and not so soon that it cuts clients of a busy machine which do nothing wrong.
const A_WHILE: Span = Span(Duration::from_secs(1));

/// Others are served: on new connections, in every form.
async fn assert_served(gate: &Gate, key: &Issued) {
    for form in Form::ALL {
        Export::traces(form, &key.token).send(gate).await.assert_success(form);
    }
}
