//! Rights: conversations are their user's own, models are permitted by role, and keys of providers are secret.

use super::{
    asked, conversation, entries, listed, messages, question, question_in, shown, streamed, text_at, texts, with, world,
};
use crate::ways::{key_of, with_role};
use daybook_domain::permission::Role;
use daybook_testing::llm::{FakeLlm, Fault, KEY, Place, Refusal, Script};
use daybook_testing::{Person, World};
use serde_json::{Value, json};

/// A world with a user of the role sales and a conversation of theirs, with a question and its answer.
async fn world_with_conversation() -> (World, FakeLlm, Person, String) {
    let (world, fake) = world().await;
    let sales = world.person(Role::Sales).await;
    let id = conversation(&sales).await;
    asked(&sales, &id, "A private question").await;
    (world, fake, sales, id)
}

/// A question to a model.
fn question_to(model: &str) -> Value {
    with(question("Hi"), json!({"model": model}))
}

#[tokio::test]
async fn a_conversation_is_not_found_by_others_whatever_they_try() {
    let (world, fake, sales, id) = world_with_conversation().await;
    let path = format!("/api/conversations/{id}");
    let before = shown(&sales, &id).await;
    let others = [
        world.owner().await,
        world.person(Role::Admin).await,
        world.person(Role::Manager).await,
        world.person(Role::Sales).await,
        world.stranger().await,
    ];
    for other in &others {
        for call in [
            other.get(&path),
            other.get(&format!("{path}/messages")),
            other.get(&format!("{path}/export")),
            other.put(&path, json!({"title": "Mine"})),
            other.patch(&path, json!({"owner_id": other.user})),
            other.delete(&path),
            other.post(&format!("{path}/restore"), json!({})),
            other.post(&format!("{path}/fork"), json!({})),
            other.post("/api/chat", question_in(&id, "And mine?")),
            other.post("/api/chat", streamed(question_in(&id, "And mine?"))),
        ] {
            call.await.expect_problem(404, "not_found");
        }
    }
    assert_eq!((shown(&sales, &id).await, fake.requests().len()), (before, 1));
}

#[tokio::test]
async fn lists_and_searches_show_a_user_s_own_conversations_alone() {
    let (world, _fake, sales, id) = world_with_conversation().await;
    assert_eq!(texts(&listed(&sales, "/api/conversations").await, "id"), [id.as_str()]);
    let user = sales.user.expect("a user");
    for other in [world.owner().await, world.person(Role::Manager).await, world.stranger().await] {
        for query in
            [String::new(), "?search=private".to_owned(), format!("?owner_id={user}"), "?trashed=true".to_owned()]
        {
            assert!(listed(&other, &format!("/api/conversations{query}")).await.is_empty(), "{query}");
        }
    }
}

