//! Tests of the AI chat: conversations, answers and their streams, budgets, rights, and what happens when a provider or
//! a process fails.

mod budgets;
mod ends;
mod faults;
mod gateway;
mod injection;
mod inputs;
mod notifications;
mod openai;
mod people;
mod rights;
mod seed;
mod sockets;
mod stops;
mod streams;
mod tree;
mod ui;

use daybook_runs::Site;
use daybook_testing::llm::{FakeLlm, Script};
use daybook_testing::{Event, Person, World, WorldOptions};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// A model of each wire format: OpenAI's Responses, Anthropic's Messages, and Chat Completions.
const MODELS: [&str; 3] = ["gpt-6-luna", "claude-haiku-5-5", "deepseek-flash"];

/// A day.
const DAY: Duration = Duration::from_secs(86_400);

/// A world at a site, whose models are answered by a fake.
async fn world_at(site: Site) -> (World, FakeLlm) {
    let fake = FakeLlm::start().await;
    let options = WorldOptions { ai: Some(fake.clone()), site: Some(site), ..WorldOptions::default() };
    (World::with(options).await, fake)
}

/// A world on one machine, whose models are answered by a fake.
async fn world() -> (World, FakeLlm) {
    world_at(Site::Machine).await
}

/// An answer in these pieces, each after a pause.
fn slowly(pieces: &[&str], pause: Duration) -> Script {
    Script { pause, ..Script::saying(pieces) }
}

/// An answer that takes seconds.
fn long() -> Script {
    slowly(&["word "; 60], Duration::from_millis(100))
}

/// A question that belongs to no conversation.
fn question(text: &str) -> Value {
    json!({"messages": [{"content": text, "role": "user"}]})
}

/// A question in a conversation.
fn question_in(conversation: &str, text: &str) -> Value {
    with(question(text), json!({"conversation_id": conversation}))
}

/// A body with further fields.
fn with(mut body: Value, more: Value) -> Value {
    let more = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(more);
    body
}

/// A body that asks for events.
fn streamed(body: Value) -> Value {
    with(body, json!({"stream": true}))
}

/// The text at a field.
fn text_at(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no text {field}: {value}")).to_owned()
}

/// Creates a conversation; returns its id.
async fn conversation(person: &Person) -> String {
    person.post("/api/conversations", json!({})).await.expect(201).id()
}

/// A conversation as its user sees it.
async fn shown(person: &Person, conversation: &str) -> Value {
    person.get(&format!("/api/conversations/{conversation}")).await.expect(200).data()
}

/// Asks in a conversation; returns the answer.
async fn asked(person: &Person, conversation: &str, text: &str) -> Value {
    person.post("/api/chat", question_in(conversation, text)).await.expect(200).json()
}

/// The messages of a conversation, oldest first.
async fn messages(person: &Person, conversation: &str) -> Vec<Value> {
    listed(person, &format!("/api/conversations/{conversation}/messages?limit=200")).await
}

/// The records of a list.
async fn listed(person: &Person, path: &str) -> Vec<Value> {
    person.get(path).await.expect(200).data().as_array().expect("a list").clone()
}

/// The texts at a field of each value.
fn texts(values: &[Value], field: &str) -> Vec<String> {
    values.iter().map(|value| text_at(value, field)).collect()
}

/// The text of the deltas among events.
fn text_of(events: &[Event]) -> String {
    events.iter().filter(|event| event.name == "delta").map(|event| text_at(&event.data, "text")).collect()
}

/// The data of the only event with a name.
fn only(events: &[Event], name: &str) -> Value {
    let mut found = events.iter().filter(|event| event.name == name);
    let event = found.next().unwrap_or_else(|| panic!("no {name}: {events:?}"));
    assert!(found.next().is_none(), "a second {name}: {events:?}");
    event.data.clone()
}

/// The run that events tell of at their start.
fn run_of(events: &[Event]) -> String {
    text_at(&only(events, "start"), "run_id")
}

/// Waits until an answer is being generated in a conversation; returns its run.
async fn run_in(person: &Person, conversation: &str) -> String {
    loop {
        if let Some(run) = shown(person, conversation).await["run_id"].as_str() {
            return run.to_owned();
        }
        tokio::task::yield_now().await;
    }
}

/// Awaits requests while the workers do what these leave to them.
async fn with_workers<T>(world: &World, requests: impl Future<Output = T>) -> T {
    let workers = world.system.workers.clone();
    let working = tokio::spawn(async move {
        loop {
            workers.run().await;
            workers.committed().await;
        }
    });
    let outcome = requests.await;
    working.abort();
    outcome
}

/// Millionths of a US dollar of an amount in US dollars.
fn millionths(usd: &Value) -> u64 {
    let usd = usd.as_f64().unwrap_or_else(|| panic!("no amount: {usd}"));
    (usd * 1e6).round() as u64
}

/// Tokens and millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    tokens: u64,
    millionths: u64,
}

impl Amount {
    /// What the usage of an answer adds up to.
    fn of(usage: &Value) -> Amount {
        let tokens = |field: &str| usage[field].as_u64().unwrap_or_else(|| panic!("no {field}: {usage}"));
        Amount { tokens: tokens("input") + tokens("output"), millionths: millionths(&usage["cost_usd"]) }
    }

    /// What a list of usages adds up to.
    fn sum<'a>(usages: impl IntoIterator<Item = &'a Value>) -> Amount {
        usages.into_iter().map(Amount::of).fold(Amount::default(), |sum, one| Amount {
            tokens: sum.tokens + one.tokens,
            millionths: sum.millionths + one.millionths,
        })
    }
}

/// What an organisation has spent today, with what runs hold.
async fn spent(owner: &Person) -> Amount {
    let spent = owner.get("/api/ai/budgets").await.expect(200).data()["spent"].clone();
    let tokens = spent["daily_tokens"].as_u64().expect("a number");
    Amount { tokens, millionths: millionths(&spent["daily_usd"]) }
}

/// What the usage report of today adds up to.
async fn reported(owner: &Person) -> Amount {
    Amount::sum(&listed(owner, "/api/ai/usage").await)
}

/// Asserts that nothing is held of the budgets: what is spent is what is reported.
async fn assert_settled(owner: &Person) {
    assert_eq!(spent(owner).await, reported(owner).await, "spent, and reported");
}

/// The entries of the audit log about an event, newest first.
async fn entries(owner: &Person, event: &str) -> Vec<Value> {
    listed(owner, &format!("/api/audit-logs?event={event}&limit=200")).await
}

/// All items of the table.
fn table(world: &World) -> BTreeSet<String> {
    world.raw.everything().iter().map(Value::to_string).collect()
}

/// Asserts that the table has the same items as before.
#[track_caller]
fn assert_unchanged(world: &World, before: &BTreeSet<String>, what: &str) {
    let after = table(world);
    let changed: Vec<&String> = after.symmetric_difference(before).collect();
    assert!(changed.is_empty(), "{what} changed {changed:?}");
}
