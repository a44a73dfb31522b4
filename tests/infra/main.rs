//! Repository tests: crate dependencies, forbidden code patterns, the OpenAPI document and the README match the code.

mod chinese;
mod circles;
mod events;
mod reference;
mod rights;
mod secrets;
mod template;

use daybook_local::functions;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The dependencies of the crate in a folder.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest: toml::Table = read(&format!("{folder}/Cargo.toml")).parse().expect("a manifest");
    manifest["dependencies"].as_table().expect("dependencies").keys().cloned().collect()
}

fn folders(of: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join(of))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| root().join(of).join(name).join("Cargo.toml").exists())
        .collect();
    names.sort();
    names
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("derive", &[][..]),
        ("domain", &["derive"]),
        ("connectors", &["domain"]),
        ("mail", &["domain"]),
        ("store", &["domain"]),
        ("records", &["domain", "store"]),
        ("http", &["connectors", "domain", "records", "store"]),
        ("audit", &["domain", "http", "records", "store"]),
        ("handlers", &["domain", "http", "records", "store"]),
        ("intake", &["domain", "http", "records", "store"]),
        ("jobs", &["connectors", "domain", "mail", "store"]),
        ("embedded", &["domain", "store"]),
        ("runs", &["connectors", "domain", "records", "store"]),
        ("sockets", &["connectors", "domain", "http", "records", "runs", "store"]),
        ("consumers", &["jobs"]),
    ]);
    let functions = folders("functions");
    let listed: Vec<&str> = allowed.keys().copied().collect();
    assert_eq!(listed, folders("shared"), "the crates of shared/, each with what it may use");
    for (name, allowed) in allowed {
        for dependency in dependencies(&format!("shared/{name}")) {
            if let Some(ours) = dependency.strip_prefix("daybook-") {
                let listed = name == "consumers" && functions.iter().any(|function| function == ours);
                assert!(listed || allowed.contains(&ours), "shared/{name} must not depend on {dependency}");
            }
        }
    }
}

#[test]
fn the_domain_is_pure_and_functions_know_no_sdk() {
    for dependency in dependencies("shared/domain") {
        let foreign = ["aws", "tokio", "axum", "http", "reqwest", "rand", "lambda"]
            .iter()
            .any(|part| dependency.starts_with(part));
        assert!(!foreign, "shared/domain must not depend on {dependency}");
    }
    for function in folders("functions") {
        let found = dependencies(&format!("functions/{function}"));
        for dependency in &found {
            assert!(
                !dependency.starts_with("aws-") && !dependency.starts_with("lambda"),
                "functions/{function} must not depend on {dependency}"
            );
            assert!(
                !["daybook-mail", "daybook-connectors"].contains(&dependency.as_str()),
                "functions/{function} reaches {dependency} past jobs"
            );
        }
        let kinds = ["daybook-http", "daybook-jobs"].iter().filter(|kind| found.contains(**kind)).count();
        assert_eq!(kinds, 1, "functions/{function} is an HTTP function or a worker");
    }
}

/// The line numbers of a source file with a wildcard branch in a `match` over record types.
fn wildcards_over_types(source: &str) -> Vec<usize> {
    let (mut lines, mut matches) = (Vec::new(), Vec::<(usize, bool)>::new());
    for (number, line) in source.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        matches.retain(|(of, _)| indent > *of);
        if let Some((_, over_types)) = matches.last_mut() {
            *over_types |= code.starts_with("RecordType::") && code.contains("=>");
            if *over_types && (code.starts_with("_ =>") || code.starts_with("_ if ")) {
                lines.push(number + 1);
            }
        }
        if code.ends_with('{') && code.contains("match ") {
            matches.push((indent, false));
        }
    }
    lines
}

/// Code about all record types is derived from the registry: no code may compile with a new type and silently ignore it.
#[test]
fn nothing_falls_through_a_match_over_record_types() {
    let sample = "match kind {\n    RecordType::Lead => match x {\n        _ => 1,\n    },\n    _ => 2,\n}\n";
    assert_eq!(wildcards_over_types(sample), [5]);
    let mut files = Vec::new();
    for folder in ["shared", "functions", "infra/local"] {
        collect(&root().join(folder), &mut files);
    }
    for file in files {
        let found = wildcards_over_types(&fs::read_to_string(&file).expect("a source file"));
        assert!(found.is_empty(), "{}: {found:?}; name the types, or use with_record_type!", file.display());
    }
}

