//! What makes a type a record: the things that change only by commit, with a journal entry.

use crate::event::{Change, Event};
use crate::field::Fields;
use crate::permission::Resource;
use crate::words::Words;
use crate::{AnyId, Edit, EmailAddress, Error, FormId, NamedId, Phone, RecordType, Stamp, Timestamp, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::time::Duration;

/// How long a record stays in the trash.
pub const TRASH: Duration = Duration::from_secs(30 * 86_400);

/// A type of record. It declares what is derived from it; commit writes that as differences between
/// the old and the new version, so no handler names a claim, a word or a link.
pub trait Record:
    Fields + Serialize + DeserializeOwned + utoipa::ToSchema + Clone + PartialEq + Send + Sync + 'static
{
    /// The type, and so the keys.
    const TYPE: RecordType;

    /// Its ids.
    type Id: NamedId + Into<AnyId>;

    /// What making or changing one depends on, besides its fields.
    type Context: Clone + Send + Sync;

    /// The number of the form in which it is stored. Only a changed meaning raises it: fields, words and types may be
    /// added without.
    const FORM: u32 = 1;

    /// Turns fields that were stored in an older form, all of a record's or some of them, into the form that follows it.
    fn upgrade(form: u32, fields: &mut Map<String, Value>) {
        let _ = (form, fields);
    }

    /// Whether lists of it can be searched by its words.
    const SEARCHED: bool = false;

    /// The field that lists by state ask for, with its values; none where an organisation names its own.
    const STATE: Option<(&'static str, &'static [&'static str])> = None;

    /// The field that lists by owner ask for.
    const OWNER: Option<&'static str> = None;

    /// The fields by which lists ask for the children of a record.
    const PARENTS: &'static [&'static str] = &[];

    /// The field of the date that lists by state and by owner are ordered by, where that isn't when records were made.
    const DATE: Option<&'static str> = None;

    /// What permissions call it.
    const RESOURCE: Resource;

    /// The types of record that take one along when they are removed: of those it belongs to, see `cascade_parents`.
    const CASCADES_FROM: &'static [RecordType] = &[];

    /// Whether it may be a person's data.
    const PERSONAL: Personal = Personal::No;

    /// Whether the timelines of the records it belongs to show that one was made.
    const ON_TIMELINES: OnTimelines = OnTimelines::No;

    /// Whether changes of it can be undone. Not where something was sent, shown or written that can't be taken back.
    const UNDONE: bool = true;

    /// Fields that stay as they are, whatever is undone.
    const KEPT: &'static [&'static str] = &["id", "version", "created_at", "updated_at"];

    /// Fields whose values the journal doesn't keep, but for their names: what is long, or is to be forgotten.
    const UNJOURNALED: &'static [&'static str] = &[];

    /// A record of the type, as JSON, for tests: without the fields that all have, with `{id}` for the last part of ids and
    /// `{at}` for a moment.
    const SAMPLE: &'static str;

    /// Whether every organisation has one from the start, under the UUID of its own id, before one is stored.
    const FROM_START: bool = false;

    /// The id.
    fn id(&self) -> AnyId;

    /// The version, 1 when new, one more with each change.
    fn version(&self) -> u64;

    /// Sets the version and the moment of the change.
    fn revise(&mut self, version: u64, at: Timestamp);

    /// This version as the one that follows another.
    fn following(mut self, before: &Self, at: Timestamp) -> Self {
        self.revise(before.version() + 1, at);
        self
    }

    /// What a new one has in the fields that whoever makes it leaves out, where that isn't nothing.
    fn defaults(by: &Stamp, context: &Self::Context) -> Map<String, Value> {
        let _ = context;
        <Self as Fields>::defaults(by)
    }

    /// Brings fields that somebody gives in another form into the one that records have.
    fn as_kept(fields: &mut Map<String, Value>, before: Option<&Self>) -> Result<(), Error> {
        let _ = (fields, before);
        Ok(())
    }

    /// The record as it is to be, with what follows from the fields that were given; or the rule that they break.
    /// Whatever makes or changes one goes through it, but for what signing in proves.
    fn settle(edit: Edit<'_, Self>, context: &Self::Context) -> Result<Self, Error> {
        let _ = context;
        Ok(edit.wanted)
    }

    /// Its phone number, where it has one.
    fn phone(&self) -> Option<&Phone> {
        None
    }

    /// The form that it came through, whose country says what its phone number means.
    fn form(&self) -> Option<FormId> {
        None
    }

    /// Sets what its phone number is in E.164.
    fn set_e164(&mut self, number: Option<String>) {
        let _ = number;
    }

    /// The record as it comes back from the trash.
    fn back(&self) -> Self {
        self.clone()
    }

    /// How a change of it is announced.
    fn event(change: Change<'_, Self>) -> Event;

    /// What else a change of it is announced as, each by an entry of its own beside that of the change.
    fn also(change: Change<'_, Self>) -> Vec<Event> {
        let _ = change;
        Vec::new()
    }

    /// The date by which lists by state and by owner are ordered.
    fn date(&self) -> Timestamp;

    /// The values nobody else of this type may hold.
    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    /// The words that find it.
    fn words(&self) -> Words {
        Words::default()
    }

    /// The address of the person it is about, in the form in which addresses are compared.
    fn person(&self) -> Option<String> {
        None
    }

    /// The records it belongs to: each lists it, and must exist when it is made.
    fn parents(&self) -> Vec<AnyId> {
        Vec::new()
    }

    /// Those of the records it belongs to that take it along when they are removed.
    fn cascade_parents(&self) -> Vec<AnyId> {
        self.parents().into_iter().filter(|parent| Self::CASCADES_FROM.contains(&parent.kind)).collect()
    }

    /// The records whose person it is about, too.
    fn about(&self) -> Vec<AnyId> {
        self.parents()
    }

    /// When something is to be done about it.
    fn alarms(&self) -> Vec<Timestamp> {
        Vec::new()
    }

    /// The other records its fields name. Each must exist when it is set.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// Who it is assigned to.
    fn owner(&self) -> Option<UserId> {
        None
    }

    /// Its status or stage.
    fn state(&self) -> Option<&str> {
        None
    }
}

/// Whether timelines show records of a type; the text says what one tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimelines {
    /// They don't.
    No,
    /// To everybody who sees the timeline.
    WithParent(&'static str),
    /// To everybody who may read them besides.
    Permitted(&'static str),
}

/// Whether records of a type may be a person's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personal {
    /// They are about nobody in particular.
    No,
    /// They are where they say whose they are, or belong to something that is.
    Yes,
    /// They are, and no two of the organisation have the same address.
    Unique(ClaimKind),
}

/// A record of a type as its sample says, with ids made of the stamp's: samples of one stamp belong to each other.
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

/// The methods of [`Record`] that are the same for every type with the usual four fields.
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

/// The methods of [`Record`] about a phone number, of types with the fields `phone` and `phone_e164`.
#[macro_export]
macro_rules! record_phone {
    () => {
        fn phone(&self) -> Option<&$crate::Phone> {
            self.phone.as_ref()
        }

        fn set_e164(&mut self, number: Option<String>) {
            self.phone_e164 = number;
        }
    };
}

/// The events of a type whose changes have one name each.
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

/// A record that a field of another one names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The record named.
    pub id: AnyId,
    /// The field, as a JSON pointer.
    pub pointer: &'static str,
}

