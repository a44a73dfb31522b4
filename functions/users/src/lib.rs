//! The user administration API: users, their permissions and roles, teams, and invitations.
//!
//! You can't grant or revoke permissions you don't have, only owners change owners, and an organisation always has an
//! owner who can sign in. A change applies from each user's next request on.

mod invitations;
mod roles;
mod users;

use daybook_domain::invitation::Invitation;
use daybook_domain::permission::Action::{Manage, Read};
use daybook_domain::permission::Resource::{Roles, Users};
use daybook_domain::role::CustomRole;
use daybook_domain::team::Team;
use daybook_domain::user::User;
use daybook_handlers::{create, delete, list, read, update};
use daybook_http::{Routes as Table, can};

/// The routes of this function.
pub fn routes() -> Table {
    Table::of("users")
        .get("/api/users", can(Users, Read), list::<User>)
        .post("/api/users", can(Users, Manage), users::create)
        .get("/api/users/{id}", can(Users, Read), read::<User>)
        .put("/api/users/{id}", can(Users, Manage), update::<User>)
        .patch("/api/users/{id}", can(Users, Manage), update::<User>)
        .delete("/api/users/{id}", can(Users, Manage), delete::<User>)
        .post("/api/users/{id}/restore", can(Users, Manage), users::restore)
        .get("/api/users/{id}/permissions", can(Users, Read), users::permissions)
        .get("/api/permissions", can(Users, Read), roles::catalogue)
        .get("/api/roles", can(Users, Read), list::<CustomRole>)
        .post("/api/roles", can(Roles, Manage), create::<CustomRole>)
        .get("/api/roles/{id}", can(Users, Read), read::<CustomRole>)
        .put("/api/roles/{id}", can(Roles, Manage), update::<CustomRole>)
        .patch("/api/roles/{id}", can(Roles, Manage), update::<CustomRole>)
        .delete("/api/roles/{id}", can(Roles, Manage), delete::<CustomRole>)
        .get("/api/teams", can(Users, Read), list::<Team>)
        .post("/api/teams", can(Users, Manage), create::<Team>)
        .get("/api/teams/{id}", can(Users, Read), read::<Team>)
        .put("/api/teams/{id}", can(Users, Manage), update::<Team>)
        .patch("/api/teams/{id}", can(Users, Manage), update::<Team>)
        .delete("/api/teams/{id}", can(Users, Manage), delete::<Team>)
        .get("/api/invitations", can(Users, Manage), list::<Invitation>)
        .post("/api/invitations", can(Users, Manage), invitations::create)
        .get("/api/invitations/{id}", can(Users, Manage), read::<Invitation>)
        .delete("/api/invitations/{id}", can(Users, Manage), invitations::revoke)
        .post("/api/invitations/{id}/resend", can(Users, Manage), invitations::resend)
}
