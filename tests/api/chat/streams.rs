//! Streams of answers: events, positions, and readers that go away and come back.

use super::{
    conversation, messages, only, question, question_in, run_in, run_of, shown, slowly, streamed, text_at, text_of,
    with_workers, world, world_at,
};
use daybook_domain::permission::Role;
use daybook_runs::Site;
use daybook_testing::llm::Script;
use daybook_testing::{Event, Fault, Person, is_full};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// An answer in twelve pieces, whose letters have one to four bytes and one to five characters.
const PIECES: [&str; 12] = ["你好", "! ", "I ", "am ", "🙂", "👩‍👩‍👧", " and", "\n\n", "naïve", "客户", " – ", "the end."];

fn twelve(pause: Duration) -> Script {
    slowly(&PIECES, pause)
}

/// Where a client tells the position that it has.
#[derive(Clone, Copy, Debug)]
enum Position {
    Parameter,
    Header,
}

/// The events of a run after a position.
async fn after(person: &Person, run: &str, seq: u64, position: Position) -> Vec<Event> {
    let path = format!("/api/chat/runs/{run}/events");
    let call = match position {
        Position::Parameter => person.get(&format!("{path}?after_seq={seq}")),
        Position::Header => person.get(&path).header("last-event-id", &seq.to_string()),
    };
    call.events().await.rest().await
}

/// Asserts that ids are positions, and positions the numbers of characters up to and with a delta.
fn assert_positions(events: &[Event], before: u64) {
    let mut seq = before;
    for event in events.iter().filter(|event| event.name == "delta") {
        seq += text_at(&event.data, "text").chars().count() as u64;
        assert_eq!((event.id, &event.data["seq"]), (Some(seq), &json!(seq)), "{event:?}");
    }
}

fn names(events: &[Event]) -> Vec<&str> {
    let mut names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    names.dedup();
    names
}

#[tokio::test]
async fn a_stream_begins_with_its_ids_and_ends_with_the_whole_message() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.script(twelve(Duration::from_millis(5)));

    let stream = owner.post("/api/chat", streamed(question_in(&id, "Hello"))).events().await;
    let kind = stream.headers["content-type"].clone();
    let events = stream.rest().await;

    assert_eq!(
        (kind.to_str().expect("text"), names(&events)),
        ("text/event-stream; charset=utf-8", vec!["start", "delta", "usage", "done"])
    );
    let (start, usage) = (only(&events, "start"), only(&events, "usage"));
    let message = only(&events, "done")["message"].clone();
    assert_eq!((events[0].id, &start["conversation_id"]), (Some(0), &json!(id)));
    assert_eq!((&start["message_id"], &start["run_id"]), (&message["id"], &message["run_id"]));
    assert_eq!((text_of(&events), text_at(&message, "content")), (PIECES.concat(), PIECES.concat()));
    assert_eq!((&message["usage"], &message["status"]), (&usage, &json!("complete")));
    let kept = messages(&owner, &id).await.pop().expect("a message");
    for field in ["id", "content", "parent_message_id", "role", "status", "usage", "model", "provider_model"] {
        assert_eq!(kept[field], message[field], "{field}");
    }
}

#[tokio::test]
async fn the_position_of_a_delta_is_the_number_of_characters_up_to_it() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.script(twelve(Duration::from_millis(10)));
    let events = owner.post("/api/chat", streamed(question("Hello"))).events().await.rest().await;
    assert_positions(&events, 0);
    assert!(events.iter().filter(|event| event.name == "delta").count() > 1, "{events:?}");
}

#[tokio::test]
async fn the_header_accept_asks_for_a_stream_too() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    for accept in ["text/event-stream", "application/json;q=0.5, text/event-stream"] {
        let events = owner.post("/api/chat", question("Hello")).header("accept", accept).events().await.rest().await;
        assert_eq!(text_of(&events), "Hello from the model.");
    }
    owner.post("/api/chat", question("Hello")).header("accept", "application/json").await.expect(200).json();
}

/// Reads so many deltas, goes away, and comes back; returns all text that was read.
async fn joined(person: &Person, deltas: usize, position: Position) -> String {
    let mut stream = person.post("/api/chat", streamed(question("Hello"))).events().await;
    let first = stream.some(1 + deltas).await;
    drop(stream);
    let seq = first.iter().rev().find_map(|event| event.id).expect("a position");
    let rest = after(person, &run_of(&first), seq, position).await;
    assert_positions(&first, 0);
    assert_positions(&rest, seq);
    assert_eq!(rest.last().map(|event| event.name.as_str()), Some("done"), "{rest:?}");
    text_of(&first) + &text_of(&rest)
}

