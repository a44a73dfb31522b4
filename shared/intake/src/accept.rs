//! Accepting a posted form: finds the form, screens the post, and stores the submission with its lead and demonstration.

use crate::decide::{Known, Makes, is_outrun, known, makes, zone_of};
use crate::limits::limits;
use crate::next::Next;
use daybook_domain::ask::{Ask, Asked};
use daybook_domain::enquiry::Enquiry;
use daybook_domain::extra::MOST_FIELDS;
use daybook_domain::form::Form;
use daybook_domain::intake::{Controls, ENQUIRY_BYTES, FollowUp, GOTCHA, Intake, Limits, screen};
use daybook_domain::lead::{Lead, Status};
use daybook_domain::masking::masked_fields;
use daybook_domain::names::{MESSAGE, Names};
use daybook_domain::organization::Organization;
use daybook_domain::read::escape;
use daybook_domain::submission::{Check, Finding, Submission, Verdict};
use daybook_domain::{
    Conflict, Error as Domain, FormId, LeadId, Locale, Record as _, RecordType, Rule, Stored, SubmissionId, Timestamp,
    Unit, Violations, Zone,
};
use daybook_http::{Cx, Error, Fields, Posted, PostedBy, PostedLater, Result, Sent, network, token};
use daybook_records::{Draft, created};
use daybook_store::rows::is_too_far_ahead;
use daybook_store::{Reply, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// The maximum number of attempts when other requests take or release the e-mail address meanwhile.
const DECISIONS: usize = 20;

/// The time within which the same post again is a double click: 10 minutes.
const DOUBLE_CLICK: Duration = Duration::from_secs(600);

/// How long a submission accepts follow-ups without its token: 24 hours.
const OPEN: Duration = Duration::from_secs(86_400);

/// A posted form of any kind.
#[derive(Clone, Debug)]
pub struct Post {
    at: FormAt,
    pub(crate) enquiry: Enquiry,
    ask: Ask,
    pub(crate) controls: Controls,
    pub(crate) by: PostedBy,
    unreadable: Map<String, Value>,
    follows: Option<Submission>,
}

/// A posted follow-up to an earlier form.
#[derive(Clone, Debug)]
pub struct Later<A> {
    at: FormAt,
    by: PostedBy,
    unreadable: Map<String, Value>,
    /// Its fields.
    pub follow_up: FollowUp<A>,
}

impl Post {
    /// Reads a form with the visitor's own data, as the form that it is posted to has them.
    pub async fn of<A: Asked>(cx: &Cx, posted: Posted<A>) -> Result<Post> {
        let Posted { sent, by, .. } = posted;
        let at = FormAt::of(cx, &by).await?;
        let (fields, unreadable) = readable::<A>(&at.cx, sent, &by, &at.form)?;
        let Intake { enquiry, asked, controls } = Intake::<A>::read(fields, &at.form.field_names)?;
        check_room(&enquiry, &unreadable)?;
        Ok(Post { at, enquiry, ask: asked.into_ask(), controls, by, unreadable, follows: None })
    }

    /// A follow-up to an earlier submission, by the same visitor.
    pub fn following<A: Asked>(earlier: Submission, later: Later<A>) -> Post {
        let Later { at, by, unreadable, follow_up: FollowUp { asked, extra, controls } } = later;
        let enquiry = Enquiry { extra, ..earlier.enquiry.clone() };
        Post { at, enquiry, ask: asked.into_ask(), controls, by, unreadable, follows: Some(earlier) }
    }
}

impl<A: Asked> Later<A> {
    /// Reads a follow-up, as the form that it is posted to has its fields.
    pub async fn of(cx: &Cx, posted: PostedLater<A>) -> Result<Later<A>> {
        let PostedLater { sent, by, .. } = posted;
        let at = FormAt::of(cx, &by).await?;
        let (fields, unreadable) = readable::<A>(&at.cx, sent, &by, &at.form)?;
        Ok(Later { follow_up: FollowUp::read(fields)?, at, by, unreadable })
    }
}

impl<A> Later<A> {
    /// The language that the visitor's browser prefers.
    pub fn locale(&self) -> Option<Locale> {
        self.by.locale
    }
}

/// The fields of a post as texts. A script is told of fields that can't be read; a visitor couldn't correct them, so their
/// bytes are kept.
fn readable<A: Asked>(
    cx: &Cx,
    sent: Sent,
    by: &PostedBy,
    form: &Form,
) -> Result<(Map<String, Value>, Map<String, Value>)> {
    let Fields { mut fields, unreadable } = sent.fields(form, by.locale)?;
    if let Some(language) = fields.get("locale").and_then(Value::as_str).and_then(Locale::of_tag) {
        cx.request.speak(language);
    }
    let mut violations = Violations::default();
    for name in unreadable.keys().filter(|_| !by.is_plain) {
        let rule = Rule::format(
            "in UTF-8, or in the charset that the request or the form names",
            "采用 UTF-8，或请求、表单所声明的字符集",
        );
        violations.add(format!("/{}", escape(name)), rule);
    }
    let names = Names { usual: A::USUAL_NAMES, own: &form.field_names };
    let stands_in = form.locale.pick("In no known charset; see the submission.", "字符集无法识别，请查看提交记录。");
    for name in unreadable.keys() {
        // A trap that is filled in is one in any charset, and a message that is required was written.
        if name == GOTCHA {
            fields.insert(GOTCHA.to_owned(), Value::from(stands_in));
        } else if A::FIELDS.contains(&MESSAGE) && names.means::<A>(name, MESSAGE) {
            fields.entry(MESSAGE).or_insert_with(|| Value::from(stands_in));
        }
    }
    let kept = unreadable.into_iter().filter(|(name, _)| !name.starts_with('_'));
    let kept = masked_fields(&kept.map(|(name, bytes)| (name, Value::from(bytes))).collect());
    if kept.len() > MOST_FIELDS {
        violations.add("/extra", Rule::TooLong { max: MOST_FIELDS, unit: Unit::Entries });
    }
    violations.into_result()?;
    Ok((fields, kept))
}

/// Refuses bytes for which a submission has no room.
fn check_room(enquiry: &Enquiry, unreadable: &Map<String, Value>) -> Result<()> {
    let bytes = |json: serde_json::Result<String>| json.map_or(0, |json| json.len());
    let all = bytes(serde_json::to_string(enquiry)) + bytes(serde_json::to_string(unreadable));
    match unreadable.keys().next().filter(|_| all > ENQUIRY_BYTES) {
        Some(name) => {
            let rule = Rule::TooLong { max: ENQUIRY_BYTES, unit: Unit::Bytes };
            Err(Domain::invalid(format!("/{}", escape(name)), rule).into())
        }
        None => Ok(()),
    }
}

/// A form, and the context of its organisation.
#[derive(Clone, Debug)]
struct FormAt {
    cx: Cx,
    form: Form,
    trusted: bool,
}

/// The answer to a posted form. The same for all visitors, so it doesn't reveal which addresses are known.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Receipt {
    /// The lead, for `/api/leads/{id}/demo`. Anonymous callers get an id derived from this submission.
    pub id: LeadId,
    /// The submission.
    pub submission_id: SubmissionId,
    /// The token for follow-ups to the submission.
    pub submission_token: String,
    /// When it was stored.
    pub created_at: Timestamp,
    /// The lead's status; only for trusted callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The existing lead with this e-mail address; only for trusted callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<LeadId>,
    /// What became of `_next`; only if the form has one.
    #[serde(flatten)]
    pub onward: Next,
}

