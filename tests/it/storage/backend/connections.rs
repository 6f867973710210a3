//! Servers that are not there, do not answer, break off, or come back.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn ok(protocol: Protocol) -> Reply {
    match protocol {
        Protocol::Http => reply(200, &[], ""),
        Protocol::Grpc => grpc_reply(b"", &[("grpc-status", "0")]),
    }
}

#[tokio::test]
async fn a_backend_that_is_gone_is_found_again() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let server = Server::start([ok(protocol)]).await;
        let address = server.address;
        let backend = backend(settings(protocol, address));
        for _ in 0..3 {
            assert_eq!(send(&backend).await, delivered());
        }
        assert!(server.seen().iter().all(|seen| seen.connection == 1), "connections are kept");
        server.stop().await;
        let (pause, why) = later(send(&backend).await);
        assert_eq!(pause, None);
        assert!(why.contains("refused"), "{why}");
        let server = Server::start_at(address, None, [ok(protocol)]).await;
        assert_eq!(send(&backend).await, delivered());
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_backend_that_does_not_answer_in_time_is_asked_anew() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let server = Server::start([Reply::Silence]).await;
        let impatient = BackendSettings { timeout: Duration::from_millis(1), ..settings(protocol, server.address) };
        assert_eq!(later(send(&backend(impatient)).await), (None, "no answer within 1ms".to_owned()));

        let server = Server::start([Reply::SilenceAtFirst(Box::new(ok(protocol)))]).await;
        let timeout = Duration::from_millis(500);
        let backend = backend(BackendSettings { timeout, ..settings(protocol, server.address) });
        assert_eq!(later(send(&backend).await), (None, "no answer within 500ms".to_owned()));
        // On a loaded machine, an answer may be too late for its own reasons. Never is one sought on a silent connection.
        let mut tries = 1;
        while send(&backend).await != delivered() {
            tries += 1;
            assert!(tries < 20, "it keeps to the silent connection");
        }
        let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
        assert!(connections.windows(2).all(|pair| pair[0] < pair[1]), "{connections:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let kind = headers(&[("content-type", "application/x-protobuf")]);
    let server = Server::start([Reply::Cut { headers: kind }]).await;
    assert_eq!(later(send(&backend(settings(Protocol::Http, server.address))).await).0, None);
    let kind = headers(&[("content-type", "application/grpc")]);
    let server = Server::start([Reply::Cut { headers: kind }]).await;
    assert_eq!(later(send(&backend(settings(Protocol::Grpc, server.address))).await).0, None);
}

/// A refusal that comes before the body is read, as proxies refuse what is too large.
#[tokio::test]
async fn an_early_refusal_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = [0; 16];
        stream.read_exact(&mut head).await.expect("a request");
        let answer = b"HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.expect("the client listens");
        // It reads no further, and keeps the connection until the client goes.
        stream.shutdown().await.expect("the client listens");
        std::future::pending::<()>().await;
    });
    let payload = Bytes::from(vec![0; 32 << 20]);
    let backend = backend(settings(Protocol::Http, address));
    let sent = backend.send(&meta(Signal::Logs, Encoding::Identity, payload.len()), &payload).await;
    assert_eq!(never(sent), "413 Payload Too Large");
    server.abort();
}

#[tokio::test]
async fn what_speaks_no_http_is_asked_again_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(stream.write_all(b"220 mail.example ESMTP\r\n").await);
        }
    });
    for protocol in [Protocol::Http, Protocol::Grpc] {
        assert_eq!(later(send(&backend(settings(protocol, address))).await).0, None);
    }
    server.abort();
}
