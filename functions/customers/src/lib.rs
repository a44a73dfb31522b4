//! The customers API: the people and companies that the organisation sells to.
//!
//! Deleting a customer is a cascade delete of its interactions, opportunities and tasks, all or none of them.
//! Restoring it restores what that delete moved to the trash. No two customers share an e-mail address.

use daybook_domain::customer::Customer;
use daybook_domain::permission::Action::{Create, Delete, Read, Update};
use daybook_domain::permission::Resource::Customers;
use daybook_handlers::{batch, create, delete_family, list, read, restore_family, search, timeline, update};
use daybook_http::{Routes, can, can_any};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("customers")
        .get("/api/customers", can(Customers, Read), list::<Customer>)
        .post("/api/customers", can(Customers, Create), create::<Customer>)
        .post("/api/customers/search", can(Customers, Read), search::<Customer>)
        .post("/api/customers/batch", can_any(Customers, &[Create, Update, Delete]), batch::<Customer>)
        .get("/api/customers/{id}", can(Customers, Read), read::<Customer>)
        .put("/api/customers/{id}", can(Customers, Update), update::<Customer>)
        .patch("/api/customers/{id}", can(Customers, Update), update::<Customer>)
        .delete("/api/customers/{id}", can(Customers, Delete), delete_family::<Customer>)
        .post("/api/customers/{id}/restore", can(Customers, Update), restore_family::<Customer>)
        .get("/api/customers/{id}/timeline", can(Customers, Read), timeline::<Customer>)
}
