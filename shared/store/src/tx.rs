//! Builder of a transaction: the changes, events and rows of one request, as commit takes them.

use crate::cx::is_cascaded;
use crate::family::Family;
use crate::json::object_of;
use crate::rows::RowWrite;
use crate::{Error, Result};
use daybook_domain::stored::FORM;
use daybook_domain::words::Words;
use daybook_domain::{AnyId, Audit, Change, Claim, EntryId, Event, Record, Reference, Stored, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The changes of one request: all of them are committed, or none.
#[derive(Debug, Default)]
pub struct Tx {
    pub(crate) changes: Vec<Changed>,
    pub(crate) events: Vec<(Event, Audit, AnyId, Map<String, Value>)>,
    pub(crate) rows: Vec<RowWrite>,
    /// Entries whose details are erased, and the record that requests it.
    pub(crate) erased: Option<(AnyId, Vec<EntryId>)>,
    /// Whether the request's query and body are kept out of the journal.
    pub(crate) discreet: bool,
}

impl Tx {
    /// Creates a record.
    pub fn create<T: Record>(record: &T) -> Tx {
        Tx::default().and_create(record)
    }

    /// Replaces a record by its next version.
    pub fn update<T: Record>(before: &Stored<T>, after: &T) -> Tx {
        Tx::default().and_update(before, after)
    }

    /// Also replaces a record.
    #[must_use]
    pub fn and_update<T: Record>(mut self, before: &Stored<T>, after: &T) -> Tx {
        self.changes.push(Changed::of(
            Change::Update::<T>(before, after),
            image_of(before, before),
            image_of(before, after),
        ));
        self
    }

    /// Moves a record to the trash (soft delete).
    pub fn delete<T: Record>(record: &Stored<T>) -> Tx {
        Tx::default().and_delete(record)
    }

    /// Also moves a record to the trash.
    #[must_use]
    pub fn and_delete<T: Record>(mut self, record: &Stored<T>) -> Tx {
        self.changes.push(Changed::of(Change::Delete::<T>(record), image_of(record, record), Ok(None)));
        self
    }

    /// Also moves a dependent to the trash with its parent (cascade delete), unscoped.
    #[must_use]
    pub fn and_cascade<T: Record>(mut self, record: &Stored<T>, with: AnyId) -> Tx {
        self = self.and_delete(record);
        if let Some(change) = self.changes.last_mut() {
            change.deleted_with = Some(with);
        }
        self
    }

    /// The dependents deleted with the record that the last change deletes; refused where a record joined the family
    /// since.
    #[must_use]
    pub fn with_family(mut self, family: Family) -> Tx {
        if let Some(change) = self.changes.last_mut() {
            change.family = Some(family);
        }
        self
    }

    /// Restores a record from the trash, as the version that follows the trashed one.
    pub fn restore<T: Record>(trashed: &Stored<T>, restored: &T) -> Tx {
        Tx::default().and_restore(trashed, restored)
    }

    /// Also restores a record from the trash.
    #[must_use]
    pub fn and_restore<T: Record>(mut self, trashed: &Stored<T>, restored: &T) -> Tx {
        let images = (image_of(trashed, trashed), image_of(trashed, restored));
        self.changes.push(Changed::of(Change::Restore(restored), images.0, images.1));
        self
    }

    /// Journals an event that changes no record.
    pub fn happened(event: Event, audit: Audit, to: impl Into<AnyId>) -> Tx {
        Tx::default().and_happened(event, audit, to)
    }

    /// Also journals an event that changes no record.
    #[must_use]
    pub fn and_happened(mut self, event: Event, audit: Audit, to: impl Into<AnyId>) -> Tx {
        self.events.push((event, audit, to.into(), Map::new()));
        self
    }

    /// Adds a detail to the last event.
    #[must_use]
    pub fn with_detail(mut self, more: Map<String, Value>) -> Tx {
        if let Some((.., detail)) = self.events.last_mut() {
            *detail = more;
        }
        self
    }

    /// Also creates a record.
    #[must_use]
    pub fn and_create<T: Record>(mut self, record: &T) -> Tx {
        self.changes.push(Changed::of(Change::Create(record), Ok(None), new_image(record)));
        self
    }

    /// Gives the last change another action in the audit log than the default.
    #[must_use]
    pub fn called(mut self, audit: Audit) -> Tx {
        if let Some(change) = self.changes.last_mut() {
            change.audit = audit;
        }
        self
    }

    /// Gives all changes another action in the audit log.
    #[must_use]
    pub fn all_called(mut self, audit: Audit) -> Tx {
        for change in &mut self.changes {
            change.audit = audit;
        }
        self
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.events.is_empty() && self.rows.is_empty() && self.erased.is_none()
    }

    /// Merges two transactions into one.
    #[must_use]
    pub fn and(mut self, other: Tx) -> Tx {
        self.changes.extend(other.changes);
        self.events.extend(other.events);
        self.rows.extend(other.rows);
        self.discreet |= other.discreet;
        self
    }

    /// Keeps the request's query and body out of the journal.
    #[must_use]
    pub fn without_request(mut self) -> Tx {
        self.discreet = true;
        self
    }

    /// Permanently deletes a record with everything derived from it; frees these values too.
    pub(crate) fn erase<T: Record>(record: &Stored<T>, kept: Kept, freed: Vec<Claim>) -> Tx {
        let with_freed = |image: Image| Image { claims: freed, ..image };
        let change = Changed {
            change_kind: ChangeKind::Erase(kept),
            audit: Audit::Erase,
            event: Event::RecordErased,
            also: Vec::new(),
            before: image_of(record, record).map(|image| image.map(with_freed)),
            after: Ok(None),
            deleted_with: None,
            family: None,
        };
        Tx { changes: vec![change], ..Tx::default() }
    }

    /// Erases the details of entries; `by` is the record that requests it.
    pub(crate) fn erase_details(entries: Vec<EntryId>, by: AnyId) -> Tx {
        Tx { erased: Some((by, entries)), ..Tx::default() }
    }

    /// Announces the last change as another event than the default of its type.
    #[must_use]
    pub fn announced(mut self, event: Event) -> Tx {
        if let Some(change) = self.changes.last_mut() {
            change.event = event;
        }
        self
    }

    /// Writes an operational row in the same transaction, unless that writes it already.
    #[must_use]
    pub fn with_row_once(self, row: RowWrite) -> Tx {
        if self.rows.iter().any(|known| known.is_same(&row)) { self } else { self.with_row(row) }
    }

    /// Writes an operational row in the same transaction.
    #[must_use]
    pub fn with_row(mut self, row: RowWrite) -> Tx {
        self.rows.push(row);
        self
    }
}

/// What a change does to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Create,
    Update,
    Delete,
    Restore,
    Erase(Kept),
}

