//! The invitations API: invites a user by e-mail, with a link that works once and for one week.

use daybook_domain::InvitationId;
use daybook_domain::invitation::{Invitation, NewInvitation};
use daybook_domain::{Conflict, Error as Domain};
use daybook_http::{Created, Cx, Data, NewJson, Path, Result};
use daybook_records::{Draft, created};
use daybook_store::{Registration, Tx};

/// Invites a person to the organisation.
pub async fn create(cx: Cx, NewJson(new): NewJson<NewInvitation>) -> Result<Created<Invitation>> {
    if cx.env.settings.registration == Registration::Closed {
        return Err(Domain::Conflict(Conflict::RegistrationClosed).into());
    }
    let draft = Draft::of(Invitation::new(new, &cx.stamp()));
    let (invitation, tx) = created(&cx, Tx::default(), draft).await?;
    // Membership in another organisation isn't disclosed to the inviter; an error tells the invited user when they
    // accept.
    if let Some((org, user)) = daybook_records::admission::login(&cx.env, &invitation.email.normalized()).await?
        && org == cx.org
    {
        return Err(Domain::Duplicate { field: "email", existing_id: Some(user.into()) }.into());
    }
    cx.commit(tx, Created(invitation)).await
}

/// Revokes an invitation; its link stops working.
pub async fn revoke(cx: Cx, Path(id): Path<InvitationId>) -> Result<Data<Invitation>> {
    daybook_records::remove(&cx, id, None, Data::<Invitation>).await
}

/// Sends an invitation again, valid for another week. The links of earlier mails stop working.
pub async fn resend(cx: Cx, Path(id): Path<InvitationId>) -> Result<Data<Invitation>> {
    let resent = |invitation: &Invitation| invitation.resent(Some(&cx.actor), cx.now());
    daybook_records::change(&cx, id, None, resent, Data).await
}
