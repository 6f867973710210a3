//! Pages of the console among a hundred thousand keys: the real binary with its SQLite catalog, asked over HTTP as a browser asks.
//!
//! `cargo bench --bench console` measures; `cargo test --bench console` sees with a few keys that every page is there, and small enough.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it finds")]

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use gridgate::catalog::{CatalogSettings, UsageFlush, connect};
use gridgate::domain::usage::{Amount, Counted, Fate, Step};
use gridgate::domain::{Clock as _, Reason, RecordId, Signal, SystemClock, Tenant};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// The pages, by what they are called.
const PAGES: [(&str, &str); 16] = [
    ("overview", ""),
    ("keys", "/keys"),
    ("keys, by name", "/keys?sort=name"),
    ("keys that are searched", "/keys?q=key+77"),
    ("keys that need attention", "/keys?view=attention"),
    ("keys that are rotated", "/keys?view=rotating"),
    ("keys of one project", "/keys?project=project-3"),
    ("review", "/keys/review"),
    ("a key", KEY),
    ("create a key", "/keys/new"),
    ("refusals", "/refusals"),
    ("live", "/live"),
    ("usage", "/usage"),
    ("projects", "/projects"),
    ("limits", "/limits"),
    ("audit log", "/audit"),
];

/// Stands for the page of a key with a day of usage.
const KEY: &str = "/keys/{id}";

/// No page has more bytes: with style and script a first visit takes 100 kB at most.
const MAX_BYTES: usize = 75_000;

const PROJECTS: usize = 10;
/// Keys of one import.
const AT_ONCE: usize = 5_000;
/// Keys with usage in each hour of the day before.
const USED: usize = 2_000;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let measures = arguments.iter().any(|argument| argument == "--bench");
    // A test run, whose arguments are the test runner's, may be meant for something else.
    if !measures && !arguments.iter().all(|one| one.starts_with('-') || "console".contains(one.as_str())) {
        return Ok(());
    }
    let (keys, times) = if measures { (100_000, 200) } else { (60, 2) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(keys, times))
}

async fn run(keys: usize, times: usize) -> Result<()> {
    let gate = Gate::start()?;
    let mut client = Client::connect(&gate).await?;
    fill(&mut client, keys).await?;
    use_keys(&gate, &mut client).await?;
    let used = client.api(Method::GET, "/keys?kind=ingest&sort=-last_used_at&limit=1", &Value::Null).await?;
    let id = used["data"][0]["id"].as_str().context("no key")?.to_owned();
    client.sign_in(&gate.admin_key).await?;
    println!("{keys} keys, {times} requests for each page, one after the other\n");
    println!("{:<26} {:>8} {:>9} {:>9} {:>9}", "page", "bytes", "p50", "p99", "most");
    for (name, path) in PAGES {
        let path = path.replace("{id}", &id);
        let mut took = Vec::with_capacity(times);
        let mut length = 0;
        for round in 0..times + times / 10 {
            let begin = Instant::now();
            let (status, body) = client.send(Method::GET, &format!("/console{path}"), None).await?;
            if round >= times / 10 {
                took.push(begin.elapsed());
            }
            ensure!(status == StatusCode::OK, "{name}: {status}");
            length = body.len();
            ensure!(length <= MAX_BYTES, "{name}: {length} bytes");
        }
        took.sort_unstable();
        let at = |part: usize| millis(took[(took.len() * part / 100).min(took.len() - 1)]);
        println!("{name:<26} {length:>8} {:>9} {:>9} {:>9}", at(50), at(99), at(100));
    }
    Ok(())
}

fn millis(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1e3)
}

/// Makes `keys` keys of ten projects by import.
async fn fill(client: &mut Client, keys: usize) -> Result<()> {
    for project in 0..PROJECTS {
        let slug = format!("project-{project}");
        client.api(Method::POST, "/projects", &json!({"slug": slug})).await?;
        client.api(Method::POST, &format!("/projects/{slug}/grids"), &json!({"slug": "web"})).await?;
    }
    for first in (0..keys).step_by(AT_ONCE) {
        let row = |number: usize| {
            json!({
                "name": format!("key {number}"),
                "project": format!("project-{}", number % PROJECTS),
                "grid": "web",
                "environment": if number.is_multiple_of(3) { "staging" } else { "production" },
                "token": format!("{number:08x}-0000-4000-8000-{number:012x}"),
            })
        };
        let rows: Vec<_> = (first..keys.min(first + AT_ONCE)).map(row).collect();
        client.api(Method::POST, "/keys/import", &json!({ "keys": rows })).await?;
        eprintln!("{} keys", first + rows.len());
    }
    Ok(())
}

