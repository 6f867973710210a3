//! Settings that cannot be meant are refused, and none of them shows a secret.

use gridgate::storage::destination::otlp::{BackendError, HeaderFault};

use super::*;

fn valid(protocol: Protocol) -> BackendSettings {
    settings(protocol, "127.0.0.1:4317".parse().expect("an address"))
}

#[track_caller]
fn refused(settings: BackendSettings) -> BackendError {
    OtlpBackend::new(settings, Arc::new(ManualClock::new(NOW))).expect_err("it is refused")
}

#[test]
fn endpoints() {
    let new = |protocol, endpoint: &str| {
        let settings = BackendSettings { endpoint: endpoint.to_owned(), ..valid(protocol) };
        OtlpBackend::new(settings, Arc::new(ManualClock::new(NOW)))
    };
    for endpoint in ["http://localhost", "http://[::1]:4318/", "HTTP://Collector.example:4318/a/b//"] {
        assert!(new(Protocol::Http, endpoint).is_ok(), "{endpoint}");
    }
    for endpoint in [
        "",
        "localhost:4317",
        "/v1",
        "ftp://localhost",
        "http://",
        "http://:4317",
        "http://localhost:",
        "http://localhost:0",
        "http://localhost:99999",
        "http://local host",
        "http://localhost\n",
    ] {
        for protocol in [Protocol::Http, Protocol::Grpc] {
            assert!(matches!(new(protocol, endpoint), Err(BackendError::Endpoint)), "{endpoint}");
        }
    }
    let fails = |endpoint| new(Protocol::Http, endpoint).expect_err("it is refused");
    assert!(matches!(fails("http://me:s3cret@localhost"), BackendError::EndpointCredentials));
    assert!(matches!(fails("http://me@localhost"), BackendError::EndpointCredentials));
    assert!(matches!(fails("http://localhost/?key=s3cret"), BackendError::EndpointQuery));
    assert!(matches!(fails("http://localhost#a"), BackendError::EndpointQuery));
    assert!(matches!(fails("http://localhost/a/v1/logs/"), BackendError::EndpointSignal("/v1/logs")));
    assert!(matches!(new(Protocol::Grpc, "http://localhost/a"), Err(BackendError::EndpointPath)));
}

#[test]
fn header_names_and_values() {
    let fault = |name: &str, value: &str| {
        let headers = vec![(name.to_owned(), value.to_owned())];
        match refused(BackendSettings { headers, ..valid(Protocol::Grpc) }) {
            BackendError::Header { name: named, fault } if named == name => fault,
            other => panic!("{other:?}"),
        }
    };
    for name in ["", "a b", "grün", ":path", "a:"] {
        assert_eq!(fault(name, "a"), HeaderFault::Name, "{name}");
    }
    for name in [
        "Content-Type",
        "content-length",
        "content-encoding",
        "Host",
        "connection",
        "te",
        "transfer-encoding",
        "grpc-timeout",
        "grpc-anything",
    ] {
        assert_eq!(fault(name, "a"), HeaderFault::Forbidden, "{name}");
    }
    assert_eq!(fault("x-a", "{tenant}"), HeaderFault::Placeholder);
    assert_eq!(fault("x-a", "{project"), HeaderFault::Braces);
    assert_eq!(fault("x-a", "a\nb"), HeaderFault::Value);
    let variable = "GRIDGATE_TEST_NOBODY_SETS_THIS";
    assert_eq!(fault("x-a", &format!("{{env:{variable}}}")), HeaderFault::Variable(variable.to_owned()));
    let headers = ["x-a", "X-A"].map(|name| (name.to_owned(), "a".to_owned())).to_vec();
    let twice = refused(BackendSettings { headers, ..valid(Protocol::Http) });
    assert_eq!(twice.to_string(), "the header \"X-A\" is set twice");
}

#[test]
fn nothing_shows_the_value_of_a_header() {
    let headers = vec![("authorization".to_owned(), "Bearer s3cret".to_owned())];
    let settings = BackendSettings { headers, ..valid(Protocol::Grpc) };
    let shown = format!("{settings:?} {:?}", backend(settings.clone()));
    assert!(shown.contains("authorization") && shown.contains("127.0.0.1:4317"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
    for value in ["s3cret {", "s3cret {s3cret}", "s3cret\n"] {
        let headers = vec![("authorization".to_owned(), value.to_owned())];
        let error = refused(BackendSettings { headers, ..settings.clone() });
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}

#[test]
fn names_in_configuration() {
    #[derive(serde::Deserialize, PartialEq, Debug)]
    struct Named {
        protocol: Vec<Protocol>,
        compression: Vec<Compression>,
    }
    let text = "protocol = ['grpc', 'http']\ncompression = ['as-received', 'none', 'gzip', 'zstd']";
    let expected = Named {
        protocol: vec![Protocol::Grpc, Protocol::Http],
        compression: vec![Compression::AsReceived, Compression::None, Compression::Gzip, Compression::Zstd],
    };
    assert_eq!(toml::from_str::<Named>(text), Ok(expected));
}
