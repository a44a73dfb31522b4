//! The digest of held posts: one mail for all that were held in an hour, sent when the hour is over.

use daybook_domain::submission::{Submission, Verdict};
use daybook_domain::{EntryId, Event, Timestamp};
use daybook_store::facts::{FactsAsk, Source};
use daybook_store::filter::{Filter, Op};
use daybook_store::rows::is_too_far_ahead;
use daybook_store::rows::mail_job::{MailJob, MailKind};
use daybook_store::{Cx, Fact, PageAsk, Result};
use serde_json::Value;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// The most posts that a mail lists.
const MOST: usize = 50;

/// The time until which a mail waits, if it does. One that lies further ahead than an hour is of a clock that was ahead.
pub fn waits_until(job: &MailJob, now: Timestamp) -> Option<Timestamp> {
    let (_, end) = hour_of(job.entry.entry);
    (job.kind == MailKind::HeldPosts && now < end && !is_too_far_ahead(end, now, HOUR)).then_some(end)
}

/// The hour of an entry: its begin, and the begin of the next.
fn hour_of(entry: EntryId) -> (Timestamp, Timestamp) {
    let at = entry.time();
    let since = at.as_millisecond().rem_euclid(HOUR.as_millis() as i64);
    let begin = at.minus(Duration::from_millis(since.unsigned_abs()));
    (begin, begin.plus(HOUR))
}

/// Whether an entry is the first of its hour by which a post was held: that one sends the digest.
pub async fn is_first_of_its_hour(cx: &Cx, entry: EntryId) -> Result<bool> {
    let (from, to) = hour_of(entry);
    let mut after = None;
    loop {
        let held = |fact: &Fact| fact.event == Event::SubmissionHeld;
        let ask = FactsAsk { source: &Source::All, from, to, ascending: true, after, limit: 1, keep: &held };
        let page = cx.journal().page(&ask).await?;
        match (page.facts.first(), page.more) {
            (Some(first), _) => return Ok(first.id == entry),
            (None, Some(more)) => after = Some(more),
            (None, None) => return Ok(false),
        }
    }
}

/// The posts of an entry's hour that are still held, the newest first.
pub async fn of_hour(cx: &Cx, entry: EntryId) -> Result<Vec<Submission>> {
    let (from, to) = hour_of(entry);
    let within = Value::from(vec![from.to_string(), to.minus(Duration::from_millis(1)).to_string()]);
    let filters = vec![Filter::new("created_at", Op::Between, within)];
    let (mut posts, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let (filters, limit) = (filters.clone(), MOST - posts.len());
        let state = Some(Verdict::Held.name());
        let ask = PageAsk { state, filters, limit, cursor: cursor.as_deref(), ..PageAsk::default() };
        // A page may be short, as the records of many others were read for it.
        let page = cx.list::<Submission>(&ask).await?;
        posts.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() || posts.len() >= MOST {
            return Ok(posts);
        }
    }
}
