//! What a user or API key may do, and to whose records. Granting, joining a team, taking over an account or a key, and
//! exporting need at least what is gained by it.

use crate::admission::{grants_if_there, grants_of, mates_of, most_of, reach_with};
use daybook_domain::api_key::ApiKey;
use daybook_domain::job::{Job, Work};
use daybook_domain::permission::{Action, Grants, HeldPermission, Permission, Resource, RoleRef, Scope};
use daybook_domain::record::Personal;
use daybook_domain::registry::boxed;
use daybook_domain::role::CustomRole;
use daybook_domain::team::Team;
use daybook_domain::user::User;
use daybook_domain::{Actor, AnyId, Conflict, Error as Domain, Record, UserId, for_each_record_type, with_record_type};
use daybook_store::rows::power::PowerLock;
use daybook_store::{Cx, Reach, Result, Tx};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Permissions, and the user whose records `own` and `team` refer to.
#[derive(Clone, Debug)]
pub struct Power {
    grants: Grants,
    person: Option<UserId>,
    /// The team at an earlier time, where that counts rather than the present one.
    team: Option<Reach>,
}

impl Power {
    /// The power to do everything, as Daybook itself has.
    pub fn everything() -> Power {
        Power { grants: Grants::all(), person: None, team: None }
    }

    /// The power of the caller.
    pub fn of_caller(cx: &Cx) -> Power {
        match cx.actor {
            Actor::System => Power::everything(),
            _ => Power { grants: Grants::clone(&cx.grants), person: cx.actor.owner(), team: None },
        }
    }

    /// The power of a user; that of all permissions if the user's role was deleted, as it may be restored.
    pub async fn of_user(cx: &Cx, user: &User) -> Result<Power> {
        Ok(Power::of(most_of(&cx.env, cx.org, user.role).await?, user.id))
    }

    /// The power of these permissions in the hands of a user.
    pub(crate) fn of(grants: Grants, person: UserId) -> Power {
        Power { grants, person: Some(person), team: None }
    }

    /// The power of an API key.
    fn of_key(key: &ApiKey) -> Power {
        Power::of(key.grants(), key.made_by)
    }

    /// The power that a job's file relies on: what its requester had, and what its work needs.
    pub fn of_job(job: &Job) -> Power {
        let held = job.permissions.iter().copied();
        let grants = held.chain(needs_of(&job.work).into_iter().map(HeldPermission::Known)).collect();
        let team: BTreeSet<UserId> = job.team.iter().copied().collect();
        Power { grants, person: job.owner_id, team: (!team.is_empty()).then(|| Reach::Owners(Arc::new(team))) }
    }

    /// The permissions.
    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The members of the user's teams, if a permission covers them.
    pub async fn team(&self, cx: &Cx) -> Result<Vec<UserId>> {
        if team_permissions(&self.grants).next().is_none() {
            return Ok(Vec::new());
        }
        match self.reach(cx, Scope::Team).await? {
            Reach::Owners(users) => Ok(users.iter().copied().collect()),
            Reach::All => Ok(Vec::new()),
        }
    }

    /// Whether it reads every record of every type, apart from what users keep for themselves.
    pub fn reads_everything(&self) -> bool {
        let mut all = true;
        for_each_record_type!(T => all &= self.scope(T::READING) == Some(T::READING.0.widest()));
        all
    }

    /// Those of these records that it reads, live or in the trash.
    pub async fn readable_of(&self, cx: &Cx, ids: impl IntoIterator<Item = AnyId>) -> Result<HashSet<AnyId>> {
        let mut in_scope: BTreeMap<Scope, BTreeSet<AnyId>> = BTreeMap::new();
        for id in ids {
            let reading = with_record_type!(id.kind, T => T::READING);
            if let Some(scope) = reading.and_then(|reading| self.scope(reading)) {
                in_scope.entry(scope).or_default().insert(id);
            }
        }
        let mut readable = HashSet::new();
        for (scope, ids) in in_scope {
            if scope == Scope::All {
                readable.extend(ids);
                continue;
            }
            let seeing = Cx { reach: self.reach(cx, scope).await?, ..cx.clone() };
            let live = seeing.reached_by_id(&ids.iter().copied().collect::<Vec<_>>()).await?;
            for id in ids.into_iter().filter(|id| !live.contains_key(id)) {
                let in_trash = with_record_type!(id.kind, T => boxed(|| seeing.trash().find::<T>(id)).await?.is_some());
                readable.extend(in_trash.filter(|found| *found).map(|_| id));
            }
            readable.extend(live.into_iter().filter(|(_, reached)| *reached).map(|(id, _)| id));
        }
        Ok(readable)
    }

