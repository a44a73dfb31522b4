//! Tests of the OpenAPI document, the reference pages and the form script.

use daybook_testing::World;

#[tokio::test]
async fn the_document_and_its_pages_come_from_here_alone() {
    let world = World::new().await;
    let visitor = world.visitor();
    let document = visitor.get("/openapi.json").await.expect(200).json();
    assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    assert!(document["paths"]["/api/leads"]["get"]["summary"].is_string());
    for path in ["/docs", "/docs/start.js", "/redoc"] {
        let page = visitor.get(path).await.expect(200);
        let foreign = page
            .text
            .match_indices("http")
            .any(|(at, _)| page.text[at..].starts_with("http://") || page.text[at..].starts_with("https://"));
        assert!(!foreign, "{path} names another host");
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
    }
    for path in ["/docs/scalar.js", "/redoc/redoc.js"] {
        let script = visitor.get(path).await.expect(200);
        assert_eq!(script.header("content-encoding"), "gzip", "{path}");
        assert!(script.header("content-type").starts_with("text/javascript"), "{path}");
    }
}

#[tokio::test]
async fn the_script_for_forms_is_small() {
    let world = World::new().await;
    let script = world.visitor().get("/daybook-form.js").await.expect(200);
    assert!(script.text.contains("daybook-form") && script.text.len() <= 5 << 10, "{} bytes", script.text.len());
}
