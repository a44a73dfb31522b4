//! WebSockets of the one-machine server: `/ws`, and `/ws/{user_id}`, whose user must be the one that signs in.

use axum::Router;
use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse as _;
use axum::routing::get;
use daybook_domain::{Error as Domain, RunId, Unauthenticated, UserId};
use daybook_http::{Access, Connected, Problem, Refusal, Result, request_id};
use daybook_runs::{Chat, Watch};
use daybook_sockets::{Reading, Socket, delta, end_of};
use daybook_store::Env;
use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, interval_at, sleep_until, timeout};

/// The maximum length of a message, in bytes, as of the gateway on AWS. A longer one ends the connection.
const LONGEST_MESSAGE: usize = 128 * 1024;

/// The most open sockets of a user, and of all users.
const MOST_OF_A_USER: usize = 1_000;
const MOST: usize = 10_000;

/// How many frames may wait for a slow client, before what writes them waits.
const WAITING: usize = 64;

/// How long a client may take to receive a frame.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a connection may be silent, and how long it may last, as of the gateway on AWS.
const IDLE: Duration = Duration::from_secs(600);
const LONGEST: Duration = Duration::from_secs(2 * 3600);

/// How often it is checked whether the user is still signed in. Each frame checks it, too.
const CHECK: Duration = Duration::from_secs(1);

/// How many frames a client may send at once, and a second after that.
const BURST: f64 = 50.0;
const PER_SECOND: f64 = 20.0;

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
    Query(parameters): Query<Parameters>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response<Body> {
    let id = request_id(&headers, &sockets.env);
    if is_foreign(&sockets.env, &headers) {
        return Problem::refused(Refusal::OtherOrigin, &id, &headers).answer("", &headers);
    }
    let ticket = parameters.ticket.as_deref();
    match caller(&sockets, user, ticket, &headers, address).await {
        Ok((caller, place)) => {
            let socket = Socket::new(sockets.chat, sockets.env, caller);
            let upgrade = upgrade.max_message_size(LONGEST_MESSAGE).max_frame_size(LONGEST_MESSAGE);
            upgrade.on_upgrade(|ws| carry(ws, socket, place)).into_response()
        }
        Err(error) => {
            let problem = Problem::of(&error, &id, &headers);
            if problem.is_ours() {
                tracing::error!(request_id = %id, error = %error.chain(), "a WebSocket can't be opened");
            } else {
                tracing::info!(request_id = %id, code = problem.code(), "a WebSocket was refused");
            }
            problem.answer("", &headers)
        }
    }
}

/// Whether a page of an origin that isn't allowed opens the connection. Browsers send its origin, and no other headers of
/// the page's choice.
fn is_foreign(env: &Env, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_own = host.is_some_and(|host| origin.split_once("://").is_some_and(|(_, of)| of == host));
    !is_own && !env.settings.allows_origin(origin)
}

async fn caller(
    sockets: &Sockets,
    user: Option<Path<String>>,
    ticket: Option<&str>,
    headers: &HeaderMap,
    address: SocketAddr,
) -> Result<(Connected, Occupied)> {
    let caller = Connected::of(&sockets.env, headers, ticket, Some(address.ip())).await?;
    match user {
        Some(Path(user)) if user != caller.user.to_string() => {
            Err(Domain::Unauthenticated(Unauthenticated::Invalid).into())
        }
        _ => {
            let place = sockets.open.take(caller.user).ok_or(Domain::Limited { retry_after: 60 })?;
            Ok((caller, place))
        }
    }
}

/// The open sockets of each user.
#[derive(Clone, Debug, Default)]
pub struct OpenSockets(Arc<Mutex<HashMap<UserId, usize>>>);

/// The place of an open socket, until it is dropped.
struct Occupied {
    open: OpenSockets,
    user: UserId,
}

impl OpenSockets {
    /// Takes a place for a user; none if they, or all users together, have as many as they may.
    fn take(&self, user: UserId) -> Option<Occupied> {
        let mut open = self.counts();
        let all: usize = open.values().sum();
        let own = open.entry(user).or_default();
        if *own >= MOST_OF_A_USER || all >= MOST {
            return None;
        }
        *own += 1;
        Some(Occupied { open: self.clone(), user })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        let mut open = self.open.counts();
        if let Entry::Occupied(mut own) = open.entry(self.user) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

/// The frames that a client may still send.
struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    fn take(&mut self) -> bool {
        let now = Instant::now();
        self.left = BURST.min(self.left + now.duration_since(self.at).as_secs_f64() * PER_SECOND);
        self.at = now;
        let is_left = self.left >= 1.0;
        self.left -= if is_left { 1.0 } else { 0.0 };
        is_left
    }
}

/// Carries the frames of a connection until it ends.
async fn carry(ws: WebSocket, mut socket: Socket, _place: Occupied) {
    let (sink, mut messages) = ws.split();
    let (out, waiting) = mpsc::channel(WAITING);
    let writer = tokio::spawn(write(sink, waiting));
    let mut readers: HashMap<RunId, AbortHandle> = HashMap::new();
    let mut allowance = Allowance { left: BURST, at: Instant::now() };
    let opened = Instant::now();
    let mut heard = opened;
    let mut check = interval_at(opened + CHECK, CHECK);
    loop {
        let message = tokio::select! {
            message = messages.next() => message,
            () = out.closed() => break,
            () = sleep_until((heard + IDLE).min(opened + LONGEST)) => break,
            _ = check.tick() => match is_signed_in(&socket).await {
                true => continue,
                false => {
                    let why = CloseFrame { code: SIGNED_OUT, reason: "signed out".into() };
                    let _ = out.send(Message::Close(Some(why))).await;
                    break;
                }
            },
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
            if send(&out, refusal).await.is_err() {
                break;
            }
            continue;
        }
        let reaction = socket.react(&text).await;
        if send(&out, reaction.frame).await.is_err() {
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
    drop(out);
    let _ = writer.await;
}

async fn is_signed_in(socket: &Socket) -> bool {
    let admitted = socket.caller.admitted(&socket.env, "/ws", Access::SignedIn).await;
    !matches!(admitted, Err(daybook_http::Error::Domain(_)))
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
        end_of(&cx, id, &watch.run().await?, socket.caller.locale).await.map(Some)
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
