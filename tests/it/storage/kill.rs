//! `kill -9` of the real process under load, many times in a row. Everything goes to the lake and to a backend, which does not
//! always take it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt;
use gridgate::domain::Random;
use gridgate::domain::random::SeededRandom;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::server::conn as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::lake::rows;

const LIVES: u64 = 12;
pub(super) const CLIENTS: u64 = 8;

/// A process, killed when dropped so that a failing test leaves none behind.
pub(super) struct Gate {
    pub(super) process: Child,
    pub(super) http: SocketAddr,
    pub(super) token: Option<String>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How often the backend has taken each id.
type Taken = Arc<Mutex<BTreeMap<u64, usize>>>;

/// A backend that takes all but every 300th export, which it wants to see again.
async fn backend() -> (SocketAddr, Taken) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (taken, asked) = (Taken::default(), Arc::new(AtomicU64::new(0)));
    let all = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (taken, asked) = (Arc::clone(&all), Arc::clone(&asked));
            let service = service_fn(move |request: Request<Incoming>| {
                let (taken, asked) = (Arc::clone(&taken), Arc::clone(&asked));
                async move {
                    let body = request.into_body().collect().await?.to_bytes();
                    let mut response = Response::new(Full::new(Bytes::new()));
                    if asked.fetch_add(1, Ordering::Relaxed) % 300 == 299 {
                        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                        return Ok::<_, hyper::Error>(response);
                    }
                    let request = ExportLogsServiceRequest::decode(body).expect("an export");
                    let id = request.resource_logs[0].scope_logs[0].log_records[0].severity_text.parse();
                    *taken.lock().expect("no panic").entry(id.expect("an id")).or_default() += 1;
                    Ok(response)
                }
            });
            tokio::spawn(server::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, taken)
}

/// A configuration that sends everything to the lake and to the backend at `address`.
fn configuration(folder: &Path, address: SocketAddr) -> std::path::PathBuf {
    let path = folder.join("gridgate.toml");
    let text = format!(
        "[[forward]]\nname = \"vendor\"\nendpoint = \"http://{address}\"\nprotocol = \"http\"\npatience = \"1ms\"\n\
         [[route]]\nto = [\"lake\", \"vendor\"]\n"
    );
    std::fs::write(&path, text).expect("a file");
    path
}

/// Starts the real binary on `data` and waits until it serves.
pub(super) async fn start(data: &Path, config: &Path, first: bool) -> Gate {
    let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let [grpc, http, admin] = [free(), free(), free()];
    let mut process = Command::new(env!("CARGO_BIN_EXE_gridgate"))
        .args(["quickstart", "--data"])
        .arg(data)
        .arg("--config")
        .arg(config)
        .env("GRIDGATE_LISTEN__GRPC", grpc.to_string())
        .env("GRIDGATE_LISTEN__HTTP", http.to_string())
        .env("GRIDGATE_LISTEN__ADMIN", admin.to_string())
        // Deliveries all the time, so that a kill finds every one of their steps.
        .env("GRIDGATE_LAKE__INTERVAL", "1ms")
        .env("GRIDGATE_USAGE__FLUSH_INTERVAL", "100ms")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let stdout = BufReader::new(process.stdout.take().expect("its output"));
    let mut lines = stdout.lines().map_while(Result::ok);
    let mut value = |name: &str| lines.find_map(|line| line.strip_prefix(name).map(str::to_owned));
    // What comes last at a first start is the key, and at a later one the protocol.
    let last = if first { "OTEL_EXPORTER_OTLP_HEADERS=api-key=" } else { "OTEL_EXPORTER_OTLP_PROTOCOL=" };
    let token = value(last).filter(|_| first);
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(http).await.is_err() {
        assert!(Instant::now() < deadline, "the gate does not serve");
        tokio::task::yield_now().await;
    }
    Gate { process, http, token }
}

