//! Paging tests: pages and cursors of lists.

use daybook_testing::{World, lead};
use std::collections::HashSet;

async fn world_with_leads(count: usize) -> World {
    let world = World::new().await;
    let visitor = world.visitor();
    for n in 0..count {
        visitor.post("/api/leads", lead(&format!("lead{n}@example.com"))).await.expect(201);
    }
    world
}

#[tokio::test]
async fn pages_of_any_size_hold_each_record_once_also_with_new_ones_in_between() {
    let world = world_with_leads(60).await;
    let owner = world.owner().await;
    for limit in [1, 7, 20, 59, 60, 61, 200] {
        let mut seen: Vec<String> = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = owner.get(&format!("/api/leads?limit={limit}{cursor}")).await.expect(200).json();
            let items = page["data"].as_array().expect("a list");
            assert_eq!(page["meta"]["count"], items.len());
            seen.extend(items.iter().map(|item| item["email"].as_str().expect("an address").to_owned()));
            let Some(next) = page["meta"]["next_cursor"].as_str() else { break };
            assert_eq!(items.len(), limit, "a page with a cursor is full");
            world
                .visitor()
                .post("/api/leads", lead(&format!("new{limit}-{}@example.com", seen.len())))
                .await
                .expect(201);
            cursor = format!("&cursor={next}");
        }
        let old: HashSet<&String> = seen.iter().filter(|email| email.starts_with("lead")).collect();
        assert_eq!(old.len(), 60, "limit {limit}");
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len(), "limit {limit}: something came twice");
    }
}

#[tokio::test]
async fn the_newest_come_first_unless_asked_otherwise() {
    let world = world_with_leads(3).await;
    let owner = world.owner().await;
    let emails = async |query: &str| {
        let page = owner.get(&format!("/api/leads{query}")).await.expect(200).data();
        page.as_array()
            .expect("a list")
            .iter()
            .map(|item| item["email"].as_str().expect("a text").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(emails("").await, ["lead2@example.com", "lead1@example.com", "lead0@example.com"]);
    assert_eq!(emails("?sort=created_at").await, ["lead0@example.com", "lead1@example.com", "lead2@example.com"]);
}

#[tokio::test]
async fn a_cursor_that_was_altered_or_belongs_elsewhere_is_refused() {
    let world = world_with_leads(5).await;
    let owner = world.owner().await;
    let page = owner.get("/api/leads?limit=2").await.expect(200).json();
    let cursor = page["meta"]["next_cursor"].as_str().expect("a cursor").to_owned();
    owner.get(&format!("/api/leads?limit=3&cursor={cursor}")).await.expect(200);

    let refused = async |path: String, who: &daybook_testing::Person| {
        let answer = who.get(&path).await.expect_problem(400, "invalid_query");
        assert_eq!(answer.violations(), [("/cursor".to_owned(), "invalid_cursor".to_owned())]);
    };
    for n in (0..cursor.len()).step_by(5) {
        let mut bytes = cursor.clone().into_bytes();
        bytes[n] = if bytes[n] == b'A' { b'B' } else { b'A' };
        refused(format!("/api/leads?cursor={}", String::from_utf8(bytes).expect("text")), &owner).await;
    }
    refused(format!("/api/leads?status=new&cursor={cursor}"), &owner).await;
    refused(format!("/api/leads?sort=created_at&cursor={cursor}"), &owner).await;
    refused(format!("/api/leads?company=x&cursor={cursor}"), &owner).await;
    refused(format!("/api/leads?cursor={cursor}"), &world.stranger().await).await;
    for bad in ["x", "%00", "AAAA"] {
        refused(format!("/api/leads?cursor={bad}"), &owner).await;
    }
}

#[tokio::test]
async fn filters_narrow_a_list_by_index_or_by_looking() {
    let world = world_with_leads(4).await;
    let owner = world.owner().await;
    let all = world.leads(&owner).await;
    let id = |n: usize| all[n]["id"].as_str().expect("an id").to_owned();
    let me = owner.user.expect("a user");
    owner
        .patch(&format!("/api/leads/{}", id(0)), serde_json::json!({"status": "contacted", "company": "ABC"}))
        .await
        .expect(200);
    owner
        .patch(&format!("/api/leads/{}", id(1)), serde_json::json!({"owner_id": me, "status": "contacted"}))
        .await
        .expect(200);
    let count =
        async |query: &str| owner.get(&format!("/api/leads?{query}")).await.expect(200).json()["meta"]["count"].clone();

    assert_eq!(count("status=contacted").await, 2);
    assert_eq!(count("filter[status]=contacted").await, 2);
    assert_eq!(count(&format!("owner_id={me}")).await, 1);
    assert_eq!(count(&format!("owner_id={me}&status=contacted")).await, 1);
    assert_eq!(count(&format!("status=new&owner_id={me}")).await, 0);
    assert_eq!(count("company=ABC").await, 1);
    assert_eq!(count("filter[company][contains]=ab").await, 1);
    assert_eq!(count("filter[status][in]=contacted,new").await, 4);
    assert_eq!(count("filter[owner_id][exists]=false").await, 3);
    assert_eq!(count("filter[created_at][gte]=2026-11-20").await, 4);

    let refused = async |query: &str, pointer: &str, code: &str| {
        let answer = owner.get(&format!("/api/leads?{query}")).await.expect_problem(400, "invalid_query");
        assert_eq!(answer.violations(), [(pointer.to_owned(), code.to_owned())], "{query}");
    };
    refused("statsu=new", "/statsu", "unknown_field").await;
    refused("status=nwe", "/status", "not_allowed").await;
    refused("sort=email", "/sort", "not_allowed").await;
    refused("limit=0", "/limit", "out_of_range").await;
    refused("limit=201", "/limit", "out_of_range").await;
    refused("filter[company][like]=x", "/filter[company][like]", "not_allowed").await;
    refused("owner_id=unknown", "/owner_id", "invalid_id").await;
    let answer = owner.get("/api/leads?statsu=new").await.json();
    assert!(answer["errors"][0]["message"].as_str().expect("a text").contains("status"), "{answer}");
}
