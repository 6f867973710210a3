//! What goes out: paths, headers, compression, stamps.

use gridgate::otlp::compression::with_inflated;
use gridgate::otlp::stamp::NAMES;

use super::*;

#[tokio::test]
async fn every_signal_goes_to_its_path_as_it_was_stored() {
    let ok = reply(200, &[("content-type", "application/x-protobuf")], "");
    for (protocol, suffix, prefix) in
        [(Protocol::Http, "", ""), (Protocol::Http, "/otlp/", "/otlp"), (Protocol::Grpc, "/", "")]
    {
        let reply = if protocol == Protocol::Grpc { grpc_reply(b"", &[("grpc-status", "0")]) } else { ok.clone() };
        let server = Server::start([reply]).await;
        let mut settings = settings(protocol, server.address);
        settings.endpoint.push_str(suffix);
        let backend = backend(settings);
        for signal in Signal::ALL {
            let payload = Bytes::from(signal.as_str());
            let sent = backend.send(&meta(signal, Encoding::Identity, payload.len()), &payload).await;
            assert_eq!(sent, delivered(), "{signal}");
        }
        for (seen, signal) in server.seen().into_iter().zip(Signal::ALL) {
            assert_eq!((seen.method, seen.connection), (Method::POST, 1));
            if protocol == Protocol::Grpc {
                let length = u8::try_from(signal.as_str().len()).expect("a short payload");
                assert_eq!(seen.path, signal.grpc_path());
                assert_eq!(seen.version, Version::HTTP_2);
                assert_eq!(seen.body, [&[0, 0, 0, 0, length], signal.as_str().as_bytes()].concat());
            } else {
                assert_eq!(seen.path, format!("{prefix}{}", signal.http_path()));
                assert_eq!(seen.version, Version::HTTP_11);
                assert_eq!(seen.body, signal.as_str());
            }
        }
    }
}

#[tokio::test]
async fn only_our_own_headers_go_out() {
    let configured = [("X-Scope-OrgID", "{project}-{grid}-{environment}"), ("x-signal", "{{{signal}}}")];
    let environment = [("x-package", "{env:CARGO_PKG_NAME}"), ("user-agent", "mine")];
    let server = Server::start([reply(200, &[], "")]).await;
    let mut settings = settings(Protocol::Http, server.address);
    assert_eq!(send(&backend(settings.clone())).await, delivered());
    settings.headers =
        configured.into_iter().chain(environment).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(send(&backend(settings)).await, delivered());
    let [plain, configured] = server.seen().try_into().expect("two requests");
    let mut expected = headers(&[
        ("content-type", "application/x-protobuf"),
        ("user-agent", concat!("Gridgate/", env!("CARGO_PKG_VERSION"))),
        ("host", &server.address.to_string()),
        ("content-length", &plain.body.len().to_string()),
    ]);
    assert_eq!(plain.headers, expected);
    for (name, value) in headers(&[
        ("x-scope-orgid", "shop-web-production"),
        ("x-signal", "{traces}"),
        ("x-package", "gridgate"),
        ("user-agent", "mine"),
    ]) {
        expected.insert(name.expect("a name"), value);
    }
    assert_eq!(configured.headers, expected);

    let server = Server::start([grpc_reply(b"", &[("grpc-status", "0")])]).await;
    let mut settings = super::settings(Protocol::Grpc, server.address);
    settings.timeout = Duration::from_secs(7);
    assert_eq!(send(&backend(settings)).await, delivered());
    let seen = server.seen().remove(0);
    let expected = headers(&[
        ("content-type", "application/grpc"),
        ("user-agent", concat!("Gridgate/", env!("CARGO_PKG_VERSION"))),
        ("te", "trailers"),
        ("grpc-timeout", "7000m"),
        ("grpc-accept-encoding", "identity,gzip,zstd"),
        ("content-length", &seen.body.len().to_string()),
    ]);
    assert_eq!(seen.headers, expected);
}

