//! Families: the records that go with another one when it is removed, and come back with it.
//!
//! A record that has a family has a head: an item that counts who joined. Whoever removes the record says what the count
//! was before they looked who belongs to it, so that nobody who joins meanwhile is left behind; or leaves all of them to
//! a job, which looks once nobody can join any more.

use crate::schema::Place;
use crate::{Cx, Result};
use daybook_domain::AnyId;

/// Who goes with a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family {
    /// How many had joined before these were looked up, and nobody may have since; `None` where whoever joined goes along.
    pub joined: Option<u64>,
    /// Who belongs to it, oldest first of each type.
    pub members: Vec<AnyId>,
}

impl Cx {
    /// How many have joined the family of a record so far.
    pub async fn joined(&self, parent: AnyId) -> Result<u64> {
        let head = self.env.table.get(&Place::Family(self.org, parent).key()).await?;
        Ok(head.and_then(|item| item.get("joined")?.as_n().ok()?.parse().ok()).unwrap_or_default())
    }

    /// Whether a record is there, and not in the trash.
    pub async fn is_there(&self, id: AnyId) -> Result<bool> {
        Ok(self.env.table.get(&Place::Record(self.org, id).key()).await?.is_some())
    }
}
