//! Forms: the website forms through which leads are submitted.

use crate::charset::Charset;
use crate::field::Fields;
use crate::names;
use crate::origin::origin_of;
use crate::permission::Resource;
use crate::record::{Claim, ClaimKind, Record};
use crate::{
    Edit, Error, FormId, Line, Locale, OrgId, Phone, RecordType, Rule, Stamp, Timestamp, Unit, Violations,
    record_events, record_head,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A form on a website. Every organisation has a default form from the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Form {
    /// The id; public, since it is part of the page.
    #[field(read_only)]
    pub id: FormId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The name shown to staff.
    #[field(required)]
    pub name: Line<120>,
    /// The origins (`https://example.com`) that may post the form and that visitors may be redirected to; if empty, any
    /// origin may post.
    #[field(default = Vec::new())]
    pub allowed_origins: Vec<Line<200>>,
    /// The source of its leads, unless the submission gives one; `website` unless set.
    #[field(default = default_source_name())]
    pub default_source: Line<100>,
    /// The country of phone numbers without a country code (ISO 3166); the organisation's unless set.
    pub phone_country: Line<2>,
    /// The language of responses to visitors whose language isn't known; Chinese unless set.
    #[field(default = Locale::Chinese)]
    pub locale: Locale,
    /// The charset of posts that don't name theirs and aren't in UTF-8; a Chinese form takes GB18030 unless set.
    #[serde(default)]
    pub charset: Option<Charset>,
    /// What the page calls its fields: names, each with the field that it stands for, such as `{"q1": "company"}`. `name` is
    /// a full name, `message` what the visitor writes; a field named `extra` is kept there under the page's name. At most
    /// 100 names.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[field(default = Map::<String, Value>::new())]
    pub field_names: Map<String, Value>,
}

/// The most origins of a form.
const MOST_ORIGINS: usize = 100;

fn default_source_name() -> Line<100> {
    Line::parse("website").expect("a short constant line")
}

impl Form {
    /// The form, or the rules that it breaks.
    fn checked(self) -> Result<Form, Error> {
        let mut violations = Violations::default();
        if self.allowed_origins.len() > MOST_ORIGINS {
            violations.add("/allowed_origins", Rule::TooLong { max: MOST_ORIGINS, unit: Unit::Entries });
        }
        for (n, origin) in self.allowed_origins.iter().enumerate() {
            let given = origin.as_str().trim_end_matches('/');
            if origin_of(given).is_none_or(|origin| !origin.eq_ignore_ascii_case(given)) {
                let rule = Rule::format(
                    "an origin such as https://www.example.com, without a path",
                    "是不含路径的来源，例如 https://www.example.com",
                );
                violations.add(format!("/allowed_origins/{n}"), rule);
            }
        }
        Phone::check_country(&self.phone_country, &mut violations);
        names::check(&self.field_names, &mut violations);
        violations.into_result().map(|()| self)
    }

    /// The default form of an organisation, as it is before any change.
    pub fn default_of(org: OrgId) -> Form {
        Form {
            id: FormId::default_of(org),
            version: 1,
            created_at: org.time(),
            updated_at: org.time(),
            name: Line::parse("Website").expect("a short constant line"),
            allowed_origins: Vec::new(),
            default_source: default_source_name(),
            phone_country: Phone::default_country(),
            locale: Locale::Chinese,
            charset: None,
            field_names: Map::new(),
        }
    }

    /// Whether pages of this origin may post the form.
    pub fn takes_posts_from(&self, origin: &str) -> bool {
        self.allowed_origins.is_empty() || self.lists(origin)
    }

    /// Whether a visitor may be redirected to this URL after posting: only to an allowed origin.
    pub fn may_return_to(&self, address: &str) -> bool {
        origin_of(address).is_some_and(|origin| self.lists(&origin))
    }

    fn lists(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed.as_str().trim_end_matches('/').eq_ignore_ascii_case(origin))
    }
}

impl Record for Form {
    const TYPE: RecordType = RecordType::Form;
    type Id = FormId;
    type Context = Option<Line<2>>;
    const RESOURCE: Resource = Resource::Forms;
    const FROM_START: bool = true;
    const SAMPLE: &'static str = r#"{"name": "Campaign", "allowed_origins": [], "default_source": "website", "phone_country": "CN", "locale": "en"}"#;

    record_head!();
    record_events!(FormCreated, FormUpdated, FormDeleted, FormRestored);

    /// The default country is the organisation's, if the organisation exists yet.
    fn defaults(by: &Stamp, country: &Option<Line<2>>) -> Map<String, Value> {
        let country = country.clone().unwrap_or_else(Phone::default_country);
        let mut fields = <Form as Fields>::defaults(by);
        fields.insert("phone_country".to_owned(), Value::from(country.as_str()));
        fields
    }

    fn settle(edit: Edit<'_, Form>, _: &Option<Line<2>>) -> Result<Form, Error> {
        edit.wanted.checked()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim { kind: ClaimKind::Form, value: self.id.to_string() }]
    }
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
