//! The embedded engine: items, conditional writes, transactions and indexes as in DynamoDB, over an ordered key-value
//! store.

use crate::disk::{Disk, Durability, OpenError};
use crate::layout::{ITEMS, bounds, copies, item_key, key_at, key_of_copy, place_at, with_key};
use crate::memory::Memory;
use crate::ordered::{Batch, Ordered, OrderedError};
use crate::writer::Writer;
use crate::{codec, evaluate, size};
use daybook_store::condition::{Condition, Update};
use daybook_store::engine::{Act, Action, Engine, Failure, MOST_READ, Part, QueryAsk, QueryPage};
use daybook_store::item::{Item, text};
use daybook_store::schema::{Index, Key, PK, Range, SK};
use daybook_store::{Error, Result};
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use std::collections::HashSet;
use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The number of items that a search for expired ones reads before it yields to other threads.
const LOOKED_AT: usize = 2_000;

/// The amount of data copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// The number of entries: items, and their copies in the indexes.
    pub entries: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

/// The number of entries between two progress reports of a copy.
const PROGRESS_EVERY: u64 = 10_000;

/// A table in this process. No other process may have it open.
///
/// Reads see whole committed writes only. Conditions are checked and actions applied under one lock, so that writes are
/// serialised; the lock isn't held across an await. On disk a dedicated thread writes, so that reads don't wait for a
/// busy disk. Indexes are always consistent with the items.
#[derive(Clone)]
pub struct Local {
    kept: Arc<Kept>,
    /// The thread that writes to disk; without one, the caller's thread writes.
    writer: Option<Arc<Writer>>,
}

/// The key-value store, and the lock that serialises writes.
struct Kept {
    store: Box<dyn Ordered>,
    writing: Mutex<()>,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Local")
    }
}

impl Local {
    /// A table in memory, lost when the process ends.
    pub fn in_memory() -> Local {
        Local { kept: Arc::new(Kept { store: Box::new(Memory::default()), writing: Mutex::default() }), writer: None }
    }

    /// Opens the table in a folder, which is created if missing.
    pub fn open(folder: &Path, durability: Durability) -> Result<Local, OpenError> {
        let store = Box::new(Disk::open(folder, durability)?);
        let writer = Writer::start().map_err(|error| OpenError::of(folder, error))?;
        let kept = Kept { store, writing: Mutex::default() };
        Ok(Local { kept: Arc::new(kept), writer: Some(Arc::new(writer)) })
    }

    /// All items in key order; for tests.
    pub fn everything(&self) -> Result<Vec<Item>> {
        let mut all = Vec::new();
        let mut broken = None;
        let visited = self.kept.store.visit(all_items(), false, &mut |key, value| match whole(key, value) {
            Some(item) => {
                all.push(item);
                ControlFlow::Continue(())
            }
            None => {
                broken = Some(key_at(key));
                ControlFlow::Break(())
            }
        });
        visited.map_err(|error| of_read("read all items", error))?;
        match broken {
            Some(key) => Err(unreadable("read all items", key)),
            None => Ok(all),
        }
    }

