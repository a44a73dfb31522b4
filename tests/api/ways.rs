//! The matrix of ways in: what a caller may not do to a record directly, the caller may not do in any other way. Each
//! actor that a record's own routes refuse tries every route that names the record or its type, batches, undo, restore,
//! lists, searches and the audit log, with a session and with an API key. New routes join by themselves.

use crate::access::{Ids, full_world, routes, send};
use axum::http::Method;
use daybook_domain::permission::{Permission, Resource, Role, RoleRef, Scope};
use daybook_http::Route;
use daybook_testing::{Answer, Person, World, lead};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The types with owners and a route to change them, by the parts of their paths and the field of their owner.
const KINDS: [(&str, &str); 8] = [
    ("leads", "owner_id"),
    ("demos", "owner_id"),
    ("customers", "owner_id"),
    ("contacts", "owner_id"),
    ("interactions", "owner_id"),
    ("opportunities", "owner_id"),
    ("tasks", "assignee_id"),
    ("views", "owner_id"),
];

/// A refused caller, and why.
struct Actor {
    why: &'static str,
    person: Person,
}

/// All permissions of one scope.
pub(crate) fn permissions(scope: Scope) -> Vec<String> {
    let of_scope = |one: &Permission| if one.resource.is_owned() { one.scope == scope } else { true };
    Permission::catalogue().filter(of_scope).map(|one| one.to_string()).collect()
}

pub(crate) async fn role(owner: &Person, name: &str, permissions: &[impl AsRef<str>]) -> RoleRef {
    let permissions: Vec<&str> = permissions.iter().map(AsRef::as_ref).collect();
    let body = json!({"name": name, "permissions": permissions});
    owner.post("/api/roles", body).await.expect(201).id().parse().expect("a role")
}

pub(crate) async fn with_role(world: &World, owner: &Person, name: &str, permissions: &[&str]) -> Person {
    world.person(role(owner, name, permissions).await).await
}

pub(crate) async fn key_of(world: &World, person: &Person, permissions: &[String]) -> Person {
    let body = json!({"name": "A program", "permissions": permissions});
    let made = person.post("/api/api-keys", body).await.expect(201).data();
    world.visitor().with_token(made["key"].as_str().expect("a secret"))
}

/// The callers that must be refused whatever they try with records of another owner.
async fn actors(world: &World, owner: &Person) -> Vec<Actor> {
    let (all, own) = (permissions(Scope::All), permissions(Scope::Own));
    let stranger = world.stranger().await;
    let stranger_key = key_of(world, &stranger, &all).await;
    let other = world.person(role(owner, "Own alone", &own).await).await;
    let other_key = key_of(world, &other, &own).await;
    let demoted = world.person(Role::Admin).await;
    let demoted_key = key_of(world, &demoted, &all).await;
    let demotion = json!({"role": role(owner, "Own, by demotion", &own).await.to_string()});
    let demoted_path = format!("/api/users/{}", demoted.user.expect("a user"));
    owner.patch(&demoted_path, demotion).await.expect(200);
    let suspended = world.person(Role::Admin).await;
    let suspended_key = key_of(world, &suspended, &all).await;
    let suspended_path = format!("/api/users/{}", suspended.user.expect("a user"));
    owner.patch(&suspended_path, json!({"status": "suspended"})).await.expect(200);
    let few = key_of(world, owner, &["audit:read".to_owned(), "audit:export".to_owned()]).await;
    let actor = |why, person| Actor { why, person };
    vec![
        actor("another organisation", stranger),
        actor("another organisation's key", stranger_key),
        actor("another owner", other),
        actor("another owner's key", other_key),
        actor("demoted meanwhile", demoted),
        actor("a key of a user who was demoted meanwhile", demoted_key),
        actor("a key of a suspended user", suspended_key),
        actor("a key with too little", few),
    ]
}

