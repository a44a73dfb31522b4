//! The digest of held posts: one mail for all that were held in an hour, sent when the hour is over.

use daybook_domain::submission::{Submission, Verdict};
use daybook_domain::{EntryId, Event, Timestamp};
use daybook_store::facts::{FactsAsk, Source};
use daybook_store::rows::is_too_far_ahead;
use daybook_store::rows::mail_job::{MailJob, MailKind};
use daybook_store::{Cx, Fact, Result};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// How long after its hour a digest is sent: commits that began in it are done by then.
const SETTLED: Duration = Duration::from_secs(60);

/// The most posts that a mail lists.
const MOST: usize = 50;

/// The time until which a mail waits, if it does. One that lies further ahead than an hour is of a clock that was ahead.
pub fn waits_until(job: &MailJob, now: Timestamp) -> Option<Timestamp> {
    let end = hour_of(job.entry.entry).1.plus(SETTLED);
    (job.kind == MailKind::HeldPosts && now < end && !is_too_far_ahead(end, now, HOUR + SETTLED)).then_some(end)
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

/// The posts that were held by the entries of an entry's hour and still are, the oldest first; and whether there are more.
pub async fn of_hour(cx: &Cx, entry: EntryId) -> Result<(Vec<Submission>, bool)> {
    let (from, to) = hour_of(entry);
    let held = |fact: &Fact| fact.event == Event::SubmissionHeld;
    let (mut posts, mut after) = (Vec::new(), None);
    loop {
        let ask = FactsAsk { source: &Source::All, from, to, ascending: true, after, limit: MOST, keep: &held };
        let page = cx.journal().page(&ask).await?;
        let mut found = cx.records::<Submission>(page.facts.iter().map(|fact| fact.record)).await?;
        let in_order = page.facts.iter().filter_map(|fact| found.remove(&fact.record));
        posts.extend(in_order.filter(|post| post.status == Verdict::Held));
        after = page.more;
        if posts.len() > MOST || after.is_none() {
            let has_more = posts.len() > MOST;
            posts.truncate(MOST);
            return Ok((posts, has_more));
        }
    }
}
