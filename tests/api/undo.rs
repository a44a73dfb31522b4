//! Undo tests: audit log entries are reverted, by entry and by request.

use daybook_domain::permission::{Role, RoleRef};
use daybook_testing::{Person, World, lead};
use serde_json::{Value, json};

/// The path of the newest entry.
async fn last(person: &Person) -> String {
    let entry = person.get("/api/audit-logs?limit=1").await.expect(200).data()[0].clone();
    format!("/api/audit-logs/{}", entry["id"].as_str().expect("an id"))
}

async fn undo(person: &Person, entry: &str) -> daybook_testing::Answer {
    person.post(&format!("{entry}/revert"), json!({})).await
}

async fn made(owner: &Person) -> String {
    format!("/api/leads/{}", owner.post("/api/leads", lead("ada@example.com")).await.expect(201).id())
}

#[tokio::test]
async fn a_change_is_undone_while_what_it_changed_is_still_so() {
    let world = World::new().await;
    let owner = world.owner().await;
    let one = made(&owner).await;
    let before = owner.get(&one).await.expect(200).data();
    owner.patch(&one, json!({"first_name": "Eva", "company": null, "status": "contacted"})).await.expect(200);
    let entry = last(&owner).await;
    // Later changes of other fields don't prevent the revert.
    owner.patch(&one, json!({"job_title": "Engineer"})).await.expect(200);
    let undone = undo(&owner, &entry).await.expect(200).data();
    assert_eq!(undone["records"], json!([before["id"]]));
    let mut after = owner.get(&one).await.expect(200).data();
    assert_eq!((&after["job_title"], &after["version"]), (&json!("Engineer"), &json!(4)));
    for field in ["job_title", "version", "updated_at"] {
        after[field] = before[field].clone();
    }
    assert_eq!(after, before);
    let undoing = owner.get(&last(&owner).await).await.expect(200).data();
    assert_eq!((&undoing["action"], &undoing["event"]), (&json!("revert"), &json!("lead.status_changed")));
    // An entry can't be reverted twice, since its field has changed; but the revert can be reverted.
    let conflict = undo(&owner, &entry).await.expect_problem(412, "precondition_failed").json();
    assert_eq!(conflict["current"]["first_name"], "Ada");
    undo(&owner, &last(&owner).await).await.expect(200);
    assert_eq!(owner.get(&one).await.expect(200).data()["first_name"], "Eva");
}

#[tokio::test]
async fn a_record_that_changed_since_is_left_alone_and_the_fields_are_named() {
    let world = World::new().await;
    let owner = world.owner().await;
    let one = made(&owner).await;
    owner.patch(&one, json!({"first_name": "Eva", "company": "Two"})).await.expect(200);
    let entry = last(&owner).await;
    owner.patch(&one, json!({"company": "Three"})).await.expect(200);
    let conflict = undo(&owner, &entry).await.expect_problem(412, "precondition_failed").json();
    assert_eq!(conflict["current"], json!({"company": "Three"}));
    assert_eq!(owner.get(&one).await.expect(200).data()["first_name"], "Eva");
}

