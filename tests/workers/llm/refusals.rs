//! Error answers as different servers have them, and what of them is kept.

use super::{Heard, answer_by};
use daybook_connectors::llm::{Api, Failure, FailureKind, Finish};
use daybook_testing::llm::{Fault, KEY, Place, Script};
use serde_json::{Value, json};
use std::time::Duration;

/// A script with this answer instead of the model's.
fn instead(status: u16, headers: &[(&str, &str)], body: &str) -> Script {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Script::failing(Place::First, Fault::Answer { status, headers, body: body.to_owned() })
}

async fn failure(api: Api, status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    answer_by(instead(status, headers, body), api).await.end.expect_err("a failure")
}

/// The answer with these events, each without a name.
async fn streamed(api: Api, events: &[Value]) -> Heard {
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    answer_by(instead(200, &[("content-type", "text/event-stream")], &body), api).await
}

#[tokio::test]
async fn the_wait_is_read_in_seconds_milliseconds_or_as_a_date() {
    let check = async |headers: &[(&str, &str)], expected: Option<f64>| {
        let wait = failure(Api::ChatCompletions, 429, headers, "").await.retry_after;
        assert_eq!(wait, expected.map(Duration::from_secs_f64), "{headers:?}");
    };
    check(&[], None).await;
    check(&[("retry-after", "7")], Some(7.0)).await;
    check(&[("Retry-After", " 1.5 ")], Some(1.5)).await;
    check(&[("retry-after", "0")], Some(0.0)).await;
    check(&[("retry-after-ms", "250"), ("retry-after", "7")], Some(0.25)).await;
    check(&[("retry-after-ms", "soon"), ("retry-after", "7")], Some(7.0)).await;
    check(&[("retry-after", "9999")], Some(120.0)).await;
    check(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")], Some(0.0)).await;
    check(&[("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT")], Some(120.0)).await;
    for wrong in ["", "-1", "soon", "NaN", "inf", "1e999", "2026-11-20T12:00:00Z"] {
        check(&[("retry-after", wrong)], None).await;
    }
}

#[tokio::test]
async fn errors_of_all_shapes_have_a_class_and_a_message() {
    let check = async |status: u16, body: Value, kind: FailureKind, code: Option<&str>, message: &str| {
        let failure = failure(Api::ChatCompletions, status, &[], &body.to_string()).await;
        assert_eq!((failure.kind, failure.code.as_deref()), (kind, code), "{body}");
        assert!(failure.message.ends_with(message), "{body}: {}", failure.message);
    };
    let ollama = json!({"error": "model \"x\" not found"});
    check(404, ollama, FailureKind::Refused, None, "404: model \"x\" not found").await;
    let vllm =
        json!({"object": "error", "message": "Too long.", "type": "BadRequestError", "param": null, "code": 400});
    check(400, vllm, FailureKind::Refused, Some("BadRequestError"), "400: Too long.").await;
    check(404, json!({"detail": "Not Found"}), FailureKind::Refused, None, "404: Not Found").await;
    check(403, json!({"Message": "Denied"}), FailureKind::Key, None, "403: Denied").await;
    let credit = json!({"error": {"message": "Top up.", "type": "unknown", "code": "credit_balance_exhausted"}});
    check(429, credit, FailureKind::Quota, Some("credit_balance_exhausted"), "Top up.").await;
    let billing = json!({"type": "error", "error": {"type": "billing_error", "message": "Pay."}});
    check(402, billing, FailureKind::Quota, Some("billing_error"), "Pay.").await;
    check(402, json!(null), FailureKind::Quota, None, "no reason given").await;
    for (status, kind) in [(408, FailureKind::Busy), (409, FailureKind::Busy), (504, FailureKind::Busy)] {
        check(status, json!({"error": []}), kind, None, "no reason given").await;
    }
    for status in [400, 413, 422] {
        check(status, json!("text"), FailureKind::Refused, None, "no reason given").await;
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let failure = failure(Api::AnthropicMessages, 302, &[("location", "https://evil.example/")], "").await;
    assert_eq!((failure.kind, failure.status), (FailureKind::Refused, Some(302)));
}

#[tokio::test]
async fn a_message_is_short_and_never_has_the_key() {
    for padding in [0, 100, 250, 290, 5_000] {
        let message = format!("{}{KEY} is wrong {}", "x".repeat(padding), "y".repeat(1_000));
        let body = json!({"error": {"message": message, "code": format!("bad_{KEY}")}}).to_string();
        for api in [Api::OpenAiResponses, Api::AnthropicMessages] {
            let failure = failure(api, 401, &[], &body).await;
            assert!(failure.message.chars().count() <= 300);
            assert_eq!(failure.code.as_deref(), Some("bad_***"));
            assert!(!failure.message.contains(&KEY[..10]), "{}", failure.message);
        }
        let heard = streamed(Api::ChatCompletions, &[json!({"error": {"message": message}})]).await;
        let failure = heard.end.expect_err("a failure");
        assert!(!format!("{failure:?}").contains(&KEY[..10]) && failure.message.chars().count() <= 300);
    }
}

#[tokio::test]
async fn an_endpoint_is_printed_without_its_key() {
    let fake = daybook_testing::llm::FakeLlm::start().await;
    assert!(!format!("{:?}", fake.endpoint(Api::AnthropicMessages)).contains(KEY));
}

#[tokio::test]
async fn a_huge_error_answer_is_not_read_to_its_end() {
    let body = json!({"error": {"message": "x".repeat(1 << 20)}}).to_string();
    let failure = failure(Api::OpenAiResponses, 500, &[], &body).await;
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::Busy, "the provider answered 500: no reason given")
    );
}

