//! Fault injection tests: every single fault at every call from the post to mail and HubSpot, pairs of faults and
//! random ones. No lead, mail or contact may be lost or doubled, and no work may be left over.

use daybook_local::DEFAULT_ORG;
use daybook_store::SignedFact;
use daybook_testing::hubspot::{HubSpot, Property};
use daybook_testing::{Answer, Fault, Person, World, WorldOptions, is_full, lead};
use serde_json::json;

/// A world that synchronises its leads with HubSpot.
async fn connected() -> (World, HubSpot) {
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    hubspot.define_property(Property::text("crm_external_id").unique());
    let options = WorldOptions { hubspot: Some(hubspot.clone()), ..WorldOptions::default() };
    (World::at(options, clock).await, hubspot)
}

/// The number of calls of the table that a submission makes without faults: those of the post alone, and those
/// including its mails and its contact.
async fn calls_of_a_submission() -> (usize, usize) {
    let (world, _hubspot) = connected().await;
    let before = world.faults.calls().len();
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    let posted = world.faults.calls().len() - before;
    world.work().await;
    (posted, world.faults.calls().len() - before)
}

/// After any faults the client repeats the request; then every lead, mail and contact must exist exactly once.
async fn check((world, hubspot): &(World, HubSpot), what: &str) {
    let visitor = world.visitor();
    world.faults.heal();
    hubspot.heal();
    visitor.post("/api/leads", lead("ada@example.com")).key("one").await.expect(201);
    // Longer than the delay after which a lost message is sent again.
    world.pass(std::time::Duration::from_secs(300)).await;
    let facts = world.journal(DEFAULT_ORG).await;
    let count = |event: &str| facts.iter().filter(|fact| fact.event.name() == event).count();
    assert_eq!((count("lead.created"), count("submission.accepted")), (1, 1), "{what}");
    let mut to: Vec<_> = world.mails().into_iter().map(|mail| mail.to).collect();
    to.sort();
    assert_eq!(to, ["ada@example.com", "team@example.com"], "{what}");
    let contacts = hubspot.contacts();
    assert_eq!(contacts.len(), 1, "{what}: {contacts:?}");
    let due = daybook_store::rows::due::all(&world.system.env).await.expect("a read");
    assert!(due.is_empty(), "{what}: {due:?}");
    let owner = world.owner().await;
    assert_eq!(world.leads(&owner).await.len(), 1, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_single_fault_at_any_call_loses_nothing_and_doubles_nothing() {
    let (_, calls) = calls_of_a_submission().await;
    assert!(calls >= 12, "a submission, two mails and a contact make more than {calls} calls");
    let each = Fault::ALL.map(|fault| {
        tokio::spawn(async move {
            for number in 0..calls {
                let both = connected().await;
                both.0.faults.at(number, fault);
                let first = both.0.visitor().post("/api/leads", lead("ada@example.com")).key("one").await;
                assert_eq!(first.status.as_u16(), 201, "{fault:?} at {number}: {}", first.text);
                both.0.work().await;
                check(&both, &format!("{fault:?} at call {number}")).await;
            }
        })
    });
    for one in each {
        one.await.expect("no loss and no duplicate");
    }
}

/// The quick set tries every pair of calls with one pair of faults each, the full one all pairs of faults.
#[tokio::test]
async fn any_two_faults_on_the_way_of_a_post_lose_nothing_and_double_nothing() {
    // A fault causes more calls: reading the outcome of the commit, and retrying.
    let calls = calls_of_a_submission().await.0 + 4;
    let kinds = Fault::ALL.len();
    for first in 0..calls {
        for second in first + 1..calls {
            for pair in 0..kinds * kinds {
                if !is_full() && pair != (first * 7 + second * 3) % (kinds * kinds) {
                    continue;
                }
                let faults = (Fault::ALL[pair / kinds], Fault::ALL[pair % kinds]);
                let both = connected().await;
                both.0.faults.at(first, faults.0);
                both.0.faults.at(second, faults.1);
                let answer = both.0.visitor().post("/api/leads", lead("ada@example.com")).key("one").await;
                assert!(
                    [201, 503].contains(&answer.status.as_u16()),
                    "{faults:?} at {first}, {second}: {}",
                    answer.text
                );
                both.0.work().await;
                check(&both, &format!("{faults:?} at calls {first} and {second}")).await;
            }
        }
    }
}

/// The changes that a signed-in user makes to a lead, by name.
async fn act(owner: &Person, path: &str, what: &str) -> Answer {
    match what {
        "update" => owner.patch(path, json!({"status": "contacted", "last_name": "King"})).await,
        "delete" => owner.delete(path).await,
        "restore" => owner.post(&format!("{path}/restore"), json!({})).await,
        _ => owner.post("/api/auth/register", json!({"email": "eva@example.com", "password": "password123"})).await,
    }
}

/// A world in which the change is possible, and the path for it.
async fn ready_for(what: &str) -> (World, Person, String) {
    let world = World::new().await;
    let owner = world.owner().await;
    let path =
        format!("/api/leads/{}", world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id());
    if what == "restore" {
        owner.delete(&path).await.expect(200);
    }
    (world, owner, path)
}

#[tokio::test]
async fn any_single_fault_at_any_call_of_a_change_leaves_it_done_once() {
    for (what, event) in [
        ("update", "lead.status_changed"),
        ("delete", "lead.deleted"),
        ("restore", "lead.restored"),
        ("register", "user.registered"),
    ] {
        let (world, owner, path) = ready_for(what).await;
        let before = world.faults.calls().len();
        assert!(act(&owner, &path, what).await.status.is_success());
        let calls = world.faults.calls().len() - before;
        for fault in Fault::ALL {
            for number in 0..calls {
                let (world, owner, path) = ready_for(what).await;
                let count =
                    async |facts: Vec<SignedFact>| facts.iter().filter(|fact| fact.event.name() == event).count();
                let all = async || {
                    let mut facts = world.journal(DEFAULT_ORG).await;
                    for org in world.system.env.organizations().await.expect("a list") {
                        if org != DEFAULT_ORG {
                            facts.extend(world.journal(org).await);
                        }
                    }
                    count(facts).await
                };
                let earlier = all().await;
                world.faults.at(number, fault);
                let answer = act(&owner, &path, what).await;
                world.faults.heal();
                assert!(answer.status.is_success(), "{what}, {fault:?} at {number}: {}", answer.text);
                assert_eq!(all().await, earlier + 1, "{what}, {fault:?} at {number}");
            }
        }
    }
}

#[tokio::test]
async fn random_faults_lose_nothing_and_double_nothing() {
    let seeds = if is_full() { 1000 } else { 6 };
    for rate in [0.01, 0.05, 0.2] {
        for seed in 0..seeds {
            let both = connected().await;
            both.0.faults.randomly(seed * 7919 + 1, rate);
            both.1.fail_randomly(seed, rate);
            for _ in 0..3 {
                let answer = both.0.visitor().post("/api/leads", lead("ada@example.com")).key("one").await;
                assert!([201, 409, 503].contains(&answer.status.as_u16()), "{}", answer.text);
            }
            both.0.work().await;
            check(&both, &format!("seed {seed} at rate {rate}")).await;
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_every_time_is_still_found_to_be_committed() {
    let world = World::new().await;
    for number in 0..40 {
        if number % 2 == 1 {
            world.faults.at(number, Fault::AnswerLost);
        }
    }
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    check_one_lead(&world).await;
}

async fn check_one_lead(world: &World) {
    world.faults.heal();
    let owner = world.owner().await;
    assert_eq!(world.leads(&owner).await.len(), 1);
}

#[tokio::test]
async fn while_the_table_is_away_answers_are_503_and_nothing_changes() {
    let world = World::new().await;
    world.faults.randomly(1, 1.1);
    let answer = world.visitor().post("/api/leads", lead("ada@example.com")).await;
    let detail = answer.expect_problem(503, "unavailable").json()["detail"].as_str().expect("a text").to_owned();
    assert!(!detail.contains("dynamo") && !detail.contains("connection"), "a 5xx reveals internals: {detail}");
    world.faults.heal();
    assert!(world.journal(DEFAULT_ORG).await.is_empty());
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_while_nobody_can_look_is_known_by_its_own_entry() {
    // Requests of staff without an idempotency key, so no stored reply hides the outcome.
    let post = async |world: &World, owner: &Person| {
        let before = world.faults.calls().len();
        let answer = owner.post("/api/leads", lead("ada@example.com")).await;
        (answer, world.faults.calls().split_off(before))
    };
    let world = World::new().await;
    let (_, calls) = post(&world, &world.owner().await).await;
    assert!(calls.contains(&"TransactWriteItems".to_owned()), "{calls:?}");
    let mut committed = 0;
    for number in 0..calls.len() {
        let world = World::new().await;
        let owner = world.owner().await;
        world.faults.at(number, Fault::AnswerLost);
        for later in 1..=3 {
            world.faults.at(number + later, Fault::Before);
        }
        let (answer, _) = post(&world, &owner).await;
        world.faults.heal();
        let entries = world.journal(DEFAULT_ORG).await;
        let made = entries.iter().filter(|fact| fact.event.name() == "submission.accepted").count();
        let told = usize::from(answer.status.as_u16() == 201);
        assert_eq!(made, told, "call {number}: answered {} with {made} submissions", answer.status);
        committed += made;
    }
    assert!(committed > 0, "no round reached the commit");
}
