//! Audit log tests: which entries are written, and how they are filtered, paged and exported.

use daybook_domain::permission::Role;
use daybook_local::DEFAULT_ORG;
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

async fn log(person: &Person, query: &str) -> Vec<Value> {
    let answer = person.get(&format!("/api/audit-logs{query}")).await.expect(200);
    answer.data().as_array().expect("a list").clone()
}

/// All entries that match a query, read page by page.
async fn pages(person: &Person, query: &str) -> (Vec<Value>, usize) {
    let (mut all, mut cursor, mut count) = (Vec::new(), String::new(), 0);
    loop {
        let page = person.get(&format!("/api/audit-logs?{query}{cursor}")).await.expect(200).json();
        all.extend(page["data"].as_array().expect("a list").clone());
        count += 1;
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (all, count),
        }
    }
}

fn events(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["event"].as_str().expect("an event")).collect()
}

#[tokio::test]
async fn an_entry_says_who_did_what_from_where_and_how_fields_changed() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = owner.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let change = json!({"status": "contacted", "first_name": "Eva"});
    let change = owner.patch(&format!("/api/leads/{id}?x"), change.clone()).header("user-agent", "test/1");
    change.await.expect(400);
    let change = owner.patch(&format!("/api/leads/{id}"), json!({"status": "contacted", "first_name": "Eva"}));
    change.header("user-agent", "test/1").header("x-request-id", "change-1").await.expect(200);
    let entry = log(&owner, "?limit=1").await.remove(0);
    assert_eq!(entry["actor"], json!({"type": "user", "id": owner.user, "role": "owner"}));
    assert_eq!((&entry["action"], &entry["event"]), (&json!("update"), &json!("lead.status_changed")));
    assert_eq!(entry["resource"], json!({"type": "lead", "id": id, "version": 2}));
    assert_eq!((&entry["outcome"], &entry["status_code"]), (&json!("success"), &json!(200)));
    let request = &entry["request"];
    assert_eq!((&request["method"], &request["path"]), (&json!("PATCH"), &json!(format!("/api/leads/{id}"))));
    assert_eq!((&request["ip"], &request["user_agent"]), (&json!("203.0.113.7"), &json!("test/1")));
    assert_eq!(request["body"], json!({"status": "contacted", "first_name": "Eva"}));
    let expected = json!([
        {"field": "first_name", "before": "Ada", "after": "Eva"},
        {"field": "status", "before": "new", "after": "contacted"}
    ]);
    assert_eq!(entry["changes"], expected);
    let alone =
        owner.get(&format!("/api/audit-logs/{}", entry["id"].as_str().expect("an id"))).await.expect(200).data();
    assert_eq!(alone, entry);
    let by_request = log(&owner, "?request_id=change-1").await;
    assert_eq!(by_request, [entry]);
}

#[tokio::test]
async fn every_entry_of_a_request_shows_the_request() {
    let world = World::new().await;
    let owner = world.owner().await;
    world.visitor().post("/api/leads", lead("ada@example.com")).header("x-request-id", "form-1").await.expect(201);
    let entries = log(&owner, "?request_id=form-1&sort=occurred_at").await;
    assert_eq!(events(&entries), ["submission.accepted", "lead.created"]);
    for entry in &entries {
        assert_eq!((&entry["request"]["path"], &entry["actor"]["type"]), (&json!("/api/leads"), &json!("public")));
    }
}

