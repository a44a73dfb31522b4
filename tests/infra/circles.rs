//! Architecture test: no modules of a crate import each other in a cycle.

use crate::{collect, folders, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[test]
fn no_file_imports_another_in_a_circle() {
    assert_eq!(paths("use crate::{a::{B, C}, d};", "crate::"), ["a::B", "a::C", "d"]);
    let sample = [("a", "use crate::b::X;"), ("b", "crate::c::y()"), ("c", "use crate::a;"), ("d", "use crate::a;")];
    let sample = sample.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(circles(&sample.into()), ["a", "b", "c"].map(str::to_owned).into());

    let mut crates: Vec<String> = folders("shared").into_iter().map(|name| format!("shared/{name}")).collect();
    crates.extend(folders("functions").into_iter().map(|name| format!("functions/{name}")));
    crates.extend(["infra/local", "tests/support", "tests/emulator"].map(str::to_owned));
    let found = crates.into_iter().map(|one| {
        let found = circles(&modules(&root().join(&one).join("src")));
        (one, found)
    });
    let found: BTreeMap<String, BTreeSet<String>> = found.filter(|(_, found)| !found.is_empty()).collect();
    assert!(found.is_empty(), "modules that import each other in a cycle: {found:?}");
}

/// The source text of each module of a crate, by its path, without its tests.
fn modules(src: &Path) -> BTreeMap<String, String> {
    let mut files = Vec::new();
    if src.is_dir() {
        collect(src, &mut files);
    }
    let mut modules = BTreeMap::new();
    for file in files {
        let name = file.strip_prefix(src).expect("a file of the crate").with_extension("");
        let parts: Vec<&str> = name.iter().filter_map(|part| part.to_str()).filter(|part| *part != "mod").collect();
        let text = fs::read_to_string(&file).expect("a source file");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        modules.insert(parts.join("::"), text);
    }
    modules.retain(|name, _| name != "lib" && name != "main" && !name.ends_with("_tests"));
    modules
}

/// The modules that are part of an import cycle.
fn circles(modules: &BTreeMap<String, String>) -> BTreeSet<String> {
    let uses: BTreeMap<&str, BTreeSet<&str>> =
        modules.iter().map(|(name, text)| (name.as_str(), imports(name, text, modules))).collect();
    let reached = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = uses[from].iter().copied().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(&uses[next]);
            }
        }
        reached
    };
    modules.keys().filter(|name| reached(name).contains(name.as_str())).cloned().collect()
}

/// The modules that a module imports: for each path, the longest prefix that is a module.
fn imports<'a>(of: &str, text: &str, modules: &'a BTreeMap<String, String>) -> BTreeSet<&'a str> {
    let parent = of.rsplit_once("::").map_or("", |(parent, _)| parent);
    let mut found = BTreeSet::new();
    let above = paths(text, "super::").into_iter().map(|path| format!("{parent}::{path}"));
    for path in paths(text, "crate::").into_iter().chain(above) {
        let mut path = path.trim_start_matches("::");
        loop {
            if let Some((name, _)) = modules.get_key_value(path) {
                found.extend(Some(name.as_str()).filter(|name| *name != of));
                break;
            }
            match path.rsplit_once("::") {
                Some((shorter, _)) => path = shorter,
                None => break,
            }
        }
    }
    found
}

/// The paths that begin with `first`, with braces expanded.
pub(crate) fn paths(text: &str, first: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let starts = code.match_indices(first).map(|(at, _)| at);
    let starts = starts.filter(|at| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c)));
    starts.flat_map(|at| tree(&code[at + first.len()..]).0).collect()
}

/// The paths of a use tree, and the length of its text.
fn tree(text: &str) -> (Vec<String>, usize) {
    let in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let length = text.find(|c| !in_path(c)).unwrap_or(text.len());
    let path = &text[..length];
    if !path.is_empty() && !path.ends_with("::") || !text[length..].starts_with('{') {
        return (vec![path.trim_end_matches("::").to_owned()], length);
    }
    let (mut found, mut at) = (Vec::new(), length + 1);
    while at < text.len() && !text[at..].starts_with('}') {
        let skipped = text[at..].find(|c: char| in_path(c) || c == '{' || c == '}').unwrap_or(text.len() - at);
        at += skipped;
        let (some, length) = tree(&text[at..]);
        found.extend(some.iter().filter(|one| !one.is_empty()).map(|one| format!("{path}{one}")));
        at += length;
    }
    (found, at + 1)
}
