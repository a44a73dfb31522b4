//! Registration: joins an organisation by invitation, or creates an organisation that the new user owns.

use crate::home::{Home, Proof, Registrant, home_of};
use crate::passwords;
use crate::recovery::{MAILS, Next, next};
use crate::sign_in::sign_in;
use crate::tokens::Tokens;
use daybook_domain::form::Form;
use daybook_domain::invitation::Invitation;
use daybook_domain::organization::{NewOrganization, Organization};
use daybook_domain::permission::Role;
use daybook_domain::user::{User, Username};
use daybook_domain::{Conflict, EmailAddress, Error as Domain, Line, Locale, NewPassword, Record as _, Secret};
use daybook_http::{Accepted, Answer, BareCreated, Call, Cx, Error, HttpReply, Json, Language, Operation, Result};
use daybook_records::{invite, is_still_invited};
use daybook_store::rows::credential::Credential;
use daybook_store::rows::ticket::{Ticket, Use};
use daybook_store::{Answer as Kind, FirstAddress, FirstOwner, Reply, Tx, sha256_hex};
use serde::{Deserialize, Serialize};

/// A user to register.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The address to sign in with.
    email: EmailAddress,
    /// At least 8 characters and at most 1,024 bytes; compared in one Unicode form. Production refuses the most common
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

impl NewUser {
    fn registrant(&self) -> Registrant<'_> {
        let (invite_token, owner_code) = (self.invite_token.as_ref(), self.owner_code.as_ref());
        Registrant { email: &self.email, invite_token, owner_code }
    }
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

/// Registers a user, and creates their organisation unless they were invited. The deployment's first owner gets a mail
/// whose link completes the registration.
pub async fn register(cx: Cx, language: Language, Json(new): Json<NewUser>) -> Result<Registered> {
    let warning = passwords::judge(&cx, language, &new.password, "/password")?;
    // Checked before the costly password hash; the conditions of the commit decide.
    let Some(mut home) = home_of(&cx, new.registrant()).await? else { return invite_first_owner(&cx, language).await };
    let phc = passwords::hash(new.password.clone().into_secret()).await?;
    loop {
        match join(&cx, &new, &phc, &home, (language, warning.clone())).await {
            // Meanwhile another user became the default organisation's first owner, or accepted the invitation.
            Err(Error::Domain(Domain::Duplicate { field: "id", .. } | Domain::Stale { .. })) => {
                match home_of(&cx, new.registrant()).await? {
                    Some(other) => home = other,
                    None => return invite_first_owner(&cx, language).await,
                }
            }
            outcome => return outcome,
        }
    }
}

/// Sends the deployment's first owner a link to register by. Before that the default organisation has no owner, and its
/// leads wait.
async fn invite_first_owner(cx: &Cx, language: Language) -> Result<Registered> {
    let FirstOwner::Address(FirstAddress { email, .. }) = &cx.env.settings.first_owner else {
        return Err(Domain::Conflict(Conflict::RegistrationClosed).into());
    };
    cx.limited("forgot", &sha256_hex(email.normalized().as_bytes()), MAILS).await?;
    let cx = &cx.in_organization(cx.env.settings.default_org);
    let reply = || {
        let english = "Open the link in the e-mail we sent to this address: it completes the registration as the owner. If \
                       no mail arrives, register with the deployment's owner_code.";
        let chinese = "请打开我们发送到该邮箱的邮件中的链接，以所有者身份完成注册。如果没有收到邮件，\
                       请使用部署时设置的 owner_code 注册。";
        Registered::MailSent(next(Accepted, language, english, chinese))
    };
    loop {
        if cx.find::<Organization>(cx.org).await?.is_some() {
            let invitation = invite::of_first_owner(cx).await?.ok_or(Domain::Conflict(Conflict::HasOwner))?;
            // OwnerEmail may have been corrected since.
            let resent = |invitation: &Invitation| {
                invitation.resent(None, cx.now()).map(|resent| Invitation { email: email.clone(), ..resent })
            };
            return daybook_records::change(cx, invitation, None, resent, |_: Invitation| reply()).await;
        }
        let organization = NewOrganization {
            name: name_of(None, language.0)?,
            owner_email: email.clone(),
            locale: Some(language.0),
            timezone: None,
            phone_country: None,
        };
        let team = cx.env.settings.team_address.clone();
        let (_, tx) = invite::organization_of_invited(cx, organization, team).await?;
        match cx.commit(tx, reply()).await {
            // Another request made it meanwhile.
            Err(Error::Domain(Domain::Duplicate { field: "id", .. })) => {}
            outcome => return outcome,
        }
    }
}

