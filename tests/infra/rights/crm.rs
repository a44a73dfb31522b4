//! The CRM part of the least-privilege test: calls all CRM routes and runs the resulting jobs and alarms.

use super::{Seen, made};
use axum::http::Method;
use daybook_domain::permission::Role;
use daybook_local::DEFAULT_ORG;
use daybook_testing::{Person, lead};
use serde_json::{Value, json};
use std::time::Duration;

/// Calls the routes of customers and all records that belong to them, as an owner and as a user with the scope `team`;
/// then runs the resulting jobs and alarms.
pub async fn crm(seen: &mut Seen) {
    let (owner, manager) = (seen.world.owner().await, seen.world.person(Role::Manager).await);
    made(seen, &owner, "/api/teams", json!({"name": "West", "member_ids": [manager.user]})).await;
    for who in [&owner, &manager] {
        records(seen, who).await;
    }
    lists(seen, &owner, "customers", &["with_total=true"]).await;
    groups_and_pipelines(seen, &owner).await;
    conversion(seen, &owner).await;
    undone(seen, &owner, &manager).await;
    large_family(seen, &owner).await;
    reminders(seen, &owner).await;
}

/// A customer with records of every type, each created, listed, changed, deleted and restored.
async fn records(seen: &mut Seen, who: &Person) {
    let (get, post) = (Method::GET, Method::POST);
    let none = Value::Null;
    let me = who.user.expect("a user");
    let customer = made(seen, who, "/api/customers", json!({"name": "ABC"})).await;
    let customer_id = id_of(&customer);
    let person = json!({"first_name": "Ada", "email": format!("{me}@example.com"), "customer_id": customer_id});
    let contact = made(seen, who, "/api/contacts", person).await;
    let deal = json!({"customer_id": customer_id, "title": "ERP", "value": 1000, "stage": "proposal"});
    let opportunity = made(seen, who, "/api/opportunities", deal.clone()).await;
    let call = json!({
        "customer_id": customer_id, "interaction_type": "call", "notes": "x",
        "contact_id": id_of(&contact), "opportunity_id": id_of(&opportunity)
    });
    let interaction = made(seen, who, "/api/interactions", call.clone()).await;
    let about = json!({"title": "Write", "related_to": {"type": "opportunity", "id": id_of(&opportunity)}});
    let task = made(seen, who, "/api/tasks", about.clone()).await;
    let active = json!({"name": "Active", "resource": "customers", "query": "status=active"});
    let view = made(seen, who, "/api/views", active).await;

    let (mine, of_customer) = (format!("owner_id={me}"), format!("customer_id={customer_id}"));
    let shown = format!("view_id={}", id_of(&view));
    lists(seen, who, "customers", &["", "status=active", "search=abc", &mine, &shown]).await;
    lists(seen, who, "contacts", &["", "search=ada", &mine, &of_customer]).await;
    lists(seen, who, "interactions", &["", "interaction_type=call", &mine, &of_customer]).await;
    lists(seen, who, "opportunities", &["", "stage=proposal", "search=erp", &mine, &of_customer]).await;
    lists(seen, who, "opportunities", &["sort=close_date"]).await;
    let assigned = format!("assignee_id={me}");
    lists(seen, who, "tasks", &["", "status=todo", "search=write", "sort=due_date", &assigned, &of_customer]).await;
    lists(seen, who, "views", &["", "resource=customers", &mine]).await;
    seen.ask(who, get.clone(), "/api/opportunities/board", none.clone(), 200).await;
    seen.ask(who, post.clone(), &format!("{opportunity}/stage"), json!({"stage": "closed"}), 200).await;
    seen.ask(who, post.clone(), &format!("{task}/complete"), none.clone(), 200).await;
    for path in [&customer, &contact, &interaction, &opportunity, &task] {
        seen.ask(who, get.clone(), &format!("{path}/timeline"), none.clone(), 200).await;
    }
    // Parents come after their children.
    for (path, change) in [
        (&view, json!({"name": "Buyers"})),
        (&task, json!({"title": "Call"})),
        (&interaction, json!({"notes": "y"})),
        (&opportunity, json!({"title": "CRM"})),
        (&contact, json!({"last_name": "Lovelace"})),
        (&customer, json!({"name": "XYZ"})),
    ] {
        changed_removed_and_restored(seen, who, path, change).await;
    }
    batches(seen, who, "/api/customers", json!({"name": "DEF"}), json!({"status": "prospect"})).await;
    batches(seen, who, "/api/contacts", json!({"first_name": "Bob"}), json!({"department": "Sales"})).await;
    batches(seen, who, "/api/interactions", call, json!({"notes": "z"})).await;
    batches(seen, who, "/api/opportunities", deal, json!({"stage": "lost"})).await;
    batches(seen, who, "/api/tasks", about, json!({"status": "done"})).await;
}

