//! Answers whose process dies: the text that stands is kept, and what they hold of the budgets is settled.

use super::{
    Amount, asked, assert_settled, conversation, long, messages, only, question, question_in, reported, run_in, run_of,
    shown, spent, streamed, text_at, text_of, world, world_at,
};
use daybook_domain::permission::Role;
use daybook_runs::Site;
use daybook_testing::{Event, Fault, Person, Process, World, is_full};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than the lease of a generator.
const LEASE_AND_MORE: Duration = Duration::from_secs(90);

/// Asks in a process; returns what is read of the answer until that has some text in the table.
async fn begun_in(process: &Process, person: &Person, conversation: &str) -> Vec<Event> {
    let call = person.post("/api/chat", streamed(question_in(conversation, "Hello")));
    let reading = process.spawn(async move {
        let mut stream = call.events().await;
        // A flush comes every 500 ms, and a word every 100 ms.
        stream.some(9).await
    });
    reading.await.expect("events")
}

/// An answer whose process was killed.
struct Killed {
    world: World,
    owner: Person,
    /// The conversation.
    id: String,
    run: String,
}

/// Begins an answer in a process, and kills that once the answer has some text.
async fn killed() -> Killed {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.always(long());
    let process = Process::start();
    let run = run_of(&begun_in(&process, &owner, &id).await);
    process.kill().await;
    Killed { world, owner, id, run }
}

/// Asserts that a conversation has an answer that was interrupted, and is free; returns the answer.
async fn interrupted(person: &Person, conversation: &str) -> Value {
    assert_eq!(shown(person, conversation).await["run_id"], Value::Null);
    let all = messages(person, conversation).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((&all[1]["role"], &all[1]["status"]), (&json!("assistant"), &json!("error")), "{all:?}");
    all[1].clone()
}

#[tokio::test]
async fn an_answer_whose_process_dies_keeps_the_text_that_stands() {
    let Killed { world, owner, id, run } = killed().await;

    world.pass(LEASE_AND_MORE).await;

    let answer = interrupted(&owner, &id).await;
    let text = text_at(&answer, "content");
    assert!(!text.is_empty() && "word ".repeat(60).starts_with(&text), "{text:?}");
    let run = owner.get(&format!("/api/chat/runs/{run}")).await.expect(200).data();
    assert_eq!((&run["state"], &run["error"]), (&json!("error"), &json!("interrupted")));
    assert_eq!(text_at(&run, "content"), text);
}

#[tokio::test]
async fn an_answer_whose_process_died_is_paid_for_by_its_text() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.always(long());
    let process = Process::start();
    begun_in(&process, &owner, &id).await;
    let held = spent(&owner).await;
    process.kill().await;
    assert_eq!(spent(&owner).await, held, "what it holds");

    world.pass(LEASE_AND_MORE).await;

    let usage = interrupted(&owner, &id).await["usage"].clone();
    assert!(Amount::of(&usage).tokens > 0 && Amount::of(&usage).tokens < held.tokens, "{usage} of {held:?}");
    assert_eq!(spent(&owner).await, Amount::of(&usage));
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_conversation_whose_answer_died_is_free_once_the_lease_has_ended() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.script(long());
    let process = Process::start();
    let events = begun_in(&process, &owner, &id).await;
    process.kill().await;
    let refused = owner.post("/api/chat", question_in(&id, "And now?")).await.expect_problem(409, "conflict").json();
    assert_eq!(refused["run_id"], json!(run_of(&events)));

    world.pass(LEASE_AND_MORE).await;

    assert_eq!(asked(&owner, &id, "And now?").await["content"], "Hello from the model.");
}

#[tokio::test]
async fn a_reader_of_an_answer_whose_process_died_gets_its_text_and_then_an_error() {
    let Killed { world, owner, id, run } = killed().await;
    let reader = async { owner.get(&format!("/api/chat/runs/{run}/events")).events().await.rest().await };
    let (events, ()) = tokio::join!(reader, world.pass(LEASE_AND_MORE));
    assert_eq!(only(&events, "error")["code"], "interrupted");
    assert_eq!(text_of(&events), text_at(&interrupted(&owner, &id).await, "content"));
}

#[tokio::test]
async fn stopping_an_answer_whose_process_died_ends_it() {
    let Killed { world, owner, id, run } = killed().await;
    world.clock.advance(LEASE_AND_MORE);
    owner.post(&format!("/api/chat/runs/{run}/stop"), json!({})).await.expect(200);
    interrupted(&owner, &id).await;
    assert_settled(&owner).await;
}

