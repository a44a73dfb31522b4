//! HubSpot synchronisation tests: every lead becomes exactly one equal contact, whatever HubSpot answers.

use daybook_testing::hubspot::{Fault, HubSpot, Policy, Property};
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const ID: &str = "crm_external_id";

async fn world() -> (World, HubSpot) {
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    hubspot.define_property(Property::text(ID).unique());
    let options = WorldOptions { hubspot: Some(hubspot.clone()), ..WorldOptions::default() };
    (World::at(options, clock).await, hubspot)
}

/// The contacts that aren't archived, by address.
fn contacts(hubspot: &HubSpot) -> BTreeMap<String, BTreeMap<String, String>> {
    let live: Vec<_> = hubspot.contacts().into_iter().filter(|contact| !contact.archived).collect();
    let count = live.len();
    let by_email =
        |properties: BTreeMap<String, String>| (properties.get("email").cloned().unwrap_or_default(), properties);
    let all: BTreeMap<_, _> = live.into_iter().map(|contact| by_email(contact.properties)).collect();
    assert_eq!(all.len(), count, "two contacts have one address");
    all
}

async fn rows(person: &Person, query: &str) -> Vec<Value> {
    let page = person.get(&format!("/api/integrations/hubspot/records{query}")).await.expect(200).json();
    page["data"].as_array().expect("a list").clone()
}

async fn row_of(person: &Person, lead: &str) -> Value {
    rows(person, "").await.into_iter().find(|row| row["record"] == lead).expect("a row")
}

async fn post(world: &World, email: &str) -> String {
    send(world, lead(email)).await
}

async fn send(world: &World, lead: Value) -> String {
    let id = world.visitor().post("/api/leads", lead).await.expect(201).id();
    world.work().await;
    id
}

#[tokio::test]
async fn a_lead_becomes_a_contact_and_stays_equal() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    let id = post(&world, "Ada@Example.com").await;
    let contact = contacts(&hubspot)["ada@example.com"].clone();
    let get = |name: &str| contact.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!((get("firstname"), get("lastname"), get("phone")), ("Ada", "Lovelace", "+8613800138000"));
    assert_eq!((get(ID), get("lifecyclestage"), get("hs_lead_status")), (id.as_str(), "lead", "NEW"));

    owner.patch(&format!("/api/leads/{id}"), json!({"company": null, "status": "contacted"})).await.expect(200);
    world.work().await;
    let contact = contacts(&hubspot)["ada@example.com"].clone();
    assert_eq!(contact.get("company").map(String::as_str).unwrap_or_default(), "");
    assert_eq!(contact["hs_lead_status"], "ATTEMPTED_TO_CONTACT");
    let row = &rows(&owner, "?state=synced").await[0];
    assert_eq!((&row["record"], &row["version"], &row["attempts"]), (&json!(id), &json!(2), &json!(0)));
    assert!(row["remote_id"].is_string() && row["last_error"].is_null(), "{row}");
}

#[tokio::test]
async fn an_address_that_hubspot_knows_becomes_the_lead_s() {
    let (world, hubspot) = world().await;
    hubspot.add_contact([("email", "ada@example.com"), ("jobtitle", "Countess")]);
    let id = post(&world, "ada@example.com").await;
    let all = contacts(&hubspot);
    assert_eq!(
        (all.len(), &all["ada@example.com"][ID], &all["ada@example.com"]["jobtitle"]),
        (1, &id, &"Countess".to_owned())
    );
}

#[tokio::test]
async fn what_a_lead_doesn_t_say_wipes_nothing_however_often_it_is_pushed() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    hubspot.add_contact([("email", "ada@example.com"), ("company", "Engines"), ("hs_lead_status", "CONNECTED")]);
    let body = json!({"email": "ada@example.com", "first_name": "Ada"});
    let id = world.visitor().post("/api/leads", body).await.expect(201).id();
    world.work().await;
    for _ in 0..2 {
        owner.post("/api/integrations/hubspot/replay", json!({"records": [id]})).await.expect(202);
        world.work().await;
        assert_eq!(contacts(&hubspot)["ada@example.com"]["company"], "Engines");
    }
    let path = format!("/api/leads/{id}");
    owner.patch(&path, json!({"company": "ABC"})).await.expect(200);
    world.work().await;
    assert_eq!(contacts(&hubspot)["ada@example.com"]["company"], "ABC");
    owner.patch(&path, json!({"company": null})).await.expect(200);
    world.work().await;
    let contact = contacts(&hubspot)["ada@example.com"].clone();
    assert_eq!(contact.get("company").map(String::as_str).unwrap_or_default(), "");
}