/// Lists records by each of these queries.
async fn lists(seen: &mut Seen, who: &Person, kind: &str, queries: &[&str]) {
    for query in queries {
        seen.ask(who, Method::GET, &format!("/api/{kind}?{query}"), Value::Null, 200).await;
    }
}

async fn changed_removed_and_restored(seen: &mut Seen, who: &Person, path: &str, change: Value) {
    seen.ask(who, Method::GET, path, Value::Null, 200).await;
    for method in [Method::PUT, Method::PATCH] {
        seen.ask(who, method, path, change.clone(), 200).await;
    }
    seen.ask(who, Method::DELETE, path, Value::Null, 200).await;
    seen.ask(who, Method::POST, &format!("{path}/restore"), Value::Null, 200).await;
}

/// Every action of a batch, each by itself and all at once.
async fn batches(seen: &mut Seen, who: &Person, list: &str, new: Value, change: Value) {
    let path = format!("{list}/batch");
    let create = json!({"action": "create", "data": new});
    let (one, other) = (batch(seen, who, &path, &create).await, batch(seen, who, &path, &create).await);
    for step in [
        json!({"action": "update", "id": one, "data": change}),
        json!({"action": "delete", "id": one}),
        json!({"action": "restore", "id": one}),
    ] {
        batch(seen, who, &path, &step).await;
    }
    let whole = format!("{path}?atomic=true");
    let items = json!([create, {"action": "update", "id": other, "data": change}, {"action": "delete", "id": one}]);
    seen.ask(who, Method::POST, &whole, json!({"items": items}), 200).await;
    let items = json!([{"action": "restore", "id": one}]);
    seen.ask(who, Method::POST, &whole, json!({"items": items}), 200).await;
}

/// Sends a batch of one action, which must succeed, and returns the id of its record.
async fn batch(seen: &mut Seen, who: &Person, path: &str, item: &Value) -> Value {
    let answer = seen.ask(who, Method::POST, path, json!({"items": [item]}), 200).await;
    assert_eq!(answer["meta"]["failed"], 0, "{answer}");
    answer["data"][0]["data"]["id"].clone()
}

/// Calls the routes of groups and pipelines.
async fn groups_and_pipelines(seen: &mut Seen, owner: &Person) {
    let group = made(seen, owner, "/api/groups", json!({"name": "Partners"})).await;
    let member = json!({"first_name": "Eva", "group_ids": [id_of(&group)]});
    made(seen, owner, "/api/contacts", member).await;
    lists(seen, owner, "contacts", &[&format!("group_id={}", id_of(&group))]).await;
    lists(seen, owner, "groups", &[""]).await;
    changed_removed_and_restored(seen, owner, &group, json!({"name": "Friends"})).await;

    let stages = |key: &str| json!([{"key": key, "name": "New", "type": "open", "probability": 10}]);
    let pipeline = json!({"name": "Renewals", "stages": stages("new_a")});
    let pipeline = made(seen, owner, "/api/pipelines", pipeline).await;
    lists(seen, owner, "pipelines", &[""]).await;
    changed_removed_and_restored(seen, owner, &pipeline, json!({"stages": stages("new_b")})).await;
    let customer = made(seen, owner, "/api/customers", json!({"name": "GHI"})).await;
    let deal = json!({"customer_id": id_of(&customer), "title": "Renewal", "stage": "new_b"});
    made(seen, owner, "/api/opportunities", deal).await;
    let board = format!("/api/opportunities/board?pipeline_id={}", id_of(&pipeline));
    seen.ask(owner, Method::GET, &board, Value::Null, 200).await;
}

