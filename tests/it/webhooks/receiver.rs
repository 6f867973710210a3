//! A receiver of messages: it notes what comes, and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

/// How a message is answered.
pub(crate) enum Reply {
    /// With this status.
    Status(u16),
    /// With 503 and this `Retry-After`.
    Later(String),
    /// With a redirect to there.
    Redirect(String),
    /// Not before it is told to.
    Wait(Arc<Semaphore>),
}

/// A message as it came.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) headers: HeaderMap,
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    messages: mpsc::UnboundedReceiver<Message>,
}

impl Receiver {
    /// A receiver that answers 204 unless told otherwise.
    pub(crate) async fn start() -> Self {
        Self::serve(None).await
    }

    /// The same over TLS.
    pub(crate) async fn with_tls(acceptor: TlsAcceptor) -> Self {
        Self::serve(Some(acceptor)).await
    }

    async fn serve(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (told, messages) = mpsc::unbounded_channel();
        let replies = Arc::new(Mutex::new(VecDeque::new()));
        let script = Arc::clone(&replies);
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                let (script, told, acceptor) = (Arc::clone(&script), told.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => answer(socket, script, told).await,
                        Some(acceptor) => {
                            // A client that does not believe us leaves.
                            if let Ok(stream) = acceptor.accept(socket).await {
                                answer(stream, script, told).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, replies, messages }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?a=b", self.address)
    }

    /// How the next messages are answered.
    pub(crate) fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().expect("replies").extend(replies);
    }

    /// The next message, which has come or will come.
    pub(crate) async fn message(&mut self) -> Message {
        self.messages.recv().await.expect("it runs")
    }

    /// A message that has come.
    pub(crate) fn arrived(&mut self) -> Option<Message> {
        self.messages.try_recv().ok()
    }
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).expect(name).to_str().expect("a text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// Which of its signatures are by `secret`, as a receiver checks them.
    pub(crate) fn signed_by(&self, secret: &str) -> Vec<bool> {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        mac.update(
            format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.text).as_bytes(),
        );
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').map(|signature| signature == expected).collect()
    }
}

async fn answer<S>(stream: S, script: Arc<Mutex<VecDeque<Reply>>>, told: mpsc::UnboundedSender<Message>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (script, told) = (Arc::clone(&script), told.clone());
        async move {
            assert_eq!(request.method(), http::Method::POST);
            let (parts, body) = request.into_parts();
            let bytes = body.collect().await?.to_bytes();
            let path = parts.uri.to_string();
            let text = String::from_utf8(bytes.to_vec()).expect("text");
            let reply = script.lock().expect("replies").pop_front();
            let _ = told.send(Message { headers: parts.headers, path, text });
            let mut response = Response::new(Full::new(Bytes::from_static(b"a body that nobody reads")));
            *response.status_mut() = StatusCode::NO_CONTENT;
            match reply {
                None => {}
                Some(Reply::Status(status)) => *response.status_mut() = StatusCode::from_u16(status).expect("a status"),
                Some(Reply::Later(when)) => {
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    response.headers_mut().insert(header::RETRY_AFTER, when.parse().expect("a value"));
                }
                Some(Reply::Redirect(to)) => {
                    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
                    response.headers_mut().insert(header::LOCATION, to.parse().expect("a URL"));
                }
                Some(Reply::Wait(until)) => until.acquire().await.expect("it is never closed").forget(),
            }
            Ok::<_, hyper::Error>(response)
        }
    });
    // How a connection ends is the client's business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
