//! The roles that an organisation makes for itself.

use daybook_domain::permission::{Permission, Role};
use daybook_http::{Cx, Data, Result};
use serde::{Deserialize, Serialize};

/// What there is to be permitted, and what the roles that every organisation has permit.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Catalogue {
    /// Every permission.
    permissions: Vec<Permission>,
    /// The roles that every organisation has.
    roles: Vec<BuiltIn>,
}

/// A role that every organisation has.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = BuiltInRole)]
pub struct BuiltIn {
    /// A user's `role`.
    role: Role,
    /// What it lets somebody do.
    permissions: Vec<Permission>,
}

/// Lists all permissions there are, and the roles that every organisation has.
pub async fn catalogue(_cx: Cx) -> Result<Data<Catalogue>> {
    let built_in = |role: Role| BuiltIn { role, permissions: role.grants().list() };
    Ok(Data(Catalogue { permissions: Permission::catalogue().collect(), roles: Role::ALL.map(built_in).into() }))
}
