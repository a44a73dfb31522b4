//! Sign-in by e-mail address or user name, with a password and, if it is on, a second factor.
//!
//! Unknown names and wrong passwords get the same response, after the same work. A user, or an unknown name, has five
//! attempts; after that the waits double, up to 17 minutes. The devices that a user signed in on before have five
//! attempts of their own, all together.

use crate::attempt::Attempt;
use crate::tokens::{Tokens, tokens};
use crate::{passwords, second_factor};
use daybook_domain::organization::Organization;
use daybook_domain::user::{Status, User};
use daybook_domain::{
    AnyId, Audit, Conflict, EmailAddress, Error as Domain, Event, Record as _, Rule, Secret, SessionId,
    Unauthenticated, UserId,
};
use daybook_http::{Bare, Cx, DeviceToken, Error, Json, Result, refused, token};
use daybook_store::rows::credential::Credential;
use daybook_store::rows::session::Session;
use daybook_store::{Forbidden, Reply, Tx, Unauthenticated as Refused};
use serde::{Deserialize, Serialize};

/// A sign-in by address or user name.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The address.
    email: Option<String>,
    /// The user name; an address is accepted, too.
    username: Option<String>,
    /// The password.
    password: Secret,
    /// A code from the app, or a recovery code, if the user has a second factor.
    #[schema(value_type = Option<String>)]
    code: Option<Secret>,
}

/// Signs a user in. Unknown users and wrong passwords get the same response, after the same work.
pub async fn login(cx: Cx, device: DeviceToken, Json(login): Json<Login>) -> Result<Bare<Tokens>> {
    let Some(name) = login.email.as_deref().or(login.username.as_deref()) else {
        return Err(Domain::invalid("/email", Rule::Required).into());
    };
    let name = sign_in_name(name);
    let known = daybook_records::admission::login(&cx.env, &name).await?;
    let cx = cx.in_organization(known.map_or(cx.env.settings.default_org, |(org, _)| org));
    // Read for an unknown user, too, as the read takes time.
    let unknown = UserId::new(cx.org.uuid());
    let (id, org) = known.map_or((unknown, cx.org), |(org, user)| (user, org));
    let (credential, user) = tokio::try_join!(Credential::read(&cx.env, org, id), cx.find::<User>(id))?;
    Attempt::of(&cx, &name, known.map(|(_, user)| user), user.as_deref(), &device).take(&cx).await?;
    let phc = credential.as_ref().map(|credential| credential.phc.clone());
    let right = passwords::verify(login.password.clone(), phc).await?;
    let user = user.filter(|user| right && user.status == Status::Active);
    let (Some(user), Some(credential)) = (user, credential) else {
        let about = known.map_or(AnyId::from(cx.org), |(_, user)| user.into());
        let failed = Tx::happened(Event::UserLoginFailed, Audit::LoginFailed, about);
        refused(&cx, failed, Refused).await?;
        return Err(Domain::Unauthenticated(Unauthenticated::Password).into());
    };
    admitted(&cx, &user).await?;
    if !passwords::is_up_to_date(&credential.phc) {
        let phc = passwords::hash(login.password).await?;
        Credential { phc, ..credential }.upgrade(&cx.env, org, id, &credential).await?;
    }
    let [elsewhere, on_devices] = Attempt::sign_in_cleared(&cx, user.id)?;
    let mut tx = Tx::happened(Event::UserLogin, Audit::Login, user.id).with_row(elsewhere).with_row(on_devices);
    if user.second_factor {
        let Some(code) = &login.code else {
            return Err(Domain::Unauthenticated(Unauthenticated::CodeNeeded).into());
        };
        let Some(row) = second_factor::spent(&cx, org, id, code.expose()).await? else {
            return wrong_code(&cx, id).await;
        };
        tx = tx.with_row(row);
    }
    match sign_in(&cx, user.into_inner(), tx, Bare).await {
        // Another request used this code or another one at the same time.
        Err(Error::Domain(Domain::Conflict(Conflict::Contended))) => wrong_code(&cx, id).await,
        outcome => outcome,
    }
}

async fn wrong_code<T>(cx: &Cx, user: UserId) -> Result<T> {
    refused(cx, Tx::happened(Event::UserLoginFailed, Audit::LoginFailed, user), Refused).await?;
    Err(Domain::Unauthenticated(Unauthenticated::Code).into())
}

/// Fails unless the user's organisation admits the network that the request comes from.
async fn admitted(cx: &Cx, user: &User) -> Result<()> {
    // An organisation in the trash counts as unknown.
    let organization = cx.find::<Organization>(cx.org).await?;
    let organization = organization.ok_or(Domain::Unauthenticated(Unauthenticated::Password))?;
    if organization.admits(cx.request.ip) {
        return Ok(());
    }
    refused(cx, Tx::happened(Event::UserLoginFailed, Audit::LoginFailed, user.id()), Forbidden).await?;
    Err(Error::from(Domain::Network))
}

/// Starts a session in the same transaction as the change that leads to it.
pub async fn sign_in<R: Reply>(cx: &Cx, user: User, tx: Tx, reply: impl Fn(Tokens) -> R) -> Result<R> {
    let id = SessionId::new(cx.env.ids.next());
    let refresh = token::Refresh::first(&cx.env.keys, cx.org, id)?;
    let mut session = Session::begin(id, user.epoch(), cx.now(), &refresh.text);
    session.user_agent = cx.request.user_agent.clone();
    session.ip = cx.request.ip.map(|ip| ip.to_string());
    let device = token::of_device(&cx.env.keys, user.epoch(), cx.now());
    // From here on the actor is the user: the journal says who registered or signed in.
    let cx = Cx { actor: session.actor(user.role), ..cx.clone() };
    let tokens = Tokens { device_token: Some(device), ..tokens(&cx, user, id, refresh.text)? };
    cx.commit(tx.with_row(session.write(cx.org)?), reply(tokens)).await
}

/// The normalised form of a sign-in name, as names are compared.
pub fn sign_in_name(name: &str) -> String {
    match EmailAddress::parse(name) {
        Ok(address) => address.normalized(),
        Err(_) => daybook_domain::words::normalize(name.trim()),
    }
}
