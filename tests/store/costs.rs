//! Cost tests: calls and capacity units of common operations, compared with the table in the README.

use daybook_store::{Meter, Units};
use daybook_testing::llm::{FakeLlm, Script};
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Price in US dollars per million units on demand (us-east-1, since 2024-11).
const DOLLARS_PER_MILLION_WRITES: f64 = 0.625;
const DOLLARS_PER_MILLION_READS: f64 = 0.125;

async fn measured(meter: &Meter, call: daybook_testing::Call, status: u16) -> (Units, String) {
    meter.take();
    let answer = call.await.expect(status);
    (meter.take(), answer.text)
}

async fn table() -> String {
    let meter = Arc::new(Meter::default());
    let ai = FakeLlm::start().await;
    let options = WorldOptions { meter: Some(meter.clone()), ai: Some(ai.clone()), ..WorldOptions::default() };
    let world = World::with(options).await;
    let (visitor, owner): (Person, Person) = (world.visitor(), world.owner().await);
    let mut rows: Vec<(&str, Units)> = Vec::new();
    let (create, text) = measured(&meter, visitor.post("/api/leads", lead("ada@example.com")), 201).await;
    rows.push(("Create a lead (anonymous form)", create));
    let id = serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["data"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/api/leads/{id}");
    let mut again = lead("ada@example.com");
    again["requirements"] = json!("Another engine");
    rows.push(("Repeat of a known address", measured(&meter, visitor.post("/api/leads", again), 201).await.0));
    rows.push(("Read a lead", measured(&meter, owner.get(&path), 200).await.0));
    for n in 0..19 {
        visitor.post("/api/leads", lead(&format!("lead{n}@example.com"))).await.expect(201);
    }
    rows.push(("List 20 leads", measured(&meter, owner.get("/api/leads?limit=20"), 200).await.0));
    rows.push(("Update a status", measured(&meter, owner.patch(&path, json!({"status": "contacted"})), 200).await.0));
    rows.push(("Update a name", measured(&meter, owner.patch(&path, json!({"last_name": "King"})), 200).await.0));
    rows.push(("Delete a lead", measured(&meter, owner.delete(&path), 200).await.0));
    rows.push(("Restore a lead", measured(&meter, owner.post(&format!("{path}/restore"), json!({})), 200).await.0));
    rows.extend(crm(&meter, &owner).await);
    rows.extend(chat(&meter, &owner, &ai).await);

    let mut text = String::from(
        "| operation | calls | items written | write units | read units | US$ per million |\n|---|--:|--:|--:|--:|--:|\n",
    );
    for (name, units) in rows {
        let dollars = units.write * DOLLARS_PER_MILLION_WRITES + units.read * DOLLARS_PER_MILLION_READS;
        let Units { calls, items, read, write } = units;
        let _ = writeln!(text, "| {name} | {calls} | {items} | {write} | {read} | {dollars:.2} |");
    }
    text
}

/// The costs of the CRM's operations.
async fn crm(meter: &Meter, owner: &Person) -> Vec<(&'static str, Units)> {
    let id = |text: &str| {
        let told: serde_json::Value = serde_json::from_str(text).expect("JSON");
        told["data"]["id"].as_str().expect("an id").to_owned()
    };
    let mut rows = Vec::new();
    let body = json!({"name": "张三", "company": "ABC科技", "email": "zhangsan@abc.com"});
    let (units, text) = measured(meter, owner.post("/api/customers", body), 201).await;
    rows.push(("Create a customer", units));
    let customer = id(&text);
    let path = format!("/api/customers/{customer}");
    let call = json!({"customer_id": customer, "interaction_type": "call", "notes": "初次沟通"});
    rows.push(("Create an interaction", measured(meter, owner.post("/api/interactions", call.clone()), 201).await.0));
    let deal = json!({"customer_id": customer, "title": "ERP系统", "value": 500000});
    let (units, text) = measured(meter, owner.post("/api/opportunities", deal), 201).await;
    rows.push(("Create an opportunity", units));
    let deal = id(&text);
    let stage = |to: &str| owner.post(&format!("/api/opportunities/{deal}/stage"), json!({"stage": to}));
    rows.push(("Move it to another stage", measured(meter, stage("proposal"), 200).await.0));
    rows.push(("Win it", measured(meter, stage("closed"), 200).await.0));
    let task = json!({"title": "Call", "due_date": "2026-12-24", "reminders": [{"offset_minutes": 10}]});
    let (units, text) = measured(meter, owner.post("/api/tasks", task), 201).await;
    rows.push(("Create a task with a reminder", units));
    let complete = owner.post(&format!("/api/tasks/{}/complete", id(&text)), json!({}));
    rows.push(("Complete it", measured(meter, complete, 200).await.0));
    let contact = json!({"name": "Eva", "email": "eva@abc.com", "customer_id": customer});
    let (units, text) = measured(meter, owner.post("/api/contacts", contact), 201).await;
    rows.push(("Create a contact of a customer", units));
    let contact = format!("/api/contacts/{}", id(&text));
    let title = owner.patch(&contact, json!({"job_title": "Countess"}));
    rows.push(("Update a contact's position", measured(meter, title, 200).await.0));
    let create = json!({"action": "create", "data": {"customer_id": customer, "interaction_type": "call"}});
    let batch = owner.post("/api/interactions/batch?atomic=true", json!({"items": vec![create; 10]}));
    rows.push(("Create 10 interactions at once (atomic)", measured(meter, batch, 200).await.0));
    for n in 0..19 {
        owner.post("/api/customers", json!({"name": format!("Customer {n}")})).await.expect(201);
        owner.post("/api/interactions", call.clone()).await.expect(201);
        let deal = json!({"customer_id": customer, "title": "ERP", "close_date": "2027-01-01"});
        owner.post("/api/opportunities", deal).await.expect(201);
        owner.post("/api/tasks", json!({"title": "Call", "due_date": "2026-12-24"})).await.expect(201);
        owner.post("/api/contacts", json!({"name": "Eva", "customer_id": customer})).await.expect(201);
    }
    let view = json!({"name": "Active", "resource": "customers", "query": "status=active&limit=20"});
    let view = owner.post("/api/views", view).await.expect(201).id();
    for (what, query) in [
        ("Read a customer", path.clone()),
        ("List 20 customers", "/api/customers?limit=20".to_owned()),
        ("List 20 customers in a state", "/api/customers?limit=20&status=active".to_owned()),
        ("The same by a view", format!("/api/customers?view_id={view}")),
        ("Search customers, 1 hit", "/api/customers?search=张三".to_owned()),
        ("List 20 interactions of a customer", format!("/api/interactions?limit=20&customer_id={customer}")),
        ("Read a contact", contact),
        ("List 20 contacts of a customer", format!("/api/contacts?limit=20&customer_id={customer}")),
        ("Read an opportunity", format!("/api/opportunities/{deal}")),
        ("List 20 opportunities", "/api/opportunities?limit=20".to_owned()),
        ("List 20 opportunities by close date", "/api/opportunities?limit=20&sort=close_date".to_owned()),
        ("The board, 20 of each stage", "/api/opportunities/board".to_owned()),
        ("List 20 tasks in a state, by due date", "/api/tasks?limit=20&status=todo&sort=due_date".to_owned()),
        ("A customer's timeline, 20 of 71", format!("{path}/timeline?limit=20")),
    ] {
        rows.push((what, measured(meter, owner.get(&query.replace("张三", "%E5%BC%A0%E4%B8%89")), 200).await.0));
    }
    let leads = owner.get("/api/leads?limit=1").await.expect(200).data();
    let convert = format!("/api/leads/{}/convert", leads[0]["id"].as_str().expect("an id"));
    rows.push(("Convert a lead", measured(meter, owner.post(&convert, json!({})), 201).await.0));
    let few = owner.post("/api/customers", json!({"name": "Few"})).await.expect(201).id();
    for _ in 0..5 {
        let call = json!({"customer_id": few, "interaction_type": "call"});
        owner.post("/api/interactions", call).await.expect(201);
    }
    let path = format!("/api/customers/{few}");
    rows.push(("Delete a customer with 5 interactions", measured(meter, owner.delete(&path), 200).await.0));
    let restore = owner.post(&format!("{path}/restore"), json!({}));
    rows.push(("Restore it with them", measured(meter, restore, 200).await.0));
    rows
}

/// The costs of turns of a chat: a question of 300 characters and an answer of 1,500, after five earlier turns.
async fn chat(meter: &Meter, owner: &Person, ai: &FakeLlm) -> Vec<(&'static str, Units)> {
    let id = owner.post("/api/conversations", json!({})).await.expect(201).id();
    let question = json!({
        "messages": [{"role": "user", "content": "Please say more. ".repeat(18)}], "conversation_id": id,
        "model": "claude-haiku-5-5",
    });
    let pieces = ["A sentence of thirty letters. "; 50];
    let quick = Script::saying(&pieces);
    ai.always(quick.clone());
    for _ in 0..5 {
        owner.post("/api/chat", question.clone()).await.expect(200);
    }
    let mut rows = Vec::new();
    let ask = || owner.post("/api/chat", question.clone());
    rows.push(("A turn of a chat, answered within 0.5 s", measured(meter, ask(), 200).await.0));
    // Ten flushes, as an answer of five seconds has.
    ai.script(Script { pause: Duration::from_millis(104), ..quick });
    rows.push(("A turn of a chat, answered in 5.2 s", measured(meter, ask(), 200).await.0));
    let alone = json!({"messages": [{"role": "user", "content": "Hello"}], "model": "claude-haiku-5-5"});
    rows.push(("A question without a conversation", measured(meter, owner.post("/api/chat", alone), 200).await.0));
    let messages = owner.get(&format!("/api/conversations/{id}/messages?limit=20"));
    rows.push(("List 14 messages", measured(meter, messages, 200).await.0));
    rows
}

#[tokio::test]
async fn the_readme_shows_what_operations_cost() {
    let table = table().await;
    println!("{table}");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).expect("a README");
    let (_, rest) =
        readme.split_once("<!-- costs -->\n").expect("the README marks its table of costs with <!-- costs -->");
    let (shown, _) = rest.split_once("<!-- /costs -->").expect("the table ends with <!-- /costs -->");
    assert_eq!(shown, table, "put the table above into README.md, between <!-- costs --> and <!-- /costs -->");
}
