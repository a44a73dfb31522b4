//! Providers that fail: before, within and at the end of an answer, in every wire format.

use super::{
    MODELS, assert_settled, conversation, messages, only, question, question_in, run_of, shown, streamed, text_at,
    text_of, with, world,
};
use daybook_testing::llm::{FakeLlm, Fault, Place, Refusal, Script};
use daybook_testing::{Person, World, WorldOptions, is_full};
use futures::future::join_all;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// The text before a place of the fake's answer.
fn text_until(place: Place) -> &'static str {
    match place {
        Place::First => "",
        Place::Middle => "Hello from",
        Place::Last => "Hello from the model.",
    }
}

/// A question to a model in a new conversation; returns both.
async fn question_to(person: &Person, model: &str) -> (String, Value) {
    let id = conversation(person).await;
    let body = with(question_in(&id, "Hello"), json!({"model": model}));
    (id, body)
}

/// Asserts that the last message of a conversation is a failed answer with a text, and that the conversation is free.
async fn assert_failed(person: &Person, conversation: &str, text: &str, what: &str) {
    let kept = messages(person, conversation).await.pop().expect("a message");
    assert_eq!((&kept["status"], &kept["content"]), (&json!("error"), &json!(text)), "{what}");
    assert_eq!(shown(person, conversation).await["run_id"], Value::Null, "{what}");
}

/// A JSON chat that fails: 502 with its run, which has the text.
async fn fails_whole(person: &Person, model: &str, text: &str, code: &str) {
    let (id, body) = question_to(person, model).await;
    let problem = person.post("/api/chat", body).await.expect_problem(502, "upstream_error").json();
    let run = person.get(&format!("/api/chat/runs/{}", text_at(&problem, "run_id"))).await.expect(200).data();
    assert_eq!((&run["state"], &run["error"]), (&json!("error"), &json!(code)), "{model}");
    assert_eq!(run["content"], text, "{model}");
    assert_failed(person, &id, text, model).await;
}

/// A streamed chat that fails: its text, then the event `error`.
async fn fails_streamed(person: &Person, model: &str, text: &str, code: &str) {
    let (id, body) = question_to(person, model).await;
    let events = person.post("/api/chat", streamed(body)).events().await.rest().await;
    let error = only(&events, "error");
    assert_eq!((text_of(&events).as_str(), &error["code"]), (text, &json!(code)), "{model}: {events:?}");
    assert_eq!(error["run_id"], json!(run_of(&events)), "{model}");
    assert_eq!(events.last().map(|event| event.name.as_str()), Some("error"), "{model}: {events:?}");
    assert_failed(person, &id, text, model).await;
}

/// Every model fails in this way, whole and streamed.
async fn all_fail(person: &Person, fake: &FakeLlm, place: Place, fault: &Fault, code: &str) {
    fake.always(Script::failing(place, fault.clone()));
    let text = text_until(place);
    let whole = join_all(MODELS.map(|model| fails_whole(person, model, text, code)));
    let streams = join_all(MODELS.map(|model| fails_streamed(person, model, text, code)));
    tokio::join!(whole, streams);
}

#[tokio::test]
async fn an_answer_that_breaks_off_anywhere_ends_in_an_error_and_keeps_its_text() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let faults = [
        Fault::CutInCharacter,
        Fault::NoTerminator,
        Fault::Cut,
        Fault::Reset,
        Fault::HugeEvent,
        Fault::InvalidUtf8,
        Fault::InvalidJson,
    ];
    for fault in &faults[..if is_full() { faults.len() } else { 2 }] {
        for place in Place::ALL {
            all_fail(&owner, &fake, place, fault, "upstream_error").await;
        }
    }
    assert_settled(&owner).await;
}

#[tokio::test]
async fn an_error_within_an_answer_ends_it_and_keeps_its_text() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let cases = [
        (Refusal::Overloaded, "upstream_error"),
        (Refusal::BadRequest("Too long.".to_owned()), "provider_refused"),
        (Refusal::BadKey, "provider_key_refused"),
        (Refusal::Internal, "upstream_error"),
        (Refusal::RateLimited { retry_after: None }, "upstream_error"),
        (Refusal::Quota, "provider_key_refused"),
    ];
    for (refusal, code) in &cases[..if is_full() { cases.len() } else { 3 }] {
        for place in Place::ALL {
            all_fail(&owner, &fake, place, &Fault::ErrorEvent(refusal.clone()), code).await;
        }
    }
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_provider_that_falls_silent_is_given_up_and_its_text_is_kept() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    all_fail(&owner, &fake, Place::Middle, &Fault::Silence, "upstream_error").await;
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_refused_request_is_an_error_without_text() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    for (refusal, code) in [
        (Refusal::BadKey, "provider_key_refused"),
        (Refusal::Quota, "provider_key_refused"),
        (Refusal::NoModel, "provider_refused"),
        (Refusal::BadRequest("Too long.".to_owned()), "provider_refused"),
        (Refusal::Unavailable, "upstream_error"),
    ] {
        all_fail(&owner, &fake, Place::First, &Fault::Refusal(refusal), code).await;
    }
    all_fail(&owner, &fake, Place::First, &Fault::Html, "upstream_error").await;
    assert_eq!(super::spent(&owner).await, super::Amount::default());
}

