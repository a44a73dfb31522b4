//! Registering: by invitation into an organisation, or with one of one's own.

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
use daybook_http::{BareCreated, Cx, Error, Json, Result};
use daybook_records::invite;
use daybook_store::rows::credential::Credential;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{FirstOwner, Registration, Tx};
use serde::{Deserialize, Serialize};

/// Who wants to register.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The address to sign in with.
    email: EmailAddress,
    /// At least 8 characters and at most 1,024 bytes; taken exactly as it is. Those that are used most are refused
    /// in production.
    password: NewPassword,
    /// A name to sign in with, besides the address.
    username: Option<Username>,
    /// What they are called.
    name: Option<Line<120>>,
    /// What their organisation is called, where they make one.
    organization_name: Option<Line<120>>,
    /// The token of an invitation: then they join the organisation that invites them.
    #[schema(value_type = Option<String>)]
    invite_token: Option<Secret>,
}

/// Where somebody who registers belongs.
enum Home {
    /// An organisation that is made for them.
    New(OrgId),
    /// The one that invites them.
    Invited(OrgId, Box<Stored<Invitation>>),
}

/// Registers a user, and an organisation of their own unless they were invited.
pub async fn register(cx: Cx, Json(new): Json<NewUser>) -> Result<BareCreated<Tokens>> {
    let warning = passwords::judge(&cx, &new.password, "/password")?;
    // Refused before the password is hashed, which is the dear part; the commit's conditions decide.
    let mut home = home_of(&cx, &new).await?;
    let phc = passwords::hash(new.password.clone().into_secret()).await?;
    loop {
        match join(&cx, &new, &phc, &home, warning.clone()).await {
            // Somebody else became the default organisation's first owner, or accepted the invitation, meanwhile.
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
            // The token came to their address, so it is theirs.
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

/// Where a registration leads: to who invites; to the default organisation, for its first owner while it has none,
/// whoever else may register; else to a new one, where the deployment takes registrations of anybody.
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
