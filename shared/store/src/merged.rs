//! Sources of a list (table, trash, index or links), and their merge into one ordered list.

use crate::ask::{Order, PageAsk, child_at, child_of};
use crate::cx::{data_bytes, record_of};
use crate::engine::Part;
use crate::filter::{Filter, Op};
use crate::item::expires_after;
use crate::schema::{DATA, Place, Question, Range, SK, by_date};
use crate::table::{Position, QueryAsk};
use crate::{Cx, Reach, Result};
use daybook_domain::{AnyId, Record, Timestamp, UserId};
use futures::future::try_join_all;
use serde_json::Value;
use std::collections::VecDeque;

/// The bytes of records after which a request stops reading.
const MOST_EXAMINED: usize = 4 << 20;

/// The most items that are requested at once from all sources together.
const MOST_AT_ONCE: usize = 1_000;

/// The most children that are read at once: their links are read first, which tell nothing of their size.
const MOST_CHILDREN: usize = 100;

/// The maximum number of owners whose records are read from the index one owner at a time; for more, all records are
/// read.
const MOST_OWNERS: usize = 24;

/// A range of items that records are read from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Records in the table, by id.
    Table(Range),
    /// Records in the trash, by id.
    Trash(Range),
    /// Records in an index, by date.
    Index(Range),
    /// Links to the children of a record, by id.
    Links(AnyId, Range),
}

/// The sources of a list, and the conditions left to check.
#[derive(Debug)]
pub(crate) struct ListPlan<'a> {
    pub sources: Vec<Source>,
    /// The conditions that the sources don't answer.
    pub filters: Vec<Filter>,
    /// The further parents that each record must belong to.
    pub others: &'a [AnyId],
}

impl Source {
    pub fn range(&self) -> Range {
        match self {
            Source::Table(range) | Source::Trash(range) | Source::Index(range) | Source::Links(_, range) => {
                range.clone()
            }
        }
    }

    /// The position after which to go on.
    fn place_of(&self, cx: &Cx, date: Timestamp, id: AnyId) -> Position {
        let key = match self {
            Source::Table(_) | Source::Index(..) => Place::Record(cx.org, id).key(),
            Source::Trash(_) => Place::Trash(cx.org, id).key(),
            Source::Links(parent, _) => Place::Link(cx.org, *parent, id).key(),
        };
        self.range().place(key, || by_date(date, &id.to_string()))
    }
}

impl Cx {
    /// The sources with the least to read: links for the children of a record; the index by owner for one owner, or for
    /// an actor scoped to some owners; the index by state for a state; all records where no index has the order.
    pub(crate) fn plan_list<'a, T: Record>(&self, ask: &PageAsk<'a>) -> ListPlan<'a> {
        let owned = |owner| Source::Index(Question::OwnedBy(self.org, T::TYPE, owner).range());
        let in_state = |state: &str| Source::Index(Question::InState(self.org, T::TYPE, state).range());
        let seen: Option<Vec<Option<UserId>>> = match (&self.reach, ask.owner) {
            (_, Some(owner)) => Some(vec![Some(owner)]),
            (Reach::Owners(owners), None) if T::OWNER.is_some() && owners.len() <= MOST_OWNERS => {
                Some(owners.iter().copied().map(Some).chain([None]).collect())
            }
            _ => None,
        };
        let indexed = T::DATE.is_none() || ask.order != Order::Created;
        let (mut state, mut owner) = (ask.state, ask.owner);
        // No link leads to a record in the trash.
        let (first, others) = ask.parents.split_at(if ask.trashed { 0 } else { ask.parents.len().min(1) });
        let sources = match (first, seen) {
            _ if ask.trashed => vec![Source::Trash(Question::Trashed(self.org, T::TYPE).range())],
            (&[parent, ..], _) => vec![Source::Links(parent, Question::Children(self.org, parent, T::TYPE).range())],
            ([], Some(owners)) if indexed => {
                owner = None;
                owners.into_iter().map(owned).collect()
            }
            ([], _) if indexed && let Some(wanted) = state.take() => vec![in_state(wanted)],
            ([], _) if ask.order == Order::Date && T::DATE.is_some() => {
                let named = T::STATE.map_or(&[][..], |(_, names)| names).iter().copied();
                named.chain(ask.states.iter().map(String::as_str)).map(in_state).collect()
            }
            ([], _) => vec![Source::Table(Question::Records(self.org, T::TYPE).range())],
        };
        let equal = |field: &str, value: Value| Filter::new(field, Op::Eq, value);
        let mut filters = ask.filters.clone();
        filters.extend(T::STATE.zip(state).map(|((field, _), state)| equal(field, Value::from(state))));
        filters.extend(T::OWNER.zip(owner).map(|(field, owner)| equal(field, Value::from(owner.to_string()))));
        ListPlan { sources, filters, others }
    }
}

/// A record, and the bytes of its JSON.
pub(crate) struct Measured<T> {
    pub record: T,
    pub bytes: usize,
}

/// A record of a list.
pub(crate) struct Listed<T> {
    pub record: T,
    /// Whether it is within the actor's scope.
    pub reached: bool,
    /// The bytes of its JSON.
    pub bytes: usize,
}

/// The next element of a list.
pub(crate) enum Next<T> {
    /// A record.
    Record(Listed<T>),
    /// Nothing more.
    End,
    /// There may be more, but the request has read its maximum.
    Enough,
}

