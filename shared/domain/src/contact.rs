//! Contacts: people at customers and elsewhere; and groups of contacts.

use crate::enquiry::Consent;
use crate::field::Fields;
use crate::permission::Resource;
use crate::person::display_name;
use crate::record::{Claim, ClaimKind, OnTimelines, Personal, Record, Reference};
use crate::words::{Words, normalize};
use crate::{
    AnyId, ContactId, CustomerId, Edit, EmailAddress, Error, GroupId, LeadId, Line, Locale, Phone, Prose, RecordType,
    Rule, Several, Timestamp, Unit, UserId, record_events, record_head, record_phone,
};
use serde::{Deserialize, Serialize};

/// A person to talk to. May belong to several customers and several groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Contact {
    /// The id.
    #[field(read_only)]
    pub id: ContactId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The display name; unless given, the full name, or else the e-mail address or phone number.
    pub name: Option<Line<200>>,
    /// Given name.
    pub first_name: Option<Line<100>>,
    /// Family name.
    pub last_name: Option<Line<100>>,
    /// E-mail address; unique among the organisation's contacts.
    pub email: Option<EmailAddress>,
    /// Phone number, as entered.
    pub phone: Option<Phone>,
    /// Phone number in E.164; none if it can't be parsed.
    #[field(read_only)]
    pub phone_e164: Option<String>,
    /// The digits of the phone number's extension, from `phone`.
    #[field(read_only)]
    pub phone_extension: Option<String>,
    /// Job title.
    pub job_title: Option<Line<100>>,
    /// Department.
    pub department: Option<Line<100>>,
    /// The contact's main customer: the first of `customer_ids`.
    pub customer_id: Option<CustomerId>,
    /// The contact's customers, at most 15.
    #[schema(value_type = Vec<CustomerId>, max_items = 15)]
    #[field(default = Several::default())]
    pub customer_ids: Several<CustomerId, 20>,
    /// The contact's groups, at most 15.
    #[schema(value_type = Vec<GroupId>, max_items = 15)]
    #[field(default = Several::default())]
    pub group_ids: Several<GroupId, 20>,
    /// Tags to find it by.
    #[schema(value_type = Vec<Line<50>>, max_items = 50)]
    #[field(default = Several::default())]
    pub tags: Several<Line<50>, 50>,
    /// A description in free text.
    pub description: Option<Prose<10000>>,
    /// The language to write to them in.
    pub locale: Option<Locale>,
    /// The consent given.
    pub consent: Option<Consent>,
    /// The source, such as a website or a campaign.
    pub source: Option<Line<100>>,
    /// The owner; the creator unless given.
    #[field(default = by.actor.owner())]
    pub owner_id: Option<UserId>,
    /// The lead it was converted from.
    #[field(read_only)]
    pub lead_id: Option<LeadId>,
}

/// The most customers, and the most groups, of a contact: all of them must fit one transaction.
const MOST_OF_EACH: usize = 15;

impl Contact {
    /// The contact with its derived fields: the name, and the main customer as the first of all customers.
    fn settled(mut self, before: Option<&Contact>) -> Result<Contact, Error> {
        let renamed = before.is_some_and(|old| {
            let names = (&old.first_name, &old.last_name) != (&self.first_name, &self.last_name);
            names && old.name == self.name && old.name == old.full_name()
        });
        if self.name.is_none() || renamed {
            self.name = self.full_name();
        }
        if self.name.is_none() {
            let rule = Rule::format(
                "given if there is no first_name, last_name, email or phone",
                "在没有 first_name、last_name、email 和 phone 时填写",
            );
            return Err(Error::invalid("/name", rule));
        }
        for (list, count, grew) in [
            (
                "/customer_ids",
                self.customer_ids.as_slice().len(),
                before.is_none_or(|old| old.customer_ids != self.customer_ids),
            ),
            ("/group_ids", self.group_ids.as_slice().len(), before.is_none_or(|old| old.group_ids != self.group_ids)),
        ] {
            if grew && count > MOST_OF_EACH {
                return Err(Error::invalid(list, Rule::TooLong { max: MOST_OF_EACH, unit: Unit::Entries }));
            }
        }
        let mut customers = self.customer_ids.as_slice().to_vec();
        let (first, list) = (self.customer_id, customers.first().copied());
        let list_alone = before.is_some_and(|old| old.customer_id == first && old.customer_ids != self.customer_ids);
        match first {
            // Only the list was changed, or cleared.
            Some(_) if list_alone => self.customer_id = list,
            Some(first) if customers.first() != Some(&first) => {
                customers.retain(|one| *one != first);
                customers.insert(0, first);
                let too_many = |rule| Error::invalid("/customer_ids", rule);
                self.customer_ids = Several::new(customers).map_err(too_many)?;
            }
            Some(_) => {}
            None => match before.and_then(|old| old.customer_id) {
                // The contact left its main customer.
                Some(left) if list == Some(left) => {
                    customers.remove(0);
                    self.customer_id = customers.first().copied();
                    self.customer_ids =
                        Several::new(customers).map_err(|rule| Error::invalid("/customer_ids", rule))?;
                }
                _ => self.customer_id = list,
            },
        }
        Ok(self)
    }

