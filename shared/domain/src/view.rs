//! Views: saved list queries, private or shared.

use crate::choices;
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{Record, Reference};
use crate::{
    Line, RecordType, Timestamp, UserId, ViewId, for_each_record_type, record_events, record_head, with_record_type,
};
use serde::{Deserialize, Serialize};

choices! {
    /// The resources that a view can list.
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
    /// The resource of a record type, if views can list it.
    pub fn of(kind: RecordType) -> Option<ViewOf> {
        with_record_type!(kind, T => ViewOf::named(T::RESOURCE.name()).filter(|_| kind == T::TYPE)).flatten()
    }

    /// The record type of the resource.
    pub fn record_type(self) -> Option<RecordType> {
        let mut found = None;
        for_each_record_type!(T => if T::RESOURCE.name() == self.name() {
            found = Some(T::TYPE);
        });
        found
    }
}

/// A saved list query, applied with `?view_id=`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct View {
    /// The id.
    #[field(read_only)]
    pub id: ViewId,
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
    pub name: Line<100>,
    /// The listed resource.
    #[field(required)]
    pub resource: ViewOf,
    /// The query of the list, such as `status=active&sort=created_at`; parameters of the request take precedence.
    #[field(required)]
    pub query: Line<2000>,
    /// The owner; the creator unless given. `null` shares the view with all users who may read views; only users who may
    /// change all views can change a shared one.
    #[field(default = by.actor.owner())]
    pub owner_id: Option<UserId>,
}

impl Record for View {
    const TYPE: RecordType = RecordType::View;
    type Id = ViewId;
    type Context = ();
    const RESOURCE: Resource = Resource::Views;
    const SAMPLE: &'static str = r#"{"name": "Active", "resource": "customers", "query": "status=active"}"#;
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
