//! Forms of websites, each with the key that its pages post by: `pk_` and what its id ends with.

use daybook_domain::FormId;
use daybook_domain::form::{Form, NewForm};
use daybook_domain::organization::Organization;
use daybook_http::{Created, Cx, Data, IfMatch, Json, ListQuery, Listed, Patch, Path, Result};
use daybook_store::Tx;

/// Lists forms, the newest first.
pub async fn list(cx: Cx, query: ListQuery<Form>) -> Result<Listed<Form>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Makes a form.
pub async fn create(cx: Cx, Json(new): Json<NewForm>) -> Result<Created<Form>> {
    let organization = cx.find_often::<Organization>(cx.org).await?;
    let form = Form::new(new, organization.as_deref(), &cx.stamp())?;
    cx.commit(Tx::create(&form), Created(form)).await
}

/// Reads a form.
pub async fn read(cx: Cx, Path(id): Path<FormId>) -> Result<Data<Form>> {
    cx.get(id).await.map(Data::stored)
}

/// Changes the fields that are named; `null` clears.
pub async fn update(
    cx: Cx,
    Path(id): Path<FormId>,
    IfMatch(version): IfMatch,
    patch: Patch<Form>,
) -> Result<Data<Form>> {
    daybook_records::change(&cx, id, version, |form: &Form| patch.over(form), Data).await
}

/// Moves a form to the trash: its pages can't be posted any more. The default form stays.
pub async fn delete(cx: Cx, Path(id): Path<FormId>, IfMatch(version): IfMatch) -> Result<Data<Form>> {
    daybook_records::remove(&cx, id, version, Data::<Form>).await
}

/// Takes a form back from the trash.
pub async fn restore(cx: Cx, Path(id): Path<FormId>, IfMatch(version): IfMatch) -> Result<Data<Form>> {
    daybook_records::restore(&cx, id, version, Data::<Form>).await
}
