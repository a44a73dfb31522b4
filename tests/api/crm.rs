//! CRM tests: contacts with groups, pipelines, tasks, batches and timelines.

use daybook_domain::OpportunityId;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::permission::Role;
use daybook_store::Tx;
use daybook_testing::{Person, World};
use serde_json::{Value, json};
use std::time::Duration;

pub async fn world() -> (World, Person) {
    let world = World::new().await;
    let owner = world.owner().await;
    (world, owner)
}

pub async fn made(who: &Person, path: &str, body: Value) -> Value {
    who.post(path, body).await.expect(201).data()
}

pub async fn id_of(who: &Person, path: &str, body: Value) -> String {
    made(who, path, body).await["id"].as_str().expect("an id").to_owned()
}

pub async fn listed(who: &Person, path: &str) -> Vec<Value> {
    who.get(path).await.expect(200).data().as_array().expect("a list").clone()
}

pub async fn told(who: &Person, path: &str, field: &str) -> Vec<String> {
    let text = |one: Value| one[field].as_str().expect("a text").to_owned();
    listed(who, path).await.into_iter().map(text).collect()
}

#[tokio::test]
async fn a_contact_is_at_several_customers_and_in_several_groups() {
    let (_world, owner) = world().await;
    let (a, b) = (
        id_of(&owner, "/api/customers", json!({"name": "A"})).await,
        id_of(&owner, "/api/customers", json!({"name": "B"})).await,
    );
    let group = id_of(&owner, "/api/groups", json!({"name": "VIP"})).await;
    let body = json!({"first_name": "三", "last_name": "张", "customer_id": a, "group_ids": [group], "tags": ["key"]});
    let contact = made(&owner, "/api/contacts", body).await;
    assert_eq!((&contact["name"], &contact["customer_ids"]), (&json!("张三"), &json!([a])));
    let path = format!("/api/contacts/{}", contact["id"].as_str().expect("an id"));

    let both = owner.patch(&path, json!({"customer_ids": [a, b]})).await.expect(200).data();
    assert_eq!((&both["customer_id"], &both["customer_ids"]), (&json!(a), &json!([a, b])));
    for list in
        [format!("customer_id={a}"), format!("customer_id={b}"), format!("group_id={group}"), "tags=key".to_owned()]
    {
        assert_eq!(listed(&owner, &format!("/api/contacts?{list}")).await.len(), 1, "{list}");
    }
    let turned = owner.patch(&path, json!({"customer_ids": [b, a]})).await.expect(200).data();
    assert_eq!((&turned["customer_id"], &turned["customer_ids"]), (&json!(b), &json!([b, a])));
    owner.patch(&path, json!({"customer_ids": [a, b]})).await.expect(200);
    let first = owner.patch(&path, json!({"customer_id": b})).await.expect(200).data();
    assert_eq!(first["customer_ids"], json!([b, a]));
    let left = owner.patch(&path, json!({"customer_id": null})).await.expect(200).data();
    assert_eq!((&left["customer_id"], &left["customer_ids"]), (&json!(a), &json!([a])));
    assert_eq!(listed(&owner, &format!("/api/contacts?customer_id={b}")).await.len(), 0);
    let none = owner.patch(&path, json!({"customer_ids": null})).await.expect(200).data();
    assert_eq!((&none["customer_id"], &none["customer_ids"]), (&Value::Null, &json!([])));
    assert_eq!(told(&owner, "/api/contacts?search=张三", "name").await, ["张三"]);
    owner.post("/api/contacts", json!({"tags": ["x"]})).await.expect_problem(422, "validation_error");
    owner.post("/api/groups", json!({"name": "vip"})).await.expect_problem(409, "duplicate");
}

#[tokio::test]
async fn an_address_is_one_customer_s_and_one_contact_s() {
    let (_world, owner) = world().await;
    for kind in ["customers", "contacts"] {
        let list = format!("/api/{kind}");
        let first = id_of(&owner, &list, json!({"name": "Ada", "email": "ada@example.com"})).await;
        let again = owner.post(&list, json!({"name": "Eva", "email": "ADA@example.com"})).await;
        assert_eq!(again.expect_problem(409, "duplicate").json()["existing_id"], json!(first));
        owner.delete(&format!("{list}/{first}")).await.expect(200);
        let second = id_of(&owner, &list, json!({"name": "Eva", "email": "ada@example.com"})).await;
        let restore = owner.post(&format!("{list}/{first}/restore"), json!({})).await.expect_problem(409, "duplicate");
        assert_eq!(restore.json()["existing_id"], json!(second));
        owner.patch(&format!("{list}/{second}"), json!({"email": null})).await.expect(200);
        owner.post(&format!("{list}/{first}/restore"), json!({})).await.expect(200);
    }
}

