//! What the fields of records hold, and what more is to be known of them: said once, where they are declared.

use crate::money::Money;
use crate::{Currency, Day, EmailAddress, Line, Network, Percent, Phone, Prose, Several, Stamp, Timestamp, Zone};
pub use daybook_derive::Fields;
use serde_json::{Map, Value};

/// What a field holds, as far as conditions on it are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A text, or something that is compared as one.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// A moment.
    Time,
    /// A day of the calendar.
    Day,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// The id of a record.
    Id,
    /// Ids of records.
    Ids,
    /// An object that names a record, in its field `id`.
    Named,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
}

/// The type of a field.
pub trait FieldType {
    /// What it holds.
    const KIND: FieldKind;
}

/// The fields of a type of record, by `#[derive(Fields)]` and `#[field(…)]`.
pub trait Fields {
    /// All of them, in their order.
    const FIELDS: &'static [Field];

    /// Fields that a client can't change.
    const READ_ONLY: &'static [&'static str];

    /// Fields that a client sets when it makes one, and not again.
    const FIXED: &'static [&'static str];

    /// Fields that whoever makes one must give.
    const REQUIRED: &'static [&'static str];

    /// Fields that are moments, which may come without an offset: then in `timezone`, else in the organisation's zone. Of
    /// a list, the moment of each entry, `at`.
    const MOMENTS: &'static [&'static str];

    /// Those of them for which a day alone means its end.
    const DEADLINES: &'static [&'static str];

    /// What a new record has in the fields that whoever makes it leaves out, where that isn't nothing.
    fn defaults(by: &Stamp) -> Map<String, Value>;
}

macro_rules! hold {
    ($($kind:ident: $($ty:ty),*;)*) => {
        $($(impl FieldType for $ty {
            const KIND: FieldKind = FieldKind::$kind;
        })*)*
    };
}

hold! {
    Text: String, EmailAddress, Phone, Zone, Currency, Network, Map<String, Value>;
    Number: u8, u16, u32, u64, Percent, Money;
    Flag: bool;
    Time: Timestamp;
    Day: Day;
}

impl<const MAX: usize> FieldType for Line<MAX> {
    const KIND: FieldKind = FieldKind::Text;
}

impl<const MAX: usize> FieldType for Prose<MAX> {
    const KIND: FieldKind = FieldKind::Text;
}

impl<T: FieldType> FieldType for Option<T> {
    const KIND: FieldKind = T::KIND;
}

impl<T: FieldType> FieldType for Vec<T> {
    const KIND: FieldKind = of_list(T::KIND);
}

impl<T: FieldType, const MOST: usize> FieldType for Several<T, MOST> {
    const KIND: FieldKind = of_list(T::KIND);
}

/// A condition on a list is one on any of its entries, as a text.
const fn of_list(entry: FieldKind) -> FieldKind {
    match entry {
        FieldKind::Id => FieldKind::Ids,
        FieldKind::Text
        | FieldKind::Number
        | FieldKind::Flag
        | FieldKind::Time
        | FieldKind::Day
        | FieldKind::OneOf(_)
        | FieldKind::Ids
        | FieldKind::Named => FieldKind::Text,
    }
}

/// Types of fields that have fields of their own, or are compared as texts.
#[macro_export]
macro_rules! as_text {
    ($($ty:ty),*) => {
        $(impl $crate::field::FieldType for $ty {
            const KIND: $crate::field::FieldKind = $crate::field::FieldKind::Text;
        })*
    };
}