/// Writes a day of usage for keys that are first in lists.
async fn use_keys(gate: &Gate, client: &mut Client) -> Result<()> {
    let settings = CatalogSettings {
        url: format!("sqlite:{}", gate.folder.path().join("data/catalog.sqlite").display()),
        max_connections: 2,
        connect_timeout: Duration::from_secs(30),
        statement_timeout: Duration::from_secs(30),
        max_active_keys: 1,
        purge_after: Duration::ZERO,
        import_timeout: Duration::from_secs(5),
    };
    let catalog = connect(&settings).await?;
    let (mut found, mut cursor) = (0, String::new());
    let (mut number, now) = (1, SystemClock.now());
    while found < USED {
        let page =
            client.api(Method::GET, &format!("/keys?sort=-last_used_at&limit=200{cursor}"), &Value::Null).await?;
        let keys = page["data"].as_array().context("no keys")?;
        let mut counted = Vec::new();
        for key in keys.iter().filter(|key| key["kind"] == "ingest") {
            let text = |field: &str| key[field].as_str().context("no text");
            let tenant = Arc::new(Tenant {
                project: text("project")?.parse()?,
                grid: text("grid")?.parse()?,
                environment: text("environment")?.parse()?,
            });
            let id = text("id")?.parse()?;
            for hour in 0..24_u32 {
                let at = Step::Minute.start(now.before(Duration::from_hours(1) * hour));
                for (fate, exports) in
                    [(Fate::Received, 1_000), (Fate::Accepted, 990), (Fate::Refused(Reason::RateLimited), 10)]
                {
                    let exports = exports * u64::from(hour + 1);
                    let amount = Amount { exports, items: exports, wire_bytes: exports, bytes: exports };
                    let (tenant, key) = (Some(Arc::clone(&tenant)), Some(id));
                    counted.push(Counted { at, tenant, key, signal: Some(Signal::Traces), fate, amount, secret: None });
                }
            }
        }
        let flush = UsageFlush { writer: RecordId::from_bytes([9; 16]), number, at: now };
        catalog.record_usage(&flush, &counted).await?;
        (found, number) = (found + keys.len(), number + 1);
        let Some(next) = page["next_cursor"].as_str() else { return Ok(()) };
        cursor = format!("&cursor={next}");
    }
    Ok(())
}

/// One connection to the admin listener, as an admin key, or as a browser with a session.
struct Client {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    admin_key: String,
    cookie: Option<String>,
}

impl Client {
    async fn connect(gate: &Gate) -> Result<Self> {
        let stream = TcpStream::connect(gate.admin).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { address: gate.admin, sender, admin_key: gate.admin_key.clone(), cookie: None })
    }

    async fn api(&mut self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let body = (!body.is_null()).then(|| ("application/json", body.to_string()));
        let (status, answer) = self.send(method, &format!("/api/v1{path}"), body).await?;
        ensure!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&answer));
        Ok(serde_json::from_slice(&answer)?)
    }

    async fn sign_in(&mut self, key: &str) -> Result<()> {
        let request = self.request(Method::POST, "/console/sign-in");
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.sender.send_request(request.body(Full::from(format!("key={key}")))?).await?;
        let cookie = answer.headers().get(header::SET_COOKIE).context("nobody was signed in")?.to_str()?;
        self.cookie = cookie.split(';').next().map(str::to_owned);
        answer.into_body().collect().await?;
        Ok(())
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<(&str, String)>) -> Result<(StatusCode, Bytes)> {
        let mut request = self.request(method, path);
        request = match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request.header(header::AUTHORIZATION, format!("Bearer {}", self.admin_key)),
        };
        let body = match body {
            Some((kind, text)) => {
                request = request.header(header::CONTENT_TYPE, kind);
                Full::from(text)
            }
            None => Full::default(),
        };
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request.body(body)?).await?.into_parts();
        Ok((head.status, body.collect().await?.to_bytes()))
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header(header::HOST, self.address.to_string())
    }
}

/// The gate; killed when dropped.
struct Gate {
    process: Child,
    admin: SocketAddr,
    admin_key: String,
    folder: TempDir,
    /// Held open, or the gate could not write there.
    _stdout: BufReader<ChildStdout>,
}

impl Gate {
    fn start() -> Result<Self> {
        // On the disk of the build, not in /tmp, which may be no disk at all.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let bound = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let [grpc, http, admin] = bound.map(|listener| listener.and_then(|listener| listener.local_addr()));
        let (grpc, http, admin) = (grpc?, http?, admin?);
        let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_gridgate")));
        command.arg("quickstart").arg("--data").arg(folder.path().join("data"));
        for (name, value) in [
            ("GRIDGATE_LISTEN__GRPC", grpc.to_string()),
            ("GRIDGATE_LISTEN__HTTP", http.to_string()),
            ("GRIDGATE_LISTEN__ADMIN", admin.to_string()),
            ("GRIDGATE_KEYS__MAX_ACTIVE_KEYS", "1000000".to_owned()),
            ("GRIDGATE_ADMIN__REQUESTS_PER_SECOND", "100000".to_owned()),
            ("GRIDGATE_ADMIN__BURST", "100000".to_owned()),
            ("GRIDGATE_OBSERVE__LOG", "error".to_owned()),
        ] {
            command.env(name, value);
        }
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut stdout = BufReader::new(process.stdout.take().context("there is no stdout")?);
        let (mut line, mut admin_key) = (String::new(), None);
        while stdout.read_line(&mut line)? > 0 {
            if let Some(key) = line.trim().strip_prefix("GRIDGATE_ADMIN_KEY=") {
                admin_key = Some(key.to_owned());
            }
            // It is the last line, and is written once the gate listens.
            if let Some(admin_key) = admin_key.clone().filter(|_| line.contains("OTEL_EXPORTER_OTLP_HEADERS=")) {
                return Ok(Self { process, admin, admin_key, folder, _stdout: stdout });
            }
            line.clear();
        }
        bail!("the gate has ended: {}", process.wait()?)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
