//! Tenant isolation test: a random walk over all routes shows neither of two organisations the other's data.

use axum::http::Method;
use daybook_http::Route;
use daybook_local::functions;
use daybook_testing::{Person, World, is_full, lead};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// An organisation, the user who sends its requests, and the word that all of its texts contain.
struct Side {
    person: Person,
    canary: &'static str,
    /// The last ids seen of it, by prefix.
    ids: BTreeMap<String, Vec<String>>,
    /// All ids ever seen of it.
    all: BTreeSet<String>,
}

/// A random number generator with a fixed seed.
struct Dice(TestRunner);

impl Dice {
    fn new(seed: u64) -> Dice {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Dice(TestRunner::new_with_rng(Config::default(), rng))
    }

    fn below(&mut self, most: usize) -> usize {
        use proptest::prelude::RngExt as _;
        self.0.rng().random_range(0..most.max(1))
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// All ids in a value, except those in request bodies shown by the audit log: a client can send any id.
fn ids_in(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let is_id = text.split_once('_').is_some_and(|(prefix, rest)| {
                rest.len() == 26 && prefix.len() <= 5 && rest.bytes().all(|b| b.is_ascii_alphanumeric())
            });
            if is_id {
                found.insert(text.clone());
            }
        }
        Value::Array(list) => list.iter().for_each(|one| ids_in(one, found)),
        Value::Object(map) => {
            map.iter().filter(|(name, _)| *name != "request").for_each(|(_, one)| ids_in(one, found));
        }
        _ => {}
    }
}

fn body(dice: &mut Dice, side: &Side, route: &Route, ids: &BTreeMap<String, Vec<String>>, n: usize) -> Value {
    let word = side.canary;
    let any = |dice: &mut Dice, prefix: &str| {
        ids.get(prefix).filter(|list| !list.is_empty()).map_or(Value::Null, |list| json!(dice.pick(list)))
    };
    match route.path {
        "/api/leads/{id}/demo" => json!({"demo_type": "onsite", "special_requirements": word}),
        "/api/demos/{id}" => json!({"status": if n.is_multiple_of(2) { "confirmed" } else { "requested" }}),
        "/api/leads" | "/api/demos" | "/api/contact" => {
            let mut body = lead(&format!("{word}{n}@example.com"));
            body["company"] = json!(format!("{word} Ltd {n}"));
            if route.path == "/api/contact" {
                body = json!({"name": word, "email": format!("{word}{n}@example.com"), "message": word});
            }
            body
        }
        "/api/leads/{id}" => match dice.below(3) {
            0 => json!({"owner_id": any(dice, "usr")}),
            1 => json!({"first_name": word, "status": "contacted"}),
            _ => json!({"email": format!("{word}{}@example.com", dice.below(50))}),
        },
        "/api/users" | "/api/invitations" => {
            let role = if dice.below(2) == 0 { any(dice, "role") } else { json!("sales") };
            json!({"email": format!("{word}{n}@staff.example"), "name": word, "role": role})
        }
        "/api/users/{id}" => json!({"name": format!("{word} {n}")}),
        "/api/roles" => json!({"name": format!("{word} {n}"), "permissions": ["leads:read:all"]}),
        "/api/teams" => json!({"name": format!("{word} {n}"), "member_ids": [any(dice, "usr")]}),
        "/api/teams/{id}" => json!({"member_ids": [any(dice, "usr"), any(dice, "usr")]}),
        "/api/api-keys" => json!({"name": format!("{word} {n}"), "permissions": ["leads:read:all"]}),
        "/api/forms" => json!({"name": format!("{word} {n}")}),
        // A person known to both organisations: neither sees what the other stores about them.
        "/api/privacy/exports" | "/api/privacy/erasures" => {
            let canary = if dice.below(2) == 0 { "alphacanary" } else { "betacanary" };
            json!({"email": format!("{canary}{}@example.com", dice.below(n + 1))})
        }
        "/api/leads/{id}/convert" => json!({}),
        "/api/customers" => json!({"name": format!("{word} {n}"), "email": format!("{word}{n}@example.com")}),
        "/api/customers/{id}" | "/api/contacts/{id}" => json!({"description": format!("{word} {n}")}),
        "/api/contacts" => json!({"name": word, "customer_id": any(dice, "cus"), "group_ids": [any(dice, "grp")]}),
        "/api/interactions" => {
            json!({"customer_id": any(dice, "cus"), "interaction_type": "call", "notes": word})
        }
        "/api/interactions/{id}" => json!({"notes": format!("{word} {n}")}),
        "/api/opportunities" => json!({"customer_id": any(dice, "cus"), "title": word, "contact_id": any(dice, "con")}),
        "/api/opportunities/{id}" => json!({"title": format!("{word} {n}"), "owner_id": any(dice, "usr")}),
        "/api/opportunities/{id}/stage" => json!({"stage": "proposal"}),
        "/api/tasks" => json!({"title": word, "related_to": {"type": "customer", "id": any(dice, "cus")}}),
        "/api/tasks/{id}" => json!({"title": format!("{word} {n}"), "assignee_id": any(dice, "usr")}),
        "/api/pipelines" => {
            let stage = json!({"key": format!("s{n}"), "name": word, "type": "open", "probability": 1});
            json!({"name": format!("{word} {n}"), "stages": [stage]})
        }
        "/api/views" => json!({"name": word, "resource": "customers", "query": format!("search={word}")}),
        path if path.ends_with("/batch") => {
            let prefix = KINDS.iter().find(|(_, plural)| path.contains(plural)).map_or("", |(prefix, _)| prefix);
            json!({"items": [{"action": "update", "id": any(dice, prefix), "data": {}}]})
        }
        "/api/chat" => {
            let question = json!([{"role": "user", "content": format!("{word} {n}")}]);
            match any(dice, "cnv") {
                id if id.is_string() && n.is_multiple_of(2) => json!({"messages": question, "conversation_id": id}),
                _ => json!({"messages": question}),
            }
        }
        "/api/chat/ui" => {
            let turn = json!({"role": "user", "parts": [{"type": "text", "text": word}]});
            json!({"id": format!("chat {n}"), "messages": [turn]})
        }
        "/v1/chat/completions" => json!({"messages": [{"role": "user", "content": word}]}),
        "/v1/responses" => json!({"input": word}),
        "/api/conversations" | "/api/conversations/{id}" => json!({"title": format!("{word} {n}")}),
        "/api/conversations/{id}/fork" | "/api/chat/runs/{id}/stop" | "/api/conversations/search" => json!({}),
        "/api/ai/budgets" => json!({"instructions": word}),
        "/api/audit-logs/revert" => json!({"request_id": format!("walk-{}", dice.below(n + 1))}),
        "/api/audit-logs/export" | "/api/foundation/audit-logs/export" => json!({"format": "json"}),
        _ => json!({"name": format!("{word} {n}")}),
    }
}

