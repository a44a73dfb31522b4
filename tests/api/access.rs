//! Access tests: every route is called without a token, with expired and forged tokens, with the weakest role, as another
//! owner and from another organisation.

use axum::http::Method;
use daybook_domain::permission::{Action, Permission, Resource, Role, RoleRef, Scope};
use daybook_domain::{Record, SessionId, UserId, for_each_record_type};
use daybook_http::{Access, Route, token};
use daybook_local::functions;
use daybook_store::EntryRef;
use daybook_store::rows::delivery;
use daybook_store::rows::session::Session;
use daybook_testing::hubspot::HubSpot;
use daybook_testing::{Answer, Person, World, WorldOptions, lead};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) fn routes() -> Vec<Route> {
    functions().into_iter().flat_map(|function| function.list).collect()
}

/// Whether a route is of OpenAI's API, whose errors have a shape of their own.
fn is_openai(route: &Route) -> bool {
    route.path.starts_with("/v1/")
}

/// Expects a refusal in the shape of the route; returns what it says.
#[track_caller]
fn refused(answer: Answer, route: &Route, status: u16, code: &str) -> String {
    let body = match is_openai(route) {
        true => {
            let code = if code == "unauthenticated" { "invalid_api_key" } else { code };
            let error = answer.expect(status).json()["error"].clone();
            assert_eq!(error["code"], code, "{route:?}: {error}");
            error["message"].clone()
        }
        false => answer.expect_problem(status, code).json()["detail"].clone(),
    };
    body.as_str().expect("a text").to_owned()
}

/// What an answer says of an error, in the shape of the route.
fn told(answer: &Answer, route: &Route) -> Value {
    let body = answer.json();
    if is_openai(route) { body["error"]["message"].clone() } else { body["detail"].clone() }
}

/// Ids of existing records for path parameters, by the part of the path before the id.
pub(crate) type Ids = BTreeMap<&'static str, String>;

/// The last part of ids that don't exist.
const NEVER: &str = "01m7wjas70ec3sttn163jbej2c";

/// The route's path, with ids in place of its parameters.
pub(crate) fn path(route: &Route, ids: &Ids) -> String {
    let form = "form_01kdvpaw00fpgv030000000001";
    let mut path = route.path.replace("{form_id}", form);
    while let Some((before, after)) = path.split_once("/{") {
        let kind = before.rsplit('/').next().unwrap_or_default();
        let id = ids.get(kind).unwrap_or_else(|| {
            panic!("{path}: create a record of this kind here, so that the access tests can call the route")
        });
        path = format!("{before}/{id}{}", after.split_once('}').expect("a whole parameter").1);
    }
    path
}

pub(crate) async fn send(person: &Person, route: &Route, ids: &Ids) -> Answer {
    let call = person.call(route.method.clone(), &path(route, ids));
    let body = match route.path {
        path if path.ends_with("/audit-logs/revert") => json!({"request_id": "x"}),
        path if path.ends_with("/audit-logs/export") => json!({}),
        path if path.starts_with("/api/privacy/") => json!({"email": "nobody@example.com"}),
        path if path.ends_with("/demo") => json!({"demo_type": "onsite"}),
        path if path.starts_with("/api/demos") => json!({"status": "confirmed"}),
        "/api/leads/{id}" => json!({"status": "contacted"}),
        "/api/leads/{id}/convert" | "/api/conversations/{id}/fork" | "/api/chat/runs/{id}/stop" => json!({}),
        path if path.ends_with("/release") => json!({}),
        path if path.ends_with("/batch") => json!({"items": [{"action": "update", "id": NEVER, "data": {}}]}),
        path if path.ends_with("/stage") => json!({"stage": "proposal"}),
        "/api/interactions/{id}" => json!({"notes": "Another"}),
        "/api/opportunities/{id}" | "/api/tasks/{id}" | "/api/conversations/{id}" => json!({"title": "Another"}),
        "/api/chat/ui" => {
            let turn = json!({"role": "user", "parts": [{"type": "text", "text": "Hello"}]});
            json!({"id": "chat", "messages": [turn]})
        }
        "/api/chat" => json!({"messages": [{"role": "user", "content": "Hello"}]}),
        "/v1/chat/completions" => json!({"messages": [{"role": "user", "content": "Hello"}]}),
        "/v1/responses" => json!({"input": "Hello"}),
        "/api/ai/budgets" => json!({"temporary_days": 20}),
        "/api/integrations/ai" => json!({"api_keys": {"openai": null}}),
        path if path.ends_with("{id}") && route.method != Method::DELETE => json!({"name": "Another"}),
        _ => json!({"status": "contacted"}),
    };
    if route.method == Method::GET { call.await } else { call.json(body).await }
}

