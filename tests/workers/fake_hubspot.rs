//! Tests of the fake HubSpot: it answers as HubSpot does, and fails when told to.

mod faults;

use daybook_store::Clock;
use daybook_testing::hubspot::{HubSpot, Property, TOKEN};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::time::Duration;

const V3: &str = "/crm/v3/objects/contacts";
const DATED: &str = "/crm/objects/2026-03/0-1";
const DEFINITIONS: &str = "/crm/v3/properties/contacts";

/// A fake HubSpot, its clock, and an HTTP client.
struct Desk {
    hubspot: HubSpot,
    clock: Clock,
    client: Client,
}

impl Desk {
    async fn new() -> Desk {
        let clock = Clock::fake("2026-11-20T12:00:00Z".parse().expect("a time"));
        Desk { hubspot: HubSpot::start(clock.clone()).await, clock, client: Client::new() }
    }

    /// With a unique property for our ids.
    async fn with_lead_ids() -> Desk {
        let desk = Desk::new().await;
        desk.hubspot.define_property(Property::text("daybook_lead_id").unique());
        desk
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Result<Response> {
        let request = self.client.request(method, format!("{}{path}", self.hubspot.base_url())).bearer_auth(TOKEN);
        let request = if let Some(body) = &body { request.json(body) } else { request };
        request.send().await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.send(method, path, body).await.expect("an answer");
        let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a body"));
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::PATCH, path, Some(body)).await
    }
}

fn ada() -> Value {
    json!({"properties": {"email": "ada@example.com", "firstname": "Ada"}})
}

