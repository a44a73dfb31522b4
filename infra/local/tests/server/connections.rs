//! Connections that keep the server waiting are ended, and there are no more than may be. The clock is paused: it moves
//! where all tasks wait.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use daybook_local::{Admission, ConnectionLimits, Connections};
use daybook_testing::World;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

const LIMITS: ConnectionLimits = ConnectionLimits { all: 100, per_address: 50 };

/// A server of a world, until the sender is dropped.
struct Serving {
    address: SocketAddr,
    _world: World,
    _stop: watch::Sender<()>,
}

async fn serving(limits: ConnectionLimits) -> Serving {
    let world = World::new().await;
    let more = Router::new().route("/slowly", get(slowly)).route("/large", get(large));
    let app = world.system.app().merge(more);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = watch::channel(());
    tokio::spawn(Connections::new(limits).serve(listener, app, world.system.env.clone(), stopped));
    Serving { address, _world: world, _stop: stop }
}

/// An answer that takes two minutes, with a pause between its parts as of a stream.
async fn slowly() -> Body {
    Body::from_stream(futures::stream::unfold(0, |n| async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        (n < 6).then(|| (Ok::<_, Infallible>("part "), n + 1))
    }))
}

async fn large() -> Vec<u8> {
    vec![b'x'; 64 << 20]
}

/// Sends bytes, and reads until the server closes the connection; returns the seconds that passed, and the answer.
async fn sent(to: &Serving, bytes: &str) -> (u64, String) {
    let mut stream = TcpStream::connect(to.address).await.expect("a connection");
    let began = Instant::now();
    stream.write_all(bytes.as_bytes()).await.expect("a write");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    (began.elapsed().as_secs(), String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(start_paused = true)]
async fn half_a_header_is_not_waited_for() {
    let server = serving(LIMITS).await;
    let (seconds, _) = sent(&server, "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Half").await;
    assert!((30..=32).contains(&seconds), "{seconds} s");
    let (seconds, _) = sent(&server, "").await;
    assert!((30..=32).contains(&seconds), "{seconds} s for a connection without a byte");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_ended_after_its_answer() {
    let server = serving(LIMITS).await;
    let (seconds, answer) = sent(&server, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!((30..=32).contains(&seconds), "{seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_told_so() {
    let server = serving(LIMITS).await;
    let head =
        "POST /api/leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let (seconds, answer) = sent(&server, head).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"), "{answer}");
    assert!((15..=48).contains(&seconds), "{seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_stream_lasts_as_long_as_it_does() {
    let server = serving(LIMITS).await;
    let (seconds, answer) = sent(&server, "GET /slowly HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!(answer.matches("part ").count(), 6, "{answer}");
    assert!(seconds >= 120, "{seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_loses_its_connection() {
    let server = serving(ConnectionLimits { all: 1, per_address: 1 }).await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("a write");
    tokio::time::sleep(Duration::from_secs(40)).await;
    // Its place is free again.
    let (_, answer) = sent(&server, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_a_free_place_is_taken() {
    let server = serving(ConnectionLimits { all: 3, per_address: 50 }).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("a write");
        let mut byte = [0];
        stream.read_exact(&mut byte).await.expect("an answer");
        held.push(stream);
    }
    let ask = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let (_, refused) = sent(&server, ask).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after"), "{refused}");
    held.pop();
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let (_, answer) = sent(&server, ask).await;
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(Instant::now() < deadline, "{answer}");
    }
}

#[test]
fn an_address_has_its_share_and_the_machine_itself_all() {
    let connections = Connections::new(ConnectionLimits { all: 10, per_address: 2 });
    let mut held = Vec::new();
    let mut admitted = |address: &str| match connections.admit(address.parse().expect("an address")) {
        Admission::Serve(place) => {
            held.push(place);
            true
        }
        Admission::Tell(_) | Admission::Close => false,
    };
    assert_eq!([admitted("203.0.113.7"), admitted("203.0.113.7"), admitted("203.0.113.7")], [true, true, false]);
    assert_eq!([admitted("2001:db8::1"), admitted("2001:db8::2"), admitted("2001:db8::3")], [true, true, false]);
    assert!(admitted("2001:db8:0:1::1") && admitted("203.0.113.8"));
    // Proxies on the machine itself connect for all of their clients.
    assert_eq!([(); 5].map(|()| admitted("127.0.0.1")), [true, true, true, true, false]);
}
