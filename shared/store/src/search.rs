//! Full-text search, by token items that are written in the same transaction as their record.

use crate::ask::PageAsk;
use crate::cx::{data_bytes, record_of};
use crate::merged::Measured;
use crate::page::{PAGE_BYTES, Page, binding, is_of, meets};
use crate::schema::{Key, Place, Question, SK};
use crate::table::{Item, Position, QueryAsk, text};
use crate::{Cx, Result};
use daybook_domain::words::Terms;
use daybook_domain::{AnyId, Record, Stored};
use std::collections::{HashMap, HashSet};

/// The maximum number of tokens that one request reads; then it returns a cursor.
const MOST_TOKENS: usize = 1000;

/// The maximum number of records that are read at once (DynamoDB).
const AT_ONCE: usize = 100;

/// A token with the prefix that was searched for, and its record.
struct Hit {
    sk: String,
    id: AnyId,
}

impl Cx {
    /// A page of the records whose words match, in the order of the matching tokens.
    ///
    /// Strongly consistent (reads its own writes), at a cost that doesn't grow with the table. A record is listed at
    /// its smallest matching token only, so that no page repeats it.
    pub(crate) async fn search<T: Record>(&self, terms: &Terms, ask: &PageAsk<'_>) -> Result<Page<T>> {
        let binding = binding::<T>(self, ask);
        let prefix = terms.prefix();
        let range = Question::Word(self.org, T::TYPE, &prefix).range();
        let begin = ask.cursor.map(|cursor| self.cursors().open(cursor, &binding)).transpose()?;
        let place = |sk| Position { key: Key { pk: range.pk.clone(), sk }, indexed: None };
        let mut after = begin.clone().map(place);
        let mut found = Found { items: Vec::new(), last: None, bytes: 0, limit: ask.limit };
        let mut seen = HashSet::new();
        let mut examined = 0;
        loop {
            let wanted = (ask.limit + 1 - found.items.len()).clamp(1, AT_ONCE);
            let page =
                self.env.table.query(&range, QueryAsk { limit: Some(wanted), after, ..QueryAsk::default() }).await?;
            examined += page.items.len();
            let hits: Vec<Hit> =
                page.items.iter().filter_map(|item| hit(item, terms)).filter(|hit| seen.insert(hit.id)).collect();
            let mut records = self.sized_records::<T>(hits.iter().map(|hit| hit.id)).await?;
            for hit in hits {
                let Some(Measured { record, bytes }) = records.remove(&hit.id) else { continue };
                let counted_before =
                    begin.as_deref().is_some_and(|begin| self.has_token_up_to(&record, &prefix, begin));
                if counted_before || !meets(&record, bytes, &ask.filters).await? || !in_listing(&record, ask) {
                    continue;
                }
                if found.is_full() {
                    let end = found.last.map(|sk| self.cursors().seal(&sk, &binding)).transpose()?;
                    return Ok(Page::of(found.items, ask.limit, end));
                }
                found.bytes += bytes;
                found.items.push(record);
                found.last = Some(hit.sk);
            }
            match page.more {
                None => return Ok(Page::of(found.items, ask.limit, None)),
                Some(more) if examined >= MOST_TOKENS => {
                    let end = Some(self.cursors().seal(&more.key.sk, &binding)?);
                    return Ok(Page::of(found.items, ask.limit, end));
                }
                Some(more) => after = Some(more),
            }
        }
    }

    /// Records by id, strongly consistent; missing ones, and those outside the actor's scope, are left out.
    pub async fn records<T: Record>(&self, ids: impl Iterator<Item = AnyId>) -> Result<HashMap<AnyId, T>> {
        let records = self.sized_records::<T>(ids).await?;
        Ok(records.into_iter().map(|(id, sized)| (id, sized.record)).collect())
    }

    /// The same, with the bytes of their JSON.
    async fn sized_records<T: Record>(&self, ids: impl Iterator<Item = AnyId>) -> Result<HashMap<AnyId, Measured<T>>> {
        let mut records = self.unscoped_records::<T>(ids).await?;
        let reached: HashSet<AnyId> = self.reached_of(records.values().map(|sized| &sized.record)).await?;
        records.retain(|id, _| reached.contains(id));
        Ok(records)
    }

    /// Records by id, unscoped; those that a cascade delete is moving to the trash are left out.
    pub(crate) async fn unscoped_records<T: Record>(
        &self,
        ids: impl Iterator<Item = AnyId>,
    ) -> Result<HashMap<AnyId, Measured<T>>> {
        let (items, cascades) = tokio::try_join!(self.record_items(ids.collect()), self.cascades::<T>())?;
        let mut records = HashMap::with_capacity(items.len());
        for item in items {
            let bytes = data_bytes(&item);
            let record = record_of::<T>(item)?.into_inner();
            if !cascades.holds_any(&record.cascade_parents()) {
                records.insert(record.id(), Measured { record, bytes });
            }
        }
        Ok(records)
    }

    /// Records by id, unscoped, including those that a cascade delete is moving to the trash.
    pub async fn unscoped_records_with_cascading<T: Record>(
        &self,
        ids: impl Iterator<Item = AnyId>,
    ) -> Result<HashMap<AnyId, Stored<T>>> {
        let items = self.record_items(ids.collect()).await?;
        items.into_iter().map(|item| record_of::<T>(item).map(|record| (record.id(), record))).collect()
    }

    async fn record_items(&self, ids: Vec<AnyId>) -> Result<Vec<Item>> {
        let keys: Vec<Key> = ids.into_iter().map(|id| Place::Record(self.org, id).key()).collect();
        self.env.table.get_records(&keys).await
    }

    /// Whether a record has a matching token at or before a position, so that an earlier page listed it.
    fn has_token_up_to<T: Record>(&self, record: &T, prefix: &str, place: &str) -> bool {
        let words = record.words();
        let mut matching = words.tokens().iter().filter(|token| token.starts_with(prefix));
        matching.any(|token| Place::Token(self.org, token, record.id()).key().sk.as_str() <= place)
    }
}

struct Found<T> {
    items: Vec<T>,
    last: Option<String>,
    bytes: usize,
    limit: usize,
}

impl<T> Found<T> {
    fn is_full(&self) -> bool {
        self.items.len() == self.limit || self.bytes > PAGE_BYTES
    }
}

fn hit(item: &Item, terms: &Terms) -> Option<Hit> {
    let sk = text(item, SK)?.clone();
    let id = sk.rsplit_once('#')?.1.parse().ok()?;
    terms.match_text(text(item, "text")?).then_some(Hit { sk, id })
}

/// Whether a record has the state, owner and parents that the list is limited to.
fn in_listing<T: Record>(record: &T, ask: &PageAsk<'_>) -> bool {
    ask.state.is_none_or(|state| record.state() == Some(state))
        && ask.owner.is_none_or(|owner| record.owner() == Some(owner))
        && is_of(record, ask.parents)
}
