//! The opportunities API: possible sales to customers, which move through the stages of a pipeline; and the pipelines.
//!
//! A cascade delete of the customer includes its opportunities, and one of an opportunity includes the tasks about it.
//! A stage sets the opportunity's status and its probability of being won, unless the opportunity has its own.

mod board;
mod pipelines;

use board::board;
use daybook_domain::OpportunityId;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::permission::Action::{Create, Delete, Manage, Read, Update};
use daybook_domain::permission::Resource::{Opportunities, Pipelines};
use daybook_domain::pipeline::{Pipeline, StageKey};
use daybook_domain::{Line, Percent};
use daybook_handlers::{batch, create, delete_family, list, read, restore_family, search, timeline, update};
use daybook_http::{Cx, Data, IfMatch, Json, Path, Result, Routes, can, can_any};
use daybook_store::object_of;
use serde::{Deserialize, Serialize};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("opportunities")
        .get("/api/opportunities", can(Opportunities, Read), list::<Opportunity>)
        .post("/api/opportunities", can(Opportunities, Create), create::<Opportunity>)
        .post("/api/opportunities/search", can(Opportunities, Read), search::<Opportunity>)
        .post("/api/opportunities/batch", can_any(Opportunities, &[Create, Update, Delete]), batch::<Opportunity>)
        .get("/api/opportunities/board", can(Opportunities, Read), board)
        .get("/api/opportunities/{id}", can(Opportunities, Read), read::<Opportunity>)
        .put("/api/opportunities/{id}", can(Opportunities, Update), update::<Opportunity>)
        .patch("/api/opportunities/{id}", can(Opportunities, Update), update::<Opportunity>)
        .delete("/api/opportunities/{id}", can(Opportunities, Delete), delete_family::<Opportunity>)
        .post("/api/opportunities/{id}/restore", can(Opportunities, Update), restore_family::<Opportunity>)
        .post("/api/opportunities/{id}/stage", can(Opportunities, Update), set_stage)
        .get("/api/opportunities/{id}/timeline", can(Opportunities, Read), timeline::<Opportunity>)
        .get("/api/pipelines", can(Pipelines, Read), pipelines::list)
        .post("/api/pipelines", can(Pipelines, Manage), create::<Pipeline>)
        .get("/api/pipelines/{id}", can(Pipelines, Read), pipelines::read)
        .put("/api/pipelines/{id}", can(Pipelines, Manage), pipelines::update)
        .patch("/api/pipelines/{id}", can(Pipelines, Manage), pipelines::update)
        .delete("/api/pipelines/{id}", can(Pipelines, Manage), pipelines::delete)
        .post("/api/pipelines/{id}/restore", can(Pipelines, Manage), pipelines::restore)
}

/// A move of an opportunity to a stage.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The stage, of any pipeline.
    stage: StageKey,
    /// The probability of winning; by default that of the stage.
    probability: Option<Percent>,
    /// Why it was lost.
    lost_reason: Option<Line<200>>,
}

/// Moves an opportunity to a stage.
async fn set_stage(
    cx: Cx,
    Path(id): Path<OpportunityId>,
    IfMatch(version): IfMatch,
    Json(to): Json<Move>,
) -> Result<Data<Opportunity>> {
    let mut fields = object_of(&to)?;
    fields.retain(|_, value| !value.is_null());
    daybook_records::amend(&cx, id, version, fields, Data).await
}