#[tokio::test]
async fn a_client_that_goes_away_at_any_delta_gets_the_same_text_when_it_comes_back() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.always(twelve(Duration::from_millis(20)));
    let ways = (0..=PIECES.len())
        .flat_map(|deltas| [Position::Parameter, Position::Header].map(|position| joined(&owner, deltas, position)));
    for text in join_all(ways).await {
        assert_eq!(text, PIECES.concat());
    }
    assert_eq!(fake.abandoned(), 0, "answers go on without their readers");
}

#[tokio::test]
async fn two_clients_read_an_answer_at_once() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.script(twelve(Duration::from_millis(20)));
    let mut first = owner.post("/api/chat", streamed(question("Hello"))).events().await;
    let begun = first.some(3).await;
    let device = world.again(&owner).await;
    let run = run_of(&begun);
    let (rest, second) = tokio::join!(first.rest(), after(&device, &run, 0, Position::Parameter));
    assert_eq!(text_of(&begun) + &text_of(&rest), PIECES.concat());
    assert_eq!(text_of(&second), PIECES.concat());
    assert_eq!(only(&second, "done"), only(&rest, "done"));
}

#[tokio::test]
async fn an_answer_that_has_ended_is_read_from_any_position_on_another_device() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.script(twelve(Duration::ZERO));
    let run = run_of(&owner.post("/api/chat", streamed(question("Hello"))).events().await.rest().await);
    let device = world.again(&owner).await;
    let whole = PIECES.concat();
    for seq in 0..=whole.chars().count() {
        let events = after(&device, &run, seq as u64, Position::Parameter).await;
        let expected: String = whole.chars().skip(seq).collect();
        assert_eq!(text_of(&events), expected, "after {seq}");
        assert_eq!(text_at(&only(&events, "done")["message"], "content"), whole);
    }
}

#[tokio::test]
async fn an_answer_of_many_pages_is_read_from_any_position() {
    let (world, fake) = world_at(Site::Api).await;
    let owner = world.owner().await;
    // The text is stored in several rows, since it grows over several flushes.
    fake.script(slowly(&["客户 ab"; 400], Duration::from_millis(5)));
    let id = conversation(&owner).await;
    let answer = with_workers(&world, owner.post("/api/chat", question_in(&id, "Hello")).into_future()).await;
    let run = text_at(&answer.expect(200).json(), "run_id");
    let env = &world.system.env;
    let id = run.parse().expect("a run");
    let stored = daybook_store::rows::run::Run::read(env, owner.org, id).await.expect("a read").expect("a run");
    assert!(stored.base > 0, "the text is in one row: {stored:?}");
    let whole = "客户 ab".repeat(400);
    for seq in (0..=whole.chars().count()).step_by(97) {
        let expected: String = whole.chars().skip(seq).collect();
        let text = stored.text_after(env, owner.org, id, seq as u64).await.expect("a text");
        assert_eq!(text, expected, "after {seq}");
    }
}

#[tokio::test]
async fn an_answer_that_another_process_generates_is_read_as_it_comes() {
    let (world, fake) = world_at(Site::Stream).await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.script(twelve(Duration::from_millis(100)));
    let reader = async {
        let run = run_in(&owner, &id).await;
        after(&owner, &run, 0, Position::Parameter).await
    };
    let whole = async { owner.post("/api/chat", question_in(&id, "Hello")).await.expect(200).json() };
    let (events, answer) = with_workers(&world, async { tokio::join!(reader, whole) }).await;
    assert_positions(&events, 0);
    assert_eq!((text_of(&events), text_at(&answer, "content")), (PIECES.concat(), PIECES.concat()));
    assert!(events.iter().filter(|event| event.name == "delta").count() > 1, "{events:?}");
}

#[tokio::test]
async fn a_wrong_position_is_refused() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let events = owner.post("/api/chat", streamed(question("Hello"))).events().await.rest().await;
    let path = format!("/api/chat/runs/{}/events", run_of(&events));
    let beyond = (text_of(&events).chars().count() + 1).to_string();
    for wrong in ["-1", "x", "1.5", "", "18446744073709551616", "9223372036854775807", &beyond] {
        let refused = owner.get(&format!("{path}?after_seq={wrong}")).await.expect_problem(400, "invalid_query");
        assert_eq!(refused.violations(), [("/after_seq".to_owned(), "out_of_range".to_owned())], "{wrong:?}");
        if !wrong.is_empty() {
            owner.get(&path).header("last-event-id", wrong).await.expect_problem(400, "invalid_query");
        }
    }
    let unknown = owner.get(&format!("{path}?after=1")).await.expect_problem(400, "invalid_query");
    assert_eq!(unknown.violations(), [("/after".to_owned(), "unknown_field".to_owned())]);
}

