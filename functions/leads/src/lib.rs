//! The leads API for staff: lists, reads, changes, deletes, restores and converts prospective customers.
//!
//! Deleting moves a lead to the trash for 30 days and frees its address; its submissions stay. Restoring takes the
//! address back, unless a newer lead has it.

mod convert;

use convert::convert;
use daybook_domain::lead::Lead;
use daybook_domain::permission::Action::{Delete, Read, Update};
use daybook_domain::permission::Resource::Leads;
use daybook_domain::{Error as Domain, LeadId};
use daybook_handlers::{Moment, timeline_of};
use daybook_http::{
    Cx, Data, Error, IfMatch, ListQuery, Listed, PageQuery, Patch, Path, Result, Routes, Searched, can,
};
use daybook_intake::{announced_lead, find_lead};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("leads")
        .get("/api/leads", can(Leads, Read), list)
        .post("/api/leads/search", can(Leads, Read), search)
        .get("/api/leads/{id}", can(Leads, Read), read)
        .put("/api/leads/{id}", can(Leads, Update), update)
        .patch("/api/leads/{id}", can(Leads, Update), update)
        .delete("/api/leads/{id}", can(Leads, Delete), delete)
        .post("/api/leads/{id}/restore", can(Leads, Update), restore)
        .post("/api/leads/{id}/convert", can(Leads, Update), convert)
        .get("/api/leads/{id}/timeline", can(Leads, Read), timeline)
}

/// Lists leads, the newest first; with `search`, those whose words match.
async fn list(cx: Cx, query: ListQuery<Lead>) -> Result<Listed<Lead>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Lists the leads that match the query in the body.
async fn search(cx: Cx, Searched(query): Searched<Lead>) -> Result<Listed<Lead>> {
    list(cx, query).await
}

/// Reads a lead.
async fn read(cx: Cx, Path(id): Path<LeadId>) -> Result<Data<Lead>> {
    find_lead(&cx, id).await.map(Data::stored)
}

/// Changes the given fields; `null` clears.
async fn update(cx: Cx, Path(id): Path<LeadId>, IfMatch(version): IfMatch, patch: Patch<Lead>) -> Result<Data<Lead>> {
    let fields = patch.fields;
    match daybook_records::amend(&cx, id, version, fields.clone(), Data::<Lead>).await {
        Err(Error::Domain(Domain::NotFound(_))) => {
            daybook_records::amend(&cx, announced_lead(&cx, id).await?, version, fields, Data::<Lead>).await
        }
        outcome => outcome,
    }
}

/// Moves a lead to the trash.
async fn delete(cx: Cx, Path(id): Path<LeadId>, IfMatch(version): IfMatch) -> Result<Data<Lead>> {
    match daybook_records::remove(&cx, id, version, Data::<Lead>).await {
        Err(Error::Domain(Domain::NotFound(_))) => {
            daybook_records::remove(&cx, announced_lead(&cx, id).await?, version, Data::<Lead>).await
        }
        outcome => outcome,
    }
}

/// Restores a lead from the trash.
async fn restore(cx: Cx, Path(id): Path<LeadId>, IfMatch(version): IfMatch) -> Result<Data<Lead>> {
    match daybook_records::restore(&cx, id, version, Data::<Lead>).await {
        Err(Error::Domain(Domain::NotFound(_))) => {
            daybook_records::restore(&cx, announced_lead(&cx, id).await?, version, Data::<Lead>).await
        }
        outcome => outcome,
    }
}

/// Lists the timeline of a lead, the newest first.
async fn timeline(cx: Cx, Path(id): Path<LeadId>, query: PageQuery) -> Result<Listed<Moment>> {
    let lead = find_lead(&cx, id).await?;
    timeline_of(&cx, &*lead, &query).await
}
