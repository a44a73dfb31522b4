//! Customers: the people and companies that are sold to.

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
    /// How a customer stands.
    #[derive(Default)]
    CustomerStatus {
        /// Buys.
        #[default] Active = "active",
        /// Doesn't buy at present.
        Inactive = "inactive",
        /// May buy.
        Prospect = "prospect",
        /// Buys no more.
        Churned = "churned",
    }

    /// What a customer is.
    #[derive(Default)]
    CustomerType {
        /// One person.
        #[default] Person = "person",
        /// A company, with people at it.
        Company = "company",
    }
}

/// Somebody who is sold to: a person or a company. Its interactions, opportunities and tasks go with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Customer {
    /// The id.
    #[field(read_only)]
    pub id: CustomerId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was made.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The name.
    #[field(required)]
    pub name: Line<200>,
    /// What it is; `person` unless given.
    #[field(default = CustomerType::Person)]
    #[serde(rename = "type")]
    pub kind: CustomerType,
    /// The company, where the customer is somebody there.
    pub company: Option<Line<200>>,
    /// Address; no other customer may have it.
    pub email: Option<EmailAddress>,
    /// Phone number, as it was written.
    pub phone: Option<Phone>,
    /// Phone number in E.164, where it could be understood.
    #[field(read_only)]
    pub phone_e164: Option<String>,
    /// How it stands; `active` unless given.
    #[field(default = CustomerStatus::Active)]
    pub status: CustomerStatus,
    /// Trade.
    pub industry: Option<Industry>,
    /// Size of the company.
    pub company_size: Option<CompanySize>,
    /// Website.
    pub website: Option<Line<300>>,
    /// Where it is.
    pub address: Option<Prose<500>>,
    /// What is to be known of it.
    pub description: Option<Prose<10000>>,
    /// Words to find it by.
    #[schema(value_type = Vec<Line<50>>, max_items = 50)]
    #[field(default = Several::default())]
    pub tags: Several<Line<50>, 50>,
    /// Where it came from.
    pub source: Option<Line<100>>,
    /// Whose it is; whoever makes it, unless given.
    #[field(default = by.actor.owner())]
    pub owner_id: Option<UserId>,
    /// The lead it was.
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

    /// A company is nobody's alone, whosever address it has.
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
