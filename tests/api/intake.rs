//! Form intake tests: posted forms, and the submissions and leads that result.

use daybook_domain::permission::Role;
use daybook_domain::submission::{Submission, Verdict};
use daybook_domain::{FormId, LeadId, Line, OrgId, SubmissionId, form::Form};
use daybook_local::DEFAULT_ORG;
use daybook_store::Tx;
use daybook_testing::{Answer, World, WorldOptions, lead};
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";

async fn submission(world: &World, answer: &Answer) -> Submission {
    let id: SubmissionId = answer.data()["submission_id"].as_str().expect("an id").parse().expect("a submission id");
    world.cx(DEFAULT_ORG).get::<Submission>(id).await.expect("a submission").into_inner()
}

#[tokio::test]
async fn the_seed_s_own_example_makes_a_lead() {
    let world = World::new().await;
    let body = r#"{
    "first_name": "张", "last_name": "三", "email": "zhang.san@example.com", "phone": "+86-138-0013-8000",
    "company": "示例科技有限公司", "job_title": "技术总监", "industry": "manufacturing", "company_size": "large",
    "application_area": "inspection", "project_timeline": "short_term", "budget_range": "500k_1m",
    "requirements": "需要自动化巡检解决方案"
  }"#;
    let sent: Value = serde_json::from_str(body).expect("JSON");
    let id = world
        .visitor()
        .call(axum::http::Method::POST, "/api/leads")
        .body("application/json", body)
        .await
        .expect(201)
        .id();

    let owner = world.owner().await;
    let stored = owner.get(&format!("/api/leads/{id}")).await.expect(200).data();
    for (name, value) in sent.as_object().expect("an object") {
        assert_eq!(&stored[name], value, "{name}");
    }
    assert_eq!(
        (&stored["status"], &stored["phone_e164"], &stored["source"]),
        (&json!("new"), &json!("+8613800138000"), &json!("website"))
    );
}

