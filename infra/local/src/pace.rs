//! Priority of requests over workers: while requests are in progress, workers pause briefly, as on a machine with few
//! cores they would slow down responses.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long after the last response the server still counts as busy.
const QUIET: Duration = Duration::from_millis(20);

/// How long work is delayed while the server is busy; then it goes on, under any load.
const STEP_BACK: Duration = Duration::from_millis(10);

/// Tracks whether requests are in progress.
#[derive(Clone, Debug)]
pub struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    begun: Instant,
    open: AtomicUsize,
    /// When the last request ended, in microseconds since `begun`.
    ended: AtomicU64,
}

impl Pace {
    /// A tracker without requests.
    pub fn new() -> Pace {
        Pace(Arc::new(Inner { begun: Instant::now(), open: AtomicUsize::new(0), ended: AtomicU64::new(0) }))
    }

    /// Yields to requests: waits for at most `BACK` while the server is busy.
    pub async fn yield_to_requests(&self) {
        // Work on the table never yields, so requests that arrived meanwhile are still to be read.
        tokio::task::yield_now().await;
        if self.is_busy() {
            tokio::time::sleep(STEP_BACK).await;
        }
    }

    /// Whether a request is in progress, or ended just now.
    pub fn is_busy(&self) -> bool {
        let ended = Duration::from_micros(self.0.ended.load(Ordering::Relaxed));
        let asked_before = ended > Duration::ZERO;
        self.0.open.load(Ordering::Relaxed) > 0 || (asked_before && self.0.begun.elapsed() < ended + QUIET)
    }
}

/// Middleware that counts requests in progress.
pub async fn counted(State(pace): State<Pace>, request: Request, next: Next) -> Response {
    let answering = Answering::begin(&pace.0);
    let answer = next.run(request).await;
    drop(answering);
    answer
}

/// A request in progress; it also ends when its client disconnects.
struct Answering<'a>(&'a Inner);

impl Answering<'_> {
    fn begin(inner: &Inner) -> Answering<'_> {
        inner.open.fetch_add(1, Ordering::Relaxed);
        Answering(inner)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.ended.store(self.0.begun.elapsed().as_micros() as u64, Ordering::Relaxed);
    }
}