#[tokio::test]
async fn deleting_restoring_and_making_are_undone() {
    let world = World::new().await;
    let owner = world.owner().await;
    let one = made(&owner).await;
    let of = format!("/api/audit-logs?resource_id={}", one.trim_start_matches("/api/leads/"));
    let creation = owner.get(&of).await.expect(200).data()[0]["id"].as_str().expect("an id").to_owned();
    owner.delete(&one).await.expect(200);
    let deletion = last(&owner).await;
    undo(&owner, &deletion).await.expect(200);
    owner.get(&one).await.expect(200);
    undo(&owner, &deletion).await.expect_problem(409, "conflict");
    undo(&owner, &last(&owner).await).await.expect(200);
    owner.get(&one).await.expect_problem(404, "not_found");
    undo(&owner, &last(&owner).await).await.expect(200);
    let creation = format!("/api/audit-logs/{creation}");
    undo(&owner, &creation).await.expect_problem(412, "precondition_failed");
    let form = format!("/api/forms/{}", owner.post("/api/forms", json!({"name": "Campaign"})).await.expect(201).id());
    undo(&owner, &last(&owner).await).await.expect(200);
    owner.get(&form).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn a_user_who_comes_back_by_undoing_stays_signed_out_and_a_lead_s_number_goes_along() {
    let world = World::new().await;
    let (owner, colleague) = (world.owner().await, world.person(Role::Sales).await);
    owner.delete(&format!("/api/users/{}", colleague.user.expect("a user"))).await.expect(200);
    undo(&owner, &last(&owner).await).await.expect(200);
    colleague.get("/api/auth/me").await.expect_problem(401, "unauthenticated");
    let one = made(&owner).await;
    let before = owner.get(&one).await.expect(200).data()["phone_e164"].clone();
    owner.patch(&one, json!({"phone": "+49 30 901820"})).await.expect(200);
    undo(&owner, &last(&owner).await).await.expect(200);
    assert_eq!(owner.get(&one).await.expect(200).data()["phone_e164"], before);
}

#[tokio::test]
async fn restoring_meets_a_new_holder_of_the_address() {
    let world = World::new().await;
    let owner = world.owner().await;
    let one = made(&owner).await;
    owner.delete(&one).await.expect(200);
    let deletion = last(&owner).await;
    let newer = made(&owner).await;
    let refused = undo(&owner, &deletion).await.expect_problem(409, "duplicate").json();
    assert_eq!(refused["existing_id"].as_str(), newer.strip_prefix("/api/leads/"));
}

#[tokio::test]
async fn all_that_a_request_did_is_undone_or_nothing() {
    let world = World::new().await;
    let owner = world.owner().await;
    let colleague = world.person(Role::Sales).await;
    let user = format!("/api/users/{}", colleague.user.expect("a user"));
    owner.patch(&user, json!({"role": "owner"})).header("x-request-id", "promote").await.expect(200);
    let organization = format!("/api/organizations/{}", owner.org);
    let owners = async || owner.get(&organization).await.expect(200).data()["owner_ids"].as_array().map(Vec::len);
    assert_eq!(owners().await, Some(2));
    // The organisation's list of owners is reverted together with the user.
    owner.post("/api/audit-logs/revert", json!({"request_id": "promote"})).await.expect(200);
    assert_eq!((owners().await, owner.get(&user).await.expect(200).data()["role"].clone()), (Some(1), json!("sales")));
    owner.post("/api/audit-logs/revert", json!({"request_id": "never"})).await.expect_problem(422, "validation_error");
    let one = made(&owner).await;
    owner.patch(&one, json!({"first_name": "Eva"})).header("x-request-id", "rename").await.expect(200);
    owner.post("/api/audit-logs/revert", json!({"request_id": "rename"})).await.expect(200);
    assert_eq!(owner.get(&one).await.expect(200).data()["first_name"], "Ada");
}

#[tokio::test]
async fn what_may_not_be_done_by_hand_is_not_done_by_undoing() {
    let world = World::new().await;
    let (owner, admin) = (world.owner().await, world.person(Role::Admin).await);
    let other = world.person(Role::Owner).await;
    let path = |person: &Person| format!("/api/users/{}", person.user.expect("a user"));
    owner.patch(&path(&other), json!({"role": "viewer"})).await.expect(200);
    let demotion = last(&owner).await;
    let entries = owner.get("/api/audit-logs?resource_type=user&limit=1").await.expect(200).data();
    let demotion = entries[0]["id"].as_str().map_or(demotion, |id| format!("/api/audit-logs/{id}"));
    undo(&admin, &demotion).await.expect_problem(403, "forbidden");
    let few = ["audit:read", "audit:revert", "leads:update:own"];
    let few = owner.post("/api/roles", json!({"name": "Auditor", "permissions": few})).await.expect(201).id();
    let auditor = world.person(few.parse::<RoleRef>().expect("a role")).await;
    let one = made(&owner).await;
    owner.patch(&one, json!({"first_name": "Eva"})).await.expect(200);
    undo(&auditor, &last(&owner).await).await.expect_problem(403, "forbidden");
    // A sign-in and a shown secret can't be reverted.
    let key = owner.post("/api/api-keys", json!({"name": "K", "permissions": ["leads:read:all"]})).await.expect(201);
    undo(&owner, &last(&owner).await).await.expect_problem(409, "conflict");
    drop(key);
    owner.post("/api/audit-logs/export", json!({})).await.expect(200);
    undo(&owner, &last(&owner).await).await.expect_problem(409, "conflict");
}

#[tokio::test]
async fn nothing_goes_back_to_a_pipeline_that_is_gone() {
    let world = World::new().await;
    let owner = world.owner().await;
    let made = async |path: &str, body: Value| owner.post(path, body).await.expect(201).id();
    let stage = json!({"key": "first_talk", "name": "First", "type": "open", "probability": 10});
    let pipeline = made("/api/pipelines", json!({"name": "Partners", "stages": [stage]})).await;
    let customer = made("/api/customers", json!({"name": "A"})).await;
    let deal = json!({"customer_id": customer, "title": "ERP", "pipeline_id": pipeline});
    let deal = format!("/api/opportunities/{}", made("/api/opportunities", deal).await);
    owner.patch(&deal, json!({"stage": "proposal"})).await.expect(200);
    let moved = last(&owner).await;
    owner.delete(&format!("/api/pipelines/{pipeline}")).await.expect(200);
    undo(&owner, &moved).await.expect_problem(409, "conflict");
    assert_eq!(owner.get(&deal).await.expect(200).data()["stage"], "proposal");
}
