//! Second factor tests: TOTP codes and recovery codes.

use crate::ways::{role, with_role};
use daybook_domain::permission::Role;
use daybook_testing::{Answer, Call, Person, World, WorldOptions};
use serde_json::{Value, json};
use std::future::IntoFuture as _;
use std::time::Duration;
use totp_rs::{Builder, Secret};

const PASSWORD: &str = "correct horse battery";

/// The TOTP code at the world's time.
fn code(world: &World, secret: &str) -> String {
    let secret = Secret::try_from_base32(secret).expect("base 32");
    let totp = Builder::new().with_secret(secret).with_account_name("ada").build().expect("a factor");
    totp.generate(world.clock.now().as_second() as u64).to_string()
}

fn login(world: &World, code: Option<&str>) -> Call {
    world.visitor().post("/api/auth/login", json!({"email": "ada@example.com", "password": PASSWORD, "code": code}))
}

/// A user with a second factor, its secret, and their recovery codes.
async fn with_factor(world: &World) -> (Person, String, Vec<String>) {
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let answer = world.visitor().post("/api/auth/register", body).await.expect(201);
    let ada = world.visitor().with_token(answer.json()["access_token"].as_str().expect("a token"));
    world.confirm("ada@example.com").await;
    let begun = ada.post("/api/auth/mfa/setup", json!({"current_password": PASSWORD})).await.expect(200).data();
    let secret = begun["secret"].as_str().expect("a secret").to_owned();
    let url = begun["otpauth_url"].as_str().expect("an address");
    assert!(url.starts_with("otpauth://totp/Daybook:ada%40example.com?") && url.contains(&secret), "{url}");
    // It takes effect only when a code has been confirmed.
    login(world, None).await.expect(200);
    let wrong = ada.post("/api/auth/mfa/confirm", json!({"code": "000000"})).await;
    assert_eq!(wrong.expect_problem(422, "validation_error").violations()[0].1, "wrong_code");
    let confirm = json!({"code": code(world, &secret)});
    let codes = ada.post("/api/auth/mfa/confirm", confirm).await.expect(200).data()["recovery_codes"].clone();
    let codes: Vec<String> = serde_json::from_value(codes).expect("codes");
    assert_eq!(codes.len(), 10);
    let me = ada.get("/api/auth/me").await.expect(200).data();
    assert_eq!(me["second_factor"], true);
    // Reverting the entry would need neither password nor code, so it is refused.
    let entries = ada.get("/api/audit-logs?resource_type=user&limit=1").await.expect(200).data();
    let undo = format!("/api/audit-logs/{}/revert", entries[0]["id"].as_str().expect("an id"));
    ada.post(&undo, json!({})).await.expect_problem(422, "validation_error");
    (ada, secret, codes)
}

fn at_code(answer: Answer) -> String {
    let problem = answer.expect_problem(401, "unauthenticated").json();
    problem["errors"][0]["code"].as_str().unwrap_or_else(|| panic!("no error at the code in {problem}")).to_owned()
}

#[tokio::test]
async fn signing_in_takes_a_code_that_works_once_within_half_a_minute_of_its_time() {
    let world = World::new().await;
    let (_, secret, _) = with_factor(&world).await;
    assert_eq!(at_code(login(&world, None).await), "required");
    assert_eq!(at_code(login(&world, Some("000000")).await), "wrong_code");
    // The code that confirmed it has been used.
    assert_eq!(at_code(login(&world, Some(&code(&world, &secret))).await), "wrong_code");
    world.clock.advance(Duration::from_secs(30));
    let now = code(&world, &secret);
    login(&world, Some(&format!("{} {}", &now[..3], &now[3..]))).await.expect(200);
    assert_eq!(at_code(login(&world, Some(&now)).await), "wrong_code");
    world.clock.advance(Duration::from_secs(60));
    let early = code(&world, &secret);
    world.clock.advance(Duration::from_secs(30));
    login(&world, Some(&early)).await.expect(200);
    let late = code(&world, &secret);
    world.clock.advance(Duration::from_secs(90));
    assert_eq!(at_code(login(&world, Some(&late)).await), "wrong_code");
    let wrong = json!({"email": "ada@example.com", "password": "wrong", "code": code(&world, &secret)});
    let answer = world.visitor().post("/api/auth/login", wrong).await.expect_problem(401, "unauthenticated");
    assert!(answer.json().get("errors").is_none(), "the answer to a wrong password doesn't mention codes");
}

