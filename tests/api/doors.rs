//! Tests of the doors that are open to all: credentials at forms, answers to repeated posts, and mails to given addresses.

use daybook_domain::permission::Role;
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::json;
use std::time::Duration;

async fn key(world: &World, owner: &Person) -> Person {
    let body = json!({"name": "Import", "permissions": ["leads:create:all", "demos:create:all", "leads:read:all"]});
    let made = owner.post("/api/api-keys", body).await.expect(201).data();
    world.visitor().with_token(made["key"].as_str().expect("a secret"))
}

#[tokio::test]
async fn a_credential_is_trusted_in_its_own_organisation_and_refused_at_others_forms() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let (owner, stranger) = (world.owner().await, world.stranger().await);
    let form = stranger.post("/api/forms", json!({"name": "Campaign"})).await.expect(201).id();
    let public = form.replace("form_", "pk_");
    for by in [key(&world, &owner).await, owner.clone()] {
        for path in ["/api/leads", "/api/demos", "/api/contact"] {
            let mut body = lead("eva@example.com");
            body["message"] = json!("Hello");
            let posted = by.post(path, body.clone()).header("x-form-key", &public);
            posted.await.expect_problem(404, "not_found");
            body["form_id"] = json!(form);
            by.post(path, body).await.expect_problem(404, "not_found");
        }
        by.post(&format!("/f/{form}"), lead("eva@example.com")).await.expect_problem(404, "not_found");
    }
    assert_eq!(stranger.get("/api/submissions").await.expect(200).json()["meta"]["count"], 0);
    // Its own import isn't held, whatever it holds and how much there is of it.
    let by = key(&world, &owner).await;
    for n in 0..70 {
        let mut body = lead(&format!("lead{n}@example.com"));
        body["requirements"] =
            json!("Buy cheap https://a.example https://b.example https://c.example https://d.example");
        by.post("/api/leads", body).await.expect(201);
    }
    assert_eq!(world.leads(&owner).await.len(), 70);
    assert_eq!(owner.get("/api/submissions?status=held").await.expect(200).json()["meta"]["count"], 0);
    // A visitor of the form is served as before.
    world.visitor().post("/api/leads", lead("eva@example.com")).header("x-form-key", &public).await.expect(201);
    assert_eq!(stranger.get("/api/submissions").await.expect(200).json()["meta"]["count"], 1);
}

#[tokio::test]
async fn a_key_books_demonstrations_for_leads_of_its_own_organisation_alone() {
    let world = World::new().await;
    let (owner, stranger) = (world.owner().await, world.stranger().await);
    let (mine, theirs) = (key(&world, &owner).await, key(&world, &stranger).await);
    let id = owner.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let path = format!("/api/leads/{id}/demo");
    theirs.post(&path, json!({"demo_type": "onsite"})).await.expect_problem(404, "not_found");
    let reader = json!({"name": "Reader", "permissions": ["leads:read:all", "demos:read:all"]});
    let reader = owner.post("/api/api-keys", reader).await.expect(201).data();
    let reader = world.visitor().with_token(reader["key"].as_str().expect("a secret"));
    reader.post(&path, json!({"demo_type": "onsite"})).await.expect_problem(403, "forbidden");
    for by in [&owner, &stranger] {
        assert_eq!(by.get("/api/demos").await.expect(200).json()["meta"]["count"], 0);
    }
    let booked = mine.post(&path, json!({"demo_type": "onsite"})).await.expect(201).data();
    assert_eq!((&booked["lead_id"], &booked["demo_type"]), (&json!(id), &json!("onsite")));
    assert_eq!(booked["submission_token"], json!(null), "{booked}");
    let stored = owner.get(&format!("/api/demos/{}", booked["id"].as_str().expect("an id"))).await.expect(200);
    assert_eq!(stored.data(), booked);
    assert_eq!(stranger.get("/api/demos").await.expect(200).json()["meta"]["count"], 0);
}

