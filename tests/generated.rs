//! Committed files that are generated from others: a difference is a failure.
//!
//! `GRIDGATE_REGENERATE=1 cargo test --test generated` writes them anew.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "generated/reference.rs"]
mod reference;

use std::fs;
use std::path::Path;

/// `proto/` is compiled by a pure-Rust compiler, so that no build needs `protoc`; the result is committed.
#[test]
fn code_of_the_protobufs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = protox::compile(["gridgate/log/v1/record.proto"], [root.join("proto")]).expect("proto/ compiles");
    let folder = tempfile::tempdir().expect("a temporary folder");
    prost_build::Config::new().out_dir(folder.path()).bytes(["."]).compile_fds(files).expect("code is generated");
    let code = fs::read_to_string(folder.path().join("gridgate.log.v1.rs")).expect("the generated file");
    assert_same(&root.join("src/storage/generated/gridgate.log.v1.rs"), &code);
}

/// The description of the admin API.
#[test]
fn description_of_the_admin_api() {
    let text =
        serde_json::to_string_pretty(&gridgate::admin::openapi::document()).expect("a description is JSON") + "\n";
    assert_same(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json"), &text);
}

/// The reference of the command line is what its commands say about themselves.
#[test]
fn reference_of_the_command_line() {
    assert_same(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md"), &reference::document());
}

fn assert_same(committed: &Path, expected: &str) {
    if std::env::var_os("GRIDGATE_REGENERATE").is_some() {
        fs::create_dir_all(committed.parent().expect("a folder")).expect("the folder is made");
        fs::write(committed, expected).expect("the file is written");
    }
    let found = fs::read_to_string(committed).unwrap_or_default();
    assert!(
        found == expected,
        "{} is out of date; GRIDGATE_REGENERATE=1 cargo test --test generated",
        committed.display()
    );
}