impl Reference {
    /// The records that fields name, of those that are set.
    pub fn list(fields: &[(Option<AnyId>, &'static str)]) -> Vec<Reference> {
        fields.iter().filter_map(|&(id, pointer)| Some(Reference { id: id?, pointer })).collect()
    }
}

/// A value that one record holds and no other may.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// What is unique.
    pub kind: ClaimKind,
    /// The value, in the form in which values are compared.
    pub value: String,
}

/// What is unique, and within which bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClaimKind {
    /// An e-mail address; unique among the records of the type in an organisation.
    Email,
    /// A name; unique among the records of the type in an organisation.
    Name,
    /// The key of a stage; unique among the pipelines of an organisation.
    Stage,
    /// An e-mail address or user name to sign in with; unique in the whole deployment.
    Login,
    /// A form; looked up before the organisation is known.
    Form,
    /// An organisation; the list of all of them.
    Organization,
}

impl ClaimKind {
    /// Whether the value is unique in the whole deployment, and so may be another organisation's.
    pub fn is_global(self) -> bool {
        match self {
            ClaimKind::Email | ClaimKind::Name | ClaimKind::Stage => false,
            ClaimKind::Login | ClaimKind::Form | ClaimKind::Organization => true,
        }
    }
}

impl Claim {
    /// That an address is one record's.
    pub fn of_address(address: &EmailAddress) -> Claim {
        Claim { kind: ClaimKind::Email, value: address.normalized() }
    }

    /// The field a client knows this value by.
    pub fn field(&self) -> &'static str {
        match self.kind {
            ClaimKind::Email => "email",
            ClaimKind::Name => "name",
            ClaimKind::Stage => "stages",
            ClaimKind::Login if self.value.contains('@') => "email",
            ClaimKind::Login => "username",
            ClaimKind::Form | ClaimKind::Organization => "id",
        }
    }
}
