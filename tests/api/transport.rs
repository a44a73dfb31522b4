//! HTTP tests: headers, CORS, unknown paths and methods.

use axum::http::Method;
use daybook_local::functions;
use daybook_testing::{World, lead};

#[tokio::test]
async fn every_answer_of_every_route_carries_the_security_headers() {
    let world = World::new().await;
    let mut answers = vec![world.visitor().get("/nowhere").await, world.visitor().call(Method::PUT, "/health").await];
    let mut files = Vec::new();
    for route in functions().into_iter().flat_map(|function| function.list) {
        let path = route.path.replace("{id}", "x").replace("{form_id}", "x");
        let is_file = route.function == "docs" || path.ends_with(".js") || path == "/account";
        let answer = world.visitor().call(route.method, &path).await;
        if is_file { &mut files } else { &mut answers }.push(answer);
    }
    assert!(files.iter().all(|file| file.header("cache-control") == "public, max-age=3600"));
    let preflight = world.visitor().call(Method::OPTIONS, "/api/leads").header("origin", "https://a.example");
    answers.push(preflight.header("access-control-request-method", "POST").await);
    assert!(answers.iter().all(|answer| answer.header("cache-control") == "no-store"));
    for answer in answers.into_iter().chain(files) {
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("x-xss-protection", "0"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
        assert!(answer.header("vary").contains("accept-language"), "{}", answer.header("vary"));
        assert!(answer.header("strict-transport-security").starts_with("max-age="));
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.get("/nowhere").await.expect_problem(404, "not_found");
    let answer = visitor.call(Method::DELETE, "/api/auth/login").await.expect_problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "POST");
}

#[tokio::test]
async fn forms_of_any_origin_may_read_their_answer_and_other_answers_are_for_listed_origins() {
    let world = World::new().await;
    let owner = world.owner().await;
    let post = world
        .visitor()
        .post("/api/leads", lead("a@b.example"))
        .header("origin", "https://anywhere.example")
        .await
        .expect(201);
    assert_eq!(post.header("access-control-allow-origin"), "https://anywhere.example");
    let read = |origin: &str| owner.get("/api/leads").header("origin", origin);
    assert_eq!(read("https://anywhere.example").await.expect(200).header("access-control-allow-origin"), "");
    let listed = read("https://app.example.com").await.expect(200);
    assert_eq!(listed.header("access-control-allow-origin"), "https://app.example.com");
    assert!(listed.header("access-control-expose-headers").contains("etag"));
    let preflight = |path: &str, method: &str, origin: &str| {
        owner.call(Method::OPTIONS, path).header("origin", origin).header("access-control-request-method", method)
    };
    let (other, app) = ("https://evil.example", "https://app.example.com");
    for (path, method, origin, expected) in [
        ("/api/leads", "GET", other, ""),
        ("/api/leads/x", "DELETE", other, ""),
        ("/api/customers", "POST", other, ""),
        ("/api/leads", "POST", other, other),
        ("/api/leads", "GET", app, app),
    ] {
        let answer = preflight(path, method, origin).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), expected, "{method} {path} from {origin}");
    }
    let preflight = owner
        .call(Method::OPTIONS, "/api/leads")
        .header("origin", "https://anywhere.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-form-key")
        .await
        .expect(200);
    assert_eq!(preflight.header("access-control-allow-methods"), "POST");
    assert_eq!(preflight.header("access-control-allow-headers"), "content-type,x-form-key");
    for answer in [post, listed, preflight] {
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn a_request_keeps_the_id_it_comes_with_if_that_is_a_plain_one() {
    let world = World::new().await;
    let ask = |id: &str| world.visitor().get("/health").header("x-request-id", id);
    assert_eq!(ask("my-request.1").await.header("x-request-id"), "my-request.1");
    for odd in ["a b", "", &"x".repeat(65), "a<script>"] {
        assert!(ask(odd).await.header("x-request-id").starts_with("req_"), "{odd:?}");
    }
}

#[tokio::test]
async fn a_body_in_which_all_is_optional_may_be_left_out() {
    let world = World::new().await;
    let owner = world.owner().await;
    for kind in [None, Some("application/json")] {
        let post = async |path: &str| {
            let call = owner.call(Method::POST, path);
            match kind {
                Some(kind) => call.body(kind, "").await,
                None => call.await,
            }
        };
        let email = format!("{}@example.com", kind.map_or("none", |_| "json"));
        let lead = owner.post("/api/leads", lead(&email)).await.expect(201).id();
        let converted = post(&format!("/api/leads/{lead}/convert")).await;
        assert!(converted.status.is_success(), "{kind:?}: {}", converted.text);
        let exported = post("/api/audit-logs/export").await;
        assert!(exported.status.is_success(), "{kind:?}: {}", exported.text);
        // Where a field is required, so is a body.
        let refused = post("/api/customers").await;
        assert!(refused.status.is_client_error(), "{kind:?}: {}", refused.text);
    }
}
