//! Sync HubSpot: makes HubSpot's contact equal to the lead, whatever came before.
//!
//! The lead's id is a unique property of the contact, so the same push twice makes one contact; where the
//! address belongs to a contact already, that one becomes the lead's. A row of the ledger per lead says how it
//! stands. All workers together keep within HubSpot's limits by one bucket of the table.

mod contact;
mod mapping;

use contact::Whose;
use daybook_domain::lead::Lead;
use daybook_domain::{LeadId, Timestamp};
use daybook_jobs::hubspot::{HubSpot, HubSpotSettings, Properties, Refusal, Wait};
use daybook_jobs::{Message, Outcome, Queue, Services, SyncJob, Worker, back_off, nothing_foreign};
use daybook_store::rows::bucket::{self, Rate, Taken};
use daybook_store::rows::ledger::{self, HUBSPOT, Row, Settled, State};
use daybook_store::{Cx, Env, Result};
use std::sync::Arc;
use std::time::Duration;

/// After so many tries a lead is given up: with back-off, most of a day or more.
const MOST_ATTEMPTS: u32 = 200;

/// How often one try writes the contact, at most.
const MOST_WRITES: usize = 8;

/// How often a call that broke off is sent again at once.
const AT_ONCE: u32 = 2;

/// How long a job waits while HubSpot is switched off.
const SWITCHED_OFF: Duration = Duration::from_secs(3600);

/// Why a push breaks off between two calls.
const WITHIN_LIMIT: &str = "within the limit of calls";

/// The worker of this function.
pub fn worker() -> Worker {
    Worker::new("sync-hubspot", Queue::HubSpot, handle, nothing_foreign)
}

/// Makes HubSpot's contact equal to the lead.
async fn handle(services: Arc<Services>, message: Message<SyncJob>) -> Result<Outcome> {
    let SyncJob { org, record } = message.job;
    let Ok(id) = LeadId::try_from(record) else { return Ok(Outcome::Done) };
    let env = &services.env;
    let Some(hubspot) = &services.hubspot else {
        // It may be switched on again, and nothing that waits is to be lost.
        return Ok(Outcome::RetryAt(env.clock.now().plus(SWITCHED_OFF), "HubSpot is switched off".to_owned()));
    };
    let governor = Governor { env, settings: hubspot.settings() };
    if let Some(at) = governor.closed(message.attempt).await? {
        let reason = "waits for its turn within the limit of calls";
        ledger::wait(env, org, HUBSPOT, record, (env.clock.now(), at), reason).await?;
        return Ok(Outcome::RetryAt(at, reason.to_owned()));
    }
    // Read after the row is taken, so that whoever takes it last has seen the newest version.
    let taken = ledger::take(env, org, HUBSPOT, record).await?;
    let row = &taken.row;
    let cx = env.system(org, "sync-hubspot");
    let lead: Option<Lead> = cx.find(id).await?;
    let version = lead.as_ref().map_or(row.version, |lead| lead.version);
    let pushed = match lead.filter(contact::is_meant) {
        Some(lead) => match contact::successor(&cx, &lead).await? {
            Some(other) => Pushed::Left(format!("its address, and so the contact, is lead {other}'s now")),
            None => push(hubspot, &governor, &cx, &lead, row).await?,
        },
        None => Pushed::Left("deleted here, spam, or demo data: left as it is there".to_owned()),
    };
    let how = Settled {
        state: State::Synced,
        remote_id: row.remote_id.clone(),
        version,
        written: row.written.clone(),
        error: None,
        next_try: None,
    };
    let (how, outcome) = match pushed {
        Pushed::Equal { id, left_out, written } => {
            (Settled { remote_id: Some(id), error: left_out, written, ..how }, Outcome::Done)
        }
        Pushed::Left(why) => (Settled { state: State::Skipped, error: Some(why), ..how }, Outcome::Done),
        Pushed::NotNow { at, reason } if row.attempts < MOST_ATTEMPTS => (
            Settled {
                state: State::Waiting,
                version: row.version,
                error: Some(reason.clone()),
                next_try: Some(at),
                ..how
            },
            Outcome::RetryAt(at, reason),
        ),
        Pushed::NotNow { reason, .. } | Pushed::Never(reason) => (
            Settled { state: State::Failed, version: row.version, error: Some(reason.clone()), ..how },
            Outcome::Failed(reason),
        ),
    };
    if ledger::settle(env, org, HUBSPOT, &taken, how).await? {
        return Ok(outcome);
    }
    let at = back_off(env.clock.now(), 0, env.settings.retry_base, env.ids.next().as_u128());
    Ok(Outcome::RetryAt(at, "another worker was at the same lead".to_owned()))
}

