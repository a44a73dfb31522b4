//! Field metadata of record types: name, kind, and flags such as read-only or required, derived from the declaration.

use crate::money::Money;
use crate::{Currency, Day, EmailAddress, Line, Network, Percent, Phone, Prose, Several, Stamp, Timestamp, Zone};
pub use daybook_derive::Fields;
use serde_json::{Map, Value};

/// The kind of a field, by which filter values are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A text, or a value compared as text.
    Text,
    /// An e-mail address; two spellings of an address are equal.
    Address,
    /// A phone number; two spellings of a number are equal.
    Phone,
    /// A number.
    Number,
    /// A boolean.
    Flag,
    /// A point in time.
    Time,
    /// A calendar day.
    Day,
    /// One of these values.
    OneOf(&'static [&'static str]),
    /// The id of a record.
    Id,
    /// Ids of records.
    Ids,
    /// An object that references a record in its field `id`.
    Named,
}

/// A field of a record type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its kind.
    pub kind: FieldKind,
}

/// A Rust type that fields can have.
pub trait FieldType {
    /// Its kind.
    const KIND: FieldKind;
}

/// The field metadata of a record type, implemented by `#[derive(Fields)]` with `#[field(…)]`.
pub trait Fields {
    /// All fields, in the order of declaration.
    const FIELDS: &'static [Field];

    /// Fields that a client can't change.
    const READ_ONLY: &'static [&'static str];

    /// Fields that a client can set only when it creates a record.
    const FIXED: &'static [&'static str];

    /// Fields that a client must give when it creates a record.
    const REQUIRED: &'static [&'static str];

    /// Times that may be given without an offset: then in the zone `timezone`, else in the organisation's zone. For a list,
    /// the time `at` of each entry.
    const MOMENTS: &'static [&'static str];

    /// Those of [`Fields::MOMENTS`] for which a day without a time means the end of the day.
    const DEADLINES: &'static [&'static str];

    /// The default values of a new record, for fields that the client leaves out.
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
    Text: String, Zone, Currency, Network, Map<String, Value>;
    Address: EmailAddress;
    Phone: Phone;
    Number: u8, u16, u32, u64, i64, Percent, Money;
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

/// The kind of a list field: a condition on it applies to any of its entries, compared as text.
const fn of_list(entry: FieldKind) -> FieldKind {
    match entry {
        FieldKind::Id => FieldKind::Ids,
        FieldKind::Text
        | FieldKind::Address
        | FieldKind::Phone
        | FieldKind::Number
        | FieldKind::Flag
        | FieldKind::Time
        | FieldKind::Day
        | FieldKind::OneOf(_)
        | FieldKind::Ids
        | FieldKind::Named => FieldKind::Text,
    }
}

/// Declares types whose fields are of kind `Text`: objects, and values compared as text.
#[macro_export]
macro_rules! as_text {
    ($($ty:ty),*) => {
        $(impl $crate::field::FieldType for $ty {
            const KIND: $crate::field::FieldKind = $crate::field::FieldKind::Text;
        })*
    };
}
