//! Server-sent events: an answer that goes on for as long as the server has something to tell.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;

use super::answer::Answer;
use super::{Client, MAX_ANSWER_BYTES, TIMEOUT};
use crate::cli::{Exit, Failure};

/// Longer events are none of the admin API's.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// The server says something at least every 15 seconds.
const SILENCE: Duration = Duration::from_mins(1);

/// One event.
#[derive(PartialEq, Eq, Debug)]
pub(in crate::cli) struct Event {
    /// Its name.
    pub(in crate::cli) name: String,
    /// Its data.
    pub(in crate::cli) data: String,
}

/// An answer under way.
pub(in crate::cli) struct Events<'a> {
    client: &'a Client,
    body: Incoming,
    unread: Vec<u8>,
}

impl Client {
    /// `GET`s events.
    pub(in crate::cli) async fn events(&self, path: &str) -> Result<Events<'_>, Failure> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(format!("{}/api/v1{path}", self.base))
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::ACCEPT, "text/event-stream")
            .body(Full::new(Bytes::new()))
            .map_err(|error| Failure::new(Exit::Usage, format!("the request cannot be built: {error}")))?;
        let response = tokio::time::timeout(TIMEOUT, self.http.request(request)).await;
        let response = response.map_err(|_| self.unreachable(&format!("no answer within {} s", TIMEOUT.as_secs())))?;
        let response = response.map_err(|error| self.unreachable(&super::chain(&error)))?;
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        Ok(Events { client: self, body: response.into_body(), unread: Vec::new() })
    }

    async fn refused(&self, response: Response<Incoming>) -> Failure {
        let (parts, body) = response.into_parts();
        match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
            Ok(body) => match (Answer::Here { parts, body: body.to_bytes() }).read::<serde_json::Value>(&self.base) {
                Err(failure) => failure,
                Ok(_) => self.unreachable("the answer is none of the admin API's"),
            },
            Err(error) => self.unreachable(&format!("the answer broke off: {error}")),
        }
    }
}

impl Events<'_> {
    /// Waits for the next event; an error where the connection is lost.
    pub(in crate::cli) async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            match take(&mut self.unread) {
                Some(Block::Event(event)) => return Ok(event),
                Some(Block::Comment) => continue,
                None => {}
            }
            if self.unread.len() > MAX_EVENT_BYTES {
                return Err(self.client.unreachable("an event has no end"));
            }
            let frame = tokio::time::timeout(SILENCE, self.body.frame()).await;
            match frame {
                Ok(Some(Ok(frame))) => self.unread.extend(frame.into_data().unwrap_or_default()),
                Ok(Some(Err(error))) => return Err(self.client.unreachable(&format!("the answer broke off: {error}"))),
                Ok(None) => return Err(self.client.unreachable("the answer has ended")),
                Err(_) => return Err(self.client.unreachable("nothing was heard for a minute")),
            }
        }
    }
}

/// What stands between two empty lines of a stream.
#[derive(PartialEq, Eq, Debug)]
enum Block {
    Event(Event),
    /// It only shows that the other side is there.
    Comment,
}

/// Takes the first block out of `unread`, once it is there as a whole.
fn take(unread: &mut Vec<u8>) -> Option<Block> {
    let end = unread.windows(2).position(|two| two == b"\n\n")?;
    let block: Vec<u8> = unread.drain(..end + 2).collect();
    let block = String::from_utf8_lossy(&block);
    let field = |name: &str| {
        let values = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let values: Vec<_> = values.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect();
        (!values.is_empty()).then(|| values.join("\n"))
    };
    let event = field("data").map(|data| Event { name: field("event").unwrap_or_default(), data });
    Some(event.map_or(Block::Comment, Block::Event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn events_are_taken_whole() {
        let mut unread = b":\n\nevent: export\ndata: {\"a\":1}\n\nevent: mis".to_vec();
        assert_eq!(take(&mut unread), Some(Block::Comment));
        let event = Event { name: "export".to_owned(), data: "{\"a\":1}".to_owned() };
        assert_eq!(take(&mut unread), Some(Block::Event(event)));
        assert_eq!(take(&mut unread), None);
        assert_eq!(unread, b"event: mis");
    }

    proptest! {
        #[test]
        fn any_bytes_are_events_or_none(mut bytes: Vec<u8>) {
            let blocks = std::iter::from_fn(|| take(&mut bytes)).count();
            prop_assert!(blocks <= 1_000);
            prop_assert!(!bytes.windows(2).any(|two| two == b"\n\n"));
        }
    }
}
