//! The rate limiter for HubSpot's API: one token bucket in the table, shared by all workers.

use crate::CONSUMER;
use crate::pushed::Pushed;
use daybook_domain::Timestamp;
use daybook_jobs::hubspot::{HubSpotSettings, Refusal, Wait};
use daybook_store::rows::bucket::{self, Rate, Taken};
use daybook_store::rows::ledger::HUBSPOT;
use daybook_store::{Env, Result};
use std::time::Duration;

/// Keeps the calls of all workers together within HubSpot's limits.
pub struct Governor<'a> {
    /// The environment of the functions.
    pub env: &'a Env,
    /// The limits.
    pub settings: &'a HubSpotSettings,
}

impl Governor<'_> {
    /// A burst of a ninth of the limit and the rest spread out, so that no ten seconds exceed the limit.
    fn rate(&self) -> Rate {
        Rate { burst: (self.settings.calls_per_10s / 9).max(1), per: Duration::from_millis(1250) }
    }

    /// Takes one call; returns when to retry if there is none left.
    pub async fn closed(&self, attempt: u32) -> Result<Option<Timestamp>> {
        let org = self.env.settings.default_org;
        match bucket::take(self.env, org, HUBSPOT, "calls", self.rate()).await? {
            Taken::Yes(_) => Ok(None),
            Taken::After(seconds) => {
                let opens = self.env.clock.now().plus(Duration::from_secs(seconds));
                // Jitter, more with each try, so that waiting workers don't all retry at the same time.
                let random = self.env.ids.next().as_u128();
                Ok(Some(opens.plus(CONSUMER.retry.pause(attempt.min(4), Duration::from_secs(2), random))))
            }
        }
    }

    /// The result of a refused call for the job; for an account-wide refusal it also closes the bucket for all
    /// workers.
    pub async fn put_off(&self, refusal: Refusal, attempts: u32) -> Result<Pushed> {
        let now = self.env.clock.now();
        let (wait, account_wide, reason) = match refusal {
            Refusal::Retryable { wait, account_wide, reason } => (wait, account_wide, reason),
            Refusal::Broken(reason) => (Wait::Growing, false, reason),
            Refusal::Gone => return Ok(Pushed::Failed("HubSpot has no such object".to_owned())),
            refusal @ (Refusal::Exists(_) | Refusal::Properties { .. } | Refusal::Permanent(_)) => {
                return Ok(Pushed::Failed(refusal.to_string()));
            }
        };
        let times = attempts.clamp(1, 6);
        let at = match wait {
            Wait::Growing => CONSUMER.retry.next_attempt(self.env, attempts),
            Wait::Times(pause) => now.plus(pause * times),
            Wait::Exactly(pause) => now.plus(pause.min(Duration::from_secs(86_400))),
            Wait::Midnight => self.settings.timezone.next_midnight(now),
        };
        if account_wide {
            let org = self.env.settings.default_org;
            // The other workers need to wait for one pause only, as HubSpot's limit is a rolling window.
            let until = match wait {
                Wait::Times(pause) => now.plus(pause),
                _ => at,
            };
            bucket::close(self.env, org, HUBSPOT, "calls", until, self.rate()).await?;
        }
        Ok(Pushed::Retry { at, reason })
    }
}