#[tokio::test]
async fn posts_with_an_own_key_to_the_address_of_a_form_are_neither_held_nor_limited() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let owner = world.owner().await;
    let by = key(&world, &owner).await;
    let form = owner.post("/api/forms", json!({"name": "Campaign"})).await.expect(201).id();
    let path = format!("/f/{form}");
    let body = |email: &str| {
        let mut body = lead(email);
        body["first_name"] = json!("Buy cheap at https://a.example");
        body
    };
    for n in 0..70 {
        let posted = by.post(&path, body(&format!("lead{n}@example.com"))).await.expect(201).data();
        assert_eq!(posted["status"], "new", "{posted}");
    }
    let leads = world.leads(&owner).await;
    assert_eq!(leads.len(), 70);
    assert!(leads.iter().all(|lead| lead["form_id"] == json!(form)), "{}", leads[0]);
    let held = async || owner.get("/api/submissions?status=held").await.expect(200).json()["meta"]["count"].clone();
    assert_eq!(held().await, 0);
    // They didn't count against the form's limit for visitors. The same post by a visitor is held.
    world.visitor().post(&path, lead("eva@example.com")).await.expect(201);
    assert_eq!((held().await, world.leads(&owner).await.len()), (json!(0), 71));
    world.visitor().post(&path, body("visitor@example.com")).await.expect(201);
    assert_eq!((held().await, world.leads(&owner).await.len()), (json!(1), 71));
}

#[tokio::test]
async fn a_stranger_who_repeats_a_post_doesn_t_get_the_visitor_s_answer() {
    let world = World::new().await;
    for (path, body) in [
        ("/api/leads", json!({"email": "ada@example.com"})),
        ("/api/demos", json!({"email": "ada@example.com"})),
        ("/api/contact", json!({"email": "ada@example.com", "message": "Hello"})),
        ("/f/form_01kdvpaw00fpgv030000000001", json!({"email": "ada@example.com"})),
    ] {
        let post =
            |from: &str, agent: &str| world.visitor().from(from).post(path, body.clone()).header("user-agent", agent);
        let first = post("198.51.100.7", "Firefox").await.expect(201);
        let again = post("198.51.100.7", "Firefox").await.expect(201);
        assert_eq!((again.header("idempotency-replayed"), &again.text), ("true", &first.text), "{path}");
        for (from, agent) in [("198.51.100.8", "Firefox"), ("198.51.100.7", "curl"), ("2001:db8::1", "Firefox")] {
            let other = post(from, agent).await.expect(201);
            assert_eq!(other.header("idempotency-replayed"), "", "{path} from {from} by {agent}");
            for field in ["id", "submission_id", "submission_token"] {
                assert_ne!(other.data()[field], first.data()[field], "{path} from {from} by {agent}: {field}");
            }
        }
    }
}

#[tokio::test]
async fn invitations_are_sent_by_users_with_a_confirmed_address_and_not_without_end() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let body = json!({"email": "ada@example.com", "password": "correct horse battery"});
    let ada = world.visitor().post("/api/auth/register", body).await.expect(201).json();
    let ada = world.visitor().with_token(ada["access_token"].as_str().expect("a token"));
    let role = ada.post("/api/roles", json!({"name": "Few", "permissions": ["users:read"]})).await.expect(201).id();
    let colleague = json!({"email": "victim@example.com", "role": role});
    ada.post("/api/invitations", colleague.clone()).await.expect_problem(409, "conflict");
    ada.post("/api/users", colleague.clone()).await.expect_problem(409, "conflict");
    let key = json!({"name": "K", "permissions": ["users:manage", "users:read"]});
    ada.post("/api/api-keys", key).await.expect_problem(409, "conflict");
    let organization = json!({"name": "Blue", "owner_email": "victim@example.com", "locale": "en"});
    ada.post("/api/organizations", organization).await.expect_problem(409, "conflict");
    world.work().await;
    assert!(world.mails().iter().all(|mail| mail.to != "victim@example.com"));

    let mut sent = 0;
    for hour in 0..4 {
        let admin = world.person(Role::Admin).await;
        for n in 0..200 {
            let body = json!({"email": format!("a{hour}.{n}@example.com"), "role": "sales"});
            let answer = admin.post("/api/invitations", body).await;
            match answer.status.as_u16() {
                201 => sent += 1,
                status => assert_eq!(status, 429, "{}", answer.text),
            }
        }
        world.clock.advance(Duration::from_secs(3600));
    }
    assert!((500..600).contains(&sent), "{sent} invitations in four hours");
}
