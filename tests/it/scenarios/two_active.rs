//! Two active keys. The page: at most two; to rotate, make the second, deploy it, see that traffic has moved, and delete the first.
//! And what is better: a second secret of the same key, while everything goes on.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gridgate::cli::Exit;
use gridgate::domain::Signal;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Product, rows};
use crate::ingest::client::{Answer, Export, Form};

#[tokio::test]
async fn the_second_key_replaces_the_first() {
    let product = Product::start().await;
    product.run("projects edit shop --max-active-keys 2").await;
    let create = "keys create --project shop --grid web --environment production --name";
    let first = product.key(&format!("{create} first")).await;
    product.accepts(&first.token, "first").await;

    let second = product.key(&format!("{create} second")).await;
    product.refused(&format!("{create} third"), Exit::Conflict, "key_limit_reached").await;
    product.accepts(&first.token, "first").await;
    product.accepts(&second.token, "second").await;

    // Once nobody has used it for a while.
    product.refused(&format!("keys revoke {} --yes", first.id), Exit::Conflict, "key_in_use").await;
    product.gate.clock.advance(std::time::Duration::from_mins(10));
    product.run(&format!("keys revoke {} --yes", first.id)).await;
    product.refuses(&first, "key_revoked").await;
    product.accepts(&second.token, "second").await;
    // The place is free.
    product.key(&format!("{create} third")).await;
    let lake = product.lake().await;
    let expected = [rows("first"), rows("first"), rows("second"), rows("second")].concat();
    assert_eq!(lake["shop/web/production/traces"], expected);
}

/// Services that export all the time over both transports, on connections that stay open, while their key is rotated.
#[tokio::test]
async fn a_rotation_under_load_loses_no_export() {
    let product = Product::start().await;
    product.run("projects edit shop --max-active-keys 1").await;
    let key = product.key("keys create --name fleet --project shop --grid web --environment production").await;
    let mut fleet = Vec::new();
    for number in 0..SERVICES {
        let form = [Form::Grpc, Form::Protobuf, Form::Grpc, Form::Json][number % 4];
        let address = if form == Form::Grpc { product.gate.grpc } else { product.gate.http };
        fleet.push(Service::start(&format!("service {number}"), form, address, &key.token).await);
    }
    each_exports(&mut fleet).await;

    let rotated = product.key(&format!("keys rotate {} --when-drained 15m", key.id)).await;
    assert_eq!(rotated.id, key.id);
    // One rotation at a time.
    product.refused(&format!("keys rotate {}", key.id), Exit::Conflict, "rotation_in_progress").await;
    each_exports(&mut fleet).await;

    // Deployed to one service after the other; all go on exporting meanwhile.
    for service in &mut fleet {
        service.deploy(&rotated.token);
        service.exports().await;
    }
    each_exports(&mut fleet).await;

    product.run(&format!("keys complete-rotation {} --yes --force", key.id)).await;
    product.refuses(&key, "secret_retired").await;
    each_exports(&mut fleet).await;

    let mut acknowledged = Vec::new();
    for service in fleet {
        acknowledged.extend(service.stop().await);
    }
    acknowledged.sort();
    assert!(acknowledged.len() >= SERVICES * EXPORTS * 4);
    let lake = product.lake().await;
    assert!(lake["shop/web/production/traces"] == acknowledged, "what was acknowledged and what is in the lake differ");
}

/// A rotation that went wrong is taken back, and the old secret stays.
#[tokio::test]
async fn a_rotation_is_cancelled() {
    let product = Product::start().await;
    let key = product.key("keys create --name fleet --project shop --grid web --environment production").await;
    let rotated = product.key(&format!("keys rotate {} --for 1h", key.id)).await;
    for token in [&key.token, &rotated.token] {
        product.accepts(token, "both").await;
    }
    product.run(&format!("keys cancel-rotation {} --yes --force", key.id)).await;
    product.refuses(&rotated, "secret_retired").await;
    // The old secret does not end with the hour that it was given.
    product.gate.clock.advance(std::time::Duration::from_hours(2));
    product.accepts(&key.token, "old").await;
}

/// How many services export at once.
const SERVICES: usize = 4;
/// How many exports of each are waited for before and after each step.
const EXPORTS: usize = 10;

/// A service that exports one span after the other until it is stopped. It panics where one is not acknowledged.
struct Service {
    token: watch::Sender<String>,
    done: watch::Receiver<usize>,
    running: watch::Sender<bool>,
    acknowledged: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Service {
    async fn start(name: &str, form: Form, address: SocketAddr, token: &str) -> Self {
        let (token, tokens) = watch::channel(token.to_owned());
        let (progress, done) = watch::channel(0);
        let (running, stopped) = watch::channel(true);
        let acknowledged = Arc::<Mutex<Vec<String>>>::default();
        let (mut connection, log, name) =
            (Connection::open(form, address).await, Arc::clone(&acknowledged), name.to_owned());
        let task = tokio::spawn(async move {
            let mut number = 0;
            while *stopped.borrow() {
                let marker = format!("{name}: {number}");
                let export = Export::new(form, Signal::Traces, &marker).key(&tokens.borrow().clone());
                connection.send(&export).await.assert_success(form);
                log.lock().expect("the log").push(marker);
                number += 1;
                progress.send_replace(number);
            }
        });
        Self { token, done, running, acknowledged, task }
    }

    /// From its next export on the service has another token.
    fn deploy(&self, token: &str) {
        self.token.send_replace(token.to_owned());
    }

    /// Waits for some more exports.
    async fn exports(&mut self) {
        let enough = *self.done.borrow() + EXPORTS;
        self.done.wait_for(|done| *done >= enough).await.expect("every export is acknowledged");
    }

    /// What was acknowledged.
    async fn stop(self) -> Vec<String> {
        self.running.send_replace(false);
        self.task.await.expect("every export is acknowledged");
        std::mem::take(&mut *self.acknowledged.lock().expect("the log"))
    }
}

async fn each_exports(fleet: &mut [Service]) {
    for service in fleet {
        service.exports().await;
    }
}

/// A connection that stays open.
enum Connection {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    async fn open(form: Form, address: SocketAddr) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.expect("a connection"));
        if form == Form::Grpc {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
            tokio::spawn(connection);
            Self::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(stream).await.expect("HTTP/1.1");
            tokio::spawn(connection);
            Self::One(sender)
        }
    }

    async fn send(&mut self, export: &Export) -> Answer {
        let (request, body) = (export.builder(), Full::new(export.body.clone()));
        let response = match self {
            Self::One(sender) => {
                sender.ready().await.expect("an open connection");
                sender.send_request(request.header("host", "gate").body(body).expect("a request")).await
            }
            Self::Two(sender) => {
                let path = request.uri_ref().expect("a path").clone();
                sender.send_request(request.uri(format!("http://gate{path}")).body(body).expect("a request")).await
            }
        };
        Answer::of(response.expect("an answer")).await
    }
}
