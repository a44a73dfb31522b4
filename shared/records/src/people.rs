//! Rules for changes of users that need the table: the caller's own role and reach as the limit, the organisation's
//! owners, and mails to given addresses.

use crate::admission::{grants_of, grants_of_key, login, most_of};
use crate::power::{Power, check_account, check_grant};
use daybook_domain::api_key::ApiKey;
use daybook_domain::invitation::Invitation;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Action, Grants, Resource, RoleRef};
use daybook_domain::user::{Status, User, may_change};
use daybook_domain::{ApiKeyId, Conflict, EmailAddress, Error as Domain, Line, Record, Rule, UserId};
use daybook_store::rows::bucket::Rate;
use daybook_store::rows::credential::Credential;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{Cx, Result, Tx, sha256_hex};
use std::time::Duration;

/// Refuses changes between these roles if they have permissions that the caller doesn't have.
pub(crate) async fn within_own_role(cx: &Cx, roles: &[RoleRef]) -> Result<()> {
    let mut theirs: Vec<(RoleRef, Grants)> = Vec::new();
    for &role in roles {
        theirs.push((role, most_of(&cx.env, cx.org, role).await?));
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
        // A new user is in no team.
        None if after.version == 1 => return Ok(tx),
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
    match cx.org != cx.env.settings.default_org && cx.env.settings.first_owner.is(email) {
        true => Err(Domain::Duplicate { field: "email", existing_id: None }.into()),
        false => Ok(()),
    }
}

/// Whether the actor who requested a ticket for another user may still do that: the account is handed over only now.
pub async fn is_still_requested(cx: &Cx, ticket: &Ticket, user: &User) -> Result<bool> {
    let Some(by) = ticket.by.filter(|by| *by != user.id) else { return Ok(true) };
    let Some((role, mine)) = power_by_now(cx, by, ticket.by_key).await? else { return Ok(false) };
    let theirs = Power::of_user(cx, user).await?;
    let may = may_change(mine.grants(), role, &[(user.role, theirs.grants().clone())]).is_ok();
    Ok(may && mine.covers(cx, &theirs).await?)
}

/// Whether the actor who sent an invitation may still give its role. That of an organisation's first owner has no sender.
pub async fn is_still_invited(cx: &Cx, invitation: &Invitation) -> Result<bool> {
    let Some(by) = invitation.invited_by else { return Ok(true) };
    let Some((role, mine)) = power_by_now(cx, by, invitation.invited_with).await? else { return Ok(false) };
    let theirs = (invitation.role, grants_of(&cx.env, cx.org, invitation.role).await?);
    Ok(may_change(mine.grants(), role, &[theirs]).is_ok())
}

/// The role and the power of a user who manages users by now, or of a user's API key, which has no role; `None` if either
/// has ended, or manages no users any more.
async fn power_by_now(cx: &Cx, user: UserId, key: Option<ApiKeyId>) -> Result<Option<(Option<RoleRef>, Power)>> {
    let manages = |(_, power): &(_, Power)| power.grants().scope(Resource::Users, Action::Manage).is_some();
    Ok(any_power_by_now(cx, user, key).await?.filter(manages))
}

async fn any_power_by_now(cx: &Cx, user: UserId, key: Option<ApiKeyId>) -> Result<Option<(Option<RoleRef>, Power)>> {
    let unscoped = cx.unscoped();
    let user = unscoped.find::<User>(user).await?.filter(|user| user.status == Status::Active);
    let Some(user) = user else { return Ok(None) };
    let Some(key) = key else {
        let grants = grants_of(&cx.env, cx.org, user.role).await?;
        return Ok(Some((Some(user.role), Power::of(grants, user.id))));
    };
    let key = unscoped.find::<ApiKey>(key).await?.filter(|key| key.is_in_force(cx.now()));
    let Some(key) = key else { return Ok(None) };
    let grants = grants_of_key(&cx.env, cx.org, &key).await?;
    Ok(grants.map(|grants| (None, Power::of(grants, key.made_by))))
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

/// The rate limits of mails to one given address: of an organisation, and of all together.
const MAILS_TO_ONE: Rate = Rate { burst: 10, per: Duration::from_secs(86_400) };
const ALL_MAILS_TO_ONE: Rate = Rate { burst: 30, per: Duration::from_secs(86_400) };

/// Counts a mail to a given address against the rate limits. Refused to a caller, or the creator of an API key, who hasn't
/// confirmed their own address.
pub async fn take_mail(cx: &Cx, to: &EmailAddress) -> Result<()> {
    check_confirmed(cx).await?;
    let org = cx.org.to_string();
    cx.limited("invite", &org, MAILS_AN_HOUR).await?;
    cx.limited("invite-day", &org, MAILS_A_DAY).await?;
    take_mail_to(cx, to).await
}

/// Counts a mail to a given address against the rate limits of that address.
pub async fn take_mail_to(cx: &Cx, to: &EmailAddress) -> Result<()> {
    let to = sha256_hex(to.normalized().as_bytes());
    cx.limited("mail-to", &format!("{}|{to}", cx.org), MAILS_TO_ONE).await?;
    cx.limited("mail-to-all", &to, ALL_MAILS_TO_ONE).await
}

/// Refuses a caller, or the creator of an API key, who hasn't confirmed their own address.
pub async fn check_confirmed(cx: &Cx) -> Result<()> {
    let Some(user) = cx.actor.owner() else { return Ok(()) };
    let user = cx.unscoped().find::<User>(user).await?;
    match user.is_some_and(|user| user.email_verified_at.is_some()) {
        true => Ok(()),
        false => Err(Domain::Conflict(Conflict::AddressUnconfirmed).into()),
    }
}

/// Refuses giving a record to a user who is suspended, as it would lie idle. One who has it keeps it.
pub(crate) async fn check_owner<T: Record>(cx: &Cx, before: Option<&T>, after: &T) -> Result<()> {
    let (Some(field), Some(owner)) = (T::OWNER, after.owner()) else { return Ok(()) };
    if cx.actor.owner() == Some(owner) || before.is_some_and(|before| before.owner() == Some(owner)) {
        return Ok(());
    }
    match is_suspended(cx, owner).await? {
        true => {
            let rule = Rule::format("a user who isn't suspended", "是未停用的用户");
            Err(Domain::invalid(format!("/{field}"), rule).into())
        }
        false => Ok(()),
    }
}

/// The user, unless suspended.
pub async fn unless_suspended(cx: &Cx, user: Option<UserId>) -> Result<Option<UserId>> {
    match user {
        Some(user) if !is_suspended(cx, user).await? => Ok(Some(user)),
        Some(_) | None => Ok(None),
    }
}

/// Whether a user is suspended. That one exists at all is checked with all other references.
async fn is_suspended(cx: &Cx, user: UserId) -> Result<bool> {
    let user = cx.unscoped().find_often::<User>(user).await?;
    Ok(user.is_some_and(|user| user.status == Status::Suspended))
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
