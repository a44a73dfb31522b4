//! Cascade tests: deleting a customer deletes its children and restoring it restores them, for any number of children and
//! with concurrent writes.

use daybook_domain::AnyId;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::permission::Role;
use daybook_store::Kept;
use daybook_testing::{Answer, Fault, Person, World, is_full};
use serde_json::{Value, json};
use std::future::IntoFuture as _;
use std::time::Duration;

async fn made(owner: &Person, path: &str, body: Value) -> String {
    owner.post(path, body).await.expect(201).id()
}

async fn world_with_customer() -> (World, Person, String) {
    let world = World::new().await;
    let owner = world.owner().await;
    let customer = made(&owner, "/api/customers", json!({"name": "ABC"})).await;
    (world, owner, customer)
}

async fn count(owner: &Person, path: &str) -> usize {
    owner.get(path).await.expect(200).data().as_array().expect("a list").len()
}

/// An opportunity of a customer with this number of tasks about it.
async fn deal_with_tasks(owner: &Person, customer: &str, count: usize) -> String {
    let deal = made(owner, "/api/opportunities", json!({"customer_id": customer, "title": "ERP"})).await;
    let task = json!({"title": "Call", "related_to": {"type": "opportunity", "id": deal}});
    let items = vec![json!({"action": "create", "data": task}); count];
    owner.post("/api/tasks/batch", json!({"items": items})).await.expect(200);
    deal
}

#[tokio::test]
async fn restoring_a_customer_brings_back_what_went_with_it_and_nothing_else() {
    let (_world, owner, customer) = world_with_customer().await;
    let call = json!({"customer_id": customer, "interaction_type": "call"});
    let early = made(&owner, "/api/interactions", call.clone()).await;
    owner.delete(&format!("/api/interactions/{early}")).await.expect(200);
    let late = made(&owner, "/api/interactions", call).await;
    let deal = made(&owner, "/api/opportunities", json!({"customer_id": customer, "title": "ERP"})).await;
    let about = json!({"title": "Call", "related_to": {"type": "opportunity", "id": deal}});
    let task = made(&owner, "/api/tasks", about).await;

    owner.delete(&format!("/api/customers/{customer}")).await.expect(200);
    let gone = [format!("interactions/{late}"), format!("opportunities/{deal}"), format!("tasks/{task}")];
    for path in &gone {
        owner.get(&format!("/api/{path}")).await.expect_problem(404, "not_found");
        let restore = owner.post(&format!("/api/{path}/restore"), json!({})).await;
        assert!([409, 422].contains(&restore.status.as_u16()), "{path} without its customer: {}", restore.text);
    }
    owner.post(&format!("/api/customers/{customer}/restore"), json!({})).await.expect(200);
    for path in &gone {
        owner.get(&format!("/api/{path}")).await.expect(200);
    }
    owner.get(&format!("/api/interactions/{early}")).await.expect_problem(404, "not_found");
    owner.post(&format!("/api/interactions/{early}/restore"), json!({})).await.expect(200);
    assert_eq!(count(&owner, &format!("/api/interactions?customer_id={customer}")).await, 2);
}

#[tokio::test]
async fn an_opportunity_takes_its_tasks_along() {
    let (_world, owner, customer) = world_with_customer().await;
    let deal = made(&owner, "/api/opportunities", json!({"customer_id": customer, "title": "ERP"})).await;
    let about = json!({"title": "Call", "related_to": {"id": deal, "type": "opportunity"}});
    let task = owner.post("/api/tasks", about).await.expect(201).data();
    assert_eq!(task["customer_id"], json!(customer));
    let task = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    assert_eq!(count(&owner, &format!("/api/tasks?customer_id={customer}")).await, 1);
    let talk = json!({"customer_id": customer, "interaction_type": "call", "opportunity_id": deal});
    let talk = format!("/api/interactions/{}", made(&owner, "/api/interactions", talk).await);
    owner.delete(&format!("/api/opportunities/{deal}")).await.expect(200);
    owner.get(&task).await.expect_problem(404, "not_found");
    owner.get(&talk).await.expect(200);
    owner.post(&format!("/api/opportunities/{deal}/restore"), json!({})).await.expect(200);
    owner.get(&task).await.expect(200);
}

