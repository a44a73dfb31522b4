//! Access control: the access rules of routes, authentication by token or API key, permission checks and rate limits.

use crate::token;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Action, Grants, Permission, Resource};
use daybook_domain::{Actor, Error as Domain, OrgId, SessionId, Unauthenticated, UserId};
use daybook_records::admission::{KeyInForce, SignedIn, grants_of_key};
use daybook_store::rows::bucket::{Rate, take_or_refuse};
use daybook_store::{Env, Reach, Result};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The access rule of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Callers with permission for this action on this resource.
    Can(Resource, Action),
    /// Callers with permission for one of these actions; each part of the request checks its own permission.
    CanAny(Resource, &'static [Action]),
    /// Signed-in users.
    SignedIn,
    /// Any client, within a rate limit.
    Public(RateClass),
    /// Any client, within a rate limit; with credentials, callers with this permission, without a limit.
    PublicOr(RateClass, Resource, Action),
}

/// Requires permission for an action on a resource.
pub fn can(resource: Resource, action: Action) -> Access {
    Access::Can(resource, action)
}

/// Requires permission for one of these actions on a resource.
pub fn can_any(resource: Resource, actions: &'static [Action]) -> Access {
    Access::CanAny(resource, actions)
}

/// Requires a signed-in user.
pub fn signed_in() -> Access {
    Access::SignedIn
}

/// Admits any client, within the rate limit of the class.
pub fn public(class: RateClass) -> Access {
    Access::Public(class)
}

impl Access {
    /// Requires this permission of requests with credentials.
    pub fn or_can(self, resource: Resource, action: Action) -> Access {
        match self {
            Access::Public(class) | Access::PublicOr(class, ..) => Access::PublicOr(class, resource, action),
            Access::Can(..) | Access::CanAny(..) | Access::SignedIn => Access::Can(resource, action),
        }
    }

    /// Whether anonymous callers are admitted.
    pub fn is_public(self) -> bool {
        matches!(self, Access::Public(_) | Access::PublicOr(..))
    }

    /// The rate class of anonymous callers, if they are admitted.
    pub fn class(self) -> Option<RateClass> {
        match self {
            Access::Public(class) | Access::PublicOr(class, ..) => Some(class),
            Access::Can(..) | Access::CanAny(..) | Access::SignedIn => None,
        }
    }

    /// Whether requests hold what users keep for themselves, such as questions to the AI. The journal has none of it.
    pub fn is_private(self) -> bool {
        match self {
            Access::Can(resource, action) => resource.is_private() || (resource, action) == (Resource::Ai, Action::Use),
            Access::CanAny(resource, _) => resource.is_private(),
            Access::SignedIn | Access::Public(_) | Access::PublicOr(..) => false,
        }
    }

    /// The rule in words.
    pub fn describe(self) -> String {
        match self {
            Access::Can(resource, action) => format!("{}:{}", resource.name(), action.name()),
            Access::CanAny(resource, actions) => {
                let actions: Vec<&str> = actions.iter().map(|action| action.name()).collect();
                format!("{}:{}", resource.name(), actions.join("/"))
            }
            Access::SignedIn => "signed in".to_owned(),
            Access::Public(_) => "public".to_owned(),
            Access::PublicOr(_, resource, action) => format!("public, or {}:{}", resource.name(), action.name()),
        }
    }
}

/// The rate limit of a public route, per network address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateClass {
    /// Posted forms: 60 a minute.
    Form,
    /// Signing in, and other requests with a password or a token from a mail: 20 a minute.
    SignIn,
    /// Registering: 20 an hour.
    Register,
    /// Refreshing access tokens: 120 a minute.
    Refresh,
    /// Not limited: routes that don't read the table, or are for monitoring.
    Free,
}

