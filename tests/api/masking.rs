//! Masking tests: secrets in requests are stored nowhere, whatever the shape in which they are sent.

use crate::privacy::all_there_is;
use daybook_domain::permission::Role;
use daybook_testing::{Person, World, lead};
use serde_json::{Map, Value, json};

/// Part of each secret in these tests.
const CANARY: &str = "canary4b7e";

const FORM: &str = "application/x-www-form-urlencoded";

/// Secrets in fields of all shapes.
fn secrets() -> Map<String, Value> {
    let secrets = json!({
        "passwd": format!("{CANARY}1"),
        "p%61ssphrase": format!("{CANARY}2"),
        "ｐａｓｓｗｏｒｄ": format!("{CANARY}3"),
        "验证码": format!("{CANARY}4"),
        "account": {"name": "Ada", "details": [{"credit-card": [format!("{CANARY}5")]}]},
        "fields": [{"name": "password", "value": format!("{CANARY}6")}],
        "answers": [{"label": "API key", "answer": format!("{CANARY}7")}],
        "pairs": [["client_secret", format!("{CANARY}8")], ["colour", "red"]],
        "page_url": format!("https://shop.example/?utm_source=x&token={CANARY}9#access_token={CANARY}10"),
    });
    secrets.as_object().cloned().expect("an object")
}

#[tokio::test]
async fn secrets_in_forms_and_queries_are_in_no_answer_entry_file_or_item() {
    let world = World::new().await;
    let (owner, viewer) = (world.owner().await, world.person(Role::Viewer).await);
    let visitor = world.visitor();
    let mut seen = String::new();

    let mut nested = lead("ada@example.com");
    nested["extra"] = Value::Object(secrets());
    let query = format!("p%61sswd={CANARY}11&user%5Bpin%5D={CANARY}12");
    let answer = visitor.post(&format!("/api/leads?{query}"), nested).await.expect(201);
    let id = answer.id();
    seen += &answer.text;
    let mut flat = secrets();
    flat.extend([("email".to_owned(), json!("eva@example.com")), ("demo_type".to_owned(), json!("onsite"))]);
    seen += &visitor.post("/api/demos", Value::Object(flat)).await.expect(201).text;
    let mut later = secrets();
    later.insert("demo_type".to_owned(), json!("onsite"));
    seen += &visitor.post(&format!("/api/leads/{id}/demo"), Value::Object(later)).await.expect(201).text;
    let form = format!("email=bob%40example.com&message=Hi&user%5Bpassword%5D={CANARY}13&p%2561sscode={CANARY}14");
    let post = visitor.post("/api/contact", json!({})).body(FORM, form).header("accept", "application/json");
    seen += &post.await.expect(201).text;
    let part =
        |name: &str, value: &str| format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let parts = part("email", "dan@example.com") + &part("pwd", &format!("{CANARY}15")) + "--XX--\r\n";
    let kind = "multipart/form-data; boundary=XX";
    let post = visitor.post("/api/leads", json!({})).body(kind, parts).header("accept", "application/json");
    seen += &post.await.expect(201).text;
    let path = format!("/api/leads/{id}");
    seen += &owner.patch(&path, json!({"extra": {"added": {"otp": format!("{CANARY}16")}}})).await.expect(200).text;
    seen += &viewer.post(&format!("/api/users?p%61ssword={CANARY}17"), json!({})).await.expect(403).text;
    seen += &attributed(&world, &owner).await;
    seen += &named(&world, &viewer).await;
    world.work().await;

    for read in ["/api/leads?limit=200", "/api/submissions?limit=200", "/api/demos", "/api/audit-logs?limit=200"] {
        seen += &owner.get(read).await.expect(200).text;
    }
    for format in ["csv", "json"] {
        seen += &owner.post("/api/audit-logs/export", json!({"format": format})).await.expect(200).text;
    }
    let job = owner.post("/api/privacy/exports", json!({"email": "ada@example.com"})).await.expect(202).id();
    world.work().await;
    let job = owner.get(&format!("/api/jobs/{job}")).await.expect(200).data();
    let url = job["download_url"].as_str().expect("a link");
    let file = url.strip_prefix(&world.system.env.settings.public_url).expect("an address here");
    seen += &visitor.get(file).await.expect(200).text;
    seen.extend(world.mails().into_iter().map(|mail| format!("{}{}", mail.text, mail.html)));

    assert!(seen.contains("token=***") && seen.contains("shop.example"), "{seen}");
    assert!(!seen.contains(CANARY), "{seen}");
    for item in all_there_is(&world) {
        assert!(!item.contains(CANARY), "{item}");
    }
}

