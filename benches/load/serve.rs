//! The comparison servers, run as child processes of the benchmark. None authenticates and none keeps anything.

use std::convert::Infallible;
use std::io::Read;

use anyhow::{Context, Result};
use bytes::{Buf, Bytes};
use clap::ValueEnum;
use flate2::read::GzDecoder;
use gridgate::domain::Transport;
use gridgate::domain::{Encoding, Signal};
use gridgate::otlp::compression::with_inflated;
use gridgate::otlp::scan::{ScanLimits, scan};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;

use super::child::LISTENING;

/// What a comparison server does with a body.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Reads it: the ceiling.
    Discard,
    /// Inflates and scans it as the gate does.
    Scan,
    /// Inflates and decodes it as most servers in Rust do: over gRPC by tonic, over HTTP by flate2 and prost.
    Decode,
}

impl Kind {
    /// Its name on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Discard => "discard",
            Self::Scan => "scan",
            Self::Decode => "decode",
        }
    }
}

/// Serves until it is killed.
pub(crate) fn run(kind: Kind) -> Result<()> {
    // As many threads as the gate has.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let http = bind("GRIDGATE_LISTEN__HTTP").await?;
        let grpc = bind("GRIDGATE_LISTEN__GRPC").await?;
        println!("{LISTENING}");
        tokio::try_join!(accept(http, kind, Transport::Http), async {
            if kind == Kind::Decode { serve_tonic(grpc).await } else { accept(grpc, kind, Transport::Grpc).await }
        })?;
        Ok(())
    })
}

async fn bind(variable: &str) -> Result<TcpListener> {
    let address = std::env::var(variable).with_context(|| variable.to_owned())?;
    Ok(TcpListener::bind(address).await?)
}

async fn accept(listener: TcpListener, kind: Kind, transport: Transport) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream, kind, transport).await {
                eprintln!("{error:#}");
            }
        });
    }
}

/// As much of a body as the gate reads at once.
const READ_BUFFER: usize = 256 << 10;
/// The gate's flow-control windows.
const WINDOW: u32 = 1 << 20;

async fn serve(stream: TcpStream, kind: Kind, transport: Transport) -> Result<()> {
    stream.set_nodelay(true)?;
    let stream = TokioIo::new(stream);
    match transport {
        Transport::Http => {
            let service = service_fn(move |request| answer_http(request, kind));
            http1::Builder::new().max_buf_size(READ_BUFFER).serve_connection(stream, service).await?;
        }
        Transport::Grpc => {
            let service = service_fn(move |request| answer_grpc(request, kind));
            http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .serve_connection(stream, service)
                .await?;
        }
    }
    Ok(())
}

async fn answer_http(request: Request<Incoming>, kind: Kind) -> Result<Response<Full<Bytes>>> {
    let gzip = request.headers().contains_key(header::CONTENT_ENCODING);
    let body = request.into_body().collect().await?.to_bytes();
    let good = take(kind, gzip, &body);
    let mut response = Response::new(Full::default());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    if !good {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

async fn answer_grpc(
    request: Request<Incoming>,
    kind: Kind,
) -> Result<Response<impl http_body::Body<Data = Bytes, Error = Infallible>>> {
    let mut body = request.into_body().collect().await?.to_bytes();
    let gzip = body.first() == Some(&1);
    body.advance(5.min(body.len()));
    let status = if take(kind, gzip, &body) { "0" } else { "3" };
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    let message = Full::new(Bytes::from_static(&[0; 5]));
    let mut response = Response::new(message.with_trailers(std::future::ready(Some(Ok(trailers)))));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// Whether the body is good, as far as this kind of server looks.
fn take(kind: Kind, gzip: bool, body: &[u8]) -> bool {
    match kind {
        Kind::Discard => true,
        Kind::Scan => {
            let encoding = if gzip { Encoding::Gzip } else { Encoding::Identity };
            let limits = ScanLimits::default();
            let scanned =
                with_inflated(encoding, body, MAX_BODY, |_| Ok(()), |body| scan(Signal::Traces, body, &limits).is_ok());
            scanned.is_ok_and(|good| good)
        }
        Kind::Decode if gzip => {
            let mut inflated = Vec::new();
            GzDecoder::new(body).read_to_end(&mut inflated).is_ok()
                && ExportTraceServiceRequest::decode(inflated.as_slice()).is_ok()
        }
        Kind::Decode => ExportTraceServiceRequest::decode(body).is_ok(),
    }
}

const MAX_BODY: usize = 64 << 20;

async fn serve_tonic(listener: TcpListener) -> Result<()> {
    let service = TraceServiceServer::new(Dropping).accept_compressed(CompressionEncoding::Gzip);
    tonic::transport::Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .add_service(service)
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await?;
    Ok(())
}

/// Drops what was decoded.
struct Dropping;

#[tonic::async_trait]
impl TraceService for Dropping {
    async fn export(
        &self,
        _: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}
