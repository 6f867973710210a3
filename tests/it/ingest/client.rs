//! Clients: whole requests and whole answers, and bytes on a socket.

use std::io::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use gridgate::domain::Signal;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Gate;

/// The three ways to send an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Grpc,
    Protobuf,
    Json,
}

impl Form {
    pub(crate) const ALL: [Self; 3] = [Self::Grpc, Self::Protobuf, Self::Json];

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// One request, to be changed before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) form: Form,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    /// With the frame of gRPC.
    pub(crate) body: Bytes,
}

impl Export {
    /// One item of the service `marker`, without a key.
    pub(crate) fn new(form: Form, signal: Signal, marker: &str) -> Self {
        let path = if form == Form::Grpc { grpc_path(signal) } else { http_path(signal) };
        let export = Self {
            form,
            method: "POST",
            path: path.to_owned(),
            headers: vec![("content-type".to_owned(), form.content_type().into())],
            body: Bytes::new(),
        };
        match form {
            Form::Json => export.message(json_of(signal, marker).to_string()),
            Form::Grpc | Form::Protobuf => export.message(protobuf_of(signal, marker)),
        }
    }

    /// A span of the service `marker`, sent with the key.
    pub(crate) fn traces(form: Form, token: &str) -> Self {
        Self::new(form, Signal::Traces, "marker").key(token)
    }

    pub(crate) fn key(self, token: &str) -> Self {
        self.with("api-key", token)
    }

    /// With the header set to one value.
    pub(crate) fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).and(name, value)
    }

    /// With one more value of the header.
    pub(super) fn and(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    pub(super) fn to(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// With this message as its body.
    pub(super) fn message(self, message: impl Into<Vec<u8>>) -> Self {
        let message = message.into();
        match self.form {
            Form::Grpc => self.raw(frame(0, &message)),
            Form::Protobuf | Form::Json => self.raw(message),
        }
    }

    /// With these bytes, compressed and declared as such.
    pub(super) fn gzip(self, message: &[u8]) -> Self {
        let packed = gzip(message);
        match self.form {
            Form::Grpc => self.with("grpc-encoding", "gzip").raw(frame(1, &packed)),
            Form::Protobuf | Form::Json => self.with("content-encoding", "gzip").raw(packed),
        }
    }

    /// With exactly this body.
    pub(super) fn raw(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn builder(&self) -> http::request::Builder {
        let builder = Request::builder().method(self.method).uri(&self.path);
        self.headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value.as_slice()))
    }

    pub(crate) async fn send(&self, gate: &Gate) -> Answer {
        self.send_to(if self.form == Form::Grpc { gate.grpc } else { gate.http }).await
    }

    pub(crate) async fn send_to(&self, address: SocketAddr) -> Answer {
        exchange(address, self.form == Form::Grpc, self.builder(), self.body.clone()).await
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) version: Version,
    /// The reason phrase of HTTP/1.1, where it is not the usual one.
    pub(super) phrase: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) data: Bytes,
    pub(super) trailers: Option<HeaderMap>,
}

impl Answer {
    pub(crate) async fn of<B: Body<Data = Bytes, Error: std::fmt::Debug>>(response: Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        let phrase = parts.extensions.get::<hyper::ext::ReasonPhrase>();
        let phrase = phrase.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
        let collected = body.collect().await.expect("a body");
        let trailers = collected.trailers().cloned();
        let (status, version, headers) = (parts.status.as_u16(), parts.version, parts.headers);
        Self { status, version, phrase, headers, data: collected.to_bytes(), trailers }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }

    /// Every header as text, without those that say when and how long.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let all = self.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        let mut all: Vec<_> = all.filter(|(name, _)| name != "date" && name != "content-length").collect();
        all.sort();
        all
    }

    /// Whether this is exactly what a success looks like.
    pub(crate) fn assert_success(&self, form: Form) {
        let content_type = vec![("content-type".to_owned(), form.content_type().to_owned())];
        let data: &[u8] = match form {
            Form::Grpc => &[0; 5],
            Form::Protobuf => b"",
            Form::Json => b"{}",
        };
        assert_eq!((self.status, self.headers()), (200, content_type), "{form:?}: {self:?}");
        assert_eq!((&*self.data, &self.phrase), (data, &None), "{form:?}");
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        assert_eq!(self.trailers, (form == Form::Grpc).then_some(trailers), "{form:?}");
    }
}

/// One request on a connection of its own.
pub(super) async fn exchange(
    address: SocketAddr,
    two: bool,
    request: http::request::Builder,
    body: impl Into<Bytes>,
) -> Answer {
    over(TcpStream::connect(address).await.expect("a connection"), two, request, body).await
}

/// One request on a stream.
pub(super) async fn over<S>(stream: S, two: bool, request: http::request::Builder, body: impl Into<Bytes>) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (body, stream) = (Full::new(body.into()), TokioIo::new(stream));
    let response = if two {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        let path = request.uri_ref().expect("a path").clone();
        let request = request.uri(format!("http://gate{path}")).body(body).expect("a request");
        sender.send_request(request).await.expect("an answer")
    } else {
        let (mut sender, connection) = http1::handshake(stream).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        sender.send_request(request.header("host", "gate").body(body).expect("a request")).await.expect("an answer")
    };
    Answer::of(response).await
}