#[tokio::test]
async fn every_failed_lead_is_replayed_and_those_that_wait_are_shown() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    for n in 0..40 {
        hubspot.fail_next(Fault::status(403));
        post(&world, &format!("ada{n}@example.com")).await;
        world.clock.advance(Duration::from_secs(2));
    }
    assert_eq!(rows(&owner, "?state=failed").await.len(), 40);
    let first = owner.post("/api/integrations/hubspot/replay", json!({})).await.expect(202).data();
    let second = owner.post("/api/integrations/hubspot/replay", json!({})).await.expect(202).data();
    let count = |answer: &Value| answer["records"].as_array().expect("a list").len();
    assert_eq!((count(&first), &first["has_more"], count(&second)), (30, &json!(true), 10));
    assert_eq!(rows(&owner, "?state=waiting").await.len(), 40);
    world.work().await;
    world.pass(Duration::from_secs(300)).await;
    assert_eq!(contacts(&hubspot).len(), 40);
    let stranger = world.stranger().await;
    stranger.post("/api/integrations/hubspot/replay", json!({})).await.expect_problem(409, "conflict");
}

#[tokio::test]
async fn a_contact_that_was_deleted_there_is_made_anew() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    let id = post(&world, "ada@example.com").await;
    let row = rows(&owner, "").await.remove(0);
    hubspot.remove_contact(row["remote_id"].as_str().expect("an id"));
    owner.patch(&format!("/api/leads/{id}"), json!({"last_name": "King"})).await.expect(200);
    world.work().await;
    assert_eq!(contacts(&hubspot)["ada@example.com"]["lastname"], "King");
}

#[tokio::test]
async fn a_new_address_that_another_contact_has_is_told_and_replayed() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    let id = post(&world, "ada@example.com").await;
    let other = hubspot.add_contact([("email", "eva@example.com")]);
    owner.patch(&format!("/api/leads/{id}"), json!({"email": "eva@example.com"})).await.expect(200);
    world.work().await;
    let row = &rows(&owner, "?state=failed").await[0];
    let why = row["last_error"].as_str().expect("a reason");
    assert!(why.contains(&other) && why.contains("merge"), "{why}");
    hubspot.remove_contact(&other);
    let replayed = owner.post("/api/integrations/hubspot/replay", json!({})).await.expect(202).data();
    assert_eq!(replayed, json!({"records": [id], "has_more": false}));
    world.work().await;
    assert!(rows(&owner, "?state=failed").await.is_empty());
    assert_eq!(contacts(&hubspot)["eva@example.com"][ID], id);
}

#[tokio::test]
async fn an_address_that_moves_between_two_leads_leaves_each_its_contact() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    let ada = post(&world, "ada@example.com").await;
    let contact = rows(&owner, "").await[0]["remote_id"].clone();
    // Ada's new address isn't synchronised yet when Eva's lead arrives with the old one.
    hubspot.fail_next(Fault::status(423));
    owner.patch(&format!("/api/leads/{ada}"), json!({"email": "ada@new.example.com"})).await.expect(200);
    world.work().await;
    let eva = send(&world, json!({"email": "ada@example.com", "first_name": "Eva"})).await;
    let waiting = row_of(&owner, &eva).await;
    let why = waiting["last_error"].as_str().expect("a reason");
    assert!(waiting["state"] == "waiting" && why.contains(&ada), "{waiting}");
    world.pass(Duration::from_secs(300)).await;
    let all = contacts(&hubspot);
    assert_eq!((&all["ada@new.example.com"][ID], &all["ada@example.com"][ID], all.len()), (&ada, &eva, 2));
    assert_eq!(row_of(&owner, &ada).await["remote_id"], contact);
}

#[tokio::test]
async fn a_lead_with_a_contact_waits_for_an_address_that_moves_to_it() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    let ada = post(&world, "ada@example.com").await;
    let eva = post(&world, "eva@example.com").await;
    hubspot.fail_next(Fault::status(423));
    owner.patch(&format!("/api/leads/{ada}"), json!({"email": "ada@new.example.com"})).await.expect(200);
    world.work().await;
    owner.patch(&format!("/api/leads/{eva}"), json!({"email": "ada@example.com"})).await.expect(200);
    world.work().await;
    assert_eq!(row_of(&owner, &eva).await["state"], "waiting");
    world.pass(Duration::from_secs(300)).await;
    let all = contacts(&hubspot);
    assert_eq!((&all["ada@new.example.com"][ID], &all["ada@example.com"][ID], all.len()), (&ada, &eva, 2));
}

