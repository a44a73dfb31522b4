//! Stopped answers: their text up to then is kept, and their budgets are settled.

use super::{
    Amount, asked, assert_settled, assert_unchanged, conversation, long, messages, only, question_in, run_in, run_of,
    shown, spent, streamed, table, text_at, text_of, with_workers, world, world_at,
};
use daybook_runs::Site;
use daybook_testing::llm::{Fault, Place, Script};
use daybook_testing::{Answer, Person};
use serde_json::json;
use std::time::{Duration, Instant};

/// The longest that a stop may take.
const SECOND: Duration = Duration::from_secs(1);

async fn stop(person: &Person, run: &str) -> Answer {
    person.post(&format!("/api/chat/runs/{run}/stop"), json!({})).await.expect(200)
}

#[tokio::test]
async fn an_answer_stops_within_a_second_and_keeps_its_text() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.script(long());
    let mut stream = owner.post("/api/chat", streamed(question_in(&id, "Hello"))).events().await;
    let mut events = stream.some(4).await;
    let asked_at = Instant::now();

    stop(&owner, &run_of(&events)).await;

    events.extend(stream.rest().await);
    assert!(asked_at.elapsed() < SECOND, "{:?}", asked_at.elapsed());
    let message = only(&events, "done")["message"].clone();
    let text = text_of(&events);
    assert!(text.starts_with("word word word") && text.len() < 5 * 60, "{text}");
    assert_eq!((&message["status"], text_at(&message, "content")), (&json!("stopped"), text.clone()));
    let kept = messages(&owner, &id).await.pop().expect("a message");
    assert_eq!((&kept["status"], text_at(&kept, "content")), (&json!("stopped"), text));
}

#[tokio::test]
async fn a_stopped_answer_is_paid_for_and_its_conversation_is_free() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.script(long());
    let mut stream = owner.post("/api/chat", streamed(question_in(&id, "Hello"))).events().await;
    let run = run_of(&stream.some(3).await);
    stop(&owner, &run).await;
    let usage = only(&stream.rest().await, "usage");
    assert!(Amount::of(&usage).tokens > 0, "{usage}");
    assert_eq!(spent(&owner).await, Amount::of(&usage));
    assert_settled(&owner).await;
    assert_eq!(asked(&owner, &id, "And now?").await["content"], "Hello from the model.");
}

#[tokio::test]
async fn the_provider_is_told_to_stop() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.script(long());
    let mut stream = owner.post("/api/chat", streamed(question_in(&id, "Hello"))).events().await;
    let run = run_of(&stream.some(2).await);
    stop(&owner, &run).await;
    stream.rest().await;
    // The fake sees the end of the connection before it sends the next piece.
    let noticed = async {
        while fake.abandoned() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), noticed).await.expect("the end of the connection");
}

#[tokio::test]
async fn an_answer_without_a_first_word_is_stopped_too() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.always(Script::failing(Place::First, Fault::Silence));
    let mut stream = owner.post("/api/chat", streamed(question_in(&id, "Hello"))).events().await;
    let run = run_of(&stream.some(1).await);
    let asked_at = Instant::now();
    stop(&owner, &run).await;
    let message = only(&stream.rest().await, "done")["message"].clone();
    assert!(asked_at.elapsed() < SECOND, "{:?}", asked_at.elapsed());
    assert_eq!((&message["status"], &message["content"]), (&json!("stopped"), &json!("")));
    assert_settled(&owner).await;
}

#[tokio::test]
async fn an_answer_that_another_process_generates_stops_within_a_second() {
    let (world, fake) = world_at(Site::Api).await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.script(long());
    let stopping = async {
        let run = run_in(&owner, &id).await;
        let path = format!("/api/chat/runs/{run}");
        while owner.get(&path).await.expect(200).data()["content"] == "" {
            tokio::task::yield_now().await;
        }
        let asked_at = Instant::now();
        stop(&owner, &run).await;
        while owner.get(&path).await.expect(200).data()["state"] == "running" {
            tokio::task::yield_now().await;
        }
        asked_at.elapsed()
    };
    let whole = async { owner.post("/api/chat", question_in(&id, "Hello")).await.expect(200).json() };

    let (took, answer) = with_workers(&world, async { tokio::join!(stopping, whole) }).await;

    assert!(took < SECOND, "{took:?}");
    let text = text_at(&answer, "content");
    assert!(text.starts_with("word") && text.len() < 5 * 60, "{text}");
    assert_eq!(answer["state"], "stopped");
    let kept = messages(&owner, &id).await.pop().expect("a message");
    assert_eq!((&kept["status"], text_at(&kept, "content")), (&json!("stopped"), text));
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_queued_answer_is_stopped_before_a_model_is_asked() {
    let (world, fake) = world_at(Site::Api).await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    let stopping = async {
        let run = run_in(&owner, &id).await;
        stop(&owner, &run).await.data()
    };
    let whole = async { owner.post("/api/chat", question_in(&id, "Hello")).await.expect(200).json() };

    let (told, answer) = tokio::join!(stopping, whole);

    assert_eq!((&told["state"], &answer["state"]), (&json!("stopped"), &json!("stopped")));
    world.work().await;
    world.pass(Duration::from_secs(120)).await;
    assert_eq!((fake.requests().len(), spent(&owner).await), (0, Amount::default()));
    assert_eq!(shown(&owner, &id).await["run_id"], json!(null));
    assert_eq!(messages(&owner, &id).await[1]["status"], "stopped");
}

#[tokio::test]
async fn stopping_an_answer_that_has_ended_changes_nothing() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    let run = text_at(&asked(&owner, &id, "Hello").await, "run_id");
    let before = table(&world);
    let told = stop(&owner, &run).await.data();
    assert_eq!((&told["state"], &told["content"]), (&json!("done"), &json!("Hello from the model.")));
    assert_unchanged(&world, &before, "a stop");
}
