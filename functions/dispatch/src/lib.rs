//! Dispatch: knows which consumer wants which journal entry, and sends them its id; and chains the entry.
//!
//! On AWS it reads the table's stream; on one machine, the local feed. An entry may come more than once.

use daybook_domain::{Actor, Audit, Event, JobId, LeadId, OrgId, SubmissionId, UserId};
use daybook_jobs::{Dispatched, JobRun, MailJob, MailKind, Queue, Services, SyncJob, dispatch_all};
use daybook_store::{EntryRef, Fact, Result, SignedFact, chain};
use std::sync::Arc;

/// The queues it sends to.
pub const QUEUES: &[Queue] = &[Queue::Mail, Queue::HubSpot, Queue::Jobs];

/// Sends an entry to everybody who wants it, and chains it. An entry that comes again is sent again, which consumers
/// take, and is chained already.
pub async fn dispatch(services: Arc<Services>, fact: SignedFact) -> Result<()> {
    dispatch_all(&services, &fact, &wanted(&fact, services.env.settings.default_org)).await?;
    chain::chain(&services.env, &fact).await
}

/// What an entry gives rise to. The team hears of every accepted submission; whoever posted one
/// without credentials gets a confirmation. Other systems are told of changes of leads, those of the default
/// organisation alone: the credentials in the environment are its own.
pub fn wanted(fact: &Fact, default_org: OrgId) -> Vec<Dispatched> {
    let entry = EntryRef { org: fact.org, entry: fact.id };
    let about = SubmissionId::try_from(fact.record).ok();
    let mail = |kind| Dispatched::Mail(MailJob { entry, kind, about });
    match fact.event {
        // What was held comes to the visitor's and the team's notice when it is released.
        Event::SubmissionAccepted if fact.actor == Actor::Public || fact.action == Audit::Update => {
            vec![mail(MailKind::Confirmation), mail(MailKind::Notification)]
        }
        Event::SubmissionAccepted => vec![mail(MailKind::Notification)],
        // Who asked for an address that nobody has: the entry is about no user.
        Event::UserPasswordResetRequested if UserId::try_from(fact.record).is_err() => Vec::new(),
        Event::UserPasswordResetRequested => vec![mail(MailKind::PasswordReset)],
        Event::UserPasswordChanged => vec![mail(MailKind::PasswordChanged)],
        Event::UserRegistered | Event::UserVerificationRequested => vec![mail(MailKind::Verification)],
        Event::UserUpdated if fact.fields.iter().any(|field| field == "email") => vec![mail(MailKind::AddressChanged)],
        Event::InvitationSent => vec![mail(MailKind::Invitation)],
        Event::TaskAssigned => vec![mail(MailKind::TaskAssigned)],
        Event::TaskCreated if fact.fields.iter().any(|field| field == "assignee_id") => {
            vec![mail(MailKind::TaskAssigned)]
        }
        Event::TaskDue => vec![mail(MailKind::TaskReminder)],
        Event::LeadCreated
        | Event::LeadUpdated
        | Event::LeadAssigned
        | Event::LeadStatusChanged
        | Event::LeadDeleted
        | Event::LeadRestored
        | Event::LeadConverted
        | Event::ContactUpdated
        | Event::ContactRestored
        | Event::SyncRequested
            if fact.org == default_org =>
        {
            vec![Dispatched::HubSpot(SyncJob { org: fact.org, record: fact.record, erased: false })]
        }
        Event::RecordErased if fact.org == default_org && LeadId::try_from(fact.record).is_ok() => {
            vec![Dispatched::HubSpot(SyncJob { org: fact.org, record: fact.record, erased: true })]
        }
        Event::JobQueued => {
            JobId::try_from(fact.record).map(|job| Dispatched::Job(JobRun { entry, job })).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
