//! The binary itself: how it starts, and what it says when it cannot.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread::JoinHandle;

use tempfile::TempDir;

/// The command with its data in `data`, ports that the operating system chooses, and `options` as variables.
fn gridgate(command: &[&str], data: &Path, options: &[(&str, &str)]) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_gridgate"));
    process.args(command).arg("--data").arg(data).env_clear();
    for listener in ["GRPC", "HTTP", "ADMIN"] {
        process.env(format!("GRIDGATE_LISTEN__{listener}"), "127.0.0.1:0");
    }
    process.envs(options.iter().copied()).stdin(Stdio::null());
    process
}

pub(super) fn run(command: &[&str], data: &Path, options: &[(&str, &str)]) -> Output {
    gridgate(command, data, options).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// A folder that was bootstrapped, and the admin token.
pub(super) fn bootstrapped() -> (TempDir, String) {
    let data = tempfile::tempdir().expect("a folder");
    let output = run(&["bootstrap"], data.path(), &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    (data, text(&output.stdout))
}

/// Whether `output` is a failure told in one line that begins with `line`.
pub(super) fn assert_told(output: &Output, exit: i32, line: &str) {
    let (told, data) = (text(&output.stderr), text(&output.stdout));
    assert_eq!((output.status.code(), data.as_str()), (Some(exit), ""), "{told}");
    assert!(told.starts_with(&format!("error: {line}")), "{told:?} does not begin with {line:?}");
    assert_eq!(told.trim_end().lines().count(), 1, "{told:?}");
}

#[test]
fn a_wrong_configuration_is_one_line_that_names_the_option() {
    let (data, _) = bootstrapped();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).expect("an address");
    let busy = taken.1.as_str();
    let file = data.path().join("file");
    fs::write(&file, "[limits]\nbodi = 1\n").expect("a file");
    let file = file.display().to_string();
    for (variable, value, exit, line) in [
        ("GRIDGATE_LIMITS__BODI", "1", 2, "limits.bodi (set by GRIDGATE_LIMITS__BODI): unknown field `bodi`"),
        ("GRIDGATE_LIMITS__BODY", "much", 2, "limits.body (set by GRIDGATE_LIMITS__BODY): "),
        ("GRIDGATE_LISTEN__GRPC", "here", 2, "listen.grpc (set by GRIDGATE_LISTEN__GRPC): "),
        ("GRIDGATE_CONFIG", "/nowhere/at/all", 2, "/nowhere/at/all: "),
        ("GRIDGATE_CONFIG", &file, 2, &format!("limits.bodi (set by {file}): unknown field `bodi`")),
        ("GRIDGATE_OBSERVE__LOG", "loud=very", 2, "observe.log: "),
        ("GRIDGATE_LISTEN__GRPC", busy, 4, &format!("listen.grpc: cannot listen on {busy}: ")),
        ("GRIDGATE_LISTEN__HTTP", busy, 4, &format!("listen.http: cannot listen on {busy}: ")),
        ("GRIDGATE_LISTEN__ADMIN", busy, 4, &format!("listen.admin: cannot listen on {busy}: ")),
        ("GRIDGATE_LISTEN__ENVIRONMENT", "canary", 4, "listen.environment: there is no environment canary; there are "),
        ("GRIDGATE_KEYS__HEADERS", "[]", 4, "keys.headers: "),
        ("GRIDGATE_KEYS__HEADERS", "[\"api key\"]", 4, "keys.headers: \"api key\" is not a header's name"),
        ("GRIDGATE_CATALOG__URL", "mysql://here", 4, "catalog.url: "),
        ("GRIDGATE_LOG__FOLDER", "/proc/nowhere", 4, "log.folder: "),
        ("GRIDGATE_LAKE__FOLDER", "/proc/nowhere", 4, "lake.folder: "),
    ] {
        assert_told(&run(&["serve"], data.path(), &[(variable, value)]), exit, line);
    }
}

#[test]
fn a_forward_that_cannot_be_meant_is_one_line_that_names_the_option() {
    let (data, _) = bootstrapped();
    let file = data.path().join("forward.toml");
    let name = file.display().to_string();
    let forward = |more: &str| format!("[[forward]]\nname = \"vendor\"\n{more}\n");
    for (text, exit, line) in [
        (
            forward("endpoint = \"vendor:4317\""),
            4,
            "forward[0]: the endpoint has to be http://host:port or ".to_owned(),
        ),
        (forward(""), 2, format!("forward[0] (set by {name}): missing field `endpoint`")),
        ("[[route]]\nto = [\"vendor\"]".to_owned(), 2, format!("route[0].to (set by {name}): there is no destination")),
    ] {
        fs::write(&file, text).expect("a file");
        assert_told(&run(&["serve"], data.path(), &[("GRIDGATE_CONFIG", &name)]), exit, &line);
    }
}

#[test]
fn a_data_folder_that_cannot_be_used() {
    let (data, _) = bootstrapped();
    let file = data.path().join("file");
    fs::write(&file, "").expect("a file");
    for command in ["serve", "quickstart", "bootstrap", "migrate"] {
        let output = run(&[command], &file.join("data"), &[]);
        assert_told(&output, 4, &format!("data.folder: {} cannot be created: ", file.join("data").display()));
    }
    let pepper = data.path().join("pepper");
    assert_eq!(fs::metadata(&pepper).expect("the pepper").mode() & 0o777, 0o600);
    fs::set_permissions(&pepper, fs::Permissions::from_mode(0o644)).expect("the mode is set");
    let line = format!("keys.pepper_file: the pepper file {} can be used by others (mode 644)", pepper.display());
    for command in ["serve", "quickstart", "bootstrap"] {
        assert_told(&run(&[command], data.path(), &[]), 4, &line);
    }
    fs::remove_file(&pepper).expect("the pepper is removed");
    let line = format!("keys.pepper_file: the pepper file {} is missing; restore it", pepper.display());
    for command in ["serve", "quickstart", "bootstrap"] {
        // There are keys: a new pepper would be of no use to them.
        assert_told(&run(&[command], data.path(), &[]), 4, &line);
    }
}

#[test]
fn a_catalog_that_was_not_migrated() {
    let (data, _) = bootstrapped();
    for file in fs::read_dir(data.path()).expect("a folder") {
        let path = file.expect("an entry").path();
        if path.to_string_lossy().contains("catalog.sqlite") {
            fs::remove_file(path).expect("the catalog is removed");
        }
    }
    assert_told(&run(&["serve"], data.path(), &[]), 4, "catalog.url: ");
    let output = run(&["migrate"], data.path(), &[]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
    assert_eq!(text(&output.stderr), "the catalog is up to date\n");
    Served::start(&["serve"], data.path(), "info", 0).stop();
}

#[test]
fn bootstrap_prints_the_token_and_nothing_else_once() {
    let (data, token) = bootstrapped();
    assert!(token.starts_with("gga_") && token.ends_with('\n') && token.len() == 56, "{token:?}");
    let again = run(&["bootstrap"], data.path(), &[]);
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(1), String::new()));
    assert!(text(&again.stderr).starts_with("error: this installation has an admin key already\n"));
    let another = run(&["bootstrap", "--another"], data.path(), &[]);
    assert!(another.status.success());
    assert_ne!(text(&another.stdout), token);
}