#[tokio::test]
async fn a_code_lets_one_in_also_when_ten_come_at_once() {
    let world = World::new().await;
    let (_, secret, recovery) = with_factor(&world).await;
    world.clock.advance(Duration::from_secs(30));
    world.faults.at_a_distance();
    for code in [code(&world, &secret), recovery[0].clone()] {
        let all = (0..10).map(|_| login(&world, Some(&code)).into_future());
        let answers = futures::future::join_all(all).await;
        assert_eq!(answers.iter().filter(|answer| answer.status.is_success()).count(), 1);
    }
}

#[tokio::test]
async fn recovery_codes_work_once_each_and_are_stored_nowhere() {
    let world = World::new().await;
    let (ada, secret, codes) = with_factor(&world).await;
    login(&world, Some(&codes[3])).await.expect(200);
    assert_eq!(at_code(login(&world, Some(&codes[3])).await), "wrong_code");
    login(&world, Some(&codes[4].to_uppercase())).await.expect(200);
    let cx = world.cx(daybook_local::DEFAULT_ORG);
    let mut kept = String::new();
    for fact in world.journal(cx.org).await {
        let place = daybook_store::schema::Place::Detail(cx.org, fact.id).key();
        kept += &format!("{:?}{fact:?}", cx.env.table.get(&place).await.expect("a read"));
    }
    let user = ada.get("/api/auth/me").await.expect(200).data();
    let id = user["id"].as_str().expect("an id").parse().expect("an id");
    let row = daybook_store::schema::Place::SecondFactor(cx.org, id).key();
    kept += &format!("{:?}", cx.env.table.get(&row).await.expect("a read").expect("a row"));
    for secret in codes.iter().chain([&secret]) {
        assert!(!kept.contains(secret.as_str()), "{secret} is stored");
    }
}

#[tokio::test]
async fn it_is_switched_off_by_password_and_code_or_by_an_administrator() {
    let world = World::new().await;
    let (ada, secret, codes) = with_factor(&world).await;
    let again = ada.post("/api/auth/mfa/setup", json!({"current_password": PASSWORD})).await;
    again.expect_problem(409, "conflict");
    let off = |password: &str, code: &str| {
        ada.post("/api/auth/mfa/disable", json!({"current_password": password, "code": code}))
    };
    off("wrong", &codes[0]).await.expect_problem(422, "validation_error");
    off(PASSWORD, "000000").await.expect_problem(422, "validation_error");
    off(PASSWORD, &codes[0]).await.expect(200);
    login(&world, None).await.expect(200);
    off(PASSWORD, &codes[1]).await.expect_problem(409, "conflict");

    let other = World::new().await;
    let (eva, _, _) = with_factor(&other).await;
    let owner = other.owner().await;
    let me = eva.get("/api/auth/me").await.expect(200).data();
    let path = format!("/api/users/{}", me["id"].as_str().expect("an id"));
    owner.patch(&path, json!({"second_factor": false})).await.expect(200);
    login(&other, None).await.expect(200);
    // An administrator can't set up a second factor for a user.
    owner.patch(&path, json!({"second_factor": true})).await.expect(200);
    assert_eq!(owner.get(&path).await.expect(200).data()["second_factor"], Value::Bool(false));
    assert!(!secret.is_empty());
}

/// Asserts that the second factor of the user at a path is on: signing in takes a code.
async fn assert_on(world: &World, owner: &Person, path: &str) {
    assert_eq!(owner.get(path).await.expect(200).data()["second_factor"], true);
    assert_eq!(at_code(login(world, None).await), "required");
}

/// The entry by which a user's second factor was turned on.
async fn entry_of(owner: &Person, user: &str) -> Value {
    let entries = owner.get(&format!("/api/audit-logs?resource_id={user}")).await.expect(200).data();
    let turned_on = |entry: &&Value| {
        let changes = entry["changes"].as_array();
        changes.is_some_and(|all| all.iter().any(|one| one["field"] == "second_factor" && one["after"] == true))
    };
    entries.as_array().and_then(|all| all.iter().find(turned_on)).expect("an entry").clone()
}

