//! CRM list tests: sorting, permission scopes, lists by parent, views, `POST …/search`, and paging during concurrent writes.

use crate::crm::{id_of, listed, made, told, world};
use daybook_domain::permission::Role;
use daybook_testing::{Person, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn tasks_come_by_due_date_with_and_without_a_state_or_an_owner() {
    let (world, owner) = world().await;
    let sales = world.person(Role::Sales).await;
    for (title, due, who) in [
        ("c", Some("2026-12-03T00:00:00Z"), &owner),
        ("a", Some("2026-12-01T00:00:00Z"), &sales),
        ("d", None, &owner),
        ("b", Some("2026-12-02T00:00:00Z"), &owner),
    ] {
        made(who, "/api/tasks", json!({"title": title, "due_date": due})).await;
    }
    let mine = owner.user.expect("a user");
    let done = listed(&owner, "/api/tasks?sort=due_date&limit=1").await[0]["id"].clone();
    owner.post(&format!("/api/tasks/{}/complete", done.as_str().expect("an id")), json!({})).await.expect(200);
    for (query, expected) in [
        ("sort=due_date".to_owned(), vec!["a", "b", "c", "d"]),
        ("sort=-due_date".to_owned(), vec!["d", "c", "b", "a"]),
        ("sort=due_date&status=todo".to_owned(), vec!["b", "c", "d"]),
        (format!("sort=due_date&assignee_id={mine}"), vec!["b", "c", "d"]),
        (format!("sort=due_date&status=done&assignee_id={mine}"), vec![]),
        ("sort=created_at".to_owned(), vec!["c", "a", "d", "b"]),
        ("sort=-created_at&status=todo".to_owned(), vec!["b", "d", "c"]),
        ("filter[due_date][lt]=2026-12-02T12:00:00Z&sort=due_date".to_owned(), vec!["a", "b"]),
    ] {
        assert_eq!(told(&owner, &format!("/api/tasks?{query}"), "title").await, expected, "{query}");
        assert_eq!(paged(&owner, &format!("/api/tasks?{query}&limit=1")).await, expected, "{query}, page by page");
    }
    let problem = owner.get("/api/tasks?sort=priority").await.expect_problem(400, "invalid_query").json();
    assert!(problem.to_string().contains("due_date"), "{problem}");
}

async fn paged(who: &Person, path: &str) -> Vec<String> {
    let (mut titles, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let after = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = who.get(&format!("{path}{after}")).await.expect(200).json();
        let data = page["data"].as_array().expect("a list");
        titles.extend(data.iter().map(|one| one["title"].as_str().expect("a title").to_owned()));
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return titles,
        }
    }
}

#[tokio::test]
async fn who_sees_only_their_own_pages_through_it_and_what_nobody_owns_and_nothing_else() {
    let (world, owner) = world().await;
    let (ada, eva) = (world.person(Role::Sales).await, world.person(Role::Sales).await);
    let mut expected = BTreeSet::new();
    for n in 0..30 {
        let (who, owner_id) = [(&ada, json!(ada.user)), (&eva, json!(eva.user)), (&owner, Value::Null)][n % 3].clone();
        let _ = who;
        let customer = made(&owner, "/api/customers", json!({"name": format!("C{n}")})).await;
        let path = format!("/api/customers/{}", customer["id"].as_str().expect("an id"));
        owner.patch(&path, json!({"owner_id": owner_id})).await.expect(200);
        let body = json!({"customer_id": customer["id"], "title": n.to_string(), "owner_id": owner_id});
        let deal = made(&owner, "/api/opportunities", body).await;
        let path = format!("/api/opportunities/{}", deal["id"].as_str().expect("an id"));
        owner.patch(&path, json!({"owner_id": owner_id})).await.expect(200);
        if n % 3 != 1 {
            expected.insert(n.to_string());
        }
    }
    for query in ["limit=3", "limit=3&sort=created_at", "limit=3&stage=lead", "limit=3&sort=close_date"] {
        let seen = paged(&ada, &format!("/api/opportunities?{query}")).await;
        assert_eq!((seen.len(), seen.into_iter().collect::<BTreeSet<_>>()), (20, expected.clone()), "{query}");
    }
    let others = listed(&owner, &format!("/api/customers?owner_id={}", eva.user.expect("a user"))).await;
    assert_eq!(others.len(), 10);
    let mine = made(&ada, "/api/customers", json!({"name": "Mine"})).await["id"].clone();
    made(&ada, "/api/contacts", json!({"name": "Eva", "customer_id": mine, "customer_ids": [mine, mine]})).await;
    let hidden = json!({"customer_id": others[0]["id"], "interaction_type": "call"});
    ada.post("/api/interactions", hidden).await.expect_problem(422, "validation_error");
    assert_eq!(listed(&ada, &format!("/api/customers?owner_id={}", eva.user.expect("a user"))).await.len(), 0);
}

