//! Views: lists that somebody keeps, for themselves or for everybody. `?view_id=` of a list shows one.

use daybook_crm::{create, delete, list, read, restore, update};
use daybook_domain::permission::Action::{Create, Delete, Read, Update};
use daybook_domain::permission::Resource::Views;
use daybook_domain::view::View;
use daybook_http::{Routes, can};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("views")
        .get("/api/views", can(Views, Read), list::<View>)
        .post("/api/views", can(Views, Create), create::<View>)
        .get("/api/views/{id}", can(Views, Read), read::<View>)
        .put("/api/views/{id}", can(Views, Update), update::<View>)
        .patch("/api/views/{id}", can(Views, Update), update::<View>)
        .delete("/api/views/{id}", can(Views, Delete), delete::<View>)
        .post("/api/views/{id}/restore", can(Views, Update), restore::<View>)
}
