//! Turns: organisations take theirs in every queue, and a job that takes long gives others theirs.

use daybook_consumers::CONSUMERS;
use daybook_domain::OrgId;
use daybook_domain::audit::Format;
use daybook_domain::job::{Job, Work};
use daybook_domain::permission::Grants;
use daybook_jobs::{Line, Outgoing, Queues};
use daybook_local::MemoryQueues;
use daybook_store::Tx;
use daybook_testing::{World, WorldOptions};
use serde_json::{Value, json};
use std::time::Duration;

fn message(org: OrgId, body: &str) -> Outgoing {
    Outgoing { body: body.to_owned(), delay: Duration::ZERO, entry: None, org: Some(org), trace: None }
}

#[tokio::test]
async fn a_thousand_messages_of_one_organisation_delay_no_other() {
    for Line { queue, places } in CONSUMERS.iter().flat_map(|consumer| consumer.lines()) {
        let queues = MemoryQueues::new(World::noon());
        let [busy, quiet] = [1, 2].map(|n| OrgId::new(uuid::Uuid::from_u128(n)));
        for _ in 0..1_000 {
            queues.send(queue, message(busy, "busy")).await.expect("it is sent");
        }
        queues.send(queue, message(quiet, "quiet")).await.expect("it is sent");
        let taken = queues.take(queue, 2, places.of_one_org);
        let bodies: Vec<&str> = taken.iter().map(|message| message.body.as_str()).collect();
        assert!(bodies.contains(&"quiet"), "{}: {bodies:?}", queue.name);
        // While its messages are worked on, an organisation gets no more than its share of the places.
        let more = queues.take(queue, places.at_once, places.of_one_org);
        let of_busy = 1 + more.len();
        assert_eq!(of_busy, places.of_one_org, "{}", queue.name);
        assert!(places.of_one_org < places.at_once, "{}: one organisation may take all places", queue.name);
        queues.done(&more[0]);
        assert_eq!(queues.take(queue, places.at_once, places.of_one_org).len(), 1, "{}", queue.name);
    }
}

/// A world in which a job's turn ends after every step.
async fn short_turns() -> World {
    World::with(WorldOptions { job_turn: Some(Duration::ZERO), ..WorldOptions::default() }).await
}

#[tokio::test]
async fn a_cascade_of_many_turns_moves_every_record() {
    let world = short_turns().await;
    let owner = world.owner().await;
    let customer = owner.post("/api/customers", json!({"name": "Ada"})).await.expect(201).json();
    let customer = customer["data"]["id"].as_str().expect("an id").to_owned();
    for n in 0..60 {
        let task = json!({"title": format!("Task {n}"), "related_to": {"type": "customer", "id": customer}});
        owner.post("/api/tasks", task).await.expect(201);
    }
    let path = format!("/api/customers/{customer}");
    let job = owner.delete(&path).await.expect(202).json();
    let job = format!("/api/jobs/{}", job["data"]["id"].as_str().expect("a job"));
    world.pass(Duration::from_secs(600)).await;
    let done = owner.get(&job).await.expect(200).json();
    assert_eq!((&done["data"]["status"], &done["data"]["progress"]["done"]), (&json!("done"), &json!(60)), "{done}");
    // Progress was stored at each step: more than one turn was made.
    assert!(done["data"]["version"].as_u64() > Some(5), "{done}");
    let restored = owner.post(&format!("{path}/restore"), json!({})).await.expect(202).json();
    let job = format!("/api/jobs/{}", restored["data"]["id"].as_str().expect("a job"));
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(owner.get(&job).await.expect(200).json()["data"]["status"], "done");
    assert_eq!(owner.get("/api/tasks?limit=200").await.expect(200).json()["meta"]["count"], 60);
}