fn by_email(email: &str) -> Value {
    json!({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": email}]}]})
}

/// An input of an upsert by our id.
fn upsert(lead: &str, email: &str) -> Value {
    json!({
        "id": lead, "idProperty": "daybook_lead_id", "objectWriteTraceId": format!("trace-{lead}"),
        "properties": {"email": email, "lastname": lead}
    })
}

#[tokio::test]
async fn a_contact_is_created_read_written_and_removed() {
    let desk = Desk::new().await;
    let (status, created) = desk.post(V3, ada()).await;
    assert_eq!(status, 201, "{created}");
    let id = created["id"].as_str().expect("an id").to_owned();
    assert_eq!(created["properties"]["hs_object_id"], json!(id));
    assert_eq!(created["createdAt"], "2026-11-20T12:00:00.000Z");

    let by_address = format!("{DATED}/ADA%40example.com?idProperty=email&properties=firstname,phone");
    let (status, read) = desk.get(&by_address).await;
    assert_eq!((status, &read["id"]), (200, &json!(id)));
    assert_eq!((&read["properties"]["firstname"], &read["properties"]["phone"]), (&json!("Ada"), &Value::Null));

    let (status, written) = desk.patch(&format!("{V3}/{id}"), json!({"properties": {"firstname": ""}})).await;
    assert_eq!((status, &written["properties"]["firstname"]), (200, &Value::Null));

    assert_eq!(desk.ask(Method::DELETE, &format!("{V3}/{id}"), None).await.0, 204);
    let (status, gone) = desk.get(&format!("{V3}/{id}")).await;
    assert_eq!((status, &gone["message"]), (404, &json!("resource not found")));
    assert!(desk.hubspot.contacts()[0].archived);
    assert_eq!(desk.post(V3, ada()).await.0, 201, "the address is free again");
}

#[tokio::test]
async fn a_second_contact_with_an_address_is_refused_with_the_id_of_the_first() {
    let desk = Desk::new().await;
    let id = desk.hubspot.add_contact([("email", "Ada@Example.com")]);
    assert_eq!(desk.hubspot.contacts()[0].properties["email"], "ada@example.com");

    let (status, body) = desk.post(V3, json!({"properties": {"email": "ADA@example.com"}})).await;

    assert_eq!(status, 409);
    assert_eq!(body["message"], json!(format!("Contact already exists. Existing ID: {id}")));
    assert_eq!(body["category"], "CONFLICT");
}

#[tokio::test]
async fn a_second_contact_with_an_id_of_ours_is_refused_too() {
    let desk = Desk::with_lead_ids().await;
    let first = desk.hubspot.add_contact([("daybook_lead_id", "lead_1")]);
    let second = desk.hubspot.add_contact([("email", "eva@example.com")]);
    let body = json!({"properties": {"daybook_lead_id": "lead_1"}});

    let (status, refused) = desk.post(V3, body.clone()).await;
    assert_eq!((status, &refused["message"]), (409, &json!(format!("Contact already exists. Existing ID: {first}"))));

    let (status, refused) = desk.patch(&format!("{V3}/{second}"), body).await;
    let message = refused["message"].as_str().expect("a message");
    assert_eq!((status, &refused["category"]), (400, &json!("VALIDATION_ERROR")));
    assert!(message.ends_with(&format!("on {second}. {first} already has that value.")), "{message}");
}

#[tokio::test]
async fn values_that_properties_do_not_take_are_told_of_one_by_one() {
    let desk = Desk::new().await;
    let (status, body) = desk.post(V3, json!({"properties": {"foo": "1"}})).await;
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        r#"Property values were not valid: [{"isValid":false,"message":"Property \"foo\" does not exist","error":"PROPERTY_DOESNT_EXIST","name":"foo","localizedErrorMessage":"Property \"foo\" does not exist"}]"#
    );
    let check = async |name: &str, value: &str, code: &str| {
        let (status, body) = desk.post(V3, json!({"properties": {name: value}})).await;
        assert_eq!((status, &body["category"]), (400, &json!("VALIDATION_ERROR")), "{name}");
        assert_eq!(body["errors"][0]["code"], code, "{body}");
        assert_eq!(body["errors"][0]["context"]["propertyName"], json!([name]), "{body}");
    };
    check("email", "ada@example", "INVALID_EMAIL").await;
    check("hs_lead_status", "new", "INVALID_OPTION").await;
    check("hs_object_id", "7", "READ_ONLY_VALUE").await;
    assert!(desk.hubspot.contacts().is_empty());
}

#[tokio::test]
async fn a_stage_of_life_moves_forward_only_unless_it_is_cleared() {
    let desk = Desk::new().await;
    let id = desk.hubspot.add_contact([("email", "ada@example.com"), ("lifecyclestage", "customer")]);
    for (asked, held) in [("lead", Some("customer")), ("", None), ("lead", Some("lead"))] {
        let body = json!({"properties": {"lifecyclestage": asked}});
        assert_eq!(desk.patch(&format!("{V3}/{id}"), body).await.0, 200);
        let contacts = desk.hubspot.contacts();
        assert_eq!(contacts[0].properties.get("lifecyclestage").map(String::as_str), held);
    }
}

#[tokio::test]
async fn an_upsert_tells_of_each_bad_input_with_a_status_that_hangs_on_the_version() {
    for (path, expected) in [(V3, 207), (DATED, 200)] {
        let desk = Desk::with_lead_ids().await;
        let other = desk.hubspot.add_contact([("email", "eva@example.com")]);
        let known = desk.hubspot.add_contact([("daybook_lead_id", "lead_1")]);
        let inputs = json!([
            upsert("lead_1", "ada@example.com"),
            upsert("lead_2", "eva@example.com"),
            upsert("lead_3", "joan@example.com"),
        ]);

        let (status, body) = desk.post(&format!("{path}/batch/upsert"), json!({"inputs": inputs})).await;

        assert_eq!((status, &body["status"], &body["numErrors"]), (expected, &json!("COMPLETE"), &json!(1)), "{body}");
        let error = &body["errors"][0];
        assert_eq!(error["category"], "CONFLICT");
        assert_eq!(error["message"], json!(format!("Contact already exists. Existing ID: {other}")));
        assert_eq!(error["context"]["objectWriteTraceId"], json!(["trace-lead_2"]));
        let results = body["results"].as_array().expect("results");
        let of = |trace: &str| results.iter().find(|result| result["objectWriteTraceId"] == trace).expect("a result");
        assert_eq!(results.len(), 2);
        assert_eq!((&of("trace-lead_1")["id"], &of("trace-lead_1")["new"]), (&json!(known), &json!(false)));
        assert_eq!(of("trace-lead_3")["new"], true);
        assert_eq!(of("trace-lead_3")["properties"]["daybook_lead_id"], "lead_3");
    }
}

#[tokio::test]
async fn without_trace_ids_one_bad_input_refuses_the_batch() {
    let desk = Desk::with_lead_ids().await;
    desk.hubspot.add_contact([("email", "eva@example.com")]);
    let mut inputs = vec![upsert("lead_1", "ada@example.com"), upsert("lead_2", "eva@example.com")];
    for input in &mut inputs {
        input.as_object_mut().expect("an object").remove("objectWriteTraceId");
    }
    let (status, body) = desk.post(&format!("{V3}/batch/upsert"), json!({"inputs": inputs})).await;
    assert_eq!((status, &body["category"]), (409, &json!("CONFLICT")));
    assert_eq!(desk.hubspot.contacts().len(), 1);
}

#[tokio::test]
async fn a_batch_is_refused_that_names_one_contact_twice_or_is_too_long_or_has_no_key() {
    let desk = Desk::with_lead_ids().await;
    let check = async |inputs: Vec<Value>, expected: &str| {
        let (status, body) = desk.post(&format!("{V3}/batch/upsert"), json!({"inputs": inputs})).await;
        assert_eq!((status, &body["category"]), (400, &json!("VALIDATION_ERROR")));
        assert!(body["message"].as_str().expect("a message").contains(expected), "{body}");
    };
    let twice = vec![upsert("lead_1", "ada@example.com"), upsert("lead_1", "eva@example.com")];
    check(twice, "Duplicate IDs found in batch input: [lead_1]. IDs must be unique").await;
    let many = (0..101).map(|n| upsert(&format!("lead_{n}"), &format!("{n}@example.com"))).collect();
    check(many, "101 inputs").await;
    let by_name = json!({"id": "Ada", "idProperty": "firstname", "properties": {}});
    check(vec![by_name], "Unable to perform update/upsert by non-unique 0-1 property firstname").await;
    assert!(desk.hubspot.contacts().is_empty());
}

#[tokio::test]
async fn results_of_a_batch_come_in_another_order() {
    let desk = Desk::with_lead_ids().await;
    let inputs: Vec<Value> = (10..60).map(|n| upsert(&format!("lead_{n}"), &format!("{n}@example.com"))).collect();
    let (status, body) = desk.post(&format!("{V3}/batch/upsert"), json!({"inputs": inputs})).await;
    assert_eq!(status, 200);
    let results = body["results"].as_array().expect("results");
    let order: Vec<&str> = results.iter().filter_map(|result| result["objectWriteTraceId"].as_str()).collect();
    assert_eq!(order.len(), 50);
    assert!(!order.is_sorted());
}

#[tokio::test]
async fn a_batch_reads_what_there_is_and_names_what_there_is_not() {
    let desk = Desk::new().await;
    desk.hubspot.add_contact([("email", "ada@example.com")]);
    let body = json!({"idProperty": "email", "inputs": [{"id": "ada@example.com"}, {"id": "eva@example.com"}]});
    let (status, body) = desk.post(&format!("{V3}/batch/read"), body).await;
    assert_eq!((status, body["results"].as_array().map(Vec::len)), (207, Some(1)));
    assert_eq!(body["errors"][0]["category"], "OBJECT_NOT_FOUND");
    assert_eq!(body["errors"][0]["context"]["ids"], json!(["eva@example.com"]));
}

#[tokio::test]
async fn the_search_learns_of_contacts_half_a_minute_late() {
    let desk = Desk::new().await;
    let search = async |body: Value| desk.post(&format!("{V3}/search"), body).await.1["total"].clone();
    let id = desk.hubspot.add_contact([("email", "ada@example.com")]);
    assert_eq!(search(by_email("ada@example.com")).await, 0);
    assert_eq!(desk.get(&format!("{V3}/{id}")).await.0, 200);

    desk.clock.advance(Duration::from_secs(30));
    assert_eq!(search(by_email("ADA@example.com")).await, 1);

    desk.hubspot.edit_contact(&id, [("email", "countess@example.com")]);
    assert_eq!(search(by_email("ada@example.com")).await, 1, "the search knows the old address");
    desk.clock.advance(Duration::from_secs(30));
    assert_eq!(search(by_email("ada@example.com")).await, 0);

    let filter = |operator: &str, value: Value| {
        let mut filter = json!({"propertyName": "email", "operator": operator});
        filter.as_object_mut().expect("an object").extend(value.as_object().expect("an object").clone());
        json!({"filterGroups": [{"filters": [filter]}]})
    };
    assert_eq!(search(filter("CONTAINS_TOKEN", json!({"value": "*@example.com"}))).await, 1);
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(search(filter("IN", json!({"values": ["countess@example.com"]}))).await, 1);
    assert_eq!(search(filter("IN", json!({"values": ["Countess@example.com"]}))).await, 0);
    assert_eq!(search(filter("HAS_PROPERTY", json!({}))).await, 1);
}

#[tokio::test]
async fn properties_are_defined_once_and_ten_of_them_unique() {
    let desk = Desk::new().await;
    let define = async |name: &str, unique: bool| {
        let body = json!({
            "name": name, "label": "A label", "type": "string", "fieldType": "text",
            "groupName": "contactinformation", "hasUniqueValue": unique
        });
        desk.post(DEFINITIONS, body).await
    };
    let of = |name: &str| format!("/crm/properties/2026-03/contacts/{name}");
    assert_eq!(desk.get(&of("daybook_0")).await.0, 404);
    for number in 0..10 {
        assert_eq!(define(&format!("daybook_{number}"), true).await.0, 201);
    }
    assert_eq!(desk.get(&of("daybook_0")).await.1["hasUniqueValue"], true);
    assert_eq!(define("one_too_many", true).await.0, 400);
    assert_eq!(define("a_text", false).await.0, 201);

    let (status, again) = define("a_text", false).await;
    assert_eq!((status, &again["subCategory"]), (409, &json!("Properties.PROPERTY_WITH_NAME_EXISTS")));
    assert_eq!(again["message"], "A property named 'a_text' already exists.");

    desk.hubspot.revoke_scopes();
    let (status, refused) = define("another", false).await;
    assert_eq!((status, &refused["category"]), (403, &json!("MISSING_SCOPES")));
}

#[tokio::test]
async fn a_wrong_token_or_none_is_refused() {
    let desk = Desk::new().await;
    let url = format!("{}{V3}", desk.hubspot.base_url());
    for request in [desk.client.get(&url), desk.client.get(&url).bearer_auth("pat-test-wrong")] {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 401);
        assert_eq!(answer.json::<Value>().await.expect("JSON")["category"], "INVALID_AUTHENTICATION");
    }
}

#[tokio::test]
async fn a_contact_that_was_merged_is_found_in_the_other() {
    let desk = Desk::new().await;
    let kept = desk.hubspot.add_contact([("email", "ada@example.com")]);
    let gone = desk.hubspot.add_contact([("email", "countess@example.com"), ("phone", "+44 20 7946 0000")]);
    let body = json!({"primaryObjectId": kept, "objectIdToMerge": gone});
    assert_eq!(desk.post(&format!("{V3}/merge"), body).await.1["properties"]["phone"], "+44 20 7946 0000");

    assert_eq!(desk.get(&format!("{V3}/{gone}")).await.1["id"], json!(kept));
    let taken = json!({"properties": {"email": "countess@example.com"}});
    assert_eq!(desk.post(V3, taken).await.0, 409);
    let inputs = json!({"inputs": [{"id": gone, "properties": {"firstname": "Ada"}}]});
    let (status, body) = desk.post(&format!("{V3}/batch/update"), inputs).await;
    assert_eq!((status, &body["results"]), (200, &json!([])), "it is omitted without an error");
}
