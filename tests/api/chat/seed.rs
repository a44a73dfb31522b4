//! The requests of AI Chat Studio's README, whose chat Daybook replaces: they work with another host, ids and token.

use super::{asked, conversation, listed, messages, question, text_at, texts, with, world};
use axum::http::Method;
use daybook_testing::{Person, World};
use serde_json::{Value, json};

/// The body of the README's chat.
const CHAT: &str = r#"{
    "messages": [
      {
        "id": "msg1",
        "content": "你好",
        "role": "user",
        "timestamp": 1697467200000
      }
    ],
    "model": "gpt-3.5-turbo"
  }"#;

/// Registers as the README does; returns the user, and the answer.
async fn registered(world: &World) -> (Person, Value) {
    let body = r#"{
    "username": "testuser",
    "email": "test@example.com",
    "password": "password123"
  }"#;
    let register = world.visitor().call(Method::POST, "/api/auth/register").body("application/json", body);
    let told = register.await.expect(201).json();
    (world.visitor().with_token(&text_at(&told, "access_token")), told)
}

/// The body of the README's chat in a conversation.
fn chat_in(conversation: &str) -> Value {
    let chat: Value = serde_json::from_str(CHAT).expect("JSON");
    with(chat, json!({"conversation_id": conversation}))
}

#[tokio::test]
async fn registering_answers_with_a_bare_token_that_works_at_once() {
    let world = World::new().await;
    let (user, told) = registered(&world).await;
    assert_eq!((&told["token_type"], &told["success"]), (&json!("bearer"), &Value::Null));
    let me = user.get("/api/auth/me").await.expect(200).data();
    assert_eq!((&me["username"], &me["email"]), (&json!("testuser"), &json!("test@example.com")));
}

#[tokio::test]
async fn a_greeting_in_chinese_is_answered_bare_in_chinese_with_a_note_that_it_is_offline() {
    let world = World::new().await;
    let (user, _) = registered(&world).await;
    let answer = user.call(Method::POST, "/api/chat").body("application/json", CHAT).await.expect(200).json();
    let content = text_at(&answer, "content");
    assert!(content.starts_with("你好! 我是AI助手，很高兴为你服务!"), "{content}");
    assert!(content.contains("离线"), "{content}");
    assert_eq!((&answer["model"], &answer["success"]), (&json!("gpt-3.5-turbo"), &Value::Null));
    let tokens = answer["tokens"].as_u64().expect("a number");
    let used = |field: &str| answer["usage"][field].as_u64().expect("a number");
    assert!(tokens > 0 && tokens == used("input") + used("output"), "{answer}");
}

#[tokio::test]
async fn a_chat_without_a_conversation_keeps_nothing() {
    let world = World::new().await;
    let (user, _) = registered(&world).await;
    let answer = user.call(Method::POST, "/api/chat").body("application/json", CHAT).await.expect(200).json();
    assert_eq!((&answer["conversation_id"], &answer["message_id"]), (&Value::Null, &Value::Null));
    assert!(listed(&user, "/api/conversations").await.is_empty());
}

#[tokio::test]
async fn a_conversation_is_created_listed_read_changed_and_deleted() {
    let world = World::new().await;
    let (user, _) = registered(&world).await;
    let made = user.post("/api/conversations", json!({"title": "新对话"})).await.expect(201).data();
    let id = text_at(&made, "id");
    let path = format!("/api/conversations/{id}");
    assert_eq!((&made["title"], &made["message_count"]), (&json!("新对话"), &json!(0)));
    assert_eq!(texts(&listed(&user, "/api/conversations").await, "id"), [id.as_str()]);
    assert_eq!(user.get(&path).await.expect(200).data(), made);

    let changed = user.put(&path, json!({"title": "改名"})).await.expect(200).data();
    assert_eq!((&changed["title"], &changed["model"]), (&json!("改名"), &made["model"]));
    user.delete(&path).await.expect(200);

    user.get(&path).await.expect_problem(404, "not_found");
    assert!(listed(&user, "/api/conversations").await.is_empty());
}

#[tokio::test]
async fn a_conversation_keeps_the_client_s_id_and_time_of_a_message() {
    let world = World::new().await;
    let (user, _) = registered(&world).await;
    let id = conversation(&user).await;
    user.post("/api/chat", chat_in(&id)).await.expect(200);
    let kept = messages(&user, &id).await;
    assert_eq!((&kept[0]["client_id"], &kept[0]["timestamp"]), (&json!("msg1"), &json!(1_697_467_200_000_i64)));
    assert_eq!(texts(&kept, "role"), ["user", "assistant"]);
}

#[tokio::test]
async fn retired_names_of_models_stand_for_newer_ones() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    for (name, answers, path) in [
        ("gpt-3.5-turbo", "gpt-6-luna", "/v1/responses"),
        ("claude-3-opus-20240229", "claude-opus-5-5", "/v1/messages"),
    ] {
        let answer = owner.post("/api/chat", with(question("Hi"), json!({"model": name}))).await.expect(200).json();
        assert_eq!((&answer["model"], &answer["provider_model"]), (&json!(name), &json!(answers)));
        let seen = fake.requests().pop().expect("a request");
        assert_eq!((seen.path.as_str(), &seen.body["model"]), (path, &json!(answers)));
    }
}

#[tokio::test]
async fn retired_names_of_models_work_without_any_provider() {
    let world = World::new().await;
    let owner = world.owner().await;
    for name in ["gpt-3.5-turbo", "claude-3-opus-20240229"] {
        let answer = owner.post("/api/chat", with(question("Hi"), json!({"model": name}))).await.expect(200).json();
        assert_eq!((&answer["model"], &answer["provider_model"]), (&json!(name), &json!("offline")));
        assert!(text_at(&answer, "content").contains("offline"), "{answer}");
    }
}

#[tokio::test]
async fn a_system_message_becomes_the_prompt_of_its_conversation() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    let first = json!({"conversation_id": id, "model": "claude-haiku-5-5", "messages": [
        {"role": "system", "content": "Answer in rhymes."}, {"role": "user", "content": "Hi"},
    ]});
    owner.post("/api/chat", first).await.expect(200);
    owner.patch(&format!("/api/conversations/{id}"), json!({"model": "claude-haiku-5-5"})).await.expect(200);

    asked(&owner, &id, "And now?").await;

    assert_eq!(super::shown(&owner, &id).await["system_prompt"], "Answer in rhymes.");
    for seen in fake.requests() {
        assert_eq!(seen.body["system"], "Answer in rhymes.", "{}", seen.body);
        assert!(!seen.body["messages"].to_string().contains("rhymes"), "{}", seen.body);
    }
    assert_eq!(texts(&messages(&owner, &id).await, "role"), ["user", "assistant", "user", "assistant"]);
}