/// Returns the submission that an anonymous follow-up adds to. It needs the token, or must come within 24 hours.
pub async fn earlier<A>(lead: LeadId, later: &Later<A>) -> Result<Submission> {
    let missing = || Error::from(Domain::not_found(RecordType::Lead));
    let cx = &later.at.cx;
    let earlier = cx.find::<Submission>(lead.submission()).await?.ok_or_else(missing)?;
    let (at, now) = (earlier.created_at, cx.now());
    let may = match &later.follow_up.controls.submission_token {
        Some(given) => token::is_of_submission(cx, earlier.id, given),
        // One that is dated ahead was stored while the clock was ahead.
        None => at.until(now) <= OPEN && !is_too_far_ahead(at, now, Duration::ZERO),
    };
    if may { Ok(earlier.into_inner()) } else { Err(missing()) }
}

/// Returns a lead by its id, or by the id that a visitor received.
pub async fn find_lead(cx: &Cx, id: LeadId) -> Result<Stored<Lead>> {
    match cx.find(id).await? {
        Some(lead) => Ok(lead),
        None => cx.get(announced_lead(cx, id).await?).await,
    }
}

/// Returns the lead behind an id that a visitor received: the lead of the submission with the same UUID.
pub async fn announced_lead(cx: &Cx, id: LeadId) -> Result<LeadId> {
    let submission = cx.find::<Submission>(id.submission()).await?;
    let lead = submission.and_then(|submission| submission.lead_id).filter(|lead| *lead != id);
    lead.ok_or_else(|| Domain::not_found(RecordType::Lead).into())
}

