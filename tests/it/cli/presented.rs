//! Tokens that are looked at and not used.

use gridgate::cli::Exit;

use super::Shell;
use crate::admin::Server;

#[tokio::test]
async fn a_token_is_diagnosed_and_verified_without_a_span() {
    let server = Server::with_two_projects().await;
    let created = server.ingest_key("shop", "checkout").await;
    let (id, token) = (created["key"]["id"].as_str().expect("an id"), created["token"].as_str().expect("a token"));
    let shell = Shell { answer: Some(Box::leak(format!("{token}\n").into_boxed_str())), ..Shell::at(&server) };

    let diagnosed = shell.run("keys diagnose --signal logs").await;
    assert_eq!(diagnosed.exit, Exit::Done, "{}", diagnosed.err);
    assert_eq!(diagnosed.out, "SIGNAL  EXPORT    HTTP  GRPC  REASON\nlogs    accepted  200   OK    -\n");
    let verified = shell.json("keys verify --permission telemetry.logs.write --output json").await;
    assert_eq!((&verified["valid"], &verified["key"]), (&true.into(), &id.into()));

    shell.data(&format!("keys disable {id}")).await;
    let diagnosed = shell.run("keys diagnose --signal logs").await;
    assert_eq!(diagnosed.exit, Exit::Refused);
    assert!(diagnosed.out.starts_with("FINDING") && diagnosed.out.contains("key_disabled"), "{}", diagnosed.out);
    let verified = shell.run("keys verify").await;
    assert_eq!(verified.exit, Exit::Refused);
    assert!(verified.out.contains("key_disabled"), "{}", verified.out);
    for ended in [diagnosed, verified] {
        assert!(!ended.out.contains(token) && !ended.err.contains(token));
    }
}
