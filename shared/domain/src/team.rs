//! Teams: users who reach each other's records, where their role says so.

use crate::error::{Unit, Violations};
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{Claim, ClaimKind, Record, Reference};
use crate::words::normalize;
use crate::{AnyId, Edit, Error, Line, RecordType, Rule, TeamId, Timestamp, UserId, record_events, record_head};
use serde::{Deserialize, Serialize};

/// The most members of a team.
pub const MOST_MEMBERS: usize = 200;

/// Users who reach each other's records. Somebody may be in several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Team {
    /// The id.
    #[field(read_only)]
    pub id: TeamId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was made.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// What it is called; unique in the organisation.
    #[field(required)]
    pub name: Line<120>,
    /// Who is in it: at most 200. Users who have left stay, so that their records stay in reach.
    #[field(default = Vec::new())]
    pub member_ids: Vec<UserId>,
}

impl Team {
    /// The team with each member once, or what is wrong with it.
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

    /// Each member lists its teams.
    fn parents(&self) -> Vec<AnyId> {
        self.member_ids.iter().map(|id| AnyId::from(*id)).collect()
    }

    fn references(&self) -> Vec<Reference> {
        self.member_ids.iter().map(|id| Reference { id: (*id).into(), pointer: "/member_ids" }).collect()
    }
}