/// The store crate knows how records are stored, but no record type.
#[test]
fn the_store_knows_no_type_of_record() {
    let mut modules: BTreeSet<&str> = BTreeSet::new();
    daybook_domain::for_each_record_type!(T => {
        modules.extend(std::any::type_name::<T>().split("::").nth(1));
    });
    assert!(modules.contains("lead"));
    let mut files = Vec::new();
    collect(&root().join("shared/store"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        let named = circles::paths(&text, "daybook_domain::").into_iter();
        let known = named.filter_map(|path| Some(path.split_once("::")?.0.to_owned()));
        let known = known.into_iter().find(|module| modules.contains(module.as_str()));
        assert!(known.is_none(), "{} knows {known:?}", file.display());
    }
}

/// Conditions and updates are values; only one file renders them as DynamoDB expressions.
#[test]
fn one_file_alone_holds_the_text_of_expressions() {
    let words = [["attribute_", "exists"], ["attribute_not_", "exists"], ["if_not_", "exists"], ["begins_", "with("]];
    let words = words.map(|parts| parts.concat());
    let mut files = Vec::new();
    for folder in ["shared", "functions", "infra/local", "tests"] {
        collect(&root().join(folder), &mut files);
    }
    let found: Vec<String> = files
        .into_iter()
        .filter(|file| words.iter().any(|word| fs::read_to_string(file).expect("a source file").contains(word)))
        .map(|file| file.strip_prefix(root()).expect("a file of ours").display().to_string())
        .collect();
    assert_eq!(found, ["shared/store/src/dynamodb/expression.rs"]);
}

/// `cargo dev` doesn't build SQLite, and functions don't link the embedded table.
#[test]
fn the_emulator_is_for_tests_and_the_embedded_table_for_one_machine() {
    let named = |manifest: &str, what: &str| {
        let text = read(&format!("{manifest}/Cargo.toml"));
        let own = text.split("[dev-dependencies]").next().unwrap_or_default();
        own.lines().any(|line| line.starts_with(what))
    };
    let shared = folders("shared").into_iter().map(|name| format!("shared/{name}"));
    let functions = folders("functions").into_iter().map(|name| format!("functions/{name}"));
    for manifest in shared.chain(functions) {
        assert!(!named(&manifest, "daybook-emulator"), "{manifest} builds the emulator");
        assert!(!named(&manifest, "daybook-embedded"), "{manifest} builds the embedded table");
        assert_eq!(named(&manifest, "fjall"), manifest == "shared/embedded", "{manifest}");
    }
    assert!(!named("infra/local", "daybook-emulator") && named("infra/local", "daybook-embedded"));
    for manifest in ["infra/local", "tests/support", "tests/bench"] {
        assert!(!named(manifest, "dynoxide-rs"), "{manifest} names the emulator's own crate");
    }
}

/// All records are changed by the functions of `shared/records`, so every rule applies to every request.
#[test]
fn records_are_made_and_changed_by_the_steps_of_a_change_alone() {
    let steps = ["create", "update", "delete", "restore", "cascade"];
    let plain: Vec<String> = steps.iter().flat_map(|step| [format!("Tx::{step}("), format!(".and_{step}(")]).collect();
    let mut files = Vec::new();
    for folder in ["shared", "functions"] {
        collect(&root().join(folder), &mut files);
    }
    // Sign-in and recovery are authorised by passwords, codes and tokens of mails, so no rule about changes applies.
    let signing_in =
        ["sessions", "second_factor", "register", "recovery"].map(|file| format!("/functions/auth/src/{file}.rs"));
    let mut may = vec!["/shared/records/", "/shared/store/src/tx.rs"];
    may.extend(signing_in.iter().map(String::as_str));
    for file in files.iter().filter(|file| !may.iter().any(|may| file.to_string_lossy().contains(may))) {
        let text = fs::read_to_string(file).expect("a source file");
        let found = plain.iter().find(|call| text.contains(call.as_str()));
        assert!(found.is_none(), "{}: {found:?}; take created, updated, deleted or restored", file.display());
    }
}

#[test]
fn functions_have_a_short_main_and_no_test_binary() {
    for function in folders("functions") {
        let main = read(&format!("functions/{function}/src/main.rs"));
        assert!(
            main.lines().filter(|line| !line.trim().is_empty()).count() <= 6,
            "functions/{function}/src/main.rs is for starting alone"
        );
        let manifest: toml::Table = read(&format!("functions/{function}/Cargo.toml")).parse().expect("a manifest");
        assert_eq!(
            manifest["lib"]["test"].as_bool(),
            Some(false),
            "functions/{function}: set `test = false` for the library"
        );
    }
}

/// Comments and texts name the role (the caller, a user, another process) and use the textbook's terms.
#[test]
fn comments_and_texts_use_standard_terms() {
    let parts = [["who", "ever"], ["some", "body"], ["no", "body"], ["any", "body"], ["every", "body"]];
    let people = parts.map(|parts| parts.concat());
    let others =
        [["up", "right"], ["hu", "sh"], ["un", "heard"], ["fal", "len"], ["ri", "sen"]].map(|parts| parts.concat());
    let mut files: Vec<PathBuf> =
        ["README.md", "shared/README.md", "infra/template.yaml"].map(|file| root().join(file)).into();
    for folder in ["shared", "functions", "infra/local/src", "tests"] {
        collect(&root().join(folder), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).expect("a text file").to_lowercase();
        for (number, line) in text.lines().enumerate() {
            // Addresses in examples, and the stored names of attributes, are no prose.
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '@' && c != '#' && c != '"');
            let found = words
                .map(|word| word.trim_matches('"'))
                .find(|word| people.iter().chain(&others).any(|other| other == word));
            let is_stored = line.contains(&format!("rename = \"{}\"", others[3]));
            assert!(found.is_none() || is_stored, "{}:{}: {found:?}", file.display(), number + 1);
        }
    }
}

