//! Demonstration tests: requests from visitors, and their scheduling by staff.

use daybook_testing::{World, WorldOptions, lead};
use serde_json::{Value, json};
use std::time::Duration;

/// The unchanged example from the website's documentation.
fn wish() -> Value {
    json!({
        "demo_type": "virtual", "preferred_date": "2024-02-15T14:00:00", "attendees_count": 5,
        "interested_products": "x30,x20", "special_requirements": "需要中文演示"
    })
}

fn whole(email: &str) -> Value {
    let mut all = lead(email);
    let map = all.as_object_mut().expect("an object");
    map.extend(wish().as_object().cloned().expect("an object"));
    all
}

#[tokio::test]
async fn a_visitor_asks_for_a_demo_with_the_id_their_form_was_answered_with() {
    let world = World::new().await;
    let visitor = world.visitor();
    let told = visitor.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let answer = visitor.post(&format!("/api/leads/{told}/demo"), wish()).await.expect(201).data();
    let mut names: Vec<&String> = answer.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["created_at", "id", "submission_id", "submission_token"]);

    let owner = world.owner().await;
    let demo = owner.get(&format!("/api/demos/{}", answer["id"].as_str().expect("an id"))).await.expect(200).data();
    assert_eq!(demo["status"], "requested");
    assert_eq!(demo["lead_id"], told.as_str());
    assert_eq!(demo["preferred_date"], "2024-02-15T06:00:00.000Z");
    assert_eq!(demo["preferred_local"], "2024-02-15T14:00:00");
    assert_eq!((&demo["preferred_in_past"], &demo["timezone"]), (&json!(true), &json!("Asia/Shanghai")));
    assert_eq!((&demo["interested_products"], &demo["attendees_count"]), (&json!(["x30", "x20"]), &json!(5)));
    assert_eq!(demo["raw"], json!({"interested_products": "x30,x20", "preferred_date": "2024-02-15T14:00:00"}));

    world.work().await;
    let mails = world.mails();
    let asked = mails.iter().filter(|mail| mail.text.contains("需要中文演示")).count();
    assert_eq!((mails.len(), asked), (4, 1), "{mails:?}");
}

#[tokio::test]
async fn one_call_takes_the_lead_and_the_demo() {
    let world = World::new().await;
    let answer = world.visitor().post("/api/demos", whole("ada@example.com")).await.expect(201).data();
    let owner = world.owner().await;
    let demo = owner.get(&format!("/api/demos/{}", answer["id"].as_str().expect("an id"))).await.expect(200).data();
    let path = format!("/api/leads/{}", demo["lead_id"].as_str().expect("an id"));
    assert_eq!(owner.get(&path).await.expect(200).data()["email"], "ada@example.com");
    let trusted = owner.post("/api/demos", whole("ADA@example.com")).await.expect(201).data();
    assert_eq!((&trusted["duplicate_of"], &trusted["lead_id"]), (&demo["lead_id"], &demo["lead_id"]));
    assert_eq!(owner.get("/api/demos").await.expect(200).json()["meta"]["count"], 2);
}

#[tokio::test]
async fn without_its_token_a_submission_is_added_to_for_a_day_only() {
    let world = World::new().await;
    let visitor = world.visitor();
    let answer = visitor.post("/api/leads", lead("ada@example.com")).await.expect(201).data();
    let path = format!("/api/leads/{}/demo", answer["id"].as_str().expect("an id"));
    let with = |token: Value, note: &str| {
        let mut body = wish();
        body["submission_token"] = token;
        body["special_requirements"] = note.into();
        body
    };
    visitor.post(&path, with(json!("wrong"), "a")).await.expect_problem(404, "not_found");
    world.clock.advance(Duration::from_secs(86_401));
    visitor.post(&path, with(Value::Null, "b")).await.expect_problem(404, "not_found");
    visitor.post(&path, with(answer["submission_token"].clone(), "c")).await.expect(201);
    let unknown = "/api/leads/lead_01jd2h6q8e5k9v4m3n7p1r0stw/demo";
    visitor.post(unknown, wish()).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn a_submission_that_is_dated_ahead_of_now_is_added_to_with_its_token_only() {
    let world = World::new().await;
    let visitor = world.visitor();
    let answer = visitor.post("/api/leads", lead("ada@example.com")).await.expect(201).data();
    let path = format!("/api/leads/{}/demo", answer["id"].as_str().expect("an id"));
    let with = |note: &str| {
        let mut body = wish();
        body["special_requirements"] = note.into();
        body
    };
    let now = world.clock.now();
    world.clock.set(now.minus(Duration::from_secs(60)));
    visitor.post(&path, with("a")).await.expect(201);
    world.clock.set(now.minus(Duration::from_secs(61)));
    visitor.post(&path, with("b")).await.expect_problem(404, "not_found");
    let mut body = with("c");
    body["submission_token"] = answer["submission_token"].clone();
    visitor.post(&path, body).await.expect(201);
}

#[tokio::test]
async fn the_answer_doesn_t_tell_who_is_known_or_held() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.post("/api/leads", lead("ada@example.com")).await.expect(201);
    let mut held = lead("eva@example.com");
    held["first_name"] = json!("see http://x.example");
    let mut shapes = Vec::new();
    for body in [lead("new@example.com"), lead("Ada@Example.com"), held] {
        let told = visitor.post("/api/leads", body).await.expect(201).id();
        let answer = visitor.post(&format!("/api/leads/{told}/demo"), wish()).await.expect(201).data();
        let shape: Vec<(String, usize)> = answer
            .as_object()
            .expect("an object")
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().expect("a text").len()))
            .collect();
        shapes.push(shape);
    }
    assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:?}");
    let owner = world.owner().await;
    assert_eq!(owner.get("/api/demos").await.expect(200).json()["meta"]["count"], 2);
    let held = owner.get("/api/submissions?status=held").await.expect(200).json();
    assert_eq!(held["meta"]["count"], 2, "{held}");
    assert_eq!(held["data"][0]["screening"][0]["check"], "content");
    assert_eq!(held["data"][0]["screening"][1]["check"], "follows_held");
}

