//! Teams: groups of users who may access each other's records if their role has the scope `team`.

use crate::error::{Unit, Violations};
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{Claim, ClaimKind, Record, Reference};
use crate::words::normalize;
use crate::{AnyId, Edit, Error, Line, RecordType, Rule, TeamId, Timestamp, UserId, record_events, record_head};
use serde::{Deserialize, Serialize};

/// The most members of a team.
pub const MOST_MEMBERS: usize = 200;

/// A team of users, who may access each other's records with the scope `team`. A user may be in several teams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Team {
    /// The id.
    #[field(read_only)]
    pub id: TeamId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The name; unique in the organisation.
    #[field(required)]
    pub name: Line<120>,
    /// The members, at most 200. Deleted users stay members, so that the team keeps access to their records.
    #[field(default = Vec::new())]
    pub member_ids: Vec<UserId>,
}

impl Team {
    /// The team without duplicate members, or the rule that it breaks.
    fn checked(mut self) -> Result<Team, Error> {
        self.member_ids.sort();
        self.member_ids.dedup();
        let mut violations = Violations::default();
        if self.member_ids.len() > MOST_MEMBERS {
            violations.add("/member_ids", Rule::TooLong { max: MOST_MEMBERS, unit: Unit::Entries });
        }
        violations.into_result().map(|()| self)
    }
}

impl Record for Team {
    const TYPE: RecordType = RecordType::Team;
    type Id = TeamId;
    type Context = ();
    const RESOURCE: Resource = Resource::Users;
    const SAMPLE: &'static str = r#"{"name": "North", "member_ids": ["usr_{id}"]}"#;

    record_head!();
    record_events!(TeamCreated, TeamUpdated, TeamDeleted, TeamRestored);

    fn settle(edit: Edit<'_, Team>, (): &()) -> Result<Team, Error> {
        edit.wanted.checked()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim { kind: ClaimKind::Name, value: normalize(self.name.as_str()) }]
    }

    /// The members, so that a user's teams can be listed as the user's children.
    fn parents(&self) -> Vec<AnyId> {
        self.member_ids.iter().map(|id| AnyId::from(*id)).collect()
    }

    fn references(&self) -> Vec<Reference> {
        self.member_ids.iter().map(|id| Reference { id: (*id).into(), pointer: "/member_ids" }).collect()
    }
}
