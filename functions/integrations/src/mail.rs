//! Mails that failed for good: a list, and another try.

use daybook_domain::error::Thing;
use daybook_domain::{Audit, Error as Domain, Event, Rule, Unit};
use daybook_http::{Accepted, Cx, Json, Listed, PageQuery, Result};
use daybook_store::Tx;
use daybook_store::rows::failed_mail::{self, FailedMail, MailRef};
use serde::{Deserialize, Serialize};

/// The most mails of one request: each has an entry and two rows in one transaction.
const AT_ONCE: usize = 20;

/// Which mails to send again.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MailReplay)]
pub struct Replay {
    /// The mails, at most 20; by default those that failed last.
    mails: Option<Vec<MailRef>>,
}

/// The mails that will be sent again.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ReplayedMails)]
pub struct Replayed {
    /// The mails, at most 20.
    mails: Vec<MailRef>,
    /// Whether there are more failed mails: repeat the request then.
    has_more: bool,
}

/// Lists the mails that failed for good, the last ones first.
pub async fn failed(cx: Cx, query: PageQuery) -> Result<Listed<FailedMail>> {
    Ok(Listed(failed_mail::page(&cx, query.limit, query.cursor.as_deref()).await?))
}

/// Sends mails again that failed for good: the given ones, or those that failed last. Each is then tried as a new one.
pub async fn replay(cx: Cx, Json(ask): Json<Replay>) -> Result<Accepted<Replayed>> {
    let replayed = match ask.mails {
        Some(mails) if mails.len() > AT_ONCE => {
            return Err(Domain::invalid("/mails", Rule::TooLong { max: AT_ONCE, unit: Unit::Entries }).into());
        }
        Some(asked) => {
            let mut mails: Vec<MailRef> = Vec::with_capacity(asked.len());
            for mail in asked {
                if !mails.contains(&mail) {
                    mails.push(mail);
                }
            }
            Replayed { mails, has_more: false }
        }
        None => {
            let failed = failed_mail::page(&cx, AT_ONCE, None).await?;
            let has_more = failed.next_cursor.is_some();
            let mut mails = Vec::new();
            for FailedMail { entry_id, kind, .. } in failed.items {
                let mail = MailRef { entry_id, kind };
                // The list may be behind: one of it may be on its way already.
                if failed_mail::has_failed(&cx, &mail).await? {
                    mails.push(mail);
                }
            }
            Replayed { mails, has_more }
        }
    };
    let mut tx = Tx::default();
    for mail in &replayed.mails {
        let fact = cx.journal().fact(mail.entry_id).await?.ok_or_else(|| Domain::not_found(Thing::Entry))?;
        tx = tx.and_happened(Event::MailRequested, Audit::Sync, fact.record);
        for row in failed_mail::again(&cx, mail)? {
            tx = tx.with_row(row);
        }
    }
    match replayed.mails.is_empty() {
        true => Ok(Accepted(replayed)),
        false => cx.commit(tx, Accepted(replayed)).await,
    }
}
