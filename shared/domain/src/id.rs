//! Ids: a prefix that names the type, and a UUIDv7, so that ids of one type sort by time.
//!
//! Written as [TypeID](https://github.com/jetify-com/typeid): `lead_01jd…`, 26 characters of
//! Crockford base 32 after the prefix.

use crate::error::Thing;
use crate::record::Record as _;
use crate::{Rule, Timestamp, Unknown, for_each_record_type, with_record_type};
use mti::prelude::TypeIdSuffix;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that begins with {prefix}_")]
pub struct NotAnId {
    /// What it should have begun with.
    pub prefix: &'static str,
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, NotAnId> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .and_then(|suffix| TypeIdSuffix::from_str(suffix).ok())
        .map(|suffix| suffix.to_uuid())
        .ok_or(NotAnId { prefix })
}

/// The moment a UUIDv7 was made, to the millisecond.
fn time_of(uuid: Uuid) -> Timestamp {
    let millis = (uuid.as_u128() >> 80) as i64;
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What ids of this type begin with.
            pub const PREFIX: &'static str = $prefix;

            /// The id that a fresh UUIDv7 stands for.
            pub const fn new(uuid: Uuid) -> Self {
                $name(uuid)
            }

            /// The UUID inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The moment the id was made.
            pub fn time(self) -> Timestamp {
                time_of(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", Self::PREFIX, TypeIdSuffix::from(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse(Self::PREFIX, text).map($name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(|wrong: NotAnId| {
                    serde::de::Error::custom(Rule::Id { prefix: wrong.prefix.to_owned() })
                })
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$")))
                    .examples([serde_json::json!(concat!($prefix, "_01jd2h6q8e5k9v4m3n7p1r0stw"))])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl $crate::field::FieldType for $name {
            const KIND: $crate::field::FieldKind = $crate::field::FieldKind::Id;
        }
    )*};
}

