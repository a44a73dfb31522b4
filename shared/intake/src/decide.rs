//! Decides what an accepted submission creates: a lead, unless it joins an existing one, and a requested demonstration.

use daybook_domain::ask::Ask;
use daybook_domain::demo::{Demo, DemoOrigin};
use daybook_domain::form::Form;
use daybook_domain::lead::{Lead, LeadOrigin};
use daybook_domain::organization::Organization;
use daybook_domain::submission::Submission;
use daybook_domain::{Claim, DemoId, LeadId, Line, RecordType, Timestamp, Zone};
use daybook_http::{Cx, Result};
use daybook_records::{Draft, created};
use daybook_store::Tx;

/// The source of leads from a contact form.
const CONTACT_FORM: &str = "contact_form";

/// The existing lead behind a submission, or what a new lead needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The existing lead that the submission joins.
    pub lead: Option<LeadId>,
    /// The earlier lead that had the e-mail address.
    pub previous: Option<LeadId>,
}

/// Finds the existing lead of an accepted submission: the lead of the one it follows, or the lead with its address.
pub(crate) async fn known(cx: &Cx, submission: &Submission, earlier: Option<LeadId>) -> Result<Known> {
    if let Some(id) = earlier
        && let Some(lead) = cx.find::<Lead>(id).await?
    {
        return Ok(Known { lead: Some(lead.id), previous: None });
    }
    let holder = cx.holder(RecordType::Lead, &Claim::of_address(&submission.enquiry.email)).await?;
    let lead = holder.current.and_then(|id| LeadId::try_from(id).ok());
    Ok(Known { lead, previous: holder.previous.and_then(|id| LeadId::try_from(id).ok()) })
}

/// The records that an accepted submission creates.
pub(crate) struct Makes {
    pub lead: Option<Lead>,
    pub demo: Option<Demo>,
}

impl Makes {
    /// Adds the records to a transaction.
    pub async fn add_to(&self, cx: &Cx, mut tx: Tx) -> Result<Tx> {
        if let Some(lead) = &self.lead {
            (_, tx) = created(cx, tx, Draft::of(lead.clone())).await?;
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
    let lead = match known.lead {
        Some(_) => None,
        None => Some(Lead::from_enquiry(&enquiry, origin, submission.announced_lead_id(), now)),
    };
    let lead_id = lead.as_ref().map(|lead| lead.id).or(known.lead);
    submission.lead_id = lead_id;
    let demo = match (&submission.demo, lead_id) {
        (Some(fields), Some(lead)) => {
            let id = DemoId::of_submission(submission.id);
            let origin = DemoOrigin { id, lead, submission: Some(submission.id), zone };
            Some(Demo::requested(fields, origin, now)?)
        }
        _ => None,
    };
    Ok(Makes { lead, demo })
}

/// The organisation's time zone, for times without a zone.
pub async fn zone_of(cx: &Cx) -> Result<Zone> {
    Ok(cx
        .find_often::<Organization>(cx.org)
        .await?
        .map(|organization| organization.timezone.clone())
        .unwrap_or_default())
}