#[tokio::test]
async fn a_view_is_a_list_that_is_kept() {
    let (world, owner) = world().await;
    let sales = world.person(Role::Sales).await;
    for (name, status) in [("A", "active"), ("B", "prospect"), ("C", "prospect")] {
        made(&owner, "/api/customers", json!({"name": name, "status": status})).await;
    }
    let body = json!({"name": "Prospects", "resource": "customers", "query": "status=prospect&sort=created_at"});
    let view = id_of(&owner, "/api/views", body).await;
    assert_eq!(told(&owner, &format!("/api/customers?view_id={view}"), "name").await, ["B", "C"]);
    let newest = format!("/api/customers?view_id={view}&sort=-created_at&limit=1");
    assert_eq!(told(&owner, &newest, "name").await, ["C"]);
    owner.get(&format!("/api/contacts?view_id={view}")).await.expect_problem(400, "invalid_query");
    sales.get(&format!("/api/customers?view_id={view}")).await.expect_problem(400, "invalid_query");
    owner.patch(&format!("/api/views/{view}"), json!({"owner_id": null})).await.expect(200);
    sales.get(&format!("/api/customers?view_id={view}")).await.expect(200);
    // They can neither take over nor delete a shared view.
    let path = format!("/api/views/{view}");
    sales.patch(&path, json!({"owner_id": sales.user})).await.expect_problem(403, "forbidden");
    sales.delete(&path).await.expect_problem(403, "forbidden");
    owner.delete(&path).await.expect(200);
    sales.post(&format!("{path}/restore"), json!({})).await.expect_problem(403, "forbidden");
    owner.post(&format!("{path}/restore"), json!({})).await.expect(200);
    assert_eq!(told(&owner, &format!("/api/customers?view_id={view}&search=c"), "name").await, ["C"]);
    let shared = json!({"name": "All", "resource": "customers", "query": "limit=5", "owner_id": null});
    assert_eq!(made(&owner, "/api/views", shared).await["owner_id"], Value::Null);
    for query in ["status=great", "colour=red", "cursor=x", "sort=name"] {
        let body = json!({"name": "x", "resource": "customers", "query": query});
        owner.post("/api/views", body).await.expect_problem(422, "validation_error");
    }
}

/// 10,000 records in the full set.
#[tokio::test]
async fn pages_hold_each_record_once_while_others_are_made() {
    let count = if daybook_testing::is_full() { 10_000 } else { 500 };
    let (world, owner) = world().await;
    let sales = world.person(Role::Sales).await;
    let stages = ["lead", "proposal", "lost"];
    let customer = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    let deal = |n: usize| {
        json!({"action": "create", "data": {
            "customer_id": customer, "title": format!("Deal {n}"), "stage": stages[n % 3],
            "close_date": (!n.is_multiple_of(4)).then(|| format!("2027-01-{:02}", n % 28 + 1)),
            "owner_id": ([json!(owner.user), json!(sales.user), Value::Null][n % 3]),
        }})
    };
    for first in (0..count).step_by(100) {
        let items: Vec<Value> = (first..first + 100).map(deal).collect();
        let made = owner.post("/api/opportunities/batch", json!({"items": items})).await.expect(200).json();
        assert_eq!(made["meta"]["failed"], 0, "{made}");
    }
    let mut n = count;
    for (who, query, expected) in [
        (&owner, "sort=created_at".to_owned(), count),
        (&owner, "sort=close_date".to_owned(), count),
        (&owner, "sort=-close_date&stage=lead".to_owned(), count.div_ceil(3)),
        // Their own records; the unassigned ones belong to another user's customer.
        (&sales, "sort=close_date".to_owned(), (count + 1) / 3),
        (&owner, format!("customer_id={customer}"), count),
        (&owner, "search=deal".to_owned(), count),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                who.get(&format!("/api/opportunities?limit=97&fields=title&{query}{cursor}")).await.expect(200).json();
            let data = page["data"].as_array().expect("a list");
            seen.extend(data.iter().map(|one| one["title"].as_str().expect("a title").to_owned()));
            let Some(next) = page["meta"]["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            owner.post("/api/opportunities", deal(n)["data"].clone()).await.expect(201);
            n += 1;
        }
        let old = |title: &&String| title.trim_start_matches("Deal ").parse::<usize>().expect("a number") < count;
        let once: BTreeSet<&String> = seen.iter().filter(old).collect();
        assert_eq!(seen.iter().filter(old).count(), once.len(), "{query}: something came twice");
        assert_eq!(once.len(), expected, "{query}");
    }
    let counted = owner.get("/api/opportunities?limit=1&with_total=true").await.expect(200).json();
    let total = if n > 10_000 { json!("10000+") } else { json!(n) };
    assert_eq!(counted["meta"]["total"], total);
}