#[tokio::test]
async fn a_lead_that_left_its_contact_gets_one_of_its_own() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    let old = post(&world, "ada@example.com").await;
    let path = format!("/api/leads/{old}");
    owner.post(&format!("{path}/convert"), json!({})).await.expect(201);
    let newer = send(&world, json!({"email": "ada@example.com", "last_name": "Byron"})).await;
    // After its conversion it keeps the HubSpot contact that it took over from the older lead.
    owner.post(&format!("/api/leads/{newer}/convert"), json!({})).await.expect(201);
    owner.patch(&path, json!({"company": "ABC"})).await.expect(200);
    world.work().await;
    assert_eq!(contacts(&hubspot)["ada@example.com"][ID], newer);
    owner.patch(&path, json!({"email": "old@example.com"})).await.expect(200);
    world.work().await;
    let all = contacts(&hubspot);
    assert_eq!((&all["ada@example.com"][ID], &all["old@example.com"][ID], all.len()), (&newer, &old, 2));
    assert_eq!(
        (all["ada@example.com"]["lastname"].as_str(), all["old@example.com"]["company"].as_str()),
        ("Lovelace", "ABC")
    );
}

#[tokio::test]
async fn an_address_that_stays_with_another_lead_s_contact_is_told() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    let ada = post(&world, "ada@example.com").await;
    owner.patch(&format!("/api/leads/{ada}"), json!({"email": "ada@new.example.com"})).await.expect(200);
    world.work().await;
    // A HubSpot user puts the old address back.
    let contact = row_of(&owner, &ada).await["remote_id"].as_str().expect("an id").to_owned();
    hubspot.edit_contact(&contact, [("email", "ada@example.com")]);
    let eva = send(&world, json!({"email": "ada@example.com", "first_name": "Eva"})).await;
    let row = row_of(&owner, &eva).await;
    let why = row["last_error"].as_str().expect("a reason");
    assert!(row["state"] == "failed" && why.contains(&ada) && why.contains("replay"), "{row}");
}

#[tokio::test]
async fn a_contact_is_the_newest_lead_s_of_its_address() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    let converted = post(&world, "ada@example.com").await;
    let path = format!("/api/leads/{converted}");
    owner.post(&format!("{path}/convert"), json!({})).await.expect(201);
    let newer = send(&world, json!({"email": "ada@example.com", "last_name": "Byron"})).await;
    assert_eq!(contacts(&hubspot)["ada@example.com"][ID], newer);
    owner.patch(&path, json!({"last_name": "King"})).await.expect(200);
    world.work().await;
    let contact = contacts(&hubspot)["ada@example.com"].clone();
    assert_eq!((&contact[ID], contact["lastname"].as_str()), (&newer, "Byron"));
    let row = &rows(&owner, "?state=skipped").await[0];
    assert_eq!(row["record"], converted);
    assert!(row["last_error"].as_str().expect("a reason").contains(&newer), "{row}");
}

#[tokio::test]
async fn properties_that_hubspot_doesn_t_take_are_left_out_and_told() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    hubspot.define_property(Property::one_of("hs_lead_status", &["OPEN"]));
    post(&world, "ada@example.com").await;
    assert!(!contacts(&hubspot)["ada@example.com"].contains_key("hs_lead_status"));
    let row = &rows(&owner, "?state=synced").await[0];
    assert!(row["last_error"].as_str().expect("a reason").contains("hs_lead_status"), "{row}");
}

#[tokio::test]
async fn the_property_for_our_id_is_made_where_it_is_missing() {
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    let options = WorldOptions { hubspot: Some(hubspot.clone()), ..WorldOptions::default() };
    let world = World::at(options, clock).await;
    let id = post(&world, "ada@example.com").await;
    assert_eq!(contacts(&hubspot)["ada@example.com"][ID], id);
}

