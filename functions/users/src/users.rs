//! The users API: create and restore users, and list a user's permissions.

use daybook_domain::permission::{Permission, RoleRef};
use daybook_domain::user::{Status, User, Username};
use daybook_domain::{Audit, EmailAddress, Event, Line, UserId};
use daybook_http::{Created, Cx, Data, NewJson, Path, Result};
use daybook_records::{Draft, created};
use daybook_store::Tx;
use daybook_store::rows::ticket::{Ticket, Use};
use serde::{Deserialize, Serialize};

/// A user to create. They choose a password with the link in an e-mail.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserToBeMade)]
pub struct NewUser {
    /// The address to sign in with.
    email: EmailAddress,
    /// A user name to sign in with, as an alternative to the address.
    username: Option<Username>,
    /// The user's name.
    name: Option<Line<120>>,
    /// The user's role.
    role: RoleRef,
}

/// A user's effective permissions.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Effective {
    /// The user's role.
    role: RoleRef,
    /// The permissions of the role; none while the user is suspended.
    permissions: Vec<Permission>,
}

/// Creates a user, and sends them an e-mail with a link to choose a password.
pub async fn create(cx: Cx, NewJson(new): NewJson<NewUser>) -> Result<Created<User>> {
    cx.decide(|| async {
        let user = User::new(new.email.clone(), new.username.clone(), new.name.clone(), new.role, &cx.stamp());
        let ticket = Ticket::new(&cx.env, &user.email, Use::ResetPassword);
        let (user, tx) = created(&cx, Tx::default(), Draft::of(user)).await?;
        let tx = tx
            .and_happened(Event::UserPasswordResetRequested, Audit::PasswordReset, user.id)
            .with_row(ticket.write(cx.org, user.id, Use::ResetPassword)?);
        cx.commit(tx, Created(user)).await
    })
    .await
}

/// Returns a user's role and effective permissions.
pub async fn permissions(cx: Cx, Path(id): Path<UserId>) -> Result<Data<Effective>> {
    let user = cx.get::<User>(id).await?;
    let permissions = match user.status {
        Status::Active => daybook_records::grants_of(&cx.env, cx.org, user.role).await?.list(),
        Status::Suspended | Status::Unknown(_) => Vec::new(),
    };
    Ok(Data(Effective { role: user.role, permissions }))
}

/// Restores a user from the trash, unless another user has their address by now. They sign in with their previous
/// password; their sessions stay ended.
pub async fn restore(cx: Cx, Path(id): Path<UserId>) -> Result<Data<User>> {
    cx.decide(|| daybook_records::restore(&cx, id, None, Data::<User>)).await
}
