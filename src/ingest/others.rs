//! Answers of the other gRPC services. Some of them never end by themselves: `Health/Watch` lasts as long as its client wants.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::acknowledge::GRPC_STATUS;

/// A body that ends with UNAVAILABLE where the process is asked to stop while there is nothing to send: shutdown waits for every
/// open stream, and would otherwise use up its grace period.
pub struct UntilStopped<B> {
    body: Option<B>,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<B> UntilStopped<B> {
    /// `body`, until `stop` is cancelled.
    #[must_use]
    pub fn new(body: B, stop: CancellationToken) -> Self {
        Self { body: Some(body), stopped: Box::pin(stop.cancelled_owned()) }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for UntilStopped<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        if self.stopped.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.body = None;
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(GRPC_STATUS, HeaderValue::from(tonic::Code::Unavailable as i32));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use http_body_util::StreamBody;

    #[tokio::test]
    async fn a_stream_without_end_ends_with_the_process() {
        let stop = CancellationToken::new();
        let endless = futures_util::stream::pending::<Result<Frame<Bytes>, std::convert::Infallible>>();
        let collecting = tokio::spawn(UntilStopped::new(StreamBody::new(endless), stop.clone()).collect());
        stop.cancel();
        let collected = collecting.await.expect("no panic").expect("no error");
        assert_eq!(collected.trailers().and_then(|trailers| trailers.get(GRPC_STATUS)), Some(&HeaderValue::from(14)));
    }

    #[tokio::test]
    async fn what_is_ready_is_sent_all_the_same() {
        let stop = CancellationToken::new();
        stop.cancel();
        let body = UntilStopped::new(http_body_util::Full::new(Bytes::from_static(b"ready")), stop);
        assert_eq!(body.collect().await.expect("no error").to_bytes(), "ready");
    }
}
