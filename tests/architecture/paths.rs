//! Reads from a Rust source which paths it uses: enough of a lexer to pass over comments and literals, and a parser for
//! `use` declarations and for paths in the midst of code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One source file, without what stands under `#[cfg(test)]`.
pub(crate) struct Source {
    /// The path of its module, from below the root of the crate; empty for the root itself.
    module: Vec<String>,
    /// The module at the top, or the file's name at the root.
    top: String,
    tokens: Vec<Token>,
    lines: usize,
}

/// A path as code uses it, resolved as far as the file itself tells.
#[derive(Debug)]
pub(crate) struct UsedPath {
    /// Its segments; the first is `crate` for what is ours.
    pub(crate) segments: Vec<String>,
    /// The line, from 1.
    pub(crate) line: usize,
}

impl UsedPath {
    /// The segments below the root of the crate, if the path is one of ours.
    pub(crate) fn inside(&self) -> Option<&[String]> {
        let (first, rest) = self.segments.split_first()?;
        (first == "crate").then_some(rest)
    }
}

impl Source {
    /// Reads the file at `path` (from `src`).
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        let mut module: Vec<String> =
            path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let top = module.first().cloned().unwrap_or_default();
        if ["mod", "lib", "main"].iter().any(|name| module.last().is_some_and(|last| last == name)) {
            module.pop();
        }
        let (tokens, exempt) = without_tests(lex(text));
        Self { module, top, tokens, lines: text.lines().count() - exempt }
    }

    /// Whether the file holds tests only, or was generated.
    pub(crate) fn is_exempt(path: &Path) -> bool {
        path.with_extension("").iter().any(|part| part == "tests" || part == "generated")
    }

    /// The module at the top to which the file belongs.
    pub(crate) fn module(&self) -> &str {
        &self.top
    }

    /// How many lines it has outside of tests.
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// Every path of two segments or more, and everything that a `use` names.
    pub(crate) fn used_paths(&self) -> Vec<UsedPath> {
        let raw = Parser { tokens: &self.tokens, at: 0, module: self.module.clone(), found: Vec::new() }.parse();
        let mut names = BTreeMap::new();
        for path in &raw {
            if let Some(name) = &path.name {
                let segments = path.resolve(&BTreeMap::new());
                names.entry(name.clone()).or_insert(segments);
            }
        }
        raw.iter().map(|path| UsedPath { segments: path.resolve(&names), line: path.line }).collect()
    }
}

/// A path as it is written.
struct RawPath {
    segments: Vec<String>,
    line: usize,
    /// It begins with `::`: the first segment is a library.
    absolute: bool,
    /// The name that a `use` gives it.
    name: Option<String>,
    /// The module in which it stands.
    module: Vec<String>,
}

impl RawPath {
    fn resolve(&self, names: &BTreeMap<String, Vec<String>>) -> Vec<String> {
        let Some((first, mut rest)) = self.segments.split_first() else { return Vec::new() };
        let ours = |module: &[String], rest: &[String]| [&["crate".to_owned()], module, rest].concat();
        match first.as_str() {
            _ if self.absolute => self.segments.clone(),
            // The binary's own crate is its root only; it names the library as `gridgate`.
            "crate" | "gridgate" => ours(&[], rest),
            "self" | "super" => {
                let mut module = self.module.as_slice();
                let mut step = first;
                loop {
                    if step == "super" {
                        module = module.split_last().map_or(&[], |(_, parent)| parent);
                    }
                    match rest.split_first() {
                        Some((next, after)) if next == "super" => (step, rest) = (next, after),
                        _ => break ours(module, rest),
                    }
                }
            }
            name => match names.get(name) {
                Some(known) => [known, rest].concat(),
                None => self.segments.clone(),
            },
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    module: Vec<String>,
    found: Vec<RawPath>,
}

impl Parser<'_> {
    fn parse(mut self) -> Vec<RawPath> {
        // For each open brace whether it opened a module.
        let mut braces = Vec::new();
        while self.at < self.tokens.len() {
            match self.text(0) {
                "mod" if self.text(2) == "{" => {
                    self.module.push(self.text(1).to_owned());
                    braces.push(true);
                    self.at += 3;
                }
                "{" => {
                    braces.push(false);
                    self.at += 1;
                }
                "}" => {
                    if braces.pop() == Some(true) {
                        self.module.pop();
                    }
                    self.at += 1;
                }
                // `use<…>` names what an `impl Trait` captures; it is no declaration.
                "use" if self.text(1) != "<" => {
                    self.at += 1;
                    let absolute = self.skip("::");
                    self.tree(&[], absolute);
                }
                _ => self.path_in_code(),
            }
        }
        self.found
    }

    /// One tree of a `use`, after `prefix`.
    fn tree(&mut self, prefix: &[String], absolute: bool) {
        let mut segments = prefix.to_vec();
        let line = self.line();
        loop {
            match self.text(0) {
                "{" => {
                    self.at += 1;
                    while !["}", ""].contains(&self.text(0)) {
                        self.tree(&segments, absolute);
                        if !self.skip(",") && self.text(0) != "}" {
                            // Nothing that Rust knows (a macro's pattern perhaps): pass over it.
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "*" => {
                    self.at += 1;
                    segments.push("*".to_owned());
                    return self.found(segments, line, absolute, None);
                }
                name if is_name(name) => {
                    segments.push(name.to_owned());
                    self.at += 1;
                    if self.skip("::") {
                        continue;
                    }
                    if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
                        segments.pop();
                    }
                    let mut name = segments.last().cloned();
                    if self.skip("as") {
                        name = Some(self.text(0).to_owned());
                        self.at += 1;
                    }
                    return self.found(segments, line, absolute, name);
                }
                _ => return,
            }
        }
    }

    fn path_in_code(&mut self) {
        let line = self.line();
        let absolute = self.text(0) == "::" && self.tokens[self.at].apart;
        if absolute {
            self.at += 1;
        }
        let mut segments = Vec::new();
        while is_name(self.text(0)) {
            segments.push(self.text(0).to_owned());
            self.at += 1;
            if self.text(0) != "::" || self.tokens[self.at].apart || !is_name(self.text(1)) {
                break;
            }
            self.at += 1;
        }
        if segments.is_empty() {
            self.at += 1;
        } else if segments.len() > 1 {
            self.found(segments, line, absolute, None);
        }
    }

    fn found(&mut self, segments: Vec<String>, line: usize, absolute: bool, name: Option<String>) {
        self.found.push(RawPath { segments, line, absolute, name, module: self.module.clone() });
    }

    fn skip(&mut self, text: &str) -> bool {
        let skipped = self.text(0) == text;
        self.at += usize::from(skipped);
        skipped
    }

    /// The token that many places ahead; empty past the end.
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| &token.text)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |token| token.line)
    }
}

