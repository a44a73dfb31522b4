//! Lists, and records one by one.

use daybook_http::{Created, Cx, Data, IfMatch, ListQuery, Listed, New, Patch, Path, Result, Searched};
use daybook_records::Model;
use daybook_store::Order;

/// Lists records, the newest first unless asked otherwise; or, with `search`, those whose words match.
pub async fn list<T: Model>(cx: Cx, query: ListQuery<T>) -> Result<Listed<T>> {
    let mut ask = query.ask();
    // By their date all of them are read state by state.
    let states = if ask.order == Order::Date { T::states(&cx).await? } else { Vec::new() };
    ask.states = &states;
    cx.list(&ask).await.map(Listed)
}

/// Lists records as a body asks for them.
pub async fn search<T: Model>(cx: Cx, Searched(query): Searched<T>) -> Result<Listed<T>> {
    list(cx, query).await
}

/// Makes a record.
pub async fn create<T: Model>(cx: Cx, new: New<T>) -> Result<Created<T>> {
    daybook_records::create(&cx, new.fields, Created).await
}

/// Reads a record.
pub async fn read<T: Model>(cx: Cx, Path(id): Path<T::Id>) -> Result<Data<T>> {
    cx.get(id).await.map(Data::stored)
}

/// Changes the fields that are named; `null` clears.
pub async fn update<T: Model>(
    cx: Cx,
    Path(id): Path<T::Id>,
    IfMatch(version): IfMatch,
    changes: Patch<T>,
) -> Result<Data<T>> {
    daybook_records::amend(&cx, id, version, changes.fields, Data).await
}

/// Moves a record to the trash.
pub async fn delete<T: Model>(cx: Cx, Path(id): Path<T::Id>, IfMatch(version): IfMatch) -> Result<Data<T>> {
    daybook_records::remove(&cx, id, version, Data::<T>).await
}

/// Takes a record back from the trash.
pub async fn restore<T: Model>(cx: Cx, Path(id): Path<T::Id>, IfMatch(version): IfMatch) -> Result<Data<T>> {
    daybook_records::restore(&cx, id, version, Data::<T>).await
}
