//! What a submission makes: a lead or none, and a demonstration if it asks for one.

use daybook_domain::ask::Ask;
use daybook_domain::demo::{Demo, DemoOrigin};
use daybook_domain::form::Form;
use daybook_domain::lead::{Lead, LeadOrigin};
use daybook_domain::organization::Organization;
use daybook_domain::submission::Submission;
use daybook_domain::{Claim, DemoId, LeadId, Line, RecordType, Timestamp, UserId, Zone};
use daybook_http::{Cx, Result};
use daybook_records::{Draft, created};
use daybook_store::Tx;

/// The source of leads that come through a contact form.
const CONTACT_FORM: &str = "contact_form";

/// Who is behind a submission: somebody known, or what a new lead needs to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The lead that it joins.
    pub lead: Option<LeadId>,
    /// The lead that had the address before.
    pub previous: Option<LeadId>,
    /// Who works with the lead that it joins; only looked up where that matters.
    pub owner: Option<UserId>,
}

/// Finds out who is behind an accepted submission: the lead of the one it adds to, or who has its address.
pub(crate) async fn known(cx: &Cx, submission: &Submission, earlier: Option<LeadId>) -> Result<Known> {
    if let Some(id) = earlier
        && let Some(lead) = cx.find::<Lead>(id).await?
    {
        return Ok(Known { lead: Some(lead.id), previous: None, owner: lead.owner_id });
    }
    let holder = cx.holder(RecordType::Lead, &Claim::of_address(&submission.enquiry.email)).await?;
    let lead = holder.current.and_then(|id| LeadId::try_from(id).ok());
    let owner = match lead {
        Some(id) if submission.demo.is_some() => cx.find::<Lead>(id).await?.and_then(|lead| lead.owner_id),
        _ => None,
    };
    Ok(Known { lead, previous: holder.previous.and_then(|id| LeadId::try_from(id).ok()), owner })
}

/// What an accepted submission makes.
pub(crate) struct Makes {
    pub lead: Option<Lead>,
    pub demo: Option<Demo>,
}

impl Makes {
    /// Adds it to a transaction.
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

/// Lets an accepted submission make its lead, unless it joins one, and its demonstration.
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
            let origin = DemoOrigin { id, lead, owner: known.owner, submission: Some(submission.id), zone };
            Some(Demo::requested(fields, origin, now)?)
        }
        _ => None,
    };
    Ok(Makes { lead, demo })
}

/// The zone of times that come without one.
pub async fn zone_of(cx: &Cx) -> Result<Zone> {
    Ok(cx
        .find_often::<Organization>(cx.org)
        .await?
        .map(|organization| organization.timezone.clone())
        .unwrap_or_default())
}
