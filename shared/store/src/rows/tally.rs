//! Tallies: numbers of refused requests per minute, where there are too many for single journal entries.

use crate::journal::RETENTION;
use crate::schema::{EXPIRES_AT, Place, Question};
use crate::table::{Condition, Update, parse_item};
use crate::{Answer, Env, Result};
use daybook_domain::{OrgId, Timestamp};
use serde::{Deserialize, Serialize};

/// The number of refusals of a kind in a minute, besides those in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The minute.
    pub minute: Timestamp,
    /// The kind of response.
    pub answer: Answer,
    /// The number of refusals.
    pub count: u64,
}

/// Counts one more refusal, now.
pub async fn count(env: &Env, org: OrgId, answer: Answer) -> Result<()> {
    let now = env.clock.now();
    let minute = Timestamp::from_millisecond(now.as_millisecond().div_euclid(60_000) * 60_000).unwrap_or(now);
    let counted = Update::add("count", 1)
        .and_set("minute", minute)
        .and_set("answer", answer)
        .and_set(EXPIRES_AT, now.plus(RETENTION).as_second());
    env.table.update(&Place::Tally(org, minute, answer).key(), counted, Condition::ALWAYS).await.map(drop)
}

/// The tallies from a moment on, the oldest first.
pub async fn since(env: &Env, org: OrgId, from: Timestamp) -> Result<Vec<Tally>> {
    let items = env.table.query_all(&Question::Tallies(org, from).range()).await?;
    items.into_iter().map(parse_item).collect()
}
