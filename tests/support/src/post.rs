//! A fake SES: accepts mails, and fails as scripted.

use daybook_jobs::mail::{Mail, Mailer, SendError};
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// A mailer that records sent mails and fails as scripted. Like SES, it can't report whether a mail was sent.
#[derive(Debug, Default)]
pub struct ScriptedMailer {
    failures: Mutex<VecDeque<SendError>>,
    sent: Mutex<Vec<Mail>>,
}

impl ScriptedMailer {
    /// Plans a failure of the next mail. With `OutcomeUnknown` it is sent all the same, as when an answer is lost.
    pub fn fail_next(&self, error: SendError) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push_back(error);
    }

    /// The number of remaining failures.
    pub fn left(&self) -> usize {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The sent mails.
    pub fn sent(&self) -> Vec<Mail> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Mailer for ScriptedMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<String, SendError>> {
        let failure = self.failures.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if failure.is_none() || matches!(failure, Some(SendError::OutcomeUnknown(_))) {
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
        }
        Box::pin(async move { failure.map_or_else(|| Ok("remote".to_owned()), Err) })
    }

    fn was_sent<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async { None })
    }
}
