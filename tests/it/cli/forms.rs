//! The forms of a token that is shown once.

use gridgate::cli::Exit;
use gridgate::domain::token::PresentedToken;

use super::{CREATE, Shell};
use crate::admin::Server;

/// What stands before and after the token, which is checked.
fn around(out: &str) -> (String, String) {
    let begin = out.find("gg").expect("a token");
    let end = out[begin..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(out.len(), |end| begin + end);
    assert!(PresentedToken::parse(&out[begin..end]).is_ok(), "{out}");
    (out[..begin].to_owned(), out[end..].to_owned())
}

#[tokio::test]
async fn an_exporter_of_the_collector() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    for (number, arguments, head) in [
        (1, "", "exporters:\n  otlp_http:\n    endpoint: \"http://127.0.0.1:4318\"\n    headers:\n"),
        (
            2,
            "--protocol grpc",
            "exporters:\n  otlp_grpc:\n    endpoint: \"http://127.0.0.1:4317\"\n    tls:\n      insecure: true\n    headers:\n",
        ),
        (
            3,
            "--protocol grpc --endpoint https://otlp.example.com:4317",
            "exporters:\n  otlp_grpc:\n    endpoint: \"https://otlp.example.com:4317\"\n    headers:\n",
        ),
    ] {
        let create = CREATE.replace("checkout", &format!("yaml{number}"));
        let line = format!("{create} --output collector-yaml {arguments}");
        let (before, after) = around(&shell.data(&line).await);
        assert_eq!((before, after), (format!("{head}      api-key: \""), "\"\n".to_owned()), "{arguments}");
    }
}

#[tokio::test]
async fn variables_of_the_sdks() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let (before, after) = around(&shell.data(&format!("{CREATE} --output env --protocol grpc")).await);
    let head = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317\nOTEL_EXPORTER_OTLP_PROTOCOL=grpc\n";
    assert_eq!((before, after), (format!("{head}OTEL_EXPORTER_OTLP_HEADERS=api-key="), "\n".to_owned()));
}

/// Its key is made by then, so the token is not withheld.
#[tokio::test]
async fn an_admin_key_is_no_exporter() {
    let server = Server::with_two_projects().await;
    let ended =
        Shell::at(&server).run("keys create --name ops --kind admin --project shop --output collector-yaml").await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.err);
    let head = format!("GRIDGATE_ADMIN_URL=http://{}\nGRIDGATE_ADMIN_KEY=", server.address);
    assert_eq!(around(&ended.out), (head, "\n".to_owned()));
    assert!(ended.err.contains("an admin key exports nothing"), "{}", ended.err);
}

#[test]
fn an_endpoint_needs_no_quotes() {
    use clap::Parser as _;

    for endpoint in [
        "gate:4318",
        "http://",
        "ftp://gate",
        "http://gate/$HOME",
        "http://gate/a;b",
        "http://gate/?q",
        "http://gate\"",
        "http://gate/`id`",
    ] {
        let words = ["gridgate"].into_iter().chain(CREATE.split_whitespace()).chain(["--endpoint", endpoint]);
        let error = gridgate::cli::Cli::try_parse_from(words).expect_err(endpoint);
        assert!(error.to_string().contains("it looks like https://"), "{error}");
    }
}
