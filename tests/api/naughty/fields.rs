//! The text fields of all forms, each with the expected result for a string. Written independently of the code under
//! test, except that e-mail addresses, times and time zones are parsed by `domain`, and names of secrets are its list.

use daybook_domain::demo::DemoType;
use daybook_domain::enquiry::{ApplicationArea, BudgetRange, CompanySize, Industry, ProjectTimeline};
use daybook_domain::extra::{MOST_CHARACTERS, MOST_NAME_BYTES};
use daybook_domain::masking::{is_secret, masked_name};
use daybook_domain::read::escape;
use daybook_domain::words::is_han;
use daybook_domain::{EmailAddress, Locale, Moment, Zone};
use serde_json::{Value, json};

/// The result for a string in a field: the stored value, null if nothing is stored, or the code of the violated rule.
pub type Verdict = Result<Value, &'static str>;

/// A field: its name, its place in the submission, and the result for a string.
pub type Field = (&'static str, &'static str, fn(&str) -> Verdict);

pub const LEAD: &[Field] = &[
    ("first_name", "/enquiry/first_name", |text| line(text, 100)),
    ("last_name", "/enquiry/last_name", |text| line(text, 100)),
    ("phone", "/enquiry/phone", phone),
    ("company", "/enquiry/company", |text| line(text, 200)),
    ("job_title", "/enquiry/job_title", |text| line(text, 100)),
    ("industry", "/enquiry/industry", |text| one_of(text, Industry::NAMES)),
    ("company_size", "/enquiry/company_size", |text| one_of(text, CompanySize::NAMES)),
    ("application_area", "/enquiry/application_area", |text| one_of(text, ApplicationArea::NAMES)),
    ("project_timeline", "/enquiry/project_timeline", |text| one_of(text, ProjectTimeline::NAMES)),
    ("budget_range", "/enquiry/budget_range", |text| one_of(text, BudgetRange::NAMES)),
    ("requirements", "/enquiry/requirements", prose),
    ("source", "/enquiry/source", |text| line(text, 100)),
    ("locale", "/enquiry/locale", |text| Ok(json!(Locale::of_tag(text).unwrap_or(Locale::Chinese)))),
    ("consent/text_version", "/enquiry/consent/text_version", |text| strict_line(text, 100)),
    ("utm_source", "/enquiry/attribution/utm_source", |text| cut(text, 200)),
    ("utm_medium", "/enquiry/attribution/utm_medium", |text| cut(text, 200)),
    ("utm_campaign", "/enquiry/attribution/utm_campaign", |text| cut(text, 200)),
    ("utm_term", "/enquiry/attribution/utm_term", |text| cut(text, 200)),
    ("utm_content", "/enquiry/attribution/utm_content", |text| cut(text, 200)),
    ("gclid", "/enquiry/attribution/gclid", |text| cut(text, 200)),
    ("attribution/fbclid", "/enquiry/attribution/fbclid", |text| cut(text, 200)),
    ("attribution/referrer", "/enquiry/attribution/referrer", |text| cut(text, 1000)),
    ("landing_page", "/enquiry/attribution/landing_page", |text| cut(text, 1000)),
    ("favourite", "/enquiry/extra/favourite", extra),
];

pub const CONTACT: &[Field] = &[
    ("subject", "/contact/subject", |text| line(text, 200)),
    ("message", "/contact/message", |text| if is_blank(text) { Err("required") } else { prose(text) }),
    ("consent", "/enquiry/consent/marketing", flag),
];

pub const DEMO: &[Field] = &[
    ("demo_type", "/demo/demo_type", |text| one_of(text, DemoType::NAMES)),
    ("preferred_date", "/demo/preferred_date", date),
    ("timezone", "/demo/timezone", zone),
    ("attendees_count", "/demo/attendees_count", attendees),
    ("interested_products", "/demo/interested_products", products),
    ("special_requirements", "/demo/special_requirements", prose),
];

/// An empty form field, which counts as absent.
fn is_blank(text: &str) -> bool {
    text.trim_matches([' ', '\u{a0}', '\u{3000}']).is_empty()
}

fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn ends_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || turns_text(c)
}

/// A text of one line, or no value.
pub fn line(text: &str, most: usize) -> Verdict {
    if is_blank(text) { Ok(Value::Null) } else { strict_line(text, most) }
}

/// A phone number, in which characters that turn text are dropped.
fn phone(text: &str) -> Verdict {
    if is_blank(text) { Ok(Value::Null) } else { strict_line(&text.replace(turns_text, ""), 40) }
}

fn strict_line(text: &str, most: usize) -> Verdict {
    match text.trim_matches(|c: char| turns_text(c) || (c.is_whitespace() && !ends_a_line(c))) {
        kept if kept.contains(ends_a_line) => Err("control_character"),
        "" => Err("too_short"),
        kept if kept.chars().count() > most => Err("too_long"),
        kept => Ok(json!(kept)),
    }
}

/// A text of several lines, or no value.
pub fn prose(text: &str) -> Verdict {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    match text.replace("\r\n", "\n").trim() {
        _ if is_blank(text) => Ok(Value::Null),
        "" => Err("too_short"),
        kept if kept.contains(odd) => Err("control_character"),
        kept if kept.chars().count() > 10_000 => Err("too_long"),
        kept => Ok(json!(kept)),
    }
}