/// Several sources as one list, in the order of their keys.
pub(crate) struct Merged<'a, T> {
    cx: &'a Cx,
    heads: Vec<Head<T>>,
    descending: bool,
    examined: usize,
    /// The number of items to request from each source.
    pub at_once: usize,
}

struct Head<T> {
    source: Source,
    /// Records that were read and not returned yet, with their sort keys.
    ready: VecDeque<(String, Listed<T>)>,
    after: Option<Position>,
    over: bool,
}

impl<'a, T: Record> Merged<'a, T> {
    /// The sources from their beginning, or from after a position.
    pub fn of(cx: &'a Cx, sources: Vec<Source>, begin: Option<(Timestamp, AnyId)>, descending: bool) -> Merged<'a, T> {
        let head = |source: Source| Head {
            after: begin.map(|(date, id)| source.place_of(cx, date, id)),
            source,
            ready: VecDeque::new(),
            over: false,
        };
        let heads = sources.into_iter().map(head).collect();
        Merged { cx, heads, descending, examined: 0, at_once: 1 }
    }

    /// The position up to which the children of a record were read, for where the last ones read aren't visible to the
    /// actor.
    pub fn reached(&self) -> Option<(Timestamp, AnyId)> {
        match self.heads.as_slice() {
            [Head { source: Source::Links(..), after: Some(after), .. }] => {
                // Links are ordered by id alone.
                Some((Timestamp::UNIX_EPOCH, child_at(&after.key)?))
            }
            _ => None,
        }
    }

    /// The next record.
    pub async fn next(&mut self) -> Result<Next<T>> {
        while self.heads.iter().any(Head::is_dry) {
            if self.examined >= MOST_EXAMINED {
                return Ok(Next::Enough);
            }
            let at_once = self.at_once.min(MOST_AT_ONCE / self.heads.len());
            let (cx, descending) = (self.cx, self.descending);
            let dry = self.heads.iter_mut().filter(|head| head.is_dry());
            let read = try_join_all(dry.map(|head| head.read(cx, at_once, descending))).await?;
            self.examined += read.into_iter().sum::<usize>();
        }
        let keyed = self.heads.iter_mut().filter(|head| !head.ready.is_empty());
        let first = match self.descending {
            true => keyed.max_by(|a, b| a.key().cmp(&b.key())),
            false => keyed.min_by(|a, b| a.key().cmp(&b.key())),
        };
        Ok(first.and_then(|head| head.ready.pop_front()).map_or(Next::End, |(_, record)| Next::Record(record)))
    }
}

impl<T: Record> Head<T> {
    /// Whether it must be read further before the next record is known.
    fn is_dry(&self) -> bool {
        self.ready.is_empty() && !self.over
    }

    fn key(&self) -> Option<&String> {
        self.ready.front().map(|(key, _)| key)
    }

    /// Reads further; returns the number of bytes read.
    async fn read(&mut self, cx: &Cx, at_once: usize, descending: bool) -> Result<usize> {
        let links = matches!(self.source, Source::Links(..));
        let part = match self.source {
            Source::Links(..) => Part::Only(SK),
            // The expiry is an attribute beside the data.
            Source::Trash(_) => Part::Whole,
            Source::Table(_) | Source::Index(..) => Part::Only(DATA),
        };
        let limit = Some(if links { at_once.min(MOST_CHILDREN) } else { at_once });
        let ask = QueryAsk { limit, after: self.after.take(), descending, part };
        let mut page = cx.env.table.query(&self.source.range(), ask).await?;
        if matches!(self.source, Source::Trash(_)) {
            page.items.retain(|item| expires_after(item, cx.now().as_second()));
        }
        self.over = page.more.is_none();
        self.after = page.more;
        if links {
            let ids: Vec<AnyId> = page.items.iter().filter_map(child_of).collect();
            let mut records = cx.unscoped_records::<T>(ids.iter().copied()).await?;
            let read: Vec<(String, Measured<T>)> =
                ids.iter().filter_map(|id| Some((id.to_string(), records.remove(id)?))).collect();
            // Links to records that are hidden or gone are read, too.
            let bytes = read.iter().map(|(_, record)| record.bytes).sum::<usize>().max(ids.len() * 1024);
            self.add(cx, read).await?;
            return Ok(bytes);
        }
        let bytes = page.items.iter().map(data_bytes).sum();
        let mut read = Vec::with_capacity(page.items.len());
        for item in page.items {
            let bytes = data_bytes(&item);
            let record = record_of::<T>(item)?.into_inner();
            let key = match self.source {
                Source::Index(..) => by_date(record.date(), &record.id().to_string()),
                Source::Table(_) | Source::Trash(_) | Source::Links(..) => record.id().to_string(),
            };
            read.push((key, Measured { record, bytes }));
        }
        self.add(cx, read).await?;
        Ok(bytes)
    }

    /// Adds records that were read.
    async fn add(&mut self, cx: &Cx, read: Vec<(String, Measured<T>)>) -> Result<()> {
        let reached = cx.reached(read.iter().map(|(_, sized)| &sized.record)).await?;
        let listed = |((key, Measured { record, bytes }), reached)| (key, Listed { record, reached, bytes });
        self.ready.extend(read.into_iter().zip(reached).map(listed));
        Ok(())
    }
}