#[tokio::test]
async fn a_token_without_scopes_fails_with_what_to_do() {
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    hubspot.revoke_scopes();
    let options = WorldOptions { hubspot: Some(hubspot.clone()), ..WorldOptions::default() };
    let world = World::at(options, clock).await;
    let owner = world.owner().await;
    post(&world, "ada@example.com").await;
    let row = rows(&owner, "?state=failed").await.remove(0);
    assert!(row["last_error"].as_str().expect("a reason").contains("crm.schemas.contacts.write"), "{row}");
    hubspot.grant_scopes();
    owner.post("/api/integrations/hubspot/replay", json!({})).await.expect(202);
    world.work().await;
    assert_eq!(contacts(&hubspot).len(), 1);
}

/// Every unsuccessful answer: the back-off that follows, and that the contact exists in the end.
#[tokio::test]
async fn every_answer_is_dealt_with() {
    let waits = |seconds: u64| Duration::from_secs(seconds);
    // The fault, the minimum pause before the next call, and the time after which the contact must exist.
    for (fault, at_least, healed_after) in [
        (Fault::status(500), waits(0), waits(0)),
        (Fault::status(502), waits(0), waits(0)),
        (Fault::status(503), waits(0), waits(0)),
        (Fault::status(504), waits(0), waits(0)),
        (Fault::status(524), waits(0), waits(0)),
        (Fault::html(), waits(0), waits(0)),
        (Fault::DropBefore, waits(0), waits(0)),
        (Fault::CommitThenDrop, waits(0), waits(0)),
        (Fault::CutAfter(5), waits(0), waits(0)),
        (Fault::status(423), waits(1), waits(30)),
        (Fault::status(477), waits(59), waits(300)),
        (Fault::TooMany(Policy::Secondly), waits(0), waits(30)),
        (Fault::TooMany(Policy::TenSecondlyRolling), waits(9), waits(60)),
        (Fault::TooMany(Policy::Daily), waits(3600), waits(13 * 3600)),
    ] {
        let (world, hubspot) = world().await;
        hubspot.fail_next(fault.clone());
        post(&world, "ada@example.com").await;
        if healed_after > Duration::ZERO {
            let owner = world.owner().await;
            let row = rows(&owner, "?state=waiting").await.remove(0);
            assert!(row["next_try"].is_string() && row["last_error"].is_string(), "{fault:?}: {row}");
        }
        let tried = hubspot.requests().len();
        world.clock.advance(at_least);
        if at_least > Duration::ZERO {
            // If the whole account is limited, other leads wait as well.
            let account_wide = !matches!(&fault, Fault::Answer { status: 423, .. });
            post(&world, "bob@example.com").await;
            world.system.workers.sweep().await.expect("a sweep");
            world.work().await;
            let others = contacts(&hubspot).into_keys().collect::<Vec<_>>();
            assert_eq!(others, if account_wide { vec![] } else { vec!["bob@example.com"] }, "{fault:?}");
            assert!(!account_wide || hubspot.requests().len() == tried, "{fault:?}: called again too soon");
        }
        world.clock.advance(healed_after);
        world.pass(Duration::from_secs(300)).await;
        assert!(contacts(&hubspot).contains_key("ada@example.com"), "{fault:?}");
        let due = daybook_store::rows::due::all(&world.system.env).await.expect("a read");
        assert!(due.is_empty(), "{fault:?}: {due:?}");
    }
    for status in [400, 401, 403, 414] {
        let (world, hubspot) = world().await;
        let owner = world.owner().await;
        hubspot.fail_next(Fault::status(status));
        post(&world, "ada@example.com").await;
        let row = rows(&owner, "?state=failed").await.remove(0);
        assert!(row["last_error"].as_str().is_some_and(|why| !why.is_empty()), "{status}: {row}");
        owner.post("/api/integrations/hubspot/replay", json!({"records": [row["record"]]})).await.expect(202);
        world.work().await;
        assert_eq!(contacts(&hubspot).len(), 1, "{status}");
    }
}

#[tokio::test]
async fn all_workers_together_stay_below_the_limit() {
    let (world, hubspot) = world().await;
    const COUNT: usize = 250;
    for n in 0..COUNT {
        world.visitor().post("/api/leads", lead(&format!("ada{n}@example.com"))).await.expect(201);
    }
    world.work().await;
    let at_once = hubspot.requests().len();
    assert!((1..=11).contains(&at_once), "{at_once} calls at once");
    // Counted by the second, since the limit is for any ten seconds.
    let mut after = vec![at_once];
    while contacts(&hubspot).len() < COUNT {
        assert!(after.len() < 1200, "{} of {COUNT} after twenty minutes", contacts(&hubspot).len());
        world.clock.advance(Duration::from_secs(1));
        world.system.workers.sweep().await.expect("a sweep");
        world.work().await;
        after.push(hubspot.requests().len());
    }
    let most = after.windows(11).map(|seconds| seconds[10] - seconds[0]).max().unwrap_or_default();
    assert!((50..=100).contains(&most), "{most} calls in ten seconds");
    let refused = hubspot.requests().iter().filter(|seen| seen.status == Some(429)).count();
    assert_eq!(refused, 0);
}