/// Converts leads into new customers and into an existing one.
async fn conversion(seen: &mut Seen, owner: &Person) {
    let first = made(seen, owner, "/api/leads", lead("six@example.com")).await;
    let converted = seen.ask(owner, Method::POST, &format!("{first}/convert"), json!({}), 201).await;
    let second = made(seen, owner, "/api/leads", lead("seven@example.com")).await;
    let there = json!({"customer_id": converted["data"]["customer"]["id"]});
    seen.ask(owner, Method::POST, &format!("{second}/convert"), there, 201).await;
}

/// Assigns a customer to another owner, and reverts that.
async fn undone(seen: &mut Seen, owner: &Person, other: &Person) {
    let customer = made(seen, owner, "/api/customers", json!({"name": "MNO"})).await;
    seen.ask(owner, Method::PATCH, &customer, json!({"owner_id": other.user}), 200).await;
    let log = seen.ask(owner, Method::GET, "/api/audit-logs?limit=1", Value::Null, 200).await;
    let entry = log["data"][0]["id"].as_str().expect("an entry");
    seen.ask(owner, Method::POST, &format!("/api/audit-logs/{entry}/revert"), Value::Null, 200).await;
}

/// A customer with too many children for one transaction: jobs finish the cascade delete and the cascade restore.
async fn large_family(seen: &mut Seen, owner: &Person) {
    let customer = made(seen, owner, "/api/customers", json!({"name": "JKL"})).await;
    let call = json!({"action": "create", "data": {"customer_id": id_of(&customer), "interaction_type": "call"}});
    seen.ask(owner, Method::POST, "/api/interactions/batch", json!({"items": vec![call; 30]}), 200).await;
    seen.ask(owner, Method::DELETE, &customer, Value::Null, 202).await;
    last_job(seen).await;
    seen.ask(owner, Method::POST, &format!("{customer}/restore"), Value::Null, 202).await;
    last_job(seen).await;
    let calls = format!("/api/interactions?customer_id={}", id_of(&customer));
    let calls = seen.ask(owner, Method::GET, &calls, Value::Null, 200).await;
    assert_eq!(calls["meta"]["count"], 30, "{calls}");
}

/// Runs the job that was requested last.
async fn last_job(seen: &mut Seen) {
    let facts = seen.world.journal(DEFAULT_ORG).await;
    let last = seen.wanted(&facts, "run-jobs").pop();
    seen.work("run-jobs", vec![last.expect("a job")]).await;
}

/// A task's alarms: delivered too early, so that they are delayed, and when due; and the mails about the task.
async fn reminders(seen: &mut Seen, owner: &Person) {
    let due = seen.world.clock.now().plus(Duration::from_secs(3600));
    let task = json!({"title": "Call", "due_date": due, "reminders": [{"offset_minutes": 10}]});
    made(seen, owner, "/api/tasks", task).await;
    for _ in 0..2 {
        let alarms: Vec<String> = seen.due().await.into_iter().filter(|message| message.contains("tsk_")).collect();
        assert_eq!(alarms.len(), 2, "{alarms:?}");
        seen.work("remind", alarms).await;
        seen.world.clock.advance(Duration::from_secs(7200));
    }
    let mut facts = seen.world.journal(DEFAULT_ORG).await;
    facts.retain(|fact| fact.event.name().starts_with("task."));
    let mails = seen.wanted(&facts, "send-mail");
    assert!(!mails.is_empty(), "no mail about a task");
    seen.work("send-mail", mails).await;
}

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().expect("an id")
}