/// A world whose default organisation has a record of every kind; returns it with the owner.
pub(crate) async fn full_world() -> (World, Person, Ids) {
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    let world = World::at(WorldOptions { hubspot: Some(hubspot), ..WorldOptions::default() }, clock).await;
    let owner = world.owner().await;
    let demo = world.visitor().post("/api/demos", lead("ada@example.com")).await.expect(201).id();
    world.work().await;
    let colleague = world.person(Role::Sales).await;
    let made = async |path: &str, body: Value| owner.post(path, body).await.expect(201).id();
    let sessions = owner.get("/api/auth/sessions").await.expect(200).data();
    let journal = world.journal(owner.org).await;
    let changed = journal.iter().find(|fact| fact.event.name() == "lead.created").expect("an entry");
    let env = &world.system.env;
    for fact in &journal {
        let entry = EntryRef { org: owner.org, entry: fact.id };
        for (kind, _) in delivery::of_entry(env, owner.org, fact.id).await.expect("a read") {
            delivery::reject(env, entry, &kind, "it bounced").await.expect("a write");
        }
    }
    let job = owner.post("/api/privacy/exports", json!({"email": "eva@example.com"})).await.expect(202).id();
    let customer = made("/api/customers", json!({"name": "ABC"})).await;
    let stage = json!({"key": "new_one", "name": "New", "type": "open", "probability": 10});
    let query = "status=active";
    let question = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let run = owner.post("/api/chat", question).await.expect(200).json()["run_id"].as_str().expect("an id").to_owned();
    // The lead, its submission and its demonstration share a UUID.
    let mut ids = Ids::from([
        ("leads", demo.replace("demo_", "lead_")),
        ("submissions", demo.replace("demo_", "sub_")),
        ("demos", demo.clone()),
        ("audit-logs", changed.id.to_string()),
        ("resources", "lead".to_owned()),
        ("lead", demo.replace("demo_", "lead_")),
        ("users", colleague.user.expect("a user").to_string()),
        ("organizations", owner.org.to_string()),
        ("roles", made("/api/roles", json!({"name": "Reader", "permissions": ["leads:read:all"]})).await),
        ("teams", made("/api/teams", json!({"name": "North", "member_ids": [colleague.user]})).await),
        ("invitations", made("/api/invitations", json!({"email": "eva@example.com", "role": "sales"})).await),
        ("api-keys", made("/api/api-keys", json!({"name": "Import", "permissions": ["leads:create:all"]})).await),
        ("forms", made("/api/forms", json!({"name": "Campaign"})).await),
        ("contacts", made("/api/contacts", json!({"name": "Eva", "customer_id": customer})).await),
        ("groups", made("/api/groups", json!({"name": "VIP"})).await),
        ("interactions", made("/api/interactions", json!({"customer_id": customer, "interaction_type": "call"})).await),
        ("pipelines", made("/api/pipelines", json!({"name": "Partners", "stages": [stage]})).await),
        ("opportunities", made("/api/opportunities", json!({"customer_id": customer, "title": "ERP"})).await),
        ("tasks", made("/api/tasks", json!({"title": "Call Eva"})).await),
        ("views", made("/api/views", json!({"name": "Active", "resource": "customers", "query": query})).await),
        ("runs", run),
        ("models", "daybook-default".to_owned()),
        ("ui", made("/api/conversations", json!({})).await),
        ("customers", customer),
        ("jobs", job),
        ("sessions", sessions[0]["id"].as_str().expect("an id").to_owned()),
    ]);
    for_each_record_type!(T => sampled::<T>(&owner, &mut ids).await);
    (world, owner, ids)
}

