//! Organisation tests: creation, deletion, restoration and final erasure.

use crate::privacy::all_there_is;
use daybook_domain::permission::Role;
use daybook_local::DEFAULT_ORG;
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

const PASSWORD: &str = "correct horse battery";

/// A user who has registered and owns a new organisation, with its id.
async fn registered(world: &World, email: &str) -> (Person, String) {
    world.owner().await;
    let body = json!({"email": email, "password": PASSWORD, "name": "Canaryowner"});
    let tokens = world.visitor().post("/api/auth/register", body).await.expect(201).json();
    let person = world.visitor().with_token(tokens["access_token"].as_str().expect("a token"));
    world.confirm(email).await;
    let me = person.get("/api/auth/me").await.expect(200).data();
    (person, me["organization_id"].as_str().expect("an id").to_owned())
}

/// A form and an API key of an organisation, both in use.
async fn used(world: &World, owner: &Person) -> (String, Person) {
    let form = owner.post("/api/forms", json!({"name": "Canaryform"})).await.expect(201).id();
    let key = json!({"name": "Canarykey", "permissions": ["leads:read:all"]});
    let key = owner.post("/api/api-keys", key).await.expect(201).data();
    let key = world.visitor().with_token(key["key"].as_str().expect("a secret"));
    let mut posted = lead("canarylead@example.com");
    posted["form_id"] = json!(form);
    world.visitor().post("/api/leads", posted).await.expect(201);
    world.work().await;
    assert_eq!(key.get("/api/leads").await.expect(200).json()["meta"]["count"], 1);
    (form, key)
}

#[tokio::test]
async fn nobody_gets_into_an_organisation_that_was_removed_until_it_is_brought_back() {
    let world = World::new().await;
    let (owner, org) = registered(&world, "eva@example.com").await;
    let (form, key) = used(&world, &owner).await;
    let admin = json!({"email": "bob@example.com", "role": "admin"});
    owner.post("/api/users", admin).await.expect(201);
    let operator = world.owner().await;
    let path = format!("/api/organizations/{org}");
    operator.delete(&path).await.expect_problem(404, "not_found");
    operator.delete(&format!("/api/organizations/{DEFAULT_ORG}")).await.expect(409);
    owner.post(&format!("{path}/restore"), json!({})).await.expect_problem(404, "not_found");

    owner.delete(&path).await.expect(200);

    let sign_in = json!({"email": "eva@example.com", "password": PASSWORD});
    owner.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    key.get("/api/leads").await.expect_problem(401, "unauthenticated");
    world.visitor().post("/api/auth/login", sign_in.clone()).await.expect_problem(401, "unauthenticated");
    let mut posted = lead("late@example.com");
    posted["form_id"] = json!(form);
    world.visitor().post("/api/leads", posted.clone()).await.expect_problem(404, "not_found");
    // The addresses of its users are still taken.
    let again = json!({"email": "eva@example.com", "password": PASSWORD});
    world.visitor().post("/api/auth/register", again).await.expect(409);

    operator.post(&format!("{path}/restore"), json!({})).await.expect(200);
    owner.get("/api/auth/me").await.expect(200);
    world.visitor().post("/api/auth/login", sign_in).await.expect(200);
    world.visitor().post("/api/leads", posted).await.expect(201);
    world.work().await;
    assert_eq!(key.get("/api/leads").await.expect(200).json()["meta"]["count"], 2);
    // The scheduled erasure doesn't happen.
    world.clock.advance(DAY * 31);
    world.pass(Duration::from_secs(60)).await;
    let job = job_of(&world, &org);
    assert!(job.contains("was restored; nothing was erased"), "{job}");
    assert!(all_there_is(&world).iter().any(|item| item.contains("Canarykey")));
}

/// The job that erases an organisation.
fn job_of(world: &World, org: &str) -> String {
    let all = all_there_is(world);
    let job = all.iter().find(|item| item.contains(&format!("{org}#job\"")) && item.contains("organization_erasure"));
    job.unwrap_or_else(|| panic!("no job of {org}")).clone()
}

#[tokio::test]
async fn thirty_days_after_an_organisation_was_removed_nothing_of_it_is_left_but_that_something_was_done() {
    for turn in [None, Some(Duration::ZERO)] {
        erased_after_thirty_days(turn).await;
    }
}

