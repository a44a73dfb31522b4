//! Tests of the health check: it responds in any case, and its numbers are those of the deployment.

use daybook_domain::RecordType;
use daybook_domain::permission::Role;
use daybook_store::rows::counts;
use daybook_testing::{Person, World, WorldOptions};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn health_answers_bare() {
    let world = World::new().await;
    for path in ["/health", "/api/health", "/health/ready"] {
        let body = world.visitor().get(path).await.expect(200).json();
        assert_eq!((body["status"].as_str(), body["message"].as_str()), (Some("healthy"), Some("CRM API is running")));
        assert!(body["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')));
    }
    world.faults.randomly(3, 1.1);
    world.visitor().get("/health").await.expect(200);
    world.visitor().get("/health/ready").await.expect_problem(503, "unavailable");
}

/// The numbers of the health check, once those before are out of date.
async fn numbers(world: &World) -> [Value; 3] {
    world.clock.advance(Duration::from_secs(10));
    let body = world.visitor().get("/health").await.expect(200).json();
    ["active_connections", "total_users", "total_conversations"].map(|name| body[name].clone())
}

/// The numbers of records, counted one by one.
async fn counted(world: &World, of: RecordType) -> usize {
    let prefix = format!("{}_", of.prefix());
    let all = world.raw.everything();
    let is_live = |item: &&Value| {
        let pk = item["pk"]["S"].as_str().unwrap_or_default();
        item["kind"]["S"] == "record" && !pk.contains("#trash#")
    };
    all.iter().filter(is_live).filter(|item| item["sk"]["S"].as_str().unwrap_or_default().starts_with(&prefix)).count()
}

async fn conversation(person: &Person) -> String {
    person.post("/api/conversations", json!({})).await.expect(201).id()
}

#[tokio::test]
async fn its_numbers_follow_all_that_changes_them() {
    let world = World::new().await;
    assert_eq!(numbers(&world).await, [json!(0), json!(0), json!(0)]);
    let (owner, stranger) = (world.owner().await, world.stranger().await);
    let sales = world.person(Role::Sales).await;
    let (server, mut made) = (world.listen().await, Vec::new());
    for person in [&owner, &owner, &stranger, &sales] {
        made.push(format!("/api/conversations/{}", conversation(person).await));
    }
    let bearer = format!("Bearer {}", owner.token.as_deref().expect("a token"));
    let socket = server.open("/ws", &[("authorization", &bearer)]).await.expect("a socket");
    assert_eq!(numbers(&world).await, [json!(1), json!(3), json!(4)]);
    // They are kept for ten seconds.
    made.push(format!("/api/conversations/{}", conversation(&owner).await));
    let kept = world.visitor().get("/health").await.expect(200).json();
    assert_eq!(kept["total_conversations"], 4);
    drop(socket);
    while numbers(&world).await[0] != json!(0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    owner.delete(&made[0]).await.expect(200);
    assert_eq!(numbers(&world).await[2], json!(4));
    owner.post(&format!("{}/restore", made[0]), json!({})).await.expect(200);
    owner.patch(&made[0], json!({"title": "Changed"})).await.expect(200);
    assert_eq!(numbers(&world).await, [json!(0), json!(3), json!(5)]);
    // An erasure, of a conversation that is live.
    owner.post("/api/conversations", json!({"temporary": true})).await.expect(201);
    assert_eq!(numbers(&world).await[2], json!(6));
    world.clock.advance(Duration::from_secs(31 * 86_400));
    world.system.workers.sweep().await.expect("a sweep");
    world.work().await;
    assert_eq!(numbers(&world).await[2], json!(counted(&world, RecordType::Conversation).await));
    let user = format!("/api/users/{}", sales.user.expect("a user"));
    let owner = world.again(&owner).await;
    owner.delete(&user).await.expect(200);
    assert_eq!(numbers(&world).await[1], json!(2));
    assert_eq!(counted(&world, RecordType::User).await, 2);
}

#[tokio::test]
async fn records_that_are_older_than_the_numbers_are_counted_once() {
    let world = World::new().await;
    let owner = world.owner().await;
    for _ in 0..3 {
        conversation(&owner).await;
    }
    // As an earlier version leaves them.
    let place = daybook_store::schema::Place::Counts(owner.org).key();
    world.system.env.table.delete(&place).await.expect("a write");
    let (env, of) = (&world.system.env, [RecordType::Conversation]);
    let (first, _) = tokio::join!(counts::of_all(env, of), join_all((0..5).map(|_| conversation(&owner))));
    assert!((3..=8).contains(&first.expect("a read")[0]), "the first count while others are created");
    assert_eq!(counts::of_all(env, of).await.expect("a read"), [8]);
    join_all((0..20).map(|_| conversation(&owner))).await;
    assert_eq!(counts::of_all(env, of).await.expect("a read"), [28]);
}

#[tokio::test]
async fn its_numbers_can_be_hidden() {
    let world = World::with(WorldOptions { hidden_counts: true, ..WorldOptions::default() }).await;
    let body = world.visitor().get("/health").await.expect(200).json();
    assert_eq!((&body["status"], &body["total_users"]), (&json!("healthy"), &Value::Null));
}
