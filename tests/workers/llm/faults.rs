//! Every fault of a provider, in every format and at every place of an answer, ends the answer in its own way.

use super::{APIS, Heard, answer_by, hear, hello, patient};
use daybook_connectors::llm::{Api, Endpoint, Failure, FailureKind, Finish, Llm, Timeouts};
use daybook_testing::llm::{FakeLlm, Fault, Place, Refusal, Script};
use futures::future::join_all;
use std::net::TcpListener;
use std::time::Duration;

/// The answers with a fault, in all formats and at all places.
async fn everywhere(llm: &Llm, fault: Fault) -> Vec<(Api, Place, Heard)> {
    let calls = APIS.into_iter().flat_map(|api| Place::ALL.map(|place| (api, place)));
    let answers = calls.map(|(api, place)| {
        let fault = fault.clone();
        async move {
            let fake = FakeLlm::start().await;
            fake.script(Script::failing(place, fault));
            (api, place, hear(llm.answer(&fake.endpoint(api), hello())).await)
        }
    });
    join_all(answers).await
}

/// The text before a place.
fn text_until(place: Place) -> &'static str {
    match place {
        Place::First => "",
        Place::Middle => "Hello from",
        Place::Last => "Hello from the model.",
    }
}

fn failure(heard: Heard) -> Failure {
    heard.end.expect_err("a failure")
}

#[tokio::test]
async fn a_refused_request_has_a_class_a_status_and_no_text() {
    let limited = |retry_after| Fault::Refusal(Refusal::RateLimited { retry_after });
    for (fault, kind, status) in [
        (limited(Some(7)), FailureKind::Limited, 429),
        (limited(None), FailureKind::Limited, 429),
        (Fault::Refusal(Refusal::Quota), FailureKind::Quota, 429),
        (Fault::Refusal(Refusal::Internal), FailureKind::Busy, 500),
        (Fault::Html, FailureKind::Busy, 502),
        (Fault::Refusal(Refusal::Unavailable), FailureKind::Busy, 503),
        (Fault::Refusal(Refusal::Overloaded), FailureKind::Busy, 529),
        (Fault::Refusal(Refusal::BadKey), FailureKind::Key, 401),
        (Fault::Refusal(Refusal::NoModel), FailureKind::Refused, 404),
        (Fault::WrongContentType, FailureKind::Garbled, 200),
    ] {
        let wait = (fault == limited(Some(7))).then_some(Duration::from_secs(7));
        for (api, _, heard) in everywhere(&patient(), fault.clone()).await {
            assert_eq!(heard.text, "", "{api:?} {fault:?}");
            let failure = failure(heard);
            assert_eq!((failure.kind, failure.status), (kind, Some(status)), "{api:?} {fault:?}: {failure:?}");
            assert_eq!(failure.retry_after, wait, "{api:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn an_error_within_an_answer_keeps_the_text_before_it() {
    for (refusal, kind) in [
        (Refusal::Overloaded, FailureKind::Busy),
        (Refusal::Internal, FailureKind::Busy),
        (Refusal::RateLimited { retry_after: None }, FailureKind::Limited),
        (Refusal::Quota, FailureKind::Quota),
        (Refusal::BadKey, FailureKind::Key),
        (Refusal::NoModel, FailureKind::Refused),
        (Refusal::BadRequest("Too long.".to_owned()), FailureKind::Refused),
    ] {
        for (api, place, heard) in everywhere(&patient(), Fault::ErrorEvent(refusal.clone())).await {
            assert_eq!(heard.text, text_until(place), "{api:?} {place:?} {refusal:?}");
            assert_eq!(failure(heard).kind, kind, "{api:?} {place:?} {refusal:?}");
        }
    }
}

#[tokio::test]
async fn a_broken_answer_keeps_the_text_before_it() {
    use FailureKind::{Busy, Cut, Garbled};
    for (fault, at_first, later) in [
        (Fault::Cut, Busy, Cut),
        (Fault::CutInCharacter, Busy, Cut),
        (Fault::Reset, Busy, Cut),
        (Fault::NoTerminator, Cut, Cut),
        (Fault::HugeEvent, Garbled, Garbled),
        (Fault::InvalidUtf8, Garbled, Garbled),
        (Fault::InvalidJson, Garbled, Garbled),
    ] {
        for (api, place, heard) in everywhere(&patient(), fault.clone()).await {
            assert_eq!(heard.text, text_until(place), "{api:?} {place:?} {fault:?}");
            let kind = if place == Place::First { at_first } else { later };
            let failure = failure(heard);
            assert_eq!(failure.kind, kind, "{api:?} {place:?} {fault:?}: {failure:?}");
            assert_eq!(failure.is_retryable(), kind != Garbled);
        }
    }
}

#[tokio::test]
async fn a_silent_provider_is_given_up() {
    let short = Duration::from_secs(1);
    let llm = Llm::new(Timeouts { first: short, idle: short, ..Timeouts::default() }).expect("a client");
    for (api, place, heard) in everywhere(&llm, Fault::Silence).await {
        assert_eq!(heard.text, text_until(place), "{api:?} {place:?}");
        assert_eq!(failure(heard).kind, FailureKind::Silent, "{api:?} {place:?}");
    }
}

#[tokio::test]
async fn unknown_events_are_ignored_and_done_may_be_missing() {
    for fault in [Fault::UnknownEvents, Fault::NoDone] {
        for (api, place, heard) in everywhere(&patient(), fault.clone()).await {
            assert_eq!(heard.end, Ok(Finish::Complete), "{api:?} {place:?} {fault:?}");
            assert_eq!(heard.text, "Hello from the model.", "{api:?} {place:?} {fault:?}");
            assert!(heard.usage.is_some(), "{api:?} {place:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_answer_is_complete() {
    for api in APIS {
        for script in [Script::saying(&[]), Script::saying(&["", ""])] {
            let heard = answer_by(script, api).await;
            assert_eq!((heard.end, heard.text.as_str()), (Ok(Finish::Complete), ""), "{api:?}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_busy() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|unused| unused.local_addr()).expect("a port").port();
    for api in APIS {
        let endpoint = Endpoint { api, base_url: format!("http://127.0.0.1:{port}"), key: None };
        let failure = failure(hear(patient().answer(&endpoint, hello())).await);
        assert_eq!((failure.kind, failure.status), (FailureKind::Busy, None), "{failure:?}");
    }
}