/// How a push went.
enum Pushed {
    /// The contact with this id is equal to the lead, but for what HubSpot left out.
    Equal {
        id: String,
        left_out: Option<String>,
        /// The properties that hold something of ours.
        written: Vec<String>,
    },
    /// There is nothing to push, and why.
    Left(String),
    /// Not now.
    NotNow { at: Timestamp, reason: String },
    /// Not until somebody does something about it.
    Never(String),
}

/// What a contact is known by.
enum Target {
    /// Our id.
    Ours,
    /// HubSpot's.
    Theirs(String),
}

async fn push(hubspot: &HubSpot, governor: &Governor<'_>, cx: &Cx, lead: &Lead, row: &Row) -> Result<Pushed> {
    let settings = hubspot.settings();
    let ours = lead.id.to_string();
    let mut target = row.remote_id.clone().map_or(Target::Ours, Target::Theirs);
    let mut properties = mapping::properties(lead, &row.written, &settings.external_id);
    if matches!(target, Target::Ours) {
        properties.extend(mapping::beginning());
    }
    let (mut left_out, mut defined, mut seen_staying, mut broken) = (None::<String>, false, false, 0);
    for write in 0..MOST_WRITES {
        if write > 0
            && let Some(at) = governor.closed(0).await?
        {
            return Ok(Pushed::NotNow { at, reason: WITHIN_LIMIT.to_owned() });
        }
        let outcome = match &target {
            Target::Ours => hubspot.upsert(&ours, &properties).await,
            Target::Theirs(id) => hubspot.update(id, &properties).await,
        };
        let refusal = match outcome {
            Ok(id) => {
                let written = properties.into_iter().filter(|(_, value)| !value.is_empty());
                return Ok(Pushed::Equal { id, left_out, written: written.map(|(name, _)| name).collect() });
            }
            Err(refusal) => refusal,
        };
        match refusal {
            Refusal::Exists(id) if id.is_empty() => {
                return Ok(Pushed::Never("HubSpot has the contact, but doesn't say which".to_owned()));
            }
            // The address belongs to a contact already.
            Refusal::Exists(id) => {
                if let Some(at) = governor.closed(0).await? {
                    return Ok(Pushed::NotNow { at, reason: WITHIN_LIMIT.to_owned() });
                }
                let external_id = match hubspot.external_id_of(&id).await {
                    Ok(external_id) => external_id,
                    Err(Refusal::Gone) => continue,
                    Err(refusal) => return governor.put_off(refusal, row.attempts).await,
                };
                match (contact::whose(cx, lead, external_id.as_deref()).await?, &target) {
                    (Whose::Leaving(other), _) => {
                        let reason = format!("contact {id} is lead {other}'s until that one's new address is there");
                        return governor
                            .put_off(Refusal::NotNow { wait: Wait::Growing, everybody: false, reason }, row.attempts)
                            .await;
                    }
                    // It may have left between the refusal and this look.
                    (Whose::Staying(_), _) if !std::mem::replace(&mut seen_staying, true) => {}
                    (Whose::Staying(other), _) => {
                        let what = format!(
                            "contact {id}, which is lead {other}'s, has the address {} in HubSpot; \
                             change it there, or replay lead {other}, and replay this one",
                            lead.email
                        );
                        return Ok(Pushed::Never(what));
                    }
                    (_, Target::Theirs(_)) => return Ok(Pushed::Never(other_contact(lead, &id))),
                    (whose, Target::Ours) => {
                        if let Whose::Left(other) = whose {
                            ledger::leave(governor.env, cx.org, HUBSPOT, other.into(), &id).await?;
                        }
                        target = Target::Theirs(id);
                        // What it has come to there is not begun anew.
                        properties.retain(|name, _| !mapping::is_state(name));
                    }
                }
            }
            Refusal::Properties { names, unknown: true, reason } if names.contains(&settings.external_id) => {
                if std::mem::replace(&mut defined, true) {
                    let what = format!(
                        "{reason}; make the contact property {} unique in HubSpot and replay",
                        settings.external_id
                    );
                    return Ok(Pushed::Never(what));
                }
                if let Some(at) = governor.closed(0).await? {
                    return Ok(Pushed::NotNow { at, reason: WITHIN_LIMIT.to_owned() });
                }
                if let Err(refusal) = hubspot.define_external_id().await {
                    return governor.put_off(refusal, row.attempts).await;
                }
            }
            Refusal::Properties { names, reason, .. } => {
                if !drop_all(&mut properties, &names) {
                    return Ok(Pushed::Never(reason));
                }
                left_out = Some(left_out.map_or_else(|| reason.clone(), |before| format!("{before}; {reason}")));
            }
            // Deleted or merged there: made anew, under our id.
            Refusal::Gone if matches!(target, Target::Theirs(_)) => {
                target = Target::Ours;
                properties = mapping::properties(lead, &[], &settings.external_id);
                properties.extend(mapping::beginning());
            }
            Refusal::Broken(_) if broken < AT_ONCE => {
                broken += 1;
                tokio::time::sleep(settings.pause * broken).await;
            }
            refusal => return governor.put_off(refusal, row.attempts).await,
        }
    }
    let at = governor.env.clock.now().plus(Duration::from_secs(60));
    Ok(Pushed::NotNow { at, reason: "HubSpot kept sending us on to other contacts".to_owned() })
}

