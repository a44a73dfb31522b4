//! Lead conversion tests: one transaction makes a customer, a contact and an opportunity, exactly once or not at all.

use daybook_domain::permission::Role;
use daybook_testing::{Person, World, lead};
use futures::future::join_all;
use serde_json::{Value, json};
use std::future::IntoFuture as _;

async fn world_with_lead() -> (World, Person, String) {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    (world, owner, format!("/api/leads/{id}"))
}

async fn count(owner: &Person, kind: &str) -> usize {
    owner.get(&format!("/api/{kind}")).await.expect(200).data().as_array().expect("a list").len()
}

#[tokio::test]
async fn a_lead_becomes_a_customer_a_contact_and_an_opportunity() {
    let (world, owner, path) = world_with_lead().await;
    let done =
        owner.post(&format!("{path}/convert"), json!({"opportunity": {"value": 500000}})).await.expect(201).data();
    let lead = owner.get(&path).await.expect(200).data();
    assert_eq!((&lead["status"], &lead["customer_id"]), (&json!("converted"), &done["customer"]["id"]));
    assert_eq!((&lead["contact_id"], &lead["opportunity_id"]), (&done["contact"]["id"], &done["opportunity"]["id"]));
    let customer = &done["customer"];
    assert_eq!((&customer["name"], &customer["type"]), (&json!("示例科技有限公司"), &json!("company")));
    assert_eq!((&customer["industry"], &customer["lead_id"]), (&json!("manufacturing"), &lead["id"]));
    let contact = &done["contact"];
    assert_eq!((&contact["name"], &contact["email"]), (&json!("Ada Lovelace"), &json!("ada@example.com")));
    assert_eq!(contact["customer_ids"], json!([customer["id"]]));
    let deal = &done["opportunity"];
    assert_eq!(
        (&deal["customer_id"], &deal["value"], &deal["stage"]),
        (&customer["id"], &json!(500000), &json!("lead"))
    );
    assert_eq!(deal["description"], json!("An engine"));
    let events: Vec<_> = world.journal(owner.org).await.iter().map(|fact| fact.event.name()).collect();
    for event in ["lead.converted", "customer.created", "contact.created", "opportunity.created"] {
        assert_eq!(events.iter().filter(|name| **name == event).count(), 1, "{event}");
    }
    // Another post from the same address makes a new lead.
    let mut more = daybook_testing::lead("ada@example.com");
    more["requirements"] = json!("Another engine");
    let again = world.visitor().post("/api/leads", more).await.expect(201).id();
    assert!(!path.ends_with(&again));
    // Deleting the customer deletes its opportunity too; the contact stays.
    owner.delete(&format!("/api/customers/{}", customer["id"].as_str().expect("an id"))).await.expect(200);
    assert_eq!((count(&owner, "opportunities").await, count(&owner, "contacts").await), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_at_once_one_converts_it() {
    let (world, owner, path) = world_with_lead().await;
    world.faults.at_a_distance();
    let path = format!("{path}/convert");
    let calls = (0..50).map(|_| tokio::spawn(owner.post(&path, json!({})).into_future()));
    let mut done = Vec::new();
    for answer in join_all(calls).await {
        let answer = answer.expect("a task");
        match answer.status.as_u16() {
            201 => done.push(answer.data()["customer"]["id"].clone()),
            _ => assert!(answer.expect_problem(409, "duplicate").json()["existing_id"].is_string()),
        }
    }
    assert_eq!(done.len(), 1);
    for kind in ["customers", "contacts", "opportunities"] {
        assert_eq!(count(&owner, kind).await, 1, "{kind}");
    }
    let problem = owner.post(&path, json!({})).await.expect_problem(409, "duplicate").json();
    assert_eq!(problem["existing_id"], done[0]);
}

#[tokio::test]
async fn it_joins_a_customer_and_a_contact_that_are_there() {
    let (_world, owner, path) = world_with_lead().await;
    let customer = owner.post("/api/customers", json!({"name": "ABC"})).await.expect(201).id();
    let contact = owner.post("/api/contacts", json!({"email": "ADA@example.com"})).await.expect(201).id();
    let body = json!({"customer_id": customer, "create_opportunity": false});
    let done = owner.post(&format!("{path}/convert"), body).await.expect(201).data();
    assert_eq!((&done["customer"]["id"], &done["contact"]["id"]), (&json!(customer), &json!(contact)));
    assert_eq!((&done["opportunity"], &done["contact"]["customer_id"]), (&Value::Null, &json!(customer)));
}

/// The `contact` fields of a conversion also update an existing contact, whichever address it is found by.
#[tokio::test]
async fn it_says_of_a_contact_that_is_there_what_was_asked_for() {
    let (_world, owner, path) = world_with_lead().await;
    let contact = owner.post("/api/contacts", json!({"email": "office@example.com", "name": "Ada"})).await.expect(201);
    let body = json!({"contact": {"email": "office@example.com", "job_title": "Countess"}});
    let done = owner.post(&format!("{path}/convert"), body).await.expect(201).data();
    assert_eq!(done["contact"]["id"], json!(contact.id()));
    let read = owner.get(&format!("/api/contacts/{}", contact.id())).await.expect(200).data();
    assert_eq!((&read["job_title"], &read["name"], &read["version"]), (&json!("Countess"), &json!("Ada"), &json!(2)));
    assert_eq!(read["customer_ids"], json!([done["customer"]["id"]]));
    assert_eq!(count(&owner, "contacts").await, 1);
}

/// A conversion neither changes nor shows another user's contact; the answer gives its id.
#[tokio::test]
async fn it_leaves_somebody_else_s_contact_alone() {
    let (world, owner, path) = world_with_lead().await;
    let sales = world.person(Role::Sales).await;
    owner.patch(&path, json!({"owner_id": sales.user})).await.expect(200);
    let contact = owner.post("/api/contacts", json!({"email": "ada@example.com"})).await.expect(201).id();
    owner.patch(&format!("/api/contacts/{contact}"), json!({"owner_id": owner.user})).await.expect(200);
    let convert = format!("{path}/convert");
    let problem = sales.post(&convert, json!({})).await.expect_problem(409, "duplicate").json();
    assert_eq!((&problem["existing_id"], &problem["errors"][0]["pointer"]), (&json!(contact), &json!("/contact")));
    assert_eq!(count(&owner, "customers").await, 0);
    let body = json!({"contact": {"email": "ada.private@example.com"}});
    sales.post(&convert, body).await.expect(201);
}

#[tokio::test]
async fn what_is_wrong_with_it_changes_nothing() {
    let (world, owner, path) = world_with_lead().await;
    let convert = format!("{path}/convert");
    let entries = world.journal(owner.org).await.len();
    for (body, pointer) in [
        (json!({"customer": {"name": ""}}), "/customer/name"),
        (json!({"contact": {"email": "x"}}), "/contact/email"),
        (json!({"opportunity": {"stage": "x"}}), "/opportunity/stage"),
        (json!({"customer_id": "cus_01jd2h6q8e5k9v4m3n7p1r0stw"}), "/customer_id"),
        (json!({"customer_id": "cus_01jd2h6q8e5k9v4m3n7p1r0stw", "customer": {"name": "A"}}), "/customer"),
        (json!({"create_opportunity": false, "opportunity": {"title": "A"}}), "/opportunity"),
        (json!({"colour": "red"}), "/colour"),
    ] {
        let problem = owner.post(&convert, body.clone()).await.expect_problem(422, "validation_error").json();
        assert_eq!(problem["errors"][0]["pointer"], json!(pointer), "{body}");
    }
    let role = json!({"name": "No customers", "permissions": ["leads:update:all", "leads:read:all"]});
    let role: daybook_domain::permission::RoleRef =
        owner.post("/api/roles", role).await.expect(201).id().parse().expect("a role");
    world.person(role).await.post(&convert, json!({})).await.expect_problem(403, "forbidden");
    world.person(Role::Viewer).await.post(&convert, json!({})).await.expect_problem(403, "forbidden");
    owner.patch(&path, json!({"status": "spam"})).await.expect(200);
    owner.post(&convert, json!({})).await.expect_problem(409, "conflict");
    let events = world.journal(owner.org).await;
    let none = ["customer.", "contact.", "opportunity.", "lead.converted"];
    let made = events[entries..].iter().find(|fact| none.iter().any(|event| fact.event.name().starts_with(event)));
    assert!(made.is_none(), "{made:?}");
}

#[tokio::test]
async fn it_can_be_undone_as_a_whole() {
    let (world, owner, path) = world_with_lead().await;
    let answer = owner.post(&format!("{path}/convert"), json!({})).await.expect(201);
    let request = answer.header("x-request-id").to_owned();
    world.clock.advance(std::time::Duration::from_secs(1));
    owner.post("/api/audit-logs/revert", json!({"request_id": request})).await.expect(200);
    for kind in ["customers", "contacts", "opportunities"] {
        assert_eq!(count(&owner, kind).await, 0, "{kind}");
    }
    assert_eq!(owner.get(&path).await.expect(200).data()["status"], json!("new"));
    // Reverting the change would set the status to `converted` without a conversion.
    let id = path.rsplit('/').next().expect("an id");
    let entries = owner.get(&format!("/api/audit-logs/resources/lead/{id}?limit=1")).await.expect(200).data();
    let again = format!("/api/audit-logs/{}/revert", entries[0]["id"].as_str().expect("an id"));
    owner.post(&again, json!({})).await.expect_problem(409, "conflict");
    owner.post(&format!("{path}/convert"), json!({})).await.expect(201);
}
