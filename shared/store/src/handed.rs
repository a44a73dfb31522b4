//! Unique values that change hands within a transaction.

use crate::schema::{Key, Place};
use crate::tx::{ChangeKind, Image, Tx};
use daybook_domain::{AnyId, Claim, OrgId};

/// Unique values that change hands within a transaction.
pub(crate) struct Handed {
    /// Who gives one up.
    pub left: Vec<(Key, AnyId)>,
    /// Which are taken.
    pub taken: Vec<Key>,
}

impl Handed {
    pub fn of(org: OrgId, tx: &Tx) -> Handed {
        let mut handed = Handed { left: Vec::new(), taken: Vec::new() };
        for change in &tx.changes {
            let live = match change.doing {
                ChangeKind::Restore | ChangeKind::Erase(_) => None,
                _ => change.earlier(),
            };
            let Some(id) = change.later().or(live).map(|image| image.id) else { continue };
            let (old, new) = (claims_of(live), claims_of(change.later()));
            let key = |claim: &&Claim| Place::Claim(org, id.kind, claim).key();
            handed.left.extend(old.iter().filter(|claim| !new.contains(claim)).map(|claim| (key(claim), id)));
            handed.taken.extend(new.iter().filter(|claim| !old.contains(claim)).map(key));
        }
        handed
    }
}

/// The values that a version of a record claims.
pub(crate) fn claims_of(image: Option<&Image>) -> Vec<&Claim> {
    image.map(|image| image.claims.iter().collect()).unwrap_or_default()
}
