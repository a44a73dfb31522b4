//! The audit log API: lists, exports, verifies and reverts entries that say who did what to which record, and how it
//! ended.
//!
//! The audit log is the journal: an entry is written in the transaction of the change it records, and never changed.

mod export;
mod filter;
mod revert;
mod show;
mod verify;

use daybook_domain::permission::Action::{Export, Read, Revert};
use daybook_domain::permission::Resource::Audit;
use daybook_http::{Routes, can};

/// The routes of this function.
pub fn routes() -> Routes {
    let routes = Routes::of("audit-query")
        .get("/api/audit-logs", can(Audit, Read), show::list)
        .get("/api/audit-logs/counts", can(Audit, Read), show::counts)
        .get("/api/audit-logs/verify", can(Audit, Read), verify::verify)
        .post("/api/audit-logs/export", can(Audit, Export), export::export)
        .post("/api/audit-logs/revert", can(Audit, Revert), revert::revert_request)
        .get("/api/audit-logs/users/{id}", can(Audit, Read), show::of_user)
        .get("/api/audit-logs/resources/{resource_type}/{id}", can(Audit, Read), show::of_record)
        .get("/api/audit-logs/{id}", can(Audit, Read), show::read)
        .post("/api/audit-logs/{id}/revert", can(Audit, Revert), revert::revert_entry);
    // Aliases for older front ends.
    routes
        .get("/api/foundation/audit-logs", can(Audit, Read), show::list)
        .post("/api/foundation/audit-logs/export", can(Audit, Export), export::export)
        .get("/api/foundation/audit-logs/users/{id}", can(Audit, Read), show::of_user)
        .get("/api/foundation/audit-logs/resources/{resource_type}/{id}", can(Audit, Read), show::of_record)
        .get("/api/foundation/audit-logs/{id}", can(Audit, Read), show::read)
}