#[tokio::test]
async fn deleted_leads_and_spam_are_left_as_they_are() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    let id = post(&world, "ada@example.com").await;
    owner.patch(&format!("/api/leads/{id}"), json!({"status": "spam", "last_name": "X"})).await.expect(200);
    world.work().await;
    assert_eq!(contacts(&hubspot)["ada@example.com"]["lastname"], "Lovelace");
    assert_eq!(rows(&owner, "?state=skipped").await.len(), 1);
    owner.delete(&format!("/api/leads/{id}")).await.expect(200);
    world.work().await;
    assert_eq!(contacts(&hubspot).len(), 1);
    owner.post(&format!("/api/leads/{id}/restore"), json!({})).await.expect(200);
    owner.patch(&format!("/api/leads/{id}"), json!({"status": "qualified"})).await.expect(200);
    world.work().await;
    assert_eq!(contacts(&hubspot)["ada@example.com"]["lastname"], "X");
}

#[tokio::test]
async fn another_organisation_s_leads_stay_out_of_it() {
    let (world, hubspot) = world().await;
    let stranger = world.stranger().await;
    stranger.post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    assert!(hubspot.requests().is_empty() && rows(&stranger, "").await.is_empty());
}

#[tokio::test]
async fn the_ledger_is_paged_and_guarded() {
    let (world, _hubspot) = world().await;
    let owner = world.owner().await;
    for n in 0..5 {
        post(&world, &format!("ada{n}@example.com")).await;
    }
    for state in ["", "state=synced&"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/integrations/hubspot/records?{state}limit=2{cursor}");
            let page = owner.get(&path).await.expect(200).json();
            seen.extend(page["data"].as_array().expect("a list").iter().map(|row| row["record"].clone()));
            match page["meta"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        seen.sort_by_key(ToString::to_string);
        seen.dedup();
        assert_eq!(seen.len(), 5, "{state}");
    }
    let path = "/api/integrations/hubspot/records";
    owner.get(&format!("{path}?state=x")).await.expect_problem(400, "invalid_query");
    owner.get(&format!("{path}?cursor=x")).await.expect_problem(400, "invalid_query");
    owner.get(&format!("{path}?stat=failed")).await.expect_problem(400, "invalid_query");
    let viewer = world.person(daybook_domain::permission::Role::Viewer).await;
    viewer.get(path).await.expect_problem(403, "forbidden");
    let unknown = json!({"records": ["lead_01jd2h6q8e5k9v4m3n7p1r0stw"]});
    owner.post("/api/integrations/hubspot/replay", unknown).await.expect_problem(422, "validation_error");
    let none = owner.post("/api/integrations/hubspot/replay", json!({})).await.expect(202).data();
    assert_eq!(none["records"], json!([]));
}

#[tokio::test]
async fn a_converted_lead_s_contact_is_what_the_person_is_known_by_since() {
    let (world, hubspot) = world().await;
    let owner = world.owner().await;
    let id = post(&world, "ada@example.com").await;
    let done = owner.post(&format!("/api/leads/{id}/convert"), json!({})).await.expect(201).data();
    world.work().await;
    assert_eq!(contacts(&hubspot)["ada@example.com"]["hs_lead_status"], "OPEN_DEAL");
    let contact = format!("/api/contacts/{}", done["contact"]["id"].as_str().expect("an id"));
    let change = json!({"email": "countess@example.com", "job_title": "Countess"});
    owner.patch(&contact, change).await.expect(200);
    // Contacts that never were leads aren't synchronised.
    let other = owner.post("/api/contacts", json!({"name": "Eva", "email": "eva@example.com"})).await.expect(201).id();
    owner.patch(&format!("/api/contacts/{other}"), json!({"job_title": "x"})).await.expect(200);
    world.work().await;
    let all = contacts(&hubspot);
    assert_eq!((all.len(), &all["countess@example.com"]["jobtitle"]), (1, &"Countess".to_owned()));
    assert_eq!(all["countess@example.com"][ID], id);
}
