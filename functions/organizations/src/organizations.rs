//! The organisations API: users see and change their own; administrators of the default organisation create others.

use daybook_domain::invitation::Invitation;
use daybook_domain::job::{Job, Work};
use daybook_domain::organization::{NewOrganization, Organization};
use daybook_domain::permission::{Action, Permission, Resource};
use daybook_domain::{Audit, Conflict, Error as Domain, OrgId, RecordType, Stored};
use daybook_http::{Created, Cx, Data, IfMatch, ListQuery, Listed, NewJson, Patch, Path, Result};
use daybook_records::{Draft, created, deleted, invite, take_mail};
use daybook_store::{Decision, Registration, Tx};

/// Lists the organisations the user belongs to: exactly one.
pub async fn list(cx: Cx, query: ListQuery<Organization>) -> Result<Listed<Organization>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Creates an organisation, and invites its owner by e-mail. Only in the default organisation, whose users run the
/// deployment; elsewhere a registration creates an organisation, if registration is open.
pub async fn create(cx: Cx, NewJson(new): NewJson<NewOrganization>) -> Result<Created<Organization>> {
    if cx.org != cx.env.settings.default_org {
        return Err(Domain::Forbidden(Permission::least(Resource::Organization, Action::Manage)).into());
    }
    if cx.env.settings.registration == Registration::Closed {
        return Err(Domain::Conflict(Conflict::RegistrationClosed).into());
    }
    take_mail(&cx, &new.owner_email).await?;
    let cx = cx.in_organization(OrgId::new(cx.env.ids.next()));
    let team = new.owner_email.clone();
    let (organization, tx) = invite::organization_of_invited(&cx, new, team).await?;
    cx.commit(tx, Created(organization)).await
}

/// Reads the caller's organisation.
pub async fn read(cx: Cx, Path(id): Path<OrgId>) -> Result<Data<Organization>> {
    own(&cx, id).await.map(Data::stored)
}

/// Changes the given fields; `null` clears. Network lists apply from the next request on, and are refused if they
/// would shut out the caller.
pub async fn update(
    cx: Cx,
    Path(id): Path<OrgId>,
    IfMatch(version): IfMatch,
    patch: Patch<Organization>,
) -> Result<Data<Organization>> {
    own(&cx, id).await?;
    daybook_records::amend(&cx, id, version, patch.fields, Data).await
}

/// Deletes the caller's organisation; only an owner may. No user can sign in any more, its keys and forms stop working,
/// and all its data is erased 30 days later. Until then the users who run the deployment can restore it.
pub async fn delete(cx: Cx, Path(id): Path<OrgId>, IfMatch(version): IfMatch) -> Result<Data<Organization>> {
    own(&cx, id).await?;
    if id == cx.env.settings.default_org {
        return Err(Domain::Conflict(Conflict::DefaultOrganization).into());
    }
    cx.alter(id, version, |organization: Stored<Organization>| {
        let cx = &cx;
        async move {
            organization.may_be_removed_by(cx.actor.user())?;
            let tx = deleted(cx, Tx::default(), &organization).await?;
            let job = Job::new(Work::OrganizationErasure, &cx.stamp());
            let (_, tx) = created(cx, tx, Draft::of(job)).await?;
            Ok(Decision::Commit(tx.called(Audit::Erase), Data::stored(organization)))
        }
    })
    .await
}

/// Restores an organisation. Only in the default organisation, whose users run the deployment.
pub async fn restore(cx: Cx, Path(id): Path<OrgId>, IfMatch(version): IfMatch) -> Result<Data<Organization>> {
    daybook_records::restore(&run_by(&cx, id)?, id, version, Data::<Organization>).await
}

/// Sends the invitation of an organisation's first owner again, as long as it has no owner. Only in the default
/// organisation, whose users run the deployment.
pub async fn resend(cx: Cx, Path(id): Path<OrgId>) -> Result<Data<Invitation>> {
    let caller = cx;
    let cx = run_by(&caller, id)?;
    let organization = cx.get::<Organization>(id).await?;
    if !organization.owner_ids.is_empty() {
        return Err(Domain::Conflict(Conflict::HasOwner).into());
    }
    let invitation = invite::of_first_owner(&cx).await?.ok_or_else(|| Domain::not_found(RecordType::Invitation))?;
    take_mail(&caller, &cx.get::<Invitation>(invitation).await?.email).await?;
    let resent = |invitation: &Invitation| invitation.resent(None, cx.now());
    daybook_records::change(&cx, invitation, None, resent, Data).await
}

/// The request's context in another organisation, for users of the default one; "not found" for others.
fn run_by(cx: &Cx, id: OrgId) -> Result<Cx> {
    match cx.org == cx.env.settings.default_org {
        true => Ok(cx.in_organization(id)),
        false => Err(Domain::not_found(RecordType::Organization).into()),
    }
}

/// The caller's organisation; "not found" for any other.
async fn own(cx: &Cx, id: OrgId) -> Result<Stored<Organization>> {
    match id == cx.org {
        true => cx.get(id).await,
        false => Err(Domain::not_found(RecordType::Organization).into()),
    }
}
