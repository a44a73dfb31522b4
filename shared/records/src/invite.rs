//! Invitation tokens: signatures, so that the table holds nothing that could be used to accept an invitation. Sending an
//! invitation again invalidates the tokens of earlier mails.

use daybook_domain::invitation::Invitation;
use daybook_domain::{InvitationId, OrgId};
use daybook_store::{Keyring, Purpose, ids_in_token, place_in_token};

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