#[tokio::test]
async fn an_opportunity_remembers_its_stages_and_how_long_it_was_there() {
    let (world, owner) = world().await;
    let customer = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    let body = json!({"customer_id": customer, "title": "ERP", "value": 0.1});
    let path = format!("/api/opportunities/{}", id_of(&owner, "/api/opportunities", body).await);
    world.clock.advance(Duration::from_secs(90));
    owner.post(&format!("{path}/stage"), json!({"stage": "proposal"})).await.expect(200);
    world.clock.advance(Duration::from_secs(30));
    let lost = owner.post(&format!("{path}/stage"), json!({"stage": "lost", "lost_reason": "too dear"})).await;
    let lost = lost.expect(200).data();
    let passages = lost["stage_history"].as_array().expect("a list");
    let told: Vec<_> = passages.iter().map(|one| (one["stage"].as_str(), one["seconds"].as_u64())).collect();
    assert_eq!(told, [(Some("lead"), Some(90)), (Some("proposal"), Some(30)), (Some("lost"), None)]);
    assert_eq!((&lost["status"], &lost["lost_reason"]), (&json!("lost"), &json!("too dear")));
    assert!(lost["closed_at"].is_string());
    let again = owner.put(&path, json!({"stage": "negotiation"})).await.expect(200).data();
    assert_eq!((&again["closed_at"], &again["lost_reason"]), (&Value::Null, &Value::Null));
    owner.put(&path, json!({"stage": "closed"})).await.expect(200);
    owner.put(&path, json!({"title": "ERP 2"})).await.expect(200);
    owner.delete(&path).await.expect(200);

    let about = |fact: &&daybook_store::SignedFact| path.ends_with(&fact.record.to_string());
    let journal = world.journal(owner.org).await;
    let mut facts: Vec<_> = journal.iter().filter(about).collect();
    facts.sort_by_key(|fact| fact.id);
    let events: Vec<_> = facts.iter().map(|fact| fact.event.name()).collect();
    let stage = "opportunity.stage_changed";
    let expected = ["opportunity.created", stage, stage, "opportunity.lost", stage, stage, "opportunity.won"];
    assert_eq!(events[..7], expected);
    assert_eq!(events[7..], ["opportunity.updated", "opportunity.deleted"]);
    // The details of both events have the previous stage.
    for (n, from, to) in [(1, "lead", "proposal"), (2, "proposal", "lost"), (3, "proposal", "lost")] {
        let detail = facts[n].detail(&world.system.env).await.expect("a read").expect("a detail");
        assert_eq!((&detail.before["stage"], &detail.after["stage"]), (&json!(from), &json!(to)));
    }
    owner.put(&path, json!({"customer_id": customer})).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn what_was_lost_and_is_won_after_all_is_closed_when_it_is_won() {
    let (world, owner) = world().await;
    let customer = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    let body = json!({"customer_id": customer, "title": "ERP", "stage": "lost"});
    let lost = made(&owner, "/api/opportunities", body).await;
    let path = format!("/api/opportunities/{}", lost["id"].as_str().expect("an id"));
    world.clock.advance(Duration::from_secs(60));
    let won = owner.put(&path, json!({"stage": "closed"})).await.expect(200).data();
    assert!(won["closed_at"].as_str() > lost["closed_at"].as_str(), "{won}");
    world.clock.advance(Duration::from_secs(60));
    let renamed = owner.put(&path, json!({"title": "B"})).await.expect(200).data();
    assert_eq!(renamed["closed_at"], won["closed_at"]);
}

#[tokio::test]
async fn what_belongs_to_something_that_is_gone_says_so() {
    let (_world, owner) = world().await;
    let missing = "cus_01jd2h6q8e5k9v4m3n7p1r0stw";
    let contact = json!({"name": "Eva", "customer_ids": [missing]});
    let problem = owner.post("/api/contacts", contact).await.expect_problem(422, "validation_error").json();
    assert_eq!(problem["errors"][0]["pointer"], "/customer_ids");
    let customer = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    let body = json!({"customer_id": customer, "title": "ERP"});
    let deal = format!("/api/opportunities/{}", id_of(&owner, "/api/opportunities", body).await);
    owner.delete(&deal).await.expect(200);
    owner.delete(&format!("/api/customers/{customer}")).await.expect(200);
    let problem = owner.post(&format!("{deal}/restore"), json!({})).await.expect_problem(409, "conflict").json();
    assert!(problem["detail"].as_str().expect("words").contains("restore that first"), "{problem}");
}

#[tokio::test]
async fn what_is_in_a_removed_stage_is_seen_until_it_is_moved() {
    let (world, owner) = world().await;
    let usual = listed(&owner, "/api/pipelines").await[0].clone();
    let path = format!("/api/pipelines/{}", usual["id"].as_str().expect("an id"));
    let customer = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    let deal = |title: &str| json!({"customer_id": customer, "title": title, "stage": "proposal"});
    let trashed = id_of(&owner, "/api/opportunities", deal("trashed")).await;
    owner.delete(&format!("/api/opportunities/{trashed}")).await.expect(200);

    // When the stage is removed, the index doesn't contain the newest opportunity yet.
    world.faults.indexes_lag_by(50);
    let newest = id_of(&owner, "/api/opportunities", deal("newest")).await;
    assert!(listed(&owner, "/api/opportunities?stage=proposal").await.is_empty());
    let mut stages = usual["stages"].as_array().expect("stages").clone();
    stages.retain(|stage| stage["key"] != "proposal");
    let left = owner.patch(&path, json!({"stages": stages})).await.expect(200).data();
    assert_eq!(
        (&left["retired"][0]["stage"], left["retired"].as_array().map(Vec::len)),
        (&usual["stages"][1], Some(1))
    );
    world.faults.indexes_lag_by(0);
    owner.post(&format!("/api/opportunities/{trashed}/restore"), json!({})).await.expect(200);

    let board = async || {
        let board = owner.get("/api/opportunities/board").await.expect(200).data();
        let told = |column: &Value| (column["stage"]["key"].clone(), column["count"].clone());
        board["columns"].as_array().expect("columns").iter().map(told).collect::<Vec<_>>()
    };
    let columns = board().await;
    assert_eq!((columns.len(), &columns[4]), (5, &(json!("proposal"), json!(2))));
    assert_eq!(listed(&owner, "/api/opportunities?sort=close_date").await.len(), 2);

    // No opportunity can enter the retired stage, and its key can't be used again.
    let entering = json!({"stage": "proposal"});
    let other = id_of(&owner, "/api/opportunities", json!({"customer_id": customer, "title": "other"})).await;
    let entered = owner.put(&format!("/api/opportunities/{other}"), entering).await;
    entered.expect_problem(422, "validation_error");
    owner.post("/api/pipelines", again_of(&usual)).await.expect_problem(409, "duplicate");
    // It can't be left out of `retired` yet, nor come back with another type.
    owner.patch(&path, json!({"retired": []})).await.expect_problem(409, "conflict");
    let mut other = usual["stages"].clone();
    other[1]["type"] = json!("won");
    owner.patch(&path, json!({"stages": other})).await.expect_problem(422, "validation_error");
    let made_up = json!({"retired": [{"stage": usual["stages"][0], "retired_at": "2026-11-20T00:00:00Z"}]});
    owner.patch(&path, made_up).await.expect_problem(422, "validation_error");
    // Updates of other fields leave the opportunity in the retired stage.
    let same = json!({"pipeline_id": usual["id"], "title": "the newest"});
    let changed = owner.patch(&format!("/api/opportunities/{newest}"), same).await.expect(200).data();
    assert_eq!((&changed["stage"], &changed["title"]), (&json!("proposal"), &json!("the newest")));
    for id in [&trashed, &newest] {
        owner.put(&format!("/api/opportunities/{id}"), json!({"stage": "lead"})).await.expect(200);
    }
    assert_eq!(board().await.len(), 4);
    // Reverting a move can't put it back into the retired stage.
    let moved = listed(&owner, "/api/audit-logs?limit=1").await[0].clone();
    let moved = format!("/api/audit-logs/{}/revert", moved["id"].as_str().expect("an id"));
    owner.post(&moved, json!({})).await.expect_problem(409, "conflict");
    // The stage can be restored unchanged.
    let whole = owner.patch(&path, json!({"stages": usual["stages"]})).await.expect(200).data();
    assert_eq!((&whole["stages"], &whole["retired"]), (&usual["stages"], &json!([])));

    // The removal of the stage can be reverted.
    owner.patch(&path, json!({"stages": stages})).await.expect(200);
    let entry = listed(&owner, "/api/audit-logs?limit=1").await[0].clone();
    owner
        .post(&format!("/api/audit-logs/{}/revert", entry["id"].as_str().expect("an id")), json!({}))
        .await
        .expect(200);
    let back = owner.get(&path).await.expect(200).data();
    assert_eq!((&back["stages"], &back["retired"]), (&usual["stages"], &json!([])));

    // After 30 days the trash holds no opportunity of that stage: it can be left out of `retired`, which frees its key.
    owner.patch(&path, json!({"stages": stages})).await.expect(200);
    owner.patch(&path, json!({"retired": []})).await.expect_problem(409, "conflict");
    world.clock.advance(daybook_domain::record::TRASH);
    let later = world.owner().await;
    let forgotten = later.patch(&path, json!({"retired": []})).await.expect(200).data();
    assert_eq!(forgotten["retired"], json!([]));
    made(&later, "/api/pipelines", again_of(&usual)).await;
}

fn again_of(usual: &Value) -> Value {
    json!({"name": "Again", "stages": [usual["stages"][1]]})
}

#[tokio::test]
async fn a_board_fits_an_answer() {
    let (_world, owner) = world().await;
    let customer = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    // 40 KB of text each, more than 4 MB in the first stage.
    let text = "😀".repeat(10_000);
    let deal = |stage: &str| json!({"customer_id": customer, "title": "A", "stage": stage, "description": text});
    for stage in std::iter::repeat_n("lead", 19).chain(["proposal"]) {
        let items = vec![json!({"action": "create", "data": deal(stage)}); 6];
        owner.post("/api/opportunities/batch", json!({"items": items})).await.expect(200);
    }
    let answer = owner.get("/api/opportunities/board?limit=200").await.expect(200);
    assert!(answer.text.len() < 6_000_000, "{} bytes", answer.text.len());
    let columns = answer.data()["columns"].clone();
    let shown = |at: usize| columns[at]["opportunities"].as_array().map_or(0, Vec::len);
    assert!((50..114).contains(&shown(0)), "{} of the first stage", shown(0));
    assert!((1..6).contains(&shown(1)), "{} of the second stage", shown(1));
    assert_eq!((&columns[0]["count"], &columns[1]["count"]), (&json!(114), &json!(6)));
    let cursor = columns[1]["next_cursor"].as_str().expect("a cursor");
    let rest = listed(&owner, &format!("/api/opportunities?stage=proposal&cursor={cursor}")).await;
    assert_eq!(rest.len(), 6 - shown(1));
}

#[tokio::test]
async fn pipelines_are_an_organisation_s_own() {
    let (world, owner) = world().await;
    let usual = listed(&owner, "/api/pipelines").await;
    assert_eq!((usual.len(), &usual[0]["version"]), (1, &json!(0)));
    let usual = format!("/api/pipelines/{}", usual[0]["id"].as_str().expect("an id"));
    let stage = |key: &str, kind: &str, probability: u8| json!({"key": key, "name": key, "type": kind, "probability": probability});
    let taken = json!({"name": "Partners", "stages": [stage("lead", "open", 5)]});
    owner.post("/api/pipelines", taken).await.expect_problem(409, "duplicate");
    let stages = json!([stage("p_new", "open", 5), stage("p_won", "won", 100)]);
    let partners = made(&owner, "/api/pipelines", json!({"name": "Partners", "stages": stages})).await;
    let first = owner.get("/api/pipelines?limit=1").await.expect(200).json();
    let cursor = first["meta"]["next_cursor"].as_str().expect("a cursor");
    let second = listed(&owner, &format!("/api/pipelines?limit=1&cursor={cursor}")).await;
    assert_eq!((second.len(), &second[0]["id"]), (1, &partners["id"]));
    assert_eq!(owner.get("/api/pipelines").await.expect(200).json()["meta"]["next_cursor"], Value::Null);
    let partners_path = format!("/api/pipelines/{}", partners["id"].as_str().expect("an id"));

    let customer = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    let body = json!({"customer_id": customer, "title": "ERP", "pipeline_id": partners["id"]});
    let deal = made(&owner, "/api/opportunities", body).await;
    assert_eq!((&deal["stage"], &deal["probability"]), (&json!("p_new"), &json!(5)));
    let path = format!("/api/opportunities/{}", deal["id"].as_str().expect("an id"));
    owner.delete(&partners_path).await.expect_problem(409, "conflict");
    owner.patch(&partners_path, json!({"stages": [stage("p_other", "open", 9)]})).await.expect_problem(409, "conflict");
    let turned = json!({"stages": [stage("p_new", "open", 5), stage("p_won", "lost", 0)]});
    owner.patch(&partners_path, turned).await.expect_problem(422, "validation_error");
    // The key of a stage determines the pipeline.
    let moved = owner.put(&path, json!({"stage": "p_won"})).await.expect(200).data();
    assert_eq!((&moved["status"], &moved["pipeline_id"]), (&json!("won"), &partners["id"]));
    let moved = owner.put(&path, json!({"stage": "proposal"})).await.expect(200).data();
    assert!(usual.ends_with(moved["pipeline_id"].as_str().expect("an id")));
    owner.delete(&partners_path).await.expect(200);
    owner.put(&path, json!({"stage": "p_won"})).await.expect_problem(422, "validation_error");
    let retired = json!([{"stage": stage("q", "open", 1), "retired_at": "2026-11-20T00:00:00Z"}]);
    let body = json!({"name": "P", "stages": [stage("p", "open", 1)], "retired": retired});
    owner.post("/api/pipelines", body).await.expect_problem(422, "validation_error");
    // An update that read the pipeline just before it was deleted fails at the commit.
    let told: Opportunity = serde_json::from_value(owner.get(&path).await.expect(200).data()).expect("an opportunity");
    let cx = world.cx(owner.org);
    let late = Opportunity {
        id: OpportunityId::new(cx.stamp().id),
        pipeline_id: serde_json::from_value(partners["id"].clone()).expect("an id"),
        ..told.clone()
    };
    let refused = cx.commit(Tx::create(&late), ()).await.expect_err("no such pipeline").to_string();
    assert!(refused.contains("/pipeline_id"), "{refused}");
    let usual_one = Opportunity { id: late.id, ..told };
    cx.next_step().commit(Tx::create(&usual_one), ()).await.expect("the default pipeline isn't stored yet");
    let usual_one = cx.get::<Opportunity>(usual_one.id).await.expect("the opportunity");
    cx.next_step().commit(Tx::delete(&usual_one), ()).await.expect("a commit");

    let mut stages = owner.get(&usual).await.expect(200).data()["stages"].clone();
    stages[1]["probability"] = json!(55);
    assert_eq!(owner.put(&usual, json!({"stages": stages})).await.expect(200).data()["version"], json!(1));
    let next =
        made(&owner, "/api/opportunities", json!({"customer_id": customer, "title": "B", "stage": "proposal"})).await;
    assert_eq!(next["probability"], json!(55));
    owner.put(&usual, json!({"stages": []})).await.expect_problem(422, "validation_error");
    owner.delete(&usual).await.expect_problem(409, "conflict");
    let board = owner.get("/api/opportunities/board").await.expect(200).data();
    let counts: Vec<_> = board["columns"].as_array().expect("columns").iter().map(|one| one["count"].clone()).collect();
    assert_eq!(counts, [0, 2, 0, 0, 0]);
    assert_eq!(board["columns"][1]["opportunities"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_task_is_done_when_it_is_done() {
    let (_world, owner) = world().await;
    let body = json!({
        "title": "Call Ada", "priority": "high", "due_date": "2026-12-24 18:00", "timezone": "Europe/Berlin",
        "reminders": [{"offset_minutes": 30}, {"at": "2026-12-24T08:00:00", "channel": "in_app"}],
        "checklist": [{"text": "Number"}, {"text": "Time", "done": true}],
    });
    let task = made(&owner, "/api/tasks", body).await;
    assert_eq!((&task["status"], &task["progress"]), (&json!("todo"), &json!(0)));
    assert_eq!(task["due_date"], json!("2026-12-24T17:00:00.000Z"));
    assert_eq!(task["reminders"][1]["at"], json!("2026-12-24T07:00:00.000Z"));
    assert_eq!(task["assignee_id"], json!(owner.user));
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    owner.patch(&path, json!({"progress": 40, "status": "in_progress"})).await.expect(200);
    let done = owner.post(&format!("{path}/complete"), json!({})).await.expect(200).data();
    assert_eq!((&done["status"], &done["progress"]), (&json!("done"), &json!(100)));
    assert_eq!(owner.post(&format!("{path}/complete"), json!({})).await.expect(200).data(), done);
    let open = owner.patch(&path, json!({"status": "todo"})).await.expect(200).data();
    assert_eq!((&open["completed_at"], &open["progress"]), (&Value::Null, &json!(0)));
    let day = owner.patch(&path, json!({"due_date": "2026-12-24"})).await.expect(200).data();
    assert_eq!(day["due_date"], json!("2026-12-24T15:59:59.000Z"), "a day ends when it ends in Shanghai");

    let nobody_s = made(&owner, "/api/tasks", json!({"title": "x", "assignee_id": null})).await;
    assert_eq!(nobody_s["assignee_id"], Value::Null);
    // The answer lists all violations at once.
    let wrong = json!({"title": "x", "due_date": "soon", "priority": "most", "progress": 200, "timezone": "Mars"});
    let problem = owner.post("/api/tasks", wrong).await.expect_problem(422, "validation_error").json();
    let fields: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(|one| one["field"].clone()).collect();
    for field in ["due_date", "priority", "progress", "timezone"] {
        assert!(fields.contains(&json!(field)), "{field} among {fields:?}");
    }
    for (body, field) in [
        (json!({"title": "x", "due_date": "soon"}), "due_date"),
        (json!({"title": "x", "reminders": [{"offset_minutes": 5}]}), "due_date"),
        (json!({"title": "x", "reminders": [{}]}), "reminders/0"),
        (json!({"title": "x", "timezone": "Mars", "due_date": "2026-12-24"}), "timezone"),
        (
            json!({"title": "x", "related_to": {"type": "customer", "id": "opp_01jd2h6q8e5k9v4m3n7p1r0stw"}}),
            "related_to/id",
        ),
        (
            json!({"title": "x", "related_to": {"type": "lead", "id": "lead_01jd2h6q8e5k9v4m3n7p1r0stw"}}),
            "related_to/id",
        ),
        (json!({"title": "x", "start_date": "2026-12-25", "due_date": "2026-12-24"}), "start_date"),
        (json!({"title": "x", "progress": 120}), "progress"),
    ] {
        let problem = owner.post("/api/tasks", body.clone()).await.expect_problem(422, "validation_error").json();
        assert_eq!(problem["errors"][0]["field"], json!(field), "{body}");
    }
}

#[tokio::test]
async fn what_a_change_of_a_task_or_an_opportunity_means_is_told_beside_it() {
    let (world, owner) = world().await;
    let sales = world.person(Role::Sales).await;
    let customer = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    let events = async |id: &str| {
        let mut facts = world.journal(owner.org).await;
        facts.sort_by_key(|fact| fact.id);
        let about = facts.iter().filter(|fact| fact.record.to_string() == id);
        about.map(|fact| fact.event.name()).collect::<Vec<_>>()
    };
    let done = id_of(&owner, "/api/tasks", json!({"title": "A", "status": "done"})).await;
    assert_eq!(events(&done).await, ["task.created", "task.completed"]);
    let task = id_of(&owner, "/api/tasks", json!({"title": "B"})).await;
    let path = format!("/api/tasks/{task}");
    owner.patch(&path, json!({"assignee_id": sales.user, "status": "done"})).await.expect(200);
    owner.patch(&path, json!({"status": "todo"})).await.expect(200);
    owner.post(&format!("{path}/complete"), json!({})).await.expect(200);
    let completed = ["task.updated", "task.completed"];
    assert_eq!(events(&task).await[..3], ["task.created", "task.assigned", "task.completed"]);
    assert_eq!(events(&task).await[3..], ["task.updated", completed[0], completed[1]]);
    for (stage, event) in [("closed", "opportunity.won"), ("lost", "opportunity.lost")] {
        let body = json!({"customer_id": customer, "title": "A", "stage": stage});
        let deal = id_of(&owner, "/api/opportunities", body).await;
        assert_eq!(events(&deal).await, ["opportunity.created", event]);
    }
    // Reverting either entry reverts both, and the timeline shows both.
    let timeline = listed(&owner, &format!("{path}/timeline")).await;
    assert_eq!(
        (&timeline[0]["change"]["event"], &timeline[1]["change"]["event"]),
        (&json!(completed[1]), &json!(completed[0]))
    );
    for event in completed {
        let last = listed(&owner, &format!("/api/audit-logs?event={event}&limit=1")).await[0].clone();
        let last = format!("/api/audit-logs/{}/revert", last["id"].as_str().expect("an id"));
        owner.post(&last, json!({})).await.expect(200);
        assert_eq!(owner.get(&path).await.expect(200).data()["status"], json!("todo"), "{event}");
        owner.post(&format!("{path}/complete"), json!({})).await.expect(200);
    }
}

#[tokio::test]
async fn a_batch_tells_of_each_change_and_repeats_as_a_whole() {
    let (world, owner) = world().await;
    let first = id_of(&owner, "/api/customers", json!({"name": "A", "email": "a@example.com"})).await;
    let items = json!({"items": [
        {"action": "create", "data": {"name": "B", "email": "b@example.com"}},
        {"action": "create", "data": {"name": "C", "email": "A@example.com"}},
        {"action": "update", "id": first, "data": {"status": "churned"}},
        {"action": "update", "id": first, "data": {"colour": "red"}},
        {"action": "update", "id": first, "version": 1, "data": {"name": "Z"}},
        {"action": "delete", "id": first},
        {"action": "restore", "id": first},
        {"action": "delete", "id": "cus_01jd2h6q8e5k9v4m3n7p1r0stw"},
        {"action": "update", "data": {"name": "x"}},
    ]});
    let answer = owner.post("/api/customers/batch", items.clone()).key("batch-1").await.expect(200).json();
    let results = answer["data"].as_array().expect("results");
    let statuses: Vec<_> = results.iter().map(|one| one["status"].as_u64().expect("a status")).collect();
    assert_eq!(statuses, [201, 409, 200, 422, 412, 200, 200, 404, 422]);
    assert_eq!(results[1]["error"]["existing_id"], json!(first));
    assert_eq!(answer["meta"], json!({"succeeded": 4, "failed": 5}));
    let entries = world.journal(owner.org).await.len();
    let again = owner.post("/api/customers/batch", items).key("batch-1").await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json()["data"][0]["data"]["id"], results[0]["data"]["id"]);
    assert_eq!(world.journal(owner.org).await.len(), entries);
    let other = json!({"items": [{"action": "create", "data": {"name": "Q"}}]});
    owner.post("/api/customers/batch", other).key("batch-1").await.expect_problem(422, "idempotency_key_reused");
    // The second part of the first batch was refused and has no record, but its idempotency key is taken nevertheless.
    let late =
        json!({"items": [{"action": "create", "data": {"name": ""}}, {"action": "create", "data": {"name": "R"}}]});
    owner.post("/api/customers/batch", late).key("batch-2").await.expect(200);
    let other =
        json!({"items": [{"action": "create", "data": {"name": "S"}}, {"action": "create", "data": {"name": "T"}}]});
    owner.post("/api/customers/batch", other).key("batch-2").await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(told(&owner, "/api/customers?sort=created_at", "name").await, ["A", "B", "R"]);
    owner.post("/api/customers/batch", json!({"items": []})).await.expect_problem(422, "validation_error");
    let many = vec![json!({"action": "create", "data": {"name": "x"}}); 101];
    owner.post("/api/customers/batch", json!({"items": many})).await.expect_problem(422, "validation_error");
}

#[tokio::test]
async fn an_atomic_batch_happens_as_a_whole_or_not_at_all() {
    let (world, owner) = world().await;
    let create = |name: &str, email: &str| json!({"action": "create", "data": {"name": name, "email": email}});
    let path = "/api/customers/batch?atomic=true";
    let entries = world.journal(owner.org).await.len();
    let twice = json!({"items": [create("A", "a@example.com"), create("B", "a@example.com")]});
    let answer = owner.post(path, twice).await;
    assert!([409, 422].contains(&answer.status.as_u16()), "{}", answer.text);
    let bad = json!({"items": [create("A", "a@example.com"), create("", "b@example.com")]});
    let problem = owner.post(path, bad).await.expect_problem(422, "validation_error").json();
    assert_eq!(problem["errors"][0]["pointer"], json!("/items/1/data/name"));
    let many: Vec<_> = (0..30).map(|n| create(&format!("N{n}"), &format!("n{n}@example.com"))).collect();
    let problem = owner.post(path, json!({"items": many})).await.expect_problem(422, "validation_error").json();
    let detail = problem["detail"].as_str().expect("words");
    let numbers: Vec<usize> =
        detail.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    assert!(numbers.contains(&100) && numbers.iter().any(|number| *number > 100), "{problem}");
    assert_eq!(world.journal(owner.org).await.len(), entries);
    let good = json!({"items": [create("A", "a@example.com"), create("B", "b@example.com")]});
    let done = owner.post(path, good.clone()).key("k").await.expect(200).json();
    assert_eq!(done["data"][1]["data"]["name"], json!("B"));
    assert_eq!(owner.post(path, good).key("k").await.expect(200).json(), done);
    assert_eq!(listed(&owner, "/api/customers").await.len(), 2);
    let first = &done["data"][0]["data"]["id"];
    let same = json!({"items": [{"action": "update", "id": first, "data": {"name": "A"}}]});
    assert_eq!(owner.post(path, same).await.expect(200).json()["data"][0]["data"]["version"], json!(1));
    // An address can move from one record to another within a batch.
    let swap = json!({"items": [
        {"action": "update", "id": first, "data": {"email": "c@example.com"}}, create("D", "a@example.com"),
    ]});
    owner.post(path, swap).await.expect(200);
    owner.post("/api/customers", json!({"name": "E", "email": "a@example.com"})).await.expect_problem(409, "duplicate");
}

#[tokio::test]
async fn parts_of_a_batch_take_their_own_permission() {
    let (world, owner) = world().await;
    let sales = world.person(Role::Sales).await;
    let theirs = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    let items = json!({"items": [
        {"action": "create", "data": {"name": "B"}},
        {"action": "update", "id": theirs, "data": {"name": "C"}},
        {"action": "delete", "id": theirs},
    ]});
    let answer = sales.post("/api/customers/batch", items.clone()).await.expect(200).json();
    let statuses: Vec<_> =
        answer["data"].as_array().expect("results").iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [201, 404, 403]);
    sales.post("/api/customers/batch?atomic=true", items).await.expect_problem(404, "not_found");
    let viewer = world.person(Role::Viewer).await;
    viewer
        .post("/api/customers/batch", json!({"items": [{"action": "create"}]}))
        .await
        .expect_problem(403, "forbidden");
}

#[tokio::test]
async fn a_timeline_shows_what_belongs_to_a_customer_and_what_became_of_it() {
    let (world, owner) = world().await;
    let customer = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    let tick = async |path: &str, body: Value| {
        world.clock.advance(Duration::from_secs(1));
        id_of(&owner, path, body).await
    };
    tick("/api/contacts", json!({"name": "Eva", "customer_id": customer})).await;
    tick("/api/interactions", json!({"customer_id": customer, "interaction_type": "call"})).await;
    let deal = tick("/api/opportunities", json!({"customer_id": customer, "title": "ERP"})).await;
    tick("/api/tasks", json!({"title": "Call", "related_to": {"type": "opportunity", "id": deal}})).await;
    world.clock.advance(Duration::from_secs(1));
    owner.patch(&format!("/api/customers/{customer}"), json!({"status": "churned"})).await.expect(200);
    let path = format!("/api/customers/{customer}/timeline");
    assert_eq!(
        told(&owner, &path, "type").await,
        ["change", "task", "opportunity", "interaction", "contact", "change"]
    );
    let page = owner.get(&format!("{path}?limit=4")).await.expect(200).json();
    let next = page["meta"]["next_cursor"].as_str().expect("a cursor");
    assert_eq!(told(&owner, &format!("{path}?limit=4&cursor={next}"), "type").await, ["contact", "change"]);
    assert_eq!(told(&owner, &format!("/api/opportunities/{deal}/timeline"), "type").await, ["task", "change"]);
}

#[tokio::test]
async fn a_batch_is_undone_as_one() {
    let (world, owner) = world().await;
    let items = vec![json!({"action": "create", "data": {"name": "A"}}); 5];
    let answer = owner.post("/api/customers/batch", json!({"items": items})).await.expect(200);
    let request = answer.header("x-request-id").to_owned();
    world.clock.advance(Duration::from_secs(1));
    owner.post("/api/audit-logs/revert", json!({"request_id": request})).await.expect(200);
    assert_eq!(listed(&owner, "/api/customers").await.len(), 0);
}
