//! Leads: the people who may become customers, as sales people work with them.
//!
//! Deleting moves a lead to the trash for 30 days and gives its address free; its submissions stay.
//! Restoring takes the address back, unless a newer lead has it.

use daybook_domain::lead::Lead;
use daybook_domain::permission::Action::{Delete, Read, Update};
use daybook_domain::permission::Resource::Leads;
use daybook_domain::submission::Submission;
use daybook_domain::{Conflict, Error as Domain, LeadId, Record};
use daybook_http::{Cx, Data, IfMatch, ListQuery, Listed, Patch, Path, Result, Routes, can};
use daybook_store::Tx;
use serde_json::Map;

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("leads")
        .get("/api/leads", can(Leads, Read), list)
        .get("/api/leads/{id}", can(Leads, Read), read)
        .put("/api/leads/{id}", can(Leads, Update), update)
        .patch("/api/leads/{id}", can(Leads, Update), update)
        .delete("/api/leads/{id}", can(Leads, Delete), delete)
        .post("/api/leads/{id}/restore", can(Leads, Update), restore)
}

/// Lists leads, the newest first.
async fn list(cx: Cx, query: ListQuery<Lead>) -> Result<Listed<Lead>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Reads a lead, by its id or by the id that a visitor was told.
async fn read(cx: Cx, Path(id): Path<LeadId>) -> Result<Data<Lead>> {
    if let Some(lead) = cx.find(id).await? {
        return Ok(Data(lead));
    }
    let told = cx.find::<Submission>(id.submission()).await?.and_then(|submission| submission.lead_id);
    match told {
        Some(lead) if lead != id => cx.get(lead).await.map(Data),
        _ => Err(Domain::NotFound(Lead::TYPE).into()),
    }
}

/// Changes the fields that are named; `null` clears.
async fn update(cx: Cx, Path(id): Path<LeadId>, IfMatch(version): IfMatch, patch: Patch<Lead>) -> Result<Data<Lead>> {
    cx.change(id, version, |lead: &Lead| lead.patched(patch.fields.clone()), Data).await
}

/// Moves a lead to the trash.
async fn delete(cx: Cx, Path(id): Path<LeadId>, IfMatch(version): IfMatch) -> Result<Data<Lead>> {
    let lead: Lead = cx.get(id).await?;
    if version.is_some_and(|version| version != lead.version) {
        return Err(Domain::Stale { version: lead.version, current: Map::new() }.into());
    }
    cx.commit(Tx::delete(&lead), Data(lead)).await
}

/// Takes a lead back from the trash.
async fn restore(cx: Cx, Path(id): Path<LeadId>) -> Result<Data<Lead>> {
    let Some(trashed) = cx.find_trashed::<Lead>(id).await? else {
        let _live: Lead = cx.get(id).await?;
        return Err(Domain::Conflict(Conflict::NotInTrash).into());
    };
    let lead = trashed.clone().following(&trashed, cx.now());
    cx.commit(Tx::restore(&trashed, &lead), Data(lead)).await
}
