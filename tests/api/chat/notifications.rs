//! Notifications: what concerns connected users reaches them at once, and no other user.

use super::gateway::{connected, world_behind};
use super::sockets::open;
use super::{asked, conversation, text_at, with_workers};
use daybook_domain::permission::Role;
use daybook_runs::Site;
use daybook_store::rows::socket::OPENING;
use daybook_testing::{FakeGateway, GatewaySocket, Person, World, is_full, lead};
use serde_json::{Value, json};
use std::time::Duration;

/// The next notification: its event and what it is about.
async fn told(socket: &mut GatewaySocket) -> (String, Value) {
    let frame = socket.expect("notification").await;
    assert!(!text_at(&frame, "id").is_empty() && !text_at(&frame, "at").is_empty(), "{frame}");
    (text_at(&frame, "event"), frame)
}

fn task(assignee: &Person) -> Value {
    json!({"title": "Call ABC", "assignee_id": assignee.user, "due_date": "2026-11-20T12:20:00Z",
        "reminders": [{"offset_minutes": 10}]})
}

/// A visitor's post that waits for a decision.
async fn post_that_is_held(world: &World) {
    let mut held = lead("one@example.com");
    held["first_name"] = json!("see https://x.example");
    world.visitor().post("/api/leads", held).await.expect(201);
}

async fn two(gateway: &FakeGateway, world: &World) -> (Person, GatewaySocket, Person, GatewaySocket) {
    let (owner, sales) = (world.owner().await, world.person(Role::Sales).await);
    let (mine, theirs) = (connected(gateway, world, &owner).await, connected(gateway, world, &sales).await);
    (owner, mine, sales, theirs)
}

#[tokio::test]
async fn a_task_that_is_given_reaches_its_assignee_and_so_do_its_reminders() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let (owner, mut mine, sales, mut theirs) = two(&gateway, &world).await;
    let made = owner.post("/api/tasks", task(&sales)).await.expect(201).data();
    world.work().await;
    let (event, frame) = told(&mut theirs).await;
    assert_eq!((event.as_str(), &frame["record"]["id"]), ("task.created", &made["id"]));
    assert_eq!((&frame["record"]["type"], &frame["about"]["title"]), (&json!("task"), &json!("Call ABC")));
    // A user is not told of what they gave themselves.
    let own = owner.post("/api/tasks", task(&owner)).await.expect(201).id();
    world.work().await;
    owner.put(&format!("/api/tasks/{own}"), json!({"assignee_id": sales.user})).await.expect(200);
    world.work().await;
    assert_eq!(told(&mut theirs).await.0, "task.assigned");
    world.pass(Duration::from_secs(1_230)).await;
    let mut events = Vec::new();
    while let Some(frame) = theirs.at_once() {
        events.push(text_at(&frame, "event"));
    }
    events.sort();
    assert_eq!(events, ["task.due", "task.due", "task.overdue", "task.overdue"]);
    assert_eq!(mine.at_once(), None);
}

#[tokio::test]
async fn held_posts_reach_those_who_may_read_them() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let role = json!({"name": "Tasks", "permissions": ["tasks:read:own"]});
    let role = owner.post("/api/roles", role).await.expect(201).id();
    let role: daybook_domain::RoleId = role.parse().expect("an id");
    let without = world.person(daybook_domain::permission::RoleRef::Custom(role)).await;
    let stranger = world.stranger().await;
    let mut sockets = Vec::new();
    for person in [&owner, &without, &stranger] {
        sockets.push(connected(&gateway, &world, person).await);
    }
    post_that_is_held(&world).await;
    world.work().await;
    let (event, frame) = told(&mut sockets[0]).await;
    assert_eq!((event.as_str(), &frame["record"]["type"]), ("submission.held", &json!("submission")));
    assert_eq!((sockets[1].at_once(), sockets[2].at_once()), (None, None));
    // Its absence of permission isn't an event of the audit log.
    let denied = owner.get("/api/audit-logs?outcome=denied").await.expect(200).data();
    assert_eq!(denied, json!([]));
}

#[tokio::test]
async fn an_answer_that_ended_elsewhere_reaches_the_sockets_that_do_not_read_it() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let (owner, mut mine, _, mut theirs) = two(&gateway, &world).await;
    let mut other = connected(&gateway, &world, &owner).await;
    with_workers(&world, async {
        let ack = mine.ask(json!({"type": "chat", "content": "One"})).await;
        mine.answer().await;
        let (event, frame) = told(&mut other).await;
        assert_eq!((event.as_str(), &frame["about"]["conversation_id"]), ("message.created", &ack["conversation_id"]));
        assert_eq!((&frame["record"]["id"], &frame["about"]["status"]), (&ack["message_id"], &json!("complete")));
        // One that no socket asked for reaches both.
        let kept = conversation(&owner).await;
        asked(&owner, &kept, "Two").await;
        for socket in [&mut mine, &mut other] {
            assert_eq!(told(socket).await.1["about"]["conversation_id"], json!(kept));
        }
    })
    .await;
    assert_eq!((mine.at_once(), theirs.at_once()), (None, None));
}

#[tokio::test]
async fn one_machine_tells_its_sockets_the_same() {
    let (world, _fake) = super::world().await;
    let (server, owner, sales) = (world.listen().await, world.owner().await, world.person(Role::Sales).await);
    let (mut mine, mut theirs) = (open(&server, &owner).await, open(&server, &sales).await);
    owner.post("/api/tasks", task(&sales)).await.expect(201);
    world.work().await;
    assert_eq!(theirs.expect("notification").await["about"]["title"], "Call ABC");
    let kept = conversation(&owner).await;
    asked(&owner, &kept, "Two").await;
    world.work().await;
    assert_eq!(mine.expect("notification").await["about"]["conversation_id"], json!(kept));
    // Its own answers aren't told once more.
    mine.ask(json!({"type": "chat", "content": "One"})).await;
    mine.answer().await;
    world.work().await;
    assert_eq!(mine.ask(json!({"type": "ping"})).await["type"], "pong");
}

#[tokio::test]
async fn of_many_connections_those_that_are_gone_are_removed_and_all_others_are_told() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let count = if is_full() { 1_000 } else { 50 };
    let mut sockets = Vec::new();
    let bearer = format!("Bearer {}", owner.token.as_deref().expect("a token"));
    for _ in 0..count {
        sockets.push(gateway.open(&world.system, &[], &[("Authorization", &bearer)]).await.expect("a connection"));
    }
    // Every tenth is gone without a word.
    world.clock.advance(OPENING);
    let mut at = 0;
    sockets.retain(|_| {
        at += 1;
        at % 10 != 0
    });
    post_that_is_held(&world).await;
    world.work().await;
    for socket in &mut sockets {
        assert_eq!(socket.at_once().expect("a frame")["event"], "submission.held");
    }
    let left = world
        .raw
        .everything()
        .iter()
        .filter(|item| item["pk"]["S"].as_str().unwrap_or("").starts_with("~socket#"))
        .count();
    assert_eq!((left, sockets.len()), (count - count / 10, count - count / 10));
}