/// Callers who read the records of all owners, and may change none.
async fn readers(world: &World, owner: &Person) -> Vec<Actor> {
    let reading: Vec<String> = permissions(Scope::All).into_iter().filter(|one| one.contains(":read")).collect();
    let undoing = [reading.clone(), vec!["audit:revert".to_owned()]].concat();
    let undoer = world.person(role(owner, "Reads all and undoes", &undoing).await).await;
    let actor = |why, person| Actor { why, person };
    vec![
        actor(VIEWER, world.person(Role::Viewer).await),
        actor("a role that reads all", world.person(role(owner, "Reads all", &reading).await).await),
        actor("a key that reads all", key_of(world, owner, &reading).await),
        actor("a role that reads all and undoes", undoer),
        actor("a key that reads all and undoes", key_of(world, owner, &undoing).await),
    ]
}

/// The reader with a built-in role. Of views it reads its own alone.
const VIEWER: &str = "a viewer";

/// The newest entry about a record.
pub(crate) async fn newest(owner: &Person, id: &str) -> String {
    let entries = owner.get(&format!("/api/audit-logs?resource_id={id}&limit=1")).await.expect(200).data();
    entries[0]["id"].as_str().expect("an entry").to_owned()
}

/// Whether an answer says no, and tells nothing of the record.
pub(crate) fn refuses(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 401 | 403 | 404)
}

/// A world with a record of every kind that belongs to Ada, with secrets in their texts.
async fn ada_s_world() -> (World, Person, Person, Ids) {
    let (world, owner, ids) = full_world().await;
    let ada = world.person(Role::Admin).await;
    for (kind, field) in KINDS {
        owner.patch(&format!("/api/{kind}/{}", ids[kind]), json!({field: ada.user})).await.expect(200);
    }
    (world, owner, ada, ids)
}

fn texts(kind: &str) -> Value {
    match kind {
        "leads" => json!({"first_name": "Canaryname"}),
        "demos" | "interactions" => json!({"notes": "Canarynotes"}),
        "opportunities" | "tasks" => json!({"title": "Canarytitle"}),
        _ => json!({"name": "Canaryname"}),
    }
}

/// Changes the record of a kind: the record, and its new entry in the audit log as an owner sees it.
async fn changed_by(person: &Person, owner: &Person, kind: &str, ids: &Ids) -> (Value, String) {
    let one = format!("/api/{kind}/{}", ids[kind]);
    let changed = person.patch(&one, texts(kind)).header("x-request-id", &format!("change-{kind}")).await.expect(200);
    (changed.data(), newest(owner, &ids[kind]).await)
}

#[tokio::test]
async fn what_one_way_refuses_all_refuse() {
    let (world, owner, ada, ids) = ada_s_world().await;
    let all = actors(&world, &owner).await;
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    for (kind, _) in KINDS {
        let one = format!("/api/{kind}/{}", ids[kind]);
        let (changed, entry) = changed_by(&ada, &owner, kind, &ids).await;
        for Actor { why, person } in &all {
            assert!(refuses(&person.get(&one).await), "{why} reads {one}, so the matrix proves nothing");
            let tries = tried.entry(*why).or_default();
            for route in routes().iter().filter(|route| names(route, kind)) {
                let answer = send(person, route, &ids).await;
                assert!(refuses(&answer), "{why}: {route:?} answers {}", answer.text);
                *tries += 1;
            }
            *tries += batches(person, why, kind, &ids).await;
            *tries += undoing(person, why, kind, &entry).await;
            *tries += reading(person, why, kind, &ids, &entry).await;
        }
        let now = owner.get(&one).await.expect(200).data();
        assert_eq!(now, changed, "{one} was changed");
    }
    assert_eq!(tried.len(), all.len());
    assert!(tried.values().all(|tries| *tries > 200), "{tried:?}");
}

/// Whether a route names one record of a kind.
fn names(route: &Route, kind: &str) -> bool {
    route.path.starts_with(&format!("/api/{kind}/{{id}}"))
}

