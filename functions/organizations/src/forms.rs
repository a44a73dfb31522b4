//! Forms of websites, each with the key that its pages post by: `pk_` and what its id ends with.

use daybook_domain::form::{Form, NewForm};
use daybook_domain::{Conflict, Error as Domain, FormId};
use daybook_http::{Created, Cx, Data, IfMatch, Json, ListQuery, Listed, Patch, Path, Result};
use daybook_store::Tx;

/// Lists forms, the newest first.
pub async fn list(cx: Cx, query: ListQuery<Form>) -> Result<Listed<Form>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Makes a form.
pub async fn create(cx: Cx, Json(new): Json<NewForm>) -> Result<Created<Form>> {
    let form = Form::new(new, &cx.stamp())?;
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
    cx.change(id, version, |form: &Form| patch.over(form)?.checked(), Data).await
}

/// Moves a form to the trash: its pages can't be posted any more. The default form stays.
pub async fn delete(cx: Cx, Path(id): Path<FormId>, IfMatch(version): IfMatch) -> Result<Data<Form>> {
    if id == FormId::default_of(cx.org) {
        return Err(Domain::Conflict(Conflict::DefaultForm).into());
    }
    cx.remove(id, version, Data::<Form>).await
}

/// Takes a form back from the trash.
pub async fn restore(cx: Cx, Path(id): Path<FormId>, IfMatch(version): IfMatch) -> Result<Data<Form>> {
    cx.restore(id, version, Data::<Form>).await
}
