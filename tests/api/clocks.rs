//! Tests of a machine whose clock is three days ahead for a time, and is then set back: nothing waits for three days,
//! nothing is lost, and the journal stays intact.

use daybook_domain::{EntryId, Timestamp};
use daybook_local::DEFAULT_ORG;
use daybook_store::chain;
use daybook_store::rows::due;
use daybook_store::schema::{Key, Place};
use daybook_testing::hubspot::{Fault, HubSpot, Policy, Property};
use daybook_testing::{Call, Person, World, WorldOptions, lead};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
const JUMP: Duration = Duration::from_secs(3 * 86_400);
const PASSWORD: &str = "correct horse battery";

/// Sends requests until one is refused as too many.
async fn use_up(what: &str, ask: impl Fn(usize) -> Call) {
    for n in 0..200 {
        if ask(n).await.status.as_u16() == 429 {
            return;
        }
    }
    panic!("{what}: no limit was reached");
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

async fn refreshed(world: &World, tokens: &Value) -> Value {
    let ask = json!({"refresh_token": tokens["refresh_token"]});
    world.visitor().post("/api/auth/refresh", ask).await.expect(200).json()
}

async fn verified(person: &Person, query: &str) -> Value {
    person.get(&format!("/api/audit-logs/verify{query}")).await.expect(200).data()
}

fn day_of(at: Timestamp) -> String {
    at.to_string()[..10].to_owned()
}

fn addresses(hubspot: &HubSpot) -> Vec<String> {
    hubspot.contacts().into_iter().filter_map(|contact| contact.properties.get("email").cloned()).collect()
}

#[tokio::test]
async fn every_door_opens_at_once_after_the_clock_was_ahead_and_nothing_is_lost() {
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    hubspot.define_property(Property::text("crm_external_id").unique());
    // HubSpot's own clock isn't ahead.
    hubspot.lift_limits();
    let options = WorldOptions { rate_limits: true, hubspot: Some(hubspot.clone()), ..WorldOptions::default() };
    let world = World::at(options, clock).await;
    let visitor = world.visitor();
    let ada = json!({"email": "ada@example.com", "password": PASSWORD});
    let tokens = visitor.post("/api/auth/register", ada.clone()).await.expect(201).json();
    world.confirm("ada@example.com").await;
    world.pass(Duration::from_secs(60)).await;
    let before = world.clock.now();

    world.clock.set(before.plus(JUMP));
    let tokens = refreshed(&world, &tokens).await;
    let owner = visitor.with_token(text(&tokens, "access_token"));
    let invitation = json!({"email": "eva@example.com", "role": "sales"});
    owner.post("/api/invitations", invitation).await.expect(201);
    // HubSpot is locked for the first lead, and has no calls left that day for the second.
    hubspot.fail_next(Fault::status(423));
    visitor.post("/api/leads", lead("first@example.com")).await.expect(201);
    world.work().await;
    hubspot.fail_next(Fault::TooMany(Policy::Daily));
    visitor.post("/api/leads", lead("second@example.com")).await.expect(201);
    world.pass(Duration::from_secs(60)).await;
    use_up("forms", |n| visitor.post("/api/leads", lead(&format!("flood{n}@example.com")))).await;
    use_up("register", |_| visitor.post("/api/auth/register", json!({}))).await;
    use_up("refresh", |_| visitor.post("/api/auth/refresh", json!({"refresh_token": "rt_x"}))).await;
    use_up("sign-in", |_| visitor.post("/api/auth/login", json!({"email": "ada@example.com"}))).await;
    use_up("passwords", |n| {
        let wrong = json!({"email": "ada@example.com", "password": "wrong"});
        visitor.from(&format!("198.51.100.{n}")).post("/api/auth/login", wrong)
    })
    .await;
    world.pass(Duration::from_secs(60)).await;
    let entries = world.journal(DEFAULT_ORG).await.len();
    assert!(due::all(&world.system.env).await.expect("a read").iter().any(|item| item.place.at > before.plus(JUMP)));

    world.clock.set(before.plus(Duration::from_secs(60)));
    visitor.post("/api/auth/login", ada).await.expect(200);
    let tokens = refreshed(&world, &tokens).await;
    let owner = visitor.with_token(text(&tokens, "access_token"));
    visitor.post("/api/leads", lead("after@example.com")).await.expect(201);
    let eva = json!({"email": "eva@other.example", "password": PASSWORD});
    visitor.post("/api/auth/register", eva).await.expect(201);
    world.pass(Duration::from_secs(300)).await;

    assert!(world.journal(DEFAULT_ORG).await.len() > entries, "entries are lost");
    let leads = world.leads(&owner).await;
    let (synced, mails) = (addresses(&hubspot), world.mails());
    for email in ["first@example.com", "second@example.com", "after@example.com"] {
        assert!(leads.iter().any(|lead| lead["email"] == email), "{email} is no lead");
        assert!(synced.iter().any(|address| address == email), "{email} isn't in HubSpot: {synced:?}");
        assert_eq!(mails.iter().filter(|mail| mail.to == email).count(), 1, "mails to {email}");
    }
    assert!(mails.iter().any(|mail| mail.to == "eva@example.com"), "the invitation isn't sent");
    assert!(due::all(&world.system.env).await.expect("a read").is_empty(), "work is left");

    let today = day_of(world.clock.now());
    for query in [String::new(), format!("?from={today}&to={today}")] {
        let found = verified(&owner, &query).await;
        assert_eq!(found["intact"], true, "{query}: {found}");
    }
    for _ in 0..6 {
        world.clock.advance(DAY);
        let owner = world.owner().await;
        world.work().await;
        let now = world.clock.now();
        let (yesterday, today) = (day_of(now.minus(DAY)), day_of(now));
        for query in [String::new(), format!("?from={today}"), format!("?from={yesterday}&to={yesterday}")] {
            let found = verified(&owner, &query).await;
            assert_eq!(found["intact"], true, "{today}, {query}: {found}");
        }
    }
}

/// The keys of an entry's fact, detail and link.
fn places(entry: EntryId) -> [Key; 3] {
    [Place::Fact(DEFAULT_ORG, entry), Place::Detail(DEFAULT_ORG, entry), Place::ChainLink(DEFAULT_ORG, entry)]
        .map(|place| place.key())
}

#[tokio::test]
async fn an_entry_that_was_removed_is_missed_also_where_the_clock_was_ahead() {
    let world = World::new().await;
    let owner = world.owner().await;
    let post = async |name: &str, count: usize| {
        for n in 0..count {
            let body = lead(&format!("{name}{n}@example.com"));
            world.visitor().post("/api/leads", body).await.expect(201);
        }
        world.work().await;
    };
    let before = world.clock.now();
    post("before", 3).await;
    world.clock.set(before.plus(JUMP));
    post("ahead", 3).await;
    world.clock.set(before);
    // The chain's last entry lies three days ahead.
    let found = verified(&owner, "").await;
    assert_eq!(found["intact"], true, "{found}");
    post("after", 3).await;
    world.clock.advance(chain::UNCHAINED);
    let found = verified(&owner, "").await;
    assert_eq!(found["intact"], true, "{found}");

    let table = &world.system.env.table;
    let ahead: Vec<EntryId> = world.journal(DEFAULT_ORG).await.iter().map(|fact| fact.id).collect();
    let ahead: Vec<EntryId> = ahead.into_iter().filter(|entry| entry.time() > before.plus(DAY)).collect();
    assert!(ahead.len() >= 3);
    for entry in ahead {
        let mut kept = Vec::new();
        for key in places(entry) {
            kept.push(table.get(&key).await.expect("a read").expect("an item"));
            table.delete(&key).await.expect("a removal");
        }
        let found = verified(&owner, "").await;
        assert_eq!(found["first_wrong"]["what"], "chain_broken", "{entry}: {found}");
        for item in kept {
            world.raw.put(item).await;
        }
    }
    assert_eq!(verified(&owner, "").await["intact"], true);
}

#[tokio::test]
async fn an_entry_that_was_removed_is_missed_also_where_the_clock_was_ahead_for_weeks() {
    let world = World::new().await;
    let owner = world.owner().await;
    let post = async |name: &str| {
        world.visitor().post("/api/leads", lead(&format!("{name}@example.com"))).await.expect(201);
        world.work().await;
    };
    let before = world.clock.now();
    post("before").await;
    let ahead = before.plus(40 * DAY);
    for n in 0..35 {
        world.clock.set(ahead.plus(n * DAY));
        post(&format!("ahead{n}")).await;
    }
    let entries: Vec<EntryId> = world.journal(DEFAULT_ORG).await.iter().map(|fact| fact.id).collect();
    let oldest = entries.into_iter().find(|entry| entry.time() >= ahead).expect("an entry");
    world.clock.set(before.plus(Duration::from_secs(60)));
    post("after").await;
    let found = verified(&owner, "").await;
    assert_eq!(found["intact"], true, "{found}");

    for key in places(oldest) {
        world.system.env.table.delete(&key).await.expect("a removal");
    }
    let found = verified(&owner, "").await;
    assert_eq!(found["first_wrong"]["what"], "chain_broken", "{found}");
}

#[tokio::test]
async fn a_restart_after_the_clock_was_ahead_reads_every_entry_again_and_repeats_nothing() {
    let world = World::new().await;
    world.owner().await;
    let before = world.clock.now();
    world.clock.set(before.plus(JUMP));
    world.visitor().post("/api/leads", lead("ahead@example.com")).await.expect(201);
    world.work().await;
    world.system.workers.keep_checkpoint().await.expect("a checkpoint");
    world.clock.set(before.plus(Duration::from_secs(60)));
    world.visitor().post("/api/leads", lead("after@example.com")).await.expect(201);
    world.work().await;
    let mails = world.mails().len();

    let read = world.system.workers.catch_up().await.expect("a journal");
    world.pass(Duration::from_secs(60)).await;

    assert_eq!((read, mails), (world.journal(DEFAULT_ORG).await.len(), world.mails().len()));
}
