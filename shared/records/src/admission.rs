//! Authentication and authorisation lookups: the user of a session, the API key of an id, and the scope of permissions.

use daybook_domain::api_key::ApiKey;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Action, Grants, Permission, Resource, RoleRef, Scope};
use daybook_domain::role::CustomRole;
use daybook_domain::team::Team;
use daybook_domain::user::{Status, User};
use daybook_domain::{
    Actor, AnyId, ApiKeyId, Claim, ClaimKind, Error as Domain, FormId, OrgId, RecordType, SessionId, UserId,
};
use daybook_store::item::expires_after;
use daybook_store::rows::key_secret::KeySecret;
use daybook_store::rows::session::Session;
use daybook_store::schema::Place;
use daybook_store::{Cx, Env, Error, Reach, Result, parse_item, record_of};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A signed-in user.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The user.
    pub user: User,
    /// The user's organisation.
    pub organization: Organization,
}

/// A valid API key.
#[derive(Clone, Debug)]
pub struct KeyInForce {
    /// The key.
    pub key: ApiKey,
    /// The hash of its secret.
    pub secret: KeySecret,
    /// The key's organisation.
    pub organization: Organization,
}

impl SignedIn {
    /// The user signed in with a session; `None` if the session has ended or the user may no longer sign in.
    pub async fn read(env: &Env, org: OrgId, user: UserId, session: SessionId) -> Result<Option<SignedIn>> {
        let places = [Place::Session(org, session), Place::Record(org, user.into()), Place::Record(org, org.into())];
        let [session, user, organization] = env.table.get_each(places.map(|place| place.key())).await?;
        let (Some(session), Some(user), Some(organization)) = (session, user, organization) else { return Ok(None) };
        let session: Session = parse_item(session)?;
        let user = record_of::<User>(user)?.into_inner();
        let good = user.status == Status::Active && session.is_in_force(user.epoch(), env.clock.now());
        if !good {
            return Ok(None);
        }
        Ok(Some(SignedIn { session, user, organization: record_of::<Organization>(organization)?.into_inner() }))
    }
}

impl KeyInForce {
    /// The API key with this id, if it exists and hasn't expired.
    pub async fn read(env: &Env, org: OrgId, id: ApiKeyId) -> Result<Option<KeyInForce>> {
        let places = [Place::Record(org, id.into()), Place::KeySecret(org, id), Place::Record(org, org.into())];
        let [key, secret, organization] = env.table.get_each(places.map(|place| place.key())).await?;
        let (Some(key), Some(secret), Some(organization)) = (key, secret, organization) else { return Ok(None) };
        let key = record_of::<ApiKey>(key)?.into_inner();
        let in_force = key.is_in_force(env.clock.now());
        let (secret, organization) = (parse_item(secret)?, record_of::<Organization>(organization)?);
        Ok(in_force.then_some(KeyInForce { key, secret, organization: organization.into_inner() }))
    }
}

/// The permissions of an API key: no more than its creator has by now. A key outlives its creator for the 30 days in which
/// the creator can be restored, without the permissions to administer. `None` once the creator is gone or suspended.
pub async fn grants_of_key(env: &Env, org: OrgId, key: &ApiKey) -> Result<Option<Grants>> {
    let creator = AnyId::from(key.made_by);
    let places = [Place::Record(org, creator), Place::Trash(org, creator)];
    let [live, deleted] = env.table.get_each(places.map(|place| place.key())).await?;
    let now = env.clock.now().as_second();
    let is_deleted = live.is_none();
    let found = live.or(deleted.filter(|item| expires_after(item, now)));
    let Some(creator) = found.map(record_of::<User>).transpose()? else { return Ok(None) };
    if creator.status != Status::Active {
        return Ok(None);
    }
    let grants = key.grants().within(&grants_of(env, org, creator.role).await?);
    Ok(Some(if is_deleted { grants.without_administration() } else { grants }))
}

/// The user with this login name: a normalised e-mail address or user name.
pub async fn login(env: &Env, name: &str) -> Result<Option<(OrgId, UserId)>> {
    let claim = Claim { kind: ClaimKind::Login, value: name.to_owned() };
    Ok(env.holder(&claim).await?.and_then(|(org, id)| Some((org, id.try_into().ok()?))))
}

/// The organisation a form belongs to.
pub async fn organization_of_form(env: &Env, form: FormId) -> Result<Option<OrgId>> {
    if form == FormId::default_of(env.settings.default_org) {
        return Ok(Some(env.settings.default_org));
    }
    let claim = Claim { kind: ClaimKind::Form, value: form.to_string() };
    Ok(env.holder(&claim).await?.map(|(org, _)| org))
}

