//! What SES reports of mails that went out: settles unknown ones, and fills the suppression list.

use crate::compose::compose;
use daybook_jobs::{MailEvent, Services};
use daybook_store::Result;
use daybook_store::rows::delivery::{self, State};
use daybook_store::rows::suppression::{self, Reason};
use std::sync::Arc;

/// Takes an event, if the message is one. A permanent bounce or a complaint suppresses the address.
pub async fn take(services: Arc<Services>, body: String) -> Result<bool> {
    let Some((job, event)) = MailEvent::read(&body) else { return Ok(false) };
    let (env, consumer) = (&services.env, job.kind.consumer());
    let (state, reason) = match event {
        MailEvent::Sent => (State::Sent, None),
        MailEvent::Bounced => (State::Sent, Some(Reason::Bounce)),
        MailEvent::Complained => (State::Sent, Some(Reason::Complaint)),
        MailEvent::Rejected => (State::Failed, None),
    };
    delivery::settle(env, job.entry, consumer, state, None, None).await?;
    if let (Some(reason), Some(composed)) = (reason, compose(&services, job).await?) {
        suppression::add(env, job.entry.org, &composed.to, reason).await?;
    }
    Ok(true)
}
