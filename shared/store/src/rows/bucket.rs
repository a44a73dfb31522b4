//! Rate limits: token buckets in the table, one per subject (such as an address) and class of request.

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

/// Takes a token from a bucket, atomically also under concurrency.
///
/// The bucket is one number, the time at which it would be full again (GCRA): a token moves it ahead by its share of
/// the period, to one period ahead of now at most. One write, two when the bucket was in use.
pub async fn take(env: &Env, org: OrgId, class: &str, subject: &str, rate: Rate) -> Result<Taken> {
    let key = Place::Bucket(org, class, subject).key();
    let now = env.clock.now().as_millisecond();
    let period = rate.per.as_millis() as i64;
    let step = (period / i64::from(rate.burst.max(1))).max(1);
    let expires = (now + period) / 1000 + 60;
    loop {
        let idle = Condition::Absent("full_at").or(Condition::at_most("full_at", now));
        let begun = Update::set("full_at", now + step).and_set(EXPIRES_AT, expires);
        let first = env.table.update(&key, begun, idle).await?;
        if let Written::Done(_) = first {
            return Ok(Taken::Yes(rate.burst.saturating_sub(1)));
        }
        let busy = Condition::at_most("full_at", now).negated();
        let room = busy.and(Condition::at_most("full_at", now + period - step));
        let taken = Update::add("full_at", step).and_set(EXPIRES_AT, expires);
        match env.table.update(&key, taken, room).await? {
            Written::Done(item) => {
                let left = now + period - full_at(&item).unwrap_or(now);
                return Ok(Taken::Yes((left.max(0) / step) as u32));
            }
            Written::Refused(item) => {
                let full = full_at(&item);
                // The bucket became idle between the two writes: start again.
                let Some(full) = full.filter(|full| *full > now) else { continue };
                let wait = full - (now + period - step);
                return Ok(Taken::After((wait.max(1) as u64).div_ceil(1000)));
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

/// Closes a bucket until a moment, as when another system reports that its own rate limit is exceeded.
pub async fn close(env: &Env, org: OrgId, class: &str, subject: &str, until: Timestamp, rate: Rate) -> Result<()> {
    let full = until.plus(rate.per).as_millisecond();
    let earlier = Condition::Absent("full_at").or(Condition::less("full_at", full));
    let closed = Update::set("full_at", full).and_set(EXPIRES_AT, full / 1000 + 60);
    let key = Place::Bucket(org, class, subject).key();
    env.table.update(&key, closed, earlier).await.map(|_| ())
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

fn full_at(item: &Item) -> Option<i64> {
    item.get("full_at")?.as_n().ok()?.parse().ok()
}
