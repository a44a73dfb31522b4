//! The organisation that a registration leads to.

use daybook_domain::invitation::Invitation;
use daybook_domain::organization::Organization;
use daybook_domain::{Conflict, EmailAddress, Error as Domain, OrgId, Rule, Secret, Stored};
use daybook_http::{Cx, Error, Result};
use daybook_records::invite;
use daybook_store::{FirstAddress, FirstOwner, Registration};

/// The organisation that a new user joins.
pub enum Home {
    /// A new organisation.
    New(OrgId),
    /// The organisation that sent the invitation, and how the user was proven to be the invited one.
    Invited(OrgId, Box<Stored<Invitation>>, Proof),
}

/// How a user was proven to be the invited one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By the token that was sent to the address, which is confirmed by it.
    Mail,
    /// By the deployment's code for its first owner.
    Code,
}

/// What decides where a registration leads to.
#[derive(Clone, Copy, Debug)]
pub struct Registrant<'a> {
    /// The address.
    pub email: &'a EmailAddress,
    /// The token of an invitation.
    pub invite_token: Option<&'a Secret>,
    /// The deployment's code for its first owner.
    pub owner_code: Option<&'a Secret>,
}

/// The organisation for a registration: the inviting one; else the default organisation while it has no owner and this
/// user may become its first, whatever the registration setting; else a new one if the deployment's registration is
/// open. `None` for the deployment's first owner, who has to confirm the address.
pub async fn home_of(cx: &Cx, new: Registrant<'_>) -> Result<Option<Home>> {
    let settings = &cx.env.settings;
    let default = cx.in_organization(settings.default_org);
    if let Some(token) = new.invite_token {
        let unusable = || Error::from(Domain::Conflict(Conflict::InvitationUsed));
        let (org, id) = invite::place_of(token.expose()).ok_or_else(unusable)?;
        let invitation = cx.in_organization(org).find::<Invitation>(id).await?.ok_or_else(unusable)?;
        if !invite::is_of(&cx.env.keys, org, &invitation, token.expose()) {
            return Err(unusable());
        }
        // The default organisation's first owner registers whatever the setting.
        let is_first = org == settings.default_org && invitation.is_of_first_owner();
        // The address of the first owner may have been corrected since.
        if is_first && !settings.first_owner.is(&invitation.email) {
            return Err(unusable());
        }
        if is_first || settings.registration != Registration::Closed {
            return Ok(Some(Home::Invited(org, Box::new(invitation), Proof::Mail)));
        }
        return Err(Domain::Conflict(Conflict::RegistrationClosed).into());
    }
    let organization = default.find::<Organization>(settings.default_org).await?;
    match &settings.first_owner {
        FirstOwner::FirstToRegister if organization.is_none() => return Ok(Some(Home::New(settings.default_org))),
        FirstOwner::Address(first)
            if settings.first_owner.is(new.email)
                && organization.as_ref().is_none_or(|organization| organization.owner_ids.is_empty()) =>
        {
            let organization = organization.map(Stored::into_inner);
            return home_of_first(&default, first, new.owner_code, organization.as_ref()).await;
        }
        FirstOwner::FirstToRegister | FirstOwner::Address(_) | FirstOwner::NotSet => {}
    }
    match settings.registration {
        Registration::Open => Ok(Some(Home::New(OrgId::new(cx.env.ids.next())))),
        Registration::Invite | Registration::Closed => Err(Domain::Conflict(Conflict::RegistrationClosed).into()),
    }
}

/// The organisation of the deployment's first owner: the default one with the one-time code; else the address has to be
/// confirmed.
async fn home_of_first(
    default: &Cx,
    first: &FirstAddress,
    code: Option<&Secret>,
    organization: Option<&Organization>,
) -> Result<Option<Home>> {
    match code {
        None => Ok(None),
        Some(code) if !first.has_code(code) => Err(Domain::invalid("/owner_code", Rule::WrongCode).into()),
        Some(_) if organization.is_none() => Ok(Some(Home::New(default.org))),
        Some(_) => {
            let unusable = || Error::from(Domain::Conflict(Conflict::InvitationUsed));
            let id = invite::of_first_owner(default).await?.ok_or_else(unusable)?;
            let invitation = default.find::<Invitation>(id).await?.ok_or_else(unusable)?;
            Ok(Some(Home::Invited(default.org, Box::new(invitation), Proof::Code)))
        }
    }
}
