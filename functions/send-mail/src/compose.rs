//! To whom a mail goes and what it says, from the entry it belongs to.

use daybook_domain::organization::Organization;
use daybook_domain::submission::Submission;
use daybook_domain::{AnyId, EmailAddress, Locale, SubmissionId};
use daybook_jobs::mail::{Content, templates};
use daybook_jobs::{MailJob, MailKind, Services};
use daybook_store::{Error, Fact, Result};

/// To whom a mail goes and what it says.
pub struct Composed {
    /// To whom.
    pub to: EmailAddress,
    /// Where answers go.
    pub reply_to: Option<EmailAddress>,
    /// What it says.
    pub content: Content,
    /// The lead it is about.
    pub about: Option<AnyId>,
}

/// Composes a mail from the entry's submission, as it was posted; none where there is nobody to send it to.
pub async fn compose(services: &Services, job: MailJob) -> Result<Option<Composed>> {
    let cx = services.env.system(job.entry.org, "send-mail");
    let id = match job.about {
        Some(id) => id,
        None => {
            let Some(fact) = Fact::read(&services.env, job.entry).await? else { return Ok(None) };
            let Ok(id) = SubmissionId::try_from(fact.record) else { return Ok(None) };
            id
        }
    };
    let Some(submission) = cx.find::<Submission>(id).await? else { return Ok(None) };
    let organization: Option<Organization> = cx.find_often(job.entry.org).await?;
    let enquiry = &submission.enquiry;
    let about = submission.lead_id.map(AnyId::from);
    let unwritten = |error| Error::internal("write a mail", error);
    match job.kind {
        MailKind::Confirmation => {
            let name = match organization {
                Some(organization) => organization.name,
                None => services.sender.name.clone(),
            };
            let content =
                templates::confirmation(&submission, &name, enquiry.locale.unwrap_or_default()).map_err(unwritten)?;
            Ok(Some(Composed { to: enquiry.email.clone(), reply_to: None, content, about }))
        }
        MailKind::Notification => {
            let (addresses, locale) = match organization {
                Some(organization) => (organization.team_addresses, organization.locale),
                None => (vec![services.env.settings.team_address.clone()], Locale::Chinese),
            };
            let Some(to) = addresses.into_iter().next() else { return Ok(None) };
            let lead = submission.lead_id.map(|lead| lead.to_string()).unwrap_or_default();
            let url = format!("{}/api/leads/{lead}", services.env.settings.public_url);
            let content = templates::notification(&submission, &url, locale).map_err(unwritten)?;
            Ok(Some(Composed { to, reply_to: Some(enquiry.email.clone()), content, about }))
        }
    }
}
