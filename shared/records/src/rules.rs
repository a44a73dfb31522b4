//! Business rules of changes that need the table. They apply to every change: single, in a batch, or by undo.
//!
//! Rules that need only the record are in its type ([`Record::settle`]).

use crate::people::{check_confirmed, is_free, may_be_used, take_mail, with_owners, within_own_reach, within_own_role};
use crate::power::{check_key, check_role, check_team};
use crate::query::{ListQuery, pairs_of};
use daybook_domain::api_key::ApiKey;
use daybook_domain::form::Form;
use daybook_domain::invitation::Invitation;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Action, Permission, Resource, RoleRef, Scope};
use daybook_domain::pipeline::Pipeline;
use daybook_domain::role::CustomRole;
use daybook_domain::team::Team;
use daybook_domain::user::{User, may_change, may_change_grants};
use daybook_domain::view::View;
use daybook_domain::{
    Actor, Audit, Conflict, Error as Domain, Event, FormId, PipelineId, Record, Rule, with_record_type,
};
use daybook_store::filter::{Filter, Op};
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{Cx, PageAsk, Reach, Result, Tx};
use std::any::Any;

/// Checks the rules for a change, and adds what must be written with it to the transaction. Without a version before, the
/// record is created or restored; without one after, it is deleted. It must be the transaction's last change so far.
pub(crate) async fn guarded<T: Record>(cx: &Cx, before: Option<&T>, after: Option<&T>, tx: Tx) -> Result<Tx> {
    let change = Change { before, after };
    if let Some((before, after)) = change.of::<Pipeline>() {
        pipeline(cx, before, after).await?;
    }
    if let Some((before, after)) = change.of::<Form>() {
        form(cx, before, after)?;
    }
    if let Some((before, after)) = change.of::<CustomRole>() {
        role(cx, before, after).await?;
        return Ok(tx.called(Audit::PermissionChange));
    }
    if let Some((before, after)) = change.of::<ApiKey>() {
        return api_key(cx, before, after, tx).await;
    }
    if let Some((before, after)) = change.of::<Team>() {
        return check_team(cx, tx, before, after).await;
    }
    if let Some((before, after)) = change.of::<Invitation>() {
        invitation(cx, before, after).await?;
    }
    if let Some((before, after)) = change.of::<View>() {
        view(cx, before, after)?;
    }
    if let Some((before, after)) = change.of::<Organization>() {
        organization(cx, before, after)?;
    }
    match change.of::<User>() {
        Some((before, after)) => user(cx, before, after, tx).await,
        None => Ok(tx),
    }
}

/// The versions of a record before and after a change.
struct Change<'a, T> {
    before: Option<&'a T>,
    after: Option<&'a T>,
}

impl<'a, T: Record> Change<'a, T> {
    /// The versions, if the record is of type `R`. The comparison is resolved at compile time, so that a function links only
    /// the rules of the types that it changes.
    #[inline(always)]
    fn of<R: Record>(&self) -> Option<(Option<&'a R>, Option<&'a R>)> {
        if T::TYPE != R::TYPE {
            return None;
        }
        let own = |one: Option<&'a T>| one.and_then(|one| (one as &dyn Any).downcast_ref());
        Some((own(self.before), own(self.after)))
    }
}

