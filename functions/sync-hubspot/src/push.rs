//! One push of a lead to HubSpot: writes the contact, and resolves conflicts until it is equal or can't be written.

use crate::contact::{self, ContactHolder};
use crate::governor::Governor;
use crate::mapping;
use crate::pushed::Pushed;
use daybook_domain::lead::Lead;
use daybook_jobs::hubspot::{HubSpot, Properties, Refusal, Wait};
use daybook_store::rows::ledger::{self, HUBSPOT, Row};
use daybook_store::{Cx, Result};
use std::time::Duration;

/// The most writes of a contact in one push.
const MOST_WRITES: usize = 8;

/// How often a call that broke off is retried at once.
const AT_ONCE: u32 = 2;

/// How a contact is addressed.
enum Target {
    /// By our id, a unique property.
    ByExternalId,
    /// By HubSpot's id.
    ByRemoteId(String),
}

/// A push in progress.
pub struct Push<'a> {
    hubspot: &'a HubSpot,
    governor: &'a Governor<'a>,
    cx: &'a Cx,
    lead: &'a Lead,
    /// The number of tries since the contact was last equal.
    attempts: u32,
    target: Target,
    properties: Properties,
    /// The properties that HubSpot has refused so far, with its reasons.
    left_out: Option<String>,
    /// Whether this push has created the property for our id.
    defined: bool,
    /// Whether the address was found at another lead's contact in this push before.
    met_another: bool,
    /// The number of calls that broke off.
    broken: u32,
}