/// One export of one log record that says `id`.
pub(super) fn export(id: u64, token: &str) -> Request<Full<Bytes>> {
    let record = LogRecord { severity_text: id.to_string(), ..LogRecord::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    let body = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
    Request::post("/v1/logs")
        .header("host", "gate")
        .header("content-type", "application/x-protobuf")
        .header("api-key", token)
        .body(Full::from(body))
        .expect("a request")
}

/// Sends until the connection breaks, and returns what was acknowledged.
pub(super) async fn send(
    http: SocketAddr,
    token: String,
    client: u64,
    life: u64,
    count: watch::Sender<u64>,
) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    let Ok(stream) = TcpStream::connect(http).await else { return acknowledged };
    let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(stream)).await else { return acknowledged };
    tokio::spawn(connection);
    for number in 0.. {
        let id = (life * CLIENTS + client) * 1_000_000 + number;
        match sender.send_request(export(id, &token)).await {
            Ok(response) if response.status() == 200 => {
                acknowledged.push(id);
                count.send_modify(|count| *count += 1);
            }
            Ok(response) => panic!("answered {}", response.status()),
            // Killed. The export has no answer, and is not sent again.
            Err(_) => break,
        }
    }
    acknowledged
}

/// How often each id is in the lake.
pub(super) async fn delivered(lake: &Path) -> BTreeMap<u64, usize> {
    let store = LocalFileSystem::new_with_prefix(lake).expect("the lake");
    let mut counts = BTreeMap::new();
    for object in store.list(None).try_collect::<Vec<_>>().await.expect("a list") {
        assert!(object.location.as_ref().starts_with("demo/demo/development/logs/"), "{}", object.location);
        let file = store.get(&object.location).await.expect("a file").bytes().await.expect("its bytes");
        for row in rows::read(file.to_vec()) {
            *counts.entry(row.string("severity_text").parse().expect("an id")).or_default() += 1;
        }
    }
    counts
}

/// Clause T61 of docs/otlp.md.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, sent_on) = backend().await;
    let config = configuration(folder.path(), address);
    let random = SeededRandom::new(11);
    let mut acknowledged = BTreeSet::new();
    let mut token = None;
    for life in 0..LIVES {
        let mut gate = start(folder.path(), &config, life == 0).await;
        token = token.or_else(|| gate.token.take());
        let token = token.clone().expect("the first start prints the key");
        let (count, mut counted) = watch::channel(0);
        let client = |client| tokio::spawn(send(gate.http, token.clone(), client, life, count.clone()));
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        // The moment is random: after so many acknowledgements, with as many exports as there are clients under way.
        let mut moment = [0; 1];
        random.fill(&mut moment).expect("random bytes");
        let enough = counted.wait_for(|count| *count >= 20 + 3 * u64::from(moment[0]));
        tokio::time::timeout(Duration::from_mins(1), enough)
            .await
            .expect("exports are acknowledged")
            .expect("clients send");
        gate.process.kill().expect("it is killed");
        gate.process.wait().expect("it is gone");
        for client in clients {
            acknowledged.extend(client.await.expect("a client"));
        }
    }
    assert!(acknowledged.len() > 100, "only {} exports were acknowledged", acknowledged.len());
    let lives: BTreeSet<_> = acknowledged.iter().map(|id| id / 1_000_000 / CLIENTS).collect();
    assert_eq!(lives.len(), usize::try_from(LIVES).expect("a few"), "in some life nothing was acknowledged");

    // The last life ends in good order, which delivers everything to the lake. The backend it gives time before.
    let mut gate = start(folder.path(), &config, false).await;
    let is_missing = |id: &&u64| !sent_on.lock().expect("no panic").contains_key(id);
    let deadline = Instant::now() + Duration::from_mins(2);
    while acknowledged.iter().any(|id| is_missing(&id)) {
        let missing = acknowledged.iter().filter(is_missing).count();
        assert!(Instant::now() < deadline, "the backend never got {missing} of {}", acknowledged.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stopped = Command::new("kill").arg(gate.process.id().to_string()).status().expect("kill runs");
    assert!(stopped.success());
    assert!(gate.process.wait().expect("it stops").success());
    let delivered = delivered(&folder.path().join("lake")).await;
    let lost: Vec<_> = acknowledged.iter().filter(|id| !delivered.contains_key(id)).collect();
    assert_eq!(lost, Vec::<&u64>::new());
    let twice: Vec<_> = delivered.iter().filter(|(_, count)| **count > 1).collect();
    assert_eq!(twice, Vec::<(&u64, &usize)>::new());
}
