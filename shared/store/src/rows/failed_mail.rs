//! Mails that failed for good: refused by the mail service, or given up after many attempts. They are listed, and sent again
//! on request.

use super::delivery::State;
use super::due::{self, DueItem, DueRef};
use super::mail_job::{self, MailJob, MailKind};
use super::{RowWrite, delivery};
use crate::engine::Position;
use crate::schema::{Index, PK, Place, Question, SK, failed_mail_at};
use crate::table::{Condition, Item, QueryAsk, Update, parse_item, text};
use crate::{Cx, EntryRef, Error, Page, Result};
use daybook_domain::{Conflict, EntryId, Error as Domain, Rule, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A mail, by the entry that led to it and its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailRef {
    /// The entry of the audit log that led to it.
    pub entry_id: EntryId,
    /// Its kind, such as `mail-confirmation`.
    #[serde(with = "by_name")]
    pub kind: MailKind,
}

/// The kind of a mail, by the name that clients see.
mod by_name {
    use super::MailKind;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(kind: &MailKind, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind.consumer())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<MailKind, D::Error> {
        let name = String::deserialize(from)?;
        MailKind::of_consumer(&name).ok_or_else(|| D::Error::custom("must be the kind of a mail, as the list has it"))
    }
}

/// A mail that failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FailedMail {
    /// The entry of the audit log that led to it.
    pub entry_id: EntryId,
    /// Its kind, such as `mail-confirmation`.
    #[serde(with = "by_name")]
    pub kind: MailKind,
    /// When it failed.
    pub failed_at: Timestamp,
    /// The number of attempts.
    pub attempts: u32,
    /// The mail service's answer, or why it was given up.
    pub reason: Option<String>,
}

impl FailedMail {
    /// The mail of an item; none of a kind that only a newer version knows.
    fn of(item: Item) -> Result<Option<FailedMail>> {
        let entry = text(&item, PK).and_then(|pk| pk.rsplit_once('#')?.1.parse().ok());
        let kind = text(&item, SK).and_then(|kind| MailKind::of_consumer(kind));
        let (Some(entry_id), Some(kind)) = (entry, kind) else { return Ok(None) };
        let row: delivery::Delivery = parse_item(item)?;
        Ok(Some(FailedMail {
            entry_id,
            kind,
            failed_at: row.updated_at,
            attempts: row.attempts,
            reason: row.last_error,
        }))
    }
}

/// Whether a mail has failed and isn't being sent again; consistent, as the list isn't.
pub async fn has_failed(cx: &Cx, mail: &MailRef) -> Result<bool> {
    let entry = EntryRef { org: cx.org, entry: mail.entry_id };
    Ok(delivery::read(&cx.env, entry, mail.kind.consumer()).await?.is_some_and(|row| row.state == State::Failed))
}

/// A page of the mails that failed, the last ones first; eventually consistent.
pub async fn page(cx: &Cx, limit: usize, cursor: Option<&str>) -> Result<Page<FailedMail>> {
    let binding = format!("{}|failed-mails", cx.org);
    let range = Question::FailedMails(cx.org).range();
    let place = |at: Timestamp, entry: EntryId, kind: &str| Position {
        key: Place::Delivery(cx.org, entry, kind).key(),
        indexed: range.place(Place::Delivery(cx.org, entry, kind).key(), || failed_mail_at(at, entry, kind)).indexed,
    };
    let after = match cursor {
        Some(cursor) => {
            let opened = cx.cursors().open(cursor, &binding)?;
            let mut parts = opened.splitn(3, '|');
            let mut read = || {
                let (at, entry, kind) = (parts.next()?, parts.next()?, parts.next()?);
                Some(place(at.parse().ok()?, entry.parse().ok()?, kind))
            };
            Some(read().ok_or_else(|| Error::from(Domain::query("cursor", Rule::Cursor)))?)
        }
        None => None,
    };
    let ask = QueryAsk { limit: Some(limit + 1), after, descending: true, ..QueryAsk::default() };
    let items = cx.env.table.query(&range, ask).await?.items;
    let is_more = items.len() > limit;
    let mails: Vec<Option<FailedMail>> = items.into_iter().take(limit).map(FailedMail::of).collect::<Result<_>>()?;
    let mails: Vec<FailedMail> = mails.into_iter().flatten().collect();
    let last = mails.last().filter(|_| is_more);
    let seal = |mail: &FailedMail| {
        cx.cursors().seal(&format!("{}|{}|{}", mail.failed_at, mail.entry_id, mail.kind.consumer()), &binding)
    };
    let next = last.map(seal).transpose()?;
    Ok(Page::of(mails, limit, next))
}

/// The rows that send a failed mail again: its delivery, and the due item with its message. Refused if it isn't one that
/// failed.
pub fn again(cx: &Cx, mail: &MailRef) -> Result<[RowWrite; 2]> {
    let entry = EntryRef { org: cx.org, entry: mail.entry_id };
    let now = cx.now();
    let waiting = Update::set("state", State::Waiting)
        .and_set("updated_at", now)
        .and_set("resent", false)
        .and_remove(Index::ByOwner.pk())
        .and_remove(Index::ByOwner.sk());
    let failed = Condition::equal("state", State::Failed);
    let refusal = || Domain::Conflict(Conflict::NotFailed);
    let row = RowWrite::changing(
        Place::Delivery(cx.org, mail.entry_id, mail.kind.consumer()).key(),
        waiting,
        failed,
        refusal(),
    );
    let place = DueRef { at: now, id: format!("mail {} {} {now}", mail.entry_id, mail.kind.consumer()) };
    let job = MailJob { entry, kind: mail.kind, about: None };
    let message = serde_json::to_string(&json!({"job": job, "due": place}));
    let message = message.map_err(|error| Error::internal("write a mail's message", error))?;
    let item = DueItem { place: place.clone(), queue: mail_job::QUEUE.to_owned(), message, leased_until: 0 };
    Ok([row, RowWrite::new(&due::key(&place), &item, refusal())?])
}
