//! Against the published services on tonic's server: another implementation of gRPC has to understand us.

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::profiles::v1development::profiles_service_server::{
    ProfilesService, ProfilesServiceServer,
};
use opentelemetry_proto::tonic::collector::profiles::v1development::{
    ExportProfilesPartialSuccess, ExportProfilesServiceRequest, ExportProfilesServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::profiles::v1development::ProfilesDictionary;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic_types::{ErrorDetails, StatusExt};

use super::*;

const GZIP: CompressionEncoding = CompressionEncoding::Gzip;

/// One export: its signal, its headers, its message.
type Got = (Signal, HeaderMap, Vec<u8>);

/// A collector that keeps what it gets, and rejects two items of each export or all of it.
#[derive(Clone, Default)]
struct Collector {
    got: Arc<Mutex<Vec<Got>>>,
    refusal: Option<tonic::Status>,
}

macro_rules! service {
    ($signal:ident, $service:ident, $request:ident, $response:ident, $partial:ident, $rejected:ident) => {
        #[tonic::async_trait]
        impl $service for Collector {
            async fn export(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$response>, tonic::Status> {
                let (metadata, _, message) = request.into_parts();
                let got = (Signal::$signal, metadata.into_headers(), message.encode_to_vec());
                self.got.lock().expect("no panic").push(got);
                match &self.refusal {
                    Some(refusal) => Err(refusal.clone()),
                    None => {
                        let partial = $partial { $rejected: 2, error_message: "two are too old".to_owned() };
                        Ok(tonic::Response::new($response { partial_success: Some(partial) }))
                    }
                }
            }
        }
    };
}

service!(
    Traces,
    TraceService,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    ExportTracePartialSuccess,
    rejected_spans
);
service!(
    Metrics,
    MetricsService,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    ExportMetricsPartialSuccess,
    rejected_data_points
);
service!(
    Logs,
    LogsService,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
    ExportLogsPartialSuccess,
    rejected_log_records
);
service!(
    Profiles,
    ProfilesService,
    ExportProfilesServiceRequest,
    ExportProfilesServiceResponse,
    ExportProfilesPartialSuccess,
    rejected_profiles
);

impl Collector {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (traces, metrics) = (TraceServiceServer::new(self.clone()), MetricsServiceServer::new(self.clone()));
        let (logs, profiles) = (LogsServiceServer::new(self.clone()), ProfilesServiceServer::new(self.clone()));
        let server = tonic::transport::Server::builder()
            .add_service(traces.accept_compressed(GZIP).send_compressed(GZIP))
            .add_service(metrics.accept_compressed(GZIP).send_compressed(GZIP))
            .add_service(logs.accept_compressed(GZIP).send_compressed(GZIP))
            .add_service(profiles.accept_compressed(GZIP).send_compressed(GZIP));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        address
    }
}

/// A request of each signal.
fn request(signal: Signal) -> Vec<u8> {
    match signal {
        Signal::Traces => traces("checkout").encode_to_vec(),
        Signal::Metrics => {
            let metrics = vec![Metric { name: "requests".to_owned(), ..Metric::default() }];
            let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
            let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
            ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
        }
        Signal::Logs => {
            let log_records = vec![LogRecord { severity_text: "WARN".to_owned(), ..LogRecord::default() }];
            let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
            let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
            ExportLogsServiceRequest { resource_logs }.encode_to_vec()
        }
        Signal::Profiles => {
            let dictionary = ProfilesDictionary { string_table: vec![String::new()], ..ProfilesDictionary::default() };
            ExportProfilesServiceRequest { resource_profiles: vec![], dictionary: Some(dictionary) }.encode_to_vec()
        }
    }
}

#[tokio::test]
async fn every_signal_arrives_and_its_partial_success_is_heard() {
    for compression in [Compression::None, Compression::Gzip] {
        let collector = Collector::default();
        let mut settings = settings(Protocol::Grpc, collector.start().await);
        settings.compression = compression;
        settings.headers = vec![("X-Scope-OrgID".to_owned(), "{project}".to_owned())];
        let backend = backend(settings);
        for signal in Signal::ALL {
            let payload = Bytes::from(request(signal));
            let sent = backend.send(&meta(signal, Encoding::Identity, payload.len()), &payload).await;
            let expected = Sent::Delivered { rejected: 2, message: "two are too old".to_owned() };
            assert_eq!(sent, expected, "{signal} {compression:?}");
            let (got, metadata, message) = collector.got.lock().expect("no panic").pop().expect("an export");
            assert_eq!((got, message), (signal, payload.to_vec()));
            assert_eq!(metadata["x-scope-orgid"], "shop");
        }
    }
}

#[tokio::test]
async fn its_refusals_are_understood() {
    let wait = ErrorDetails::with_retry_info(Some(Duration::from_secs(3)));
    let full = tonic::Status::with_error_details(tonic::Code::ResourceExhausted, "over the limit: 100 %\n", wait);
    for (refusal, expected) in [
        (
            full,
            Sent::Later {
                after: Some(Duration::from_secs(3)),
                why: "RESOURCE_EXHAUSTED: over the limit: 100 %".to_owned(),
            },
        ),
        (
            tonic::Status::resource_exhausted("too large"),
            Sent::Never { why: "RESOURCE_EXHAUSTED: too large".to_owned() },
        ),
        (tonic::Status::unavailable("down"), Sent::Later { after: None, why: "UNAVAILABLE: down".to_owned() }),
        (tonic::Status::invalid_argument("bad"), Sent::Never { why: "INVALID_ARGUMENT: bad".to_owned() }),
    ] {
        let collector = Collector { refusal: Some(refusal), ..Collector::default() };
        assert_eq!(send(&backend(settings(Protocol::Grpc, collector.start().await))).await, expected);
    }
}

/// A server of gRPC that does not take zstd says so; the record waits for another setting.
#[tokio::test]
async fn a_compression_that_it_does_not_take() {
    let mut settings = settings(Protocol::Grpc, Collector::default().start().await);
    settings.compression = Compression::Zstd;
    let (pause, why) = later(send(&backend(settings)).await);
    assert_eq!(pause, Some(Duration::from_secs(30)));
    assert!(why.starts_with("UNIMPLEMENTED (check endpoint and compression, "), "{why}");
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    let collector = Collector::default();
    let backend = backend(settings(Protocol::Grpc, collector.start().await));
    let sent = futures_util::future::join_all((0..50).map(|_| send(&backend))).await;
    assert!(sent.iter().all(|sent| matches!(sent, Sent::Delivered { rejected: 2, .. })), "{sent:?}");
    assert_eq!(collector.got.lock().expect("no panic").len(), 50);
}
