//! From a posted form to a stored submission.

use crate::decide::{Known, Makes, known, makes, zone_of};
use crate::limits::limits;
use daybook_domain::ask::{Ask, Asked};
use daybook_domain::enquiry::Enquiry;
use daybook_domain::form::Form;
use daybook_domain::intake::{Controls, Limits, screen};
use daybook_domain::lead::{Lead, Status};
use daybook_domain::organization::Organization;
use daybook_domain::submission::{Check, Finding, Submission, Verdict};
use daybook_domain::{Conflict, Error as Domain, FormId, LeadId, RecordType, Stored, SubmissionId, Timestamp, Zone};
use daybook_http::{Cx, Error, Posted, PostedBy, PostedLater, Result, token};
use daybook_records::{Draft, created};
use daybook_store::{Reply, Tx};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a submission is decided anew when its address was taken or given up meanwhile.
const DECISIONS: usize = 20;

/// Within this time the same post again is a double click.
const DOUBLE_CLICK: Duration = Duration::from_secs(600);

/// For so long a submission may be added to without its token.
const OPEN: Duration = Duration::from_secs(86_400);

/// What was posted, whatever the form.
#[derive(Clone, Debug)]
pub struct Post {
    pub(crate) enquiry: Enquiry,
    ask: Ask,
    pub(crate) controls: Controls,
    pub(crate) by: PostedBy,
    follows: Option<Submission>,
}

impl Post {
    /// A form that says who posts it.
    pub fn of<A: Asked>(posted: Posted<A>) -> Post {
        let Posted { intake, by } = posted;
        Post { enquiry: intake.enquiry, ask: intake.asked.into_ask(), controls: intake.controls, by, follows: None }
    }

    /// A form that adds to an earlier submission, and so is from the same person.
    pub fn following<A: Asked>(earlier: Submission, posted: PostedLater<A>) -> Post {
        let PostedLater { follow_up, by } = posted;
        let enquiry = Enquiry { extra: follow_up.extra, ..earlier.enquiry.clone() };
        Post { enquiry, ask: follow_up.asked.into_ask(), controls: follow_up.controls, by, follows: Some(earlier) }
    }
}

/// What the one who posted is told. The same for everybody, so it doesn't tell who is known.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Receipt {
    /// The lead, for `/api/leads/{id}/demo`. To anonymous callers an id of this submission's own.
    pub id: LeadId,
    /// The submission.
    pub submission_id: SubmissionId,
    /// Lets its holder add to the submission.
    pub submission_token: String,
    /// When it was stored.
    pub created_at: Timestamp,
    /// The lead's status; only for trusted callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The lead that had the address already; only for trusted callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<LeadId>,
}

/// The submission that an anonymous form adds to, where it may: with its token, or within a day.
pub async fn earlier<A>(cx: &Cx, lead: LeadId, posted: &PostedLater<A>) -> Result<Submission> {
    let missing = || Error::from(Domain::not_found(RecordType::Lead));
    let (cx, _) = form_of(cx, &posted.by, false).await?;
    let earlier = cx.find::<Submission>(lead.submission()).await?.ok_or_else(missing)?;
    let may = match &posted.follow_up.controls.submission_token {
        Some(given) => token::is_of_submission(&cx, earlier.id, given),
        None => earlier.created_at.until(cx.now()) <= OPEN,
    };
    if may { Ok(earlier.into_inner()) } else { Err(missing()) }
}

/// A lead by its id, or by one that a visitor was told.
pub async fn find_lead(cx: &Cx, id: LeadId) -> Result<Stored<Lead>> {
    match cx.find(id).await? {
        Some(lead) => Ok(lead),
        None => cx.get(announced_lead(cx, id).await?).await,
    }
}

/// The lead behind an id that a visitor was told: that of the submission with the same UUID.
pub async fn announced_lead(cx: &Cx, id: LeadId) -> Result<LeadId> {
    let submission = cx.find::<Submission>(id.submission()).await?;
    let lead = submission.and_then(|submission| submission.lead_id).filter(|lead| *lead != id);
    lead.ok_or_else(|| Domain::not_found(RecordType::Lead).into())
}

/// Stores what was posted, with all that follows from it, and answers.
pub async fn accept<R: Reply>(cx: &Cx, post: Post, reply: impl Fn(Receipt, &Form) -> R) -> Result<R> {
    let trusted = cx.actor.user().is_some();
    let (cx, form) = form_of(cx, &post.by, trusted).await?;
    let cx = if trusted {
        cx
    } else {
        cx.once_by(&format!("{} {}", cx.request.path, form.id), &post.by.content, DOUBLE_CLICK)
    };
    if let Some(origin) = post.by.origin.as_deref().filter(|origin| !trusted && !form.takes_posts_from(origin)) {
        return Err(Domain::Origin(origin.to_owned()).into());
    }
    let (verdict, findings) = judge(&cx, &post, &form, trusted).await?;
    let zone = match (&post.ask, verdict) {
        (Ask::Demo(_), Verdict::Accepted) => zone_of(&cx).await?,
        _ => Zone::default(),
    };
    let first = submission(&cx, &post, &form, verdict, findings);
    for _ in 0..DECISIONS {
        let mut submission = first.clone();
        let (known, made) = match verdict {
            Verdict::Accepted => {
                let earlier = post.follows.as_ref().and_then(|earlier| earlier.lead_id);
                let known = known(&cx, &submission, earlier).await?;
                let made = makes(&mut submission, &form, &known, &zone, first.created_at)?;
                (known, made)
            }
            Verdict::Held | Verdict::Spam | Verdict::Unknown(_) => (Known::default(), Makes { lead: None, demo: None }),
        };
        let receipt = receipt(&cx, &submission, &known, made.lead.as_ref(), trusted).await?;
        let (_, tx) = created(&cx, Tx::default(), Draft::of(submission)).await?;
        let tx = made.add_to(&cx, tx).await?;
        match cx.commit(tx, reply(receipt, &form)).await {
            // Somebody else with this address came first, or its lead was deleted: decide anew.
            Err(Error::Domain(Domain::Duplicate { .. } | Domain::Conflict(Conflict::ParentGone))) => {}
            outcome => return outcome,
        }
    }
    Err(Domain::Conflict(Conflict::Contended).into())
}