#[tokio::test]
async fn an_answer_whose_worker_dies_keeps_the_text_that_stands() {
    let (world, fake) = world_at(Site::Api).await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    fake.always(long());
    let (call, workers) = (owner.post("/api/chat", question_in(&id, "Hello")), world.system.workers.clone());
    let client = tokio::spawn(call.into_future());
    let run = run_in(&owner, &id).await;
    let worker = Process::start();
    worker.spawn(async move { workers.run().await });
    let path = format!("/api/chat/runs/{run}");
    while owner.get(&path).await.expect(200).data()["content"] == "" {
        tokio::task::yield_now().await;
    }
    worker.kill().await;

    world.pass(LEASE_AND_MORE).await;

    let text = text_at(&interrupted(&owner, &id).await, "content");
    assert!(text.starts_with("word"), "{text}");
    let problem = client.await.expect("an answer").expect_problem(502, "upstream_error").json();
    assert_eq!(problem["run_id"], json!(run));
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_queued_answer_whose_message_is_lost_is_generated_later() {
    let (world, fake) = world_at(Site::Api).await;
    let owner = world.owner().await;
    let id = conversation(&owner).await;
    let client = tokio::spawn(owner.post("/api/chat", question_in(&id, "Hello")).into_future());
    run_in(&owner, &id).await;
    // The worker takes the message from the queue, and dies at its first call of the table.
    let workers = world.system.workers.clone();
    workers.dispatch().await;
    world.faults.at_a_distance();
    let before = world.faults.calls().len();
    let process = Process::start();
    process.spawn(async move {
        let worker = workers.of_function("chat-run").expect("a worker");
        workers.work_on(worker, worker.consumer.lines()[0], 1).await
    });
    while world.faults.calls().len() == before {
        tokio::task::yield_now().await;
    }
    process.kill().await;
    world.faults.nearby();

    world.pass(LEASE_AND_MORE).await;

    assert_eq!(client.await.expect("an answer").expect(200).json()["content"], "Hello from the model.");
    assert_eq!((messages(&owner, &id).await.len(), fake.requests().len()), (2, 1));
    assert_settled(&owner).await;
}

#[tokio::test]
async fn twenty_answers_whose_process_dies_all_end() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.always(long());
    let ids = join_all((0..20).map(|_| conversation(&owner))).await;
    let process = Process::start();
    join_all(ids.iter().map(|id| begun_in(&process, &owner, id))).await;
    process.kill().await;

    world.pass(LEASE_AND_MORE).await;

    let mut usages = Vec::new();
    for id in &ids {
        let answer = interrupted(&owner, id).await;
        let text = text_at(&answer, "content");
        assert!(!text.is_empty() && "word ".repeat(60).starts_with(&text), "{text:?}");
        usages.push(answer["usage"].clone());
    }
    assert_eq!((spent(&owner).await, reported(&owner).await), (Amount::sum(&usages), Amount::sum(&usages)));
}

/// The calls of the table by a question.
async fn calls_of(world: &World, person: &Person, question: Value) -> Vec<String> {
    let before = world.faults.calls().len();
    person.post("/api/chat", question).await.expect(200);
    world.faults.calls()[before..].to_vec()
}

#[tokio::test]
async fn a_process_that_dies_at_any_moment_of_a_request_leaves_nothing_held_and_no_conversation_busy() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let sales = world.person(Role::Sales).await;
    let first = conversation(&sales).await;
    let calls = calls_of(&world, &sales, question_in(&first, "Hello")).await.len();
    world.faults.at_a_distance();
    let mut ids = Vec::new();
    for call in (1..calls).step_by(if is_full() { 1 } else { 3 }) {
        let id = conversation(&sales).await;
        let before = world.faults.calls().len();
        let process = Process::start();
        let request = process.spawn(sales.post("/api/chat", question_in(&id, "Hello")).into_future());
        while world.faults.calls().len() < before + call && !request.is_finished() {
            tokio::task::yield_now().await;
        }
        process.kill().await;
        ids.push(id);
    }
    world.faults.nearby();

    world.pass(LEASE_AND_MORE).await;

    assert!(ids.len() > 3, "{} moments are too few to show anything", ids.len());
    for id in &ids {
        assert_eq!(shown(&sales, id).await["run_id"], Value::Null, "{id}");
        let all = messages(&sales, id).await;
        assert!(all.len() == 2 || all.is_empty(), "a question without the end of its answer: {all:?}");
    }
    assert_settled(&owner).await;
    let due = daybook_store::rows::due::all(&world.system.env).await.expect("a read");
    assert!(due.iter().all(|item| item.queue != daybook_store::rows::run::QUEUE), "{due:?}");
}

#[tokio::test]
async fn what_was_reserved_for_a_run_that_was_never_committed_is_returned() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    calls_of(&world, &owner, question("Hello")).await;
    let calls = calls_of(&world, &owner, question("Hello")).await;
    let commit = calls.iter().position(|call| call == "TransactWriteItems").expect("a commit");
    let spent_before = spent(&owner).await;
    // A request makes the same calls as the one before it.
    (commit..commit + 60).for_each(|call| world.faults.at(call, Fault::Before));

    owner.post("/api/chat", question("Hello")).await.expect_problem(503, "unavailable");

    world.faults.heal();
    let held = spent(&owner).await;
    assert!(held.tokens > spent_before.tokens, "nothing is held: {held:?}");
    world.pass(LEASE_AND_MORE).await;
    assert_eq!((spent(&owner).await, fake.requests().len()), (spent_before, 2));
    assert_settled(&owner).await;
}
