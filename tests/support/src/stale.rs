//! Indexes that lag behind: they answer as if the last writes hadn't been made.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// What the last writes changed: items by key, as they were before.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    /// By so many writes the indexes are behind.
    writes: usize,
    recent: VecDeque<BTreeMap<String, Value>>,
}

/// The key of an item, as text.
fn key_of(item: &Value) -> String {
    format!("{} {}", item["pk"]["S"], item["sk"]["S"])
}

fn key_item(of: &Value) -> Value {
    json!({"pk": of["pk"], "sk": of["sk"]})
}

/// The keys that a write changes, with the table's name.
pub(crate) fn written(operation: &str, body: &Value) -> Option<(String, Vec<Value>)> {
    let one = |action: &Value| match action.get("Item") {
        Some(item) => key_item(item),
        None => key_item(&action["Key"]),
    };
    let table = |action: &Value| action["TableName"].as_str().map(str::to_owned);
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => Some((table(body)?, vec![one(body)])),
        "TransactWriteItems" => {
            let actions = body["TransactItems"].as_array()?.iter().filter_map(|action| {
                action.as_object()?.iter().find(|(name, _)| *name != "ConditionCheck").map(|(_, action)| action)
            });
            let actions: Vec<&Value> = actions.collect();
            Some((table(actions.first()?)?, actions.into_iter().map(one).collect()))
        }
        _ => None,
    }
}

/// The call that reads these items.
pub(crate) fn reading(table: &str, keys: &[Value]) -> Value {
    json!({"RequestItems": {table: {"Keys": keys, "ConsistentRead": true}}})
}

impl Lag {
    pub fn of(writes: usize) -> Lag {
        Lag { writes, recent: VecDeque::new() }
    }

    /// Notes what a write changed: the items of these keys, and those of them that were there before.
    pub fn note(&mut self, keys: &[Value], table: &str, answer: &Value) {
        let old = answer["Responses"][table].as_array().unwrap_or_else(|| panic!("what a write changes: {answer}"));
        let mut items: BTreeMap<String, Value> = keys.iter().map(|key| (key_of(key), Value::Null)).collect();
        items.extend(old.iter().map(|item| (key_of(item), item.clone())));
        self.recent.push_back(items);
        while self.recent.len() > self.writes {
            self.recent.pop_front();
        }
    }

    /// What an index answers while it lags behind; old items come last on their page.
    pub fn stale(&self, asked: &Value, mut answer: Value) -> Value {
        let Some(items) = answer["Items"].as_array().cloned() else { return answer };
        let (pk, sk) = match asked["IndexName"].as_str() {
            Some("by_owner") => ("owner_pk", "owner_sk"),
            _ => ("state_pk", "state_sk"),
        };
        let wanted = &asked["ExpressionAttributeValues"][":pk"];
        // As an item was before the oldest of these writes.
        let mut before: BTreeMap<&String, &Value> = BTreeMap::new();
        for (key, item) in self.recent.iter().flatten() {
            before.entry(key).or_insert(item);
        }
        let forward = asked["ScanIndexForward"] != json!(false);
        let in_page = |item: &Value| {
            let at = item[sk]["S"].as_str();
            let bound = |key: &Value| (key[sk]["S"].as_str().map(str::to_owned), key.is_object());
            let (start, starts) = bound(&asked["ExclusiveStartKey"]);
            let (end, ends) = bound(&answer["LastEvaluatedKey"]);
            let after = |one: Option<&str>, other: Option<&str>| if forward { one > other } else { one < other };
            (!starts || after(at, start.as_deref())) && (!ends || !after(at, end.as_deref()))
        };
        // Items come without their keys where only one attribute was asked for, so they are told apart by what they hold.
        let current = |item: &Value| before.keys().any(|key| holds(item, key));
        let mut kept: Vec<Value> = items.into_iter().filter(|item| !current(item)).collect();
        let old = before.values().filter(|item| item[pk] == *wanted && in_page(item)).map(|item| (*item).clone());
        kept.extend(old);
        answer["Count"] = json!(kept.len());
        answer["Items"] = json!(kept);
        answer
    }
}

/// Whether an item is the one of a key, as far as its data says.
fn holds(item: &Value, key: &str) -> bool {
    match item.get("pk") {
        Some(_) => key_of(item) == key,
        None => {
            let data: Map<String, Value> =
                item["data"]["S"].as_str().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
            data.get("id").and_then(Value::as_str).is_some_and(|id| key.ends_with(&format!("\"{id}\"")))
        }
    }
}
