//! Server-sent events: replies that are streamed.

use crate::call::Call;
use crate::operation::Operation;
use crate::reply::{Answer, HttpReply};
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Response};
use daybook_store::{Answer as Kind, Error, Reply, Result};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

/// The pause after which a comment is sent, so that nothing between client and server ends an idle connection.
const QUIET: Duration = Duration::from_secs(15);

/// An event: its name, its id if it has one, and its data as JSON.
pub fn event(name: &str, id: Option<u64>, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("{id}event: {name}\ndata: {data}\n\n")
}

/// A stream of events, as [`event`] writes them. It never fails: a failure is an event.
#[derive(Default, Serialize, Deserialize)]
pub struct Events {
    #[serde(skip)]
    events: Option<BoxStream<'static, String>>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// A reply with these events.
    pub fn new(events: BoxStream<'static, String>) -> Events {
        Events { events: Some(events) }
    }
}

impl Reply for Events {
    const ANSWER: Kind = Kind::Ok;
    const SECRET: bool = true;
}

impl HttpReply for Events {
    const REPLAYED: bool = false;

    fn answer(self, _: &Call) -> Result<Answer> {
        let missing = || Error::internal("stream events", "there are none");
        let events = stream::unfold(self.events.ok_or_else(missing)?, |mut events| async move {
            match tokio::time::timeout(QUIET, events.next()).await {
                Ok(event) => event.map(|event| (event, events)),
                Err(_) => Some((": quiet\n\n".to_owned(), events)),
            }
        });
        let mut answer = Response::new(Body::from_stream(events.map(Ok::<_, Infallible>)));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        Ok(answer)
    }

    fn describe(operation: &mut Operation) {
        operation.events();
    }
}
