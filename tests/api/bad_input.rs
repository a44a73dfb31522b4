//! Bad input tests: invalid requests get a clear problem document and change nothing.

use axum::http::Method;
use daybook_local::DEFAULT_ORG;
use daybook_testing::{World, is_full, lead};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

#[tokio::test]
async fn what_can_t_be_read_is_refused_by_kind() {
    let world = World::new().await;
    let visitor = world.visitor();
    let entries = world.journal(DEFAULT_ORG).await.len();
    let post = |kind: &str, body: &str| visitor.call(Method::POST, "/api/leads").body(kind, body.to_owned());
    let deep = format!("{{\"email\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    for bad in ["", "{", "nope", "{\"email\": \"\\ud800\"}", "{\"email\":1e999}", &deep] {
        post("application/json", bad).await.expect_problem(400, "malformed");
    }
    post("application/json", "[]").await.expect_problem(422, "validation_error");
    post("application/json", "null").await.expect_problem(422, "validation_error");
    post("text/csv", "{}").await.expect_problem(415, "unsupported_media_type");
    visitor.call(Method::POST, "/api/leads").await.expect_problem(415, "unsupported_media_type");
    post("application/x-www-form-urlencoded", "{\"email\": \"a@b.example\"}")
        .await
        .expect_problem(415, "unsupported_media_type");
    post("multipart/form-data; boundary=XX", "--XX\r\nnonsense").await.expect_problem(400, "malformed");
    post("application/x-www-form-urlencoded", "email=%ff%fe").await.expect(422);
    let file = "--XX\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"cv.pdf\"\r\n\r\nx\r\n--XX--\r\n";
    post("multipart/form-data; boundary=XX", file).await.expect_problem(422, "validation_error");
    assert_eq!(world.journal(DEFAULT_ORG).await.len(), entries);
}

#[tokio::test]
async fn a_body_of_more_than_256_kb_is_refused() {
    let world = World::new().await;
    let visitor = world.visitor();
    let body = |size: usize| json!({"email": "a@b.example", "note": "x".repeat(size)}).to_string();
    visitor
        .call(Method::POST, "/api/leads")
        .body("application/json", body(256 * 1024))
        .await
        .expect_problem(413, "too_large");
    let announced =
        visitor.call(Method::POST, "/api/leads").body("application/json", "{}").header("content-length", "999999999");
    announced.await.expect_problem(413, "too_large");
    let within = visitor.call(Method::POST, "/api/leads").body("application/json", body(255 * 1024)).await;
    assert_eq!(
        within.expect_problem(422, "validation_error").violations(),
        [("/note".to_owned(), "too_long".to_owned())]
    );
}

#[tokio::test]
async fn more_than_a_record_holds_is_a_violation_and_not_a_loss_of_the_form() {
    let world = World::new().await;
    let mut body = lead("a@b.example");
    let fields = body.as_object_mut().expect("an object");
    fields.extend((0..50).map(|n| (format!("field{n}"), Value::from("x".repeat(1000)))));
    world.visitor().post("/api/leads", body.clone()).await.expect(201);
    body["requirements"] = Value::from("需".repeat(10_000));
    let answer = world.visitor().post("/api/leads", body).await.expect_problem(422, "validation_error");
    assert_eq!(answer.violations(), [("/extra".to_owned(), "too_long".to_owned())]);
}

#[tokio::test]
async fn unknown_parameters_are_refused_with_the_nearest_name() {
    let world = World::new().await;
    let owner = world.owner().await;
    let answer = owner.get("/api/leads?limmit=5").await.expect_problem(400, "invalid_query");
    assert_eq!(answer.violations(), [("/limmit".to_owned(), "unknown_field".to_owned())]);
    assert!(answer.json()["errors"][0]["message"].as_str().is_some_and(|text| text.contains("limit")));
    // What other systems call it, and nothing where there is nothing to advise.
    for (query, advice) in [
        ("page=2", Some("cursor")),
        ("per_page=5", Some("limit")),
        ("q=ada", Some("search")),
        ("order_by=name", Some("sort")),
        ("emial=a", Some("email")),
        ("nane=a", None),
        ("colour=red", None),
    ] {
        let told = owner.get(&format!("/api/leads?{query}")).await.expect_problem(400, "invalid_query").json();
        let message = told["errors"][0]["message"].as_str().expect("a text");
        match advice {
            Some(name) => assert!(message.ends_with(&format!("did you mean {name}?")), "{query}: {message}"),
            None => assert!(!message.contains("did you mean"), "{query}: {message}"),
        }
    }
    let twice = owner.get("/api/leads?view_id=a&view_id=b").await.status;
    assert_eq!(twice.as_u16(), 400);
    let path = format!("/api/leads/{}", owner.post("/api/leads", lead("a@b.example")).await.expect(201).id());
    owner.get(&format!("{path}?vresion=1")).await.expect_problem(400, "invalid_query");
    owner.patch(&format!("{path}?x=1"), json!({"status": "contacted"})).await.expect_problem(400, "invalid_query");
    owner.get("/api/auth/me?x=1").await.expect_problem(400, "invalid_query");
    owner.get("/health?x=1").await.expect_problem(400, "invalid_query");
}

#[tokio::test]
async fn control_characters_in_names_are_refused_and_reach_no_mail() {
    let world = World::new().await;
    for bad in ["a\r\nBcc: x@y.example", "a\nb", "a\0b", "a\u{85}b", "a\u{2028}b", "a\u{2029}b", "a\tb", "a\u{7f}"] {
        for field in ["first_name", "last_name", "company", "job_title", "email", "phone"] {
            let mut body = lead("a@b.example");
            body[field] = json!(bad);
            let answer = world.visitor().post("/api/leads", body).await.expect_problem(422, "validation_error");
            assert_eq!(answer.violations(), [(format!("/{field}"), "control_character".to_owned())], "{bad:?}");
        }
    }
    world.work().await;
    assert!(world.mails().is_empty());
}

#[tokio::test]
async fn an_answer_lists_a_hundred_violations_and_no_more() {
    let world = World::new().await;
    let fields: serde_json::Map<String, Value> = (0..5_000).map(|n| (format!("{n}\u{1}"), json!(1))).collect();
    let answer =
        world.visitor().post("/api/leads", Value::Object(fields)).await.expect_problem(422, "validation_error");
    assert_eq!(answer.json()["errors"].as_array().map(Vec::len), Some(100));
}

#[tokio::test]
async fn messages_are_in_the_language_asked_for() {
    let world = World::new().await;
    let post =
        |language: &str| world.visitor().post("/api/leads", json!({"email": "x"})).header("accept-language", language);
    let chinese = post("zh-CN,zh;q=0.9").await.expect_problem(422, "validation_error");
    let english = post("de, en;q=0.5").await.expect_problem(422, "validation_error");
    assert!(chinese.json()["errors"][0]["message"].as_str().is_some_and(|text| text.contains("邮箱")));
    assert!(english.json()["errors"][0]["message"].as_str().is_some_and(|text| text.contains("e-mail")));
    assert_eq!((chinese.header("content-language"), english.header("content-language")), ("zh-CN", "en"));
}

#[tokio::test]
async fn an_answer_names_the_endpoint_that_does_not_exist() {
    let world = World::new().await;
    let detail = async |method: Method, path: &str, language: &str, status: u16, code: &str| {
        let call = world.visitor().call(method, path).header("accept-language", language);
        call.await.expect_problem(status, code).json()["detail"].clone()
    };
    let unknown = async |language: &str| detail(Method::GET, "/api/x", language, 404, "not_found").await;
    assert_eq!(unknown("en").await, "No such endpoint: GET /api/x");
    assert_eq!(unknown("zh-CN").await, "没有该接口：GET /api/x");
    let refused = async |language: &str| detail(Method::PUT, "/api/leads", language, 405, "method_not_allowed").await;
    assert_eq!(refused("en").await, "/api/leads doesn't support PUT; use one of POST, GET.");
    assert_eq!(refused("zh-CN").await, "/api/leads 不支持 PUT，可用的方法：POST、GET。");
}

#[tokio::test]
async fn formats_are_explained_in_the_language_asked_for() {
    let world = World::new().await;
    let owner = world.owner().await;
    let refused = async |query: &str, language: &str| {
        let answer = owner.get(&format!("/api/leads?{query}")).header("accept-language", language).await;
        answer.expect_problem(400, "invalid_query").json()["errors"][0]["message"].clone()
    };
    let query = "filter[created_at][between]=2026-11-20";
    assert_eq!(refused(query, "en").await, "must be two values, separated by a comma");
    assert_eq!(refused(query, "zh-CN").await, "必须是两个值，以英文逗号分隔");
}

/// Arbitrary JSON, in which some of the names are fields of the API.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("ada@example.com")),
    ];
    let name = prop_oneof![
        Just("email".to_owned()),
        Just("first_name".to_owned()),
        Just("company".to_owned()),
        Just("status".to_owned()),
        Just("consent".to_owned()),
        Just("attribution".to_owned()),
        Just("extra".to_owned()),
        Just("phone".to_owned()),
        Just("_started_at".to_owned()),
        Just("password".to_owned()),
        Just("version".to_owned()),
        ".{0,10}",
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

#[tokio::test]
async fn no_input_is_answered_with_a_5xx() {
    let world = World::new().await;
    let owner = world.owner().await;
    let path =
        format!("/api/leads/{}", world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id());
    let cases = if is_full() { 10_000 } else { 400 };
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..cases {
        let value = any_json().new_tree(&mut runner).expect("a value").current();
        let text: String = ".{0,30}".new_tree(&mut runner).expect("a text").current();
        let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for answer in [
            owner.post("/api/leads", value.clone()).await,
            owner.patch(&path, value.clone()).await,
            owner.put(&path, value.clone()).await,
            owner.post("/api/auth/login", value.clone()).await,
            owner.post("/api/auth/register", value.clone()).await,
            world.visitor().post("/f/form_01kdvpaw00fpgv030000000001", value.clone()).await,
            owner.call(Method::POST, "/api/leads").body("multipart/form-data; boundary=x", text.clone()).await,
            owner.get(&format!("/api/leads?{escaped}={escaped}&cursor={escaped}")).await,
            owner.get(&format!("/api/leads/{escaped}")).await,
            owner
                .call(Method::POST, "/api/leads")
                .body("application/x-www-form-urlencoded", format!("{text}=x&email={text}"))
                .await,
        ] {
            assert!(answer.status.as_u16() < 500, "{value} {text:?}: {}", answer.text);
            if answer.status.is_client_error() {
                assert_eq!(answer.json()["success"], false, "{value}");
            }
        }
    }
}

#[tokio::test]
async fn lists_in_place_of_objects_are_refused_and_leave_no_password_behind() {
    let world = World::new().await;
    let visitor = world.visitor();
    for path in ["/api/auth/register", "/api/auth/login"] {
        let list = json!(["b@example.com", "PLAINTEXTpassword1", null, null, null]);
        let answer = visitor.post(path, list).await.expect_problem(422, "validation_error");
        assert!(!answer.text.contains("struct"), "{}", answer.text);
    }
    let body = json!({"email": "a@b.example", "attribution": ["1", "2"]});
    visitor.post("/api/leads", body).await.expect_problem(422, "validation_error");
    assert!(world.journal(daybook_local::DEFAULT_ORG).await.is_empty());
}
