//! Decides what an accepted submission creates: a lead, unless it joins an existing one, and a requested demonstration.

use daybook_domain::ask::Ask;
use daybook_domain::demo::{Demo, DemoOrigin};
use daybook_domain::form::Form;
use daybook_domain::joined::Joined;
use daybook_domain::lead::{Lead, LeadOrigin};
use daybook_domain::organization::Organization;
use daybook_domain::submission::Submission;
use daybook_domain::{Claim, Conflict, DemoId, Error as Domain, LeadId, Line, RecordType, Stored, Timestamp, Zone};
use daybook_http::{Cx, Error, Result};
use daybook_records::{Draft, created, updated};
use daybook_store::Tx;

/// The source of leads from a contact form.
const CONTACT_FORM: &str = "contact_form";

/// The existing lead behind a submission, or what a new lead needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The existing lead that the submission joins.
    pub lead: Option<Stored<Lead>>,
    /// The earlier lead that had the e-mail address.
    pub previous: Option<LeadId>,
}

/// Finds the existing lead of an accepted submission: the lead of the one it follows, the lead with its address, or the lead
/// without an address that has its number.
pub(crate) async fn known(cx: &Cx, submission: &Submission, earlier: Option<LeadId>) -> Result<Known> {
    // A post joins its lead, whether or not the caller may see that.
    let everywhere = cx.unscoped();
    if let Some(id) = earlier
        && let Some(lead) = everywhere.find::<Lead>(id).await?
    {
        return Ok(Known { lead: Some(lead), previous: None });
    }
    let number = submission.number();
    let address = submission.enquiry.email.as_ref().map(Claim::of_address);
    let claims: Vec<Claim> = address.into_iter().chain(number.map(|number| Claim::of_number(&number))).collect();
    let mut previous = None;
    for holder in cx.holders(RecordType::Lead, &claims).await? {
        let [current, before] = [holder.current, holder.previous].map(|id| LeadId::try_from(id?).ok());
        if let Some(id) = current
            && let Some(lead) = everywhere.find::<Lead>(id).await?
        {
            return Ok(Known { lead: Some(lead), previous: None });
        }
        previous = previous.or(before);
    }
    Ok(Known { lead: None, previous })
}

/// Whether another request was faster: it took the address, or changed or deleted the lead. Then it is decided again.
pub(crate) fn is_outrun(error: &Error) -> bool {
    matches!(
        error,
        Error::Domain(
            Domain::Duplicate { .. }
                | Domain::Stale { .. }
                | Domain::NotFound(_)
                | Domain::Conflict(Conflict::ParentGone)
        )
    )
}

/// The records that an accepted submission creates, and the lead that it adds to.
#[derive(Default)]
pub(crate) struct Makes {
    pub lead: Option<Lead>,
    joined: Option<(Stored<Lead>, Lead)>,
    demo: Option<Demo>,
}

impl Makes {
    /// Adds the records to a transaction.
    pub async fn add_to(&self, cx: &Cx, mut tx: Tx) -> Result<Tx> {
        if let Some(lead) = &self.lead {
            (_, tx) = created(cx, tx, Draft::of(lead.clone())).await?;
        }
        if let Some((before, after)) = &self.joined {
            (_, tx) = updated(&cx.unscoped(), tx, before, Draft::of(after.clone())).await?;
        }
        if let Some(demo) = &self.demo {
            (_, tx) = created(cx, tx, Draft::of(demo.clone())).await?;
        }
        Ok(tx)
    }
}

/// Builds the lead of an accepted submission, unless it joins one, and its demonstration.
pub(crate) fn makes(
    submission: &mut Submission,
    form: &Form,
    known: &Known,
    zone: &Zone,
    now: Timestamp,
) -> Result<Makes> {
    let ask = submission.ask();
    let source = match ask {
        Ask::Contact(_) => Line::parse(CONTACT_FORM).unwrap_or_else(|_| form.default_source.clone()),
        Ask::Lead | Ask::Demo(_) => form.default_source.clone(),
    };
    let mut enquiry = submission.enquiry.clone();
    if let Ask::Contact(message) = &ask {
        enquiry.requirements.get_or_insert_with(|| message.message.clone());
    }
    let origin = LeadOrigin {
        form: Some(form.id),
        default_source: &source,
        phone_country: form.phone_country.as_str(),
        previous: known.previous,
    };
    let (lead, joined) = match &known.lead {
        Some(before) => {
            let posted = if submission.follows.is_some() { enquiry.of_follow_up() } else { enquiry };
            let Joined { lead, differs } = Joined::of(before, &posted, form.phone_country.as_str());
            submission.differs = differs;
            (None, (lead != **before).then(|| (before.clone(), lead)))
        }
        None => (Some(Lead::from_enquiry(&enquiry, origin, submission.announced_lead_id(), now)), None),
    };
    let lead_id = lead.as_ref().or(known.lead.as_deref()).map(|lead| lead.id);
    submission.lead_id = lead_id;
    let demo = match (&submission.demo, lead_id) {
        (Some(fields), Some(lead)) => {
            let id = DemoId::of_submission(submission.id);
            let origin = DemoOrigin { id, lead, submission: Some(submission.id), zone };
            Some(Demo::requested(fields, origin, now)?)
        }
        _ => None,
    };
    Ok(Makes { lead, joined, demo })
}

/// The organisation's time zone, for times without a zone.
pub async fn zone_of(cx: &Cx) -> Result<Zone> {
    Ok(cx
        .find_often::<Organization>(cx.org)
        .await?
        .map(|organization| organization.timezone.clone())
        .unwrap_or_default())
}
