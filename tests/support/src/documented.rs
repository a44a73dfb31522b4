//! Every answer that a test gets has a status that the OpenAPI document names for its route.

use axum::http::{Method, StatusCode};
use daybook_http::Route;
use daybook_local::functions;
use serde_json::Value;
use std::sync::LazyLock;

static ROUTES: LazyLock<Vec<(Route, Value)>> = LazyLock::new(|| {
    let routes: Vec<Route> = functions().into_iter().flat_map(|function| function.list).collect();
    let document = serde_json::to_value(daybook_http::document(&routes, |_| None)).expect("JSON");
    let answers = |route: &Route| {
        let method = route.method.as_str().to_ascii_lowercase();
        document["paths"][route.path][&method]["responses"].clone()
    };
    routes.iter().map(|route| (route.clone(), answers(route))).collect()
});

/// Asserts that a request may be answered with this status.
pub fn assert_documented(method: &Method, path: &str, status: StatusCode) {
    // Of several routes that fit, the one with the fewest parameters is taken, as the router does.
    let fitting = ROUTES.iter().filter(|(route, _)| route.method == method && route.fits(path));
    let Some((route, answers)) = fitting.min_by_key(|(route, _)| route.path.matches('{').count()) else { return };
    assert!(!answers[status.as_str()].is_null(), "{route:?} answers {status}, but the OpenAPI document doesn't say so");
}
