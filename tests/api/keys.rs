//! API key and form key tests.

use daybook_domain::permission::Role;
use daybook_store::Reach;
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::{Value, json};
use std::time::Duration;

async fn key(owner: &Person, permissions: &[&str]) -> Value {
    let body = json!({"name": "Import", "permissions": permissions});
    owner.post("/api/api-keys", body).await.expect(201).data()
}

fn with(world: &World, key: &Value) -> Person {
    world.visitor().with_token(key["key"].as_str().expect("a secret"))
}

fn path(key: &Value) -> String {
    format!("/api/api-keys/{}", key["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn a_program_does_with_its_key_what_the_key_permits_and_no_more() {
    let world = World::new().await;
    let owner = world.owner().await;
    let made = key(&owner, &["leads:create:all", "leads:read:all"]).await;
    let program = with(&world, &made);
    let id = program.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    program.get(&format!("/api/leads/{id}")).await.expect(200);
    program.patch(&format!("/api/leads/{id}"), json!({"status": "contacted"})).await.expect_problem(403, "forbidden");
    program.get("/api/users").await.expect_problem(403, "forbidden");
    program.get("/api/auth/me").await.expect_problem(403, "forbidden");
    let header = world.visitor().get("/api/leads").header("x-api-key", made["key"].as_str().expect("a secret"));
    assert_eq!(header.await.expect(200).json()["meta"]["count"], 1);
    let both = owner.get("/api/leads").header("x-api-key", made["key"].as_str().expect("a secret"));
    both.await.expect_problem(401, "unauthenticated");
    let by_key = world.journal(daybook_local::DEFAULT_ORG).await;
    let by_key =
        by_key.iter().filter(|fact| fact.actor.id().is_some_and(|id| Some(&*id.to_string()) == made["id"].as_str()));
    assert!(by_key.clone().any(|fact| fact.event.name() == "lead.created"));
    assert_eq!(by_key.filter(|fact| fact.event.name() == "access.denied").count(), 3);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stored_nowhere() {
    let world = World::new().await;
    let owner = world.owner().await;
    let body = json!({"name": "Import", "permissions": ["leads:read:all"]});
    let made = owner.post("/api/api-keys", body.clone()).key("k").await.expect(201).data();
    let secret = made["key"].as_str().expect("a secret");
    owner.post("/api/api-keys", body).key("k").await.expect_problem(409, "conflict");
    for path in [path(&made), "/api/api-keys".to_owned()] {
        let shown = owner.get(&path).await.expect(200).text;
        assert!(!shown.contains(secret) && !shown.contains("sha256"), "{shown}");
    }
    let cx = world.cx(owner.org);
    for fact in world.journal(owner.org).await {
        let place = daybook_store::schema::Place::Detail(cx.org, fact.id).key();
        let detail = format!("{:?}{fact:?}", cx.env.table.get(&place).await.expect("a read"));
        assert!(!detail.contains(&secret[secret.len() - 20..]), "the secret is in the journal: {detail}");
    }
}

#[tokio::test]
async fn a_key_ends_when_it_expires_is_revoked_or_gets_another_secret() {
    let world = World::new().await;
    let owner = world.owner().await;
    let made = key(&owner, &["leads:read:all"]).await;
    let program = with(&world, &made);
    program.get("/api/leads").await.expect(200);
    let late = json!({"expires_at": "2026-11-20T12:00:00Z"});
    owner.patch(&path(&made), late).await.expect_problem(422, "validation_error");
    owner.patch(&path(&made), json!({"expires_at": "2026-11-20T13:00:00Z"})).await.expect(200);
    world.clock.advance(Duration::from_secs(3599));
    let owner = world.owner().await;
    program.get("/api/leads").await.expect(200);
    let rotated = owner.post(&format!("{}/rotate", path(&made)), json!({})).await.expect(200).data();
    program.get("/api/leads").await.expect_problem(401, "unauthenticated");
    let program = with(&world, &rotated);
    program.get("/api/leads").await.expect(200);
    world.clock.advance(Duration::from_secs(1));
    program.get("/api/leads").await.expect_problem(401, "unauthenticated");

    owner.patch(&path(&made), json!({"expires_at": null})).await.expect(200);
    program.get("/api/leads").await.expect(200);
    owner.delete(&path(&made)).await.expect(200);
    program.get("/api/leads").await.expect_problem(401, "unauthenticated");
    for wrong in ["dbk_", "dbk_x.y", "dbk_AAAA.BBBB"] {
        world.visitor().with_token(wrong).get("/api/leads").await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_key_has_a_limit_of_its_own_and_says_when_it_was_used() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let owner = world.owner().await;
    let made = key(&owner, &["leads:read:all"]).await;
    assert_eq!(owner.get(&path(&made)).await.expect(200).data()["last_used_at"], Value::Null);
    owner.patch(&path(&made), json!({"requests_per_minute": 3})).await.expect(200);
    let program = with(&world, &made);
    for _ in 0..3 {
        program.get("/api/leads").await.expect(200);
    }
    program.get("/api/leads").await.expect_problem(429, "rate_limited");
    world.clock.advance(Duration::from_secs(60));
    program.get("/api/leads").await.expect(200);
    let used = owner.get("/api/api-keys").await.expect(200).data()[0]["last_used_at"].clone();
    assert_eq!(used, "2026-11-20T12:01:00.000Z");
    owner.patch(&path(&made), json!({"requests_per_minute": 0})).await.expect_problem(422, "validation_error");
}

#[tokio::test]
async fn what_reaches_one_s_own_records_reaches_those_of_the_key_s_maker() {
    let world = World::new().await;
    let (owner, sales) = (world.owner().await, world.person(Role::Sales).await);
    let made = key(&owner, &["leads:read:own"]).await;
    for (n, person) in [&owner, &sales].into_iter().enumerate() {
        let id = owner.post("/api/leads", lead(&format!("lead{n}@example.com"))).await.expect(201).id();
        owner.patch(&format!("/api/leads/{id}"), json!({"owner_id": person.user})).await.expect(200);
    }
    let seen = with(&world, &made).get("/api/leads").await.expect(200).data();
    assert_eq!(seen.as_array().map(Vec::len), Some(1));
    assert_eq!(seen[0]["owner_id"], json!(owner.user));
    assert!(Reach::own(owner.user).holds(None));
}

#[tokio::test]
async fn a_form_takes_posts_of_its_origins_by_its_key_and_names_their_source() {
    let world = World::new().await;
    let owner = world.owner().await;
    let form = json!({"name": "Campaign", "allowed_origins": ["https://www.example.com"], "default_source": "fair"});
    let id = owner.post("/api/forms", form).await.expect(201).id();
    let key = id.replace("form_", "pk_");
    let post = |origin: &str, email: &str| {
        world.visitor().post("/api/leads", lead(email)).header("x-form-key", &key).header("origin", origin)
    };
    post("https://www.example.com", "ada@example.com").await.expect(201);
    post("https://evil.example", "eva@example.com").await.expect_problem(403, "forbidden");
    let leads = owner.get("/api/leads").await.expect(200).data();
    assert_eq!((leads.as_array().map(Vec::len), leads[0]["source"].as_str()), (Some(1), Some("fair")));
    let one = format!("/api/forms/{id}");
    owner.patch(&one, json!({"allowed_origins": ["https://evil.example"]})).await.expect(200);
    post("https://evil.example", "eva@example.com").await.expect(201);
    owner.delete(&one).await.expect(200);
    post("https://evil.example", "bob@example.com").await.expect_problem(404, "not_found");
    owner.post(&format!("{one}/restore"), json!({})).await.expect(200);
    post("https://evil.example", "bob@example.com").await.expect(201);
    for wrong in ["example.com", "https://www.example.com/path", "ftp://www.example.com", "https://a@b.example"] {
        let answer = owner.patch(&one, json!({"allowed_origins": ["https://a.example", wrong]})).await;
        let found = answer.expect_problem(422, "validation_error").violations();
        assert_eq!(found, [("/allowed_origins/1".to_owned(), "invalid_format".to_owned())], "{wrong}");
    }
    let default = "/api/forms/form_01kdvpaw00fpgv030000000001";
    owner.delete(default).await.expect_problem(409, "conflict");
}
