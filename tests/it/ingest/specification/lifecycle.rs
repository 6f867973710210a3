//! OTLP specification, «OTLP/HTTP Connection» and «All Other Responses»: connections, and what breaks them.

use crate::ingest::Gate;
use crate::ingest::client::{Export, Form, Raw};

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
