//! Rate limits: token buckets in the table, one per subject (such as an address) and class of request.

use super::SKEW;
use crate::schema::{EXPIRES_AT, Place};
use crate::table::{Condition, Item, Update, Written};
use crate::{Cx, Env, Result};
use daybook_domain::{Error as Domain, OrgId, Timestamp};
use std::time::Duration;

/// The rate of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The number of tokens: all at once, or in every period.
    pub burst: u32,
    /// The period.
    pub per: Duration,
}

/// The result of taking a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Allowed; the number of tokens left.
    Yes(u32),
    /// Refused; the seconds until the next token.
    After(u64),
}

/// The longest time for which a bucket is closed: until the next midnight, on a day of 25 hours.
const LONGEST_CLOSING: Duration = Duration::from_secs(25 * 3600);

/// The name of the attribute with the end of a closing, in milliseconds since 1970.
const CLOSED_UNTIL: &str = "closed_until";

/// Takes a token from a bucket, atomically also under concurrency.
///
/// The bucket is one number, the time at which it would be full again (GCRA): a token moves it ahead by its share of
/// the period, to one period ahead of now at most. One write, two when the bucket was in use. A time further ahead
/// counts as now, as does the end of a closing: the clock was set back since.
pub async fn take(env: &Env, org: OrgId, class: &str, subject: &str, rate: Rate) -> Result<Taken> {
    let key = Place::Bucket(org, class, subject).key();
    let now = env.clock.now().as_millisecond();
    let period = rate.per.as_millis() as i64;
    let step = (period / i64::from(rate.burst.max(1))).max(1);
    let expires = (now + period) / 1000 + 60;
    let furthest = |period: i64| now + period + SKEW.as_millis() as i64;
    let (fullest, longest) = (furthest(period), furthest(LONGEST_CLOSING.as_millis() as i64));
    let later = |name, than: i64| Condition::has(name).and(Condition::at_most(name, than).negated());
    let past = |name, furthest| Condition::lacks(name).or(Condition::at_most(name, now)).or(later(name, furthest));
    loop {
        let idle = past("full_at", fullest).and(past(CLOSED_UNTIL, longest));
        let begun = Update::set("full_at", now + step).and_set(EXPIRES_AT, expires).and_remove(CLOSED_UNTIL);
        let first = env.table.update(&key, begun, idle).await?;
        if let Written::Done(_) = first {
            return Ok(Taken::Yes(rate.burst.saturating_sub(1)));
        }
        let room = later("full_at", now).and(Condition::at_most("full_at", now + period - step));
        let taken = Update::add("full_at", step).and_set(EXPIRES_AT, expires).and_remove(CLOSED_UNTIL);
        match env.table.update(&key, taken, room.and(past(CLOSED_UNTIL, longest))).await? {
            Written::Done(item) => {
                let left = now + period - number(&item, "full_at").unwrap_or(now);
                return Ok(Taken::Yes((left.max(0) / step) as u32));
            }
            Written::Refused(item) => {
                let ahead = |name, furthest| number(&item, name).filter(|at| (now + 1..=furthest).contains(at));
                let after = |wait: i64| Ok(Taken::After((wait.max(1) as u64).div_ceil(1000)));
                if let Some(until) = ahead(CLOSED_UNTIL, longest) {
                    return after(until - now + step);
                }
                // The bucket became idle between the two writes: start again.
                let Some(full) = ahead("full_at", fullest) else { continue };
                return after(full - (now + period - step));
            }
        }
    }
}

/// Takes a token; returns the number left, or the error with the seconds until the next one.
pub async fn take_or_refuse(env: &Env, org: OrgId, class: &str, subject: &str, rate: Rate) -> Result<u32> {
    match take(env, org, class, subject, rate).await? {
        Taken::Yes(left) => Ok(left),
        Taken::After(retry_after) => Err(Domain::Limited { retry_after }.into()),
    }
}

/// Closes a bucket until a moment, as when another system reports that its own rate limit is exceeded; for 25 hours at
/// most.
pub async fn close(env: &Env, org: OrgId, class: &str, subject: &str, until: Timestamp, rate: Rate) -> Result<()> {
    let now = env.clock.now();
    let until = until.min(now.plus(LONGEST_CLOSING));
    // Earlier versions know only this attribute.
    let full = until.plus(rate.per).as_millisecond();
    let longest = now.plus(LONGEST_CLOSING + SKEW);
    let until = until.as_millisecond();
    let shorter = Condition::lacks(CLOSED_UNTIL).or(Condition::less(CLOSED_UNTIL, until)).or(Condition::at_most(
        CLOSED_UNTIL,
        longest.as_millisecond(),
    )
    .negated());
    let closed = Update::set("full_at", full).and_set(CLOSED_UNTIL, until).and_set(EXPIRES_AT, full / 1000 + 60);
    let key = Place::Bucket(org, class, subject).key();
    env.table.update(&key, closed, shorter).await.map(|_| ())
}

impl Cx {
    /// Takes a token, or refuses with the seconds until the next one; rate limits may be off for trials.
    pub async fn limited(&self, class: &str, subject: &str, rate: Rate) -> Result<()> {
        if !self.env.settings.rate_limits {
            return Ok(());
        }
        take_or_refuse(&self.env, self.env.settings.default_org, class, subject, rate).await.map(drop)
    }
}

fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}
