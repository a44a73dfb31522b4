//! Paged lists of records, with cursors that are valid for their own list only.

use crate::ask::{PageAsk, child_of};
use crate::engine::Part;
use crate::filter::Filter;
use crate::json::object_of;
use crate::merged::{ListPlan, Listed, Merged, Next, Source};
use crate::schema::{Place, Question, SK};
use crate::table::{MOST_ASKED, Position, QueryAsk};
use crate::turn::handled;
use crate::{Cx, Reach, Result};
use daybook_domain::{AnyId, Error as Domain, Record, Rule, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The maximum bytes of JSON on one page; a Lambda response has at most 6 MB.
pub const PAGE_BYTES: usize = 4 << 20;

/// A page of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The records.
    pub items: Vec<T>,
    /// The maximum number of records asked for.
    pub limit: usize,
    /// The cursor of the next page, if there may be one.
    pub next_cursor: Option<String>,
    /// The fields to show; all of them where empty.
    #[serde(default)]
    pub fields: Vec<String>,
    /// The number of records in the list, where that was asked for.
    #[serde(default)]
    pub total: Option<Total>,
}

/// The number of records in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Total {
    /// Exactly this number.
    Exactly(usize),
    /// More than this number; counting stops there.
    Over(usize),
}

/// The number up to which the records of a list are counted.
const MOST_COUNTED: usize = 10_000;

impl<T> Page<T> {
    /// A page of these records.
    pub fn of(items: Vec<T>, limit: usize, next_cursor: Option<String>) -> Page<T> {
        Page { items, limit, next_cursor, fields: Vec::new(), total: None }
    }
}

impl Cx {
    /// A page of records within the actor's scope.
    ///
    /// Lists of all records of a type, or of a record's children, are read from the table and strongly consistent.
    /// Lists by state, owner or date, and all lists of an actor scoped to some owners, are read from an index and
    /// eventually consistent. Conditions that no index answers are checked on some 4 MB per request, so a page may be
    /// short or empty, and still have a cursor.
    pub async fn list<T: Record>(&self, ask: &PageAsk<'_>) -> Result<Page<T>> {
        let mut page = match ask.search {
            Some(terms) => self.search(terms, ask).await?,
            None => self.listed(ask).await?,
        };
        page.fields = ask.fields.to_vec();
        let hidden = ask.with_total && !ask.parents.is_empty() && self.cascades::<T>().await?.holds_any(ask.parents);
        if hidden {
            page.total = Some(Total::Exactly(0));
        } else if ask.with_total {
            let plan = self.plan_list::<T>(ask);
            let mut counted = 0;
            for range in plan.sources.iter().map(Source::range) {
                counted += self.env.table.count(&range, MOST_COUNTED + 1 - counted).await?;
                if counted > MOST_COUNTED {
                    break;
                }
            }
            page.total = Some(match counted {
                n if n > MOST_COUNTED => Total::Over(MOST_COUNTED),
                n => Total::Exactly(n),
            });
        }
        Ok(page)
    }