/// Routes that would end the walk, or that belong to no organisation.
fn is_walked(route: &Route) -> bool {
    let ends =
        ["/api/auth/", "/account", "/docs", "/redoc", "/openapi", "/health", "/api/health", "/daybook-form", "/f/"];
    let of_organizations = route.path.starts_with("/api/organizations") && route.method == Method::DELETE
        || route.path.starts_with("/api/organizations/{id}/")
        || route.path == "/api/organizations" && route.method == Method::POST;
    let other = route.path == "/" || of_organizations;
    !other && !ends.iter().any(|start| route.path.starts_with(start))
}

#[tokio::test]
async fn two_organisations_never_see_each_other_s_data_on_a_random_walk() {
    let world = World::new().await;
    let mut sides = [
        Side { person: world.owner().await, canary: "alphacanary", ids: BTreeMap::new(), all: BTreeSet::new() },
        Side { person: world.stranger().await, canary: "betacanary", ids: BTreeMap::new(), all: BTreeSet::new() },
    ];
    let routes: Vec<Route> = functions().into_iter().flat_map(|function| function.list).filter(is_walked).collect();
    let steps = if is_full() { 14_000 } else { 1_800 };
    let mut dice = Dice::new(20_261_120);
    let (mut succeeded, mut of_others) = (BTreeSet::new(), 0);
    for n in 0..steps {
        // From time to time the workers run: dispatch, mails, jobs.
        if n % 300 == 299 {
            world.work().await;
        }
        let me = dice.below(2);
        let route = dice.pick(&routes).clone();
        // Half of the requests use ids of the own organisation, half those of the other.
        let from = if dice.below(2) == 0 { me } else { 1 - me };
        of_others += usize::from(from != me);
        let ids = sides[from].ids.clone();
        let mut path = route.path.to_owned();
        while let Some((before, after)) = path.split_once("/{") {
            let after = after.split_once('}').expect("a whole parameter").1.to_owned();
            let named = |(kind, plural): &&(&str, &str)| {
                before.ends_with(&format!("/{plural}")) || before.ends_with(&format!("/{kind}"))
            };
            let wanted = KINDS.iter().find(named).map(|(kind, _)| *kind);
            let part = match () {
                () if before.ends_with("/resources") => "lead".to_owned(),
                () if before.ends_with("/v1/models") => "daybook-default".to_owned(),
                () => {
                    let list = wanted.and_then(|kind| ids.get(kind)).filter(|list| !list.is_empty());
                    list.map_or_else(|| "lead_01m7wjas70ec3sttn163jbej2c".to_owned(), |list| dice.pick(list).clone())
                }
            };
            path = format!("{before}/{part}{after}");
        }
        let side = &sides[me];
        let is_list = route.method == Method::GET
            && !["permissions", "counts", "verify", "models", "budgets", "usage"].iter().any(|end| path.ends_with(end));
        if is_list && route.path == "/api/leads" && dice.below(2) == 0 {
            path = format!("{path}?limit=20&search={}", sides[dice.below(2)].canary);
        } else if is_list && !route.path.contains('{') {
            path = format!("{path}?limit=20");
        }
        let call = side.person.call(route.method.clone(), &path).header("x-request-id", &format!("walk-{n}"));
        let call = if route.method == Method::GET { call } else { call.json(body(&mut dice, side, &route, &ids, n)) };
        let answer = call.await;
        assert!(answer.status.as_u16() < 500, "{route:?} {path}: {}", answer.text);
        let other = &sides[1 - me];
        let told: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if answer.status.is_success() {
            succeeded.insert(format!("{} {}", route.method, route.path));
            // Texts that the client sent itself may come back only in its own audit log.
            let mut shown = told.clone();
            without_requests(&mut shown);
            assert!(!shown.to_string().contains(other.canary), "{route:?} {path}: {}", answer.text);
        }
        // The other organisation's records are neither shown nor changed; the audit log has no entries about them.
        let named = path.split(['/', '?']).any(|part| other.all.contains(part));
        assert!(
            !named || !answer.status.is_success() || path.starts_with("/api/audit-logs"),
            "{route:?} {path}: {}",
            answer.text
        );
        let mut seen = BTreeSet::new();
        ids_in(&told, &mut seen);
        for id in &seen {
            assert!(
                !other.all.contains(id) || path.contains(id.as_str()) || !answer.status.is_success(),
                "{id} of the other: {route:?} {path}: {}",
                answer.text
            );
        }
        if answer.status.is_success() {
            let theirs = sides[1 - me].person.org.to_string();
            let side = &mut sides[me];
            for id in seen.into_iter().filter(|id| *id != theirs) {
                let prefix = id.split_once('_').map_or("", |(prefix, _)| prefix).to_owned();
                let list = side.ids.entry(prefix).or_default();
                if !list.contains(&id) {
                    list.push(id.clone());
                    if list.len() > 60 {
                        list.remove(0);
                    }
                    side.all.insert(id);
                }
            }
        }
    }
    let never: Vec<String> = routes
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        // Integrations are off here, and without rate limits no submission is held.
        .filter(|name| !succeeded.contains(name) && !name.contains("integrations") && !name.ends_with("/spam"))
        .collect();
    // A short walk doesn't reach every route.
    let most = if is_full() { 0 } else { 30 };
    assert!(never.len() <= most, "routes that never succeeded: {never:?}");
    assert!(of_others > steps / 3);
}

/// The prefixes of ids, and the parts of paths before them.
const KINDS: [(&str, &str); 23] = [
    ("lead", "leads"),
    ("sub", "submissions"),
    ("demo", "demos"),
    ("usr", "users"),
    ("role", "roles"),
    ("team", "teams"),
    ("inv", "invitations"),
    ("job", "jobs"),
    ("key", "api-keys"),
    ("form", "forms"),
    ("aud", "audit-logs"),
    ("org", "organizations"),
    ("cus", "customers"),
    ("con", "contacts"),
    ("grp", "groups"),
    ("int", "interactions"),
    ("pipe", "pipelines"),
    ("opp", "opportunities"),
    ("tsk", "tasks"),
    ("view", "views"),
    ("cnv", "conversations"),
    ("cnv", "ui"),
    ("run", "runs"),
];

fn without_requests(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(without_requests),
        Value::Object(map) => {
            map.remove("request");
            map.values_mut().for_each(without_requests);
        }
        _ => {}
    }
}
