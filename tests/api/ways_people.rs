//! The matrix of ways in to administration: callers who may not manage users, teams, roles, keys, invitations, forms,
//! pipelines, groups and the organisation try every route that manages them, and undo. New routes join by themselves.

use crate::access::{Ids, full_world, routes, send};
use crate::ways::{key_of, newest, permissions, refuses, role};
use axum::http::Method;
use daybook_domain::permission::{Action, Grants, Resource, Role, Scope};
use daybook_http::{Access, Route};
use daybook_testing::{Person, World};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A caller who may not administer.
struct Outsider {
    why: &'static str,
    person: Person,
    /// What the caller may do all the same.
    holds: Grants,
    /// Whether the caller administers another organisation.
    is_stranger: bool,
}

/// The routes that change something and need a permission to manage it, with what they manage.
fn managing() -> Vec<(Route, Resource)> {
    let changes = |route: &Route| route.method != Method::GET && !route.path.starts_with("/api/auth/");
    let managed = |route: Route| match route.access {
        Access::Can(resource, Action::Manage) => Some((route, resource)),
        _ => None,
    };
    routes().into_iter().filter(changes).filter_map(managed).collect()
}

/// The kinds of records that these routes change, by the parts of their paths.
fn kinds() -> BTreeSet<&'static str> {
    let kind = |path: &'static str| path.strip_prefix("/api/")?.split_once("/{id}").map(|(kind, _)| kind);
    managing().iter().filter_map(|(route, _)| kind(route.path)).collect()
}

async fn outsiders(world: &World, owner: &Person) -> Vec<Outsider> {
    let all = permissions(Scope::All);
    let but_manage: Vec<String> = all.iter().filter(|one| !one.contains(":manage")).cloned().collect();
    let path = |person: &Person| format!("/api/users/{}", person.user.expect("a user"));
    let stranger = world.stranger().await;
    let stranger_key = key_of(world, &stranger, &all).await;
    let demoted = world.person(Role::Admin).await;
    let demoted_key = key_of(world, &demoted, &all).await;
    owner.patch(&path(&demoted), json!({"role": "sales"})).await.expect(200);
    let suspended = world.person(Role::Admin).await;
    let suspended_key = key_of(world, &suspended, &all).await;
    owner.patch(&path(&suspended), json!({"status": "suspended"})).await.expect(200);
    let undoer = world.person(role(owner, "All but manage", &but_manage).await).await;
    let outsider = |why, person| Outsider { why, person, holds: Grants::default(), is_stranger: false };
    let of_role = |why, person, role: Role| Outsider { holds: role.grants(), ..outsider(why, person) };
    let of_other = |why, person| Outsider { is_stranger: true, ..outsider(why, person) };
    vec![
        of_role("a sales person", world.person(Role::Sales).await, Role::Sales),
        of_role("a manager", world.person(Role::Manager).await, Role::Manager),
        of_role("a supporter", world.person(Role::Support).await, Role::Support),
        of_role("a viewer", world.person(Role::Viewer).await, Role::Viewer),
        of_other("another organisation's owner", stranger),
        of_other("another organisation's key", stranger_key),
        outsider("demoted meanwhile", demoted),
        outsider("a key of a user who was demoted meanwhile", demoted_key),
        outsider("suspended meanwhile", suspended),
        outsider("a key of a suspended user", suspended_key),
        outsider("a role with all but manage", undoer),
        outsider("a key with all but manage", key_of(world, owner, &but_manage).await),
    ]
}

/// Changes a record of a kind by a request of a known id, and returns the entry about it.
async fn changed(owner: &Person, kind: &str, ids: &Ids) -> String {
    let of_record = format!("/api/{kind}/{{id}}");
    let one = format!("/api/{kind}/{}", ids[kind]);
    let call = match routes().iter().any(|route| route.method == Method::PATCH && route.path == of_record) {
        true => owner.patch(&one, json!({"name": format!("Other {kind}")})),
        // Invitations don't change otherwise.
        false => owner.post(&format!("{one}/resend"), json!({})),
    };
    call.header("x-request-id", &format!("change-{kind}")).await.expect(200);
    newest(owner, &ids[kind]).await
}

/// The ids and versions of all records of a kind, and the record with the known id in full.
async fn state(owner: &Person, kind: &str, ids: &Ids) -> (Vec<(Value, Value)>, Value) {
    let list = owner.get(&format!("/api/{kind}?limit=200")).await.expect(200).data();
    let list = list.as_array().expect("a list").iter().map(|one| (one["id"].clone(), one["version"].clone()));
    (list.collect(), owner.get(&format!("/api/{kind}/{}", ids[kind])).await.expect(200).data())
}

#[tokio::test]
async fn who_may_not_administer_does_so_by_no_way() {
    let (world, owner, ids) = full_world().await;
    let all = outsiders(&world, &owner).await;
    let mut entries: BTreeMap<&str, String> = BTreeMap::new();
    for kind in kinds() {
        entries.insert(kind, changed(&owner, kind, &ids).await);
    }
    let mut before = BTreeMap::new();
    for kind in entries.keys().copied().chain(["jobs"]) {
        before.insert(kind, state(&owner, kind, &ids).await);
    }
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    for Outsider { why, person, holds, is_stranger } in &all {
        let mut tries = 0;
        for (route, resource) in managing() {
            // Others manage what is in their own organisation.
            let may = holds.scope(resource, Action::Manage).is_some() || (*is_stranger && !route.path.contains("{id}"));
            if !may {
                let answer = send(person, &route, &ids).await;
                assert!(refuses(&answer), "{why}: {route:?} answers {}", answer.text);
                tries += 1;
            }
        }
        for (kind, entry) in &entries {
            tries += undoing(person, why, kind, entry).await;
        }
        tried.insert(*why, tries);
    }
    for (kind, before) in before {
        assert_eq!(state(&owner, kind, &ids).await, before, "{kind} were changed");
    }
    assert_eq!(tried.len(), all.len());
    assert!(tried.values().all(|tries| *tries > 45), "{tried:?}");
}

/// Tries to undo a change by its entry and by its request.
async fn undoing(person: &Person, why: &str, kind: &str, entry: &str) -> usize {
    let by_entry = person.post(&format!("/api/audit-logs/{entry}/revert"), json!({})).await;
    let by_request = json!({"request_id": format!("change-{kind}")});
    let by_request = person.post("/api/audit-logs/revert", by_request).await;
    // Neither keys nor invitations have changes that can be undone.
    let is_never_undone = ["api-keys", "invitations"].contains(&kind);
    let by_entry_refused = refuses(&by_entry) || (is_never_undone && by_entry.status.as_u16() == 409);
    assert!(by_entry_refused, "{why}: undoing a change of {kind} answers {}", by_entry.text);
    // In another organisation there is no such request.
    let by_request_refused = refuses(&by_request)
        || by_request.status.as_u16() == 422
        || (is_never_undone && by_request.status.as_u16() == 409);
    assert!(by_request_refused, "{why}: undoing the request of {kind} answers {}", by_request.text);
    2
}

#[test]
fn the_routes_that_administer_are_those_of_these_kinds() {
    let known = ["api-keys", "forms", "groups", "invitations", "organizations", "pipelines", "roles", "teams", "users"];
    assert!(known.iter().all(|kind| kinds().contains(kind)), "{:?}", kinds());
    let routes = managing();
    for path in ["/api/users", "/api/privacy/erasures", "/api/integrations/hubspot/replay"] {
        assert!(routes.iter().any(|(route, _)| route.path == path), "{path} isn't among {routes:?}");
    }
}
