//! Families: the dependents of a record, which are deleted by cascade and restored with it.
//!
//! A record with a family has a head: an item that counts the records that joined. A transaction that deletes the
//! record requires the count that was read before its dependents, so that a record that joins meanwhile isn't left
//! behind. Or it leaves all dependents to a job, which reads them once no record can join any more.

use crate::schema::Place;
use crate::{Cx, Result};
use daybook_domain::AnyId;

/// The dependents that are deleted with a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family {
    /// The count before the members were read, which must be unchanged; `None` where later members are deleted too.
    pub joined: Option<u64>,
    /// The members, oldest first within each type.
    pub members: Vec<AnyId>,
}

impl Cx {
    /// The number of records that have joined the family of a record.
    pub async fn joined(&self, parent: AnyId) -> Result<u64> {
        let head = self.env.table.get(&Place::Family(self.org, parent).key()).await?;
        Ok(head.and_then(|item| item.get("joined")?.as_n().ok()?.parse().ok()).unwrap_or_default())
    }

    /// Whether a record exists and isn't in the trash.
    pub async fn is_there(&self, id: AnyId) -> Result<bool> {
        Ok(self.env.table.get(&Place::Record(self.org, id).key()).await?.is_some())
    }
}
