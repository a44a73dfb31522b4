//! Connections of the one-machine server: how many there may be, in all and of each address, and how long one may keep
//! the server waiting.
//!
//! A connection must send a request's headers, and the next request after an answer, within [`HEADERS`], and take what is
//! written to it within [`STALLED`]; the time of a body is the pipeline's rule. Streams and WebSockets aren't cut by these
//! while their clients read.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, header};
use daybook_http::{Problem, Refusal, request_id};
use daybook_store::Env;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv6Addr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep};
use tower::ServiceExt as _;

/// The time in which a request's headers must arrive, from the connection's start or from the end of the last answer.
const HEADERS: Duration = Duration::from_secs(30);

/// The most bytes of a request's headers, with its URL.
const HEADER_BYTES: usize = 64 * 1024;

/// How long a client may leave what is written to it unread.
const STALLED: Duration = Duration::from_secs(30);

/// How long the server pauses after it couldn't accept a connection, as without free descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The time between two log lines about refused connections.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// The number of connections beyond the limit that are told why they are refused; further ones are just closed.
const TOLD: usize = 32;

/// How long a refused connection has to send its request.
const REFUSED: Duration = Duration::from_secs(2);

/// The most connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub all: usize,
    /// Of an address of another machine; of IPv6, of a network of 64 bits.
    pub per_address: usize,
}

impl ConnectionLimits {
    /// The default number of connections of an address.
    pub const PER_ADDRESS: usize = 256;

    /// The default number in all, where the descriptors allow as many.
    pub const ALL: usize = 10_000;

    /// These limits, as far as the descriptors of this process allow them.
    pub fn of(all: Option<usize>, per_address: Option<usize>) -> ConnectionLimits {
        let possible = possible_connections();
        if let Some(all) = all.filter(|all| *all > possible) {
            tracing::warn!(
                all,
                possible,
                "MAX_CONNECTIONS is more than this process may have; raise its limit (ulimit -n)"
            );
        }
        ConnectionLimits {
            all: all.unwrap_or(Self::ALL).min(possible),
            per_address: per_address.unwrap_or(Self::PER_ADDRESS),
        }
    }
}

/// The connections that there are.
#[derive(Clone, Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of_address: HashMap<IpAddr, usize>,
    /// Those that are told why they are refused.
    told: usize,
    /// Those refused since the last log line, and when that was.
    refused: usize,
    noted: Option<Instant>,
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub struct Place {
    open: Arc<Mutex<Open>>,
    of: Option<IpAddr>,
    is_refused: bool,
}

/// What to do with a connection.
#[derive(Debug)]
pub enum Admission {
    /// It is served.
    Serve(Place),
    /// It is told that there are too many.
    Tell(Place),
    /// It is closed: as many are being told so as may be.
    Close,
}

impl Connections {
    /// No connections yet.
    pub fn new(limits: ConnectionLimits) -> Connections {
        Connections { limits, open: Arc::default() }
    }

