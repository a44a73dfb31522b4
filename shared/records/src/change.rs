//! The one way to make, change, remove and restore a record: a draft, what its type makes of it
//! ([`Record::settle`](daybook_domain::Record::settle)), the rules that need the table ([`guarded`]), then one commit.

use crate::context::{Fields, Model, Purpose};
use crate::draft::{Draft, Given, draft};
use crate::rules::guarded;
use daybook_domain::{AnyId, Error as Domain, Stored};
use daybook_store::{Cx, Decision, Reply, Result, Tx, object_of, overlap};
use serde_json::Map;

/// Makes a record of fields that somebody gives.
pub async fn create<T: Model, R: Reply>(cx: &Cx, fields: Fields, reply: impl Fn(T) -> R + Sync) -> Result<R> {
    let draft = draft::<T>(cx, fields).await?;
    let (record, tx) = created(cx, Tx::default(), draft).await?;
    cx.commit(tx, reply(record)).await
}

/// Lays fields that somebody gives over a record; with `if_match` it must be at that version.
pub async fn amend<T: Model, R: Reply>(
    cx: &Cx,
    id: impl Into<AnyId>,
    if_match: Option<u64>,
    fields: Fields,
    reply: impl Fn(T) -> R + Sync,
) -> Result<R> {
    let id = id.into();
    let given = Given::<T>::read(cx, fields, Purpose::Update).await?;
    given.may_name(cx, async || cx.get::<T>(id).await.map(Stored::into_inner)).await?;
    decided(cx, id, if_match, |before: &T| given.over(before), reply).await
}

/// Changes a record as code decides: reads it, decides, commits, and decides anew when somebody else was faster.
///
/// With `if_match` the record must be at that version. A wish that changes nothing writes nothing.
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
        // A whole record of another version can't be laid over this one: all of it may conflict.
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

/// Takes a record back from the trash, as it comes back from there; with `if_match` it must be at that version.
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

/// A transaction that makes a record too, if the rules allow it; and the record.
pub async fn created<T: Model>(cx: &Cx, tx: Tx, draft: Draft<T>) -> Result<(T, Tx)> {
    let record = draft.settled(cx, None).await?;
    let tx = guarded(cx, None, Some(&record), tx.and_create(&record)).await?;
    Ok((record, tx))
}

/// A transaction that changes a record to what is wanted too, if the rules allow it; and the version that this makes. What
/// changes nothing adds nothing.
pub async fn updated<T: Model>(cx: &Cx, tx: Tx, before: &Stored<T>, draft: Draft<T>) -> Result<(T, Tx)> {
    let wanted = draft.settled(cx, Some(before)).await?;
    if wanted == **before {
        return Ok((wanted, tx));
    }
    let after = wanted.following(before, cx.now());
    let tx = guarded::<T>(cx, Some(before), Some(&after), tx.and_update(before, &after)).await?;
    Ok((after, tx))
}

/// A transaction that stores the first version of a record which is there from the start; and that version.
pub async fn stored_first<T: Model>(cx: &Cx, tx: Tx, default: &T, draft: Draft<T>) -> Result<(T, Tx)> {
    let mut first = draft.settled(cx, Some(default)).await?;
    first.revise(1, cx.now());
    let tx = guarded(cx, Some(default), Some(&first), tx.and_create(&first)).await?;
    Ok((first, tx))
}

/// A transaction that moves a record to the trash too, if the rules allow it.
pub async fn deleted<T: Model>(cx: &Cx, tx: Tx, record: &Stored<T>) -> Result<Tx> {
    guarded::<T>(cx, Some(record), None, tx.and_delete(record)).await
}

/// A transaction that moves a record to the trash which goes there with another one, if the rules allow it. Whether the actor
/// reaches it plays no part.
pub(crate) async fn cascaded<T: Model>(cx: &Cx, tx: Tx, record: &Stored<T>, with: AnyId) -> Result<Tx> {
    guarded::<T>(cx, Some(record), None, tx.and_cascade(record, with)).await
}

/// A transaction that takes a record back from the trash too, if the rules allow it; and the version that this makes.
pub async fn restored<T: Model>(cx: &Cx, tx: Tx, trashed: &Stored<T>) -> Result<(T, Tx)> {
    let restored = trashed.back().following(trashed, cx.now());
    let tx = guarded::<T>(cx, None, Some(&restored), tx.and_restore(trashed, &restored)).await?;
    Ok((restored, tx))
}
