//! The reach of a permission: all records, or those of certain owners.

use daybook_domain::UserId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The scope of the actor's permission on a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All records of the organisation.
    All,
    /// Records of these users, and unassigned records.
    Owners(Arc<BTreeSet<UserId>>),
}

impl Reach {
    /// Records of one user, and unassigned records.
    pub fn own(user: Option<UserId>) -> Reach {
        Reach::Owners(Arc::new(user.into_iter().collect()))
    }

    /// Whether a record of this owner is within the scope.
    pub fn holds(&self, owner: Option<UserId>) -> bool {
        match self {
            Reach::All => true,
            Reach::Owners(owners) => owner.is_none_or(|owner| owners.contains(&owner)),
        }
    }

    /// Whether this scope includes another one.
    pub fn covers(&self, other: &Reach) -> bool {
        match (self, other) {
            (Reach::All, _) => true,
            (Reach::Owners(_), Reach::All) => false,
            (Reach::Owners(mine), Reach::Owners(theirs)) => theirs.is_subset(mine),
        }
    }
}
