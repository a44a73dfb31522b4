//! Rules for changes of users that need the table: the caller's own role as the limit, and the organisation's owners.

use crate::admission::grants_of;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Grants, RoleRef};
use daybook_domain::user::{User, may_change};
use daybook_domain::{Record as _, UserId};
use daybook_store::{Cx, Result, Tx};

/// Refuses changes between these roles if they have permissions that the caller doesn't have.
pub(crate) async fn within_own_role(cx: &Cx, roles: &[RoleRef]) -> Result<()> {
    let mut theirs: Vec<(RoleRef, Grants)> = Vec::new();
    for &role in roles {
        theirs.push((role, grants_of(&cx.env, cx.org, role).await?));
    }
    Ok(may_change(&cx.grants, cx.actor.role(), &theirs)?)
}

/// Adds the update of the organisation's owners to a transaction that changes a user, if they change. Of two concurrent
/// changes the condition on the organisation's version lets one through.
pub async fn with_owners(cx: &Cx, tx: Tx, id: UserId, user: Option<&User>) -> Result<Tx> {
    let organization = cx.get::<Organization>(cx.org).await?;
    let after = organization.with_user(id, user)?;
    if after == *organization {
        return Ok(tx);
    }
    Ok(tx.and_update(&organization, &after.following(&organization, cx.now())))
}
