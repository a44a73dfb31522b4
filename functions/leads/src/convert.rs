//! Lead conversion: creates a customer, a contact and an opportunity from a lead, in one transaction and only once.

use daybook_domain::contact::Contact;
use daybook_domain::customer::Customer;
use daybook_domain::lead::{Lead, Status};
use daybook_domain::opportunity::Opportunity;
use daybook_domain::permission::{Action, Resource};
use daybook_domain::{
    Audit, Claim, Conflict, CustomerId, EmailAddress, Error as Domain, LeadId, RecordType, Rule, Several, Stored,
    Violations,
};
use daybook_http::{Created, Cx, Error, IfMatch, Json, Path, Result};
use daybook_intake::find_lead;
use daybook_records::{Draft, Fields, Model, amended, created, draft, updated};
use daybook_store::{Decision, Tx, object_of};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What to create from a lead. All fields have defaults that follow from the lead.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Conversion)]
pub struct Ask {
    /// An existing customer, instead of a new one.
    customer_id: Option<CustomerId>,
    /// Fields of the new customer; not allowed with `customer_id`.
    #[schema(value_type = Option<Object>)]
    customer: Option<Fields>,
    /// Fields of the contact. An existing contact with its address (by default the lead's) is reused and changed by
    /// them.
    #[schema(value_type = Option<Object>)]
    contact: Option<Fields>,
    /// Fields of the opportunity; not allowed if `create_opportunity` is false.
    #[schema(value_type = Option<Object>)]
    opportunity: Option<Fields>,
    /// Whether to create an opportunity; true by default.
    create_opportunity: Option<bool>,
}

/// The result of a conversion.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Converted {
    /// The lead.
    lead: Lead,
    /// The customer.
    customer: Customer,
    /// The contact.
    contact: Contact,
    /// The opportunity, if one was created.
    opportunity: Option<Opportunity>,
}

impl Ask {
    /// Refuses fields of records that aren't created.
    fn checked(&self) -> Result<(), Domain> {
        let mut violations = Violations::default();
        if self.customer_id.is_some() && self.customer.is_some() {
            let rule = Rule::format(
                "left out if customer_id is given, as it names an existing customer",
                "在提供 customer_id 时省略，因为该字段已指定现有客户",
            );
            violations.add("/customer", rule);
        }
        if self.create_opportunity == Some(false) && self.opportunity.is_some() {
            let rule = Rule::format("left out if create_opportunity is false", "在 create_opportunity 为 false 时省略");
            violations.add("/opportunity", rule);
        }
        violations.into_result()
    }
}

/// Converts a lead into a customer, a contact and an opportunity: all of them, only once, or none.
pub async fn convert(
    cx: Cx,
    Path(id): Path<LeadId>,
    IfMatch(version): IfMatch,
    Json(ask): Json<Ask>,
) -> Result<Created<Converted>> {
    ask.checked()?;
    let id = find_lead(&cx, id).await.map(|lead| lead.id)?;
    // The caller can see the lead; the contact may be visible by another permission.
    cx.unscoped().alter(id, version, |lead| decided(&cx, lead, &ask)).await
}

async fn decided(cx: &Cx, lead: Stored<Lead>, ask: &Ask) -> Result<Decision<Created<Converted>>> {
    if let Some(customer) = lead.customer_id {
        return Err(Domain::Duplicate { field: "lead_id", existing_id: Some(customer.into()) }.into());
    }
    if lead.status == Status::Spam {
        return Err(Domain::Conflict(Conflict::SpamLead).into());
    }
    // What a suspended user's lead becomes is for the user who converts it.
    let owner_id = daybook_records::unless_suspended(cx, lead.owner_id).await?.or(cx.actor.owner());
    let owned = Lead { owner_id, ..Lead::clone(&lead) };
    let (customer, tx) = customer(cx, &owned, ask).await?;
    let (contact, tx) = contact(cx, &owned, ask, &customer, tx).await?;
    let (opportunity, tx) = opportunity(cx, &owned, ask, &customer, &contact, tx).await?;
    let converted = Lead {
        status: Status::Converted,
        customer_id: Some(customer.id),
        contact_id: Some(contact.id),
        opportunity_id: opportunity.as_ref().map(|opportunity| opportunity.id),
        converted_at: Some(cx.now()),
        ..Lead::clone(&lead)
    };
    let (lead, tx) = updated(cx, tx, &lead, Draft::of(converted)).await?;
    let converted = Converted { lead, customer, contact, opportunity };
    Ok(Decision::Commit(tx.called(Audit::Convert), Created(converted)))
}

