//! A fake of Lambda's Runtime API: passes events to a function over HTTP and receives its answers.

use crate::Result;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};

/// The time-out of a start and of an answer.
const LONGEST: Duration = Duration::from_secs(60);

/// The fake Runtime API of one function.
#[derive(Debug, Default)]
pub struct Runtime {
    /// Its address: host and port.
    pub address: String,
    events: Option<mpsc::UnboundedSender<Event>>,
    asked: Option<mpsc::UnboundedReceiver<Instant>>,
    server: Option<tokio::task::AbortHandle>,
}

struct Event {
    body: String,
    answer: oneshot::Sender<Bytes>,
}

struct Shared {
    events: Mutex<mpsc::UnboundedReceiver<Event>>,
    asked: mpsc::UnboundedSender<Instant>,
    answer: Mutex<Option<oneshot::Sender<Bytes>>>,
}

impl Runtime {
    /// Starts a fake Runtime API for one function, on a free port.
    pub async fn serve() -> Result<Runtime> {
        let (events, to_hand_out) = mpsc::unbounded_channel();
        let (asking, asked) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { events: Mutex::new(to_hand_out), asked: asking, answer: Mutex::new(None) });
        let api = axum::Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(answered))
            .with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let server = tokio::spawn(async move { axum::serve(listener, api).await }).abort_handle();
        Ok(Runtime { address, events: Some(events), asked: Some(asked), server: Some(server) })
    }

    /// Waits for the function's request for its first event; returns the time that took.
    pub async fn ready(&mut self, process: &mut Child, begun: Instant) -> Result<Duration> {
        let asked = self.asked.as_mut().ok_or("this runtime serves nothing")?;
        let ended = async {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if let Ok(Some(status)) = process.try_wait() {
                    return status;
                }
            }
        };
        tokio::select! {
            asked = asked.recv() => Ok(asked.ok_or("the runtime ended")? - begun),
            status = ended => Err(format!("the function ended before it asked for an event: {status}").into()),
            () = tokio::time::sleep(LONGEST) => Err("the function doesn't ask for an event".into()),
        }
    }

    /// Passes an event to the function, and waits for the answer.
    pub async fn invoke(&mut self, event: Value) -> Result<Value> {
        let (answer, answered) = oneshot::channel();
        let event = Event { body: event.to_string(), answer };
        self.events.as_ref().and_then(|events| events.send(event).ok()).ok_or("this runtime serves nothing")?;
        let body = tokio::time::timeout(LONGEST, answered).await.map_err(|_| "no answer to an event")??;
        Ok(serde_json::from_slice(&body)?)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> (HeaderMap, String) {
    let _ = shared.asked.send(Instant::now());
    let event = shared.events.lock().await.recv().await;
    let Some(Event { body, answer }) = event else { std::future::pending().await };
    *shared.answer.lock().await = Some(answer);
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + LONGEST;
    let id = format!("{:032x}", deadline.as_nanos());
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    put("lambda-runtime-aws-request-id", id);
    put("lambda-runtime-deadline-ms", deadline.as_millis().to_string());
    put("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned());
    put(
        "lambda-runtime-trace-id",
        "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1".to_owned(),
    );
    (headers, body)
}

async fn answered(State(shared): State<Arc<Shared>>, Path(_id): Path<String>, body: Bytes) -> StatusCode {
    if let Some(answer) = shared.answer.lock().await.take() {
        let _ = answer.send(body);
    }
    StatusCode::ACCEPTED
}
