//! Lists, page by page, with cursors that only their own list takes.

use crate::cx::{data_bytes, record_of};
use crate::filter::Filter;
use crate::json::{bytes_of, object_of};
use crate::keyring::Purpose;
use crate::plan::RECORD_BYTES;
use crate::schema::{DATA, Index, Place, Question, by_date};
use crate::table::{Item, MOST_ASKED, QueryAsk, attribute, key_item};
use crate::{Cx, Reach, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::words::Terms;
use daybook_domain::{Actor, AnyId, Error as Domain, Record, Rule, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// After so many bytes of records a request looks no further.
const MOST_EXAMINED: usize = 4 << 20;

/// The most bytes of JSON on one page: a Lambda answer has 6 MB at most.
pub(crate) const PAGE_BYTES: usize = 4 << 20;

/// Which records of a type to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing<'a> {
    /// All of them.
    All,
    /// Those in a state.
    InState(&'a str),
    /// Those of an owner.
    OwnedBy(UserId),
}

/// What page of which list.
#[derive(Clone, Debug)]
pub struct PageAsk<'a> {
    /// Which records.
    pub listing: Listing<'a>,
    /// The words that find them; then they come in the order of the words.
    pub search: Option<&'a Terms>,
    /// The conditions that all of them meet besides.
    pub filters: Vec<Filter>,
    /// The fields to show; all of them where there are none.
    pub fields: &'a [String],
    /// Whether to count all records of the list.
    pub with_total: bool,
    /// The oldest first, rather than the newest.
    pub ascending: bool,
    /// The most records.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<&'a str>,
}

/// A page of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The records.
    pub items: Vec<T>,
    /// The most records it could have had.
    pub limit: usize,
    /// Where the next page begins, if there may be one.
    pub next_cursor: Option<String>,
    /// The fields to show; all of them where there are none.
    #[serde(default)]
    pub fields: Vec<String>,
    /// How many records the list has, where that was asked for.
    #[serde(default)]
    pub total: Option<Total>,
}

/// How many records a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Total {
    /// So many.
    Exactly(usize),
    /// More than so many; nobody counts on.
    Over(usize),
}

/// How far the records of a list are counted.
const MOST_COUNTED: usize = 10_000;

impl<T> Page<T> {
    /// A page of these records.
    pub fn of(items: Vec<T>, limit: usize, next_cursor: Option<String>) -> Page<T> {
        Page { items, limit, next_cursor, fields: Vec::new(), total: None }
    }
}

impl Cx {
    /// A page of records that the actor may reach, ordered by the type's date.
    ///
    /// Conditions that no index answers are tried on some 4 MB a request, so a page may be short, or
    /// empty, and still have a cursor.
    pub async fn list<T: Record>(&self, ask: &PageAsk<'_>) -> Result<Page<T>> {
        let mut page = match ask.search {
            Some(terms) => self.search(terms, ask).await?,
            None => self.listed(ask).await?,
        };
        page.fields = ask.fields.to_vec();
        if ask.with_total {
            let counted = self.env.table.count(&self.question::<T>(ask).range(), MOST_COUNTED + 1).await?;
            page.total = Some(match counted {
                n if n > MOST_COUNTED => Total::Over(MOST_COUNTED),
                n => Total::Exactly(n),
            });
        }
        Ok(page)
    }

    /// Whether an index alone answers a list, so that its records can be counted.
    pub fn counts(&self, ask: &PageAsk<'_>) -> bool {
        ask.search.is_none() && ask.filters.is_empty() && self.reach == Reach::All
    }

