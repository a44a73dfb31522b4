//! Sync ledger: the state of each record in another system, such as HubSpot.
//!
//! Several workers may sync one record at once. Each takes a number; one that finds a later number when it is done was
//! overtaken, and syncs again, so that the last to finish has seen the newest version.

use super::SKEW;
use crate::schema::{Index, Place, Question, by_date, ledger_in};
use crate::table::{Condition, QueryAsk, Update, Written, parse_item};
use crate::{Cx, Env, Error, Page, Result};
use daybook_domain::{AnyId, Error as Domain, OrgId, Rule, Timestamp, choices};
use serde::{Deserialize, Serialize};

/// HubSpot's name in the ledger.
pub const HUBSPOT: &str = "hubspot";

choices! {
    /// The sync state of a record in another system.
    State as "SyncState" {
        /// Not in sync yet; the sync will be retried.
        Waiting = "waiting",
        /// In sync.
        Synced = "synced",
        /// The sync failed, and will fail until the cause is removed.
        Failed = "failed",
        /// Not meant to be synced.
        Skipped = "skipped",
    }
}

/// A record's row in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SyncRecord)]
pub struct Row {
    /// The record.
    #[schema(value_type = String)]
    pub record: AnyId,
    /// The sync state.
    pub state: State,
    /// Its id in the other system.
    pub remote_id: Option<String>,
    /// The version of the record that the other system has.
    pub version: u64,
    /// The fields of the other system that hold values from Daybook.
    #[serde(default)]
    pub written: Vec<String>,
    /// The number of attempts since it was last in sync.
    pub attempts: u32,
    /// The last error, or what the other system left out, in words.
    pub last_error: Option<String>,
    /// The time of the next attempt.
    pub next_try: Option<Timestamp>,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// Whether the record was erased, and the other system has to erase it too.
    #[serde(default)]
    pub erased: bool,
}

impl Row {
    /// The row of a record that was never synced.
    fn fresh(record: AnyId, now: Timestamp) -> Row {
        Row {
            record,
            state: State::Waiting,
            remote_id: None,
            version: 0,
            written: Vec::new(),
            attempts: 0,
            last_error: None,
            next_try: None,
            updated_at: now,
            erased: false,
        }
    }
}

/// A row that a worker took, with its number.
#[derive(Clone, Debug, Deserialize)]
pub struct Taken {
    /// The row as it was.
    #[serde(flatten)]
    pub row: Row,
    turn: u64,
}

/// The outcome of an attempt.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The sync state.
    pub state: State,
    /// Its id in the other system.
    pub remote_id: Option<String>,
    /// The version of the record that the other system has.
    pub version: u64,
    /// The fields of the other system that hold values from Daybook.
    pub written: Vec<String>,
    /// The error, in words.
    pub error: Option<String>,
    /// The time of the next attempt.
    pub next_try: Option<Timestamp>,
}

/// Takes a record's row for an attempt, and counts the attempt.
pub async fn take(env: &Env, org: OrgId, system: &str, record: AnyId) -> Result<Taken> {
    let now = env.clock.now();
    let key = Place::Ledger(org, system, record).key();
    let fresh = Row { attempts: 1, ..Row::fresh(record, now) };
    let new = IndexedRow::of(org, system, &fresh, 1);
    let Written::Refused(_) = env.table.put(&key, &new, Condition::absent()).await? else {
        return Ok(Taken { row: fresh, turn: 1 });
    };
    let taken = Update::add("attempts", 1).and_add("turn", 1);
    match env.table.update(&key, taken, Condition::exists()).await? {
        Written::Done(_) => env.table.get(&key).await?.map(parse_item).transpose()?.ok_or_else(gone),
        Written::Refused(_) => Err(gone()),
    }
}

/// Records that a record waits until a time, without an attempt, unless its row changed after `known`. A worker that
/// has taken the row isn't affected.
pub async fn wait(
    env: &Env,
    org: OrgId,
    system: &str,
    record: AnyId,
    (known, until): (Timestamp, Timestamp),
    reason: &str,
) -> Result<()> {
    let now = env.clock.now();
    let key = Place::Ledger(org, system, record).key();
    let fresh = Row { last_error: Some(reason.to_owned()), next_try: Some(until), ..Row::fresh(record, now) };
    let new = IndexedRow::of(org, system, &fresh, 0);
    let Written::Refused(_) = env.table.put(&key, &new, Condition::absent()).await? else {
        return Ok(());
    };
    let waiting = indexed(org, system, (record, State::Waiting, now))
        .and_set("last_error", reason)
        .and_set("next_try", until)
        .and_set("attempts", 0);
    // A change further ahead than now was made while the clock was ahead, before `known`.
    let ahead = Condition::at_most("updated_at", now.max(known).plus(SKEW)).negated();
    env.table.update(&key, waiting, Condition::at_most("updated_at", known).or(ahead)).await.map(|_| ())
}

