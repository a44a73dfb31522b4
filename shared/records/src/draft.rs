//! Drafts: requested versions of records, before validation by their type and by the rules.

use crate::context::{Fields, Model, WriteKind};
use crate::moments::with_offsets;
use crate::named::{known, named};
use crate::people::check_owner;
use crate::phone::dialled;
use daybook_domain::edit::{Edit, made, merged};
use daybook_domain::read::without_empty;
use daybook_domain::{AnyId, Error as Domain, Violations};
use daybook_store::{Cx, Error, Result, changed_fields, object_of};
use serde_json::{Value, json};

/// The requested version of a new or updated record. [`created`](crate::created) and [`updated`](crate::updated) validate
/// it and add it to a transaction; nothing else creates or updates a record, except what signing in proves.
#[derive(Clone, Debug)]
pub struct Draft<T: Model> {
    wanted: T,
    /// The fields that the client gave; if there are none, the fields that differ count as given.
    given: Option<Fields>,
    context: Option<T::Context>,
    again: bool,
    /// Whether its phone number still has to be parsed to E.164; records from code have it set already.
    dials: bool,
}

impl<T: Model> Draft<T> {
    /// A draft of a record that code created or changed.
    pub fn of(wanted: T) -> Draft<T> {
        Draft { wanted, given: None, context: None, again: false, dials: false }
    }

    /// A draft that restores an earlier version (undo): derived fields are restored too, not derived anew.
    pub fn again(wanted: T) -> Draft<T> {
        Draft { again: true, ..Draft::of(wanted) }
    }

    /// The draft with a change that doesn't come from the given fields.
    #[must_use]
    pub fn with(self, change: impl FnOnce(T) -> T) -> Draft<T> {
        Draft { wanted: change(self.wanted), ..self }
    }

    /// The draft with a change that may be refused.
    pub fn try_with(self, change: impl FnOnce(T) -> Result<T, Domain>) -> Result<Draft<T>, Domain> {
        Ok(Draft { wanted: change(self.wanted)?, ..self })
    }

    /// The draft with its phone number in E.164 set, so that no country is looked up to parse it.
    #[must_use]
    pub fn with_number(mut self, number: Option<String>) -> Draft<T> {
        self.wanted.set_e164(number);
        Draft { dials: false, ..self }
    }

    /// The requested version.
    pub fn wanted(&self) -> &T {
        &self.wanted
    }

    /// The validated record, with derived fields and its phone number in E.164.
    pub(crate) async fn settled(self, cx: &Cx, before: Option<&T>) -> Result<T> {
        let Draft { wanted, given, context, again, dials } = self;
        if before == Some(&wanted) {
            return Ok(wanted);
        }
        let given = match (given, before) {
            (Some(given), _) => given,
            (None, Some(before)) => changed_fields(before, &wanted)?,
            (None, None) => object_of(&wanted)?,
        };
        let context = match context {
            Some(context) => context,
            None => {
                let kind = match (again, before) {
                    (true, _) => WriteKind::Undo,
                    (false, None) => WriteKind::Create,
                    (false, Some(_)) => WriteKind::Update,
                };
                T::context(cx, &given, kind).await?
            }
        };
        let settled = T::settle(Edit { before, wanted, given: &given, again, at: cx.now() }, &context)?;
        if T::OWNER.is_some_and(|field| given.contains_key(field)) {
            check_owner(cx, before, &settled).await?;
        }
        if dials { dialled(cx, before, settled).await } else { Ok(settled) }
    }
}

/// The fields of a request, with the context that was read to interpret them.
pub(crate) struct Given<T: Model> {
    /// The fields with times converted, ready to be applied to a record.
    ready: Fields,
    /// The fields as given, without the read-only ones.
    raw: Fields,
    /// Violations in times; others are found when the fields are deserialized.
    wrong: Violations,
    context: T::Context,
}

impl<T: Model> Given<T> {
    pub async fn read(cx: &Cx, fields: Fields, kind: WriteKind) -> Result<Given<T>> {
        let mut raw = without_empty(fields);
        let (ready, wrong) = with_offsets::<T>(cx, raw.clone()).await?;
        raw.retain(|name, _| !T::READ_ONLY.contains(&name.as_str()));
        let context = T::context(cx, &raw, kind).await?;
        Ok(Given { ready, raw, wrong, context })
    }

    /// Refuses references to records that the caller may not see, except those that the record already has.
    pub async fn may_name(&self, cx: &Cx, before: impl AsyncFnOnce() -> Result<T>) -> Result<()> {
        match known(cx, &named::<T>(&self.raw)).await {
            Err(Error::Domain(Domain::Invalid(_))) => {
                let before = object_of(&before().await?)?;
                let fields = self.raw.clone().into_iter();
                let new = fields.filter(|(name, value)| before.get(name) != Some(value)).collect();
                known(cx, &named::<T>(&new)).await
            }
            outcome => outcome,
        }
    }

    /// A draft of the record with these fields applied.
    pub fn over(&self, before: &T) -> Result<Draft<T>, Domain> {
        self.draft(merged(before, self.ready.clone()))
    }

    fn draft(&self, read: Result<T, Domain>) -> Result<Draft<T>, Domain> {
        let (given, context) = (Some(self.raw.clone()), Some(self.context.clone()));
        let wrong = self.wrong.clone();
        match read {
            Err(Domain::Invalid(more)) => {
                let mut all = wrong;
                all.extend(more);
                Err(Domain::Invalid(all))
            }
            Ok(wanted) => wrong.into_result().map(|()| Draft { wanted, given, context, again: false, dials: true }),
            Err(other) => Err(other),
        }
    }
}

/// A draft of a new record with these fields.
pub async fn draft<T: Model>(cx: &Cx, fields: Fields) -> Result<Draft<T>> {
    let given = Given::<T>::read(cx, fields, WriteKind::Create).await?;
    let stamp = cx.stamp();
    let mut defaults = <T as daybook_domain::Record>::defaults(&stamp, &given.context);
    // An explicit null leaves the record unassigned.
    if let Some(owner) = T::OWNER.filter(|owner| given.raw.get(*owner).is_some_and(Value::is_null)) {
        defaults.remove(owner);
    }
    defaults.extend(object_of(&json!({
        "id": AnyId::new(T::TYPE, stamp.id), "version": 1, "created_at": stamp.at, "updated_at": stamp.at,
    }))?);
    let draft = given.draft(made(defaults, given.ready.clone()))?;
    known(cx, &named::<T>(&given.raw)).await?;
    Ok(draft)
}

/// A draft of a record with fields applied, if the caller may see the records that they reference.
pub async fn amended<T: Model>(cx: &Cx, before: &T, fields: Fields) -> Result<Draft<T>> {
    let given = Given::<T>::read(cx, fields, WriteKind::Update).await?;
    given.may_name(cx, async || Ok(before.clone())).await?;
    Ok(given.over(before)?)
}
