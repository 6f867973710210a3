//! What the pages of five products say about keys, walked through with the command line alone and with real exports against a whole
//! gate. Each file reads like its page. And what nobody has a page about: a project that sends more than it may.

mod environment_scoped;
mod more_than_it_may;
mod one_per_grid;
mod role_based;
mod routes_by_itself;
mod two_active;

use std::collections::BTreeMap;

use gridgate::cli::Exit;
use gridgate::config::Config;
use gridgate::domain::Signal;
use serde_json::Value;

use crate::cli::{Ended, Shell};
use crate::ingest::client::{Export, Form};
use crate::ingest::told::told;
use crate::ingest::{Gate, eventually};

/// A gate, and the shell of its owner.
struct Product {
    gate: Gate,
    shell: Shell,
}

/// A key as the command line showed it when it was made or renewed.
#[derive(Clone, Debug)]
struct Key {
    id: String,
    token: String,
}

impl Product {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A gate whose configuration is changed by `adjust`.
    async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let gate = Gate::with(adjust).await;
        let shell = Shell { url: format!("http://{}", gate.admin), admin_key: Some(gate.owner.clone()), answer: None };
        Self { gate, shell }
    }

    /// A command that must succeed.
    async fn run(&self, line: &str) -> Ended {
        let ended = self.shell.run(line).await;
        assert_eq!(ended.exit, Exit::Done, "{line}: {}", ended.err);
        ended
    }

    /// The same for a command with white space in its words.
    async fn words(&self, words: &[&str]) -> Ended {
        let ended = self.shell.words(words).await;
        assert_eq!(ended.exit, Exit::Done, "{words:?}: {}", ended.err);
        ended
    }

    /// Waits until a command shows all of this: what ended is written down soon after.
    async fn shows(&self, line: &str, expected: &[&str]) {
        eventually(line, async || {
            let shown = self.run(line).await.out;
            expected.iter().all(|text| shown.contains(text))
        })
        .await;
    }

    /// What a command shows as JSON.
    async fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.run(&format!("{line} --output json")).await.out).expect("JSON")
    }

    /// The key that a command makes or renews.
    async fn key(&self, line: &str) -> Key {
        let shown = self.json(line).await;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Key { id: text(&shown["key"]["id"]), token: text(&shown["token"]) }
    }

    /// A command that is refused with this code.
    async fn refused(&self, line: &str, exit: Exit, code: &str) {
        let ended = self.shell.run(line).await;
        assert_eq!((ended.exit, ended.out.as_str()), (exit, ""), "{line}: {}", ended.err);
        assert!(ended.err.contains(&format!("({code})")), "{line}: {}", ended.err);
    }

    /// A span of the service `name` gets in with the token, over every transport.
    async fn accepts(&self, token: &str, name: &str) {
        for form in Form::ALL {
            Export::new(form, Signal::Traces, name).key(token).send(&self.gate).await.assert_success(form);
        }
    }

    /// The same is refused, and its sender told why.
    async fn refuses(&self, key: &Key, reason: &'static str) {
        for form in Form::ALL {
            let answer = Export::traces(form, &key.token).send(&self.gate).await;
            told(reason).key(&key.id).check(&answer, form);
        }
    }

    /// The service names of all rows in the lake, by `project/grid/environment/signal`.
    async fn lake(self) -> BTreeMap<String, Vec<String>> {
        self.gate.stop().await.lake()
    }
}

/// What [`Product::accepts`] leaves in the lake.
fn rows(name: &str) -> Vec<String> {
    vec![name.to_owned(); Form::ALL.len()]
}
