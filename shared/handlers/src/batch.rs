//! The batch handler: applies up to 100 changes to records of one type, one by one or in one transaction.

use crate::family::{Removed, delete_family, removal, restore_family};
use daybook_domain::error::Oversized;
use daybook_domain::permission::Action;
use daybook_domain::{Error as Domain, Rule};
use daybook_http::{
    Accepted, BatchAction, BatchAsk, BatchItem, Batched, Created, Cx, Data, Error, IfMatch, Part, Path, Result, denied,
};
use daybook_records::{Model, amended, created, deleted, draft, restored, updated};
use daybook_store::{Answer, PAGE_BYTES, Tx, is_at};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// The maximum size of an atomic batch's reply, in bytes: it is stored for repeats, and an item has at most 400 KB.
const MOST_KEPT: usize = 300 * 1024;

/// Creates, updates, deletes and restores records: one by one in order, each with its own result; or with
/// `atomic=true` all of them, or none.
pub async fn batch<T: Model>(cx: Cx, ask: BatchAsk<T>) -> Result<Batched<T>> {
    if ask.atomic {
        return at_once(&cx, &ask.items).await;
    }
    let name = cx.env.ids.next().to_string();
    cx.same_parts(&name, ask.items.len()).await?;
    let mut parts = Vec::with_capacity(ask.items.len());
    let mut shown = 0;
    for (number, item) in ask.items.iter().enumerate() {
        let cx_of_part = cx.part(&name, number);
        // Boxed, as in an atomic batch: the compiler can't handle futures that are nested so deeply.
        let part = match Box::pin(one::<T>(&cx_of_part, item)).await {
            Ok(Part::Done(answer, data)) => {
                shown += data.to_string().len();
                // Beyond the size of a page, the answer has only the ids and versions of records.
                let brief = |data: Value| json!({"id": data["id"], "version": data["version"]});
                Part::Done(answer, if shown > PAGE_BYTES { brief(data) } else { data })
            }
            Ok(part) => part,
            Err(error) => {
                journal_refusal(&cx_of_part, &error, number).await?;
                Part::Refused(error)
            }
        };
        if cx_of_part.request.replayed.load(Ordering::SeqCst) {
            cx.request.replayed.store(true, Ordering::SeqCst);
        }
        parts.push(part);
    }
    Ok(Batched::of(parts))
}

/// Records a denied change in the audit log, and a server error in the log.
async fn journal_refusal(cx: &Cx, error: &Error, number: usize) -> Result<()> {
    match error {
        Error::Domain(Domain::Forbidden(_)) => denied(cx).await,
        Error::Domain(_) => Ok(()),
        error => {
            tracing::error!(error = %error.chain(), number, "a change of a batch failed");
            Ok(())
        }
    }
}

fn action(item: &BatchItem) -> Action {
    match item.action {
        BatchAction::Create => Action::Create,
        BatchAction::Update | BatchAction::Restore => Action::Update,
        BatchAction::Delete => Action::Delete,
    }
}

/// Refuses fields of an item that its action doesn't take.
fn checked(item: &BatchItem) -> Result<(), Domain> {
    let unknown = |field| Err(Domain::invalid(field, Rule::Unknown { nearest: None }));
    match item.action {
        BatchAction::Create if item.id.is_some() => unknown("/id"),
        BatchAction::Create if item.version.is_some() => unknown("/version"),
        BatchAction::Delete | BatchAction::Restore if item.data.is_some() => unknown("/data"),
        _ => Ok(()),
    }
}

fn id_of<T: Model>(item: &BatchItem) -> Result<T::Id, Domain> {
    let id = item.id.as_deref().ok_or_else(|| Domain::invalid("/id", Rule::Required))?;
    id.parse().map_err(|_| Domain::invalid("/id", Rule::Id { prefix: T::TYPE.prefix().to_owned() }))
}

fn done(answer: Answer, record: &impl Serialize) -> Result<Part> {
    let value = serde_json::to_value(record).map_err(|error| Error::internal("write a record as JSON", error))?;
    Ok(Part::Done(answer, value))
}

