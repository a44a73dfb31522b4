//! Mails that failed for good: a list, and another try.

use daybook_domain::{AnyId, Audit, EntryId, Error as Domain, Event, Rule, Unit};
use daybook_http::{Accepted, Cx, Json, Listed, PageQuery, Result};
use daybook_store::Tx;
use daybook_store::rows::failed_mail::{self, FailedMail, MailRef};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
    let (asked, has_more) = match ask.mails {
        Some(mails) if mails.len() > AT_ONCE => {
            return Err(Domain::invalid("/mails", Rule::TooLong { max: AT_ONCE, unit: Unit::Entries }).into());
        }
        Some(mails) => (mails, false),
        None => failed_last(&cx).await?,
    };
    let entries: BTreeSet<EntryId> = asked.iter().map(|mail| mail.entry_id).collect();
    let facts = cx.journal().facts(entries.into_iter()).await?;
    let records: BTreeMap<EntryId, AnyId> = facts.into_iter().map(|fact| (fact.id, fact.record)).collect();
    let mut tx = Tx::default();
    let mut mails = Vec::with_capacity(asked.len());
    for (n, mail) in asked.into_iter().enumerate() {
        let Some(record) = records.get(&mail.entry_id) else {
            let rule = Rule::Id { prefix: EntryId::PREFIX.to_owned() };
            return Err(Domain::invalid(format!("/mails/{n}/entry_id"), rule).into());
        };
        if mails.contains(&mail) {
            continue;
        }
        tx = tx.and_happened(Event::MailRequested, Audit::Sync, *record);
        for row in failed_mail::again(&cx, &mail)? {
            tx = tx.with_row(row);
        }
        mails.push(mail);
    }
    match mails.is_empty() {
        true => Ok(Accepted(Replayed { mails, has_more })),
        false => cx.commit(tx, Accepted(Replayed { mails, has_more })).await,
    }
}

/// The mails that failed last, and whether there are more.
async fn failed_last(cx: &Cx) -> Result<(Vec<MailRef>, bool)> {
    let failed = failed_mail::page(cx, AT_ONCE, None).await?;
    let has_more = failed.next_cursor.is_some();
    let mut mails = Vec::new();
    for FailedMail { entry_id, kind, .. } in failed.items {
        let mail = MailRef { entry_id, kind };
        // The list may be behind: one of it may be on its way already.
        if failed_mail::has_failed(cx, &mail).await? {
            mails.push(mail);
        }
    }
    Ok((mails, has_more))
}
