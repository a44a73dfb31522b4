//! What a socket is sent besides what its frames are answered: notifications, and an answer's text in `delta` frames, joined
//! by `seq`, and at the end `done` or `error`.

use daybook_domain::{Error as Domain, Locale, RunId};
use daybook_http::{Cx, Error, Problem, Result};
use daybook_runs::StreamedMessage;
use daybook_store::Fact;
use daybook_store::rows::run::{Fault, Run, State};
use serde_json::{Value, json};

/// An answer that a socket reads.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The context of the frame that began it.
    pub cx: Cx,
    /// The run.
    pub id: RunId,
    /// The number of characters that the client has.
    pub after: u64,
}

/// Text of an answer; `seq` is the number of characters up to and with it.
pub fn delta(id: RunId, seq: u64, text: &str) -> Value {
    json!({"type": "delta", "run_id": id, "seq": seq, "text": text})
}

/// What a user is told of an entry without having asked. It may come twice, with the same id.
pub fn notification(fact: &Fact, about: &Value) -> Value {
    json!({
        "type": "notification", "id": fact.id, "event": fact.event, "at": fact.at,
        "record": {"type": fact.record.kind, "id": fact.record}, "about": about,
    })
}

/// The last frame of an answer that has ended.
pub async fn end_of(cx: &Cx, id: RunId, run: &Run, locale: Locale) -> Result<Value> {
    if !run.is_over() {
        return Err(Error::unavailable("read the end of an answer", "it isn't stored"));
    }
    if run.state == State::Error {
        let fault = run.fault.unwrap_or(Fault::Upstream);
        let detail = Problem::told(&Domain::Upstream { run: id }.into(), locale);
        return Ok(json!({"type": "error", "code": fault.name(), "detail": detail, "run_id": id}));
    }
    let text = run.text_after(&cx.env, cx.org, id, 0).await?;
    let message = StreamedMessage::of(id, run, text);
    Ok(json!({"type": "done", "run_id": id, "conversation_id": run.conversation, "message": message}))
}
