//! The clock and the generator of ids; tests can set the time.

use daybook_domain::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::{ContextV7, Uuid};

/// A source of the current time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system clock.
    System,
    /// A clock that a test sets, in milliseconds since 1970.
    Fake(Arc<AtomicI64>),
}

impl Clock {
    /// A fake clock that stays at this moment until it is advanced.
    pub fn fake(at: Timestamp) -> Clock {
        Clock::Fake(Arc::new(AtomicI64::new(at.as_millisecond())))
    }

    /// The current time in whole milliseconds, the precision of the API and of the table.
    pub fn now(&self) -> Timestamp {
        let millis = match self {
            Clock::System => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                since.map_or(0, |since| since.as_millis() as i64)
            }
            Clock::Fake(millis) => millis.load(Ordering::SeqCst),
        };
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Sets a fake clock, forward or back; does nothing to the system's.
    pub fn set(&self, at: Timestamp) {
        if let Clock::Fake(millis) = self {
            millis.store(at.as_millisecond(), Ordering::SeqCst);
        }
    }

    /// Moves a fake clock forward; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Clock::Fake(millis) = self {
            millis.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
        }
    }
}

/// How far a clock may go back, in milliseconds, without ids that go back.
const JITTER: u64 = 1000;

/// A generator of UUIDv7s, which sort in the order of their creation within one process, unless its clock is set back.
#[derive(Clone, Debug)]
pub struct Ids {
    clock: Clock,
    sequence: Arc<Mutex<Sequence>>,
}

/// The state of a generator.
#[derive(Debug)]
struct Sequence {
    context: ContextV7,
    /// The latest time of an id, in milliseconds since 1970.
    latest: u64,
}

impl Sequence {
    fn starting_at(millis: u64) -> Sequence {
        Sequence { context: ContextV7::new(), latest: millis }
    }
}

impl Ids {
    /// A generator that takes the time from this clock.
    pub fn new(clock: Clock) -> Ids {
        Ids { clock, sequence: Arc::new(Mutex::new(Sequence::starting_at(0))) }
    }

    /// A new id.
    pub fn next(&self) -> Uuid {
        let millis = self.clock.now().as_millisecond().max(0) as u64;
        let mut sequence = self.sequence.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if millis + JITTER < sequence.latest {
            // A context never goes back: after the clock was set back, its ids would keep the time that was ahead.
            *sequence = Sequence::starting_at(millis);
        }
        sequence.latest = sequence.latest.max(millis);
        let nanos = (millis % 1000) as u32 * 1_000_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(&sequence.context, millis / 1000, nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_in_one_millisecond_keep_their_order() {
        let ids = Ids::new(Clock::fake(Timestamp::UNIX_EPOCH));
        let made: Vec<Uuid> = (0..10_000).map(|_| ids.next()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn ids_have_the_time_of_a_clock_that_was_set_back_and_keep_their_order_where_it_jitters() {
        let clock = Clock::fake(Timestamp::UNIX_EPOCH);
        let ids = Ids::new(clock.clone());
        let at = |millis: i64| clock.set(Timestamp::from_millisecond(millis).expect("a time"));
        let millis = |id: Uuid| (id.as_u128() >> 80) as i64;
        at(5_000);
        let first = ids.next();
        at(4_500);
        let second = ids.next();
        assert!(first < second);
        at(1_000);
        assert_eq!((millis(first), millis(second), millis(ids.next())), (5_000, 5_000, 1_000));
        at(2_000);
        assert_eq!(millis(ids.next()), 2_000);
    }
}