impl RateClass {
    /// The bucket's name.
    pub fn name(self) -> &'static str {
        match self {
            RateClass::Form => "form",
            RateClass::SignIn => "sign-in",
            RateClass::Register => "register",
            RateClass::Refresh => "refresh",
            RateClass::Free => "free",
        }
    }

    /// The size and period of the token bucket; `None` without a limit.
    pub fn rate(self) -> Option<Rate> {
        let (burst, seconds) = match self {
            RateClass::Form => (60, 60),
            RateClass::SignIn => (20, 60),
            RateClass::Register => (20, 3600),
            RateClass::Refresh => (120, 60),
            RateClass::Free => return None,
        };
        Some(Rate { burst, per: Duration::from_secs(seconds) })
    }
}

/// The admitted caller: the organisation, the actor, the grants, and the reach of the permission.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    pub org: OrgId,
    pub actor: Actor,
    pub grants: Arc<Grants>,
    pub reach: Reach,
    /// The number of requests that the address has left, on rate-limited routes.
    pub allowance: Option<u32>,
    /// Whether the organisation records reads in the audit log.
    pub records_reads: bool,
    /// Why the request is refused, although the caller is authenticated.
    pub refused: Option<Domain>,
}

/// Authenticates and authorises a request; returns the caller, or an error.
pub(crate) async fn admit(env: &Arc<Env>, access: Access, headers: &HeaderMap, ip: Option<IpAddr>) -> Result<Admitted> {
    match access {
        Access::Public(class) => anonymous(env, class, ip).await,
        Access::PublicOr(class, ..) if !has_credentials(headers) => anonymous(env, class, ip).await,
        Access::SignedIn | Access::Can(..) | Access::CanAny(..) | Access::PublicOr(..) => {
            authorized(env, access, authenticate(env, headers, ip).await?).await
        }
    }
}

/// Authorises the user of a session, as for a request with this access rule.
pub(crate) async fn admit_session(
    env: &Arc<Env>,
    access: Access,
    (org, user, session): (OrgId, UserId, SessionId),
    ip: Option<IpAddr>,
) -> Result<Admitted> {
    authorized(env, access, with_session(env, org, user, session, ip).await?).await
}

/// Checks an authenticated caller against an access rule.
async fn authorized(env: &Arc<Env>, access: Access, mut admitted: Admitted) -> Result<Admitted> {
    match access {
        Access::Public(_) => Ok(admitted),
        Access::SignedIn => {
            if admitted.actor.user().is_none() {
                admitted.refused.get_or_insert(Domain::NotAPerson);
            }
            Ok(admitted)
        }
        Access::Can(resource, action) | Access::PublicOr(_, resource, action) => {
            let Admitted { org, actor, grants, .. } = &admitted;
            match daybook_records::admission::reach_of(env, (*org, actor), grants, (resource, action)).await? {
                Some(reach) => admitted.reach = reach,
                None => _ = admitted.refused.get_or_insert(Domain::Forbidden(Permission::least(resource, action))),
            }
            Ok(admitted)
        }
        Access::CanAny(resource, actions) => {
            // Reaches no record until a part of the request checks its own permission.
            admitted.reach = Reach::own(None);
            if actions.iter().all(|action| admitted.grants.scope(resource, *action).is_none()) {
                admitted.refused.get_or_insert(Domain::Forbidden(Permission::least(resource, actions[0])));
            }
            Ok(admitted)
        }
    }
}

async fn anonymous(env: &Env, class: RateClass, ip: Option<IpAddr>) -> Result<Admitted> {
    let rate = class.rate().filter(|_| env.settings.rate_limits);
    let allowance = match rate {
        Some(rate) => {
            let subject = ip.map_or_else(|| "unknown".to_owned(), network);
            Some(take_or_refuse(env, env.settings.default_org, class.name(), &subject, rate).await?)
        }
        None => None,
    };
    Ok(Admitted {
        org: env.settings.default_org,
        actor: Actor::Public,
        grants: Arc::default(),
        reach: Reach::All,
        allowance,
        records_reads: false,
        refused: None,
    })
}