/// Creates a record from its type's sample, if none exists and the API can create one.
async fn sampled<T: Record>(owner: &Person, ids: &mut Ids) {
    let name = T::TYPE.name().replace('_', "-");
    let plural = name.strip_suffix('y').map_or_else(|| format!("{name}s"), |stem| format!("{stem}ies"));
    let path = format!("/api/{plural}");
    let made = routes().into_iter().find(|route| route.method == Method::POST && route.path == path);
    let Some(kind) = made.and_then(|route| route.path.rsplit('/').next()).filter(|kind| !ids.contains_key(kind)) else {
        return;
    };
    let mut text = T::SAMPLE.replace("{at}", "2026-11-20T12:00:00Z");
    for id in ids.values() {
        let prefix = id.rsplit_once('_').map_or("", |(prefix, _)| prefix);
        text = text.replace(&format!("\"{prefix}_{{id}}\""), &format!("\"{id}\""));
    }
    let mut fields: Map<String, Value> = serde_json::from_str(&text).expect("a sample");
    fields.retain(|name, _| !T::READ_ONLY.contains(&name.as_str()));
    ids.insert(kind, owner.post(&path, Value::Object(fields)).await.expect(201).id());
}

/// Restores what a route deleted, if it can be restored.
async fn restored(owner: &Person, route: &Route, ids: &Ids) {
    let back = format!("{}/restore", route.path);
    if let Some(route) = routes().iter().find(|other| other.path == back) {
        send(owner, route, ids).await;
    }
}

/// Tokens that have expired, were revoked, or are forged.
async fn tokens_that_ended(world: &World) -> Vec<(&'static str, String)> {
    let mut tokens: Vec<(&str, String)> =
        ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."].map(|token| ("nonsense", token.to_owned())).to_vec();
    let signed_out = world.person(Role::Owner).await;
    signed_out.post("/api/auth/logout", json!({})).await.expect(200);
    tokens.push(("revoked", signed_out.token.expect("a token")));
    let cx = world.cx(signed_out.org);
    let of = |user: Option<UserId>, session: SessionId| {
        token::issue(&cx, user.expect("a user"), cx.org, session).expect("a token")
    };
    let other_user = world.person(Role::Owner).await;
    tokens.push(("of a session that never was", of(other_user.user, SessionId::new(cx.env.ids.next()))));
    let other = world.person(Role::Owner).await;
    let others = Session::all_of(
        &cx.env,
        cx.org,
        cx.get::<daybook_domain::user::User>(other.user.expect("a user")).await.expect("a user").epoch(),
    )
    .await;
    tokens.push(("of another's session", of(other_user.user, others.expect("a read")[0].id)));
    tokens.push(("of an API key that never was", "dbk_AAAA.BBBB".to_owned()));
    let late = world.person(Role::Owner).await;
    world.clock.advance(Duration::from_secs(1800));
    tokens.push(("expired", late.token.expect("a token")));
    tokens
}

