//! What a user or API key may do, and to whose records. Granting, joining a team, taking over an account or a key, and
//! exporting need at least what is gained by it.

use crate::admission::{grants_of, reach_in, reach_with, team_mates};
use daybook_domain::api_key::ApiKey;
use daybook_domain::job::{Job, Work};
use daybook_domain::permission::{Action, Grants, HeldPermission, Permission, Resource, RoleRef, Scope};
use daybook_domain::record::Personal;
use daybook_domain::registry::boxed;
use daybook_domain::role::CustomRole;
use daybook_domain::team::Team;
use daybook_domain::user::User;
use daybook_domain::{Actor, AnyId, Conflict, Error as Domain, Record, UserId, for_each_record_type, with_record_type};
use daybook_store::{Cx, Reach, Result};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Permissions, and the user whose records `own` and `team` refer to.
#[derive(Clone, Debug)]
pub struct Power {
    /// The permissions.
    pub grants: Grants,
    /// The user.
    pub person: Option<UserId>,
}

impl Power {
    /// The power to do everything, as Daybook itself has.
    pub fn everything() -> Power {
        Power { grants: Grants::all(), person: None }
    }

    /// The power of the caller.
    pub fn of_caller(cx: &Cx) -> Power {
        match cx.actor {
            Actor::System => Power::everything(),
            _ => Power { grants: Grants::clone(&cx.grants), person: cx.actor.owner() },
        }
    }

    /// Whether it reads every record of every type.
    pub fn reads_everything(&self) -> bool {
        let mut all = true;
        for_each_record_type!(T => all &= self.grants.scope(T::RESOURCE, T::READ) == Some(Scope::All));
        all
    }

    /// Those of these records that it reads, live or in the trash.
    pub async fn reads(&self, cx: &Cx, ids: impl IntoIterator<Item = AnyId>) -> Result<HashSet<AnyId>> {
        let mut of_resource: BTreeMap<(Resource, Action), BTreeSet<AnyId>> = BTreeMap::new();
        for id in ids {
            if let Some(read) = with_record_type!(id.kind, T => (T::RESOURCE, T::READ)) {
                of_resource.entry(read).or_default().insert(id);
            }
        }
        let mut readable = HashSet::new();
        for ((resource, action), ids) in of_resource {
            let Some(scope) = self.grants.scope(resource, action) else { continue };
            if scope == Scope::All {
                readable.extend(ids);
                continue;
            }
            let seeing = Cx { reach: reach_with(&cx.env, cx.org, self.person, scope).await?, ..cx.clone() };
            let live = seeing.reached_by_id(&ids.iter().copied().collect::<Vec<_>>()).await?;
            for id in ids.into_iter().filter(|id| !live.contains_key(id)) {
                let in_trash = with_record_type!(id.kind, T => boxed(|| seeing.trash().find::<T>(id)).await?.is_some());
                readable.extend(in_trash.filter(|found| *found).map(|_| id));
            }
            readable.extend(live.into_iter().filter(|(_, reached)| *reached).map(|(id, _)| id));
        }
        Ok(readable)
    }

    /// The power of a user.
    pub async fn of_user(cx: &Cx, user: &User) -> Result<Power> {
        Ok(Power { grants: grants_of(&cx.env, cx.org, user.role).await?, person: Some(user.id) })
    }

    /// The power of an API key.
    fn of_key(key: &ApiKey) -> Power {
        Power { grants: key.grants(), person: Some(key.made_by) }
    }

    /// The power that a job's file relies on: what its requester had, and what its work needs.
    pub fn of_job(job: &Job) -> Power {
        let held = job.permissions.iter().copied();
        let grants = held.chain(needs_of(&job.work).into_iter().map(HeldPermission::Known)).collect();
        Power { grants, person: job.owner_id }
    }
}

/// The permissions that work needs besides those on the route that requests it.
pub fn needs_of(work: &Work) -> Vec<Permission> {
    let all = |resource, action| Permission { resource, action, scope: Scope::All };
    match work {
        Work::AuditExport { .. } => vec![all(Resource::Audit, Action::Export)],
        Work::PersonExport { .. } => {
            let mut needs = vec![all(Resource::Organization, Action::Manage), all(Resource::Audit, Action::Read)];
            for_each_record_type!(T => if T::PERSONAL != Personal::No {
                needs.push(all(T::RESOURCE, T::READ));
            });
            needs
        }
        Work::PersonErasure { .. } => {
            let mut needs = vec![all(Resource::Organization, Action::Manage)];
            for_each_record_type!(T => if T::PERSONAL != Personal::No {
                needs.push(all(T::RESOURCE, removal(T::RESOURCE)));
            });
            needs
        }
        Work::Removal { .. } | Work::Return { .. } | Work::OrganizationErasure | Work::Unknown(_) => Vec::new(),
    }
}

/// The action that removes records of a resource, or comes closest to it.
fn removal(resource: Resource) -> Action {
    let wanted = [Action::Delete, Action::Manage, Action::Update];
    wanted.into_iter().find(|action| resource.actions().contains(action)).unwrap_or(Action::Manage)
}