struct Token {
    /// A name, `::`, or one other character. A literal is `0`.
    text: String,
    line: usize,
    /// Of `::`: it follows no name and no `>` directly, and so begins a path.
    apart: bool,
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn lex(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    let (mut tokens, mut index, mut line) = (Vec::new(), 0, 1);
    while index < chars.len() {
        let start = index;
        let mut token = None;
        match at(index) {
            '/' if at(index + 1) == '/' => {
                while index < chars.len() && at(index) != '\n' {
                    index += 1;
                }
            }
            '/' if at(index + 1) == '*' => index = after_comment(&chars, index),
            '"' => {
                index = after_string(&chars, index + 1);
                token = Some("0".to_owned());
            }
            // A character literal, or else a lifetime, whose name is no path.
            '\'' => {
                index += 1;
                if at(index) == '\\' || at(index + 1) == '\'' {
                    index += if at(index) == '\\' { 2 } else { 1 };
                    while index < chars.len() && at(index) != '\'' {
                        index += 1;
                    }
                    index += 1;
                } else {
                    while in_name(at(index)) {
                        index += 1;
                    }
                }
                token = Some("0".to_owned());
            }
            c if in_name(c) => {
                while in_name(at(index)) {
                    index += 1;
                }
                let name: String = chars[start..index].iter().collect();
                let hashes = chars[index..].iter().take_while(|&&c| c == '#').count();
                if ["r", "br", "cr"].contains(&name.as_str()) && at(index + hashes) == '"' {
                    index = after_raw_string(&chars, index + hashes + 1, hashes);
                    token = Some("0".to_owned());
                } else if name == "r" && hashes == 1 {
                    // A raw name, as in r#type: the name itself follows.
                    index += 1;
                } else if !(["b", "c"].contains(&name.as_str()) && ['"', '\''].contains(&at(index))) {
                    token = Some(if c.is_numeric() { "0".to_owned() } else { name });
                }
            }
            ':' if at(index + 1) == ':' => {
                index += 2;
                token = Some("::".to_owned());
            }
            c => {
                index += 1;
                token = (!c.is_whitespace()).then(|| c.to_string());
            }
        }
        if let Some(text) = token {
            let before = if start == 0 { ' ' } else { at(start - 1) };
            tokens.push(Token { text, line, apart: !in_name(before) && before != '>' });
        }
        line += chars[start..index.min(chars.len())].iter().filter(|&&c| c == '\n').count();
    }
    tokens
}

fn after_comment(chars: &[char], mut index: usize) -> usize {
    let mut depth = 0;
    while index < chars.len() {
        match (chars[index], chars.get(index + 1)) {
            ('/', Some('*')) => (depth, index) = (depth + 1, index + 2),
            ('*', Some('/')) => (depth, index) = (depth - 1, index + 2),
            _ => index += 1,
        }
        if depth == 0 {
            break;
        }
    }
    index
}

fn after_string(chars: &[char], mut index: usize) -> usize {
    while index < chars.len() && chars[index] != '"' {
        index += if chars[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

fn after_raw_string(chars: &[char], mut index: usize, hashes: usize) -> usize {
    while index < chars.len() {
        index += 1;
        if chars[index - 1] == '"' && chars[index..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes {
            break;
        }
    }
    index + hashes
}

/// Takes out every item under `#[cfg(test)]`, and says how many lines those took.
fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, usize) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut exempt_lines = BTreeSet::new();
    let mut exempt_until = 0;
    let mut kept = vec![true; tokens.len()];
    for start in 0..tokens.len() {
        let marked = tokens[start..].iter().map(|token| token.text.as_str()).take(MARK.len()).eq(MARK);
        if start < exempt_until || !marked {
            continue;
        }
        exempt_until = after_item(&tokens, start + MARK.len());
        kept[start..exempt_until].fill(false);
        exempt_lines.extend(tokens[start].line..=tokens[exempt_until - 1].line);
    }
    let mut kept = kept.into_iter();
    (tokens.into_iter().filter(|_| kept.next().unwrap_or(true)).collect(), exempt_lines.len())
}

/// Where the item ends that begins at `index`, attributes first: at its `;`, or at the brace that closes its first block.
fn after_item(tokens: &[Token], mut index: usize) -> usize {
    let mut depth = 0_usize;
    let mut is_use = false;
    while index < tokens.len() {
        let token = tokens[index].text.as_str();
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "use" if depth == 0 => is_use = true,
            _ => {}
        }
        index += 1;
        if depth == 0 && (token == ";" || (token == "}" && !is_use)) {
            break;
        }
    }
    index
}
