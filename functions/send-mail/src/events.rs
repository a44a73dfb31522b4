//! Delivery events of Amazon SES: they resolve mails with unknown outcome and fill the suppression list.

use crate::message::MailEvent;
use daybook_store::rows::delivery::{self, Settled, State};
use daybook_store::rows::suppression::{self, Reason};
use daybook_store::{Env, Result};
use std::sync::Arc;

/// Handles a delivery event; returns whether the message is one. A permanent bounce or a complaint puts the addresses
/// it names on the suppression list.
pub async fn take(env: Arc<Env>, body: String) -> Result<bool> {
    let Some((job, event)) = MailEvent::read(&body) else { return Ok(false) };
    let (env, consumer) = (&env, job.kind.consumer());
    if event == MailEvent::Rejected {
        delivery::reject(env, job.entry, consumer, "the mail service refused it").await?;
        return Ok(true);
    }
    let sent = Settled { state: State::Sent, remote_id: None, error: None, about: None };
    delivery::settle(env, job.entry, consumer, sent).await?;
    let (addresses, reason) = match event {
        MailEvent::Bounced(addresses) => (addresses, Reason::Bounce),
        MailEvent::Complained(addresses) => (addresses, Reason::Complaint),
        MailEvent::Sent | MailEvent::Rejected => return Ok(true),
    };
    for address in addresses {
        suppression::add(env, job.entry.org, &address, reason).await?;
    }
    Ok(true)
}
