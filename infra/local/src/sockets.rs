//! WebSockets of the one-machine server: `/ws`, and `/ws/{user_id}`, whose user must be the one that signs in.

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse as _;
use axum::routing::get;
use daybook_domain::{Error as Domain, RunId};
use daybook_http::{Problem, Refusal, request_id};
use daybook_runs::{Chat, Watch};
use daybook_sockets::{ConnectionError, Connections, FRAMES, Handshake, Reached, Reading, Socket, delta, end_of};
use daybook_store::Env;
use daybook_store::rows::socket::{LONGEST, OpenSocket};
use futures::future::BoxFuture;
use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

/// The maximum length of a message, in bytes, as of the gateway on AWS. A longer one ends the connection.
const LONGEST_MESSAGE: usize = 128 * 1024;

/// The most open sockets.
const MOST: usize = 10_000;

/// How many frames may wait for a slow client, before what writes them waits.
const WAITING: usize = 64;

/// How long a client may take to receive a frame.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a connection may be silent, as of the gateway on AWS.
const IDLE: Duration = Duration::from_secs(600);

/// The status of a connection whose user isn't signed in any more (4000 to 4999 are an application's own).
const SIGNED_OUT: u16 = 4401;

/// What WebSockets need.
#[derive(Clone, Debug)]
pub struct Sockets {
    /// The environment.
    pub env: Arc<Env>,
    /// The chat.
    pub chat: Chat,
    /// The sockets that are open.
    pub open: OpenSockets,
}

/// The parameters of the address.
#[derive(Debug, Deserialize)]
struct Parameters {
    ticket: Option<String>,
}

impl Sockets {
    /// Adds the routes of WebSockets.
    pub fn with_routes(self, router: Router) -> Router {
        router.merge(Router::new().route("/ws", get(open)).route("/ws/{user_id}", get(open)).with_state(self))
    }
}

async fn open(
    State(sockets): State<Sockets>,
    user: Option<Path<String>>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response<Body> {
    let Sockets { env, chat, open } = sockets;
    let Ok(upgrade) = upgrade else {
        let id = request_id(&headers, &env);
        return Problem::refused(Refusal::NoHandshake, &id, &headers).answer("", &headers);
    };
    let connection = env.ids.next().simple().to_string();
    let (out, waiting) = mpsc::channel(WAITING);
    let Some(place) = open.take(&env, &connection, out) else {
        let full = Domain::Limited { retry_after: 60 }.into();
        return Problem::of(&full, &request_id(&headers, &env), &headers).answer("", &headers);
    };
    let user = user.as_ref().map(|Path(user)| user.as_str());
    // A query with two tickets is as good as none.
    let ticket = parameters.ok().and_then(|Query(parameters)| parameters.ticket);
    let handshake = Handshake { headers: &headers, ticket: ticket.as_deref(), user, ip: Some(address.ip()) };
    match handshake.open(&chat, &env, connection).await {
        Ok(socket) => {
            let upgrade = upgrade.max_message_size(LONGEST_MESSAGE).max_frame_size(LONGEST_MESSAGE);
            upgrade.on_upgrade(|ws| carry(ws, socket, place, waiting)).into_response()
        }
        Err(problem) => problem.answer("", &headers),
    }
}

/// The open sockets, by their connections, with what their frames are written to.
#[derive(Clone, Debug, Default)]
pub struct OpenSockets(Arc<Mutex<HashMap<String, mpsc::Sender<Message>>>>);

/// The place of a socket, until it is dropped: then its row is removed, too, also if the handshake came to nothing.
struct Occupied {
    env: Arc<Env>,
    open: OpenSockets,
    connection: String,
    out: mpsc::Sender<Message>,
}

impl OpenSockets {
    /// Takes a place for a connection; none if there are as many as there may be.
    fn take(&self, env: &Arc<Env>, connection: &str, out: mpsc::Sender<Message>) -> Option<Occupied> {
        let mut open = self.all();
        if open.len() >= MOST {
            return None;
        }
        open.insert(connection.to_owned(), out.clone());
        Some(Occupied { env: env.clone(), open: self.clone(), connection: connection.to_owned(), out })
    }

    fn of(&self, connection: &str) -> Option<mpsc::Sender<Message>> {
        self.all().get(connection).cloned()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Message>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.open.all().remove(&self.connection);
        let (env, connection) = (self.env.clone(), std::mem::take(&mut self.connection));
        // Without a runtime the process ends; the next one removes all rows.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = OpenSocket::remove(&env, &connection).await {
                    tracing::warn!(error = %error.chain(), "a closed socket isn't removed; its row expires");
                }
            });
        }
    }
}

