//! Bounds of requests: the memory that one needs, and how much it handles between two awaits, at the limits of what is
//! stored and of what may be asked.
//!
//! Memory is counted by the allocator, for the whole process, so one test does all of it, request by request.

mod data;
mod hostile;

use daybook_store::turn::Watched;
use daybook_testing::{Answer, Call};
use peak_alloc::PeakAlloc;
use std::future::IntoFuture as _;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The most memory that a request may need beyond what was in use before it, in MB.
const MOST_MB: f32 = 48.0;

/// The most bytes that a request may handle between two awaits: a turn, and what the table returns at once, which is a page
/// of 1 MB, or records by key.
const MOST_HANDLED: usize = 7 << 20;

/// What a request needed.
struct Cost {
    answer: Answer,
    megabytes: f32,
    handled: usize,
}

async fn cost_of(call: Call) -> Cost {
    let before = ALLOCATOR.current_usage_as_mb();
    ALLOCATOR.reset_peak_usage();
    let (answer, handled) = Watched::new(call.into_future()).await;
    Cost { answer, megabytes: ALLOCATOR.peak_usage_as_mb() - before, handled }
}

/// Sends a request, and fails if it isn't answered as expected or needs more than it may.
async fn check(what: &str, status: u16, call: Call) -> Answer {
    let Cost { answer, megabytes, handled } = cost_of(call).await;
    eprintln!("{megabytes:6.1} MB, {:6} KB handled at once: {what}", handled / 1024);
    assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text.chars().take(300).collect::<String>());
    assert!(megabytes <= MOST_MB, "{what} needs {megabytes:.1} MB, more than {MOST_MB}");
    assert!(handled <= MOST_HANDLED, "{what} handles {handled} bytes between two awaits, more than {MOST_HANDLED}");
    answer
}

#[tokio::test]
async fn no_request_needs_more_memory_or_longer_turns_than_it_may() {
    let filled = data::Filled::new().await;
    data::lists(&filled).await;
    data::audit(&filled).await;
    hostile::bodies(&filled).await;
}
