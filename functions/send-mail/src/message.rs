//! The jobs of this consumer, one per mail, and what SES reports about them.

use daybook_domain::{EmailAddress, EntryId, OrgId, SubmissionId};
use daybook_store::EntryRef;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A mail that a journal entry asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailJob {
    /// The entry.
    #[serde(flatten)]
    pub entry: EntryRef,
    /// Which of its mails.
    pub kind: MailKind,
    /// The submission it is about, where the entry was at hand.
    #[serde(default)]
    pub about: Option<SubmissionId>,
}

macro_rules! mails {
    ($($(#[$doc:meta])* $name:ident $consumer:literal $letter:literal,)*) => {
        /// Which mail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum MailKind {
            $($(#[$doc])* $name,)*
        }

        impl MailKind {
            /// The name of the mail as a consumer of entries.
            pub fn consumer(self) -> &'static str {
                match self { $(MailKind::$name => $consumer,)* }
            }

            fn letter(self) -> &'static str {
                match self { $(MailKind::$name => $letter,)* }
            }

            fn of_letter(letter: &str) -> Option<MailKind> {
                match letter { $($letter => Some(MailKind::$name),)* _ => None }
            }
        }
    };
}

mails! {
    /// To the visitor: your message arrived.
    Confirmation "mail-confirmation" "c",
    /// To the team: somebody wrote.
    Notification "mail-notification" "n",
    /// To a user: prove that this is your address.
    Verification "mail-verification" "v",
    /// To a user: choose a new password.
    PasswordReset "mail-password-reset" "r",
    /// To a user: your password was changed.
    PasswordChanged "mail-password-changed" "p",
    /// To a user's old address: they have another one.
    AddressChanged "mail-address-changed" "a",
    /// To somebody: join an organisation.
    Invitation "mail-invitation" "i",
    /// To a user: a task is yours now.
    TaskAssigned "mail-task-assigned" "t",
    /// To a user: think of a task.
    TaskReminder "mail-task-reminder" "m",
}

/// The id of a mail, as it goes along as a tag: organisation, entry and kind, `[a-z0-9-]`.
pub fn mail_id(job: &MailJob) -> String {
    let MailJob { entry: EntryRef { org, entry }, kind, about: _ } = job;
    format!("{}-{}-{}", org.uuid().simple(), entry.uuid().simple(), kind.letter())
}

/// What became of a mail, as the other side reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailEvent {
    /// It went out, or arrived.
    Sent,
    /// It came back for good from these.
    Bounced(Vec<EmailAddress>),
    /// These call it spam.
    Complained(Vec<EmailAddress>),
    /// It was refused.
    Rejected,
}

impl MailEvent {
    /// The event in a message of EventBridge or of a configuration set, with the mail it is about.
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
