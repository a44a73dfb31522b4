//! Views: lists that somebody keeps, by the query that asks for them.

use crate::choices;
use crate::record::{Record, Reference};
use crate::{Line, RecordType, Timestamp, UserId, ViewId, record_events, record_head};
use serde::{Deserialize, Serialize};

choices! {
    /// What a view lists.
    ViewOf {
        /// Leads.
        Leads = "leads",
        /// Customers.
        Customers = "customers",
        /// Contacts.
        Contacts = "contacts",
        /// Interactions.
        Interactions = "interactions",
        /// Opportunities.
        Opportunities = "opportunities",
        /// Tasks.
        Tasks = "tasks",
    }
}

impl ViewOf {
    /// What lists records of a type, where views may.
    pub fn of(kind: RecordType) -> Option<ViewOf> {
        use ViewOf::{Contacts, Customers, Interactions, Leads, Opportunities, Tasks};
        let all = [Leads, Customers, Contacts, Interactions, Opportunities, Tasks];
        all.into_iter().find(|view| view.record_type() == kind)
    }

    /// The type of its records.
    pub fn record_type(self) -> RecordType {
        match self {
            ViewOf::Leads => RecordType::Lead,
            ViewOf::Customers => RecordType::Customer,
            ViewOf::Contacts => RecordType::Contact,
            ViewOf::Interactions => RecordType::Interaction,
            ViewOf::Opportunities => RecordType::Opportunity,
            ViewOf::Tasks => RecordType::Task,
            ViewOf::Unknown(word) => RecordType::Unknown(word),
        }
    }
}

/// A list that somebody keeps. `?view_id=` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct View {
    /// The id.
    #[schema(read_only)]
    pub id: ViewId,
    /// The version.
    #[schema(read_only)]
    pub version: u64,
    /// When it was made.
    #[schema(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(read_only)]
    pub updated_at: Timestamp,
    /// What it is called.
    pub name: Line<100>,
    /// What it lists.
    pub resource: ViewOf,
    /// The query of the list, such as `status=active&sort=created_at`; parameters of the request come before it.
    pub query: Line<2000>,
    /// Whose it is; whoever makes it, unless given. `null` shares it with everybody who may see views, to use and to
    /// change.
    pub owner_id: Option<UserId>,
}

impl Record for View {
    const TYPE: RecordType = RecordType::View;
    const REQUIRED: &'static [&'static str] = &["name", "resource", "query"];
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("resource", ViewOf::NAMES));
    const OWNER: Option<&'static str> = Some("owner_id");

    record_head!();
    record_events!(ViewCreated, ViewUpdated, ViewDeleted, ViewRestored);

    fn references(&self) -> Vec<Reference> {
        Reference::list(&[(self.owner_id.map(Into::into), "/owner_id")])
    }

    fn owner(&self) -> Option<UserId> {
        self.owner_id
    }

    fn state(&self) -> Option<&str> {
        Some(self.resource.name())
    }
}
