//! What the law asks for: finding all that is known of a person, and erasing it.
//!
//! A record is removed with everything that is derived from it. An entry keeps its fact, which names no person; of its
//! detail stays which entry erased it, and that one lists it, so that the chain tells erased from lost.

use crate::cx::record_of;
use crate::facts::{Journal, entry_of};
use crate::item::expires_after;
use crate::journal::{Fact, RETENTION, SignedFact};
use crate::schema::{Place, Question, Range};
use crate::table::{Condition, Item, MOST_ASKED, Position, QueryAsk, parse_item, text};
use crate::tx::Kept;
use crate::{Cx, Env, Purpose, RequestInfo, Result, Tx};
use daybook_domain::permission::Grants;
use daybook_domain::{
    AnyId, Claim, ClaimKind, EmailAddress, EntryId, Event, OrgId, Record, RecordType, Stored, Timestamp,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Of so many entries the details are erased at once, within the bounds of one transaction.
const AT_ONCE: usize = 80;

impl Env {
    /// What stands for a person where they may not be named; another one once the secret was replaced.
    pub fn pseudonym(&self, org: OrgId, address: &EmailAddress) -> String {
        self.keys.sign(Purpose::Person, format!("{org}|{}", address.normalized()).as_bytes())
    }

    /// Whether this stands for the person with an address.
    pub fn is_pseudonym(&self, org: OrgId, address: &EmailAddress, pseudonym: &str) -> bool {
        self.keys.verify(Purpose::Person, format!("{org}|{}", address.normalized()).as_bytes(), pseudonym)
    }

    /// The context of work that goes on after the request of somebody.
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
    /// The same work with a commit of its own.
    #[must_use]
    pub fn next_step(&self) -> Cx {
        Cx { request: Arc::new(RequestInfo::internal(self.request.id.clone(), self.request.route)), ..self.clone() }
    }

    /// Every record of a type, live or in the trash.
    pub fn every<T: Record>(&self, kept: Kept) -> Every<'_, T> {
        Every { cx: self, kept, of: PhantomData }
    }

    /// Removing for good.
    pub fn erasure(&self) -> Erasure<'_> {
        Erasure { cx: self }
    }

    async fn each_item(&self, question: &Question<'_>, see: impl FnMut(Item)) -> Result<()> {
        self.each_in(&question.range(), see).await
    }

    async fn each_in(&self, range: &Range, mut see: impl FnMut(Item)) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.env.table.query(range, asked(after)).await?;
            page.items.into_iter().for_each(&mut see);
            match page.more {
                Some(more) => after = Some(more),
                None => return Ok(()),
            }
        }
    }
}

/// Every record of a type.
#[derive(Clone, Copy, Debug)]
pub struct Every<'a, T> {
    cx: &'a Cx,
    kept: Kept,
    of: PhantomData<fn() -> T>,
}

impl<T: Record> Every<'_, T> {
    /// Looks at every record of a type.
    pub async fn each(self, mut see: impl FnMut(Stored<T>)) -> Result<()> {
        let now = self.cx.now().as_second();
        let mut unreadable = None;
        self.cx
            .each_in(&self.range(), |item| {
                if !expires_after(&item, now) {
                    return;
                }
                match record_of(item) {
                    Ok(record) => see(record),
                    Err(error) => unreadable = Some(error),
                }
            })
            .await?;
        unreadable.map_or(Ok(()), Err)
    }

    /// Some records of a type, as far as there are any, also those in the trash whose time is over.
    pub async fn some(self) -> Result<Vec<Stored<T>>> {
        let page = self.cx.env.table.query(&self.range(), asked(None)).await?;
        page.items.into_iter().map(record_of).collect()
    }

    fn range(self) -> Range {
        match self.kept {
            Kept::Live => Question::Records(self.cx.org, T::TYPE).range(),
            Kept::InTrash => Question::Trashed(self.cx.org, T::TYPE).range(),
        }
    }
}

impl Journal<'_> {
    /// Looks at every entry there is, day by day: at the facts, and at those details that are there. Not at those that say
    /// what was erased, nor, as nobody can read it, at what isn't as it was written.
    pub async fn each(self, mut see: impl FnMut(&Fact, &Value)) -> Result<()> {
        let now = self.cx.now();
        let (first, last) = (EntryId::first_at(Timestamp::UNIX_EPOCH), EntryId::last_at(now.plus(DAY)));
        let mut day = self.cx.org.time().max(now.minus(RETENTION)).start_of_day();
        while day <= now {
            let mut facts = BTreeMap::new();
            self.cx
                .each_item(&Question::Facts(self.cx.org, day, first, last), |item| {
                    let fact = parse_item::<SignedFact>(item).ok().filter(|fact| fact.event != Event::AuditErased);
                    facts.extend(fact.map(|fact| (fact.id, fact.into_fact())));
                })
                .await?;
            self.cx
                .each_item(&Question::Details(self.cx.org, day), |item| {
                    let json = item.get("json").and_then(|json| json.as_s().ok());
                    let detail = json.and_then(|json| serde_json::from_str::<Value>(json).ok());
                    let fact = entry_of(&item).and_then(|entry| facts.get(&entry));
                    if let (Some(fact), Some(detail)) = (fact, detail) {
                        see(fact, &detail);
                    }
                })
                .await?;
            day = day.plus(DAY);
        }
        Ok(())
    }

    /// Erases what entries were about; `by` is the record that asks for it.
    pub async fn erase(self, entries: &[EntryId], by: AnyId) -> Result<()> {
        for some in entries.chunks(AT_ONCE) {
            self.cx.next_step().commit(Tx::erase_details(some.to_vec(), by), ()).await?;
        }
        Ok(())
    }
}

/// What removes for good.
#[derive(Clone, Copy, Debug)]
pub struct Erasure<'a> {
    cx: &'a Cx,
}

impl Erasure<'_> {
    /// Whether there is a record, live or in the trash.
    pub async fn exists(self, id: AnyId) -> Result<bool> {
        let keys = [Place::Record(self.cx.org, id).key(), Place::Trash(self.cx.org, id).key()];
        let now = self.cx.now().as_second();
        Ok(self.cx.env.table.get_all(&keys).await?.iter().any(|item| expires_after(item, now)))
    }

    /// Removes a record for good, with everything that is derived from it, if it is as it was read. Its address is free
    /// again, and nothing says that it once had it.
    pub async fn record<T: Record>(self, record: &Stored<T>, kept: Kept) -> Result<()> {
        let of_person = record.person().map(|value| Claim { kind: ClaimKind::Email, value });
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

    /// Frees a unique value that no record has any more: nothing says which one had it.
    pub async fn claim(self, of: RecordType, claim: &Claim) -> Result<()> {
        let key = Place::Claim(self.cx.org, of, claim).key();
        let Some(item) = self.cx.env.table.get(&key).await? else { return Ok(()) };
        let ours = text(&item, "org").is_none_or(|org| *org == self.cx.org.to_string());
        if ours && text(&item, "id").is_none() {
            self.cx.env.table.delete_if(&key, Condition::Absent("id")).await?;
        }
        Ok(())
    }
}

fn asked(after: Option<Position>) -> QueryAsk {
    QueryAsk { limit: Some(MOST_ASKED), after, ..QueryAsk::default() }
}
