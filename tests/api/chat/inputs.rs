//! Bad input: a clear problem, and nothing changed. Requests that come twice, and at once.

use super::{
    asked, assert_unchanged, conversation, messages, question, question_in, shown, slowly, streamed, table, text_at,
    with, world,
};
use axum::http::Method;
use daybook_testing::{Answer, Person, World};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Asserts that a body is refused with one violation and changes nothing.
async fn refused(world: &World, person: &Person, body: Value, place: &str, code: &str) {
    let before = table(world);
    let shown: String = body.to_string().chars().take(200).collect();
    let answer = person.post("/api/chat", body.clone()).await.expect_problem(422, "validation_error");
    assert_eq!(answer.violations(), [(place.to_owned(), code.to_owned())], "{shown}");
    person.post("/api/chat", streamed(body)).await.expect_problem(422, "validation_error");
    assert_unchanged(world, &before, &shown);
}

/// A question after messages with these roles.
fn of_roles(roles: &[&str]) -> Value {
    let messages: Vec<Value> = roles.iter().map(|role| json!({"role": role, "content": "x"})).collect();
    json!({"messages": messages})
}

#[tokio::test]
async fn an_unknown_model_is_refused_with_those_that_may_be_used() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    let before = table(&world);
    for body in [question("Hi"), question_in(&id, "Hi"), streamed(question("Hi"))] {
        let body = with(body, json!({"model": "gpt-99"}));
        let problem = owner.post("/api/chat", body).await.expect_problem(400, "unknown_model").json();
        let detail = text_at(&problem, "detail");
        for model in ["gpt-99", "gpt-6-luna", "claude-haiku-5-5", "deepseek-flash", "offline"] {
            assert!(detail.contains(model), "{model}: {detail}");
        }
    }
    assert_unchanged(&world, &before, "an unknown model");
    assert_eq!(fake.requests().len(), 0);
}

#[tokio::test]
async fn texts_that_are_empty_or_too_long_are_refused() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    for empty in ["", " ", "\n\t"] {
        refused(&world, &owner, question(empty), "/messages/0/content", "too_short").await;
        refused(&world, &owner, question_in(&id, empty), "/messages/0/content", "too_short").await;
    }
    // 61 KB, also of characters that JSON escapes.
    for long in ["x".repeat(61 * 1024), "客".repeat(61 * 1024 / 3 + 1), "\"".repeat(61 * 1024 / 2)] {
        refused(&world, &owner, question_in(&id, &long), "/messages/0/content", "too_long").await;
    }
    let before = table(&world);
    owner.post("/api/chat", question_in(&id, &"x".repeat(1 << 20))).await.expect_problem(413, "too_large");
    assert_unchanged(&world, &before, "a megabyte");
    owner.post("/api/chat", question_in(&id, &"x".repeat(60 * 1024))).await.expect(200);
}

#[tokio::test]
async fn too_many_messages_are_refused() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    refused(&world, &owner, of_roles(&["user"; 501]), "/messages", "too_long").await;
    let before = table(&world);
    owner.post("/api/chat", of_roles(&["user"; 10_000])).await.expect_problem(413, "too_large");
    assert_unchanged(&world, &before, "10,000 messages");
    owner.post("/api/chat", of_roles(&["user"; 500])).await.expect(200);
}

#[tokio::test]
async fn roles_out_of_order_are_refused() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    for (roles, place) in [
        (&["assistant", "user"][..], "/messages/0/role"),
        (&["user", "assistant"], "/messages/1/role"),
        (&["user", "assistant", "assistant", "user"], "/messages/2/role"),
        (&["user", "system", "user"], "/messages/1/role"),
        (&["system", "system", "user"], "/messages/1/role"),
        (&["system", "assistant", "user"], "/messages/1/role"),
        (&["system"], "/messages/0/role"),
        (&["user", "tool", "user"], "/messages/1/role"),
        (&[], "/messages"),
    ] {
        refused(&world, &owner, of_roles(roles), place, "invalid_format").await;
    }
    for roles in [&["user"][..], &["system", "user"], &["user", "user"], &["user", "assistant", "user"]] {
        owner.post("/api/chat", of_roles(roles)).await.expect(200);
    }
}

