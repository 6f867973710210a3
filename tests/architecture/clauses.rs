//! docs/otlp.md: every clause has a row, every row its tests, and every test of the specification its row.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the path of a test in the document begins.
const ROOTS: [&str; 4] = ["tests/it/ingest/specification", "tests/it/ingest", "tests/it", "src"];

/// The clauses are numbered from 1 to this.
const CLAUSES: usize = 75;

/// A row of one clause.
struct Row<'a> {
    clause: usize,
    tests: Vec<&'a str>,
}

fn rows(document: &str) -> Vec<Row<'_>> {
    let rows = document.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| T")?.trim_end_matches('|').split(" | ");
        let clause = cells.next()?.trim().parse().ok()?;
        let tests = cells.nth(3).unwrap_or_default();
        Some(Row { clause, tests: tests.split('`').skip(1).step_by(2).collect() })
    });
    rows.collect()
}

/// Whether there is a test with this path, as `cargo test` names it.
fn exists(root: &Path, test: &str) -> bool {
    let Some((module, name)) = test.rsplit_once("::") else { return false };
    let module = module.trim_end_matches("::tests").replace("::", "/");
    let files = ROOTS.iter().flat_map(|folder| {
        let path = root.join(folder).join(&module);
        [path.with_extension("rs"), path.join("mod.rs")]
    });
    let function = format!("fn {name}(");
    files.filter_map(|file| fs::read_to_string(file).ok()).any(|text| {
        let mut lines = text.lines().map(str::trim_start).scan(false, |test, line| {
            let is_test = *test;
            *test =
                line.starts_with("#[test]") || line.starts_with("#[tokio::test") || (is_test && line.starts_with("#["));
            Some((is_test, line))
        });
        lines.any(|(test, line)| test && line.contains(&function))
    })
}

/// The tests of the specification: the number of the clause, and the name.
fn named_by_clause(folder: &Path) -> Vec<(usize, String)> {
    let files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    let texts = files.into_iter().map(|file| fs::read_to_string(file).expect("text"));
    texts
        .flat_map(|text| {
            let names = text.lines().filter_map(|line| {
                let (_, name) = line.split_once("fn t")?;
                let (name, _) = name.split_once('(')?;
                let number = name.get(..2)?.parse().ok()?;
                Some((number, format!("t{name}")))
            });
            names.collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_clause_has_its_row_and_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/otlp.md")).expect("docs/otlp.md");
    let rows = rows(&document);
    let clauses: BTreeSet<usize> = rows.iter().map(|row| row.clause).collect();
    assert_eq!(clauses, (1..=CLAUSES).collect());
    assert_eq!(rows.len(), CLAUSES, "a clause has two rows");
    for Row { clause, tests } in &rows {
        assert!(!tests.is_empty(), "T{clause} has no test");
        let gone: Vec<_> = tests.iter().filter(|test| !exists(root, test)).collect();
        assert!(gone.is_empty(), "T{clause}: there is no {gone:?}");
    }
    let named = named_by_clause(&root.join(ROOTS[0]));
    assert!(named.len() > 40, "too few tests were found to believe it");
    for (clause, test) in named {
        let row = rows.iter().find(|row| row.clause == clause).expect("a row");
        assert!(row.tests.iter().any(|path| path.ends_with(&format!("::{test}"))), "T{clause} does not name {test}");
    }
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(exists(root, "failures::t42_every_reason_is_told_as_its_row_says"));
    assert!(exists(root, "domain::credential::tests::one_credential_twice_is_fine_and_two_are_not"));
    for none in ["failures::t42", "answer", "nowhere::t42_every_reason_is_told_as_its_row_says", "failures::answer"] {
        assert!(!exists(root, none), "{none}");
    }
    let rows = rows("| T7 | a | b | c | `d::e`, `f::g` |\n| T | a | b | c | d |\n|-|-|\n| T8 | a | b | c | |\n");
    let found: Vec<_> = rows.iter().map(|row| (row.clause, row.tests.clone())).collect();
    assert_eq!(found, [(7, vec!["d::e", "f::g"]), (8, vec![])]);
}
