//! The interactions API: calls, meetings and messages with customers. A cascade delete of the customer includes them.

use daybook_domain::interaction::Interaction;
use daybook_domain::permission::Action::{Create, Delete, Read, Update};
use daybook_domain::permission::Resource::Interactions;
use daybook_handlers::{batch, create, delete, list, read, restore, search, timeline, update};
use daybook_http::{Routes, can, can_any};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("interactions")
        .get("/api/interactions", can(Interactions, Read), list::<Interaction>)
        .post("/api/interactions", can(Interactions, Create), create::<Interaction>)
        .post("/api/interactions/search", can(Interactions, Read), search::<Interaction>)
        .post("/api/interactions/batch", can_any(Interactions, &[Create, Update, Delete]), batch::<Interaction>)
        .get("/api/interactions/{id}", can(Interactions, Read), read::<Interaction>)
        .put("/api/interactions/{id}", can(Interactions, Update), update::<Interaction>)
        .patch("/api/interactions/{id}", can(Interactions, Update), update::<Interaction>)
        .delete("/api/interactions/{id}", can(Interactions, Delete), delete::<Interaction>)
        .post("/api/interactions/{id}/restore", can(Interactions, Update), restore::<Interaction>)
        .get("/api/interactions/{id}/timeline", can(Interactions, Read), timeline::<Interaction>)
}
