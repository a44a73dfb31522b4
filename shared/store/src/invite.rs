//! The tokens of invitations: signatures, so the table holds nothing that anybody could use. Sending an invitation
//! again makes the tokens of earlier mails worthless.

use crate::{Keyring, Purpose};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::invitation::Invitation;
use daybook_domain::{InvitationId, OrgId};
use uuid::Uuid;

/// The token that goes out by mail.
pub fn token(keys: &Keyring, org: OrgId, invitation: &Invitation) -> String {
    let place = [org.uuid().into_bytes(), invitation.id.uuid().into_bytes()].concat();
    let signature = keys.sign(Purpose::Invitation, message(org, invitation).as_bytes());
    format!("{}.{signature}", URL_SAFE_NO_PAD.encode(place))
}

/// Where the invitation of a token is, if it looks like one.
pub fn place_of(token: &str) -> Option<(OrgId, InvitationId)> {
    let place = URL_SAFE_NO_PAD.decode(token.split_once('.')?.0).ok().filter(|place| place.len() == 32)?;
    let uuid = |bytes: &[u8]| Uuid::from_slice(bytes).ok();
    Some((OrgId::new(uuid(&place[..16])?), InvitationId::new(uuid(&place[16..])?)))
}

/// Whether a token is that of an invitation's last mail.
pub fn is_of(keys: &Keyring, org: OrgId, invitation: &Invitation, token: &str) -> bool {
    let Some((_, signature)) = token.split_once('.') else { return false };
    keys.verify(Purpose::Invitation, message(org, invitation).as_bytes(), signature)
}

fn message(org: OrgId, invitation: &Invitation) -> String {
    format!("{org}|{}|{}", invitation.id, invitation.sent)
}
