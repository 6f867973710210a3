//! A front that refuses on demand: what SDKs do with a refusal is seen against it.
//!
//! It listens where SDKs send, refuses the first exports of each signal for a chosen reason with the very answer that the gate
//! itself gives, and passes everything else on to a gate, bytes and answers unchanged. The addresses are printed once it
//! listens. It ends when its standard input does, so that whoever started it cannot leave it behind, and then prints how many
//! it refused.
//!
//! ```sh
//! cargo run --example refuse -- --to-grpc 127.0.0.1:4317 --to-http 127.0.0.1:4318 --reason rate_limited --times 2
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Write};
use std::iter;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use gridgate::domain::{Reason, Refusal};
use gridgate::ingest::accept::Format;
use gridgate::ingest::acknowledge::{self, Answer};
use gridgate::ingest::cors::Cors;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

type BoxError = Box<dyn Error + Send + Sync>;

/// Refuses the first exports of each signal, and passes the others on to a gate.
#[derive(Parser, Debug)]
struct Options {
    /// The gate's gRPC listener.
    #[arg(long, value_name = "ADDRESS")]
    to_grpc: Authority,
    /// The gate's HTTP listener.
    #[arg(long, value_name = "ADDRESS")]
    to_http: Authority,
    /// Where to listen for gRPC.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    grpc: SocketAddr,
    /// Where to listen for HTTP.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// Why exports are refused, as it is called in the answer: `rate_limited`, `overloaded`, `project_suspended`, ...
    #[arg(long, value_parser = reason)]
    reason: Reason,
    /// How many exports of each signal are refused.
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// Leaves out after how many seconds to try again, and whatever else could be read as a hint.
    #[arg(long)]
    no_hint: bool,
}

fn reason(name: &str) -> Result<Reason, String> {
    Reason::ALL
        .iter()
        .copied()
        .find(|reason| reason.as_str() == name)
        .ok_or_else(|| "there is no such reason".to_owned())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let options = Options::parse();
    // Whether a page may send at all is for the gate to say: it answers the browser's question.
    let cors = Cors::new(&["*".to_owned()], iter::empty(), Duration::ZERO)?.map(Arc::new);
    let refuser = Refuser { reason: options.reason, times: options.times, hint: !options.no_hint, cors };
    let grpc = TcpListener::bind(options.grpc).await?;
    let http = TcpListener::bind(options.http).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "grpc={}\nhttp={}", grpc.local_addr()?, http.local_addr()?)?;
    stdout.flush()?;

    let fronts = [
        Arc::new(Front::new(Transport::Grpc, options.to_grpc, refuser.clone())),
        Arc::new(Front::new(Transport::Http, options.to_http, refuser)),
    ];
    for (front, listener) in fronts.iter().zip([grpc, http]) {
        tokio::spawn(Arc::clone(front).serve(listener));
    }
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    writeln!(stdout, "refused={}", fronts.iter().map(|front| front.refused()).sum::<u32>())?;
    Ok(())
}

/// Which exports are refused, and how.
#[derive(Clone, Debug)]
struct Refuser {
    reason: Reason,
    times: u32,
    hint: bool,
    cors: Option<Arc<Cors>>,
}

#[derive(Clone, Copy, Debug)]
enum Transport {
    Grpc,
    Http,
}

/// One listener.
struct Front {
    transport: Transport,
    gate: Authority,
    client: Client<HttpConnector, Full<Bytes>>,
    refuser: Refuser,
    /// How many exports have been refused, by path.
    counts: Mutex<HashMap<String, u32>>,
}

impl Front {
    fn new(transport: Transport, gate: Authority, refuser: Refuser) -> Self {
        let client =
            Client::builder(TokioExecutor::new()).http2_only(matches!(transport, Transport::Grpc)).build_http();
        Self { transport, gate, client, refuser, counts: Mutex::default() }
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<(), BoxError> {
        loop {
            let (stream, _) = listener.accept().await?;
            let front = Arc::clone(&self);
            tokio::spawn(async move {
                let service = service_fn(move |request| Arc::clone(&front).answer(request));
                // A client that breaks off ends its own connection and nothing else.
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Either<Answer, Incoming>>, BoxError> {
        let (parts, body) = request.into_parts();
        // An export is read to its end before it is refused: some clients send everything before they look.
        let body = body.collect().await?.to_bytes();
        if parts.method == Method::POST && self.is_one_of_the_first(parts.uri.path()) {
            return Ok(self.refuse(&parts.headers).map(Either::Left));
        }
        let mut forwarded = Request::from_parts(parts, Full::new(body));
        let path = forwarded.uri().path_and_query().cloned();
        let mut uri = Uri::builder().scheme(Scheme::HTTP).authority(self.gate.clone());
        if let Some(path) = path {
            uri = uri.path_and_query(path);
        }
        *forwarded.uri_mut() = uri.build()?;
        forwarded.headers_mut().remove(header::HOST);
        if matches!(self.transport, Transport::Http) {
            *forwarded.version_mut() = Version::HTTP_11;
        }
        match self.client.request(forwarded).await {
            Ok(response) => Ok(response.map(Either::Right)),
            Err(error) => {
                let mut response = Response::new(Answer::of(format!("{error}\n").into()));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                Ok(response.map(Either::Left))
            }
        }
    }

    fn is_one_of_the_first(&self, path: &str) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(path.to_owned()).or_default();
        let refuse = *count < self.refuser.times;
        *count += u32::from(refuse);
        refuse
    }

    fn refused(&self) -> u32 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    fn refuse(&self, headers: &HeaderMap) -> Response<Answer> {
        let refusal = Refusal::new(self.refuser.reason);
        let mut response = match self.transport {
            Transport::Grpc => acknowledge::grpc(Err(&refusal)),
            Transport::Http => acknowledge::http(Err(&refusal), Format::of(headers)),
        };
        if let Some(cors) = &self.refuser.cors {
            cors.admit(headers, response.headers_mut());
        }
        if !self.refuser.hint {
            withhold_hint(&mut response, self.refuser.reason);
        }
        response
    }
}

/// Leaves nothing of when to try again, and of the message the reason alone: what it says besides is to wait for the hint. Over
/// HTTP the answer has no body then, as that of some proxies.
fn withhold_hint(response: &mut Response<Answer>, reason: Reason) {
    let headers = response.headers_mut();
    for name in ["retry-after", "grpc-status-details-bin", "google.rpc.retryinfo-bin"] {
        headers.remove(name);
    }
    if let Some(message) = headers.get_mut("grpc-message") {
        *message = HeaderValue::from_static(reason.as_str());
    } else {
        headers.remove(header::CONTENT_TYPE);
        *response.body_mut() = Answer::default();
        response.extensions_mut().remove::<ReasonPhrase>();
    }
}