/// Each encoding in the log, with each setting, over both transports, small and large, stamped or not.
#[tokio::test]
async fn payloads_are_compressed_only_where_they_must_be() {
    const SETTINGS: [Compression; 4] =
        [Compression::AsReceived, Compression::None, Compression::Gzip, Compression::Zstd];
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let reply = match protocol {
            Protocol::Http => reply(200, &[], ""),
            Protocol::Grpc => grpc_reply(b"", &[("grpc-status", "0")]),
        };
        let server = Server::start([reply]).await;
        for (compression, stamp) in SETTINGS.into_iter().flat_map(|setting| [(setting, false), (setting, true)]) {
            let backend = backend(BackendSettings { compression, stamp, ..settings(protocol, server.address) });
            for length in [10, 100_000] {
                let plain = traces(&"checkout ".repeat(length / 9)).encode_to_vec();
                let stored = [
                    (Encoding::Identity, plain.clone()),
                    (Encoding::Gzip, gzip(&plain)),
                    (Encoding::Zstd, zstd::bulk::compress(&plain, 1).expect("zstd")),
                ];
                for (encoding, stored) in stored {
                    let stored = Bytes::from(stored);
                    assert_eq!(backend.send(&meta(Signal::Traces, encoding, plain.len()), &stored).await, delivered());
                    let expected = match compression {
                        Compression::AsReceived if encoding == Encoding::Gzip => Encoding::Gzip,
                        Compression::AsReceived | Compression::None => Encoding::Identity,
                        Compression::Gzip => Encoding::Gzip,
                        Compression::Zstd => Encoding::Zstd,
                    };
                    let case = format!("{protocol:?} {compression:?} of {encoding} {length}, stamp {stamp}");
                    let seen = server.seen().pop().expect("a request");
                    let body = payload_of(&seen, protocol, expected, &case);
                    if !stamp && expected == encoding {
                        assert_eq!(body, stored, "{case}");
                    }
                    let inflated = with_inflated(expected, &body, 1 << 20, |_| Ok(()), <[u8]>::to_vec);
                    check(&inflated.expect("it is as it says"), &plain, stamp, &case);
                }
            }
        }
    }
}

/// The payload of a request, which has to say that it is compressed in this way.
fn payload_of(seen: &Seen, protocol: Protocol, encoding: Encoding, case: &str) -> Bytes {
    let header = |name| seen.headers.get(name).map(|value| value.to_str().expect("text"));
    let named = (encoding != Encoding::Identity).then_some(encoding.as_str());
    match protocol {
        Protocol::Http => {
            assert_eq!(header("content-encoding"), named, "{case}");
            seen.body.clone()
        }
        Protocol::Grpc => {
            assert_eq!(header("grpc-encoding"), named, "{case}");
            assert_eq!(seen.body[0], u8::from(named.is_some()), "{case}");
            let length = u32::from_be_bytes(seen.body[1..5].try_into().expect("four bytes"));
            assert_eq!(length as usize, seen.body.len() - 5, "{case}");
            seen.body.slice(5..)
        }
    }
}

fn check(sent: &[u8], plain: &[u8], stamp: bool, case: &str) {
    if !stamp {
        assert_eq!(sent, plain, "{case}");
        return;
    }
    let mut request = ExportTraceServiceRequest::decode(sent).expect("a request");
    let resource = request.resource_spans[0].resource.take().expect("a resource");
    let names: Vec<_> = resource.attributes.into_iter().map(|attribute| attribute.key).collect();
    assert_eq!(names, NAMES, "{case}");
    assert_eq!(request.encode_to_vec(), plain, "{case}");
}

#[tokio::test]
async fn a_record_that_cannot_be_inflated_is_sent_to_nobody() {
    let server = Server::start([reply(200, &[], "")]).await;
    let backend = backend(settings(Protocol::Http, server.address));
    let damaged = Bytes::from_static(b"damaged");
    let why = never(backend.send(&meta(Signal::Logs, Encoding::Zstd, 100), &damaged).await);
    assert!(why.starts_with("the record cannot be inflated: "), "{why}");
    assert!(server.seen().is_empty());
}
