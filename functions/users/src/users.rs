//! The users themselves.

use daybook_domain::permission::{Permission, RoleRef};
use daybook_domain::user::{Status, User, Username};
use daybook_domain::{
    Audit, EmailAddress, Error as Domain, Event, Line, Record as _, Rule, Stored, UserId, Violations,
};
use daybook_http::{Created, Cx, Data, IfMatch, Json, ListQuery, Listed, Patch, Path, Result};
use daybook_records::guarded;
use daybook_store::rows::bucket::Rate;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{Decision, Tx};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// So many addresses an hour an organisation can have mail sent to: who is known elsewhere isn't to be found out by
/// trying.
pub const MAILS: Rate = Rate { burst: 200, per: Duration::from_secs(3600) };

/// A user to be made. They choose their password by the link of a mail.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserToBeMade)]
pub struct NewUser {
    /// The address to sign in with.
    email: EmailAddress,
    /// A name to sign in with, besides the address.
    username: Option<Username>,
    /// What they are called.
    name: Option<Line<120>>,
    /// What they may do.
    role: RoleRef,
}

/// What a user may do.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Effective {
    /// Their role.
    role: RoleRef,
    /// What it lets them do; nothing while they are suspended.
    permissions: Vec<Permission>,
}

/// Lists users, the newest first; `status=suspended` by index.
pub async fn list(cx: Cx, query: ListQuery<User>) -> Result<Listed<User>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Makes a user, and sends them a mail with which they choose a password.
pub async fn create(cx: Cx, Json(new): Json<NewUser>) -> Result<Created<User>> {
    cx.within_own_role(&[new.role]).await?;
    cx.limited("invite", &cx.org.to_string(), MAILS).await?;
    cx.decide(|| async {
        let user = User::new(new.email.clone(), new.username.clone(), new.name.clone(), new.role, &cx.stamp());
        let ticket = Ticket::new(&cx.env, &user.email, Use::ResetPassword);
        let tx = Tx::create(&user)
            .and_happened(Event::UserPasswordResetRequested, Audit::PasswordReset, user.id)
            .with_row(ticket.write(cx.org, user.id, Use::ResetPassword)?);
        cx.commit(cx.with_owners(tx, user.id, Some(&user)).await?, Created(user)).await
    })
    .await
}

/// Reads a user.
pub async fn read(cx: Cx, Path(id): Path<UserId>) -> Result<Data<User>> {
    cx.get(id).await.map(Data::stored)
}

/// Says what a user may do.
pub async fn permissions(cx: Cx, Path(id): Path<UserId>) -> Result<Data<Effective>> {
    let user = cx.get::<User>(id).await?;
    let permissions = match user.status {
        Status::Active => cx.env.grants_of(cx.org, user.role).await?.list(),
        Status::Suspended | Status::Unknown(_) => Vec::new(),
    };
    Ok(Data(Effective { role: user.role, permissions }))
}

/// Changes the fields that are named; `null` clears. Suspending a user ends their sessions, and so does another
/// address, which they are asked to confirm.
pub async fn update(
    cx: Cx,
    Path(id): Path<UserId>,
    IfMatch(version): IfMatch,
    patch: Patch<User>,
) -> Result<Data<User>> {
    cx.alter(id, version, |before: Stored<User>| {
        let (cx, patch) = (&cx, &patch);
        async move {
            let wanted = before.settle(patch.over(&before)?, cx.now())?;
            if wanted == *before {
                return Ok(Decision::Nothing(Data::stored(before)));
            }
            // Whoever found a session open can't make it their own by another address.
            if cx.actor.user() == Some(id) {
                own(&before, &wanted)?;
            }
            if wanted.email != before.email {
                cx.limited("invite", &cx.org.to_string(), MAILS).await?;
            }
            let after = wanted.following(&before, cx.now());
            let mut tx = Tx::update(&before, &after);
            if after.role != before.role || after.status != before.status {
                tx = tx.called(Audit::PermissionChange);
            }
            if after.email_verified_at.is_none() && after.email != before.email {
                let ticket = Ticket::new(&cx.env, &after.email, Use::VerifyEmail);
                tx = tx.and_happened(Event::UserVerificationRequested, Audit::Update, id).with_row(ticket.write(
                    cx.org,
                    id,
                    Use::VerifyEmail,
                )?);
            }
            let tx = guarded::<User>(cx, Some(&before), Some(&after), tx).await?;
            Ok(Decision::Commit(tx, Data(after)))
        }
    })
    .await
}

/// What takes one's own password to change, and goes another way.
fn own(before: &User, wanted: &User) -> Result<(), Domain> {
    let mut violations = Violations::default();
    if wanted.email != before.email {
        violations.add("/email", Rule::Format { expected: "changed by POST /api/auth/change-email".to_owned() });
    }
    if wanted.second_factor != before.second_factor {
        let expected = "changed by POST /api/auth/mfa/disable".to_owned();
        violations.add("/second_factor", Rule::Format { expected });
    }
    violations.into_result()
}

/// Moves a user to the trash, which ends their sessions and gives their address and name free.
pub async fn delete(cx: Cx, Path(id): Path<UserId>, IfMatch(version): IfMatch) -> Result<Data<User>> {
    daybook_records::remove(&cx, id, version, Data::<User>).await
}

/// Takes a user back from the trash, unless somebody has their address by now. They sign in with the password they
/// had; their sessions stay ended.
pub async fn restore(cx: Cx, Path(id): Path<UserId>) -> Result<Data<User>> {
    cx.decide(|| daybook_records::restore(&cx, id, None, Data::<User>)).await
}
