//! Composition of e-mails: recipient, reply address and content, from the journal entry that a mail is about.

use crate::message::{MailJob, MailKind};
use daybook_domain::invitation::{self, Invitation};
use daybook_domain::organization::Organization;
use daybook_domain::submission::Submission;
use daybook_domain::task::{Channel, Task};
use daybook_domain::user::{Status, User};
use daybook_domain::{AnyId, EmailAddress, Line, Locale, Stored, UserId};
use daybook_jobs::mail::templates::{AccountMail, TaskMail};
use daybook_jobs::mail::{Content, Sender, templates};
use daybook_records::invite;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{Cx, EntryRef, Env, Error, Fact, Result};
use serde_json::Value;
use std::sync::Arc;

/// A composed mail.
pub struct Composed {
    /// The recipient.
    pub to: EmailAddress,
    /// The address for replies.
    pub reply_to: Option<EmailAddress>,
    /// The content.
    pub content: Content,
    /// The lead it is about.
    pub about: Option<AnyId>,
}

/// Composes a mail from the record that its entry is about; none if there is no recipient.
pub async fn compose(env: &Arc<Env>, sender: &Sender, job: MailJob) -> Result<Option<Composed>> {
    let cx = env.system(job.entry.org, "send-mail");
    let about = match job.about {
        Some(id) => id.into(),
        None => match Fact::read(env, job.entry).await? {
            Some(fact) => fact.record,
            None => return Ok(None),
        },
    };
    let organization = cx.find_often::<Organization>(job.entry.org).await?;
    let from = From { env, sender, cx, organization: organization.map(Stored::into_inner) };
    match job.kind {
        MailKind::Confirmation => from.submission(about, From::confirmation).await,
        MailKind::Notification => from.submission(about, From::notification).await,
        MailKind::Verification => from.ticket(about, Use::VerifyEmail, AccountMail::Verification).await,
        MailKind::PasswordReset => from.ticket(about, Use::ResetPassword, AccountMail::PasswordReset).await,
        MailKind::PasswordChanged => from.user(about, AccountMail::PasswordChanged).await,
        MailKind::AddressToChange => from.user(about, AccountMail::AddressToChange).await,
        MailKind::AddressChanged => from.old_address(about, job.entry).await,
        MailKind::Invitation => from.invitation(about).await,
        MailKind::TaskAssigned => from.task_assigned(about, job.entry).await,
        MailKind::TaskReminder => from.task_reminder(about, job.entry).await,
    }
}

/// The sending organisation.
struct From<'a> {
    env: &'a Arc<Env>,
    sender: &'a Sender,
    cx: Cx,
    organization: Option<Organization>,
}

