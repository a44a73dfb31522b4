//! WebSockets behind a gateway: the function of the gateway and the workers that send to it, over the real client.

use super::sockets::{joined, ticket};
use super::{assert_settled, conversation, long, messages, shown, slowly, text_at, texts, with_workers};
use daybook_domain::permission::Role;
use daybook_runs::Site;
use daybook_store::rows::socket::OPENING;
use daybook_store::rows::socket_ticket::VALID;
use daybook_testing::llm::{FakeLlm, Script};
use daybook_testing::{FakeGateway, GatewaySocket, Person, World, WorldOptions};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// A world behind a gateway, whose models are answered by a fake.
pub async fn world_behind(site: Site) -> (World, FakeLlm, FakeGateway) {
    let (fake, gateway) = (FakeLlm::start().await, FakeGateway::start().await);
    let options = WorldOptions {
        ai: Some(fake.clone()),
        site: Some(site),
        gateway: Some(gateway.clone()),
        ..WorldOptions::default()
    };
    (World::with(options).await, fake, gateway)
}

/// A connection of a person.
pub async fn connected(gateway: &FakeGateway, world: &World, person: &Person) -> GatewaySocket {
    gateway.open(&world.system, &[("ticket", &ticket(person).await)], &[]).await.expect("a connection")
}

/// The number of rows of open sockets and of readers.
fn rows(world: &World) -> (usize, usize) {
    let all = world.raw.everything();
    let count = |part: &str| {
        let holds = |item: &&Value| format!("{}{}", item["pk"]["S"], item["sk"]["S"]).contains(part);
        all.iter().filter(holds).count()
    };
    (count("~socket#"), count("\"reader#"))
}

