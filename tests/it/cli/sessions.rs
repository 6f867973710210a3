//! Sessions of the console, on the command line.

use gridgate::admin::sessions::begin;
use gridgate::cli::Exit;
use http::Request;

use super::Shell;
use crate::admin::{Admin, Server};

/// Signs `admin` in, as the console does, and says which session it is.
async fn sign_in(server: &Server, admin: &Admin, agent: &str) -> String {
    let request = Request::post("/console/sign-in").header("x-api-key", &admin.token).header("user-agent", agent);
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    let (_, signed_in) = begin(server.state(), &parts).await.expect("a session");
    signed_in.session.to_string()
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let server = Server::start().await;
    let shell = Shell::at(&server);
    let agent = "Mozilla/5.0 (X11; Linux x86_64)";
    let first = sign_in(&server, &server.owner, agent).await;
    let table = shell.data("sessions list").await;
    let row = format!("{first}  2026-11-21T10:22:00Z  2026-11-21T10:22:00Z  2026-11-21T22:22:00Z  -        {agent}");
    let head = "SESSION           BEGAN                 LAST USED             ENDS                  ADDRESS  AGENT";
    assert_eq!(table, format!("{head}\n{row}\n"));
    assert_eq!(shell.json("sessions list --output json").await[0]["current"], false);

    let other = server.admin("other", None, gridgate::domain::Permissions::default()).await;
    let theirs = sign_in(&server, &other, agent).await;
    assert_eq!(shell.run(&format!("sessions end {theirs}")).await.exit, Exit::Missing);
    assert_eq!(shell.run("sessions end gga_secret").await.exit, Exit::Usage);
    let ended = shell.run(&format!("sessions end {first}")).await;
    assert_eq!((ended.exit, ended.out, ended.err), (Exit::Done, String::new(), format!("{first} is ended\n")));

    for said in ["0 sessions are ended\n", "1 session is ended\n", "2 sessions are ended\n"] {
        let ended = shell.run("sessions end-all").await;
        assert_eq!((ended.exit, ended.err.as_str()), (Exit::Done, said));
        for _ in 0..said.bytes().next().map_or(0, |digit| digit - b'0' + 1) {
            sign_in(&server, &server.owner, agent).await;
        }
    }
    assert!(Shell::of(&server, &other).data("sessions list").await.contains(&theirs));
}
