//! Invitations: of an organisation's first owner, and their tokens. Tokens are signatures, so that the table holds nothing
//! that could be used to accept an invitation. Sending an invitation again invalidates the tokens of earlier mails.

use crate::change::created;
use crate::draft::Draft;
use daybook_domain::form::Form;
use daybook_domain::invitation::{Invitation, NewInvitation};
use daybook_domain::organization::{NewOrganization, Organization};
use daybook_domain::permission::Role;
use daybook_domain::{EmailAddress, InvitationId, OrgId};
use daybook_store::{Cx, Kept, Keyring, Purpose, Result, Tx, ids_in_token, place_in_token};

/// An organisation whose first owner is invited by mail, with its default form and the address that is notified of leads.
/// `cx` is in the new organisation.
pub async fn organization_of_invited(cx: &Cx, new: NewOrganization, team: EmailAddress) -> Result<(Organization, Tx)> {
    let stamp = cx.stamp();
    let owner = NewInvitation { email: new.owner_email.clone(), name: None, role: Role::Owner.into() };
    let organization = Organization { team_addresses: vec![team], ..Organization::invited(cx.org, new, &stamp) };
    let (created_at, updated_at) = (stamp.at, stamp.at);
    let form = Form { locale: organization.locale, created_at, updated_at, ..Form::default_of(cx.org) };
    // The inviting user is unknown in the new organisation.
    let invitation = Invitation { invited_by: None, ..Invitation::new(owner, &cx.stamp()) };
    let (organization, tx) = created(cx, Tx::default(), Draft::of(organization)).await?;
    let (_, tx) = created(cx, tx, Draft::of(form)).await?;
    let (_, tx) = created(cx, tx, Draft::of(invitation)).await?;
    Ok((organization, tx))
}

/// The pending invitation of an organisation's first owner.
pub async fn of_first_owner(cx: &Cx) -> Result<Option<InvitationId>> {
    let mut invitation = None;
    cx.every::<Invitation>(Kept::Live)
        .each(|found| {
            invitation = invitation.take().or(found.is_of_first_owner().then_some(found.id));
        })
        .await?;
    Ok(invitation)
}

/// The token to send by mail.
pub fn token(keys: &Keyring, org: OrgId, invitation: &Invitation) -> String {
    let signature = keys.sign(Purpose::Invitation, message(org, invitation).as_bytes());
    format!("{}.{signature}", place_in_token(org, invitation.id.uuid()))
}

/// The organisation and invitation that a token names, if it is well-formed.
pub fn place_of(token: &str) -> Option<(OrgId, InvitationId)> {
    let (org, id) = ids_in_token(token.split_once('.')?.0)?;
    Some((org, InvitationId::new(id)))
}

/// Whether a token is valid for an invitation: the one of its last mail.
pub fn is_of(keys: &Keyring, org: OrgId, invitation: &Invitation, token: &str) -> bool {
    let Some((_, signature)) = token.split_once('.') else { return false };
    keys.verify(Purpose::Invitation, message(org, invitation).as_bytes(), signature)
}

fn message(org: OrgId, invitation: &Invitation) -> String {
    format!("{org}|{}|{}", invitation.id, invitation.sent)
}
