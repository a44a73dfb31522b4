//! Submissions: the records of posted forms, each stored exactly once, with the verdict of spam screening.

use crate::ask::Ask;
use crate::choices;
use crate::demo::DemoFields;
use crate::enquiry::Enquiry;
use crate::field::Fields;
use crate::message::Message;
use crate::permission::Resource;
use crate::record::{OnTimelines, Personal, Record};
use crate::{
    AnyId, Change, Conflict, EmailAddress, Error, Event, FormId, LeadId, RecordType, SubmissionId, Timestamp,
    record_head,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

choices! {
    /// The verdict on a submission.
    Verdict {
        /// It was accepted: it created a lead, or was added to one.
        Accepted = "accepted",
        /// It is held for review.
        Held = "held",
        /// It is classified as spam.
        Spam = "spam",
    }

    /// A spam check of submissions.
    Check {
        /// A hidden field must be left empty.
        Honeypot = "honeypot",
        /// The form must have been open for two seconds.
        Timing = "timing",
        /// The limit of submissions per minute from one network address.
        AddressLimit = "address_limit",
        /// The limit of submissions per minute through one form.
        FormLimit = "form_limit",
        /// The limit of submissions per ten minutes with one e-mail address.
        EmailLimit = "email_limit",
        /// All fields must be texts in the charset of the page, or of its form.
        Charset = "charset",
        /// Names must not contain URLs.
        Content = "content",
        /// It adds to a submission that is held or spam.
        FollowsHeld = "follows_held",
    }
}

/// A failed check of a submission, with the resulting verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The resulting verdict.
    pub verdict: Verdict,
}

/// A posted form. It is stored first, whatever the checks find.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Submission {
    /// The id.
    #[field(read_only)]
    pub id: SubmissionId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was received.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The verdict.
    pub status: Verdict,
    /// The failed checks, most serious first; empty if all passed.
    pub screening: Vec<Finding>,
    /// The form that was posted.
    pub form_id: Option<FormId>,
    /// The lead that it created or was added to; none while it is held.
    pub lead_id: Option<LeadId>,
    /// The submission it adds to.
    #[serde(default)]
    pub follows: Option<SubmissionId>,
    /// The visitor's enquiry.
    pub enquiry: Enquiry,
    /// The visitor's phone number in E.164, by the form's country; none if it can't be parsed.
    #[serde(default)]
    #[field(read_only)]
    pub phone_e164: Option<String>,
    /// The requested demonstration, as posted.
    #[serde(default)]
    pub demo: Option<DemoFields>,
    /// The message.
    #[serde(default)]
    pub contact: Option<Message>,
    /// The fields that differ from those of the lead that it was added to: names, or `extra/{name}`. The lead keeps its own.
    #[serde(default)]
    pub differs: Vec<String>,
    /// The bytes of fields that are in no charset that the page named or that is likely, in Base64; it is held then.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub unreadable: Map<String, Value>,
}

impl Submission {
    /// Whether it was added to a lead that was there before.
    pub fn is_of_known_lead(&self) -> bool {
        self.lead_id.is_some_and(|lead| lead != self.announced_lead_id())
    }

    /// The phone number in the form in which numbers are compared.
    pub fn number(&self) -> Option<String> {
        self.enquiry.phone.as_ref()?.compared(self.phone_e164.as_deref())
    }

    /// The lead id in the response to the visitor.
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

    /// What the visitor requests.
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
    const ONCE_REQUIRED: &'static [&'static [&'static str]] = &[&["enquiry", "email"]];
    const UNDONE: bool = false;
    const ON_TIMELINES: OnTimelines = OnTimelines::Yes("A form was posted.");
    const IN_SCOPE_OF: &'static [RecordType] = &[RecordType::Lead];
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
        self.enquiry.email.as_ref().map(EmailAddress::normalized).or_else(|| self.number())
    }

    fn parents(&self) -> Vec<AnyId> {
        self.lead_id.map(AnyId::from).into_iter().collect()
    }

    fn state(&self) -> Option<&str> {
        Some(self.status.name())
    }
}

crate::as_text!(Enquiry, DemoFields, Message, Finding);