/// Whether a record is live or in the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It is live.
    Live,
    /// It is in the trash.
    InTrash,
}

/// A change of one record.
#[derive(Debug)]
pub(crate) struct Changed {
    pub change_kind: ChangeKind,
    pub audit: Audit,
    pub event: Event,
    /// Further events that it is announced as.
    pub also: Vec<Event>,
    pub before: Result<Option<Image>>,
    pub after: Result<Option<Image>>,
    /// The parent that it is deleted with.
    pub deleted_with: Option<AnyId>,
    /// The dependents deleted with it.
    pub family: Option<Family>,
}

impl Changed {
    /// A change from one version to another, with the default event of its type.
    fn of<T: Record>(change: Change<'_, T>, before: Result<Option<Image>>, after: Result<Option<Image>>) -> Changed {
        let (change_kind, audit) = match change {
            Change::Create(_) => (ChangeKind::Create, Audit::Create),
            Change::Update(..) => (ChangeKind::Update, Audit::Update),
            Change::Delete(_) => (ChangeKind::Delete, Audit::Delete),
            Change::Restore(_) => (ChangeKind::Restore, Audit::Restore),
        };
        let (event, also) = (T::event(change), T::also(change));
        Changed { change_kind, audit, event, also, before, after, deleted_with: None, family: None }
    }

    /// The version before, if there is one that could be serialised.
    pub fn earlier(&self) -> Option<&Image> {
        self.before.as_ref().ok()?.as_ref()
    }

    /// The version after, if there is one that could be serialised.
    pub fn later(&self) -> Option<&Image> {
        self.after.as_ref().ok()?.as_ref()
    }
}

/// A version of a record, with everything that is derived from it.
#[derive(Debug)]
pub(crate) struct Image {
    pub id: AnyId,
    pub version: u64,
    /// The version of its type's stored schema.
    pub form: u32,
    pub date: Timestamp,
    pub data: Map<String, Value>,
    pub claims: Vec<Claim>,
    pub words: Words,
    pub parents: Vec<AnyId>,
    pub cascade_parents: Vec<AnyId>,
    /// The records that must exist when it is restored from the trash.
    pub depends_on: Vec<AnyId>,
    pub alarms: Vec<Timestamp>,
    pub references: Vec<Reference>,
    pub owner: Option<UserId>,
    /// The fields whose values the journal doesn't keep.
    pub unjournaled: &'static [&'static str],
    /// Whether its type has owners, so that lists also ask for records without one.
    pub is_owned: bool,
    /// The texts that the version before requires.
    pub once_required: &'static [&'static [&'static str]],
    /// Whether the live records of its type are counted.
    pub counted: bool,
    pub state: Option<String>,
}

/// The image of a stored record's new version; fields that only a newer version of Daybook knows are kept.
fn image_of<T: Record>(stored: &Stored<T>, record: &T) -> Result<Option<Image>> {
    image(record, fields_of(stored, record)?)
}

/// The fields of a stored record's new version; those that only a newer version of Daybook knows are kept.
pub fn fields_of<T: Record>(stored: &Stored<T>, record: &T) -> Result<Map<String, Value>> {
    Ok(stored.fields_of(record).map_err(|error| Error::internal("write a record as JSON", error))??)
}

/// The image of a new record.
fn new_image<T: Record>(record: &T) -> Result<Option<Image>> {
    let mut fields = object_of(record)?;
    if T::FORM > 1 {
        fields.insert(FORM.to_owned(), Value::from(T::FORM));
    }
    image(record, fields)
}

fn image<T: Record>(record: &T, data: Map<String, Value>) -> Result<Option<Image>> {
    Ok(Some(Image {
        id: record.id(),
        version: record.version(),
        form: T::FORM,
        date: record.date(),
        data,
        claims: record.claims(),
        words: record.words(),
        parents: record.parents(),
        cascade_parents: record.cascade_parents(),
        depends_on: if is_cascaded::<T>() { record.cascade_parents() } else { record.about() },
        alarms: record.alarms(),
        references: record.references(),
        owner: record.owner(),
        unjournaled: T::UNJOURNALED,
        is_owned: T::OWNER.is_some(),
        once_required: T::ONCE_REQUIRED,
        counted: T::COUNTED,
        state: record.state().map(str::to_owned),
    }))
}