/// The types of record by name, and their ids, as the registry lists them.
#[doc(hidden)]
#[macro_export]
macro_rules! define_record_types {
    (;$($(#[$doc:meta])* $kind:ident $name:literal, $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty,
       $($(#[$may_doc:meta])* may $resource:ident $may:literal as $access:ident,)? events { $($events:tt)* };)*) => {
        /// The types of record, and with them the first part of their keys.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RecordType {
            $($(#[$doc])* $kind,)*
            /// A type that a newer version knows: by its name, or by what its ids begin with.
            Unknown(Unknown),
        }

        impl utoipa::PartialSchema for RecordType {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::open::one_of(RecordType::NAMES, None)
            }
        }

        impl utoipa::ToSchema for RecordType {}

        impl Serialize for RecordType {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for RecordType {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::open::word(from, RecordType::NAMES, RecordType::named, RecordType::Unknown)
            }
        }

        impl RecordType {
            /// Every type of record that is known.
            pub const ALL: &'static [RecordType] = &[$(RecordType::$kind),*];

            /// Their names.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name in keys, journal and API.
            pub fn name(self) -> &'static str {
                match self {
                    $(RecordType::$kind => $name,)*
                    RecordType::Unknown(name) => name.as_str(),
                }
            }

            /// The type of a name, if it is known.
            pub fn named(name: &str) -> Option<RecordType> {
                match name { $($name => Some(RecordType::$kind),)* _ => None }
            }

            /// What ids of this type begin with.
            pub fn prefix(self) -> &'static str {
                match self {
                    $(RecordType::$kind => $prefix,)*
                    RecordType::Unknown(prefix) => prefix.as_str(),
                }
            }
        }

        ids! { $($(#[$id_doc])* $id $prefix;)* }

        $(
            impl From<$id> for AnyId {
                fn from(id: $id) -> AnyId {
                    AnyId { kind: RecordType::$kind, uuid: id.0 }
                }
            }

            impl NamedId for $id {
                const OF: Thing = Thing::Record(RecordType::$kind);
            }

            impl TryFrom<AnyId> for $id {
                type Error = NotAnId;

                fn try_from(id: AnyId) -> Result<$id, NotAnId> {
                    (id.kind == RecordType::$kind).then_some($id(id.uuid)).ok_or(NotAnId { prefix: $id::PREFIX })
                }
            }
        )*
    };
}

crate::record_types!(define_record_types);

ids! {
    /// A session of a user.
    SessionId "ses";
    /// A journal entry.
    EntryId "aud";
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An id that a path may name.
pub trait NamedId: FromStr + fmt::Display + utoipa::ToSchema + Copy + Send + Sync {
    /// What it is the id of.
    const OF: Thing;
}

impl NamedId for SessionId {
    const OF: Thing = Thing::Session;
}

impl NamedId for EntryId {
    const OF: Thing = Thing::Entry;
}

impl FormId {
    /// The form every organisation has from the start.
    pub fn default_of(org: OrgId) -> FormId {
        FormId(org.0)
    }
}

impl PipelineId {
    /// The pipeline every organisation has from the start.
    pub fn default_of(org: OrgId) -> PipelineId {
        PipelineId(org.0)
    }
}

impl AnyId {
    /// Whether it is the id of a record that an organisation has from the start, before it is stored.
    pub fn is_from_start(self, org: OrgId) -> bool {
        self.uuid == org.0 && with_record_type!(self.kind, T => T::FROM_START).unwrap_or_default()
    }
}

impl RecordType {
    /// Whether records go with one of this type when it is removed.
    pub fn has_family(self) -> bool {
        let mut any = false;
        for_each_record_type!(T => any |= T::CASCADES_FROM.contains(&self));
        any
    }

    /// The types whose records go with one of this type when it is removed.
    pub fn family(self) -> Vec<RecordType> {
        let mut family = Vec::new();
        for_each_record_type!(T => if T::CASCADES_FROM.contains(&self) {
            family.push(T::TYPE);
        });
        family
    }
}

impl EntryId {
    /// The least id that an entry of this moment or later can have.
    pub fn first_at(at: Timestamp) -> EntryId {
        let millis = at.as_millisecond().max(0) as u64;
        EntryId(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }
}

impl EntryId {
    /// The greatest id that an entry of this moment can have.
    pub fn last_at(at: Timestamp) -> EntryId {
        let millis = at.as_millisecond().max(0) as u64;
        EntryId(uuid::Builder::from_unix_timestamp_millis(millis, &[0xff; 10]).into_uuid())
    }

    /// The id just before this one.
    pub fn before(self) -> EntryId {
        EntryId(Uuid::from_u128(self.0.as_u128().saturating_sub(1)))
    }

    /// The id just after this one.
    pub fn after(self) -> EntryId {
        EntryId(Uuid::from_u128(self.0.as_u128().saturating_add(1)))
    }
}

impl LeadId {
    /// The id that the answer to a submission names as its lead.
    ///
    /// A lead shares its UUID with the submission that made it. A repeat of a known person, and a
    /// held submission, answer with an id of the same form, which leads back to the submission.
    pub fn of_submission(submission: SubmissionId) -> LeadId {
        LeadId(submission.0)
    }

    /// The submission this id was given out for.
    pub fn submission(self) -> SubmissionId {
        SubmissionId(self.0)
    }
}

impl DemoId {
    /// The id of the demonstration that a submission asks for; known before it is made.
    pub fn of_submission(submission: SubmissionId) -> DemoId {
        DemoId(submission.0)
    }
}

/// The id of a record of any type; the type is known from the prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AnyId {
    /// The type of the record.
    pub kind: RecordType,
    uuid: Uuid,
}

impl AnyId {
    /// The id of a record of this type.
    pub const fn new(kind: RecordType, uuid: Uuid) -> AnyId {
        AnyId { kind, uuid }
    }

    /// The UUID inside.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// The moment the id was made.
    pub fn time(self) -> Timestamp {
        time_of(self.uuid)
    }
}

impl AnyId {
    /// The id that a text is whose beginning only a newer version knows.
    fn of_newer(text: &str) -> Option<AnyId> {
        let (prefix, suffix) = text.rsplit_once('_')?;
        let uuid = TypeIdSuffix::from_str(suffix).ok()?.to_uuid();
        Some(AnyId { kind: RecordType::Unknown(Unknown::of(prefix)?), uuid })
    }
}

impl fmt::Display for AnyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.kind.prefix(), TypeIdSuffix::from(self.uuid))
    }
}

impl fmt::Debug for AnyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AnyId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<AnyId, NotAnId> {
        RecordType::ALL
            .iter()
            .find_map(|&kind| Some(AnyId { kind, uuid: parse(kind.prefix(), text).ok()? }))
            .ok_or(NotAnId { prefix: "a type" })
    }
}

impl Serialize for AnyId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AnyId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let known = |text: &str| text.parse().map_err(|wrong: NotAnId| Rule::Id { prefix: wrong.prefix.to_owned() });
        crate::open::read(from, known, AnyId::of_newer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_back_and_knows_its_time(millis in 0_u64..4_000_000_000_000, tail: [u8; 10]) {
            let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid();
            let id = LeadId::new(uuid);

            prop_assert_eq!(id.to_string().parse::<LeadId>(), Ok(id));
            prop_assert_eq!(id.to_string().parse::<AnyId>(), Ok(AnyId::from(id)));
            prop_assert_eq!(id.time().as_millisecond(), millis as i64);
        }

        #[test]
        fn any_text_is_an_id_or_refused_without_a_panic(text in "\\PC*") {
            let _ = text.parse::<LeadId>();
            let _ = text.parse::<AnyId>();
        }

        #[test]
        fn ids_sort_by_time(a in 0_u64..4_000_000_000_000, b in 0_u64..4_000_000_000_000) {
            let id = |millis| LeadId::new(uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid());
            prop_assert_eq!(id(a).to_string().cmp(&id(b).to_string()), a.cmp(&b));
        }
    }

    #[test]
    fn an_id_of_another_type_is_refused() {
        let user = UserId::new(Uuid::nil()).to_string();
        assert!(user.parse::<LeadId>().is_err());
    }
}