#[tokio::test]
async fn what_may_take_long_has_a_queue_of_its_own() {
    let world = World::new().await;
    let owner = world.owner().await;
    let customer = owner.post("/api/customers", json!({"name": "A"})).await.expect(201).id();
    let call = json!({"action": "create", "data": {"customer_id": customer, "interaction_type": "call"}});
    owner.post("/api/interactions/batch", json!({"items": vec![call; 60]})).await.expect(200);
    let dispatched = async || while world.system.workers.dispatch().await > 0 {};
    let worker = world.system.workers.of_function("run-jobs").expect("a worker");
    let [short, long] = worker.consumer.lines()[..] else { panic!("two queues") };
    dispatched().await;

    for what in ["exports", "erasures"] {
        owner.post(&format!("/api/privacy/{what}"), json!({"email": "a@b.example"})).await.expect(202);
    }
    dispatched().await;
    assert_eq!(world.system.workers.work_on(worker, short, 10).await, 0);
    owner.delete(&format!("/api/customers/{customer}")).await.expect(202);
    dispatched().await;
    assert_eq!(world.system.workers.work_on(worker, short, 10).await, 1);
    assert_eq!(world.system.workers.work_on(worker, long, 10).await, 2);
}

#[tokio::test]
async fn a_job_goes_on_in_the_queue_of_long_ones_after_its_first_turn() {
    let world = short_turns().await;
    let owner = world.owner().await;
    let customer = owner.post("/api/customers", json!({"name": "A"})).await.expect(201).id();
    let call = json!({"action": "create", "data": {"customer_id": customer, "interaction_type": "call"}});
    owner.post("/api/interactions/batch", json!({"items": vec![call; 60]})).await.expect(200);
    owner.delete(&format!("/api/customers/{customer}")).await.expect(202);
    while world.system.workers.dispatch().await > 0 {}
    let worker = world.system.workers.of_function("run-jobs").expect("a worker");
    let [short, long] = worker.consumer.lines()[..] else { panic!("two queues") };
    let turn = async |line| world.system.workers.work_on(worker, line, 1).await;
    assert_eq!((turn(short).await, turn(short).await, turn(long).await), (1, 0, 1));
    // A version with one queue would find it there.
    let due = daybook_store::rows::due::all(&world.system.env).await.expect("a read");
    assert!(due.iter().any(|item| item.queue == short.queue.name && item.message.contains("turns")), "{due:?}");
}

/// The file of an export that a job writes in turns of this length.
async fn exported(turn: Option<Duration>, format: &str) -> (String, usize) {
    let world = World::with(WorldOptions { job_turn: turn, ..WorldOptions::default() }).await;
    let owner = world.owner().await;
    for n in 0..450 {
        owner.post("/api/customers", json!({"name": format!("Customer {n}")})).await.expect(201);
    }
    let cx = world.cx(owner.org);
    let format = Format::named(format).expect("a format");
    let work = Work::AuditExport { format, filter: Box::default() };
    let job = Job::new(work, &cx.stamp()).relying_on(&Grants::all(), Vec::new());
    cx.commit(Tx::create(&job), ()).await.expect("a commit");
    let job = job.id.to_string();
    let mut attempts = 0;
    loop {
        let done = world.work().await;
        world.clock.advance(Duration::from_secs(1));
        attempts += usize::from(done > 0);
        let shown = owner.get(&format!("/api/jobs/{job}")).await.expect(200).json();
        match shown["data"]["status"].as_str() {
            Some("queued") => assert!(attempts < 100, "{shown}"),
            Some("done") => break,
            _ => panic!("{shown}"),
        }
    }
    let file = walk(world.folder()).into_iter().find(|path| path.ends_with(&job)).expect("a file");
    (std::fs::read_to_string(file).expect("a file"), attempts)
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn an_export_of_many_turns_writes_the_same_file() {
    for format in ["csv", "json"] {
        let (in_one, _) = exported(None, format).await;
        let (in_many, _) = exported(Some(Duration::ZERO), format).await;
        let lines = |text: &str| text.matches("customer.created").count();
        assert_eq!(lines(&in_one), 450, "{format}");
        assert_eq!(lines(&in_many), 450, "{format}");
        if format == "json" {
            let entries: Value = serde_json::from_str(&in_many).expect("JSON");
            assert_eq!(
                entries.as_array().map(Vec::len),
                serde_json::from_str::<Value>(&in_one).expect("JSON").as_array().map(Vec::len)
            );
        }
    }
}
