//! Data subject requests: finds everything that is stored about a person, and erases it.
//!
//! A record is removed with everything derived from it. A journal entry keeps its fact, which names no person. Its
//! detail becomes a tombstone that names the erasing entry, which lists the erased entries in turn: this distinguishes
//! lawful erasure from tampering.

use crate::cx::record_of;
use crate::facts::{Journal, entry_of};
use crate::item::{expires_after, key_of};
use crate::journal::{CLOCK_AHEAD, Fact, RETENTION, SignedFact};
use crate::schema::{Place, Question, Range};
use crate::table::{Condition, Item, MOST_ASKED, Position, QueryAsk, parse_item, text};
use crate::tx::Kept;
use crate::{Cx, Env, Purpose, RequestInfo, Result, Tx};
use daybook_domain::permission::Grants;
use daybook_domain::{AnyId, Claim, ClaimKind, EntryId, Event, Identity, OrgId, Record, RecordType, Stored, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The number of entries whose details one transaction erases, within its maximum of actions.
const AT_ONCE: usize = 80;

impl Env {
    /// The pseudonym of a person, for where they may not be named; it changes when the secret is rotated.
    pub fn pseudonym(&self, org: OrgId, person: &Identity) -> String {
        self.keys.sign(Purpose::Person, format!("{org}|{}", person.normalized()).as_bytes())
    }

    /// Whether this is the pseudonym of a person.
    pub fn is_pseudonym(&self, org: OrgId, person: &Identity, pseudonym: &str) -> bool {
        self.keys.verify(Purpose::Person, format!("{org}|{}", person.normalized()).as_bytes(), pseudonym)
    }

    /// The context of background work on behalf of the actor of an earlier request.
    pub fn on_behalf_of(self: &Arc<Self>, fact: &Fact, route: &'static str) -> Cx {
        Cx {
            actor: fact.actor.clone(),
            grants: Arc::new(Grants::default()),
            request: Arc::new(RequestInfo::internal(fact.request_id.clone(), route)),
            ..self.system(fact.org, route)
        }
    }
}

impl Cx {
    /// The same work, with a new commit, which a repeat of the request doesn't replay.
    #[must_use]
    pub fn next_step(&self) -> Cx {
        let request = Arc::new(RequestInfo::internal(self.request.id.clone(), self.request.route));
        Cx { request, once: None, ..self.clone() }
    }

    /// Every record of a type, live or in the trash.
    pub fn every<T: Record>(&self, kept: Kept) -> Every<'_, T> {
        Every { cx: self, kept, of: PhantomData }
    }

    /// Permanent deletion.
    pub fn erasure(&self) -> Erasure<'_> {
        Erasure { cx: self }
    }
}

/// The records of a type.
#[derive(Clone, Copy, Debug)]
pub struct Every<'a, T> {
    cx: &'a Cx,
    kept: Kept,
    of: PhantomData<fn() -> T>,
}

impl<T: Record> Every<'_, T> {
    /// Calls `see` with every record of a type that hasn't expired.
    pub async fn each(self, mut see: impl FnMut(Stored<T>)) -> Result<()> {
        let mut after = None;
        loop {
            after = self.each_of_page(after, &mut see).await?;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Calls `see` with the records of the page after a position that haven't expired; returns the position of the last, if
    /// there may be more.
    pub async fn each_of_page(
        &self,
        after: Option<Position>,
        mut see: impl FnMut(Stored<T>),
    ) -> Result<Option<Position>> {
        let now = self.cx.now().as_second();
        let page = self.cx.env.table.query(&self.range(), asked(after)).await?;
        for item in page.items.into_iter().filter(|item| expires_after(item, now)) {
            see(record_of(item)?);
        }
        Ok(page.more)
    }

    /// The first page of a type's records, including expired ones in the trash.
    pub async fn some(self) -> Result<Vec<Stored<T>>> {
        let page = self.cx.env.table.query(&self.range(), asked(None)).await?;
        page.items.into_iter().map(record_of).collect()
    }

    /// One of them by its id, even while it is hidden because a parent of it is being deleted.
    pub async fn find(self, id: AnyId) -> Result<Option<Stored<T>>> {
        let key = match self.kept {
            Kept::Live => Place::Record(self.cx.org, id).key(),
            Kept::InTrash => Place::Trash(self.cx.org, id).key(),
        };
        let item = self.cx.env.table.get(&key).await?;
        item.filter(|item| expires_after(item, self.cx.now().as_second())).map(record_of).transpose()
    }

    fn range(&self) -> Range {
        match self.kept {
            Kept::Live => Question::Records(self.cx.org, T::TYPE).range(),
            Kept::InTrash => Question::Trashed(self.cx.org, T::TYPE).range(),
        }
    }
}

/// A position in the journal: a day, and the last detail read of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPosition {
    day: Timestamp,
    after: Option<Position>,
}

