//! Queries of the journal: facts by time, record, actor or request, and their details.

use crate::item::text_bytes;
use crate::journal::{Detail, EntryRef, Fact, SignedFact};
use crate::schema::{Place, Question, SK};
use crate::table::{Item, Position, QueryAsk, parse_item, text};
use crate::turn::handled;
use crate::{Cx, Result};
use daybook_domain::{AnyId, EntryId, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The maximum number of days that one request reads, where no index answers it.
pub const MOST_DAYS: u32 = 31;

/// The maximum number of facts that one request reads: about 4 MB.
const MOST_FACTS: usize = 5_000;

/// The maximum number of facts per call of the table.
const AT_ONCE: usize = 200;

/// The number of commits before an entry that are searched for those of its request.
const COMMITS_LOOKED_AT: usize = 128;

/// The most commits of requests with an id that are read.
const MOST_COMMITS: usize = 1_000;

/// The number of details that are read first, and the most that are read at once: each may have 300 KB.
const DETAILS_AT_ONCE: usize = 8;
const MOST_DETAILS: usize = 32;

const DAY: Duration = Duration::from_secs(86_400);

/// The facts to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// All facts of the organisation.
    All,
    /// The facts about a record.
    Record(AnyId),
    /// The facts of a user's or API key's actions.
    Actor(AnyId),
    /// The facts of a request.
    Request(String),
}

/// The parameters of a journal query.
pub struct FactsAsk<'a> {
    /// The facts to read.
    pub source: &'a Source,
    /// The start of the period.
    pub from: Timestamp,
    /// The end of the period.
    pub to: Timestamp,
    /// Whether the oldest facts come first.
    pub ascending: bool,
    /// The last entry that the previous page read.
    pub after: Option<EntryId>,
    /// The maximum number of facts.
    pub limit: usize,
    /// A filter of the facts.
    pub keep: &'a (dyn Fn(&Fact) -> bool + Sync),
}

/// A page of facts.
#[derive(Clone, Debug, Default)]
pub struct FactsPage {
    /// The facts.
    pub facts: Vec<Fact>,
    /// The last entry that was read, if there may be more.
    pub more: Option<EntryId>,
}

impl Cx {
    /// The journal of the organisation.
    pub fn journal(&self) -> Journal<'_> {
        Journal { cx: self }
    }
}

/// The details of the first of some entries.
#[derive(Debug, Default)]
pub struct FirstDetails {
    /// The details, by entry.
    pub details: HashMap<EntryId, Detail>,
    /// The number of entries that were read.
    pub read: usize,
}

/// The journal of an organisation.
#[derive(Clone, Copy, Debug)]
pub struct Journal<'a> {
    pub(crate) cx: &'a Cx,
}

