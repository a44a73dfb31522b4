//! Mail: templates of the mails that Daybook sends, and transports to send them.

mod message;
mod outbox;
mod ses;
mod shown;
pub mod templates;

pub use message::{Content, Mail, Sender};
pub use outbox::{Caught, Outbox};
pub use ses::Ses;

use futures::future::BoxFuture;

/// Why a mail wasn't sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// A permanent failure: the address or the content is refused.
    #[error("refused: {0}")]
    Refused(String),
    /// A temporary failure: the mail wasn't sent, and may be retried.
    #[error("temporary failure: {0}")]
    Temporary(String),
    /// The mail wasn't sent, and won't be before an administrator acts: a paused account, a missing right.
    #[error("blocked: {0}")]
    Blocked(String),
    /// It is unknown whether the mail was sent.
    #[error("outcome unknown: {0}")]
    OutcomeUnknown(String),
}

/// A mail transport: SES, or the mailbox of the one-machine server.
pub trait Mailer: Send + Sync {
    /// Sends a mail; returns the transport's id of it.
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<String, SendError>>;

    /// Whether the mail with this id was sent; `None` if the transport can't find out.
    fn was_sent<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Option<bool>>;
}
