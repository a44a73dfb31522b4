//! Who may use a route: said in the table of routes, judged here, and nowhere else.

use crate::token;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use daybook_domain::permission::{Action, Permission, Resource, Scope};
use daybook_domain::{Actor, Error as Domain, OrgId, Unauthenticated};
use daybook_store::rows::bucket::{Rate, Taken, take};
use daybook_store::rows::session::Session;
use daybook_store::{Env, Result};
use std::net::IpAddr;
use std::time::Duration;

/// The access rule of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Who may do this to that.
    Can(Resource, Action),
    /// Who is signed in.
    SignedIn,
    /// Anybody, so often.
    Public(RateClass),
    /// Anybody, so often; with credentials, who may do this to that, without a limit.
    PublicOr(RateClass, Resource, Action),
}

/// Who has permission to do this to that.
pub fn can(resource: Resource, action: Action) -> Access {
    Access::Can(resource, action)
}

/// Who is signed in.
pub fn signed_in() -> Access {
    Access::SignedIn
}

/// Anybody, as often as the class allows.
pub fn public(class: RateClass) -> Access {
    Access::Public(class)
}

impl Access {
    /// With credentials it takes this permission.
    pub fn or_can(self, resource: Resource, action: Action) -> Access {
        match self {
            Access::Public(class) | Access::PublicOr(class, ..) => Access::PublicOr(class, resource, action),
            Access::Can(..) | Access::SignedIn => Access::Can(resource, action),
        }
    }

    /// Whether somebody without credentials gets in.
    pub fn is_public(self) -> bool {
        matches!(self, Access::Public(_) | Access::PublicOr(..))
    }

    /// How often somebody without credentials may use it.
    pub fn class(self) -> Option<RateClass> {
        match self {
            Access::Public(class) | Access::PublicOr(class, ..) => Some(class),
            Access::Can(..) | Access::SignedIn => None,
        }
    }

    /// The rule in words.
    pub fn describe(self) -> String {
        match self {
            Access::Can(resource, action) => format!("{}:{}", resource.name(), action.name()),
            Access::SignedIn => "signed in".to_owned(),
            Access::Public(_) => "public".to_owned(),
            Access::PublicOr(_, resource, action) => format!("public, or {}:{}", resource.name(), action.name()),
        }
    }
}

/// How often a public route may be used from one network address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateClass {
    /// Posted forms: 60 a minute.
    Form,
    /// Signing in and registering: 20 a minute.
    SignIn,
    /// Not limited: answers without touching the table, or for monitors.
    Free,
}

impl RateClass {
    /// The bucket's name.
    pub fn name(self) -> &'static str {
        match self {
            RateClass::Form => "form",
            RateClass::SignIn => "sign-in",
            RateClass::Free => "free",
        }
    }

    /// The bucket's size, if there is one.
    pub fn rate(self) -> Option<Rate> {
        let burst = match self {
            RateClass::Form => 60,
            RateClass::SignIn => 20,
            RateClass::Free => return None,
        };
        Some(Rate { burst, per: Duration::from_secs(60) })
    }
}

/// Who asks, in which organisation, and how far their permission reaches.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    pub org: OrgId,
    pub actor: Actor,
    pub scope: Scope,
    /// How many requests the address has left, on routes that count them.
    pub allowance: Option<u32>,
}

/// Lets a request in, or says why not.
pub(crate) async fn admit(env: &Env, access: Access, headers: &HeaderMap, ip: Option<IpAddr>) -> Result<Admitted> {
    let credentials = headers.get(AUTHORIZATION);
    let nobody = Admitted { org: env.settings.default_org, actor: Actor::Public, scope: Scope::All, allowance: None };
    match access {
        Access::Public(class) => {
            let allowance = limit(env, class, ip).await?;
            Ok(Admitted { allowance, ..nobody })
        }
        Access::PublicOr(class, ..) if credentials.is_none() => {
            let allowance = limit(env, class, ip).await?;
            Ok(Admitted { allowance, ..nobody })
        }
        Access::SignedIn => authenticate(env, headers).await,
        Access::Can(resource, action) | Access::PublicOr(_, resource, action) => {
            let somebody = authenticate(env, headers).await?;
            let Actor::User { role, .. } = somebody.actor else { return Ok(somebody) };
            match role.scope(resource, action) {
                Some(scope) => Ok(Admitted { scope, ..somebody }),
                None => {
                    let missing = Permission { resource, action, scope: Scope::Own };
                    Err(Domain::Forbidden(missing).into())
                }
            }
        }
    }
}

async fn authenticate(env: &Env, headers: &HeaderMap) -> Result<Admitted> {
    let invalid = || Domain::Unauthenticated(Unauthenticated::Invalid);
    let header = headers.get(AUTHORIZATION).ok_or(Domain::Unauthenticated(Unauthenticated::Missing))?;
    let header = header.to_str().map_err(|_| invalid())?;
    let (scheme, token) = header.split_once(' ').ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(invalid().into());
    }
    let read = || token::verify(&env.keys, token.trim(), env.clock.now());
    let mut claims = read();
    if claims.is_none() && token::kid(token.trim()).is_some_and(|kid| !env.keys.knows(&kid)) {
        // Signed by a function that has read a newer secret, perhaps.
        env.secrets.refresh_now().await;
        claims = read();
    }
    let claims = claims.ok_or_else(invalid)?;
    let session = Session::read(env, claims.org, claims.sid).await?.filter(|session| session.user == claims.sub);
    let session = session.ok_or_else(invalid)?;
    Ok(Admitted { org: claims.org, actor: session.actor(), scope: Scope::All, allowance: None })
}

/// What counts as one network address: all addresses of a /64 of IPv6 are one subscriber's.
pub fn network(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        IpAddr::V4(ip) => ip.to_string(),
    }
}

/// Takes one from the bucket of a network address.
async fn limit(env: &Env, class: RateClass, ip: Option<IpAddr>) -> Result<Option<u32>> {
    let Some(rate) = class.rate().filter(|_| env.settings.rate_limits) else { return Ok(None) };
    let subject = ip.map_or_else(|| "unknown".to_owned(), network);
    match take(env, env.settings.default_org, class.name(), &subject, rate).await? {
        Taken::Yes(left) => Ok(Some(left)),
        Taken::After(retry_after) => Err(Domain::Limited { retry_after }.into()),
    }
}
