//! The AI part of the least-privilege test: asks questions behind the HTTP API and at the URL that streams, calls all
//! routes of conversations and AI settings, and does the resulting work.

use super::{Seen, made};
use axum::http::Method;
use daybook_domain::permission::Role;
use daybook_local::DEFAULT_ORG;
use daybook_runs::Site;
use daybook_testing::{FakeGateway, Person, Right, World, WorldOptions};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The calls of the functions of the AI chat, and of those that do their work.
pub async fn chat() -> BTreeMap<&'static str, BTreeSet<Right>> {
    let mut streaming = seen_at(Site::Stream).await;
    stream(&mut streaming).await;
    let mut all = streaming.rights;
    // On AWS a function of its own has these routes at the URL that streams.
    let at_url = all.remove("chat").expect("calls of the chat");
    all.entry("chat-stream").or_default().extend(at_url);

    for (function, rights) in sockets().await {
        all.entry(function).or_default().extend(rights);
    }

    let mut seen = seen_at(Site::Api).await;
    let owner = seen.world.owner().await;
    questions(&mut seen, &owner).await;
    conversations(&mut seen, &owner).await;
    settings(&mut seen, &owner).await;
    temporary(&mut seen, &owner).await;
    for (function, rights) in seen.rights {
        all.entry(function).or_default().extend(rights);
    }
    all
}

async fn seen_at(site: Site) -> Seen {
    Seen::of(World::with(WorldOptions { rate_limits: true, site: Some(site), ..WorldOptions::default() }).await)
}

/// The calls of the gateway's function, and of the workers that send to sockets: answers, notifications, and the end of a
/// session.
async fn sockets() -> BTreeMap<&'static str, BTreeSet<Right>> {
    let gateway = FakeGateway::start().await;
    let options = WorldOptions {
        rate_limits: true,
        site: Some(Site::Api),
        gateway: Some(gateway.clone()),
        ..WorldOptions::default()
    };
    let mut seen = Seen::of(World::with(options).await);
    let (owner, manager) = (seen.world.owner().await, seen.world.person(Role::Manager).await);
    let team = json!({"name": "North", "member_ids": [manager.user.expect("a user").to_string()]});
    seen.ask(&owner, Method::POST, "/api/teams", team, 201).await;
    let viewer = seen.world.person(Role::Viewer).await;
    let mut tickets = Vec::new();
    for person in [&owner, &manager, &viewer, &owner] {
        let made = seen.ask(person, Method::POST, "/api/ws/ticket", Value::Null, 201).await;
        tickets.push(made["data"]["ticket"].as_str().expect("a ticket").to_owned());
    }
    seen.world.faults.take_rights();
    let mut open = Vec::new();
    for ticket in &tickets {
        open.push(gateway.open(&seen.world.system, &[("ticket", ticket)], &[]).await.expect("a connection"));
    }
    let (gone, mut socket) = (open.pop().expect("a socket"), open.remove(0));
    for frame in [json!({"type": "chat", "content": "One", "id": "q1"}), json!({"type": "ping"})] {
        socket.ask(frame).await;
    }
    let ack = open[0].ask(json!({"type": "chat", "content": "Two"})).await;
    open[1].ask(json!({"type": "chat", "content": "Three"})).await;
    seen.note("chat-socket");
    for step in 0..2 {
        let facts = seen.world.journal(DEFAULT_ORG).await;
        let wanted = seen.wanted(&facts, "chat-run");
        seen.work("chat-run", wanted).await;
        if step == 0 {
            // Sockets that read an answer which has ended, or which is on its way, and one whose connection is gone.
            socket.send(json!({"type": "resume", "run_id": ack["run_id"]})).await;
            open[0].send(json!({"type": "resume", "run_id": ack["run_id"]})).await;
            socket.send(json!({"type": "chat", "content": "Four"})).await;
            seen.world.clock.advance(Duration::from_secs(5));
            drop(socket);
            socket = gateway
                .open(&seen.world.system, &[], &[("Authorization", &bearer(&owner))])
                .await
                .expect("a connection");
            socket.send(json!({"type": "chat", "content": "Five"})).await;
            socket.send(json!({"type": "stop"})).await;
            seen.note("chat-socket");
        }
    }
    seen.world.clock.advance(Duration::from_secs(5));
    drop(gone);
    let task = json!({"title": "Call", "assignee_id": manager.user.expect("a user")});
    seen.ask(&owner, Method::POST, "/api/tasks", task, 201).await;
    let held = json!({"email": "one@example.com", "first_name": "see https://x.example"});
    seen.world.visitor().post("/api/leads", held).await.expect(201);
    let facts = seen.world.journal(DEFAULT_ORG).await;
    let wanted = seen.wanted(&facts, "notify");
    seen.work("notify", wanted).await;
    manager.post("/api/auth/logout", json!({})).await.expect(200);
    let facts = seen.world.journal(DEFAULT_ORG).await;
    let wanted = seen.wanted(&facts, "notify");
    // The gateway is busy for a while, and they are tried again.
    gateway.be_busy(1_000);
    seen.work("notify", wanted.clone()).await;
    gateway.be_busy(0);
    seen.work("notify", wanted).await;
    let again: Vec<String> = seen.due().await.into_iter().filter(|message| message.contains("aud_")).collect();
    assert!(!again.is_empty(), "nothing is tried again");
    seen.work("notify", again).await;
    seen.world.faults.take_rights();
    socket.close().await;
    seen.note("chat-socket");
    seen.rights.retain(|function, _| ["chat-socket", "chat-run", "notify"].contains(function));
    seen.rights
}

