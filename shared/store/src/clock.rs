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

/// A generator of UUIDv7s, which sort in the order of their creation within one process.
#[derive(Clone, Debug)]
pub struct Ids {
    clock: Clock,
    context: Arc<Mutex<ContextV7>>,
}

impl Ids {
    /// A generator that takes the time from this clock.
    pub fn new(clock: Clock) -> Ids {
        Ids { clock, context: Arc::new(Mutex::new(ContextV7::new())) }
    }

    /// A new id.
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
