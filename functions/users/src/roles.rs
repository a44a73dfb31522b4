//! The roles that an organisation makes for itself.

use daybook_domain::invitation::Invitation;
use daybook_domain::permission::{Permission, Role, RoleRef};
use daybook_domain::role::CustomRole;
use daybook_domain::user::User;
use daybook_domain::{Conflict, Error as Domain, Record, RoleId};
use daybook_http::{Cx, Data, IfMatch, Path, Result};
use daybook_store::PageAsk;
use daybook_store::filter::{Filter, Op};
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

/// Moves a role to the trash, unless somebody has it or is to have it.
pub async fn delete(cx: Cx, Path(id): Path<RoleId>, IfMatch(version): IfMatch) -> Result<Data<CustomRole>> {
    let role = RoleRef::Custom(id);
    if is_anywhere::<User>(&cx, role, None).await? || is_anywhere::<Invitation>(&cx, role, Some("pending")).await? {
        return Err(Domain::Conflict(Conflict::RoleInUse).into());
    }
    daybook_records::remove(&cx, id, version, Data::<CustomRole>).await
}

/// Whether a record, or one in a state, names a role.
async fn is_anywhere<T: Record>(cx: &Cx, role: RoleRef, state: Option<&str>) -> Result<bool> {
    let mut cursor: Option<String> = None;
    loop {
        let has_role = Filter { field: "role".to_owned(), op: Op::Eq, value: role.to_string().into() };
        let ask = PageAsk { state, filters: vec![has_role], limit: 1, cursor: cursor.as_deref(), ..PageAsk::default() };
        let page = cx.list::<T>(&ask).await?;
        match page.next_cursor {
            _ if !page.items.is_empty() => return Ok(true),
            Some(next) => cursor = Some(next),
            None => return Ok(false),
        }
    }
}
