//! Permissions: the catalogue of resources, actions and scopes, and the built-in roles of every organisation.
//!
//! A permission is written `resource:action:scope` if the resource's records have owners (`leads:read:own`), and
//! `resource:action` if they have none (`audit:read`).

use crate::{NotAnId, Reference, RoleId, Rule, Unknown};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Defines the parts of permission strings.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All values.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The name in permission strings.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            fn of(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|known| known.name() == word)
            }
        }
    )*};
}

words! {
    /// The action that a permission allows.
    Action {
        /// Read.
        Read "read",
        /// Create.
        Create "create",
        /// Update, and restore from the trash.
        Update "update",
        /// Move to the trash.
        Delete "delete",
        /// Export to a file.
        Export "export",
        /// Create, update and delete.
        Manage "manage",
        /// Undo.
        Revert "revert",
        /// Use, at the organisation's expense.
        Use "use",
        /// Set up: budgets and permitted models; and see the use of all users.
        Admin "admin",
        /// Read what other users wrote for themselves; each such read is in the audit log.
        Inspect "inspect",
    }

    /// The records that a permission covers; each scope includes the one before it.
    Scope {
        /// The user's own records, and unassigned ones.
        Own "own",
        /// Also the records of the other members of the user's teams.
        Team "team",
        /// All records of the organisation.
        All "all",
    }
}

