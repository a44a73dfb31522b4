//! Which lead owns a HubSpot contact: HubSpot keeps one contact per address, but converted leads may share their
//! address with a newer lead, and an address can move from one lead to another.

use daybook_domain::contact::Contact;
use daybook_domain::enquiry::DEMO_DATA;
use daybook_domain::lead::{Lead, Status};
use daybook_domain::{AnyId, Claim, ContactId, EmailAddress, LeadId, RecordType};
use daybook_store::rows::ledger::{self, HUBSPOT, State};
use daybook_store::{Cx, Result};

/// The owner of the contact that has a lead's address.
pub enum ContactHolder {
    /// No other lead.
    Free,
    /// This lead, which doesn't need it any more.
    Left(LeadId),
    /// This lead, whose new address is still to be written to HubSpot.
    Leaving(LeadId),
    /// This lead, which has another address here but isn't about to write it to HubSpot.
    Staying(LeadId),
}

/// The lead whose HubSpot contact a record is about: a lead, or the contact it was converted to.
pub async fn lead_of(cx: &Cx, record: AnyId) -> Result<Option<LeadId>> {
    match ContactId::try_from(record) {
        Ok(contact) => Ok(cx.find::<Contact>(contact).await?.and_then(|contact| contact.lead_id)),
        Err(_) => Ok(LeadId::try_from(record).ok()),
    }
}

/// A lead with the current personal data: those of the contact it was converted to, if any.
pub async fn as_known(cx: &Cx, id: LeadId) -> Result<Option<Lead>> {
    let Some(lead) = cx.find::<Lead>(id).await? else { return Ok(None) };
    let contact = match lead.contact_id {
        Some(contact) => cx.find::<Contact>(contact).await?,
        None => None,
    };
    let Some(contact) = contact.filter(|contact| contact.lead_id == Some(lead.id)) else {
        return Ok(Some(lead.into_inner()));
    };
    let contact = contact.into_inner();
    Ok(Some(Lead {
        first_name: contact.first_name,
        last_name: contact.last_name,
        email: contact.email.or_else(|| lead.email.clone()),
        phone: contact.phone,
        phone_e164: contact.phone_e164,
        phone_extension: contact.phone_extension,
        job_title: contact.job_title,
        ..lead.into_inner()
    }))
}

/// Whether a lead is synced to HubSpot: neither spam nor demo data.
pub fn is_meant(lead: &Lead) -> bool {
    lead.status != Status::Spam && lead.source.as_str() != DEMO_DATA
}

/// Whether two leads have an address, and the same one.
fn have_same_address(one: &Lead, other: &Lead) -> bool {
    let [one, other] = [one, other].map(|lead| lead.email.as_ref().map(EmailAddress::normalized));
    one.is_some() && one == other
}

/// The lead that owns a converted lead's HubSpot contact: the newest one with the same address, if it is another.
pub async fn successor(cx: &Cx, lead: &Lead) -> Result<Option<LeadId>> {
    if lead.status != Status::Converted {
        return Ok(None);
    }
    let Some(address) = lead.email.as_ref().map(Claim::of_address) else { return Ok(None) };
    let holder = cx.holder(RecordType::Lead, &address).await?;
    let newest = holder.current.or(holder.previous).filter(|id| *id != lead.id.into());
    let newest = match newest {
        Some(id) => cx.find::<Lead>(id).await?,
        None => None,
    };
    Ok(newest.filter(|newest| is_meant(newest) && have_same_address(newest, lead)).map(|newest| newest.id))
}

/// The owner of the contact that has a lead's address and this external id.
pub async fn holder(cx: &Cx, lead: &Lead, external_id: Option<&str>) -> Result<ContactHolder> {
    let Some(other) = external_id.and_then(|id| id.parse::<LeadId>().ok()).filter(|other| *other != lead.id) else {
        return Ok(ContactHolder::Free);
    };
    let Some(there) = cx.find::<Lead>(other).await? else { return Ok(ContactHolder::Left(other)) };
    if !is_meant(&there) || have_same_address(&there, lead) || successor(cx, &there).await?.is_some() {
        return Ok(ContactHolder::Left(other));
    }
    let row = ledger::read(&cx.env, cx.org, HUBSPOT, other.into()).await?;
    let is_behind = row.is_none_or(|row| row.state != State::Failed && row.version < there.version);
    Ok(if is_behind { ContactHolder::Leaving(other) } else { ContactHolder::Staying(other) })
}
