//! Tests of the sample events: each is replayed as Lambda would deliver it, and has the expected result.

use crate::{folders, read, root};
use axum::Extension;
use daybook_jobs::{SqsEvent, StreamEvent, on_queue, on_stream};
use daybook_local::functions;
use daybook_store::telemetry::Invocation;
use daybook_testing::{FakeGateway, World, WorldOptions};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};
use tower::ServiceExt as _;

/// The HTTP events, each with the expected status of its answer.
const HTTP: [(&str, u16); 28] = [
    ("ai/models", 200),
    ("audit-query/list", 200),
    ("auth/login", 200),
    ("auth/me", 200),
    ("auth/register", 201),
    ("book-demo/book", 201),
    ("book-demo/list", 200),
    ("chat/ask", 200),
    ("chat-stream/ask", 200),
    ("chat-stream/completion", 200),
    ("contact/message", 201),
    ("contacts/list", 200),
    ("conversations/list", 200),
    ("customers/create", 201),
    ("docs/openapi", 200),
    ("health/ready", 200),
    ("integrations/records", 200),
    ("interactions/list", 200),
    ("leads/list", 200),
    ("opportunities/board", 200),
    ("organizations/keys", 200),
    ("privacy/erasure", 202),
    ("submissions/list", 200),
    ("submit-lead/form", 200),
    ("submit-lead/json", 201),
    ("tasks/create", 201),
    ("users/list", 200),
    ("views/list", 200),
];

/// The events of other triggers.
const OTHERS: [&str; 13] = [
    "anchor-journal/schedule",
    "chat-run/queue",
    "chat-socket/connect",
    "chat-socket/message",
    "dispatch/redrive",
    "dispatch/stream",
    "notify/queue",
    "remind/queue",
    "run-jobs/queue",
    "send-mail/queue",
    "send-mail/ses",
    "sweep/schedule",
    "sync-hubspot/queue",
];