#[tokio::test]
async fn what_a_reader_may_not_change_directly_it_changes_by_no_way() {
    let (world, owner, ada, ids) = ada_s_world().await;
    let all = readers(&world, &owner).await;
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    for (kind, _) in KINDS {
        let one = format!("/api/{kind}/{}", ids[kind]);
        let (changed, entry) = changed_by(&ada, &owner, kind, &ids).await;
        for Actor { why, person } in &all {
            if (*why, kind) != (VIEWER, "views") {
                assert_eq!(person.get(&one).await.expect(200).data(), changed, "{why} doesn't read {one}");
            }
            *tried.entry(*why).or_default() += changing(person, why, kind, &ids, &entry).await;
        }
        let now = owner.get(&one).await.expect(200).data();
        assert_eq!(now, changed, "{one} was changed");
    }
    assert_eq!(tried.len(), all.len());
    assert!(tried.values().all(|tries| *tries >= 80), "{tried:?}");
}

/// Tries to change a record by each of its routes, by batches and by undo, as a caller who may change none.
async fn changing(person: &Person, why: &str, kind: &str, ids: &Ids, entry: &str) -> usize {
    let mut answers = Vec::new();
    for route in routes().iter().filter(|route| names(route, kind) && route.method != Method::GET) {
        answers.push((format!("{route:?}"), send(person, route, ids).await));
    }
    let batch = format!("/api/{kind}/batch");
    if routes().iter().any(|route| route.path == batch) {
        for item in [
            json!({"action": "update", "id": ids[kind], "data": {"owner_id": null}}),
            json!({"action": "delete", "id": ids[kind]}),
            json!({"action": "restore", "id": ids[kind]}),
        ] {
            for atomic in [true, false] {
                let answer = person.post(&format!("{batch}?atomic={atomic}"), json!({"items": [item]})).await;
                answers.push((format!("a batch with {item}"), answer));
            }
        }
    }
    let by_entry = person.post(&format!("/api/audit-logs/{entry}/revert"), json!({})).await;
    answers.push(("undoing the entry".to_owned(), by_entry));
    let by_request = json!({"request_id": format!("change-{kind}")});
    answers.push(("undoing the request".to_owned(), person.post("/api/audit-logs/revert", by_request).await));
    for (what, answer) in &answers {
        assert_eq!(answer.status.as_u16(), 403, "{why}: {what} of {kind} answers {}", answer.text);
    }
    answers.len()
}

#[tokio::test]
async fn what_may_be_changed_but_not_deleted_is_deleted_by_no_way() {
    let (world, owner, _, ids) = ada_s_world().await;
    let without = |one: &String| !one.contains(":delete") && !one.contains(":manage");
    let but_delete: Vec<String> = permissions(Scope::All).into_iter().filter(without).collect();
    let editor = world.person(role(&owner, "Editor", &but_delete).await).await;
    let key = key_of(&world, &owner, &but_delete).await;
    let (mut kinds, mut batches) = (0, 0);
    for (kind, _) in KINDS {
        let path = format!("/api/{kind}/{{id}}");
        if !routes().iter().any(|route| route.method == Method::DELETE && route.path == path) {
            continue;
        }
        kinds += 1;
        let one = format!("/api/{kind}/{}", ids[kind]);
        let before = editor.patch(&one, texts(kind)).await.expect(200).data();
        let created = format!("/api/audit-logs?resource_id={}&sort=occurred_at&limit=1", ids[kind]);
        let created = owner.get(&created).await.expect(200).data();
        let undo = format!("/api/audit-logs/{}/revert", created[0]["id"].as_str().expect("an entry"));
        let batch = format!("/api/{kind}/batch");
        let has_batch = routes().iter().any(|route| route.path == batch);
        for (why, person) in [("an editor", &editor), ("an editor's key", &key)] {
            person.delete(&one).await.expect_problem(403, "forbidden");
            person.post(&undo, json!({})).await.expect_problem(403, "forbidden");
            if has_batch {
                let delete = json!([{"action": "delete", "id": ids[kind]}]);
                let atomic = format!("{batch}?atomic=true");
                person.post(&atomic, json!({"items": delete})).await.expect_problem(403, "forbidden");
                let answer = person.post(&batch, json!({"items": delete})).await;
                let part = answer.json()["data"][0]["status"].clone();
                assert_eq!(part, 403, "{why}: a batch of {kind} answers {}", answer.text);
                batches += 2;
            }
        }
        assert_eq!(owner.get(&one).await.expect(200).data(), before, "{one} was changed");
    }
    assert!(kinds >= 7 && batches >= 20, "{kinds} kinds, {batches} batches");
}

