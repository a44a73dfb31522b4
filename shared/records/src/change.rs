//! The one way to change, remove and restore a record: what its type makes of the wish ([`Record::settle`]), then the rules
//! that need the table ([`guarded`]), then one commit.

use crate::phone::dialled;
use crate::rules::guarded;
use daybook_domain::{AnyId, Audit, Error as Domain, Record, Stored};
use daybook_store::{Cx, Decision, Reply, Result, Tx, object_of, overlap};
use serde_json::Map;

/// Changes a record: reads it, decides, commits, and decides anew when somebody else was faster.
///
/// With `if_match` the record must be at that version. A wish that changes nothing writes nothing.
pub async fn change<T: Record, R: Reply>(
    cx: &Cx,
    id: impl Into<AnyId>,
    if_match: Option<u64>,
    wish: impl Fn(&T) -> Result<T, Domain> + Sync,
    reply: impl Fn(T) -> R + Sync,
) -> Result<R> {
    change_called(cx, (id.into(), if_match), None, wish, reply).await
}

/// The same, by another name in the audit log.
pub async fn change_called<T: Record, R: Reply>(
    cx: &Cx,
    (id, if_match): (AnyId, Option<u64>),
    called: Option<Audit>,
    wish: impl Fn(&T) -> Result<T, Domain> + Sync,
    reply: impl Fn(T) -> R + Sync,
) -> Result<R> {
    let decide = |before: &T| before.settle(wish(before)?, cx.now());
    let conflicting = |before: &T| match decide(before) {
        Ok(wanted) => overlap(before, &wanted),
        // A whole record of another version can't be laid over this one: all of it may conflict.
        Err(_) => object_of(before),
    };
    let (decide, reply) = (&decide, &reply);
    let alter = |before: Stored<T>| async move {
        let wanted = dialled::<T>(cx, Some(&before), decide(&before)?).await?;
        if wanted == *before {
            return Ok(Decision::Nothing(reply(before.into_inner())));
        }
        let after = wanted.following(&before, cx.now());
        let tx = Tx::update(&before, &after);
        // Named before the rules add changes of their own.
        let tx = if let Some(audit) = called { tx.called(audit) } else { tx };
        let tx = guarded::<T>(cx, Some(&before), Some(&after), tx).await?;
        Ok(Decision::Commit(tx, reply(after)))
    };
    cx.decided(id, if_match, conflicting, alter).await
}

/// Moves a record to the trash; with `if_match` it must be at that version.
pub async fn remove<T: Record, R: Reply>(
    cx: &Cx,
    id: impl Into<AnyId>,
    if_match: Option<u64>,
    reply: impl Fn(T) -> R + Sync,
) -> Result<R> {
    let reply = &reply;
    let alter = |record: Stored<T>| async move {
        let tx = deleted(cx, Tx::default(), &record).await?;
        Ok(Decision::Commit(tx, reply(record.into_inner())))
    };
    cx.decided(id.into(), if_match, |_| Ok(Map::new()), alter).await
}

/// Takes a record back from the trash, as it comes back from there; with `if_match` it must be at that version.
pub async fn restore<T: Record, R: Reply>(
    cx: &Cx,
    id: impl Into<AnyId>,
    if_match: Option<u64>,
    reply: impl Fn(T) -> R + Sync,
) -> Result<R> {
    let trashed = cx.trashed::<T>(id, if_match).await?;
    let (restored, tx) = restored(cx, Tx::default(), &trashed).await?;
    cx.commit(tx, reply(restored)).await
}

/// A transaction that makes a record too, if the rules allow it.
pub async fn created<T: Record>(cx: &Cx, tx: Tx, record: &T) -> Result<Tx> {
    guarded(cx, None, Some(record), tx.and_create(record)).await
}

/// A transaction that changes a record to what is wanted too, if the rules allow it; and the version that this makes.
pub async fn updated<T: Record>(cx: &Cx, tx: Tx, before: &Stored<T>, wanted: T) -> Result<(T, Tx)> {
    let after = wanted.following(before, cx.now());
    let tx = guarded::<T>(cx, Some(before), Some(&after), tx.and_update(before, &after)).await?;
    Ok((after, tx))
}

/// A transaction that moves a record to the trash too, if the rules allow it.
pub async fn deleted<T: Record>(cx: &Cx, tx: Tx, record: &Stored<T>) -> Result<Tx> {
    guarded::<T>(cx, Some(record), None, tx.and_delete(record)).await
}

/// A transaction that takes a record back from the trash too, if the rules allow it; and the version that this makes.
pub async fn restored<T: Record>(cx: &Cx, tx: Tx, trashed: &Stored<T>) -> Result<(T, Tx)> {
    let restored = trashed.back().following(trashed, cx.now());
    let tx = guarded::<T>(cx, None, Some(&restored), tx.and_restore(trashed, &restored)).await?;
    Ok((restored, tx))
}