/// Defines the resources of permissions: those of record types, as the registry lists them, and those of no type.
#[doc(hidden)]
#[macro_export]
macro_rules! define_resources {
    (;$($(#[$doc:meta])* $kind:ident $name:literal $chinese:literal,
       $(#[$id_doc:meta])* $id:ident $prefix:literal = $path:ty,
       $($(#[$may_doc:meta])* may $resource:ident $may:literal as $access:ident,)? events { $($events:tt)* };)*) => {
        words! {
            /// The resource of a permission.
            Resource {
                $($($(#[$may_doc])* $resource $may,)?)*
                /// Integrations with other systems.
                Integrations "integrations",
                /// The audit log.
                Audit "audit",
            }
        }

        impl Resource {
            /// The actions on the resource, and what the built-in roles may do.
            fn access(self) -> &'static Access {
                match self {
                    $($(Resource::$resource => &Access::$access,)?)*
                    Resource::Integrations => &Access::RIGHTS,
                    Resource::Audit => &Access::AUDIT,
                }
            }
        }
    };
}

crate::record_types!(define_resources);

/// The actions on a resource, and what each built-in role may do with it. Owners and administrators may do everything.
struct Access {
    actions: &'static [Action],
    /// The scopes of its permissions: none to choose from where its records have no owners.
    scopes: &'static [Scope],
    manager: May,
    sales: May,
    support: May,
    viewer: May,
}

/// What a role may do with a resource, and within which scope.
enum May {
    /// Nothing.
    Nothing,
    /// Read.
    Read(Scope),
    /// Read, create and update, but not delete.
    Work(Scope),
    /// Read all records; create and update the user's own.
    Help,
    /// All actions.
    Do(Scope),
    /// Use.
    Use,
}

impl May {
    fn scope(&self, action: Action) -> Option<Scope> {
        let (reads, works) = (action == Action::Read, matches!(action, Action::Create | Action::Update));
        match self {
            May::Nothing => None,
            May::Read(scope) => reads.then_some(*scope),
            May::Work(scope) => (reads || works).then_some(*scope),
            May::Help if reads => Some(Scope::All),
            May::Help => works.then_some(Scope::Own),
            May::Do(scope) => Some(*scope),
            May::Use => (action == Action::Use).then_some(Scope::All),
        }
    }
}

impl Access {
    /// Records that are assigned to users. The role sales can't delete them.
    const ASSIGNED: Access = Access {
        actions: &[Action::Read, Action::Create, Action::Update, Action::Delete],
        scopes: Scope::ALL,
        manager: May::Do(Scope::Team),
        sales: May::Work(Scope::Own),
        support: May::Read(Scope::All),
        viewer: May::Read(Scope::All),
    };

    /// Requests of visitors that staff process; can't be deleted.
    const ARRANGED: Access = Access { actions: &[Action::Read, Action::Create, Action::Update], ..Access::ASSIGNED };

    /// Submissions, which are released or marked as spam.
    const RECEIVED: Access =
        Access { actions: &[Action::Read, Action::Update], sales: May::Nothing, ..Access::ASSIGNED };

    /// Interactions and tasks of users.
    const ACTIVITY: Access = Access { sales: May::Do(Scope::Own), support: May::Help, ..Access::ASSIGNED };

    /// Views: users see only their own and shared ones, unless they are administrators, since a view's name may name people.
    const KEPT: Access = Access {
        manager: May::Do(Scope::Own),
        sales: May::Do(Scope::Own),
        support: May::Do(Scope::Own),
        viewer: May::Read(Scope::Own),
        ..Access::ASSIGNED
    };

    /// Jobs: users see only their own, unless they are administrators, since the files of a job may hold any data.
    const ASKED_FOR: Access = Access { actions: &[Action::Read], ..Access::KEPT };

    /// What every user keeps for themselves; administrators don't see it either.
    const PRIVATE: Access = Access { scopes: &[Scope::Own], viewer: May::Do(Scope::Own), ..Access::KEPT };

    /// Settings that all roles read and administrators manage.
    const SETTINGS: Access = Access {
        actions: &[Action::Read, Action::Manage],
        scopes: &[Scope::All],
        manager: May::Read(Scope::All),
        sales: May::Read(Scope::All),
        support: May::Read(Scope::All),
        viewer: May::Read(Scope::All),
    };

    /// Settings that all roles read, and managers manage too.
    const SHARED: Access = Access { manager: May::Do(Scope::All), ..Access::SETTINGS };

    /// Settings only for owners and administrators.
    const RIGHTS: Access = Access {
        actions: &[Action::Manage],
        scopes: &[Scope::All],
        manager: May::Nothing,
        sales: May::Nothing,
        support: May::Nothing,
        viewer: May::Nothing,
    };

    /// The audit log.
    const AUDIT: Access = Access {
        actions: &[Action::Read, Action::Export, Action::Revert],
        manager: May::Read(Scope::All),
        ..Access::RIGHTS
    };

    /// The AI chat, which costs money. Viewers change nothing, and spend nothing.
    const AI: Access = Access {
        actions: &[Action::Use, Action::Admin, Action::Inspect],
        manager: May::Use,
        sales: May::Use,
        support: May::Use,
        ..Access::RIGHTS
    };
}

impl Resource {
    /// The actions that permissions exist for.
    pub fn actions(self) -> &'static [Action] {
        self.access().actions
    }

    /// Whether its records have owners, so that permissions have scopes.
    pub fn is_owned(self) -> bool {
        self.scopes() != [Scope::All]
    }

    /// The scopes of its permissions.
    pub fn scopes(self) -> &'static [Scope] {
        self.access().scopes
    }

    /// Whether its records are for their owners alone, whatever a role may do.
    pub fn is_private(self) -> bool {
        self.scopes() == [Scope::Own]
    }

    /// The widest scope of its permissions.
    pub fn widest(self) -> Scope {
        self.scopes().last().copied().unwrap_or(Scope::All)
    }
}

/// A permission such as `leads:read:own` or `audit:read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The resource.
    pub resource: Resource,
    /// The action.
    pub action: Action,
    /// The scope; `all` if the records have no owners.
    pub scope: Scope,
}

impl Permission {
    /// The permission for this action with the narrowest scope.
    pub fn least(resource: Resource, action: Action) -> Permission {
        Permission { resource, action, scope: resource.scopes()[0] }
    }

    /// All permissions.
    pub fn catalogue() -> impl Iterator<Item = Permission> {
        let of_action = |resource: Resource, action: Action| {
            resource.scopes().iter().map(move |&scope| Permission { resource, action, scope })
        };
        let of_resource =
            move |&resource: &Resource| resource.actions().iter().flat_map(move |&action| of_action(resource, action));
        Resource::ALL.iter().flat_map(of_resource)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource.name(), self.action.name())?;
        if self.resource.is_owned() { write!(f, ":{}", self.scope.name()) } else { Ok(()) }
    }
}

impl FromStr for Permission {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Permission, Rule> {
        let read = || {
            let mut words = text.split(':');
            let (resource, action) = (Resource::of(words.next()?)?, Action::of(words.next()?)?);
            let scope = words.next();
            let scope =
                if resource.is_owned() { Scope::of(scope?)? } else { scope.map_or(Some(Scope::All), |_| None)? };
            let known =
                words.next().is_none() && resource.actions().contains(&action) && resource.scopes().contains(&scope);
            known.then_some(Permission { resource, action, scope })
        };
        read().ok_or_else(|| Rule::OneOf { allowed: Permission::catalogue().map(|one| one.to_string()).collect() })
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::open::read(from, str::parse, |_| None)
    }
}

impl utoipa::PartialSchema for Permission {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let names = Permission::catalogue().map(|permission| permission.to_string());
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(names.collect::<Vec<_>>()))
            .into()
    }
}

impl utoipa::ToSchema for Permission {}

/// A permission held by a role or API key. It may be one that only a newer version knows, which grants nothing in this
/// version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldPermission {
    /// A known permission.
    Known(Permission),
    /// A permission that only a newer version knows.
    Unknown(Unknown),
}

