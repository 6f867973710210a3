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

/// What stands above the test with this path, as `cargo test` names it, and its name; `None` where there is no such test.
fn test_of(root: &Path, test: &str) -> Option<String> {
    let (module, name) = test.rsplit_once("::")?;
    let module = module.trim_end_matches("::tests").replace("::", "/");
    let files = ROOTS.iter().flat_map(|folder| {
        let path = root.join(folder).join(&module);
        [path.with_extension("rs"), path.join("mod.rs")]
    });
    let function = format!("fn {name}(");
    files.filter_map(|file| fs::read_to_string(file).ok()).find_map(|text| {
        let mut above = String::new();
        for line in text.lines().map(str::trim_start) {
            if line.contains(&function) && (above.contains("#[test]") || above.contains("#[tokio::test")) {
                return Some(format!("{above}{line}"));
            }
            if line.starts_with("///") || line.starts_with("#[") {
                above.push_str(line);
                above.push('\n');
            } else {
                above.clear();
            }
        }
        None
    })
}

/// Whether a test says by its name or in its description that it holds a clause.
fn says(test: &str, clause: usize) -> bool {
    let (word, number) = (format!("fn t{clause:02}_"), format!("T{clause}"));
    test.contains(&word) || test.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == number)
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
        for path in tests {
            let test = test_of(root, path).unwrap_or_else(|| panic!("T{clause}: there is no test {path}"));
            assert!(says(&test, *clause), "{path} does not say that it holds T{clause}");
        }
    }
    let named = named_by_clause(&root.join(ROOTS[0]));
    assert!(named.len() > 40, "too few tests were found to believe it");
    for (clause, test) in named {
        let row = rows.iter().find(|row| row.clause == clause).expect("a row");
        assert!(row.tests.iter().any(|path| path.ends_with(&format!("::{test}"))), "T{clause} does not name {test}");
    }
}

#[test]
fn the_tests_of_what_is_stricter_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/otlp.md")).expect("docs/otlp.md");
    let (_, section) = document.split_once("## Stricter than a decoder").expect("the section");
    let paths: Vec<_> = section.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        assert!(test_of(root, path).is_some(), "there is no test {path}");
    }
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let test = test_of(root, "failures::t45_codes_are_retried_exactly_where_that_helps").expect("it is there");
    assert!(says(&test, 45) && !says(&test, 4) && !says(&test, 46), "{test}");
    let test = test_of(root, "domain::credential::tests::one_credential_twice_is_fine_and_two_are_not");
    assert!(says(&test.expect("it is there"), 66));
    for none in
        ["failures::t42", "answer", "nowhere::t45_codes_are_retried_exactly_where_that_helps", "failures::answer"]
    {
        assert_eq!(test_of(root, none), None, "{none}");
    }
    let rows = rows("| T7 | a | b | c | `d::e`, `f::g` |\n| T | a | b | c | d |\n|-|-|\n| T8 | a | b | c | |\n");
    let found: Vec<_> = rows.iter().map(|row| (row.clause, row.tests.clone())).collect();
    assert_eq!(found, [(7, vec!["d::e", "f::g"]), (8, vec![])]);
}
