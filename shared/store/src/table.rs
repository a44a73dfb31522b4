//! The table: reads by key and range, and conditional writes, over a storage engine; errors name the operation that
//! failed.

use crate::Result;
pub use crate::condition::{Condition, Update};
use crate::engine::{Action, Engine, Failure, MOST_READ, Part};
pub use crate::engine::{Position, QueryAsk, QueryPage};
use crate::feed::Feed;
use crate::item::text_bytes;
pub use crate::item::{Item, attribute, key_item, parse_item, row_item, text};
use crate::schema::{DATA, Key, PK, Place, Range, SK};
use crate::turn::handled;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// The maximum number of items per query where the caller sets none. DynamoDB's own limit, 1 MB, takes many times as
/// much memory while it is read: peaks of 50 MB were seen.
pub(crate) const MOST_ASKED: usize = 250;

/// What counting an item handles, in bytes.
const COUNTED_BYTES: usize = 64;

/// Options of a table.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// Where committed entries are published.
    pub feed: Feed,
    /// The first delay before a transaction is retried; 25 ms unless set.
    pub retry_base: Option<Duration>,
}

/// The table.
#[derive(Clone, Debug)]
pub struct Table {
    engine: Arc<dyn Engine>,
    pub(crate) options: TableOptions,
}

/// The result of a conditional write.
#[derive(Debug)]
pub enum Written {
    /// The item was written; the attributes that were set, where it was an update.
    Done(Item),
    /// The condition failed; the current item.
    Refused(Item),
}

/// The result of writing rows together.
#[derive(Debug)]
pub(crate) enum PutAll {
    /// All were written.
    Done,
    /// Not written, or the outcome is unknown: a concurrent write of one of them, or the table is busy.
    Again,
    /// None was written; for each row, whether its condition failed.
    Refused(Vec<bool>),
}

impl Table {
    /// A table on an engine.
    pub fn new(engine: Arc<dyn Engine>, options: TableOptions) -> Table {
        Table { engine, options }
    }

    /// Opens the connection by reading an item that never exists; an error is only logged.
    pub(crate) async fn warm(&self) {
        if let Err(error) = self.get(&Place::Feed.key()).await {
            tracing::warn!(error = %error.chain(), "the table can't be read");
        }
    }

    /// An item by key, strongly consistent.
    pub async fn get(&self, key: &Key) -> Result<Option<Item>> {
        let found = self.engine.get(std::slice::from_ref(key), Part::Whole).await?;
        Ok(found.into_iter().next())
    }

    /// A record's item by key, only with the record, strongly consistent.
    pub(crate) async fn get_record(&self, key: &Key) -> Result<Option<Item>> {
        let found = self.engine.get(std::slice::from_ref(key), Part::Only(DATA)).await?;
        Ok(found.into_iter().next())
    }

    /// Items by key with one call, in the order of the keys.
    pub async fn get_each<const N: usize>(&self, keys: [Key; N]) -> Result<[Option<Item>; N]> {
        let mut found = self.get_items(&keys, Part::Whole).await?;
        Ok(keys.map(|key| {
            let at = found.iter().position(|item| is_item_of(item, &key))?;
            Some(found.swap_remove(at))
        }))
    }

    /// Items by key, strongly consistent, in no particular order.
    pub(crate) async fn get_all(&self, keys: &[Key]) -> Result<Vec<Item>> {
        self.get_items(keys, Part::Whole).await
    }

    /// Records' items by key, strongly consistent, in no particular order.
    pub(crate) async fn get_records(&self, keys: &[Key]) -> Result<Vec<Item>> {
        self.get_items(keys, Part::Only(DATA)).await
    }

    async fn get_items(&self, keys: &[Key], part: Part) -> Result<Vec<Item>> {
        let mut items = Vec::with_capacity(keys.len());
        for some in keys.chunks(MOST_READ) {
            let found = self.engine.get(some, part).await?;
            handled(found.iter().map(text_bytes).sum()).await;
            items.extend(found);
        }
        Ok(items)
    }

    /// Writes an item if a condition holds.
    pub async fn put(&self, key: &Key, row: &impl Serialize, condition: Condition) -> Result<Written> {
        self.written("write a row", Action::put(row_item(key, row)?, condition)?).await
    }

