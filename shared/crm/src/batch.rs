//! Batches of changes.

use crate::family::{fallen, removal};
use crate::handlers::{change, changed};
use crate::work::{Work, known, make, named, prepared};
use daybook_domain::permission::Action;
use daybook_domain::{Conflict, Error as Domain, Rule};
use daybook_http::{BatchAction, BatchAsk, BatchItem, Batched, Created, Cx, Data, Error, Part, Result};
use daybook_store::{Answer, Reach, Tx};
use serde::Serialize;
use std::sync::atomic::Ordering;

/// Makes, changes, removes and restores records: each by itself, in their order, with an outcome of its own; or with
/// `atomic=true` all of them, or none.
pub async fn batch<T: Work>(cx: Cx, ask: BatchAsk<T>) -> Result<Batched<T>> {
    if ask.atomic {
        return at_once(&cx, &ask.items).await;
    }
    let mut parts = Vec::with_capacity(ask.items.len());
    for (number, item) in ask.items.iter().enumerate() {
        let cx_of_part = cx.part(number);
        let part = match one::<T>(&cx_of_part, item).await {
            Ok(part) => part,
            // The key came with another batch before.
            Err(error @ Error::Domain(Domain::Conflict(Conflict::KeyReused))) => return Err(error),
            Err(error) => {
                if !matches!(error, Error::Domain(_)) {
                    tracing::error!(error = %error.chain(), number, "a change of a batch failed");
                }
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

fn action(item: &BatchItem) -> Action {
    match item.action {
        BatchAction::Create => Action::Create,
        BatchAction::Update | BatchAction::Restore => Action::Update,
        BatchAction::Delete => Action::Delete,
    }
}

fn id_of<T: Work>(item: &BatchItem) -> Result<T::Id, Domain> {
    let id = item.id.as_deref().ok_or_else(|| Domain::invalid("/id", Rule::Required))?;
    id.parse().map_err(|_| Domain::invalid("/id", Rule::Id { prefix: T::TYPE.prefix().to_owned() }))
}

fn done(answer: Answer, record: &impl Serialize) -> Result<Part> {
    let value = serde_json::to_value(record).map_err(|error| Error::internal("write a record as JSON", error))?;
    Ok(Part::Done(answer, value))
}

async fn one<T: Work>(cx: &Cx, item: &BatchItem) -> Result<Part> {
    let cx = &cx.reaching(T::RESOURCE, action(item)).await?;
    // An earlier try may have come so far.
    if item.action == BatchAction::Create {
        if let Some(Created(record)) = cx.earlier_reply::<Created<T>>().await? {
            return done(Answer::Created, &record);
        }
        let record: T = make(cx, item.data.clone().unwrap_or_default()).await?;
        let Created(record) = cx.commit(Tx::create(&record), Created(record)).await?;
        return done(Answer::Created, &record);
    }
    if let Some(Data(record)) = cx.earlier_reply::<Data<T>>().await? {
        return done(Answer::Ok, &record);
    }
    let id = id_of::<T>(item)?;
    let Data(record) = match item.action {
        BatchAction::Restore | BatchAction::Delete if T::TYPE.has_family() => {
            let (tx, part) = add::<T>(cx, Tx::default(), item).await?;
            let Part::Done(answer, record) = part else { return Ok(part) };
            let Data(record) = cx.commit(tx, Data(record)).await?;
            return Ok(Part::Done(answer, record));
        }
        BatchAction::Restore => cx.restore(id, item.version, Data::<T>).await?,
        BatchAction::Delete => cx.remove(id, item.version, Data::<T>).await?,
        BatchAction::Update | BatchAction::Create => {
            change(cx, id, item.version, item.data.clone().unwrap_or_default(), Data::<T>).await?
        }
    };
    done(Answer::Ok, &record)
}

async fn at_version<T: Work>(cx: &Cx, id: T::Id, version: Option<u64>) -> Result<T> {
    let record: T = cx.get(id).await?;
    match version {
        Some(version) if version != record.version() => {
            Err(Domain::Stale { version: record.version(), current: Default::default() }.into())
        }
        _ => Ok(record),
    }
}

/// All changes as one. Each record comes in it once.
async fn at_once<T: Work>(cx: &Cx, items: &[BatchItem]) -> Result<Batched<T>> {
    let decide = || async {
        let mut tx = Tx::default();
        let mut parts = Vec::with_capacity(items.len());
        for (number, item) in items.iter().enumerate() {
            let twice = item.id.is_some() && items[..number].iter().any(|other| other.id == item.id);
            let step = match twice {
                true => {
                    let expected = "a record that comes once in the batch".to_owned();
                    Err(Domain::invalid("/id", Rule::Format { expected }).into())
                }
                false => add::<T>(cx, tx, item).await,
            };
            let (with, part) = step.map_err(|error| within(error, number))?;
            tx = with;
            parts.push(part);
        }
        match tx.is_empty() {
            true => Ok(Batched::of(parts)),
            // Each change was within reach when it was decided.
            false => Cx { reach: Reach::All, ..cx.clone() }.commit(tx, Batched::of(parts)).await,
        }
    };
    match items.iter().any(|item| item.version.is_some()) {
        true => decide().await,
        false => cx.decide(decide).await,
    }
}

/// An error of one change of a batch, by its place in it.
fn within(error: Error, number: usize) -> Error {
    match error {
        Error::Domain(Domain::Invalid(mut violations)) => {
            for violation in &mut violations.0 {
                let at = match violation.pointer.as_str() {
                    "/id" => "",
                    _ => "/data",
                };
                violation.pointer = format!("/items/{number}{at}{}", violation.pointer);
            }
            Domain::Invalid(violations).into()
        }
        other => other,
    }
}

async fn add<T: Work>(cx: &Cx, tx: Tx, item: &BatchItem) -> Result<(Tx, Part)> {
    let cx = &cx.reaching(T::RESOURCE, action(item)).await?;
    let fields = item.data.clone().unwrap_or_default();
    match item.action {
        BatchAction::Create => {
            let record: T = make(cx, fields).await?;
            Ok((tx.and_create(&record), done(Answer::Created, &record)?))
        }
        BatchAction::Update => {
            let before: T = at_version(cx, id_of::<T>(item)?, item.version).await?;
            let fields = prepared::<T>(cx, fields).await?;
            let setting = T::setting(cx, &fields, false).await?;
            known(cx, &named(&fields)).await?;
            let wanted = changed(&before, &fields, &setting, cx.now())?;
            if wanted == before {
                return Ok((tx, done(Answer::Ok, &before)?));
            }
            let after = wanted.following(&before, cx.now());
            Ok((tx.and_update(&before, &after), done(Answer::Ok, &after)?))
        }
        BatchAction::Delete => {
            let record: T = at_version(cx, id_of::<T>(item)?, item.version).await?;
            let part = done(Answer::Ok, &record)?;
            let tx = match T::TYPE.has_family() {
                true => removal(cx, tx, &record, cx.family(record.id()).await?).await?,
                false => tx.and_delete(&record),
            };
            Ok((tx, part))
        }
        BatchAction::Restore => {
            let id = id_of::<T>(item)?;
            let Some(trashed) = cx.find_trashed::<T>(id).await? else {
                let _live: T = cx.get(id).await?;
                return Err(Domain::Conflict(Conflict::NotInTrash).into());
            };
            let restored = trashed.clone().following(&trashed, cx.now());
            let mut tx = tx.and_restore(&trashed, &restored);
            if T::TYPE.has_family() {
                tx = cx.rise(tx, &fallen(cx, &trashed).await?).await?;
            }
            Ok((tx, done(Answer::Ok, &restored)?))
        }
    }
}