#[tokio::test]
async fn json_urlencoded_and_multipart_make_the_same_lead() {
    let world = World::new().await;
    let visitor = world.visitor();
    let post = |email: &str, kind: &str, body: String| {
        let _ = email;
        visitor.call(axum::http::Method::POST, "/api/leads").body(kind, body)
    };
    post(
        "a",
        "application/json",
        json!({"email": "a@b.example", "first_name": "Ada", "company": "R&D", "x": "1"}).to_string(),
    )
    .await
    .expect(201);
    post("c", FORM, "email=c%40b.example&first_name=Ada&company=R%26D&x=1&phone=".to_owned()).await.expect(201);
    let parts = [("email", "e@b.example"), ("first_name", "Ada"), ("company", "R&D"), ("x", "1")]
        .map(|(name, value)| format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    post("e", "multipart/form-data; boundary=XX", format!("{}--XX--\r\n", parts.concat())).await.expect(201);

    let owner = world.owner().await;
    let leads = world.leads(&owner).await;
    assert_eq!(leads.len(), 3);
    for lead in leads {
        assert_eq!(
            (&lead["first_name"], &lead["company"], &lead["extra"]),
            (&json!("Ada"), &json!("R&D"), &json!({"x": "1"}))
        );
    }
}

#[tokio::test]
async fn a_plain_form_thanks_or_sends_on_to_allowed_places_only() {
    let world = World::new().await;
    let visitor = world.visitor();
    let mut form = Form::default_of(DEFAULT_ORG);
    form.allowed_origins = vec![Line::parse("https://shop.example").expect("an origin")];
    let cx = world.cx(DEFAULT_ORG);
    cx.commit(Tx::create(&form), ()).await.expect("a commit");
    let path = format!("/f/{}", form.id);
    let post = async |next: &str| {
        let body = format!("email=a%40b.example&first_name={}&_next={next}", next.len());
        visitor.call(axum::http::Method::POST, &path).body(FORM, body).header("accept", "text/html").await
    };
    let sent = post("https%3A%2F%2Fshop.example%2Fthanks%3Fa%3D1").await.expect(303);
    assert_eq!(sent.header("location"), "https://shop.example/thanks?a=1");
    for bad in [
        "https%3A%2F%2Fevil.example%2F",
        "%2F%2Fevil.example",
        "https%3A%2F%2Fshop.example.evil.example%2F",
        "javascript%3Aalert(1)",
        "%2F%01",
        "%2F%7f",
        "%2F%09%2Fevil.example",
        "%2F%5Cevil.example",
        "%2F%0d%0aSet-Cookie:a",
    ] {
        let page = post(bad).await.expect(200);
        assert!(
            page.header("content-type").starts_with("text/html") && page.text.contains("谢谢"),
            "{bad}: {}",
            page.text
        );
        assert_eq!(page.header("location"), "");
    }
    let scripted = visitor
        .call(axum::http::Method::POST, &path)
        .body(FORM, "email=s%40b.example")
        .header("accept", "application/json")
        .await;
    assert!(scripted.expect(201).id().starts_with("lead_"));
}

#[tokio::test]
async fn a_plain_form_with_mistakes_gets_a_page_that_names_them() {
    let world = World::new().await;
    let path = format!("/f/{}", FormId::default_of(DEFAULT_ORG));
    let call = world.visitor().call(axum::http::Method::POST, &path).body(FORM, "email=nope&industry=<b>");
    let page = call.header("accept", "text/html").header("accept-language", "zh-CN").await.expect(422);
    // Its own styles aren't blocked.
    assert!(page.header("content-security-policy").contains("style-src 'unsafe-inline'"));
    assert!(page.header("content-type").starts_with("text/html"), "{}", page.text);
    assert!(page.text.contains("邮箱</strong>") && page.text.contains("行业</strong>"), "{}", page.text);
}

#[tokio::test]
async fn forms_of_other_organisations_take_leads_for_them_and_unknown_ones_are_not_found() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let form = FormId::default_of(stranger.org);
    let visitor = world.visitor();
    visitor.post(&format!("/f/{form}"), lead("a@b.example")).await.expect(201);
    visitor.post("/api/leads", lead("c@b.example")).header("x-form-key", &form.to_string()).await.expect(201);
    let key = form.to_string().replace("form_", "pk_");
    visitor.post("/api/leads", lead("e@b.example")).header("x-form-key", &key).await.expect(201);
    let mut named = lead("g@b.example");
    named["form_id"] = json!(form);
    visitor.post("/api/leads", named).await.expect(201);
    assert_eq!(world.leads(&stranger).await.len(), 4);
    let owner = world.owner().await;
    assert!(world.leads(&owner).await.is_empty());

    let unknown = FormId::new(world.system.env.ids.next());
    for form in [unknown.to_string(), "x".to_owned()] {
        visitor.post(&format!("/f/{form}"), lead("a@b.example")).await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_form_with_a_list_of_origins_refuses_others() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let cx = world.cx(stranger.org);
    let form = cx.get::<Form>(FormId::default_of(stranger.org)).await.expect("a form");
    let mut listed = Form::clone(&form);
    listed.allowed_origins = vec![Line::parse("https://shop.example").expect("an origin")];
    let listed = daybook_domain::Record::following(listed, &form, cx.now());
    cx.commit(Tx::update(&form, &listed), ()).await.expect("a commit");
    let visitor = world.visitor();
    let post = |origin: &str| visitor.post(&format!("/f/{}", form.id), lead("a@b.example")).header("origin", origin);
    post("https://evil.example").await.expect_problem(403, "forbidden");
    let taken = post("https://shop.example").await.expect(201);
    assert_eq!(taken.header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(taken.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn a_repeat_adds_a_submission_and_tells_the_visitor_nothing() {
    let world = World::new().await;
    let visitor = world.visitor();
    let first = visitor.post("/api/leads", lead("ada@example.com")).await.expect(201);
    let mut again = lead("ADA@Example.com");
    again["requirements"] = json!("Another");
    let second = visitor.post("/api/leads", again).await.expect(201);

    let keys = |answer: &Answer| answer.data().as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&first), ["created_at", "id", "submission_id", "submission_token"]);
    assert_eq!(keys(&first), keys(&second));
    assert_ne!(first.id(), second.id());
    let (one, two) = (submission(&world, &first).await, submission(&world, &second).await);
    assert_eq!(one.lead_id, two.lead_id);
    assert_eq!(one.lead_id.map(|id| id.to_string()), Some(first.id()));
    let owner = world.owner().await;
    assert_eq!(world.leads(&owner).await.len(), 1);
    let told = owner.get(&format!("/api/leads/{}", second.id())).await.expect(200);
    assert_eq!(told.id(), first.id(), "the id in the visitor's answer names the lead");
}

#[tokio::test]
async fn trusted_callers_are_told_more() {
    let world = World::new().await;
    let sales = world.person(Role::Sales).await;
    let first = sales.post("/api/leads", lead("ada@example.com")).await.expect(201).data();
    assert_eq!((&first["status"], first.get("duplicate_of")), (&json!("new"), None));
    let second = sales.post("/api/leads", lead("ada@example.com")).await.expect(201).data();
    assert_eq!((&second["duplicate_of"], &second["id"]), (&first["id"], &first["id"]));
    world.person(Role::Viewer).await.post("/api/leads", lead("a@b.example")).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn the_honeypot_makes_spam_and_doubts_hold_and_visitors_see_no_difference() {
    let world = World::new().await;
    let visitor = world.visitor();
    let check = async |fields: Value, verdict: Verdict| {
        let mut body = lead("ada@example.com");
        body.as_object_mut().expect("an object").extend(fields.as_object().cloned().expect("an object"));
        let answer = visitor.post("/api/leads", body).await.expect(201);
        let stored = submission(&world, &answer).await;
        assert_eq!((stored.status, stored.lead_id), (verdict, None), "{fields}");
        assert!(!stored.screening.is_empty());
        assert!(serde_json::to_string(&stored).is_ok_and(|text| !text.contains("_gotcha")));
        assert_eq!(answer.data().as_object().map(|data| data.len()), Some(4));
    };
    check(json!({"_gotcha": "x"}), Verdict::Spam).await;
    check(json!({"_elapsed": 100}), Verdict::Held).await;
    check(json!({"first_name": "http://spam.example"}), Verdict::Held).await;
    world.work().await;
    assert!(world.mails().is_empty(), "no mail is sent about held submissions and spam");
    let owner = world.owner().await;
    assert!(world.leads(&owner).await.is_empty());
}

#[tokio::test]
async fn more_posts_than_usual_are_held_and_a_flood_is_refused() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let visitor = world.visitor();
    let mut verdicts = Vec::new();
    for n in 0..60 {
        let answer = visitor.post("/api/leads", lead(&format!("lead{n}@example.com"))).await.expect(201);
        verdicts.push(submission(&world, &answer).await.status);
    }
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Accepted).count(), 6);
    assert!(verdicts[6..].iter().all(|verdict| *verdict == Verdict::Held));
    let refused = visitor.post("/api/leads", lead("lead60@example.com")).await.expect_problem(429, "rate_limited");
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    let elsewhere = visitor.from("198.51.100.1").post("/api/leads", lead("e@example.com")).await.expect(201);
    assert_eq!(elsewhere.header("x-ratelimit-remaining"), "59");
}