/// The cascade includes children that the user can't see.
#[tokio::test]
async fn a_manager_deletes_a_customer_with_what_others_added_to_it() {
    let world = World::new().await;
    let owner = world.owner().await;
    let manager = world.person(Role::Manager).await;
    let customer = made(&manager, "/api/customers", json!({"name": "ABC"})).await;
    let call = json!({"customer_id": customer, "interaction_type": "call"});
    let others = format!("/api/interactions/{}", made(&owner, "/api/interactions", call).await);
    manager.get(&others).await.expect_problem(404, "not_found");
    manager.delete(&format!("/api/customers/{customer}")).await.expect(200);
    owner.get(&others).await.expect_problem(404, "not_found");
}

/// Makes this number of interactions of a customer, in batches.
async fn many(owner: &Person, customer: &str, count: usize) {
    let call = json!({"action": "create", "data": {"customer_id": customer, "interaction_type": "call"}});
    for first in (0..count).step_by(100) {
        let items = vec![call.clone(); 100.min(count - first)];
        owner.post("/api/interactions/batch", json!({"items": items})).await.expect(200);
    }
}

#[tokio::test]
async fn what_does_not_fit_one_transaction_is_hidden_at_once_and_moved_by_a_job() {
    let (world, owner, customer) = world_with_customer().await;
    many(&owner, &customer, 60).await;
    let list = format!("/api/interactions?customer_id={customer}");
    let one = owner.get(&list).await.expect(200).data()[0]["id"].as_str().expect("an id").to_owned();
    let other = made(&owner, "/api/customers", json!({"name": "XYZ"})).await;
    many(&owner, &other, 1).await;

    let job = owner.delete(&format!("/api/customers/{customer}")).await.expect(202).data();
    assert_eq!((&job["work"]["kind"], &job["progress"]), (&json!("removal"), &json!({"done": 0, "of": 60})));
    owner.get(&format!("/api/interactions/{one}")).await.expect_problem(404, "not_found");
    owner.put(&format!("/api/interactions/{one}"), json!({"notes": "x"})).await.expect_problem(404, "not_found");
    assert_eq!((count(&owner, &list).await, count(&owner, "/api/interactions?limit=200").await), (0, 1));
    owner.post(&format!("/api/customers/{customer}/restore"), json!({})).await.expect_problem(409, "conflict");
    let call = json!({"customer_id": customer, "interaction_type": "call"});
    owner.post("/api/interactions", call).await.expect_problem(422, "validation_error");

    world.work().await;
    let done = owner.get(&format!("/api/jobs/{}", job["id"].as_str().expect("an id"))).await.expect(200).data();
    assert_eq!((&done["status"], &done["progress"]["done"]), (&json!("done"), &json!(60)));

    let back = owner.post(&format!("/api/customers/{customer}/restore"), json!({})).await.expect(202).data();
    assert_eq!(back["work"]["kind"], json!("return"));
    world.work().await;
    assert_eq!(count(&owner, &format!("{list}&limit=200")).await, 60);
}

/// The table stops answering after some calls of the job, for longer than the immediate retries last. 1,000 children in
/// the full set.
#[tokio::test]
async fn a_removal_that_is_broken_off_midway_leaves_nobody() {
    let children = if is_full() { 1000 } else { 40 };
    let world = World::new().await;
    let mut midway = 0;
    for calls in [6, 10, 13, 17] {
        let owner = world.person(Role::Owner).await;
        let customer = made(&owner, "/api/customers", json!({"name": "ABC"})).await;
        many(&owner, &customer, children).await;
        world.work().await;
        let job = owner.delete(&format!("/api/customers/{customer}")).await.expect(202).id();
        for call in 0..2000 {
            world.faults.at(calls * children / 40 + call, Fault::ServerError);
        }
        world.work().await;
        world.faults.heal();
        let cx = world.cx(owner.org);
        let id: daybook_domain::AnyId = customer.parse().expect("an id");
        let left = daybook_records::family::members(&cx, id).await.expect("a read").len();
        midway += usize::from(0 < left && left < children);
        let list = format!("/api/interactions?customer_id={customer}");
        assert_eq!((count(&owner, &list).await, count(&owner, "/api/interactions").await), (0, 0), "{left} are left");
        world.pass(Duration::from_secs(1200)).await;
        assert_eq!(daybook_records::family::members(&cx, id).await.expect("a read").len(), 0);
        let done = owner.get(&format!("/api/jobs/{job}")).await.expect(200).data();
        assert_eq!((&done["status"], &done["progress"]["done"]), (&json!("done"), &json!(children)));
    }
    assert!(midway >= 2, "only {midway} cascades were interrupted midway");
}

