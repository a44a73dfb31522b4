//! What somebody who fills in a form says of themselves, and what they want.

use crate::choices;
use crate::error::{Rule, Unit};
use crate::text::breaks_a_line;
use crate::{EmailAddress, Line, Locale, Phone, Prose};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most fields `extra` keeps.
pub const MOST_EXTRA: usize = 50;

/// The most bytes of JSON one field of `extra` has.
pub const EXTRA_BYTES: usize = 1024;

/// The source of leads that are there to try things out with; they go to no other system.
pub const DEMO_DATA: &str = "demo_data";

choices! {
    /// The trade of a company.
    Industry {
        /// Making things.
        Manufacturing = "manufacturing",
        /// Energy.
        Energy = "energy",
        /// Power grids.
        PowerGrid = "power_grid",
        /// Oil and chemicals.
        Petrochemical = "petrochemical",
        /// Mining.
        Mining = "mining",
        /// Storing and moving goods.
        Logistics = "logistics",
        /// Building.
        Construction = "construction",
        /// Police, fire brigades and the like.
        PublicSafety = "public_safety",
        /// Farming.
        Agriculture = "agriculture",
        /// Science.
        Research = "research",
        /// Anything else.
        Other = "other",
    }

    /// How large a company is.
    CompanySize {
        /// Just founded.
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

    /// What the product is wanted for.
    ApplicationArea {
        /// Looking over plants and lines.
        Inspection = "inspection",
        /// Guarding.
        Security = "security",
        /// Measuring land.
        Surveying = "surveying",
        /// Saving people.
        Rescue = "rescue",
        /// Storing and moving goods.
        Logistics = "logistics",
        /// Science.
        Research = "research",
        /// Teaching.
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

    /// How much may be spent.
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

/// What somebody agreed to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Consent {
    /// Whether they may be sent advertisements.
    #[serde(default)]
    pub marketing: bool,
    /// Which version of the text they agreed to.
    pub text_version: Option<Line<100>>,
}

/// How somebody came to the website.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Attribution {
    /// The site or medium that sent them.
    pub utm_source: Option<Line<200>>,
    /// The kind of advertisement.
    pub utm_medium: Option<Line<200>>,
    /// The campaign.
    pub utm_campaign: Option<Line<200>>,
    /// The search words bought.
    pub utm_term: Option<Line<200>>,
    /// Which of several advertisements.
    pub utm_content: Option<Line<200>>,
    /// Google's click id.
    pub gclid: Option<Line<200>>,
    /// Facebook's click id.
    pub fbclid: Option<Line<200>>,
    /// The page before.
    pub referrer: Option<Line<1000>>,
    /// The first page seen.
    pub landing_page: Option<Line<1000>>,
}

/// What somebody says of themselves and wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Enquiry {
    /// Given name.
    pub first_name: Option<Line<100>>,
    /// Family name.
    pub last_name: Option<Line<100>>,
    /// Address.
    pub email: EmailAddress,
    /// Phone number.
    pub phone: Option<Phone>,
    /// Company.
    pub company: Option<Line<200>>,
    /// Position in the company.
    pub job_title: Option<Line<100>>,
    /// Trade of the company.
    pub industry: Option<Industry>,
    /// Size of the company.
    pub company_size: Option<CompanySize>,
    /// What the product is wanted for.
    pub application_area: Option<ApplicationArea>,
    /// When the project starts.
    pub project_timeline: Option<ProjectTimeline>,
    /// How much may be spent.
    pub budget_range: Option<BudgetRange>,
    /// What is wanted, in their own words.
    pub requirements: Option<Prose<10000>>,
    /// Where they came from.
    pub source: Option<Line<100>>,
    /// The language they write in.
    pub locale: Option<Locale>,
    /// What they agreed to.
    pub consent: Option<Consent>,
    /// How they came to the website. Plain `utm_*` fields are taken too.
    pub attribution: Option<Attribution>,
    /// Any other field, at most 50 of 1 KB.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub extra: Map<String, Value>,
}

/// Whether `extra` keeps within its bounds.
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
    Err(Rule::Format { expected: "named values, with numbers between 1e-125 and 1e125 in size".to_owned() })
}

/// Whether the table can hold a value: DynamoDB's numbers are smaller than JSON's, and names aren't empty.
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