async fn join(
    cx: &Cx,
    new: &NewUser,
    phc: &str,
    home: &Home,
    (Language(locale), warning): (Language, Option<String>),
) -> Result<Registered> {
    let (Home::New(org) | Home::Invited(org, ..)) = *home;
    let cx = cx.in_organization(org);
    let stamp = cx.stamp();
    let user =
        |name: &Option<Line<120>>, role| User::new(new.email.clone(), new.username.clone(), name.clone(), role, &stamp);
    let (user, tx) = match home {
        Home::New(_) => {
            let user = user(&new.name, Role::Owner.into());
            let name = new.organization_name.clone().map_or_else(|| name_of(new.name.as_ref(), locale), Ok)?;
            let organization = Organization::new(org, name, locale, &user, &stamp);
            let form = Form { locale, created_at: stamp.at, updated_at: stamp.at, ..Form::default_of(org) };
            (user, Tx::create(&organization).and_create(&form))
        }
        Home::Invited(_, invitation, proof) => {
            if !is_still_invited(&cx, invitation).await? {
                return Err(Domain::Conflict(Conflict::InvitationUsed).into());
            }
            let name = if new.name.is_some() { &new.name } else { &invitation.name };
            let user = user(name, invitation.role);
            let (user, open) = match proof {
                Proof::Mail => (User { email_verified_at: Some(stamp.at), ..user }, Invitation::clone(invitation)),
                // The code doesn't expire with the invitation.
                Proof::Code => {
                    let resent = invitation.resent(None, stamp.at)?;
                    (user, Invitation { email: new.email.clone(), ..resent })
                }
            };
            let accepted = open.accepted(&new.email, user.id, stamp.at)?.following(invitation, stamp.at);
            let rename = new.organization_name.as_ref().filter(|_| invitation.is_of_first_owner());
            let tx = Tx::update(invitation, &accepted);
            (user.clone(), daybook_records::with_owners(&cx, tx, user.id, Some(&user), rename).await?)
        }
    };
    let tx = match user.email_verified_at {
        Some(_) => tx,
        None => {
            let to = Use::VerifyEmail;
            tx.with_row(Ticket::new(&cx.env, &user.email, to).write(org, user.id, to)?)
        }
    };
    let credential = Credential { phc: phc.to_owned(), set_at: stamp.at }.write(org, user.id)?;
    let tx = tx.and_create(&user).with_row(credential);
    let reply = |tokens| Registered::SignedIn(Box::new(BareCreated(Tokens { warning: warning.clone(), ..tokens })));
    sign_in(&cx, user, tx, reply).await
}

/// The name of an organisation whose owner gave none: after the owner's name, never their address, which mails to visitors
/// would show.
fn name_of(owner: Option<&Line<120>>, locale: Locale) -> Result<Line<120>> {
    // What is added has less than 20 characters.
    let owner = owner.map(|name| name.as_str().chars().take(100).collect::<String>());
    let name = match owner {
        Some(owner) => locale.pick(format!("{owner}'s organisation"), format!("{owner}的组织")),
        None => locale.pick("My organisation".to_owned(), "我的组织".to_owned()),
    };
    Ok(Line::parse(&name).map_err(|rule| Domain::invalid("/organization_name", rule))?)
}