/// The permissions of a role; none if the role was deleted.
pub async fn grants_of(env: &Env, org: OrgId, role: RoleRef) -> Result<Grants> {
    Ok(grants_if_there(env, org, role).await?.unwrap_or_default())
}

/// The permissions of a role, as far as a decision about users with it is concerned: a deleted role may be restored, so it
/// counts as all of them.
pub(crate) async fn most_of(env: &Env, org: OrgId, role: RoleRef) -> Result<Grants> {
    Ok(grants_if_there(env, org, role).await?.unwrap_or_else(Grants::all))
}

/// The permissions of a role; `None` if the role was deleted.
pub(crate) async fn grants_if_there(env: &Env, org: OrgId, role: RoleRef) -> Result<Option<Grants>> {
    match role {
        RoleRef::BuiltIn(role) => Ok(Some(role.grants())),
        RoleRef::Unknown(_) => Ok(Some(Grants::default())),
        RoleRef::Custom(id) => {
            let [item] = env.table.get_each([Place::Record(org, id.into()).key()]).await?;
            let role = item.map(record_of::<CustomRole>).transpose()?;
            Ok(role.map(|role| role.grants()))
        }
    }
}

/// The records that an actor's permission for an action covers; `None` without the permission.
pub async fn reach_of(
    env: &Arc<Env>,
    (org, actor): (OrgId, &Actor),
    grants: &Grants,
    (resource, action): (Resource, Action),
) -> Result<Option<Reach>> {
    match grants.scope(resource, action) {
        Some(scope) => reach_with(env, org, actor.owner(), scope).await.map(Some),
        None => Ok(None),
    }
}

/// The records that a scope covers for a user.
pub(crate) async fn reach_with(env: &Arc<Env>, org: OrgId, user: Option<UserId>, scope: Scope) -> Result<Reach> {
    match (scope, user) {
        (Scope::All, _) => Ok(Reach::All),
        (Scope::Team, Some(user)) => team_mates(env, org, user).await,
        (Scope::Own | Scope::Team, _) => Ok(Reach::own(user)),
    }
}

/// A user and the other members of their teams.
async fn team_mates(env: &Arc<Env>, org: OrgId, user: UserId) -> Result<Reach> {
    let cx = env.system(org, "teams");
    let teams = cx.children(user, RecordType::Team).await?;
    let mut mates = BTreeSet::from([user]);
    if !teams.is_empty() {
        let teams = cx.records::<Team>(teams.into_iter()).await?;
        mates.extend(teams.values().flat_map(|team| team.member_ids.iter().copied()));
    }
    Ok(Reach::Owners(Arc::new(mates)))
}

/// The same request, scoped to the actor's permission for another action; refused without that permission.
pub async fn reaching(cx: &Cx, resource: Resource, action: Action) -> Result<Cx> {
    let reach = reach_in(cx, resource, action).await?;
    let reach = reach.ok_or_else(|| Domain::Forbidden(Permission::least(resource, action)))?;
    Ok(Cx { reach, ..cx.clone() })
}

/// The same request, scoped to the caller's permission to read records of a type; `None` without it.
pub async fn seeing(cx: &Cx, (resource, action): (Resource, Action)) -> Result<Option<Cx>> {
    Ok(reach_in(cx, resource, action).await?.map(|reach| Cx { reach, ..cx.clone() }))
}

/// The records that the caller's permission for an action covers; `None` without the permission.
pub(crate) async fn reach_in(cx: &Cx, resource: Resource, action: Action) -> Result<Option<Reach>> {
    match (cx.grants.scope(resource, action), cx.actor.owner()) {
        (Some(Scope::Team), Some(user)) => mates_of(cx, user).await.map(Some),
        _ => reach_of(&cx.env, (cx.org, &cx.actor), &cx.grants, (resource, action)).await,
    }
}

/// A user and the other members of their teams. Read once per request, apart from the read that admitted the request.
pub(crate) async fn mates_of(cx: &Cx, user: UserId) -> Result<Reach> {
    let ask = async || team_mates(&cx.env, cx.org, user).await;
    let first = async || Ok::<_, Error>((cx.org, user, ask().await?));
    match Box::pin(cx.mates.get_or_try_init(first)).await? {
        (org, of, mates) if (*org, *of) == (cx.org, user) => Ok(mates.clone()),
        _ => ask().await,
    }
}
