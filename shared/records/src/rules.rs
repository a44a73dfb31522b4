//! Rules of changes that need the table, whichever way a record is changed: by hand, in a batch, by undoing.
//!
//! What follows from the record alone is its type's to say ([`Record::settle`]).

use daybook_domain::form::Form;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::organization::Organization;
use daybook_domain::permission::RoleRef;
use daybook_domain::pipeline::Pipeline;
use daybook_domain::role::CustomRole;
use daybook_domain::user::{User, may_change};
use daybook_domain::{Actor, Conflict, Error as Domain, FormId, PipelineId, Record, Stored};
use daybook_store::{Cx, Result, Tx};
use std::any::Any;

/// The change with what goes along with it, or why it may not be. Without a version before, the record is made or comes
/// back; without one after, it goes.
pub async fn guarded<T: Record>(cx: &Cx, before: Option<&T>, after: Option<&T>, tx: Tx) -> Result<Tx> {
    let change = Change { before: before.map(|one| one as &(dyn Any + Send + Sync)), after: after.map(|one| one as _) };
    if let Some((before, after)) = change.of::<Opportunity>() {
        opportunity(cx, before, after).await?;
    }
    if let Some((before, after)) = change.of::<Pipeline>() {
        pipeline(cx, before, after).await?;
    }
    if let Some((before, after)) = change.of::<Form>() {
        form(cx, before, after)?;
    }
    if let Some((before, after)) = change.of::<CustomRole>() {
        role(cx, before, after)?;
    }
    if let Some((before, after)) = change.of::<Organization>() {
        organization(cx, before, after)?;
    }
    match change.of::<User>() {
        Some((before, after)) => user(cx, before, after, tx).await,
        None => Ok(tx),
    }
}

/// Two versions of a record.
struct Change<'a> {
    before: Option<&'a (dyn Any + Send + Sync)>,
    after: Option<&'a (dyn Any + Send + Sync)>,
}

impl<'a> Change<'a> {
    /// They, where the record is of this type.
    fn of<T: Record>(&self) -> Option<(Option<&'a T>, Option<&'a T>)> {
        let (before, after) = (self.before.map(|one| one.downcast_ref()), self.after.map(|one| one.downcast_ref()));
        let is_it = [before, after].into_iter().flatten().all(|one| one.is_some());
        is_it.then(|| (before.flatten(), after.flatten()))
    }
}

/// Nothing goes back to a stage that was removed.
async fn opportunity(cx: &Cx, before: Option<&Opportunity>, after: Option<&Opportunity>) -> Result<()> {
    let (Some(before), Some(after)) = (before, after) else { return Ok(()) };
    if before.stage == after.stage {
        return Ok(());
    }
    let pipeline = cx.find_often::<Pipeline>(after.pipeline_id).await?;
    let pipeline = pipeline.map_or_else(|| Pipeline::default_of(cx.org), Stored::into_inner);
    match pipeline.id == after.pipeline_id && pipeline.stage(&after.stage).is_some() {
        true => Ok(()),
        false => Err(Domain::Conflict(Conflict::StageGone).into()),
    }
}

/// A stage that opportunities are in stays; so does the default pipeline, whose stages are no other's.
async fn pipeline(cx: &Cx, before: Option<&Pipeline>, after: Option<&Pipeline>) -> Result<()> {
    let usual = PipelineId::default_of(cx.org);
    if let Some(after) = after.filter(|after| after.id != usual)
        && cx.find::<Pipeline>(usual).await?.is_none()
    {
        let taken = Pipeline::default_of(cx.org).keys();
        if after.stages.iter().any(|stage| taken.contains(&stage.key.as_str().to_owned())) {
            return Err(Domain::Duplicate { field: "stages", existing_id: Some(usual.into()) }.into());
        }
    }
    let Some(before) = before else { return Ok(()) };
    if after.is_none() && before.id == usual {
        return Err(Domain::Conflict(Conflict::StageInUse).into());
    }
    let left: Vec<&str> = match after {
        Some(after) => after.leaves(before).into_iter().map(|stage| stage.key.as_str()).collect(),
        None => before.all_stages().map(|stage| stage.key.as_str()).collect(),
    };
    match cx.is_any_in::<Opportunity>(&left).await? {
        true => Err(Domain::Conflict(Conflict::StageInUse).into()),
        false => Ok(()),
    }
}

/// The default form stays.
fn form(cx: &Cx, before: Option<&Form>, after: Option<&Form>) -> Result<()> {
    match (before, after) {
        (Some(form), None) if form.id == FormId::default_of(cx.org) => {
            Err(Domain::Conflict(Conflict::DefaultForm).into())
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

/// Nobody gives, or takes away, more than they have themselves; Daybook itself does as it is told.
fn role(cx: &Cx, before: Option<&CustomRole>, after: Option<&CustomRole>) -> Result<()> {
    if cx.actor == Actor::System {
        return Ok(());
    }
    let of = |role: &CustomRole| (RoleRef::Custom(role.id), role.grants());
    let roles: Vec<_> = [before, after].into_iter().flatten().map(of).collect();
    Ok(may_change(&cx.grants, cx.actor.role(), &roles)?)
}

/// Nobody shuts themselves out.
fn organization(cx: &Cx, _: Option<&Organization>, after: Option<&Organization>) -> Result<()> {
    match after {
        Some(after) => Ok(after.keeps_in(cx.request.ip)?),
        None => Ok(()),
    }
}

/// Nobody makes a user more than they are themselves; and there is always an owner.
async fn user(cx: &Cx, before: Option<&User>, after: Option<&User>, tx: Tx) -> Result<Tx> {
    if cx.actor != Actor::System {
        let roles: Vec<RoleRef> = [before, after].into_iter().flatten().map(|user| user.role).collect();
        cx.within_own_role(&roles).await?;
    }
    let owns = |user: Option<&User>| user.is_some_and(User::is_acting_owner);
    match before.or(after) {
        Some(user) if owns(before) != owns(after) => cx.with_owners(tx, user.id, after).await,
        Some(_) | None => Ok(tx),
    }
}