impl Journal<'_> {
    /// Facts in the order of their entries. Reads at most [`MOST_DAYS`] days or some 4 MB, so a page may be short or
    /// empty, and still have a next one.
    pub async fn page(self, ask: &FactsAsk<'_>) -> Result<FactsPage> {
        let (mut first, mut last) = (EntryId::first_at(ask.from), EntryId::last_at(ask.to));
        match ask.after {
            Some(after) if ask.ascending => first = first.max(after.after()),
            Some(after) => last = last.min(after.before()),
            None => {}
        }
        let mut reading = Reading { cx: self.cx, ask, page: FactsPage::default(), looked_at: 0 };
        if first > last {
            return Ok(reading.page);
        }
        match ask.source {
            Source::Record(id) => reading.index(&Question::FactsOf(self.cx.org, *id, first, last)).await?,
            Source::Actor(id) => reading.index(&Question::FactsBy(self.cx.org, *id, first, last)).await?,
            Source::Request(id) => reading.request(id, first, last).await?,
            Source::All => reading.days(first, last).await?,
        }
        Ok(reading.page)
    }

    /// A fact of this organisation.
    pub async fn fact(self, entry: EntryId) -> Result<Option<Fact>> {
        Fact::read(&self.cx.env, EntryRef { org: self.cx.org, entry }).await
    }

    /// The facts of entries, as far as they are still stored.
    pub async fn facts(self, entries: impl Iterator<Item = EntryId>) -> Result<Vec<Fact>> {
        let keys: Vec<_> = entries.map(|entry| Place::Fact(self.cx.org, entry).key()).collect();
        let items = self.cx.env.table.get_all(&keys).await?;
        items.into_iter().map(|item| Ok(parse_item::<SignedFact>(item)?.into_fact())).collect()
    }

    /// The details of the first of these entries, as far as they are still stored: of as many as have this many bytes
    /// together, and of one at least.
    pub async fn first_details(self, entries: &[EntryId], most: usize) -> Result<FirstDetails> {
        let mut first = FirstDetails::default();
        let (mut bytes, mut at_once) = (0, DETAILS_AT_ONCE);
        while first.read < entries.len() {
            let some = &entries[first.read..entries.len().min(first.read + at_once)];
            let keys: Vec<_> = some.iter().map(|entry| Place::Detail(self.cx.org, *entry).key()).collect();
            let items = self.cx.env.table.get_all(&keys).await?;
            let mut items: HashMap<EntryId, Item> =
                items.into_iter().filter_map(|item| Some((entry_of(&item)?, item))).collect();
            for entry in some {
                let item = items.remove(entry);
                let size = item.as_ref().map_or(0, text_bytes);
                if first.read > 0 && bytes + size > most {
                    return Ok(first);
                }
                bytes += size;
                if let Some(item) = item.filter(|item| Detail::erased_by(item).is_none()) {
                    handled(size).await;
                    first.details.insert(*entry, Detail::from_item(&item)?.0);
                }
                first.read += 1;
            }
            at_once = (at_once * 2).min(MOST_DETAILS);
        }
        Ok(first)
    }

    /// The details of entries, by entry, as far as they are still stored.
    pub async fn details(self, entries: impl Iterator<Item = EntryId>) -> Result<HashMap<EntryId, Detail>> {
        let keys: Vec<_> = entries.map(|entry| Place::Detail(self.cx.org, entry).key()).collect();
        let mut details = HashMap::new();
        for item in self.cx.env.table.get_all(&keys).await? {
            if let Some(id) = entry_of(&item).filter(|_| Detail::erased_by(&item).is_none()) {
                details.insert(id, Detail::from_item(&item)?.0);
            }
        }
        Ok(details)
    }

    /// The entries of the request that an entry came from, by the first of them. A client may use an id for many requests, so
    /// only the commits before this entry are looked at: a batch has a hundred.
    pub async fn request_of(self, entry: EntryId, id: &str) -> Result<Option<(EntryId, Vec<EntryId>)>> {
        let range = Question::OfRequest(self.cx.org, id).range();
        let place = Place::Request(self.cx.org, id, entry.after()).key();
        let ask = QueryAsk {
            limit: Some(COMMITS_LOOKED_AT),
            after: Some(Position { key: place, indexed: None }),
            descending: true,
            ..QueryAsk::default()
        };
        let items = self.cx.env.table.query(&range, ask).await?.items;
        Ok(joined(items.iter().rev()).into_iter().find(|(_, entries)| entries.contains(&entry)))
    }

    /// The entries of the first 1,000 commits of all requests with an id, by the first entry of each request: a client may
    /// use an id for many requests.
    pub async fn of_request(self, id: &str) -> Result<BTreeMap<EntryId, Vec<EntryId>>> {
        let range = Question::OfRequest(self.cx.org, id).range();
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let page = self.cx.env.table.query(&range, QueryAsk { limit: Some(AT_ONCE), after, ..QueryAsk::default() });
            let page = page.await?;
            items.extend(page.items);
            match page.more {
                Some(more) if items.len() < MOST_COMMITS => after = Some(more),
                _ => return Ok(joined(items.iter())),
            }
        }
    }
}

