//! Converting: a lead becomes a customer, a contact and an opportunity, all at once, and once.

use daybook_crm::{Fields, make};
use daybook_domain::contact::Contact;
use daybook_domain::customer::Customer;
use daybook_domain::lead::{Lead, Status};
use daybook_domain::opportunity::Opportunity;
use daybook_domain::permission::{Action, Resource};
use daybook_domain::{
    Audit, Claim, ClaimKind, Conflict, CustomerId, Error as Domain, LeadId, Record, RecordType, Rule, Several,
};
use daybook_http::{Created, Cx, Error, IfMatch, Json, Path, Result};
use daybook_intake::find_lead;
use daybook_store::{Decision, Tx, object_of};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a lead is to become; all of it has defaults that follow from the lead.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Conversion)]
pub struct Ask {
    /// A customer that is there already.
    customer_id: Option<CustomerId>,
    /// Fields of the new customer.
    #[schema(value_type = Option<Object>)]
    customer: Option<Fields>,
    /// Fields of the new contact; a contact with the lead's address is kept instead.
    #[schema(value_type = Option<Object>)]
    contact: Option<Fields>,
    /// Fields of the opportunity.
    #[schema(value_type = Option<Object>)]
    opportunity: Option<Fields>,
    /// Whether there is an opportunity at all; yes unless `false`.
    create_opportunity: Option<bool>,
}

/// What a lead has become.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Converted {
    /// The lead.
    lead: Lead,
    /// The customer.
    customer: Customer,
    /// The contact.
    contact: Contact,
    /// The opportunity.
    opportunity: Option<Opportunity>,
}

/// Turns a lead into a customer, a contact and an opportunity: all of them, once, or nothing.
pub async fn convert(
    cx: Cx,
    Path(id): Path<LeadId>,
    IfMatch(version): IfMatch,
    Json(ask): Json<Ask>,
) -> Result<Created<Converted>> {
    let id = find_lead(&cx, id).await.map(|lead| lead.id)?;
    // The lead is within reach; the contact may be by another permission.
    cx.everybodys().alter(id, version, |lead: Lead| decided(&cx, lead, &ask)).await
}

async fn decided(cx: &Cx, lead: Lead, ask: &Ask) -> Result<Decision<Created<Converted>>> {
    if let Some(customer) = lead.customer_id {
        return Err(Domain::Duplicate { field: "lead_id", existing_id: Some(customer.into()) }.into());
    }
    if lead.status == Status::Spam {
        return Err(Domain::Conflict(Conflict::SpamLead).into());
    }
    let (customer, tx) = customer(cx, &lead, ask).await?;
    let (contact, tx) = contact(cx, &lead, ask, &customer, tx).await?;
    let (opportunity, tx) = opportunity(cx, &lead, ask, &customer, &contact, tx).await?;
    let after = Lead {
        status: Status::Converted,
        customer_id: Some(customer.id),
        contact_id: Some(contact.id),
        opportunity_id: opportunity.as_ref().map(|opportunity| opportunity.id),
        converted_at: Some(cx.now()),
        ..lead.clone()
    }
    .following(&lead, cx.now());
    let tx = tx.and_update(&lead, &after).called(Audit::Convert);
    Ok(Decision::Commit(tx, Created(Converted { lead: after, customer, contact, opportunity })))
}

/// A new record of what follows from the lead, with the fields that were asked for laid over it.
async fn new<T: daybook_crm::Work>(
    cx: &Cx,
    derived: &impl Serialize,
    asked: Option<&Fields>,
    place: &str,
) -> Result<T> {
    let cx = cx.reaching(T::RESOURCE, Action::Create).await?;
    let mut fields = object_of(derived)?;
    fields.extend(asked.cloned().unwrap_or_default());
    make(&cx, fields).await.map_err(|error| match error {
        Error::Domain(Domain::Invalid(violations)) => Domain::Invalid(violations.under(place)).into(),
        other => other,
    })
}

async fn customer(cx: &Cx, lead: &Lead, ask: &Ask) -> Result<(Customer, Tx)> {
    if let Some(id) = ask.customer_id {
        let seeing = cx.reaching(Resource::Customers, Action::Read).await?;
        let unknown = || Domain::invalid("/customer_id", Rule::Id { prefix: CustomerId::PREFIX.to_owned() });
        return Ok((seeing.find(id).await?.ok_or_else(unknown)?, Tx::default()));
    }
    let person = lead.company.is_none();
    let derived = json!({
        "name": lead.company.as_ref().map_or_else(|| lead.display_name(), |company| company.as_str().to_owned()),
        "type": if person { "person" } else { "company" },
        "company": lead.company,
        "email": Some(&lead.email).filter(|_| person),
        "phone": lead.phone.as_ref().filter(|_| person),
        "industry": lead.industry,
        "company_size": lead.company_size,
        "source": lead.source,
        "owner_id": lead.owner_id.or(cx.actor.owner()),
    });
    let made: Customer = new(cx, &derived, ask.customer.as_ref(), "/customer").await?;
    let customer = Customer { lead_id: Some(lead.id), ..made };
    let tx = Tx::create(&customer);
    Ok((customer, tx))
}

async fn contact(cx: &Cx, lead: &Lead, ask: &Ask, customer: &Customer, tx: Tx) -> Result<(Contact, Tx)> {
    let claim = Claim { kind: ClaimKind::Email, value: lead.email.normalized() };
    let holder = cx.holder(RecordType::Contact, &claim).await?.current;
    if let Some(holder) = holder {
        let cx = cx.reaching(Resource::Contacts, Action::Update).await?;
        if let Some(before) = cx.find::<Contact>(holder).await? {
            let customers = before.customer_ids.as_slice().iter().copied().chain([customer.id]).collect();
            let customer_ids =
                Several::new(customers).map_err(|rule| Domain::invalid("/contact/customer_ids", rule))?;
            let wanted = Contact { customer_ids, lead_id: Some(lead.id), ..before.clone() }.settled(Some(&before))?;
            let after = wanted.following(&before, cx.now());
            let tx = tx.and_update(&before, &after);
            return Ok((after, tx));
        }
    }
    let derived = json!({
        "first_name": lead.first_name,
        "last_name": lead.last_name,
        "email": lead.email,
        "phone": lead.phone,
        "job_title": lead.job_title,
        "customer_id": customer.id,
        "locale": lead.locale,
        "consent": lead.consent,
        "source": lead.source,
        "owner_id": lead.owner_id.or(cx.actor.owner()),
    });
    let made: Contact = new(cx, &derived, ask.contact.as_ref(), "/contact").await?;
    let contact = Contact { lead_id: Some(lead.id), ..made };
    let tx = tx.and_create(&contact);
    Ok((contact, tx))
}

async fn opportunity(
    cx: &Cx,
    lead: &Lead,
    ask: &Ask,
    customer: &Customer,
    contact: &Contact,
    tx: Tx,
) -> Result<(Option<Opportunity>, Tx)> {
    if ask.create_opportunity == Some(false) {
        return Ok((None, tx));
    }
    let derived = json!({
        "customer_id": customer.id,
        "contact_id": contact.id,
        "title": customer.name,
        "description": lead.requirements,
        "source": lead.source,
        "owner_id": lead.owner_id.or(cx.actor.owner()),
    });
    let made: Opportunity = new(cx, &derived, ask.opportunity.as_ref(), "/opportunity").await?;
    let opportunity = Opportunity { lead_id: Some(lead.id), ..made };
    let tx = tx.and_create(&opportunity);
    Ok((Some(opportunity), tx))
}
