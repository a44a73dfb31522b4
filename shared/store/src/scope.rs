//! Scope of an actor: which records are within their reach. A record without an owner is in the scope of its parents.

use crate::cx::record_of;
use crate::schema::{self, Index, Key, Place, SK};
use crate::table::{Item, text};
use crate::{Cx, Reach, Result};
use daybook_domain::{AnyId, Record, UserId, with_record_type};
use std::collections::{HashMap, HashSet};

/// The longest chain of parents without owners: a task, its opportunity, the contact of that, and its customer.
const GENERATIONS: usize = 4;

/// The number of records that are read at once.
const AT_ONCE: usize = 32;

/// What decides whether a record is within a scope.
#[derive(Clone, Debug)]
struct Scoped {
    owner: Option<UserId>,
    /// The parents whose scope it is in while it has no owner.
    parents: Vec<AnyId>,
}

impl Scoped {
    fn of<T: Record>(record: &T) -> Scoped {
        let owner = record.owner();
        Scoped { owner, parents: if owner.is_some() { Vec::new() } else { record.scope_parents() } }
    }
}

impl Cx {
    /// The same request, unscoped: for reads whose permission was checked before, or whose result isn't shown to the
    /// actor.
    #[must_use]
    pub fn unscoped(&self) -> Cx {
        Cx { reach: Reach::All, ..self.clone() }
    }

    /// Whether a record is within the actor's scope: by its owner; without an owner, if all its parents are.
    pub async fn reaches<T: Record>(&self, record: &T) -> Result<bool> {
        Ok(self.reached([record].into_iter()).await?[0])
    }

    /// The ids of those records that are within the actor's scope.
    pub(crate) async fn reached_of<'a, T: Record>(
        &self,
        records: impl Iterator<Item = &'a T> + Clone,
    ) -> Result<HashSet<AnyId>> {
        let reached = self.reached(records.clone()).await?;
        Ok(records.zip(reached).filter(|(_, reached)| *reached).map(|(record, _)| record.id()).collect())
    }

    /// Whether each of these records is within the actor's scope.
    pub(crate) async fn reached<'a, T: Record>(&self, records: impl Iterator<Item = &'a T>) -> Result<Vec<bool>> {
        if self.reach == Reach::All || T::IN_SCOPE_OF.is_empty() {
            return Ok(records.map(|record| self.reach.holds(record.owner())).collect());
        }
        let scoped: Vec<Scoped> = records.map(Scoped::of).collect();
        let ancestors = self.ancestors(scoped.iter().flat_map(|one| one.parents.iter().copied()).collect()).await?;
        Ok(scoped.iter().map(|one| is_within(&self.reach, one, &ancestors, GENERATIONS)).collect())
    }

    /// Whether each of these records, which may be of any types, is within the actor's scope. Records that don't exist
    /// are left out.
    pub async fn reached_by_id(&self, ids: &[AnyId]) -> Result<HashMap<AnyId, bool>> {
        let records = self.ancestors(ids.to_vec()).await?;
        let known = ids.iter().filter_map(|id| Some((*id, records.get(id)?)));
        Ok(known.map(|(id, one)| (id, is_within(&self.reach, one, &records, GENERATIONS))).collect())
    }

    /// These records, and the parents of those that have no owner.
    async fn ancestors(&self, ids: Vec<AnyId>) -> Result<HashMap<AnyId, Scoped>> {
        let mut found = HashMap::new();
        let mut next = ids;
        for _ in 0..GENERATIONS {
            next.sort();
            next.dedup();
            next.retain(|id| !found.contains_key(id));
            if next.is_empty() {
                break;
            }
            let mut parents = Vec::new();
            for some in next.chunks(AT_ONCE) {
                let keys: Vec<Key> = some.iter().map(|id| Place::Record(self.org, *id).key()).collect();
                for item in self.env.table.get_all(&keys).await? {
                    let Some(id) = text(&item, SK).and_then(|id| id.parse::<AnyId>().ok()) else { continue };
                    let scoped = scoped(id, item)?;
                    parents.extend(scoped.parents.iter().copied());
                    found.insert(id, scoped);
                }
            }
            next = parents;
        }
        Ok(found)
    }
}

/// The owner and parents of a record in an item. Only types with such parents are deserialised.
fn scoped(id: AnyId, item: Item) -> Result<Scoped> {
    let owner = text(&item, Index::ByOwner.pk()).and_then(|pk| schema::owner_in(pk));
    let parents = match owner {
        Some(_) => Vec::new(),
        None => with_record_type!(id.kind, T => match T::IN_SCOPE_OF.is_empty() {
            true => Vec::new(),
            false => record_of::<T>(item)?.scope_parents(),
        })
        .unwrap_or_default(),
    };
    Ok(Scoped { owner, parents })
}

/// Whether a record is within a scope. One whose parent no longer exists, or is in the trash, is only in the scope of all
/// records.
fn is_within(reach: &Reach, one: &Scoped, ancestors: &HashMap<AnyId, Scoped>, generations: usize) -> bool {
    let holds = |parent: &AnyId| {
        generations > 0
            && ancestors.get(parent).is_some_and(|parent| is_within(reach, parent, ancestors, generations - 1))
    };
    *reach == Reach::All || (reach.holds(one.owner) && one.parents.iter().all(holds))
}