#[tokio::test]
async fn a_list_of_several_parents_has_what_belongs_to_all_of_them() {
    let (_world, owner) = world().await;
    let (a, b) = (
        id_of(&owner, "/api/customers", json!({"name": "A"})).await,
        id_of(&owner, "/api/customers", json!({"name": "B"})).await,
    );
    let group = id_of(&owner, "/api/groups", json!({"name": "VIP"})).await;
    for (name, customers, groups) in
        [("both", vec![&a, &b], vec![&group]), ("first", vec![&a], vec![]), ("other", vec![&b], vec![&group])]
    {
        made(&owner, "/api/contacts", json!({"name": name, "customer_ids": customers, "group_ids": groups})).await;
    }
    let deal = id_of(&owner, "/api/opportunities", json!({"customer_id": a, "title": "ERP"})).await;
    for (title, kind, id) in [("of the deal", "opportunity", &deal), ("of the customer", "customer", &a)] {
        made(&owner, "/api/tasks", json!({"title": title, "related_to": {"type": kind, "id": id}})).await;
    }
    for (path, field, expected) in [
        (format!("contacts?customer_id={b}&group_id={group}"), "name", vec!["other", "both"]),
        (format!("contacts?group_id={group}&customer_id={b}"), "name", vec!["other", "both"]),
        (format!("contacts?customer_id={a}&customer_id={b}"), "name", vec!["both"]),
        (format!("contacts?customer_id={a}&group_id={group}&search=bo"), "name", vec!["both"]),
        (format!("tasks?customer_id={a}&related_to={deal}"), "title", vec!["of the deal"]),
        (format!("tasks?related_to={deal}&customer_id={a}"), "title", vec!["of the deal"]),
        (format!("tasks?related_to={deal}&customer_id={b}"), "title", vec![]),
    ] {
        assert_eq!(told(&owner, &format!("/api/{path}"), field).await, expected, "{path}");
    }
    let first = owner.get(&format!("/api/contacts?customer_id={b}&group_id={group}&limit=1")).await.expect(200).json();
    let cursor = first["meta"]["next_cursor"].as_str().expect("a cursor");
    let next = format!("/api/contacts?customer_id={b}&group_id={group}&limit=1&cursor={cursor}");
    assert_eq!(told(&owner, &next, "name").await, ["both"]);
    let counted = format!("/api/contacts?customer_id={b}&group_id={group}&with_total=true");
    owner.get(&counted).await.expect_problem(400, "invalid_query");
    let problem = owner.get("/api/contacts?filter[group_id][ne]=x").await.expect_problem(400, "invalid_query").json();
    assert_eq!(problem["errors"][0]["code"], "not_allowed", "{problem}");
}

