//! Views: lists that somebody keeps, for themselves or for everybody. `?view_id=` of a list shows one. Those for everybody
//! are changed by those who may change all views.

use daybook_crm::{create, list, read};
use daybook_domain::permission::Action::{Create, Delete, Read, Update};
use daybook_domain::permission::Resource::Views;
use daybook_domain::permission::{Action, Permission, Scope};
use daybook_domain::view::View;
use daybook_domain::{Error as Domain, ViewId};
use daybook_http::{Cx, Data, IfMatch, Patch, Path, Result, Routes, can};
use daybook_store::Reach;

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("views")
        .get("/api/views", can(Views, Read), list::<View>)
        .post("/api/views", can(Views, Create), create::<View>)
        .get("/api/views/{id}", can(Views, Read), read::<View>)
        .put("/api/views/{id}", can(Views, Update), update)
        .patch("/api/views/{id}", can(Views, Update), update)
        .delete("/api/views/{id}", can(Views, Delete), delete)
        .post("/api/views/{id}/restore", can(Views, Update), restore)
}

/// Changes the fields that are named; `null` clears, and shares a view with everybody.
async fn update(cx: Cx, Path(id): Path<ViewId>, version: IfMatch, changes: Patch<View>) -> Result<Data<View>> {
    ones_own(&cx, &*cx.get::<View>(id).await?, Update)?;
    daybook_crm::update(cx, Path(id), version, changes).await
}

/// Moves a view to the trash.
async fn delete(cx: Cx, Path(id): Path<ViewId>, version: IfMatch) -> Result<Data<View>> {
    ones_own(&cx, &*cx.get::<View>(id).await?, Delete)?;
    daybook_crm::delete(cx, Path(id), version).await
}

/// Takes a view back from the trash.
async fn restore(cx: Cx, Path(id): Path<ViewId>, version: IfMatch) -> Result<Data<View>> {
    ones_own(&cx, &*cx.trashed::<View>(id, None).await?, Update)?;
    daybook_crm::restore(cx, Path(id), version).await
}

/// Refused where a view is everybody's, and whoever asks doesn't reach all views.
fn ones_own(cx: &Cx, view: &View, action: Action) -> Result<()> {
    match view.owner_id.is_none() && cx.reach != Reach::All {
        true => Err(Domain::Forbidden(Permission { resource: Views, action, scope: Scope::All }).into()),
        false => Ok(()),
    }
}
