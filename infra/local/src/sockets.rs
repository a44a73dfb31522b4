//! WebSockets of the one-machine server: `/ws`, and `/ws/{user_id}`, whose user must be the one that signs in.

use axum::Router;
use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse as _;
use axum::routing::get;
use daybook_domain::{Error as Domain, Unauthenticated};
use daybook_http::{Access, Connected, Problem, Refusal, Result, request_id};
use daybook_runs::{Chat, Watch};
use daybook_sockets::{Reading, Socket, delta, end_of};
use daybook_store::Env;
use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep_until, timeout};

/// The maximum length of a message, in bytes, as of the gateway on AWS. A longer one ends the connection.
const LONGEST_MESSAGE: usize = 128 * 1024;

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
    match caller(&sockets.env, user, ticket, &headers, address).await {
        Ok(caller) => {
            let socket = Socket::new(sockets.chat, sockets.env, caller);
            upgrade.max_message_size(LONGEST_MESSAGE).on_upgrade(|ws| carry(ws, socket)).into_response()
        }
        Err(error) => Problem::of(&error, &id, &headers).answer("", &headers),
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
    env: &Arc<Env>,
    user: Option<Path<String>>,
    ticket: Option<&str>,
    headers: &HeaderMap,
    address: SocketAddr,
) -> Result<Connected> {
    let caller = Connected::of(env, headers, ticket, Some(address.ip())).await?;
    match user {
        Some(Path(user)) if user != caller.user.to_string() => {
            Err(Domain::Unauthenticated(Unauthenticated::Invalid).into())
        }
        _ => Ok(caller),
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
async fn carry(ws: WebSocket, mut socket: Socket) {
    let (sink, mut messages) = ws.split();
    let (out, waiting) = mpsc::channel(WAITING);
    let writer = tokio::spawn(write(sink, waiting));
    let mut readers = JoinSet::new();
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
        while readers.try_join_next().is_some() {}
        if let Some(reading) = reaction.reading {
            readers.spawn(read(socket.clone(), reading, out.clone()));
        }
    }
    readers.shutdown().await;
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
        end_of(&cx, id, &watch.run().await?).await.map(Some)
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