    /// Serves the connections of a listener until the stop signal, and then until their requests are answered.
    pub async fn serve(self, listener: TcpListener, app: Router, env: Arc<Env>, mut stop: watch::Receiver<()>) {
        // Closed once every connection has dropped its end.
        let (open, mut ended) = mpsc::channel::<Infallible>(1);
        let mut unaccepted: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.changed() => break,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if unaccepted.is_none_or(|noted| noted.elapsed() >= BETWEEN_LINES) {
                        tracing::warn!(%error, "connections can't be accepted");
                        unaccepted = Some(Instant::now());
                    }
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            // Answers are written as a whole, so nothing is gained by waiting for more.
            let _ = stream.set_nodelay(true);
            match self.admit(address.ip()) {
                Admission::Serve(place) => {
                    let app = app.clone();
                    let service = service_fn(move |request: Request<Incoming>| {
                        let mut request = request.map(Body::new);
                        request.extensions_mut().insert(ConnectInfo(address));
                        app.clone().oneshot(request)
                    });
                    let served = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEADERS)
                        .max_buf_size(HEADER_BYTES)
                        .serve_connection(TokioIo::new(Carried::new(stream, place)), service)
                        .with_upgrades();
                    let (open, mut stop) = (open.clone(), stop.clone());
                    tokio::spawn(async move {
                        let _open = open;
                        let mut served = pin!(served);
                        // A connection that ends early is the client's affair.
                        tokio::select! {
                            _ = served.as_mut() => return,
                            _ = stop.changed() => served.as_mut().graceful_shutdown(),
                        }
                        let _ = served.await;
                    });
                }
                Admission::Tell(place) => {
                    tokio::spawn(tokio::time::timeout(REFUSED, refuse(stream, place, env.clone())));
                }
                Admission::Close => {}
            }
        }
        drop((listener, open));
        ended.recv().await;
    }

    /// Takes a place for a connection of an address, if there is one.
    pub fn admit(&self, address: IpAddr) -> Admission {
        let mut open = open(&self.open);
        // Proxies on this machine connect from it for all of their clients.
        let of = Some(network(address)).filter(|address| !address.is_loopback());
        let own = of.and_then(|of| open.of_address.get(&of).copied()).unwrap_or(0);
        if open.all < self.limits.all && own < self.limits.per_address {
            open.all += 1;
            if let Some(of) = of {
                *open.of_address.entry(of).or_default() += 1;
            }
            return Admission::Serve(Place { open: self.open.clone(), of, is_refused: false });
        }
        open.refused += 1;
        if open.noted.is_none_or(|noted| noted.elapsed() >= BETWEEN_LINES) {
            let (all, limits) = (open.all, self.limits);
            tracing::warn!(
                %address,
                connections = all,
                of_address = own,
                most = limits.all,
                most_of_address = limits.per_address,
                refused = open.refused,
                "connections were refused: MAX_CONNECTIONS or MAX_CONNECTIONS_PER_ADDRESS is reached"
            );
            (open.noted, open.refused) = (Some(Instant::now()), 0);
        }
        if open.told >= TOLD {
            return Admission::Close;
        }
        open.told += 1;
        Admission::Tell(Place { open: self.open.clone(), of: None, is_refused: true })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = open(&self.open);
        if self.is_refused {
            open.told -= 1;
            return;
        }
        open.all -= 1;
        if let Some(of) = self.of
            && let Some(count) = open.of_address.get_mut(&of)
        {
            *count -= 1;
            if *count == 0 {
                open.of_address.remove(&of);
            }
        }
    }
}

fn open(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address that connections are counted by: of IPv6 the network, as a client has all addresses of one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) if !six.is_loopback() => {
            let [a, b, c, d, ..] = six.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        other => other,
    }
}

/// Tells a client that there are too many connections.
async fn refuse(stream: TcpStream, place: Place, env: Arc<Env>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let id = request_id(request.headers(), &env);
        let problem = Problem::refused(Refusal::TooManyConnections, &id, request.headers());
        let mut answer: Response<Body> = problem.answer(request.uri().path(), request.headers());
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        async move { Ok::<_, Infallible>(answer) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(Carried::new(stream, place)), service).await;
}

/// A connection with its place, which also ends where its client doesn't read.
struct Carried {
    stream: TcpStream,
    _place: Place,
    /// When a write that waits for the client is given up.
    given_up: Option<Pin<Box<Sleep>>>,
}

impl Carried {
    fn new(stream: TcpStream, place: Place) -> Carried {
        Carried { stream, _place: place, given_up: None }
    }

    /// The outcome of a write: it fails where it has waited for too long.
    fn in_time(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.given_up = None;
            return written;
        }
        let given_up = self.given_up.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALLED)));
        given_up.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Carried {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Carried {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.in_time(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The number of connections that the descriptors of this process allow, which also has files open.
#[cfg(unix)]
fn possible_connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // The limit that a shell sets is meant for programs without connections.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let descriptors = if raised { maximum } else { current };
    descriptors.map_or(usize::MAX, |descriptors| (descriptors.saturating_sub(OTHER_FILES) as usize).max(16))
}

#[cfg(not(unix))]
fn possible_connections() -> usize {
    usize::MAX
}

/// The descriptors for what isn't a connection: the table's files, outgoing calls.
#[cfg(unix)]
const OTHER_FILES: u64 = 256;
