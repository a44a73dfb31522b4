//! Submissions: every posted form as it came, and what became of it.
//!
//! What a check held back, or took for spam, is released here into the lead it would have made, under the
//! id that the visitor was told; or it is marked as spam. Nothing is ever thrown away by a check.

use daybook_domain::SubmissionId;
use daybook_domain::permission::Action::{Read, Update};
use daybook_domain::permission::Resource::Submissions;
use daybook_domain::submission::Submission;
use daybook_http::{Cx, Data, IfMatch, ListQuery, Listed, Path, Result, Routes, can};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("submissions")
        .get("/api/submissions", can(Submissions, Read), list)
        .get("/api/submissions/{id}", can(Submissions, Read), read)
        .post("/api/submissions/{id}/release", can(Submissions, Update), release)
        .post("/api/submissions/{id}/spam", can(Submissions, Update), spam)
}

/// Lists submissions, the newest first; `status=held` and `status=spam` by index.
async fn list(cx: Cx, query: ListQuery<Submission>) -> Result<Listed<Submission>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Reads a submission.
async fn read(cx: Cx, Path(id): Path<SubmissionId>) -> Result<Data<Submission>> {
    cx.get(id).await.map(Data::stored)
}

/// Accepts a submission after all: it makes or joins its lead, and mails go out as if it had never been held.
async fn release(cx: Cx, Path(id): Path<SubmissionId>, IfMatch(version): IfMatch) -> Result<Data<Submission>> {
    daybook_intake::release(&cx, id, version, Data).await
}

/// Marks a submission as spam. What was accepted already belongs to a lead, whose status says so instead.
async fn spam(cx: Cx, Path(id): Path<SubmissionId>, IfMatch(version): IfMatch) -> Result<Data<Submission>> {
    daybook_records::change(&cx, id, version, Submission::as_spam, Data).await
}