    /// Copies a snapshot of the table into a folder that holds none. Reads and writes go on meanwhile. Reports progress
    /// to `told`, stops where that returns `Break`, and returns the total.
    pub fn copy_to(&self, folder: &Path, mut progress: impl FnMut(Copied) -> ControlFlow<()>) -> Result<Copied> {
        let mut copied = Copied::default();
        let filled = Disk::filled(folder, |write| {
            let mut failed = None;
            self.kept.store.visit((Bound::Unbounded, Bound::Unbounded), false, &mut |key, value| {
                if let Err(error) = write(key, value) {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
                copied.entries += 1;
                copied.bytes += (key.len() + value.len()) as u64;
                if copied.entries.is_multiple_of(PROGRESS_EVERY) && progress(copied).is_break() {
                    failed = Some(OrderedError::Refused("the copy was cancelled".to_owned()));
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
            failed.map_or(Ok(()), Err)
        });
        filled.map_err(|error| of_read("copy the table", error))?;
        let _ = progress(copied);
        Ok(copied)
    }

    /// Deletes expired items and returns their number. Yields to other threads between steps.
    pub fn remove_expired(&self, now: i64) -> Result<usize> {
        let failed = |error| of_read("remove expired items", error);
        let (mut removed, mut from) = (0, all_items().0);
        loop {
            let (mut expired, mut looked_at, mut last) = (Vec::new(), 0, None);
            self.kept
                .store
                .visit((from, all_items().1), false, &mut |key, value| {
                    if codec::head(value).and_then(|head| head.expires_at).is_some_and(|at| at <= now) {
                        expired.push(key.to_vec());
                    }
                    looked_at += 1;
                    last = Some(key.to_vec());
                    if looked_at < LOOKED_AT { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })
                .map_err(failed)?;
            for key in expired {
                removed += usize::from(self.kept.expire(&key, now).map_err(failed)?);
            }
            match last {
                Some(last) if looked_at == LOOKED_AT => from = Bound::Excluded(last),
                _ => return Ok(removed),
            }
            std::thread::yield_now();
        }
    }

    fn read(&self, keys: &[Key], part: Part) -> Result<Vec<Item>> {
        let distinct: HashSet<&Key> = keys.iter().collect();
        if keys.len() > MOST_READ || distinct.len() < keys.len() {
            let why = format!("{} keys, {} distinct; the maximum is {MOST_READ} distinct", keys.len(), distinct.len());
            return Err(Error::internal("read items", why));
        }
        let places: Vec<Vec<u8>> = keys.iter().map(item_key).collect();
        let places: Vec<&[u8]> = places.iter().map(Vec::as_slice).collect();
        let (mut items, mut broken) = (Vec::with_capacity(keys.len()), None);
        let read = self.kept.store.get(&places, &mut |at, value| {
            let item = match part {
                Part::Only(name) => only(value, name),
                Part::Whole | Part::Count => codec::decode(value).map(|item| with_key(item, keys[at].clone())),
            };
            match item {
                Some(item) => items.push(item),
                None => broken = Some(keys[at].clone()),
            }
        });
        read.map_err(|error| of_read("read items", error))?;
        match broken {
            Some(key) => Err(unreadable("read items", Some(key))),
            None => Ok(items),
        }
    }

    fn page(&self, range: &Range, ask: &QueryAsk) -> Result<QueryPage> {
        if ask.limit == Some(0) {
            return Err(Error::internal("list items", "the page limit is 0; it must be at least 1"));
        }
        let mut page =
            Filling { ask, page: QueryPage::default(), bytes: 0, last: Vec::new(), over: true, broken: None };
        let bounds = bounds(range, ask.after.as_ref(), ask.descending);
        let visited = self.kept.store.visit(bounds, ask.descending, &mut |at, value| page.take(range, at, value));
        visited.map_err(|error| of_read("list items", error))?;
        if let Some(key) = page.broken {
            return Err(unreadable("list items", key));
        }
        let Filling { mut page, last, over, .. } = page;
        if !over {
            page.more = place_at(&last, range);
        }
        Ok(page)
    }

    /// Applies actions, and waits until they are as durable as configured.
    fn written(&self, actions: &[Action]) -> BoxFuture<'static, Result<Item, Failure>> {
        let wanted = match actions.iter().map(Wanted::of).collect::<Result<Vec<_>, String>>() {
            Ok(wanted) => wanted,
            Err(why) => return ready(Err(invalid(why))).boxed(),
        };
        let kept = self.kept.clone();
        let Some(writer) = &self.writer else { return ready(kept.carry_out(wanted)).boxed() };
        let own = kept.clone();
        let done = writer.run(move || own.carry_out(wanted));
        async move {
            let gone = |_| Failure::OutcomeUnknown("the writer thread has ended".into());
            let done = done.await.map_err(gone)?;
            // A refusal shows the current item, which must be as durable.
            if let Some(settled) = kept.store.settled() {
                settled.await.map_err(of_write)?;
            }
            done
        }
        .boxed()
    }
}

impl Kept {
    /// Checks the conditions of all actions, applies them if all hold, and returns what the last update changed.
    fn carry_out(&self, wanted: Vec<Wanted>) -> Result<Item, Failure> {
        let _one_by_one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.as_they_are(&wanted)?;
        let nothing = Item::new();
        let refused = |(wanted, item): (&Wanted, &Option<Item>)| {
            let met = evaluate::holds(&wanted.condition, item.as_ref().unwrap_or(&nothing));
            (!met).then(|| item.clone().unwrap_or_default())
        };
        let refused: Vec<Option<Item>> = wanted.iter().zip(&before).map(refused).collect();
        if refused.iter().any(Option::is_some) {
            return Err(Failure::Refused(refused));
        }
        let mut batch = Batch::new();
        let mut changed = Item::new();
        for (Wanted { key, place, doing, .. }, before) in wanted.into_iter().zip(before) {
            let new = match doing {
                Effect::Nothing => continue,
                Effect::Remove => None,
                Effect::Write(new) => Some(new),
                Effect::Change(update) => {
                    let mut item = before.clone().unwrap_or_else(|| with_key(Item::new(), key));
                    changed = evaluate::change(&mut item, &update).map_err(invalid)?;
                    Some(Stored::of(&item, &place).map_err(invalid)?)
                }
            };
            replace(&mut batch, place, before.as_ref(), new);
        }
        if !batch.is_empty() {
            self.store.apply(batch).map_err(of_write)?;
        }
        Ok(changed)
    }

    /// The current items of the actions, read under the write lock.
    fn as_they_are(&self, wanted: &[Wanted]) -> Result<Vec<Option<Item>>, Failure> {
        let places: Vec<&[u8]> = wanted.iter().map(|wanted| &wanted.place[..]).collect();
        let mut found: Vec<Option<Item>> = vec![None; wanted.len()];
        let mut broken = None;
        let read = self.store.get(&places, &mut |at, value| match codec::decode(value) {
            Some(item) => found[at] = Some(with_key(item, wanted[at].key.clone())),
            None => broken = Some(at),
        });
        read.map_err(of_write)?;
        match broken {
            Some(at) => Err(invalid(format!("the item stored at {:?} can't be decoded", wanted[at].key))),
            None => Ok(found),
        }
    }

    /// Deletes an item unless its expiry was extended since; returns whether it was deleted.
    fn expire(&self, key: &[u8], now: i64) -> Result<bool, OrderedError> {
        let _one_by_one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = None;
        self.store.get(&[key], &mut |_, value| {
            let over = codec::head(value).and_then(|head| head.expires_at).is_some_and(|at| at <= now);
            gone = over.then(|| codec::decode(value)).flatten();
        })?;
        let Some(item) = gone else { return Ok(false) };
        let places = copies(&item, key).into_iter().chain([key.to_vec()]);
        self.store.apply(places.map(|place| (place, None)).collect())?;
        Ok(true)
    }
}

/// A validated and encoded action: prepared before the write lock is taken, so that other writers wait less.
struct Wanted {
    key: Key,
    place: Vec<u8>,
    doing: Effect,
    condition: Condition,
}

/// The effect of an action on the stored item.
enum Effect {
    Write(Stored),
    Change(Update),
    Remove,
    Nothing,
}

impl Wanted {
    fn of(action: &Action) -> Result<Wanted, String> {
        size::check_key(&action.key)?;
        let place = item_key(&action.key);
        let doing = match &action.act {
            Act::Put(item) => Effect::Write(Stored::of(item, &place)?),
            Act::Update(update) => {
                size::check_update(update)?;
                Effect::Change(update.clone())
            }
            Act::Delete => Effect::Remove,
            Act::Check => Effect::Nothing,
        };
        Ok(Wanted { key: action.key.clone(), place, doing, condition: action.condition.clone() })
    }
}

/// An encoded item, and the stored keys of its copies in the indexes.
struct Stored {
    bytes: Vec<u8>,
    copies: Vec<Vec<u8>>,
}

impl Stored {
    fn of(item: &Item, key: &[u8]) -> Result<Stored, String> {
        for index in Index::ALL {
            size::check_indexed(text(item, index.pk()), text(item, index.sk()))?;
        }
        for name in Index::ALL.into_iter().flat_map(|index| [index.pk(), index.sk()]) {
            if item.get(name).is_some_and(|value| value.as_s().map_or(true, String::is_empty)) {
                return Err(format!("`{name}` is a key of an index, so it must be a string that isn't empty"));
            }
        }
        Ok(Stored { bytes: codec::encode(item)?, copies: copies(item, key) })
    }
}

/// Adds the writes that replace one version of an item by another: the item itself, and its copies in the indexes.
fn replace(batch: &mut Batch, key: Vec<u8>, before: Option<&Item>, after: Option<Stored>) {
    let old = before.map(|item| copies(item, &key)).unwrap_or_default();
    let new = after.as_ref().map(|after| &after.copies[..]).unwrap_or_default();
    batch.extend(old.into_iter().filter(|place| !new.contains(place)).map(|place| (place, None)));
    match after {
        None => batch.push((key, None)),
        Some(Stored { bytes, copies }) => {
            batch.extend(copies.into_iter().map(|place| (place, Some(bytes.clone()))));
            batch.push((key, Some(bytes)));
        }
    }
}

/// A page that is being filled.
struct Filling<'a> {
    ask: &'a QueryAsk,
    page: QueryPage,
    bytes: usize,
    /// The stored key of the last item.
    last: Vec<u8>,
    /// Whether the range ended before the page was full.
    over: bool,
    /// Set where an item can't be decoded: its key, if that is known.
    broken: Option<Option<Key>>,
}

impl Filling<'_> {
    fn take(&mut self, range: &Range, at: &[u8], value: &[u8]) -> ControlFlow<()> {
        let key = || if range.index.is_some() { key_of_copy(at) } else { key_at(at) };
        let Some(head) = codec::head(value) else {
            self.broken = Some(key());
            return ControlFlow::Break(());
        };
        if self.page.count > 0 && self.bytes + head.size > size::PAGE {
            self.over = false;
            return ControlFlow::Break(());
        }
        let item = match self.ask.part {
            Part::Count => Some(None),
            Part::Whole => key().and_then(|key| Some(Some(with_key(codec::decode(value)?, key)))),
            Part::Only(name) if name == PK || name == SK => {
                key().map(|key| Some(with_key(Item::new(), key).into_iter().filter(|(own, _)| own == name).collect()))
            }
            Part::Only(name) => only(value, name).map(Some),
        };
        let Some(item) = item else {
            self.broken = Some(key());
            return ControlFlow::Break(());
        };
        self.page.items.extend(item);
        self.page.count += 1;
        self.bytes += head.size;
        self.last.clear();
        self.last.extend(at);
        match self.ask.limit {
            Some(limit) if self.page.count >= limit => {
                self.over = false;
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Engine for Local {
    fn get<'a>(&'a self, keys: &'a [Key], part: Part) -> BoxFuture<'a, Result<Vec<Item>>> {
        ready(self.read(keys, part)).boxed()
    }

    fn query<'a>(&'a self, range: &'a Range, ask: QueryAsk) -> BoxFuture<'a, Result<QueryPage>> {
        ready(self.page(range, &ask)).boxed()
    }

    fn write<'a>(&'a self, action: &'a Action) -> BoxFuture<'a, Result<Item, Failure>> {
        self.written(std::slice::from_ref(action))
    }

    fn transact<'a>(&'a self, actions: &'a [Action]) -> BoxFuture<'a, Result<(), Failure>> {
        match size::check_transaction(actions) {
            Ok(()) => self.written(actions).map(|done| done.map(drop)).boxed(),
            Err(why) => ready(Err(invalid(why))).boxed(),
        }
    }
}

/// The bounds of the stored keys of all items.
fn all_items() -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    (Bound::Included(vec![ITEMS]), Bound::Excluded(vec![ITEMS + 1]))
}

/// Decodes an item with its key.
fn whole(at: &[u8], value: &[u8]) -> Option<Item> {
    Some(with_key(codec::decode(value)?, key_at(at)?))
}

/// An item with this attribute alone, if it has it.
fn only(value: &[u8], name: &str) -> Option<Item> {
    Some(codec::decode_only(value, name)?.into_iter().map(|value| (name.to_owned(), value)).collect())
}

fn unreadable(operation: &'static str, key: Option<Key>) -> Error {
    Error::internal(operation, format!("the item stored at {key:?} can't be decoded"))
}

fn invalid(why: String) -> Failure {
    Failure::Invalid(why.into())
}

fn of_read(operation: &'static str, error: OrderedError) -> Error {
    match error {
        OrderedError::Unreadable(_) => Error::internal(operation, error),
        _ => Error::unavailable(operation, error),
    }
}

fn of_write(error: OrderedError) -> Failure {
    match error {
        OrderedError::Refused(_) => Failure::Busy(error.into()),
        OrderedError::Unknown(_) => Failure::OutcomeUnknown(error.into()),
        OrderedError::Unreadable(_) => Failure::Invalid(error.into()),
    }
}
