//! Jobs of mails: a mail to send about a journal entry.

use crate::EntryRef;
use daybook_domain::SubmissionId;
use serde::{Deserialize, Serialize};
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// The queue that they go to.
pub const QUEUE: &str = "mail";

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
            /// The names of all kinds.
            pub const NAMES: &'static [&'static str] = &[$($consumer,)*];

            /// The name of the mail as a consumer of entries, which clients see.
            pub fn consumer(self) -> &'static str {
                match self { $(MailKind::$name => $consumer,)* }
            }

            /// The kind of this name.
            pub fn of_consumer(name: &str) -> Option<MailKind> {
                match name { $($consumer => Some(MailKind::$name),)* _ => None }
            }

            /// Its letter in the id of a mail.
            pub fn letter(self) -> &'static str {
                match self { $(MailKind::$name => $letter,)* }
            }

            /// The kind of this letter.
            pub fn of_letter(letter: &str) -> Option<MailKind> {
                match letter { $($letter => Some(MailKind::$name),)* _ => None }
            }
        }
    };
}

impl PartialSchema for MailKind {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(MailKind::NAMES.iter().copied())).into()
    }
}

impl utoipa::ToSchema for MailKind {}

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
    /// To the team: the posts that were held in an hour.
    HeldPosts "mail-held-posts" "h",
}
