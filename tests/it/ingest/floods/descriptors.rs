//! Catalogue B6: a process with few file descriptors, as its own process so that the limit is its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use gridgate::domain::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::ingest::client::{Export, Form, Raw};
use crate::ingest::eventually;

/// The process, killed when dropped.
struct Process {
    child: Child,
    http: SocketAddr,
    admin: SocketAddr,
    token: String,
    folder: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// The real binary with `descriptors`, which it may raise to `at_most`.
    async fn start(descriptors: u32, at_most: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let [grpc, http, admin] = [free(), free(), free()];
        let mut child = Command::new("bash")
            .args([
                "-c",
                &format!("ulimit -Sn {descriptors} && ulimit -Hn {at_most} && exec \"$0\" quickstart --data \"$1\""),
            ])
            .arg(env!("CARGO_BIN_EXE_gridgate"))
            .arg(folder.path().join("data"))
            .env("GRIDGATE_LISTEN__GRPC", grpc.to_string())
            .env("GRIDGATE_LISTEN__HTTP", http.to_string())
            .env("GRIDGATE_LISTEN__ADMIN", admin.to_string())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("log")).expect("a file"))
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let key = |line: String| line.strip_prefix("OTEL_EXPORTER_OTLP_HEADERS=api-key=").map(str::to_owned);
        let token = lines.into_iter().find_map(key).expect("a key");
        let process = Self { child, http, admin, token, folder };
        eventually("it serves", async || TcpStream::connect(http).await.is_ok()).await;
        process
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("the log")
    }

    /// Changes the limit of the running process.
    fn limit(&self, descriptors: u32) {
        let pid = self.child.id().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={descriptors}:")]).status();
        assert!(done.expect("prlimit is there").success());
    }

    /// The status line of an export on `raw`.
    async fn export(&self, raw: &mut Raw) -> String {
        let export = Export::new(Form::Protobuf, Signal::Logs, "marker").key(&self.token);
        raw.head(&export, &format!("content-length: {}\r\n", export.body.len())).await;
        raw.write(&export.body).await;
        raw.read_answer().await.0.lines().next().expect("a line").to_owned()
    }
}

/// A metric, asked for on an open connection to the admin listener.
async fn metric(admin: &mut Raw, name: &str) -> u64 {
    admin.write(b"GET /metrics HTTP/1.1\r\nhost: gate\r\n\r\n").await;
    let text = String::from_utf8(admin.read_answer().await.1).expect("text");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("there is no {name}")).parse().expect("a number")
}

#[tokio::test]
async fn connections_leave_descriptors_for_what_has_to_be_written() {
    let process = Process::start(128, 128).await;
    let warning = "limits.connections is 4096, which is more than there are file descriptors for";
    eventually(warning, async || process.log().contains(warning)).await;
    let mut admin = Raw::connect(process.admin).await;
    let mut kept = Raw::connect(process.http).await;
    assert_eq!(process.export(&mut kept).await, "HTTP/1.1 200 OK");
    let mut flood = Vec::new();
    for _ in 0..200 {
        flood.push(Raw::connect(process.http).await);
    }
    let refused = "gridgate_connections_refused_total{reason=\"total\"}";
    eventually("they are refused", async || metric(&mut admin, refused).await >= 168).await;
    assert_eq!(metric(&mut admin, "gridgate_connections").await, 32);
    assert_eq!(metric(&mut admin, "gridgate_connections_refused_total{reason=\"not_accepted\"}").await, 0);
    // Every one of these opens files.
    for _ in 0..10 {
        assert_eq!(process.export(&mut kept).await, "HTTP/1.1 200 OK");
    }
    // One line, and one more for each five seconds that this took.
    let lines = process.log().matches("connections are refused").count();
    assert!((1..10).contains(&lines), "{lines} lines for {} connections", flood.len());
    drop(flood);
    eventually("they are gone", async || metric(&mut admin, "gridgate_connections").await == 1).await;
    assert_eq!(process.export(&mut Raw::connect(process.http).await).await, "HTTP/1.1 200 OK");
}

/// Systems start processes with few descriptors and let them have more.
#[tokio::test]
async fn what_there_may_be_is_used() {
    let process = Process::start(128, 512).await;
    let mut admin = Raw::connect(process.admin).await;
    let mut open = Vec::new();
    for _ in 0..200 {
        open.push(Raw::connect(process.http).await);
    }
    eventually("all are open", async || metric(&mut admin, "gridgate_connections").await == 200).await;
    assert_eq!(process.export(&mut open[199]).await, "HTTP/1.1 200 OK");
}

/// A process that may open nothing more accepts connections as soon as it can again.
#[tokio::test]
async fn accepting_goes_on_when_descriptors_are_back() {
    let process = Process::start(256, 256).await;
    let mut admin = Raw::connect(process.admin).await;
    let mut kept = Raw::connect(process.http).await;
    assert_eq!(process.export(&mut kept).await, "HTTP/1.1 200 OK");
    let not_accepted = "gridgate_connections_refused_total{reason=\"not_accepted\"}";
    // An answer says that the connection was accepted while that was possible.
    assert_eq!(metric(&mut admin, not_accepted).await, 0);
    process.limit(4);
    let mut waiting = Raw::connect(process.http).await;
    eventually("accepting fails", async || metric(&mut admin, not_accepted).await >= 2).await;
    // It cannot be stored, and its client is told to come again.
    let refused = process.export(&mut kept).await;
    assert!(refused.starts_with("HTTP/1.1 503 log_unavailable ("), "{refused}");
    process.limit(256);
    assert_eq!(process.export(&mut waiting).await, "HTTP/1.1 200 OK");
    assert_eq!(process.export(&mut kept).await, "HTTP/1.1 200 OK");
}
