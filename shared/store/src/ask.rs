//! Parameters of a list request: which records, in what order, and which page.

use crate::filter::Filter;
use crate::item::{Item, text};
use crate::schema::{Key, SK};
use daybook_domain::words::Terms;
use daybook_domain::{AnyId, UserId};

/// The parameters of a list request.
#[derive(Clone, Debug, Default)]
pub struct PageAsk<'a> {
    /// Only records in this state.
    pub state: Option<&'a str>,
    /// Only records of this owner.
    pub owner: Option<UserId>,
    /// Only records that are children of every one of these records.
    pub parents: &'a [AnyId],
    /// All states of the type, where the type doesn't name them; for lists of all records by date.
    pub states: &'a [String],
    /// The search terms; results are then ordered by their matching words.
    pub search: Option<&'a Terms>,
    /// Further conditions that every record must meet.
    pub filters: Vec<Filter>,
    /// The fields to show; all of them where empty.
    pub fields: &'a [String],
    /// Whether to count all records of the list.
    pub with_total: bool,
    /// The order of the records.
    pub order: Order,
    /// Whether the order is ascending.
    pub ascending: bool,
    /// The maximum number of records on the page.
    pub limit: usize,
    /// The bytes of JSON that the same response already holds. The page ends where the response reaches its limit,
    /// after one record at least.
    pub bytes_before: usize,
    /// Whether to list records in the trash rather than live ones.
    pub trashed: bool,
    /// The cursor of the page.
    pub cursor: Option<&'a str>,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The default: by the date of the index that answers the list; by creation where none does.
    #[default]
    Default,
    /// By creation.
    Created,
    /// By the type's date.
    Date,
}

impl Order {
    /// The name that cursors are bound to.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Order::Default => "Usual",
            Order::Created => "Made",
            Order::Date => "Date",
        }
    }
}

/// The child's id in a link item.
pub(crate) fn child_of(link: &Item) -> Option<AnyId> {
    child_in(text(link, SK)?)
}

/// The child's id in the key of a link item.
pub(crate) fn child_at(link: &Key) -> Option<AnyId> {
    child_in(&link.sk)
}

fn child_in(sk: &str) -> Option<AnyId> {
    sk.rsplit_once('#')?.1.parse().ok()
}
