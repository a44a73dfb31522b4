//! Enquiries: the fields of a public form about the visitor, the project, consent and attribution.

use crate::choices;
use crate::masking::masked_url;
use crate::person::display_name;
use crate::{EmailAddress, Line, Locale, Phone, Prose, Rule};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

/// Whether a person can be reached: by an address, or else by a number. Otherwise the field that is missing or wrong.
pub fn check_reachable(has_address: bool, phone: Option<&Phone>) -> Result<(), (&'static str, Rule)> {
    match phone {
        _ if has_address => Ok(()),
        None => Err(("/email", Rule::Required)),
        Some(phone) if phone.compared(None).is_some() => Ok(()),
        Some(_) => Err((
            "/phone",
            Rule::format("a phone number, unless an e-mail address is given", "是电话号码；已提供邮箱时不限"),
        )),
    }
}

/// An enquiry: the fields of a public form about the visitor and the project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Enquiry {
    /// Given name.
    pub first_name: Option<Line<100>>,
    /// Family name.
    pub last_name: Option<Line<100>>,
    /// E-mail address; required unless there is a phone number.
    #[serde(default, deserialize_with = "crate::email::or_none")]
    pub email: Option<EmailAddress>,
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
    /// All other fields, at most 50 of 5,000 characters each. Secrets such as passwords are masked.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub extra: Map<String, Value>,
}

impl Enquiry {
    /// The visitor's name, or else their address or number.
    pub fn display_name(&self) -> String {
        display_name((self.first_name.as_ref(), self.last_name.as_ref()), self.email.as_ref(), self.phone.as_ref())
    }

    /// The phone number in E.164, if it is valid in its own or the given country.
    pub fn e164(&self, country: &str) -> Option<String> {
        self.phone.as_ref()?.e164(country)
    }

    /// What a follow-up adds: its other fields, as it repeats no data of the visitor.
    pub fn of_follow_up(&self) -> Enquiry {
        Enquiry {
            first_name: None,
            last_name: None,
            email: None,
            phone: None,
            company: None,
            job_title: None,
            industry: None,
            company_size: None,
            application_area: None,
            project_timeline: None,
            budget_range: None,
            requirements: None,
            source: None,
            locale: None,
            consent: None,
            attribution: None,
            extra: self.extra.clone(),
        }
    }

    /// The fields that a form sends by these names. `extra` holds all others.
    pub const FIELDS: [&'static str; 16] = [
        "first_name",
        "last_name",
        "email",
        "phone",
        "company",
        "job_title",
        "industry",
        "company_size",
        "application_area",
        "project_timeline",
        "budget_range",
        "requirements",
        "source",
        "locale",
        "consent",
        "attribution",
    ];
}
