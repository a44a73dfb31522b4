//! The demonstrations API: visitors request demonstrations with or after a form; staff list, arrange and update them.
//!
//! A visitor requests one with the id and token of their form's response, or within a day with the id alone. The
//! response is the same for every visitor. If their form is held, the request is held with it.

use daybook_domain::ask::Asked as _;
use daybook_domain::demo::{Demo, DemoFields, DemoOrigin, DemoStatus};
use daybook_domain::permission::Action::{Create, Read, Update};
use daybook_domain::permission::Resource::Demos;
use daybook_domain::read::escape;
use daybook_domain::{DemoId, LeadId, Rule, SubmissionId, Timestamp, Violations};
use daybook_http::{
    Cx, Data, IfMatch, ListQuery, Listed, Patch, Path, Posted, PostedLater, RateClass, Result, Routes, can, public,
};
use daybook_intake::{Later, Next, Post, Receipt, Thanks, earlier, find_lead, zone_of};
use daybook_records::{Draft, created};
use daybook_store::Tx;
use serde::{Deserialize, Serialize};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("book-demo")
        .post("/api/leads/{id}/demo", public(RateClass::Form).or_can(Demos, Create), request)
        .post("/api/demos", public(RateClass::Form).or_can(Demos, Create), book)
        .get("/api/demos", can(Demos, Read), list)
        .get("/api/demos/{id}", can(Demos, Read), read)
        .put("/api/demos/{id}", can(Demos, Update), update)
        .patch("/api/demos/{id}", can(Demos, Update), update)
}

/// The response to a request: the record for staff, the same receipt for every visitor.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
enum Booked {
    /// The demonstration, for staff who created it for a lead.
    Demo(Box<Demo>),
    /// The receipt, for a form.
    Receipt(DemoReceipt),
}

/// The receipt for a form that requests a demonstration.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct DemoReceipt {
    /// The demonstration.
    id: DemoId,
    /// The submission.
    submission_id: SubmissionId,
    /// A token that lets its holder add to the submission.
    submission_token: String,
    /// When it was stored.
    created_at: Timestamp,
    /// Its status; only for trusted callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<DemoStatus>,
    /// The lead it is for; only for trusted callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lead_id: Option<LeadId>,
    /// The lead that had the address already; only for trusted callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duplicate_of: Option<LeadId>,
    /// What became of `_next`; only if the form has one.
    #[serde(flatten)]
    onward: Next,
}

impl Booked {
    fn receipt(receipt: Receipt) -> Booked {
        let lead_id = receipt.status.map(|_| receipt.id);
        Booked::Receipt(DemoReceipt {
            id: DemoId::of_submission(receipt.submission_id),
            submission_id: receipt.submission_id,
            submission_token: receipt.submission_token,
            created_at: receipt.created_at,
            status: lead_id.map(|_| DemoStatus::Requested),
            lead_id,
            duplicate_of: receipt.duplicate_of,
            onward: receipt.onward,
        })
    }
}

/// Requests a demonstration for the lead of an earlier form.
async fn request(cx: Cx, Path(id): Path<LeadId>, posted: PostedLater<DemoFields>) -> Result<Thanks<Booked>> {
    let later = Later::of(&cx, posted).await?;
    if cx.actor.owner().is_some() {
        return arrange(cx, id, later).await;
    }
    let earlier = earlier(id, &later).await?;
    Thanks::accept(Post::following(earlier, later), Booked::receipt).await
}

/// Accepts a lead together with the demonstration it requests.
async fn book(cx: Cx, posted: Posted<DemoFields>) -> Result<Thanks<Booked>> {
    Thanks::accept(Post::of(&cx, posted).await?, Booked::receipt).await
}

/// Creates a demonstration for a lead, on behalf of staff.
async fn arrange(cx: Cx, id: LeadId, later: Later<DemoFields>) -> Result<Thanks<Booked>> {
    known_fields(&later)?;
    let lead = find_lead(&cx, id).await?;
    let zone = zone_of(&cx).await?;
    let stamp = cx.stamp();
    let origin = DemoOrigin { id: DemoId::new(stamp.id), lead: lead.id, submission: None, zone: &zone };
    let demo = Demo::requested(&later.follow_up.asked, origin, stamp.at)?;
    let (demo, tx) = created(&cx, Tx::default(), Draft::of(demo)).await?;
    let reply = Thanks::with(Booked::Demo(Box::new(demo)), later.locale().unwrap_or_default());
    cx.commit(tx, reply).await
}

/// Lists demonstrations, the newest first.
async fn list(cx: Cx, query: ListQuery<Demo>) -> Result<Listed<Demo>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Reads a demonstration.
async fn read(cx: Cx, Path(id): Path<DemoId>) -> Result<Data<Demo>> {
    cx.get(id).await.map(Data::stored)
}

/// Changes the given fields; `null` clears.
async fn update(cx: Cx, Path(id): Path<DemoId>, IfMatch(version): IfMatch, patch: Patch<Demo>) -> Result<Data<Demo>> {
    daybook_records::amend(&cx, id, version, patch.fields, Data).await
}

/// Refuses unknown fields, as staff would want to know of a typing error.
fn known_fields(later: &Later<DemoFields>) -> Result<()> {
    let mut violations = Violations::default();
    let names: Vec<String> = DemoFields::FIELDS.iter().map(|name| (*name).to_owned()).collect();
    for name in later.follow_up.extra.keys() {
        violations.add(format!("/{}", escape(name)), Rule::unknown(name, &names));
    }
    violations.into_result().map_err(Into::into)
}
