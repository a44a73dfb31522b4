//! The time and fresh ids, from the system or set by a test.

use daybook_domain::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::{ContextV7, Uuid};

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine.
    System,
    /// A test; milliseconds since 1970.
    Fake(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still at this moment until it is moved.
    pub fn fake(at: Timestamp) -> Clock {
        Clock::Fake(Arc::new(AtomicI64::new(at.as_millisecond())))
    }

    /// Now, in whole milliseconds: what the wire and the table hold.
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

    /// Moves a fake clock forward; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Clock::Fake(millis) = self {
            millis.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
        }
    }
}

/// Makes UUIDv7s that sort in the order in which one process made them.
#[derive(Clone, Debug)]
pub struct Ids {
    clock: Clock,
    context: Arc<Mutex<ContextV7>>,
}

impl Ids {
    /// Ids with the time of this clock.
    pub fn new(clock: Clock) -> Ids {
        Ids { clock, context: Arc::new(Mutex::new(ContextV7::new())) }
    }

    /// A fresh one.
    pub fn next(&self) -> Uuid {
        let millis = self.clock.now().as_millisecond().max(0) as u64;
        let context = self.context.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let nanos = (millis % 1000) as u32 * 1_000_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, millis / 1000, nanos))
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
}