/// The job did its work but couldn't record that; then the customer is restored, and the job is retried.
#[tokio::test]
async fn a_removal_that_is_tried_again_leaves_alone_what_came_back_meanwhile() {
    let removed = async || {
        let (world, owner, customer) = world_with_customer().await;
        many(&owner, &customer, 26).await;
        world.work().await;
        let job = owner.delete(&format!("/api/customers/{customer}")).await.expect(202).id();
        (world, owner, customer, job)
    };
    let (world, ..) = removed().await;
    let before = world.faults.calls().len();
    world.work().await;
    let calls = world.faults.calls().split_off(before);
    let commits: Vec<usize> = (0..calls.len()).filter(|number| calls[*number] == "TransactWriteItems").collect();
    let mut came_back_before = 0;
    // The job's first commits move the children, its last two end it; all others belong to other work.
    for &commit in commits.iter().skip(4).take(5) {
        let (world, owner, customer, job) = removed().await;
        for number in commit..calls.len() + 40 {
            world.faults.at(number, Fault::Before);
        }
        world.work().await;
        world.faults.heal();
        let open = owner.get(&format!("/api/jobs/{job}")).await.expect(200).data()["status"] != "done";
        let restored = owner.post(&format!("/api/customers/{customer}/restore"), json!({})).await;
        came_back_before += usize::from(open && restored.status.as_u16() == 202);
        world.pass(Duration::from_secs(1200)).await;
        let list = format!("/api/interactions?customer_id={customer}&limit=200");
        let expected = if restored.status.is_success() { 26 } else { 0 };
        assert_eq!(count(&owner, &list).await, expected, "broken off at call {commit} of {}", calls.len());
    }
    assert!(came_back_before > 0, "the customer was never restored before the end of the job");
}

#[tokio::test]
async fn whoever_adds_children_while_a_customer_is_deleted_leaves_no_orphan() {
    let (mut in_time, mut too_late) = (0, 0);
    for round in 0..if is_full() { 8 } else { 2 } {
        let (world, owner, customer) = world_with_customer().await;
        world.faults.at_a_distance();
        let call = json!({"customer_id": customer, "interaction_type": "call"});
        // Each client adds interactions until it is answered that the customer doesn't exist any more.
        let adding = futures::future::join_all((0..4).map(|n| {
            let (owner, call) = (&owner, call.clone());
            async move {
                let mut answers = Vec::new();
                tokio::time::sleep(Duration::from_millis(3 * n * round)).await;
                while answers.last().is_none_or(|last: &Answer| last.status.as_u16() == 201) && answers.len() < 1000 {
                    answers.push(owner.post("/api/interactions", call.clone()).await);
                }
                answers
            }
        }));
        let deleting = async {
            tokio::time::sleep(Duration::from_millis(15)).await;
            owner.delete(&format!("/api/customers/{customer}")).await
        };
        let (added, deleted) = tokio::join!(adding, deleting);
        let added: Vec<Answer> = added.into_iter().flatten().collect();
        deleted.expect(202);
        world.faults.nearby();
        world.work().await;
        for answer in added.iter().filter(|answer| answer.status.as_u16() == 201) {
            in_time += 1;
            let id = answer.data()["id"].as_str().expect("an id").to_owned();
            owner.get(&format!("/api/interactions/{id}")).await.expect_problem(404, "not_found");
        }
        for answer in added.iter().filter(|answer| answer.status.as_u16() != 201) {
            too_late += 1;
            assert!([409, 422].contains(&answer.status.as_u16()), "{}", answer.text);
        }
        assert_eq!(count(&owner, "/api/interactions").await, 0);
        // All of them are restored.
        owner.post(&format!("/api/customers/{customer}/restore"), json!({})).await.expect(202);
        world.work().await;
        let id: daybook_domain::CustomerId = customer.parse().expect("an id");
        let back = daybook_records::family::members(&world.cx(owner.org), id.into()).await.expect("a read").len();
        assert_eq!(back, added.iter().filter(|answer| answer.status.as_u16() == 201).count());
    }
    assert!(in_time > 0 && too_late > 0, "{in_time} came in time and {too_late} too late, so nothing raced");
}