/// Changes and deletes the record in batches of its kind and of all that have batches.
async fn batches(person: &Person, why: &str, kind: &str, ids: &Ids) -> usize {
    let path = format!("/api/{kind}/batch");
    if !routes().iter().any(|route| route.path == path) {
        return 0;
    }
    for item in [
        json!({"action": "update", "id": ids[kind], "data": texts(kind)}),
        json!({"action": "delete", "id": ids[kind]}),
    ] {
        for atomic in [true, false] {
            let answer = person.post(&format!("{path}?atomic={atomic}"), json!({"items": [item]})).await;
            let part = answer.json()["data"][0]["status"].as_u64().unwrap_or_default();
            let refused = refuses(&answer) || [401, 403, 404].contains(&part);
            assert!(refused, "{why}: a batch of {kind} answers {}", answer.text);
            assert!(!answer.text.contains("Canary"), "{why}: a batch of {kind} shows {}", answer.text);
        }
    }
    4
}

async fn undoing(person: &Person, why: &str, kind: &str, entry: &str) -> usize {
    let by_entry = person.post(&format!("/api/audit-logs/{entry}/revert"), json!({})).await;
    assert!(refuses(&by_entry), "{why}: undoing a change of {kind} answers {}", by_entry.text);
    let by_request = json!({"request_id": format!("change-{kind}")});
    let by_request = person.post("/api/audit-logs/revert", by_request).await;
    let refused = refuses(&by_request) || by_request.status.as_u16() == 422;
    assert!(refused, "{why}: undoing the request of {kind} answers {}", by_request.text);
    for answer in [by_entry, by_request] {
        assert!(!answer.text.contains("Canary"), "{why}: undoing {kind} shows {}", answer.text);
    }
    2
}

/// Reads the record in lists, searches, exports, timelines of its parents and the audit log.
async fn reading(person: &Person, why: &str, kind: &str, ids: &Ids, entry: &str) -> usize {
    let (id, customer, lead) = (&ids[kind], &ids["customers"], &ids["leads"]);
    let singular =
        kind.strip_suffix("ies").map_or_else(|| kind.trim_end_matches('s').to_owned(), |stem| stem.to_owned() + "y");
    let mut paths = vec![
        format!("/api/{kind}"),
        format!("/api/{kind}?trashed=true"),
        format!("/api/{kind}?search=canary"),
        format!("/api/{kind}?customer_id={customer}"),
        format!("/api/{kind}?lead_id={lead}"),
        format!("/api/audit-logs?resource_id={id}"),
        format!("/api/audit-logs/resources/{singular}/{id}"),
        format!("/api/foundation/audit-logs/resources/{singular}/{id}"),
        format!("/api/audit-logs/{entry}"),
        "/api/audit-logs".to_owned(),
        "/api/jobs".to_owned(),
        "/api/opportunities/board".to_owned(),
    ];
    let timelines = ["customers", "leads", "contacts"].map(|parent| format!("/api/{parent}/{}/timeline", ids[parent]));
    paths.extend(timelines);
    for path in &paths {
        let text = person.get(path).await.text;
        assert!(!text.contains("Canary"), "{why}: {path} shows {text}");
    }
    for format in ["csv", "json"] {
        let text = person.post("/api/audit-logs/export", json!({"format": format})).await.text;
        assert!(!text.contains("Canary"), "{why}: the export shows {text}");
    }
    let found = person.post(&format!("/api/{kind}/search"), json!({"limit": 200})).await.text;
    assert!(!found.contains("Canary"), "{why}: a search of {kind} shows {found}");
    paths.len() + 3
}

