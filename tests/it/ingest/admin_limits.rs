//! The limits of the admin API in the whole gate, which tells it the address of each client.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::Gate;

/// The first line of the answer to a request without credentials from `address`.
async fn asked_from(gate: &Gate, address: &str) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(address.parse().expect("an address"), 0)).expect("an address of this machine");
    let mut connection = socket.connect(gate.admin).await.expect("a connection");
    let request = "GET /api/v1/me HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn each_address_has_its_own_share_as_configured() {
    let gate = Gate::with(|config| config.admin.unauthenticated_per_minute = 2).await;
    for _ in 0..2 {
        assert_eq!(asked_from(&gate, "127.0.0.1").await, "HTTP/1.1 401 Unauthorized");
    }
    assert_eq!(asked_from(&gate, "127.0.0.1").await, "HTTP/1.1 429 Too Many Requests");
    assert_eq!(asked_from(&gate, "127.0.0.2").await, "HTTP/1.1 401 Unauthorized");
    gate.stop().await;
}
