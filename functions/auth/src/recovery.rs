//! Password reset, change of password, change of e-mail address, and confirmation of the address.
//!
//! A token sent by e-mail works once, until it expires, and only while the user has that address and has requested no
//! newer token. A password reset ends all sessions and starts none.

use crate::attempt::Attempt;
use crate::passwords;
use crate::second_factor::has_password;
use crate::sessions::{in_force, who};
use daybook_domain::user::{Status, User};
use daybook_domain::{
    AnyId, Audit, Conflict, EmailAddress, Error as Domain, Event, NewPassword, Record as _, Secret, UserId,
};
use daybook_http::{Accepted, Cx, Data, Error, Json, Language, Result};
use daybook_records::{address_of, is_still_requested, take_mail_to};
use daybook_store::rows::bucket::Rate;
use daybook_store::rows::credential::Credential;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{Tx, sha256_hex};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How many e-mails may be requested per hour for one address.
pub(crate) const MAILS: Rate = Rate { burst: 5, per: Duration::from_secs(3600) };

/// A request to reset a forgotten password.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgot {
    /// The user's address.
    email: EmailAddress,
}

/// A new password, authorised by the token of an e-mail.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The token of the e-mail.
    #[schema(value_type = String)]
    token: Secret,
    /// The new password.
    password: NewPassword,
}

/// A new password, authorised by the old one.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// The old password.
    current_password: Secret,
    /// The new one.
    new_password: NewPassword,
}

/// A new address, authorised by the password.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAddress {
    /// The address to sign in with from now on.
    email: EmailAddress,
    /// The password.
    current_password: Secret,
}

/// A request to confirm an address.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The token of the e-mail.
    #[schema(value_type = String)]
    token: Secret,
}

/// A message that says what happens next.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Next {
    /// The message.
    message: String,
}

pub(crate) fn next<T>(wrap: impl Fn(Next) -> T, language: Language, english: &str, chinese: &str) -> T {
    wrap(Next { message: language.0.pick(english, chinese).to_owned() })
}

/// Sends an e-mail whose link sets a new password within the hour, if a user has the address. The response is the same
/// either way.
pub async fn forgot_password(cx: Cx, language: Language, Json(ask): Json<Forgot>) -> Result<Accepted<Next>> {
    let name = ask.email.normalized();
    cx.limited("forgot", &sha256_hex(name.as_bytes()), MAILS).await?;
    let known = daybook_records::admission::login(&cx.env, &name).await?;
    let cx = cx.in_organization(known.map_or(cx.env.settings.default_org, |(org, _)| org));
    let id = known.map_or(UserId::new(cx.org.uuid()), |(_, user)| user);
    let user = cx.find::<User>(id).await?.filter(|user| user.status == Status::Active);
    // Without a user a ticket is written all the same, as the write takes time.
    let of = user.as_ref().map_or_else(|| UserId::new(cx.env.ids.next()), |user| user.id);
    let about = user.as_ref().map_or_else(|| AnyId::from(cx.org), |user| user.id.into());
    let ticket = Ticket::new(&cx.env, &ask.email, Use::ResetPassword).write(cx.org, of, Use::ResetPassword)?;
    let tx = Tx::happened(Event::UserPasswordResetRequested, Audit::PasswordReset, about).with_row(ticket);
    let reply = next(
        Accepted,
        language,
        "If a user has this address, an e-mail is on its way. Its link works for one hour.",
        "如果该邮箱属于某个用户，邮件即将送达，其中的链接一小时内有效。",
    );
    cx.commit(tx, reply).await
}

/// Sets a new password by the token of an e-mail, and ends all sessions.
pub async fn reset_password(cx: Cx, language: Language, Json(ask): Json<Reset>) -> Result<Data<Next>> {
    let unusable = || Error::from(Domain::Conflict(Conflict::TicketUsed));
    passwords::judge(&cx, language, &ask.password, "/password")?;
    let to = Use::ResetPassword;
    let found = Ticket::of_token(&cx.env, ask.token.expose(), to).await?;
    let (org, id, ticket) = found.ok_or_else(unusable)?;
    let cx = cx.in_organization(org);
    let phc = passwords::hash(ask.password.into_secret()).await?;
    cx.decide(|| async {
        let user = cx.find::<User>(id).await?.filter(|user| is_for(user, &ticket, to)).ok_or_else(unusable)?;
        // A second factor set up before the address was confirmed may be that of another person.
        let second_factor = user.second_factor && user.email_verified_at.is_some();
        let email_verified_at = user.email_verified_at.or(Some(cx.now()));
        let proven = User { email_verified_at, second_factor, ..User::clone(&user) };
        let after = proven.signed_out().following(&user, cx.now());
        let credential = Credential { phc: phc.clone(), set_at: cx.now() };
        let [elsewhere, on_devices] = Attempt::sign_in_cleared(&cx, id)?;
        let tx = Tx::update(&user, &after)
            .called(Audit::PasswordReset)
            .announced(Event::UserPasswordChanged)
            .with_row(ticket.spend(org, id, to)?)
            .with_row(elsewhere)
            .with_row(on_devices)
            .with_row(credential.replace(org, id)?);
        let reply = next(
            Data,
            language,
            "The password has been changed. All sessions have ended; sign in again.",
            "密码已修改，所有设备均已退出登录，请重新登录。",
        );
        cx.commit(tx, reply).await
    })
    .await
}

