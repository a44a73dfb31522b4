//! Throttling of sign-in: failed attempts per user, and the time of the next attempt allowed.
//!
//! One row per user, one per name that no user has, and one per user for the devices that the user signed in on before,
//! so that an attacker who locks a name doesn't lock out its owner.

use super::{RowWrite, is_too_far_ahead};
use crate::schema::{EXPIRES_AT, Place};
use crate::table::{Condition, Written, parse_item};
use crate::{Env, Result, sha256_hex};
use daybook_domain::{OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The number of attempts that may fail without a wait.
pub const FREE: u32 = 5;

/// The longest wait is 2^10 s, so that in a day at most 100 attempts reach the password (NIST SP 800-63B).
const DOUBLINGS: u32 = 10;

const LONGEST_WAIT: Duration = Duration::from_secs(1 << DOUBLINGS);

/// The time without an attempt after which the count starts again.
const FORGOTTEN: Duration = Duration::from_secs(86_400);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Attempts {
    tries: u32,
    next_at: Option<Timestamp>,
    expires_at: i64,
}

impl Attempts {
    /// Whether the count has started again. One that is kept for longer than a day, as the clock was ahead when it was
    /// stored, has.
    fn is_over(&self, now: Timestamp) -> bool {
        let end = Timestamp::from_millisecond(self.expires_at.saturating_mul(1000));
        end.is_ok_and(|end| end <= now || is_too_far_ahead(end, now, FORGOTTEN))
    }

    /// How long the next attempt has to wait: no longer than the longest wait.
    fn wait(&self, now: Timestamp) -> Option<Duration> {
        let next = self.next_at.filter(|next| !is_too_far_ahead(*next, now, LONGEST_WAIT))?;
        Some(now.until(next)).filter(|wait| !wait.is_zero())
    }
}

/// Counts an attempt of a subject before its outcome is known, or returns the seconds until the next one is allowed.
/// Concurrent attempts aren't allowed more often than sequential ones.
pub async fn take(env: &Env, org: OrgId, subject: &str) -> Result<Result<(), u64>> {
    let key = Place::Attempts(org, &sha256_hex(subject.as_bytes())).key();
    loop {
        let now = env.clock.now();
        let found: Option<Attempts> = env.table.get(&key).await?.map(parse_item).transpose()?;
        let held = found.clone().filter(|held| !held.is_over(now)).unwrap_or_default();
        if let Some(wait) = held.wait(now) {
            return Ok(Err(wait.as_millis().div_ceil(1000) as u64));
        }
        let tries = held.tries + 1;
        let wait = (tries >= FREE).then(|| Duration::from_secs(1 << (tries - FREE + 1).min(DOUBLINGS)));
        let next =
            Attempts { tries, next_at: wait.map(|wait| now.plus(wait)), expires_at: now.plus(FORGOTTEN).as_second() };
        let same = match &found {
            Some(found) => Condition::equal("tries", found.tries).and(Condition::equal(EXPIRES_AT, found.expires_at)),
            None => Condition::absent(),
        };
        if let Written::Done(_) = env.table.follow(&key, &next, same).await? {
            return Ok(Ok(()));
        }
    }
}

/// The row that resets the count, after an attempt that succeeded.
pub fn cleared(env: &Env, org: OrgId, subject: &str) -> Result<RowWrite> {
    let none = Attempts { expires_at: env.clock.now().plus(FORGOTTEN).as_second(), ..Attempts::default() };
    RowWrite::replacing(&Place::Attempts(org, &sha256_hex(subject.as_bytes())).key(), &none)
}