impl Journal<'_> {
    /// Calls `see` with every stored entry and its detail, day by day. Leaves out entries without a detail, entries
    /// that record an erasure, and entries that can't be parsed.
    pub async fn each(self, mut see: impl FnMut(&Fact, &Value)) -> Result<()> {
        let mut after = None;
        loop {
            after = self.each_of_page(after, &mut see).await?;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The same for one page; returns the position from which the next one goes on, if there may be more.
    pub async fn each_of_page(
        self,
        after: Option<JournalPosition>,
        mut see: impl FnMut(&Fact, &Value),
    ) -> Result<Option<JournalPosition>> {
        let (now, latest) = (self.cx.now(), self.cx.now().plus(CLOCK_AHEAD));
        let first = || self.cx.org.time().min(now).max(now.minus(RETENTION)).start_of_day();
        let JournalPosition { day, after } = after.unwrap_or_else(|| JournalPosition { day: first(), after: None });
        let table = &self.cx.env.table;
        let page = table.query(&Question::Details(self.cx.org, day).range(), asked(after)).await?;
        let ids = || page.items.iter().filter_map(entry_of);
        if let (Some(first), Some(last)) = (ids().min(), ids().max()) {
            let facts = table.query_all(&Question::Facts(self.cx.org, day, first, last).range()).await?;
            let facts = facts.into_iter().filter_map(|item| parse_item::<SignedFact>(item).ok());
            let facts = facts.filter(|fact| fact.event != Event::AuditErased);
            let facts: BTreeMap<EntryId, Fact> = facts.map(|fact| (fact.id, fact.into_fact())).collect();
            for item in &page.items {
                let detail = text(item, "json").and_then(|json| serde_json::from_str::<Value>(json).ok());
                if let (Some(fact), Some(detail)) = (entry_of(item).and_then(|entry| facts.get(&entry)), detail) {
                    see(fact, &detail);
                }
            }
        }
        let next = day.plus(DAY);
        Ok(match page.more {
            Some(after) => Some(JournalPosition { day, after: Some(after) }),
            None => (next <= latest).then_some(JournalPosition { day: next, after: None }),
        })
    }

    /// Erases the details of entries; `by` is the record that requests it.
    pub async fn erase(self, entries: &[EntryId], by: AnyId) -> Result<()> {
        for some in entries.chunks(AT_ONCE) {
            self.cx.next_step().commit(Tx::erase_details(some.to_vec(), by), ()).await?;
        }
        Ok(())
    }
}

/// Permanent deletion of records and unique values.
#[derive(Clone, Copy, Debug)]
pub struct Erasure<'a> {
    cx: &'a Cx,
}

impl Erasure<'_> {
    /// Whether a record exists, live or in the trash.
    pub async fn exists(self, id: AnyId) -> Result<bool> {
        let keys = [Place::Record(self.cx.org, id).key(), Place::Trash(self.cx.org, id).key()];
        let now = self.cx.now().as_second();
        Ok(self.cx.env.table.get_all(&keys).await?.iter().any(|item| expires_after(item, now)))
    }

    /// Permanently deletes a record with everything derived from it, if it is unchanged since it was read. Its address
    /// is free again, and no trace remains of who had it.
    pub async fn record<T: Record>(self, record: &Stored<T>, kept: Kept) -> Result<()> {
        let of_person = record.person().map(|value| {
            let kind = if value.contains('@') { ClaimKind::Email } else { ClaimKind::Phone };
            Claim { kind, value }
        });
        let mut freed = Vec::new();
        for claim in record.claims().into_iter().chain(of_person) {
            let item = self.cx.env.table.get(&Place::Claim(self.cx.org, T::TYPE, &claim).key()).await?;
            let ours = |item: &Item| match text(item, "id") {
                Some(id) => *id == record.id().to_string(),
                None => true,
            };
            if item.as_ref().is_some_and(ours) && !freed.contains(&claim) {
                freed.push(claim);
            }
        }
        self.cx.next_step().commit(Tx::erase(record, kept, freed), ()).await
    }

    /// Frees all unique values of a type that no record holds any more, without a trace of their last holders.
    pub async fn claims(self, of: RecordType) -> Result<()> {
        let range = Question::Claims(self.cx.org, of).range();
        let mut after = None;
        loop {
            let page = self.cx.env.table.query(&range, QueryAsk { after, ..QueryAsk::default() }).await?;
            for key in page.items.iter().filter(|item| text(item, "id").is_none()).filter_map(key_of) {
                self.cx.env.table.delete_if(&key, Condition::lacks("id")).await?;
            }
            after = page.more;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Frees a unique value that no record holds any more, without a trace of its last holder.
    pub async fn claim(self, of: RecordType, claim: &Claim) -> Result<()> {
        let key = Place::Claim(self.cx.org, of, claim).key();
        let Some(item) = self.cx.env.table.get(&key).await? else { return Ok(()) };
        let ours = text(&item, "org").is_none_or(|org| *org == self.cx.org.to_string());
        if ours && text(&item, "id").is_none() {
            self.cx.env.table.delete_if(&key, Condition::lacks("id")).await?;
        }
        Ok(())
    }
}

fn asked(after: Option<Position>) -> QueryAsk {
    QueryAsk { limit: Some(MOST_ASKED), after, ..QueryAsk::default() }
}