/// What becomes of a post. What adds to a held submission is held with it.
async fn judge(cx: &Cx, post: &Post, form: &Form, trusted: bool) -> Result<(Verdict, Vec<Finding>)> {
    if trusted {
        return Ok((Verdict::Accepted, Vec::new()));
    }
    let limits: Limits = limits(cx, form, &post.enquiry.email).await?;
    let (mut verdict, mut findings) = screen(&post.enquiry, &post.controls, limits, cx.now());
    if let Some(earlier) = post.follows.as_ref().filter(|earlier| earlier.status != Verdict::Accepted) {
        let finding = Finding { check: Check::FollowsHeld, verdict: earlier.status };
        // The most serious first.
        if earlier.status == Verdict::Spam && verdict != Verdict::Spam {
            findings.insert(0, finding);
        } else {
            findings.push(finding);
        }
        verdict = findings.first().map_or(verdict, |worst| worst.verdict);
    }
    Ok((verdict, findings))
}

fn submission(cx: &Cx, post: &Post, form: &Form, status: Verdict, screening: Vec<Finding>) -> Submission {
    let mut enquiry = post.enquiry.clone();
    enquiry.locale = enquiry.locale.or(post.by.locale).or(Some(form.locale));
    let (demo, contact) = match &post.ask {
        Ask::Lead => (None, None),
        Ask::Demo(fields) => (Some(fields.clone()), None),
        Ask::Contact(message) => (None, Some(message.clone())),
    };
    let stamp = cx.stamp();
    Submission {
        id: SubmissionId::new(stamp.id),
        version: 1,
        created_at: stamp.at,
        updated_at: stamp.at,
        status,
        screening,
        form_id: Some(form.id),
        lead_id: None,
        follows: post.follows.as_ref().map(|earlier| earlier.id),
        enquiry,
        demo,
        contact,
    }
}

async fn receipt(
    cx: &Cx,
    submission: &Submission,
    known: &Known,
    made: Option<&Lead>,
    trusted: bool,
) -> Result<Receipt> {
    let told = Receipt {
        id: submission.announced_lead_id(),
        submission_id: submission.id,
        submission_token: token::of_submission(cx, submission.id),
        created_at: submission.created_at,
        status: None,
        duplicate_of: None,
    };
    if !trusted {
        return Ok(told);
    }
    // A lead that is another's is joined all the same, but not told of.
    let (status, duplicate_of) = match known.lead {
        Some(known) => {
            let lead = cx.find::<Lead>(known).await?;
            (lead.as_ref().map(|lead| lead.status), lead.map(|lead| lead.id))
        }
        None => (made.map(|lead| lead.status), None),
    };
    let id = submission.lead_id.filter(|_| status.is_some()).unwrap_or(told.id);
    Ok(Receipt { id, status, duplicate_of, ..told })
}

/// The form a post comes through, and the context of its organisation. An unknown form is not found.
async fn form_of(cx: &Cx, by: &PostedBy, trusted: bool) -> Result<(Cx, Form)> {
    let missing = || Error::from(Domain::not_found(RecordType::Form));
    let id = match &by.form {
        // A form's publishable key is its id with another prefix.
        Some(named) => match named.strip_prefix("pk_") {
            Some(suffix) => format!("{}_{suffix}", FormId::PREFIX),
            None => named.clone(),
        }
        .parse::<FormId>()
        .map_err(|_| missing())?,
        None => FormId::default_of(cx.org),
    };
    let org = if trusted {
        cx.org
    } else {
        daybook_records::admission::organization_of_form(&cx.env, id).await?.ok_or_else(missing)?
    };
    let cx = cx.in_organization(org);
    let form = form_by_id(&cx, id).await?;
    // The default organisation is there from the start; others come and go.
    if org != cx.env.settings.default_org && cx.find_often::<Organization>(org).await?.is_none() {
        return Err(missing());
    }
    Ok((cx, form))
}

/// A form of the organisation; its default one is there from the start.
pub(crate) async fn form_by_id(cx: &Cx, id: FormId) -> Result<Form> {
    match cx.find_often::<Form>(id).await? {
        Some(form) => Ok(form.into_inner()),
        None if id == FormId::default_of(cx.org) => Ok(Form::default_of(cx.org)),
        None => Err(Domain::not_found(RecordType::Form).into()),
    }
}
