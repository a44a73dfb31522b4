//! Forms as the world sends them: charsets by their real bytes, usual names, webhooks, and whatever else senders do.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use daybook_domain::FormId;
use daybook_local::DEFAULT_ORG;
use daybook_testing::{Answer, Person, World};
use encoding_rs::{BIG5, EUC_KR, Encoding, GBK, SHIFT_JIS, UTF_8, WINDOWS_1251, WINDOWS_1252};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write as _;

const URL_ENCODED: &str = "application/x-www-form-urlencoded";

/// The charsets of pages, each with a text in it.
const CHARSETS: [(&Encoding, &str); 7] = [
    (GBK, "张三联通"),
    (BIG5, "張三功能"),
    (SHIFT_JIS, "山田ソ表"),
    (EUC_KR, "김철수"),
    (WINDOWS_1251, "Иван"),
    (WINDOWS_1252, "Zoë"),
    (UTF_8, "😀 žluť"),
];

/// A world, its owner, and the path of the default form.
async fn world() -> (World, Person, String) {
    let world = World::new().await;
    let owner = world.owner().await;
    (world, owner, format!("/f/{}", FormId::default_of(DEFAULT_ORG)))
}

/// The bytes of a form as a browser sends them from a page in this charset.
fn sent(charset: &'static Encoding, fields: &[(&str, &str)]) -> Vec<u8> {
    let escaped = |text: &str| charset.encode(text).0.iter().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join("&").into_bytes()
}

/// The same as multipart: names and values are raw bytes, and only the part's type can name their charset.
fn multipart(charset: &'static Encoding, fields: &[(&str, &str)], of_part: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(b"--XX\r\nContent-Disposition: form-data; name=\"");
        body.extend(charset.encode(name).0.iter());
        body.extend(format!("\"\r\n{of_part}\r\n").bytes());
        body.extend(charset.encode(value).0.iter());
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    body
}

async fn post(world: &World, path: &str, kind: &str, body: Vec<u8>) -> Answer {
    world.visitor().call(Method::POST, path).body(kind, body).header("accept", "application/json").await
}

/// The lead of the newest submission, with the submission.
async fn newest(owner: &Person) -> (Value, Value) {
    let submission = owner.get("/api/submissions?limit=1").await.expect(200).json()["data"][0].clone();
    let lead = match submission["lead_id"].as_str() {
        Some(id) => owner.get(&format!("/api/leads/{id}")).await.expect(200).data(),
        None => Value::Null,
    };
    (lead, submission)
}

