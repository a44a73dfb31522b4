//! Composition of e-mails: recipient, reply address and content, from the journal entry that a mail is about.

use crate::held;
use daybook_domain::invitation::{self, Invitation};
use daybook_domain::organization::Organization;
use daybook_domain::submission::Submission;
use daybook_domain::task::{Channel, Task};
use daybook_domain::user::{Status, User};
use daybook_domain::{AnyId, EmailAddress, Line, Locale, Stored, UserId, Zone};
use daybook_jobs::mail::templates::{AccountMail, TaskMail};
use daybook_jobs::mail::{Content, Sender, templates};
use daybook_records::{address_of, held_link, invite};
use daybook_store::rows::mail_job::{MailJob, MailKind};
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
        MailKind::Confirmation => from.confirmation(about).await,
        MailKind::Notification => from.notification(about).await,
        MailKind::Verification => from.ticket(about, Use::VerifyEmail, AccountMail::Verification).await,
        MailKind::PasswordReset => from.ticket(about, Use::ResetPassword, AccountMail::PasswordReset).await,
        MailKind::PasswordChanged => from.user(about, AccountMail::PasswordChanged).await,
        MailKind::AddressToChange => from.user(about, AccountMail::AddressToChange).await,
        MailKind::AddressChanged => from.old_address(about, job.entry).await,
        MailKind::Invitation => from.invitation(about).await,
        MailKind::TaskAssigned => from.task_assigned(about, job.entry).await,
        MailKind::TaskReminder => from.task_reminder(about, job.entry).await,
        MailKind::HeldPosts => from.held_posts(job.entry).await,
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
    async fn confirmation(&self, id: AnyId) -> Result<Option<Composed>> {
        let Some(submission) = self.submission(id).await? else { return Ok(None) };
        let Some(to) = submission.enquiry.email.clone() else { return Ok(None) };
        let about = submission.lead_id.map(AnyId::from);
        let locale = submission.enquiry.locale.unwrap_or_default();
        let time = self.zone().written_time(submission.created_at, locale);
        let content = templates::confirmation(&submission.ask(), &time, self.name(), locale).map_err(unwritten)?;
        Ok(Some(Composed { to, reply_to: None, content, about }))
    }

    async fn notification(&self, id: AnyId) -> Result<Option<Composed>> {
        let settings = &self.env.settings;
        let (Some(to), Some(submission)) = (self.team().await?, self.submission(id).await?) else { return Ok(None) };
        let about = submission.lead_id.map(AnyId::from);
        let url = match submission.lead_id {
            Some(lead) => settings.record_link(self.cx.org, "leads", lead),
            None => settings.record_link(self.cx.org, "submissions", submission.id),
        };
        let content = templates::notification(&submission, &url, self.locale()).map_err(unwritten)?;
        Ok(Some(Composed { to, reply_to: submission.enquiry.email, content, about }))
    }

    /// The digest of the posts that were held in the hour of an entry.
    async fn held_posts(&self, entry: EntryRef) -> Result<Option<Composed>> {
        if !held::is_first_of_its_hour(&self.cx, entry.entry).await? {
            return Ok(None);
        }
        let Some(to) = self.team().await? else { return Ok(None) };
        let (posts, has_more) = held::of_hour(&self.cx, entry.entry).await?;
        if posts.is_empty() {
            return Ok(None);
        }
        let settings = &self.env.settings;
        let url = |submission: &Submission| match &settings.record_url {
            Some(_) => settings.record_link(self.cx.org, "submissions", submission.id),
            None => {
                let token = held_link::token(&self.env.keys, self.cx.org, submission.id);
                settings.account_link(&format!("held={token}"))
            }
        };
        let content = templates::held(&posts, has_more, url, self.locale()).map_err(unwritten)?;
        Ok(Some(Composed { to, reply_to: None, content, about: None }))
    }

    /// The address that gets what visitors wrote, if it is proven.
    async fn team(&self) -> Result<Option<EmailAddress>> {
        let to = match &self.organization {
            Some(organization) => organization.team_addresses.first(),
            None => Some(&self.env.settings.team_address),
        };
        match to {
            Some(to) if self.is_proven(to).await? => Ok(Some(to.clone())),
            Some(_) | None => Ok(None),
        }
    }

    async fn submission(&self, id: AnyId) -> Result<Option<Submission>> {
        Ok(self.cx.find::<Submission>(id).await?.map(Stored::into_inner))
    }

    /// Whether an address belongs to a user of the organisation who confirmed it. The default organisation's are set by the
    /// users who run the deployment.
    async fn is_proven(&self, address: &EmailAddress) -> Result<bool> {
        if self.cx.org == self.env.settings.default_org {
            return Ok(true);
        }
        match daybook_records::admission::login(self.env, &address.normalized()).await? {
            Some((org, user)) if org == self.cx.org => {
                Ok(self.active_user(user.into()).await?.is_some_and(|user| user.email_verified_at.is_some()))
            }
            _ => Ok(false),
        }
    }

    /// A mail with a user's ticket, unless it was used or was issued for another address.
    async fn ticket(&self, about: AnyId, to: Use, mail: AccountMail) -> Result<Option<Composed>> {
        let Ok(id) = UserId::try_from(about) else { return Ok(None) };
        let env = self.env;
        let Some(ticket) = Ticket::read(env, self.cx.org, id, to).await?.filter(|ticket| !ticket.used) else {
            return Ok(None);
        };
        let user = self.active_user(about).await?.filter(|user| ticket.went_to(address_of(user, to)));
        let Some(user) = user else { return Ok(None) };
        let link = env.settings.account_link(&format!("{}={}", to.name(), ticket.token(env, self.cx.org, id, to)));
        let address = address_of(&user, to);
        let name = greeted(&user).filter(|_| *address == user.email);
        self.account(address.clone(), name, mail, Some(&link)).map(Some)
    }

    async fn user(&self, id: AnyId, mail: AccountMail) -> Result<Option<Composed>> {
        let Some(user) = self.active_user(id).await? else { return Ok(None) };
        self.account(user.email.clone(), greeted(&user), mail, None).map(Some)
    }

    async fn active_user(&self, id: AnyId) -> Result<Option<User>> {
        let user = self.cx.find::<User>(id).await?;
        Ok(user.map(Stored::into_inner).filter(|user| user.status == Status::Active))
    }

    /// A mail to the address that a user had before the entry. The name is shown only if that address was verified.
    async fn old_address(&self, id: AnyId, entry: EntryRef) -> Result<Option<Composed>> {
        let Some(user) = self.cx.find::<User>(id).await? else { return Ok(None) };
        let detail = self.cx.journal().details(std::iter::once(entry.entry)).await?.remove(&entry.entry);
        let Some(before) = detail.map(|detail| detail.before) else { return Ok(None) };
        let old = before.get("email").and_then(Value::as_str).and_then(|old| EmailAddress::parse(old).ok());
        let Some(old) = old else { return Ok(None) };
        let proven = before.get("email_verified_at").is_some_and(Value::is_string);
        let name = user.name.as_ref().filter(|_| proven).map(Line::as_str);
        self.account(old, name, AccountMail::AddressChanged, None).map(Some)
    }

    async fn invitation(&self, id: AnyId) -> Result<Option<Composed>> {
        let invitation = self.cx.find::<Invitation>(id).await?;
        let Some(invitation) = invitation.filter(|one| one.status == invitation::Status::Pending) else {
            return Ok(None);
        };
        let env = self.env;
        let token = invite::token(&env.keys, self.cx.org, &invitation);
        let link = env.settings.account_link(&format!("invite={token}"));
        let inviter = match invitation.invited_by {
            Some(inviter) => {
                let user = self.cx.find::<User>(inviter).await?;
                Some(user.and_then(|user| user.name.as_ref().map(ToString::to_string)).unwrap_or_default())
            }
            None => None,
        };
        let content = templates::invitation(inviter.as_deref(), self.name(), &link, self.locale());
        let content = content.map_err(unwritten)?;
        Ok(Some(Composed { to: invitation.email.clone(), reply_to: None, content, about: None }))
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
        let Some(user) = self.active_user(to.into()).await? else { return Ok(None) };
        let name = greeted(&user);
        // Titles are written by others, so they are shown at verified addresses only.
        let title = name.is_some().then_some(task.title.as_str());
        let due = task.due_date.map(|at| self.zone().written_time(at, self.locale()));
        let url = self.env.settings.record_link(self.cx.org, "tasks", task.id);
        let details = templates::TaskDetails { title, due: due.as_deref(), url: &url };
        let content = templates::task(mail, name, self.name(), &details, self.locale()).map_err(unwritten)?;
        Ok(Some(Composed { to: user.email.clone(), reply_to: None, content, about: Some(task.id.into()) }))
    }

    fn account(&self, to: EmailAddress, name: Option<&str>, mail: AccountMail, link: Option<&str>) -> Result<Composed> {
        let content = templates::account(mail, name, self.name(), link, self.locale()).map_err(unwritten)?;
        Ok(Composed { to, reply_to: None, content, about: None })
    }

    fn name(&self) -> &Line<120> {
        self.organization.as_ref().map_or(&self.sender.name, |organization| &organization.name)
    }

    fn zone(&self) -> Zone {
        self.organization.as_ref().map(|organization| organization.timezone.clone()).unwrap_or_default()
    }

    fn locale(&self) -> Locale {
        self.organization.as_ref().map_or(Locale::Chinese, |organization| organization.locale)
    }
}

/// The name that a mail to the user begins with; none if the address isn't verified, as anyone can have entered both.
fn greeted(user: &User) -> Option<&str> {
    let name = user.name.as_ref().map_or(user.email.as_str(), Line::as_str);
    user.email_verified_at.map(|_| name)
}

fn unwritten(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("write a mail", error)
}
