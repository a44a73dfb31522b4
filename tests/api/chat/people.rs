//! Privacy: exports and erasures of people include conversations about them, and those of users.

use super::{asked, conversation, text_at, texts, world};
use crate::privacy::all_there_is;
use crate::ways::with_role;
use daybook_domain::permission::{Permission, Role};
use daybook_testing::llm::FakeLlm;
use daybook_testing::{Person, World, lead};
use serde_json::{Value, json};
use std::time::Duration;

/// Requests an export or an erasure; returns the job that is done.
async fn done(world: &World, owner: &Person, what: &str, email: &str) -> Value {
    let job = owner.post(&format!("/api/privacy/{what}"), json!({"email": email})).await.expect(202).id();
    world.work().await;
    let job = owner.get(&format!("/api/jobs/{job}")).await.expect(200).data();
    assert_eq!(job["status"], "done", "{job}");
    job
}

/// The records of a person in an exported file, by type.
async fn exported(world: &World, owner: &Person, email: &str) -> Vec<Value> {
    let job = done(world, owner, "exports", email).await;
    let url = text_at(&job, "download_url");
    let path = url.strip_prefix(&world.system.env.settings.public_url).expect("an address here");
    world.visitor().get(path).await.expect(200).json()["records"].as_array().expect("a list").clone()
}

/// Asserts that the texts of a conversation are nowhere, once the replies and runs of a day have expired.
async fn assert_erased(world: &World) {
    world.pass(Duration::from_secs(60)).await;
    world.clock.advance(Duration::from_secs(25 * 3600));
    for item in all_there_is(world) {
        assert!(!item.contains("canary"), "{item}");
    }
}

/// A user's conversation about a lead, with a question, an answer and a title.
async fn about_a_lead(world: &World, fake: &FakeLlm, person: &Person) -> String {
    let lead = person.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let body = json!({"linked_to": {"type": "lead", "id": lead}, "title": "A canarytitle"});
    let id = person.post("/api/conversations", body).await.expect(201).id();
    fake.say(&["A canaryanswer"]);
    asked(person, &id, "A canaryquestion").await;
    world.work().await;
    id
}

#[tokio::test]
async fn an_export_of_a_person_has_the_conversations_about_them() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let colleague = world.person(Role::Owner).await;
    about_a_lead(&world, &fake, &colleague).await;
    let other = conversation(&colleague).await;
    asked(&colleague, &other, "About another person").await;

    let records = exported(&world, &owner, "ada@example.com").await;

    let text = json!(records).to_string();
    for canary in ["canarytitle", "canaryquestion", "canaryanswer"] {
        assert!(text.contains(canary), "{canary}: {text}");
    }
    let kinds = texts(&records, "type");
    assert_eq!(kinds.iter().filter(|kind| *kind == "message").count(), 2, "{kinds:?}");
    assert!(!text.contains("another person"), "{text}");
}

#[tokio::test]
async fn an_erasure_of_a_person_takes_the_conversations_about_them() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let colleague = world.person(Role::Owner).await;
    let id = about_a_lead(&world, &fake, &colleague).await;
    let other = conversation(&colleague).await;
    asked(&colleague, &other, "About another person").await;
    world.clock.advance(Duration::from_secs(2));

    done(&world, &owner, "erasures", "ada@example.com").await;

    colleague.get(&format!("/api/conversations/{id}")).await.expect_problem(404, "not_found");
    assert_eq!(super::messages(&colleague, &other).await.len(), 2);
    assert_erased(&world).await;
}

/// A salesperson who has asked a question, with their email address and the conversation.
async fn with_conversation(world: &World, fake: &FakeLlm) -> (Person, String, String) {
    let sales = world.person(Role::Sales).await;
    let id = conversation(&sales).await;
    fake.say(&["A canaryanswer"]);
    asked(&sales, &id, "A canaryquestion").await;
    let email = text_at(&sales.get("/api/auth/me").await.expect(200).data(), "email");
    (sales, email, id)
}

#[tokio::test]
async fn an_export_of_a_user_has_their_conversations() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let (_, email, id) = with_conversation(&world, &fake).await;

    let text = json!(exported(&world, &owner, &email).await).to_string();

    for part in ["canaryquestion", "canaryanswer", id.as_str()] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn an_erasure_of_a_deleted_user_takes_their_conversations() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let (sales, email, _) = with_conversation(&world, &fake).await;
    owner.delete(&format!("/api/users/{}", sales.user.expect("a user"))).await.expect(200);
    world.work().await;
    world.clock.advance(Duration::from_secs(2));

    done(&world, &owner, "erasures", &email).await;

    assert_erased(&world).await;
}

#[tokio::test]
async fn an_export_needs_the_permission_to_inspect_conversations() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let all: Vec<String> = Permission::catalogue().map(|one| one.to_string()).collect();
    for (name, lacks, status) in [("All", "", 202), ("Without", "ai:inspect", 403)] {
        let held: Vec<&str> = all.iter().map(String::as_str).filter(|one| *one != lacks).collect();
        let clerk = with_role(&world, &owner, name, &held).await;
        clerk.post("/api/privacy/exports", json!({"email": "ada@example.com"})).await.expect(status);
    }
}
