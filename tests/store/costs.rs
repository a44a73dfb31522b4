//! What operations cost, as DynamoDB counts it. The table stands in the README.

use daybook_store::{Meter, Units};
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;

/// US dollars per million units on demand (us-east-1, since 2024-11).
const DOLLARS_PER_MILLION_WRITES: f64 = 0.625;
const DOLLARS_PER_MILLION_READS: f64 = 0.125;

async fn measured(meter: &Meter, call: daybook_testing::Call, status: u16) -> (Units, String) {
    meter.take();
    let answer = call.await.expect(status);
    (meter.take(), answer.text)
}

async fn table() -> String {
    let meter = Arc::new(Meter::default());
    let world = World::with(WorldOptions { meter: Some(meter.clone()), ..WorldOptions::default() }).await;
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