/// Refuses work that needs more than the caller may do.
pub fn may_request(cx: &Cx, work: &Work) -> Result<()> {
    let has = |need: &Permission| cx.grants.scope(need.resource, need.action) >= Some(need.scope);
    match needs_of(work).into_iter().find(|need| !has(need)) {
        Some(missing) => Err(Domain::Forbidden(missing).into()),
        None => Ok(()),
    }
}

/// Whether the caller may do all that another one may, to all the records that it may do it to.
pub async fn covers(cx: &Cx, theirs: &Power) -> Result<bool> {
    if cx.actor == Actor::System {
        return Ok(true);
    }
    if !cx.grants.cover(&theirs.grants) {
        return Ok(false);
    }
    let same_person = theirs.person.is_some() && theirs.person == cx.actor.owner();
    for Permission { resource, action, scope } in theirs.grants.list() {
        if same_person || cx.grants.scope(resource, action) == Some(Scope::All) {
            continue;
        }
        let reach = reach_with(&cx.env, cx.org, theirs.person, scope).await?;
        if !reach_in(cx, resource, action).await?.is_some_and(|mine| mine.covers(&reach)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn refused() -> daybook_store::Error {
    Domain::Conflict(Conflict::BeyondOwnRole).into()
}

/// Refuses to hand over an account that may do more than the caller.
pub(crate) async fn account_within_reach(cx: &Cx, user: &User) -> Result<()> {
    if covers(cx, &Power::of_user(cx, user).await?).await? { Ok(()) } else { Err(refused()) }
}

/// Refuses changes of an API key that may do more than the caller, since who renews a key has its secret.
pub(crate) async fn key_within_reach(cx: &Cx, key: &ApiKey) -> Result<()> {
    if covers(cx, &Power::of_key(key)).await? { Ok(()) } else { Err(refused()) }
}

/// Refuses a role for a user who would reach records of teams that the caller doesn't reach.
pub(crate) async fn grant_within_reach(cx: &Cx, user: UserId, before: &Grants, role: RoleRef) -> Result<()> {
    let gained: Vec<Permission> = team_permissions(&grants_of(&cx.env, cx.org, role).await?)
        .filter(|one| before.scope(one.resource, one.action) < Some(Scope::Team))
        .collect();
    if gained.iter().all(|one| cx.grants.scope(one.resource, one.action) == Some(Scope::All)) {
        return Ok(());
    }
    match team_mates(&cx.env, cx.org, user).await? {
        Reach::Owners(mates) => reaches_all(cx, &gained, &without(&mates, user)).await,
        Reach::All => Ok(()),
    }
}

/// Refuses a wider scope in a role, for users who may be in any team, unless the caller reaches all records.
pub(crate) fn role_within_reach(cx: &Cx, before: Option<&CustomRole>, after: Option<&CustomRole>) -> Result<()> {
    let (Some(before), Some(after)) = (before.map(CustomRole::grants), after.map(CustomRole::grants)) else {
        return Ok(());
    };
    let beyond = |one: Permission| {
        before.scope(one.resource, one.action) < Some(Scope::Team)
            && cx.grants.scope(one.resource, one.action) != Some(Scope::All)
    };
    if team_permissions(&after).any(beyond) { Err(refused()) } else { Ok(()) }
}

/// Refuses new members of a team, if they or the others would reach records that the caller doesn't reach.
pub(crate) async fn joins_within_reach(cx: &Cx, before: Option<&Team>, after: Option<&Team>) -> Result<()> {
    let members = |team: Option<&Team>| -> BTreeSet<UserId> {
        team.map(|team| team.member_ids.iter().copied().collect()).unwrap_or_default()
    };
    let (before, after) = (members(before), members(after));
    let joining: BTreeSet<UserId> = after.difference(&before).copied().collect();
    if joining.is_empty() || cx.actor == Actor::System || cx.grants.cover(&Grants::all()) {
        return Ok(());
    }
    let users = cx.unscoped().records::<User>(after.iter().map(|id| (*id).into())).await?;
    let mut roles: HashMap<RoleRef, Vec<Permission>> = HashMap::new();
    for user in users.values() {
        let permissions = match roles.entry(user.role) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(role) => {
                role.insert(team_permissions(&grants_of(&cx.env, cx.org, user.role).await?).collect())
            }
        };
        let gained = if before.contains(&user.id) { &joining } else { &after };
        reaches_all(cx, permissions, &without(gained, user.id)).await?;
    }
    Ok(())
}

fn team_permissions(grants: &Grants) -> impl Iterator<Item = Permission> {
    grants.list().into_iter().filter(|one| one.scope == Scope::Team)
}

fn without(users: &BTreeSet<UserId>, one: UserId) -> BTreeSet<UserId> {
    users.iter().copied().filter(|user| *user != one).collect()
}

/// Refuses if the caller doesn't reach the records of all these users by each of these permissions.
async fn reaches_all(cx: &Cx, permissions: &[Permission], users: &BTreeSet<UserId>) -> Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    let wanted = Reach::Owners(Arc::new(users.clone()));
    for one in permissions {
        if !reach_in(cx, one.resource, one.action).await?.is_some_and(|mine| mine.covers(&wanted)) {
            return Err(refused());
        }
    }
    Ok(())
}
