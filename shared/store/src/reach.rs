//! How far somebody's permission reaches.

use crate::Cx;
use daybook_domain::UserId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How far the actor's permission reaches on a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All records of the organisation.
    All,
    /// Records of these users, and records nobody owns yet.
    Owners(Arc<BTreeSet<UserId>>),
}

impl Reach {
    /// Records of one user, and records nobody owns yet.
    pub fn own(user: Option<UserId>) -> Reach {
        Reach::Owners(Arc::new(user.into_iter().collect()))
    }

    /// Whether it reaches a record of this owner.
    pub fn holds(&self, owner: Option<UserId>) -> bool {
        match self {
            Reach::All => true,
            Reach::Owners(owners) => owner.is_none_or(|owner| owners.contains(&owner)),
        }
    }
}

impl Cx {
    /// The same request, where whose a record is plays no part: what the actor may reach was asked before, or isn't
    /// told.
    #[must_use]
    pub fn unscoped(&self) -> Cx {
        Cx { reach: Reach::All, ..self.clone() }
    }
}
