//! Handlers for lists and single records: list, search, create, read, update, delete and restore.

use daybook_http::{Created, Cx, Data, IfMatch, ListQuery, Listed, New, Patch, Path, Result, Searched};
use daybook_records::Model;
use daybook_store::Order;

/// Lists records, the newest first by default; with `search`, the records whose words match.
pub async fn list<T: Model>(cx: Cx, query: ListQuery<T>) -> Result<Listed<T>> {
    let mut ask = query.ask();
    // A list by date reads all records state by state.
    let states = if ask.order == Order::Date { T::states(&cx).await? } else { Vec::new() };
    ask.states = &states;
    cx.list(&ask).await.map(Listed)
}

/// Lists records by a query in the body.
pub async fn search<T: Model>(cx: Cx, Searched(query): Searched<T>) -> Result<Listed<T>> {
    list(cx, query).await
}

/// Creates a record.
pub async fn create<T: Model>(cx: Cx, new: New<T>) -> Result<Created<T>> {
    daybook_records::create(&cx, new.fields, Created).await
}

/// Reads a record.
pub async fn read<T: Model>(cx: Cx, Path(id): Path<T::Id>) -> Result<Data<T>> {
    cx.get(id).await.map(Data::stored)
}

/// Changes the given fields; `null` clears a field.
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

/// Restores a record from the trash.
pub async fn restore<T: Model>(cx: Cx, Path(id): Path<T::Id>, IfMatch(version): IfMatch) -> Result<Data<T>> {
    daybook_records::restore(&cx, id, version, Data::<T>).await
}
