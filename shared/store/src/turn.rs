//! Turns: how much a task handles before it lets the other tasks of its thread run.
//!
//! A task that never waits holds its thread, and with it all other requests; its own time-out can't fire either. On one
//! machine the table answers without waiting. So every loop over records counts the bytes that it handles, and lets others
//! run after [`TURN_BYTES`]: the table counts what it returns, and loops count what they do with it beyond parsing it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The bytes after which a task lets others run: some milliseconds of work.
pub const TURN_BYTES: usize = 256 * 1024;

thread_local! {
    /// The bytes handled on this thread since a task last let others run.
    static HANDLED: Cell<usize> = const { Cell::new(0) };
}

/// Counts bytes that the task has handled, and lets other tasks run where they are enough for a turn.
pub async fn handled(bytes: usize) {
    let sum = HANDLED.get().saturating_add(bytes);
    HANDLED.set(sum);
    if sum >= TURN_BYTES {
        tokio::task::yield_now().await;
        HANDLED.set(0);
    }
}

/// A future that notes the most bytes it handled between two awaits; for tests.
#[derive(Debug)]
pub struct Watched<F> {
    inner: Pin<Box<F>>,
    most: usize,
}

impl<F: Future> Watched<F> {
    /// Watches a future.
    pub fn new(inner: F) -> Watched<F> {
        Watched { inner: Box::pin(inner), most: 0 }
    }
}

impl<F: Future> Future for Watched<F> {
    /// The future's output, and the most bytes it handled between two awaits.
    type Output = (F::Output, usize);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        HANDLED.set(0);
        let polled = self.inner.as_mut().poll(cx);
        self.most = self.most.max(HANDLED.get());
        polled.map(|output| (output, self.most))
    }
}