/// Erases an organisation by a job whose turn has this length.
async fn erased_after_thirty_days(job_turn: Option<Duration>) {
    let world = World::with(WorldOptions { job_turn, ..WorldOptions::default() }).await;
    let (owner, org) = registered(&world, "canaryowner@example.com").await;
    used(&world, &owner).await;
    // Converted, a lead frees its number, whose row names it.
    let called = owner.post("/api/leads", json!({"phone": "+49 30 998877665"})).await.expect(201).id();
    owner.post(&format!("/api/leads/{called}/convert"), json!({})).await.expect(201);
    let stay = world.owner().await;
    stay.post("/api/leads", lead("stays@example.com")).await.expect(201);
    owner.delete(&format!("/api/organizations/{org}")).await.expect(200);
    world.work().await;
    let is_there = || all_there_is(&world).iter().any(|item| item.to_lowercase().contains("canary"));

    world.clock.advance(DAY * 29);
    world.pass(Duration::from_secs(60)).await;
    assert!(is_there(), "before its time");
    world.clock.advance(DAY);
    world.pass(Duration::from_secs(300)).await;
    // Its further turns.
    while world.work().await > 0 {
        world.clock.advance(Duration::from_millis(1));
    }

    let job = job_of(&world, &org);
    assert!(job.contains("\\\"status\\\":\\\"done\\\""), "{job}");
    world.clock.advance(DAY);
    let left: Vec<String> = all_there_is(&world)
        .into_iter()
        .filter(|item| item.to_lowercase().contains("canary") || item.contains("998877665"))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    // Other organisations keep their data, and the address is free.
    let stay = world.owner().await;
    assert_eq!(world.leads(&stay).await.len(), 1);
    let (_, new) = registered(&world, "canaryowner@example.com").await;
    assert_ne!(new, org);
}

#[tokio::test]
async fn an_organisation_that_was_removed_again_has_its_thirty_days_again() {
    let world = World::new().await;
    let (owner, org) = registered(&world, "eva@example.com").await;
    let path = format!("/api/organizations/{org}");
    owner.delete(&path).await.expect(200);
    world.clock.advance(DAY * 29);
    world.owner().await.post(&format!("{path}/restore"), json!({})).await.expect(200);
    let sign_in = json!({"email": "eva@example.com", "password": PASSWORD});
    let tokens = world.visitor().post("/api/auth/login", sign_in).await.expect(200).json();
    let owner = world.visitor().with_token(tokens["access_token"].as_str().expect("a token"));
    owner.delete(&path).await.expect(200);
    world.clock.advance(DAY * 2);
    world.pass(Duration::from_secs(120)).await;
    assert!(all_there_is(&world).iter().any(|item| item.contains("Canaryowner")), "a day after it was removed");
    world.clock.advance(DAY * 29);
    world.pass(Duration::from_secs(120)).await;
    world.clock.advance(DAY);
    let left: Vec<String> = all_there_is(&world).into_iter().filter(|item| item.contains("Canaryowner")).collect();
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test]
async fn the_first_owner_of_an_organisation_is_invited_until_there_is_one() {
    let world = World::new().await;
    let operator = world.owner().await;
    let made = json!({"name": "B", "owner_email": "eva@example.com"});
    let org = operator.post("/api/organizations", made).await.expect(201).id();
    world.work().await;
    world.clock.advance(DAY * 8);
    let operator = world.owner().await;
    let path = format!("/api/organizations/{org}/resend");
    world.stranger().await.post(&path, json!({})).await.expect_problem(404, "not_found");
    world.person(Role::Sales).await.post(&path, json!({})).await.expect_problem(403, "forbidden");

    operator.post(&path, json!({})).await.expect(200);

    world.work().await;
    let mails = world.mails();
    let mail = mails.iter().rfind(|mail| mail.to == "eva@example.com").expect("a mail");
    let token = mail.text.split("#invite=").nth(1).expect("a link").split_whitespace().next().expect("a token");
    let accept = json!({"invite_token": token, "email": "eva@example.com", "password": PASSWORD});
    let tokens: Value = world.visitor().post("/api/auth/register", accept).await.expect(201).json();
    assert_eq!(tokens["user"]["role"], "owner");
    operator.post(&path, json!({})).await.expect(409);
}

#[tokio::test]
async fn an_organisation_speaks_the_language_of_its_registration_and_isn_t_named_by_an_address() {
    let world = World::new().await;
    world.owner().await;
    for (n, (header, name, expected)) in [
        ("en-GB,en;q=0.9", None, ("en", "My organisation")),
        ("zh-CN,zh;q=0.9", None, ("zh-CN", "我的组织")),
        ("en", Some("Ada"), ("en", "Ada's organisation")),
        ("zh", Some("张三"), ("zh-CN", "张三的组织")),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("person{n}@example.com");
        let body = json!({"email": email, "password": "correct horse battery", "name": name});
        let answer = world.visitor().post("/api/auth/register", body).header("accept-language", header).await;
        let token = answer.expect(201).json()["access_token"].as_str().expect("a token").to_owned();
        let person = world.visitor().with_token(&token);
        let me = person.get("/api/auth/me").await.expect(200).data();
        let org = me["organization_id"].as_str().expect("an organisation").to_owned();
        let org = person.get(&format!("/api/organizations/{org}")).await.expect(200).data();
        assert_eq!((org["locale"].as_str(), org["name"].as_str()), (Some(expected.0), Some(expected.1)));
        world.work().await;
        // The first mail that it gets is in this language.
        let mail = world.mails().into_iter().rev().find(|mail| mail.to == email).expect("a mail");
        let is_chinese = mail.subject.chars().any(|letter| ('一'..='龥').contains(&letter));
        assert_eq!(is_chinese, expected.0 == "zh-CN", "{}", mail.subject);
    }
}