/// The calls that would turn a user's second factor off: by their path, and by undo of the entry that turned it on.
fn ways_off(by: &Person, path: &str, entry: &Value) -> [Call; 4] {
    let off = json!({"second_factor": false});
    let undo = format!("/api/audit-logs/{}/revert", entry["id"].as_str().expect("an id"));
    [
        by.patch(path, off.clone()),
        by.put(path, off),
        by.post(&undo, json!({})),
        by.post("/api/audit-logs/revert", json!({"request_id": entry["request_id"]})),
    ]
}

#[tokio::test]
async fn a_session_or_a_key_alone_doesn_t_turn_it_off() {
    let world = World::new().await;
    let (ada, _, codes) = with_factor(&world).await;
    let owner = world.owner().await;
    let me = ada.get("/api/auth/me").await.expect(200).data();
    let path = format!("/api/users/{}", me["id"].as_str().expect("an id"));
    let entry = entry_of(&owner, me["id"].as_str().expect("an id")).await;
    let body = json!({"name": "K", "permissions": ["users:read", "users:manage", "audit:read", "audit:revert"]});
    let key = ada.post("/api/api-keys", body).await.expect(201).data();
    let key = world.visitor().with_token(key["key"].as_str().expect("a secret"));
    let off = json!({"second_factor": false});
    for by in [&ada, &key] {
        for call in ways_off(by, &path, &entry) {
            let refused = call.await.expect_problem(422, "validation_error").violations();
            assert_eq!(refused[0].0, "/second_factor");
            assert_eq!(owner.get(&path).await.expect(200).data()["second_factor"], true);
        }
        assert_on(&world, &owner, &path).await;
    }
    ada.patch("/api/auth/me", off.clone()).await.expect_problem(422, "validation_error");
    key.patch("/api/auth/me", off).await.expect_problem(403, "forbidden");
    let disable = |password: &str| json!({"current_password": password, "code": codes[0]});
    ada.post("/api/auth/mfa/disable", disable("wrong")).await.expect_problem(422, "validation_error");
    key.post("/api/auth/mfa/disable", disable(PASSWORD)).await.expect_problem(403, "forbidden");
    assert_on(&world, &owner, &path).await;
    login(&world, Some(&codes[0])).await.expect(200);
}

#[tokio::test]
async fn a_colleague_with_less_power_doesn_t_turn_it_off_and_an_administrator_does() {
    let world = World::new().await;
    let (ada, _, _) = with_factor(&world).await;
    let (owner, admin) = (world.owner().await, world.person(Role::Admin).await);
    let clerks = ["users:read", "users:manage", "audit:read", "audit:revert"];
    let clerk = with_role(&world, &owner, "Clerk", &clerks).await;
    // This one has all permissions that Ada will have, but for other records.
    let peers = [&clerks[..], &["leads:read:own"]].concat();
    let peer = with_role(&world, &owner, "Peer", &peers).await;
    let me = ada.get("/api/auth/me").await.expect(200).data();
    let path = format!("/api/users/{}", me["id"].as_str().expect("an id"));
    let entry = entry_of(&owner, me["id"].as_str().expect("an id")).await;
    let off = json!({"second_factor": false});
    let refused = async |by: &Person| {
        for call in ways_off(by, &path, &entry) {
            call.await.expect_problem(403, "forbidden");
            assert_eq!(owner.get(&path).await.expect(200).data()["second_factor"], true);
        }
        assert_on(&world, &owner, &path).await;
    };
    // Ada is an owner, so administrators are among those with less.
    for by in [&clerk, &peer, &admin, &world.person(Role::Manager).await, &world.person(Role::Viewer).await] {
        refused(by).await;
    }
    let reader = role(&owner, "Reader", &["leads:read:own"]).await.to_string();
    owner.patch(&path, json!({"role": reader})).await.expect(200);
    for by in [&clerk, &peer] {
        refused(by).await;
    }
    admin.patch(&path, off.clone()).await.expect(200);
    assert_eq!(owner.get(&path).await.expect(200).data()["second_factor"], false);
    login(&world, None).await.expect(200);
}

#[tokio::test]
async fn wrong_codes_are_throttled_like_wrong_passwords() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    with_factor(&world).await;
    let mut reached = 0;
    for n in 0..20 {
        let visitor = world.visitor().from(&format!("198.51.100.{n}"));
        let body = json!({"email": "ada@example.com", "password": PASSWORD, "code": format!("{n:06}")});
        reached += usize::from(visitor.post("/api/auth/login", body).await.status.as_u16() == 401);
    }
    assert_eq!(reached, 5);
}
