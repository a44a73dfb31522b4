//! Ids of records, sessions and journal entries: a type prefix and a UUIDv7, so that ids of one type sort by time.
//!
//! Written as [TypeID](https://github.com/jetify-com/typeid): `lead_01jd…`, 26 characters of
//! Crockford base 32 after the prefix.

use crate::error::Thing;
use crate::record::Record as _;
use crate::{Locale, Rule, Timestamp, Unknown, for_each_record_type, with_record_type};
use mti::prelude::TypeIdSuffix;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The error for a text that isn't an id of the expected type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that begins with {prefix}_")]
pub struct NotAnId {
    /// The expected prefix.
    pub prefix: &'static str,
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, NotAnId> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .and_then(|suffix| TypeIdSuffix::from_str(suffix).ok())
        .map(|suffix| suffix.to_uuid())
        .ok_or(NotAnId { prefix })
}

/// The creation time of a UUIDv7, to the millisecond.
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
            /// The prefix of ids of this type.
            pub const PREFIX: &'static str = $prefix;

            /// The id with this UUIDv7.
            pub const fn new(uuid: Uuid) -> Self {
                $name(uuid)
            }

            /// The UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The time at which the id was created.
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

/// Defines [`RecordType`] and the id types, as the registry lists them.
#[doc(hidden)]
#[macro_export]
macro_rules! define_record_types {
    (;$($(#[$doc:meta])* $kind:ident $name:literal $chinese:literal,
       $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty,
       $($(#[$may_doc:meta])* may $resource:ident $may:literal as $access:ident,)? events { $($events:tt)* };)*) => {
        /// The record types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RecordType {
            $($(#[$doc])* $kind,)*
            /// A type that only a newer version knows: its name, or its id prefix.
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
            /// All known record types.
            pub const ALL: &'static [RecordType] = &[$(RecordType::$kind),*];

            /// Their names.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name in keys, in the journal and in the API.
            pub fn name(self) -> &'static str {
                match self {
                    $(RecordType::$kind => $name,)*
                    RecordType::Unknown(name) => name.as_str(),
                }
            }

            /// The name in texts for users.
            pub fn name_in(self, locale: Locale) -> &'static str {
                let chinese = match self {
                    $(RecordType::$kind => $chinese,)*
                    RecordType::Unknown(_) => "记录",
                };
                let english = match self {
                    RecordType::ApiKey => "API key",
                    other => other.name(),
                };
                locale.pick(english, chinese)
            }

            /// The type with this name, if known.
            pub fn named(name: &str) -> Option<RecordType> {
                match name { $($name => Some(RecordType::$kind),)* _ => None }
            }

            /// The prefix of ids of this type.
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
    /// A run: one answer that is being generated.
    RunId "run";
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An id that can be a parameter of a path.
pub trait NamedId: FromStr + fmt::Display + utoipa::ToSchema + Copy + Send + Sync {
    /// The kind of thing that it identifies.
    const OF: Thing;
}

impl NamedId for SessionId {
    const OF: Thing = Thing::Session;
}

impl NamedId for EntryId {
    const OF: Thing = Thing::Entry;
}

impl NamedId for RunId {
    const OF: Thing = Thing::Run;
}

impl AiSettingsId {
    /// The id of an organisation's AI settings.
    pub fn of(org: OrgId) -> AiSettingsId {
        AiSettingsId(org.0)
    }
}

impl RunId {
    /// The run whose request is journaled under this message: the question, or else the answer.
    pub fn of_message(id: ChatMessageId) -> RunId {
        RunId(id.0)
    }
}

impl FormId {
    /// The id of an organisation's default form.
    pub fn default_of(org: OrgId) -> FormId {
        FormId(org.0)
    }
}

impl PipelineId {
    /// The id of an organisation's default pipeline.
    pub fn default_of(org: OrgId) -> PipelineId {
        PipelineId(org.0)
    }
}

impl AnyId {
    /// Whether it is the id of a record that every organisation has by default, even if it isn't stored yet.
    pub fn is_from_start(self, org: OrgId) -> bool {
        self.uuid == org.0 && with_record_type!(self.kind, T => T::FROM_START).unwrap_or_default()
    }
}

impl RecordType {
    /// Whether deleting a record of this type cascades to other records.
    pub fn has_family(self) -> bool {
        let mut any = false;
        for_each_record_type!(T => any |= T::CASCADES_FROM.contains(&self));
        any
    }

    /// The types of records that deleting a record of this type cascades to.
    pub fn family(self) -> Vec<RecordType> {
        let mut family = Vec::new();
        for_each_record_type!(T => if T::CASCADES_FROM.contains(&self) {
            family.push(T::TYPE);
        });
        family
    }
}

impl EntryId {
    /// The smallest id of an entry made at this time or later.
    pub fn first_at(at: Timestamp) -> EntryId {
        let millis = at.as_millisecond().max(0) as u64;
        EntryId(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }
}

impl EntryId {
    /// The greatest id of an entry made at this time.
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
    /// The lead id in the response to a submission.
    ///
    /// A lead has the same UUID as the submission that created it. The response to a submission that is held, or of a known
    /// person, has an id of the same form, from which the submission can be found.
    pub fn of_submission(submission: SubmissionId) -> LeadId {
        LeadId(submission.0)
    }

    /// The submission in whose response this id was given.
    pub fn submission(self) -> SubmissionId {
        SubmissionId(self.0)
    }
}

impl DemoId {
    /// The id of the demonstration that a submission requests; known before the demonstration is created.
    pub fn of_submission(submission: SubmissionId) -> DemoId {
        DemoId(submission.0)
    }
}

/// The id of a record of any type, with the type given by the prefix.
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

    /// The smallest id of a record made at this time or later.
    pub fn first_at(kind: RecordType, at: Timestamp) -> AnyId {
        AnyId { kind, uuid: EntryId::first_at(at).uuid() }
    }

    /// The UUID.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// The time at which the id was created.
    pub fn time(self) -> Timestamp {
        time_of(self.uuid)
    }
}

impl AnyId {
    /// Parses an id whose prefix only a newer version knows.
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
        let known = |text: &str| text.parse().map_err(|_: NotAnId| Rule::Id { prefix: String::new() });
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