/// Commits' entries, by the first entry of their requests: the commits of a batch are one request. Takes them in the order
/// of their entries.
fn joined<'i>(items: impl Iterator<Item = &'i Item>) -> BTreeMap<EntryId, Vec<EntryId>> {
    let all = |item: &Item| -> Option<Vec<EntryId>> {
        let list = item.get("entries")?.as_l().ok()?;
        Some(list.iter().filter_map(|id| id.as_s().ok()?.parse().ok()).collect())
    };
    let mut requests: BTreeMap<EntryId, Vec<EntryId>> = BTreeMap::new();
    let mut batches: HashMap<&String, EntryId> = HashMap::new();
    for item in items {
        let Some(id) = entry_of(item) else { continue };
        let first = match text(item, "batch") {
            Some(batch) => *batches.entry(batch).or_insert(id),
            None => id,
        };
        requests.entry(first).or_default().extend(all(item).unwrap_or_default());
    }
    requests
}

/// The entry in an item's sort key.
pub(crate) fn entry_of(item: &Item) -> Option<EntryId> {
    text(item, SK)?.parse().ok()
}

/// A page that is being filled.
struct Reading<'a, 'b> {
    cx: &'a Cx,
    ask: &'a FactsAsk<'b>,
    page: FactsPage,
    looked_at: usize,
}

impl Reading<'_, '_> {
    /// Reads a range until the page is full; returns whether it is.
    async fn range(&mut self, question: &Question<'_>) -> Result<bool> {
        let range = question.range();
        let mut after = None;
        loop {
            let limit = Some((self.ask.limit + 1 - self.page.facts.len()).clamp(1, AT_ONCE));
            let descending = !self.ask.ascending;
            let page =
                self.cx.env.table.query(&range, QueryAsk { limit, after, descending, ..QueryAsk::default() }).await?;
            for item in page.items {
                if self.take(parse_item::<SignedFact>(item)?.into_fact()) {
                    return Ok(true);
                }
            }
            match page.more {
                Some(more) => after = Some(more),
                None => return Ok(false),
            }
        }
    }

    async fn index(&mut self, question: &Question<'_>) -> Result<()> {
        if !self.range(question).await? {
            self.page.more = None;
        }
        Ok(())
    }

    /// Adds a fact to the page if the filter keeps it; returns whether the page was already full.
    fn take(&mut self, fact: Fact) -> bool {
        if self.page.facts.len() == self.ask.limit || self.looked_at == MOST_FACTS {
            return true;
        }
        self.looked_at += 1;
        self.page.more = Some(fact.id);
        if (self.ask.keep)(&fact) {
            self.page.facts.push(fact);
        }
        false
    }

    async fn request(&mut self, id: &str, first: EntryId, last: EntryId) -> Result<()> {
        let requests = self.cx.journal().of_request(id).await?;
        let mut entries: Vec<EntryId> = requests.into_values().flatten().collect();
        entries.retain(|entry| (first..=last).contains(entry));
        entries.sort();
        if !self.ask.ascending {
            entries.reverse();
        }
        for entry in entries {
            let Some(fact) = self.cx.journal().fact(entry).await? else { continue };
            if self.take(fact) {
                return Ok(());
            }
        }
        self.page.more = None;
        Ok(())
    }

    async fn days(&mut self, first: EntryId, last: EntryId) -> Result<()> {
        let (begin, end) = (first.time().start_of_day(), last.time().start_of_day());
        let mut day = if self.ask.ascending { begin } else { end };
        for _ in 0..MOST_DAYS {
            if self.range(&Question::Facts(self.cx.org, day, first, last)).await? {
                return Ok(());
            }
            // The next page begins after this day, whatever it held.
            let behind = EntryId::first_at(if self.ask.ascending { day.plus(DAY) } else { day });
            self.page.more = Some(if self.ask.ascending { behind.before() } else { behind });
            day = if self.ask.ascending { day.plus(DAY) } else { day.minus(DAY) };
            if day < begin || day > end {
                self.page.more = None;
                return Ok(());
            }
        }
        Ok(())
    }
}
