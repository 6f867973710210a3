//! OTLP specification, «OTLP/HTTP Connection» and «All Other Responses»: connections, and what breaks them.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::ingest::Gate;
use crate::ingest::client::{Export, Form, Raw};

/// gRPC, «Keepalive»: a client may ask as often as it likes whether its connection is alive, with a call under way and without.
#[tokio::test]
async fn t57_pings_are_answered() {
    const PING: u8 = 6;
    const ACK: u8 = 1;
    let gate = Gate::start().await;
    for address in [gate.grpc, gate.http] {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        // RFC 9113 section 3.4: the preface, and settings without a setting.
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("it is written");
        for number in 0_u64..100 {
            let payload = number.to_be_bytes();
            stream.write_all(&[&[0, 0, 8, PING, 0, 0, 0, 0, 0][..], &payload].concat()).await.expect("it is open");
            loop {
                let mut head = [0; 9];
                stream.read_exact(&mut head).await.expect("a frame");
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut frame = vec![0; usize::try_from(length).expect("it is short")];
                stream.read_exact(&mut frame).await.expect("a frame");
                assert_ne!(head[3], 7, "GOAWAY after {number} pings");
                if (head[3], head[4]) == (PING, ACK) {
                    assert_eq!(frame, payload);
                    break;
                }
            }
        }
    }
    gate.stop().await;
}

/// «All Other Responses» (SHOULD, for clients): what breaks off without an answer is sent again, and is there once.
#[tokio::test]
async fn t61_what_broke_off_is_sent_again_and_is_there_once() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for (number, form) in (1..).zip([Form::Protobuf, Form::Json]) {
        let export = Export::traces(form, &key.token);
        let mut raw = Raw::connect(gate.http).await;
        raw.head(&export, &format!("expect: 100-continue\r\ncontent-length: {}\r\n", export.body.len())).await;
        assert_eq!(raw.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        raw.write(&export.body[..export.body.len() - 1]).await;
        drop(raw);
        let gone = "gridgate_exports_gone_total{transport=\"http\",signal=\"traces\"}";
        gate.until(gone, |gone| gone == number).await;
        export.send(&gate).await.assert_success(form);
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 2]);
}
