//! What the functions of the CRM answer, whatever the type of their records.

use crate::work::{Fields, Work, all_of, known, make, named, prepared};
use daybook_domain::{Error as Domain, Stored};
use daybook_http::{Created, Cx, Data, Error, IfMatch, ListQuery, Listed, New, Patch, Path, Result, Searched};
use daybook_store::{Order, Reply, Tx, object_of};

/// Lists records, the newest first unless asked otherwise; or, with `search`, those whose words match.
pub async fn list<T: Work>(cx: Cx, query: ListQuery<T>) -> Result<Listed<T>> {
    let mut ask = query.ask();
    // By their date all of them are read state by state.
    let states = if ask.order == Order::Date { T::states(&cx).await? } else { Vec::new() };
    ask.states = &states;
    cx.list(&ask).await.map(Listed)
}

/// Lists records as a body asks for them.
pub async fn search<T: Work>(cx: Cx, Searched(query): Searched<T>) -> Result<Listed<T>> {
    list(cx, query).await
}

/// Makes a record.
pub async fn create<T: Work>(cx: Cx, new: New<T>) -> Result<Created<T>> {
    let record: T = make(&cx, new.fields).await?;
    let tx = daybook_records::created(&cx, Tx::default(), &record).await?;
    cx.commit(tx, Created(record)).await
}

/// Reads a record.
pub async fn read<T: Work>(cx: Cx, Path(id): Path<T::Id>) -> Result<Data<T>> {
    cx.get(id).await.map(Data::stored)
}

/// Changes the fields that are named; `null` clears.
pub async fn update<T: Work>(
    cx: Cx,
    Path(id): Path<T::Id>,
    IfMatch(version): IfMatch,
    changes: Patch<T>,
) -> Result<Data<T>> {
    change(&cx, id, version, changes.fields, Data).await
}

/// Changes the fields of a record.
pub async fn change<T: Work, R: Reply>(
    cx: &Cx,
    id: T::Id,
    version: Option<u64>,
    fields: Fields,
    reply: impl Fn(T) -> R + Sync,
) -> Result<R> {
    let (fields, wrong) = prepared::<T>(cx, fields).await?;
    let setting = T::setting(cx, &fields, false).await?;
    may_name(cx, &fields, async || cx.get::<T>(id).await.map(Stored::into_inner)).await?;
    let at = cx.now();
    let decide = |before: &T| all_of(wrong.clone(), changed(before, &fields, &setting, at));
    daybook_records::change(cx, id, version, decide, reply).await
}

/// A record with fields laid over it, as whoever asks may; the same record where that changes nothing.
pub async fn amended<T: Work>(cx: &Cx, before: &T, fields: Fields) -> Result<T> {
    let (fields, wrong) = prepared::<T>(cx, fields).await?;
    let setting = T::setting(cx, &fields, false).await?;
    may_name(cx, &fields, async || Ok(before.clone())).await?;
    daybook_records::dialled(cx, Some(before), all_of(wrong, changed(before, &fields, &setting, cx.now()))?).await
}

/// Refused where fields name records that whoever asks may not know of. What a record names already it may name again.
async fn may_name<T: Work>(cx: &Cx, fields: &Fields, before: impl AsyncFnOnce() -> Result<T>) -> Result<()> {
    match known(cx, &named::<T>(fields)).await {
        Err(Error::Domain(Domain::Invalid(_))) => {
            let before = object_of(&before().await?)?;
            let new = fields.clone().into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
            known(cx, &named::<T>(&new)).await
        }
        outcome => outcome,
    }
}

/// A record with fields laid over it.
fn changed<T: Work>(
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
    daybook_records::remove(&cx, id, version, Data::<T>).await
}

/// Takes a record back from the trash.
pub async fn restore<T: Work>(cx: Cx, Path(id): Path<T::Id>, IfMatch(version): IfMatch) -> Result<Data<T>> {
    daybook_records::restore(&cx, id, version, Data::<T>).await
}
