//! The limits of HubSpot, which all workers keep together.

use crate::CONSUMER;
use crate::pushed::Pushed;
use daybook_domain::Timestamp;
use daybook_jobs::hubspot::{HubSpotSettings, Refusal, Wait};
use daybook_store::rows::bucket::{self, Rate, Taken};
use daybook_store::rows::ledger::HUBSPOT;
use daybook_store::{Env, Result};
use std::time::Duration;

/// Keeps all workers together within HubSpot's limits.
pub struct Governor<'a> {
    /// What functions share.
    pub env: &'a Env,
    /// The limits.
    pub settings: &'a HubSpotSettings,
}

impl Governor<'_> {
    /// A ninth of the calls at once and the rest spread out, so that no ten seconds have more than the limit.
    fn rate(&self) -> Rate {
        Rate { burst: (self.settings.calls_per_10s / 9).max(1), per: Duration::from_millis(1250) }
    }

    /// When to come again, where no call is left now. Takes one call where there is one.
    pub async fn closed(&self, attempt: u32) -> Result<Option<Timestamp>> {
        let org = self.env.settings.default_org;
        match bucket::take(self.env, org, HUBSPOT, "calls", self.rate()).await? {
            Taken::Yes(_) => Ok(None),
            Taken::After(seconds) => {
                let opens = self.env.clock.now().plus(Duration::from_secs(seconds));
                // Spread out, more with each try, so that those who wait don't all come back at once.
                let random = self.env.ids.next().as_u128();
                Ok(Some(opens.plus(CONSUMER.retry.pause(attempt.min(4), Duration::from_secs(2), random))))
            }
        }
    }

    /// What a refusal means for the job, and where it concerns account_wide, for all workers.
    pub async fn put_off(&self, refusal: Refusal, attempts: u32) -> Result<Pushed> {
        let now = self.env.clock.now();
        let (wait, account_wide, reason) = match refusal {
            Refusal::NotNow { wait, account_wide, reason } => (wait, account_wide, reason),
            Refusal::Broken(reason) => (Wait::Growing, false, reason),
            Refusal::Gone => return Ok(Pushed::Never("HubSpot has no such thing".to_owned())),
            refusal @ (Refusal::Exists(_) | Refusal::Properties { .. } | Refusal::Never(_)) => {
                return Ok(Pushed::Never(refusal.to_string()));
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
            // One pause is enough for the others: the windows roll on.
            let until = match wait {
                Wait::Times(pause) => now.plus(pause),
                _ => at,
            };
            bucket::close(self.env, org, HUBSPOT, "calls", until, self.rate()).await?;
        }
        Ok(Pushed::NotNow { at, reason })
    }
}