fn other_contact(lead: &Lead, id: &str) -> String {
    format!("in HubSpot contact {id} has the address {} already; merge the two contacts there and replay", lead.email)
}

/// Leaves properties out; `false` where none of them was there.
fn drop_all(properties: &mut Properties, names: &[String]) -> bool {
    names.iter().filter(|name| properties.remove(*name).is_some()).count() > 0
}

/// Keeps all workers together within HubSpot's limits.
struct Governor<'a> {
    env: &'a Env,
    settings: &'a HubSpotSettings,
}

impl Governor<'_> {
    /// A ninth of the calls at once and the rest spread out, so that no ten seconds have more than the limit.
    fn rate(&self) -> Rate {
        Rate { burst: (self.settings.calls_per_10s / 9).max(1), per: Duration::from_millis(1250) }
    }

    /// When to come again, where no call is left now. Takes one call where there is one.
    async fn closed(&self, attempt: u32) -> Result<Option<Timestamp>> {
        let org = self.env.settings.default_org;
        match bucket::take(self.env, org, HUBSPOT, "calls", self.rate()).await? {
            Taken::Yes(_) => Ok(None),
            Taken::After(seconds) => {
                let opens = self.env.clock.now().plus(Duration::from_secs(seconds));
                // Spread out, more with each try, so that those who wait don't all come back at once.
                let random = self.env.ids.next().as_u128();
                Ok(Some(back_off(opens, attempt.min(4), Duration::from_secs(2), random)))
            }
        }
    }

    /// What a refusal means for the job, and where it concerns everybody, for all workers.
    async fn put_off(&self, refusal: Refusal, attempts: u32) -> Result<Pushed> {
        let now = self.env.clock.now();
        let (wait, everybody, reason) = match refusal {
            Refusal::NotNow { wait, everybody, reason } => (wait, everybody, reason),
            Refusal::Broken(reason) => (Wait::Growing, false, reason),
            Refusal::Gone => return Ok(Pushed::Never("HubSpot has no such thing".to_owned())),
            refusal @ (Refusal::Exists(_) | Refusal::Properties { .. } | Refusal::Never(_)) => {
                return Ok(Pushed::Never(refusal.to_string()));
            }
        };
        let times = attempts.clamp(1, 6);
        let at = match wait {
            Wait::Growing => back_off(now, attempts, self.env.settings.retry_base, self.env.ids.next().as_u128()),
            Wait::Times(pause) => now.plus(pause * times),
            Wait::Exactly(pause) => now.plus(pause.min(Duration::from_secs(86_400))),
            Wait::Midnight => self.settings.timezone.next_midnight(now),
        };
        if everybody {
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
