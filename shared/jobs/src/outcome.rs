//! How a job went.

use daybook_domain::Timestamp;
use std::time::Duration;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How a job went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What it should make true is true.
    Done,
    /// Not yet; again at this time.
    RetryAt(Timestamp, String),
    /// It never will be; its row says so.
    Failed(String),
}

/// When to try again after so many tries: full jitter up to the base doubled with each, at most 15 minutes.
pub fn back_off(now: Timestamp, attempt: u32, base: Duration, random: u128) -> Timestamp {
    let ceiling = base.saturating_mul(1_u32 << attempt.min(20)).min(LONGEST);
    let share = (random as u32) as f64 / f64::from(u32::MAX);
    // Never at once: at least half of the first step.
    now.plus(ceiling.mul_f64(share).max(base / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_bounds() {
        let base = Duration::from_secs(2);
        let longest = |attempt| Timestamp::UNIX_EPOCH.until(back_off(Timestamp::UNIX_EPOCH, attempt, base, u128::MAX));
        assert_eq!(longest(0), Duration::from_secs(2));
        assert_eq!(longest(3), Duration::from_secs(16));
        assert_eq!(longest(60), LONGEST);
        assert_eq!(Timestamp::UNIX_EPOCH.until(back_off(Timestamp::UNIX_EPOCH, 5, base, 0)), Duration::from_secs(1));
    }
}
