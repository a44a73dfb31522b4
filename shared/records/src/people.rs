//! Rules of changes of people that need the table: whose role covers whose, and who owns the organisation.

use crate::admission::grants_of;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Grants, RoleRef};
use daybook_domain::user::{User, may_change};
use daybook_domain::{Record as _, UserId};
use daybook_store::{Cx, Result, Tx};

/// Refuses what goes beyond the role of whoever asks: these are the roles that somebody has, or is to have.
pub(crate) async fn within_own_role(cx: &Cx, roles: &[RoleRef]) -> Result<()> {
    let mut theirs: Vec<(RoleRef, Grants)> = Vec::new();
    for &role in roles {
        theirs.push((role, grants_of(&cx.env, cx.org, role).await?));
    }
    Ok(may_change(&cx.grants, cx.actor.role(), &theirs)?)
}

/// The change of a user, with that of their organisation's owners where it makes one or takes one away. The
/// organisation's version settles who of two is first.
pub async fn with_owners(cx: &Cx, tx: Tx, id: UserId, user: Option<&User>) -> Result<Tx> {
    let organization = cx.get::<Organization>(cx.org).await?;
    let after = organization.with_user(id, user)?;
    if after == *organization {
        return Ok(tx);
    }
    Ok(tx.and_update(&organization, &after.following(&organization, cx.now())))
}
