//! Privacy tests: exports of a person's data, and erasure of a person.

use daybook_domain::permission::Role;
use daybook_local::DEFAULT_ORG;
use daybook_store::item::{AttributeValue, key_item};
use daybook_store::schema::Place;
use daybook_testing::hubspot::HubSpot;
use daybook_testing::{Fault, Person, World, WorldOptions, is_full, lead};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const ADA: &str = "Ada.Canary@Example.com";

/// The lengths of a job's turn: the default, in which it gets to its end, and one that ends after every page.
pub(crate) const TURNS: [Option<Duration>; 2] = [None, Some(Duration::ZERO)];

/// A world with HubSpot in which a job's turn has this length.
pub(crate) async fn world(job_turn: Option<Duration>) -> (World, HubSpot) {
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    let options = WorldOptions { hubspot: Some(hubspot.clone()), job_turn, ..WorldOptions::default() };
    (World::at(options, clock).await, hubspot)
}

/// Requests an export or erasure for a person, and returns the finished job.
async fn asked(world: &World, owner: &Person, what: &str, email: &str) -> Value {
    asked_of(world, owner, what, json!({"email": email})).await
}

pub(crate) async fn asked_of(world: &World, owner: &Person, what: &str, body: Value) -> Value {
    let job = owner.post(&format!("/api/privacy/{what}"), body).await.expect(202).data();
    let path = format!("/api/jobs/{}", job["id"].as_str().expect("an id"));
    assert_eq!(job["status"], "queued");
    while world.work().await > 0 {
        world.clock.advance(Duration::from_millis(1));
    }
    owner.get(&path).await.expect(200).data()
}

/// The file of a job, fetched with the link alone.
pub(crate) async fn fetched(world: &World, job: &Value) -> daybook_testing::Answer {
    let url = job["download_url"].as_str().unwrap_or_else(|| panic!("no link: {job}"));
    let path = url.strip_prefix(&world.system.env.settings.public_url).expect("an address here");
    world.visitor().get(path).await
}

/// Everything in the table that hasn't expired, as text.
pub(crate) fn all_there_is(world: &World) -> Vec<String> {
    let now = world.clock.now().as_second();
    let expires = |item: &Value| item["expires_at"]["N"].as_str().map_or(i64::MAX, |at| at.parse().expect("a number"));
    let all = world.raw.everything();
    assert!(!all.is_empty());
    all.into_iter().filter(|item| expires(item) > now).map(|item| item.to_string()).collect()
}

/// A person who has posted every kind of form, and about whom staff has written.
async fn somebody_known(world: &World, owner: &Person) -> String {
    let visitor = world.visitor().from("203.0.113.99");
    let mut posted = lead(ADA);
    posted["last_name"] = json!("Canarylace");
    posted["phone"] = json!("+49 30 998877665");
    posted["requirements"] = json!("A canaryengine");
    let id = visitor.post("/api/leads", posted.clone()).await.expect(201).id();
    posted["demo_type"] = json!("onsite");
    visitor.post("/api/demos", posted).await.expect(201);
    visitor.post("/api/contact", json!({"email": ADA, "message": "Another canarymessage"})).await.expect(201);
    let path = format!("/api/leads/{id}");
    owner.patch(&path, json!({"job_title": "Canarycountess"})).await.expect(200);
    owner.get("/api/leads?search=ada.canary%40example.com").await.expect(200);
    owner.post("/api/invitations", json!({"email": ADA, "role": "sales"})).await.expect(201);
    world.work().await;
    path
}

#[tokio::test]
async fn all_that_is_known_of_a_person_comes_as_a_file_behind_a_link_that_ends() {
    for turn in TURNS {
        exported(turn).await;
    }
}