/// A draft of a new record: the values derived from the lead, overridden by the given fields.
async fn new<T: Model>(
    (cx, lead): (&Cx, &Lead),
    derived: &impl Serialize,
    asked: Option<&Fields>,
    place: &str,
) -> Result<Draft<T>> {
    let cx = daybook_records::reaching(cx, T::RESOURCE, Action::Create).await?;
    let mut fields = object_of(derived)?;
    fields.extend(asked.cloned().unwrap_or_default());
    let draft = draft::<T>(&cx, fields).await.map_err(placed(place))?;
    // The lead's phone number was read with the country of its form.
    Ok(match draft.wanted().phone() == lead.phone.as_ref() {
        true => draft.with_number(lead.phone_e164.clone()),
        false => draft,
    })
}

/// Moves violations of a part of the request to their place in the whole.
fn placed(place: &str) -> impl Fn(Error) -> Error {
    move |error| match error {
        Error::Domain(Domain::Invalid(violations)) => Domain::Invalid(violations.under(place)).into(),
        other => other,
    }
}

async fn customer(cx: &Cx, lead: &Lead, ask: &Ask) -> Result<(Customer, Tx)> {
    if let Some(id) = ask.customer_id {
        let seeing = daybook_records::reaching(cx, Resource::Customers, Action::Read).await?;
        let unknown = || Domain::invalid("/customer_id", Rule::Id { prefix: CustomerId::PREFIX.to_owned() });
        return Ok((seeing.find::<Customer>(id).await?.ok_or_else(unknown)?.into_inner(), Tx::default()));
    }
    let person = lead.company.is_none();
    let derived = json!({
        "name": lead.company.as_ref().map_or_else(|| lead.display_name(), |company| company.as_str().to_owned()),
        "type": if person { "person" } else { "company" },
        "company": lead.company,
        "email": lead.email.as_ref().filter(|_| person),
        "phone": lead.phone.as_ref().filter(|_| person),
        "industry": lead.industry,
        "company_size": lead.company_size,
        "source": lead.source,
        "owner_id": lead.owner_id,
    });
    let draft = new::<Customer>((cx, lead), &derived, ask.customer.as_ref(), "/customer").await?;
    let draft = draft.with(|made| Customer { lead_id: Some(lead.id), ..made });
    created(cx, Tx::default(), draft).await.map_err(placed("/customer"))
}

async fn contact(cx: &Cx, lead: &Lead, ask: &Ask, customer: &Customer, tx: Tx) -> Result<(Contact, Tx)> {
    let asked = ask.contact.as_ref();
    let address = match asked.and_then(|fields| fields.get("email")) {
        Some(other) => other.as_str().and_then(|other| EmailAddress::parse(other).ok()),
        None => lead.email.clone(),
    };
    if let Some(address) = address {
        let claim = Claim::of_address(&address);
        if let Some(holder) = cx.holder(RecordType::Contact, &claim).await?.current {
            let cx = daybook_records::reaching(cx, Resource::Contacts, Action::Update).await?;
            // A contact that the caller can't change belongs to another user.
            let others = || Domain::Duplicate { field: "contact", existing_id: Some(holder) };
            let before = cx.find::<Contact>(holder).await?.ok_or_else(others)?;
            let fields = asked.cloned().unwrap_or_default();
            let draft = amended::<Contact>(&cx, &before, fields).await.map_err(placed("/contact"))?;
            let draft = draft.try_with(|contact| {
                let customers = contact.customer_ids.as_slice().iter().copied().chain([customer.id]).collect();
                let customer_ids =
                    Several::new(customers).map_err(|rule| Domain::invalid("/contact/customer_ids", rule))?;
                Ok(Contact { customer_ids, lead_id: Some(lead.id), ..contact })
            })?;
            return updated(&cx, tx, &before, draft).await.map_err(placed("/contact"));
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
        "owner_id": lead.owner_id,
    });
    let draft = new::<Contact>((cx, lead), &derived, ask.contact.as_ref(), "/contact").await?;
    let draft = draft.with(|made| Contact { lead_id: Some(lead.id), ..made });
    created(cx, tx, draft).await.map_err(placed("/contact"))
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
        "owner_id": lead.owner_id,
    });
    let draft = new::<Opportunity>((cx, lead), &derived, ask.opportunity.as_ref(), "/opportunity").await?;
    let draft = draft.with(|made| Opportunity { lead_id: Some(lead.id), ..made });
    let (opportunity, tx) = created(cx, tx, draft).await.map_err(placed("/opportunity"))?;
    Ok((Some(opportunity), tx))
}