    fn question<'a, T: Record>(&self, ask: &PageAsk<'a>) -> Question<'a> {
        match ask.listing {
            Listing::All => Question::Records(self.org, T::TYPE),
            Listing::InState(state) => Question::InState(self.org, T::TYPE, state),
            Listing::OwnedBy(owner) => Question::OwnedBy(self.org, T::TYPE, owner),
        }
    }

    async fn listed<T: Record>(&self, ask: &PageAsk<'_>) -> Result<Page<T>> {
        let binding = format!("{}|{}|{:?}|{:?}|{}", self.org, T::TYPE, ask.listing, ask.filters, ask.ascending);
        let range = self.question::<T>(ask).range();
        let mut after = match ask.cursor {
            Some(cursor) => Some(self.place_of(cursor, &binding, range.index, &range.pk)?),
            None => None,
        };
        let plain = ask.filters.is_empty() && self.reach == Reach::All;
        let may_outgrow = ask.limit * RECORD_BYTES > PAGE_BYTES;
        let mut items: Vec<T> = Vec::new();
        let (mut bytes, mut examined) = (0, 0);
        while examined < MOST_EXAMINED {
            let limit = match plain {
                true => (ask.limit - items.len()) as i32 + 1,
                false => MOST_ASKED,
            };
            let ask_for =
                QueryAsk { limit: Some(limit), after: after.take(), descending: !ask.ascending, only: Some(DATA) };
            let page = self.env.table.query(&range, ask_for).await?;
            examined += page.items.iter().map(data_bytes).sum::<usize>();
            for item in page.items {
                let record: T = record_of(&item)?;
                let full = items.len() == ask.limit || bytes > PAGE_BYTES;
                if full {
                    let end = items.last().map(|last| self.cursor_at(last, &binding));
                    return Ok(Page::of(items, ask.limit, end));
                }
                if self.reaches(record.owner()) && meets(&record, &ask.filters)? {
                    if may_outgrow {
                        bytes += bytes_of(&record)?;
                    }
                    items.push(record);
                }
            }
            if page.more.is_none() {
                return Ok(Page::of(items, ask.limit, None));
            }
            after = page.more;
        }
        // Out of what one request may look at: the next one goes on behind the last item seen.
        let end = after.and_then(|key| self.cursor_behind(&key, &binding));
        Ok(Page::of(items, ask.limit, end))
    }

    /// The children of a record, of one type, oldest first.
    pub async fn children(&self, parent: impl Into<AnyId>, of: daybook_domain::RecordType) -> Result<Vec<AnyId>> {
        let items = self.env.table.query_all(&Question::Children(self.org, parent.into(), of).range()).await?;
        let id = |item: &Item| item.get("sk")?.as_s().ok()?.rsplit_once('#')?.1.parse().ok();
        Ok(items.iter().filter_map(id).collect())
    }

    fn cursor_at<T: Record>(&self, record: &T, binding: &str) -> String {
        self.seal(record.date(), record.id(), binding)
    }

    fn cursor_behind(&self, key: &Item, binding: &str) -> Option<String> {
        let text = |name: &str| key.get(name).and_then(|value| value.as_s().ok());
        let id: AnyId = text(crate::schema::SK)?.parse().ok()?;
        let sorted = Index::ALL.into_iter().find_map(|index| text(index.sk()));
        let date = match sorted.and_then(|sorted| sorted.split_once('#')) {
            Some((date, _)) => date.parse().ok()?,
            None => Timestamp::UNIX_EPOCH,
        };
        Some(self.seal(date, id, binding))
    }

    fn seal(&self, date: Timestamp, id: AnyId, binding: &str) -> String {
        self.seal_place(&format!("{date}|{id}"), binding)
    }

    fn place_of(&self, cursor: &str, binding: &str, index: Option<Index>, pk: &str) -> Result<Item> {
        let place = self.open_place(cursor, binding)?;
        let read = || -> Option<(Timestamp, AnyId)> {
            let (date, id) = place.split_once('|')?;
            Some((date.parse().ok()?, id.parse().ok()?))
        };
        let (date, id) = read().ok_or_else(|| Domain::query("cursor", Rule::Cursor))?;
        Ok(key_at(index, pk, date, id, self))
    }

    /// A cursor: a place in a list, signed for this list and whoever asks.
    pub fn seal_place(&self, place: &str, binding: &str) -> String {
        let signature = self.sign(Purpose::Cursor, format!("{place}|{binding}|{}", actor_part(&self.actor)).as_bytes());
        URL_SAFE_NO_PAD.encode(format!("{place}|{signature}"))
    }

    /// The place in a cursor, if it is one of ours for this list.
    pub fn open_place(&self, cursor: &str, binding: &str) -> Result<String> {
        let open = || -> Option<String> {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
            let (place, signature) = text.rsplit_once('|')?;
            let message = format!("{place}|{binding}|{}", actor_part(&self.actor));
            let genuine = self.env.keys.verify(Purpose::Cursor, message.as_bytes(), signature);
            genuine.then(|| place.to_owned())
        };
        open().ok_or_else(|| Domain::query("cursor", Rule::Cursor).into())
    }
}

/// Whether a record meets all conditions; where there are none, it isn't looked at.
pub(crate) fn meets<T: Record>(record: &T, filters: &[Filter]) -> Result<bool> {
    if filters.is_empty() {
        return Ok(true);
    }
    let json = Value::Object(object_of(record)?);
    Ok(filters.iter().all(|filter| filter.matches(&json)))
}

/// A cursor shows where another's list stands, so it is bound to who asked.
fn actor_part(actor: &Actor) -> String {
    actor.id().map(|id| id.to_string()).unwrap_or_default()
}

fn key_at(index: Option<Index>, pk: &str, date: Timestamp, id: AnyId, cx: &Cx) -> Item {
    let mut key = key_item(&Place::Record(cx.org, id).key());
    if let Some(index) = index {
        key.insert(index.pk().to_owned(), attribute(pk));
        key.insert(index.sk().to_owned(), attribute(by_date(date, &id.to_string())));
    }
    key
}
