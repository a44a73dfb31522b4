//! Tallies: refusals that came too fast to be written down one by one, counted by the minute.

use crate::journal::RETENTION;
use crate::schema::{Place, Question};
use crate::table::{Condition, attribute, parse_item};
use crate::{Answer, Env, Result};
use daybook_domain::{OrgId, Timestamp};
use serde::{Deserialize, Serialize};

/// How many refusals of a kind there were in a minute, besides those that the journal holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The minute.
    pub minute: Timestamp,
    /// What they were answered with.
    pub answer: Answer,
    /// How many.
    pub count: u64,
}

/// Counts one more refusal, now.
pub async fn count(env: &Env, org: OrgId, answer: Answer) -> Result<()> {
    let now = env.clock.now();
    let minute = Timestamp::from_millisecond(now.as_millisecond().div_euclid(60_000) * 60_000).unwrap_or(now);
    let set = vec![
        (":one", attribute(1)),
        (":none", attribute(0)),
        (":minute", attribute(minute)),
        (":answer", attribute(answer)),
        (":expires", attribute(now.plus(RETENTION).as_second())),
    ];
    let expression =
        "SET #count = if_not_exists(#count, :none) + :one, #minute = :minute, answer = :answer, expires_at = :expires";
    let always = Condition::of("attribute_not_exists(pk) OR attribute_exists(pk)");
    env.table.update(&Place::Tally(org, minute, answer).key(), expression, set, always).await.map(drop)
}

/// The tallies from a moment on, the oldest first.
pub async fn since(env: &Env, org: OrgId, from: Timestamp) -> Result<Vec<Tally>> {
    let items = env.table.query_all(&Question::Tallies(org, from).range()).await?;
    items.into_iter().map(parse_item).collect()
}
