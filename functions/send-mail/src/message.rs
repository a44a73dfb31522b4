//! The messages of the mail queue besides jobs: delivery events of Amazon SES, by the ids of mails.

use daybook_domain::{EmailAddress, EntryId, OrgId};
use daybook_store::EntryRef;
use daybook_store::rows::mail_job::{MailJob, MailKind};
use serde_json::Value;
use uuid::Uuid;

/// The id of a mail, sent along as a tag: organisation, entry and kind, `[a-z0-9-]`.
pub fn mail_id(job: &MailJob) -> String {
    let MailJob { entry: EntryRef { org, entry }, kind, about: _ } = job;
    format!("{}-{}-{}", org.uuid().simple(), entry.uuid().simple(), kind.letter())
}

/// A delivery event of the mail service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailEvent {
    /// The mail was sent or delivered.
    Sent,
    /// It bounced permanently from these addresses.
    Bounced(Vec<EmailAddress>),
    /// These recipients marked it as spam.
    Complained(Vec<EmailAddress>),
    /// The mail service rejected it.
    Rejected,
}

impl MailEvent {
    /// Parses a message of EventBridge or of a configuration set: the event and the mail it is about.
    pub fn read(body: &str) -> Option<(MailJob, MailEvent)> {
        let value: Value = serde_json::from_str(body).ok()?;
        let detail = value.get("detail").unwrap_or(&value);
        let event = match detail.get("eventType").or_else(|| detail.get("notificationType"))?.as_str()? {
            "Send" | "Delivery" | "DeliveryDelay" | "Open" | "Click" => MailEvent::Sent,
            "Bounce" if detail.pointer("/bounce/bounceType")? == "Permanent" => {
                MailEvent::Bounced(addresses(detail.pointer("/bounce/bouncedRecipients")))
            }
            "Bounce" => MailEvent::Sent,
            "Complaint" => MailEvent::Complained(addresses(detail.pointer("/complaint/complainedRecipients"))),
            "Reject" | "Rendering Failure" => MailEvent::Rejected,
            _ => return None,
        };
        let tag = detail.pointer("/mail/tags/mail_id/0")?.as_str()?;
        Some((job_of(tag)?, event))
    }
}

fn addresses(recipients: Option<&Value>) -> Vec<EmailAddress> {
    let list = recipients.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| EmailAddress::parse(one.get("emailAddress")?.as_str()?).ok()).collect()
}

fn job_of(mail_id: &str) -> Option<MailJob> {
    let mut parts = mail_id.split('-');
    let org = OrgId::new(Uuid::try_parse(parts.next()?).ok()?);
    let entry = EntryId::new(Uuid::try_parse(parts.next()?).ok()?);
    let kind = MailKind::of_letter(parts.next()?)?;
    Some(MailJob { entry: EntryRef { org, entry }, kind, about: None })
}
