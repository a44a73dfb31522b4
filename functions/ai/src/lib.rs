//! The AI API: models, budgets and usage, the keys of providers, and the conversations of others, whose reading is on
//! record.

mod budgets;
mod inspect;
mod keys;
mod models;
mod usage;

use daybook_domain::permission::Action::{Admin, Inspect, Manage, Use};
use daybook_domain::permission::Resource::{Ai, Integrations};
use daybook_http::{Routes, can};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("ai")
        .get("/api/models", can(Ai, Use), models::list)
        .get("/api/ai/budgets", can(Ai, Admin), budgets::read)
        .put("/api/ai/budgets", can(Ai, Admin), budgets::update)
        .get("/api/ai/usage", can(Ai, Use), usage::read)
        .get("/api/ai/conversations", can(Ai, Inspect), inspect::conversations)
        .get("/api/ai/conversations/{id}/messages", can(Ai, Inspect), inspect::messages)
        .get("/api/integrations/ai", can(Integrations, Manage), keys::read)
        .put("/api/integrations/ai", can(Integrations, Manage), keys::update)
}
