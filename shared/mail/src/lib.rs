//! Mail: what it says, and the ways it goes out.

mod message;
mod outbox;
mod ses;
pub mod templates;

pub use message::{Content, Mail, Sender};
pub use outbox::{Caught, Outbox};
pub use ses::Ses;

use futures::future::BoxFuture;

/// Why a mail didn't go out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It never will: the address or the content is refused.
    #[error("refused: {0}")]
    Refused(String),
    /// It didn't, and may be tried again.
    #[error("not now: {0}")]
    NotNow(String),
    /// Nobody knows whether it did.
    #[error("no answer: {0}")]
    OutcomeUnknown(String),
}

/// A way for mail to go out: SES, or the mailbox of the one-machine server.
pub trait Mailer: Send + Sync {
    /// Sends a mail; tells what the other side calls it.
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<String, SendError>>;

    /// Whether the mail of this id went out, where that can be found out.
    fn was_sent<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Option<bool>>;
}
