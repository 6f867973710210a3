//! The servers, each a process of its own on a processor of its own.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use gridgate::domain::Transport;
use tempfile::TempDir;

use super::serve::Kind;

/// What is measured beside what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    /// A bare server.
    Bare(Kind),
    /// The gate.
    Gate {
        /// `log.durability`.
        durable: bool,
        /// Whether it delivers to the lake meanwhile.
        delivering: bool,
    },
    /// The gate, durable and without the lake, that counts no usage.
    Uncounted,
}

impl Contender {
    /// Every one of them, in the order in which they take turns.
    pub(crate) const ALL: [Self; 8] = [
        Self::Bare(Kind::Discard),
        Self::Bare(Kind::Scan),
        Self::Bare(Kind::Decode),
        Self::Gate { durable: false, delivering: false },
        Self::Gate { durable: true, delivering: false },
        Self::Uncounted,
        Self::Gate { durable: false, delivering: true },
        Self::Gate { durable: true, delivering: true },
    ];
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare(Kind::Discard) => f.write_str("bare, body read"),
            Self::Bare(Kind::Scan) => f.write_str("bare, scan"),
            Self::Bare(Kind::Decode) => f.write_str("decoding server"),
            Self::Uncounted => f.write_str("gate alone, no usage"),
            Self::Gate { durable, delivering } => write!(
                f,
                "{}, {}",
                if *delivering { "gate + lake" } else { "gate alone" },
                if *durable { "durable" } else { "memory" }
            ),
        }
    }
}

/// A running server; killed when dropped.
pub(crate) struct Child {
    process: std::process::Child,
    grpc: SocketAddr,
    http: SocketAddr,
    /// What the gate wants to be shown.
    pub(crate) token: Option<String>,
    /// Where the gate's command line finds its admin API, and with which key.
    admin: SocketAddr,
    admin_key: Option<String>,
    /// Where the gate keeps its data, and what the server says on stderr.
    folder: TempDir,
    /// Held open, or the server could not write there.
    stdout: BufReader<ChildStdout>,
}

/// The file of what a server says on stderr.
const TALK: &str = "stderr";

impl Child {
    /// Starts a server and waits until it listens.
    pub(crate) fn start(contender: Contender, pinning: &Pinning) -> Result<Self> {
        // On the disk of the build, not in /tmp, which may be no disk at all.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let [grpc, http, admin] = free_addresses()?;
        let mut command = match contender {
            Contender::Bare(kind) => {
                let mut command = pinning.command(&std::env::current_exe()?);
                command.args(["--serve", kind.as_str()]);
                command
            }
            Contender::Gate { .. } | Contender::Uncounted => {
                let (durable, delivering) = match contender {
                    Contender::Gate { durable, delivering } => (durable, delivering),
                    Contender::Bare(_) | Contender::Uncounted => (true, false),
                };
                let mut command = pinning.command(Path::new(env!("CARGO_BIN_EXE_gridgate")));
                command.arg("quickstart").arg("--data").arg(folder.path().join("data"));
                command.env("GRIDGATE_LOG__DURABILITY", if durable { "durable" } else { "memory" });
                command.env("GRIDGATE_LISTEN__ADMIN", admin.to_string());
                // However busy the machine is, the first look-up must not fail the benchmark.
                command.env("GRIDGATE_KEYS__LOOKUP_TIME", "10s");
                command.env("GRIDGATE_USAGE__ENABLED", (contender != Contender::Uncounted).to_string());
                // Often enough that each measurement holds some writes.
                command.env("GRIDGATE_USAGE__FLUSH_INTERVAL", "500ms");
                if !delivering {
                    command.env("GRIDGATE_LAKE__INTERVAL", "1h");
                }
                command
            }
        };
        command.env("GRIDGATE_LISTEN__GRPC", grpc.to_string()).env("GRIDGATE_LISTEN__HTTP", http.to_string());
        let talk = fs::File::create(folder.path().join(TALK))?;
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(talk).spawn()?;
        let stdout = BufReader::new(process.stdout.take().context("there is no stdout")?);
        let mut child = Self { process, grpc, http, token: None, admin, admin_key: None, folder, stdout };
        child.wait_until_listening().with_context(|| child.talk())?;
        Ok(child)
    }

