//! Carrying out a transaction: conditions that fail, conflicts, and outcomes nobody heard of.

use crate::blame::{Blame, refusal};
use crate::feed::{Feed, Told};
use crate::item::{Item, expires_after};
use crate::plan::{Plan, plan};
use crate::reply::Reply;
use crate::schema::Place;
use crate::table::is_passing;
use crate::{Cx, EntryRef, Error, Purpose, Result, SignedFact, Tx};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use daybook_domain::{Conflict, Error as Domain};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often a transaction is sent before the caller is told to try again.
const ATTEMPTS: u32 = 12;

impl Cx {
    /// Makes all the changes of a request and keeps its reply, or does nothing.
    ///
    /// One transaction: records, what is derived from them, the journal entry, the idempotency record.
    /// An outcome that got lost on the way is found out by the journal entry. Of equal requests at once
    /// one commits; the others get its reply. At most one commit of a request succeeds.
    pub async fn commit<R: Reply>(&self, tx: Tx, reply: R) -> Result<R> {
        if self.request.commits.load(Ordering::SeqCst) > 0 {
            return Err(Error::internal("commit", "a request commits once; make it one transaction or a job"));
        }
        let mut plan = plan(self, tx, &reply)?;
        let mut telling = Telling { feed: &self.env.table.options.feed, told: Vec::new() };
        if matches!(telling.feed, Feed::Local(_)) {
            telling.told = plan.facts.iter().map(unheard_of).collect();
        }
        let outcome = self.carry_out(&plan).await;
        match outcome {
            Ok(Outcome::Done) => {
                for (told, fact) in telling.told.iter_mut().zip(plan.facts.drain(..)) {
                    told.fact = Some(Box::new(fact));
                }
                self.request.commits.fetch_add(1, Ordering::SeqCst);
                Ok(reply)
            }
            Ok(Outcome::Repeat(kept)) => {
                telling.told.clear();
                self.replay(&kept)
            }
            Err(error) => {
                if matches!(error, Error::Domain(_)) {
                    telling.told.clear();
                }
                Err(error)
            }
        }
    }

    /// The reply to an earlier request with the same key, if there was one.
    pub async fn earlier_reply<R: Reply>(&self) -> Result<Option<R>> {
        let Some(once) = self.once.as_ref().filter(|once| once.from_client) else { return Ok(None) };
        let kept = self.env.table.get(&Place::Once(once.org, &once.hash).key()).await?;
        match kept {
            Some(item) if expires_after(&item, self.now().as_second()) => self.replay(&item).map(Some),
            _ => Ok(None),
        }
    }

    fn replay<R: Reply>(&self, kept: &Item) -> Result<R> {
        let text = |name: &str| kept.get(name).and_then(|value| value.as_s().ok());
        let same = self.once.as_ref().is_some_and(|once| text("fingerprint") == Some(&once.fingerprint));
        if !same {
            return Err(Domain::Conflict(Conflict::KeyReused).into());
        }
        let json = text("reply").ok_or(Domain::Conflict(Conflict::AnswerNotKept))?;
        let reply = serde_json::from_str(json).map_err(|error| Error::internal("read a kept reply", error))?;
        self.request.replayed.store(true, Ordering::SeqCst);
        Ok(reply)
    }

