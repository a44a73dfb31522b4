//! What no longer fails in silence: entries that can't be read, outages longer than the stream keeps entries, and mails
//! that failed for good.

use crate::scripted;
use daybook_dispatch::{Redrive, redrive};
use daybook_jobs::mail::SendError;
use daybook_jobs::{DEAD_LETTERS, StreamEvent, on_stream};
use daybook_local::{DEFAULT_ORG, MemoryQueues};
use daybook_store::item::{AttributeValue, Item};
use daybook_store::telemetry::Invocation;
use daybook_testing::{World, WorldOptions, lead};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[tokio::test]
async fn entries_are_dispatched_again_from_a_time_on_and_each_mail_is_sent_once() {
    let world = World::new().await;
    let env = world.system.env.clone();
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    assert_eq!(world.mails().len(), 2);
    // An outage: nothing is dispatched, and the process that knew of the entries ends.
    let began = env.clock.now().plus(Duration::from_secs(60));
    world.clock.advance(Duration::from_secs(3_600));
    world.visitor().post("/api/leads", lead("eva@example.com")).await.expect(201);
    let world = world.restarted_with(Default::default()).await;
    world.clock.advance(Duration::from_secs(3_600));
    assert_eq!(world.work().await, 0);

    let env = world.system.env.clone();
    let queues = world.system.workers.queues();
    let ask = Redrive { from: began, to: None };
    let redriven = redrive(env.clone(), queues.clone(), ask, later()).await.expect("a redrive");
    assert!(redriven.entries > 0 && redriven.next_from.is_none(), "{redriven:?}");
    world.work().await;
    assert_eq!(world.mails().len(), 2, "the second lead's mails");
    let ask = Redrive { from: began.minus(Duration::from_secs(3_600)), to: None };
    let again = redrive(env, queues, ask, later()).await.expect("a redrive");
    assert!(again.entries > redriven.entries);
    world.work().await;
    assert_eq!(world.mails().len(), 2, "what was sent isn't sent again");
}

#[tokio::test]
async fn a_redrive_without_time_goes_on_where_it_ended() {
    let world = World::new().await;
    let env = world.system.env.clone();
    let began = env.clock.now();
    for n in 0..30 {
        world.visitor().post("/api/leads", lead(&format!("ada{n}@example.com"))).await.expect(201);
        world.clock.advance(Duration::from_secs(90));
    }
    let mut ask = Redrive { from: began, to: None };
    let (mut entries, mut rounds) = (0, 0);
    loop {
        let done = redrive(env.clone(), world.system.workers.queues(), ask, Instant::now()).await.expect("a redrive");
        (entries, rounds) = (entries + done.entries, rounds + 1);
        match done.next_from {
            Some(next) => ask.from = next,
            None => break,
        }
    }
    assert!(rounds > 3 && entries >= 60, "{rounds} rounds, {entries} entries");
    world.work().await;
    assert_eq!(world.mails().len(), 60);
}

#[tokio::test]
async fn an_unreadable_entry_is_left_out_of_a_redrive_and_of_the_next_start() {
    let world = World::new().await;
    let env = world.system.env.clone();
    let began = env.clock.now();
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    let facts = format!("{DEFAULT_ORG}#journal#");
    let is_fact = |item: &Value| item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with(&facts));
    let all = world.raw.everything();
    let fact = all.iter().find(|item| is_fact(item)).expect("a fact");
    let text = |name: &str| AttributeValue::S(fact[name]["S"].as_str().expect("a text").to_owned());
    let mut broken: Item = ["pk", "sk", "kind"].map(|name| (name.to_owned(), text(name))).into();
    broken.insert("json".to_owned(), AttributeValue::S("{\"from\": \"a newer version\"}".to_owned()));
    world.raw.put(broken).await;

    let ask = Redrive { from: began, to: None };
    let redriven = redrive(env, world.system.workers.queues(), ask, later()).await.expect("a redrive");
    assert_eq!(redriven.unreadable, 1, "{redriven:?}");
    assert_eq!(redriven.entries, all.iter().filter(|item| is_fact(item)).count());
    let world = world.restarted_with(WorldOptions::default()).await;
    world.system.workers.catch_up().await.expect("a journal");
    world.work().await;
}