#[tokio::test]
async fn another_user_s_message_is_no_parent() {
    let (world, fake, sales, id) = world_with_conversation().await;
    let parent = text_at(&messages(&sales, &id).await[1], "id");
    let other = world.person(Role::Sales).await;
    let own = conversation(&other).await;
    let body = with(question_in(&own, "And mine?"), json!({"parent_message_id": parent}));
    let refused = other.post("/api/chat", body).await.expect_problem(422, "validation_error");
    assert_eq!(refused.violations(), [("/parent_message_id".to_owned(), "invalid_id".to_owned())]);
    let fork = json!({"message_id": parent});
    other.post(&format!("/api/conversations/{own}/fork"), fork).await.expect_problem(422, "validation_error");
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn who_may_inspect_reads_conversations_of_others_and_each_reading_is_on_record() {
    let (world, _fake, sales, id) = world_with_conversation().await;
    let owner = world.owner().await;
    let seen = listed(&owner, "/api/ai/conversations").await;
    assert_eq!((texts(&seen, "id"), &seen[0]["owner_id"]), (vec![id.clone()], &json!(sales.user)));
    let read = listed(&owner, &format!("/api/ai/conversations/{id}/messages")).await;
    assert_eq!(texts(&read, "content"), ["A private question", "Hello from the model."]);

    let viewed = entries(&owner, "record.viewed").await;
    let ids: Vec<String> = viewed.iter().map(|entry| text_at(&entry["resource"], "id")).collect();
    assert_eq!(ids, [id, owner.org.to_string()]);
    for entry in &viewed {
        assert_eq!((&entry["action"], &entry["actor"]["id"]), (&json!("view"), &json!(owner.user)));
    }
}

#[tokio::test]
async fn inspecting_is_recorded_once_where_the_organisation_records_reads() {
    let (world, _fake, _sales, id) = world_with_conversation().await;
    let owner = world.owner().await;
    owner.patch(&format!("/api/organizations/{}", owner.org), json!({"records_reads": true})).await.expect(200);
    owner.get(&format!("/api/ai/conversations/{id}/messages")).await.expect(200);
    let viewed = world.journal(owner.org).await;
    let of_it = viewed.iter().filter(|fact| fact.event.name() == "record.viewed" && fact.record.to_string() == id);
    assert_eq!(of_it.count(), 1);
}

#[tokio::test]
async fn inspecting_is_a_permission_of_its_own() {
    let (world, _fake, _sales, id) = world_with_conversation().await;
    let owner = world.owner().await;
    let inspector = with_role(&world, &owner, "Inspector", &["ai:inspect"]).await;
    assert_eq!(listed(&inspector, &format!("/api/ai/conversations/{id}/messages")).await.len(), 2);
    inspector.post("/api/chat", question("Hi")).await.expect_problem(403, "forbidden");
    let without = with_role(&world, &owner, "Without", &["ai:use", "ai:admin"]).await;
    for person in [without, world.person(Role::Manager).await, world.person(Role::Sales).await] {
        person.get("/api/ai/conversations").await.expect_problem(403, "forbidden");
        person.get(&format!("/api/ai/conversations/{id}/messages")).await.expect_problem(403, "forbidden");
    }
    let stranger = world.stranger().await;
    stranger.get(&format!("/api/ai/conversations/{id}/messages")).await.expect_problem(404, "not_found");
    assert!(listed(&stranger, "/api/ai/conversations").await.is_empty());
}

#[tokio::test]
async fn viewers_spend_nothing() {
    let (world, fake) = world().await;
    let viewer = world.person(Role::Viewer).await;
    let id = conversation(&viewer).await;
    for body in [question("Hi"), question_in(&id, "Hi"), streamed(question("Hi"))] {
        viewer.post("/api/chat", body).await.expect_problem(403, "forbidden");
    }
    viewer.get("/api/models").await.expect_problem(403, "forbidden");
    viewer.get("/api/ai/usage").await.expect_problem(403, "forbidden");
    assert_eq!(fake.requests().len(), 0);
}

#[tokio::test]
async fn a_role_uses_the_models_that_it_may_use_and_no_others() {
    let (world, fake) = world().await;
    let (owner, sales) = (world.owner().await, world.person(Role::Sales).await);
    let permitted = json!({"models": [{"role": "sales", "models": ["gpt-6-luna", "claude-haiku-5-5"]}]});
    owner.put("/api/ai/budgets", permitted).await.expect(200);
    assert_eq!(texts(&listed(&sales, "/api/models").await, "name"), ["claude-haiku-5-5", "gpt-6-luna"]);

    let refused = sales.post("/api/chat", question_to("claude-opus-5-5")).await.expect_problem(400, "unknown_model");
    let detail = text_at(&refused.json(), "detail");
    assert!(detail.contains("claude-haiku-5-5, gpt-6-luna"), "{detail}");
    sales.post("/api/chat", question_to("gpt-4")).await.expect_problem(400, "unknown_model");
    assert_eq!(fake.requests().len(), 0);
    sales.post("/api/chat", question_to("gpt-6-luna")).await.expect(200);
    sales.post("/api/chat", question_to("gpt-3.5-turbo")).await.expect(200);
    let own = sales.post("/api/chat", question("Hi")).await.expect(200).json();
    assert!(["gpt-6-luna", "claude-haiku-5-5"].contains(&text_at(&own, "model").as_str()), "{own}");
    owner.post("/api/chat", question_to("claude-opus-5-5")).await.expect(200);
}

#[tokio::test]
async fn a_model_that_a_role_may_not_use_doesn_t_answer_for_another() {
    let (world, fake) = world().await;
    let (owner, sales) = (world.owner().await, world.person(Role::Sales).await);
    let permitted = json!({"models": [{"role": "sales", "models": ["gpt-6-luna"]}]});
    owner.put("/api/ai/budgets", permitted).await.expect(200);
    fake.always(Script::failing(Place::First, Fault::Refusal(Refusal::Unavailable)));
    sales.post("/api/chat", question_to("gpt-6-luna")).await.expect_problem(502, "upstream_error");
    assert!(fake.requests().iter().all(|seen| seen.path == "/v1/responses"), "{:?}", fake.requests());
}

#[tokio::test]
async fn the_organisation_s_default_model_answers_where_none_is_named() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    owner.put("/api/ai/budgets", json!({"default_model": "deepseek-flash"})).await.expect(200);
    let answer = owner.post("/api/chat", question("Hi")).await.expect(200).json();
    assert_eq!((&answer["model"], &answer["provider_model"]), (&json!("deepseek-flash"), &json!("deepseek-flash")));
    let models = listed(&owner, "/api/models").await;
    let default: Vec<&Value> = models.iter().filter(|model| model["default"] == true).collect();
    assert_eq!((default.len(), &default[0]["name"]), (1, &json!("deepseek-flash")));
}

