//! Customers: the people and companies that an organisation sells to.

use crate::choices;
use crate::enquiry::{CompanySize, Industry};
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{Claim, ClaimKind, Personal, Record, Reference};
use crate::words::Words;
use crate::{
    CustomerId, EmailAddress, LeadId, Line, Phone, Prose, RecordType, Several, Timestamp, UserId, record_events,
    record_head, record_phone,
};
use serde::{Deserialize, Serialize};

choices! {
    /// The status of a customer.
    #[derive(Default)]
    CustomerStatus {
        /// Buys.
        #[default] Active = "active",
        /// Doesn't buy at the moment.
        Inactive = "inactive",
        /// May buy.
        Prospect = "prospect",
        /// Has stopped buying.
        Churned = "churned",
    }

    /// Whether a customer is a person or a company.
    #[derive(Default)]
    CustomerType {
        /// One person.
        #[default] Person = "person",
        /// A company, with contacts.
        Company = "company",
    }
}

/// A customer: a person or a company. Deleting it cascades to its interactions, opportunities and tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Customer {
    /// The id.
    #[field(read_only)]
    pub id: CustomerId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The name.
    #[field(required)]
    pub name: Line<200>,
    /// Person or company; `person` unless given.
    #[field(default = CustomerType::Person)]
    #[serde(rename = "type")]
    pub kind: CustomerType,
    /// The company that a person works for.
    pub company: Option<Line<200>>,
    /// E-mail address; unique among the organisation's customers.
    pub email: Option<EmailAddress>,
    /// Phone number, as entered.
    pub phone: Option<Phone>,
    /// Phone number in E.164; none if it can't be parsed.
    #[field(read_only)]
    pub phone_e164: Option<String>,
    /// The digits of the phone number's extension, from `phone`.
    #[field(read_only)]
    pub phone_extension: Option<String>,
    /// The status; `active` unless given.
    #[field(default = CustomerStatus::Active)]
    pub status: CustomerStatus,
    /// Industry.
    pub industry: Option<Industry>,
    /// The company's size.
    pub company_size: Option<CompanySize>,
    /// Website.
    pub website: Option<Line<300>>,
    /// Postal address.
    pub address: Option<Prose<500>>,
    /// A description in free text.
    pub description: Option<Prose<10000>>,
    /// Tags to find it by.
    #[schema(value_type = Vec<Line<50>>, max_items = 50)]
    #[field(default = Several::default())]
    pub tags: Several<Line<50>, 50>,
    /// The source, such as a website or a campaign.
    pub source: Option<Line<100>>,
    /// The owner; the creator unless given.
    #[field(default = by.actor.owner())]
    pub owner_id: Option<UserId>,
    /// The lead it was converted from.
    #[field(read_only)]
    pub lead_id: Option<LeadId>,
}

impl Record for Customer {
    const TYPE: RecordType = RecordType::Customer;
    type Id = CustomerId;
    type Context = ();
    const RESOURCE: Resource = Resource::Customers;
    const PERSONAL: Personal = Personal::Unique(ClaimKind::Email);
    const SAMPLE: &'static str = r#"{"name": "ABC", "type": "company", "status": "active", "tags": []}"#;
    const SEARCHED: bool = true;
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("status", CustomerStatus::NAMES));
    const OWNER: Option<&'static str> = Some("owner_id");

    record_head!();
    record_phone!();
    record_events!(CustomerCreated, CustomerUpdated, CustomerDeleted, CustomerRestored);

    fn claims(&self) -> Vec<Claim> {
        self.email.iter().map(Claim::of_address).collect()
    }

    /// Only a customer of type `person` is personal data: a company isn't, whatever address it has.
    fn person(&self) -> Option<String> {
        self.email.as_ref().filter(|_| self.kind == CustomerType::Person).map(EmailAddress::normalized)
    }

    fn words(&self) -> Words {
        Words::default()
            .with(Some(self.name.as_str()))
            .with(self.company.as_ref().map(Line::as_str))
            .with_email(self.email.as_ref())
            .with_phone(self.phone.as_ref(), self.phone_e164.as_deref())
    }

    fn references(&self) -> Vec<Reference> {
        Reference::list(&[(self.owner_id.map(Into::into), "/owner_id")])
    }

    fn owner(&self) -> Option<UserId> {
        self.owner_id
    }

    fn state(&self) -> Option<&str> {
        Some(self.status.name())
    }
}
