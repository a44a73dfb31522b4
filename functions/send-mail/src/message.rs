//! The messages of the mail queue: one job per mail, and delivery events of Amazon SES.

use daybook_domain::{EmailAddress, EntryId, OrgId, SubmissionId};
use daybook_store::EntryRef;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A mail to send about a journal entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailJob {
    /// The entry.
    #[serde(flatten)]
    pub entry: EntryRef,
    /// The kind of mail.
    pub kind: MailKind,
    /// The submission it is about, if the entry was at hand.
    #[serde(default)]
    pub about: Option<SubmissionId>,
}

macro_rules! mails {
    ($($(#[$doc:meta])* $name:ident $consumer:literal $letter:literal,)*) => {
        /// The kind of a mail.
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
    /// To the visitor: we have received your message.
    Confirmation "mail-confirmation" "c",
    /// To the team: a new submission.
    Notification "mail-notification" "n",
    /// To a user: confirm your address.
    Verification "mail-verification" "v",
    /// To a user: choose a new password.
    PasswordReset "mail-password-reset" "r",
    /// To a user: your password was changed.
    PasswordChanged "mail-password-changed" "p",
    /// To a user: another address is to be confirmed.
    AddressToChange "mail-address-to-change" "b",
    /// To a user's previous address: the address was changed.
    AddressChanged "mail-address-changed" "a",
    /// To an invited person: join an organisation.
    Invitation "mail-invitation" "i",
    /// To a user: a task was assigned to you.
    TaskAssigned "mail-task-assigned" "t",
    /// To a user: a reminder of a task.
    TaskReminder "mail-task-reminder" "m",
}

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
