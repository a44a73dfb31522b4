//! Cascade delete and cascade restore: the children that go to the trash with a record, and return with it.

use crate::change::{cascaded, restored};
use daybook_domain::registry::boxed;
use daybook_domain::{AnyId, Record as _, with_record_type};
use daybook_store::family::Family;
use daybook_store::rows::cascade::Cascades;
use daybook_store::{Cx, Result, Tx};

/// Adds the cascade delete of these children of a record to a transaction.
pub async fn cascade_delete(cx: &Cx, mut tx: Tx, members: &[AnyId], parent: AnyId) -> Result<Tx> {
    for kind in parent.kind.family() {
        let ids = members.iter().copied().filter(|id| id.kind == kind);
        with_record_type!(kind, T => for record in boxed(|| cx.unscoped_records_with_cascading::<T>(ids)).await?.values() {
            tx = cascaded(cx, tx, record, parent).await?;
        });
    }
    Ok(tx)
}

/// Adds the cascade restore of these records to a transaction. The actor's scope isn't checked.
pub async fn cascade_restore(cx: &Cx, mut tx: Tx, members: &[AnyId]) -> Result<Tx> {
    let unscoped = cx.unscoped();
    for id in members {
        with_record_type!(id.kind, T => if let Some(trashed) = boxed(|| unscoped.trash().find::<T>(*id)).await? {
            (_, tx) = restored(&unscoped, tx, &trashed).await?;
        });
    }
    Ok(tx)
}

/// The family of a record: the children that deleting it cascades to.
pub async fn family_of(cx: &Cx, parent: AnyId) -> Result<Family> {
    let joined = Some(cx.joined(parent).await?);
    Ok(Family { joined, members: members(cx, parent).await? })
}

/// The current children of a record, without those that another cascade delete in progress takes.
pub async fn members(cx: &Cx, parent: AnyId) -> Result<Vec<AnyId>> {
    let mut members = Vec::new();
    for kind in parent.kind.family() {
        members.extend(cx.children(parent, kind).await?);
    }
    let cascades = Cascades::read(&cx.env, cx.org).await?;
    if cascades.has_other_than(parent) {
        members = without_cascading(cx, members, &cascades, parent).await?;
    }
    Ok(members)
}

/// The members that no other cascade delete takes: of two cascades in progress, the first takes the children of both
/// parents.
async fn without_cascading(cx: &Cx, members: Vec<AnyId>, cascades: &Cascades, parent: AnyId) -> Result<Vec<AnyId>> {
    let mut left = Vec::new();
    let is_taken = |others: Vec<AnyId>| others.into_iter().any(|other| cascades.takes_precedence(other, parent));
    for kind in parent.kind.family() {
        let ids = members.iter().copied().filter(|id| id.kind == kind);
        with_record_type!(kind, T => {
            let records = boxed(|| cx.unscoped_records_with_cascading::<T>(ids)).await?;
            left.extend(records.values().filter(|record| !is_taken(record.cascade_parents())).map(|record| record.id()));
        });
    }
    Ok(left)
}
