//! What falls: records whose family is on its way to the trash. While one stands here, nobody sees what goes with it.

use super::RowWrite;
use crate::family::LAG;
use crate::schema::{Key, Place};
use crate::table::{Condition, Item, parse_item};
use crate::{Env, Result};
use daybook_domain::{AnyId, Conflict, Error as Domain, OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Map;

/// So many families fall at once.
const MOST: usize = 100;

/// The records of an organisation whose families fall.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Falling {
    /// One more with each change.
    version: u64,
    /// The records.
    parents: Vec<AnyId>,
    /// Those whose families fell a moment ago.
    #[serde(default)]
    fallen: Vec<Fallen>,
}

/// A record whose family is in the trash altogether.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallen {
    /// The record.
    pub parent: AnyId,
    /// How many went with it.
    pub count: u64,
    /// When the last of them did.
    pub at: Timestamp,
}

impl Falling {
    /// What falls now.
    pub async fn read(env: &Env, org: OrgId) -> Result<Falling> {
        Falling::of(env.table.get(&Falling::key(org)).await?)
    }

    /// Whether the family of a record falls.
    pub fn holds(&self, parent: AnyId) -> bool {
        self.parents.contains(&parent)
    }

    /// Whether any other family than that of a record falls.
    pub fn is_but(&self, parent: AnyId) -> bool {
        self.parents.iter().any(|other| *other != parent)
    }

    /// Whether nothing falls.
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// Whether one of these records' families falls.
    pub fn holds_any(&self, parents: &[AnyId]) -> bool {
        !self.parents.is_empty() && parents.iter().any(|parent| self.holds(*parent))
    }

    /// What is known of a record whose family fell a moment ago.
    pub fn fallen(&self, parent: AnyId) -> Option<Fallen> {
        self.fallen.iter().rev().find(|fallen| fallen.parent == parent).copied()
    }

    /// The row with one more record, unless it was changed meanwhile; or why not.
    pub fn and(&self, org: OrgId, parent: AnyId) -> Result<RowWrite> {
        if self.parents.len() >= MOST {
            return Err(Domain::Conflict(Conflict::Contended).into());
        }
        self.with(org, self.parents.iter().copied().chain([parent]).collect(), self.fallen.clone())
    }

    /// The row without a record whose family fell, unless it was changed meanwhile.
    pub fn without(&self, org: OrgId, fell: Fallen) -> Result<RowWrite> {
        let others = self.parents.iter().copied().filter(|other| *other != fell.parent).collect();
        let lately = self.fallen.iter().copied().filter(|fallen| fallen.at.plus(LAG) > fell.at);
        self.with(org, others, lately.chain([fell]).collect())
    }

    fn with(&self, org: OrgId, parents: Vec<AnyId>, fallen: Vec<Fallen>) -> Result<RowWrite> {
        let row = Falling { version: self.version + 1, parents, fallen };
        let same = Condition::of("attribute_not_exists(pk) OR version = :version").with(":version", self.version);
        let stale = Domain::Stale { version: self.version, current: Map::new() };
        Ok(RowWrite::replacing(&Falling::key(org), &row)?.only_if(same, stale))
    }

    pub(crate) fn key(org: OrgId) -> Key {
        Place::Falling(org).key()
    }

    pub(crate) fn of(item: Option<Item>) -> Result<Falling> {
        Ok(item.map(parse_item).transpose()?.unwrap_or_default())
    }
}
