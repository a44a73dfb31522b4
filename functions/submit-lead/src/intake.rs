//! From a posted form to a stored submission.

use daybook_domain::intake::{Limits, screen};
use daybook_domain::lead::{Lead, LeadOrigin, Status};
use daybook_domain::submission::{Finding, Submission, Verdict};
use daybook_domain::{
    Claim, ClaimKind, Conflict, Error as Domain, FormId, LeadId, RecordType, Stamp, SubmissionId, Timestamp, form::Form,
};
use daybook_http::{Cx, Error, Posted, Result, network, token};
use daybook_store::rows::bucket::{Rate, Taken, take};
use daybook_store::{Holder, Reply, Tx, sha256_hex};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a submission is decided anew when its address was taken or given up meanwhile.
const DECISIONS: usize = 20;

/// Posts beyond these are held.
const PER_ADDRESS: Rate = Rate { burst: 6, per: Duration::from_secs(60) };
const PER_FORM: Rate = Rate { burst: 60, per: Duration::from_secs(60) };
const PER_EMAIL: Rate = Rate { burst: 3, per: Duration::from_secs(600) };

/// Within this time the same post again is a double click.
const DOUBLE_CLICK: Duration = Duration::from_secs(600);

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

/// Stores what was posted, with all that follows from it, and answers.
pub async fn accept<R: Reply>(cx: &Cx, posted: &Posted, reply: impl Fn(Receipt, &Form) -> R) -> Result<R> {
    let trusted = cx.actor.user().is_some();
    let (cx, form) = form_of(cx, posted, trusted).await?;
    let cx = if trusted {
        cx
    } else {
        cx.once_by(&format!("{} {}", cx.request.route, form.id), &posted.content, DOUBLE_CLICK)
    };
    if let Some(origin) = posted.origin.as_deref().filter(|origin| !trusted && !form.takes_posts_from(origin)) {
        return Err(Domain::Origin(origin.to_owned()).into());
    }
    let (verdict, findings) = if trusted {
        (Verdict::Accepted, Vec::new())
    } else {
        screen(&posted.intake, limits(&cx, &form, posted).await?, cx.now())
    };
    let stamp = cx.stamp();
    for _ in 0..DECISIONS {
        let holder = match verdict {
            Verdict::Accepted => cx.holder(RecordType::Lead, &claim(posted)).await?,
            Verdict::Held | Verdict::Spam => Holder::default(),
        };
        let decided = decide(posted, &form, holder, (verdict, &findings), &stamp);
        let receipt = receipt(&cx, &decided, trusted).await?;
        let mut tx = Tx::create(&decided.submission);
        if let Some(lead) = &decided.lead {
            tx = tx.and_create(lead);
        }
        match cx.commit(tx, reply(receipt, &form)).await {
            // Somebody else with this address came first, or its lead was deleted: decide anew.
            Err(Error::Domain(Domain::Duplicate { .. } | Domain::Conflict(Conflict::ParentGone))) => {}
            outcome => return outcome,
        }
    }
    Err(Domain::Conflict(Conflict::Contended).into())
}

struct Decided {
    submission: Submission,
    lead: Option<Lead>,
    known: Option<LeadId>,
}

fn decide(
    posted: &Posted,
    form: &Form,
    holder: Holder,
    (verdict, findings): (Verdict, &[Finding]),
    stamp: &Stamp,
) -> Decided {
    let mut enquiry = posted.intake.enquiry.clone();
    enquiry.locale = enquiry.locale.or(posted.locale).or(Some(form.locale));
    let known = holder.current.and_then(|id| LeadId::try_from(id).ok());
    let origin = LeadOrigin {
        form: Some(form.id),
        default_source: &form.default_source,
        phone_country: form.phone_country.as_str(),
        previous: holder.previous.and_then(|id| LeadId::try_from(id).ok()),
    };
    let makes_lead = verdict == Verdict::Accepted && known.is_none();
    let lead = makes_lead.then(|| Lead::from_enquiry(&enquiry, origin, stamp));
    let submission = Submission {
        id: SubmissionId::new(stamp.id),
        version: 1,
        created_at: stamp.at,
        updated_at: stamp.at,
        status: verdict,
        screening: findings.to_vec(),
        form_id: Some(form.id),
        lead_id: lead.as_ref().map(|lead| lead.id).or(known),
        enquiry,
    };
    Decided { submission, lead, known }
}

async fn receipt(cx: &Cx, decided: &Decided, trusted: bool) -> Result<Receipt> {
    let submission = &decided.submission;
    let told = Receipt {
        id: submission.told_lead_id(),
        submission_id: submission.id,
        submission_token: token::of_submission(cx, submission.id),
        created_at: submission.created_at,
        status: None,
        duplicate_of: None,
    };
    if !trusted {
        return Ok(told);
    }
    let status = match decided.known {
        Some(known) => cx.find::<Lead>(known).await?.map(|lead| lead.status),
        None => decided.lead.as_ref().map(|lead| lead.status),
    };
    Ok(Receipt { id: submission.lead_id.unwrap_or(told.id), status, duplicate_of: decided.known, ..told })
}

/// The form a post comes through, and the context of its organisation. An unknown form is not found.
async fn form_of(cx: &Cx, posted: &Posted, trusted: bool) -> Result<(Cx, Form)> {
    let missing = || Error::from(Domain::NotFound(RecordType::Form));
    let id = match &posted.form {
        // A form's publishable key is its id with another prefix.
        Some(named) => match named.strip_prefix("pk_") {
            Some(suffix) => format!("{}_{suffix}", FormId::PREFIX),
            None => named.clone(),
        }
        .parse::<FormId>()
        .map_err(|_| missing())?,
        None => FormId::default_of(cx.org),
    };
    let org = if trusted { cx.org } else { cx.env.organization_of_form(id).await?.ok_or_else(missing)? };
    let cx = cx.in_organization(org);
    match cx.find::<Form>(id).await? {
        Some(form) => Ok((cx, form)),
        None if id == FormId::default_of(org) => Ok((cx, Form::default_of(org))),
        None => Err(missing()),
    }
}

/// Counts a post against what its network address, its form and its e-mail address may.
async fn limits(cx: &Cx, form: &Form, posted: &Posted) -> Result<Limits> {
    if !cx.env.settings.rate_limits {
        return Ok(Limits::default());
    }
    let ip = cx.request.ip.map(network).unwrap_or_default();
    let email = sha256_hex(claim(posted).value.as_bytes());
    let form = form.id.to_string();
    let (by_address, by_form, by_email) = tokio::try_join!(
        take(&cx.env, cx.org, "intake-address", &ip, PER_ADDRESS),
        take(&cx.env, cx.org, "intake-form", &form, PER_FORM),
        take(&cx.env, cx.org, "intake-email", &email, PER_EMAIL),
    )?;
    let over = |taken| matches!(taken, Taken::After(_));
    Ok(Limits { address: over(by_address), form: over(by_form), email: over(by_email) })
}

fn claim(posted: &Posted) -> Claim {
    Claim { kind: ClaimKind::Email, value: posted.intake.enquiry.email.normalized() }
}
