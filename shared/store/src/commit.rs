//! Execution of a transaction: failed conditions, conflicts, retries with back-off, and unknown outcomes.

use crate::constraint::{Constraint, refusal};
use crate::engine::Failure;
use crate::feed::{Committed, Feed};
use crate::item::{Item, expires_after, text};
use crate::plan::{Plan, latest_end, plan};
use crate::reply::{KeptReply, Once, Reply};
use crate::schema::Place;
use crate::{Cx, EntryRef, Error, Purpose, Result, SignedFact, Tx};
use daybook_domain::{Conflict, Error as Domain};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The number of attempts of a transaction before the client is asked to try again.
const ATTEMPTS: u32 = 12;

impl Cx {
    /// Commits all changes of a request together with its reply, or nothing.
    ///
    /// One transaction writes the records, the items derived from them, the journal entry and the idempotency record.
    /// An unknown outcome is resolved by looking for the journal entry. Of concurrent requests with one idempotency key
    /// one commits; the others get its reply. At most one commit of a request succeeds.
    pub async fn commit<R: Reply>(&self, tx: Tx, reply: R) -> Result<R> {
        let kept = KeptReply::of(&reply, self.once.is_some())?;
        match self.commit_or_repeat(tx, kept).await? {
            Outcome::Done => Ok(reply),
            Outcome::Repeat(kept) => self.replay(&kept),
        }
    }

    async fn commit_or_repeat(&self, tx: Tx, reply: KeptReply) -> Result<Outcome> {
        if self.request.commits.load(Ordering::SeqCst) > 0 {
            return Err(Error::internal("commit", "a request commits once; make it one transaction or a job"));
        }
        let mut plan = plan(self, tx, reply)?;
        let mut notifier = Notifier { feed: &self.env.table.options.feed, committed: Vec::new() };
        if matches!(notifier.feed, Feed::Local(_)) {
            notifier.committed = plan.facts.iter().map(entry_alone).collect();
        }
        let outcome = self.carry_out(&plan).await;
        match &outcome {
            Ok(Outcome::Done) => {
                for (committed, fact) in notifier.committed.iter_mut().zip(plan.facts.drain(..)) {
                    committed.fact = Some(Box::new(fact));
                }
                self.request.commits.fetch_add(1, Ordering::SeqCst);
            }
            Ok(Outcome::Repeat(_)) | Err(Error::Domain(_)) => notifier.committed.clear(),
            Err(_) => {}
        }
        outcome
    }

    /// The reply to an earlier request with the same idempotency key, if there was one.
    pub async fn earlier_reply<R: Reply>(&self) -> Result<Option<R>> {
        let Some(once) = self.once.as_ref().filter(|once| once.from_client) else { return Ok(None) };
        let kept = self.env.table.get(&Place::Once(once.org, &once.hash).key()).await?;
        match kept {
            Some(item) if self.remembers(once, &item) => self.replay(&item).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether a stored idempotency key hasn't expired.
    pub(crate) fn remembers(&self, once: &Once, item: &Item) -> bool {
        let now = self.now();
        expires_after(item, now.as_second()) && !expires_after(item, latest_end(once, now))
    }

    fn replay<R: Reply>(&self, kept: &Item) -> Result<R> {
        let same = self.once.as_ref().is_some_and(|once| text(kept, "fingerprint") == Some(&once.fingerprint));
        if !same {
            return Err(Domain::Conflict(Conflict::KeyReused).into());
        }
        let json = text(kept, "reply").ok_or(Domain::Conflict(Conflict::AnswerNotKept))?;
        let reply = serde_json::from_str(json).map_err(|error| Error::internal("read a kept reply", error))?;
        self.request.replayed.store(true, Ordering::SeqCst);
        Ok(reply)
    }

    async fn carry_out(&self, plan: &Plan) -> Result<Outcome> {
        let mut last = Error::unavailable("commit", "it was not tried");
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                self.pause(attempt).await;
            }
            let failure = match self.env.table.transact(&plan.actions).await {
                Ok(()) => return Ok(Outcome::Done),
                Err(failure) => failure,
            };
            last = match failure {
                Failure::Refused(refused) => return refused_by(plan, refused),
                Failure::Invalid(cause) => return Err(Error::internal("commit", cause)),
                Failure::Contended(_) => Domain::Conflict(Conflict::Contended).into(),
                Failure::Busy(cause) => Error::unavailable("commit", cause),
                Failure::OutcomeUnknown(cause) => {
                    if self.is_committed(plan).await.unwrap_or(false) {
                        return Ok(Outcome::Done);
                    }
                    Error::unavailable("commit", cause)
                }
            };
        }
        // The last attempt may have succeeded after all.
        match self.is_committed(plan).await {
            Ok(true) => Ok(Outcome::Done),
            _ => Err(last),
        }
    }

    async fn is_committed(&self, plan: &Plan) -> Result<bool> {
        let Some(entry) = plan.first_entry() else { return Ok(false) };
        Ok(self.env.table.get(&Place::Fact(entry.org, entry.entry).key()).await?.is_some())
    }

    /// Exponential back-off with full jitter: waits up to the base, doubled with each attempt, at most a second.
    pub async fn pause(&self, attempt: u32) {
        let base = self.env.table.options.retry_base.unwrap_or(Duration::from_millis(25));
        let ceiling = base.saturating_mul(1 << attempt.min(10)).min(Duration::from_secs(1));
        let random = self.env.ids.next().as_u128() as u32;
        tokio::time::sleep(ceiling.mul_f64(f64::from(random) / f64::from(u32::MAX))).await;
    }

    /// A signature with the deployment's secret.
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> String {
        self.env.keys.sign(purpose, message)
    }
}

/// Publishes entries to the local feed when it is dropped, also where the request was cancelled or its outcome stayed
/// unknown. Then the receiver looks whether the entries are stored.
struct Notifier<'a> {
    feed: &'a Feed,
    committed: Vec<Committed>,
}

fn entry_alone(fact: &SignedFact) -> Committed {
    Committed { entry: EntryRef { org: fact.org, entry: fact.id }, fact: None }
}

impl Drop for Notifier<'_> {
    fn drop(&mut self) {
        if let Feed::Local(feed) = self.feed {
            for committed in self.committed.drain(..) {
                // The receiver is gone only when the process ends; the journal is read again at the next start.
                let _ = feed.send(committed);
            }
        }
    }
}

enum Outcome {
    Done,
    Repeat(Item),
}

/// The outcome of a transaction whose conditions failed.
fn refused_by(plan: &Plan, refused: Vec<Option<Item>>) -> Result<Outcome> {
    let mut refused = plan.constraints.iter().zip(refused).filter_map(|(constraint, item)| Some((constraint, item?)));
    let Some((first, item)) = refused.next() else {
        return Err(Error::internal("commit", "a condition failed that isn't part of the plan"));
    };
    // The journal entry exists: an earlier attempt of this transaction succeeded, and its response was lost.
    if matches!(first, Constraint::Fact) || refused.any(|(constraint, _)| matches!(constraint, Constraint::Fact)) {
        return Ok(Outcome::Done);
    }
    match first {
        Constraint::Once => Ok(Outcome::Repeat(item)),
        constraint => Err(refusal(constraint, &item)),
    }
}