/// A day, or a time without an offset, is in the organisation's time zone, in fields and in filters alike.
#[tokio::test]
async fn a_day_is_a_day_where_the_organisation_is() {
    let (_world, owner) = world().await;
    for (title, due) in [
        ("eve", "2026-11-30 23:59"),
        ("morning", "2026-12-01 00:00"),
        ("day", "2026-12-01"),
        ("next", "2026-12-02T00:00:00+08:00"),
    ] {
        made(&owner, "/api/tasks", json!({"title": title, "due_date": due})).await;
    }
    for (condition, expected) in [
        ("[eq]=2026-12-01", vec!["morning", "day"]),
        ("[lt]=2026-12-01", vec!["eve"]),
        ("[lte]=2026-12-01", vec!["eve", "morning", "day"]),
        ("[gt]=2026-12-01", vec!["next"]),
        ("[gte]=2026-12-01", vec!["morning", "day", "next"]),
        ("[between]=2026-11-30,2026-12-01", vec!["eve", "morning", "day"]),
        ("[gte]=2026-12-01 20:00", vec!["day", "next"]),
        ("[eq]=2026-11-30T16:00:00Z", vec!["morning"]),
        ("[in]=2026-11-30T15:59:00Z,2026-12-01T16:00:00.000Z", vec!["eve", "next"]),
        ("[eq]=2026-12-02T00:00:00+08:00", vec!["next"]),
    ] {
        let path = format!("/api/tasks?sort=created_at&filter[due_date]{}", condition.replace(' ', "%20"));
        assert_eq!(told(&owner, &path, "title").await, expected, "{condition}");
    }
    for wrong in ["[ne]=2026-12-01", "[in]=2026-12-01", "[eq]=soon", "[between]=2026-12-01"] {
        owner.get(&format!("/api/tasks?filter[due_date]{wrong}")).await.expect_problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn what_is_in_the_trash_is_listed_to_whoever_it_was_of() {
    let (world, owner) = world().await;
    let sales = world.person(Role::Sales).await;
    let customer = id_of(&owner, "/api/customers", json!({"name": "A"})).await;
    let deal = json!({"customer_id": customer, "title": "ERP", "stage": "proposal"});
    id_of(&owner, "/api/opportunities", deal).await;
    let theirs = id_of(&sales, "/api/customers", json!({"name": "B"})).await;
    id_of(&owner, "/api/customers", json!({"name": "C"})).await;
    for id in [&customer, &theirs] {
        owner.delete(&format!("/api/customers/{id}")).await.expect(200);
    }
    assert_eq!(told(&owner, "/api/customers?trashed=true", "name").await, ["B", "A"]);
    assert_eq!(told(&owner, "/api/customers?trashed=true&sort=created_at&limit=1", "name").await, ["A"]);
    assert_eq!(told(&sales, "/api/customers?trashed=true", "name").await, ["B"]);
    assert_eq!(told(&owner, "/api/customers", "name").await, ["C"]);
    for (query, expected) in [("stage=proposal", 1), ("stage=lead", 0), (&format!("customer_id={customer}"), 1)] {
        let path = format!("/api/opportunities?trashed=true&{query}");
        assert_eq!(listed(&owner, &path).await.len(), expected, "{query}");
    }
    let first = owner.get("/api/customers?trashed=true&limit=1").await.expect(200).json();
    let cursor = first["meta"]["next_cursor"].as_str().expect("a cursor");
    assert_eq!(told(&owner, &format!("/api/customers?trashed=true&limit=1&cursor={cursor}"), "name").await, ["A"]);
    owner.get(&format!("/api/customers?limit=1&cursor={cursor}")).await.expect_problem(400, "invalid_query");
    owner.get("/api/customers?trashed=true&search=a").await.expect_problem(400, "invalid_query");
    owner.get("/api/opportunities?trashed=true&sort=close_date").await.expect_problem(400, "invalid_query");
    owner.post(&format!("/api/customers/{customer}/restore"), json!({})).await.expect(200);
    assert_eq!(told(&owner, "/api/customers?trashed=true", "name").await, ["B"]);
    // After 30 days it is no longer listed, even if TTL hasn't removed the item yet.
    world.clock.advance(daybook_domain::record::TRASH);
    assert_eq!(told(&world.owner().await, "/api/customers?trashed=true", "name").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_condition_that_is_given_twice_is_refused() {
    let (_world, owner) = world().await;
    for query in ["status=todo&status=done", "status=todo&filter[status]=done", "limit=1&limit=2"] {
        let problem = owner.get(&format!("/api/tasks?{query}")).await.expect_problem(400, "invalid_query").json();
        assert!(problem.to_string().contains("once"), "{query}: {problem}");
    }
    owner
        .get("/api/tasks?filter[status][in]=todo,done&filter[progress][gte]=0&filter[progress][lt]=9")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_body_asks_for_a_list_as_a_query_does() {
    let (_world, owner) = world().await;
    let customer = id_of(&owner, "/api/customers", json!({"name": "Smith, Jones & Co.", "status": "prospect"})).await;
    made(&owner, "/api/customers", json!({"name": "Ada", "email": "ada@example.com"})).await;
    for (title, value) in [("small", 10), ("middle", 500), ("large", 90_000)] {
        made(&owner, "/api/opportunities", json!({"customer_id": customer, "title": title, "value": value})).await;
    }
    let found = async |path: &str, body: Value, field: &str| {
        let data = owner.post(&format!("/api/{path}/search"), body).await.expect(200).data();
        let text = |one: &Value| one[field].as_str().expect("a text").to_owned();
        data.as_array().expect("a list").iter().map(text).collect::<Vec<_>>()
    };
    for (body, expected) in [
        (json!({}), vec!["large", "middle", "small"]),
        (json!({"sort": "created_at", "limit": 2}), vec!["small", "middle"]),
        (json!({"filter": {"value": {"gte": 500}}}), vec!["large", "middle"]),
        (json!({"filter": {"value": {"between": [1, 600]}, "stage": "lead"}}), vec!["middle", "small"]),
        (json!({"filter": {"customer_id": customer, "title": ["small", "large"]}}), vec!["large", "small"]),
        (json!({"search": "mid"}), vec!["middle"]),
    ] {
        assert_eq!(found("opportunities", body.clone(), "title").await, expected, "{body}");
    }
    // Values of a list in the body may contain commas.
    let either = json!({"filter": {"name": {"in": ["Smith, Jones & Co.", "Unknown"]}}});
    assert_eq!(found("customers", either, "name").await, ["Smith, Jones & Co."]);
    let shown = owner.post("/api/customers/search", json!({"fields": ["name"], "with_total": true})).await.expect(200);
    assert_eq!((&shown.json()["meta"]["total"], &shown.data()[0]["status"]), (&json!(2), &Value::Null));

    // The cursor also works in a query string, but only for the same list.
    let page = owner.post("/api/opportunities/search", json!({"limit": 2})).await.expect(200).json();
    let cursor = page["meta"]["next_cursor"].clone();
    assert_eq!(found("opportunities", json!({"limit": 2, "cursor": cursor}), "title").await, ["small"]);
    let other = json!({"cursor": cursor, "filter": {"stage": "lost"}});
    owner.post("/api/opportunities/search", other).await.expect_problem(400, "invalid_query");

    let view = json!({"name": "Prospects", "resource": "customers", "query": "status=prospect"});
    let view = id_of(&owner, "/api/views", view).await;
    assert_eq!(found("customers", json!({"view_id": view}), "name").await, ["Smith, Jones & Co."]);
    let otherwise = json!({"view_id": view, "filter": {"status": "active"}});
    assert_eq!(found("customers", otherwise, "name").await, ["Ada"]);

    for (body, pointer) in [
        (json!({"filter": {"value": {"gte": "much"}}}), "/filter/value/gte"),
        (json!({"filter": {"value": {"about": 5}}}), "/filter/value/about"),
        (json!({"filter": {"value": null}}), "/filter/value"),
        (json!({"filter": {"colour": "red"}}), "/filter/colour"),
        (json!({"filter": {"close_date": {"lt": "soon"}}}), "/filter/close_date/lt"),
        (json!({"filter": {"stage": ["lead", {}]}}), "/filter/stage"),
        (json!({"filter": {"value": {"in": vec![1; 101]}}}), "/filter/value/in"),
        (json!({"filter": {"title": {"contains": "x".repeat(401)}}}), "/filter/title/contains"),
        (json!({"limit": 1000}), "/limit"),
        (json!({"sort": "value"}), "/sort"),
        (json!({"search": "x", "sort": "created_at"}), "/sort"),
        (json!({"view_id": view}), "/view_id"),
        (json!({"stage": "lead"}), "/stage"),
    ] {
        let problem =
            owner.post("/api/opportunities/search", body.clone()).await.expect_problem(422, "validation_error").json();
        assert_eq!(problem["errors"][0]["pointer"], json!(pointer), "{body}: {problem}");
    }
    let near = owner.get("/api/customers?viewid=x").await.expect_problem(400, "invalid_query").json();
    assert!(near.to_string().contains("view_id"), "{near}");
}

#[tokio::test]
async fn the_largest_contact_fits_a_transaction() {
    let (_world, owner) = world().await;
    let ids = async |path: &str| {
        let items: Vec<Value> =
            (0..15).map(|n| json!({"action": "create", "data": {"name": format!("N{n}")}})).collect();
        match path {
            "/api/customers" => {
                let made = owner.post("/api/customers/batch", json!({"items": items})).await.expect(200).data();
                made.as_array().expect("results").iter().map(|one| one["data"]["id"].clone()).collect::<Vec<_>>()
            }
            _ => {
                let mut all = Vec::new();
                for n in 0..15 {
                    all.push(json!(id_of(&owner, path, json!({"name": format!("N{n}")})).await));
                }
                all
            }
        }
    };
    let (customers, groups) = (ids("/api/customers").await, ids("/api/groups").await);
    let words = "汉字姓名可以很长并且每个后缀都是一个词";
    let body = json!({
        "first_name": words, "last_name": "One Two Three Four Five Six Seven", "phone": "13800138000",
        "email": "a.b.c.d.e@f.g.example.com", "customer_ids": customers, "group_ids": groups,
    });
    owner.post("/api/contacts", body.clone()).key("largest").await.expect(201);
    let mut more = body;
    more["email"] = json!("other@example.com");
    more["customer_ids"]
        .as_array_mut()
        .expect("a list")
        .push(json!(id_of(&owner, "/api/customers", json!({"name": "X"})).await));
    let problem = owner.post("/api/contacts", more).await.expect_problem(422, "validation_error").json();
    assert_eq!(problem["errors"][0]["pointer"], "/customer_ids");
}

#[tokio::test]
async fn addresses_and_numbers_are_filtered_as_they_are_claimed_in_any_spelling() {
    let world = World::new().await;
    let owner = world.owner().await;
    for (name, email, phone) in [
        ("Ada", "Ada@Example.com", "+86 138-0013-8000"),
        ("Eva", "eva@bücher.example", "010 6552 9988"),
        ("Bob", "bob@example.com", "call the desk"),
        ("Dan", "dan@example.com", "+86 10 65529988 ext. 801"),
        ("Fay", "fay@example.com", "1-2-3"),
    ] {
        owner.post("/api/customers", json!({"name": name, "email": email, "phone": phone})).await.expect(201);
    }
    for (filter, expected) in [
        ("filter[email]=ada%40example.com", "Ada"),
        ("filter[email]=ADA%40EXAMPLE.COM", "Ada"),
        ("filter[email]=eva%40xn--bcher-kva.example", "Eva"),
        ("filter[email][in]=EVA%40b%C3%BCcher.example,bob%40example.com", "Eva Bob"),
        ("filter[email][ne]=ada%40example.com", "Eva Bob Dan Fay"),
        ("filter[email]=other%40example.com", ""),
        ("filter[phone]=13800138000", "Ada"),
        ("filter[phone]=%2B8613800138000", "Ada"),
        // Without an extension it is the number of all who have it; with one, of one of them.
        ("filter[phone]=010-6552-9988", "Eva Dan"),
        ("filter[phone]=010-65529988%E8%BD%AC801", "Dan"),
        ("filter[phone]=010-65529988%E8%BD%AC802", ""),
        ("filter[phone_extension]=801", "Dan"),
        ("filter[phone]=(123)", "Fay"),
        ("filter[phone][in]=138%200013%208000,%2B861065529988", "Ada Eva Dan"),
        ("filter[phone]=call%20the%20desk", "Bob"),
        ("filter[phone][starts]=call", "Bob"),
    ] {
        let listed = owner.get(&format!("/api/customers?{filter}&sort=created_at")).await.expect(200).data();
        let names: Vec<&str> =
            listed.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(names.join(" "), expected, "{filter}");
    }
}