#[tokio::test]
async fn every_charset_is_read_wherever_it_is_named() {
    let (world, owner, form) = world().await;
    for (n, (charset, text)) in CHARSETS.into_iter().enumerate() {
        let name = charset.name();
        let mail = |way: &str| format!("{way}{n}@example.com");
        let fields = |mail: &'static str| [("email", mail), ("company", text)];
        let ways: [(&str, String, Vec<u8>); 4] = [
            ("type", format!("{URL_ENCODED}; charset={name}"), sent(charset, &fields("EMAIL"))),
            ("field", URL_ENCODED.to_owned(), sent(charset, &[&fields("EMAIL")[..], &[("_charset_", name)]].concat())),
            (
                "part",
                "multipart/form-data; boundary=XX".to_owned(),
                multipart(charset, &fields("EMAIL"), &format!("Content-Type: text/plain; charset={name}\r\n")),
            ),
            (
                "json",
                format!("application/json; charset={name}"),
                charset.encode(&json!({"email": "EMAIL", "company": text}).to_string()).0.to_vec(),
            ),
        ];
        for (way, kind, body) in ways {
            let body = replaced(&body, b"EMAIL", mail(way).as_bytes());
            let body = replaced(&body, b"%45%4D%41%49%4C", mail(way).as_bytes());
            post(&world, &form, &kind, body).await.expect(201);
            assert_eq!(newest(&owner).await.0["company"], text, "{name} by its {way}");
        }
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match bytes.windows(from.len()).position(|some| some == from) {
        Some(at) => [&bytes[..at], to, &bytes[at + from.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

#[tokio::test]
async fn bytes_that_name_no_charset_are_in_the_forms() {
    let (world, owner, default) = world().await;
    let fields = |text: &'static str| [("email", "a@b.example"), ("姓名", text), ("企业", text)];
    // A Chinese form's are likely to be in GBK, in URL-encoded bodies and in multipart ones, names included.
    post(&world, &default, URL_ENCODED, sent(GBK, &fields("张三"))).await.expect(201);
    let (lead, submission) = newest(&owner).await;
    assert_eq!((&lead["last_name"], &lead["extra"]["企业"]), (&json!("张"), &json!("张三")), "{submission}");
    let kind = "multipart/form-data; boundary=XX";
    post(&world, &default, kind, multipart(GBK, &[("email", "c@d.example"), ("姓名", "李四")], "")).await.expect(201);
    assert_eq!(newest(&owner).await.0["first_name"], "四");

    let korean = json!({"name": "Korea", "locale": "en", "charset": "euc-kr"});
    let korean = owner.post("/api/forms", korean).await.expect(201).id();
    let fields = [("email", "e@f.example"), ("company", "회사")];
    post(&world, &format!("/f/{korean}"), URL_ENCODED, sent(EUC_KR, &fields)).await.expect(201);
    assert_eq!(newest(&owner).await.0["company"], "회사");
    let refused = owner.post("/api/forms", json!({"name": "x", "charset": "klingon"})).await;
    assert_eq!(refused.expect_problem(422, "validation_error").violations()[0].0, "/charset");
}

#[tokio::test]
async fn what_is_in_no_charset_is_told_to_scripts_and_kept_of_visitors() {
    let (world, owner, _) = world().await;
    let english = owner.post("/api/forms", json!({"name": "English", "locale": "en"})).await.expect(201).id();
    let path = format!("/f/{english}");
    let body = sent(GBK, &[("email", "a@b.example"), ("company", "张三"), ("colour", "red")]);
    let told = post(&world, &path, URL_ENCODED, body.clone()).await.expect_problem(422, "validation_error");
    assert_eq!(told.violations(), [("/company".to_owned(), "invalid_format".to_owned())]);
    let broken = GBK.encode(&json!({"email": "a@b.example", "company": "张三"}).to_string()).0.to_vec();
    post(&world, &path, "application/json", broken).await.expect_problem(400, "malformed");

    world.visitor().call(Method::POST, &path).body(URL_ENCODED, body).header("accept", "text/html").await.expect(200);
    let (_, submission) = newest(&owner).await;
    assert_eq!((&submission["status"], &submission["screening"][0]["check"]), (&json!("held"), &json!("charset")));
    assert_eq!(
        (&submission["enquiry"]["company"], &submission["enquiry"]["extra"]["colour"]),
        (&Value::Null, &json!("red"))
    );
    let kept = STANDARD.decode(submission["unreadable"]["company"].as_str().expect("bytes")).expect("Base64");
    assert_eq!(kept, GBK.encode("张三").0.to_vec());
    for fact in world.journal(DEFAULT_ORG).await {
        assert!(!serde_json::to_string(&fact.into_fact()).is_ok_and(|text| text.contains('\u{fffd}')));
    }
    let id = submission["id"].as_str().expect("an id");
    owner.post(&format!("/api/submissions/{id}/release"), json!({})).await.expect(200);
    assert_eq!(newest(&owner).await.0["email"], "a@b.example");
}

#[tokio::test]
async fn what_was_in_no_charset_is_released_in_the_one_that_a_person_recognises() {
    let (world, owner, _) = world().await;
    let english = json!({"name": "English", "locale": "en", "field_names": {"预算": "requirements"}});
    let english = owner.post("/api/forms", english).await.expect(201).id();
    let posted = async |path: &str, fields: &[(&str, &str)]| {
        let call = world.visitor().call(Method::POST, path).body(URL_ENCODED, sent(GBK, fields));
        call.header("accept", "text/html").await.expect(200);
        newest(&owner).await.1["id"].as_str().expect("an id").to_owned()
    };
    let path = format!("/f/{english}");
    let own = posted(&path, &[("email", "a@b.example"), ("姓名", "张三"), ("预算", "五十万"), ("colour", "红")]).await;
    let path = format!("/api/submissions/{own}/release");
    let wrong = owner.post(&path, json!({"charset": "shift_jis"})).await.expect_problem(422, "validation_error");
    assert_eq!(wrong.violations(), [("/charset".to_owned(), "invalid_format".to_owned())]);
    owner.post(&path, json!({"charset": "klingon"})).await.expect(422);
    owner.post(&path, json!({"charset": "gbk"})).await.expect(200);
    let (lead, submission) = newest(&owner).await;
    assert_eq!((&lead["last_name"], &lead["first_name"]), (&json!("张"), &json!("三")));
    assert_eq!((&lead["requirements"], &lead["extra"]), (&json!("五十万"), &json!({"colour": "红"})));
    assert_eq!((&submission["status"], &submission["unreadable"]), (&json!("accepted"), &json!({})));

    // What stands under a known name stays there, whatever the page means by it.
    let table = json!({"name": "Own", "locale": "en", "field_names": {"phone": "extra", "q1": "company"}});
    let table = owner.post("/api/forms", table).await.expect(201).id();
    let fields = [("tel", "13800138000"), ("q1", "示例公司")];
    let held = posted(&format!("/f/{table}"), &fields).await;
    owner.post(&format!("/api/submissions/{held}/release"), json!({"charset": "gbk"})).await.expect(200);
    let (lead, _) = newest(&owner).await;
    assert_eq!((&lead["phone"], &lead["company"]), (&json!("13800138000"), &json!("示例公司")));

    // A message that something else stood in for, too.
    let contact = format!("/api/contact?form_id={english}");
    let held = posted(&contact, &[("email", "c@d.example"), ("message", "请回电"), ("subject", "X30")]).await;
    owner.post(&format!("/api/submissions/{held}/release"), json!({"charset": "gb18030"})).await.expect(200);
    let (lead, submission) = newest(&owner).await;
    assert_eq!(submission["contact"], json!({"message": "请回电", "subject": "X30"}));
    assert_eq!(lead["requirements"], "请回电");
}

#[tokio::test]
async fn a_chinese_browser_says_that_unnamed_bytes_are_chinese() {
    let (world, owner, _) = world().await;
    let english = owner.post("/api/forms", json!({"name": "English", "locale": "en"})).await.expect(201).id();
    let call = world.visitor().call(Method::POST, &format!("/f/{english}"));
    // What GBK doesn't have is written as a number.
    let body = sent(GBK, &[("email", "a@b.example"), ("公司", "示例公司 &#128512;")]);
    let call = call.body(URL_ENCODED, body).header("accept", "text/html").header("accept-language", "zh-CN,zh;q=0.9");
    call.await.expect(200);
    assert_eq!(newest(&owner).await.0["company"], "示例公司 😀");
}

#[tokio::test]
async fn usual_names_become_fields_and_a_form_has_its_own() {
    let (world, owner, form) = world().await;
    let body =
        "your-name=Ada+Lovelace&your-email=a%40b.example&tel=13800138000&company_name=C&comments=Hello&subject=S";
    post(&world, &form, URL_ENCODED, body.as_bytes().to_vec()).await.expect(201);
    let (lead, _) = newest(&owner).await;
    for (field, value) in [
        ("first_name", "Ada"),
        ("last_name", "Lovelace"),
        ("company", "C"),
        ("requirements", "Hello"),
        ("phone_e164", "+8613800138000"),
    ] {
        assert_eq!(lead[field], value, "{field}: {lead}");
    }
    assert_eq!(lead["extra"], json!({"subject": "S"}));
    let names = json!({"q1": "company", "q2": "message", "phone": "extra"});
    let own = owner.post("/api/forms", json!({"name": "Own", "field_names": names})).await.expect(201).id();
    let body = json!({"email": "c@d.example", "q1": "D", "q2": "Hello", "phone": "none of your business"});
    post(&world, &format!("/f/{own}"), "application/json", body.to_string().into_bytes()).await.expect(201);
    let (lead, _) = newest(&owner).await;
    assert_eq!((&lead["company"], &lead["requirements"]), (&json!("D"), &json!("Hello")));
    assert_eq!((&lead["phone"], &lead["extra"]["phone"]), (&Value::Null, &json!("none of your business")));
    let wrong = owner.patch(&format!("/api/forms/{own}"), json!({"field_names": {"a/b": "nothing"}})).await;
    assert_eq!(
        wrong.expect_problem(422, "validation_error").violations(),
        [("/field_names/a~1b".to_owned(), "not_allowed".to_owned())]
    );
    // The API itself takes no other names.
    post(&world, "/api/leads", "application/json", br#"{"email": "e@f.example", "tel": "1"}"#.to_vec())
        .await
        .expect(201);
    assert_eq!(newest(&owner).await.0["extra"], json!({"tel": "1"}));
}

#[tokio::test]
async fn long_texts_are_kept_and_a_broken_field_is_named() {
    let (world, owner, form) = world().await;
    let body = json!({"email": "a@b.example", "故事": "长".repeat(5_000)});
    post(&world, &form, "application/json", body.to_string().into_bytes()).await.expect(201);
    assert_eq!(newest(&owner).await.0["extra"]["故事"], "长".repeat(5_000));
    let body = json!({"email": "a@b.example", "故事": "长".repeat(5_001)});
    let told = post(&world, &form, "application/json", body.to_string().into_bytes()).await;
    assert_eq!(
        told.expect_problem(422, "validation_error").violations(),
        [("/故事".to_owned(), "too_long".to_owned())]
    );
}

#[tokio::test]
async fn a_later_post_fills_what_the_lead_lacks_and_says_what_differs() {
    let (world, owner, form) = world().await;
    let first = json!({"email": "a@b.example", "name": "Ada Lovelace", "company": "C", "colour": "red"});
    post(&world, &form, "application/json", first.to_string().into_bytes()).await.expect(201);
    let (lead, _) = newest(&owner).await;
    world.work().await;
    let second = json!({
        "email": "A@b.example", "name": "Ada King", "phone": "13800138000", "company": "C", "colour": "blue", "size": "L"
    });
    post(&world, &form, "application/json", second.to_string().into_bytes()).await.expect(201);
    let (after, submission) = newest(&owner).await;
    assert_eq!((&after["id"], &after["version"]), (&lead["id"], &json!(2)));
    assert_eq!((&after["phone_e164"], &after["last_name"]), (&json!("+8613800138000"), &json!("Lovelace")));
    assert_eq!(after["extra"], json!({"colour": "red", "size": "L"}));
    assert_eq!(submission["differs"], json!(["extra/colour", "last_name"]));
    world.work().await;
    let mails: Vec<_> = world.mails().into_iter().filter(|mail| mail.to.ends_with("@staff.example")).collect();
    let [first, second] = &mails[..] else { panic!("{} mails to the team", mails.len()) };
    assert!(first.subject.starts_with("New lead: "), "{}", first.subject);
    assert!(second.subject.starts_with("Another post of a lead: "), "{}", second.subject);
    assert!(first.text.contains("colour: red") && second.text.contains("size: L"), "{}", second.text);
    for differing in ["Name: Ada King (not on the lead)", "colour: blue (not on the lead)"] {
        assert!(second.text.contains(differing), "{}", second.text);
    }
    let timeline = owner.get(&format!("/api/leads/{}/timeline", lead["id"].as_str().expect("an id"))).await.expect(200);
    let timeline = timeline.json();
    let told =
        timeline["data"].as_array().expect("a list").iter().find(|one| one["submission"]["id"] == submission["id"]);
    assert_eq!(told.expect("the post")["submission"]["differs"], json!(["extra/colour", "last_name"]));
    // The same again changes nothing.
    let third = json!({"email": "a@b.example", "size": "L"});
    post(&world, &form, "application/json", third.to_string().into_bytes()).await.expect(201);
    assert_eq!(newest(&owner).await.0["version"], 2);
}

#[tokio::test]
async fn a_held_post_fills_the_lead_when_it_is_released() {
    let (world, owner, form) = world().await;
    let first = json!({"email": "a@b.example"});
    post(&world, &form, "application/json", first.to_string().into_bytes()).await.expect(201);
    let second = json!({"email": "a@b.example", "company": "C", "_elapsed": 100});
    post(&world, &form, "application/json", second.to_string().into_bytes()).await.expect(201);
    let held = owner.get("/api/submissions?status=held").await.expect(200).json()["data"][0]["id"].clone();
    let held = held.as_str().expect("an id");
    owner.post(&format!("/api/submissions/{held}/release"), json!({})).await.expect(200);
    let leads = owner.get("/api/leads").await.expect(200).json();
    assert_eq!((leads["data"].as_array().map(Vec::len), &leads["data"][0]["company"]), (Some(1), &json!("C")));
}

#[tokio::test]
async fn a_clock_that_is_years_off_holds_nothing() {
    let (world, owner, form) = world().await;
    for (n, (started, sent, held)) in [
        (json!(951_782_400), json!(951_782_460), false),
        (json!(951_782_400), json!(951_782_401), true),
        (json!(4_951_782_400_000_i64), json!(4_951_782_400_900_i64), true),
        (json!(4_951_782_400_000_i64), json!(4_951_782_409_000_i64), false),
        (json!("2044-01-01T00:00:00Z"), Value::Null, false),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"email": format!("a{n}@b.example"), "_started_at": started, "_sent_at": sent});
        post(&world, &form, "application/json", body.to_string().into_bytes()).await.expect(201);
        assert_eq!(newest(&owner).await.1["status"] == "held", held, "{body}");
    }
}

#[tokio::test]
async fn a_repeat_of_the_same_post_is_one_however_long_it_was_open() {
    let (world, owner, form) = world().await;
    for elapsed in [5_000, 6_000] {
        let body = format!("email=a%40b.example&_elapsed={elapsed}");
        world.visitor().call(Method::POST, &form).body(URL_ENCODED, body).key("one").await.expect(200);
    }
    for elapsed in [7_000, 8_000] {
        let body = format!("email=c%40d.example&_elapsed={elapsed}");
        world.visitor().call(Method::POST, &form).body(URL_ENCODED, body).await.expect(200);
    }
    assert_eq!(owner.get("/api/submissions").await.expect(200).json()["data"].as_array().map(Vec::len), Some(2));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).expect("bytes");
    packed.finish().expect("gzip")
}

#[tokio::test]
async fn other_senders_are_understood() {
    let (world, owner, form) = world().await;
    let json = br#"{"email": "a@b.example", "company": "C"}"#;
    for (n, (kind, body)) in [
        ("text/plain;charset=UTF-8", json.to_vec()),
        ("text/plain", b"email=a@b.example\r\ncompany=C\r\n".to_vec()),
        ("application/json", [&[0xef, 0xbb, 0xbf][..], json].concat()),
    ]
    .into_iter()
    .enumerate()
    {
        let mail = format!("a{n}@b.example");
        post(&world, &form, kind, replaced(&body, b"a@b.example", mail.as_bytes())).await.expect(201);
        let (lead, _) = newest(&owner).await;
        assert_eq!((&lead["email"], &lead["company"]), (&json!(mail), &json!("C")), "{kind}");
    }
    let packed = |body: Vec<u8>, coding: &str| {
        let call = world.visitor().call(Method::POST, "/api/leads").body("application/json", body);
        call.header("content-encoding", coding)
    };
    packed(gzip(br#"{"email": "gzip@b.example"}"#), "gzip").await.expect(201);
    packed(gzip(&vec![b' '; 300_000]), "gzip").await.expect_problem(413, "too_large");
    packed(b"no gzip".to_vec(), "gzip").await.expect_problem(400, "malformed");
    packed(json.to_vec(), "br").await.expect_problem(400, "malformed");
    let moved = owner.call(Method::POST, &format!("{form}/?utm_source=x")).await.expect(308);
    assert_eq!(moved.header("location"), format!("{form}?utm_source=x"));
    owner.get("/api/nothing/").await.expect_problem(404, "not_found");
    let evil = owner.get("//evil.example/api/leads/").await;
    assert!(evil.header("location").is_empty(), "{}", evil.header("location"));
    let wrong = world.visitor().call(Method::DELETE, &form).await.expect_problem(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "POST");
}

#[tokio::test]
async fn webhooks_of_form_services_make_leads() {
    let (world, owner, form) = world().await;
    let typeform = json!({"event_id": "x", "event_type": "form_response", "form_response": {
    "definition": {"fields": [{"id": "a", "title": "Full name"}, {"id": "b", "title": "Company"}]},
    "answers": [
        {"type": "text", "text": "Ada Lovelace", "field": {"id": "a"}},
        {"type": "text", "text": "C", "field": {"id": "b"}},
        {"type": "email", "email": "typeform@b.example", "field": {"id": "c"}}
    ]}});
    let tally = json!({"eventType": "FORM_RESPONSE", "data": {"fields": [
        {"key": "q1", "label": "Name", "type": "INPUT_TEXT", "value": "Ada Lovelace"},
        {"key": "q2", "label": "Company", "type": "INPUT_TEXT", "value": "C"},
        {"key": "q3", "label": "E-mail", "type": "INPUT_EMAIL", "value": "tally@b.example"}
    ]}});
    let google =
        json!({"namedValues": {"Name": ["Ada Lovelace"], "Company": ["C"], "Email Address": ["google@b.example"]}});
    let contact_form_7 = json!({"your-name": "Ada Lovelace", "your-email": "cf7@b.example", "your-company": "C"});
    for body in [typeform, tally, google, contact_form_7] {
        post(&world, &form, "application/json", body.to_string().into_bytes()).await.expect(201);
        let (lead, _) = newest(&owner).await;
        assert_eq!((&lead["last_name"], &lead["company"]), (&json!("Lovelace"), &json!("C")), "{body}");
    }
}

#[tokio::test]
async fn where_a_visitor_goes_is_decided_once() {
    let (world, owner, _) = world().await;
    let form = json!({"name": "Own", "allowed_origins": ["https://a.example"], "locale": "en"});
    let form = format!("/f/{}", owner.post("/api/forms", form).await.expect(201).id());
    for (n, (next, goes, why)) in [
        ("https://a.example/thanks", true, ""),
        ("/thanks", true, ""),
        ("https://evil.example/", false, "https://evil.example is not among the form's allowed_origins"),
        ("//evil.example", false, "absolute"),
        ("javascript:alert(1)", false, "absolute"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = |way: &str| format!("email={way}{n}%40b.example&_next={next}").into_bytes();
        let told = post(&world, &form, URL_ENCODED, body("json")).await.expect(201).data();
        assert_eq!(told["next"] == next, goes, "{told}");
        assert!(
            goes == told["next_refused"].is_null() && told["next_refused"].as_str().unwrap_or_default().contains(why),
            "{told}"
        );
        let page =
            world.visitor().call(Method::POST, &form).body(URL_ENCODED, body("page")).header("accept", "text/html");
        let page = page.await;
        assert_eq!((page.status == 303, page.header("location") == next), (goes, goes), "{next}");
    }
}

#[tokio::test]
async fn large_integers_keep_their_digits() {
    let (world, owner, form) = world().await;
    let body =
        br#"{"email": "a@b.example", "order": 123456789012345678901234567890, "ids": [1, 18446744073709551616]}"#;
    post(&world, &form, "application/json", body.to_vec()).await.expect(201);
    let extra = newest(&owner).await.0["extra"].clone();
    assert_eq!(extra, json!({"order": "123456789012345678901234567890", "ids": [1, "18446744073709551616"]}));
}

#[tokio::test]
async fn what_a_form_can_t_take_is_refused_by_its_name() {
    let (world, _, form) = world().await;
    let body = "--XX\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"cv.pdf\"\r\n\r\nx\r\n--XX--\r\n";
    let told = post(&world, &form, "multipart/form-data; boundary=XX", body.as_bytes().to_vec()).await;
    let told = told.expect_problem(422, "validation_error").violations();
    assert!(told.contains(&("/cv".to_owned(), "wrong_type".to_owned())), "{told:?}");
    // The field's name is in the charset of the page.
    let part = |name: &[u8], file: &[u8], value: &[u8]| {
        let begin = [b"--XX\r\nContent-Disposition: form-data; name=\"", name, b"\"", file, b"\r\n\r\n"].concat();
        [begin, value.to_vec(), b"\r\n".to_vec()].concat()
    };
    let name = GBK.encode("附件").0.to_vec();
    let file = [&b"; filename=\""[..], &GBK.encode("简历").0, b"\""].concat();
    let parts = [part(b"email", b"", b"a@b.example"), part(&name, &file, &[0xff, 0xd8]), b"--XX--\r\n".to_vec()];
    let told = post(&world, &form, "multipart/form-data; boundary=XX", parts.concat()).await;
    let told = told.expect_problem(422, "validation_error").violations();
    assert_eq!(told, [("/附件".to_owned(), "wrong_type".to_owned())]);
}

#[tokio::test]
async fn a_form_is_answered_in_its_page_s_language_then_the_browser_s_then_its_organisation_s() {
    let world = World::new().await;
    let owner = world.owner().await;
    let form = owner.get("/api/forms").await.expect(200).data()[0]["id"].as_str().expect("an id").to_owned();
    let post = async |body: &str, accept: Option<&str>| {
        let call = world.visitor().call(Method::POST, &format!("/f/{form}")).body(URL_ENCODED, body.to_owned());
        let mut call = call.header("accept", "text/html");
        if let Some(accept) = accept {
            call = call.header("accept-language", accept);
        }
        call.await
    };
    for (n, (page, browser, chinese)) in [
        ("&locale=zh-CN", Some("en"), true),
        ("&locale=en", Some("zh-CN"), false),
        ("", Some("zh-CN"), true),
        ("", Some("en"), false),
        ("&locale=tlh", Some("en"), false),
        ("", None, true),
    ]
    .into_iter()
    .enumerate()
    {
        let fields = page.trim_start_matches('&').replace("locale=", "");
        let json =
            world.visitor().call(Method::POST, &format!("/f/{form}")).json(json!({"email": "wrong", "locale": fields}));
        let json = json.header("accept-language", browser.unwrap_or("fr")).await.expect(422);
        assert_eq!(
            json.json()["title"].as_str().is_some_and(|title| title.contains("字段")),
            chinese,
            "{page} {browser:?}"
        );
        let who = format!("{page} {browser:?}");
        let thanks = post(&format!("email=visitor{n}%40example.com{page}"), browser).await.expect(200);
        assert_eq!(thanks.text.contains("谢谢"), chinese, "{who}: {}", thanks.text);
        let problem = post(&format!("email=wrong{page}"), browser).await.expect(422);
        assert_eq!(problem.text.contains("请返回上一页"), chinese, "{who}: {}", problem.text);
        world.work().await;
        let mails = world.mails();
        let mail = mails.iter().rev().find(|mail| mail.to == format!("visitor{n}@example.com")).expect("a mail");
        assert_eq!(mail.subject.contains("我们已收到"), chinese, "{who}: {}", mail.subject);
    }
}