impl From<'_> {
    async fn submission(
        &self,
        id: AnyId,
        compose: fn(&Self, Submission) -> Result<Option<Composed>>,
    ) -> Result<Option<Composed>> {
        match self.cx.find::<Submission>(id).await? {
            Some(submission) => compose(self, submission.into_inner()),
            None => Ok(None),
        }
    }

    fn confirmation(&self, submission: Submission) -> Result<Option<Composed>> {
        let enquiry = &submission.enquiry;
        let about = submission.lead_id.map(AnyId::from);
        let locale = enquiry.locale.unwrap_or_default();
        let content = templates::confirmation(&submission, self.name(), locale).map_err(unwritten)?;
        Ok(Some(Composed { to: enquiry.email.clone(), reply_to: None, content, about }))
    }

    fn notification(&self, submission: Submission) -> Result<Option<Composed>> {
        let settings = &self.env.settings;
        let to = match &self.organization {
            Some(organization) => organization.team_addresses.first(),
            None => Some(&settings.team_address),
        };
        let Some(to) = to.cloned() else { return Ok(None) };
        let about = submission.lead_id.map(AnyId::from);
        let lead = submission.lead_id.map(|lead| lead.to_string()).unwrap_or_default();
        let url = format!("{}/api/leads/{lead}", settings.public_url);
        let content = templates::notification(&submission, &url, self.locale()).map_err(unwritten)?;
        Ok(Some(Composed { to, reply_to: Some(submission.enquiry.email), content, about }))
    }

    /// A mail with a user's ticket, unless it was used or was issued for another address.
    async fn ticket(&self, about: AnyId, to: Use, mail: AccountMail) -> Result<Option<Composed>> {
        let Ok(id) = UserId::try_from(about) else { return Ok(None) };
        let env = self.env;
        let Some(ticket) = Ticket::read(env, self.cx.org, id, to).await?.filter(|ticket| !ticket.used) else {
            return Ok(None);
        };
        let user = self.active_user(about).await?.filter(|user| ticket.went_to(to.address_of(user)));
        let Some(user) = user else { return Ok(None) };
        let link = env.settings.account_link(&format!("{}={}", to.name(), ticket.token(env, self.cx.org, id, to)));
        self.account(to.address_of(&user).clone(), user.name.as_ref(), mail, Some(&link)).map(Some)
    }

    async fn user(&self, id: AnyId, mail: AccountMail) -> Result<Option<Composed>> {
        let Some(user) = self.active_user(id).await? else { return Ok(None) };
        self.account(user.email.clone(), user.name.as_ref(), mail, None).map(Some)
    }

    async fn active_user(&self, id: AnyId) -> Result<Option<User>> {
        let user = self.cx.find::<User>(id).await?;
        Ok(user.map(Stored::into_inner).filter(|user| user.status == Status::Active))
    }

    /// A mail to the address that a user had before the entry.
    async fn old_address(&self, id: AnyId, entry: EntryRef) -> Result<Option<Composed>> {
        let Some(user) = self.cx.find::<User>(id).await? else { return Ok(None) };
        let detail = self.cx.journal().details(std::iter::once(entry.entry)).await?.remove(&entry.entry);
        let old = detail.and_then(|detail| EmailAddress::parse(detail.before.get("email")?.as_str()?).ok());
        let Some(old) = old else { return Ok(None) };
        self.account(old, user.name.as_ref(), AccountMail::AddressChanged, None).map(Some)
    }

    async fn invitation(&self, id: AnyId) -> Result<Option<Composed>> {
        let invitation = self.cx.find::<Invitation>(id).await?;
        let Some(invitation) = invitation.filter(|one| one.status == invitation::Status::Pending) else {
            return Ok(None);
        };
        let env = self.env;
        let token = invite::token(&env.keys, self.cx.org, &invitation);
        let link = env.settings.account_link(&format!("invite={token}"));
        let name = invitation.name.clone();
        self.account(invitation.email.clone(), name.as_ref(), AccountMail::Invitation, Some(&link)).map(Some)
    }

    /// A mail to the assignee of a task, unless they assigned it to themselves.
    async fn task_assigned(&self, id: AnyId, entry: EntryRef) -> Result<Option<Composed>> {
        let (Some(task), Some(fact)) = (self.open_task(id).await?, Fact::read(self.env, entry).await?) else {
            return Ok(None);
        };
        match task.assignee_id.filter(|assignee| fact.actor.user() != Some(*assignee)) {
            Some(assignee) => self.task(&task, assignee, TaskMail::Assigned).await,
            None => Ok(None),
        }
    }

    /// A mail to the assignee of a task, if the reminder is by mail.
    async fn task_reminder(&self, id: AnyId, entry: EntryRef) -> Result<Option<Composed>> {
        let detail = self.cx.journal().details(std::iter::once(entry.entry)).await?.remove(&entry.entry);
        let channels = detail.and_then(|mut detail| detail.after.remove("channels"));
        let by_mail =
            channels.as_ref().and_then(Value::as_array).is_some_and(|all| all.contains(&Channel::Email.name().into()));
        match self.open_task(id).await?.filter(|_| by_mail) {
            Some(task) => match task.assignee_id {
                Some(assignee) => self.task(&task, assignee, TaskMail::Reminder).await,
                None => Ok(None),
            },
            None => Ok(None),
        }
    }

    async fn open_task(&self, id: AnyId) -> Result<Option<Task>> {
        Ok(self.cx.find::<Task>(id).await?.map(Stored::into_inner).filter(Task::is_open))
    }

    async fn task(&self, task: &Task, to: UserId, mail: TaskMail) -> Result<Option<Composed>> {
        // Titles are written by others, so they go to confirmed addresses only.
        let user = self.active_user(to.into()).await?.filter(|user| user.email_verified_at.is_some());
        let Some(user) = user else { return Ok(None) };
        let name = user.name.as_ref().map_or(user.email.as_str(), Line::as_str);
        let zone = self.organization.as_ref().map(|organization| organization.timezone.clone()).unwrap_or_default();
        let due = task.due_date.map(|at| zone.written_time(at, self.locale()));
        let url = format!("{}/api/tasks/{}", self.env.settings.public_url, task.id);
        let details = templates::TaskDetails { title: task.title.as_str(), due: due.as_deref(), url: &url };
        let content = templates::task(mail, name, self.name(), &details, self.locale()).map_err(unwritten)?;
        Ok(Some(Composed { to: user.email.clone(), reply_to: None, content, about: Some(task.id.into()) }))
    }

    fn account(
        &self,
        to: EmailAddress,
        name: Option<&Line<120>>,
        mail: AccountMail,
        link: Option<&str>,
    ) -> Result<Composed> {
        let name = name.map_or(to.as_str(), Line::as_str);
        let content = templates::account(mail, name, self.name(), link, self.locale()).map_err(unwritten)?;
        Ok(Composed { to, reply_to: None, content, about: None })
    }

    fn name(&self) -> &Line<120> {
        self.organization.as_ref().map_or(&self.sender.name, |organization| &organization.name)
    }

    fn locale(&self) -> Locale {
        self.organization.as_ref().map_or(Locale::Chinese, |organization| organization.locale)
    }
}

fn unwritten(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("write a mail", error)
}
