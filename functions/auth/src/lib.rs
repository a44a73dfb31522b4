//! Auth: registering, signing in, and who one is.
//!
//! Answers that hold tokens come without the envelope and are never kept: a repeat of such a request is
//! refused. A registration without an invitation makes an organisation of its own.

mod passwords;

use daybook_domain::form::Form;
use daybook_domain::organization::Organization;
use daybook_domain::permission::Role;
use daybook_domain::user::{User, Username};
use daybook_domain::{
    Audit, Conflict, EmailAddress, Error as Domain, Event, Line, Locale, NewPassword, OrgId, Rule, Secret, SessionId,
    Unauthenticated, UserId,
};
use daybook_http::{Bare, BareCreated, Cx, Data, Error, Json, RateClass, Result, Routes, public, signed_in, token};
use daybook_store::rows::credential::Credential;
use daybook_store::rows::session::Session;
use daybook_store::{FirstOwner, Registration, Reply, Tx};
use serde::{Deserialize, Serialize};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("auth")
        .post("/api/auth/register", public(RateClass::SignIn), register)
        .post("/api/auth/login", public(RateClass::SignIn), login)
        .get("/api/auth/me", signed_in(), me)
}

/// Who wants to register.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The address to sign in with.
    email: EmailAddress,
    /// At least 8 characters and at most 1,024 bytes; taken exactly as it is.
    password: NewPassword,
    /// A name to sign in with, besides the address.
    username: Option<Username>,
    /// What they are called.
    name: Option<Line<120>>,
    /// What their organisation is called.
    organization_name: Option<Line<120>>,
}

/// Who wants to sign in: by address or user name.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// The address.
    email: Option<String>,
    /// The user name; an address is taken too.
    username: Option<String>,
    /// The password.
    password: Secret,
}

/// What signing in gives.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
struct Tokens {
    /// For the header `Authorization: Bearer …`.
    access_token: String,
    /// `bearer`.
    token_type: String,
    /// Seconds until the access token ends.
    expires_in: u64,
    /// For a new access token.
    refresh_token: String,
    /// Who signed in.
    user: User,
}

/// Registers a user, and an organisation of their own.
async fn register(cx: Cx, Json(new): Json<NewUser>) -> Result<BareCreated<Tokens>> {
    let organization_name = match new.organization_name.clone() {
        Some(name) => name,
        None => {
            let short: String = new.email.as_str().chars().take(120).collect();
            Line::parse(&short).map_err(|rule| Domain::invalid("/email", rule))?
        }
    };
    // Refused before the password is hashed, which is the dear part; the commit's conditions decide.
    let mut org = organization_for_registration(&cx, &new.email).await?;
    let phc = passwords::hash(new.password.into_secret()).await?;
    loop {
        let cx = cx.in_organization(org);
        let stamp = cx.stamp();
        let user = User::new(new.email.clone(), new.username.clone(), new.name.clone(), Role::Owner, &stamp);
        let organization = Organization::new(org, organization_name.clone(), Locale::Chinese, &user.email, &stamp);
        let form = Form { created_at: stamp.at, updated_at: stamp.at, ..Form::default_of(org) };
        let credential = Credential { phc: phc.clone(), set_at: stamp.at }.write(org, user.id)?;
        let tx = Tx::create(&organization).and_create(&form).and_create(&user).with_row(credential);
        match sign_in(&cx, user, tx, BareCreated).await {
            // Somebody else became the default organisation's first owner at the same time.
            Err(Error::Domain(Domain::Duplicate { field: "id", .. })) => {
                org = organization_for_registration(&cx, &new.email).await?;
            }
            outcome => return outcome,
        }
    }
}

/// Signs a user in. Unknown users and wrong passwords are answered alike, after the same work.
async fn login(cx: Cx, Json(login): Json<Login>) -> Result<Bare<Tokens>> {
    let refused = || Error::from(Domain::Unauthenticated(Unauthenticated::Password));
    let Some(name) = login.email.as_deref().or(login.username.as_deref()) else {
        return Err(Domain::invalid("/email", Rule::Required).into());
    };
    let known = cx.env.login(&sign_in_name(name)).await?;
    let credential = match known {
        Some((org, user)) => Credential::read(&cx.env, org, user).await?,
        None => None,
    };
    let phc = credential.map(|credential| credential.phc);
    if !passwords::verify(login.password, phc).await? {
        return Err(refused());
    }
    let (org, id) = known.ok_or_else(refused)?;
    let cx = cx.in_organization(org);
    let user: User = cx.find(id).await?.ok_or_else(refused)?;
    let tx = Tx::happened(Event::UserLogin, Audit::Login, user.id);
    sign_in(&cx, user, tx, Bare).await
}

/// Says who is signed in.
async fn me(cx: Cx) -> Result<Data<User>> {
    let id: UserId = cx.actor.user().ok_or(Domain::Unauthenticated(Unauthenticated::Missing))?;
    cx.get(id).await.map(Data)
}

/// Begins a session in the same transaction as what leads to it.
async fn sign_in<R: Reply>(cx: &Cx, user: User, tx: Tx, reply: impl Fn(Tokens) -> R) -> Result<R> {
    let id = SessionId::new(cx.env.ids.next());
    let refresh_token = token::refresh(cx.org, id)?;
    let mut session = Session::begin(id, user.id, user.role, cx.now(), &refresh_token);
    session.user_agent = cx.request.user_agent.clone();
    session.ip = cx.request.ip.map(|ip| ip.to_string());
    let tokens = Tokens {
        access_token: token::issue(cx, user.id, cx.org, id)?,
        token_type: "bearer".to_owned(),
        expires_in: cx.env.settings.access_token.as_secs(),
        refresh_token,
        user,
    };
    // From here on the actor is the user: the journal says who registered or signed in.
    let cx = Cx { actor: session.actor(), ..cx.clone() };
    cx.commit(tx.with_row(session.write(cx.org)?), reply(tokens)).await
}

/// The organisation a registration goes to: the default one, for its first owner while it has none, whoever
/// else may register; else a new one, where the deployment takes registrations of anybody.
async fn organization_for_registration(cx: &Cx, email: &EmailAddress) -> Result<OrgId> {
    let settings = &cx.env.settings;
    let may_own = match &settings.first_owner {
        FirstOwner::Anybody => true,
        FirstOwner::Address(owner) => owner.normalized() == email.normalized(),
        FirstOwner::Nobody => false,
    };
    let default = cx.in_organization(settings.default_org);
    if may_own && default.find::<Organization>(settings.default_org).await?.is_none() {
        return Ok(settings.default_org);
    }
    match settings.registration {
        Registration::Open => Ok(OrgId::new(cx.env.ids.next())),
        Registration::Invite | Registration::Closed => Err(Domain::Conflict(Conflict::RegistrationClosed).into()),
    }
}

/// A name to sign in with in the form in which names are compared.
fn sign_in_name(name: &str) -> String {
    match EmailAddress::parse(name) {
        Ok(address) => address.normalized(),
        Err(_) => daybook_domain::words::normalize(name.trim()),
    }
}
