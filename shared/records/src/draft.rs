//! What somebody wants a record to be, before its type and the rules had their say.

use crate::context::{Fields, Model, Purpose};
use crate::moments::with_offsets;
use crate::named::{known, named};
use crate::phone::dialled;
use daybook_domain::edit::{Edit, made, merged};
use daybook_domain::read::without_empty;
use daybook_domain::{AnyId, Error as Domain, Violations};
use daybook_store::{Cx, Error, Result, changed_fields, object_of};
use serde_json::{Value, json};

/// A record as somebody wants it to be, new or changed. The steps of a change ([`created`](crate::created),
/// [`updated`](crate::updated)) make of it what the rules allow, and nothing else makes or changes a record, but for what signing in
/// proves.
#[derive(Clone, Debug)]
pub struct Draft<T: Model> {
    wanted: T,
    /// The fields that were given; where there are none, those that differ were.
    given: Option<Fields>,
    context: Option<T::Context>,
    again: bool,
    /// Whether its phone number is yet to be understood: code that makes a record says what its number is.
    dials: bool,
}

impl<T: Model> Draft<T> {
    /// A record that code made or changed.
    pub fn of(wanted: T) -> Draft<T> {
        Draft { wanted, given: None, context: None, again: false, dials: false }
    }

    /// A record that is to be again what it was: what follows from its fields comes with them.
    pub fn again(wanted: T) -> Draft<T> {
        Draft { again: true, ..Draft::of(wanted) }
    }

    /// The same, with something that whoever gave the fields doesn't say.
    #[must_use]
    pub fn with(self, change: impl FnOnce(T) -> T) -> Draft<T> {
        Draft { wanted: change(self.wanted), ..self }
    }

    /// The same, with something that may not be.
    pub fn try_with(self, change: impl FnOnce(T) -> Result<T, Domain>) -> Result<Draft<T>, Domain> {
        Ok(Draft { wanted: change(self.wanted)?, ..self })
    }

    /// The same, with what its phone number is in E.164, if that is known, whatever country it would else be in.
    #[must_use]
    pub fn with_number(mut self, number: Option<String>) -> Draft<T> {
        self.wanted.set_e164(number);
        Draft { dials: false, ..self }
    }

    /// What is wanted.
    pub fn wanted(&self) -> &T {
        &self.wanted
    }

    /// The record that comes of it: with what follows from the fields, and its phone number in E.164.
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
                let purpose = match (again, before) {
                    (true, _) => Purpose::Replay,
                    (false, None) => Purpose::Create,
                    (false, Some(_)) => Purpose::Update,
                };
                T::context(cx, &given, purpose).await?
            }
        };
        let settled = T::settle(Edit { before, wanted, given: &given, again, at: cx.now() }, &context)?;
        if dials { dialled(cx, before, settled).await } else { Ok(settled) }
    }
}

/// Fields that somebody gives, with what was read to make sense of them.
pub(crate) struct Given<T: Model> {
    /// Ready to be laid over a record.
    ready: Fields,
    /// As they were given, but for those that a client can't change.
    raw: Fields,
    /// What is wrong with moments; the rest is found when the fields are read.
    wrong: Violations,
    context: T::Context,
}

impl<T: Model> Given<T> {
    pub async fn read(cx: &Cx, fields: Fields, purpose: Purpose) -> Result<Given<T>> {
        let mut raw = without_empty(fields);
        let (ready, wrong) = with_offsets::<T>(cx, raw.clone()).await?;
        raw.retain(|name, _| !T::READ_ONLY.contains(&name.as_str()));
        let context = T::context(cx, &raw, purpose).await?;
        Ok(Given { ready, raw, wrong, context })
    }

    /// Refused where they name records that whoever asks may not know of. What a record names already it may name again.
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

    /// A record with these fields laid over it.
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

/// A new record of these fields.
pub async fn draft<T: Model>(cx: &Cx, fields: Fields) -> Result<Draft<T>> {
    let given = Given::<T>::read(cx, fields, Purpose::Create).await?;
    let stamp = cx.stamp();
    let mut defaults = <T as daybook_domain::Record>::defaults(&stamp, &given.context);
    // Nobody's, where that was said.
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

/// A record with fields laid over it, as whoever asks may.
pub async fn amended<T: Model>(cx: &Cx, before: &T, fields: Fields) -> Result<Draft<T>> {
    let given = Given::<T>::read(cx, fields, Purpose::Update).await?;
    given.may_name(cx, async || Ok(before.clone())).await?;
    Ok(given.over(before)?)
}
