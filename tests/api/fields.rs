//! Field tests: a field means the same in every type of record and in every kind of request.

use crate::crm::{id_of, made, world};
use daybook_testing::lead;
use serde_json::{Value, json};

const NUMBER: &str = "030 901820";
const IN_GERMANY: &str = "+4930901820";

#[tokio::test]
async fn a_number_without_a_country_is_in_that_of_its_form_or_of_the_organisation() {
    let (world, owner) = world().await;
    let organization = format!("/api/organizations/{}", owner.org);
    let e164 = |record: &Value| record["phone_e164"].clone();
    for wrong in ["germany", "d", "DE1", "de"] {
        owner.patch(&organization, json!({"phone_country": wrong})).await.expect_problem(422, "validation_error");
    }
    owner.patch(&organization, json!({"phone_country": "DE"})).await.expect(200);
    world.clock.advance(std::time::Duration::from_secs(120));

    for (path, body) in [
        ("/api/customers", json!({"name": "A", "phone": NUMBER})),
        ("/api/contacts", json!({"last_name": "A", "phone": NUMBER})),
    ] {
        let made = made(&owner, path, body).await;
        assert_eq!(e164(&made), IN_GERMANY, "{path}");
        let one = format!("{path}/{}", made["id"].as_str().expect("an id"));
        let change = json!({"phone": "+86 138 0013 8000"});
        assert_eq!(e164(&owner.patch(&one, change).await.expect(200).data()), "+8613800138000", "{path}");
        assert_eq!(e164(&owner.put(&one, json!({"phone": NUMBER})).await.expect(200).data()), IN_GERMANY, "{path}");
        assert_eq!(e164(&owner.patch(&one, json!({"phone": ""})).await.expect(200).data()), Value::Null, "{path}");
        let id = &made["id"];
        let batch = json!({"items": [{"action": "update", "id": id, "data": {"phone": NUMBER}}]});
        owner.post(&format!("{path}/batch"), batch).await.expect(200);
        assert_eq!(e164(&owner.get(&one).await.expect(200).data()), IN_GERMANY, "{path}");
    }

    let form = made(&owner, "/api/forms", json!({"name": "Berlin"})).await;
    assert_eq!(form["phone_country"], "DE");
    let swiss = id_of(&owner, "/api/forms", json!({"name": "Zürich", "phone_country": "CH"})).await;
    let body = {
        let mut body = lead("ada@example.com");
        body["phone"] = json!("044 668 18 00");
        body["form_id"] = json!(swiss);
        body
    };
    let id = world.visitor().post("/api/leads", body).await.expect(201).id();
    let one = format!("/api/leads/{id}");
    assert_eq!(e164(&owner.get(&one).await.expect(200).data()), "+41446681800");
    let changed = owner.patch(&one, json!({"phone": "044 668 18 01"})).await.expect(200).data();
    assert_eq!(e164(&changed), "+41446681801");
    let done = owner.post(&format!("{one}/convert"), json!({})).await.expect(201).data();
    assert_eq!(e164(&done["contact"]), "+41446681801");
    // A text that is no phone number in the form's country isn't tried with other countries.
    let mut chinese = lead("eva@example.com");
    chinese["phone"] = json!("12");
    chinese["form_id"] = json!(swiss);
    let id = world.visitor().post("/api/leads", chinese).await.expect(201).id();
    let done = owner.post(&format!("/api/leads/{id}/convert"), json!({})).await.expect(201).data();
    assert_eq!((e164(&done["lead"]), e164(&done["contact"])), (Value::Null, Value::Null));
}

#[tokio::test]
async fn an_empty_text_is_nothing_whatever_the_type() {
    let (world, owner) = world().await;
    let id = world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let changed = owner.patch(&format!("/api/leads/{id}"), json!({"company": " ", "owner_id": ""})).await.expect(200);
    assert_eq!((&changed.data()["company"], &changed.data()["owner_id"]), (&Value::Null, &Value::Null));
    let customer = id_of(&owner, "/api/customers", json!({"name": "A", "company": "A", "email": ""})).await;
    let changed = owner.patch(&format!("/api/customers/{customer}"), json!({"company": "", "tags": ""})).await;
    assert_eq!(changed.expect(200).data()["company"], Value::Null);
    let form = id_of(&owner, "/api/forms", json!({"name": "A", "allowed_origins": ["https://a.example"]})).await;
    let changed = owner.patch(&format!("/api/forms/{form}"), json!({"allowed_origins": null})).await.expect(200);
    assert_eq!(changed.data()["allowed_origins"], json!([]));
    // An empty text means "no value" when a record is created, too.
    for (path, body, field, expected) in [
        ("/api/teams", json!({"name": "North", "member_ids": ""}), "member_ids", json!([])),
        ("/api/forms", json!({"name": "B", "phone_country": "", "locale": " "}), "phone_country", json!("CN")),
        ("/api/users", json!({"email": "b@example.com", "username": "", "role": "sales"}), "username", Value::Null),
        ("/api/invitations", json!({"email": "c@example.com", "name": "", "role": "sales"}), "name", Value::Null),
        ("/api/tasks", json!({"title": "Call", "priority": "", "due_date": ""}), "priority", json!("medium")),
        (
            "/api/api-keys",
            json!({"name": "K", "permissions": ["leads:read:all"], "expires_at": ""}),
            "expires_at",
            Value::Null,
        ),
        (
            "/api/organizations",
            json!({"name": "B", "owner_email": "d@example.com", "timezone": ""}),
            "timezone",
            json!("Asia/Shanghai"),
        ),
    ] {
        assert_eq!(made(&owner, path, body).await[field], expected, "{path}");
    }
    for (path, body) in [
        (format!("/api/forms/{form}"), json!({"name": ""})),
        (format!("/api/customers/{customer}"), json!({"name": " "})),
        (format!("/api/organizations/{}", owner.org), json!({"name": ""})),
    ] {
        owner.patch(&path, body).await.expect_problem(422, "validation_error");
    }
}