/// The update that moves a row to a state, and in the index by state.
fn indexed(org: OrgId, system: &str, (record, state, now): (AnyId, State, Timestamp)) -> Update {
    Update::set("state", state)
        .and_set("updated_at", now)
        .and_set(Index::ByState.pk(), ledger_in(org, system, state.name()))
        .and_set(Index::ByState.sk(), by_date(now, &record.to_string()))
}

/// Stores the outcome of an attempt. `false` where another worker took the row meanwhile: then this attempt may have
/// overwritten the other's work, and must be repeated.
pub async fn settle(env: &Env, org: OrgId, system: &str, taken: &Taken, how: Settled) -> Result<bool> {
    let attempts = if matches!(how.state, State::Synced | State::Skipped) { 0 } else { taken.row.attempts };
    let row = Row {
        record: taken.row.record,
        state: how.state,
        remote_id: how.remote_id,
        version: how.version,
        written: how.written,
        attempts,
        last_error: how.error,
        next_try: how.next_try,
        updated_at: env.clock.now(),
        erased: taken.row.erased,
    };
    let mine = Condition::equal("turn", taken.turn);
    let key = Place::Ledger(org, system, taken.row.record).key();
    match env.table.follow(&key, &IndexedRow::of(org, system, &row, taken.turn), mine).await? {
        Written::Done(_) => Ok(true),
        Written::Refused(_) => Ok(false),
    }
}

/// A record's row, if it was ever meant to be synced.
pub async fn read(env: &Env, org: OrgId, system: &str, record: AnyId) -> Result<Option<Row>> {
    env.table.get(&Place::Ledger(org, system, record).key()).await?.map(parse_item).transpose()
}

/// Unlinks a record from its id in the other system, which another record takes over, unless it has a different id by
/// now. A worker that is syncing the record syncs again.
pub async fn leave(env: &Env, org: OrgId, system: &str, record: AnyId, remote_id: &str) -> Result<()> {
    let nothing: [&str; 0] = [];
    let left = Update::set("remote_id", None::<&str>).and_set("written", nothing).and_add("turn", 1);
    let key = Place::Ledger(org, system, record).key();
    env.table.update(&key, left, Condition::equal("remote_id", remote_id)).await.map(|_| ())
}

/// Marks a record as erased, so that the other system erases it too, and removes its last error; returns whether it was
/// ever meant to be synced. Until a worker has processed it, it is listed as failed.
pub async fn mark_erased(env: &Env, org: OrgId, system: &str, record: AnyId) -> Result<bool> {
    let now = env.clock.now();
    let erased = indexed(org, system, (record, State::Failed, now))
        .and_set("erased", true)
        .and_set("last_error", "is being erased in the other system; if this doesn't change, replay it")
        .and_remove("next_try");
    let key = Place::Ledger(org, system, record).key();
    match env.table.update(&key, erased, Condition::exists()).await? {
        Written::Done(_) => Ok(true),
        Written::Refused(_) => Ok(false),
    }
}

/// A page of the ledger: all rows by record, or the rows in a state, the last changed first.
pub async fn page(cx: &Cx, system: &str, state: Option<&str>, limit: usize, cursor: Option<&str>) -> Result<Page<Row>> {
    let binding = format!("{}|ledger|{system}|{state:?}", cx.org);
    let question = match state {
        Some(state) => Question::LedgerIn(cx.org, system, state),
        None => Question::Ledger(cx.org, system),
    };
    let range = question.range();
    let after = match cursor {
        Some(cursor) => {
            let place = cx.cursors().open(cursor, &binding)?;
            let read = || -> Option<(Timestamp, AnyId)> {
                let (at, id) = place.split_once('|')?;
                Some((at.parse().ok()?, id.parse().ok()?))
            };
            let (at, id) = read().ok_or_else(|| Domain::query("cursor", Rule::Cursor))?;
            Some(range.place(Place::Ledger(cx.org, system, id).key(), || by_date(at, &id.to_string())))
        }
        None => None,
    };
    let ask = QueryAsk { limit: Some(limit + 1), after, descending: true, ..QueryAsk::default() };
    let mut rows: Vec<Row> =
        cx.env.table.query(&range, ask).await?.items.into_iter().map(parse_item).collect::<Result<_>>()?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more);
    let next =
        last.map(|row| cx.cursors().seal(&format!("{}|{}", row.updated_at, row.record), &binding)).transpose()?;
    Ok(Page::of(rows, limit, next))
}

/// A row with its key in the index by state.
#[derive(Serialize)]
struct IndexedRow<'a> {
    #[serde(flatten)]
    row: &'a Row,
    turn: u64,
    state_pk: String,
    state_sk: String,
}

impl IndexedRow<'_> {
    fn of<'a>(org: OrgId, system: &str, row: &'a Row, turn: u64) -> IndexedRow<'a> {
        debug_assert_eq!((Index::ByState.pk(), Index::ByState.sk()), ("state_pk", "state_sk"));
        IndexedRow {
            row,
            turn,
            state_pk: ledger_in(org, system, row.state.name()),
            state_sk: by_date(row.updated_at, &row.record.to_string()),
        }
    }
}

fn gone() -> Error {
    Error::unavailable("take a row of the ledger", "the row was removed meanwhile")
}
