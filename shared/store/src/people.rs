//! Rules of changes of people that need the table: whose role covers whose, who owns the organisation, and how often.

use crate::rows::bucket::{Rate, take_or_refuse};
use crate::{Cx, Result, Tx};
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Grants, RoleRef};
use daybook_domain::user::{User, may_change};
use daybook_domain::{Record as _, UserId};

impl Cx {
    /// Takes one from a bucket, or says when there is one again; limits may be off for trials.
    pub async fn limited(&self, class: &str, subject: &str, rate: Rate) -> Result<()> {
        if !self.env.settings.rate_limits {
            return Ok(());
        }
        take_or_refuse(&self.env, self.env.settings.default_org, class, subject, rate).await.map(drop)
    }

    /// Refuses what goes beyond the role of whoever asks: these are the roles that somebody has, or is to have.
    pub async fn within_own_role(&self, roles: &[RoleRef]) -> Result<()> {
        let mut theirs: Vec<(RoleRef, Grants)> = Vec::new();
        for &role in roles {
            theirs.push((role, self.env.grants_of(self.org, role).await?));
        }
        Ok(may_change(&self.grants, self.actor.role(), &theirs)?)
    }

    /// The change of a user, with that of their organisation's owners where it makes one or takes one away. The
    /// organisation's version settles who of two is first.
    pub async fn with_owners(&self, tx: Tx, id: UserId, user: Option<&User>) -> Result<Tx> {
        let organization = self.get::<Organization>(self.org).await?;
        let after = organization.with_user(id, user)?;
        if after == *organization {
            return Ok(tx);
        }
        Ok(tx.and_update(&organization, &after.following(&organization, self.now())))
    }
}
