//! Search and list tests for leads.

use daybook_domain::permission::Role;
use daybook_testing::{Person, World, lead};
use serde_json::{Value, json};

async fn found(person: &Person, query: &str) -> Vec<String> {
    let page = person.get(&format!("/api/leads?{query}")).await.expect(200).json();
    let email = |lead: &Value| lead["email"].as_str().expect("an address").to_owned();
    page["data"].as_array().expect("a list").iter().map(email).collect()
}

async fn people(world: &World) -> Person {
    let owner = world.owner().await;
    for (first, last, company, phone, email) in [
        ("三", "张", "示例科技有限公司", "+86-138-0013-8000", "zhang.san@example.com"),
        ("Ada", "Lovelace", "Analytical Engines", "+44 20 7946 0958", "ada@engines.example"),
        ("Grace", "Hopper", "ABC 科技", "", "grace@navy.example"),
        ("Adam", "Ada", "Adatum", "", "adam.ada@adatum.example"),
    ] {
        let body = json!({"first_name": first, "last_name": last, "company": company, "phone": phone, "email": email});
        owner.post("/api/leads", body).await.expect(201);
    }
    owner
}

#[tokio::test]
async fn people_are_found_by_what_is_known_of_them() {
    let world = World::new().await;
    let owner = people(&world).await;
    for (query, expected) in [
        ("search=%E5%BC%A0%E4%B8%89", &["zhang.san@example.com"][..]),
        ("search=lovel", &["ada@engines.example"]),
        ("search=LOVELACE+engines", &["ada@engines.example"]),
        ("search=%E7%A7%91%E6%8A%80", &["zhang.san@example.com", "grace@navy.example"]),
        ("search=abc+%E7%A7%91%E6%8A%80", &["grace@navy.example"]),
        ("search=8000", &["zhang.san@example.com"]),
        ("search=138+0013", &["zhang.san@example.com"]),
        ("search=grace%40navy.example", &["grace@navy.example"]),
        ("search=unknown", &[]),
        ("search=ada&status=new", &["ada@engines.example", "adam.ada@adatum.example"]),
        ("search=ada&status=spam", &[]),
        ("search=ada&filter[company][starts]=adat", &["adam.ada@adatum.example"]),
    ] {
        let mut hits = found(&owner, query).await;
        let mut expected: Vec<String> = expected.iter().map(|&email| email.to_owned()).collect();
        hits.sort();
        expected.sort();
        assert_eq!(hits, expected, "{query}");
    }
}

#[tokio::test]
async fn the_values_of_filters_are_what_their_fields_hold() {
    let world = World::new().await;
    let owner = people(&world).await;
    for (query, expected) in [
        ("filter[created_at][gte]=2026-11-20T20:00:00%2B08:00", 4),
        ("filter[created_at][gte]=2026-11-20T20:00:00+08:00", 4),
        ("filter[created_at][lt]=2026-11-20T20:00:00%2B08:00", 0),
        ("filter[created_at][between]=2026-11-20,2026-11-21", 4),
        ("filter[version][lte]=1.0", 4),
        ("filter[status][in]=new,%20contacted", 4),
        ("filter[phone][exists]=false", 2),
    ] {
        assert_eq!(found(&owner, query).await.len(), expected, "{query}");
    }
    for (query, code) in [
        ("filter[created_at][gte]=soon", "invalid_time"),
        ("created_at=2026-13-01", "invalid_time"),
        ("filter[created_at][between]=2026-11-20", "invalid_format"),
        ("filter[version][gt]=many", "invalid_format"),
        ("filter[phone][exists]=maybe", "not_allowed"),
        ("filter[status][in]=new,odd", "not_allowed"),
        ("filter[company_size][ne]=huge", "not_allowed"),
    ] {
        let problem = owner.get(&format!("/api/leads?{query}")).await.expect_problem(400, "invalid_query");
        assert_eq!(problem.json()["errors"][0]["code"], code, "{query}");
    }
}

#[tokio::test]
async fn pages_of_hits_repeat_and_leave_out_nobody() {
    let world = World::new().await;
    let owner = world.owner().await;
    for n in 0..60 {
        // Several words of each lead have the same beginning, so the search must remove duplicates.
        let body = json!({"first_name": format!("Ann{n}"), "last_name": format!("Annex{n}"), "company": "Anna Anno", "email": format!("ann{n}@anna.example")});
        owner.post("/api/leads", body).await.expect(201);
    }
    for limit in [1, 7, 59, 60, 200] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = owner.get(&format!("/api/leads?search=ann&limit={limit}{cursor}")).await.expect(200).json();
            let data = page["data"].as_array().expect("a list");
            assert!(data.len() <= limit);
            seen.extend(data.iter().map(|lead| lead["id"].as_str().expect("an id").to_owned()));
            match page["meta"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 60, "limit {limit}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 60, "limit {limit}");
    }
}

