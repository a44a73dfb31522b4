//! OpenAI's Responses.

use super::answer::{Answer, Event, Events};
use daybook_connectors::llm::Finish;
use serde_json::{Value, json};

/// The time at which answers are created, in seconds since 1970.
pub(super) const CREATED: u64 = 1_795_000_000;

/// The name and the data of an event that has no number yet.
type Draft = (&'static str, Value);

/// A streamed answer. A refusal comes in events of its own.
pub(super) fn events(answer: &Answer<'_>) -> Events {
    let kind = kind(answer);
    let with = |name: &str, value: Value| {
        let mut data = json!({"item_id": answer.id("msg_"), "output_index": 0, "content_index": 0});
        data[name] = value;
        data
    };
    let started = json!({"response": response(answer, "in_progress", &json!([]))});
    let added = json!({"output_index": 0, "item": item(answer, "in_progress", &json!([]))});
    let whole = whole(answer);
    let done = json!({"output_index": 0, "item": whole["output"][0]});
    let head = vec![
        ("response.created", started.clone()),
        ("response.in_progress", started),
        ("response.output_item.added", added),
        ("response.content_part.added", with("part", content(answer, ""))),
    ];
    let pieces: Vec<Draft> = answer.pieces.iter().map(|text| draft(answer, text)).collect();
    let tail = vec![
        (kind.done, with(kind.field, json!(answer.text()))),
        ("response.content_part.done", with("part", content(answer, &answer.text()))),
        ("response.output_item.done", done),
        (kind.last, json!({"response": whole})),
    ];
    let (before, until) = (head.len(), head.len() + pieces.len());
    Events { head: numbered(head, 0), pieces: numbered(pieces, before), tail: numbered(tail, until) }
}

fn numbered(drafts: Vec<Draft>, first: usize) -> Vec<Event> {
    (first..).zip(drafts).map(|(number, draft)| event(draft, number)).collect()
}

/// An event, which has its name in its data too.
pub(super) fn event((name, mut data): Draft, number: usize) -> Event {
    data["type"] = json!(name);
    data["sequence_number"] = json!(number);
    Event::named(name, &data)
}

/// The event of a piece of text.
pub(super) fn piece(answer: &Answer<'_>, text: &str) -> Event {
    event(draft(answer, text), 0)
}

fn draft(answer: &Answer<'_>, text: &str) -> Draft {
    let data = json!({
        "item_id": answer.id("msg_"), "output_index": 0, "content_index": 0, "delta": text, "logprobs": [],
    });
    (kind(answer).delta, data)
}

/// Events that clients should ignore: reasoning, and events of future versions.
pub(super) fn unknown() -> Vec<Event> {
    let reasoning = json!({"delta": "The user greets.", "summary_index": 0});
    let future = json!({"future": {"delta": "Ignore this."}});
    numbered(vec![("response.reasoning_summary_text.delta", reasoning), ("response.future_event", future)], 0)
}

/// A whole answer.
pub(super) fn whole(answer: &Answer<'_>) -> Value {
    let (status, details) = match answer.finish {
        Finish::Complete | Finish::Refused => ("completed", Value::Null),
        Finish::Length => ("incomplete", json!({"reason": "max_output_tokens"})),
    };
    let usage = answer.usage;
    let mut whole = response(answer, status, &json!([item(answer, status, &json!([content(answer, &answer.text())]))]));
    whole["incomplete_details"] = details;
    whole["usage"] = json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input + usage.output,
    });
    whole
}

fn response(answer: &Answer<'_>, status: &str, output: &Value) -> Value {
    json!({
        "id": answer.id("resp_"),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "metadata": {},
        "model": answer.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "store": false,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": null,
    })
}

fn item(answer: &Answer<'_>, status: &str, content: &Value) -> Value {
    json!({"id": answer.id("msg_"), "type": "message", "role": "assistant", "status": status, "content": content})
}

fn content(answer: &Answer<'_>, text: &str) -> Value {
    match answer.finish {
        Finish::Refused => json!({"type": "refusal", "refusal": text}),
        Finish::Complete | Finish::Length => json!({"type": "output_text", "text": text, "annotations": []}),
    }
}

/// The events and the field of a text, or of a refusal.
struct Kind {
    delta: &'static str,
    done: &'static str,
    field: &'static str,
    last: &'static str,
}

fn kind(answer: &Answer<'_>) -> Kind {
    let text = Kind {
        delta: "response.output_text.delta",
        done: "response.output_text.done",
        field: "text",
        last: "response.completed",
    };
    match answer.finish {
        Finish::Complete => text,
        Finish::Length => Kind { last: "response.incomplete", ..text },
        Finish::Refused => {
            Kind { delta: "response.refusal.delta", done: "response.refusal.done", field: "refusal", ..text }
        }
    }
}
