//! Custom roles: sets of permissions that an organisation defines, besides the built-in roles.

use crate::field::Fields;
use crate::permission::{Action, Grants, HeldPermission, Resource};
use crate::record::{Claim, ClaimKind, Record};
use crate::words::normalize;
use crate::{Edit, Error, Line, RecordType, RoleId, Timestamp, record_events, record_head};
use serde::{Deserialize, Serialize};

/// A custom role of an organisation. A change takes effect with the next request of each user who has the role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
#[schema(as = Role)]
pub struct CustomRole {
    /// The id, which users have as their `role`.
    #[field(read_only)]
    pub id: RoleId,
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
    pub name: Line<60>,
    /// The permissions; of several scopes of an action the widest counts.
    #[field(required)]
    pub permissions: Vec<HeldPermission>,
}

impl CustomRole {
    /// The permissions it grants.
    pub fn grants(&self) -> Grants {
        self.permissions.iter().copied().collect()
    }

    /// The role without duplicate permissions.
    fn normalized(self) -> CustomRole {
        CustomRole { permissions: HeldPermission::normalized(&self.permissions), ..self }
    }
}

impl Record for CustomRole {
    const TYPE: RecordType = RecordType::Role;
    type Id = RoleId;
    type Context = ();
    const RESOURCE: Resource = Resource::Roles;
    const READING: (Resource, Action) = (Resource::Users, Action::Read);
    const SAMPLE: &'static str = r#"{"name": "Reader", "permissions": ["leads:read:all"]}"#;

    record_head!();
    record_events!(RoleCreated, RoleUpdated, RoleDeleted, RoleRestored);

    fn settle(edit: Edit<'_, CustomRole>, (): &()) -> Result<CustomRole, Error> {
        Ok(edit.wanted.normalized())
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim { kind: ClaimKind::Name, value: normalize(self.name.as_str()) }]
    }
}
