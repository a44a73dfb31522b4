//! AI settings: how an organisation uses AI. Every organisation has them from the start.

use crate::ai::budget::{Limits, MOST_TOKENS};
use crate::field::Fields;
use crate::permission::{Action, Resource, RoleRef};
use crate::record::Record;
use crate::{
    AiSettingsId, Edit, Error, Line, OrgId, Prose, RecordType, Rule, Several, Timestamp, Violations, record_events,
    record_head,
};
use serde::{Deserialize, Serialize};

/// The number of days after which temporary conversations are erased, unless set.
const TEMPORARY_DAYS: u16 = 30;

/// The models that users of a role may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RoleModels {
    /// The role.
    pub role: RoleRef,
    /// The names of the models; none if `null`.
    #[schema(value_type = Option<Vec<Line<100>>>, max_items = 50)]
    pub models: Several<Line<100>, 50>,
}

/// How an organisation uses AI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct AiSettings {
    /// The id.
    #[field(read_only)]
    pub id: AiSettingsId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When they were created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When they were last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The budget of the organisation. Days and months are those of UTC.
    #[field(default = Limits::default())]
    pub organization: Limits,
    /// The budget of each user.
    #[field(default = Limits::default())]
    pub per_user: Limits,
    /// The models that roles may use; a role that isn't listed may use all.
    #[schema(value_type = Vec<RoleModels>, max_items = 50)]
    #[field(default = Several::default())]
    pub models: Several<RoleModels, 50>,
    /// The model of conversations and requests that name none.
    pub default_model: Option<Line<100>>,
    /// Instructions that every conversation begins with.
    pub instructions: Option<Prose<8000>>,
    /// Whether users may give instructions of their own: the prompt of a conversation.
    #[field(default = true)]
    pub own_prompts: bool,
    /// Hosts that answers may link to, such as `docs.example.com` or `*.example.com`; links to others are removed.
    #[schema(value_type = Vec<Line<253>>, max_items = 50)]
    #[field(default = Several::default())]
    pub link_hosts: Several<Line<253>, 50>,
    /// After how many days temporary conversations are erased, 1 to 365.
    #[field(default = TEMPORARY_DAYS)]
    #[schema(minimum = 1, maximum = 365)]
    pub temporary_days: u16,
}

impl AiSettings {
    /// The settings of an organisation that has changed none.
    pub fn default_of(org: OrgId) -> AiSettings {
        AiSettings {
            id: AiSettingsId::of(org),
            version: 0,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            organization: Limits::default(),
            per_user: Limits::default(),
            models: Several::default(),
            default_model: None,
            instructions: None,
            own_prompts: true,
            link_hosts: Several::default(),
            temporary_days: TEMPORARY_DAYS,
        }
    }

    /// Whether users of a role may use a model.
    pub fn allows(&self, role: RoleRef, model: &str) -> bool {
        let listed = self.models.as_slice().iter().find(|one| one.role == role);
        listed.is_none_or(|one| one.models.as_slice().iter().any(|name| name.as_str() == model))
    }

    /// The hosts that answers may link to.
    pub fn hosts(&self) -> Vec<String> {
        self.link_hosts.as_slice().iter().map(|host| host.as_str().to_owned()).collect()
    }

    fn checked(self) -> Result<AiSettings, Error> {
        let mut violations = Violations::default();
        if !(1..=365).contains(&self.temporary_days) {
            violations.add("/temporary_days", Rule::Range { min: 1, max: 365 });
        }
        for (place, limits) in [("/organization", &self.organization), ("/per_user", &self.per_user)] {
            for (name, tokens) in [("daily_tokens", limits.daily_tokens), ("monthly_tokens", limits.monthly_tokens)] {
                if tokens.is_some_and(|tokens| tokens > MOST_TOKENS) {
                    violations.add(format!("{place}/{name}"), Rule::Range { min: 0, max: MOST_TOKENS as i64 });
                }
            }
        }
        for (n, host) in self.link_hosts.as_slice().iter().enumerate() {
            let name = host.as_str().strip_prefix("*.").unwrap_or(host.as_str());
            let is_label = |label: &str| {
                !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            };
            if !name.split('.').all(is_label) || !name.contains('.') {
                let rule = Rule::format("a host, such as docs.example.com", "是主机名，例如 docs.example.com");
                violations.add(format!("/link_hosts/{n}"), rule);
            }
        }
        for (n, one) in self.models.as_slice().iter().enumerate() {
            if self.models.as_slice()[..n].iter().any(|other| other.role == one.role) {
                let rule = Rule::format("a role that is listed once", "是只列出一次的角色");
                violations.add(format!("/models/{n}/role"), rule);
            }
        }
        violations.into_result().map(|()| self)
    }
}

impl Record for AiSettings {
    const TYPE: RecordType = RecordType::AiSettings;
    type Id = AiSettingsId;
    type Context = ();
    const RESOURCE: Resource = Resource::Ai;
    const READING: (Resource, Action) = (Resource::Ai, Action::Admin);
    const FROM_START: bool = true;
    const UNDONE: bool = false;
    const SAMPLE: &'static str = r#"{"organization": {"daily_usd": 5}, "per_user": {"daily_tokens": 100000}, "models": [], "own_prompts": true, "link_hosts": [], "temporary_days": 30}"#;

    record_head!();
    record_events!(AiSettingsCreated, AiSettingsUpdated, AiSettingsDeleted, AiSettingsRestored);

    fn settle(edit: Edit<'_, AiSettings>, (): &()) -> Result<AiSettings, Error> {
        edit.wanted.checked()
    }
}

crate::as_text!(RoleModels);
