//! Cascades under way: the records whose dependents a job is moving to the trash. Reads leave out every dependent of a record
//! that is listed here.

use super::RowWrite;
use crate::schema::{Key, Place};
use crate::table::{Condition, Item, parse_item};
use crate::{Env, Result};
use daybook_domain::{AnyId, Conflict, Error as Domain, JobId, OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use std::time::Duration;

/// An index follows the table within this time, by far.
pub const LAG: Duration = Duration::from_secs(60);

/// So many families fall at once.
const MOST: usize = 100;

/// Of so many that fell is remembered what went with them: the row is read with every record that may fall.
const REMEMBERED: usize = 50;

/// The records of an organisation whose families fall.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cascades {
    /// One more with each change.
    version: u64,
    /// The records.
    parents: Vec<AnyId>,
    /// The jobs that move their families.
    #[serde(default)]
    jobs: Vec<(AnyId, JobId)>,
    /// Those whose families fell a moment ago.
    #[serde(default, rename = "fallen")]
    finished: Vec<FinishedCascade>,
}

/// A record whose family is in the trash altogether.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedCascade {
    /// The record.
    pub parent: AnyId,
    /// How many went with it.
    pub count: u64,
    /// When the last of them did.
    pub at: Timestamp,
}

impl Cascades {
    /// What falls now.
    pub async fn read(env: &Env, org: OrgId) -> Result<Cascades> {
        Cascades::of(env.table.get(&Cascades::key(org)).await?)
    }

    /// Whether the family of a record falls.
    pub fn holds(&self, parent: AnyId) -> bool {
        self.parents.contains(&parent)
    }

    /// Whether a job is to move the family of a record.
    pub fn is_of(&self, parent: AnyId, job: JobId) -> bool {
        self.holds(parent) && self.jobs.iter().all(|(one, mover)| *one != parent || *mover == job)
    }

    /// Whether any other family than that of a record falls.
    pub fn is_but(&self, parent: AnyId) -> bool {
        self.parents.iter().any(|other| *other != parent)
    }

    /// Whether what goes with both records goes with the other: its family fell first, or alone.
    pub fn is_others(&self, other: AnyId, than: AnyId) -> bool {
        let place = |id: AnyId| self.parents.iter().position(|one| *one == id);
        place(other).is_some_and(|at| other != than && place(than).is_none_or(|own| at < own))
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
    pub fn finished(&self, parent: AnyId) -> Option<FinishedCascade> {
        self.finished.iter().rev().find(|finished| finished.parent == parent).copied()
    }

    /// The row with one more record, whose family a job moves, unless it was changed meanwhile; or why not.
    pub fn and(&self, org: OrgId, parent: AnyId, (job, now): (JobId, Timestamp)) -> Result<RowWrite> {
        if self.parents.len() >= MOST {
            return Err(Domain::Conflict(Conflict::Contended).into());
        }
        let mut next = self.at(now);
        next.parents.push(parent);
        next.jobs.push((parent, job));
        self.replaced(org, &next)
    }

    /// The row without a record whose family fell, unless it was changed meanwhile.
    pub fn without(&self, org: OrgId, done: FinishedCascade) -> Result<RowWrite> {
        let mut next = self.at(done.at);
        next.parents.retain(|parent| *parent != done.parent);
        next.jobs.retain(|(parent, _)| *parent != done.parent);
        next.finished.push(done);
        let over = next.finished.len().saturating_sub(REMEMBERED);
        next.finished.drain(..over);
        self.replaced(org, &next)
    }

    /// The next version of the row, without what is known by now.
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