#[test]
fn keys_and_statuses_are_spelled_in_one_place() {
    let mut files = Vec::new();
    collect(&root().join("shared"), &mut files);
    collect(&root().join("functions"), &mut files);
    for file in files {
        let name = file.to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("a source file");
        if !name.contains("/http/") {
            assert!(!text.contains("StatusCode"), "{name} knows a status; only shared/http does");
        }
        if !name.contains("/store/src/schema") {
            let spelled = text.lines().find(|line| line.contains("format!(") && line.contains("#{"));
            assert!(spelled.is_none(), "{name} spells a key: {spelled:?}");
        }
        assert!(!text.contains(".scan()"), "{name} scans the table");
        let lines = text.lines().count();
        assert!(lines <= 600, "{name} has {lines} lines; split it by what its parts know");
    }
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn the_openapi_document_is_fresh() {
    let fresh = daybook_local::reference().to_pretty_json().expect("JSON");
    assert!(read("infra/openapi.json").trim() == fresh, "stale: run `cargo openapi > infra/openapi.json`");
}

#[test]
fn the_readme_lists_every_endpoint_and_no_other() {
    let listed: BTreeSet<String> = read("README.md")
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let (method, path, access) = (*cells.get(1)?, cells.get(2)?.trim_matches('`'), *cells.get(3)?);
            ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method).then(|| format!("{method} {path} {access}"))
        })
        .collect();
    let routes: BTreeSet<String> = functions()
        .into_iter()
        .flat_map(|function| function.list)
        .map(|route| format!("{} {} {}", route.method, route.path, route.access.describe()))
        .collect();
    assert_eq!(listed, routes, "the table of endpoints in README.md");
}

#[test]
fn the_folders_are_those_the_readme_names() {
    let readme = read("README.md");
    for function in folders("functions") {
        assert!(readme.contains(&format!("`{function}`")), "README.md doesn't name the function {function}");
    }
    for part in folders("shared") {
        assert!(read("shared/README.md").contains(&format!("`{part}`")), "shared/README.md doesn't name {part}");
    }
}

#[test]
fn builds_leave_out_the_slow_entropy() {
    assert!(read(".cargo/config.toml").contains("AWS_LC_SYS_NO_JITTER_ENTROPY = \"1\""));
    assert_eq!(option_env!("AWS_LC_SYS_NO_JITTER_ENTROPY"), Some("1"), "build through cargo in this repository");
}