/// Refuses removing a stage that has opportunities, deleting the default pipeline, and using its stage keys in another.
async fn pipeline(cx: &Cx, before: Option<&Pipeline>, after: Option<&Pipeline>) -> Result<()> {
    let default = PipelineId::default_of(cx.org);
    if let Some(after) = after.filter(|after| after.id != default)
        && cx.find::<Pipeline>(default).await?.is_none()
    {
        let taken = Pipeline::default_of(cx.org).keys();
        if after.stages.iter().any(|stage| taken.contains(&stage.key.as_str().to_owned())) {
            return Err(Domain::Duplicate { field: "stages", existing_id: Some(default.into()) }.into());
        }
    }
    let Some(before) = before else { return Ok(()) };
    if after.is_none() && before.id == default {
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

/// Refuses deleting the default form.
fn form(cx: &Cx, before: Option<&Form>, after: Option<&Form>) -> Result<()> {
    match (before, after) {
        (Some(form), None) if form.id == FormId::default_of(cx.org) => {
            Err(Domain::Conflict(Conflict::DefaultForm).into())
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

/// Refuses granting or revoking permissions that the caller doesn't have, except for the system actor. Refuses deleting a
/// role that users, also those in the trash, or pending invitations have: without it they would count as powerless.
async fn role(cx: &Cx, before: Option<&CustomRole>, after: Option<&CustomRole>) -> Result<()> {
    if let (Some(before), None) = (before, after) {
        let role = RoleRef::Custom(before.id);
        let pending = PageAsk { state: Some("pending"), ..PageAsk::default() };
        let trashed = PageAsk { trashed: true, ..PageAsk::default() };
        let is_in_use = is_anywhere::<User>(cx, role, PageAsk::default()).await?
            || is_anywhere::<User>(cx, role, trashed).await?
            || is_anywhere::<Invitation>(cx, role, pending).await?;
        if is_in_use {
            return Err(Domain::Conflict(Conflict::RoleInUse).into());
        }
    }
    if cx.actor == Actor::System {
        return Ok(());
    }
    let of = |role: &CustomRole| (RoleRef::Custom(role.id), role.grants());
    let roles: Vec<_> = [before, after].into_iter().flatten().map(of).collect();
    may_change(&cx.grants, cx.actor.role(), &roles)?;
    check_role(cx, before, after)
}

/// Whether any record of a list has a role.
async fn is_anywhere<T: Record>(cx: &Cx, role: RoleRef, of: PageAsk<'_>) -> Result<bool> {
    let unscoped = cx.unscoped();
    let mut cursor: Option<String> = None;
    loop {
        let has_role = Filter::new("role", Op::Eq, role.to_string().into());
        let ask = PageAsk { filters: vec![has_role], limit: 1, cursor: cursor.as_deref(), ..of.clone() };
        let page = unscoped.list::<T>(&ask).await?;
        match page.next_cursor {
            _ if !page.items.is_empty() => return Ok(true),
            Some(next) => cursor = Some(next),
            None => return Ok(false),
        }
    }
}

/// Refuses network lists that would lock out the caller.
fn organization(cx: &Cx, _: Option<&Organization>, after: Option<&Organization>) -> Result<()> {
    match after {
        Some(after) => Ok(after.keeps_in(cx.request.ip)?),
        None => Ok(()),
    }
}

/// Refuses inviting, also again, to a role with permissions that the caller doesn't have, and mails without end. An
/// organisation's first owner isn't invited by one of its users.
async fn invitation(cx: &Cx, before: Option<&Invitation>, after: Option<&Invitation>) -> Result<()> {
    let sent = |one: Option<&Invitation>| one.map_or(0, |one| one.sent);
    let Some(after) = after.filter(|after| after.invited_by.is_some() && after.sent > sent(before)) else {
        return Ok(());
    };
    within_own_role(cx, &[after.role]).await?;
    take_mail(cx, &after.email).await
}

/// Refuses an API key with permissions that the caller doesn't have, or of a user who reaches further than the caller, or
/// that has already expired.
async fn api_key(cx: &Cx, before: Option<&ApiKey>, after: Option<&ApiKey>, tx: Tx) -> Result<Tx> {
    let grants: Vec<_> = [before, after].into_iter().flatten().map(ApiKey::grants).collect();
    match (before, after) {
        (Some(_), None) => return Ok(tx.called(Audit::KeyRevoked)),
        (None, _) => {
            may_change_grants(&cx.grants, &grants)?;
            check_confirmed(cx).await?;
        }
        (Some(before), Some(after)) if cx.actor != Actor::System => {
            may_change_grants(&cx.grants, &grants)?;
            check_key(cx, before).await?;
            check_key(cx, after).await?;
        }
        (Some(_), Some(_)) => {}
    }
    if let Some(after) = after.filter(|after| before.is_none_or(|before| before.expires_at != after.expires_at))
        && !after.is_in_force(cx.now())
    {
        return Err(Domain::invalid("/expires_at", Rule::format("a time in the future", "是将来的时间")).into());
    }
    Ok(if before.is_none() { tx.called(Audit::KeyCreated) } else { tx })
}

/// Only users who may change all views can change a shared one. A view's query must be a valid list query without a
/// cursor.
fn view(cx: &Cx, before: Option<&View>, after: Option<&View>) -> Result<()> {
    if before.is_some_and(|before| before.owner_id.is_none()) && cx.reach != Reach::All {
        let action = if after.is_some() { Action::Update } else { Action::Delete };
        return Err(Domain::Forbidden(Permission { resource: Resource::Views, action, scope: Scope::All }).into());
    }
    let Some(after) = after else { return Ok(()) };
    if before.is_some_and(|before| (before.resource, &before.query) == (after.resource, &after.query)) {
        return Ok(());
    }
    if let Some(kind) = after.resource.record_type() {
        with_record_type!(kind, T => asks_for::<T>(after.query.as_str())?);
    }
    Ok(())
}

fn asks_for<T: Record>(query: &str) -> Result<(), Domain> {
    let unread = || {
        let rule = Rule::format("a query, such as status=active", "是查询条件，例如 status=active");
        Domain::invalid("/query", rule)
    };
    let pairs = pairs_of(query).map_err(|_| unread())?;
    if pairs.iter().any(|(name, _)| name == "cursor") {
        return Err(unread());
    }
    match ListQuery::<T>::of(pairs) {
        Ok(_) => Ok(()),
        Err(Domain::Query(violations)) => Err(Domain::Invalid(violations.under("/query"))),
        Err(other) => Err(other),
    }
}

/// Refuses roles with permissions that the caller doesn't have, accounts that reach further than the caller's, and leaving
/// no owner; sends a verification mail to a new address.
async fn user(cx: &Cx, before: Option<&User>, after: Option<&User>, mut tx: Tx) -> Result<Tx> {
    if let (Some(before), Some(after)) = (before, after)
        && cx.actor.owner() == Some(after.id)
    {
        before.may_change_own(after)?;
    }
    if cx.actor != Actor::System {
        let roles: Vec<RoleRef> = [before, after].into_iter().flatten().map(|user| user.role).collect();
        within_own_role(cx, &roles).await?;
        tx = within_own_reach(cx, tx, before, after).await?;
    }
    if let Some(after) = after.filter(|after| before.is_none() && after.version == 1) {
        may_be_used(cx, &after.email)?;
        take_mail(cx, &after.email).await?;
    }
    if let (Some(before), Some(after)) = (before, after) {
        if (before.role, before.status) != (after.role, after.status) {
            tx = tx.called(Audit::PermissionChange);
        }
        if let Some(email) = after.new_email.as_ref().filter(|_| before.new_email != after.new_email) {
            take_mail(cx, email).await?;
            is_free(cx, email, after.id).await?;
            let ticket = Ticket::new(&cx.env, email, Use::VerifyEmail).requested_by(&cx.actor);
            tx = tx.and_happened(Event::UserVerificationRequested, Audit::Update, after.id).with_row(ticket.write(
                cx.org,
                after.id,
                Use::VerifyEmail,
            )?);
        }
    }
    let owns = |user: Option<&User>| user.is_some_and(User::is_acting_owner);
    match before.or(after) {
        Some(user) if owns(before) != owns(after) => with_owners(cx, tx, user.id, after, None).await,
        Some(_) | None => Ok(tx),
    }
}
