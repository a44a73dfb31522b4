//! Registration: joins an organisation by invitation, or creates an organisation that the new user owns.

use crate::passwords;
use crate::sign_in::sign_in;
use crate::tokens::Tokens;
use daybook_domain::form::Form;
use daybook_domain::invitation::Invitation;
use daybook_domain::organization::Organization;
use daybook_domain::permission::Role;
use daybook_domain::user::{User, Username};
use daybook_domain::{
    Conflict, EmailAddress, Error as Domain, Line, Locale, NewPassword, OrgId, Record as _, Secret, Stored,
};
use daybook_http::{BareCreated, Cx, Error, Json, Language, Result};
use daybook_records::invite;
use daybook_store::rows::credential::Credential;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{FirstOwner, Registration, Tx};
use serde::{Deserialize, Serialize};

/// A user to register.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The address to sign in with.
    email: EmailAddress,
    /// At least 8 characters and at most 1,024 bytes; used exactly as given. Production refuses the most common
    /// passwords.
    password: NewPassword,
    /// A user name to sign in with, as an alternative to the address.
    username: Option<Username>,
    /// The user's name.
    name: Option<Line<120>>,
    /// The name of the organisation, if one is created.
    organization_name: Option<Line<120>>,
    /// The token of an invitation; the user then joins the organisation that sent it.
    #[schema(value_type = Option<String>)]
    invite_token: Option<Secret>,
}

/// The organisation that a new user joins.
enum Home {
    /// A new organisation.
    New(OrgId),
    /// The organisation that sent the invitation.
    Invited(OrgId, Box<Stored<Invitation>>),
}

/// Registers a user, and creates their organisation unless they were invited.
pub async fn register(cx: Cx, language: Language, Json(new): Json<NewUser>) -> Result<BareCreated<Tokens>> {
    let warning = passwords::judge(&cx, language, &new.password, "/password")?;
    // Checked before the costly password hash; the conditions of the commit decide.
    let mut home = home_of(&cx, &new).await?;
    let phc = passwords::hash(new.password.clone().into_secret()).await?;
    loop {
        match join(&cx, &new, &phc, &home, warning.clone()).await {
            // Meanwhile another user became the default organisation's first owner, or accepted the invitation.
            Err(Error::Domain(Domain::Duplicate { field: "id", .. } | Domain::Stale { .. })) => {
                home = home_of(&cx, &new).await?;
            }
            outcome => return outcome,
        }
    }
}

async fn join(cx: &Cx, new: &NewUser, phc: &str, home: &Home, warning: Option<String>) -> Result<BareCreated<Tokens>> {
    let (Home::New(org) | Home::Invited(org, _)) = *home;
    let cx = cx.in_organization(org);
    let stamp = cx.stamp();
    let user =
        |name: &Option<Line<120>>, role| User::new(new.email.clone(), new.username.clone(), name.clone(), role, &stamp);
    let (user, tx) = match home {
        Home::New(_) => {
            let user = user(&new.name, Role::Owner.into());
            let organization = Organization::new(org, organization_name(new)?, Locale::Chinese, &user, &stamp);
            let form = Form { created_at: stamp.at, updated_at: stamp.at, ..Form::default_of(org) };
            let ticket = Ticket::new(&cx.env, &user.email, Use::VerifyEmail).write(org, user.id, Use::VerifyEmail)?;
            (user, Tx::create(&organization).and_create(&form).with_row(ticket))
        }
        Home::Invited(_, invitation) => {
            let name = if new.name.is_some() { &new.name } else { &invitation.name };
            // The token was sent to this address, so the address is confirmed.
            let user = User { email_verified_at: Some(stamp.at), ..user(name, invitation.role) };
            let accepted = invitation.accepted(&new.email, user.id, stamp.at)?.following(invitation, stamp.at);
            let tx = daybook_records::with_owners(&cx, Tx::update(invitation, &accepted), user.id, Some(&user)).await?;
            (user, tx)
        }
    };
    let credential = Credential { phc: phc.to_owned(), set_at: stamp.at }.write(org, user.id)?;
    let tx = tx.and_create(&user).with_row(credential);
    sign_in(&cx, user, tx, |tokens| BareCreated(Tokens { warning: warning.clone(), ..tokens })).await
}

fn organization_name(new: &NewUser) -> Result<Line<120>> {
    if let Some(name) = &new.organization_name {
        return Ok(name.clone());
    }
    let short: String = new.email.as_str().chars().take(120).collect();
    Ok(Line::parse(&short).map_err(|rule| Domain::invalid("/email", rule))?)
}

/// The organisation for a registration: the inviting one; else the default organisation while it has no owner and this
/// user may become its first, whatever the registration setting; else a new one if the deployment's registration is
/// open.
async fn home_of(cx: &Cx, new: &NewUser) -> Result<Home> {
    let settings = &cx.env.settings;
    if let Some(token) = new.invite_token.as_ref().filter(|_| settings.registration != Registration::Closed) {
        let unusable = || Error::from(Domain::Conflict(Conflict::InvitationUsed));
        let (org, id) = invite::place_of(token.expose()).ok_or_else(unusable)?;
        let invitation = cx.in_organization(org).find::<Invitation>(id).await?.ok_or_else(unusable)?;
        let genuine = invite::is_of(&cx.env.keys, org, &invitation, token.expose());
        return if genuine { Ok(Home::Invited(org, Box::new(invitation))) } else { Err(unusable()) };
    }
    let may_own = match &settings.first_owner {
        FirstOwner::FirstToRegister => true,
        FirstOwner::Address(owner) => owner.normalized() == new.email.normalized(),
        FirstOwner::NotSet => false,
    };
    let default = cx.in_organization(settings.default_org);
    if may_own && default.find::<Organization>(settings.default_org).await?.is_none() {
        return Ok(Home::New(settings.default_org));
    }
    match settings.registration {
        Registration::Open => Ok(Home::New(OrgId::new(cx.env.ids.next()))),
        Registration::Invite | Registration::Closed => Err(Domain::Conflict(Conflict::RegistrationClosed).into()),
    }
}