/// Makes one request, and the second as soon as the first has made this number of calls of the table or is answered.
async fn second_at_call<T>(
    world: &World,
    number: usize,
    first: impl Future<Output = T>,
    second: impl Future<Output = T>,
) -> [T; 2] {
    let mut first = std::pin::pin!(first);
    tokio::select! {
        biased;
        answer = &mut first => [answer, second.await],
        () = world.faults.until(world.faults.calls().len() + number) => tokio::join!(first, second).into(),
    }
}

/// Converting a lead into an existing customer adds a child to that customer.
#[tokio::test]
async fn converting_to_a_customer_while_it_is_deleted_leaves_no_orphan() {
    let (mut in_time, mut too_late) = (0, 0);
    // No request makes 30 calls, so the last of each is made after the other was answered.
    for (number, delete_first) in (0..=30).step_by(if is_full() { 1 } else { 5 }).flat_map(|n| [(n, false), (n, true)])
    {
        let (world, owner, customer) = world_with_customer().await;
        let lead = world.visitor().post("/api/leads", daybook_testing::lead("ada@example.com")).await.expect(201).id();
        world.faults.at_a_distance();
        let convert = owner.post(&format!("/api/leads/{lead}/convert"), json!({"customer_id": customer})).into_future();
        let delete = owner.delete(&format!("/api/customers/{customer}")).into_future();
        let (converted, deleted) = if delete_first {
            let [deleted, converted] = second_at_call(&world, number, delete, convert).await;
            (converted, deleted)
        } else {
            second_at_call(&world, number, convert, delete).await.into()
        };
        deleted.expect(200);
        match converted.status.as_u16() {
            201 => in_time += 1,
            409 | 422 => too_late += 1,
            other => panic!("{other}: {}", converted.text),
        }
        assert_eq!(count(&owner, "/api/opportunities").await, 0);
    }
    assert!(in_time > 0 && too_late > 0, "{in_time} came in time and {too_late} too late, so nothing raced");
}

/// A cascade that was one transaction can be reverted by its journal entry.
#[tokio::test]
async fn undoing_a_deletion_brings_back_the_family_and_undoing_a_creation_leaves_no_orphan() {
    let (world, owner, customer) = world_with_customer().await;
    let lead = world.visitor().post("/api/leads", daybook_testing::lead("ada@example.com")).await.expect(201).id();
    owner.post(&format!("/api/leads/{lead}/convert"), json!({"customer_id": customer})).await.expect(201);
    let entry = async |event: &str| {
        let journal = world.journal(owner.org).await;
        let found = journal.iter().rev().find(|fact| fact.event.name() == event && fact.record.to_string() == customer);
        format!("/api/audit-logs/{}/revert", found.expect("an entry").id)
    };
    owner.post(&entry("customer.created").await, json!({})).await.expect_problem(409, "conflict");
    owner.delete(&format!("/api/customers/{customer}")).await.expect(200);
    assert_eq!(count(&owner, "/api/opportunities").await, 0);
    world.clock.advance(Duration::from_secs(1));
    owner.post(&entry("customer.deleted").await, json!({})).await.expect(200);
    assert_eq!(count(&owner, "/api/opportunities").await, 1);
}

#[tokio::test]
async fn nobody_joins_what_is_on_its_way_to_the_trash() {
    let (world, owner, customer) = world_with_customer().await;
    let deal = made(&owner, "/api/opportunities", json!({"customer_id": customer, "title": "ERP"})).await;
    many(&owner, &customer, 40).await;
    owner.delete(&format!("/api/customers/{customer}")).await.expect(202);
    let about = json!({"title": "Call", "related_to": {"type": "opportunity", "id": deal}});
    owner.post("/api/tasks", about).await.expect_problem(422, "validation_error");
    let total = format!("/api/interactions?customer_id={customer}&with_total=true");
    assert_eq!(owner.get(&total).await.expect(200).json()["meta"]["total"], 0);
    world.work().await;
    assert_eq!(count(&owner, "/api/tasks").await, 0);
}

