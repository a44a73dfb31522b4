//! The trait of record types: versioned things that are changed only by a commit with a journal entry.

use crate::event::{Change, Event};
use crate::field::Fields;
use crate::permission::{Action, Resource};
use crate::words::Words;
use crate::{AnyId, Edit, EmailAddress, Error, FormId, NamedId, Phone, RecordType, Stamp, Timestamp, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::time::Duration;

/// How long a record stays in the trash: 30 days.
pub const TRASH: Duration = Duration::from_secs(30 * 86_400);

/// A record type. It declares what is derived from a record, such as unique claims, search words and links; commit writes
/// these as the difference between the old and the new version, so handlers don't deal with them.
pub trait Record:
    Fields + Serialize + DeserializeOwned + utoipa::ToSchema + Clone + PartialEq + Send + Sync + 'static
{
    /// The type, which also determines the keys.
    const TYPE: RecordType;

    /// The type of its ids.
    type Id: NamedId + Into<AnyId>;

    /// The data besides its fields that creating or updating a record depends on.
    type Context: Clone + Send + Sync;

    /// The version of the stored schema. Raised only if the meaning of stored fields changes, not if fields, enumeration
    /// values or types are added.
    const FORM: u32 = 1;

    /// Upgrades stored fields, all of a record's or some of them, from one schema version to the next.
    fn upgrade(form: u32, fields: &mut Map<String, Value>) {
        let _ = (form, fields);
    }

    /// Whether lists of the type support full-text search.
    const SEARCHED: bool = false;

    /// The field that lists can be filtered by as state, with its values; no values if each organisation defines its own.
    const STATE: Option<(&'static str, &'static [&'static str])> = None;

    /// The field that lists can be filtered by as owner.
    const OWNER: Option<&'static str> = None;

    /// The fields that lists can be filtered by as parent.
    const PARENTS: &'static [&'static str] = &[];

    /// The field of the date that lists by state and by owner are sorted by, if it isn't the time of creation.
    const DATE: Option<&'static str> = None;

    /// The resource of the permissions for it.
    const RESOURCE: Resource;

    /// The types of parents whose deletion cascades to the record, see `cascade_parents`.
    const CASCADES_FROM: &'static [RecordType] = &[];

    /// The types of parents whose scope a record without an owner is in, see `scope_parents`.
    const IN_SCOPE_OF: &'static [RecordType] = &[];

    /// The permission that reading a record needs.
    const READING: (Resource, Action) = (Self::RESOURCE, Action::Read);

    /// Whether the records may be personal data.
    const PERSONAL: Personal = Personal::No;

    /// Whether the creation of a record is shown on the timelines of its parents.
    const ON_TIMELINES: OnTimelines = OnTimelines::No;

    /// Whether changes can be undone. Not if they send, show or write something that can't be taken back.
    const UNDONE: bool = true;

    /// Fields that an undo doesn't change.
    const KEPT: &'static [&'static str] = &["id", "version", "created_at", "updated_at"];

    /// Fields of which the journal keeps only the names, since their values are long or have to be erasable.
    const UNJOURNALED: &'static [&'static str] = &[];

    /// A sample record as JSON, for tests: without the fields that all records have, with `{id}` for the suffix of ids and
    /// `{at}` for a time.
    const SAMPLE: &'static str;

    /// Whether each organisation's live records of the type are counted, in the transactions that change their number. For
    /// types whose records aren't created by many requests at once.
    const COUNTED: bool = false;

    /// Whether every organisation has a default record of the type, with the organisation's UUID, before one is stored.
    const FROM_START: bool = false;

    /// The id.
    fn id(&self) -> AnyId;

    /// The version: 1 when created, incremented by each change.
    fn version(&self) -> u64;

    /// Sets the version and the time of the change.
    fn revise(&mut self, version: u64, at: Timestamp);

    /// This record with the version number after another one's.
    fn following(mut self, before: &Self, at: Timestamp) -> Self {
        self.revise(before.version() + 1, at);
        self
    }

    /// The default values of a new record, for fields that the client leaves out.
    fn defaults(by: &Stamp, context: &Self::Context) -> Map<String, Value> {
        let _ = context;
        <Self as Fields>::defaults(by)
    }

    /// Converts fields that a client gives in an alternative format into the stored format.
    fn as_kept(fields: &mut Map<String, Value>, before: Option<&Self>) -> Result<(), Error> {
        let _ = (fields, before);
        Ok(())
    }

    /// Validates the requested version and derives fields from those given; or returns the rule that is broken.
    /// Every creation and update passes through it, except what signing in proves.
    fn settle(edit: Edit<'_, Self>, context: &Self::Context) -> Result<Self, Error> {
        let _ = context;
        Ok(edit.wanted)
    }

    /// Its phone number, where it has one.
    fn phone(&self) -> Option<&Phone> {
        None
    }

    /// Texts that may be missing now, but not in the version before: stored as empty, so that it can read them. Each is the
    /// path to a field.
    const ONCE_REQUIRED: &'static [&'static [&'static str]] = &[];

    /// The form it was submitted through, whose country applies to its phone number.
    fn form(&self) -> Option<FormId> {
        None
    }

    /// Sets its phone number in E.164, and the extension.
    fn set_e164(&mut self, number: Option<String>) {
        let _ = number;
    }

    /// The record as it is restored from the trash.
    fn back(&self) -> Self {
        self.clone()
    }

    /// The event that a change is published as.
    fn event(change: Change<'_, Self>) -> Event;

    /// Further events that a change is published as, each with a separate journal entry.
    fn also(change: Change<'_, Self>) -> Vec<Event> {
        let _ = change;
        Vec::new()
    }

    /// The date that lists by state and by owner are sorted by.
    fn date(&self) -> Timestamp;

    /// The values with a unique constraint.
    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    /// The words of the full-text index.
    fn words(&self) -> Words {
        Words::default()
    }

    /// The person that the record is about: the normalised e-mail address, or else the phone number.
    fn person(&self) -> Option<String> {
        None
    }

    /// The record's parents: each lists it as a child, and must exist when it is created.
    fn parents(&self) -> Vec<AnyId> {
        Vec::new()
    }

    /// The parents whose deletion cascades to the record.
    fn cascade_parents(&self) -> Vec<AnyId> {
        self.parents().into_iter().filter(|parent| Self::CASCADES_FROM.contains(&parent.kind)).collect()
    }

    /// The parents whose scope the record is in while it has no owner: a caller who reaches all of them reaches the
    /// record.
    fn scope_parents(&self) -> Vec<AnyId> {
        self.parents().into_iter().filter(|parent| Self::IN_SCOPE_OF.contains(&parent.kind)).collect()
    }

    /// The records about the same person.
    fn about(&self) -> Vec<AnyId> {
        self.parents()
    }

    /// The times at which the record is due, such as for a reminder.
    fn alarms(&self) -> Vec<Timestamp> {
        Vec::new()
    }

    /// The foreign keys: other records that its fields reference. Each must exist when it is set.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// The user it is assigned to.
    fn owner(&self) -> Option<UserId> {
        None
    }

    /// Its status or stage.
    fn state(&self) -> Option<&str> {
        None
    }
}

/// Whether timelines show records of a type to users who may read them, with the text of their entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimelines {
    /// Timelines don't show them.
    No,
    /// Timelines show them.
    Yes(&'static str),
}

/// Whether records of a type may be a person's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personal {
    /// They aren't personal data.
    No,
    /// They are if they have a person's address, or belong to a record that is personal data.
    Yes,
    /// They are, and their address is unique in the organisation.
    Unique(ClaimKind),
}

/// A sample record of a type, with ids derived from the stamp's: samples of the same stamp reference each other.
pub fn sample<T: Record>(stamp: &Stamp) -> serde_json::Result<T> {
    let id = AnyId::new(T::TYPE, stamp.id).to_string();
    let suffix = id.rsplit('_').next().unwrap_or_default();
    let text = T::SAMPLE.replace("{id}", suffix).replace("{at}", &stamp.at.to_string());
    let mut fields: Map<String, Value> = serde_json::from_str(&text)?;
    fields.insert("id".to_owned(), Value::from(id));
    fields.insert("version".to_owned(), Value::from(1));
    for name in ["created_at", "updated_at"] {
        fields.insert(name.to_owned(), Value::from(stamp.at.to_string()));
    }
    serde_json::from_value(Value::Object(fields))
}

/// Implements the methods of [`Record`] for the four fields that all types have: id, version and the two times.
#[macro_export]
macro_rules! record_head {
    () => {
        $crate::record_head!(undated);

        fn date(&self) -> $crate::Timestamp {
            self.created_at
        }
    };
    (undated) => {
        fn id(&self) -> $crate::AnyId {
            self.id.into()
        }

        fn version(&self) -> u64 {
            self.version
        }

        fn revise(&mut self, version: u64, at: $crate::Timestamp) {
            self.version = version;
            self.updated_at = at;
        }
    };
}

/// Implements the methods of [`Record`] about phone numbers, for types with the fields `phone`, `phone_e164` and
/// `phone_extension`.
#[macro_export]
macro_rules! record_phone {
    () => {
        fn phone(&self) -> Option<&$crate::Phone> {
            self.phone.as_ref()
        }

        fn set_e164(&mut self, number: Option<String>) {
            self.phone_e164 = number;
            self.phone_extension = self.phone.as_ref().and_then($crate::Phone::extension);
        }
    };
}

/// Implements `Record::event` for a type with one event per kind of change.
#[macro_export]
macro_rules! record_events {
    ($create:ident, $update:ident, $delete:ident, $restore:ident) => {
        fn event(change: $crate::Change<'_, Self>) -> $crate::Event {
            match change {
                $crate::Change::Create(_) => $crate::Event::$create,
                $crate::Change::Update(..) => $crate::Event::$update,
                $crate::Change::Delete(_) => $crate::Event::$delete,
                $crate::Change::Restore(_) => $crate::Event::$restore,
            }
        }
    };
}

/// A foreign key: a record that a field of another record references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The referenced record.
    pub id: AnyId,
    /// The field, as a JSON pointer.
    pub pointer: &'static str,
}