fn event(name: &str) -> Value {
    serde_json::from_str(&read(&format!("events/{name}.json"))).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Passes an HTTP event to its function.
async fn answer(world: &World, name: &str) -> (u16, Value) {
    let function = name.split_once('/').expect("a function and an event").0;
    // On one machine the chat itself streams.
    let mut all = [daybook_chat_stream::routes()].into_iter().chain(functions());
    let routes = all.find(|routes| routes.function == function).expect("an HTTP function");
    let chat = world.system.chat.clone();
    let app = daybook_http::app(vec![routes], world.system.env.clone(), |router| {
        router.layer(Extension(chat)).layer(Extension(daybook_health::Counters::default()))
    });
    let mut text = read(&format!("events/{name}.json"));
    if text.contains("ACCESS_TOKEN") {
        text = text.replace("ACCESS_TOKEN", world.owner().await.token.as_deref().expect("a token"));
    }
    let request = lambda_http::request::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let answer = app.oneshot(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn batch(world: &World, name: &str) -> Value {
    let function = name.split_once('/').expect("a function and an event").0;
    let worker = world.system.workers.of_function(function).expect("a worker");
    let event: SqsEvent = serde_json::from_value(event(name)).expect("an event of SQS");
    let soon = Instant::now() + Duration::from_secs(30);
    on_queue(worker, &world.system.env, event, soon, &Invocation::default()).await
}

#[tokio::test]
async fn every_http_event_is_answered_as_it_should_be() {
    for (name, expected) in HTTP {
        let world = World::new().await;
        if name == "auth/login" {
            assert_eq!(answer(&world, "auth/register").await.0, 201);
        }
        let (status, body) = answer(&world, name).await;
        assert_eq!(status, expected, "{name}: {body}");
    }
}

#[tokio::test]
async fn an_event_of_a_form_makes_a_lead_from_the_gateways_address() {
    let world = World::new().await;
    answer(&world, "submit-lead/json").await;
    answer(&world, "submit-lead/form").await;
    let owner = world.owner().await;
    let leads = owner.get("/api/leads?sort=created_at").await.expect(200).json();
    assert_eq!((&leads["data"][0]["last_name"], &leads["data"][1]["email"]), (&json!("三"), &json!("ada@example.com")));
}

/// By it organisations take turns in queues.
#[test]
fn every_message_tells_its_organisation() {
    for consumer in daybook_consumers::CONSUMERS {
        let event = event(&format!("{}/queue", consumer.function()));
        let body = event["Records"][0]["body"].as_str().expect("a message");
        assert!(consumer.org_of(body).is_some(), "{}: {body}", consumer.function());
    }
}

#[tokio::test]
async fn what_triggers_hand_over_is_dealt_with() {
    let world = World::new().await;
    let nothing = json!({"batchItemFailures": []});
    let ask: daybook_dispatch::Redrive =
        serde_json::from_value(event("dispatch/redrive")["redrive"].clone()).expect("a request of an operator");
    assert!(ask.to > Some(ask.from));
    let stream: StreamEvent = serde_json::from_value(event("dispatch/stream")).expect("an event of the stream");
    assert_eq!(
        on_stream(stream, |fact| world.dispatch(fact), world.system.workers.queues().as_ref(), &Invocation::default())
            .await,
        nothing
    );
    // The entry leads to two mail jobs; its submission doesn't exist here, so no mail is sent.
    assert_eq!(world.work().await, 2);
    assert_eq!(batch(&world, "send-mail/queue").await, nothing);
    assert!(world.mails().is_empty());
    assert_eq!(batch(&world, "send-mail/ses").await, nothing);
    let lead = json!({"email": "zhangsan@example.com"});
    world.visitor().post("/api/leads", lead).await.expect(201);
    world.work().await;
    let to: Vec<String> = world.mails().into_iter().map(|mail| mail.to.clone()).collect();
    // Only the team gets a mail, since the visitor's address was reported as bouncing.
    assert_eq!(to, ["team@example.com"]);
    assert_eq!(batch(&world, "sync-hubspot/queue").await, nothing);
    // The entry of this job doesn't exist here, so there is nothing to do.
    assert_eq!(batch(&world, "run-jobs/queue").await, nothing);
    // Neither does this run.
    assert_eq!(batch(&world, "chat-run/queue").await, nothing);
    // Nor this entry, so no user is told.
    assert_eq!(batch(&world, "notify/queue").await, nothing);
    // Neither do this task and its due item.
    assert_eq!(batch(&world, "remind/queue").await, nothing);
    // The functions read nothing of these events.
    assert!(event("sweep/schedule").is_object() && event("anchor-journal/schedule").is_object());
    world.system.workers.sweep().await.expect("a sweep");
    assert_eq!(world.system.workers.anchor().await.expect("anchors"), 1);
}

#[tokio::test]
async fn events_of_the_gateway_open_a_socket_and_ask_a_question() {
    let gateway = FakeGateway::start().await;
    let site = Some(daybook_runs::Site::Api);
    let world = World::with(WorldOptions { site, gateway: Some(gateway.clone()), ..WorldOptions::default() }).await;
    let function = daybook_chat_socket::SocketChat::new(world.system.chat.clone(), gateway.connections());
    let token = world.owner().await.token.expect("a token");
    for (name, rows) in [("chat-socket/connect", 1), ("chat-socket/message", 0)] {
        world.clock.advance(daybook_store::rows::socket::OPENING);
        let event = serde_json::from_str(&read(&format!("events/{name}.json")).replace("ACCESS_TOKEN", &token));
        let event = event.unwrap_or_else(|error| panic!("{name}: {error}"));
        let answer = daybook_chat_socket::handle(world.system.env.clone(), function.clone(), event).await;
        assert_eq!(answer, json!({"statusCode": 200}), "{name}");
        // The fake gateway has no such connection: the answer finds it gone.
        let open = daybook_store::rows::socket::OpenSocket::count_all(&world.system.env).await.expect("a read");
        assert_eq!(open, rows, "{name}");
    }
    assert_eq!(
        world.journal(daybook_local::DEFAULT_ORG).await.last().map(|fact| fact.event.name().to_owned()).as_deref(),
        Some("message.answer_requested")
    );
}

#[test]
fn every_function_has_an_event_and_every_event_a_test() {
    let mut found = BTreeSet::new();
    for function in fs::read_dir(root().join("events")).expect("a folder") {
        let function = function.expect("an entry").path();
        for file in fs::read_dir(&function).expect("a folder") {
            let file = file.expect("an entry").path();
            let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
            found.insert(format!("{}/{stem}", function.file_name().expect("a name").to_string_lossy()));
        }
    }
    let tested = HTTP.iter().map(|(name, _)| *name).chain(OTHERS).map(str::to_owned).collect();
    assert_eq!(found, tested, "the files in events/");
    let with_events: BTreeSet<String> =
        found.iter().filter_map(|name| Some(name.split_once('/')?.0.to_owned())).collect();
    assert_eq!(with_events, folders("functions").into_iter().collect());
}
