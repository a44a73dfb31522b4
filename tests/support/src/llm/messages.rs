//! Anthropic's Messages.

use super::answer::{Answer, Event, Events};
use crate::connection::Request;
use daybook_connectors::llm::Finish;
use serde_json::{Value, json};

/// Why Anthropic would refuse a request, beyond missing fields.
pub(super) fn objection(request: &Request, body: &Value) -> Option<String> {
    if request.header("anthropic-version").is_empty() {
        return Some("anthropic-version: header is required".to_owned());
    }
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    if messages.first().is_some_and(|message| message["role"] != "user") {
        return Some("messages: first message must use the \"user\" role".to_owned());
    }
    let is_blank = |message: &Value| message["content"].as_str().is_some_and(|text| text.trim().is_empty());
    messages.iter().any(is_blank).then(|| "messages: text content blocks must be non-empty".to_owned())
}

/// A streamed answer.
pub(super) fn events(answer: &Answer<'_>) -> Events {
    let start = json!({"type": "message_start", "message": message(answer, json!([]), Value::Null, 1)});
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let end = json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason(answer.finish), "stop_sequence": null},
        "usage": {"output_tokens": answer.usage.output},
    });
    Events {
        head: vec![
            Event::named("message_start", &start),
            Event::named("content_block_start", &block),
            Event::named("ping", &json!({"type": "ping"})),
        ],
        pieces: answer.pieces.iter().map(|text| piece(text)).collect(),
        tail: vec![
            Event::named("content_block_stop", &json!({"type": "content_block_stop", "index": 0})),
            Event::named("message_delta", &end),
            Event::named("message_stop", &json!({"type": "message_stop"})),
        ],
    }
}

/// The event of a piece of text.
pub(super) fn piece(text: &str) -> Event {
    delta(&json!({"type": "text_delta", "text": text}))
}

fn delta(delta: &Value) -> Event {
    Event::named("content_block_delta", &json!({"type": "content_block_delta", "index": 0, "delta": delta}))
}

/// Events that clients should ignore: pings, thinking, and events of future versions.
pub(super) fn unknown() -> Vec<Event> {
    vec![
        Event::named("ping", &json!({"type": "ping"})),
        delta(&json!({"type": "thinking_delta", "thinking": "The user greets."})),
        delta(&json!({"type": "signature_delta", "signature": "EqQB"})),
        Event::named("future_event", &json!({"type": "future_event", "future": {"text": "Ignore this."}})),
    ]
}

/// A whole answer.
pub(super) fn whole(answer: &Answer<'_>) -> Value {
    let content = json!([{"type": "text", "text": answer.text()}]);
    message(answer, content, json!(stop_reason(answer.finish)), answer.usage.output)
}

fn message(answer: &Answer<'_>, content: Value, stop_reason: Value, output: u64) -> Value {
    let usage = answer.usage;
    json!({
        "id": answer.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": {
            "input_tokens": usage.input.saturating_sub(usage.cached + usage.cache_written),
            "cache_creation_input_tokens": usage.cache_written,
            "cache_read_input_tokens": usage.cached,
            "output_tokens": output,
            "service_tier": "standard",
        },
    })
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Complete => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Refused => "refusal",
    }
}