#[tokio::test]
async fn a_run_is_its_user_s_alone() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let run = run_of(&owner.post("/api/chat", streamed(question("Hello"))).events().await.rest().await);
    let path = format!("/api/chat/runs/{run}");
    for other in [world.owner().await, world.person(Role::Sales).await, world.stranger().await] {
        other.get(&path).await.expect_problem(404, "not_found");
        other.get(&format!("{path}/events")).await.expect_problem(404, "not_found");
        other.post(&format!("{path}/stop"), json!({})).await.expect_problem(404, "not_found");
    }
    owner.get("/api/chat/runs/run_01jd2h6q8e5k9v4m3n7p1r0stw/events").await.expect_problem(404, "not_found");
    owner.get("/api/chat/runs/1/events").await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn a_site_that_can_t_stream_says_so_and_begins_nothing() {
    let (world, fake) = world_at(Site::Api).await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    owner.post("/api/chat", streamed(question_in(&id, "Hello"))).await.expect_problem(400, "use_stream_url");
    let accepting = owner.post("/api/chat", question("Hello")).header("accept", "text/event-stream");
    accepting.await.expect_problem(400, "use_stream_url");
    assert_eq!((shown(&owner, &id).await["message_count"].as_u64(), fake.requests().len()), (Some(0), 0));

    let answer = with_workers(&world, owner.post("/api/chat", question("Hello")).into_future()).await;
    let run = text_at(&answer.expect(200).json(), "run_id");
    let events = owner.get(&format!("/api/chat/runs/{run}/events")).await;
    events.expect_problem(400, "use_stream_url");
}

#[tokio::test]
async fn a_site_that_can_t_stream_answers_by_its_queue() {
    let (world, fake) = world_at(Site::Api).await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    let both = async {
        let alone = owner.post("/api/chat", question("Hello")).into_future();
        tokio::join!(alone, owner.post("/api/chat", question_in(&id, "Hello")).into_future())
    };
    let (alone, kept) = with_workers(&world, both).await;
    assert_eq!(alone.expect(200).json()["content"], "Hello from the model.");
    assert_eq!(kept.expect(200).json()["content"], "Hello from the model.");
    assert_eq!((messages(&owner, &id).await.len(), fake.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_repeat_of_a_stream_s_request_reads_the_same_run() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.script(twelve(Duration::from_millis(10)));
    let ask = || owner.post("/api/chat", streamed(question("Hello"))).key("once");
    let mut first = ask().events().await;
    let begun = first.some(2).await;
    drop(first);
    let again = ask().events().await.rest().await;
    assert_eq!(run_of(&again), run_of(&begun));
    assert_eq!((text_of(&again), fake.requests().len()), (PIECES.concat(), 1));
}

#[tokio::test]
async fn a_run_tells_its_state_and_its_text_so_far() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.script(twelve(Duration::from_millis(20)));
    let mut stream = owner.post("/api/chat", streamed(question("Hello"))).events().await;
    let path = format!("/api/chat/runs/{}", run_of(&stream.some(2).await));
    assert_eq!(owner.get(&path).await.expect(200).data()["state"], "running");
    stream.rest().await;
    let over = owner.get(&path).await.expect(200).data();
    assert_eq!(
        (&over["state"], &over["error"], &over["content"]),
        (&json!("done"), &Value::Null, &json!(PIECES.concat()))
    );
    assert_eq!(over["seq"].as_u64(), Some(PIECES.concat().chars().count() as u64));
}

#[tokio::test]
async fn no_text_is_lost_when_calls_of_the_table_fail_while_it_streams() {
    let pieces = ["forty characters of a sentence, or so. "; 30];
    let answered = async |call: usize, fault: Fault| {
        let (world, fake) = world().await;
        let owner = world.owner().await;
        let id = conversation(&owner).await;
        fake.always(slowly(&pieces, Duration::from_millis(60)));
        let call_of = owner.post("/api/chat", streamed(question_in(&id, "Hello")));
        let mut stream = call_of.events().await;
        let mut events = stream.some(3).await;
        world.faults.at(call, fault);
        events.extend(stream.rest().await);
        assert_eq!(text_of(&events), pieces.concat(), "{fault:?} of call {call}");
        let all = messages(&owner, &id).await;
        assert_eq!(all[1]["content"], pieces.concat(), "{fault:?} of call {call}");
        assert_eq!(all[1]["status"], "complete");
        let run = owner.get(&format!("/api/chat/runs/{}", run_of(&events))).await.expect(200).data();
        assert_eq!(run["content"], pieces.concat());
    };
    let faults = [Fault::ServerError, Fault::AnswerLost, Fault::Throttled];
    let cases = (0..9).flat_map(|call| faults.map(|fault| (call, fault)));
    let cases = cases.step_by(if is_full() { 1 } else { 4 });
    join_all(cases.map(|(call, fault)| answered(call, fault))).await;
}
