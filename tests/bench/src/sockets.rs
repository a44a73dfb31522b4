//! WebSockets: a thousand of them, the time of a ping, the time until a question is committed, and memory.

use crate::Result;
use crate::known::register;
use crate::load::Connection;
use crate::machine::{LOAD_CORE, Machine};
use crate::server::Server;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

/// The number of sockets.
const SOCKETS: usize = 1_000;

/// The users who have them. All sockets of a user are told of each other's answers.
const USERS: usize = 100;

/// The pings of each socket; each socket sends one a second.
const PINGS: usize = 5;

/// The questions a second, one of each socket.
const QUESTIONS: u64 = 100;

/// One socket in so many goes away after half of the questions.
const GONE: usize = 10;

/// How long the last answers may take.
const LONGEST: Duration = Duration::from_secs(10);

type Sink = SplitSink<WebSocketStream<TcpStream>, Message>;
type Source = SplitStream<WebSocketStream<TcpStream>>;

/// An open socket.
struct Open {
    sink: Sink,
    listening: AbortHandle,
}

/// What a socket heard, and when.
struct Heard {
    socket: usize,
    is_ack: bool,
    at: Instant,
}

/// Measures the sockets of some users; returns a table.
pub fn run(binary: &Path, data: &Path, machine: &Machine) -> Result<String> {
    crate::seed::fill(binary, data, 1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    machine.stay_on(LOAD_CORE)?;
    let server = Server::start(binary, data, machine)?;
    runtime.block_on(measure(&server))
}

async fn measure(server: &Server) -> Result<String> {
    let mut connection = Connection::open(server.address).await?;
    let mut tokens = Vec::with_capacity(USERS);
    for user in 0..USERS {
        tokens.push(register(&mut connection, &format!("user{user}@example.com")).await?);
    }
    drop(connection);
    server.settle().await?;
    let before = server.memory().ok_or("the server's memory can't be read")?;
    let (said, mut heard) = mpsc::unbounded_channel();
    let mut sinks = Vec::with_capacity(SOCKETS);
    let begun = Instant::now();
    for socket in 0..SOCKETS {
        let (sink, source) = open(server.address, &tokens[socket % USERS]).await?.split();
        let listening = tokio::spawn(listen(socket, source, said.clone())).abort_handle();
        sinks.push(Some(Open { sink, listening }));
    }
    let opened = begun.elapsed();
    let pings = pings(&mut sinks, &mut heard).await?;
    let with_sockets = server.memory().ok_or("the server's memory can't be read")?;
    let acks = acks(&mut sinks, &mut heard).await?;
    let each = with_sockets.now.saturating_sub(before.now) as f64 / SOCKETS as f64;
    let mut table = String::from("| WebSockets | p50, ms | p99, ms | highest, ms |\n|---|--:|--:|--:|\n");
    table += &row(&format!("`pong`, {SOCKETS} sockets, a ping each a second"), pings);
    table += &row(&format!("`ack`, {QUESTIONS} questions a second, a tenth of the sockets gone meanwhile"), acks);
    table += &format!(
        "\n{SOCKETS} sockets of {USERS} users were open after {:.2} s, with {each:.0} KB each.\n",
        opened.as_secs_f64()
    );
    Ok(table)
}

fn row(title: &str, mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent).div_ceil(100).max(1) - 1].as_secs_f64() * 1000.0;
    format!("| {title} | {:.2} | {:.2} | {:.2} |\n", at(50), at(99), at(100))
}

async fn open(address: SocketAddr, token: &str) -> Result<WebSocketStream<TcpStream>> {
    let mut request = format!("ws://{address}/ws").into_client_request()?;
    request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Bearer {token}"))?);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(client_async(request, stream).await?.0)
}

async fn listen(socket: usize, mut source: Source, said: mpsc::UnboundedSender<Heard>) {
    while let Some(Ok(message)) = source.next().await {
        let Message::Text(text) = message else { continue };
        let (is_ack, is_pong) = (text.contains(r#""type":"ack""#), text.contains(r#""type":"pong""#));
        if text.contains(r#""type":"error""#) {
            eprintln!("  {text}");
        }
        if is_ack || is_pong {
            let _ = said.send(Heard { socket, is_ack, at: Instant::now() });
        }
    }
}

/// The times of pings, a thousand a second.
async fn pings(sinks: &mut [Option<Open>], heard: &mut mpsc::UnboundedReceiver<Heard>) -> Result<Vec<Duration>> {
    let mut pace = interval(Duration::from_secs(1) / SOCKETS as u32);
    let mut took = Vec::with_capacity(SOCKETS * PINGS);
    for _ in 0..PINGS {
        let mut sent = vec![Instant::now(); SOCKETS];
        for (socket, sink) in sinks.iter_mut().enumerate() {
            pace.tick().await;
            sent[socket] = Instant::now();
            if let Some(open) = sink {
                open.sink.send(Message::text(r#"{"type":"ping"}"#)).await?;
            }
            while let Ok(pong) = heard.try_recv() {
                took.push(pong.at - sent[pong.socket]);
            }
        }
        while took.len() % SOCKETS != 0 {
            let pong = timeout(LONGEST, heard.recv()).await?.ok_or("no socket is left")?;
            took.push(pong.at - sent[pong.socket]);
        }
    }
    Ok(took)
}

/// The times from a question until it is committed.
async fn acks(sinks: &mut [Option<Open>], heard: &mut mpsc::UnboundedReceiver<Heard>) -> Result<Vec<Duration>> {
    let mut pace = interval(Duration::from_secs(1) / QUESTIONS as u32);
    let (mut sent, mut took, mut asked) = (vec![Instant::now(); SOCKETS], Vec::new(), 0);
    for socket in 0..SOCKETS {
        pace.tick().await;
        if socket == SOCKETS / 2 {
            // These go without a word.
            sinks.iter_mut().skip(1).step_by(GONE).filter_map(Option::take).for_each(|open| open.listening.abort());
        }
        let Some(Open { sink, .. }) = &mut sinks[socket] else { continue };
        sent[socket] = Instant::now();
        asked += 1;
        sink.send(Message::text(r#"{"type":"chat","content":"What is an offer?"}"#)).await?;
        while let Ok(ack) = heard.try_recv() {
            took.extend(ack.is_ack.then(|| ack.at - sent[ack.socket]));
        }
    }
    while took.len() < asked {
        let ack = timeout(LONGEST, heard.recv()).await?.ok_or("no socket is left")?;
        took.extend(ack.is_ack.then(|| ack.at - sent[ack.socket]));
    }
    Ok(took)
}
