//! The views API: saved list filters, private or shared with the organisation. `?view_id=` applies one to a list.
//! Changing a shared view needs the permission to change all views.

use daybook_domain::permission::Action::{Create, Delete, Read, Update};
use daybook_domain::permission::Resource::Views;
use daybook_domain::permission::{Permission, Scope};
use daybook_domain::view::View;
use daybook_domain::{Error as Domain, ViewId};
use daybook_handlers::{create, delete, list, read, update};
use daybook_http::{Cx, Data, IfMatch, Path, Result, Routes, can};
use daybook_store::Reach;

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("views")
        .get("/api/views", can(Views, Read), list::<View>)
        .post("/api/views", can(Views, Create), create::<View>)
        .get("/api/views/{id}", can(Views, Read), read::<View>)
        .put("/api/views/{id}", can(Views, Update), update::<View>)
        .patch("/api/views/{id}", can(Views, Update), update::<View>)
        .delete("/api/views/{id}", can(Views, Delete), delete::<View>)
        .post("/api/views/{id}/restore", can(Views, Update), restore)
}

/// Restores a view from the trash. For a shared view the caller needs the permission to change all views.
async fn restore(cx: Cx, Path(id): Path<ViewId>, version: IfMatch) -> Result<Data<View>> {
    let view = cx.trash().get::<View>(id, None).await?;
    if view.owner_id.is_none() && cx.reach != Reach::All {
        return Err(Domain::Forbidden(Permission { resource: Views, action: Update, scope: Scope::All }).into());
    }
    daybook_handlers::restore(cx, Path(id), version).await
}