/// Applies one change as a request of its own would; a repeat gets the first answer.
async fn one<T: Model>(cx: &Cx, item: &BatchItem) -> Result<Part> {
    checked(item)?;
    let cx = &daybook_records::reaching(cx, T::RESOURCE, action(item)).await?;
    let fields = || item.data.clone().unwrap_or_default();
    if item.action == BatchAction::Create {
        let Created(record) = match cx.earlier_reply::<Created<T>>().await? {
            Some(earlier) => earlier,
            None => daybook_records::create(cx, fields(), Created::<T>).await?,
        };
        return done(Answer::Created, &record);
    }
    let id = id_of::<T>(item)?;
    if T::TYPE.has_family() && item.action != BatchAction::Update {
        let whole = match (cx.earlier_reply::<Removed<T>>().await?, item.action) {
            (Some(earlier), _) => earlier,
            (None, BatchAction::Restore) => restore_family::<T>(cx.clone(), Path(id), IfMatch(item.version)).await?,
            (None, _) => delete_family::<T>(cx.clone(), Path(id), IfMatch(item.version)).await?,
        };
        return match whole {
            Removed::Done(Data(record)) => done(Answer::Ok, &record),
            Removed::Started(Accepted(job)) => done(Answer::Accepted, &job),
        };
    }
    let Data(record) = match (cx.earlier_reply::<Data<T>>().await?, item.action) {
        (Some(earlier), _) => earlier,
        (None, BatchAction::Restore) => daybook_records::restore(cx, id, item.version, Data::<T>).await?,
        (None, BatchAction::Delete) => daybook_records::remove(cx, id, item.version, Data::<T>).await?,
        (None, _) => daybook_records::amend(cx, id, item.version, fields(), Data::<T>).await?,
    };
    done(Answer::Ok, &record)
}

/// Applies all changes in one transaction. Each record may occur only once.
async fn at_once<T: Model>(cx: &Cx, items: &[BatchItem]) -> Result<Batched<T>> {
    let decide = || async {
        let mut tx = Tx::default();
        let mut parts = Vec::with_capacity(items.len());
        let mut kept = 0;
        for (number, item) in items.iter().enumerate() {
            let twice = item.id.is_some() && items[..number].iter().any(|other| other.id == item.id);
            let step = match twice {
                true => {
                    let rule =
                        Rule::format("a record that occurs only once in the batch", "是在批次中只出现一次的记录");
                    Err(Domain::invalid("/id", rule).into())
                }
                false => Box::pin(add::<T>(cx, tx, item)).await,
            };
            let (with, part) = step.map_err(|error| within(error, number))?;
            if let Part::Done(_, data) = &part {
                kept += data.to_string().len();
            }
            tx = with;
            parts.push(part);
        }
        if kept > MOST_KEPT {
            return Err(Domain::TooLarge { what: Oversized::Batch, limit: MOST_KEPT as u64 }.into());
        }
        match tx.is_empty() {
            true => Ok(Batched::of(parts)),
            // Each change was checked against the caller's permission when it was decided.
            false => cx.unscoped().commit(tx, Batched::of(parts)).await,
        }
    };
    match items.iter().any(|item| item.version.is_some()) {
        true => decide().await,
        false => cx.decide(decide).await,
    }
}

/// Adds a change's place in the batch to the pointers of its error.
fn within(error: Error, number: usize) -> Error {
    match error {
        Error::Domain(Domain::Invalid(mut violations)) => {
            for violation in &mut violations.0 {
                let at = match violation.pointer.as_str() {
                    "/id" | "/data" | "/version" => "",
                    _ => "/data",
                };
                violation.pointer = format!("/items/{number}{at}{}", violation.pointer);
            }
            Domain::Invalid(violations).into()
        }
        other => other,
    }
}

async fn add<T: Model>(cx: &Cx, tx: Tx, item: &BatchItem) -> Result<(Tx, Part)> {
    checked(item)?;
    let cx = &daybook_records::reaching(cx, T::RESOURCE, action(item)).await?;
    let fields = item.data.clone().unwrap_or_default();
    match item.action {
        BatchAction::Create => {
            let (record, tx) = created(cx, tx, draft::<T>(cx, fields).await?).await?;
            Ok((tx, done(Answer::Created, &record)?))
        }
        BatchAction::Update => {
            let before = cx.get::<T>(id_of::<T>(item)?).await?;
            is_at(&*before, item.version)?;
            let (after, tx) = updated(cx, tx, &before, amended::<T>(cx, &before, fields).await?).await?;
            Ok((tx, done(Answer::Ok, &after)?))
        }
        BatchAction::Delete => {
            let record = cx.get::<T>(id_of::<T>(item)?).await?;
            is_at(&*record, item.version)?;
            let part = done(Answer::Ok, &*record)?;
            let tx = match T::TYPE.has_family() {
                true => removal(cx, tx, &record, daybook_records::family::family_of(cx, record.id()).await?).await?,
                false => deleted(cx, tx, &record).await?,
            };
            Ok((tx, part))
        }
        BatchAction::Restore => {
            let trashed = cx.trash().get::<T>(id_of::<T>(item)?, item.version).await?;
            let (restored, mut tx) = restored(cx, tx, &trashed).await?;
            if T::TYPE.has_family() {
                tx = daybook_records::family::cascade_restore(cx, tx, &cx.trash().deleted_with(trashed.id()).await?)
                    .await?;
            }
            Ok((tx, done(Answer::Ok, &restored)?))
        }
    }
}
