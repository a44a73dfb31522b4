//! Consumers: the queue and function of each kind of job, the journal entries that create them, limits and retry policy.
//!
//! A consumer is a value in the folder of its function. Dispatch, sweep, the one-machine server and the checks of the
//! template read all of them from one table (`daybook-consumers`). What its worker needs besides the table of records is not
//! part of the value, so that a function which only sends to its queue is not linked with other systems' clients.

use crate::message::Message;
use daybook_connectors::queues::Queue;
use daybook_domain::{OrgId, Timestamp};
use daybook_store::{Env, Error, Fact, Result, Settings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A consumer of messages about jobs of one type.
#[derive(Debug)]
pub struct Consumer<J> {
    /// Its queue.
    pub queue: Queue,
    /// The queue of long jobs, so that no short one waits behind them; by default they share the queue.
    pub long: Option<LongJobs<J>>,
    /// The Lambda function that works on its queues.
    pub function: &'static str,
    /// Whether every deployment has it.
    pub presence: Presence,
    /// Returns the jobs that a journal entry creates; `None` if all of its jobs come from due items.
    pub wants: Option<fn(&Fact, &Settings) -> Vec<J>>,
    /// The organisation of a job: organisations take turns.
    pub org: fn(&J) -> OrgId,
    /// Its limits.
    pub limits: Limits,
    /// How its jobs are retried.
    pub retry: RetryPolicy,
}

/// The queue of a consumer's long jobs. Any job goes on in it after its first turn.
#[derive(Debug)]
pub struct LongJobs<J> {
    /// The queue.
    pub line: Line,
    /// Whether a job is known to be long from the start.
    pub is_long: fn(&J) -> bool,
}

/// Whether a deployment has a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Every deployment has it.
    Always,
    /// Only deployments in which its system is switched on; in others, entries are not sent to it.
    Optional,
}

/// The limits of a consumer's worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time-out of its function, and so of the work on one message.
    pub timeout: Duration,
    /// The places for messages of its queue.
    pub places: Places,
}

impl Limits {
    /// A time-out of one minute, and the default places.
    pub const DEFAULT: Limits = Limits { timeout: Duration::from_secs(60), places: Places::DEFAULT };
}

/// How many messages of a queue the one-machine server works on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// How many in all.
    pub at_once: usize,
    /// How many of these may be of one organisation, so that others needn't wait for its jobs.
    pub of_one_org: usize,
    /// How many while requests, which share the processor, are being answered.
    pub under_load: usize,
}

impl Places {
    /// Four messages at once at all times, three of them of one organisation.
    pub const DEFAULT: Places = Places { at_once: 4, of_one_org: 3, under_load: 4 };
}

/// A queue, and the places for its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The queue.
    pub queue: Queue,
    /// The places.
    pub places: Places,
}

/// The retry policy of failed jobs: exponential back-off with full jitter, so pauses are random, up to a limit that
/// doubles with each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The longest pause between attempts.
    pub longest_pause: Duration,
    /// The number of attempts after which a worker gives a job up ([`RetryPolicy::is_exhausted`]); `None` for no limit. It is
    /// for failures that lie in the job or in the other system: an `Err`, as of the table, is retried for ever.
    pub most_attempts: Option<u32>,
}

impl RetryPolicy {
    /// Retried for ever, at least every 15 minutes.
    pub const DEFAULT: RetryPolicy = RetryPolicy { longest_pause: Duration::from_secs(15 * 60), most_attempts: None };

    /// Retried at least every 15 minutes, for at most this number of attempts.
    pub const fn attempts(most: u32) -> RetryPolicy {
        RetryPolicy { most_attempts: Some(most), ..RetryPolicy::DEFAULT }
    }

    /// Whether a job with this number of attempts has failed permanently.
    pub fn is_exhausted(&self, attempts: u32) -> bool {
        self.most_attempts.is_some_and(|most| attempts >= most)
    }

    /// The time of the next attempt after this number of earlier failures.
    pub fn next_attempt(&self, env: &Env, attempt: u32) -> Timestamp {
        env.clock.now().plus(self.pause(attempt, env.settings.retry_base, env.ids.next().as_u128()))
    }