/// Stores a post with the lead and the demonstration that it creates, and returns the reply.
pub async fn accept<R: Reply>(post: Post, reply: impl Fn(Receipt, &Form) -> R) -> Result<R> {
    let FormAt { cx, form, trusted } = post.at.clone();
    let cx = if trusted { cx } else { once_by_visitor(&cx, &form, &post.by.content) };
    if let Some(origin) = post.by.origin.as_deref().filter(|origin| !trusted && !form.takes_posts_from(origin)) {
        return Err(Domain::Origin(origin.to_owned()).into());
    }
    let unjudged = submission(&cx, &post, &form);
    let (verdict, findings) = judge(&cx, &post, &form, &unjudged, trusted).await?;
    let zone = match (&post.ask, verdict) {
        (Ask::Demo(_), Verdict::Accepted) => zone_of(&cx).await?,
        _ => Zone::default(),
    };
    let first = Submission { status: verdict, screening: findings, ..unjudged };
    let told_in = post.by.locale.unwrap_or_default();
    let onward = Next::of(&cx, &form, post.controls.next.as_deref(), told_in);
    for _ in 0..DECISIONS {
        let mut submission = first.clone();
        let (known, made) = match verdict {
            Verdict::Accepted => {
                let earlier = post.follows.as_ref().and_then(|earlier| earlier.lead_id);
                let known = known(&cx, &submission, earlier).await?;
                let made = makes(&mut submission, &form, &known, &zone, first.created_at)?;
                (known, made)
            }
            Verdict::Held | Verdict::Spam | Verdict::Unknown(_) => (Known::default(), Makes::default()),
        };
        let receipt = receipt(&cx, &submission, &known, made.lead.as_ref(), (trusted, onward.clone())).await?;
        let (_, tx) = created(&cx, Tx::default(), Draft::of(submission)).await?;
        let tx = made.add_to(&cx, tx).await?;
        match cx.commit(tx, reply(receipt, &form)).await {
            Err(error) if is_outrun(&error) => {}
            outcome => return outcome,
        }
    }
    Err(Domain::Conflict(Conflict::Contended).into())
}

/// The request with an idempotency key of the visitor who posts, so that a double click is answered alike, and no
/// other visitor gets that answer. A visitor is told from others by network and browser.
fn once_by_visitor(cx: &Cx, form: &Form, content: &str) -> Cx {
    let Some(ip) = cx.request.ip else { return cx.clone() };
    let browser = cx.request.user_agent.as_deref().unwrap_or_default();
    let scope = format!("{} {} {} {browser}", cx.request.path, form.id, network(ip));
    cx.once_by(&scope, content, DOUBLE_CLICK)
}

