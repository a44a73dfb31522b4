//! The tokens of invitations: signatures, so the table holds nothing that anybody could use. Sending an invitation
//! again makes the tokens of earlier mails worthless.

use daybook_domain::invitation::Invitation;
use daybook_domain::{InvitationId, OrgId};
use daybook_store::{Keyring, Purpose, ids_in_token, place_in_token};

/// The token that goes out by mail.
pub fn token(keys: &Keyring, org: OrgId, invitation: &Invitation) -> String {
    let signature = keys.sign(Purpose::Invitation, message(org, invitation).as_bytes());
    format!("{}.{signature}", place_in_token(org, invitation.id.uuid()))
}

/// Where the invitation of a token is, if it looks like one.
pub fn place_of(token: &str) -> Option<(OrgId, InvitationId)> {
    let (org, id) = ids_in_token(token.split_once('.')?.0)?;
    Some((org, InvitationId::new(id)))
}

/// Whether a token is that of an invitation's last mail.
pub fn is_of(keys: &Keyring, org: OrgId, invitation: &Invitation, token: &str) -> bool {
    let Some((_, signature)) = token.split_once('.') else { return false };
    keys.verify(Purpose::Invitation, message(org, invitation).as_bytes(), signature)
}

fn message(org: OrgId, invitation: &Invitation) -> String {
    format!("{org}|{}|{}", invitation.id, invitation.sent)
}
