//! The API that lists the catalogue of permissions and built-in roles.

use daybook_domain::permission::{Permission, Role};
use daybook_http::{Cx, Data, Result};
use serde::{Deserialize, Serialize};

/// All permissions, and those of the built-in roles.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Catalogue {
    /// Every permission.
    permissions: Vec<Permission>,
    /// The built-in roles, which every organisation has.
    roles: Vec<BuiltIn>,
}

/// A built-in role.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = BuiltInRole)]
pub struct BuiltIn {
    /// The value for a user's `role`.
    role: Role,
    /// Its permissions.
    permissions: Vec<Permission>,
}

/// Lists all permissions and the built-in roles.
pub async fn catalogue(_cx: Cx) -> Result<Data<Catalogue>> {
    let built_in = |role: Role| BuiltIn { role, permissions: role.grants().list() };
    Ok(Data(Catalogue { permissions: Permission::catalogue().collect(), roles: Role::ALL.map(built_in).into() }))
}
