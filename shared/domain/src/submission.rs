//! Submissions: what came in through a form, exactly once, whatever becomes of it.

use crate::ask::Ask;
use crate::choices;
use crate::demo::DemoFields;
use crate::enquiry::Enquiry;
use crate::field::Fields;
use crate::message::Message;
use crate::permission::Resource;
use crate::record::{OnTimelines, Personal, Record};
use crate::{AnyId, Change, Conflict, Error, Event, FormId, LeadId, RecordType, SubmissionId, Timestamp, record_head};
use serde::{Deserialize, Serialize};

choices! {
    /// What became of a submission.
    Verdict {
        /// It made or joined a lead.
        Accepted = "accepted",
        /// Somebody has to look at it first.
        Held = "held",
        /// It is taken for spam.
        Spam = "spam",
    }

    /// A check that a submission went through.
    Check {
        /// A field that people don't see must stay empty.
        Honeypot = "honeypot",
        /// Nobody fills in a form within two seconds, or leaves it open for more than a day.
        Timing = "timing",
        /// Posts per minute from one network address.
        AddressLimit = "address_limit",
        /// Posts per minute through one form.
        FormLimit = "form_limit",
        /// Posts per ten minutes with one e-mail address.
        EmailLimit = "email_limit",
        /// Names don't hold web addresses.
        Content = "content",
        /// It adds to a submission that is held or taken for spam.
        FollowsHeld = "follows_held",
    }
}

/// A check that spoke against a submission, and to which verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// What it makes of the submission.
    pub verdict: Verdict,
}

/// One posted form. Stored first, whatever the checks say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Submission {
    /// The id.
    #[field(read_only)]
    pub id: SubmissionId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it came.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// What became of it.
    pub status: Verdict,
    /// What the checks found, most serious first; empty where none found anything.
    pub screening: Vec<Finding>,
    /// The form it came through.
    pub form_id: Option<FormId>,
    /// The lead it made or joined; none while it is held.
    pub lead_id: Option<LeadId>,
    /// The submission it adds to.
    #[serde(default)]
    pub follows: Option<SubmissionId>,
    /// Who posted it, and what they say of themselves.
    pub enquiry: Enquiry,
    /// The demonstration it asks for, as it was posted.
    #[serde(default)]
    pub demo: Option<DemoFields>,
    /// The message it holds.
    #[serde(default)]
    pub contact: Option<Message>,
}

impl Submission {
    /// The lead id that the visitor was told.
    pub fn announced_lead_id(&self) -> LeadId {
        LeadId::of_submission(self.id)
    }

    /// The submission as spam, unless it was accepted.
    pub fn as_spam(&self) -> Result<Submission, Error> {
        match self.status {
            Verdict::Accepted => Err(Error::Conflict(Conflict::SubmissionAccepted)),
            Verdict::Unknown(_) => Err(Error::Conflict(Conflict::NewerVersion)),
            Verdict::Held | Verdict::Spam => Ok(Submission { status: Verdict::Spam, ..self.clone() }),
        }
    }

    /// What it asks for.
    pub fn ask(&self) -> Ask {
        match (&self.demo, &self.contact) {
            (Some(demo), _) => Ask::Demo(demo.clone()),
            (None, Some(message)) => Ask::Contact(message.clone()),
            (None, None) => Ask::Lead,
        }
    }
}

impl Record for Submission {
    const TYPE: RecordType = RecordType::Submission;
    type Id = SubmissionId;
    type Context = ();
    const RESOURCE: Resource = Resource::Submissions;
    const PERSONAL: Personal = Personal::Yes;
    const UNDONE: bool = false;
    const ON_TIMELINES: OnTimelines = OnTimelines::WithParent("A form was posted.");
    const SAMPLE: &'static str =
        r#"{"status": "accepted", "screening": [], "lead_id": "lead_{id}", "enquiry": {"email": "ada@example.com"}}"#;
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("status", Verdict::NAMES));

    record_head!();

    fn event(change: Change<'_, Submission>) -> Event {
        match change {
            Change::Update(before, after) if before.status == after.status => Event::SubmissionUpdated,
            Change::Create(made) | Change::Update(_, made) => match made.status {
                Verdict::Accepted => Event::SubmissionAccepted,
                Verdict::Held => Event::SubmissionHeld,
                Verdict::Spam => Event::SubmissionSpam,
                Verdict::Unknown(_) => Event::SubmissionUpdated,
            },
            Change::Delete(_) => Event::SubmissionDeleted,
            Change::Restore(_) => Event::SubmissionRestored,
        }
    }

    fn person(&self) -> Option<String> {
        Some(self.enquiry.email.normalized())
    }

    fn parents(&self) -> Vec<AnyId> {
        self.lead_id.map(AnyId::from).into_iter().collect()
    }

    fn state(&self) -> Option<&str> {
        Some(self.status.name())
    }
}

crate::as_text!(Enquiry, DemoFields, Message, Finding);
