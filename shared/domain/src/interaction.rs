//! Interactions: calls, mails, meetings and other contacts with a customer.

use crate::choices;
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{OnTimelines, Personal, Record, Reference};
use crate::{
    AnyId, ContactId, CustomerId, Edit, Error, InteractionId, Line, OpportunityId, Prose, RecordType, Rule, Timestamp,
    UserId, record_events, record_head,
};
use serde::{Deserialize, Serialize};

choices! {
    /// The kind of interaction.
    InteractionType {
        /// On the phone.
        Call = "call",
        /// By mail.
        Email = "email",
        /// In person, or by video.
        Meeting = "meeting",
        /// Any other kind.
        Other = "other",
    }

    /// Which side started the interaction.
    Direction {
        /// The customer.
        Inbound = "inbound",
        /// The organisation.
        Outbound = "outbound",
    }
}

/// An interaction with a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Interaction {
    /// The id.
    #[field(read_only)]
    pub id: InteractionId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The customer.
    #[field(required)]
    pub customer_id: CustomerId,
    /// The kind of interaction.
    #[field(required)]
    pub interaction_type: InteractionType,
    /// The subject, in one line.
    pub subject: Option<Line<200>>,
    /// Notes on the interaction.
    pub notes: Option<Prose<20000>>,
    /// Which side started the interaction.
    pub direction: Option<Direction>,
    /// When it took place; the time of creation unless given.
    #[field(moment)]
    #[field(default = by.at)]
    pub occurred_at: Timestamp,
    /// The duration in minutes, at most a year.
    #[schema(maximum = 527040)]
    pub duration_minutes: Option<u32>,
    /// The customer's contact person.
    pub contact_id: Option<ContactId>,
    /// The opportunity it was about.
    pub opportunity_id: Option<OpportunityId>,
    /// The owner; the creator unless given.
    #[field(default = by.actor.owner())]
    pub owner_id: Option<UserId>,
}

/// The longest duration of an interaction: a year, in minutes.
const LONGEST: u32 = 527_040;

impl Interaction {
    /// The interaction, if its duration is within the limit.
    fn checked(self) -> Result<Interaction, Error> {
        match self.duration_minutes {
            Some(minutes) if minutes > LONGEST => {
                Err(Error::invalid("/duration_minutes", Rule::Range { min: 0, max: i64::from(LONGEST) }))
            }
            _ => Ok(self),
        }
    }
}

impl Record for Interaction {
    const TYPE: RecordType = RecordType::Interaction;
    type Id = InteractionId;
    type Context = ();
    const RESOURCE: Resource = Resource::Interactions;
    const PERSONAL: Personal = Personal::Yes;
    const ON_TIMELINES: OnTimelines = OnTimelines::Yes("An interaction was recorded.");
    const CASCADES_FROM: &'static [RecordType] = &[RecordType::Customer];
    const IN_SCOPE_OF: &'static [RecordType] = &[RecordType::Customer, RecordType::Contact, RecordType::Opportunity];
    const SAMPLE: &'static str = r#"{"customer_id": "cus_{id}", "interaction_type": "call", "occurred_at": "{at}"}"#;
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("interaction_type", InteractionType::NAMES));
    const OWNER: Option<&'static str> = Some("owner_id");
    const PARENTS: &'static [&'static str] = &["customer_id", "contact_id", "opportunity_id"];

    record_head!();
    record_events!(InteractionCreated, InteractionUpdated, InteractionDeleted, InteractionRestored);

    fn settle(edit: Edit<'_, Interaction>, (): &()) -> Result<Interaction, Error> {
        edit.wanted.checked()
    }

    fn parents(&self) -> Vec<AnyId> {
        let others = [self.contact_id.map(AnyId::from), self.opportunity_id.map(AnyId::from)];
        [self.customer_id.into()].into_iter().chain(others.into_iter().flatten()).collect()
    }

    fn about(&self) -> Vec<AnyId> {
        [self.customer_id.into()].into_iter().chain(self.contact_id.map(AnyId::from)).collect()
    }

    fn references(&self) -> Vec<Reference> {
        Reference::list(&[
            (Some(self.customer_id.into()), "/customer_id"),
            (self.contact_id.map(Into::into), "/contact_id"),
            (self.opportunity_id.map(Into::into), "/opportunity_id"),
            (self.owner_id.map(Into::into), "/owner_id"),
        ])
    }

    fn owner(&self) -> Option<UserId> {
        self.owner_id
    }

    fn state(&self) -> Option<&str> {
        Some(self.interaction_type.name())
    }
}