    /// Writes rows in one transaction if the conditions of all of them hold.
    pub(crate) async fn put_all(&self, rows: Vec<(Item, Condition)>) -> Result<PutAll> {
        let actions: Vec<Action> =
            rows.into_iter().map(|(item, condition)| Action::put(item, condition)).collect::<Result<_>>()?;
        match self.transact(&actions).await {
            Ok(()) => Ok(PutAll::Done),
            Err(Failure::Contended(_) | Failure::Busy(_) | Failure::OutcomeUnknown(_)) => Ok(PutAll::Again),
            Err(Failure::Refused(refused)) => Ok(PutAll::Refused(refused.iter().map(Option::is_some).collect())),
            Err(failure) => Err(failure.into_error("write rows")),
        }
    }

    /// Changes attributes of an item if a condition holds (upsert).
    pub async fn update(&self, key: &Key, update: Update, condition: Condition) -> Result<Written> {
        self.written("change a row", Action::update(key.clone(), update, condition)).await
    }

    /// Writes the next version of an existing row if a condition holds; attributes that only a newer version of Daybook
    /// knows stay.
    pub(crate) async fn follow(&self, key: &Key, row: &impl Serialize, condition: Condition) -> Result<Written> {
        self.written("write a row", Action::update(key.clone(), Update::following(row)?, condition)).await
    }

    /// Removes an item, if it is there.
    pub async fn delete(&self, key: &Key) -> Result<()> {
        self.delete_if(key, Condition::ALWAYS).await
    }

    /// Removes an item if a condition holds.
    pub(crate) async fn delete_if(&self, key: &Key, condition: Condition) -> Result<()> {
        self.written("remove a row", Action::delete(key.clone(), condition)).await.map(|_| ())
    }

    async fn written(&self, operation: &'static str, action: Action) -> Result<Written> {
        match self.engine.write(&action).await {
            Ok(item) => Ok(Written::Done(item)),
            Err(Failure::Refused(items)) => {
                Ok(Written::Refused(items.into_iter().flatten().next().unwrap_or_default()))
            }
            Err(failure) => Err(failure.into_error(operation)),
        }
    }

    /// Carries out actions in one transaction, with one attempt.
    pub(crate) async fn transact(&self, actions: &[Action]) -> Result<(), Failure> {
        self.engine.transact(actions).await
    }

    /// One page of the items in a range: at most `limit`, at most 1 MB.
    pub async fn query(&self, range: &Range, ask: QueryAsk) -> Result<QueryPage> {
        let page = self.engine.query(range, ask).await?;
        handled(page.items.iter().map(text_bytes).sum::<usize>() + page.count * COUNTED_BYTES).await;
        Ok(page)
    }

    /// The number of items in a range, counted up to `most`.
    pub async fn count(&self, range: &Range, most: usize) -> Result<usize> {
        let (mut counted, mut after) = (0, None);
        loop {
            let ask = QueryAsk { limit: Some(most - counted), after, part: Part::Count, ..QueryAsk::default() };
            let page = self.query(range, ask).await?;
            counted += page.count;
            match page.more {
                Some(more) if counted < most => after = Some(more),
                _ => return Ok(counted),
            }
        }
    }

    /// All items in a range that is known to be small.
    pub async fn query_all(&self, range: &Range) -> Result<Vec<Item>> {
        self.query_parts(range, Part::Whole).await
    }

    /// The sort keys of all items in a range, as items.
    pub(crate) async fn query_keys(&self, range: &Range) -> Result<Vec<Item>> {
        self.query_parts(range, Part::Only(SK)).await
    }

    async fn query_parts(&self, range: &Range, part: Part) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let ask = QueryAsk { limit: Some(MOST_ASKED), after, part, ..QueryAsk::default() };
            let page = self.query(range, ask).await?;
            items.extend(page.items);
            match page.more {
                Some(more) => after = Some(more),
                None => return Ok(items),
            }
        }
    }
}

/// Whether an item has this key.
pub(crate) fn is_item_of(item: &Item, key: &Key) -> bool {
    text(item, PK) == Some(&key.pk) && text(item, SK) == Some(&key.sk)
}
