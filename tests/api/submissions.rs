//! Submission tests: staff list held and spam submissions, release them or mark them as spam.

use daybook_domain::permission::Role;
use daybook_local::DEFAULT_ORG;
use daybook_testing::{World, lead};
use serde_json::{Value, json};
use std::time::Duration;

fn held(email: &str) -> Value {
    let mut body = lead(email);
    body["last_name"] = json!("www.example.com");
    body
}

#[tokio::test]
async fn a_held_submission_is_released_under_the_id_the_visitor_was_told() {
    let world = World::new().await;
    let owner = world.owner().await;
    let told = world.visitor().post("/api/leads", held("ada@example.com")).await.expect(201).data();
    let (id, submission) = (told["id"].as_str().expect("an id"), told["submission_id"].as_str().expect("an id"));
    owner.get(&format!("/api/leads/{id}")).await.expect_problem(404, "not_found");
    world.work().await;
    assert!(world.mails().is_empty());

    let released = owner.post(&format!("/api/submissions/{submission}/release"), json!({})).await.expect(200).data();
    assert_eq!((&released["status"], &released["lead_id"]), (&json!("accepted"), &json!(id)));
    assert_eq!(owner.get(&format!("/api/leads/{id}")).await.expect(200).data()["email"], "ada@example.com");
    world.work().await;
    assert_eq!(world.mails().len(), 2);
    let refused = owner.post(&format!("/api/submissions/{submission}/spam"), json!({})).await;
    refused.expect_problem(409, "conflict");
}

#[tokio::test]
async fn a_release_joins_the_lead_that_has_the_address_by_now() {
    let world = World::new().await;
    let (visitor, owner) = (world.visitor(), world.owner().await);
    let told = visitor.post("/api/leads", held("ada@example.com")).await.expect(201).data();
    let lead = visitor.post("/api/leads", lead("ada@example.com")).await.expect(201).id();
    let path = format!("/api/submissions/{}/release", told["submission_id"].as_str().expect("an id"));
    assert_eq!(owner.post(&path, json!({})).await.expect(200).data()["lead_id"], lead.as_str());
    assert_eq!(world.leads(&owner).await.len(), 1);
    assert_eq!(owner.get(&format!("/api/leads/{}", told["id"].as_str().expect("an id"))).await.expect(200).id(), lead);
}

#[tokio::test]
async fn spam_is_listed_marked_and_released_again() {
    let world = World::new().await;
    let (visitor, owner) = (world.visitor(), world.owner().await);
    let told = visitor.post("/api/leads", held("ada@example.com")).await.expect(201).data();
    let mut caught = lead("eva@example.com");
    caught["_gotcha"] = json!("x");
    visitor.post("/api/leads", caught).await.expect(201);
    let path = format!("/api/submissions/{}", told["submission_id"].as_str().expect("an id"));
    owner.post(&format!("{path}/spam"), json!({})).header("if-match", "\"v1\"").await.expect(200);
    owner.post(&format!("{path}/spam"), json!({})).await.expect(200);
    let count = async |status: &str| {
        owner.get(&format!("/api/submissions?status={status}")).await.expect(200).json()["meta"]["count"].clone()
    };
    assert_eq!((count("held").await, count("spam").await), (json!(0), json!(2)));
    let stale = owner.post(&format!("{path}/release"), json!({})).header("if-match", "\"v1\"").await;
    stale.expect_problem(412, "precondition_failed");
    owner.post(&format!("{path}/release"), json!({})).header("if-match", "\"v2\"").await.expect(200);
    assert_eq!((count("spam").await, count("accepted").await), (json!(1), json!(1)));
}

#[tokio::test]
async fn releases_at_once_make_one_lead() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let owner = world.owner().await;
    let mut paths = Vec::new();
    for n in 0..4 {
        let mut body = held("ada@example.com");
        body["job_title"] = json!(format!("{n}"));
        let told = world.visitor().post("/api/leads", body).await.expect(201).data();
        paths.push(format!("/api/submissions/{}/release", told["submission_id"].as_str().expect("an id")));
    }
    let calls = paths.iter().flat_map(|path| [owner.post(path, json!({})), owner.post(path, json!({}))]);
    for answer in futures::future::join_all(calls.map(IntoFuture::into_future)).await {
        answer.expect(200);
    }
    assert_eq!(world.leads(&owner).await.len(), 1);
    let facts = world.journal(owner.org).await;
    assert_eq!(facts.iter().filter(|fact| fact.event.name() == "submission.accepted").count(), 4);
}