/// In the full set more records are hidden than one request reads.
#[tokio::test]
async fn a_list_goes_on_behind_what_is_hidden() {
    let hidden = if is_full() { 4_200 } else { 60 };
    let (_world, owner, falling) = world_with_customer().await;
    let other = made(&owner, "/api/customers", json!({"name": "DEF"})).await;
    let contact = made(&owner, "/api/contacts", json!({"name": "Eva"})).await;
    let calls = async |customer: &str, count: usize| {
        let data = json!({"customer_id": customer, "interaction_type": "call", "contact_id": contact});
        let items = vec![json!({"action": "create", "data": data}); count];
        owner.post("/api/interactions/batch", json!({"items": items})).await.expect(200);
    };
    for _ in 0..hidden / 60 {
        calls(&falling, 60).await;
    }
    calls(&other, 3).await;
    owner.delete(&format!("/api/customers/{falling}")).await.expect(202);
    let (mut seen, mut cursor) = (0, String::new());
    loop {
        let path = format!("/api/interactions?contact_id={contact}&sort=created_at&limit=50{cursor}");
        let page = owner.get(&path).await.expect(200).json();
        seen += page["data"].as_array().expect("a list").len();
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, 3);
}

/// Tasks belong to an opportunity and to its customer. When both are being deleted, the first cascade takes the tasks.
#[tokio::test]
async fn what_belongs_to_two_that_fall_goes_with_one_of_them() {
    let (world, owner, customer) = world_with_customer().await;
    let deal = deal_with_tasks(&owner, &customer, 30).await;
    many(&owner, &customer, 40).await;
    owner.delete(&format!("/api/opportunities/{deal}")).await.expect(202);
    owner.delete(&format!("/api/customers/{customer}")).await.expect(202);
    world.work().await;
    assert_eq!(count(&owner, "/api/tasks").await, 0);
    owner.post(&format!("/api/customers/{customer}/restore"), json!({})).await.expect(202);
    world.work().await;
    assert_eq!((count(&owner, "/api/interactions").await, count(&owner, "/api/tasks").await), (40, 0));
    owner.post(&format!("/api/opportunities/{deal}/restore"), json!({})).await.expect(202);
    world.work().await;
    assert_eq!(count(&owner, "/api/tasks").await, 30);
}

/// An opportunity is removed during the cascade restore of its customer: its tasks stay in the trash, and all other
/// children are restored.
#[tokio::test]
async fn what_can_t_come_back_stops_nobody_else() {
    let (world, owner, customer) = world_with_customer().await;
    let deal = deal_with_tasks(&owner, &customer, 10).await;
    many(&owner, &customer, 40).await;
    owner.delete(&format!("/api/customers/{customer}")).await.expect(202);
    world.work().await;
    let job = owner.post(&format!("/api/customers/{customer}/restore"), json!({})).await.expect(202).id();
    // The opportunity is erased for good before its tasks are restored.
    let cx = world.cx(owner.org);
    let gone =
        cx.trash().find::<Opportunity>(deal.parse::<AnyId>().expect("an id")).await.expect("a read").expect("a record");
    cx.erasure().record(&gone, Kept::InTrash).await.expect("an erasure");
    world.work().await;
    assert_eq!(owner.get(&format!("/api/jobs/{job}")).await.expect(200).data()["status"], "done");
    assert_eq!((count(&owner, "/api/interactions").await, count(&owner, "/api/tasks").await), (40, 0));
}

/// A customer is deleted while the cascade of one of its opportunities is in progress.
#[tokio::test]
async fn families_within_families_come_back_one_by_one() {
    let (world, owner, customer) = world_with_customer().await;
    let deal = deal_with_tasks(&owner, &customer, 30).await;
    owner.delete(&format!("/api/opportunities/{deal}")).await.expect(202);
    owner.delete(&format!("/api/customers/{customer}")).await;
    for _ in 0..3 {
        world.work().await;
    }
    owner.post(&format!("/api/customers/{customer}/restore"), json!({})).await.expect(200);
    assert_eq!(count(&owner, "/api/tasks").await, 0);
    owner.post(&format!("/api/opportunities/{deal}/restore"), json!({})).await.expect(202);
    world.work().await;
    assert_eq!(count(&owner, "/api/tasks").await, 30);
}
