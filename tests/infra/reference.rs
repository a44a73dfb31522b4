//! The OpenAPI document as generators of clients and readers need it: ids that are stable and read well, a sentence for each
//! operation, tags with descriptions, security for each, and typed parameters.

use serde_json::Value;
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::to_value(daybook_local::reference()).expect("JSON")
}

/// The operations, with method and path.
fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, methods): (&String, &Value)| -> Vec<(String, Value)> {
        let all = methods.as_object().expect("methods").clone().into_iter();
        let named = all.filter(|(method, _)| ["get", "post", "put", "patch", "delete"].contains(&method.as_str()));
        named.map(|(method, operation)| (format!("{method} {path}"), operation)).collect()
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn every_operation_has_a_name_that_reads_well_and_a_sentence() {
    let document = document();
    let mut ids = BTreeSet::new();
    let mut summaries = BTreeSet::new();
    for (route, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        let begins_small = id.starts_with(|letter: char| letter.is_ascii_lowercase());
        assert!(begins_small && id.chars().all(|letter| letter.is_ascii_alphanumeric()), "{route}: {id}");
        assert!(ids.insert(id.to_owned()), "{route}: {id} is there twice");
        let summary = operation["summary"].as_str().expect("a summary");
        assert!(summaries.insert(summary.to_owned()) && summary.contains(' ') || id.len() < 9, "{route}: {summary}");
        let description = operation["description"].as_str().expect("a description");
        let (sentence, access) = description.split_once("\n\n").unwrap_or_else(|| panic!("{route} says nothing"));
        assert!(sentence.ends_with('.') && access.starts_with("Access: "), "{route}: {description}");
    }
    assert!(ids.len() > 200, "{} operations", ids.len());
    for known in ["listCustomers", "createCustomer", "getLead", "updateTask", "convertLead", "releaseSubmission"] {
        assert!(ids.contains(known), "{known}");
    }
}

#[test]
fn every_operation_has_a_tag_and_says_what_it_takes_to_call_it() {
    let document = document();
    let tags: Vec<&Value> = document["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).collect();
    let schemes = document["components"]["securitySchemes"].as_object().expect("schemes");
    let mut used = BTreeSet::new();
    for (route, operation) in operations(&document) {
        let tag = &operation["tags"][0];
        assert!(tags.contains(&tag), "{route}: {tag}");
        used.insert(tag.as_str().unwrap_or_default().to_owned());
        let security = operation["security"].as_array().unwrap_or_else(|| panic!("{route} has no security"));
        let named: Vec<&String> = security.iter().flat_map(|one| one.as_object().expect("an object").keys()).collect();
        assert!(named.iter().all(|name| schemes.contains_key(*name)), "{route}: {named:?}");
        let access = operation["description"].as_str().unwrap_or_default();
        assert_eq!(named.is_empty(), access.ends_with("Access: public."), "{route}");
    }
    assert_eq!(used.len(), tags.len(), "a tag without operations");
}

#[test]
fn parameters_have_their_types() {
    let document = document();
    for (route, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (name, schema) = (parameter["name"].as_str().expect("a name"), &parameter["schema"]);
            match name {
                "limit" => {
                    assert_eq!((&schema["type"], &schema["maximum"]), (&"integer".into(), &200.into()), "{route}")
                }
                "sort" => assert!(schema["enum"].as_array().is_some_and(|values| values.len() >= 2), "{route}"),
                "filter" => {
                    assert_eq!((&parameter["style"], &parameter["explode"]), (&"deepObject".into(), &true.into()))
                }
                _ => assert!(schema.is_object(), "{route}: {name}"),
            }
        }
    }
}
