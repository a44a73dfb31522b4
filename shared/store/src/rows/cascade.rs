//! Cascade deletes in progress: the records whose dependents a job is moving to the trash. Reads leave out every
//! dependent of a record that is listed here.

use super::RowWrite;
use crate::schema::{Key, Place};
use crate::table::{Condition, Item, parse_item};
use crate::{Env, Result};
use daybook_domain::{AnyId, Conflict, Error as Domain, JobId, OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use std::time::Duration;

/// The time after which an index is consistent with the table, with a wide margin.
pub const LAG: Duration = Duration::from_secs(60);

/// The maximum number of cascade deletes in progress in an organisation.
const MOST: usize = 100;

/// The maximum number of finished cascades that are remembered: the row is read with every record of a type that has
/// cascade parents.
const REMEMBERED: usize = 50;

/// The cascade deletes of an organisation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cascades {
    /// Grows by one with each change.
    version: u64,
    /// The records whose dependents are being deleted.
    parents: Vec<AnyId>,
    /// The jobs that delete the dependents.
    #[serde(default)]
    jobs: Vec<(AnyId, JobId)>,
    /// The cascades that finished a moment ago.
    #[serde(default, rename = "fallen")]
    finished: Vec<FinishedCascade>,
}

/// A finished cascade: all dependents of a record are in the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedCascade {
    /// The record.
    pub parent: AnyId,
    /// The number of dependents deleted with it.
    pub count: u64,
    /// When the last of them was deleted.
    pub at: Timestamp,
}

impl Cascades {
    /// The cascade deletes in progress.
    pub async fn read(env: &Env, org: OrgId) -> Result<Cascades> {
        Cascades::of(env.table.get(&Cascades::key(org)).await?)
    }

    /// Whether a cascade delete of a record is in progress.
    pub fn holds(&self, parent: AnyId) -> bool {
        self.parents.contains(&parent)
    }

    /// Whether a job carries out the cascade delete of a record.
    pub fn is_of(&self, parent: AnyId, job: JobId) -> bool {
        self.holds(parent) && self.jobs.iter().all(|(one, mover)| *one != parent || *mover == job)
    }

    /// Whether a cascade delete of any other record is in progress.
    pub fn has_other_than(&self, parent: AnyId) -> bool {
        self.parents.iter().any(|other| *other != parent)
    }

    /// Whether a dependent of both records is deleted with the other one: its cascade began first, or is the only one.
    pub fn takes_precedence(&self, other: AnyId, than: AnyId) -> bool {
        let place = |id: AnyId| self.parents.iter().position(|one| *one == id);
        place(other).is_some_and(|at| other != than && place(than).is_none_or(|own| at < own))
    }

    /// Whether no cascade delete is in progress.
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// Whether a cascade delete of any of these records is in progress.
    pub fn holds_any(&self, parents: &[AnyId]) -> bool {
        !self.parents.is_empty() && parents.iter().any(|parent| self.holds(*parent))
    }

    /// The cascade of a record that finished a moment ago.
    pub fn finished(&self, parent: AnyId) -> Option<FinishedCascade> {
        self.finished.iter().rev().find(|finished| finished.parent == parent).copied()
    }

    /// The row with one more cascade, which a job carries out; conditional on its version. Refused at the maximum.
    pub fn and(&self, org: OrgId, parent: AnyId, (job, now): (JobId, Timestamp)) -> Result<RowWrite> {
        if self.parents.len() >= MOST {
            return Err(Domain::Conflict(Conflict::Contended).into());
        }
        let mut next = self.at(now);
        next.parents.push(parent);
        next.jobs.push((parent, job));
        self.replaced(org, &next)
    }

    /// The row without a finished cascade; conditional on its version.
    pub fn without(&self, org: OrgId, done: FinishedCascade) -> Result<RowWrite> {
        let mut next = self.at(done.at);
        next.parents.retain(|parent| *parent != done.parent);
        next.jobs.retain(|(parent, _)| *parent != done.parent);
        next.finished.push(done);
        let over = next.finished.len().saturating_sub(REMEMBERED);
        next.finished.drain(..over);
        self.replaced(org, &next)
    }

    /// The next version of the row, without finished cascades that the index has by now.
    fn at(&self, now: Timestamp) -> Cascades {
        let mut next = Cascades { version: self.version + 1, ..self.clone() };
        next.finished.retain(|finished| finished.at.plus(LAG) > now);
        next
    }

    fn replaced(&self, org: OrgId, next: &Cascades) -> Result<RowWrite> {
        let same = Condition::absent().or(Condition::equal("version", self.version));
        let stale = Domain::Stale { version: self.version, current: Map::new() };
        RowWrite::following(&Cascades::key(org), next, same, stale)
    }

    pub(crate) fn key(org: OrgId) -> Key {
        Place::Cascades(org).key()
    }

    pub(crate) fn of(item: Option<Item>) -> Result<Cascades> {
        Ok(item.map(parse_item).transpose()?.unwrap_or_default())
    }
}