#[tokio::test]
async fn a_trashed_record_comes_back_by_no_way_that_may_not_delete_it() {
    let (world, owner, ada, ids) = ada_s_world().await;
    let (all, readers) = (actors(&world, &owner).await, readers(&world, &owner).await);
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    for kind in ["leads", "contacts", "interactions", "opportunities", "tasks", "customers"] {
        let one = format!("/api/{kind}/{}", ids[kind]);
        ada.delete(&one).header("x-request-id", &format!("delete-{kind}")).await.expect(200);
        let entry = newest(&owner, &ids[kind]).await;
        for Actor { why, person } in &all {
            let back = person.post(&format!("{one}/restore"), json!({})).await;
            assert!(refuses(&back), "{why} restores {one}: {}", back.text);
            undoing(person, why, kind, &entry).await;
            let by_request =
                person.post("/api/audit-logs/revert", json!({"request_id": format!("delete-{kind}")})).await;
            assert!(refuses(&by_request) || by_request.status.as_u16() == 422, "{why}: {}", by_request.text);
            *tried.entry(*why).or_default() += 4 + finding(person, why, kind, &ids[kind]).await;
        }
        for Actor { why, person } in &readers {
            let mut answers = vec![
                person.post(&format!("{one}/restore"), json!({})).await,
                person.post(&format!("/api/audit-logs/{entry}/revert"), json!({})).await,
                person.post("/api/audit-logs/revert", json!({"request_id": format!("delete-{kind}")})).await,
            ];
            if routes().iter().any(|route| route.path == format!("/api/{kind}/batch")) {
                for atomic in [true, false] {
                    let items = json!([{"action": "restore", "id": ids[kind]}]);
                    let batch = format!("/api/{kind}/batch?atomic={atomic}");
                    answers.push(person.post(&batch, json!({"items": items})).await);
                }
            }
            for answer in &answers {
                assert_eq!(answer.status.as_u16(), 403, "{why} brings {one} back: {}", answer.text);
            }
            *tried.entry(*why).or_default() += answers.len();
        }
        owner.get(&one).await.expect_problem(404, "not_found");
        let trash = owner.get(&format!("/api/{kind}?trashed=true")).await.expect(200).text;
        assert!(trash.contains(&ids[kind]), "{one} isn't in the trash, so the test proves nothing");
        owner.post(&format!("{one}/restore"), json!({})).await.expect(200);
    }
    assert_eq!(tried.len(), all.len() + readers.len());
    assert!(tried.values().all(|tries| *tries > 25), "{tried:?}");
}

/// Looks for a record in the lists, the trash and the searches of its kind, by a caller who may not find it.
async fn finding(person: &Person, why: &str, kind: &str, id: &str) -> usize {
    let path = |query: &str| format!("/api/{kind}{query}");
    let mut answers = Vec::new();
    for query in ["", "?limit=200", "?trashed=true", "?search=canary", "?search=a"] {
        answers.push((query, person.get(&path(query)).await));
    }
    for body in [json!({}), json!({"trashed": true}), json!({"search": "canary"})] {
        answers.push(("/search", person.post(&path("/search"), body).await));
    }
    for (query, answer) in &answers {
        let shows = answer.text.contains(id) || answer.text.contains("Canary");
        assert!(!shows, "{why}: {} shows {}", path(query), answer.text);
    }
    answers.len()
}

