//! Idempotency tests: repeated requests have one effect and get equal answers.

use daybook_local::DEFAULT_ORG;
use daybook_testing::{Answer, World, lead};
use futures::future::join_all;
use serde_json::json;
use std::future::IntoFuture as _;
use std::time::Duration;

async fn events(world: &World, name: &str) -> usize {
    world.journal(DEFAULT_ORG).await.iter().filter(|fact| fact.event.name() == name).count()
}

#[tokio::test]
async fn a_hundred_equal_keys_at_once_have_one_effect_and_equal_answers() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let owner = world.owner().await;
    let calls = (0..100).map(|_| owner.post("/api/leads", lead("ada@example.com")).key("one").into_future());
    let answers: Vec<Answer> = join_all(calls).await;
    let first = answers[0].clone().expect(201);
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (first.status, &first.text));
    }
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed") == "true").count(), 99);
    assert_eq!((events(&world, "lead.created").await, events(&world, "submission.accepted").await), (1, 1));
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_whatever_happened_since() {
    let world = World::new().await;
    let owner = world.owner().await;
    let path =
        format!("/api/leads/{}", world.visitor().post("/api/leads", lead("ada@example.com")).await.expect(201).id());
    let change = || owner.patch(&path, json!({"status": "contacted"})).header("if-match", "\"v1\"").key("\"two\"");
    let first = change().await.expect(200);
    owner.patch(&path, json!({"status": "qualified"})).await.expect(200);
    let again = change().await.expect(200);
    assert_eq!((again.text, again.headers["etag"].clone()), (first.text, first.headers["etag"].clone()));
    assert_eq!(again.headers["idempotency-replayed"], "true");

    let gone = owner.delete(&path).key("three").await.expect(200);
    assert_eq!(owner.delete(&path).key("three").await.expect(200).text, gone.text);
}

#[tokio::test]
async fn a_key_with_another_input_is_refused() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.post("/api/leads", lead("ada@example.com")).key("one").await.expect(201);
    owner.post("/api/leads", lead("eva@example.com")).key("one").await.expect_problem(422, "idempotency_key_reused");
    let path =
        format!("/api/leads/{}", world.visitor().post("/api/leads", lead("x@example.com")).await.expect(201).id());
    owner.delete(&path).key("one").await.expect(200);
}

#[tokio::test]
async fn a_refused_request_keeps_nothing_and_a_key_ends_after_a_day() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.post("/api/leads", json!({"email": "x"})).key("one").await.expect(422);
    let first = visitor.post("/api/leads", lead("ada@example.com")).key("one").await.expect(201);
    world.clock.advance(Duration::from_secs(86_399));
    assert_eq!(visitor.post("/api/leads", lead("ada@example.com")).key("one").await.expect(201).text, first.text);
    world.clock.advance(Duration::from_secs(2));
    assert_ne!(visitor.post("/api/leads", lead("ada@example.com")).key("one").await.expect(201).text, first.text);
}

#[tokio::test]
async fn a_key_that_was_used_while_the_clock_was_ahead_is_free_once_it_is_set_back() {
    let world = World::new().await;
    let visitor = world.visitor();
    let now = world.clock.now();
    let (first, second) = (lead("ada@example.com"), lead("eva@example.com"));
    world.clock.set(now.plus(Duration::from_secs(3 * 86_400)));
    let keyed = visitor.post("/api/leads", first.clone()).key("one").await.expect(201);
    let clicked = visitor.post("/api/leads", second.clone()).await.expect(201);

    // The clocks of two processes may differ by a minute.
    world.clock.set(now.plus(Duration::from_secs(3 * 86_400 - 60)));
    assert_eq!(visitor.post("/api/leads", first.clone()).key("one").await.expect(201).text, keyed.text);
    assert_eq!(visitor.post("/api/leads", second.clone()).await.expect(201).text, clicked.text);
    visitor.post("/api/leads", second.clone()).key("one").await.expect_problem(422, "idempotency_key_reused");

    world.clock.set(now);
    let again = visitor.post("/api/leads", second.clone()).key("one").await.expect(201);
    assert_ne!(visitor.post("/api/leads", second.clone()).await.expect(201).text, clicked.text);
    assert_eq!(visitor.post("/api/leads", second).key("one").await.expect(201).text, again.text);
    visitor.post("/api/leads", first).key("one").await.expect_problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_double_click_is_one_submission_for_ten_minutes() {
    let world = World::new().await;
    world.faults.at_a_distance();
    let visitor = world.visitor();
    let first = visitor.post("/api/leads", lead("ada@example.com")).await.expect(201);
    let clicks = join_all((0..20).map(|_| visitor.post("/api/leads", lead("ada@example.com")).into_future())).await;
    for click in clicks {
        assert_eq!(click.expect(201).text, first.text);
    }
    assert_eq!(events(&world, "submission.accepted").await, 1);
    world.clock.advance(Duration::from_secs(601));
    assert_ne!(visitor.post("/api/leads", lead("ada@example.com")).await.expect(201).text, first.text);
    assert_eq!(events(&world, "submission.accepted").await, 2);
}

#[tokio::test]
async fn odd_keys_are_refused() {
    let world = World::new().await;
    let visitor = world.visitor();
    let post = || visitor.post("/api/leads", lead("ada@example.com"));
    for bad in ["", "\"\"", &"x".repeat(256), "schlüssel", "a\tb"] {
        post().key(bad).await.expect_problem(400, "malformed");
    }
    post().key("a").key("b").await.expect_problem(400, "malformed");
    post().key(&"x".repeat(255)).await.expect(201);
}

#[tokio::test]
async fn one_key_of_two_people_is_two_keys() {
    let world = World::new().await;
    let (one, two) = (world.owner().await, world.stranger().await);
    let first = one.post("/api/leads", lead("ada@example.com")).key("k").await.expect(201);
    let second = two.post("/api/leads", lead("ada@example.com")).key("k").await.expect(201);
    assert_ne!(first.id(), second.id());
}

#[tokio::test]
async fn one_key_of_two_forms_is_two_keys_and_one_post_through_two_doors_is_two_posts() {
    let world = World::new().await;
    let (visitor, stranger) = (world.visitor(), world.stranger().await);
    let form = daybook_domain::FormId::default_of(stranger.org);
    let default = daybook_domain::FormId::default_of(DEFAULT_ORG);
    visitor.post("/api/leads", lead("ada@example.com")).key("k").await.expect(201);
    visitor.post(&format!("/f/{form}"), lead("eva@example.com")).key("k").await.expect(201);
    visitor
        .post("/api/leads", lead("x@example.com"))
        .header("x-form-key", &form.to_string())
        .key("k")
        .await
        .expect(201);
    assert_eq!((world.leads(&stranger).await.len(), world.leads(&world.owner().await).await.len()), (2, 1));

    visitor.post("/api/leads", lead("both@example.com")).await.expect(201);
    visitor.post(&format!("/f/{default}"), lead("both@example.com")).await.expect(201);
}
