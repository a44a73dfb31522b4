//! Registration: joins an organisation by invitation, or creates an organisation that the new user owns.

use crate::passwords;
use crate::recovery::{MAILS, Next, next};
use crate::sign_in::sign_in;
use crate::tokens::Tokens;
use daybook_domain::form::Form;
use daybook_domain::invitation::Invitation;
use daybook_domain::organization::{NewOrganization, Organization};
use daybook_domain::permission::Role;
use daybook_domain::user::{User, Username};
use daybook_domain::{
    Conflict, EmailAddress, Error as Domain, Line, Locale, NewPassword, OrgId, Record as _, Rule, Secret, Stored,
};
use daybook_http::{Accepted, Answer, BareCreated, Call, Cx, Error, HttpReply, Json, Language, Operation, Result};
use daybook_records::invite;
use daybook_store::rows::credential::Credential;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{Answer as Kind, FirstAddress, FirstOwner, Registration, Reply, Tx, sha256_hex};
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
    /// The deployment's one-time code for its first owner, where mails can't be sent to the owner's address yet.
    #[schema(value_type = Option<String>)]
    owner_code: Option<Secret>,
}

/// The tokens of the new user; or that a mail was sent, whose link completes the registration.
#[derive(Serialize, Deserialize)]
pub enum Registered {
    /// The user is registered and signed in.
    SignedIn(Box<BareCreated<Tokens>>),
    /// A mail with a link was sent to the address.
    MailSent(Accepted<Next>),
}

impl Reply for Registered {
    const ANSWER: Kind = Kind::Created;
    const SECRET: bool = true;
}

impl HttpReply for Registered {
    fn answer(self, call: &Call) -> Result<Answer> {
        match self {
            Registered::SignedIn(tokens) => tokens.answer(call),
            Registered::MailSent(next) => next.answer(call),
        }
    }

    fn describe(operation: &mut Operation) {
        BareCreated::<Tokens>::describe(operation);
        let next = operation.schema_of::<Next>();
        let next = operation.envelope(next);
        operation.or_accepted(next);
    }
}

/// The organisation that a new user joins.
enum Home {
    /// A new organisation.
    New(OrgId),
    /// The organisation that sent the invitation.
    Invited(OrgId, Box<Stored<Invitation>>),
    /// The default organisation, whose first owner has to confirm the address.
    Unconfirmed,
}

