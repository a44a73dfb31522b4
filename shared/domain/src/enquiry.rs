//! Enquiries: the fields of a public form about the visitor, the project, consent and attribution.

use crate::choices;
use crate::error::{Rule, Unit};
use crate::masking::masked_url;
use crate::text::breaks_a_line;
use crate::{EmailAddress, Line, Locale, Phone, Prose};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most fields of `extra`.
pub const MOST_EXTRA: usize = 50;

/// The most bytes of JSON of one field of `extra`, name included.
pub const EXTRA_BYTES: usize = 1024;

/// The source of demo leads; they aren't synced to other systems.
pub const DEMO_DATA: &str = "demo_data";

choices! {
    /// The industry of a company.
    Industry {
        /// Manufacturing.
        Manufacturing = "manufacturing",
        /// Energy.
        Energy = "energy",
        /// Power grids.
        PowerGrid = "power_grid",
        /// Petrochemicals.
        Petrochemical = "petrochemical",
        /// Mining.
        Mining = "mining",
        /// Logistics.
        Logistics = "logistics",
        /// Construction.
        Construction = "construction",
        /// Public safety: police, fire brigades and the like.
        PublicSafety = "public_safety",
        /// Agriculture.
        Agriculture = "agriculture",
        /// Research.
        Research = "research",
        /// Anything else.
        Other = "other",
    }

    /// How large a company is.
    CompanySize {
        /// Start-up.
        Startup = "startup",
        /// Small.
        Small = "small",
        /// Medium.
        Medium = "medium",
        /// Large.
        Large = "large",
        /// Very large.
        Enterprise = "enterprise",
    }

    /// The intended use of the product.
    ApplicationArea {
        /// Inspection of plants and lines.
        Inspection = "inspection",
        /// Security.
        Security = "security",
        /// Land surveying.
        Surveying = "surveying",
        /// Rescue.
        Rescue = "rescue",
        /// Logistics.
        Logistics = "logistics",
        /// Research.
        Research = "research",
        /// Education.
        Education = "education",
        /// Anything else.
        Other = "other",
    }

    /// When the project starts.
    ProjectTimeline {
        /// Now.
        Immediate = "immediate",
        /// Within months.
        ShortTerm = "short_term",
        /// Within a year.
        MediumTerm = "medium_term",
        /// Later.
        LongTerm = "long_term",
        /// Not decided.
        Exploring = "exploring",
    }

    /// The budget.
    BudgetRange {
        /// Below 100,000.
        Under100k = "under_100k",
        /// 100,000 to 500,000.
        From100kTo500k = "100k_500k",
        /// 500,000 to a million.
        From500kTo1m = "500k_1m",
        /// One to five million.
        From1mTo5m = "1m_5m",
        /// Above five million.
        Over5m = "over_5m",
        /// Not decided.
        Undecided = "undecided",
    }
}

/// The consent that a person gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Consent {
    /// Whether the person agreed to receive advertisements.
    #[serde(default)]
    pub marketing: bool,
    /// The version of the consent text.
    pub text_version: Option<Line<100>>,
}

/// Marketing attribution: how the visitor came to the website.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Attribution {
    /// The referring site or medium.
    pub utm_source: Option<Line<200>>,
    /// The marketing medium, such as e-mail or search.
    pub utm_medium: Option<Line<200>>,
    /// The campaign.
    pub utm_campaign: Option<Line<200>>,
    /// The paid search keywords.
    pub utm_term: Option<Line<200>>,
    /// The variant of the advertisement.
    pub utm_content: Option<Line<200>>,
    /// Google's click id.
    pub gclid: Option<Line<200>>,
    /// Facebook's click id.
    pub fbclid: Option<Line<200>>,
    /// The referring page.
    pub referrer: Option<Line<1000>>,
    /// The first page visited.
    pub landing_page: Option<Line<1000>>,
}

impl Attribution {
    /// The attribution with secrets masked in its URLs: pages are visited by links with tokens, too.
    pub fn masked(self) -> Attribution {
        Attribution {
            utm_source: masked_line(self.utm_source),
            utm_medium: masked_line(self.utm_medium),
            utm_campaign: masked_line(self.utm_campaign),
            utm_term: masked_line(self.utm_term),
            utm_content: masked_line(self.utm_content),
            gclid: masked_line(self.gclid),
            fbclid: masked_line(self.fbclid),
            referrer: masked_line(self.referrer),
            landing_page: masked_line(self.landing_page),
        }
    }
}

/// A line with secrets masked if it is a URL, truncated to its limit.
fn masked_line<const MAX: usize>(line: Option<Line<MAX>>) -> Option<Line<MAX>> {
    let masked: String = masked_url(line?.as_str()).chars().take(MAX).collect();
    Line::parse(&masked).ok()
}

/// An enquiry: the fields of a public form about the visitor and the project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Enquiry {
    /// Given name.
    pub first_name: Option<Line<100>>,
    /// Family name.
    pub last_name: Option<Line<100>>,
    /// E-mail address.
    pub email: EmailAddress,
    /// Phone number.
    pub phone: Option<Phone>,
    /// Company.
    pub company: Option<Line<200>>,
    /// Job title.
    pub job_title: Option<Line<100>>,
    /// The company's industry.
    pub industry: Option<Industry>,
    /// The company's size.
    pub company_size: Option<CompanySize>,
    /// The intended use of the product.
    pub application_area: Option<ApplicationArea>,
    /// When the project starts.
    pub project_timeline: Option<ProjectTimeline>,
    /// The budget.
    pub budget_range: Option<BudgetRange>,
    /// The requirements, in the visitor's own words.
    pub requirements: Option<Prose<10000>>,
    /// The source, such as a website or a campaign.
    pub source: Option<Line<100>>,
    /// The language to write to them in.
    pub locale: Option<Locale>,
    /// The consent given.
    pub consent: Option<Consent>,
    /// How the visitor came to the website. Top-level `utm_*` fields are accepted too.
    pub attribution: Option<Attribution>,
    /// All other fields, at most 50 of 1 KB each. Secrets such as passwords are masked.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub extra: Map<String, Value>,
}

/// Checks that `extra` is within its limits and can be stored.
pub fn check_extra(extra: &Map<String, Value>) -> Result<(), Rule> {
    if extra.len() > MOST_EXTRA {
        return Err(Rule::TooLong { max: MOST_EXTRA, unit: Unit::Entries });
    }
    let small =
        |(name, value): (&String, &Value)| name.len() + value.to_string().len() <= EXTRA_BYTES && depth(value) <= 8;
    if !extra.iter().all(small) {
        return Err(Rule::TooLong { max: EXTRA_BYTES, unit: Unit::Bytes });
    }
    if extra.keys().any(|name| name.chars().any(breaks_a_line)) {
        return Err(Rule::ControlCharacter);
    }
    if extra.iter().all(|(name, value)| !name.is_empty() && is_storable(value)) {
        return Ok(());
    }
    Err(Rule::format(
        "fields with non-empty names, and numbers of size 1e-125 to 1e125",
        "是名称非空的字段，且数值的绝对值在 1e-125 至 1e125 之间",
    ))
}

/// Whether DynamoDB can store a value: its numbers have a smaller range than JSON's, and names can't be empty.
fn is_storable(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            let size = number.as_f64().unwrap_or(f64::MAX).abs();
            size == 0.0 || (1e-125..1e125).contains(&size)
        }
        Value::Array(list) => list.iter().all(is_storable),
        Value::Object(map) => map.iter().all(|(name, value)| !name.is_empty() && is_storable(value)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
