//! Concurrency tests: simultaneous requests on the same records.

use daybook_domain::lead::Lead;
use daybook_local::DEFAULT_ORG;
use daybook_testing::{World, lead};
use futures::future::join_all;
use serde_json::json;
use std::collections::HashSet;
use std::future::IntoFuture as _;

/// The same address in upper and lower case, varied by the number.
fn mixed_case(text: &str, number: usize) -> String {
    let change = |(n, c): (usize, char)| if number >> (n % 10) & 1 == 1 { c.to_ascii_uppercase() } else { c };
    text.chars().enumerate().map(change).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_leads_with_one_address_are_one_lead_with_two_hundred_submissions() {
    let world = World::new().await;
    world.faults.at_a_distance();
    world.faults.meet("TransactWriteItems", 20);
    let visitor = world.visitor();
    let calls = (0..200).map(|n| {
        let mut body = lead(&mixed_case("ada.lovelace@example.com", n));
        body["requirements"] = json!(n.to_string());
        tokio::spawn(visitor.post("/api/leads", body).into_future())
    });
    let answers = join_all(calls).await;
    let ids: HashSet<String> = answers.into_iter().map(|answer| answer.expect("a task").expect(201).id()).collect();
    assert_eq!(ids.len(), 200);
    let commits = world.faults.calls().iter().filter(|call| *call == "TransactWriteItems").count();
    assert!(commits > 200, "only {commits} commits: the requests didn't overlap");

    let owner = world.owner().await;
    let leads = world.leads(&owner).await;
    assert_eq!(leads.len(), 1);
    let id: daybook_domain::LeadId = leads[0]["id"].as_str().expect("an id").parse().expect("a lead id");
    let children = world.cx(DEFAULT_ORG).children(id, daybook_domain::RecordType::Submission).await.expect("children");
    assert_eq!(children.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_writers_on_one_version_one_succeeds() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let owner = world.owner().await;
    let path =
        format!("/api/leads/{}", world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id());
    let calls = (0..200).map(|n| {
        let call = owner.patch(&path, json!({"job_title": n.to_string()})).header("if-match", "\"v1\"");
        tokio::spawn(call.into_future())
    });
    let answers = join_all(calls).await;
    let successes =
        answers.into_iter().filter(|answer| answer.as_ref().is_ok_and(|answer| answer.status.as_u16() == 200)).count();
    assert_eq!(successes, 1);
    assert_eq!(owner.get(&path).await.expect(200).data()["version"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_writers_without_a_version_lose_no_update() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let owner = world.owner().await;
    let path =
        format!("/api/leads/{}", world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id());
    let calls =
        (0..200).map(|n| tokio::spawn(owner.patch(&path, json!({"extra": {format!("f{}", n % 40): n}})).into_future()));
    let mut written: Vec<usize> = Vec::new();
    for (n, answer) in join_all(calls).await.into_iter().enumerate() {
        match answer.expect("a task").status.as_u16() {
            200 => written.push(n),
            409 => {}
            other => panic!("{other}"),
        }
    }
    let successes = written.len();
    assert!(successes > 40, "{successes} writers succeeded, so none came between others");
    let after = owner.get(&path).await.expect(200).data();
    assert_eq!(after["version"], 1 + successes);
    // Each field has a value of one of its writers: an update of an outdated version would have lost it.
    for field in 0..40 {
        let of_it: Vec<_> = written.iter().filter(|n| *n % 40 == field).map(|n| json!(n)).collect();
        let found = &after["extra"][format!("f{field}")];
        assert!(
            of_it.contains(found) || (of_it.is_empty() && found.is_null()),
            "f{field} is {found}, not of {of_it:?}"
        );
    }
    let updates =
        world.journal(DEFAULT_ORG).await.into_iter().filter(|fact| fact.event.name() == "lead.updated").count();
    assert_eq!(updates, successes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_and_submitting_at_once_leaves_every_submission_with_a_lead() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let owner = world.owner().await;
    let visitor = world.visitor();
    let path = format!("/api/leads/{}", visitor.post("/api/leads", lead("ada@example.com")).await.expect(201).id());
    let posts = (0..50).map(|n| {
        let mut body = lead("ada@example.com");
        body["requirements"] = json!(n.to_string());
        tokio::spawn(visitor.post("/api/leads", body).into_future())
    });
    let delete = tokio::spawn(owner.delete(&path).into_future());
    for answer in join_all(posts).await {
        answer.expect("a task").expect(201);
    }
    delete.await.expect("a task").expect(200);
    assert!(world.leads(&owner).await.len() <= 1);
    let submissions = owner.get("/api/submissions?limit=200").await.expect(200).data();
    let of = |submission: &serde_json::Value| submission["lead_id"].as_str().expect("a lead").parse().expect("an id");
    let of: Vec<daybook_domain::LeadId> = submissions.as_array().expect("a list").iter().map(of).collect();
    assert_eq!(of.len(), 51);
    let cx = world.cx(DEFAULT_ORG);
    for id in of {
        let live = cx.find::<Lead>(id).await.expect("a read");
        let trashed = cx.trash().find::<Lead>(id).await.expect("a read");
        assert!(live.is_some() || trashed.is_some(), "{id} is gone");
    }
    assert_eq!(
        world.journal(DEFAULT_ORG).await.iter().filter(|fact| fact.event.name() == "submission.accepted").count(),
        51
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_writers_on_one_version_one_writes() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let owner = world.owner().await;
    let path = format!("/api/customers/{}", owner.post("/api/customers", json!({"name": "A"})).await.expect(201).id());
    let call = |n: usize| owner.patch(&path, json!({"description": n.to_string()})).header("if-match", "\"v1\"");
    let calls = (0..200).map(|n| tokio::spawn(call(n).into_future()));
    let mut written = 0;
    for answer in join_all(calls).await {
        let answer = answer.expect("a task");
        match answer.status.as_u16() {
            200 => written += 1,
            _ => _ = answer.expect_problem(412, "precondition_failed"),
        }
    }
    assert_eq!((written, &owner.get(&path).await.expect(200).data()["version"]), (1, &json!(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_cross_stay_one_contact_s_each() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let owner = world.owner().await;
    let addresses = ["a@example.com", "b@example.com", "c@example.com"];
    let mut paths = Vec::new();
    for address in addresses {
        let id = owner.post("/api/contacts", json!({"name": address, "email": address})).await.expect(201).id();
        paths.push(format!("/api/contacts/{id}"));
    }
    let calls = (0..60).map(|n| {
        let email = [json!(addresses[(n / 3) % 3]), json!(addresses[(n / 7) % 3]), json!(null)][n % 3].clone();
        tokio::spawn(owner.patch(&paths[n % 3], json!({"email": email})).into_future())
    });
    let mut met = [0, 0];
    for answer in join_all(calls).await {
        match answer.expect("a task").status.as_u16() {
            200 => met[0] += 1,
            409 => met[1] += 1,
            status => panic!("{status}"),
        }
    }
    assert!(met.iter().all(|count| *count > 0), "{met:?} were done and refused, so nothing crossed");
    let mut held = HashSet::new();
    for path in &paths {
        let email = owner.get(path).await.expect(200).data()["email"].clone();
        assert!(email.is_null() || held.insert(email.to_string()), "{email} is two contacts'");
    }
    // An address is free exactly if no record holds it.
    for address in addresses {
        let free = !held.contains(&json!(address).to_string());
        let status = owner.post("/api/contacts", json!({"email": address})).await.status.as_u16();
        assert_eq!(status, if free { 201 } else { 409 }, "{address}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restoring_and_taking_an_address_at_once_leaves_it_to_one() {
    for _ in 0..10 {
        let world = World::new().await;
        world.faults.at_a_distance();
        let owner = world.owner().await;
        let body = json!({"name": "A", "email": "a@example.com"});
        let path = format!("/api/customers/{}", owner.post("/api/customers", body.clone()).await.expect(201).id());
        owner.delete(&path).await.expect(200);
        let restore = tokio::spawn(owner.post(&format!("{path}/restore"), json!({})).into_future());
        let create = tokio::spawn(owner.post("/api/customers", body).into_future());
        let (restore, create) = (restore.await.expect("a task"), create.await.expect("a task"));
        let mut statuses = [restore.status.as_u16(), create.status.as_u16()];
        statuses.sort_unstable();
        assert!(statuses == [200, 409] || statuses == [201, 409], "{statuses:?}");
        assert_eq!(owner.get("/api/customers").await.expect(200).json()["meta"]["count"], 1);
    }
}
