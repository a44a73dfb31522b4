//! WebSockets over real connections: sign-in, frames, answers, and what clients may not do.

use super::{asked, assert_settled, conversation, long, messages, slowly, text_at, texts, world};
use axum::http::Method;
use daybook_store::rows::socket_ticket::VALID;
use daybook_testing::{Handshake, Listening, Person, Socket, is_full};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// A ticket of a person.
pub async fn ticket(person: &Person) -> String {
    text_at(&person.post("/api/ws/ticket", json!({})).await.expect(201).data(), "ticket")
}

/// A socket of a person.
pub async fn open(server: &Listening, person: &Person) -> Socket {
    server.open(&format!("/ws?ticket={}", ticket(person).await), &[]).await.expect("a socket")
}

fn refused(handshake: Handshake, status: u16, code: &str) {
    let (told, problem) = handshake.expect_err("no socket");
    assert_eq!((told, &problem["code"]), (status, &json!(code)), "{problem}");
}

/// The text of deltas, joined by their positions.
pub fn joined(frames: &[Value]) -> String {
    let mut text = String::new();
    for frame in frames.iter().filter(|frame| frame["type"] == "delta") {
        let (piece, seq) = (text_at(frame, "text"), frame["seq"].as_u64().expect("a number"));
        text += &piece;
        assert_eq!(seq, text.chars().count() as u64, "{frame}");
    }
    text
}

