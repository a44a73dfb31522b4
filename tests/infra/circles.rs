//! Architecture test: no modules of a crate import each other in a cycle.

use crate::{collect, folders, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The modules that import each other in a cycle by names that the root of their crate re-exports, by crate: around the
/// context (`Cx`, `Env`), and around the errors and the record trait. No module may join them.
const KNOWN: [(&str, &[&str]); 2] = [
    (
        "shared/domain",
        &[
            "actor",
            "door",
            "edit",
            "email",
            "error",
            "field",
            "money",
            "network",
            "open",
            "permission",
            "phone",
            "quantity",
            "read",
            "record",
            "several",
            "text",
            "time",
            "words",
            "zone",
        ],
    ),
    ("shared/store", &["config", "cx", "family", "feed", "journal", "rows", "rows::cascade", "secrets", "table", "tx"]),
];

#[test]
fn no_file_imports_another_in_a_circle() {
    assert_eq!(paths("use crate::{a::{B, C}, d};", "crate::"), ["a::B", "a::C", "d"]);
    let sample = [("a", "use crate::b::X;"), ("b", "crate::c::y()"), ("c", "use crate::a;"), ("d", "use crate::a;")];
    let sample = sample.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(circles(&sample.into(), &BTreeMap::new()), ["a", "b", "c"].map(str::to_owned).into());
    let sample = [("a", "use crate::{Y, d};"), ("b", "use crate::a::X;"), ("c", "use crate::X;"), ("d", "")];
    let sample = sample.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    assert!(circles(&sample, &BTreeMap::new()).is_empty());
    let exported = exports("mod a;pub use a::{W, X};pub(crate) use b::Y;pub use d::*;pub use other::Z;", &sample);
    let expected = [("W", "a"), ("X", "a"), ("Y", "b")].map(|(item, of)| (item.to_owned(), of.to_owned()));
    assert_eq!(exported, expected.into());
    assert_eq!(circles(&sample, &exported), ["a", "b"].map(str::to_owned).into());

    let mut crates: Vec<String> = folders("shared").into_iter().map(|name| format!("shared/{name}")).collect();
    crates.extend(folders("functions").into_iter().map(|name| format!("functions/{name}")));
    crates.extend(["infra/local", "tests/support", "tests/emulator"].map(str::to_owned));
    let (mut by_path, mut by_export) = (BTreeMap::new(), BTreeMap::new());
    for one in crates {
        let src = root().join(&one).join("src");
        let modules = modules(&src);
        let exported = fs::read_to_string(src.join("lib.rs")).map(|text| exports(&text, &modules)).unwrap_or_default();
        by_path.insert(one.clone(), circles(&modules, &BTreeMap::new()));
        by_export.insert(one, circles(&modules, &exported));
    }
    by_path.retain(|_, found| !found.is_empty());
    assert!(by_path.is_empty(), "modules that import each other in a cycle: {by_path:?}");
    by_export.retain(|_, found| !found.is_empty());
    let owned = |modules: &[&str]| modules.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let known: BTreeMap<String, BTreeSet<String>> =
        KNOWN.iter().map(|(of, modules)| ((*of).to_owned(), owned(modules))).collect();
    assert_eq!(by_export, known, "modules that import each other in a cycle, also by what the crate's root re-exports");
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

/// The items that the root of a crate re-exports, each with the module that it comes from.
fn exports(root: &str, modules: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let exported = paths(root, "pub use ").into_iter().chain(paths(root, "pub(crate) use "));
    let from = |path: String| {
        let (module, item) = path.trim_start_matches("crate::").rsplit_once("::")?;
        modules.contains_key(module).then(|| (item.to_owned(), module.to_owned()))
    };
    exported.filter_map(from).collect()
}

/// The modules that are part of an import cycle.
fn circles(modules: &BTreeMap<String, String>, exported: &BTreeMap<String, String>) -> BTreeSet<String> {
    let uses: BTreeMap<&str, BTreeSet<&str>> =
        modules.iter().map(|(name, text)| (name.as_str(), imports(name, text, modules, exported))).collect();
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

/// The modules that a module imports: for each path, the longest prefix that is a module, or else the module of an item
/// that the root of the crate re-exports.
fn imports<'a>(
    of: &str,
    text: &str,
    modules: &'a BTreeMap<String, String>,
    exported: &'a BTreeMap<String, String>,
) -> BTreeSet<&'a str> {
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
                None => {
                    found.extend(exported.get(path).map(String::as_str).filter(|name| *name != of));
                    break;
                }
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