#[tokio::test]
async fn a_demo_of_a_held_form_is_released_with_it() {
    let world = World::new().await;
    let (visitor, owner) = (world.visitor(), world.owner().await);
    let mut body = lead("eva@example.com");
    body["first_name"] = json!("www.example.com");
    let told = visitor.post("/api/leads", body).await.expect(201).data();
    let demo = visitor
        .post(&format!("/api/leads/{}/demo", told["id"].as_str().expect("an id")), wish())
        .await
        .expect(201)
        .data();
    for submission in [&demo["submission_id"], &told["submission_id"]] {
        let path = format!("/api/submissions/{}/release", submission.as_str().expect("an id"));
        let released = owner.post(&path, json!({})).await.expect(200).data();
        assert_eq!(released["status"], "accepted");
        assert_eq!(owner.post(&path, json!({})).await.expect(200).data(), released, "a second release changes nothing");
    }
    let made = owner.get(&format!("/api/demos/{}", demo["id"].as_str().expect("an id"))).await.expect(200).data();
    // The demonstration was released first, so the lead has its UUID; the id from the visitor's answer names the same lead.
    let lead = owner.get(&format!("/api/leads/{}", told["id"].as_str().expect("an id"))).await.expect(200).data();
    assert_eq!(made["lead_id"], lead["id"]);
    world.work().await;
    assert_eq!(world.mails().len(), 4);
}

#[tokio::test]
async fn staff_make_and_arrange_demos() {
    let world = World::new().await;
    let owner = world.owner().await;
    let lead = owner.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let made = owner.post(&format!("/api/leads/{lead}/demo"), wish()).await.expect(201).data();
    assert_eq!((&made["lead_id"], &made["status"]), (&json!(lead), &json!("requested")));
    let path = format!("/api/demos/{}", made["id"].as_str().expect("an id"));
    let change = json!({"status": "confirmed", "preferred_date": "2027-03-01T10:00", "timezone": "Europe/Berlin"});
    let changed = owner.put(&path, change).await.expect(200).data();
    assert_eq!(changed["preferred_date"], "2027-03-01T09:00:00.000Z");
    assert_eq!(owner.get("/api/demos?status=confirmed").await.expect(200).json()["meta"]["count"], 1);
    owner.patch(&path, json!({"status": "x", "lead_id": "y"})).await.expect_problem(422, "validation_error");
    let mut slip = wish();
    slip["atendees_count"] = json!(3);
    let refused = owner.post(&format!("/api/leads/{lead}/demo"), slip).await.expect_problem(422, "validation_error");
    assert_eq!(refused.violations(), [("/atendees_count".to_owned(), "unknown_field".to_owned())]);
    let events: Vec<&str> = world.journal(owner.org).await.iter().map(|fact| fact.event.name()).collect::<Vec<_>>();
    assert!(events.contains(&"demo.requested") && events.contains(&"demo.confirmed"), "{events:?}");
}

#[tokio::test]
async fn the_journal_keeps_tokens_of_submissions_masked() {
    let world = World::new().await;
    let visitor = world.visitor();
    let answer = visitor.post("/api/leads", lead("ada@example.com")).await.expect(201).data();
    let mut body = wish();
    body["submission_token"] = answer["submission_token"].clone();
    visitor.post(&format!("/api/leads/{}/demo", answer["id"].as_str().expect("an id")), body).await.expect(201);
    let owner = world.owner().await;
    let stored = owner.get("/api/submissions").await.expect(200).text;
    assert!(!stored.contains(answer["submission_token"].as_str().expect("a token")));
}

#[tokio::test]
async fn a_second_click_makes_one_demo_and_posts_beyond_the_limits_are_held() {
    let world = World::with(WorldOptions { rate_limits: true, ..WorldOptions::default() }).await;
    let visitor = world.visitor();
    let told = visitor.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let path = format!("/api/leads/{told}/demo");
    let first = visitor.post(&path, wish()).await.expect(201);
    let second = visitor.post(&path, wish()).await.expect(201);
    assert_eq!((first.text, second.header("idempotency-replayed")), (second.text.clone(), "true"));
    for n in 1..5 {
        let mut body = wish();
        body["attendees_count"] = json!(n);
        visitor.post(&path, body).await.expect(201);
    }
    let owner = world.owner().await;
    let demos = owner.get("/api/demos").await.expect(200).json()["meta"]["count"].as_u64().expect("a count");
    let held = owner.get("/api/submissions?status=held").await.expect(200).json()["meta"]["count"].as_u64();
    assert!(demos < 5 && held.expect("a count") > 0, "{demos} demos, {held:?} held");
}
