//! Lead tests: staff create, read, list, update, delete and restore leads.

use daybook_testing::{Person, World, lead};
use serde_json::json;

async fn world_with_lead() -> (World, Person, String) {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    (world, owner, format!("/api/leads/{id}"))
}

#[tokio::test]
async fn put_and_patch_change_what_they_name_and_count_versions() {
    let (_world, owner, path) = world_with_lead().await;
    let read = owner.get(&path).await.expect(200);
    assert_eq!(read.header("etag"), "\"v1\"");
    let put = owner.put(&path, json!({"status": "contacted"})).await.expect(200);
    assert_eq!((put.header("etag"), &put.data()["last_name"]), ("\"v2\"", &json!("Lovelace")));
    let patch = owner.patch(&path, json!({"company": null, "extra": {"note": "x"}})).await.expect(200).data();
    assert_eq!(
        (&patch["company"], &patch["version"], &patch["extra"]),
        (&json!(null), &json!(3), &json!({"note": "x"}))
    );
}

#[tokio::test]
async fn a_record_sent_back_unchanged_changes_nothing() {
    let (world, owner, path) = world_with_lead().await;
    let read = owner.get(&path).await.expect(200).data();
    let entries = world.journal(owner.org).await.len();
    assert_eq!(owner.put(&path, read.clone()).await.expect(200).data(), read);
    assert_eq!(world.journal(owner.org).await.len(), entries);
}

#[tokio::test]
async fn if_match_guards_a_change() {
    let (_world, owner, path) = world_with_lead().await;
    owner.patch(&path, json!({"status": "contacted"})).header("if-match", "\"v1\"").await.expect(200);
    let stale = owner.patch(&path, json!({"status": "qualified"})).header("if-match", "\"v1\"").await;
    let stale = stale.expect_problem(412, "precondition_failed").json();
    assert_eq!((&stale["version"], &stale["current"]), (&json!(2), &json!({"status": "contacted"})));
    let read = owner.get(&path).await.expect(200).data();
    owner.patch(&path, json!({"company": "ABC"})).await.expect(200);
    let whole =
        owner.put(&path, read).header("if-match", "\"v2\"").await.expect_problem(412, "precondition_failed").json();
    assert_eq!((&whole["version"], &whole["current"]["company"]), (&json!(3), &json!("ABC")));
    owner.delete(&path).header("if-match", "\"v1\"").await.expect_problem(412, "precondition_failed");
    owner.delete(&path).header("if-match", "nonsense").await.expect_problem(400, "malformed");
    owner.delete(&path).header("if-match", "\"v3\"").await.expect(200);
    let restore = owner.post(&format!("{path}/restore"), json!({})).header("if-match", "\"v2\"").await;
    restore.expect_problem(412, "precondition_failed");
}

#[tokio::test]
async fn a_deleted_lead_is_gone_until_it_is_restored() {
    let (world, owner, path) = world_with_lead().await;
    owner.delete(&path).await.expect(200);
    owner.get(&path).await.expect_problem(404, "not_found");
    owner.delete(&path).await.expect_problem(404, "not_found");
    owner.patch(&path, json!({"status": "contacted"})).await.expect_problem(404, "not_found");
    assert!(world.leads(&owner).await.is_empty());
    assert_eq!(owner.post(&format!("{path}/restore"), json!({})).await.expect(200).data()["version"], 2);
    owner.post(&format!("{path}/restore"), json!({})).await.expect_problem(409, "conflict");
    owner.get(&path).await.expect(200);
}

#[tokio::test]
async fn a_lead_is_restored_within_thirty_days_and_not_over_a_newer_one() {
    let (world, owner, path) = world_with_lead().await;
    owner.delete(&path).await.expect(200);
    let mut body = lead("ADA@example.com");
    body["requirements"] = json!("again");
    let newer = world.visitor().post("/api/leads", body).await.expect(201).id();
    let refused = owner.post(&format!("{path}/restore"), json!({})).await.expect_problem(409, "duplicate").json();
    assert_eq!((&refused["existing_id"], &refused["errors"][0]["field"]), (&json!(newer), &json!("email")));

    owner.delete(&format!("/api/leads/{newer}")).await.expect(200);
    world.clock.advance(std::time::Duration::from_secs(31 * 86_400));
    let late = world.person(daybook_domain::permission::Role::Owner).await;
    late.post(&format!("{path}/restore"), json!({})).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn an_address_that_another_lead_has_is_refused_with_its_id() {
    let (world, owner, path) = world_with_lead().await;
    let other = world.visitor().post("/api/leads", lead("eva@example.com")).await.expect(201).id();
    let refused = owner.patch(&path, json!({"email": "EVA@example.com"})).await.expect_problem(409, "duplicate").json();
    assert_eq!(refused["existing_id"], json!(other));
}

#[tokio::test]
async fn an_owner_must_be_a_user_of_the_organisation() {
    let (world, owner, path) = world_with_lead().await;
    let stranger = world.stranger().await;
    let refused = owner.patch(&path, json!({"owner_id": stranger.user})).await.expect_problem(422, "validation_error");
    assert_eq!(refused.violations(), [("/owner_id".to_owned(), "invalid_id".to_owned())]);
    let colleague = world.person(daybook_domain::permission::Role::Sales).await;
    owner.patch(&path, json!({"owner_id": colleague.user})).await.expect(200);
}

#[tokio::test]
async fn an_id_that_a_visitor_was_told_works_wherever_the_lead_s_own_does() {
    let (world, owner, path) = world_with_lead().await;
    let mut again = lead("ada@example.com");
    again["requirements"] = json!("again");
    let told = format!("/api/leads/{}", world.visitor().post("/api/leads", again).await.expect(201).id());
    assert_ne!(told, path);
    assert_eq!(owner.get(&told).await.expect(200).text, owner.get(&path).await.expect(200).text);
    assert_eq!(
        owner.patch(&told, json!({"extra": null, "status": "contacted"})).await.expect(200).data()["version"],
        2
    );
    owner.delete(&told).await.expect(200);
    owner.post(&format!("{told}/restore"), json!({})).await.expect(200);
    owner.delete(&told).await.expect(200);
    owner.get(&path).await.expect_problem(404, "not_found");
}
