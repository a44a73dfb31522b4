//! Requests go first: on a machine of few cores workers would slow down whoever waits for an answer.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// After so long without a request nobody is taken to wait.
const QUIET: Duration = Duration::from_millis(20);

/// For so long a piece of work stands back meanwhile; then it goes on, under any load.
const BACK: Duration = Duration::from_millis(10);

/// Knows whether requests are being answered.
#[derive(Clone, Debug)]
pub struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    begun: Instant,
    open: AtomicUsize,
    /// When the last request ended, in microseconds since the beginning.
    ended: AtomicU64,
}

impl Pace {
    /// Nobody asks for anything yet.
    pub fn new() -> Pace {
        Pace(Arc::new(Inner { begun: Instant::now(), open: AtomicUsize::new(0), ended: AtomicU64::new(0) }))
    }

    /// Waits until requests leave room for work, but not for long.
    pub async fn room(&self) {
        // Work on the table never waits for anything, so requests that came in meanwhile are still to be read.
        tokio::task::yield_now().await;
        if self.is_busy() {
            tokio::time::sleep(BACK).await;
        }
    }

    /// Whether somebody waits for an answer, or did just now.
    pub fn is_busy(&self) -> bool {
        let ended = Duration::from_micros(self.0.ended.load(Ordering::Relaxed));
        let asked_before = ended > Duration::ZERO;
        self.0.open.load(Ordering::Relaxed) > 0 || (asked_before && self.0.begun.elapsed() < ended + QUIET)
    }
}

/// Counts a request while it is answered.
pub async fn counted(State(pace): State<Pace>, request: Request, next: Next) -> Response {
    let answering = Answering::begin(&pace.0);
    let answer = next.run(request).await;
    drop(answering);
    answer
}

/// A request that is being answered; it ends also when its client goes away.
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
