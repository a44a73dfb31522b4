//! Rules for changes of users that need the table: the caller's own role and reach as the limit, the organisation's
//! owners, and mails to given addresses.

use crate::admission::{grants_of, login};
use crate::power::{Power, check_account, check_grant};
use daybook_domain::invitation::Invitation;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Grants, RoleRef};
use daybook_domain::user::{Status, User, may_change};
use daybook_domain::{Conflict, EmailAddress, Error as Domain, Line, Record as _, UserId};
use daybook_store::rows::bucket::Rate;
use daybook_store::rows::credential::Credential;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{Cx, FirstOwner, Result, Tx};
use std::time::Duration;

/// Refuses changes between these roles if they have permissions that the caller doesn't have.
pub(crate) async fn within_own_role(cx: &Cx, roles: &[RoleRef]) -> Result<()> {
    let mut theirs: Vec<(RoleRef, Grants)> = Vec::new();
    for &role in roles {
        theirs.push((role, grants_of(&cx.env, cx.org, role).await?));
    }
    Ok(may_change(&cx.grants, cx.actor.role(), &theirs)?)
}

/// Refuses a change that could hand over an account which reaches further than the caller, and a role by which the user
/// would reach records of teams that the caller doesn't reach.
pub(crate) async fn within_own_reach(cx: &Cx, tx: Tx, before: Option<&User>, after: Option<&User>) -> Result<Tx> {
    let Some(after) = after else { return Ok(tx) };
    if let Some(before) = before.filter(|before| before.may_change_hands(after))
        && cx.actor.owner() != Some(after.id)
    {
        check_account(cx, before).await?;
        check_account(cx, after).await?;
    }
    let held = match before.filter(|before| before.status == Status::Active) {
        Some(before) if before.role == after.role => return Ok(tx),
        Some(before) => grants_of(&cx.env, cx.org, before.role).await?,
        None => Grants::default(),
    };
    check_grant(cx, tx, after.id, &held, after.role).await
}

/// Refuses an address that another user of the organisation has. That a user of another organisation has it isn't
/// disclosed: it shows when the address is confirmed.
pub(crate) async fn is_free(cx: &Cx, email: &EmailAddress, user: UserId) -> Result<()> {
    match login(&cx.env, &email.normalized()).await? {
        Some((org, holder)) if org == cx.org && holder != user => {
            Err(Domain::Duplicate { field: "email", existing_id: Some(holder.into()) }.into())
        }
        _ => Ok(()),
    }
}

/// Refuses a user of another organisation with the address of the deployment's first owner, who couldn't register then.
pub(crate) fn may_be_used(cx: &Cx, email: &EmailAddress) -> Result<()> {
    match &cx.env.settings.first_owner {
        FirstOwner::Address(first)
            if cx.org != cx.env.settings.default_org && first.email.normalized() == email.normalized() =>
        {
            Err(Domain::Duplicate { field: "email", existing_id: None }.into())
        }
        FirstOwner::Address(_) | FirstOwner::FirstToRegister | FirstOwner::NotSet => Ok(()),
    }
}

/// Whether the user who requested a ticket for another one may still do that: the account is handed over only now.
pub async fn is_still_requested(cx: &Cx, ticket: &Ticket, user: &User) -> Result<bool> {
    let Some(by) = ticket.by.filter(|by| *by != user.id) else { return Ok(true) };
    let requester = cx.find::<User>(by).await?.filter(|requester| requester.status == Status::Active);
    let Some(requester) = requester else { return Ok(false) };
    let (mine, theirs) = (Power::of_user(cx, &requester).await?, Power::of_user(cx, user).await?);
    let may = may_change(mine.grants(), Some(requester.role), &[(user.role, theirs.grants().clone())]).is_ok();
    Ok(may && mine.covers(cx, &theirs).await?)
}

/// Whether the user who sent an invitation may still give its role. That of an organisation's first owner has no sender.
pub async fn is_still_invited(cx: &Cx, invitation: &Invitation) -> Result<bool> {
    let Some(by) = invitation.invited_by else { return Ok(true) };
    let sender = cx.find::<User>(by).await?.filter(|sender| sender.status == Status::Active);
    let Some(sender) = sender else { return Ok(false) };
    let mine = grants_of(&cx.env, cx.org, sender.role).await?;
    let theirs = (invitation.role, grants_of(&cx.env, cx.org, invitation.role).await?);
    Ok(may_change(&mine, Some(sender.role), &[theirs]).is_ok())
}

/// The address of a user that a ticket is sent to.
pub fn address_of(user: &User, to: Use) -> &EmailAddress {
    match to {
        Use::ResetPassword => &user.email,
        Use::VerifyEmail => user.address_to_confirm(),
    }
}

/// The rate limits of mails to given addresses, per organisation: 200 an hour, so that addresses known to other
/// organisations can't be found out by trying, and 500 a day.
const MAILS_AN_HOUR: Rate = Rate { burst: 200, per: Duration::from_secs(3600) };
const MAILS_A_DAY: Rate = Rate { burst: 500, per: Duration::from_secs(86_400) };

/// Counts a mail to a given address against the organisation's rate limits. Refused to a caller, or the creator of an API
/// key, who hasn't confirmed their own address.
pub async fn take_mail(cx: &Cx) -> Result<()> {
    if let Some(user) = cx.actor.owner() {
        let user = cx.unscoped().find::<User>(user).await?;
        if user.is_none_or(|user| user.email_verified_at.is_none()) {
            return Err(Domain::Conflict(Conflict::AddressUnconfirmed).into());
        }
    }
    let org = cx.org.to_string();
    cx.limited("invite", &org, MAILS_AN_HOUR).await?;
    cx.limited("invite-day", &org, MAILS_A_DAY).await
}

/// Adds the update of the organisation's owners to a transaction that changes a user, if they change, and of its name, if
/// its first owner gives it one. Of two concurrent
/// changes the condition on the organisation's version lets one through.
pub async fn with_owners(cx: &Cx, tx: Tx, id: UserId, user: Option<&User>, rename: Option<&Line<120>>) -> Result<Tx> {
    let organization = cx.get::<Organization>(cx.org).await?;
    let after = organization.with_user(id, user)?;
    let after = Organization { name: rename.unwrap_or(&after.name).clone(), ..after };
    if after.owner_ids.len() < organization.owner_ids.len() && !can_sign_in(cx, &after.owner_ids).await? {
        return Err(Domain::Conflict(Conflict::LastOwner).into());
    }
    if after == *organization {
        return Ok(tx);
    }
    Ok(tx.and_update(&organization, &after.following(&organization, cx.now())))
}

/// Whether one of these users can sign in: the caller is signed in, others need a password.
async fn can_sign_in(cx: &Cx, users: &[UserId]) -> Result<bool> {
    if cx.actor.user().is_some_and(|caller| users.contains(&caller)) {
        return Ok(true);
    }
    for user in users {
        if Credential::read(&cx.env, cx.org, *user).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
