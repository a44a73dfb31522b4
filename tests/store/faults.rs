//! Every single fault at every call of a submission: nothing lost, nothing twice.

use daybook_local::DEFAULT_ORG;
use daybook_store::Fact;
use daybook_testing::{Answer, Fault, Person, World, is_full, lead};
use serde_json::json;

/// The calls of the table that a submission and its mails make when all goes well.
async fn calls_of_a_submission() -> usize {
    let world = World::new().await;
    let before = world.faults.calls().len();
    world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201);
    world.work().await;
    world.faults.calls().len() - before
}

/// After any faults a client sends the same request again; then everything must be there once.
async fn check(world: &World, what: &str) {
    let visitor = world.visitor();
    world.faults.heal();
    visitor.post("/api/leads", lead("ada@example.com")).key("one").await.expect(201);
    // Longer than the net under a delayed message.
    world.pass(std::time::Duration::from_secs(300)).await;
    let facts = world.journal(DEFAULT_ORG).await;
    let count = |event: &str| facts.iter().filter(|fact| fact.event.name() == event).count();
    assert_eq!((count("lead.created"), count("submission.accepted")), (1, 1), "{what}");
    let mut to: Vec<_> = world.mails().into_iter().map(|mail| mail.to).collect();
    to.sort();
    assert_eq!(to, ["ada@example.com", "team@example.com"], "{what}");
    let due = daybook_store::rows::due::all(&world.system.env).await.expect("a read");
    assert!(due.is_empty(), "{what}: {due:?}");
    let owner = world.owner().await;
    assert_eq!(world.leads(&owner).await.len(), 1, "{what}");
}

#[tokio::test]
async fn any_single_fault_at_any_call_loses_nothing_and_doubles_nothing() {
    let calls = calls_of_a_submission().await;
    assert!(calls >= 8, "a submission and two mails make more than {calls} calls");
    for fault in Fault::ALL {
        for number in 0..calls {
            let world = World::new().await;
            world.faults.at(number, fault);
            let first = world.visitor().post("/api/leads", lead("ada@example.com")).key("one").await;
            assert_eq!(first.status.as_u16(), 201, "{fault:?} at {number}: {}", first.text);
            world.work().await;
            check(&world, &format!("{fault:?} at call {number}")).await;
        }
    }
}

/// What signed-in people do to a lead, by name.
async fn act(owner: &Person, path: &str, what: &str) -> Answer {
    match what {
        "update" => owner.patch(path, json!({"status": "contacted", "last_name": "King"})).await,
        "delete" => owner.delete(path).await,
        "restore" => owner.post(&format!("{path}/restore"), json!({})).await,
        _ => owner.post("/api/auth/register", json!({"email": "eva@example.com", "password": "password123"})).await,
    }
}

/// A world in which that can be done, and where.
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
                let count = async |facts: Vec<Fact>| facts.iter().filter(|fact| fact.event.name() == event).count();
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
    let seeds = if is_full() { 300 } else { 12 };
    for rate in [0.01, 0.05, 0.2] {
        for seed in 0..seeds {
            let world = World::new().await;
            world.faults.randomly(seed * 7919 + 1, rate);
            for _ in 0..3 {
                let answer = world.visitor().post("/api/leads", lead("ada@example.com")).key("one").await;
                assert!([201, 409, 503].contains(&answer.status.as_u16()), "{}", answer.text);
            }
            world.work().await;
            check(&world, &format!("seed {seed} at rate {rate}")).await;
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
    assert!(!detail.contains("dynamo") && !detail.contains("connection"), "a 5xx tells internals: {detail}");
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_while_nobody_can_look_is_known_by_its_own_entry() {
    let calls = calls_of_a_submission().await;
    for number in 0..calls {
        let world = World::new().await;
        // Staff without a key: no idempotency record hides what happened.
        let owner = world.owner().await;
        world.faults.at(number, Fault::AnswerLost);
        for later in 1..=3 {
            world.faults.at(number + later, Fault::Before);
        }
        let answer = owner.post("/api/leads", lead("ada@example.com")).await;
        world.faults.heal();
        let entries = world.journal(DEFAULT_ORG).await;
        let made = entries.iter().filter(|fact| fact.event.name() == "submission.accepted").count();
        let told = usize::from(answer.status.as_u16() == 201);
        assert_eq!(made, told, "call {number}: answered {} with {made} submissions", answer.status);
    }
}
