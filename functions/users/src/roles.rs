//! The roles that an organisation makes for itself.

use daybook_domain::invitation::Invitation;
use daybook_domain::permission::{Permission, Role, RoleRef};
use daybook_domain::role::{CustomRole, NewRole};
use daybook_domain::user::User;
use daybook_domain::{Audit, Conflict, Error as Domain, Record, RoleId, Stored};
use daybook_http::{Created, Cx, Data, IfMatch, Json, ListQuery, Listed, Patch, Path, Result};
use daybook_records::{change_called, created, deleted};
use daybook_store::filter::{Filter, Op};
use daybook_store::{Decision, PageAsk, Tx};
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

/// Lists the organisation's own roles, the newest first.
pub async fn list(cx: Cx, query: ListQuery<CustomRole>) -> Result<Listed<CustomRole>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Makes a role.
pub async fn create(cx: Cx, Json(new): Json<NewRole>) -> Result<Created<CustomRole>> {
    let role = CustomRole::new(new, &cx.stamp());
    let tx = created(&cx, Tx::default(), &role).await?.called(Audit::PermissionChange);
    cx.commit(tx, Created(role)).await
}

/// Reads a role.
pub async fn read(cx: Cx, Path(id): Path<RoleId>) -> Result<Data<CustomRole>> {
    cx.get(id).await.map(Data::stored)
}

/// Changes the fields that are named. It counts from the next request of each user who has the role.
pub async fn update(
    cx: Cx,
    Path(id): Path<RoleId>,
    IfMatch(version): IfMatch,
    patch: Patch<CustomRole>,
) -> Result<Data<CustomRole>> {
    let called = Some(Audit::PermissionChange);
    change_called(&cx, (id.into(), version), called, |role: &CustomRole| patch.over(role), Data).await
}

/// Moves a role to the trash, unless somebody has it or is to have it.
pub async fn delete(cx: Cx, Path(id): Path<RoleId>, IfMatch(version): IfMatch) -> Result<Data<CustomRole>> {
    let role = RoleRef::Custom(id);
    if is_anywhere::<User>(&cx, role, None).await? || is_anywhere::<Invitation>(&cx, role, Some("pending")).await? {
        return Err(Domain::Conflict(Conflict::RoleInUse).into());
    }
    cx.alter(id, version, |before: Stored<CustomRole>| {
        let cx = &cx;
        async move {
            let tx = deleted(cx, Tx::default(), &before).await?.called(Audit::PermissionChange);
            Ok(Decision::Commit(tx, Data::stored(before)))
        }
    })
    .await
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