/// A process that serves.
pub(super) struct Served {
    process: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    /// What it says on stderr, when it has ended.
    saying: Option<JoinHandle<String>>,
    /// Lines of stdout of the form `NAME=value`.
    pub(super) printed: Vec<(String, String)>,
    /// What it said until it served.
    pub(super) said: String,
}

impl Served {
    /// Starts `command`, which prints so many lines before it serves.
    pub(super) fn start(command: &[&str], data: &Path, log: &str, lines: usize) -> Self {
        Self::with(command, data, &[("GRIDGATE_OBSERVE__LOG", log)], lines)
    }

    /// The same with further options.
    pub(super) fn with(command: &[&str], data: &Path, options: &[(&str, &str)], lines: usize) -> Self {
        let mut process = gridgate(command, data, options);
        let mut process = process
            .env("GRIDGATE_OBSERVE__FORMAT", "json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut stderr = BufReader::new(process.stderr.take().expect("stderr"));
        let mut said = String::new();
        while !said.contains("\"message\":\"serving\"") {
            assert_ne!(stderr.read_line(&mut said).expect("a line"), 0, "it ended early: {said}");
        }
        // What is said later must not fill the pipe.
        let saying = std::thread::spawn(move || std::io::read_to_string(stderr).expect("text"));
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout")).lines();
        let pair = |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let printed =
            stdout.by_ref().take(lines).map(|line| pair(line.expect("a line")).expect("NAME=value")).collect();
        Self { process, stdout, saying: Some(saying), printed, said }
    }

    /// Asks the process to end, which prints nothing more, and returns all that it said.
    pub(super) fn stop(mut self) -> String {
        self.signal("-TERM");
        assert!(self.stdout.next().is_none());
        assert!(self.process.wait().expect("it ends").success());
        let rest = self.saying.take().map(|saying| saying.join().expect("no panic"));
        format!("{}{}", self.said, rest.unwrap_or_default())
    }

    pub(super) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.process.id().to_string()).status().expect("kill runs");
        assert!(sent.success());
    }

    fn names(&self) -> Vec<&str> {
        self.printed.iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn quickstart_prints_its_keys_once_and_keeps_its_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("new/data");
    let first = Served::start(&["quickstart"], &data, "info", 5);
    let second = run(&["serve"], &data, &[]);
    let line = format!(
        "data.folder: the folder {} is in use by another gridgate: process {}, started ",
        data.display(),
        first.process.id()
    );
    assert_told(&second, 4, &line);
    let names = [
        "GRIDGATE_ADMIN_URL",
        "GRIDGATE_ADMIN_KEY",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_HEADERS",
    ];
    assert_eq!(first.names(), names);
    first.stop();
    let pepper = fs::read(data.join("pepper")).expect("the pepper");
    assert_eq!(fs::metadata(data.join("pepper")).expect("the pepper").mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&data).expect("the folder").mode() & 0o777, 0o700);
    let again = Served::start(&["quickstart"], &data, "info", 3);
    assert_eq!(again.names(), [names[0], names[2], names[3]]);
    again.stop();
    assert_eq!(fs::read(data.join("pepper")).expect("the pepper"), pepper);
}
