//! Every route: nobody, the weakest role, another organisation.

use axum::http::Method;
use daybook_domain::permission::{Action, Role};
use daybook_http::{Access, Route};
use daybook_local::functions;
use daybook_testing::hubspot::HubSpot;
use daybook_testing::{Person, World, WorldOptions, lead};
use serde_json::json;

fn routes() -> Vec<Route> {
    functions().into_iter().flat_map(|function| function.list).collect()
}

/// A path of the route, with a record of the default organisation in it.
fn path(route: &Route, lead: &str) -> String {
    let form = "form_01kdvpaw00fpgv030000000001";
    // The lead, its submission and its demonstration share a UUID.
    let same = |prefix: &str| lead.replace("lead_", prefix);
    match route.path {
        path if path.starts_with("/api/leads/") => path.replace("{id}", lead),
        path if path.starts_with("/api/submissions/") => path.replace("{id}", &same("sub_")),
        path if path.starts_with("/api/demos/") => path.replace("{id}", &same("demo_")),
        path if path.starts_with("/f/") => path.replace("{form_id}", form),
        path if !path.contains('{') => path.to_owned(),
        path => panic!("{path}: make a record of this type here, so that the tests of access can try the route"),
    }
}

async fn send(person: &Person, route: &Route, lead: &str) -> daybook_testing::Answer {
    let call = person.call(route.method.clone(), &path(route, lead));
    let body = match route.path {
        path if path.ends_with("/demo") => json!({"demo_type": "onsite"}),
        path if path.starts_with("/api/demos") => json!({"status": "confirmed"}),
        _ => json!({"status": "contacted"}),
    };
    if route.method == Method::GET { call.await } else { call.json(body).await }
}

async fn world_with_lead() -> (World, String) {
    let clock = World::noon();
    let hubspot = HubSpot::start(clock.clone()).await;
    let world = World::at(WorldOptions { hubspot: Some(hubspot), ..WorldOptions::default() }, clock).await;
    let id = world.visitor().post("/api/demos", lead("ada@example.com")).await.expect(201).id();
    world.work().await;
    (world, id.replace("demo_", "lead_"))
}

#[tokio::test]
async fn nobody_gets_in_without_credentials_or_with_bad_ones() {
    let (world, id) = world_with_lead().await;
    for route in routes().iter().filter(|route| !route.access.is_public()) {
        send(&world.visitor(), route, &id).await.expect_problem(401, "unauthenticated");
        for token in ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            let somebody = world.visitor().with_token(token);
            send(&somebody, route, &id).await.expect_problem(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn bad_credentials_are_refused_on_public_routes_that_know_credentials() {
    let (world, id) = world_with_lead().await;
    let somebody = world.visitor().with_token("x");
    for route in routes().iter().filter(|route| matches!(route.access, Access::PublicOr(..))) {
        send(&somebody, route, &id).await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn roles_without_the_permission_are_refused() {
    let (world, id) = world_with_lead().await;
    for role in Role::ALL {
        let person = world.person(role).await;
        for route in routes() {
            let (Access::Can(resource, action) | Access::PublicOr(_, resource, action)) = route.access else {
                continue;
            };
            let answer = send(&person, &route, &id).await;
            match role.scope(resource, action) {
                None => drop(answer.expect_problem(403, "forbidden")),
                Some(_) => assert_ne!(answer.status.as_u16(), 403, "{role:?} on {route:?}: {}", answer.text),
            }
            if action == Action::Delete && route.method == Method::DELETE && role.scope(resource, action).is_some() {
                person.post(&format!("/api/leads/{id}/restore"), json!({})).await.expect(200);
            }
        }
    }
}

#[tokio::test]
async fn another_organisation_s_records_are_not_found_like_ones_that_never_were() {
    let (world, id) = world_with_lead().await;
    let stranger = world.stranger().await;
    let never = "lead_01m7wjas70ec3sttn163jbej2c";
    for route in routes().iter().filter(|route| route.path.contains("{id}")) {
        if !route.path.ends_with("/restore") {
            let (world, id) = world_with_lead().await;
            let own = send(&world.owner().await, route, &id).await;
            // 409 is an answer about the record too: it was found.
            let reached = own.status.is_success() || own.status.as_u16() == 409;
            assert!(reached, "{route:?} refuses the owner, so this shows nothing: {}", own.text);
        }
        let theirs = send(&stranger, route, &id).await.expect_problem(404, "not_found").json();
        let nothing = send(&stranger, route, never).await.expect_problem(404, "not_found").json();
        for member in ["title", "detail", "code"] {
            assert_eq!(theirs[member], nothing[member], "{route:?}");
        }
    }
    let lists = |route: &&Route| !route.path.contains('{') && route.method == Method::GET && !route.access.is_public();
    for route in routes().iter().filter(lists) {
        let mine = world.owner().await.get(route.path).await;
        let theirs = stranger.get(route.path).await;
        if mine.json()["meta"]["count"].is_number() {
            assert_ne!(mine.json()["meta"]["count"], 0, "{route:?}: the owner has nothing, so this shows nothing");
            assert_eq!(theirs.expect(200).json()["meta"]["count"], 0, "{route:?}");
        }
    }
}

#[tokio::test]
async fn sales_people_reach_their_own_leads_and_those_nobody_owns() {
    let (world, id) = world_with_lead().await;
    let (owner, ada, eva) = (world.owner().await, world.person(Role::Sales).await, world.person(Role::Sales).await);
    let path = format!("/api/leads/{id}");
    ada.patch(&path, json!({"owner_id": ada.user})).await.expect(200);

    ada.get(&path).await.expect(200);
    eva.get(&path).await.expect_problem(404, "not_found");
    eva.patch(&path, json!({"status": "contacted"})).await.expect_problem(404, "not_found");
    assert_eq!(eva.get("/api/leads").await.expect(200).json()["meta"]["count"], 0);
    assert_eq!(ada.get("/api/leads").await.expect(200).json()["meta"]["count"], 1);
    owner.get(&path).await.expect(200);
}