#[tokio::test]
async fn the_ends_of_responses_are_told_apart() {
    let text = json!({"type": "response.output_text.delta", "delta": "Hello"});
    let check = async |event: Value, expected: Result<Finish, FailureKind>| {
        let heard = streamed(Api::OpenAiResponses, &[text.clone(), event.clone()]).await;
        assert_eq!((heard.end.map_err(|failure| failure.kind), heard.text.as_str()), (expected, "Hello"), "{event}");
    };
    let incomplete =
        |reason: &str| json!({"type": "response.incomplete", "response": {"incomplete_details": {"reason": reason}}});
    check(incomplete("max_output_tokens"), Ok(Finish::Length)).await;
    check(incomplete("content_filter"), Ok(Finish::Refused)).await;
    let failed =
        |code: &str| json!({"type": "response.failed", "response": {"error": {"code": code, "message": "It failed."}}});
    check(failed("server_error"), Err(FailureKind::Busy)).await;
    check(failed("rate_limit_exceeded"), Err(FailureKind::Limited)).await;
    check(failed("invalid_prompt"), Err(FailureKind::Refused)).await;
    let nested = json!({"type": "error", "error": {"type": "insufficient_quota", "code": null, "message": "Top up."}});
    check(nested, Err(FailureKind::Quota)).await;
}

#[tokio::test]
async fn compatible_servers_are_understood() {
    let chunk = |delta: Value, reason: Value| json!({"choices": [{"delta": delta, "finish_reason": reason}]});
    let text = chunk(json!({"content": "Hello"}), Value::Null);
    let check = async |events: &[Value], expected: Result<Finish, FailureKind>| {
        let mut all = vec![text.clone()];
        all.extend_from_slice(events);
        let heard = streamed(Api::ChatCompletions, &all).await;
        assert_eq!((heard.end.map_err(|failure| failure.kind), heard.text.as_str()), (expected, "Hello"), "{events:?}");
    };
    let end = |reason: &str| chunk(json!({"content": ""}), json!(reason));
    check(&[end("stop")], Ok(Finish::Complete)).await;
    check(&[chunk(json!({}), json!("length"))], Ok(Finish::Length)).await;
    check(&[end("tool_calls")], Ok(Finish::Complete)).await;
    check(&[end("insufficient_system_resource")], Err(FailureKind::Cut)).await;
    check(&[json!({"error": {"code": 429, "message": "Wait."}})], Err(FailureKind::Limited)).await;
    check(&[json!({"error": {"code": 502, "message": "No server."}})], Err(FailureKind::Busy)).await;
    check(&[json!({"error": "out of memory"})], Err(FailureKind::Refused)).await;
    check(&[json!({"error": null}), json!([]), json!("text"), end("stop")], Ok(Finish::Complete)).await;
    check(&[], Err(FailureKind::Cut)).await;

    let refusal = [chunk(json!({"refusal": "I can't."}), Value::Null), end("stop")];
    let heard = streamed(Api::ChatCompletions, &refusal).await;
    assert_eq!((heard.end, heard.text.as_str()), (Ok(Finish::Refused), "I can't."));

    let usage =
        json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}});
    let usage = streamed(Api::ChatCompletions, &[end("stop"), usage]).await.usage.expect("the usage");
    assert_eq!((usage.input, usage.cached, usage.output), (9, 4, 2));
}