    /// Whether it includes all that another one may do, to all the records that it may do it to.
    pub async fn covers(&self, cx: &Cx, theirs: &Power) -> Result<bool> {
        if !self.grants.cover(&theirs.grants) {
            return Ok(false);
        }
        let same_person = theirs.person.is_some() && theirs.person == self.person;
        let mut known: HashMap<(Scope, Scope), bool> = HashMap::new();
        for Permission { resource, action, scope } in theirs.grants.list() {
            let Some(mine) = self.scope((resource, action)) else { return Ok(false) };
            let is_present = scope == Scope::Own || theirs.team.is_none();
            // What users keep for themselves is no power over others.
            if mine == Scope::All || resource.is_private() || (same_person && is_present) {
                continue;
            }
            let covered = match known.entry((mine, scope)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => *new.insert(self.reach(cx, mine).await?.covers(&theirs.reach(cx, scope).await?)),
            };
            if !covered {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn scope(&self, (resource, action): (Resource, Action)) -> Option<Scope> {
        self.grants.scope(resource, action)
    }

    /// The records that a scope covers.
    async fn reach(&self, cx: &Cx, scope: Scope) -> Result<Reach> {
        match (scope, &self.team, self.person) {
            (Scope::Team, Some(team), _) => Ok(team.clone()),
            (Scope::Team, None, Some(user)) if cx.actor.owner() == Some(user) => mates_of(cx, user).await,
            _ => reach_with(&cx.env, cx.org, self.person, scope).await,
        }
    }

    /// Refuses if it doesn't reach the records of all these users by each of these permissions.
    async fn check_reach(&self, cx: &Cx, permissions: &[Permission], users: BTreeSet<UserId>) -> Result<()> {
        if users.is_empty() {
            return Ok(());
        }
        let wanted = Reach::Owners(Arc::new(users));
        for one in permissions {
            let scope = self.scope((one.resource, one.action)).ok_or_else(refused)?;
            if scope != Scope::All && !self.reach(cx, scope).await?.covers(&wanted) {
                return Err(refused());
            }
        }
        Ok(())
    }
}

/// The permissions that work needs besides those on the route that requests it.
fn needs_of(work: &Work) -> Vec<Permission> {
    let all = |(resource, action): (Resource, Action)| Permission { resource, action, scope: resource.widest() };
    let manage = all((Resource::Organization, Action::Manage));
    match work {
        Work::AuditExport { .. } => vec![all((Resource::Audit, Action::Export))],
        Work::PersonExport { .. } => {
            // The file has the person's conversations with the AI.
            let inspect = all((Resource::Ai, Action::Inspect));
            let mut needs = vec![manage, all((Resource::Audit, Action::Read)), inspect];
            for_each_record_type!(T => if T::PERSONAL != Personal::No {
                needs.push(all(T::READING));
            });
            needs
        }
        Work::PersonErasure { .. } => {
            let mut needs = vec![manage];
            for_each_record_type!(T => if T::PERSONAL != Personal::No {
                needs.push(all((T::RESOURCE, removal(T::RESOURCE))));
            });
            needs
        }
        Work::Removal { .. }
        | Work::Return { .. }
        | Work::Fork { .. }
        | Work::Expiry { .. }
        | Work::OrganizationErasure
        | Work::Unknown(_) => Vec::new(),
    }
}

/// The action that removes records of a resource: to delete, else to manage, else to update.
fn removal(resource: Resource) -> Action {
    let wanted = [Action::Delete, Action::Manage, Action::Update];
    wanted.into_iter().find(|action| resource.actions().contains(action)).unwrap_or(Action::Manage)
}

/// Refuses work that needs more than the caller may do.
pub fn check_work(cx: &Cx, work: &Work) -> Result<()> {
    let power = Power::of_caller(cx);
    let lacks = |need: &Permission| power.scope((need.resource, need.action)) < Some(need.scope);
    match needs_of(work).into_iter().find(lacks) {
        Some(missing) => Err(Domain::Forbidden(missing).into()),
        None => Ok(()),
    }
}

fn refused() -> daybook_store::Error {
    Domain::Conflict(Conflict::BeyondOwnRole).into()
}

/// Refuses to hand over an account that may do more than the caller.
pub(crate) async fn check_account(cx: &Cx, user: &User) -> Result<()> {
    let theirs = Power::of_user(cx, user).await?;
    if Power::of_caller(cx).covers(cx, &theirs).await? { Ok(()) } else { Err(refused()) }
}

/// Refuses changes of an API key that may do more than the caller, since renewing a key returns its secret.
pub(crate) async fn check_key(cx: &Cx, key: &ApiKey) -> Result<()> {
    if Power::of_caller(cx).covers(cx, &Power::of_key(key)).await? { Ok(()) } else { Err(refused()) }
}

/// Refuses a wider scope in a role, for users who may be in any team, unless the caller reaches all records. A restored role
/// may have users, too.
pub(crate) fn check_role(cx: &Cx, before: Option<&CustomRole>, after: Option<&CustomRole>) -> Result<()> {
    let Some(after) = after.filter(|after| before.is_some() || after.version > 1) else { return Ok(()) };
    let before = before.map(CustomRole::grants).unwrap_or_default();
    let after = after.grants();
    let beyond = |one: Permission| {
        before.scope(one.resource, one.action) < Some(Scope::Team)
            && cx.grants.scope(one.resource, one.action) != Some(Scope::All)
    };
    if team_permissions(&after).any(beyond) { Err(refused()) } else { Ok(()) }
}

/// Refuses a role for a user who would reach records of teams that the caller doesn't reach. Of two changes that together
/// reach further than the caller, one fails by the lock.
pub(crate) async fn check_grant(cx: &Cx, tx: Tx, user: UserId, before: &Grants, role: RoleRef) -> Result<Tx> {
    let gained: Vec<Permission> = team_permissions(&grants_of(&cx.env, cx.org, role).await?)
        .filter(|one| before.scope(one.resource, one.action) < Some(Scope::Team))
        .collect();
    if gained.iter().all(|one| cx.grants.scope(one.resource, one.action) == Some(Scope::All)) {
        return Ok(tx);
    }
    let lock = PowerLock::read(&cx.env, cx.org).await?;
    if let Reach::Owners(mates) = reach_with(&cx.env, cx.org, Some(user), Scope::Team).await? {
        Power::of_caller(cx).check_reach(cx, &gained, without(&mates, user)).await?;
    }
    lock.taken(cx.org, tx)
}

/// Refuses new members of a team, if they or the others would reach records that the caller doesn't reach. Deleted members
/// count, as their API keys work on for a while, and they may be restored.
pub(crate) async fn check_team(cx: &Cx, tx: Tx, before: Option<&Team>, after: Option<&Team>) -> Result<Tx> {
    let members = |team: Option<&Team>| -> BTreeSet<UserId> {
        team.map(|team| team.member_ids.iter().copied().collect()).unwrap_or_default()
    };
    let (before, after) = (members(before), members(after));
    let joining: BTreeSet<UserId> = after.difference(&before).copied().collect();
    if joining.is_empty() || cx.actor == Actor::System || cx.grants.cover(&Grants::all()) {
        return Ok(tx);
    }
    let lock = PowerLock::read(&cx.env, cx.org).await?;
    let unscoped = cx.unscoped();
    let mut users = unscoped.records::<User>(after.iter().map(|id| (*id).into())).await?;
    for id in after.iter().map(|id| AnyId::from(*id)) {
        if !users.contains_key(&id) {
            users.extend(unscoped.trash().find::<User>(id).await?.map(|user| (id, user.into_inner())));
        }
    }
    let power = Power::of_caller(cx);
    let mut roles: HashMap<RoleRef, Vec<Permission>> = HashMap::new();
    for user in users.values() {
        let permissions = match roles.entry(user.role) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(role) => {
                let grants = grants_if_there(&cx.env, cx.org, user.role).await?;
                role.insert(grants.map_or_else(all_of_teams, |grants| team_permissions(&grants).collect()))
            }
        };
        let gained = if before.contains(&user.id) { &joining } else { &after };
        power.check_reach(cx, permissions, without(gained, user.id)).await?;
    }
    lock.taken(cx.org, tx)
}

/// All permissions with the scope `team`: those that a deleted role may have once it is restored.
fn all_of_teams() -> Vec<Permission> {
    Permission::catalogue().filter(|one| one.scope == Scope::Team).collect()
}

fn team_permissions(grants: &Grants) -> impl Iterator<Item = Permission> {
    grants.list().into_iter().filter(|one| one.scope == Scope::Team)
}

fn without(users: &BTreeSet<UserId>, one: UserId) -> BTreeSet<UserId> {
    users.iter().copied().filter(|user| *user != one).collect()
}