/// The error of credentials that are none, or none any more.
pub(crate) fn signed_out() -> Domain {
    Domain::Unauthenticated(Unauthenticated::Invalid)
}

/// The header for an API key, which may also be sent as `Authorization: Bearer`.
const API_KEY: &str = "x-api-key";

fn has_credentials(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION) || headers.contains_key(API_KEY)
}

async fn authenticate(env: &Arc<Env>, headers: &HeaderMap, ip: Option<IpAddr>) -> Result<Admitted> {
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).map_err(|_| signed_out());
    let credential = match (headers.get(AUTHORIZATION), headers.get(API_KEY)) {
        (Some(header), None) => {
            let header = text(header)?;
            let (scheme, credential) = header.split_once(' ').ok_or_else(signed_out)?;
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Err(signed_out().into());
            }
            credential.trim().to_owned()
        }
        (None, Some(header)) => text(header)?.trim().to_owned(),
        // Two credentials may belong to two callers.
        (Some(_), Some(_)) => return Err(signed_out().into()),
        (None, None) => return Err(Domain::Unauthenticated(Unauthenticated::Missing).into()),
    };
    match token::ApiKey::read(&credential) {
        Some(key) => with_key(env, &key, ip).await,
        None => with_token(env, &credential, ip).await,
    }
}

async fn with_token(env: &Arc<Env>, credential: &str, ip: Option<IpAddr>) -> Result<Admitted> {
    let read = || token::verify(&env.keys, credential, env.clock.now());
    let mut claims = read();
    if claims.is_none() && token::kid(credential).is_some_and(|kid| !env.keys.knows(&kid)) {
        // Perhaps signed by a function that has read a newer secret.
        env.secrets.refresh_now().await;
        claims = read();
    }
    let claims = claims.ok_or_else(signed_out)?;
    with_session(env, claims.org, claims.sub, claims.sid, ip).await
}

async fn with_session(
    env: &Arc<Env>,
    org: OrgId,
    user: UserId,
    session: SessionId,
    ip: Option<IpAddr>,
) -> Result<Admitted> {
    let found = SignedIn::read(env, org, user, session).await?;
    let SignedIn { session, user, organization } = found.ok_or_else(signed_out)?;
    let grants = daybook_records::grants_of(env, org, user.role).await?;
    Ok(admitted(session.actor(user.role), grants, &organization, ip))
}

async fn with_key(env: &Arc<Env>, credential: &token::ApiKey<'_>, ip: Option<IpAddr>) -> Result<Admitted> {
    let found = KeyInForce::read(env, credential.org, credential.id).await?;
    let found = found.filter(|found| credential.is(&found.secret.sha256)).ok_or_else(signed_out)?;
    let KeyInForce { key, secret, organization } = found;
    let grants = grants_of_key(env, credential.org, &key).await?.ok_or_else(signed_out)?;
    if let Some(most) = key.requests_per_minute.filter(|_| env.settings.rate_limits) {
        let rate = Rate { burst: most, per: Duration::from_secs(60) };
        take_or_refuse(env, credential.org, "key", &key.id.to_string(), rate).await?;
    }
    secret.note_use(env, credential.org, key.id).await?;
    let actor = Actor::ApiKey { id: key.id, made_by: key.made_by };
    Ok(admitted(actor, grants, &organization, ip))
}

fn admitted(actor: Actor, grants: Grants, organization: &Organization, ip: Option<IpAddr>) -> Admitted {
    Admitted {
        org: organization.id,
        actor,
        grants: Arc::new(grants),
        reach: Reach::All,
        allowance: None,
        records_reads: organization.records_reads,
        refused: (!organization.admits(ip)).then_some(Domain::Network),
    }
}

/// The network address that is rate limited: an IPv4 address, or an IPv6 /64, whose addresses are one subscriber's.
pub fn network(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        IpAddr::V4(ip) => ip.to_string(),
    }
}