async fn exported(turn: Option<Duration>) {
    let (world, _hubspot) = world(turn).await;
    let owner = world.owner().await;
    let path = somebody_known(&world, &owner).await;
    world.visitor().post("/api/leads", lead("panda.canary@example.com")).await.expect(201);

    let job = asked(&world, &owner, "exports", "ada.canary@example.COM").await;

    assert_eq!(job["status"], "done", "{job}");
    let answer = fetched(&world, &job).await.expect(200);
    assert!(answer.header("content-disposition").contains("person-2026-11-20.json"));
    let told = answer.json();
    let kinds: Vec<&str> =
        told["records"].as_array().expect("a list").iter().map(|one| one["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["invitation", "lead", "submission", "submission", "submission", "demo"]);
    assert!(told["records"][1]["record"]["job_title"] == "Canarycountess", "{told}");
    let mails: Vec<&str> =
        told["mails"].as_array().expect("a list").iter().map(|one| one["mail"].as_str().expect("a name")).collect();
    assert!(mails.contains(&"mail-confirmation") && mails.contains(&"mail-invitation"), "{mails:?}");
    assert_eq!(told["sync"][0]["state"], "synced");
    let log = told["audit_log"].as_array().expect("a list");
    let of = |event: &str| log.iter().find(|entry| entry["event"] == event).unwrap_or_else(|| panic!("no {event}"));
    assert_eq!(of("lead.created")["request"]["ip"], "203.0.113.99");
    // The network address of a staff member isn't the person's data.
    assert_eq!(of("lead.updated")["request"]["ip"], Value::Null);
    assert!(!answer.text.contains("panda"), "another person's data");

    let url = job["download_url"].as_str().expect("a link").replace("person-", "other-");
    fetched(&world, &json!({"download_url": url})).await.expect(403);
    world.clock.advance(Duration::from_secs(901));
    fetched(&world, &job).await.expect(403);
    owner.get(&path).await.expect(200);
}

#[tokio::test]
async fn after_an_erasure_nothing_of_the_person_is_left_but_that_something_was_done() {
    for turn in TURNS {
        erased(turn).await;
    }
}

async fn erased(turn: Option<Duration>) {
    let (world, hubspot) = world(turn).await;
    let owner = world.owner().await;
    let path = somebody_known(&world, &owner).await;
    // Another lead in the trash, a mention in another person's record, and a similar address.
    let other = world.visitor().post("/api/leads", lead("panda.canary@example.com")).await.expect(201).id();
    let mention = json!({"requirements": format!("Ask {ADA}, too")});
    owner.patch(&format!("/api/leads/{other}"), mention).await.expect(200);
    owner.post("/api/auth/login", json!({"email": ADA, "password": "x"})).await.expect(401);
    owner.delete(&path).await.expect(200);
    world.visitor().post("/api/leads", lead(ADA)).await.expect(201);
    world.work().await;
    let exported = asked(&world, &owner, "exports", ADA).await;
    let before = world.journal(DEFAULT_ORG).await;
    world.clock.advance(Duration::from_secs(2));

    let job = asked(&world, &owner, "erasures", ADA).await;

    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(job["erased"]["mentions"], json!([other]));
    assert_eq!((job["erased"]["records"].as_u64(), job["erased"]["contacts"].as_u64()), (Some(8), Some(2)), "{job}");
    world.pass(Duration::from_secs(60)).await;
    assert!(hubspot.contacts().iter().all(|contact| !format!("{contact:?}").to_lowercase().contains("ada.canary")));
    // Stored replies of idempotency keys expire within a day.
    world.clock.advance(Duration::from_secs(25 * 3600));
    fetched(&world, &exported).await.expect(403);
    let owner = world.owner().await;
    owner.patch(&format!("/api/leads/{other}"), json!({"requirements": null})).await.expect(200);
    let (mine, theirs) = ("ada.canary", ["canarylace", "998877665", "canaryengine", "canarymessage", "canarycountess"]);
    for item in all_there_is(&world) {
        let text = item.to_lowercase();
        // The mention in the other lead belongs to another person; it was reverted just now.
        let of_other = text.contains(&other) && !theirs.iter().any(|canary| text.contains(canary));
        assert!(of_other || !text.contains(mine), "{item}");
        assert!(!theirs.iter().any(|canary| text.contains(canary)), "{item}");
        assert!(!text.contains("203.0.113.99"), "{item}");
    }

    // Every fact still exists, and the log names the erased details and the entry that erased each.
    let after = world.journal(DEFAULT_ORG).await;
    assert!(before.iter().all(|fact| after.contains(fact)));
    world.work().await;
    world.clock.advance(daybook_store::chain::UNCHAINED);
    let owner = world.owner().await;
    world.work().await;
    let found = owner.get("/api/audit-logs/verify").await.expect(200).data();
    assert_eq!(found["intact"], true, "{found}");
    let erased = found["erased"].as_array().expect("a list");
    assert_eq!(erased.len() as u64, job["erased"]["entries"].as_u64().expect("a number"));
    let by = erased[0]["erased_by"].as_str().expect("an entry");
    let eraser = owner.get(&format!("/api/audit-logs/{by}")).await.expect(200).data();
    assert_eq!((&eraser["event"], &eraser["action"]), (&json!("audit.erased"), &json!("erase")));
    assert_eq!(eraser["actor"]["type"], "user", "the user who requested the erasure");

    // No search finds the person, and the address is free.
    assert_eq!(owner.get("/api/leads?search=canarylace").await.expect(200).json()["meta"]["count"], 0);
    owner.post(&format!("{path}/restore"), json!({})).await.expect_problem(404, "not_found");
    let again = world.visitor().post("/api/leads", lead(ADA)).await.expect(201).id();
    let again = owner.get(&format!("/api/leads/{again}")).await.expect(200).data();
    assert_eq!(again["previous_lead_id"], Value::Null);
}

#[tokio::test]
async fn what_comes_in_after_an_erasure_was_asked_for_stays() {
    let world = World::new().await;
    let owner = world.owner().await;
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    let first = world.leads(&owner).await[0]["id"].as_str().expect("an id").to_owned();
    owner.delete(&format!("/api/leads/{first}")).await.expect(200);
    let body = json!({"email": "ada@example.com"});
    let job = owner.post("/api/privacy/erasures", body).await.expect(202).id();
    world.clock.advance(Duration::from_secs(1));
    let posted = json!({"email": "ada@example.com", "requirements": "Another engine"});
    let second = world.visitor().post("/api/leads", posted).await.expect(201).id();

    world.work().await;

    assert_eq!(owner.get(&format!("/api/jobs/{job}")).await.expect(200).data()["status"], "done");
    owner.get(&format!("/api/leads/{second}")).await.expect(200);
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    assert_eq!(world.leads(&owner).await.len(), 1, "the second lead still has the address");
}

#[tokio::test]
async fn what_is_changed_before_an_erasure_is_done_is_erased_with_the_record() {
    let world = World::new().await;
    let owner = world.owner().await;
    let lead = world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let job = owner.post("/api/privacy/erasures", json!({"email": "ada@example.com"})).await.expect(202).id();
    world.clock.advance(Duration::from_secs(1));
    owner.patch(&format!("/api/leads/{lead}"), json!({"job_title": "Canarycountess"})).await.expect(200);

    world.work().await;

    assert_eq!(owner.get(&format!("/api/jobs/{job}")).await.expect(200).data()["status"], "done");
    let left = all_there_is(&world).into_iter().find(|item| item.contains("Canarycountess"));
    assert_eq!(left, None);
}

#[tokio::test]
async fn what_changes_between_the_turns_of_an_erasure_is_erased() {
    let mut turns = 1;
    let mut turn = 0;
    while turn < turns {
        let world = World::with(WorldOptions { job_turn: TURNS[1], ..WorldOptions::default() }).await;
        let owner = world.owner().await;
        let lead = world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id();
        // Another post of hers, which is held: it makes a lead of its own if it is released after the lead was erased.
        let held = json!({"email": "Ada@example.com", "last_name": "www.canaryheld.example", "company": "Canaryheld"});
        let held = world.visitor().post("/api/leads", held).await.expect(201).data()["submission_id"].clone();
        let release = format!("/api/submissions/{}/release", held.as_str().expect("an id"));
        world.work().await;
        let job = owner.post("/api/privacy/erasures", json!({"email": "ada@example.com"})).await.expect(202).id();
        world.clock.advance(Duration::from_secs(1));
        world.system.workers.dispatch().await;
        let worker = world.system.workers.of_function("run-jobs").expect("a worker");
        let [_, long] = worker.consumer.lines()[..] else { panic!("two queues") };
        let mut made = 0;
        while world.system.workers.work_on(worker, long, 1).await > 0 {
            made += 1;
            if made == turn {
                let answer = owner.patch(&format!("/api/leads/{lead}"), json!({"job_title": "Canarycountess"})).await;
                // It is erased in one of the last turns.
                assert!(matches!(answer.status.as_u16(), 200 | 404), "{}", answer.text);
                let answer = owner.post(&release, json!({})).await;
                assert!(matches!(answer.status.as_u16(), 200 | 404), "{}", answer.text);
            }
        }
        turns = turns.max(made);
        world.pass(Duration::from_secs(90)).await;
        let shown = owner.get(&format!("/api/jobs/{job}")).await.expect(200).data();
        assert_eq!(shown["status"], "done", "turn {turn} of {turns}: {shown}");
        let left =
            all_there_is(&world).into_iter().find(|item| item.contains("anaryheld") || item.contains("Canarycountess"));
        assert_eq!(left, None, "turn {turn} of {turns}");
        turn += if is_full() { 1 } else { (turns / 5).max(1) };
    }
    assert!(turns > 20, "{turns} turns are too few to show anything");
}

#[tokio::test]
async fn what_left_the_trash_long_ago_is_erased_from_the_log_and_elsewhere() {
    for turn in TURNS {
        purged(turn).await;
    }
}

async fn purged(turn: Option<Duration>) {
    let (world, hubspot) = world(turn).await;
    let owner = world.owner().await;
    let demo = world.visitor().post("/api/demos", lead("ada.canary@example.com")).await.expect(201).id();
    let lead_of = demo.replace("demo_", "lead_");
    // A corrected address; an entry that doesn't contain the address; a refused request.
    owner.patch(&format!("/api/leads/{lead_of}"), json!({"email": "ada.canary@exmple.com"})).await.expect(200);
    owner.patch(&format!("/api/leads/{lead_of}"), json!({"email": "ada.canary@example.com"})).await.expect(200);
    owner.patch(&format!("/api/leads/{lead_of}"), json!({"job_title": "Canarycountess"})).await.expect(200);
    let viewer = world.person(Role::Viewer).await;
    viewer.patch(&format!("/api/leads/{lead_of}"), json!({"phone": "+49 30 998877665"})).await.expect(403);
    world.work().await;
    owner.delete(&format!("/api/leads/{lead_of}")).await.expect(200);
    world.work().await;
    world.clock.advance(Duration::from_secs(31 * 86_400));
    world.pass(Duration::from_secs(60)).await;
    // Stands for DynamoDB's TTL.
    let key = Place::Trash(DEFAULT_ORG, lead_of.parse().expect("an id")).key();
    world.system.env.table.delete(&key).await.expect("a removal");

    let owner = world.owner().await;
    let job = asked(&world, &owner, "erasures", "ada.canary@example.com").await;

    assert_eq!((job["status"].as_str(), job["erased"]["contacts"].as_u64()), (Some("done"), Some(1)), "{job}");
    world.pass(Duration::from_secs(60)).await;
    assert!(hubspot.contacts().iter().all(|contact| !format!("{contact:?}").to_lowercase().contains("ada.canary")));
    for item in all_there_is(&world) {
        let text = item.to_lowercase();
        for canary in ["ada.canary", "canarycountess", "998877665", "exmple"] {
            assert!(!text.contains(canary), "{item}");
        }
    }
    let owner = world.owner().await;
    owner.get(&format!("/api/demos/{demo}")).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn what_is_about_others_is_neither_told_nor_taken_from_them() {
    let world = World::new().await;
    let owner = world.owner().await;
    let mut bobs = lead("bob@example.com");
    bobs["requirements"] = json!("Bobcanary. Call my colleague:\nada@example.com");
    let bob = world.visitor().from("203.0.113.77").post("/api/leads", bobs).await.expect(201).id();
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.visitor().post("/api/leads", lead("o'ada@example.com")).await.expect(201);
    world.work().await;
    let mails = world.mails().len();

    let job = asked(&world, &owner, "exports", "ada@example.com").await;
    let answer = fetched(&world, &job).await.expect(200);
    let told = answer.json();
    assert_eq!(told["mentioned_by"].as_array().map(Vec::len), Some(2), "a lead and its submission");
    assert!(told["mentioned_in"].as_array().is_some_and(|entries| !entries.is_empty()));
    for others in ["Bobcanary", "203.0.113.77", "bob@example.com", "o'ada"] {
        assert!(!answer.text.contains(others), "{others}");
    }

    asked(&world, &owner, "erasures", "ada@example.com").await;
    let timeline = owner.get(&format!("/api/leads/{bob}/timeline")).await.expect(200).text;
    assert!(timeline.contains("mail") && timeline.contains("sent"), "{timeline}");
    for fact in world.journal(DEFAULT_ORG).await {
        world.dispatch(fact).await.expect("a dispatch");
    }
    world.work().await;
    assert_eq!(world.mails().len(), mails, "no mail is sent twice");
}

#[tokio::test]
async fn a_contact_is_forgotten_though_the_answer_that_told_of_it_was_lost() {
    let (world, hubspot) = world(None).await;
    let owner = world.owner().await;
    // The first lead defines the property for our ids at HubSpot.
    owner.post("/api/leads", lead("eva@example.com")).await.expect(201);
    world.work().await;
    hubspot.fail_next(daybook_testing::hubspot::Fault::CommitThenDrop);
    hubspot.fail_next(daybook_testing::hubspot::Fault::DropBefore);
    hubspot.fail_next(daybook_testing::hubspot::Fault::DropBefore);
    owner.post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    assert_eq!(hubspot.contacts().len(), 2);
    asked(&world, &owner, "erasures", "ada@example.com").await;
    hubspot.heal();
    world.pass(Duration::from_secs(300)).await;
    let text = format!("{:?}", hubspot.contacts());
    assert!(!text.contains("ada@example.com"), "{text}");
    let owner = world.owner().await;
    let rows = owner.get("/api/integrations/hubspot/records?state=failed").await.expect(200).json();
    assert_eq!(rows["meta"]["count"], 0, "{rows}");
}

#[tokio::test]
async fn a_job_that_nobody_asked_for_isn_t_done() {
    let world = World::new().await;
    let owner = world.owner().await;
    let job = owner.post("/api/privacy/erasures", json!({"email": "eva@example.com"})).await.expect(202).id();
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    // An attacker with write access to the table puts another address into the data subject row.
    let key = Place::DataSubject(DEFAULT_ORG, job.parse().expect("an id")).key();
    let mut errand = key_item(&key);
    errand.insert("address".to_owned(), AttributeValue::S("ada@example.com".to_owned()));
    errand.insert("expires_at".to_owned(), AttributeValue::N("9999999999".to_owned()));
    world.raw.put(errand).await;
    world.work().await;
    world.pass(Duration::from_secs(120)).await;
    assert_eq!(world.leads(&owner).await.len(), 1);
    assert_eq!(owner.get(&format!("/api/jobs/{job}")).await.expect(200).data()["status"], "queued");
}

#[tokio::test]
async fn an_erasure_that_breaks_off_anywhere_is_finished_by_its_next_try() {
    for turn in TURNS {
        broken_off(turn).await;
    }
}

async fn broken_off(job_turn: Option<Duration>) {
    let world = World::with(WorldOptions { job_turn, ..WorldOptions::default() }).await;
    let mut calls = 1;
    let mut step = 0;
    while step < calls {
        // A new organisation has one day of journal to read.
        let owner = world.stranger().await;
        let email = format!("person{step}@example.com");
        let posted = json!({"email": email, "last_name": "Lovelace", "demo_type": "onsite"});
        let demo = owner.post("/api/demos", posted).await.expect(201).id();
        // An entry that doesn't contain the address.
        let lead = demo.replace("demo_", "lead_");
        owner.patch(&format!("/api/leads/{lead}"), json!({"job_title": "Canarycountess"})).await.expect(200);
        world.work().await;
        let job = owner.post("/api/privacy/erasures", json!({"email": email})).await.expect(202).id();
        world.system.workers.dispatch().await;
        let before = world.faults.calls().len();
        if step > 0 {
            // All calls fail, for longer than the immediate retries last.
            (step..step + 40).for_each(|call| world.faults.at(call, Fault::Before));
        }
        world.work().await;
        world.faults.heal();
        if step == 0 {
            calls = world.faults.calls().len() - before;
        }
        world.pass(Duration::from_secs(90)).await;
        let job = owner.get(&format!("/api/jobs/{job}")).await.expect(200).data();
        assert_eq!(job["status"], "done", "step {step}: {job}");
        world.clock.advance(Duration::from_secs(1));
        let all = all_there_is(&world);
        let theirs = |item: &&String| item.contains(&email) || item.contains("Canarycountess");
        let left: Vec<&String> = all.iter().filter(theirs).filter(|item| !item.contains("#once#")).collect();
        assert!(left.is_empty(), "step {step}: {left:?}");
        step += if is_full() { 1 } else { (calls / 8).max(4) };
    }
    assert!(calls > 20, "{calls} calls of the table are too few to show anything");
}

#[tokio::test]
async fn the_address_of_somebody_who_signs_in_is_left_alone() {
    let world = World::new().await;
    let owner = world.owner().await;
    let body = json!({"email": "eva@example.com", "role": "sales"});
    let user = owner.post("/api/users", body).await.expect(201).id();
    let job = asked(&world, &owner, "erasures", "eva@example.com").await;
    assert_eq!(job["status"], "failed");
    assert!(job["failure"].as_str().expect("a reason").contains(&user), "{job}");
    owner.get(&format!("/api/users/{user}")).await.expect(200);

    owner.delete(&format!("/api/users/{user}")).await.expect(200);
    world.clock.advance(Duration::from_secs(1));
    let job = asked(&world, &owner, "erasures", "eva@example.com").await;
    assert_eq!((job["status"].as_str(), job["erased"]["records"].as_u64()), (Some("done"), Some(1)), "{job}");
}

#[tokio::test]
async fn a_detail_that_only_looks_erased_is_missed() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    asked(&world, &owner, "erasures", "ada@example.com").await;
    owner.post("/api/leads", lead("eva@example.com")).await.expect(201);
    world.work().await;
    world.clock.advance(daybook_store::chain::UNCHAINED);
    let owner = world.owner().await;
    let verified = async || owner.get("/api/audit-logs/verify").await.expect(200).data();
    let found = verified().await;
    assert_eq!(found["intact"], true, "{found}");
    let by = found["erased"][0]["erased_by"].as_str().expect("an entry").to_owned();
    let journal = world.journal(DEFAULT_ORG).await;
    let last = journal.iter().rev().find(|fact| fact.event.name() == "lead.created").expect("an entry");

    let key = Place::Detail(DEFAULT_ORG, last.id).key();
    let mut erased = key_item(&key);
    erased.insert("erased_by".to_owned(), AttributeValue::S(by));
    world.raw.put(erased).await;

    let found = verified().await;
    let wrong = (found["first_wrong"]["id"].as_str(), found["first_wrong"]["what"].as_str());
    assert_eq!(wrong, (Some(&*last.id.to_string()), Some("detail_missing")), "{found}");
}

#[tokio::test]
async fn an_export_of_the_audit_log_that_no_answer_holds_becomes_a_file() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    for n in 0..300 {
        let text = format!("{n} {}", "x".repeat(9_000));
        owner.patch(&format!("/api/leads/{id}"), json!({"requirements": text})).await.expect(200);
    }
    let count = world.journal(DEFAULT_ORG).await.len();

    let job = owner.post("/api/audit-logs/export", json!({"format": "json"})).await.expect(202).data();

    // Later changes aren't part of the export.
    world.clock.advance(Duration::from_secs(1));
    owner.patch(&format!("/api/leads/{id}"), json!({"requirements": "later"})).await.expect(200);
    world.work().await;
    let path = format!("/api/jobs/{}", job["id"].as_str().expect("an id"));
    let done = owner.get(&path).await.expect(200).data();
    let answer = fetched(&world, &done).await.expect(200);
    let entries = answer.json().as_array().expect("a list").clone();
    assert!(entries.len() == count || entries.len() == count + 1, "{} of {count}", entries.len());
    assert_eq!(done["file"]["bytes"].as_u64(), Some(answer.text.len() as u64));
    assert!(answer.text.len() > 4 << 20 && !answer.text.contains("later"));
    let of = async |event: &str| {
        let list = owner.get(&format!("/api/audit-logs?event={event}")).await.expect(200).json();
        (list["meta"]["count"].as_u64(), list["data"][0]["action"].clone())
    };
    assert_eq!(of("audit.exported").await, (Some(1), json!("export")));
    // Other users see neither job nor file.
    world.person(Role::Viewer).await.get(&path).await.expect_problem(404, "not_found");
    // A day later the file is gone.
    world.clock.advance(Duration::from_secs(86_400));
    let owner = world.owner().await;
    assert_eq!(owner.get(&path).await.expect(200).data()["download_url"], Value::Null);
}

#[tokio::test]
async fn a_demonstration_goes_with_its_lead() {
    let world = World::new().await;
    let owner = world.owner().await;
    let demo = world.visitor().post("/api/demos", lead("ada@example.com")).await.expect(201).id();
    asked(&world, &owner, "erasures", "ada@example.com").await;
    owner.get(&format!("/api/demos/{demo}")).await.expect_problem(404, "not_found");
    assert_eq!(owner.get("/api/demos").await.expect(200).json()["meta"]["count"], 0);
}

/// A person who became a customer, and a contact at a company.
#[tokio::test]
async fn an_erasure_takes_what_a_lead_became_and_leaves_what_is_the_company_s() {
    let (world, hubspot) = world(None).await;
    let owner = world.owner().await;
    let mut person = lead(ADA);
    person["company"] = Value::Null;
    let id = world.visitor().post("/api/leads", person).await.expect(201).id();
    world.work().await;
    let done = owner.post(&format!("/api/leads/{id}/convert"), json!({})).await.expect(201).data();
    let (customer, contact) = (&done["customer"]["id"], &done["contact"]["id"]);
    let made = async |path: &str, body: Value| owner.post(path, body).await.expect(201).id();
    let call = json!({"customer_id": customer, "interaction_type": "call", "notes": "canarymessage"});
    made("/api/interactions", call).await;
    let about = json!({"type": "contact", "id": contact});
    made("/api/tasks", json!({"title": "canarytask", "related_to": about})).await;
    let company = made("/api/customers", json!({"name": "Works", "type": "company", "description": ADA})).await;
    let deal = made("/api/opportunities", json!({"customer_id": company, "title": "ERP", "contact_id": contact})).await;
    world.work().await;
    world.clock.advance(Duration::from_secs(2));

    let job = asked(&world, &owner, "erasures", ADA).await;

    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(job["erased"]["mentions"], json!([company]), "{job}");
    for path in [format!("leads/{id}"), format!("customers/{}", customer.as_str().expect("an id"))] {
        owner.get(&format!("/api/{path}")).await.expect_problem(404, "not_found");
    }
    owner.get(&format!("/api/opportunities/{deal}")).await.expect(200);
    world.pass(Duration::from_secs(60)).await;
    assert!(hubspot.contacts().iter().all(|contact| !format!("{contact:?}").to_lowercase().contains("ada.canary")));
    world.clock.advance(Duration::from_secs(25 * 3600));
    let owner = world.owner().await;
    owner.patch(&format!("/api/customers/{company}"), json!({"description": null})).await.expect(200);
    for item in all_there_is(&world) {
        let text = item.to_lowercase();
        let of_company = text.contains(&company);
        assert!(
            of_company || !["ada.canary", "canarymessage", "canarytask"].iter().any(|one| text.contains(one)),
            "{item}"
        );
    }
}