fn bearer(person: &Person) -> String {
    format!("Bearer {}", person.token.as_deref().expect("a token"))
}

/// A question, in a conversation or not.
fn question(conversation: Option<&str>) -> Value {
    let turn = json!({"role": "user", "content": "What is an offer?"});
    json!({"messages": [turn], "conversation_id": conversation.map(id_of)})
}

/// Streams answers, in a conversation and without one, reads one again, and stops one.
async fn stream(seen: &mut Seen) {
    let owner = seen.world.owner().await;
    let conversation = made(seen, &owner, "/api/conversations", json!({})).await;
    let kept = Some(conversation.as_str());
    for kept in [kept, kept, None] {
        let mut body = question(kept);
        body["stream"] = json!(true);
        seen.ask(&owner, Method::POST, "/api/chat", body, 200).await;
    }
    let turn = json!({"role": "user", "parts": [{"type": "text", "text": "What is an offer?"}]});
    for chat in [id_of(&conversation), "chat-of-a-page"] {
        seen.ask(&owner, Method::POST, "/api/chat/ui", json!({"id": chat, "messages": [turn]}), 200).await;
        seen.ask(&owner, Method::GET, &format!("/api/chat/ui/{chat}/stream"), Value::Null, 204).await;
    }
    let again = json!({"id": id_of(&conversation), "messages": [turn], "trigger": "regenerate-message"});
    seen.ask(&owner, Method::POST, "/api/chat/ui", again, 200).await;
    seen.ask(&owner, Method::GET, "/v1/models", Value::Null, 200).await;
    let asked = json!({"messages": [{"role": "user", "content": "What is an offer?"}]});
    seen.ask(&owner, Method::POST, "/v1/chat/completions", asked, 200).await;
    seen.ask(&owner, Method::POST, "/v1/responses", json!({"input": "What is an offer?"}), 200).await;
    seen.leave(&owner, question(Some(&conversation))).await;
    let run = run_of(seen, &owner, &conversation).await;
    seen.ask(&owner, Method::POST, &format!("{run}/stop"), Value::Null, 200).await;
    for path in [format!("{run}/events"), run] {
        seen.ask(&owner, Method::GET, &path, Value::Null, 200).await;
    }
}

/// Asks questions that the queue's worker answers, and stops one before.
async fn questions(seen: &mut Seen, owner: &Person) {
    let conversation = made(seen, owner, "/api/conversations", json!({})).await;
    let kept = Some(conversation.as_str());
    for kept in [kept, kept, None] {
        seen.leave(owner, question(kept)).await;
        let facts = seen.world.journal(DEFAULT_ORG).await;
        let wanted = seen.wanted(&facts, "chat-run");
        seen.work("chat-run", wanted).await;
    }
    seen.leave(owner, question(Some(&conversation))).await;
    let run = run_of(seen, owner, &conversation).await;
    seen.ask(owner, Method::POST, &format!("{run}/stop"), Value::Null, 200).await;
    seen.ask(owner, Method::GET, &run, Value::Null, 200).await;
    seen.ask(owner, Method::GET, &format!("{run}/events"), Value::Null, 400).await;
    // The message to generate this answer is lost, and the run's due item leads to another one.
    seen.leave(owner, question(Some(&conversation))).await;
    seen.world.clock.advance(Duration::from_secs(120));
    let checks = seen.due().await.into_iter().filter(|message| message.contains("run_")).collect();
    seen.work("chat-run", checks).await;
}

