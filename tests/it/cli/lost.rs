//! Answers that are lost on the way: what makes a token is asked for again, and made once.

use std::sync::{Arc, Mutex};

use gridgate::cli::Exit;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{CREATE, Shell};
use crate::admin::{Server, ingest_view};

/// How a request is treated.
#[derive(Clone)]
enum Fate {
    /// The connection is closed without an answer.
    Lost,
    /// This status, to be tried again at once, and this problem.
    Refused(StatusCode, &'static str),
    /// This JSON with the status 201.
    Answered(Value),
}

/// An admin API that treats its requests as it is told, and keeps their heads and bodies.
struct Fated {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Request {
    line: String,
    idempotency_key: Option<String>,
    body: String,
}

impl Fated {
    async fn with(fates: Vec<Fate>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            for fate in fates {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let request = read(&mut socket).await;
                seen.lock().expect("requests").push(request);
                let (status, body) = match fate {
                    Fate::Lost => continue,
                    Fate::Refused(status, code) => (status, problem(status, code)),
                    Fate::Answered(body) => (StatusCode::CREATED, body),
                };
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status}\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                socket.write_all(format!("{head}{body}").as_bytes()).await.expect("the answer is sent");
            }
        });
        Self { url, requests }
    }

    fn shell(&self, server: &Server) -> Shell {
        Shell { url: self.url.clone(), ..Shell::at(server) }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("requests").clone()
    }
}

/// One request, to the end of its body.
async fn read(socket: &mut TcpStream) -> Request {
    let mut text = String::new();
    loop {
        let mut bytes = [0; 4096];
        let read = socket.read(&mut bytes).await.expect("a request");
        text.push_str(std::str::from_utf8(&bytes[..read]).expect("text"));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let found = head.lines().find_map(|line| line.strip_prefix(name));
            found.map(|value| value.trim_start_matches(':').trim().to_owned())
        };
        if header("content-length").map_or(0, |length| length.parse().expect("a length")) <= body.len() {
            let line = head.lines().next().expect("a first line").to_owned();
            return Request { line, idempotency_key: header("idempotency-key"), body: body.to_owned() };
        }
    }
}

fn problem(status: StatusCode, code: &str) -> Value {
    json!({"type": format!("urn:gridgate:problem:{code}"), "title": code, "status": status.as_u16(), "detail": "not now",
        "code": code, "request_id": "r1"})
}

fn issued(server: &Server) -> Value {
    let id = json!("key_7Hq2mZxK9wPa");
    json!({"key": ingest_view(server, &id, "shop", "checkout"), "token": "ggi_prd_shown"})
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_under_the_same_key() {
    let server = Server::start().await;
    for lost in [
        Fate::Lost,
        Fate::Refused(StatusCode::SERVICE_UNAVAILABLE, "catalog_unavailable"),
        Fate::Refused(StatusCode::CONFLICT, "idempotency_in_flight"),
        Fate::Refused(StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
    ] {
        let fated = Fated::with(vec![lost.clone(), lost, Fate::Answered(issued(&server))]).await;
        let ended = fated.shell(&server).run(CREATE).await;
        assert_eq!((ended.exit, ended.out.as_str()), (Exit::Done, "ggi_prd_shown\n"), "{}", ended.err);
        let requests = fated.requests();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| *request == requests[0]), "{requests:?}");
        assert_eq!(requests[0].line, "POST /api/v1/keys HTTP/1.1");
        let key = requests[0].idempotency_key.clone().expect("a key");
        assert!(key.len() >= 22, "{key}");
        assert!(!ended.err.contains(&key), "{}", ended.err);
    }
}

#[tokio::test]
async fn it_is_given_up_in_the_end_and_can_be_taken_up_again() {
    let server = Server::start().await;
    let down = Fate::Refused(StatusCode::SERVICE_UNAVAILABLE, "catalog_unavailable");
    let fated =
        Fated::with(vec![down.clone(), down.clone(), down.clone(), down, Fate::Answered(issued(&server))]).await;
    let shell = fated.shell(&server);
    let ended = shell.run(CREATE).await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Unreachable, ""));
    let (_, key) = ended.err.split_once("--idempotency-key ").expect("advice");
    let key = key.split_whitespace().next().expect("a key");
    let ended = shell.run(&format!("{CREATE} --idempotency-key {key}")).await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Done, "ggi_prd_shown\n"));
    let requests = fated.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests.iter().all(|request| request.idempotency_key.as_deref() == Some(key)), "{requests:?}");
}

/// The admin API itself, whose first answer is lost after it was given: the key is made once, and the second answer shows its token.
#[tokio::test]
async fn a_key_whose_answer_was_lost_is_made_once() {
    let server = Server::with_two_projects().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let address = server.address;
    let proxy = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a connection");
        let mut behind = TcpStream::connect(address).await.expect("the admin API");
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains("\"token\":\"ggi_") {
            tokio::select! {
                asked = read_some(&mut client) => behind.write_all(&asked).await.expect("it is passed on"),
                told = read_some(&mut behind) => answer.extend(told),
            }
        }
        drop(client);
        let (mut client, _) = listener.accept().await.expect("a second connection");
        let mut behind = TcpStream::connect(address).await.expect("the admin API");
        tokio::io::copy_bidirectional(&mut client, &mut behind).await.expect("all is passed on");
        String::from_utf8_lossy(&answer).into_owned()
    });
    let shell = Shell { url, ..Shell::at(&server) };
    let token = shell.data(CREATE).await.trim_end().to_owned();
    drop(shell);
    assert!(proxy.await.expect("it does not panic").contains(&token), "both answers show the same token");
    let keys = Shell::at(&server).json("keys list --kind ingest --output json").await;
    assert_eq!(keys.as_array().map(Vec::len), Some(1));
}

async fn read_some(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let read = socket.read(&mut bytes).await.expect("bytes");
    bytes.truncate(read);
    bytes
}

#[tokio::test]
async fn two_runs_are_two_requests() {
    let server = Server::start().await;
    let answer = Fate::Answered(issued(&server));
    let fated = Fated::with(vec![answer.clone(), answer]).await;
    for _ in 0..2 {
        assert_eq!(fated.shell(&server).run(CREATE).await.exit, Exit::Done);
    }
    let [one, two] = &fated.requests()[..] else { panic!("two requests") };
    assert_ne!(one.idempotency_key, two.idempotency_key);
}

/// Without a key the same request twice could be two changes.
#[tokio::test]
async fn what_cannot_be_told_apart_is_sent_once() {
    let server = Server::start().await;
    for fate in [Fate::Lost, Fate::Refused(StatusCode::SERVICE_UNAVAILABLE, "catalog_unavailable")] {
        let fated = Fated::with(vec![fate]).await;
        let ended = fated.shell(&server).run("projects create shop").await;
        assert_eq!(ended.exit, Exit::Unreachable);
        assert_eq!(fated.requests().len(), 1);
    }
}