    fn full_name(&self) -> Option<Line<200>> {
        let names = (self.first_name.as_ref(), self.last_name.as_ref());
        let name = display_name(names, self.email.as_ref(), self.phone.as_ref());
        let short: String = name.chars().take(200).collect();
        Line::parse(&short).ok()
    }
}

impl Record for Contact {
    const TYPE: RecordType = RecordType::Contact;
    type Id = ContactId;
    type Context = ();
    const RESOURCE: Resource = Resource::Contacts;
    const PERSONAL: Personal = Personal::Unique(ClaimKind::Email);
    const ON_TIMELINES: OnTimelines = OnTimelines::Yes("A contact was added.");
    const IN_SCOPE_OF: &'static [RecordType] = &[RecordType::Customer];
    const SAMPLE: &'static str = r#"{"name": "Eva", "email": "eva@example.com", "customer_id": "cus_{id}", "customer_ids": ["cus_{id}"], "group_ids": [], "tags": []}"#;
    const SEARCHED: bool = true;
    const OWNER: Option<&'static str> = Some("owner_id");
    const PARENTS: &'static [&'static str] = &["customer_id", "group_id"];

    record_head!();
    record_phone!();
    record_events!(ContactCreated, ContactUpdated, ContactDeleted, ContactRestored);

    fn settle(edit: Edit<'_, Contact>, (): &()) -> Result<Contact, Error> {
        if edit.again { Ok(edit.wanted) } else { edit.wanted.settled(edit.before) }
    }

    fn claims(&self) -> Vec<Claim> {
        self.email.iter().map(Claim::of_address).collect()
    }

    fn person(&self) -> Option<String> {
        self.email.as_ref().map(EmailAddress::normalized)
    }

    fn words(&self) -> Words {
        Words::default()
            .with(self.name.as_ref().map(Line::as_str))
            .with_name(self.first_name.as_ref().map(Line::as_str), self.last_name.as_ref().map(Line::as_str))
            .with_email(self.email.as_ref())
            .with_phone(self.phone.as_ref(), self.phone_e164.as_deref())
    }

    fn parents(&self) -> Vec<AnyId> {
        let customers = self.customer_ids.as_slice().iter().map(|id| (*id).into());
        customers.chain(self.group_ids.as_slice().iter().map(|id| (*id).into())).collect()
    }

    /// None: a contact's customers aren't the same person, so their data isn't the contact's personal data.
    fn about(&self) -> Vec<AnyId> {
        Vec::new()
    }

    fn references(&self) -> Vec<Reference> {
        let owner = (self.owner_id.map(AnyId::from), "/owner_id");
        let customers = self.customer_ids.as_slice().iter().map(|id| (Some((*id).into()), "/customer_ids"));
        let groups = self.group_ids.as_slice().iter().map(|id| (Some((*id).into()), "/group_ids"));
        Reference::list(&[owner].into_iter().chain(customers).chain(groups).collect::<Vec<_>>())
    }

    fn owner(&self) -> Option<UserId> {
        self.owner_id
    }
}

/// A group of contacts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Group {
    /// The id.
    #[field(read_only)]
    pub id: GroupId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The name; unique in the organisation.
    #[field(required)]
    pub name: Line<100>,
    /// What it is for.
    pub description: Option<Prose<1000>>,
}

impl Record for Group {
    const TYPE: RecordType = RecordType::Group;
    type Id = GroupId;
    type Context = ();
    const RESOURCE: Resource = Resource::Groups;
    const SAMPLE: &'static str = r#"{"name": "VIP"}"#;

    record_head!();
    record_events!(GroupCreated, GroupUpdated, GroupDeleted, GroupRestored);

    fn claims(&self) -> Vec<Claim> {
        vec![Claim { kind: ClaimKind::Name, value: normalize(self.name.as_str()) }]
    }
}