/// Calls all routes of conversations.
async fn conversations(seen: &mut Seen, owner: &Person) {
    let (get, post) = (Method::GET, Method::POST);
    let none = Value::Null;
    let customer = made(seen, owner, "/api/customers", json!({"name": "ABC"})).await;
    let about = json!({"type": "customer", "id": id_of(&customer)});
    let linked = json!({"title": "Offer", "tags": ["abc"], "linked_to": about});
    let conversation = made(seen, owner, "/api/conversations", linked).await;
    seen.leave(owner, question(Some(&conversation))).await;
    let facts = seen.world.journal(DEFAULT_ORG).await;
    let wanted = seen.wanted(&facts, "chat-run");
    seen.work("chat-run", wanted).await;
    for query in ["", "?search=offer", "?trashed=true", &format!("?linked_to={}", id_of(&customer))] {
        seen.ask(owner, get.clone(), &format!("/api/conversations{query}"), none.clone(), 200).await;
    }
    seen.ask(owner, post.clone(), "/api/conversations/search", json!({"limit": 1}), 200).await;
    for path in ["", "/messages", "/export", "/export?format=json"] {
        seen.ask(owner, get.clone(), &format!("{conversation}{path}"), none.clone(), 200).await;
    }
    seen.ask(owner, post.clone(), &format!("{conversation}/fork"), json!({}), 201).await;
    seen.ask(owner, Method::PUT, &conversation, json!({"title": "Price"}), 200).await;
    seen.ask(owner, Method::PATCH, &conversation, json!({"linked_to": null, "folder": "ABC"}), 200).await;
    seen.ask(owner, Method::DELETE, &conversation, none.clone(), 200).await;
    seen.ask(owner, post, &format!("{conversation}/restore"), none.clone(), 200).await;
    let user = owner.user.expect("a user");
    let messages = conversation.replace("/api/", "/api/ai/") + "/messages";
    for path in ["/api/ai/conversations", &format!("/api/ai/conversations?owner_id={user}"), &messages] {
        seen.ask(owner, get.clone(), path, none.clone(), 200).await;
    }
}

/// Calls the routes of models, usage, budgets and keys, and exhausts a budget.
async fn settings(seen: &mut Seen, owner: &Person) {
    let (get, put) = (Method::GET, Method::PUT);
    let user = owner.user.expect("a user");
    let usage = format!("/api/ai/usage?user_id={user}");
    for path in ["/api/models", "/api/ai/usage", &usage, "/api/ai/budgets", "/api/integrations/ai"] {
        seen.ask(owner, get.clone(), path, Value::Null, 200).await;
    }
    for key in [json!("sk-test"), Value::Null] {
        seen.ask(owner, put.clone(), "/api/integrations/ai", json!({"api_keys": {"openai": key}}), 200).await;
    }
    for tokens in [1_000_000, 1] {
        let budget = json!({"organization": {"daily_tokens": tokens}});
        seen.ask(owner, put.clone(), "/api/ai/budgets", budget, 200).await;
    }
    seen.ask(owner, Method::POST, "/api/chat", question(None), 402).await;
}

/// A temporary conversation is erased at its end.
async fn temporary(seen: &mut Seen, owner: &Person) {
    made(seen, owner, "/api/conversations", json!({"temporary": true})).await;
    seen.world.clock.advance(Duration::from_secs(31 * 86_400));
    let ends: Vec<String> = seen.due().await.into_iter().filter(|message| message.contains("cnv_")).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    seen.work("remind", ends).await;
    let facts = seen.world.journal(DEFAULT_ORG).await;
    let job = seen.wanted(&facts, "run-jobs").pop().expect("a job");
    seen.work("run-jobs", vec![job]).await;
}

/// The path of the run in progress of a conversation.
async fn run_of(seen: &mut Seen, owner: &Person, conversation: &str) -> String {
    let found = seen.ask(owner, Method::GET, conversation, Value::Null, 200).await;
    format!("/api/chat/runs/{}", found["data"]["run_id"].as_str().expect("a run in progress"))
}

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().expect("an id")
}

impl Seen {
    /// Asks a question that the queue's worker answers, leaves once its run is stored, and records the calls.
    async fn leave(&mut self, who: &Person, body: Value) {
        self.world.faults.take_rights();
        let call = who.post("/api/chat", body).into_future();
        let raw = &self.world.raw;
        let is_queued = |item: &Value| item["state"]["S"] == "queued";
        let stored = async {
            while !raw.everything().iter().any(is_queued) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            answer = call => panic!("answered without its worker: {}", answer.text),
            () = stored => {}
        }
        self.note("chat");
    }
}
