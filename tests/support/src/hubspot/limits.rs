//! The fake HubSpot's rate limits, by the clock of the test.

use super::reply::{Reply, correlation};
use daybook_domain::Timestamp;
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;

const TEN_SECONDS: Duration = Duration::from_secs(10);
const SEARCHES_PER_SECOND: usize = 5;
const DAY: i64 = 24 * 60 * 60;

/// A rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The requests of ten seconds.
    TenSecondlyRolling,
    /// The searches of a second.
    Secondly,
    /// The requests of a day, which begins at midnight UTC.
    Daily,
}

impl Policy {
    /// The refusal, as HubSpot's API client for Python shows it (issue 117).
    pub(super) fn reply(self, number: u64) -> Reply {
        let (name, group) = match self {
            Policy::TenSecondlyRolling => ("TEN_SECONDLY_ROLLING", "publicapi:private-app-calls:12345"),
            Policy::Secondly => ("SECONDLY", "publicapi:crm:search:12345"),
            Policy::Daily => ("DAILY", "publicapi:private-app-calls-daily:12345"),
        };
        let body = json!({
            "status": "error",
            "message": format!("You have reached your {} limit.", name.to_lowercase()),
            "errorType": "RATE_LIMIT",
            "correlationId": correlation(number),
            "policyName": name,
            "groupName": group,
            "requestId": format!("{number:032x}"),
        });
        Reply::json(429, &body)
    }
}

/// The limits and the requests counted towards them.
#[derive(Debug)]
pub(super) struct Limits {
    most: Option<Most>,
    recent: VecDeque<Timestamp>,
    searches: VecDeque<Timestamp>,
    day: i64,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Most {
    per_ten_seconds: usize,
    per_day: usize,
}

impl Default for Limits {
    /// Those of a free account, by the page on usage guidelines.
    fn default() -> Limits {
        let most = Some(Most { per_ten_seconds: 100, per_day: 250_000 });
        Limits { most, recent: VecDeque::new(), searches: VecDeque::new(), day: 0, count: 0 }
    }
}

impl Limits {
    pub(super) fn set(&mut self, per_ten_seconds: usize, per_day: usize) {
        self.most = Some(Most { per_ten_seconds, per_day });
    }

    pub(super) fn lift(&mut self) {
        self.most = None;
    }

    /// Whether any limit is on.
    pub(super) fn hold(&self) -> bool {
        self.most.is_some()
    }

    /// Counts a request, or refuses it at the limit. A refused request doesn't count (a guess).
    pub(super) fn admit(&mut self, now: Timestamp, search: bool) -> Result<(), Policy> {
        let Some(most) = self.most else { return Ok(()) };
        if self.today(now) >= most.per_day {
            return Err(Policy::Daily);
        }
        let (used, window, limit, policy) = if search {
            (&mut self.searches, Duration::from_secs(1), SEARCHES_PER_SECOND, Policy::Secondly)
        } else {
            (&mut self.recent, TEN_SECONDS, most.per_ten_seconds, Policy::TenSecondlyRolling)
        };
        while used.front().is_some_and(|at| at.plus(window) <= now) {
            used.pop_front();
        }
        if used.len() >= limit {
            return Err(policy);
        }
        used.push_back(now);
        self.count = self.today(now) + 1;
        self.day = now.as_second().div_euclid(DAY);
        Ok(())
    }

    /// The rate limit headers of all answers but those of searches. For a limit reported as reached, nothing remains.
    pub(super) fn headers(&self, now: Timestamp, reached: Option<Policy>) -> Vec<(String, String)> {
        let Some(most) = self.most else { return Vec::new() };
        let recent = self.recent.iter().filter(|at| at.plus(TEN_SECONDS) > now).count();
        let remaining = |policy: Policy, limit: usize, used: usize| {
            if reached == Some(policy) { 0 } else { limit.saturating_sub(used) }
        };
        let header = |name: &str, value: usize| (format!("X-HubSpot-RateLimit-{name}"), value.to_string());
        vec![
            header("Daily", most.per_day),
            header("Daily-Remaining", remaining(Policy::Daily, most.per_day, self.today(now))),
            header("Interval-Milliseconds", 10_000),
            header("Max", most.per_ten_seconds),
            header("Remaining", remaining(Policy::TenSecondlyRolling, most.per_ten_seconds, recent)),
        ]
    }

    fn today(&self, now: Timestamp) -> usize {
        if now.as_second().div_euclid(DAY) == self.day { self.count } else { 0 }
    }
}
