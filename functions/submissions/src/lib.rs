//! The submissions API: lists the posted forms as received, releases held ones, and marks spam.
//!
//! A submission that a check held or classified as spam can be released: it then creates its lead under the id that
//! the visitor was given. A check never discards a submission.

mod held;

use daybook_domain::SubmissionId;
use daybook_domain::charset::Charset;
use daybook_domain::permission::Action::{Read, Update};
use daybook_domain::permission::Resource::Submissions;
use daybook_domain::submission::Submission;
use daybook_http::{Cx, Data, IfMatch, Json, ListQuery, Listed, Path, RateClass, Result, Routes, can, public};
use serde::{Deserialize, Serialize};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("submissions")
        .get("/api/submissions", can(Submissions, Read), list)
        .get("/api/submissions/{id}", can(Submissions, Read), read)
        .post("/api/submissions/{id}/release", can(Submissions, Update), release)
        .post("/api/submissions/{id}/spam", can(Submissions, Update), spam)
        .post("/api/submissions/held", public(RateClass::SignIn), held::shown)
        .post("/api/submissions/held/decision", public(RateClass::SignIn), held::decide)
}

/// Lists submissions, the newest first; `status=held` and `status=spam` use an index.
async fn list(cx: Cx, query: ListQuery<Submission>) -> Result<Listed<Submission>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Reads a submission.
async fn read(cx: Cx, Path(id): Path<SubmissionId>) -> Result<Data<Submission>> {
    cx.get(id).await.map(Data::stored)
}

/// How a held submission is released.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The charset of the fields in `unreadable`; without it they stay as they are.
    charset: Option<Charset>,
}

/// Releases a held submission: it creates or joins its lead, and mails are sent as if it had never been held.
async fn release(
    cx: Cx,
    Path(id): Path<SubmissionId>,
    IfMatch(version): IfMatch,
    Json(asked): Json<Release>,
) -> Result<Data<Submission>> {
    daybook_intake::release(&cx, id, version, asked.charset, Data).await
}

/// Marks a submission as spam. An accepted submission belongs to a lead already: set the lead's status instead.
async fn spam(cx: Cx, Path(id): Path<SubmissionId>, IfMatch(version): IfMatch) -> Result<Data<Submission>> {
    daybook_records::change(&cx, id, version, Submission::as_spam, Data).await
}