/// Screens a post. A follow-up to a held submission is held with it.
async fn judge(
    cx: &Cx,
    post: &Post,
    form: &Form,
    submission: &Submission,
    trusted: bool,
) -> Result<(Verdict, Vec<Finding>)> {
    if trusted {
        return Ok((Verdict::Accepted, Vec::new()));
    }
    let limits: Limits = limits(cx, form, &submission.person().unwrap_or_default()).await?;
    let (mut verdict, mut findings) = screen(&post.enquiry, &post.controls, limits);
    if !post.unreadable.is_empty() {
        let finding = Finding { check: Check::Charset, verdict: Verdict::Held };
        findings.push(finding);
        verdict = findings.first().map_or(verdict, |worst| worst.verdict);
    }
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

/// The submission of a post, as if nothing spoke against it.
fn submission(cx: &Cx, post: &Post, form: &Form) -> Submission {
    let mut enquiry = post.enquiry.clone();
    enquiry.locale = enquiry.locale.or(post.by.locale).or(Some(form.locale));
    let (demo, contact) = post.ask.clone().into_fields();
    let stamp = cx.stamp();
    Submission {
        id: SubmissionId::new(stamp.id),
        version: 1,
        created_at: stamp.at,
        updated_at: stamp.at,
        status: Verdict::Accepted,
        screening: Vec::new(),
        form_id: Some(form.id),
        lead_id: None,
        follows: post.follows.as_ref().map(|earlier| earlier.id),
        phone_e164: enquiry.e164(form.phone_country.as_str()),
        enquiry,
        demo,
        contact,
        differs: Vec::new(),
        unreadable: post.unreadable.clone(),
    }
}

async fn receipt(
    cx: &Cx,
    submission: &Submission,
    known: &Known,
    made: Option<&Lead>,
    (trusted, onward): (bool, Next),
) -> Result<Receipt> {
    let receipt = Receipt {
        id: submission.announced_lead_id(),
        submission_id: submission.id,
        submission_token: token::of_submission(cx, submission.id),
        created_at: submission.created_at,
        status: None,
        duplicate_of: None,
        onward,
    };
    if !trusted {
        return Ok(receipt);
    }
    // A lead outside the caller's reach is joined all the same, but not revealed.
    let (status, duplicate_of) = match &known.lead {
        // Read within the caller's reach.
        Some(known) => {
            let lead = cx.find::<Lead>(known.id).await?;
            (lead.as_ref().map(|lead| lead.status), lead.map(|lead| lead.id))
        }
        None => (made.map(|lead| lead.status), None),
    };
    let id = submission.lead_id.filter(|_| status.is_some()).unwrap_or(receipt.id);
    Ok(Receipt { id, status, duplicate_of, ..receipt })
}

impl FormAt {
    /// The form of a post. An unknown one is answered with 404.
    async fn of(cx: &Cx, by: &PostedBy) -> Result<FormAt> {
        let trusted = cx.actor.owner().is_some();
        let (cx, form) = form_of(cx, by, trusted).await?;
        if by.locale.is_none() {
            cx.request.speak(form.locale);
        }
        Ok(FormAt { cx, form, trusted })
    }
}

/// Returns the posted form, and the context of its organisation. An unknown form is answered with 404.
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
    // The default organisation always exists; others may be deleted.
    if org != cx.env.settings.default_org && cx.find_often::<Organization>(org).await?.is_none() {
        return Err(missing());
    }
    Ok((cx, form))
}

/// Returns a form of the organisation. Its default form always exists.
pub(crate) async fn form_by_id(cx: &Cx, id: FormId) -> Result<Form> {
    match cx.find_often::<Form>(id).await? {
        Some(form) => Ok(form.into_inner()),
        None if id == FormId::default_of(cx.org) => Ok(Form::default_of(cx.org)),
        None => Err(Domain::not_found(RecordType::Form).into()),
    }
}
