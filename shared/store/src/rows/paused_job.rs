//! Paused jobs: what a job that gave others their turn needs to go on. A long one is stored in parts.

use crate::schema::{Key, Place, Question, SK};
use crate::table::{Condition, parse_item, text};
use crate::{Env, Error, Result};
use daybook_domain::{JobId, OrgId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long it is kept at most; then the job begins anew. Less than unfinished uploads are kept.
const KEPT: Duration = Duration::from_secs(86_400);

/// The most bytes of a part.
const PART: usize = 300_000;

/// The first part.
#[derive(Serialize, Deserialize)]
struct First {
    text: String,
    /// The id of this pause, in the keys of the others.
    pause: String,
    /// The number of the others.
    others: usize,
    expires_at: i64,
}

/// Another part.
#[derive(Serialize, Deserialize)]
struct Other {
    text: String,
    expires_at: i64,
}

/// Stores what a job needs to go on, in place of what it stored before.
pub async fn keep(env: &Env, org: OrgId, job: JobId, state: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(state).map_err(|error| Error::internal("write a job's state", error))?;
    let expires_at = env.clock.now().plus(KEPT).as_second();
    let (text, mut rest) = split(&text);
    let pause = env.ids.next().to_string();
    let mut others = 0;
    while !rest.is_empty() {
        let (text, after) = split(rest);
        let other = Other { text: text.to_owned(), expires_at };
        env.table.put(&Place::PausedJobPart(org, job, &pause, others).key(), &other, Condition::ALWAYS).await?;
        (rest, others) = (after, others + 1);
    }
    // Stored last: until then the earlier pause counts.
    let key = Place::PausedJob(org, job).key();
    let first = First { text: text.to_owned(), pause, others, expires_at };
    env.table.put(&key, &first, Condition::ALWAYS).await?;
    remove_all(env, org, job, |sk| sk != key.sk && !sk.starts_with(&first.pause)).await
}

/// What a job needs to go on, if it was paused. What another version stored and this one can't read counts as nothing.
pub async fn read<T: DeserializeOwned>(env: &Env, org: OrgId, job: JobId) -> Result<Option<T>> {
    let Some(item) = env.table.get(&Place::PausedJob(org, job).key()).await? else { return Ok(None) };
    let Ok(first) = parse_item::<First>(item) else { return Ok(None) };
    if first.expires_at <= env.clock.now().as_second() {
        return Ok(None);
    }
    let mut text = first.text;
    for number in 0..first.others {
        let part = env.table.get(&Place::PausedJobPart(org, job, &first.pause, number).key()).await?;
        let Some(part) = part else { return Ok(None) };
        text.push_str(&parse_item::<Other>(part)?.text);
    }
    Ok(serde_json::from_str(&text).ok())
}

/// Removes it.
pub async fn remove(env: &Env, org: OrgId, job: JobId) -> Result<()> {
    remove_all(env, org, job, |_| true).await
}

async fn remove_all(env: &Env, org: OrgId, job: JobId, which: impl Fn(&str) -> bool) -> Result<()> {
    let range = Question::PausedJob(org, job).range();
    for item in env.table.query_keys(&range).await? {
        if let Some(sk) = text(&item, SK).filter(|sk| which(sk)) {
            env.table.delete(&Key { pk: range.pk.clone(), sk: sk.clone() }).await?;
        }
    }
    Ok(())
}

/// The first part of a text, and the rest.
fn split(text: &str) -> (&str, &str) {
    text.split_at(text.floor_char_boundary(PART))
}