#[tokio::test]
async fn a_program_asks_with_a_key_that_permits_it() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let program = key_of(&world, &owner, &["ai:use".to_owned()]).await;
    let answer = program.post("/api/chat", question("Hi")).await.expect(200).json();
    program.get(&format!("/api/chat/runs/{}", text_at(&answer, "run_id"))).await.expect(200);
    let report = listed(&owner, "/api/ai/usage").await;
    assert_eq!((report.len(), &report[0]["user_id"]), (1, &json!(owner.user)));

    let id = conversation(&owner).await;
    let refused = program.post("/api/chat", question_in(&id, "Hi")).await.status.as_u16();
    assert!([403, 404].contains(&refused), "{refused}");
    let other = key_of(&world, &owner, &["leads:read:all".to_owned()]).await;
    other.post("/api/chat", question("Hi")).await.expect_problem(403, "forbidden");
    assert_eq!(fake.requests().len(), 1);

    let both = ["ai:use", "conversations:read:own", "conversations:update:own"].map(str::to_owned);
    let program = key_of(&world, &owner, &both).await;
    program.post("/api/chat", question_in(&id, "Hi")).await.expect(200);
    assert_eq!(messages(&owner, &id).await.len(), 2);
}

#[tokio::test]
async fn the_deployment_s_keys_are_the_default_organisation_s() {
    let (world, fake) = world().await;
    let stranger = world.stranger().await;
    for model in ["gpt-6-luna", "claude-haiku-5-5"] {
        let answer = stranger.post("/api/chat", question_to(model)).await.expect(200).json();
        assert_eq!((&answer["model"], &answer["provider_model"]), (&json!(model), &json!("offline")));
        assert!(text_at(&answer, "content").contains("offline"), "{answer}");
    }
    assert_eq!(fake.requests().len(), 0);
    world.owner().await.post("/api/chat", question_to("gpt-6-luna")).await.expect(200);
    assert_eq!(fake.requests()[0].headers["authorization"], format!("Bearer {KEY}"));
}

#[tokio::test]
async fn an_organisation_pays_with_its_own_key_once_it_has_one() {
    let (world, fake) = world().await;
    let stranger = world.stranger().await;
    let keys = json!({"api_keys": {"openai": "sk-canary-own"}});
    let told = stranger.put("/api/integrations/ai", keys).await.expect(200).data();
    let providers = told["providers"].as_array().expect("a list");
    let with_key: Vec<String> =
        providers.iter().filter(|one| one["has_key"] == true).map(|one| text_at(one, "name")).collect();
    assert_eq!((with_key, providers.len()), (vec!["openai".to_owned()], 3));

    stranger.post("/api/chat", question_to("gpt-6-luna")).await.expect(200);
    assert_eq!(fake.requests()[0].headers["authorization"], "Bearer sk-canary-own");
    stranger.post("/api/chat", question_to("claude-haiku-5-5")).await.expect_problem(400, "unknown_model");

    stranger.put("/api/integrations/ai", json!({"api_keys": {"openai": null}})).await.expect(200);
    let answer = stranger.post("/api/chat", question_to("gpt-6-luna")).await.expect(200).json();
    assert_eq!((&answer["provider_model"], fake.requests().len()), (&json!("offline"), 1));
}

#[tokio::test]
async fn a_provider_s_key_is_shown_by_no_answer_and_stored_nowhere_in_clear_text() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let keys =
        json!({"api_keys": {"openai": "sk-canary-one", "anthropic": "sk-canary-two", "deepseek": "sk-canary-three"}});
    let mut told = owner.put("/api/integrations/ai", keys.clone()).key("once").await.expect(200).text;
    told += &owner.put("/api/integrations/ai", keys).key("once").await.text;
    told += &owner.get("/api/integrations/ai").await.expect(200).text;
    told += &owner.get("/api/audit-logs?limit=200").await.expect(200).text;
    for wrong in ["sk-canary with a space", "sk-canary\n", "sk-canary-ü", ""] {
        let refused = owner.put("/api/integrations/ai", json!({"api_keys": {"openai": wrong}})).await;
        told += &refused.expect_problem(422, "validation_error").text;
    }
    owner.post("/api/chat", question_to("gpt-6-luna")).await.expect(200);
    world.work().await;
    assert!(!told.contains("canary"), "{told}");
    for item in world.raw.everything() {
        assert!(!item.to_string().contains("canary"), "{item}");
    }
    let changed = entries(&owner, "ai.keys_changed").await;
    assert_eq!((changed.len(), &changed[0]["action"]), (1, &json!("permission_change")));
}

#[tokio::test]
async fn keys_of_unknown_providers_and_of_none_are_refused() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    for (body, place) in [
        (json!({"api_keys": {"openai": "sk-1", "gemini": "x"}}), "/api_keys/gemini"),
        (json!({"api_keys": {}}), "/api_keys"),
        (json!({}), "/api_keys"),
    ] {
        let refused = owner.put("/api/integrations/ai", body.clone()).await.expect_problem(422, "validation_error");
        assert_eq!(refused.violations()[0].0, place, "{body}");
    }
    let told = owner.get("/api/integrations/ai").await.expect(200).data();
    let providers = told["providers"].as_array().expect("a list");
    assert!(providers.iter().all(|one| one["has_key"] == false), "{told}");
    for person in [world.person(Role::Manager).await, world.person(Role::Sales).await] {
        person.get("/api/integrations/ai").await.expect_problem(403, "forbidden");
        person
            .put("/api/integrations/ai", json!({"api_keys": {"openai": "sk-1"}}))
            .await
            .expect_problem(403, "forbidden");
    }
}