#[tokio::test]
async fn a_child_without_an_owner_is_in_the_reach_of_its_parents() {
    let world = World::new().await;
    let owner = world.owner().await;
    let own = role(&owner, "Own alone", &permissions(Scope::Own)).await;
    let (ada, eva) = (world.person(own).await, world.person(own).await);
    let made = async |path: &str, body: Value| owner.post(path, body).await.expect(201).id();
    let posted = world.visitor().post("/api/demos", lead("ada@example.com")).await.expect(201);
    let demo = posted.id();
    let (lead_id, submission) = (demo.replace("demo_", "lead_"), demo.replace("demo_", "sub_"));
    let customer = made("/api/customers", json!({"name": "Canary", "owner_id": null})).await;
    let unassigned = |mut body: Value, field: &str| {
        body[field] = Value::Null;
        body
    };
    let contact = json!({"name": "Canary", "customer_id": customer});
    let contact = made("/api/contacts", unassigned(contact, "owner_id")).await;
    let call = json!({"customer_id": customer, "interaction_type": "call", "notes": "Canary"});
    let call = made("/api/interactions", unassigned(call, "owner_id")).await;
    let deal = json!({"customer_id": customer, "title": "Canary"});
    let deal = made("/api/opportunities", unassigned(deal, "owner_id")).await;
    let related = json!({"type": "contact", "id": contact});
    let task = made("/api/tasks", unassigned(json!({"title": "Canary", "related_to": related}), "assignee_id")).await;
    let children = [
        ("demos", &demo),
        ("submissions", &submission),
        ("contacts", &contact),
        ("interactions", &call),
        ("opportunities", &deal),
        ("tasks", &task),
    ];
    for (kind, id) in children {
        eva.get(&format!("/api/{kind}/{id}")).await.expect(200);
    }
    owner.patch(&format!("/api/leads/{lead_id}"), json!({"owner_id": ada.user})).await.expect(200);
    owner.patch(&format!("/api/customers/{customer}"), json!({"owner_id": ada.user})).await.expect(200);
    for (kind, id) in children {
        let one = format!("/api/{kind}/{id}");
        ada.get(&one).await.expect(200);
        eva.get(&one).await.expect_problem(404, "not_found");
        let count = async |person: &Person, query: &str| {
            person.get(&format!("/api/{kind}{query}")).await.expect(200).json()["meta"]["count"].clone()
        };
        assert_eq!((count(&ada, "").await, count(&eva, "").await), (json!(1), json!(0)), "{kind}");
        let searched = routes().iter().any(|route| route.path == format!("/api/{kind}/search"));
        if searched && ["contacts", "opportunities", "tasks"].contains(&kind) {
            assert_eq!(count(&eva, "?search=canary").await, 0, "{kind}");
        }
        if routes().iter().any(|route| route.path == format!("/api/{kind}/{{id}}") && route.method == Method::PATCH) {
            eva.patch(&one, texts(kind)).await.expect_problem(404, "not_found");
            ada.patch(&one, texts(kind)).await.expect(200);
        }
    }
    eva.post(&format!("/api/submissions/{submission}/spam"), json!({})).await.expect_problem(404, "not_found");
    let related = json!({"title": "Other", "related_to": {"type": "contact", "id": contact}});
    eva.post("/api/tasks", related).await.expect_problem(422, "validation_error");
    let of_customer = format!("/api/interactions?customer_id={customer}");
    assert_eq!(eva.get(&of_customer).await.expect(200).json()["meta"]["count"], 0);
    let board = eva.get("/api/opportunities/board").await.expect(200).text;
    assert!(!board.contains(&deal), "{board}");
}

/// The ways in which a caller finds the record of a kind, and whether each of them shows it.
async fn shown(person: &Person, kind: &str, id: &str, customer: &str) -> Vec<(String, bool)> {
    let mut paths = vec![
        format!("/api/{kind}?limit=200"),
        format!("/api/{kind}?customer_id={customer}"),
        format!("/api/customers/{customer}/timeline?limit=200"),
    ];
    let mut bodies = vec![json!({"limit": 200}), json!({"filter": {"customer_id": customer}})];
    if kind != "interactions" {
        paths.push(format!("/api/{kind}?search=canary"));
        bodies.push(json!({"search": "canary"}));
    }
    if kind == "opportunities" {
        paths.push("/api/opportunities/board?limit=200".to_owned());
    }
    let one = person.get(&format!("/api/{kind}/{id}")).await;
    let mut ways = vec![("GET".to_owned(), one.status.is_success())];
    for path in paths {
        let answer = person.get(&path).await;
        // The timeline of a record out of reach says nothing of what one finds by other ways.
        if answer.status.as_u16() == 404 && path.contains("timeline") {
            continue;
        }
        ways.push((path, answer.expect(200).text.contains(id)));
    }
    for body in bodies {
        let answer = person.post(&format!("/api/{kind}/search"), body.clone()).await.expect(200);
        ways.push((body.to_string(), answer.text.contains(id)));
    }
    ways
}

