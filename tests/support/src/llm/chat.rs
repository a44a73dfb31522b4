//! OpenAI's Chat Completions.

use super::answer::{Answer, Event, Events};
use super::responses::CREATED;
use daybook_connectors::llm::Finish;
use serde_json::{Value, json};

/// The data of the last event.
pub(super) const DONE: &str = "[DONE]";

/// A streamed answer. The chunk with the usage comes only if it was asked for.
pub(super) fn events(answer: &Answer<'_>) -> Events {
    let role = json!({"role": "assistant", "content": "", "refusal": null});
    let mut tail =
        vec![chunk(answer, &json!([choice(&json!({}), &json!(finish_reason(answer.finish)))]), &Value::Null)];
    if answer.includes_usage {
        tail.push(chunk(answer, &json!([]), &usage(answer)));
    }
    tail.push(Event { name: None, data: DONE.to_owned() });
    Events {
        head: vec![chunk(answer, &json!([choice(&role, &Value::Null)]), &Value::Null)],
        pieces: answer.pieces.iter().map(|text| piece(answer, text)).collect(),
        tail,
    }
}

/// The event of a piece of text.
pub(super) fn piece(answer: &Answer<'_>, text: &str) -> Event {
    delta(answer, &json!({"content": text}))
}

/// Events that clients should ignore: reasoning, a chunk without a choice, and fields of future versions.
pub(super) fn unknown(answer: &Answer<'_>) -> Vec<Event> {
    vec![
        delta(answer, &json!({"reasoning_content": "The user greets.", "content": null})),
        chunk(answer, &json!([]), &Value::Null),
        Event::unnamed(&json!({"object": "future.chunk", "future": {"content": "Ignore this."}, "choices": null})),
    ]
}

fn delta(answer: &Answer<'_>, delta: &Value) -> Event {
    chunk(answer, &json!([choice(delta, &Value::Null)]), &Value::Null)
}

fn choice(delta: &Value, finish_reason: &Value) -> Value {
    json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason})
}

fn chunk(answer: &Answer<'_>, choices: &Value, usage: &Value) -> Event {
    let mut chunk = json!({
        "id": answer.id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": answer.model,
        "system_fingerprint": "fp_0",
        "choices": choices,
    });
    if answer.includes_usage {
        chunk["usage"] = usage.clone();
    }
    Event::unnamed(&chunk)
}

/// A whole answer.
pub(super) fn whole(answer: &Answer<'_>) -> Value {
    json!({
        "id": answer.id("chatcmpl-"),
        "object": "chat.completion",
        "created": CREATED,
        "model": answer.model,
        "system_fingerprint": "fp_0",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": answer.text(), "refusal": null, "annotations": []},
            "logprobs": null,
            "finish_reason": finish_reason(answer.finish),
        }],
        "usage": usage(answer),
    })
}

fn usage(answer: &Answer<'_>) -> Value {
    let usage = answer.usage;
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written},
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}

fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Complete => "stop",
        Finish::Length => "length",
        Finish::Refused => "content_filter",
    }
}
