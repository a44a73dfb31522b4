//! Invitations: by mail, with a link that works once and for a week.

use crate::users::MAILS;
use daybook_domain::InvitationId;
use daybook_domain::invitation::{Invitation, NewInvitation};
use daybook_domain::{Conflict, Error as Domain};
use daybook_http::{Created, Cx, Data, Json, ListQuery, Listed, Path, Result};
use daybook_store::{Registration, Tx};

/// Lists invitations, the newest first; `status=pending` by index.
pub async fn list(cx: Cx, query: ListQuery<Invitation>) -> Result<Listed<Invitation>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Invites somebody to the organisation.
pub async fn create(cx: Cx, Json(new): Json<NewInvitation>) -> Result<Created<Invitation>> {
    if cx.env.settings.registration == Registration::Closed {
        return Err(Domain::Conflict(Conflict::RegistrationClosed).into());
    }
    cx.within_own_role(&[new.role]).await?;
    cx.limited("invite", &cx.org.to_string(), MAILS).await?;
    // Users of other organisations are nobody's business here; they will be told when they accept.
    if let Some((org, user)) = cx.env.login(&new.email.normalized()).await?
        && org == cx.org
    {
        return Err(Domain::Duplicate { field: "email", existing_id: Some(user.into()) }.into());
    }
    let invitation = Invitation::new(new, &cx.stamp());
    cx.commit(Tx::create(&invitation), Created(invitation)).await
}

/// Reads an invitation.
pub async fn read(cx: Cx, Path(id): Path<InvitationId>) -> Result<Data<Invitation>> {
    cx.get(id).await.map(Data::stored)
}

/// Takes an invitation back; its link works no more.
pub async fn revoke(cx: Cx, Path(id): Path<InvitationId>) -> Result<Data<Invitation>> {
    daybook_records::remove(&cx, id, None, Data::<Invitation>).await
}

/// Sends an invitation once more, for another week. The links of earlier mails work no more.
pub async fn resend(cx: Cx, Path(id): Path<InvitationId>) -> Result<Data<Invitation>> {
    cx.limited("invite", &cx.org.to_string(), MAILS).await?;
    daybook_records::change(&cx, id, None, |invitation: &Invitation| invitation.resent(cx.now()), Data).await
}