#[tokio::test]
async fn an_entry_that_can_t_be_read_goes_to_the_dead_letters_and_stops_no_other() {
    let world = World::new().await;
    let aside = MemoryQueues::new(world.clock.clone());
    let broken = json!({"eventName": "INSERT", "eventID": "1", "awsRegion": "eu-west-1", "dynamodb": {
        "SequenceNumber": "1", "SizeBytes": 10, "StreamViewType": "NEW_AND_OLD_IMAGES",
        "Keys": {"pk": {"S": "org_x#journal#2026-11-20"}, "sk": {"S": "aud_x"}},
        "NewImage": {"kind": {"S": "journal"}, "json": {"S": "{\"from\": \"a newer version\"}"}}}});
    let event: StreamEvent = serde_json::from_value(json!({"Records": [broken]})).expect("an event");
    let answer = on_stream(event, |fact| world.dispatch(fact), &aside, &Invocation::default()).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let letters = aside.take(DEAD_LETTERS, 10, 10);
    assert!(letters.len() == 1 && letters[0].body.contains("aud_x"), "{letters:?}");
}

#[tokio::test]
async fn a_mail_that_failed_is_listed_and_sent_again_on_request() {
    let (world, mailer) = scripted().await;
    let owner = world.owner().await;
    for _ in 0..2 {
        mailer.fail_next(SendError::Refused("Email address is not verified".to_owned()));
    }
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    let failed = owner.get("/api/integrations/mail/failed").await.expect(200).json();
    let mails = failed["data"].as_array().expect("a list").clone();
    assert_eq!(mails.len(), 2, "{failed}");
    assert_eq!(mails[0]["reason"], "Email address is not verified");
    let first = owner.get("/api/integrations/mail/failed?limit=1").await.expect(200).json();
    let next = first["meta"]["next_cursor"].as_str().expect("a cursor");
    let second = owner.get(&format!("/api/integrations/mail/failed?limit=1&cursor={next}")).await.expect(200).json();
    assert_eq!((&first["data"][0], &second["data"][0]), (&mails[0], &mails[1]));

    let one = json!({"entry_id": mails[0]["entry_id"], "kind": mails[0]["kind"]});
    let asked = json!({"mails": [one.clone(), one]});
    owner.post("/api/integrations/mail/replay", asked.clone()).await.expect(202);
    owner.post("/api/integrations/mail/replay", asked).await.expect_problem(409, "conflict");
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(mailer.sent().len(), 1);
    let all = owner.post("/api/integrations/mail/replay", json!({})).await.expect(202).json();
    assert_eq!(all["data"]["mails"].as_array().map(Vec::len), Some(1), "{all}");
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(mailer.sent().len(), 2);
    assert_eq!(owner.get("/api/integrations/mail/failed").await.expect(200).json()["meta"]["count"], 0);
    let requested = world.journal(owner.org).await.into_iter().filter(|fact| fact.event.name() == "mail.requested");
    assert_eq!(requested.count(), 2);
    let strange = json!({"mails": [{"entry_id": mails[0]["entry_id"], "kind": "mail-nothing"}]});
    owner.post("/api/integrations/mail/replay", strange).await.expect_problem(422, "validation_error");
    let known = json!({"entry_id": mails[0]["entry_id"], "kind": mails[0]["kind"]});
    let unknown = json!({"entry_id": "aud_7nk0eqwv0dzz07tew2b71dysa0", "kind": "mail-confirmation"});
    let asked = json!({"mails": [known, unknown]});
    let refused = owner.post("/api/integrations/mail/replay", asked).await.expect_problem(422, "validation_error");
    assert_eq!(refused.violations(), [("/mails/1/entry_id".to_owned(), "invalid_id".to_owned())]);
}
