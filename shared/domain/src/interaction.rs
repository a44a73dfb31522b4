//! Interactions: what was talked about with a customer.

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
    /// How people talked.
    InteractionType {
        /// On the phone.
        Call = "call",
        /// By mail.
        Email = "email",
        /// In one place, or in front of cameras.
        Meeting = "meeting",
        /// Otherwise.
        Other = "other",
    }

    /// Who began.
    Direction {
        /// The customer.
        Inbound = "inbound",
        /// We.
        Outbound = "outbound",
    }
}

/// Something that was talked about with a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Interaction {
    /// The id.
    #[field(read_only)]
    pub id: InteractionId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was written down.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The customer.
    #[field(required)]
    pub customer_id: CustomerId,
    /// How people talked.
    #[field(required)]
    pub interaction_type: InteractionType,
    /// What it was about, in a line.
    pub subject: Option<Line<200>>,
    /// What was said.
    pub notes: Option<Prose<20000>>,
    /// Who began.
    pub direction: Option<Direction>,
    /// When it was; when it was written down, unless given.
    #[field(moment)]
    #[field(default = by.at)]
    pub occurred_at: Timestamp,
    /// How long it took, at most a year.
    #[schema(maximum = 527040)]
    pub duration_minutes: Option<u32>,
    /// Who spoke for the customer.
    pub contact_id: Option<ContactId>,
    /// The opportunity it was about.
    pub opportunity_id: Option<OpportunityId>,
    /// Whose it is; whoever makes it, unless given.
    #[field(default = by.actor.owner())]
    pub owner_id: Option<UserId>,
}

/// The longest that an interaction takes: a year, in minutes.
const LONGEST: u32 = 527_040;

impl Interaction {
    /// The interaction, if its fields are within their bounds.
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
    const ON_TIMELINES: OnTimelines = OnTimelines::Permitted("Something was talked about.");
    const CASCADES_FROM: &'static [RecordType] = &[RecordType::Customer];
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