/// Posts and changes attribution with secrets in URLs; returns the answers.
async fn attributed(world: &World, owner: &Person) -> String {
    let page = |n: usize| format!("https://ada:{CANARY}{n}@shop.example/reset?utm_source=x&token={CANARY}{n}");
    let mut posted = lead("fay@example.com");
    posted["referrer"] = json!(page(18));
    posted["landing_page"] = json!(format!("/welcome?token={CANARY}19#code={CANARY}20"));
    posted["attribution"] = json!({"utm_content": page(21), "utm_other": page(22)});
    let posted = world.visitor().post("/api/leads", posted).await.expect(201);
    let path = format!("/api/leads/{}", posted.id());
    let change = json!({"attribution": {"referrer": page(23)}});
    let changed = owner.patch(&path, change).await.expect(200);
    assert_eq!(changed.data()["attribution"]["referrer"], "https://ada:***@shop.example/reset?utm_source=x&token=***");
    posted.text + &changed.text
}

/// Sends secrets in names and in entries of flat forms; returns the answers.
async fn named(world: &World, viewer: &Person) -> String {
    let post = |form: String| {
        let post = world.visitor().post("/api/leads", json!({}));
        post.body(FORM, form).header("accept", "application/json")
    };
    let json = format!("%7B%22password%22%3A%22{CANARY}24%22%7D=x&email=gus%40example.com");
    let mut seen = post(json).await.expect(201).text;
    let entries = format!(
        "email=hal%40example.com&f[0][name]=password&f[0][value]={CANARY}25&userPwd={CANARY}26&sms_code={CANARY}27"
    );
    seen += &post(entries).await.expect(201).text;
    seen += &viewer.post(&format!("/api/users?password:{CANARY}28"), json!({})).await.expect(403).text;
    seen
}

#[tokio::test]
async fn the_code_of_the_first_owner_is_in_no_item() {
    let world = World::new().await;
    let registration = json!({
        "email": "eva@example.com", "password": format!("{CANARY}29"), "owner_code": format!("{CANARY}30")
    });

    let answer = world.visitor().post("/api/auth/register", registration).await.expect(201);

    assert!(!answer.text.contains(CANARY), "{}", answer.text);
    let items = all_there_is(&world);
    assert!(items.iter().any(|item| item.contains("owner_code")), "the request is recorded");
    for item in items {
        assert!(!item.contains(CANARY), "{item}");
    }
}

#[tokio::test]
async fn masked_fields_keep_what_isn_t_secret() {
    let world = World::new().await;
    let owner = world.owner().await;
    let mut posted = lead("ada@example.com");
    let kept = json!({
        "postal_code": "100000", "fields": [{"name": "colour", "value": "red"}], "business_card": "yes",
        "tokens_per_month": 5, "interests": ["Access card reader", "Camera"], "author": {"name": "Ricardo", "value": 1}
    });
    posted["extra"] = kept.clone();
    posted["extra"]["pin"] = json!(1234);
    let id = world.visitor().post("/api/leads", posted).await.expect(201).id();

    let extra = owner.get(&format!("/api/leads/{id}")).await.expect(200).data()["extra"].clone();

    let mut expected = kept;
    expected["pin"] = json!("***");
    assert_eq!(extra, expected);
}

#[tokio::test]
async fn a_form_that_differs_only_in_a_secret_is_another_request() {
    let world = World::new().await;
    let post = |secret: &str| {
        let form = format!("email=ada%40example.com&password={secret}");
        world.visitor().post("/api/leads", json!({})).body(FORM, form).header("accept", "application/json").key("one")
    };
    post("x").await.expect(201);
    assert_eq!(post("x").await.expect(201).header("idempotency-replayed"), "true");
    post("y").await.expect_problem(422, "idempotency_key_reused");
}