    /// The pause after this number of earlier failures, from a base pause and a random number.
    pub fn pause(&self, attempt: u32, base: Duration, random: u128) -> Duration {
        let ceiling = base.saturating_mul(1_u32 << attempt.min(20)).min(self.longest_pause);
        let share = (random as u32) as f64 / f64::from(u32::MAX);
        // Never at once: at least half of the base pause.
        ceiling.mul_f64(share).max(base / 2)
    }
}

/// A consumer of jobs of any type.
pub trait AnyConsumer: Sync {
    /// Its queue; not that of long jobs.
    fn queue(&self) -> Queue;
    /// All of its queues, that of long jobs last.
    fn lines(&self) -> Vec<Line>;
    /// All of its queues, and whether every deployment has them.
    fn queues(&self) -> Vec<(Queue, Presence)> {
        self.lines().into_iter().map(|line| (line.queue, self.presence())).collect()
    }
    /// The queue of a message.
    fn queue_of(&self, message: &str) -> Queue;
    /// The Lambda function that works on its queues.
    fn function(&self) -> &'static str;
    /// Whether every deployment has it.
    fn presence(&self) -> Presence;
    /// Whether journal entries create its jobs.
    fn wants_entries(&self) -> bool;
    /// The messages that a journal entry creates.
    fn messages(&self, fact: &Fact, settings: &Settings) -> Result<Vec<String>>;
    /// The organisation of a message's job, if it is a message of this consumer.
    fn org_of(&self, message: &str) -> Option<OrgId>;
    /// Its limits.
    fn limits(&self) -> Limits;
    /// How its jobs are retried.
    fn retry(&self) -> RetryPolicy;
}

impl<J: Serialize + DeserializeOwned> AnyConsumer for Consumer<J> {
    fn queue(&self) -> Queue {
        self.queue
    }

    fn lines(&self) -> Vec<Line> {
        let first = Line { queue: self.queue, places: self.limits.places };
        [first].into_iter().chain(self.long.as_ref().map(|long| long.line)).collect()
    }

    fn queue_of(&self, message: &str) -> Queue {
        let Some(LongJobs { line, is_long }) = &self.long else { return self.queue };
        match serde_json::from_str::<Message<J>>(message) {
            Ok(message) if message.turns > 0 || is_long(&message.job) => line.queue,
            Ok(_) | Err(_) => self.queue,
        }
    }

    fn function(&self) -> &'static str {
        self.function
    }

    fn presence(&self) -> Presence {
        self.presence
    }

    fn wants_entries(&self) -> bool {
        self.wants.is_some()
    }

    fn messages(&self, fact: &Fact, settings: &Settings) -> Result<Vec<String>> {
        let jobs = self.wants.map_or(Vec::new(), |wants| wants(fact, settings));
        let message = |job: J| serde_json::to_string(&Message { trace: fact.trace.clone(), ..Message::new(job) });
        let messages: serde_json::Result<Vec<String>> = jobs.into_iter().map(message).collect();
        messages.map_err(|error| Error::internal("write a message", error))
    }

    fn org_of(&self, message: &str) -> Option<OrgId> {
        serde_json::from_str::<Message<J>>(message).ok().map(|message| (self.org)(&message.job))
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn retry(&self) -> RetryPolicy {
        self.retry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_bounds() {
        let (policy, base) = (RetryPolicy::attempts(3), Duration::from_secs(2));
        let longest = |attempt| policy.pause(attempt, base, u128::MAX);
        assert_eq!(longest(0), Duration::from_secs(2));
        assert_eq!(longest(3), Duration::from_secs(16));
        assert_eq!(longest(60), policy.longest_pause);
        assert_eq!(policy.pause(5, base, 0), Duration::from_secs(1));
        assert_eq!([2, 3].map(|attempts| policy.is_exhausted(attempts)), [false, true]);
        assert!(!RetryPolicy::DEFAULT.is_exhausted(u32::MAX));
    }
}