fn one_of(text: &str, names: &[&str]) -> Verdict {
    match text {
        text if is_blank(text) => Ok(Value::Null),
        text if names.contains(&text) => Ok(json!(text)),
        _ => Err("not_allowed"),
    }
}

/// An advertising parameter, which is never refused, since visitors don't type it.
fn cut(text: &str, most: usize) -> Verdict {
    let kept: String = text.chars().filter(|c| !ends_a_line(*c)).take(most).collect();
    Ok(if kept.trim().is_empty() { Value::Null } else { json!(kept.trim()) })
}

fn extra(text: &str) -> Verdict {
    match json!(text) {
        _ if is_blank(text) => Ok(Value::Null),
        _ if text.chars().count() > MOST_CHARACTERS => Err("too_long"),
        kept => Ok(kept),
    }
}

fn flag(text: &str) -> Verdict {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(json!(true)),
        "off" | "false" | "no" | "0" => Ok(json!(false)),
        _ if is_blank(text) => Ok(Value::Null),
        _ => Err("wrong_type"),
    }
}

fn date(text: &str) -> Verdict {
    if is_blank(text) {
        return Ok(Value::Null);
    }
    let moment = Moment::parse(text).map_err(|rule| rule.code())?;
    moment.in_zone(&Zone::default()).map_err(|rule| rule.code())?;
    Ok(json!(moment.as_str()))
}

fn zone(text: &str) -> Verdict {
    if is_blank(text) {
        return Ok(Value::Null);
    }
    Zone::parse(text).map(|zone| json!(zone.name())).map_err(|rule| rule.code())
}

fn attendees(text: &str) -> Verdict {
    match text.trim().parse::<u64>() {
        _ if is_blank(text) => Ok(Value::Null),
        Ok(count) if (1..=10_000).contains(&count) => Ok(json!(count)),
        _ => Err("out_of_range"),
    }
}

/// Several products with commas, stored as one text.
pub fn products(text: &str) -> Verdict {
    let parts = text.split([',', '，', '、', ';', '；']).map(str::trim).filter(|part| !part.is_empty());
    let list: Vec<Value> = parts.map(|part| strict_line(part, 100)).collect::<Result<_, _>>()?;
    match list.len() {
        0..=50 if is_blank(text) => Ok(Value::Null),
        0..=50 => Ok(json!(text)),
        _ => Err("too_long"),
    }
}

/// A full name split into given name and family name.
pub fn split(name: &str) -> (&str, &str) {
    let name = name.trim_matches(' ');
    match name.chars().next() {
        Some(family) if is_han(name) && (2..=4).contains(&name.chars().count()) => {
            (&name[family.len_utf8()..], &name[..family.len_utf8()])
        }
        _ => name.rsplit_once(' ').map_or((name, ""), |(first, last)| (first.trim_end_matches(' '), last)),
    }
}

/// A string in a field of a posted form.
pub struct Case {
    /// Its place in the body.
    pub path: Vec<String>,
    pub value: Value,
    /// Its place in the answer's errors.
    pub told: String,
    /// Its place in the submission.
    pub kept: String,
    pub verdict: Verdict,
}

impl Case {
    fn of((name, kept, rule): &Field, text: &str) -> Case {
        let told = match *name {
            "consent" => "/consent/marketing".to_owned(),
            name => format!("/{name}"),
        };
        let path = name.split('/').map(str::to_owned).collect();
        Case { path, value: json!(text), told, kept: (*kept).to_owned(), verdict: rule(text) }
    }

    /// A string in each of these fields.
    pub fn all(fields: &[Field], text: &str) -> Vec<Case> {
        fields.iter().map(|field| Case::of(field, text)).collect()
    }

    /// An unknown field with the string as its name.
    pub fn named(text: &str) -> Case {
        let (told, verdict): (String, Verdict) = match text {
            "" => ("/".to_owned(), Err("invalid_format")),
            _ if text.starts_with('_') => (String::new(), Ok(Value::Null)),
            _ if text.contains(ends_a_line) => (format!("/{}", escape(text)), Err("control_character")),
            _ if text.len() > MOST_NAME_BYTES => (format!("/{}", escape(text)), Err("too_long")),
            _ if is_secret(text) => (String::new(), Ok(json!("***"))),
            _ => (String::new(), Ok(json!("x"))),
        };
        let kept = format!("/enquiry/extra/{}", escape(masked_name(text)));
        Case { path: vec![text.to_owned()], value: json!("x"), told, kept, verdict }
    }

    /// An address.
    pub fn email(address: &str) -> Case {
        let verdict = match EmailAddress::parse(address) {
            Ok(address) => Ok(json!(address.as_str())),
            Err(rule) => Err(rule.code()),
        };
        let [told, kept] = ["/email", "/enquiry/email"].map(str::to_owned);
        Case { path: vec!["email".to_owned()], value: json!(address), told, kept, verdict }
    }

    /// The rule it violates, and the place in the answer's errors.
    pub fn violation(&self) -> Option<(String, String)> {
        self.verdict.as_ref().err().map(|code| (self.told.clone(), (*code).to_owned()))
    }
}