impl HeldPermission {
    /// The permissions without duplicates, with the widest scope of each action; unknown ones unchanged.
    pub fn normalized(held: &[HeldPermission]) -> Vec<HeldPermission> {
        let grants: Grants = held.iter().copied().collect();
        let mut known = grants.list();
        known.sort_by_key(ToString::to_string);
        let known = known.into_iter().map(HeldPermission::Known);
        known.chain(grants.unknown.into_iter().map(HeldPermission::Unknown)).collect()
    }
}

impl From<Permission> for HeldPermission {
    fn from(permission: Permission) -> HeldPermission {
        HeldPermission::Known(permission)
    }
}

impl Serialize for HeldPermission {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            HeldPermission::Known(permission) => permission.serialize(to),
            HeldPermission::Unknown(word) => word.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for HeldPermission {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let known = |text: &str| text.parse().map(HeldPermission::Known);
        crate::open::read(from, known, |text| Unknown::of(text).map(HeldPermission::Unknown))
    }
}

impl utoipa::PartialSchema for HeldPermission {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        Permission::schema()
    }
}

impl utoipa::ToSchema for HeldPermission {
    fn name() -> std::borrow::Cow<'static, str> {
        "Permission".into()
    }
}

/// A set of permissions: the scope for each resource and action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    known: BTreeMap<(Resource, Action), Scope>,
    /// Permissions that only a newer version knows: they grant nothing in this version, and only users who hold them can
    /// pass them on.
    unknown: BTreeSet<Unknown>,
}

impl Grants {
    /// All permissions, as the system actor has.
    pub fn all() -> Grants {
        Permission::catalogue().collect()
    }

    /// The scope of an action, or `None` if it isn't granted.
    pub fn scope(&self, resource: Resource, action: Action) -> Option<Scope> {
        self.known.get(&(resource, action)).copied()
    }

    /// Whether these permissions include all of the others.
    pub fn cover(&self, those: &Grants) -> bool {
        let known = |(what, scope)| self.known.get(what).is_some_and(|mine: &Scope| mine >= scope);
        those.known.iter().all(known) && those.unknown.is_subset(&self.unknown)
    }

    /// These permissions as far as others include them.
    #[must_use]
    pub fn within(&self, others: &Grants) -> Grants {
        let within = |(what, scope): (&(Resource, Action), &Scope)| Some((*what, *scope.min(others.known.get(what)?)));
        let unknown = self.unknown.intersection(&others.unknown).copied().collect();
        Grants { known: self.known.iter().filter_map(within).collect(), unknown }
    }

    /// These permissions without those to administer: to manage settings, and to undo.
    #[must_use]
    pub fn without_administration(&self) -> Grants {
        let administers =
            |action: Action| matches!(action, Action::Manage | Action::Revert | Action::Admin | Action::Inspect);
        let known = self.known.iter().filter(|((_, action), _)| !administers(*action));
        Grants { known: known.map(|(what, scope)| (*what, *scope)).collect(), unknown: BTreeSet::new() }
    }

    /// The permissions, each with its widest scope.
    pub fn list(&self) -> Vec<Permission> {
        self.known.iter().map(|(&(resource, action), &scope)| Permission { resource, action, scope }).collect()
    }
}

