//! The rules of the architecture that the compiler does not enforce: which module may use which, where a library may
//! appear, that files stay small, and that ARCHITECTURE.md names what exists.
//!
//! The rules hold for the code of the product; what stands under `#[cfg(test)]` is exempt.

#[cfg(test)]
mod clauses;
#[cfg(test)]
mod paths;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::paths::{Source, UsedPath};

    /// What a module may use of the crate's other modules. The root (`main`, `lib`) and the start-up may use everything.
    const MODULES: &[(&str, Edges)] = &[
        ("domain", Edges::Only(&[])),
        ("otlp", Edges::Only(&["domain"])),
        ("observe", Edges::Only(&["domain"])),
        ("catalog", Edges::Only(&["domain"])),
        ("storage", Edges::Only(&["domain", "otlp", "observe"])),
        // The settings that are words of another module, such as the durability of the log.
        ("config", Edges::Only(&["domain", "observe", "storage"])),
        ("metering", Edges::Only(&["domain"])),
        ("ingest", Edges::Only(&["domain", "otlp", "observe", "metering", "catalog", "storage"])),
        ("upkeep", Edges::Only(&["domain", "observe", "metering", "catalog"])),
        ("admin", Edges::Only(&["domain", "observe", "metering", "catalog", "upkeep"])),
        // The doctor reads answers of OTLP.
        ("console", Edges::Only(&["domain", "admin"])),
        ("cli", Edges::Only(&["domain", "otlp", "observe", "config", "catalog", "admin", "server", "shutdown"])),
        ("shutdown", Edges::All),
        ("server", Edges::All),
        ("main", Edges::All),
        ("lib", Edges::All),
    ];

    enum Edges {
        Only(&'static [&'static str]),
        All,
    }

    /// Libraries that may appear in some modules only, each by the start of its name.
    const LIBRARIES: &[(&str, &[&str])] = &[
        ("sqlx", &["catalog"]),
        ("tonic", &["otlp", "ingest", "server"]),
        ("anyhow", &["main", "cli", "server"]),
        ("maud", &["console"]),
        ("arrow", &["storage"]),
        ("parquet", &["storage"]),
    ];

    /// The libraries that `domain` may use: computation, and the operating system's random numbers.
    const DOMAIN_LIBRARIES: &[&str] = &[
        "bytes",
        "crc32fast",
        "getrandom",
        "hmac",
        "ipnet",
        "serde",
        "sha2",
        "subtle",
        "thiserror",
        "uuid",
        "zeroize",
    ];

    /// The parts of the standard library that do I/O, which `domain` may not use.
    const IO: &[&[&str]] = &[
        &["std", "env"],
        &["std", "fs"],
        &["std", "io"],
        &["std", "os"],
        &["std", "process"],
        &["std", "thread"],
        &["std", "net", "TcpListener"],
        &["std", "net", "TcpStream"],
        &["std", "net", "UdpSocket"],
    ];

    /// The largest number of lines of a source file without its unit tests.
    const MAX_LINES: usize = 450;

    #[test]
    fn modules_use_only_what_they_may() {
        let libraries = dependencies();
        let mut violations = Vec::new();
        for (path, source) in sources() {
            for used in source.used_paths() {
                if let Some(violation) = violation(&source, &used, &libraries) {
                    violations.push(format!("{}:{}: {violation}", path.display(), used.line));
                }
            }
        }
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }

    #[test]
    fn files_stay_small() {
        let long: Vec<String> = sources()
            .into_iter()
            .filter(|(_, source)| source.lines() > MAX_LINES)
            .map(|(path, source)| format!("{}: {} lines, at most {MAX_LINES}", path.display(), source.lines()))
            .collect();
        assert!(long.is_empty(), "{}", long.join("\n"));
    }

    #[test]
    fn architecture_names_what_exists() {
        let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
        let named = named_paths(&text);
        assert!(named.len() > 10, "too few paths were found to believe it: {named:?}");
        let gone: Vec<&String> = named.iter().filter(|path| !root().join(path).exists()).collect();
        assert!(gone.is_empty(), "ARCHITECTURE.md names what does not exist: {gone:?}");

        let modules = fs::read_dir(root().join("src")).expect("src").map(|entry| entry.expect("an entry"));
        let folders = modules.filter(|entry| entry.path().is_dir());
        let unnamed: Vec<String> = folders
            .map(|folder| format!("src/{}", folder.file_name().to_string_lossy()))
            .filter(|folder| !named.contains(folder))
            .collect();
        assert!(unnamed.is_empty(), "ARCHITECTURE.md does not name {unnamed:?}");
    }

    /// What is wrong with this use, if anything.
    fn violation(source: &Source, used: &UsedPath, libraries: &BTreeSet<String>) -> Option<String> {
        let module = source.module();
        let Some((_, edges)) = MODULES.iter().find(|(name, _)| *name == module) else {
            return Some(format!("the module {module} has no row in the table of tests/architecture"));
        };
        let path = used.segments.join("::");
        if let Some(inside) = used.inside() {
            let target = inside.first()?;
            // At the root, what is not a module is an item of lib.rs itself, or all of them at once.
            let known = MODULES.iter().any(|(name, _)| name == target);
            return match edges {
                Edges::All => None,
                Edges::Only(_) if target == module => None,
                Edges::Only(allowed) if known && allowed.contains(&target.as_str()) => None,
                Edges::Only(_) => Some(format!("{module} may not use {path}")),
            };
        }
        let library = used.segments.first()?;
        for (name, users) in LIBRARIES {
            if (library == name || library.starts_with(&format!("{name}_"))) && !users.contains(&module) {
                return Some(format!("{module} may not use {path}: {name} belongs into {}", users.join(", ")));
            }
        }
        let io = IO.iter().any(|io| used.segments.iter().map(String::as_str).take(io.len()).eq(io.iter().copied()));
        let foreign = libraries.contains(library) && !DOMAIN_LIBRARIES.contains(&library.as_str());
        (module == "domain" && (io || foreign)).then(|| format!("domain is pure and may not use {path}"))
    }

    /// The paths that a Markdown text names in backticks: what has a slash inside or the ending of a file we write.
    fn named_paths(markdown: &str) -> BTreeSet<String> {
        let mut fenced = false;
        let prose = markdown.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fenced && !fence
        });
        prose
            .flat_map(|line| line.split('`').skip(1).step_by(2))
            .filter(|code| code.chars().all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c)))
            .filter(|code| !code.starts_with('/') && code.chars().any(char::is_alphabetic))
            .filter(|code| code.contains('/') || [".rs", ".md", ".toml"].iter().any(|end| code.ends_with(end)))
            .map(|code| code.trim_end_matches('/').to_owned())
            .collect()
    }

    /// The names of the crates that Cargo.toml depends on, as they are written in code.
    fn dependencies() -> BTreeSet<String> {
        let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
        let manifest: toml::Table = manifest.parse().expect("Cargo.toml is TOML");
        let names = ["dependencies", "dev-dependencies"]
            .into_iter()
            .filter_map(|table| manifest.get(table)?.as_table())
            .flat_map(|table| table.keys().map(|name| name.replace('-', "_")));
        let names: BTreeSet<String> = names.collect();
        assert!(names.contains("thiserror"), "the dependencies were not found: {names:?}");
        names
    }

    /// Every source file of the product, with its path from the root.
    fn sources() -> Vec<(PathBuf, Source)> {
        let mut sources = Vec::new();
        let src = root().join("src");
        walk(&src, &mut |path| {
            let inside = path.strip_prefix(&src).expect("under src");
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            if is_rust && !Source::is_exempt(inside) {
                let text = fs::read_to_string(path).expect("a source file is UTF-8");
                sources.push((Path::new("src").join(inside), Source::new(inside, &text)));
            }
        });
        assert!(sources.len() > 10, "too few sources were found to believe it");
        sources
    }

    fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        entries.sort();
        for entry in entries {
            if entry.is_dir() {
                walk(&entry, visit);
            } else {
                visit(&entry);
            }
        }
    }

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    // The checker itself: each rule can fail.

    /// The violations of a file with this text at this path under `src`.
    fn violations(path: &str, text: &str) -> Vec<String> {
        let source = Source::new(Path::new(path), text);
        let libraries = dependencies();
        source.used_paths().iter().filter_map(|used| violation(&source, used, &libraries)).collect()
    }

    #[track_caller]
    fn assert_refused(path: &str, text: &str, culprit: &str) {
        let found = violations(path, text);
        assert!(found.len() == 1 && found[0].contains(culprit), "{path}: {text}\n{found:?}");
    }

    #[track_caller]
    fn assert_fine(path: &str, text: &str) {
        assert_eq!(violations(path, text), Vec::<String>::new(), "{path}: {text}");
    }

    #[test]
    fn forbidden_edges_are_found_however_they_are_written() {
        assert_refused("ingest/mod.rs", "use crate::admin::Caller;", "crate::admin::Caller");
        assert_refused("admin/keys/list.rs", "use crate::{domain::{Key, Slug}, ingest};", "crate::ingest");
        assert_refused(
            "admin/mod.rs",
            "use crate::{domain::{self, key::{Key, Secret}}, ingest::{Cache as C}};",
            "Cache",
        );
        assert_refused("domain/key.rs", "fn f() -> crate::catalog::Page<u8> { todo() }", "crate::catalog::Page");
        assert_refused("domain/key.rs", "use super::super::otlp::wire;", "crate::otlp::wire");
        assert_refused("domain/mod.rs", "use super::otlp;", "crate::otlp");
        assert_refused("domain/key.rs", "mod inner { use super::super::super::otlp; }", "crate::otlp");
        assert_refused("domain/key.rs", "pub(in crate::otlp) fn f() {}", "crate::otlp");
        assert_refused("otlp/mod.rs", "macro_rules! m { () => { $crate::ingest::accept() } }", "crate::ingest::accept");
        assert_refused("otlp/mod.rs", "use crate::*;", "crate::*");
        assert_refused("otlp/mod.rs", "use crate as gate; fn f() { gate::ingest::accept() }", "crate::ingest::accept");
        assert_refused("novel/mod.rs", "use std::fmt;", "novel has no row");
    }

    #[test]
    fn allowed_edges_and_mere_words_are_not_found() {
        assert_fine("ingest/grpc.rs", "use crate::{catalog::Catalog, domain::Key, otlp, storage};");
        assert_fine("ingest/grpc.rs", "use super::authenticate; use self::inner::X; use crate::ingest::accept;");
        assert_fine("domain/key.rs", "mod inner { use super::Key; use super::super::Slug; }");
        assert_fine("server.rs", "use crate::{admin, ingest}; use anyhow::Context;");
        assert_fine("main.rs", "use gridgate::cli; use anyhow::Result;");
        assert_fine(
            "domain/a.rs",
            "/// See crate::ingest.\n// use crate::ingest;\n/* /* */ use crate::ingest; */ fn f() {}",
        );
        assert_fine("domain/a.rs", r##"const A: &str = "\" crate::ingest"; const B: &str = r#"" crate::ingest "#;"##);
        assert_fine("domain/a.rs", "fn f<'a>(a: &'a str) -> [char; 2] { ['\"', '\\''] } // \" crate::ingest");
        assert_fine("admin/mod.rs", "#[cfg(test)] mod tests { use crate::ingest; fn f() {} }\nfn g() {}");
        assert_fine("domain/a.rs", "#[cfg(test)]\n#[expect(dead_code)]\nuse tokio::time;\nfn f() {}");
    }

    #[test]
    fn code_after_a_test_module_is_checked_again() {
        assert_refused("admin/mod.rs", "#[cfg(test)] mod t { use crate::ingest; } use crate::ingest::X;", "ingest::X");
        assert_refused("admin/mod.rs", "#[cfg(test)] mod t;\nuse crate::ingest::X;", "ingest::X");
        assert_refused("admin/mod.rs", "#[cfg(not(test))] mod t { use crate::ingest::X; }", "ingest::X");
    }

    #[test]
    fn libraries_out_of_place_are_found() {
        assert_refused("ingest/mod.rs", "use sqlx::Row;", "sqlx belongs into catalog");
        assert_refused("storage/mod.rs", "fn f() { ::tonic::Status::ok() }", "tonic belongs into");
        assert_refused("admin/mod.rs", "use tonic_types::ErrorDetails;", "tonic belongs into");
        assert_refused("storage/mod.rs", "fn f() -> anyhow::Result<()> { Ok(()) }", "anyhow belongs into");
        assert_refused("cli/mod.rs", "use arrow_array::ArrayRef;", "arrow belongs into storage");
        assert_fine("catalog/sqlite/mod.rs", "use sqlx::{Row, sqlite::SqlitePool};");
        assert_fine("storage/destination/lake/mod.rs", "use arrow_array::ArrayRef; use parquet::arrow::ArrowWriter;");
    }

    #[test]
    fn domain_knows_nothing_of_input_and_output() {
        assert_refused("domain/key.rs", "use tokio::sync::Mutex;", "may not use tokio::sync::Mutex");
        assert_refused("domain/key.rs", "use std::{fmt, fs::File};", "may not use std::fs::File");
        assert_refused("domain/key.rs", "use std::net::{IpAddr, TcpStream};", "may not use std::net::TcpStream");
        assert_refused("domain/key.rs", "use std::fs as disk;", "may not use std::fs");
        assert_fine("domain/key.rs", "use std::net::IpAddr; use sha2::Sha256;");
        assert_fine("storage/mod.rs", "use std::fs::File; use tokio::sync::Mutex;");
    }

    #[test]
    fn lines_are_counted_without_unit_tests() {
        let source = Source::new(Path::new("a.rs"), "fn a() {}\n// b\n\n#[cfg(test)]\nmod tests {\n  fn c() {}\n}\n");
        assert_eq!(source.lines(), 3);
        assert!(Source::is_exempt(Path::new("catalog/tests.rs")));
        assert!(Source::is_exempt(Path::new("catalog/tests/keys.rs")));
        assert!(Source::is_exempt(Path::new("storage/generated/record.rs")));
        assert!(!Source::is_exempt(Path::new("catalog/contests.rs")));
    }

    #[test]
    fn paths_in_markdown_are_those_in_backticks() {
        let text = "See `src/a.rs`, `src/b/`, `Cargo.toml`, `/healthz`, `a::b`, `x`, `lake/<p>`.\n```\n`no/path`\n```\n`docs/c.md`";
        let named: Vec<String> = named_paths(text).into_iter().collect();
        assert_eq!(named, ["Cargo.toml", "docs/c.md", "src/a.rs", "src/b"]);
    }
}