#[tokio::test]
async fn what_changes_is_found_by_its_new_words_at_once() {
    let world = World::new().await;
    let owner = people(&world).await;
    let page = owner.get("/api/leads?search=lovelace").await.expect(200).json();
    let path = format!("/api/leads/{}", page["data"][0]["id"].as_str().expect("an id"));
    owner.patch(&path, json!({"last_name": "King"})).await.expect(200);
    assert_eq!(found(&owner, "search=lovelace").await, Vec::<String>::new());
    assert_eq!(found(&owner, "search=king").await, ["ada@engines.example"]);
    owner.delete(&path).await.expect(200);
    assert_eq!(found(&owner, "search=king").await, Vec::<String>::new());
    owner.post(&format!("{path}/restore"), json!({})).await.expect(200);
    assert_eq!(found(&owner, "search=king").await, ["ada@engines.example"]);
}

#[tokio::test]
async fn nobody_finds_what_isn_t_theirs() {
    let world = World::new().await;
    let owner = people(&world).await;
    let stranger = world.stranger().await;
    assert_eq!(found(&stranger, "search=ada").await, Vec::<String>::new());
    let (sales, other) = (world.person(Role::Sales).await, world.person(Role::Sales).await);
    let page = owner.get("/api/leads?search=hopper").await.expect(200).json();
    let path = format!("/api/leads/{}", page["data"][0]["id"].as_str().expect("an id"));
    owner.patch(&path, json!({"owner_id": sales.user.expect("an id")})).await.expect(200);
    assert_eq!(found(&sales, "search=hopper").await, ["grace@navy.example"]);
    assert_eq!(found(&other, "search=hopper").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_search_that_can_t_be_answered_says_why() {
    let world = World::new().await;
    let owner = people(&world).await;
    for (query, place) in [
        ("search=ada&sort=created_at", "/sort"),
        ("search=%21%21", "/search"),
        ("search=ada&with_total=true", "/with_total"),
        ("with_total=maybe", "/with_total"),
        ("fields=emial", "/fields"),
        ("serch=ada", "/serch"),
        ("search=ada&cursor=x", "/cursor"),
    ] {
        let answer = owner.get(&format!("/api/leads?{query}")).await.expect_problem(400, "invalid_query");
        assert_eq!(answer.violations()[0].0, place, "{query}");
    }
    let page = owner.get("/api/leads?search=a&limit=1").await.expect(200).json();
    let cursor = page["meta"]["next_cursor"].as_str().expect("a cursor");
    owner.get(&format!("/api/leads?search=b&cursor={cursor}")).await.expect_problem(400, "invalid_query");
    owner.get(&format!("/api/leads?cursor={cursor}")).await.expect_problem(400, "invalid_query");
}

#[tokio::test]
async fn a_list_shows_the_fields_asked_for_and_counts_itself() {
    let world = World::new().await;
    let owner = people(&world).await;
    let page = owner.get("/api/leads?fields=email,status&with_total=true&limit=2").await.expect(200).json();
    assert_eq!((&page["meta"]["total"], &page["meta"]["count"]), (&json!(4), &json!(2)));
    let names: Vec<&String> = page["data"][0].as_object().expect("an object").keys().collect();
    assert_eq!(names, ["email", "id", "status"]);
    let page = owner.get("/api/leads?status=spam&with_total=true").await.expect(200).json();
    assert_eq!(page["meta"]["total"], 0);
}

#[tokio::test]
async fn a_timeline_shows_posts_demos_and_mails_page_by_page() {
    let world = World::new().await;
    let (visitor, owner) = (world.visitor(), world.owner().await);
    let told = visitor.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    world.work().await;
    world.clock.advance(std::time::Duration::from_secs(60));
    visitor.post(&format!("/api/leads/{told}/demo"), json!({"attendees_count": 2})).await.expect(201);
    world.work().await;
    let kinds = async |query: &str| {
        let page = owner.get(&format!("/api/leads/{told}/timeline{query}")).await.expect(200).json();
        let data = page["data"].as_array().expect("a list").clone();
        let kind = |moment: &Value| moment["type"].as_str().expect("a type").to_owned();
        (data.iter().map(kind).collect::<Vec<_>>(), page["meta"]["next_cursor"].clone())
    };
    let (all, end) = kinds("").await;
    assert_eq!((all.len(), &end), (8, &Value::Null), "{all:?}");
    assert_eq!(all.iter().filter(|kind| *kind == "mail").count(), 4, "{all:?}");
    assert_eq!((all[6].as_str(), all[7].as_str()), ("submission", "change"));
    assert_eq!((all[6].as_str(), all.iter().filter(|kind| *kind == "demo").count()), ("submission", 1));
    let (mut paged, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let (some, next) = kinds(&query).await;
        paged.extend(some);
        match next.as_str() {
            Some(next) => query = format!("?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    owner.get(&format!("/api/leads/{told}/timeline?cursor=x")).await.expect_problem(400, "invalid_query");
    world.stranger().await.get(&format!("/api/leads/{told}/timeline")).await.expect_problem(404, "not_found");
}