#[tokio::test]
async fn nobody_gets_in_without_credentials_or_with_bad_ones() {
    let (world, _, ids) = full_world().await;
    let tokens = tokens_that_ended(&world).await;
    for route in routes().iter().filter(|route| !route.access.is_public()) {
        refused(send(&world.visitor(), route, &ids).await, route, 401, "unauthenticated");
        for (what, token) in &tokens {
            let answer = send(&world.visitor().with_token(token), route, &ids).await;
            assert_eq!(answer.status.as_u16(), 401, "{what} on {route:?}: {}", answer.text);
            refused(answer, route, 401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn bad_credentials_are_refused_on_public_routes_that_know_credentials() {
    let (world, _, ids) = full_world().await;
    let other_user = world.visitor().with_token("x");
    for route in routes().iter().filter(|route| matches!(route.access, Access::PublicOr(..))) {
        send(&other_user, route, &ids).await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn roles_without_the_permission_are_refused_and_the_attempt_is_on_record() {
    let (world, owner, ids) = full_world().await;
    let mut refusals = 0;
    for role in Role::ALL {
        let person = world.person(role).await;
        for route in routes() {
            let (Access::Can(resource, action) | Access::PublicOr(_, resource, action)) = route.access else {
                continue;
            };
            let answer = send(&person, &route, &ids).await;
            match role.scope(resource, action) {
                None => {
                    refused(answer, &route, 403, "forbidden");
                    refusals += 1;
                }
                Some(_) => assert_ne!(answer.status.as_u16(), 403, "{role:?} on {route:?}: {}", answer.text),
            }
            if route.method == Method::DELETE && role.scope(resource, action).is_some() {
                restored(&owner, &route, &ids).await;
            }
        }
        world.clock.advance(Duration::from_secs(60));
    }
    let denied = world.journal(daybook_local::DEFAULT_ORG).await;
    let denied = denied.iter().filter(|fact| fact.event.name() == "access.denied").count();
    let since = world.clock.now().minus(Duration::from_secs(3600));
    let tallies = daybook_store::rows::tally::since(&world.system.env, daybook_local::DEFAULT_ORG, since).await;
    let counted: u64 = tallies.expect("a read").iter().map(|tally| tally.count).sum();
    assert!(denied > 0 && counted > 0, "too few requests were refused, so the test proves nothing");
    assert_eq!(denied as u64 + counted, refusals);
}

#[tokio::test]
async fn another_organisation_s_records_are_not_found_like_ones_that_never_were() {
    let (world, me, ids) = full_world().await;
    let stranger = world.stranger().await;
    let never = ids
        .iter()
        .map(|(&kind, id)| {
            (kind, id.rsplit_once('_').map_or_else(|| id.clone(), |(prefix, _)| [prefix, NEVER].join("_")))
        })
        .collect();
    // Names of models are no records, and the same for all.
    for route in routes().iter().filter(|route| route.path.contains("{id}") && !is_openai(route)) {
        if !route.path.ends_with("/restore") {
            let (_, owner, ids) = full_world().await;
            let own = send(&owner, route, &ids).await;
            // 409 also shows that the record was found.
            let reached = own.status.is_success() || own.status.as_u16() == 409;
            assert!(reached, "{route:?} refuses the owner, so the test proves nothing: {}", own.text);
        }
        let theirs = send(&stranger, route, &ids).await.expect_problem(404, "not_found").json();
        let nothing = send(&stranger, route, &never).await.expect_problem(404, "not_found").json();
        for member in ["title", "detail", "code"] {
            assert_eq!(theirs[member], nothing[member], "{route:?}");
        }
    }
    let lists = |route: &&Route| !route.path.contains('{') && route.method == Method::GET && !route.access.is_public();
    for route in routes().iter().filter(lists) {
        let mine = me.get(route.path).await;
        let theirs = stranger.get(route.path).await;
        if mine.json()["meta"]["count"].is_number() {
            let ids = |list: Value| -> BTreeSet<String> {
                let list = list["data"].as_array().expect("a list").clone();
                list.iter()
                    .map(|one| one["id"].to_string() + &one["record"].to_string() + &one["entry_id"].to_string())
                    .collect()
            };
            let mine = ids(mine.json());
            assert!(!mine.is_empty(), "{route:?}: the owner has no records, so the test proves nothing");
            assert!(mine.is_disjoint(&ids(theirs.expect(200).json())), "{route:?}");
        }
    }
}

#[tokio::test]
async fn sales_people_reach_their_own_leads_and_those_nobody_owns() {
    let (world, owner, ids) = full_world().await;
    let (ada, eva) = (world.person(Role::Sales).await, world.person(Role::Sales).await);
    let path = format!("/api/leads/{}", ids["leads"]);
    ada.patch(&path, json!({"owner_id": ada.user})).await.expect(200);

    ada.get(&path).await.expect(200);
    eva.get(&path).await.expect_problem(404, "not_found");
    eva.patch(&path, json!({"status": "contacted"})).await.expect_problem(404, "not_found");
    assert_eq!(eva.get("/api/leads").await.expect(200).json()["meta"]["count"], 0);
    assert_eq!(ada.get("/api/leads").await.expect(200).json()["meta"]["count"], 1);
    owner.get(&path).await.expect(200);
}

#[tokio::test]
async fn who_reaches_only_their_own_finds_nothing_of_others_on_any_route() {
    let (world, owner, ids) = full_world().await;
    let own: Vec<String> = Permission::catalogue()
        .filter(|one| one.scope == Scope::Own && one.resource.is_owned())
        .map(|one| one.to_string())
        .collect();
    let role = owner.post("/api/roles", json!({"name": "Own alone", "permissions": own})).await.expect(201).id();
    let role: RoleRef = role.parse().expect("a role");
    let (ada, eva) = (world.person(role).await, world.person(role).await);
    for kind in ["leads", "demos", "customers", "contacts", "interactions", "opportunities", "tasks", "views"] {
        let field = if kind == "tasks" { "assignee_id" } else { "owner_id" };
        owner.patch(&format!("/api/{kind}/{}", ids[kind]), json!({field: ada.user})).await.expect(200);
    }
    let mut tried = 0;
    for route in routes().iter().filter(|route| route.path.contains("{id}")) {
        let (Access::Can(resource, _) | Access::PublicOr(_, resource, _)) = route.access else { continue };
        // Submissions have no owner, and for `restore` the record would have to be in the trash.
        let owned = resource.is_owned() && resource != Resource::Submissions && !route.path.ends_with("/restore");
        if !owned || route.path.ends_with("{id}/demo") {
            continue;
        }
        tried += 1;
        send(&eva, route, &ids).await.expect_problem(404, "not_found");
        if resource != Resource::Jobs && !resource.is_private() && route.method == Method::GET {
            send(&ada, route, &ids).await.expect(200);
        }
    }
    assert!(tried >= 8, "{tried} routes");
    for list in ["leads", "demos", "jobs", "customers", "contacts", "interactions", "opportunities", "tasks", "views"] {
        assert_eq!(eva.get(&format!("/api/{list}")).await.expect(200).json()["meta"]["count"], 0, "{list}");
    }
}

#[tokio::test]
async fn keys_do_what_their_permissions_say_and_nothing_else_on_any_route() {
    let (world, owner, ids) = full_world().await;
    let key = async |permissions: Vec<String>| {
        let body = json!({"name": "A program", "permissions": permissions});
        let made = owner.post("/api/api-keys", body).await.expect(201).data();
        world.visitor().with_token(made["key"].as_str().expect("a secret"))
    };
    let widest = || Permission::catalogue().filter(|one| one.scope == one.resource.widest());
    let (mut with, mut without) = (BTreeMap::new(), BTreeMap::new());
    for one in widest() {
        let what = (one.resource, one.action);
        with.insert(what, key(vec![one.to_string()]).await);
        let others = widest().filter(|other| (other.resource, other.action) != what);
        without.insert(what, key(others.map(|other| other.to_string()).collect()).await);
    }
    let mut done = 0;
    for route in routes() {
        match route.access {
            Access::Can(resource, action) | Access::PublicOr(_, resource, action) => {
                let without = send(&without[&(resource, action)], &route, &ids).await;
                let forbidden = refused(without, &route, 403, "forbidden");
                // The answer may be an error about the body, or require a user, but never about the permission.
                let answer = send(&with[&(resource, action)], &route, &ids).await;
                let same = || told(&answer, &route) == forbidden.as_str();
                let refused_otherwise =
                    || (400..500).contains(&answer.status.as_u16()) && answer.status.as_u16() != 401;
                let let_in = answer.status.is_success() || (refused_otherwise() && !same());
                assert!(let_in, "{route:?}: {}", answer.text);
                done += usize::from(answer.status.is_success());
                if route.method == Method::DELETE {
                    restored(&owner, &route, &ids).await;
                }
            }
            Access::CanAny(resource, actions) => {
                let all = actions.iter().map(|action| &with[&(resource, *action)]);
                for key in all {
                    let answer = send(key, &route, &ids).await;
                    assert!(![401, 403].contains(&answer.status.as_u16()), "{route:?}: {}", answer.text);
                }
                let (other, _) = with.iter().find(|((other, _), _)| *other != resource).expect("another resource");
                refused(send(&with[other], &route, &ids).await, &route, 403, "forbidden");
            }
            // API keys have no sessions.
            Access::SignedIn => {
                let answer = send(&with[&(Resource::Leads, Action::Read)], &route, &ids).await;
                assert!(matches!(answer.status.as_u16(), 401 | 403), "{route:?}: {}", answer.text);
            }
            Access::Public(_) => {}
        }
        world.clock.advance(Duration::from_millis(500));
    }
    assert!(done > 30, "{done} routes did what was asked");
}
