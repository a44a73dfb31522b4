//! Answers that are streamed as server-sent events, read event by event.

use axum::body::{Body, BodyDataStream};
use axum::http::HeaderMap;
use futures::StreamExt as _;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// How long an event may take to come.
const LONGEST: Duration = Duration::from_secs(20);

/// A server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its id, if it has one.
    pub id: Option<u64>,
    /// Its name; `message` if it says none.
    pub name: String,
    /// Its data.
    pub data: Value,
}

/// The events of an answer. Dropping it closes the connection, as a client does that goes away.
#[derive(Debug)]
pub struct EventStream {
    /// The headers of the answer.
    pub headers: HeaderMap,
    body: BodyDataStream,
    /// What has come of the events that aren't complete yet.
    bytes: Vec<u8>,
}

impl EventStream {
    pub(crate) fn new(headers: HeaderMap, body: Body) -> EventStream {
        EventStream { headers, body: body.into_data_stream(), bytes: Vec::new() }
    }

    /// The next event; `None` at the end of the answer.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.complete() {
                return Some(event);
            }
            let bytes = timeout(LONGEST, self.body.next()).await.expect("an event in time")?;
            self.bytes.extend_from_slice(&bytes.expect("a body"));
        }
    }

    /// The next events: this many, or those until the end.
    pub async fn some(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count
            && let Some(event) = self.next().await
        {
            events.push(event);
        }
        events
    }

    /// All events until the end.
    pub async fn rest(mut self) -> Vec<Event> {
        self.some(usize::MAX).await
    }

    /// The next event of those that have come completely. Comments are skipped.
    fn complete(&mut self) -> Option<Event> {
        loop {
            let end = self.bytes.windows(2).position(|two| two == b"\n\n")?;
            let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
            let block = String::from_utf8(block).expect("text");
            if let Some(event) = event_of(&block) {
                return Some(event);
            }
        }
    }
}

/// The event of a block of lines; `None` if it has only comments.
fn event_of(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = field("data")?;
    let name = field("event").unwrap_or("message").to_owned();
    let id = field("id").map(|id| id.parse().expect("a number"));
    // OpenAI's streams end with a text that isn't JSON.
    let data = serde_json::from_str(data).unwrap_or_else(|_| Value::from(data));
    Some(Event { id, name, data })
}
