//! What the law asks for: finding all that is known of a person, and erasing it.
//!
//! A record is removed with everything that is derived from it. An entry keeps its fact, which names no person; of its
//! detail stays which entry erased it, and that one lists it, so that the chain tells erased from lost.

use crate::commit::expires_after;
use crate::cx::record_of;
use crate::facts::entry_of;
use crate::journal::{Fact, RETENTION};
use crate::rows::delivery;
use crate::schema::{DATA, Place, Question, Range};
use crate::table::{Item, MOST_ASKED, QueryAsk, parse_item};
use crate::tx::Kept;
use crate::{Cx, Env, Purpose, RequestInfo, Result, Tx};
use daybook_domain::permission::Grants;
use daybook_domain::{AnyId, Claim, ClaimKind, EmailAddress, EntryId, Event, OrgId, Record, Timestamp};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Of so many entries the details are erased at once, within the bounds of one transaction.
const AT_ONCE: usize = 80;

impl Env {
    /// What stands for a person where they may not be named: the same for the same address in an organisation.
    pub fn pseudonym(&self, org: OrgId, address: &EmailAddress) -> String {
        self.keys.sign(Purpose::Person, format!("{org}|{}", address.normalized()).as_bytes())
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

    /// Looks at every record of a type, with its JSON.
    pub async fn each<T: Record>(&self, kept: Kept, mut see: impl FnMut(T, &str)) -> Result<()> {
        let range = self.all_of::<T>(kept);
        let mut after = None;
        loop {
            let page = self.env.table.query(&range, asked(after)).await?;
            for item in page.items {
                let json = item.get(DATA).and_then(|data| data.as_s().ok());
                if let Some(json) = json.filter(|_| expires_after(&item, self.now().as_second())) {
                    see(record_of(&item)?, json);
                }
            }
            match page.more {
                Some(more) => after = Some(more),
                None => return Ok(()),
            }
        }
    }

    /// Some records of a type, as far as there are any, also those in the trash whose time is over.
    pub async fn some<T: Record>(&self, kept: Kept) -> Result<Vec<T>> {
        let page = self.env.table.query(&self.all_of::<T>(kept), asked(None)).await?;
        page.items.iter().map(record_of).collect()
    }

    fn all_of<T: Record>(&self, kept: Kept) -> Range {
        match kept {
            Kept::Live => Question::Records(self.org, T::TYPE).range(),
            Kept::InTrash => Question::Trashed(self.org, T::TYPE).range(),
        }
    }

    /// The entries that are about some records, and those until a moment whose details hold a text, the oldest first. Not
    /// those that say what was erased.
    pub async fn entries_where(
        &self,
        about: &(dyn Fn(AnyId) -> bool + Sync),
        until: Timestamp,
        holds: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Vec<EntryId>> {
        let now = self.now();
        let (first, last) = (EntryId::first_at(Timestamp::UNIX_EPOCH), EntryId::last_at(now.plus(DAY)));
        let until = EntryId::last_at(until);
        let mut found = Vec::new();
        let mut day = self.org.time().max(self.now().minus(RETENTION)).start_of_day();
        while day <= now {
            self.each_item(&Question::Facts(self.org, day, first, last), |item| {
                let fact: Fact = parse_item(item)?;
                let is_one = fact.event != Event::AuditErased && about(fact.record);
                found.extend(Some(fact.id).filter(|_| is_one));
                Ok(())
            })
            .await?;
            self.each_item(&Question::Details(self.org, day), |item| {
                let json = item.get("json").and_then(|json| json.as_s().ok());
                let entry = entry_of(&item).filter(|entry| *entry <= until);
                found.extend(entry.filter(|_| json.is_some_and(|json| holds(json))));
                Ok(())
            })
            .await?;
            day = day.plus(DAY);
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    async fn each_item(&self, question: &Question<'_>, mut see: impl FnMut(Item) -> Result<()>) -> Result<()> {
        let range = question.range();
        let mut after = None;
        loop {
            let page = self.env.table.query(&range, asked(after)).await?;
            page.items.into_iter().try_for_each(&mut see)?;
            match page.more {
                Some(more) => after = Some(more),
                None => return Ok(()),
            }
        }
    }

    /// Removes a record for good, with everything that is derived from it, if it is as it was read. Its address is free
    /// again, and nothing says that it once had it.
    pub async fn erase<T: Record>(&self, record: &T, kept: Kept) -> Result<()> {
        let of_person = record.person().map(|value| Claim { kind: ClaimKind::Email, value });
        let mut freed = Vec::new();
        for claim in record.claims().into_iter().chain(of_person) {
            let item = self.env.table.get(&Place::Claim(self.org, T::TYPE, &claim).key()).await?;
            let ours = |item: &Item| match item.get("id").and_then(|id| id.as_s().ok()) {
                Some(id) => *id == record.id().to_string(),
                None => true,
            };
            if item.as_ref().is_some_and(ours) && !freed.contains(&claim) {
                freed.push(claim);
            }
        }
        self.next_step().commit(Tx::erase(record, kept, freed), ()).await
    }

    /// Erases what entries were about, and what became of them at consumers; `by` is the record that asks for it.
    /// Says how many rows of consumers that were.
    pub async fn erase_details(&self, entries: &[EntryId], by: AnyId) -> Result<u64> {
        let mut rows = 0;
        for some in entries.chunks(AT_ONCE) {
            for entry in some {
                rows += delivery::remove(&self.env, self.org, *entry).await?;
            }
            self.next_step().commit(Tx::erase_details(some.to_vec(), by), ()).await?;
        }
        Ok(rows)
    }
}

fn asked(after: Option<Item>) -> QueryAsk {
    QueryAsk { limit: Some(MOST_ASKED), after, ..QueryAsk::default() }
}
