//! What page of which list is asked for.

use crate::filter::Filter;
use crate::item::{Item, text};
use crate::schema::{Key, SK};
use daybook_domain::words::Terms;
use daybook_domain::{AnyId, UserId};

/// What page of which list.
#[derive(Clone, Debug, Default)]
pub struct PageAsk<'a> {
    /// Only those in a state.
    pub state: Option<&'a str>,
    /// Only those of an owner.
    pub owner: Option<UserId>,
    /// Only the children of all of these records.
    pub parents: &'a [AnyId],
    /// Every state there is, where the type doesn't name them; for lists of all records by their date.
    pub states: &'a [String],
    /// The words that find them; then they come in the order of the words.
    pub search: Option<&'a Terms>,
    /// The conditions that all of them meet besides.
    pub filters: Vec<Filter>,
    /// The fields to show; all of them where there are none.
    pub fields: &'a [String],
    /// Whether to count all records of the list.
    pub with_total: bool,
    /// What they are ordered by.
    pub order: Order,
    /// The first first, rather than the last.
    pub ascending: bool,
    /// The most records.
    pub limit: usize,
    /// So many bytes of JSON went into the same answer before; a page that has as much as an answer may have ends,
    /// after one record at least.
    pub bytes_before: usize,
    /// Whether what is in the trash is listed, rather than what is live.
    pub trashed: bool,
    /// Where the page before ended.
    pub cursor: Option<&'a str>,
}

/// What a list is ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The date of the index that answers it; when they were made, where none does.
    #[default]
    Usual,
    /// When they were made.
    Made,
    /// The type's date.
    Date,
}

/// The child that a link leads to.
pub(crate) fn child_of(link: &Item) -> Option<AnyId> {
    child_in(text(link, SK)?)
}

/// The child that the link of a key leads to.
pub(crate) fn child_at(link: &Key) -> Option<AnyId> {
    child_in(&link.sk)
}

fn child_in(sk: &str) -> Option<AnyId> {
    sk.rsplit_once('#')?.1.parse().ok()
}