/// Registers a user, and creates their organisation unless they were invited. The deployment's first owner gets a mail
/// whose link completes the registration.
pub async fn register(cx: Cx, language: Language, Json(new): Json<NewUser>) -> Result<Registered> {
    let warning = passwords::judge(&cx, language, &new.password, "/password")?;
    // Checked before the costly password hash; the conditions of the commit decide.
    let mut home = home_of(&cx, &new).await?;
    if matches!(home, Home::Unconfirmed) {
        return invite_first_owner(&cx, language, new.email).await;
    }
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

/// Sends the deployment's first owner a link to register by. Before that the default organisation has no owner, and its
/// leads wait.
async fn invite_first_owner(cx: &Cx, language: Language, email: EmailAddress) -> Result<Registered> {
    cx.limited("forgot", &sha256_hex(email.normalized().as_bytes()), MAILS).await?;
    let cx = &cx.in_organization(cx.env.settings.default_org);
    let reply = || {
        let english = "Open the link in the e-mail we sent to this address: it completes the registration as the owner. If \
                       no mail arrives, register with the deployment's owner_code.";
        let chinese = "请打开我们发送到该邮箱的邮件中的链接，以所有者身份完成注册。如果没有收到邮件，\
                       请使用部署时设置的 owner_code 注册。";
        Registered::MailSent(next(Accepted, language, english, chinese))
    };
    cx.decide(|| async {
        if cx.find::<Organization>(cx.org).await?.is_some() {
            let invitation = invite::of_first_owner(cx).await?.ok_or(Domain::Conflict(Conflict::HasOwner))?;
            let resent = |invitation: &Invitation| invitation.resent(cx.now());
            return daybook_records::change(cx, invitation, None, resent, |_: Invitation| reply()).await;
        }
        let name = Line::parse(&short(email.as_str())).map_err(|rule| Domain::invalid("/email", rule))?;
        let organization =
            NewOrganization { name, owner_email: email.clone(), locale: None, timezone: None, phone_country: None };
        let (_, tx) = invite::organization_of_invited(cx, organization).await?;
        cx.commit(tx, reply()).await
    })
    .await
}

async fn join(cx: &Cx, new: &NewUser, phc: &str, home: &Home, warning: Option<String>) -> Result<Registered> {
    let org = match home {
        Home::New(org) | Home::Invited(org, _) => *org,
        Home::Unconfirmed => return Err(Domain::Conflict(Conflict::HasOwner).into()),
    };
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
        Home::Unconfirmed => return Err(Domain::Conflict(Conflict::HasOwner).into()),
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
    let reply = |tokens| Registered::SignedIn(Box::new(BareCreated(Tokens { warning: warning.clone(), ..tokens })));
    sign_in(&cx, user, tx, reply).await
}

fn organization_name(new: &NewUser) -> Result<Line<120>> {
    if let Some(name) = &new.organization_name {
        return Ok(name.clone());
    }
    Ok(Line::parse(&short(new.email.as_str())).map_err(|rule| Domain::invalid("/email", rule))?)
}

/// A text as long as a name may be.
fn short(text: &str) -> String {
    text.chars().take(120).collect()
}

/// The organisation for a registration: the inviting one; else the default organisation while it has no owner and this
/// user may become its first, whatever the registration setting; else a new one if the deployment's registration is
/// open.
async fn home_of(cx: &Cx, new: &NewUser) -> Result<Home> {
    let settings = &cx.env.settings;
    let default = cx.in_organization(settings.default_org);
    if let Some(token) = &new.invite_token {
        let unusable = || Error::from(Domain::Conflict(Conflict::InvitationUsed));
        let (org, id) = invite::place_of(token.expose()).ok_or_else(unusable)?;
        let invitation = cx.in_organization(org).find::<Invitation>(id).await?.ok_or_else(unusable)?;
        if !invite::is_of(&cx.env.keys, org, &invitation, token.expose()) {
            return Err(unusable());
        }
        // The default organisation's first owner registers whatever the setting.
        let is_first = org == settings.default_org && invitation.role == Role::Owner.into();
        let is_open = settings.registration != Registration::Closed;
        if is_open || (is_first && invitation.invited_by.is_none()) {
            return Ok(Home::Invited(org, Box::new(invitation)));
        }
        return Err(Domain::Conflict(Conflict::RegistrationClosed).into());
    }
    let organization = default.find::<Organization>(settings.default_org).await?;
    match &settings.first_owner {
        FirstOwner::FirstToRegister if organization.is_none() => return Ok(Home::New(settings.default_org)),
        FirstOwner::Address(first)
            if first.email.normalized() == new.email.normalized()
                && organization.as_ref().is_none_or(|organization| organization.owner_ids.is_empty()) =>
        {
            return home_of_first(&default, first, new, organization.is_some()).await;
        }
        FirstOwner::FirstToRegister | FirstOwner::Address(_) | FirstOwner::NotSet => {}
    }
    match settings.registration {
        Registration::Open => Ok(Home::New(OrgId::new(cx.env.ids.next()))),
        Registration::Invite | Registration::Closed => Err(Domain::Conflict(Conflict::RegistrationClosed).into()),
    }
}

/// The organisation of the deployment's first owner: the default one with the one-time code; else the address has to be
/// confirmed.
async fn home_of_first(default: &Cx, first: &FirstAddress, new: &NewUser, is_invited: bool) -> Result<Home> {
    match &new.owner_code {
        None => Ok(Home::Unconfirmed),
        Some(code) if !first.has_code(code) => Err(Domain::invalid("/owner_code", Rule::WrongCode).into()),
        Some(_) if !is_invited => Ok(Home::New(default.org)),
        Some(_) => {
            let unusable = || Error::from(Domain::Conflict(Conflict::InvitationUsed));
            let id = invite::of_first_owner(default).await?.ok_or_else(unusable)?;
            let invitation = default.find::<Invitation>(id).await?.ok_or_else(unusable)?;
            Ok(Home::Invited(default.org, Box::new(invitation)))
        }
    }
}