impl<'a> Push<'a> {
    /// Prepares the push of a lead with this ledger row.
    pub fn of(hubspot: &'a HubSpot, governor: &'a Governor<'a>, cx: &'a Cx, lead: &'a Lead, row: &Row) -> Push<'a> {
        let target = row.remote_id.clone().map_or(Target::ByExternalId, Target::ByRemoteId);
        let mut properties = mapping::properties(lead, &row.written, &hubspot.settings().external_id);
        if matches!(target, Target::ByExternalId) {
            properties.extend(mapping::beginning());
        }
        Push {
            hubspot,
            governor,
            cx,
            lead,
            attempts: row.attempts,
            target,
            properties,
            left_out: None,
            defined: false,
            met_another: false,
            broken: 0,
        }
    }

    /// Writes the contact until it is equal, or can't be written now.
    pub async fn run(mut self) -> Result<Pushed> {
        for write in 0..MOST_WRITES {
            if write > 0
                && let Some(pushed) = self.limited().await?
            {
                return Ok(pushed);
            }
            let outcome = match &self.target {
                Target::ByExternalId => self.hubspot.upsert(&self.lead.id.to_string(), &self.properties).await,
                Target::ByRemoteId(id) => self.hubspot.update(id, &self.properties).await,
            };
            let settled = match outcome {
                Ok(id) => {
                    let written = self.properties.into_iter().filter(|(_, value)| !value.is_empty());
                    let written = written.map(|(name, _)| name).collect();
                    return Ok(Pushed::Equal { id, left_out: self.left_out, written });
                }
                Err(refusal) => self.refused(refusal).await?,
            };
            if let Some(pushed) = settled {
                return Ok(pushed);
            }
        }
        let at = self.governor.env.clock.now().plus(Duration::from_secs(60));
        Ok(Pushed::Retry { at, reason: "HubSpot kept reporting other contacts with this address".to_owned() })
    }

    /// Resolves a refusal, so that the write may be repeated; otherwise returns the result of the push.
    async fn refused(&mut self, refusal: Refusal) -> Result<Option<Pushed>> {
        match refusal {
            Refusal::Exists(id) if id.is_empty() => {
                Ok(Some(Pushed::Failed("HubSpot already has the contact, but doesn't return its id".to_owned())))
            }
            Refusal::Exists(id) => self.address_taken(id).await,
            Refusal::Properties { names, unknown: true, reason } if names.contains(self.external_id()) => {
                self.id_unknown(&reason).await
            }
            Refusal::Properties { names, reason, .. } => {
                let before = self.properties.len();
                self.properties.retain(|name, _| !names.contains(name));
                if self.properties.len() == before {
                    return Ok(Some(Pushed::Failed(reason)));
                }
                self.left_out = Some(match self.left_out.take() {
                    Some(before) => format!("{before}; {reason}"),
                    None => reason,
                });
                Ok(None)
            }
            // Deleted or merged in HubSpot: created again, under our id.
            Refusal::Gone if matches!(self.target, Target::ByRemoteId(_)) => {
                self.target = Target::ByExternalId;
                self.properties = mapping::properties(self.lead, &[], self.external_id());
                self.properties.extend(mapping::beginning());
                Ok(None)
            }
            Refusal::Broken(_) if self.broken < AT_ONCE => {
                self.broken += 1;
                tokio::time::sleep(self.hubspot.settings().pause * self.broken).await;
                Ok(None)
            }
            refusal => self.put_off(refusal).await,
        }
    }

    /// Resolves a conflict with a contact that has the address already.
    async fn address_taken(&mut self, id: String) -> Result<Option<Pushed>> {
        if let Some(pushed) = self.limited().await? {
            return Ok(Some(pushed));
        }
        let external_id = match self.hubspot.external_id_of(&id).await {
            Ok(external_id) => external_id,
            Err(Refusal::Gone) => return Ok(None),
            Err(refusal) => return self.put_off(refusal).await,
        };
        let address = self.lead.email.as_ref().map(ToString::to_string).unwrap_or_default();
        match (contact::holder(self.cx, self.lead, external_id.as_deref()).await?, &self.target) {
            (ContactHolder::Leaving(other), _) => {
                let reason =
                    format!("contact {id} belongs to lead {other} until that lead's new address is in HubSpot");
                self.put_off(Refusal::Retryable { wait: Wait::Growing, account_wide: false, reason }).await
            }
            // The owner may have changed between the refusal and this read.
            (ContactHolder::Staying(_), _) if !self.met_another => {
                self.met_another = true;
                Ok(None)
            }
            (ContactHolder::Staying(other), _) => Ok(Some(Pushed::Failed(format!(
                "contact {id} of lead {other} has the address {address} in HubSpot; \
                 change it there, or replay lead {other}, and replay this one"
            )))),
            (_, Target::ByRemoteId(_)) => Ok(Some(Pushed::Failed(format!(
                "contact {id} already has the address {address} in HubSpot; merge the two contacts there and replay"
            )))),
            (holder, Target::ByExternalId) => {
                if let ContactHolder::Left(other) = holder {
                    ledger::leave(&self.cx.env, self.cx.org, HUBSPOT, other.into(), &id).await?;
                }
                self.target = Target::ByRemoteId(id);
                // Its lifecycle stage and status in HubSpot are kept.
                self.properties.retain(|name, _| !mapping::is_state(name));
                Ok(None)
            }
        }
    }

    /// Creates the property for our id in HubSpot, once per push.
    async fn id_unknown(&mut self, reason: &str) -> Result<Option<Pushed>> {
        if std::mem::replace(&mut self.defined, true) {
            let what =
                format!("{reason}; make the contact property {} unique in HubSpot, then replay", self.external_id());
            return Ok(Some(Pushed::Failed(what)));
        }
        if let Some(pushed) = self.limited().await? {
            return Ok(Some(pushed));
        }
        match self.hubspot.define_external_id().await {
            Ok(()) => Ok(None),
            Err(refusal) => self.put_off(refusal).await,
        }
    }

    fn external_id(&self) -> &'a String {
        &self.hubspot.settings().external_id
    }

    /// Takes one call from the rate limit; returns the result of the push if there is none left.
    async fn limited(&self) -> Result<Option<Pushed>> {
        let at = self.governor.closed(0).await?;
        Ok(at.map(|at| Pushed::Retry { at, reason: "waiting for HubSpot's rate limit".to_owned() }))
    }

    async fn put_off(&self, refusal: Refusal) -> Result<Option<Pushed>> {
        self.governor.put_off(refusal, self.attempts).await.map(Some)
    }
}