#[tokio::test]
async fn the_snippet_of_the_readme_works_with_a_ticket_or_a_header() {
    let (world, _fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    let user = owner.user.expect("a user");
    let bearer = format!("Bearer {}", owner.token.as_deref().expect("a token"));
    let sockets = [
        server.open(&format!("/ws/{user}?ticket={}", ticket(&owner).await), &[]).await,
        server.open(&format!("/ws?ticket={}", ticket(&owner).await), &[]).await,
        server.open(&format!("/ws/{user}"), &[("authorization", &bearer)]).await,
        server.open("/ws", &[("authorization", &bearer)]).await,
    ];
    for socket in sockets {
        let mut socket = socket.expect("a socket");
        socket.send_text(r#"{"type":"chat","content":"你好"}"#).await;
        let ack = socket.expect("ack").await;
        let frames = socket.answer().await;
        assert_eq!(joined(&frames), "Hello from the model.");
        let done = frames.last().expect("a frame");
        assert_eq!(
            (&done["type"], &done["run_id"], &done["conversation_id"]),
            (&json!("done"), &ack["run_id"], &ack["conversation_id"])
        );
        assert_eq!(
            (&done["message"]["content"], &done["message"]["usage"]["output"]),
            (&json!("Hello from the model."), &json!(6))
        );
        assert!(frames.iter().all(|frame| frame["run_id"] == ack["run_id"]));
    }
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_socket_goes_on_in_its_own_conversation_or_in_a_named_one() {
    let (world, fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    let mut socket = open(&server, &owner).await;
    let named = conversation(&owner).await;
    let mut places = Vec::new();
    for frame in [
        json!({"type": "chat", "content": "One"}),
        json!({"type": "chat", "content": "Two", "id": "q2"}),
        json!({"type": "chat", "content": "Three", "conversation_id": named, "model": "gpt-6-luna"}),
        json!({"type": "chat", "content": "Four"}),
    ] {
        let ack = socket.ask(frame.clone()).await;
        assert_eq!((&ack["type"], &ack["id"]), (&json!("ack"), &frame["id"]), "{ack}");
        socket.answer().await;
        places.push(text_at(&ack, "conversation_id"));
    }
    assert_eq!((&places[0], &places[0], &places[2]), (&places[1], &places[3], &named));
    assert_eq!(texts(&messages(&owner, &places[0]).await, "content").len(), 6);
    assert_eq!(texts(&messages(&owner, &named).await, "content"), ["Three", "Hello from the model."]);
    // The question that is sent again is asked once.
    let again = socket.ask(json!({"type": "chat", "content": "Two", "id": "q2"})).await;
    assert_eq!(again["type"], "ack", "{again}");
    socket.answer().await;
    assert_eq!((fake.requests().len(), messages(&owner, &places[0]).await.len()), (4, 6));
    // With another content it isn't taken for the earlier one.
    let other = socket.ask(json!({"type": "chat", "content": "Two!", "id": "q2"})).await;
    assert_eq!((&other["code"], fake.requests().len()), (&json!("idempotency_key_reused"), 4));
}

#[tokio::test]
async fn a_question_whose_ack_was_lost_is_sent_again_at_another_socket_and_goes_on_where_it_was() {
    let (world, fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    fake.always(slowly(&["word "; 20], Duration::from_millis(25)));
    let question = json!({"type": "chat", "content": "One", "id": "q1"});
    let mut socket = open(&server, &owner).await;
    let ack = socket.ask(question.clone()).await;
    drop(socket);
    let mut other = open(&server, &owner).await;
    let again = other.ask(question).await;
    assert_eq!((&again["run_id"], &again["conversation_id"]), (&ack["run_id"], &ack["conversation_id"]));
    // Resumed besides: the text comes once more from there, and not twice from here on.
    let resumed = json!({"type": "resume", "run_id": ack["run_id"], "after_seq": 0});
    other.send(resumed).await;
    let mut frames = Vec::new();
    while frames.last().is_none_or(|frame: &Value| frame["type"] != "ack") {
        frames.push(other.next().await.expect("a frame"));
    }
    assert_eq!(joined(&other.answer().await), "word ".repeat(20));
    fake.always(daybook_testing::llm::Script::default());
    let next = other.ask(json!({"type": "chat", "content": "Two"})).await;
    assert_eq!(next["conversation_id"], ack["conversation_id"]);
    other.answer().await;
    assert_eq!(super::listed(&owner, "/api/conversations").await.len(), 1);
    assert_settled(&owner).await;
}

#[tokio::test]
async fn an_answer_goes_on_without_its_socket_and_is_resumed_at_another_one() {
    let (world, fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    fake.always(slowly(&["wörd "; 40], Duration::from_millis(25)));
    let mut socket = open(&server, &owner).await;
    let ack = socket.ask(json!({"type": "chat", "content": "Go on"})).await;
    let mut text = String::new();
    for _ in 0..5 {
        text += &text_at(&socket.expect("delta").await, "text");
    }
    drop(socket);
    let mut other = open(&server, &owner).await;
    let after = text.chars().count();
    let frame = json!({"type": "resume", "run_id": ack["run_id"], "after_seq": after});
    assert_eq!(other.ask(frame).await["message_id"], ack["message_id"]);
    let frames = other.answer().await;
    text +=
        &frames.iter().filter(|frame| frame["type"] == "delta").map(|frame| text_at(frame, "text")).collect::<String>();
    assert_eq!(text, "wörd ".repeat(40));
    assert_eq!(frames.last().expect("a frame")["message"]["content"], text.as_str());
    // After its end it can still be read.
    let whole = other.ask(json!({"type": "resume", "run_id": ack["run_id"]})).await;
    assert_eq!(whole["type"], "ack");
    assert_eq!(joined(&other.answer().await), text);
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_stop_ends_the_answer_within_a_second_and_keeps_its_text() {
    let (world, fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    fake.always(long());
    for by_id in [true, false] {
        let mut socket = open(&server, &owner).await;
        let ack = socket.ask(json!({"type": "chat", "content": "Go on"})).await;
        socket.expect("delta").await;
        let asked = Instant::now();
        socket
            .send(if by_id { json!({"type": "stop", "run_id": ack["run_id"]}) } else { json!({"type": "stop"}) })
            .await;
        let frames = socket.answer().await;
        assert!(asked.elapsed() < Duration::from_secs(1));
        let done = frames.last().expect("a frame");
        assert_eq!((&done["type"], &done["message"]["status"]), (&json!("done"), &json!("stopped")));
        assert!(!text_at(&done["message"], "content").is_empty());
    }
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_question_while_an_answer_streams_is_refused_by_the_name_of_that() {
    let (world, fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    fake.always(slowly(&["word "; 20], Duration::from_millis(25)));
    let mut socket = open(&server, &owner).await;
    let ack = socket.ask(json!({"type": "chat", "content": "One"})).await;
    socket.send(json!({"type": "chat", "content": "Two", "id": "two"})).await;
    let mut refusal = Value::Null;
    let mut frames = Vec::new();
    while frames.last().is_none_or(|frame: &Value| frame["type"] != "done") {
        let frame = socket.next().await.expect("a frame");
        if frame["type"] == "error" { refusal = frame } else { frames.push(frame) }
    }
    assert_eq!(
        (&refusal["code"], &refusal["run_id"], &refusal["id"]),
        (&json!("conflict"), &ack["run_id"], &json!("two"))
    );
    assert_eq!(joined(&frames), "word ".repeat(20));
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn a_ticket_is_good_once_for_a_minute_and_for_its_user_alone() {
    let (world, _fake) = world().await;
    let (server, owner, stranger) = (world.listen().await, world.owner().await, world.stranger().await);
    let used = ticket(&owner).await;
    server.open(&format!("/ws?ticket={used}"), &[]).await.expect("a socket");
    refused(server.open(&format!("/ws?ticket={used}"), &[]).await, 401, "unauthenticated");
    let late = ticket(&owner).await;
    let theirs = ticket(&stranger).await;
    let user = owner.user.expect("a user");
    refused(server.open(&format!("/ws/{user}?ticket={theirs}"), &[]).await, 401, "unauthenticated");
    world.clock.advance(VALID);
    refused(server.open(&format!("/ws?ticket={late}"), &[]).await, 401, "unauthenticated");
    for wrong in ["", "x", "a.b", &late.replace('.', ""), &format!("{late}x")] {
        refused(server.open(&format!("/ws?ticket={wrong}"), &[]).await, 401, "unauthenticated");
    }
    refused(server.open("/ws", &[]).await, 401, "unauthenticated");
    // Of a hundred that use one ticket at once, one gets a socket.
    let shared = ticket(&owner).await;
    world.faults.at_a_distance();
    let path = format!("/ws?ticket={shared}");
    let opened = join_all((0..if is_full() { 100 } else { 20 }).map(|_| server.open(&path, &[]))).await;
    assert_eq!(opened.iter().filter(|handshake| handshake.is_ok()).count(), 1);
    // A key opens no socket, and gets no ticket.
    let key = owner.post("/api/api-keys", json!({"name": "Key", "permissions": ["ai:use"]})).await.expect(201).data();
    let key = text_at(&key, "key");
    world.visitor().with_token(&key).post("/api/ws/ticket", json!({})).await.expect_problem(403, "forbidden");
    refused(server.open("/ws", &[("authorization", &format!("Bearer {key}"))]).await, 403, "forbidden");
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_told_so() {
    let (world, _fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    for path in ["/ws", "/ws/usr_01kdvpaw00fpgv030000000001"] {
        world.visitor().get(path).await.expect_problem(400, "malformed");
    }
    let (one, two) = (ticket(&owner).await, ticket(&owner).await);
    refused(server.open(&format!("/ws?ticket={one}&ticket={two}"), &[]).await, 401, "unauthenticated");
}

#[tokio::test]
async fn pages_of_other_origins_open_no_socket() {
    let (world, _fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    let own = format!("http://{}", server.address);
    for (origin, is_good) in [
        (own.as_str(), true),
        ("https://app.example.com", true),
        ("https://app.example.com.evil.example", false),
        ("https://evil.example", false),
        ("null", false),
        ("", false),
    ] {
        let path = format!("/ws?ticket={}", ticket(&owner).await);
        let handshake = server.open(&path, &[("origin", origin)]).await;
        if is_good {
            assert!(handshake.is_ok(), "{origin}");
        } else {
            refused(handshake, 403, "forbidden");
            // The ticket wasn't used.
            server.open(&path, &[]).await.expect("a socket");
        }
    }
}

#[tokio::test]
async fn signing_out_closes_the_socket_within_two_seconds() {
    let (world, _fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    let mut socket = open(&server, &owner).await;
    assert_eq!(socket.ask(json!({"type": "ping"})).await["type"], "pong");
    let began = Instant::now();
    let other = world.again(&owner).await;
    let mut kept = open(&server, &other).await;
    owner.post("/api/auth/logout", json!({})).await.expect(200);
    world.work().await;
    assert_eq!(socket.next().await, Err(Some(4401)));
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(kept.ask(json!({"type": "ping"})).await["type"], "pong");
    // A frame that comes before the worker is told so, and is the last one.
    other.post("/api/auth/logout", json!({})).await.expect(200);
    assert_eq!(kept.ask(json!({"type": "ping"})).await["code"], "unauthenticated");
    assert_eq!(kept.next().await, Err(Some(4401)));
}

#[tokio::test]
async fn wrong_frames_are_errors_that_change_nothing_and_leave_the_socket() {
    let (world, fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    let foreign = conversation(&world.stranger().await).await;
    let own = conversation(&owner).await;
    let run = asked(&owner, &own, "One").await["run_id"].clone();
    let before =
        (messages(&owner, &own).await, super::listed(&owner, "/api/conversations").await, fake.requests().len());
    let mut socket = open(&server, &owner).await;
    let chat = |more: Value| super::with(json!({"type": "chat", "content": "Hi"}), more);
    let frames = [
        (json!({"type": "chat"}), "validation_error"),
        (json!({"type": "chat", "content": " "}), "validation_error"),
        (json!({"type": "chat", "content": 5}), "validation_error"),
        (json!({"type": "sing"}), "validation_error"),
        (json!({"content": "Hi"}), "validation_error"),
        (json!([1]), "validation_error"),
        (chat(json!({"conversation_id": foreign})), "not_found"),
        (chat(json!({"conversation_id": own, "model": "gpt-99"})), "unknown_model"),
        (chat(json!({"tempo": 5})), "validation_error"),
        (chat(json!({"parent_message_id": "msg_01kdvpaw00fpgv030000000001"})), "validation_error"),
        (json!({"type": "stop"}), "validation_error"),
        (json!({"type": "stop", "run_id": "run_01kdvpaw00fpgv030000000001"}), "not_found"),
        (json!({"type": "resume", "run_id": run, "after_seq": 1_000_000}), "invalid_query"),
        (json!({"type": "resume", "run_id": "x"}), "validation_error"),
        (json!({"type": "ping", "id": "x".repeat(33_000)}), "too_large"),
    ];
    for (frame, code) in frames {
        let answer = socket.ask(frame.clone()).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{frame}: {answer}");
        assert!(!text_at(&answer, "detail").is_empty() && !text_at(&answer, "request_id").is_empty(), "{answer}");
    }
    for text in ["", "{", "nonsense", "{\"type\":\"chat\",\"content\":\"\u{0}\"}"] {
        socket.send_text(text).await;
        assert_eq!(socket.expect("error").await["code"], "malformed", "{text}");
    }
    socket.send_bytes(&[0xff, 0xfe]).await;
    assert_eq!(socket.expect("error").await["code"], "malformed");
    assert_eq!(socket.ask(json!({"type": "ping", "id": "p"})).await["id"], "p");
    let after =
        (messages(&owner, &own).await, super::listed(&owner, "/api/conversations").await, fake.requests().len());
    assert_eq!(after, before);
    // A message that is far too long ends the connection, as on AWS.
    socket.send_text(&"x".repeat(200_000)).await;
    assert!(socket.next().await.is_err());
    assert_settled(&owner).await;
}

#[tokio::test]
async fn others_answers_can_be_neither_read_nor_stopped() {
    let (world, fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    fake.always(slowly(&["word "; 20], Duration::from_millis(25)));
    let mut socket = open(&server, &owner).await;
    let ack = socket.ask(json!({"type": "chat", "content": "Hi"})).await;
    for person in [world.stranger().await, world.person(daybook_domain::permission::Role::Owner).await] {
        let mut theirs = open(&server, &person).await;
        for kind in ["resume", "stop"] {
            let answer = theirs.ask(json!({"type": kind, "run_id": ack["run_id"]})).await;
            assert_eq!(answer["code"], "not_found", "{answer}");
        }
    }
    assert_eq!(joined(&socket.answer().await), "word ".repeat(20));
}

#[tokio::test]
async fn a_flood_of_frames_is_refused_frame_by_frame_and_disturbs_no_other_socket() {
    let (world, _fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    let (mut flooding, mut other) = (open(&server, &owner).await, open(&server, &world.stranger().await).await);
    for n in 0..1_000 {
        flooding.send(json!({"type": "ping", "id": n.to_string()})).await;
    }
    let began = Instant::now();
    assert_eq!(other.ask(json!({"type": "ping"})).await["type"], "pong");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..1_000 {
        let frame = flooding.next().await.expect("a frame");
        *kinds.entry(frame["code"].as_str().unwrap_or("pong").to_owned()).or_default() += 1;
    }
    assert!(kinds["pong"] >= 50 && kinds["rate_limited"] > 500, "{kinds:?}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(flooding.ask(json!({"type": "ping"})).await["type"], "pong");
}

#[tokio::test]
async fn a_user_without_the_permission_pings_and_asks_nothing() {
    let (world, fake) = world().await;
    let (server, owner) = (world.listen().await, world.owner().await);
    let role =
        owner.post("/api/roles", json!({"name": "None", "permissions": ["leads:read:own"]})).await.expect(201).id();
    let role: daybook_domain::RoleId = role.parse().expect("an id");
    let person = world.person(daybook_domain::permission::RoleRef::Custom(role)).await;
    let mut socket = open(&server, &person).await;
    assert_eq!(socket.ask(json!({"type": "ping"})).await["type"], "pong");
    let answer = socket.ask(json!({"type": "chat", "content": "Hi"})).await;
    assert_eq!(answer["code"], "forbidden", "{answer}");
    assert!(fake.requests().is_empty());
    let denied = owner.call(Method::GET, "/api/audit-logs?limit=50").await.expect(200).data().to_string();
    assert!(denied.contains("access.denied"), "{denied}");
}
