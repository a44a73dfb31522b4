//! What the functions of the CRM answer, whatever the type of their records.

use crate::work::{Fields, Work, known, make, named, prepared};
use daybook_domain::Error as Domain;
use daybook_http::{Changes, Created, Cx, Data, Error, IfMatch, ListQuery, Listed, New, Path, Result};
use daybook_store::{Reply, Tx, object_of};

/// Lists records, the newest first unless asked otherwise; or, with `search`, those whose words match.
pub async fn list<T: Work>(cx: Cx, query: ListQuery<T>) -> Result<Listed<T>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Makes a record.
pub async fn create<T: Work>(cx: Cx, new: New<T>) -> Result<Created<T>> {
    let record: T = make(&cx, new.fields).await?;
    cx.commit(Tx::create(&record), Created(record)).await
}

/// Reads a record.
pub async fn read<T: Work>(cx: Cx, Path(id): Path<T::Id>) -> Result<Data<T>> {
    cx.get(id).await.map(Data)
}

/// Changes the fields that are named; `null` clears.
pub async fn update<T: Work>(
    cx: Cx,
    Path(id): Path<T::Id>,
    IfMatch(version): IfMatch,
    changes: Changes<T>,
) -> Result<Data<T>> {
    change(&cx, id, version, changes.fields, Data).await
}

/// Changes the fields of a record.
pub async fn change<T: Work, R: Reply>(
    cx: &Cx,
    id: T::Id,
    version: Option<u64>,
    fields: Fields,
    reply: impl Fn(T) -> R,
) -> Result<R> {
    let fields = prepared::<T>(cx, fields).await?;
    let setting = T::setting(cx, &fields, false).await?;
    may_name(cx, &fields, cx.get::<T>(id)).await?;
    let at = cx.now();
    let decide = |before: &T| changed(before, &fields, &setting, at);
    cx.change(id, version, decide, reply).await
}

/// Refused where fields name records that whoever asks may not know of. What a record names already it may name again.
pub(crate) async fn may_name<T: Work>(cx: &Cx, fields: &Fields, before: impl Future<Output = Result<T>>) -> Result<()> {
    match known(cx, &named(fields)).await {
        Err(Error::Domain(Domain::Invalid(_))) => {
            let before = object_of(&before.await?)?;
            let new = fields.clone().into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
            known(cx, &named(&new)).await
        }
        outcome => outcome,
    }
}

/// A record with fields laid over it.
pub(crate) fn changed<T: Work>(
    before: &T,
    fields: &Fields,
    setting: &T::Setting,
    at: daybook_domain::Timestamp,
) -> Result<T, Domain> {
    let merged = daybook_domain::read::merge(before, fields.clone(), &[T::READ_ONLY, T::FIXED].concat())?;
    if merged == *before {
        return Ok(merged);
    }
    merged.settled(Some(before), fields, setting, at)
}

/// Moves a record to the trash.
pub async fn delete<T: Work>(cx: Cx, Path(id): Path<T::Id>, IfMatch(version): IfMatch) -> Result<Data<T>> {
    cx.remove(id, version, Data::<T>).await
}

/// Takes a record back from the trash.
pub async fn restore<T: Work>(cx: Cx, Path(id): Path<T::Id>, IfMatch(version): IfMatch) -> Result<Data<T>> {
    cx.restore(id, version, Data::<T>).await
}