    async fn carry_out(&self, plan: &Plan) -> Result<Outcome> {
        let table = &self.env.table;
        let _forgetting = plan.written.iter().fold(table.forget(), |all, key| all.key(key));
        let once_only = aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled());
        let mut last = Error::unavailable("commit", "it was not tried");
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                self.pause(attempt).await;
            }
            let call = table
                .client
                .transact_write_items()
                .set_transact_items(Some(plan.actions.iter().map(|action| action.item.clone()).collect()))
                .set_return_consumed_capacity(table.metered());
            let error = match call.customize().config_override(once_only.clone()).send().await {
                Ok(reply) => {
                    table.meter(plan.actions.len(), reply.consumed_capacity(), true);
                    return Ok(Outcome::Done);
                }
                Err(error) => error,
            };
            last = match self.judge(plan, &error) {
                Judgement::Final(outcome) => return outcome,
                Judgement::Contended => Domain::Conflict(Conflict::Contended).into(),
                Judgement::NotNow => Error::unavailable("commit", error),
                Judgement::Unheard => {
                    if self.is_committed(plan).await.unwrap_or(false) {
                        return Ok(Outcome::Done);
                    }
                    Error::unavailable("commit", error)
                }
            };
        }
        // The last attempt may have got through after all.
        match self.is_committed(plan).await {
            Ok(true) => Ok(Outcome::Done),
            _ => Err(last),
        }
    }

    fn judge(&self, plan: &Plan, error: &SdkError<TransactWriteItemsError>) -> Judgement {
        let failed_inside = error.raw_response().is_some_and(|answer| answer.status().is_server_error());
        let service = match error {
            SdkError::ServiceError(service) => service.err(),
            SdkError::ConstructionFailure(_) => {
                return Judgement::Final(Err(Error::internal("commit", "the transaction could not be put into words")));
            }
            _ => return Judgement::Unheard,
        };
        let TransactWriteItemsError::TransactionCanceledException(cancelled) = service else {
            return match service.code() {
                Some(code) if is_passing(code) && code != "InternalServerError" => Judgement::NotNow,
                _ if failed_inside => Judgement::Unheard,
                Some("TransactionInProgressException") | None => Judgement::Unheard,
                Some(code) => Judgement::Final(Err(Error::internal(
                    "commit",
                    format!("{code}: {}", service.message().unwrap_or("")),
                ))),
            };
        };
        let reasons = cancelled.cancellation_reasons();
        let empty = Item::new();
        let refused: Vec<(&Blame, &Item)> = plan
            .actions
            .iter()
            .zip(reasons)
            .filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"))
            .map(|(action, reason)| (&action.blame, reason.item().unwrap_or(&empty)))
            .collect();
        if refused.iter().any(|(blame, _)| matches!(blame, Blame::Fact)) {
            return Judgement::Final(Ok(Outcome::Done));
        }
        if let Some((blame, old)) = refused.first() {
            return Judgement::Final(match blame {
                Blame::Once => Ok(Outcome::Repeat((*old).clone())),
                blame => Err(refusal(blame, old)),
            });
        }
        match reasons.iter().filter_map(|reason| reason.code()).find(|code| *code != "None") {
            Some("ValidationError" | "ItemCollectionSizeLimitExceeded") => {
                let why: Vec<&str> = reasons.iter().filter_map(|reason| reason.message()).collect();
                Judgement::Final(Err(Error::internal("commit", why.join(", "))))
            }
            Some("TransactionConflict") => Judgement::Contended,
            _ => Judgement::NotNow,
        }
    }

    async fn is_committed(&self, plan: &Plan) -> Result<bool> {
        let Some(entry) = plan.first_entry() else { return Ok(false) };
        Ok(self.env.table.get(&Place::Fact(entry.org, entry.entry).key()).await?.is_some())
    }

    /// Waits with full jitter: up to the base doubled per attempt, at most a second.
    pub async fn pause(&self, attempt: u32) {
        let base = self.env.table.options.retry_base.unwrap_or(Duration::from_millis(25));
        let ceiling = base.saturating_mul(1 << attempt.min(10)).min(Duration::from_secs(1));
        let random = self.env.ids.next().as_u128() as u32;
        tokio::time::sleep(ceiling.mul_f64(f64::from(random) / f64::from(u32::MAX))).await;
    }

    /// A signature by the deployment.
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> String {
        self.env.keys.sign(purpose, message)
    }
}

/// Tells the local feed of entries when it goes: also when the request was dropped on the way, or its
/// outcome stayed unknown. Then the feed looks whether they are there.
struct Telling<'a> {
    feed: &'a Feed,
    told: Vec<Told>,
}

fn unheard_of(fact: &SignedFact) -> Told {
    Told { entry: EntryRef { org: fact.org, entry: fact.id }, fact: None }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if let Feed::Local(feed) = self.feed {
            for told in self.told.drain(..) {
                // The receiver is gone only when the process ends; the journal is read again at the next start.
                let _ = feed.send(told);
            }
        }
    }
}

enum Outcome {
    Done,
    Repeat(Item),
}

enum Judgement {
    /// The outcome is known.
    Final(Result<Outcome>),
    /// Others wrote the same items at the same time; it didn't happen.
    Contended,
    /// The table is too busy; it didn't happen.
    NotNow,
    /// It may have happened.
    Unheard,
}