#[tokio::test]
async fn values_out_of_range_and_unknown_fields_are_refused() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    for (more, place, code) in [
        (json!({"temperature": 3}), "/temperature", "out_of_range"),
        (json!({"temperature": -0.1}), "/temperature", "out_of_range"),
        (json!({"temperature": "hot"}), "/temperature", "wrong_type"),
        (json!({"max_tokens": 0}), "/max_tokens", "out_of_range"),
        (json!({"max_tokens": "many"}), "/max_tokens", "wrong_type"),
        (json!({"model": 1}), "/model", "wrong_type"),
        (json!({"conversation_id": "usr_1"}), "/conversation_id", "invalid_id"),
        (json!({"parent_message_id": "1"}), "/parent_message_id", "invalid_id"),
        (json!({"parent_message_id": "msg_01jd2h6q8e5k9v4m3n7p1r0stw"}), "/conversation_id", "required"),
        (json!({"stream": "yes"}), "/stream", "wrong_type"),
        (json!({"tools": []}), "/tools", "unknown_field"),
    ] {
        let before = table(&world);
        let body = with(question("Hi"), more.clone());
        let found = owner.post("/api/chat", body).await.expect_problem(422, "validation_error").violations();
        assert_eq!(found, [(place.to_owned(), code.to_owned())], "{more}");
        assert_unchanged(&world, &before, &more.to_string());
    }
    let critic = json!({"messages": [{"role": "critic", "content": "x"}]});
    owner.post("/api/chat", critic).await.expect_problem(422, "validation_error");
    owner.post("/api/chat", json!({})).await.expect_problem(422, "validation_error");
    owner.call(Method::POST, "/api/chat").body("application/json", "{").await.expect_problem(400, "malformed");
}

#[tokio::test]
async fn a_question_follows_a_message_of_its_own_conversation_alone() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let (id, other) = (conversation(&owner).await, conversation(&owner).await);
    asked(&owner, &id, "Hi").await;
    asked(&owner, &other, "Hi").await;
    let foreign = text_at(&messages(&owner, &other).await[1], "id");
    for parent in ["msg_01jd2h6q8e5k9v4m3n7p1r0stw", &foreign] {
        let body = with(question_in(&id, "And?"), json!({"parent_message_id": parent}));
        refused(&world, &owner, body, "/parent_message_id", "invalid_id").await;
        let again = json!({"messages": [], "conversation_id": id, "parent_message_id": parent});
        refused(&world, &owner, again, "/parent_message_id", "invalid_id").await;
    }
    let unknown = "cnv_01jd2h6q8e5k9v4m3n7p1r0stw";
    owner.post("/api/chat", question_in(unknown, "Hi")).await.expect_problem(404, "not_found");
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn a_fork_ends_at_a_message_of_its_own_conversation() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    let path = format!("/api/conversations/{id}/fork");
    let before = table(&world);
    let refused = owner.post(&path, json!({"message_id": "msg_01jd2h6q8e5k9v4m3n7p1r0stw"})).await;
    let found = refused.expect_problem(422, "validation_error").violations();
    assert_eq!(found, [("/message_id".to_owned(), "invalid_id".to_owned())]);
    assert_unchanged(&world, &before, "a fork");
}

