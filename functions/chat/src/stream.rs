//! Answers as server-sent events: `start`, `delta`, `usage`, and `done` or `error` at the end.

use daybook_domain::{Error as Domain, Rule, RunId};
use daybook_http::{Argument, Call, Cx, Error, Events, Operation, Result, event, query_pairs};
use daybook_runs::{Chat, StreamedMessage, Watch};
use daybook_store::rows::run::{Fault, Run, State};
use futures::StreamExt as _;
use futures::stream;
use serde::Serialize;
use serde_json::Value;

/// The position in an answer to go on from: `after_seq`, or the id of the last event that the client has.
#[derive(Clone, Copy, Debug)]
pub struct AfterSeq(pub u64);

/// The query parameter with the position.
const AFTER: &str = "after_seq";

impl Argument for AfterSeq {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let mut given = call.header("last-event-id").map(str::to_owned);
        for (name, value) in query_pairs(call)? {
            if name != AFTER {
                return Err(Domain::query(&name, Rule::unknown(&name, &[AFTER.to_owned()])).into());
            }
            given = Some(value);
        }
        let number = given.map_or(Some(0), |text| text.parse().ok().filter(|number| *number <= i64::MAX as u64));
        number.map(AfterSeq).ok_or_else(|| Domain::query(AFTER, Rule::Range { min: 0, max: i64::MAX }).into())
    }

    fn fingerprint(&self) -> Value {
        Value::from(self.0)
    }

    fn describe(operation: &mut Operation) {
        operation
            .query_parameter(AFTER, "The number of characters that the client has; or the header `Last-Event-ID`.");
    }
}

#[derive(Serialize)]
struct Start {
    run_id: RunId,
    conversation_id: Option<daybook_domain::ConversationId>,
    message_id: Option<daybook_domain::ChatMessageId>,
}

#[derive(Serialize)]
struct DeltaData {
    seq: u64,
    text: String,
}

#[derive(Serialize)]
struct Done {
    message: StreamedMessage,
}

#[derive(Serialize)]
struct Failed {
    code: &'static str,
    run_id: RunId,
}

/// What follows in a stream.
enum Next {
    Start(Box<Run>),
    Text,
    Over,
}

/// The events of a run from a number of characters on. With `from_start`, the first event tells the ids.
pub async fn events_of(chat: &Chat, cx: &Cx, id: RunId, after: u64, from_start: bool) -> Result<Events> {
    let watch = Watch::of(chat, cx, id, after).await?;
    let run = watch.run().await?;
    let next = if from_start || after == 0 { Next::Start(Box::new(run)) } else { Next::Text };
    let events = stream::unfold((watch, next, id), |(mut watch, next, id)| async move {
        match next {
            Next::Over => None,
            Next::Start(run) => {
                let message_id = run.conversation.map(|_| run.message);
                let start = Start { run_id: id, conversation_id: run.conversation, message_id };
                Some((event("start", Some(0), &start), (watch, Next::Text, id)))
            }
            Next::Text => match watch.next().await {
                Ok(Some((seq, text))) => {
                    Some((event("delta", Some(seq), &DeltaData { seq, text }), (watch, Next::Text, id)))
                }
                Ok(None) => Some((last(&watch, id).await, (watch, Next::Over, id))),
                Err(error) => Some((failed(&error, id), (watch, Next::Over, id))),
            },
        }
    });
    Ok(Events::new(events.boxed()))
}

/// The last events of a run that has ended.
async fn last(watch: &Watch, id: RunId) -> String {
    let run = match watch.run().await {
        Ok(run) => run,
        Err(error) => return failed(&error, id),
    };
    if !run.is_over() {
        // The process that generates it couldn't store its end yet.
        return event("error", None, &Failed { code: "unavailable", run_id: id });
    }
    let usage = run.usage.map_or_else(String::new, |usage| event("usage", None, &usage));
    let end = match run.state {
        State::Error => {
            let fault = run.fault.unwrap_or(Fault::Upstream);
            event("error", None, &Failed { code: fault.name(), run_id: id })
        }
        _ => match watch.text().await {
            Ok(text) => event("done", None, &Done { message: StreamedMessage::of(id, &run, text) }),
            Err(error) => failed(&error, id),
        },
    };
    usage + &end
}

fn failed(error: &Error, id: RunId) -> String {
    let code = if matches!(error, Error::Domain(_)) { "not_found" } else { "unavailable" };
    event("error", None, &Failed { code, run_id: id })
}