impl FromIterator<Permission> for Grants {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Grants {
        permissions.into_iter().map(HeldPermission::Known).collect()
    }
}

impl FromIterator<HeldPermission> for Grants {
    fn from_iter<I: IntoIterator<Item = HeldPermission>>(permissions: I) -> Grants {
        let mut grants = Grants::default();
        for permission in permissions {
            match permission {
                HeldPermission::Known(Permission { resource, action, scope }) => {
                    let held = grants.known.entry((resource, action)).or_insert(scope);
                    *held = scope.max(*held);
                }
                HeldPermission::Unknown(word) => _ = grants.unknown.insert(word),
            }
        }
        grants
    }
}

/// The built-in roles of every organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RoleName)]
pub enum Role {
    /// May do everything; an organisation always has at least one owner.
    Owner,
    /// May do everything except change owners.
    Admin,
    /// Leads a team.
    Manager,
    /// Works on its own records.
    Sales,
    /// Serves customers; reads all records.
    Support,
    /// Reads all records, changes none.
    Viewer,
}

impl Role {
    /// All built-in roles.
    pub const ALL: [Role; 6] = [Role::Owner, Role::Admin, Role::Manager, Role::Sales, Role::Support, Role::Viewer];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Manager => "manager",
            Role::Sales => "sales",
            Role::Support => "support",
            Role::Viewer => "viewer",
        }
    }

    /// The action.
    pub fn grants(self) -> Grants {
        let granted = |permission: &Permission| self.scope(permission.resource, permission.action);
        Permission::catalogue()
            .filter_map(|permission| Some(Permission { scope: granted(&permission)?, ..permission }))
            .collect()
    }

    /// The role's scope for an action, or `None` if it isn't granted.
    pub fn scope(self, resource: Resource, action: Action) -> Option<Scope> {
        let access = resource.access();
        match self {
            Role::Owner | Role::Admin => Some(resource.widest()),
            Role::Manager => access.manager.scope(action),
            Role::Sales => access.sales.scope(action),
            Role::Support => access.support.scope(action),
            Role::Viewer => access.viewer.scope(action),
        }
    }
}

/// The role of a user: a built-in role, or a custom role of the organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoleRef {
    /// A built-in role.
    BuiltIn(Role),
    /// A custom role of the organisation.
    Custom(RoleId),
    /// A role that only a newer version knows; it grants nothing in this version.
    Unknown(Unknown),
}

impl RoleRef {
    /// The reference from a field `role` to the custom role, if it is one.
    pub fn references(self) -> Vec<Reference> {
        match self {
            RoleRef::Custom(id) => vec![Reference { id: id.into(), pointer: "/role" }],
            RoleRef::BuiltIn(_) | RoleRef::Unknown(_) => Vec::new(),
        }
    }
}

impl From<Role> for RoleRef {
    fn from(role: Role) -> RoleRef {
        RoleRef::BuiltIn(role)
    }
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RoleRef::BuiltIn(role) => f.write_str(role.name()),
            RoleRef::Custom(id) => id.fmt(f),
            RoleRef::Unknown(word) => f.write_str(word.as_str()),
        }
    }
}

impl FromStr for RoleRef {
    type Err = Rule;

    fn from_str(text: &str) -> Result<RoleRef, Rule> {
        if let Some(role) = Role::ALL.into_iter().find(|role| role.name() == text) {
            return Ok(role.into());
        }
        let allowed = || Role::ALL.iter().map(|role| role.name().to_owned()).chain(["role_…".to_owned()]).collect();
        text.parse().map(RoleRef::Custom).map_err(|_: NotAnId| Rule::OneOf { allowed: allowed() })
    }
}

impl Serialize for RoleRef {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RoleRef {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::open::read(from, str::parse, |text| Unknown::of(text).map(RoleRef::Unknown))
    }
}

impl utoipa::PartialSchema for RoleRef {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let names: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some(format!("^({}|role_[0-7][0-9a-hjkmnp-tv-z]{{25}})$", names.join("|"))))
            .description(Some(format!("One of {}, or the id of a role of the organisation.", names.join(", "))))
            .into()
    }
}

impl utoipa::ToSchema for RoleRef {}

crate::as_text!(RoleRef, HeldPermission);

#[cfg(test)]
#[path = "permission_tests.rs"]
mod tests;