#[tokio::test]
async fn steady_posts_beyond_the_usual_rate_are_held_too() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let mut held = 0;
    for n in 0..30 {
        let answer = world.visitor().post("/api/leads", lead(&format!("lead{n}@example.com"))).await.expect(201);
        held += usize::from(submission(&world, &answer).await.status == Verdict::Held);
        world.clock.advance(std::time::Duration::from_millis(1100));
    }
    assert!((18..=22).contains(&held), "{held} of 30 posts in 33 s are held; 6 and one every 10 s are not");
}

#[tokio::test]
async fn parameters_of_the_form_s_address_count_as_fields() {
    let world = World::new().await;
    let path = format!("/f/{}?utm_source=ad&first_name=ignored", FormId::default_of(DEFAULT_ORG));
    world.visitor().post(&path, lead("a@b.example")).await.expect(201);
    let owner = world.owner().await;
    let stored = &world.leads(&owner).await[0];
    assert_eq!((&stored["attribution"]["utm_source"], &stored["first_name"]), (&json!("ad"), &json!("Ada")));
}

#[tokio::test]
async fn one_address_again_and_again_is_held() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    for n in 0..4 {
        let mut body = lead("ada@example.com");
        body["requirements"] = json!(n.to_string());
        let answer = world.visitor().from(&format!("198.51.100.{n}")).post("/api/leads", body).await.expect(201);
        let expected = if n < 3 { Verdict::Accepted } else { Verdict::Held };
        assert_eq!(submission(&world, &answer).await.status, expected);
    }
}

#[tokio::test]
async fn an_address_of_a_deleted_or_converted_lead_makes_a_new_one_that_names_it() {
    let world = World::new().await;
    let (owner, visitor) = (world.owner().await, world.visitor());
    let mut body = lead("ada@example.com");
    let mut previous = Value::Null;
    for n in 0..3 {
        body["requirements"] = json!(n.to_string());
        let id = visitor.post("/api/leads", body.clone()).await.expect(201).id();
        let stored = owner.get(&format!("/api/leads/{id}")).await.expect(200).data();
        assert_eq!(stored["previous_lead_id"], previous);
        previous = json!(id);
        if n == 0 {
            owner.delete(&format!("/api/leads/{id}")).await.expect(200);
        } else {
            owner.post(&format!("/api/leads/{id}/convert"), json!({})).await.expect(201);
        }
    }
    assert_ne!(OrgId::new(world.system.env.ids.next()), DEFAULT_ORG);
    let _: LeadId = previous.as_str().expect("an id").parse().expect("a lead id");
}

#[tokio::test]
async fn attribution_consent_and_extra_are_kept() {
    let world = World::new().await;
    let body = "email=a%40b.example&utm_source=google&utm_campaign=spring&gclid=g1&consent%5Bmarketing%5D=on&favourite=X30&favourite=X20";
    let id = world.visitor().call(axum::http::Method::POST, "/api/leads").body(FORM, body).await.expect(201).id();
    let stored = world.owner().await.get(&format!("/api/leads/{id}")).await.expect(200).data();
    assert_eq!(stored["attribution"]["utm_source"], "google");
    assert_eq!(stored["attribution"]["gclid"], "g1");
    assert_eq!(stored["consent"]["marketing"], true);
    assert_eq!(stored["extra"], json!({"favourite": ["X30", "X20"]}));
}
