//! Server-sent events: replies that are streamed.

use crate::call::Call;
use crate::operation::Operation;
use crate::problem::status_of;
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
use tokio::sync::mpsc;

/// The pause after which a comment is sent, so that nothing between client and server ends an idle connection.
const QUIET: Duration = Duration::from_secs(15);

/// How many events may wait for a slow client, before the task that writes them waits.
const WAITING: usize = 16;

/// An event: its name, its id if it has one, and its data as JSON.
pub fn event(name: &str, id: Option<u64>, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("{id}event: {name}\ndata: {data}\n\n")
}

/// An event that is nothing but its data, as JSON.
pub fn data(data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    format!("data: {data}\n\n")
}

/// The end of a stream, by the convention of OpenAI and the AI SDK.
pub const DONE: &str = "data: [DONE]\n\n";

/// A stream of events, as [`event`] writes them. It never fails: a failure is an event.
#[derive(Default, Serialize, Deserialize)]
pub struct Events {
    #[serde(skip)]
    events: Option<BoxStream<'static, String>>,
    #[serde(skip)]
    header: Option<(&'static str, &'static str)>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

/// The client of a stream is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Where a task writes events of a stream.
#[derive(Debug)]
pub struct Out(mpsc::Sender<String>);

impl Out {
    /// Sends an event, as [`event`] or [`data`] write it.
    pub async fn send(&self, event: String) -> Result<(), Gone> {
        self.0.send(event).await.map_err(|_| Gone)
    }

    /// Waits for something, unless the client goes first.
    pub async fn wait<T>(&self, something: impl Future<Output = T>) -> Result<T, Gone> {
        tokio::select! {
            done = something => Ok(done),
            () = self.0.closed() => Err(Gone),
        }
    }
}

impl Events {
    /// A reply whose events a task writes, until it has written all or the client is gone.
    pub fn written<F>(write: impl FnOnce(Out) -> F) -> Events
    where
        F: Future<Output = Result<(), Gone>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(write(Out(sender)));
        let next = |mut receiver: mpsc::Receiver<String>| async move { Some((receiver.recv().await?, receiver)) };
        Events::new(stream::unfold(receiver, next).boxed())
    }

    /// A reply with these events.
    pub fn new(events: BoxStream<'static, String>) -> Events {
        Events { events: Some(events), header: None }
    }

    /// Adds a header, by which clients tell what the events are.
    #[must_use]
    pub fn with_header(self, name: &'static str, value: &'static str) -> Events {
        Events { header: Some((name, value)), ..self }
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
        let header = self.header;
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
        if let Some((name, value)) = header {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Ok(answer)
    }

    fn describe(operation: &mut Operation) {
        operation.events();
    }
}

/// Server-sent events, or nothing (204).
#[derive(Debug, Serialize, Deserialize)]
pub struct EventsIfAny(pub Option<Events>);

impl Reply for EventsIfAny {
    const ANSWER: Kind = Kind::Ok;
    const SECRET: bool = true;
}

impl HttpReply for EventsIfAny {
    const REPLAYED: bool = false;

    fn answer(self, call: &Call) -> Result<Answer> {
        match self.0 {
            Some(events) => events.answer(call),
            None => {
                let mut answer = Response::new(Body::empty());
                *answer.status_mut() = status_of(Kind::NoContent);
                Ok(answer)
            }
        }
    }

    fn describe(operation: &mut Operation) {
        operation.events();
        operation.or_nothing();
    }
}