    /// Where it listens.
    pub(crate) fn address(&self, transport: Transport) -> SocketAddr {
        match transport {
            Transport::Grpc => self.grpc,
            Transport::Http => self.http,
        }
    }

    /// What it has said on stderr.
    pub(crate) fn talk(&self) -> String {
        fs::read_to_string(self.folder.path().join(TALK)).unwrap_or_default()
    }

    /// What the gate's command line prints.
    pub(crate) fn command(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gridgate"));
        command.args(words).stdin(Stdio::null());
        command.env("GRIDGATE_ADMIN_URL", format!("http://{}", self.admin));
        command.env("GRIDGATE_ADMIN_KEY", self.admin_key.as_deref().context("there is no admin key")?);
        let done = command.output()?;
        ensure!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8(done.stdout)?.trim().to_owned())
    }

    /// What it has taken of the processors so far.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        cpu_time(self.process.id())
    }

    /// The most memory it has ever held, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kibibytes << 10)
    }

    /// Both kinds of server have bound their listeners before their last line on stdout.
    fn wait_until_listening(&mut self) -> Result<()> {
        let mut line = String::new();
        while self.stdout.read_line(&mut line)? > 0 {
            if let Some(key) = line.trim().strip_prefix("GRIDGATE_ADMIN_KEY=") {
                self.admin_key = Some(key.to_owned());
            }
            if let Some(token) = line.trim().strip_prefix("OTEL_EXPORTER_OTLP_HEADERS=api-key=") {
                self.token = Some(token.to_owned());
            }
            if self.token.is_some() || line.trim() == LISTENING {
                return Ok(());
            }
            line.clear();
        }
        bail!("the server has ended: {}", self.process.wait()?)
    }
}

/// What a bare server says once it listens.
pub(crate) const LISTENING: &str = "listening";

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Loopback addresses that nobody listens on.
fn free_addresses() -> Result<[SocketAddr; 3]> {
    let bound = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let [a, b, c] = bound.map(|listener| listener.and_then(|listener| listener.local_addr()));
    Ok([a?, b?, c?])
}

/// The processor time of a process, its user's and the kernel's.
pub(crate) fn cpu_time(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // proc_pid_stat(5): after the name in parentheses, utime and stime are the 12th and 13th fields, in ticks of 10 ms.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(10 * ticks))
}

/// One processor for the server, another for the client, where that can be had.
pub(crate) enum Pinning {
    /// By `taskset`.
    Pinned { server: usize, client: usize },
    /// Why not.
    No(&'static str),
}

impl Pinning {
    /// What this machine allows.
    pub(crate) fn of_this_machine() -> Self {
        let processors = allowed_processors().unwrap_or_default();
        let [server, client, ..] = processors[..] else { return Self::No("there is only one processor") };
        match Command::new("taskset").arg("--version").stdout(Stdio::null()).status() {
            Ok(status) if status.success() => Self::Pinned { server, client },
            _ => Self::No("taskset is not on PATH"),
        }
    }

    /// Pins this process.
    pub(crate) fn pin_client(&self) -> Result<()> {
        let Self::Pinned { client, .. } = self else { return Ok(()) };
        let process = std::process::id().to_string();
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", "--pid", &client.to_string(), &process]);
        ensure!(command.stdout(Stdio::null()).status()?.success(), "taskset could not pin the client");
        Ok(())
    }

    /// `program`, to be run on the server's processor.
    fn command(&self, program: &Path) -> Command {
        let Self::Pinned { server, .. } = self else { return Command::new(program) };
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &server.to_string()]).arg(program);
        command
    }
}

impl fmt::Display for Pinning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned { server, client } => {
                write!(f, "the server runs on processor {server}, the client on processor {client}")
            }
            Self::No(why) => write!(f, "server and client share all processors: {why}"),
        }
    }
}

/// The numbers of the processors that this process may use.
fn allowed_processors() -> Option<Vec<usize>> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut processors = Vec::new();
    for range in list.trim().split(',') {
        let (first, until) = range.split_once('-').unwrap_or((range, range));
        processors.extend(first.parse::<usize>().ok()?..=until.parse().ok()?);
    }
    Some(processors)
}
