//! Verification of the audit log: finds altered, missing and unchained entries by the hash chain and its anchors.

use crate::filter::Period;
use daybook_audit::{as_query, bounds};
use daybook_domain::EntryId;
use daybook_http::{Anchored, Cx, Data, Error, Result};
use daybook_store::chain::{Anchor, Head, Wrong};
use daybook_store::facts::MOST_DAYS;
use daybook_store::schema::day_of;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The result of verifying the log.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Verification {
    /// Whether every entry is unaltered, present and chained.
    intact: bool,
    /// The first day that was verified.
    from: String,
    /// The last day that was verified: at most 31 days per request, and no further day after some 10,000 entries.
    to: String,
    /// The day to continue from, if the requested period is longer.
    next_from: Option<String>,
    /// The number of verified entries.
    entries: usize,
    /// How many of them are altered or missing.
    wrong: usize,
    /// The first of those.
    first_wrong: Option<WrongEntry>,
    /// Entries whose details were erased; the entries themselves are unaltered.
    erased: Vec<ErasedEntry>,
    /// The number of entries of the last minutes that aren't chained yet.
    waiting: usize,
    /// The days whose anchor, a write-once copy of the day's last link, was compared.
    anchors: Vec<AnchoredDay>,
    /// Days between the first of those and yesterday without an anchor: it was never written, or it was removed.
    unanchored: Vec<String>,
    /// The last link of the chain.
    head: ChainHead,
}

/// An entry that is altered or missing.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WrongEntry {
    /// The entry.
    id: EntryId,
    /// What is wrong with it.
    what: Wrong,
}

/// A day with an anchor.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AnchoredDay {
    /// The day.
    day: String,
    /// The number of entries in the chain by then.
    seq: u64,
}

/// An entry whose details were erased.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErasedEntry {
    /// The entry.
    id: EntryId,
    /// The entry that erased them.
    erased_by: EntryId,
}

/// The last link of the chain.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChainHead {
    /// Its sequence number: the number of entries in the chain.
    seq: u64,
    /// Its hash.
    hash: String,
}

/// Verifies that entries are unaltered, present and chained: at most 31 days per request, from `from` on, by default
/// the last 31.
pub async fn verify(cx: Cx, period: Period, Anchored(kept): Anchored) -> Result<Data<Verification>> {
    let (from, to) = bounds(&period.0, cx.org, cx.now()).map_err(as_query)?;
    let last = to.start_of_day();
    let first = match period.0.from {
        Some(_) => from.start_of_day(),
        None => from.start_of_day().max(last.minus(DAY * (MOST_DAYS - 1))),
    };
    let all = first.until(last).as_secs() / 86_400 + 1;
    let days = cx.verifiable_days(first, all.min(u64::from(MOST_DAYS)) as u32).await?;
    let day = |n: u64| day_of(first.plus(DAY * n as u32));
    let keys: Vec<String> = (0..days).map(|n| Anchor::key(cx.org, first.plus(DAY * n))).collect();
    let read = try_join_all(keys.iter().map(|key| kept.read(key))).await;
    let read = read.map_err(|error| Error::unavailable("read the anchors", error))?;
    let parse = |(n, bytes): (u32, Option<Vec<u8>>)| Some(Anchor::parse(&cx.env, &bytes?, cx.org, first.plus(DAY * n)));
    let anchors: Vec<Anchor> = (0..).zip(read).filter_map(parse).collect();
    let yesterday = day_of(cx.now().minus(DAY));
    let since = anchors.first().map(|anchor| anchor.day.clone());
    let is_missing = |day: &String| {
        since.as_ref().is_some_and(|since| since < day) && *day <= yesterday && anchors.iter().all(|a| a.day != *day)
    };
    let unanchored: Vec<String> = (0..days).map(|n| day(u64::from(n))).filter(is_missing).collect();
    let found = cx.verify(first, days, &anchors).await?;
    let head = Head::read(&cx.env, cx.org).await?;
    Ok(Data(Verification {
        intact: found.wrong == 0,
        from: day(0),
        to: day(u64::from(days) - 1),
        next_from: (all > u64::from(days)).then(|| day(u64::from(days))),
        entries: found.entries,
        wrong: found.wrong,
        first_wrong: found.first_wrong.map(|(id, what)| WrongEntry { id, what }),
        erased: found.erased.into_iter().map(|(id, erased_by)| ErasedEntry { id, erased_by }).collect(),
        waiting: found.waiting,
        unanchored,
        anchors: anchors.into_iter().map(|anchor| AnchoredDay { day: anchor.day, seq: anchor.head.seq }).collect(),
        head: ChainHead { seq: head.seq, hash: head.hash },
    }))
}
