//! Held posts by the links of the team's digest: who has the mail can look at a post, release it or reject it.

use daybook_domain::charset::Charset;
use daybook_domain::label::{self, Labelled};
use daybook_domain::submission::{Submission, Verdict};
use daybook_domain::{Error as Domain, LeadId, Locale, Rule, Secret, Stored, SubmissionId, Timestamp};
use daybook_http::{Cx, Data, Json, Language, Result};
use daybook_intake::{Reading, readings};
use daybook_records::held_link;
use daybook_store::object_of;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A link of the digest.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldLink {
    /// What stands behind `#held=` in the link.
    #[schema(value_type = String)]
    token: Secret,
}

/// What becomes of a held post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is released, and makes its lead.
    Release,
    /// It is spam.
    Reject,
}

/// A decision about a held post.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What stands behind `#held=` in the link.
    #[schema(value_type = String)]
    token: Secret,
    /// What becomes of it.
    decision: Fate,
    /// The charset of fields that couldn't be read, if it is released.
    charset: Option<Charset>,
}

/// A held post, as a page shows it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HeldPost {
    /// The submission.
    id: SubmissionId,
    /// When it was received.
    created_at: Timestamp,
    /// Its verdict by now.
    status: Verdict,
    /// The lead that it made or was added to.
    lead_id: Option<LeadId>,
    /// Why it was held, and what was posted, in the caller's language.
    fields: Vec<Labelled>,
    /// The charsets in which fields that couldn't be read can be, and what they say then.
    readings: Vec<Reading>,
}

/// Shows a held post to who has the link of the team's mail, for thirty days after it was posted.
pub async fn shown(cx: Cx, language: Language, Json(link): Json<HeldLink>) -> Result<Data<HeldPost>> {
    let (cx, post) = opened(&cx, &link.token).await?;
    described(&cx, &post, language.0).await
}

/// Releases or rejects a held post, for who has the link. What is decided already stays as it is.
pub async fn decide(cx: Cx, language: Language, Json(decision): Json<Decision>) -> Result<Data<HeldPost>> {
    let (cx, post) = opened(&cx, &decision.token).await?;
    if post.status == Verdict::Held {
        match decision.decision {
            Fate::Release => daybook_intake::release(&cx, post.id, None, decision.charset, |_| ()).await?,
            Fate::Reject => {
                daybook_records::change(&cx, post.id, None, Submission::as_spam, |_: Submission| ()).await?
            }
        }
    }
    let (cx, post) = opened(&cx, &decision.token).await?;
    described(&cx, &post, language.0).await
}

/// The post that a link opens, in the context of its organisation.
async fn opened(cx: &Cx, token: &Secret) -> Result<(Cx, Stored<Submission>)> {
    let stale = || {
        let rule = Rule::format(
            "the token of a link that works: at most 30 days old, of a post that is still there",
            "是有效链接的令牌：30 天之内，且该提交仍然存在",
        );
        Domain::invalid("/token", rule)
    };
    let (org, id) = held_link::opened(&cx.env, token.expose()).ok_or_else(stale)?;
    let cx = cx.in_organization(org).unscoped();
    let post = cx.find::<Submission>(id).await?.ok_or_else(stale)?;
    Ok((cx, post))
}

async fn described(cx: &Cx, submission: &Submission, locale: Locale) -> Result<Data<HeldPost>> {
    let zone = daybook_intake::zone_of(cx).await?;
    let mut posted = object_of(&submission.enquiry)?;
    posted.remove("attribution");
    for part in [submission.demo.as_ref().map(object_of), submission.contact.as_ref().map(object_of)] {
        posted.extend(part.transpose()?.unwrap_or_default());
    }
    posted.insert("screening".to_owned(), Value::from(object_list(submission)?));
    Ok(Data(HeldPost {
        id: submission.id,
        created_at: submission.created_at,
        status: submission.status,
        lead_id: submission.lead_id,
        fields: label::labelled(&Value::Object(posted), locale, &|at| zone.written_time(at, locale)),
        readings: readings(&submission.unreadable),
    }))
}

fn object_list(submission: &Submission) -> Result<Vec<Value>> {
    submission.screening.iter().map(|finding| object_of(finding).map(Value::Object)).collect()
}
