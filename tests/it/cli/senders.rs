//! Who uses which key, on the command line.

use gridgate::cli::Exit;
use serde_json::Value;

use super::Shell;
use crate::admin::Server;
use crate::admin::senders::sends;

async fn key(server: &Server) -> String {
    server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn senders_of_a_key() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let id = key(&server).await;
    sends(&server, &id, "shop", "web");
    let ended = shell.run(&format!("senders --key {id}")).await;
    let expected = format!(
        "KEY               NAME      SECRET  SERVICE  HOST  SDK  AGENT      ADDRESS    LAST SEEN             EXPORTS  REFUSED  SHARED\n\
         {id}  checkout  1       web      -     -    agent/1.0  192.0.2.7  2026-11-21T10:22:00Z  1        0        no\n"
    );
    assert_eq!((ended.exit, ended.out, ended.err), (Exit::Done, expected, String::new()));
    sends(&server, &id, "shop", "cart");
    let ended = shell.run(&format!("senders --key {id} --service web")).await;
    assert!(ended.out.contains("web") && !ended.out.contains("cart") && ended.out.contains("yes"), "{}", ended.out);
    assert!(ended.err.contains("several services use this key"), "{}", ended.err);
    for number in 0..60 {
        sends(&server, &id, "shop", &format!("s{number}"));
    }
    let ended = shell.run(&format!("senders --key {id}")).await;
    assert!(ended.err.contains("12 more senders are not told apart; they have sent 12 exports"), "{}", ended.err);
    let json = shell.json(&format!("senders --key {id} --output json")).await;
    assert_eq!(json["data"].as_array().map(Vec::len), Some(50));
    assert_eq!(
        shell.json("senders --project shop --output json").await,
        serde_json::json!([]),
        "nothing is written yet"
    );
    assert_eq!(shell.run("senders --key ggi_prd_secret").await.exit, Exit::Usage);
}

/// What strangers call themselves does nothing to a terminal.
#[tokio::test]
async fn hostile_senders_are_shown_inert() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    sends(&server, &id, "shop", "pay\u{202e}tuo\u{1b}[31m\u{200b}\nfake line");
    let shell = Shell { answer: Some("n\n"), ..Shell::at(&server) };
    let list = shell.run(&format!("senders --key {id}")).await;
    let revoke = shell.run(&format!("keys disable {id}")).await;
    assert_eq!(revoke.exit, Exit::Refused);
    for text in [&list.out, &revoke.err] {
        assert!(text.contains(r"pay\u{202e}tuo\u{1b}[31m\u{200b}\nfake line"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains(['\u{202e}', '\u{200b}']));
    }
}

#[tokio::test]
async fn a_key_in_use_is_asked_about_or_forced() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    let script = Shell::at(&server);
    let verbs =
        [format!("keys disable {id}"), format!("keys regenerate {id} --yes"), format!("keys revoke {id} --yes")];
    for verb in &verbs {
        sends(&server, &id, "shop", "web");
        let ended = script.run(verb).await;
        assert_eq!((ended.exit, ended.out.as_str()), (Exit::Conflict, ""), "{verb}");
        for part in
            ["was last used at 2026", "\"web\" from 192.0.2.7 by \"agent/1.0\", with secret 1", "`--force` does it"]
        {
            assert!(ended.err.contains(part), "{verb}: {}", ended.err);
        }
    }
    assert_eq!(server.get(&format!("/keys/{id}")).await.expect(200)["version"], 1);

    // A person sees the senders and is asked; no is no.
    let no = Shell { answer: Some("n\n"), ..Shell::at(&server) };
    let ended = no.run(&verbs[0]).await;
    assert_eq!(ended.exit, Exit::Refused);
    assert!(
        ended.err.contains("\"web\" from 192.0.2.7") && ended.err.contains("Do it all the same? [y/N]"),
        "{}",
        ended.err
    );
    assert_eq!(server.get(&format!("/keys/{id}")).await.expect(200)["status"], "active");
    let yes = Shell { answer: Some("y\ny\n"), ..Shell::at(&server) };
    let ended = yes.run(&format!("keys regenerate {id}")).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.err);
    assert!(ended.out.starts_with("ggi_prd_"));
    assert_eq!(script.run(&format!("keys revoke {id} --yes --force")).await.exit, Exit::Done);
}

/// While a key is rotated, `keys show` lists who was seen with the old secret.
#[tokio::test]
async fn a_rotation_shows_who_is_left_behind() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let id = key(&server).await;
    shell.data(&format!("keys rotate {id}")).await;
    assert!(shell.data(&format!("keys show {id}")).await.ends_with("\nNobody was seen with secret 1.\n"));
    sends(&server, &id, "shop", "web");
    let shown = shell.data(&format!("keys show {id}")).await;
    let (card, rows) = shown.split_once("\nSeen with secret 1:\n").expect("both parts");
    assert!(card.contains("1 was last used: "), "{card}");
    assert!(rows.contains("web") && rows.lines().count() == 2, "{rows}");
    let json: Value = shell.json(&format!("keys show {id} --output json")).await;
    assert_eq!(json["rotation"]["old_senders"][0]["service"], "web");

    let complete = format!("keys complete-rotation {id}");
    let no = Shell { answer: Some("n\n"), ..Shell::at(&server) };
    let ended = no.run(&complete).await;
    assert!(ended.err.contains("Seen with it: \"web\" from 192.0.2.7"), "{}", ended.err);
    assert_eq!(shell.run(&format!("{complete} --yes")).await.exit, Exit::Conflict);
    assert_eq!(shell.run(&format!("{complete} --yes --force")).await.exit, Exit::Done);
}