#[tokio::test]
async fn sales_people_neither_see_nor_release_submissions() {
    let world = World::new().await;
    let told = world.visitor().post("/api/leads", held("ada@example.com")).await.expect(201).data();
    let path = format!("/api/submissions/{}", told["submission_id"].as_str().expect("an id"));
    let sales = world.person(Role::Sales).await;
    // Submissions may belong to a colleague's lead.
    sales.get(&path).await.expect_problem(403, "forbidden");
    sales.post(&format!("{path}/release"), json!({})).await.expect_problem(403, "forbidden");
    world.stranger().await.post(&format!("{path}/release"), json!({})).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn held_posts_are_told_to_the_team_in_one_mail_an_hour() {
    let world = World::new().await;
    let owner = world.owner().await;
    world.clock.advance(Duration::from_secs(600));
    let quick = async |email: &str| {
        let body = json!({"email": email, "last_name": "Quick", "_elapsed": 300});
        world.visitor().post("/api/leads", body).await.expect(201);
    };
    let digests = || world.mails().into_iter().filter(|mail| mail.text.contains("/account#held=")).collect::<Vec<_>>();
    for n in 0..3 {
        quick(&format!("early{n}@example.com")).await;
        world.clock.advance(Duration::from_secs(60));
    }
    world.pass(Duration::from_secs(600)).await;
    assert!(digests().is_empty(), "it is told when the hour is over");
    let released = owner.get("/api/submissions?status=held&sort=created_at").await.expect(200).data()[0]["id"].clone();
    let released = released.as_str().expect("an id").to_owned();
    owner.post(&format!("/api/submissions/{released}/release"), json!({})).await.expect(200);
    world.pass(Duration::from_secs(3600)).await;
    let told = digests();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].subject.contains("2 posts"), "{}", told[0].subject);
    assert!(
        told[0].text.contains("early1@example.com") && told[0].text.contains("early2@example.com"),
        "{}",
        told[0].text
    );
    assert!(!told[0].text.contains("early0@example.com"), "it was released: {}", told[0].text);
    assert!(told[0].text.contains("/account#held=") && told[0].text.contains("two seconds"), "{}", told[0].text);
    // Nothing is told twice, and the next hour has a mail of its own.
    quick("late@example.com").await;
    world.pass(Duration::from_secs(2 * 3600)).await;
    let told = digests();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].text.contains("late@") && !told[1].text.contains("early"), "{}", told[1].text);
    world.pass(Duration::from_secs(3600)).await;
    assert_eq!(digests().len(), 2);
}

/// The tokens of the links in the digests, the newest first.
fn links(world: &World) -> Vec<String> {
    let mails: String = world.mails().iter().rev().map(|mail| mail.text.clone()).collect();
    let link = |rest: &str| rest.split(char::is_whitespace).next().unwrap_or_default().to_owned();
    mails.split("/account#held=").skip(1).map(link).collect()
}

#[tokio::test]
async fn who_has_the_digest_decides_about_its_posts_without_signing_in() {
    let world = World::new().await;
    world.owner().await;
    let visitor = world.visitor();
    for email in ["good@example.com", "bad@example.com"] {
        let body = json!({
            "email": email, "last_name": "Quick", "company": "R & D", "message": "Hello", "_elapsed": 300, "colour": "red"
        });
        visitor.post("/api/contact", body).await.expect(201);
    }
    world.pass(Duration::from_secs(3700)).await;
    let tokens = links(&world);
    assert_eq!(tokens.len(), 2, "{tokens:?}");
    let shown = async |token: &str| visitor.post("/api/submissions/held", json!({"token": token})).await;
    let decided = async |token: &str, decision: &str| {
        let asked = json!({"token": token, "decision": decision});
        visitor.post("/api/submissions/held/decision", asked).await.expect(200).data()
    };
    let posts = [shown(&tokens[0]).await.expect(200).data(), shown(&tokens[1]).await.expect(200).data()];
    let field = |post: &Value, name: &str| {
        let fields = post["fields"].as_array().expect("a list").clone();
        fields.into_iter().find(|field| field["name"] == name).unwrap_or_else(|| panic!("no {name}: {post}"))
    };
    assert_eq!(field(&posts[0], "company")["value"], "R & D");
    assert_eq!(field(&posts[0], "screening")["value"], "sent within two seconds");
    assert_eq!(
        (&field(&posts[0], "message")["label"], &field(&posts[0], "colour")["value"]),
        (&json!("Message"), &json!("red"))
    );
    let good = usize::from(field(&posts[0], "email")["value"] != "good@example.com");
    assert_eq!(decided(&tokens[good], "release").await["status"], "accepted");
    assert_eq!(decided(&tokens[1 - good], "reject").await["status"], "spam");
    // What is decided stays so.
    assert_eq!(decided(&tokens[1 - good], "release").await["status"], "spam");
    assert_eq!(decided(&tokens[good], "reject").await["status"], "accepted");
    let leads = world.leads(&world.owner().await).await;
    assert_eq!((leads.len(), &leads[0]["email"]), (1, &json!("good@example.com")));

    // A link opens one post, of one organisation, and not for ever.
    let (place, signature) = tokens[0].split_once('.').expect("a token");
    let (other, _) = tokens[1].split_once('.').expect("a token");
    for bad in ["", "x", place, &format!("{other}.{signature}"), &format!("{place}.{signature}x")] {
        shown(bad).await.expect_problem(422, "validation_error");
    }
    for asked in [json!({}), json!({"token": tokens[0], "decision": "burn"})] {
        visitor.post("/api/submissions/held/decision", asked).await.expect(422);
    }
    for fact in world.journal(DEFAULT_ORG).await {
        let fact = fact.into_fact();
        let detail = fact.detail(&world.system.env).await.expect("a read");
        let text = serde_json::to_string(&(&fact, &detail)).expect("JSON");
        assert!(!text.contains(signature), "a token is on record: {text}");
    }
    world.clock.advance(Duration::from_secs(31 * 86_400));
    shown(&tokens[0]).await.expect_problem(422, "validation_error");
}
