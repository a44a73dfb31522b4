//! The HTTP service: a router over the route tables with CORS; security headers and panic handling around all of it.

use crate::access::{Access, RateClass};
use crate::pipeline::{Line, answer, count_server_error, request_id};
use crate::problem::Problem;
use crate::reply::Answer;
use crate::routes::{Route, Routes};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use axum::routing::{MethodFilter, MethodRouter, on};
use daybook_store::Env;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

/// Default response headers; an answer may set its own.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_XSS_PROTECTION, "0"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Builds the service for these routes: one function's in Lambda, all functions' on one machine, where
/// `more` adds the server's own pages. CORS is for the routes alone; pages of other origins can't read the server's.
pub fn app(functions: Vec<Routes>, env: Arc<Env>, more: impl FnOnce(Router) -> Router) -> Router {
    let routes: Vec<Route> = functions.into_iter().flat_map(|function| function.list).collect();
    let mut paths: BTreeMap<&'static str, Vec<Route>> = BTreeMap::new();
    for route in &routes {
        paths.entry(route.path).or_default().push(route.clone());
    }
    let mut router = Router::new();
    for (path, routes) in paths {
        router = router.route(path, methods(routes, &env));
    }
    let nowhere = env.clone();
    let known: Arc<[Route]> = routes.clone().into();
    let router = router.fallback(async move |request: Request| match without_slash(&known, request.uri()) {
        Some(elsewhere) => moved(&elsewhere),
        None => unanswered(&nowhere, request, Problem::no_route),
    });
    let ids = env.clone();
    let panics = CatchPanicLayer::custom(move |panic: Box<dyn Any + Send>| panicked(&panic, &ids));
    // Panics of routes are answered within CORS, so that allowed origins can read that answer, too.
    let api = router.layer(panics.clone()).layer(cors(env, routes));
    with_headers(more(api).layer(panics))
}

/// Adds the default response headers to all answers.
fn with_headers(mut router: Router) -> Router {
    for (name, value) in HEADERS {
        router = router.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)));
    }
    router
}

fn methods(routes: Vec<Route>, env: &Arc<Env>) -> MethodRouter {
    let allowed = routes.iter().map(|route| route.method.as_str()).collect::<Vec<_>>().join(", ");
    let mut methods = MethodRouter::new();
    for route in routes {
        let Ok(filter) = MethodFilter::try_from(route.method.clone()) else { continue };
        let env = env.clone();
        methods = methods.merge(on(filter, async move |request: Request| answer(env, route, request).await));
    }
    let env = env.clone();
    methods.fallback(async move |request: Request| {
        unanswered(&env, request, |id, parts| Problem::no_method(id, parts, &allowed))
    })
}

/// The URL without the slashes at the end of its path, if a route has that path.
fn without_slash(routes: &[Route], url: &Uri) -> Option<String> {
    let path = url.path();
    // A second slash at the start would name another host.
    let short = path.trim_end_matches('/');
    let is_ours = short != path && !short.starts_with("//") && routes.iter().any(|route| route.fits(short));
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    is_ours.then(|| format!("{short}{query}"))
}

/// Sends a client to another path for good, with the same method and body.
fn moved(to: &str) -> Answer {
    let mut answer = Answer::new(Body::empty());
    *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(to) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

/// Answers a request that matches no route, and writes its log line.
fn unanswered(env: &Env, request: Request, problem: impl FnOnce(&str, &Parts) -> Problem) -> Answer {
    let started = Instant::now();
    let (parts, _) = request.into_parts();
    let id = request_id(&parts.headers, env);
    let problem = problem(&id, &parts);
    let code = Some(problem.code());
    let answer = problem.answer(parts.uri.path(), &parts.headers);
    Line { id: &id, started, code, route: None, who: None }.write(&parts, &answer);
    answer
}

/// The CORS rules. Pages of any origin may post forms and read the answers; other answers are for allowed origins only.
/// Credentials are never allowed, as no route uses cookies.
fn cors(env: Arc<Env>, routes: Vec<Route>) -> CorsLayer {
    let is_form =
        |route: &Route| matches!(route.access, Access::Public(RateClass::Form) | Access::PublicOr(RateClass::Form, ..));
    let intake: Vec<Route> = routes.into_iter().filter(is_form).collect();
    let origins = AllowOrigin::predicate(move |origin, parts| {
        let listed = env.settings.allows_origin(origin.to_str().unwrap_or_default());
        // A preflight is answered as the request that it asks for would be.
        let method = match parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD) {
            Some(method) if parts.method == Method::OPTIONS => method.as_bytes(),
            _ => parts.method.as_str().as_bytes(),
        };
        let posted = |route: &Route| route.method.as_str().as_bytes() == method && route.fits(parts.uri.path());
        listed || intake.iter().any(posted)
    });
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::ETAG,
            header::RETRY_AFTER,
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("x-should-retry"),
            HeaderName::from_static("idempotency-replayed"),
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            HeaderName::from_static("x-ratelimit-limit"),
            HeaderName::from_static("x-ratelimit-remaining"),
        ])
        .vary([header::ORIGIN, header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCEPT_LANGUAGE])
        .max_age(Duration::from_secs(7200))
}

fn panicked(panic: &(dyn Any + Send), env: &Env) -> Response<Body> {
    let id = format!("req_{}", env.ids.next().simple());
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    count_server_error();
    tracing::error!(request_id = %id, panic = message.unwrap_or("unknown"), "a handler panicked");
    Problem::panicked(&id).answer("", &HeaderMap::new())
}