/// A socket on which bytes are written as they are.
pub(super) struct Raw(TcpStream);

impl Raw {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("a connection"))
    }

    pub(super) const fn of(stream: TcpStream) -> Self {
        Self(stream)
    }

    /// Whether `bytes` could be written.
    pub(super) async fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    /// The head of `export` with `extra` lines; no body.
    pub(super) async fn head(&mut self, export: &Export, extra: &str) {
        let headers =
            export.headers.iter().map(|(name, value)| format!("{name}: {}\r\n", String::from_utf8_lossy(value)));
        let headers: String = headers.collect();
        let head = format!("{} {} HTTP/1.1\r\nhost: gate\r\n{headers}{extra}\r\n", export.method, export.path);
        self.write(head.as_bytes()).await;
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("it is written");
    }

    /// Everything up to and including the next empty line.
    pub(super) async fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("more of the head"));
        }
        String::from_utf8(head).expect("text")
    }

    /// The next answer: its head, and its body.
    pub(super) async fn read_answer(&mut self) -> (String, Vec<u8>) {
        let head = self.read_head().await;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
        self.0.read_exact(&mut body).await.expect("the body");
        (head, body)
    }

    /// The next `count` bytes.
    pub(super) async fn read_some(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).await.expect("so many bytes");
        bytes
    }

    /// Whatever else is sent until the connection is closed.
    pub(super) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.expect("the rest");
        rest
    }

    /// Whether the gate closes the connection, without sending anything more.
    pub(super) async fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 1]).await, Ok(0) | Err(_))
    }
}

/// gRPC's frame around a message.
pub(super) fn frame(flags: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message");
    [&[flags], &length.to_be_bytes()[..], message].concat()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// OTLP specification, «OTLP/HTTP Request».
pub(super) const fn http_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/v1/traces",
        Signal::Metrics => "/v1/metrics",
        Signal::Logs => "/v1/logs",
        Signal::Profiles => "/v1development/profiles",
    }
}

pub(super) const fn grpc_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Profiles => "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
    }
}

/// One item of the service `marker` in JSON.
pub(super) fn json_of(signal: Signal, marker: &str) -> Value {
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": marker}}]});
    match signal {
        Signal::Traces => {
            let ids = ("0102030405060708090a0b0c0d0e0f10", "0102030405060708");
            let span = json!({"traceId": ids.0, "spanId": ids.1, "name": marker});
            json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})
        }
        Signal::Metrics => {
            let points = json!([{"asInt": "9007199254740993", "timeUnixNano": "1"}]);
            let metric = json!({"name": marker, "gauge": {"dataPoints": points}});
            json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]})
        }
        Signal::Logs => {
            let record = json!({"body": {"stringValue": marker}});
            json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]})
        }
        Signal::Profiles => {
            let profile = json!({"samples": [{"values": ["1"]}]});
            json!({"resourceProfiles": [{"resource": resource, "scopeProfiles": [{"profiles": [profile]}]}]})
        }
    }
}

/// The same in protobuf, as other software encodes it.
pub(super) fn protobuf_of(signal: Signal, marker: &str) -> Vec<u8> {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
    };
    use opentelemetry_proto::tonic::profiles::v1development::{Profile, ResourceProfiles, Sample, ScopeProfiles};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    let text = || Some(AnyValue { value: Some(any_value::Value::StringValue(marker.to_owned())) });
    let name = KeyValue { key: "service.name".to_owned(), value: text(), ..KeyValue::default() };
    let resource = Some(Resource { attributes: vec![name], ..Resource::default() });
    match signal {
        Signal::Traces => {
            let (trace_id, span_id) = ((1..=16).collect(), (1..=8).collect());
            let span = Span { trace_id, span_id, name: marker.to_owned(), ..Span::default() };
            let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
            let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
            ExportTraceServiceRequest { resource_spans }.encode_to_vec()
        }
        Signal::Metrics => {
            let value = Some(number_data_point::Value::AsInt(9_007_199_254_740_993));
            let data_points = vec![NumberDataPoint { value, time_unix_nano: 1, ..NumberDataPoint::default() }];
            let data = Some(metric::Data::Gauge(Gauge { data_points }));
            let metric = Metric { name: marker.to_owned(), data, ..Metric::default() };
            let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
            let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }];
            ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
        }
        Signal::Logs => {
            let record = LogRecord { body: text(), ..LogRecord::default() };
            let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
            let resource_logs = vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }];
            ExportLogsServiceRequest { resource_logs }.encode_to_vec()
        }
        Signal::Profiles => {
            let samples = vec![Sample { values: vec![1], ..Sample::default() }];
            let scope =
                ScopeProfiles { profiles: vec![Profile { samples, ..Profile::default() }], ..ScopeProfiles::default() };
            let resource_profiles =
                vec![ResourceProfiles { resource, scope_profiles: vec![scope], ..ResourceProfiles::default() }];
            ExportProfilesServiceRequest { resource_profiles, ..ExportProfilesServiceRequest::default() }
                .encode_to_vec()
        }
    }
}