/// Sets a new password by the old one, and ends all other sessions.
pub async fn change_password(cx: Cx, language: Language, Json(ask): Json<Changed>) -> Result<Data<Next>> {
    let (id, current) = who(&cx)?;
    passwords::judge(&cx, language, &ask.new_password, "/new_password")?;
    let attempt = has_password(&cx, id, ask.current_password).await?;
    let phc = passwords::hash(ask.new_password.into_secret()).await?;
    cx.decide(|| async {
        let user = cx.get::<User>(id).await?;
        let session = in_force(&cx, &user, current).await?;
        let after = User::clone(&user).signed_out().following(&user, cx.now());
        let credential = Credential { phc: phc.clone(), set_at: cx.now() };
        let tx = Tx::update(&user, &after)
            .called(Audit::PasswordReset)
            .announced(Event::UserPasswordChanged)
            .with_row(credential.replace(cx.org, id)?)
            .with_row(attempt.cleared(&cx)?)
            .with_row(session.kept(after.epoch()).follow(cx.org, &session)?);
        let reply = next(
            Data,
            language,
            "The password has been changed. All other sessions have ended.",
            "密码已修改，其他设备均已退出登录。",
        );
        cx.commit(tx, reply).await
    })
    .await
}

/// Requests another address for the signed-in user, by their password. It counts once it is confirmed by the link sent to
/// it; then all sessions end. The present address is notified.
pub async fn change_email(cx: Cx, language: Language, Json(ask): Json<NewAddress>) -> Result<Data<Next>> {
    let (id, _) = who(&cx)?;
    cx.limited("verify", &id.to_string(), MAILS).await?;
    let attempt = has_password(&cx, id, ask.current_password).await?;
    take_mail_to(&cx, &ask.email).await?;
    let to = Use::VerifyEmail;
    cx.decide(|| async {
        let user = cx.get::<User>(id).await?;
        let after = user.with_address(ask.email.clone()).following(&user, cx.now());
        let ticket = Ticket::new(&cx.env, after.address_to_confirm(), to).write(cx.org, id, to)?;
        let tx = Tx::update(&user, &after)
            .and_happened(Event::UserVerificationRequested, Audit::Update, id)
            .with_row(ticket)
            .with_row(attempt.cleared(&cx)?);
        let reply = next(
            Data,
            language,
            "Confirm the new address with the link in the e-mail we sent to it. Until then you sign in with the present \
             one.",
            "请点击新邮箱收到的邮件中的链接进行确认。确认之前，请继续使用当前邮箱登录。",
        );
        cx.commit(tx, reply).await
    })
    .await
}

/// Confirms an address by the token of an e-mail. A new address counts from now on, and all sessions end.
pub async fn verify_email(cx: Cx, language: Language, Json(ask): Json<Proof>) -> Result<Data<Next>> {
    let unusable = || Error::from(Domain::Conflict(Conflict::TicketUsed));
    let to = Use::VerifyEmail;
    let found = Ticket::of_token(&cx.env, ask.token.expose(), to).await?;
    let (org, id, ticket) = found.ok_or_else(unusable)?;
    let cx = cx.in_organization(org);
    cx.decide(|| async {
        let user = cx.find::<User>(id).await?.filter(|user| is_for(user, &ticket, to)).ok_or_else(unusable)?;
        if !is_still_requested(&cx, &ticket, &user).await? {
            return Err(unusable());
        }
        let after = user.confirmed(cx.now()).following(&user, cx.now());
        let tx = Tx::update(&user, &after).announced(Event::UserEmailVerified).with_row(ticket.spend(org, id, to)?);
        cx.commit(tx, next(Data, language, "Your address is confirmed.", "邮箱已确认。")).await
    })
    .await
}

/// Sends the confirmation e-mail to the signed-in user's address again.
pub async fn resend_verification(cx: Cx, language: Language) -> Result<Accepted<Next>> {
    let (id, _) = who(&cx)?;
    cx.limited("verify", &id.to_string(), MAILS).await?;
    let user = cx.get::<User>(id).await?;
    take_mail_to(&cx, user.address_to_confirm()).await?;
    if user.email_verified_at.is_some() && user.new_email.is_none() {
        return Ok(next(Accepted, language, "Your address is confirmed already.", "您的邮箱已经确认，无需重复确认。"));
    }
    let to = Use::VerifyEmail;
    // Who requested the address for the user stays on the ticket.
    let earlier = Ticket::read(&cx.env, cx.org, id, to).await?;
    let ticket = Ticket::new(&cx.env, user.address_to_confirm(), to);
    let ticket = match earlier.filter(|earlier| earlier.went_to(user.address_to_confirm())) {
        Some(earlier) => ticket.requested_like(&earlier),
        None => ticket,
    };
    let ticket = ticket.write(cx.org, id, to)?;
    let tx = Tx::happened(Event::UserVerificationRequested, Audit::Update, id).with_row(ticket);
    let reply = next(
        Accepted,
        language,
        "An e-mail is on its way. Its link works for one week.",
        "确认邮件即将送达，其中的链接一周内有效。",
    );
    cx.commit(tx, reply).await
}

fn is_for(user: &User, ticket: &Ticket, to: Use) -> bool {
    user.status == Status::Active && ticket.went_to(address_of(user, to))
}
