//! The rules that decide which e-mails a journal entry leads to.

use daybook_domain::{Actor, Audit, Event, SubmissionId, UserId};
use daybook_store::rows::mail_job::{MailJob, MailKind};
use daybook_store::{EntryRef, Fact, Settings};

/// The mails for an entry. The team is notified of every accepted submission; a visitor who posted one without
/// credentials gets a confirmation.
pub fn mails(fact: &Fact, _: &Settings) -> Vec<MailJob> {
    let entry = EntryRef { org: fact.org, entry: fact.id };
    let about = SubmissionId::try_from(fact.record).ok();
    kinds(fact).iter().map(|kind| MailJob { entry, kind: *kind, about }).collect()
}

fn kinds(fact: &Fact) -> &'static [MailKind] {
    let changes = |field: &str| fact.fields.iter().any(|one| one == field);
    match fact.event {
        // For a held submission both mails are sent on its release.
        Event::SubmissionAccepted if fact.actor == Actor::Public || fact.action == Audit::Update => {
            &[MailKind::Confirmation, MailKind::Notification]
        }
        Event::SubmissionAccepted => &[MailKind::Notification],
        Event::SubmissionHeld => &[MailKind::HeldPosts],
        // The request named an address that no user has: the entry is about no user.
        Event::UserPasswordResetRequested if UserId::try_from(fact.record).is_err() => &[],
        Event::UserPasswordResetRequested => &[MailKind::PasswordReset],
        Event::UserPasswordChanged => &[MailKind::PasswordChanged],
        Event::UserRegistered | Event::UserVerificationRequested => &[MailKind::Verification],
        Event::UserUpdated if changes("new_email") => &[MailKind::AddressToChange],
        Event::UserEmailVerified if changes("email") => &[MailKind::AddressChanged],
        Event::InvitationSent => &[MailKind::Invitation],
        Event::TaskAssigned => &[MailKind::TaskAssigned],
        Event::TaskCreated if changes("assignee_id") => &[MailKind::TaskAssigned],
        Event::TaskDue => &[MailKind::TaskReminder],
        _ => &[],
    }
}
