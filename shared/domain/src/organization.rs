//! Organisations: the tenants.

use crate::record::{Claim, ClaimKind, Record};
use crate::{EmailAddress, Line, Locale, OrgId, RecordType, Stamp, Timestamp, Zone, record_events, record_head};
use serde::{Deserialize, Serialize};

/// A tenant: everything else belongs to one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Organization {
    /// The id.
    pub id: OrgId,
    /// The version.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// What it is called, in mails too.
    pub name: Line<120>,
    /// The language of mails to its team.
    pub locale: Locale,
    /// The zone of times that come without one.
    #[serde(default)]
    pub timezone: Zone,
    /// Where its team is told of new leads.
    pub team_addresses: Vec<EmailAddress>,
}

impl Organization {
    /// An organisation as it is made for its first owner.
    pub fn new(id: OrgId, name: Line<120>, locale: Locale, owner: &EmailAddress, stamp: &Stamp) -> Organization {
        Organization {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            name,
            locale,
            timezone: Zone::default(),
            team_addresses: vec![owner.clone()],
        }
    }
}

impl Record for Organization {
    const TYPE: RecordType = RecordType::Organization;

    record_head!();
    record_events!(OrganizationCreated, OrganizationUpdated, OrganizationDeleted, OrganizationRestored);

    fn claims(&self) -> Vec<Claim> {
        vec![Claim { kind: ClaimKind::Organization, value: self.id.to_string() }]
    }
}
