//! Lists, timelines, exports and the audit log over records that are as large as they may be.

use crate::check;
use daybook_domain::permission::Role;
use daybook_local::DEFAULT_ORG;
use daybook_store::item::{AttributeValue, Item};
use daybook_testing::{Person, World, is_full};
use serde_json::{Map, Value, json};

/// A world whose records have nearly 64 KB each.
pub struct Filled {
    pub world: World,
    pub owner: Person,
    /// A customer with interactions.
    pub customer: String,
    /// A lead.
    pub lead: String,
    /// A conversation.
    pub conversation: String,
}

/// How many records of each type there are: more than fit a page, which has 4 MB.
fn records() -> usize {
    if is_full() { 1_000 } else { 90 }
}

/// How many details the quick set makes as large as earlier versions did: more than fit an export in a response.
const NEWEST: usize = 25;

/// How many questions of 30 KB the conversation has.
const QUESTIONS: usize = 8;

/// Fields of a form that together have some 50 KB.
fn large_extra() -> Map<String, Value> {
    (0..50).map(|n| (format!("field_{n}"), Value::from("富".repeat(330)))).collect()
}

impl Filled {
    pub async fn new() -> Filled {
        let world = World::new().await;
        let owner = world.owner().await;
        let id = |answer: daybook_testing::Answer| answer.json()["data"]["id"].as_str().expect("an id").to_owned();
        let customer = owner.post("/api/customers", json!({"name": "Ada"})).await.expect(201);
        let customer = id(customer);
        let mut lead = String::new();
        for n in 0..records() {
            let mut body = large_extra();
            body.insert("email".to_owned(), json!(format!("ada{n}@example.com")));
            body.insert("first_name".to_owned(), json!("Ada"));
            // A client may use one id for all of its requests.
            let post = owner.post("/api/leads", Value::Object(body)).header("x-request-id", "always-the-same");
            lead = id(post.await.expect(201));
            let notes = "记".repeat(5_000);
            let interaction =
                json!({"customer_id": customer, "interaction_type": "call", "subject": "x", "notes": notes});
            owner.post("/api/interactions", interaction).await.expect(201);
        }
        let conversation = owner.post("/api/conversations", json!({"title": "x"})).await.expect(201);
        let conversation = id(conversation);
        let question = json!({"role": "user", "content": "问".repeat(10_000)});
        for _ in 0..QUESTIONS {
            let ask = json!({"conversation_id": conversation, "messages": [question]});
            owner.post("/api/chat", ask).await.expect(200);
        }
        world.work().await;
        Filled { world, owner, customer, lead, conversation }
    }
}

pub async fn lists(filled: &Filled) {
    let Filled { world, owner, customer, lead, .. } = filled;
    for path in [
        "/api/leads?limit=200".to_owned(),
        "/api/leads?limit=200&status=new".to_owned(),
        "/api/leads?limit=200&search=Ada".to_owned(),
        "/api/leads?limit=200&filter[first_name][contains]=d&filter[company][exists]=false".to_owned(),
        "/api/leads?limit=200&filter[first_name]=Zoe".to_owned(),
        "/api/interactions?limit=200".to_owned(),
        format!("/api/interactions?limit=200&customer_id={customer}"),
        format!("/api/customers/{customer}/timeline?limit=200"),
        format!("/api/leads/{lead}/timeline?limit=200"),
        "/api/submissions?limit=200".to_owned(),
        "/api/opportunities/board".to_owned(),
    ] {
        check(&path, 200, owner.get(&path)).await;
    }
    let seller = world.person(Role::Sales).await;
    check("a list of a seller", 200, seller.get("/api/leads?limit=200")).await;
    let timeline = format!("/api/customers/{customer}/timeline?limit=200");
    assert_eq!(pages(owner, &timeline, "type", "interaction").await, records(), "{timeline}");
    assert_eq!(pages(owner, "/api/leads?limit=200", "source", "").await, records());
}

/// The number of entries of all pages of a list in which a field has a value, or any value where that is empty.
async fn pages(owner: &Person, path: &str, field: &str, value: &str) -> usize {
    let (mut cursor, mut count) = (String::new(), 0);
    loop {
        let page = check(path, 200, owner.get(&format!("{path}{cursor}"))).await.json();
        let entries = page["data"].as_array().expect("a list");
        count += entries.iter().filter(|entry| value.is_empty() || entry[field] == value).count();
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return count,
        }
    }
}

/// Earlier versions kept whole bodies of up to 300 KB in the journal, for 400 days.
async fn as_earlier_versions_kept_bodies(world: &World) {
    let fields: Map<String, Value> = (0..20_000).map(|n| (format!("f{n}"), json!(""))).collect();
    let request = json!({"method": "POST", "path": "/api/leads", "query": null, "body": fields, "ip": null,
        "user_agent": null});
    // The newest come first in every page; the quick set leaves the others as they are.
    let details = format!("{DEFAULT_ORG}#detail#");
    let is_detail = |item: &Value| item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with(&details));
    let newest = world.raw.everything().into_iter().rev().filter(is_detail);
    for item in newest.take(if is_full() { usize::MAX } else { NEWEST }) {
        let Some(text) = item["json"]["S"].as_str() else { continue };
        let mut detail: Value = serde_json::from_str(text).expect("JSON");
        detail["request"] = request.clone();
        let mut large = Item::new();
        for name in ["pk", "sk", "kind"] {
            large.insert(name.to_owned(), AttributeValue::S(item[name]["S"].as_str().expect("a text").to_owned()));
        }
        large.insert(
            "expires_at".to_owned(),
            AttributeValue::N(item["expires_at"]["N"].as_str().expect("a number").to_owned()),
        );
        large.insert("json".to_owned(), AttributeValue::S(detail.to_string()));
        world.raw.put(large).await;
    }
}

pub async fn audit(filled: &Filled) {
    let Filled { world, owner, customer, lead, conversation } = filled;
    as_earlier_versions_kept_bodies(world).await;
    let logs = "/api/audit-logs?limit=200";
    check(logs, 200, owner.get(logs)).await;
    check("a filtered log", 200, owner.get("/api/audit-logs?limit=200&event=lead.created")).await;
    for path in [
        format!("/api/foundation/audit-logs/resources/lead/{lead}?limit=200"),
        format!("/api/customers/{customer}/timeline?limit=200"),
        "/api/audit-logs/verify".to_owned(),
        format!("/api/conversations/{conversation}/export"),
        format!("/api/conversations/{conversation}/messages?limit=200"),
    ] {
        check(&path, 200, owner.get(&path)).await;
    }
    for format in if is_full() { &["json", "csv"][..] } else { &["json"][..] } {
        let export = owner.post("/api/audit-logs/export", json!({"format": *format}));
        let started = check(&format!("an export as {format}"), 202, export).await;
        let job = started.json()["data"]["id"].as_str().expect("a job").to_owned();
        world.work().await;
        let job = owner.get(&format!("/api/jobs/{job}")).await.expect(200).json();
        assert_eq!(job["data"]["status"], "done", "{job}");
    }
}
