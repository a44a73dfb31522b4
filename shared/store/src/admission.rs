//! Who may come in: what a token or key stands for at this moment, in one read.

use crate::cx::record_of;
use crate::rows::key_secret::KeySecret;
use crate::rows::session::Session;
use crate::schema::Place;
use crate::table::parse_item;
use crate::{Cx, Env, Result};
use daybook_domain::api_key::ApiKey;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Action, Grants, Permission, Resource, RoleRef, Scope};
use daybook_domain::role::CustomRole;
use daybook_domain::team::Team;
use daybook_domain::user::{Status, User};
use daybook_domain::{Actor, ApiKeyId, Error as Domain, OrgId, RecordType, SessionId, UserId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How far the actor's permission reaches on a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All records of the organisation.
    All,
    /// Records of these users, and records nobody owns yet.
    Owners(Arc<BTreeSet<UserId>>),
}

impl Reach {
    /// Records of one user, and records nobody owns yet.
    pub fn own(user: Option<UserId>) -> Reach {
        Reach::Owners(Arc::new(user.into_iter().collect()))
    }

    /// Whether it reaches a record of this owner.
    pub fn holds(&self, owner: Option<UserId>) -> bool {
        match self {
            Reach::All => true,
            Reach::Owners(owners) => owner.is_none_or(|owner| owners.contains(&owner)),
        }
    }
}

/// A user who is signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Their session.
    pub session: Session,
    /// Who they are.
    pub user: User,
    /// Their organisation.
    pub organization: Organization,
}

/// A key that is in force.
#[derive(Clone, Debug)]
pub struct KeyInForce {
    /// The key.
    pub key: ApiKey,
    /// The hash of its secret.
    pub secret: KeySecret,
    /// Its organisation.
    pub organization: Organization,
}

impl SignedIn {
    /// Who is signed in with a session; nobody, where it has ended, or the user may not sign in any more.
    pub async fn read(env: &Env, org: OrgId, user: UserId, session: SessionId) -> Result<Option<SignedIn>> {
        let places = [Place::Session(org, session), Place::Record(org, user.into()), Place::Record(org, org.into())];
        let [session, user, organization] = env.table.get_all_often(places.map(|place| place.key())).await?;
        let (Some(session), Some(user), Some(organization)) = (session, user, organization) else { return Ok(None) };
        let session: Session = parse_item(session)?;
        let user = record_of::<User>(user)?.into_inner();
        let good = user.status == Status::Active && session.is_in_force(&user, env.clock.now());
        if !good {
            return Ok(None);
        }
        Ok(Some(SignedIn { session, user, organization: record_of::<Organization>(organization)?.into_inner() }))
    }
}

impl KeyInForce {
    /// The key of an id, if it is in force.
    pub async fn read(env: &Env, org: OrgId, id: ApiKeyId) -> Result<Option<KeyInForce>> {
        let places = [Place::Record(org, id.into()), Place::KeySecret(org, id), Place::Record(org, org.into())];
        let [key, secret, organization] = env.table.get_all_often(places.map(|place| place.key())).await?;
        let (Some(key), Some(secret), Some(organization)) = (key, secret, organization) else { return Ok(None) };
        let key = record_of::<ApiKey>(key)?.into_inner();
        let in_force = key.is_in_force(env.clock.now());
        let (secret, organization) = (parse_item(secret)?, record_of::<Organization>(organization)?);
        Ok(in_force.then_some(KeyInForce { key, secret, organization: organization.into_inner() }))
    }
}

impl Env {
    /// What a role lets somebody do; nothing, where it is gone.
    pub async fn grants_of(&self, org: OrgId, role: RoleRef) -> Result<Grants> {
        match role {
            RoleRef::BuiltIn(role) => Ok(role.grants()),
            RoleRef::Unknown(_) => Ok(Grants::default()),
            RoleRef::Custom(id) => {
                let [item] = self.table.get_all_often([Place::Record(org, id.into()).key()]).await?;
                let role = item.map(record_of::<CustomRole>).transpose()?;
                Ok(role.map(|role| role.grants()).unwrap_or_default())
            }
        }
    }

    /// How far somebody's permission for something reaches; `None` where they have none.
    pub async fn reach_of(
        self: &Arc<Self>,
        (org, actor): (OrgId, &Actor),
        grants: &Grants,
        (resource, action): (Resource, Action),
    ) -> Result<Option<Reach>> {
        let owner = actor.owner();
        Ok(match (grants.scope(resource, action), owner) {
            (None, _) => None,
            (Some(Scope::All), _) => Some(Reach::All),
            (Some(Scope::Team), Some(user)) => Some(self.team_mates(org, user).await?),
            (Some(Scope::Own | Scope::Team), _) => Some(Reach::own(owner)),
        })
    }

    /// A user and the other members of their teams.
    pub async fn team_mates(self: &Arc<Self>, org: OrgId, user: UserId) -> Result<Reach> {
        let cx = self.system(org, "teams");
        let teams = cx.children(user, RecordType::Team).await?;
        let mut mates = BTreeSet::from([user]);
        if !teams.is_empty() {
            let teams = cx.records::<Team>(teams.into_iter()).await?;
            mates.extend(teams.values().flat_map(|team| team.member_ids.iter().copied()));
        }
        Ok(Reach::Owners(Arc::new(mates)))
    }
}

impl Cx {
    /// The same request, as far as the actor's permission for something else reaches; refused where they have none.
    pub async fn reaching(&self, resource: Resource, action: Action) -> Result<Cx> {
        let reach = match (self.grants.scope(resource, action), self.actor.owner()) {
            (Some(Scope::Team), Some(user)) => Some(self.team_mates(user).await?),
            _ => self.env.reach_of((self.org, &self.actor), &self.grants, (resource, action)).await?,
        };
        let reach = reach.ok_or_else(|| Domain::Forbidden(Permission::least(resource, action)))?;
        Ok(Cx { reach, ..self.clone() })
    }

    /// A user and the other members of their teams. They are read once a request, besides what letting it in took.
    async fn team_mates(&self, user: UserId) -> Result<Reach> {
        let ask = async || self.env.team_mates(self.org, user).await;
        let first = async || Ok::<_, crate::Error>((self.org, user, ask().await?));
        match Box::pin(self.mates.get_or_try_init(first)).await? {
            (org, of, mates) if (*org, *of) == (self.org, user) => Ok(mates.clone()),
            _ => ask().await,
        }
    }

    /// The same request, where whose a record is plays no part: what the actor may reach was asked before, or isn't
    /// told.
    #[must_use]
    pub fn everybodys(&self) -> Cx {
        Cx { reach: Reach::All, ..self.clone() }
    }
}