impl Reference {
    /// The references of those fields that are set.
    pub fn list(fields: &[(Option<AnyId>, &'static str)]) -> Vec<Reference> {
        fields.iter().filter_map(|&(id, pointer)| Some(Reference { id: id?, pointer })).collect()
    }
}

/// A unique constraint: a value that only one record may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The kind of value.
    pub kind: ClaimKind,
    /// The normalised value.
    pub value: String,
}

/// The kinds of unique values, and within which bounds they are unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClaimKind {
    /// An e-mail address; unique among the records of the type in an organisation.
    Email,
    /// The phone number of a person without an e-mail address; unique among the records of the type in an organisation.
    Phone,
    /// A name; unique among the records of the type in an organisation.
    Name,
    /// The key of a stage; unique among the pipelines of an organisation.
    Stage,
    /// An e-mail address or user name to sign in with; unique in the whole deployment.
    Login,
    /// A form's id; looked up to find the organisation.
    Form,
    /// An organisation's id; these claims are the list of all organisations.
    Organization,
}

impl ClaimKind {
    /// Whether the value is unique in the whole deployment, so that another organisation may have it.
    pub fn is_global(self) -> bool {
        match self {
            ClaimKind::Email | ClaimKind::Phone | ClaimKind::Name | ClaimKind::Stage => false,
            ClaimKind::Login | ClaimKind::Form | ClaimKind::Organization => true,
        }
    }
}

impl Claim {
    /// The unique constraint for an e-mail address.
    pub fn of_address(address: &EmailAddress) -> Claim {
        Claim { kind: ClaimKind::Email, value: address.normalized() }
    }

    /// The unique constraint for a phone number, in the form in which numbers are compared.
    pub fn of_number(number: &str) -> Claim {
        Claim { kind: ClaimKind::Phone, value: number.to_owned() }
    }

    /// The API field of the value.
    pub fn field(&self) -> &'static str {
        match self.kind {
            ClaimKind::Email => "email",
            ClaimKind::Phone => "phone",
            ClaimKind::Name => "name",
            ClaimKind::Stage => "stages",
            ClaimKind::Login if self.value.contains('@') => "email",
            ClaimKind::Login => "username",
            ClaimKind::Form | ClaimKind::Organization => "id",
        }
    }
}
