//! Who may do what: resources, actions, scopes, and the roles that come with them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Words of permission strings.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The word in permission strings.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    )*};
}

words! {
    /// What a permission is about.
    Resource {
        /// Leads.
        Leads "leads",
        /// Posted forms.
        Submissions "submissions",
        /// Demonstrations.
        Demos "demos",
        /// Forms of websites.
        Forms "forms",
        /// Other systems that are kept in step.
        Integrations "integrations",
        /// Users.
        Users "users",
    }

    /// What a permission lets somebody do.
    Action {
        /// See.
        Read "read",
        /// Make.
        Create "create",
        /// Change, and restore from the trash.
        Update "update",
        /// Move to the trash.
        Delete "delete",
    }

    /// Which records a permission reaches.
    Scope {
        /// Records one owns, and records nobody owns yet.
        Own "own",
        /// Records of one's team. Without teams this is the same as `All`.
        Team "team",
        /// All records of the organisation.
        All "all",
    }
}

/// A permission such as `leads:read:own`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What it is about.
    pub resource: Resource,
    /// What it lets somebody do.
    pub action: Action,
    /// How far it reaches.
    pub scope: Scope,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.resource.name(), self.action.name(), self.scope.name())
    }
}

/// The roles every organisation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything; there is always one.
    Owner,
    /// May do everything but remove the owner.
    Admin,
    /// Leads a team.
    Manager,
    /// Works on their own records.
    Sales,
    /// Serves customers; sees all.
    Support,
    /// Sees all, changes nothing.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 6] = [Role::Owner, Role::Admin, Role::Manager, Role::Sales, Role::Support, Role::Viewer];

    /// How far the role may do this, or `None` where it may not.
    pub fn scope(self, resource: Resource, action: Action) -> Option<Scope> {
        match self {
            Role::Owner | Role::Admin => Some(Scope::All),
            Role::Manager => match resource {
                Resource::Forms | Resource::Users => (action == Action::Read).then_some(Scope::All),
                Resource::Leads | Resource::Demos | Resource::Submissions => Some(Scope::Team),
                Resource::Integrations => None,
            },
            Role::Sales => match (resource, action) {
                (Resource::Leads | Resource::Demos, Action::Read | Action::Create | Action::Update) => Some(Scope::Own),
                (Resource::Forms, Action::Read) => Some(Scope::Own),
                _ => None,
            },
            Role::Support | Role::Viewer if resource == Resource::Integrations => None,
            Role::Support | Role::Viewer => (action == Action::Read).then_some(Scope::All),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_reads_and_does_nothing_else() {
        for action in [Action::Create, Action::Update, Action::Delete] {
            assert_eq!(Role::Viewer.scope(Resource::Leads, action), None);
        }
        assert_eq!(Role::Viewer.scope(Resource::Leads, Action::Read), Some(Scope::All));
    }

    #[test]
    fn sales_people_work_on_their_own_leads_and_delete_none() {
        assert_eq!(Role::Sales.scope(Resource::Leads, Action::Update), Some(Scope::Own));
        assert_eq!(Role::Sales.scope(Resource::Leads, Action::Delete), None);
    }
}
