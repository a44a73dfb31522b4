//! Bodies and queries at their limits, made to cost as much as they can.

use serde_json::{Map, Value, json};

/// The most bytes of a body.
const BODY_BYTES: usize = 256 * 1024;

/// A body at its limit.
#[derive(Clone, Debug)]
pub struct HostileBody {
    /// What it is.
    pub what: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// The body.
    pub body: String,
}

/// Bodies that are hard to handle, each of nearly 256 KB.
pub fn hostile_bodies() -> Vec<HostileBody> {
    const JSON: &str = "application/json";
    let fields = |count: usize, name: &str, value: Value| -> Value {
        Value::Object((0..count).map(|n| (format!("{name}{n}"), value.clone())).collect())
    };
    let change = |n: usize| json!({"action": "create", "data": {"name": "x".repeat(2_400), "n": n}});
    let values = json!(vec!["9".repeat(400); 33]);
    let conditions: Map<String, Value> =
        ["name", "email", "company"].iter().map(|field| ((*field).to_owned(), values.clone())).collect();
    let ids: Vec<String> = (0..9_000).map(|n| format!("{n:05}")).collect();
    let options: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    let choices = json!({"eventType": "x", "data": {"fields": [{"value": ids, "options": options}]}});
    let bodies = vec![
        ("a webhook of many choices", JSON, choices.to_string()),
        ("many empty fields", JSON, fields(20_000, "f", json!("")).to_string()),
        ("many misspelt fields", JSON, fields(12_000, "first_nam", json!(1)).to_string()),
        ("deep lists", JSON, format!("{{\"a\": {}{}}}", "[".repeat(100), "]".repeat(100))),
        ("a long text", JSON, json!({"name": "x".repeat(BODY_BYTES - 100)}).to_string()),
        ("100 changes", JSON, json!({"items": (0..100).map(change).collect::<Vec<_>>()}).to_string()),
        ("99 values of conditions", JSON, json!({"filter": conditions}).to_string()),
        ("many wrong values", JSON, json!({"items": vec![1; 120_000], "tags": vec![1; 1_000]}).to_string()),
        ("many messages", JSON, json!({"messages": vec![json!({"role": "x", "content": 1}); 7_000]}).to_string()),
        ("a form of empty fields", "application/x-www-form-urlencoded", "a=&".repeat(BODY_BYTES / 3)),
    ];
    let all: Vec<HostileBody> = bodies.into_iter().map(|(what, kind, body)| HostileBody { what, kind, body }).collect();
    assert!(all.iter().all(|one| one.body.len() <= BODY_BYTES), "a body is refused for its size alone");
    all
}

/// A query of many parameters, as long as a URL may be.
pub fn hostile_query() -> String {
    "f=1&".repeat(1_950)
}

/// A search for 99 values of 400 digits in the texts of leads.
pub fn hostile_search() -> Value {
    json!({"filter": {"first_name": vec!["9".repeat(400); 99]}, "limit": 200})
}
