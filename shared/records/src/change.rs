//! Create, update, delete and restore of records: the only way to change a record. A draft is validated by its type
//! ([`Record::settle`](daybook_domain::Record::settle)) and by the rules that need the table ([`guarded`]), then committed.

use crate::context::{Fields, Model, WriteKind};
use crate::draft::{Draft, Given, draft};
use crate::rules::guarded;
use daybook_domain::{AnyId, Error as Domain, Stored};
use daybook_store::{Cx, Decision, Reply, Result, Tx, object_of, overlap};
use serde_json::Map;

/// Creates a record from the given fields.
pub async fn create<T: Model, R: Reply>(cx: &Cx, fields: Fields, reply: impl Fn(T) -> R + Sync) -> Result<R> {
    let draft = draft::<T>(cx, fields).await?;
    let (record, tx) = created(cx, Tx::default(), draft).await?;
    cx.commit(tx, reply(record)).await
}

/// Applies the given fields to a record; with `if_match` it must be at that version (optimistic concurrency).
pub async fn amend<T: Model, R: Reply>(
    cx: &Cx,
    id: impl Into<AnyId>,
    if_match: Option<u64>,
    fields: Fields,
    reply: impl Fn(T) -> R + Sync,
) -> Result<R> {
    let id = id.into();
    let given = Given::<T>::read(cx, fields, WriteKind::Update).await?;
    given.may_name(cx, async || cx.get::<T>(id).await.map(Stored::into_inner)).await?;
    decided(cx, id, if_match, |before: &T| given.over(before), reply).await
}

/// Updates a record with the result of a function: reads, computes and commits, and starts again on a concurrent change.
///
/// With `if_match` the record must be at that version. If nothing changes, nothing is written.
pub async fn change<T: Model, R: Reply>(
    cx: &Cx,
    id: impl Into<AnyId>,
    if_match: Option<u64>,
    wish: impl Fn(&T) -> Result<T, Domain> + Sync,
    reply: impl Fn(T) -> R + Sync,
) -> Result<R> {
    decided(cx, id.into(), if_match, |before: &T| wish(before).map(Draft::of), reply).await
}

async fn decided<T: Model, R: Reply>(
    cx: &Cx,
    id: AnyId,
    if_match: Option<u64>,
    wish: impl Fn(&T) -> Result<Draft<T>, Domain> + Sync,
    reply: impl Fn(T) -> R + Sync,
) -> Result<R> {
    let conflicting = |before: &T| match wish(before) {
        Ok(draft) => overlap(before, draft.wanted()),
        // A whole record of another version can't be applied to this one: any field may conflict.
        Err(_) => object_of(before),
    };
    let (wish, reply) = (&wish, &reply);
    let alter = |before: Stored<T>| async move {
        let (after, tx) = updated(cx, Tx::default(), &before, wish(&before)?).await?;
        Ok(match tx.is_empty() {
            true => Decision::Nothing(reply(after)),
            false => Decision::Commit(tx, reply(after)),
        })
    };
    cx.decided(id, if_match, conflicting, alter).await
}

/// Moves a record to the trash; with `if_match` it must be at that version.
pub async fn remove<T: Model, R: Reply>(
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

/// Restores a record from the trash; with `if_match` it must be at that version.
pub async fn restore<T: Model, R: Reply>(
    cx: &Cx,
    id: impl Into<AnyId>,
    if_match: Option<u64>,
    reply: impl Fn(T) -> R + Sync,
) -> Result<R> {
    let trashed = cx.trash().get::<T>(id, if_match).await?;
    let (restored, tx) = restored(cx, Tx::default(), &trashed).await?;
    cx.commit(tx, reply(restored)).await
}

/// Adds the creation of a record to a transaction, if the rules allow it. Returns the record and the transaction.
pub async fn created<T: Model>(cx: &Cx, tx: Tx, draft: Draft<T>) -> Result<(T, Tx)> {
    let record = draft.settled(cx, None).await?;
    let tx = guarded(cx, None, Some(&record), tx.and_create(&record)).await?;
    Ok((record, tx))
}

/// Adds the update of a record to a transaction, if the rules allow it. Returns the new version and the transaction. If
/// nothing changes, nothing is added.
pub async fn updated<T: Model>(cx: &Cx, tx: Tx, before: &Stored<T>, draft: Draft<T>) -> Result<(T, Tx)> {
    let wanted = draft.settled(cx, Some(before)).await?;
    if wanted == **before {
        return Ok((wanted, tx));
    }
    let after = wanted.following(before, cx.now());
    let tx = guarded::<T>(cx, Some(before), Some(&after), tx.and_update(before, &after)).await?;
    Ok((after, tx))
}

/// Adds to a transaction the first stored version of a default record, which exists unstored from the start. Returns that
/// version and the transaction.
pub async fn stored_first<T: Model>(cx: &Cx, tx: Tx, default: &T, draft: Draft<T>) -> Result<(T, Tx)> {
    let mut first = draft.settled(cx, Some(default)).await?;
    first.revise(1, cx.now());
    let tx = guarded(cx, Some(default), Some(&first), tx.and_create(&first)).await?;
    Ok((first, tx))
}

/// Adds the move of a record to the trash to a transaction, if the rules allow it.
pub async fn deleted<T: Model>(cx: &Cx, tx: Tx, record: &Stored<T>) -> Result<Tx> {
    guarded::<T>(cx, Some(record), None, tx.and_delete(record)).await
}

/// Adds the cascade delete of a record, together with its parent, to a transaction, if the rules allow it. The actor's
/// scope isn't checked.
pub(crate) async fn cascaded<T: Model>(cx: &Cx, tx: Tx, record: &Stored<T>, with: AnyId) -> Result<Tx> {
    guarded::<T>(cx, Some(record), None, tx.and_cascade(record, with)).await
}

/// Adds the restore of a record to a transaction, if the rules allow it. Returns the new version and the transaction.
pub async fn restored<T: Model>(cx: &Cx, tx: Tx, trashed: &Stored<T>) -> Result<(T, Tx)> {
    let restored = trashed.back().following(trashed, cx.now());
    let tx = guarded::<T>(cx, None, Some(&restored), tx.and_restore(trashed, &restored)).await?;
    Ok((restored, tx))
}