#[tokio::test]
async fn a_failure_shows_nothing_of_the_provider_s_message() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.always(Script::failing(Place::First, Fault::Refusal(Refusal::BadRequest("canary-message".to_owned()))));
    let problem = owner.post("/api/chat", question("Hello")).await.expect_problem(502, "upstream_error");
    assert!(!problem.text.contains("canary"), "{}", problem.text);
    let events = owner.post("/api/chat", streamed(question("Hello"))).events().await.rest().await;
    assert!(!format!("{events:?}").contains("canary"), "{events:?}");
}

/// The models that answer where the ones of [`MODELS`] fail, with their paths.
const NEXT: [(&str, &str); 3] =
    [("claude-haiku-5-5", "/v1/messages"), ("gpt-6-luna", "/v1/responses"), ("gpt-6-luna", "/v1/responses")];

/// Asserts that after a failure of the first model the next one answers.
async fn fails_over(person: &Person, fake: &FakeLlm, model: &str, next: (&str, &str), fault: &Fault) {
    let before = fake.requests().len();
    fake.script(Script::failing(Place::First, fault.clone()));
    let (id, body) = question_to(person, model).await;
    let answer = person.post("/api/chat", body).await.expect(200).json();
    assert_eq!(answer["content"], "Hello from the model.", "{model} {fault:?}");
    assert_eq!((&answer["model"], &answer["provider_model"]), (&json!(model), &json!(next.0)), "{fault:?}");
    let seen = fake.requests()[before..].to_vec();
    assert_eq!((seen.len(), seen[1].path.as_str()), (2, next.1), "{model} {fault:?}");
    assert_eq!(messages(person, &id).await[1]["provider_model"], json!(next.0));
}

#[tokio::test]
async fn the_next_model_answers_where_the_first_fails_before_its_first_word() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    for fault in [
        Fault::Refusal(Refusal::RateLimited { retry_after: None }),
        Fault::Refusal(Refusal::Internal),
        Fault::Refusal(Refusal::Unavailable),
        Fault::Refusal(Refusal::Overloaded),
        Fault::Html,
        Fault::ErrorEvent(Refusal::Overloaded),
        Fault::Reset,
        Fault::NoTerminator,
    ] {
        for (model, next) in MODELS.into_iter().zip(NEXT) {
            fails_over(&owner, &fake, model, next, &fault).await;
        }
    }
    assert_settled(&owner).await;
}

#[tokio::test]
async fn the_next_model_answers_where_the_first_is_silent() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fails_over(&owner, &fake, MODELS[0], NEXT[0], &Fault::Silence).await;
}

#[tokio::test]
async fn the_next_model_answers_where_a_connection_is_refused() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|unused| unused.local_addr()).expect("a port");
    let fake = FakeLlm::start().await;
    let ai = fake.with_openai_at(&format!("http://{closed}/v1"));
    let world = World::with(WorldOptions { ai: Some(ai), ..WorldOptions::default() }).await;
    let owner = world.owner().await;
    let answer = owner.post("/api/chat", with(question("Hello"), json!({"model": "gpt-6-luna"}))).await.expect(200);
    assert_eq!(answer.json()["provider_model"], "claude-haiku-5-5");
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn no_other_model_goes_on_with_an_answer_that_has_begun() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    for (n, fault) in [Fault::Cut, Fault::ErrorEvent(Refusal::Overloaded), Fault::Reset].into_iter().enumerate() {
        fake.script(Script::failing(Place::Middle, fault));
        let events = owner.post("/api/chat", streamed(question("Hello"))).events().await.rest().await;
        assert_eq!((text_of(&events).as_str(), fake.requests().len()), ("Hello from", n + 1), "{events:?}");
        only(&events, "error");
    }
}

#[tokio::test]
async fn a_failure_that_another_try_wouldn_t_mend_is_final() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    for (n, refusal) in [Refusal::BadKey, Refusal::Quota, Refusal::NoModel].into_iter().enumerate() {
        fake.script(Script::failing(Place::First, Fault::Refusal(refusal)));
        owner.post("/api/chat", question("Hello")).await.expect_problem(502, "upstream_error");
        assert_eq!(fake.requests().len(), n + 1);
    }
}

#[tokio::test]
async fn a_provider_is_asked_again_after_the_pause_that_it_asks_for() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    for _ in 0..2 {
        let limited = Refusal::RateLimited { retry_after: Some(1) };
        fake.script(Script::failing(Place::First, Fault::Refusal(limited)));
    }
    let began = Instant::now();
    let body = with(question("Hello"), json!({"model": "gpt-6-luna"}));
    let answer = owner.post("/api/chat", body).await.expect(200).json();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((&answer["provider_model"], fake.requests().len()), (&json!("gpt-6-luna"), 3));
}

#[tokio::test]
async fn a_provider_that_asks_for_a_long_pause_isn_t_asked_again() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.always(Script::failing(Place::First, Fault::Refusal(Refusal::RateLimited { retry_after: Some(60) })));
    let began = Instant::now();
    let body = with(question("Hello"), json!({"model": "gpt-6-luna"}));
    owner.post("/api/chat", body).await.expect_problem(502, "upstream_error");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(fake.requests().len(), 2, "each model once");
}
