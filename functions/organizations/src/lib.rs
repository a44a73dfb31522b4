//! The organisation's administration API: the organisation itself, its API keys, and the forms of its websites.

mod api_keys;
mod organizations;

use daybook_domain::form::Form;
use daybook_domain::permission::Action::{Manage, Read};
use daybook_domain::permission::Resource::{Forms, Organization};
use daybook_handlers::{create, delete, list, read, restore, update};
use daybook_http::{Routes, can};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("organizations")
        .get("/api/organizations", can(Organization, Read), organizations::list)
        .post("/api/organizations", can(Organization, Manage), organizations::create)
        .get("/api/organizations/{id}", can(Organization, Read), organizations::read)
        .put("/api/organizations/{id}", can(Organization, Manage), organizations::update)
        .patch("/api/organizations/{id}", can(Organization, Manage), organizations::update)
        .delete("/api/organizations/{id}", can(Organization, Manage), organizations::delete)
        .post("/api/organizations/{id}/restore", can(Organization, Manage), organizations::restore)
        .post("/api/organizations/{id}/resend", can(Organization, Manage), organizations::resend)
        .get("/api/api-keys", can(Organization, Manage), api_keys::list)
        .post("/api/api-keys", can(Organization, Manage), api_keys::create)
        .get("/api/api-keys/{id}", can(Organization, Manage), api_keys::read)
        .put("/api/api-keys/{id}", can(Organization, Manage), api_keys::update)
        .patch("/api/api-keys/{id}", can(Organization, Manage), api_keys::update)
        .delete("/api/api-keys/{id}", can(Organization, Manage), api_keys::revoke)
        .post("/api/api-keys/{id}/rotate", can(Organization, Manage), api_keys::rotate)
        .get("/api/forms", can(Forms, Read), list::<Form>)
        .post("/api/forms", can(Forms, Manage), create::<Form>)
        .get("/api/forms/{id}", can(Forms, Read), read::<Form>)
        .put("/api/forms/{id}", can(Forms, Manage), update::<Form>)
        .patch("/api/forms/{id}", can(Forms, Manage), update::<Form>)
        .delete("/api/forms/{id}", can(Forms, Manage), delete::<Form>)
        .post("/api/forms/{id}/restore", can(Forms, Manage), restore::<Form>)
}