/// Waits until just so many are left.
async fn left(world: &World, expected: (usize, usize)) {
    let until = Instant::now() + Duration::from_secs(10);
    while rows(world) != expected {
        assert!(Instant::now() < until, "{:?} instead of {expected:?}", rows(world));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_answer_comes_in_order_over_the_gateway_and_goes_on_in_the_sockets_conversation() {
    let (world, fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let mut socket = connected(&gateway, &world, &owner).await;
    fake.always(slowly(&["wörd "; 60], Duration::from_millis(25)));
    with_workers(&world, async {
        let began = Instant::now();
        let ack = socket.ask(json!({"type": "chat", "content": "One", "id": "q1"})).await;
        assert_eq!((&ack["type"], &ack["id"]), (&json!("ack"), &json!("q1")), "{ack}");
        // Refused by name while an answer is on its way.
        let refusal = socket.ask(json!({"type": "chat", "content": "Two", "id": "q2"})).await;
        assert_eq!((&refusal["code"], &refusal["run_id"]), (&json!("conflict"), &ack["run_id"]), "{refusal}");
        let frames = socket.answer().await;
        assert_eq!(joined(&frames), "wörd ".repeat(60));
        let most = 4 * (began.elapsed().as_secs() as usize + 1);
        assert!((3..=most).contains(&frames.len()), "{} frames, at most {most}", frames.len());
        let done = frames.last().expect("a frame");
        assert_eq!((&done["type"], &done["run_id"]), (&json!("done"), &ack["run_id"]));
        assert_eq!(done["message"]["content"], "wörd ".repeat(60));
        fake.always(Script::default());
        let next = socket.ask(json!({"type": "chat", "content": "Two"})).await;
        assert_eq!(next["conversation_id"], ack["conversation_id"]);
        socket.answer().await;
        let kept = text_at(&ack, "conversation_id");
        assert_eq!(texts(&messages(&owner, &kept).await, "role"), ["user", "assistant", "user", "assistant"]);
        left(&world, (1, 0)).await;
    })
    .await;
    socket.close().await;
    assert_eq!(rows(&world), (0, 0));
    assert_settled(&owner).await;
}

#[tokio::test]
async fn two_first_questions_at_once_make_one_conversation() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let mut socket = connected(&gateway, &world, &owner).await;
    with_workers(&world, async {
        let question = |text: &str| socket.send(json!({"type": "chat", "content": text}));
        tokio::join!(question("One"), question("Two"));
        let mut kinds = Vec::new();
        while !kinds.iter().any(|kind| kind == "done") {
            kinds.push(text_at(&socket.next().await.expect("a frame"), "type"));
        }
        assert!(kinds.contains(&"ack".to_owned()), "{kinds:?}");
    })
    .await;
    assert_eq!(super::listed(&owner, "/api/conversations").await.len(), 1);
}

#[tokio::test]
async fn an_answer_is_resumed_at_another_connection_whichever_function_generates_it() {
    for site in [Site::Api, Site::Stream] {
        let (world, fake, gateway) = world_behind(site).await;
        let owner = world.owner().await;
        let kept = conversation(&owner).await;
        fake.always(slowly(&["word "; 60], Duration::from_millis(30)));
        let text = "word ".repeat(60);
        with_workers(&world, async {
            let asking = super::with(super::question_in(&kept, "Go on"), json!({"stream": site == Site::Stream}));
            let asking = tokio::spawn(owner.post("/api/chat", asking).into_future());
            let run = super::run_in(&owner, &kept).await;
            let mut socket = connected(&gateway, &world, &owner).await;
            let ack = socket.ask(json!({"type": "resume", "run_id": run})).await;
            assert_eq!((&ack["type"], &ack["conversation_id"]), (&json!("ack"), &json!(kept)), "{ack}");
            let first = socket.expect("delta").await;
            // A second one goes on from where the first one broke off.
            world.clock.advance(OPENING);
            drop(socket);
            let mut other = connected(&gateway, &world, &owner).await;
            let after = first["seq"].as_u64().expect("a number");
            let resumed = other.ask(json!({"type": "resume", "run_id": run, "after_seq": after})).await;
            assert_eq!(resumed["type"], "ack", "{site:?}: {resumed}");
            let frames = other.answer().await;
            let rest: String = frames.iter().filter_map(|frame| frame["text"].as_str()).collect();
            assert_eq!(text_at(&first, "text") + &rest, text, "{site:?}");
            asking.await.expect("a task").expect(200);
            // After its end it comes at once, and whole.
            other.send(json!({"type": "resume", "run_id": run})).await;
            assert_eq!(other.expect("ack").await["run_id"], json!(run));
            assert_eq!(joined(&other.answer().await), text);
            // The first connection was found gone, and no reader is left.
            left(&world, (1, 0)).await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_stop_keeps_the_text_and_an_answer_goes_on_when_its_connection_is_gone() {
    let (world, fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    fake.always(long());
    let mut socket = connected(&gateway, &world, &owner).await;
    with_workers(&world, async {
        socket.ask(json!({"type": "chat", "content": "Go on"})).await;
        socket.expect("delta").await;
        let asked = Instant::now();
        assert_eq!(socket.ask(json!({"type": "stop", "id": "s"})).await["type"], "ack");
        let frames = socket.answer().await;
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        let done = frames.last().expect("a frame");
        assert_eq!((&done["type"], &done["message"]["status"]), (&json!("done"), &json!("stopped")));

        fake.always(slowly(&["word "; 40], Duration::from_millis(25)));
        let ack = socket.ask(json!({"type": "chat", "content": "And on"})).await;
        socket.expect("delta").await;
        world.clock.advance(OPENING);
        drop(socket);
        let kept = text_at(&ack, "conversation_id");
        while shown(&owner, &kept).await["run_id"] != Value::Null {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let last = messages(&owner, &kept).await.pop().expect("an answer");
        assert_eq!((&last["content"], &last["status"]), (&json!("word ".repeat(40)), &json!("complete")));
        left(&world, (0, 0)).await;
    })
    .await;
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_question_that_is_stopped_before_its_worker_begins_ends_for_its_socket() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let mut socket = connected(&gateway, &world, &owner).await;
    socket.ask(json!({"type": "chat", "content": "One"})).await;
    socket.send(json!({"type": "stop"})).await;
    let frames = socket.answer().await;
    assert_eq!(frames.last().expect("a frame")["message"]["status"], "stopped", "{frames:?}");
    world.work().await;
    assert_eq!(rows(&world), (1, 0));
}

#[tokio::test]
async fn frames_that_a_busy_gateway_refuses_come_later() {
    let (world, fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let mut socket = connected(&gateway, &world, &owner).await;
    fake.always(slowly(&["word "; 40], Duration::from_millis(40)));
    with_workers(&world, async {
        socket.ask(json!({"type": "chat", "content": "One"})).await;
        socket.expect("delta").await;
        gateway.be_busy(8);
        let frames = socket.answer().await;
        let text: String = frames.iter().filter_map(|frame| frame["text"].as_str()).collect();
        assert!("word ".repeat(40).ends_with(&text) && !text.is_empty(), "{text}");
        assert_eq!(frames.last().expect("a frame")["message"]["content"], "word ".repeat(40));
        left(&world, (1, 0)).await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_comes_although_its_ack_was_refused() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let mut socket = connected(&gateway, &world, &owner).await;
    gateway.be_busy(1_000);
    assert_eq!(socket.send_text(r#"{"type": "chat", "content": "One"}"#).await, 500);
    gateway.be_busy(0);
    with_workers(&world, async {
        let frames = socket.answer().await;
        assert_eq!(joined(&frames), "Hello from the model.");
        left(&world, (1, 0)).await;
    })
    .await;
}

#[tokio::test]
async fn readers_that_were_left_are_told_by_the_queues_message() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let mut socket = connected(&gateway, &world, &owner).await;
    let ack = socket.ask(json!({"type": "chat", "content": "One"})).await;
    // Ended while the gateway takes nothing.
    gateway.be_busy(1_000);
    owner.post(&format!("/api/chat/runs/{}/stop", text_at(&ack, "run_id")), json!({})).await.expect(200);
    gateway.be_busy(0);
    assert_eq!((socket.at_once(), rows(&world)), (None, (1, 1)));
    world.work().await;
    assert_eq!(socket.expect("done").await["message"]["status"], "stopped");
    assert_eq!(rows(&world), (1, 0));
}

#[tokio::test]
async fn handshakes_are_refused_as_on_one_machine() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let used = ticket(&owner).await;
    gateway.open(&world.system, &[("ticket", &used)], &[]).await.expect("a connection");
    let late = ticket(&owner).await;
    let key = owner.post("/api/api-keys", json!({"name": "Key", "permissions": ["ai:use"]})).await.expect(201).data();
    let (key, good) = (format!("Bearer {}", text_at(&key, "key")), ticket(&owner).await);
    let bearer = format!("Bearer {}", owner.token.as_deref().expect("a token"));
    gateway.open(&world.system, &[], &[("Authorization", &bearer)]).await.expect("a connection");
    world.clock.advance(VALID - Duration::from_secs(1));
    let page = [("Origin", "https://app.example.com")];
    gateway.open(&world.system, &[("ticket", &good)], &page).await.expect("a connection");
    world.clock.advance(Duration::from_secs(1));
    let of_other = [("Origin", "https://evil.example")];
    for (query, headers, status) in [
        (vec![("ticket", used.as_str())], vec![], 401),
        (vec![("ticket", late.as_str())], vec![], 401),
        (vec![("ticket", "")], vec![], 401),
        (vec![], vec![], 401),
        (vec![], vec![("Authorization", key.as_str())], 403),
        (vec![("ticket", late.as_str())], of_other.to_vec(), 403),
    ] {
        let (told, problem) = gateway.open(&world.system, &query, &headers).await.expect_err("no connection");
        assert_eq!((told, &problem["status"]), (status, &json!(status)), "{query:?} {headers:?}: {problem}");
    }
    assert_eq!(rows(&world).0, 3);
}

#[tokio::test]
async fn wrong_frames_are_errors_that_leave_the_socket() {
    let (world, fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let foreign = conversation(&world.stranger().await).await;
    let mut socket = connected(&gateway, &world, &owner).await;
    let long = format!(r#"{{"type": "ping", "id": "{}"}}"#, "x".repeat(33_000));
    let of_other = json!({"type": "chat", "content": "Hi", "conversation_id": foreign}).to_string();
    for (text, code) in [
        ("", "malformed"),
        ("nonsense", "malformed"),
        (r#"{"type": "sing"}"#, "validation_error"),
        (&long, "too_large"),
        (&of_other, "not_found"),
    ] {
        assert_eq!(socket.send_text(text).await, 200);
        assert_eq!(socket.expect("error").await["code"], code, "{text:.60}");
    }
    socket.send_bytes().await;
    assert_eq!(socket.expect("error").await["code"], "malformed");
    assert_eq!(socket.ask(json!({"type": "ping", "id": "p"})).await["id"], "p");
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn a_flood_of_frames_is_refused_and_disturbs_no_other_connection() {
    let gateway = FakeGateway::start().await;
    let options = WorldOptions {
        rate_limits: true,
        site: Some(Site::Api),
        gateway: Some(gateway.clone()),
        ..WorldOptions::default()
    };
    let world = World::with(options).await;
    let (owner, other) = (world.owner().await, world.person(Role::Owner).await);
    let mut flooding = connected(&gateway, &world, &owner).await;
    let mut calm = connected(&gateway, &world, &other).await;
    let mut pongs = 0;
    for _ in 0..80 {
        let frame = flooding.ask(json!({"type": "ping"})).await;
        match frame["type"].as_str() {
            Some("pong") => pongs += 1,
            _ => assert_eq!(frame["code"], "rate_limited", "{frame}"),
        }
    }
    assert_eq!(pongs, 50);
    assert_eq!(calm.ask(json!({"type": "ping"})).await["type"], "pong");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(flooding.ask(json!({"type": "ping"})).await["type"], "pong");
}

/// A gateway answers for a connection that is just opening as for one that is gone.
#[tokio::test]
async fn a_connection_that_is_just_opening_is_not_forgotten() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let socket = connected(&gateway, &world, &owner).await;
    let courier = daybook_sockets::Courier::new(gateway.connections());
    let env = &world.system.env;
    let send = async |connection: &str| courier.send(env, connection, &json!({})).await.expect("a call");
    drop(socket);
    assert_eq!((send("c00001AbCd=").await, rows(&world).0), (daybook_sockets::Reached::Gone, 1));
    world.clock.advance(OPENING);
    assert_eq!((send("c00001AbCd=").await, rows(&world).0), (daybook_sockets::Reached::Gone, 0));
}

#[tokio::test]
async fn whatever_ends_a_session_closes_its_connections() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let (owner, stranger) = (world.owner().await, world.stranger().await);
    let mut bystander = connected(&gateway, &world, &owner).await;
    let ends: [(&str, Value); 3] =
        [("suspend", json!({"status": "suspended"})), ("delete", Value::Null), ("sessions", Value::Null)];
    for (how, body) in ends {
        let person = world.person(Role::Sales).await;
        let mut socket = connected(&gateway, &world, &person).await;
        let user = format!("/api/users/{}", person.user.expect("a user"));
        match how {
            "suspend" => owner.patch(&user, body).await.expect(200),
            "delete" => owner.delete(&user).await.expect(200),
            _ => {
                let other = world.again(&person).await;
                other.delete("/api/auth/sessions").await.expect(200)
            }
        };
        world.work().await;
        assert_eq!(socket.next().await, None, "{how}");
    }
    let person = world.person(Role::Sales).await;
    let mut late = connected(&gateway, &world, &person).await;
    gateway.be_busy(1_000);
    person.post("/api/auth/logout", json!({})).await.expect(200);
    world.work().await;
    assert_eq!(late.at_once(), None);
    gateway.be_busy(0);
    world.pass(Duration::from_secs(120)).await;
    assert_eq!(late.next().await, None, "closed by a later attempt");
    let mut theirs = connected(&gateway, &world, &stranger).await;
    stranger.delete(&format!("/api/organizations/{}", stranger.org)).await.expect(200);
    world.work().await;
    assert_eq!(theirs.next().await, None);
    assert_eq!(bystander.ask(json!({"type": "ping"})).await["type"], "pong");
}

#[tokio::test]
async fn signing_out_closes_the_connection_and_a_lost_one_is_told_with_its_next_frame() {
    let (world, _fake, gateway) = world_behind(Site::Api).await;
    let owner = world.owner().await;
    let mut socket = connected(&gateway, &world, &owner).await;
    let other = world.again(&owner).await;
    let mut kept = connected(&gateway, &world, &other).await;
    owner.post("/api/auth/logout", json!({})).await.expect(200);
    // Its frame comes before the worker that closes it.
    assert_eq!(socket.ask(json!({"type": "ping"})).await["code"], "unauthenticated");
    assert_eq!(socket.next().await, None);
    let mut second = connected(&gateway, &world, &other).await;
    other.post("/api/auth/logout", json!({})).await.expect(200);
    world.work().await;
    assert_eq!((second.next().await, kept.next().await), (None, None));
    assert_eq!(rows(&world), (0, 0));
    // A frame of a connection that isn't known closes it.
    assert_eq!(second.send_text(r#"{"type": "ping"}"#).await, 200);
}