#[tokio::test]
async fn system_messages_are_refused_where_users_have_no_prompts_of_their_own() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = owner.post("/api/conversations", json!({"system_prompt": "Mine"})).await.expect(201).id();
    let settings = json!({"own_prompts": false, "instructions": "Ours", "default_model": "claude-haiku-5-5"});
    owner.put("/api/ai/budgets", settings).await.expect(200);
    let system = with(of_roles(&["system", "user"]), json!({"conversation_id": id}));
    refused(&world, &owner, system, "/messages/0", "invalid_format").await;
    refused(&world, &owner, of_roles(&["system", "user"]), "/messages/0", "invalid_format").await;

    asked(&owner, &id, "Hi").await;
    owner.put("/api/ai/budgets", json!({"own_prompts": true})).await.expect(200);
    asked(&owner, &id, "Hi").await;

    let systems: Vec<Value> = fake.requests().iter().map(|seen| seen.body["system"].clone()).collect();
    assert_eq!(systems, [json!("Ours"), json!("Ours\n\nMine")]);
}

/// An answer that takes half a second.
fn half_a_second() -> daybook_testing::llm::Script {
    slowly(&["word "; 10], Duration::from_millis(50))
}

#[tokio::test]
async fn of_questions_at_once_in_a_conversation_one_is_answered_and_the_others_are_told_its_run() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.always(half_a_second());
    world.faults.at_a_distance();

    let answers = join_all((0..6).map(|_| owner.post("/api/chat", question_in(&id, "Hi")).into_future())).await;

    world.faults.nearby();
    let (good, others): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((good.len(), fake.requests().len(), messages(&owner, &id).await.len()), (1, 1, 2));
    let run = good[0].json()["run_id"].clone();
    for other in others {
        assert_eq!(other.expect_problem(409, "conflict").json()["run_id"], run);
    }
    assert_eq!(shown(&owner, &id).await["message_count"], 2);
    super::assert_settled(&owner).await;
}

#[tokio::test]
async fn a_question_while_another_is_answered_changes_nothing() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.always(half_a_second());
    let mut stream = owner.post("/api/chat", streamed(question_in(&id, "Hi"))).events().await;
    let run = super::run_of(&stream.some(2).await);
    let places = |world: &World| -> BTreeSet<String> {
        world.raw.everything().iter().map(|item| format!("{} {}", item["pk"], item["sk"])).collect()
    };
    let before = places(&world);
    let problem = owner.post("/api/chat", question_in(&id, "And?")).await.expect_problem(409, "conflict").json();
    assert_eq!((problem["run_id"].clone(), places(&world)), (json!(run), before));
    stream.rest().await;
    assert_eq!(messages(&owner, &id).await.len(), 2);
}

#[tokio::test]
async fn a_repeat_with_the_same_key_gets_the_same_answer() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    for body in [question("Hi"), question_in(&id, "Hi")] {
        let before = fake.requests().len();
        let key = format!("key {before}");
        let ask = || owner.post("/api/chat", body.clone()).key(&key);
        let first = ask().await.expect(200).json();
        assert_eq!(ask().await.expect(200).json(), first);
        assert_eq!(fake.requests().len(), before + 1);
        let other = with(body.clone(), json!({"max_tokens": 5}));
        owner.post("/api/chat", other).key(&key).await.expect_problem(422, "idempotency_key_reused");
    }
    assert_eq!(messages(&owner, &id).await.len(), 2);
}

#[tokio::test]
async fn equal_keys_at_once_have_one_run_and_equal_answers() {
    for in_conversation in [true, false] {
        let (world, fake) = world().await;
        let owner = world.owner().await;
        let id = conversation(&owner).await;
        let body = if in_conversation { question_in(&id, "Hi") } else { question("Hi") };
        fake.always(half_a_second());
        world.faults.at_a_distance();
        let ask = || owner.post("/api/chat", body.clone()).key("once").into_future();
        let answers = join_all((0..10).map(|_| ask())).await;
        world.faults.nearby();
        let first = answers[0].clone().expect(200).json();
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), answer.json()), (200, first.clone()));
        }
        assert_eq!(fake.requests().len(), 1);
        assert_eq!(messages(&owner, &id).await.len(), if in_conversation { 2 } else { 0 });
        super::assert_settled(&owner).await;
    }
}
