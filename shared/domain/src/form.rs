//! Forms on websites, through which leads come in.

use crate::field::Fields;
use crate::organization::Organization;
use crate::permission::Resource;
use crate::record::{Claim, ClaimKind, Record};
use crate::{
    Error, FormId, Line, Locale, OrgId, Phone, RecordType, Rule, Stamp, Timestamp, Unit, Violations, record_events,
    record_head,
};
use serde::{Deserialize, Serialize};

/// A form on a website. Every organisation has a default one from the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Form {
    /// The id, public: it stands in the page.
    #[field(read_only)]
    pub id: FormId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was made.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// What it is called among the staff.
    pub name: Line<120>,
    /// The origins (`https://example.com`) whose pages may post it and be returned to; empty means any may post.
    pub allowed_origins: Vec<Line<200>>,
    /// The source its leads have unless the post names one.
    pub default_source: Line<100>,
    /// The country whose phone numbers are written without a country code (ISO 3166).
    pub phone_country: Line<2>,
    /// The language of the answer to a visitor whose own isn't known.
    pub locale: Locale,
}

/// A form to be made.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewForm {
    /// What it is called among the staff.
    pub name: Line<120>,
    /// The origins whose pages may post it.
    #[serde(default)]
    pub allowed_origins: Vec<Line<200>>,
    /// The source its leads have unless the post names one; `website` unless set.
    pub default_source: Option<Line<100>>,
    /// The country whose phone numbers are written without a country code (ISO 3166); that of the organisation unless set.
    pub phone_country: Option<Line<2>>,
    /// The language of the answer to a visitor whose own isn't known; Chinese unless set.
    pub locale: Option<Locale>,
}

/// The most origins of a form.
const MOST_ORIGINS: usize = 100;

impl Form {
    /// A new form of an organisation, where there is one already.
    pub fn new(new: NewForm, organization: Option<&Organization>, stamp: &Stamp) -> Result<Form, Error> {
        let usual = Form::default_of(OrgId::new(stamp.id));
        let country = organization.map_or(usual.phone_country, |organization| organization.phone_country.clone());
        Form {
            id: FormId::new(stamp.id),
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            name: new.name,
            allowed_origins: new.allowed_origins,
            default_source: new.default_source.unwrap_or(usual.default_source),
            phone_country: new.phone_country.unwrap_or(country),
            locale: new.locale.unwrap_or(usual.locale),
        }
        .checked()
    }

    /// The form, or what is wrong with it.
    pub fn checked(self) -> Result<Form, Error> {
        let mut violations = Violations::default();
        if self.allowed_origins.len() > MOST_ORIGINS {
            violations.add("/allowed_origins", Rule::TooLong { max: MOST_ORIGINS, unit: Unit::Entries });
        }
        for (n, origin) in self.allowed_origins.iter().enumerate() {
            let given = origin.as_str().trim_end_matches('/');
            if origin_of(given).is_none_or(|origin| !origin.eq_ignore_ascii_case(given)) {
                let expected = "an origin such as https://www.example.com, without a path".to_owned();
                violations.add(format!("/allowed_origins/{n}"), Rule::Format { expected });
            }
        }
        Phone::check_country(&self.phone_country, &mut violations);
        violations.into_result().map(|()| self)
    }

    /// The form an organisation has before anybody changed it.
    pub fn default_of(org: OrgId) -> Form {
        Form {
            id: FormId::default_of(org),
            version: 1,
            created_at: org.time(),
            updated_at: org.time(),
            name: Line::parse("Website").expect("a short constant line"),
            allowed_origins: Vec::new(),
            default_source: Line::parse("website").expect("a short constant line"),
            phone_country: Phone::usual_country(),
            locale: Locale::Chinese,
        }
    }

    /// Whether a page of this origin may post the form.
    pub fn takes_posts_from(&self, origin: &str) -> bool {
        self.allowed_origins.is_empty() || self.lists(origin)
    }

    /// Whether a visitor may be sent to this address after posting: only to an origin on the list.
    pub fn may_return_to(&self, address: &str) -> bool {
        origin_of(address).is_some_and(|origin| self.lists(&origin))
    }

    fn lists(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed.as_str().trim_end_matches('/').eq_ignore_ascii_case(origin))
    }
}

impl Record for Form {
    const TYPE: RecordType = RecordType::Form;
    const RESOURCE: Resource = Resource::Forms;
    const SAMPLE: &'static str = r#"{"name": "Campaign", "allowed_origins": [], "default_source": "website", "phone_country": "CN", "locale": "en"}"#;

    record_head!();
    record_events!(FormCreated, FormUpdated, FormDeleted, FormRestored);

    fn settle(&self, wanted: Form, _: Timestamp) -> Result<Form, Error> {
        wanted.checked()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim { kind: ClaimKind::Form, value: self.id.to_string() }]
    }
}

/// The origin of an absolute http(s) address, `None` for anything else.
///
/// Refuses what browsers read differently from how it looks: user names, backslashes, blanks, controls.
pub fn origin_of(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https") {
        return None;
    }
    let host = rest.split(['/', '?', '#']).next()?;
    let plain = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'));
    let whole = address.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    (plain && whole && !host.is_empty()).then(|| format!("{scheme}://{}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_return_to_listed_origins_only() {
        let mut form = Form::default_of(OrgId::new(uuid::Uuid::nil()));
        form.allowed_origins = vec![Line::parse("https://example.com").expect("an origin")];
        let check = |address: &str, expected: bool| assert_eq!(form.may_return_to(address), expected, "{address}");
        check("https://example.com/thanks?x=1", true);
        check("https://EXAMPLE.com", true);
        for bad in [
            "https://example.com.evil.example/",
            "https://example.com@evil.example/",
            "//example.com/",
            "javascript:alert(1)",
            "https:\\\\example.com",
            "http://example.com/",
            "https://example.com\\@evil.example",
            "/thanks",
            "",
            "https://example.com\r\nSet-Cookie: a=b",
            "https://example.com:444/",
        ] {
            check(bad, false);
        }
    }
}
