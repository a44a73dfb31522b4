//! The contacts API: people who work for customers, each linked to any number of customers, and groups of contacts.
//!
//! No two contacts share an e-mail address. Contacts stay when one of their customers or groups is deleted.

use daybook_domain::contact::{Contact, Group};
use daybook_domain::permission::Action::{Create, Delete, Manage, Read, Update};
use daybook_domain::permission::Resource::{Contacts, Groups};
use daybook_handlers::{batch, create, delete, list, read, restore, search, timeline, update};
use daybook_http::{Routes, can, can_any};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("contacts")
        .get("/api/contacts", can(Contacts, Read), list::<Contact>)
        .post("/api/contacts", can(Contacts, Create), create::<Contact>)
        .post("/api/contacts/search", can(Contacts, Read), search::<Contact>)
        .post("/api/contacts/batch", can_any(Contacts, &[Create, Update, Delete]), batch::<Contact>)
        .get("/api/contacts/{id}", can(Contacts, Read), read::<Contact>)
        .put("/api/contacts/{id}", can(Contacts, Update), update::<Contact>)
        .patch("/api/contacts/{id}", can(Contacts, Update), update::<Contact>)
        .delete("/api/contacts/{id}", can(Contacts, Delete), delete::<Contact>)
        .post("/api/contacts/{id}/restore", can(Contacts, Update), restore::<Contact>)
        .get("/api/contacts/{id}/timeline", can(Contacts, Read), timeline::<Contact>)
        .get("/api/groups", can(Groups, Read), list::<Group>)
        .post("/api/groups", can(Groups, Manage), create::<Group>)
        .get("/api/groups/{id}", can(Groups, Read), read::<Group>)
        .put("/api/groups/{id}", can(Groups, Manage), update::<Group>)
        .patch("/api/groups/{id}", can(Groups, Manage), update::<Group>)
        .delete("/api/groups/{id}", can(Groups, Manage), delete::<Group>)
        .post("/api/groups/{id}/restore", can(Groups, Manage), restore::<Group>)
}
