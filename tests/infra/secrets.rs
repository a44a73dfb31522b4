//! Secrets in requests: the journal masks them by their names, so every field that holds one has the name of a secret.

use crate::{collect, read, root};
use daybook_domain::masking::is_secret;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// The types of secrets in requests.
const TYPES: [&str; 2] = ["Secret", "NewPassword"];

#[test]
fn every_field_that_holds_a_secret_has_the_name_of_one() {
    let mut names = secrets_of_bodies();
    names.extend(secrets_of_sources());
    let unmasked: Vec<&String> = names.iter().filter(|name| !is_secret(name)).collect();
    assert!(unmasked.is_empty(), "{unmasked:?}: add to shared/domain/src/masking/names.rs");
    for name in ["password", "current_password", "new_password", "code", "owner_code", "invite_token"] {
        assert!(names.contains(name), "{name} in {names:?}");
    }
}

/// The properties of request bodies with the format of passwords.
fn secrets_of_bodies() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&read("infra/openapi.json")).expect("JSON");
    let operations = document["paths"].as_object().expect("paths").values().filter_map(Value::as_object);
    let mut bodies = Bodies { document: &document, seen: BTreeSet::new(), names: BTreeSet::new() };
    for operation in operations.flat_map(|operations| operations.values()) {
        bodies.visit(&operation["requestBody"]);
    }
    bodies.names
}

/// A walk through the schemas of request bodies.
struct Bodies<'a> {
    document: &'a Value,
    seen: BTreeSet<&'a str>,
    names: BTreeSet<String>,
}

impl<'a> Bodies<'a> {
    fn visit(&mut self, schema: &'a Value) {
        if let Some(target) = self.referenced(schema) {
            if schema["$ref"].as_str().is_some_and(|path| self.seen.insert(path)) {
                self.visit(target);
            }
            return;
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if self.is_password(property) {
                self.names.insert(name.clone());
            }
        }
        match schema {
            Value::Object(parts) => parts.values().for_each(|part| self.visit(part)),
            Value::Array(parts) => parts.iter().for_each(|part| self.visit(part)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn is_password(&self, schema: &'a Value) -> bool {
        let schema = self.referenced(schema).unwrap_or(schema);
        let kinds = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|kind| schema[kind].as_array());
        schema["format"] == "password" || kinds.flatten().any(|kind| self.is_password(kind))
    }

    fn referenced(&self, schema: &'a Value) -> Option<&'a Value> {
        self.document.pointer(schema["$ref"].as_str()?.strip_prefix('#')?)
    }
}

/// The fields in the code with the type of a secret: the document shows optional ones as plain texts.
fn secrets_of_sources() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["functions", "shared/domain", "shared/http", "shared/records"] {
        collect(&root().join(folder), &mut files);
    }
    let texts = files.iter().map(|file| fs::read_to_string(file).expect("a source file"));
    texts.flat_map(|text| text.lines().filter_map(secret_of_line).collect::<Vec<_>>()).collect()
}

/// The name of a field that a line declares with the type of a secret.
fn secret_of_line(line: &str) -> Option<String> {
    let (name, of_type) = line.trim().strip_suffix(',')?.split_once(": ")?;
    let name = name.strip_prefix("pub ").unwrap_or(name);
    let is_field = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let of_type = of_type.strip_prefix("Option<").and_then(|inner| inner.strip_suffix('>')).unwrap_or(of_type);
    let of_type = of_type.rsplit("::").next()?;
    (is_field && TYPES.contains(&of_type)).then(|| name.to_owned())
}