#[tokio::test]
async fn timelines_lists_searches_and_the_trash_agree_on_the_children_of_a_customer() {
    let world = World::new().await;
    let owner = world.owner().await;
    let own = role(&owner, "Own alone", &permissions(Scope::Own)).await;
    let (ada, eva) = (world.person(own).await, world.person(own).await);
    let made = async |path: &str, body: Value| owner.post(path, body).await.expect(201).id();
    let customer = made("/api/customers", json!({"name": "Canary", "owner_id": eva.user})).await;
    let mut children = Vec::new();
    for (kind, field, body) in [
        ("contacts", "owner_id", json!({"name": "Canary", "customer_id": customer})),
        ("interactions", "owner_id", json!({"customer_id": customer, "interaction_type": "call", "notes": "Canary"})),
        ("opportunities", "owner_id", json!({"customer_id": customer, "title": "Canary"})),
        ("tasks", "assignee_id", json!({"title": "Canary", "related_to": {"type": "customer", "id": customer}})),
    ] {
        for (of, person) in [("of none", None), ("Ada's", ada.user), ("Eva's", eva.user)] {
            let mut body = body.clone();
            body[field] = json!(person);
            children.push((kind, of, made(&format!("/api/{kind}"), body).await));
        }
    }
    ada.get(&format!("/api/customers/{customer}/timeline")).await.expect_problem(404, "not_found");
    // Those without an owner are in the reach of the customer's owner.
    let callers = |of: &str| [("Ada", &ada, of == "Ada's"), ("Eva", &eva, of != "Ada's"), ("all", &owner, true)];
    let mut seen = 0;
    for (kind, of, id) in &children {
        for (who, person, sees) in callers(of) {
            let ways = shown(person, kind, id, &customer).await;
            assert!(ways.iter().all(|(_, shows)| *shows == sees), "{who}, {kind} {of}: {ways:?}");
            assert_eq!(ways.iter().any(|(way, _)| way.contains("timeline")), who != "Ada", "{ways:?}");
            seen += usize::from(sees);
        }
    }
    assert_eq!(seen, 4 * (1 + 2 + 3));
    for (kind, of, id) in &children {
        owner.delete(&format!("/api/{kind}/{id}")).await.expect(200);
        for (who, person, sees) in callers(of) {
            let trash = person.get(&format!("/api/{kind}?trashed=true")).await.expect(200).text;
            let searched = person.post(&format!("/api/{kind}/search"), json!({"trashed": true})).await.expect(200).text;
            assert_eq!([trash.contains(id), searched.contains(id)], [sees; 2], "{who}, the trash of {kind} {of}");
            let ways = shown(person, kind, id, &customer).await;
            assert!(ways.iter().all(|(_, shows)| !shows), "{who}, {kind} {of} in the trash: {ways:?}");
        }
    }
}

#[test]
fn every_owned_kind_with_a_route_to_change_it_is_in_the_matrix() {
    let mut missing = Vec::new();
    for route in routes() {
        let Some(kind) = route.path.strip_prefix("/api/").and_then(|rest| rest.strip_suffix("/{id}")) else { continue };
        // What users keep for themselves has one scope; tests/api/chat has its rights.
        let is_of_matrix = |resource: Resource| resource.is_owned() && !resource.is_private();
        let owned = matches!(route.access, daybook_http::Access::Can(resource, _) if is_of_matrix(resource));
        let known = KINDS.iter().any(|(known, _)| *known == kind) || ["jobs", "submissions"].contains(&kind);
        if owned && !known {
            missing.push(kind.to_owned());
        }
    }
    assert!(missing.is_empty(), "add these kinds to KINDS in tests/api/ways.rs: {missing:?}");
}
