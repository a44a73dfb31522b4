//! Unique values that a transaction releases and takes, so that one can pass from a record to another.

use crate::schema::{Key, Place};
use crate::tx::{ChangeKind, Image, Tx};
use daybook_domain::{AnyId, Claim, OrgId};

/// Unique values that a transaction releases and takes, so that one can pass from a record to another.
pub(crate) struct Handed {
    /// The released values, with the record that held each.
    pub left: Vec<(Key, AnyId)>,
    /// The values that are taken.
    pub taken: Vec<Key>,
}

impl Handed {
    pub fn of(org: OrgId, tx: &Tx) -> Handed {
        let mut handed = Handed { left: Vec::new(), taken: Vec::new() };
        for change in &tx.changes {
            let live = match change.change_kind {
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

/// The unique values of a version of a record.
pub(crate) fn claims_of(image: Option<&Image>) -> Vec<&Claim> {
    image.map(|image| image.claims.iter().collect()).unwrap_or_default()
}
