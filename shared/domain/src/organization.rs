//! Organisations: the tenants, with their settings, owners and allowed networks.

use crate::error::Violations;
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{Claim, ClaimKind, Record};
use crate::user::User;
use crate::{
    Conflict, Edit, EmailAddress, Error, Line, Locale, Network, OrgId, Phone, RecordType, Rule, Stamp, Timestamp, Unit,
    UserId, Zone, record_events, record_head,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The most owners of an organisation.
pub const MOST_OWNERS: usize = 50;

/// The most networks in a list.
const MOST_NETWORKS: usize = 200;

/// The most e-mail addresses notified of new leads.
const MOST_ADDRESSES: usize = 20;

/// A tenant: every other record belongs to one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Organization {
    /// The id.
    #[field(read_only)]
    pub id: OrgId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The name, also used in mails.
    pub name: Line<120>,
    /// The language of mails to its team.
    pub locale: Locale,
    /// The time zone of times given without an offset.
    #[serde(default)]
    pub timezone: Zone,
    /// The country of phone numbers without a country code (ISO 3166), except those from forms, which have their own
    /// country.
    #[serde(default = "Phone::default_country")]
    pub phone_country: Line<2>,
    /// The e-mail addresses notified of new leads.
    pub team_addresses: Vec<EmailAddress>,
    /// The active owners. Updated in the same transaction as the users, so that there is always at least one.
    #[serde(default)]
    #[field(read_only)]
    pub owner_ids: Vec<UserId>,
    /// The networks that its users and API keys may use; if empty, any network.
    #[serde(default)]
    pub allowed_networks: Vec<Network>,
    /// The networks that they may not use; takes precedence over the allowed ones.
    #[serde(default)]
    pub denied_networks: Vec<Network>,
    /// Whether the audit log also records reads.
    #[serde(default)]
    pub records_reads: bool,
}

/// A request to create an organisation on behalf of its future owner.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewOrganization {
    /// The name.
    pub name: Line<120>,
    /// The future owner, who is invited by mail.
    pub owner_email: EmailAddress,
    /// The language of mails to its team.
    pub locale: Option<Locale>,
    /// The time zone of times given without an offset.
    pub timezone: Option<Zone>,
    /// The country of phone numbers without a country code (ISO 3166); `CN` unless set.
    pub phone_country: Option<Line<2>>,
}

impl Organization {
    /// A new organisation whose owner is invited; it has no owner until the invitation is accepted.
    pub fn invited(id: OrgId, new: NewOrganization, stamp: &Stamp) -> Organization {
        Organization {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            name: new.name,
            locale: new.locale.unwrap_or(Locale::Chinese),
            timezone: new.timezone.unwrap_or_default(),
            phone_country: new.phone_country.unwrap_or_else(Phone::default_country),
            team_addresses: vec![new.owner_email],
            owner_ids: Vec::new(),
            allowed_networks: Vec::new(),
            denied_networks: Vec::new(),
            records_reads: false,
        }
    }

    /// The organisation, or the rules that it breaks.
    fn checked(self) -> Result<Organization, Error> {
        let mut violations = Violations::default();
        let lists = [("/allowed_networks", &self.allowed_networks), ("/denied_networks", &self.denied_networks)];
        for (place, list) in lists {
            if list.len() > MOST_NETWORKS {
                violations.add(place, Rule::TooLong { max: MOST_NETWORKS, unit: Unit::Entries });
            }
        }
        if self.team_addresses.len() > MOST_ADDRESSES {
            violations.add("/team_addresses", Rule::TooLong { max: MOST_ADDRESSES, unit: Unit::Entries });
        }
        Phone::check_country(&self.phone_country, &mut violations);
        violations.into_result().map(|()| self)
    }

    /// A new organisation with its first owner.
    pub fn new(id: OrgId, name: Line<120>, locale: Locale, owner: &User, stamp: &Stamp) -> Organization {
        Organization {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            name,
            locale,
            timezone: Zone::default(),
            phone_country: Phone::default_country(),
            team_addresses: vec![owner.email.clone()],
            owner_ids: vec![owner.id],
            allowed_networks: Vec::new(),
            denied_networks: Vec::new(),
            records_reads: false,
        }
    }

    /// The organisation with its owners updated for a changed or deleted user. Refused if no owner is left.
    pub fn with_user(&self, id: UserId, user: Option<&User>) -> Result<Organization, Error> {
        let mut owner_ids = self.owner_ids.clone();
        let owns = user.is_some_and(User::is_acting_owner);
        match owner_ids.iter().position(|owner| *owner == id) {
            Some(at) if !owns => _ = owner_ids.remove(at),
            None if owns => owner_ids.push(id),
            _ => {}
        }
        if owner_ids.is_empty() {
            return Err(Error::Conflict(Conflict::LastOwner));
        }
        if owner_ids.len() > MOST_OWNERS {
            return Err(Error::invalid("/role", Rule::TooLong { max: MOST_OWNERS, unit: Unit::Entries }));
        }
        Ok(Organization { owner_ids, ..self.clone() })
    }

    /// Refuses deletion by users who aren't owners.
    pub fn may_be_removed_by(&self, user: Option<UserId>) -> Result<(), Error> {
        match user.is_some_and(|user| self.owner_ids.contains(&user)) {
            true => Ok(()),
            false => Err(Error::Conflict(Conflict::BeyondOwnRole)),
        }
    }

    /// Refuses lists of networks that would lock out the caller.
    pub fn keeps_in(&self, address: Option<IpAddr>) -> Result<(), Error> {
        if self.admits(address) {
            return Ok(());
        }
        let rule = Rule::format("set so that your own address stays allowed", "允许您当前使用的 IP 地址");
        Err(Error::invalid("/allowed_networks", rule))
    }

    /// Whether its users and API keys may use an address, as reported by the gateway or the socket.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        let within = |networks: &[Network]| address.is_some_and(|ip| networks.iter().any(|network| network.holds(ip)));
        !within(&self.denied_networks) && (self.allowed_networks.is_empty() || within(&self.allowed_networks))
    }
}

impl Record for Organization {
    const TYPE: RecordType = RecordType::Organization;
    type Id = OrgId;
    type Context = ();
    const RESOURCE: Resource = Resource::Organization;
    const SAMPLE: &'static str =
        r#"{"name": "ABC", "locale": "en", "team_addresses": ["team@example.com"], "owner_ids": ["usr_{id}"]}"#;

    const KEPT: &'static [&'static str] = <Organization as Fields>::READ_ONLY;

    record_head!();
    record_events!(OrganizationCreated, OrganizationUpdated, OrganizationDeleted, OrganizationRestored);

    fn settle(edit: Edit<'_, Organization>, (): &()) -> Result<Organization, Error> {
        edit.wanted.checked()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim { kind: ClaimKind::Organization, value: self.id.to_string() }]
    }
}
