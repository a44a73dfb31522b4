//! Users: the people of an organisation, what they may do, their teams, and inviting more of them.
//!
//! Nobody gives or takes away more than they may do themselves, owners are changed by owners alone, and an
//! organisation always has an owner who can sign in. What changes counts from each user's next request on.

mod invitations;
mod roles;
mod teams;
mod users;

use daybook_domain::permission::Action::{Manage, Read};
use daybook_domain::permission::Resource::{Roles, Users};
use daybook_http::{Routes as Table, can};

/// The routes of this function.
pub fn routes() -> Table {
    Table::of("users")
        .get("/api/users", can(Users, Read), users::list)
        .post("/api/users", can(Users, Manage), users::create)
        .get("/api/users/{id}", can(Users, Read), users::read)
        .put("/api/users/{id}", can(Users, Manage), users::update)
        .patch("/api/users/{id}", can(Users, Manage), users::update)
        .delete("/api/users/{id}", can(Users, Manage), users::delete)
        .post("/api/users/{id}/restore", can(Users, Manage), users::restore)
        .get("/api/users/{id}/permissions", can(Users, Read), users::permissions)
        .get("/api/permissions", can(Users, Read), roles::catalogue)
        .get("/api/roles", can(Users, Read), roles::list)
        .post("/api/roles", can(Roles, Manage), roles::create)
        .get("/api/roles/{id}", can(Users, Read), roles::read)
        .put("/api/roles/{id}", can(Roles, Manage), roles::update)
        .patch("/api/roles/{id}", can(Roles, Manage), roles::update)
        .delete("/api/roles/{id}", can(Roles, Manage), roles::delete)
        .get("/api/teams", can(Users, Read), teams::list)
        .post("/api/teams", can(Users, Manage), teams::create)
        .get("/api/teams/{id}", can(Users, Read), teams::read)
        .put("/api/teams/{id}", can(Users, Manage), teams::update)
        .patch("/api/teams/{id}", can(Users, Manage), teams::update)
        .delete("/api/teams/{id}", can(Users, Manage), teams::delete)
        .get("/api/invitations", can(Users, Manage), invitations::list)
        .post("/api/invitations", can(Users, Manage), invitations::create)
        .get("/api/invitations/{id}", can(Users, Manage), invitations::read)
        .delete("/api/invitations/{id}", can(Users, Manage), invitations::revoke)
        .post("/api/invitations/{id}/resend", can(Users, Manage), invitations::resend)
}