impl Connections for OpenSockets {
    fn send<'a>(&'a self, connection: &'a str, frame: String) -> BoxFuture<'a, Result<Reached, ConnectionError>> {
        let sent = self.of(connection).map(|out| out.try_send(Message::text(frame)));
        let reached = match sent {
            Some(Ok(())) => Ok(Reached::Yes),
            Some(Err(TrySendError::Full(_))) => Err(ConnectionError("the client is slow".to_owned())),
            Some(Err(TrySendError::Closed(_))) | None => Ok(Reached::Gone),
        };
        Box::pin(async { reached })
    }

    fn close<'a>(&'a self, connection: &'a str) -> BoxFuture<'a, Result<(), ConnectionError>> {
        Box::pin(async move {
            let Some(out) = self.of(connection) else { return Ok(()) };
            match timeout(PATIENCE, out.send(signed_out())).await {
                Ok(_) => Ok(()),
                Err(_) => Err(ConnectionError("the client is slow".to_owned())),
            }
        })
    }
}

fn signed_out() -> Message {
    Message::Close(Some(CloseFrame { code: SIGNED_OUT, reason: "signed out".into() }))
}

/// The frames that a client may still send.
struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    fn take(&mut self) -> bool {
        let now = Instant::now();
        let burst = f64::from(FRAMES.burst);
        let refilled = now.duration_since(self.at).as_secs_f64() / FRAMES.per.as_secs_f64() * burst;
        self.left = burst.min(self.left + refilled);
        self.at = now;
        let is_left = self.left >= 1.0;
        self.left -= if is_left { 1.0 } else { 0.0 };
        is_left
    }
}

/// Carries the frames of a connection until it ends.
async fn carry(ws: WebSocket, mut socket: Socket, place: Occupied, waiting: mpsc::Receiver<Message>) {
    let (sink, mut messages) = ws.split();
    let writer = tokio::spawn(write(sink, waiting));
    let out = &place.out;
    let mut readers: HashMap<RunId, AbortHandle> = HashMap::new();
    let opened = Instant::now();
    let mut allowance = Allowance { left: f64::from(FRAMES.burst), at: opened };
    let mut heard = opened;
    loop {
        let message = tokio::select! {
            message = messages.next() => message,
            () = out.closed() => break,
            () = sleep_until((heard + IDLE).min(opened + LONGEST)) => break,
        };
        heard = Instant::now();
        let text = match message {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            // Not a frame of the chat; told as text that isn't JSON.
            Some(Ok(Message::Binary(_))) => String::new(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) | None => break,
        };
        if !allowance.take() {
            let refusal = socket.refusal(&Domain::Limited { retry_after: 1 }.into());
            if send(out, refusal).await.is_err() {
                break;
            }
            continue;
        }
        let reaction = socket.react(&text).await;
        if send(out, reaction.frame).await.is_err() {
            break;
        }
        if reaction.is_last {
            let _ = out.send(signed_out()).await;
            break;
        }
        readers.retain(|_, reader| !reader.is_finished());
        if let Some(reading) = reaction.reading {
            let id = reading.id;
            let reader = tokio::spawn(read(socket.clone(), reading, out.clone())).abort_handle();
            // A run is read once: a client that resumes it gets no text twice.
            if let Some(earlier) = readers.insert(id, reader) {
                earlier.abort();
            }
        }
    }
    readers.values().for_each(AbortHandle::abort);
    drop(place);
    let _ = writer.await;
}

/// Writes frames to a client, until it is gone or too slow.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut waiting: mpsc::Receiver<Message>) {
    while let Some(message) = waiting.recv().await {
        let is_last = matches!(message, Message::Close(_));
        if !matches!(timeout(PATIENCE, sink.send(message)).await, Ok(Ok(()))) || is_last {
            return;
        }
    }
    let _ = timeout(PATIENCE, sink.close()).await;
}

async fn send(out: &mpsc::Sender<Message>, frame: Value) -> Result<(), mpsc::error::SendError<Message>> {
    out.send(Message::text(frame.to_string())).await
}

/// Sends an answer as it is generated.
async fn read(socket: Socket, reading: Reading, out: mpsc::Sender<Message>) {
    let Reading { cx, id, after } = reading;
    let frames = async {
        let mut watch = Watch::of(&socket.chat, &cx, id, after).await?;
        while let Some((seq, text)) = watch.next().await? {
            if send(&out, delta(id, seq, &text)).await.is_err() {
                return Ok(None);
            }
        }
        end_of(&cx, id, &watch.run().await?, socket.open.caller.locale).await.map(Some)
    };
    let last = match frames.await {
        Ok(Some(frame)) => frame,
        Ok(None) => return,
        Err(error) => {
            let mut frame = socket.refusal(&error);
            frame["run_id"] = Value::from(id.to_string());
            frame
        }
    };
    let _ = send(&out, last).await;
}