#[tokio::test]
async fn entries_are_found_by_each_filter_and_by_several() {
    let world = World::new().await;
    let (owner, sales) = (world.owner().await, world.person(Role::Sales).await);
    let id = owner.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    sales.patch(&format!("/api/leads/{id}"), json!({"status": "contacted"})).await.expect(200);
    sales.delete(&format!("/api/leads/{id}")).await.expect_problem(403, "forbidden");
    world.clock.advance(Duration::from_secs(86_400));
    let owner = world.owner().await;
    owner.delete(&format!("/api/leads/{id}")).await.expect(200);
    let user = sales.user.expect("a user");
    let cases = [
        (format!("?user_id={user}"), vec!["access.denied", "lead.status_changed"]),
        (format!("?actor_id={user}&outcome=denied"), vec!["access.denied"]),
        ("?action=delete".to_owned(), vec!["lead.deleted"]),
        (format!("?resource_id={id}&sort=occurred_at"), vec!["lead.created", "lead.status_changed", "lead.deleted"]),
        (format!("?resource_id={id}&to=2026-11-20"), vec!["lead.status_changed", "lead.created"]),
        ("?from=2026-11-21&resource_type=lead".to_owned(), vec!["lead.deleted"]),
        ("?event=lead.created".to_owned(), vec!["lead.created"]),
    ];
    for (query, expected) in cases {
        assert_eq!(events(&log(&owner, &query).await), expected, "{query}");
    }
    let of = async |path: &str| owner.get(&format!("/api/foundation/audit-logs{path}")).await.expect(200).data();
    assert_eq!(of(&format!("/users/{user}")).await, json!(log(&owner, &format!("?user_id={user}")).await));
    assert_eq!(of(&format!("/resources/lead/{id}")).await, json!(log(&owner, &format!("?resource_id={id}")).await));
    owner.get(&format!("/api/audit-logs/resources/user/{id}")).await.expect_problem(404, "not_found");
    for wrong in [
        "?action=fly",
        "?from=yesterday",
        "?actor_id=x",
        "?outcome=good",
        "?acton=delete",
        "?from=2026-11-22",
        "?from=9999-01-01",
        "?from=2026-11-21&to=2026-11-20",
        "?limit=0",
        "?sort=x",
        "?cursor=x",
    ] {
        owner.get(&format!("/api/audit-logs{wrong}")).await.expect_problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn a_year_is_paged_through_a_month_at_a_time_and_each_entry_comes_once() {
    let world = World::new().await;
    world.owner().await;
    let mut made = BTreeSet::new();
    for n in 0..40 {
        let owner = world.person(Role::Owner).await;
        made.insert(owner.post("/api/leads", lead(&format!("lead{n}@example.com"))).await.expect(201).id());
        world.clock.advance(Duration::from_secs(9 * 86_400 + 3_601));
    }
    let owner = world.owner().await;
    for (query, limit) in [("sort=-occurred_at", 7), ("sort=occurred_at", 200), ("sort=-occurred_at", 1)] {
        let (entries, count) = pages(&owner, &format!("event=lead.created&{query}&limit={limit}")).await;
        let mut times: Vec<&str> = entries.iter().map(|entry| entry["occurred_at"].as_str().expect("a time")).collect();
        assert!(count >= 12, "{count} pages of a year");
        let found: BTreeSet<String> =
            entries.iter().map(|entry| entry["resource"]["id"].as_str().expect("an id").to_owned()).collect();
        assert_eq!((entries.len(), &found), (40, &made), "{query} {limit}");
        if query.contains('-') {
            times.reverse();
        }
        assert!(times.is_sorted());
    }
    let (narrow, count) = pages(&owner, "from=2026-12-01&to=2026-12-31&event=lead.created").await;
    assert_eq!((narrow.len(), count), (3, 1));
}

#[tokio::test]
async fn failed_sign_ins_denied_attempts_and_key_changes_are_on_record_with_secrets_masked() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let canary = "canary-7d1e-password";
    let body = json!({"email": "ada@example.com", "password": canary});
    let tokens = world.visitor().post("/api/auth/register", body).await.expect(201).json();
    let ada = world.visitor().with_token(tokens["access_token"].as_str().expect("a token"));
    world.confirm("ada@example.com").await;
    let wrong = json!({"email": "ada@example.com", "password": "canary-wrong"});
    world.visitor().post("/api/auth/login", wrong).await.expect(401);
    let unknown = json!({"email": "nobody@example.com", "password": "canary-unknown"});
    world.visitor().post("/api/auth/login", unknown).await.expect(401);
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    world.visitor().post("/api/auth/refresh", refresh).await.expect(200);
    let key = json!({"name": "Import", "permissions": ["leads:read:all"]});
    let key = ada.post("/api/api-keys", key).await.expect(201).data();
    let program = world.visitor().with_token(key["key"].as_str().expect("a secret"));
    program.get("/api/users?token=canary-query").await.expect(403);
    ada.delete(&format!("/api/api-keys/{}", key["id"].as_str().expect("an id"))).await.expect(200);
    ada.post("/api/auth/logout", json!({})).await.expect(200);
    let owner = world.owner().await;
    let entries = log(&owner, "?limit=200").await;
    let actions: Vec<(&str, &str)> = entries
        .iter()
        .map(|entry| (entry["action"].as_str().expect("an action"), entry["outcome"].as_str().expect("an outcome")))
        .collect();
    for expected in [
        ("login_failed", "failed"),
        ("token_refresh", "success"),
        ("key_created", "success"),
        ("key_revoked", "success"),
        ("denied", "denied"),
        ("logout", "success"),
    ] {
        assert!(actions.contains(&expected), "{expected:?} in {actions:?}");
    }
    assert_eq!(actions.iter().filter(|(action, _)| *action == "login_failed").count(), 2);
    let failed = entries.iter().find(|entry| entry["action"] == "login_failed").expect("an entry");
    assert_eq!((&failed["status_code"], &failed["request"]["body"]["password"]), (&json!(401), &json!("***")));
    let denied = entries.iter().find(|entry| entry["action"] == "denied").expect("an entry");
    assert_eq!(denied["actor"], json!({"type": "api_key", "id": key["id"], "role": null}));
    assert_eq!(denied["request"]["query"], "token=***");
    let text = json!(entries).to_string();
    for secret in
        [canary, "canary-", tokens["refresh_token"].as_str().expect("a token"), key["key"].as_str().expect("a secret")]
    {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn too_many_refusals_are_counted_by_the_minute() {
    let world = World::new().await;
    let (owner, viewer) = (world.owner().await, world.person(Role::Viewer).await);
    for _ in 0..50 {
        viewer.post("/api/users", json!({})).await.expect_problem(403, "forbidden");
    }
    let entries = log(&owner, "?outcome=denied&limit=200").await.len();
    let counts = owner.get("/api/audit-logs/counts").await.expect(200).data();
    assert_eq!((entries, counts[0]["count"].as_u64(), counts[0]["outcome"].as_str()), (20, Some(30), Some("denied")));
}

#[tokio::test]
async fn the_log_is_taken_out_as_csv_or_json_and_that_is_on_record() {
    let world = World::new().await;
    let owner = world.owner().await;
    let mut formula = lead("ada@example.com");
    formula["first_name"] = json!("=HYPERLINK(\"http://x\")");
    owner.post("/api/leads?a=1", formula.clone()).header("user-agent", "=cmd|' /C calc'!A0").await.expect(201);
    let json_file = owner.post("/api/foundation/audit-logs/export", json!({"format": "json", "event": "lead.created"}));
    let answer = json_file.await.expect(200);
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"audit-log-2026-11-20.json\"");
    let entries: Vec<Value> = serde_json::from_str(&answer.text).expect("JSON");
    assert_eq!(entries, log(&owner, "?event=lead.created").await);
    let answer = owner.post("/api/audit-logs/export", json!({"event": "lead.created"})).await.expect(200);
    assert!(answer.header("content-type").starts_with("text/csv"));
    let lines: Vec<&str> = answer.text.lines().collect();
    assert_eq!(lines.len(), 2, "{}", answer.text);
    assert!(lines[0].starts_with("\u{feff}id,occurred_at,actor_type"));
    assert!(lines[1].contains(",'=cmd|"), "{}", lines[1]);
    let exports = log(&owner, "?action=export").await;
    assert_eq!((exports.len(), &exports[0]["request"]["path"]), (2, &json!("/api/audit-logs/export")));
    owner.post("/api/audit-logs/export", json!({"format": "xml"})).await.expect_problem(422, "validation_error");
    owner.post("/api/audit-logs/export", json!({"from": "x"})).await.expect_problem(422, "validation_error");
    world.person(Role::Manager).await.post("/api/audit-logs/export", json!({})).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn organisations_see_their_own_log_alone() {
    let world = World::new().await;
    let (owner, stranger) = (world.owner().await, world.stranger().await);
    owner.post("/api/leads", lead("ada@example.com")).await.expect(201);
    let theirs = log(&stranger, "?limit=200").await;
    assert!(theirs.iter().all(|entry| entry["resource"]["id"].as_str() != Some(&DEFAULT_ORG.to_string())));
    let entry = log(&owner, "?limit=1").await.remove(0);
    let path = format!("/api/audit-logs/{}", entry["id"].as_str().expect("an id"));
    stranger.get(&path).await.expect_problem(404, "not_found");
    stranger.post(&format!("{path}/revert"), json!({})).await.expect_problem(404, "not_found");
    let by_request = format!("?request_id={}", entry["request_id"].as_str().expect("an id"));
    assert!(log(&stranger, &by_request).await.is_empty());
    let cursor = owner.get("/api/audit-logs?limit=1").await.expect(200).json();
    let cursor = cursor["meta"]["next_cursor"].as_str().expect("a cursor").to_owned();
    stranger.get(&format!("/api/audit-logs?limit=1&cursor={cursor}")).await.expect_problem(400, "invalid_query");
}