    /// Whether any record of a type is in one of these states, whatever its owner; eventually consistent.
    pub async fn is_any_in<T: Record>(&self, states: &[&str]) -> Result<bool> {
        for state in states {
            let ask = PageAsk { state: Some(*state), limit: 1, ..PageAsk::default() };
            if !self.unscoped().list::<T>(&ask).await?.items.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether an index alone answers a list, so that its records can be counted.
    pub fn counts<T: Record>(&self, ask: &PageAsk<'_>) -> bool {
        let ListPlan { filters, others, .. } = self.plan_list::<T>(ask);
        ask.search.is_none() && self.reach == Reach::All && filters.is_empty() && others.is_empty()
    }

    async fn listed<T: Record>(&self, ask: &PageAsk<'_>) -> Result<Page<T>> {
        let binding = binding::<T>(self, ask);
        let begin = ask.cursor.map(|cursor| self.place_of(cursor, &binding)).transpose()?;
        let ListPlan { sources, filters, others } = self.plan_list::<T>(ask);
        let cascades = self.cascades::<T>().await?;
        if cascades.holds_any(ask.parents) {
            return Ok(Page::of(Vec::new(), ask.limit, None));
        }
        let plain = filters.is_empty() && others.is_empty() && self.reach == Reach::All && cascades.is_empty();
        let mut items: Vec<T> = Vec::new();
        let mut bytes = ask.bytes_before;
        let mut merged = Merged::<T>::of(self, sources, begin, !ask.ascending);
        let mut last = None;
        loop {
            merged.at_once = if plain { ask.limit - items.len() + 1 } else { MOST_ASKED };
            let Listed { record, reached, bytes: size } = match merged.next().await? {
                Next::Record(listed) => listed,
                Next::End => return Ok(Page::of(items, ask.limit, None)),
                // The next request goes on after the last record read.
                Next::Enough => {
                    let end = merged.reached().or(last).map(|(date, id)| self.seal(date, id, &binding)).transpose()?;
                    return Ok(Page::of(items, ask.limit, end));
                }
            };
            if items.len() == ask.limit || (bytes > PAGE_BYTES && !items.is_empty()) {
                let end = items.last().map(|last| self.seal(last.date(), last.id(), &binding)).transpose()?;
                return Ok(Page::of(items, ask.limit, end));
            }
            last = Some((record.date(), record.id()));
            let is_visible = !cascades.holds_any(&record.cascade_parents());
            if is_visible && reached && is_of(&record, others) && meets(&record, size, &filters).await? {
                bytes += size;
                items.push(record);
            }
        }
    }

    /// The children of a record, of one type, oldest first.
    pub async fn children(&self, parent: impl Into<AnyId>, of: daybook_domain::RecordType) -> Result<Vec<AnyId>> {
        let items = self.env.table.query_all(&Question::Children(self.org, parent.into(), of).range()).await?;
        Ok(items.iter().filter_map(child_of).collect())
    }

    /// The children of a record, of one type, that were made before this one, the newest first: at most `most`, and
    /// whether there may be more.
    pub async fn children_before(&self, parent: AnyId, before: AnyId, most: usize) -> Result<(Vec<AnyId>, bool)> {
        let range = Question::Children(self.org, parent, before.kind).range();
        let after = Some(Position { key: Place::Link(self.org, parent, before).key(), indexed: None });
        let ask = QueryAsk { limit: Some(most), after, descending: true, part: Part::Only(SK) };
        let page = self.env.table.query(&range, ask).await?;
        Ok((page.items.iter().filter_map(child_of).collect(), page.more.is_some()))
    }

    fn seal(&self, date: Timestamp, id: AnyId, binding: &str) -> Result<String> {
        self.cursors().seal(&format!("{date}|{id}"), binding)
    }

    fn place_of(&self, cursor: &str, binding: &str) -> Result<(Timestamp, AnyId)> {
        let place = self.cursors().open(cursor, binding)?;
        let read = || {
            let (date, id) = place.split_once('|')?;
            Some((date.parse().ok()?, id.parse().ok()?))
        };
        read().ok_or_else(|| Domain::query("cursor", Rule::Cursor).into())
    }
}

/// Whether a record of this many bytes meets all conditions; without conditions, it isn't serialised.
pub(crate) async fn meets<T: Record>(record: &T, bytes: usize, filters: &[Filter]) -> Result<bool> {
    if filters.is_empty() {
        return Ok(true);
    }
    handled(bytes + filters.iter().map(|filter| filter.weight(bytes)).sum::<usize>()).await;
    let json = Value::Object(object_of(record)?);
    Ok(filters.iter().all(|filter| filter.matches(&json)))
}

/// Whether a record belongs to all of these parents.
pub(crate) fn is_of<T: Record>(record: &T, parents: &[AnyId]) -> bool {
    parents.is_empty() || {
        let own = record.parents();
        parents.iter().all(|parent| own.contains(parent))
    }
}

/// The parameters of a list that its cursors are bound to.
pub(crate) fn binding<T: Record>(cx: &Cx, ask: &PageAsk<'_>) -> String {
    let PageAsk { state, owner, parents, filters, order, ascending, trashed, .. } = ask;
    let narrowed = format!("{state:?}|{owner:?}|{parents:?}|{filters:?}|{trashed}");
    format!("{}|{}|{narrowed}|{}|{ascending}|{:?}", cx.org, T::TYPE, order.name(), ask.search)
}
