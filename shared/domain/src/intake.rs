//! Public form intake: parsing of posted forms, and spam screening.
//!
//! A form may send any field. Known fields are validated, advertising parameters become attribution, fields with a leading
//! underscore control the request and aren't stored, and all others are kept as `extra`. Secrets are masked in `extra`
//! and in the URLs of the attribution.

use crate::ask::{Asked, Nothing};
use crate::enquiry::{Attribution, DEMO_DATA, Enquiry, check_extra};
use crate::error::{Error, Rule, Unit, Violations};
use crate::masking::masked_fields;
use crate::read::{escape, read};
use crate::submission::{Check, Finding, Verdict};
use crate::text::breaks_a_line;
use crate::{Locale, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The fields that control a request. They aren't stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Controls {
    /// The form that was posted.
    pub form_id: Option<String>,
    /// The honeypot: a hidden field that people leave empty.
    #[serde(rename = "_gotcha")]
    pub gotcha: Option<String>,
    /// When the form was opened: milliseconds since 1970, or RFC 3339.
    #[serde(rename = "_started_at")]
    pub started_at: Option<String>,
    /// The URL to redirect the visitor to afterwards; only to the form's allowed origins.
    #[serde(rename = "_next")]
    pub next: Option<String>,
    /// The token from the response to an earlier submission, which allows adding to it.
    pub submission_token: Option<String>,
}

impl Controls {
    /// Takes a field if it is a control field or is never stored; returns whether it did.
    fn take(&mut self, name: &str, value: &Value) -> bool {
        match name {
            "form_id" => self.form_id = text_of(value),
            "submission_token" => self.submission_token = text_of(value),
            // Read only by the captcha check.
            "captcha_token" => {}
            "_gotcha" => self.gotcha = text_of(value),
            "_started_at" => self.started_at = text_of(value),
            "_next" => self.next = text_of(value),
            _ => return name.starts_with('_'),
        }
        true
    }

    /// When the form was opened, if given and readable.
    pub fn started_at(&self) -> Option<Timestamp> {
        let text = self.started_at.as_deref()?.trim();
        match text.parse::<i64>() {
            Ok(millis) => Timestamp::from_millisecond(millis).ok(),
            Err(_) => text.parse().ok(),
        }
    }
}

/// A parsed form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Intake<A = Nothing> {
    /// The visitor's enquiry.
    pub enquiry: Enquiry,
    /// The fields of its kind of request.
    pub asked: A,
    /// The control fields, which aren't stored.
    pub controls: Controls,
}

/// A parsed form that adds to an earlier submission, and so has no fields about the visitor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FollowUp<A> {
    /// The fields of its kind of request.
    pub asked: A,
    /// All other fields, with secrets masked.
    pub extra: Map<String, Value>,
    /// The control fields, which aren't stored.
    pub controls: Controls,
}

/// The most bytes of JSON of all fields together; a record holds them and a little more (64 KB).
pub const ENQUIRY_BYTES: usize = 60 * 1024;

const ENQUIRY_FIELDS: [&str; 16] = [
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
const ATTRIBUTION_FIELDS: [&str; 9] = [
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "gclid",
    "fbclid",
    "referrer",
    "landing_page",
];
/// Advertising parameters are truncated to these numbers of characters, not refused: visitors don't write them.
const ADDRESS_CHARACTERS: usize = 1000;
const ATTRIBUTION_CHARACTERS: usize = 200;

impl<A: Asked> Intake<A> {
    /// Parses the fields of a posted form, or returns all violations.
    pub fn read(mut fields: Map<String, Value>) -> Result<Intake<A>, Error> {
        A::prepare(&mut fields);
        let mut enquiry = Map::new();
        let mut asked = Map::new();
        let mut attribution = Map::new();
        let mut consent = Map::new();
        let mut extra = Map::new();
        let mut controls = Controls::default();
        let mut violations = Violations::default();

        for (name, value) in fields {
            if is_blank(&value) || controls.take(&name, &value) {
                continue;
            }
            let inner = |prefix: &str| {
                let rest = name.strip_prefix(prefix)?;
                rest.strip_prefix('.').or_else(|| rest.strip_prefix('[')?.strip_suffix(']')).map(str::to_owned)
            };
            if A::FIELDS.contains(&name.as_str()) {
                asked.insert(name, value);
            } else if let Some(part) = inner("attribution") {
                attribution.insert(part, value);
            } else if let Some(part) = inner("consent") {
                let value = if part == "marketing" { flag(value) } else { value };
                consent.insert(part, value);
            } else if ATTRIBUTION_FIELDS.contains(&name.as_str()) {
                attribution.insert(name, value);
            } else if name == "attribution" && value.is_object() {
                attribution.extend(value.as_object().cloned().unwrap_or_default());
            } else if matches!(name.as_str(), "attribution" | "consent") && value.is_array() {
                violations.add(format!("/{name}"), Rule::object());
            } else if name == "consent" && !value.is_object() {
                consent.insert("marketing".to_owned(), flag(value));
            } else if name == "locale" {
                if let Some(locale) = value.as_str().and_then(Locale::of_tag) {
                    enquiry.insert(name, Value::from(locale.tag()));
                }
            } else if ENQUIRY_FIELDS.contains(&name.as_str()) {
                enquiry.insert(name, value);
            } else if name == "extra" && value.is_object() {
                extra.extend(value.as_object().cloned().unwrap_or_default());
            } else {
                extra.insert(name, value);
            }
        }
        for (name, value) in attribution {
            if !ATTRIBUTION_FIELDS.contains(&name.as_str()) {
                extra.insert(name, value);
            } else if let Some(text) = shortened(&name, &value) {
                fold(&mut enquiry, "attribution", Map::from_iter([(name, text)]));
            }
        }
        fold(&mut enquiry, "consent", consent);
        let extra = stored_extra(extra, &mut violations);
        if enquiry.get("source").and_then(Value::as_str).is_some_and(|source| source.trim() == DEMO_DATA) {
            let rule = Rule::format(
                "another source: demo_data is reserved for demo leads",
                "是其他来源：demo_data 保留给演示线索",
            );
            violations.add("/source", rule);
        }
        let enquiry = noted(read::<Enquiry>(Value::Object(enquiry)), &mut violations)?;
        let asked = noted(read::<A>(Value::Object(asked)), &mut violations)?;
        let enquiry = enquiry.map(|mut enquiry| {
            let attribution = enquiry.attribution.take().map(Attribution::masked);
            Enquiry { attribution, extra, ..enquiry }
        });
        if bytes_of(&(&enquiry, &asked)) > ENQUIRY_BYTES {
            violations.add("/extra", Rule::TooLong { max: ENQUIRY_BYTES, unit: Unit::Bytes });
        }
        match (enquiry, asked) {
            (Some(enquiry), Some(asked)) if violations.0.is_empty() => Ok(Intake { enquiry, asked, controls }),
            _ => Err(Error::Invalid(violations)),
        }
    }
}

impl<A: Asked> FollowUp<A> {
    /// Parses the fields of a form that adds to an earlier submission, or returns all violations.
    pub fn read(fields: Map<String, Value>) -> Result<FollowUp<A>, Error> {
        let (mut asked, mut extra) = (Map::new(), Map::new());
        let mut controls = Controls::default();
        let mut violations = Violations::default();
        for (name, value) in fields {
            if is_blank(&value) || controls.take(&name, &value) {
                continue;
            }
            if A::FIELDS.contains(&name.as_str()) { &mut asked } else { &mut extra }.insert(name, value);
        }
        let extra = stored_extra(extra, &mut violations);
        let asked = noted(read::<A>(Value::Object(asked)), &mut violations)?;
        match asked {
            Some(asked) if violations.0.is_empty() => Ok(FollowUp { asked, extra, controls }),
            _ => Err(Error::Invalid(violations)),
        }
    }
}

/// The parsed value; or none, with its violations added to the list.
fn noted<T>(read: Result<T, Error>, violations: &mut Violations) -> Result<Option<T>, Error> {
    match read {
        Ok(good) => Ok(Some(good)),
        Err(Error::Invalid(more)) => {
            violations.extend(more);
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// Other fields as they are stored, with secrets masked. What exceeds the limits is refused, and isn't searched for
/// secrets.
fn stored_extra(extra: Map<String, Value>, violations: &mut Violations) -> Map<String, Value> {
    let extra = if check_extra(&extra).is_ok() { masked_fields(&extra) } else { extra };
    // A mask may be longer than what it replaces.
    extra_violations(&extra, violations);
    extra
}

fn extra_violations(extra: &Map<String, Value>, violations: &mut Violations) {
    for name in extra.keys().filter(|name| name.chars().any(breaks_a_line)) {
        violations.add(format!("/{}", escape(name)), Rule::ControlCharacter);
    }
    match check_extra(extra) {
        // Already reported above, with the field's name.
        Ok(()) | Err(Rule::ControlCharacter) => {}
        Err(rule) => violations.add("/extra", rule),
    }
}

fn bytes_of(value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |json| json.len())
}

/// Which rate limits a submission exceeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Whether the limit of its network address is exceeded.
    pub address: bool,
    /// Whether the limit of its form is exceeded.
    pub form: bool,
    /// Whether the limit of its e-mail address is exceeded.
    pub email: bool,
}

/// The verdict on a submission, with the checks that failed. A failed check holds it; only the honeypot makes it spam.
pub fn screen(enquiry: &Enquiry, controls: &Controls, limits: Limits, now: Timestamp) -> (Verdict, Vec<Finding>) {
    let gotcha = controls.gotcha.is_some();
    let age = controls.started_at().map(|started| now.as_millisecond() - started.as_millisecond());
    let odd_timing = age.is_some_and(|millis| !(2_000..=86_400_000).contains(&millis));
    let names = [&enquiry.first_name, &enquiry.last_name];
    let address_in_name =
        names.into_iter().flatten().any(|name| name.as_str().contains("://") || name.as_str().contains("www."));

    let findings: Vec<Finding> = [
        (gotcha, Check::Honeypot, Verdict::Spam),
        (odd_timing, Check::Timing, Verdict::Held),
        (address_in_name, Check::Content, Verdict::Held),
        (limits.address, Check::AddressLimit, Verdict::Held),
        (limits.form, Check::FormLimit, Verdict::Held),
        (limits.email, Check::EmailLimit, Verdict::Held),
    ]
    .into_iter()
    .filter(|(found, ..)| *found)
    .map(|(_, check, verdict)| Finding { check, verdict })
    .collect();
    (findings.first().map_or(Verdict::Accepted, |worst| worst.verdict), findings)
}

fn is_blank(value: &Value) -> bool {
    // Chinese keyboards enter a full-width space, U+3000.
    let blank = |c: char| matches!(c, ' ' | '\u{a0}' | '\u{3000}');
    value.is_null() || value.as_str().is_some_and(|text| text.trim_matches(blank).is_empty())
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The boolean of a checkbox value such as `on`; other values are left unchanged, for validation to refuse.
fn flag(value: Value) -> Value {
    match value.as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("on" | "true" | "yes" | "1") => Value::Bool(true),
        Some("off" | "false" | "no" | "0") => Value::Bool(false),
        _ => value,
    }
}

/// An advertising parameter as it is stored: one line, truncated to its limit; none if it has no text.
fn shortened(name: &str, value: &Value) -> Option<Value> {
    let most = if matches!(name, "referrer" | "landing_page") { ADDRESS_CHARACTERS } else { ATTRIBUTION_CHARACTERS };
    let text = match value {
        Value::Array(list) => text_of(list.first()?)?,
        other => text_of(other)?,
    };
    let line: String = text.chars().filter(|c| !breaks_a_line(*c)).take(most).collect();
    (!line.trim().is_empty()).then(|| line.into())
}

/// Moves single fields such as `utm_source` into their object; values that the object already has take precedence.
fn fold(fields: &mut Map<String, Value>, name: &str, parts: Map<String, Value>) {
    if parts.is_empty() {
        return;
    }
    if let Value::Object(object) = fields.entry(name).or_insert_with(|| Value::Object(Map::new())) {
        for (part, value) in parts {
            object.entry(part).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn intake(value: Value) -> Result<Intake, Error> {
        Intake::read(value.as_object().cloned().expect("an object"))
    }

    #[test]
    fn unknown_fields_are_kept_and_steering_ones_are_not() {
        let read = intake(json!({
            "email": "a@b.example", "favourite_robot": "X30", "_gotcha": "", "_next": "https://b.example/", "_secret": "x", "phone": ""
        }))
        .expect("valid");
        assert_eq!(read.enquiry.extra, *json!({"favourite_robot": "X30"}).as_object().expect("an object"));
        assert_eq!(read.controls.next.as_deref(), Some("https://b.example/"));
        assert_eq!((read.controls.gotcha, read.enquiry.phone), (None, None));
    }

    #[test]
    fn secrets_in_unknown_fields_are_masked() {
        let extra = json!({
            "p%61ssword": "x", "user": {"pin": 1}, "fields": [{"name": "passwd", "value": "x"}],
            "page_url": "https://b.example/?a=1&token=x"
        });
        let masked = json!({
            "p%61ssword": "***", "user": {"pin": "***"}, "fields": [{"name": "passwd", "value": "***"}],
            "page_url": "https://b.example/?a=1&token=***"
        });
        let read = intake(json!({"email": "a@b.example", "extra": extra})).expect("valid");
        assert_eq!(Value::Object(read.enquiry.extra), masked);
        let follow_up = FollowUp::<Nothing>::read(extra.as_object().cloned().expect("an object")).expect("valid");
        assert_eq!(Value::Object(follow_up.extra), masked);
    }

    #[test]
    fn limits_count_what_was_sent_and_what_is_stored() {
        let check = |extra: Value, expected: bool| {
            let read = intake(json!({"email": "a@b.example", "extra": extra}));
            assert_eq!(read.is_ok(), expected, "{extra}");
        };
        check(json!({"password": "x".repeat(1100)}), false);
        check(json!({"list": vec![json!({"pin": 1}); 90]}), false);
        check(json!({"list": vec![json!({"pin": 1}); 60]}), true);
        check(json!({"x".repeat(201): "y"}), true);
    }

    #[test]
    fn secrets_in_the_urls_of_the_attribution_are_masked() {
        let long = format!("https://a.example/{}?token=x", "a".repeat(974));
        let read = intake(json!({
            "email": "a@b.example", "referrer": "https://a.example/?a=1&token=x", "landing_page": long,
            "attribution": {"utm_source": "/reset?code=x", "utm_term": "is the token=x?"}
        }));
        let attribution = read.expect("valid").enquiry.attribution.expect("attribution");
        assert_eq!(attribution.referrer.as_ref().expect("a page").as_str(), "https://a.example/?a=1&token=***");
        assert_eq!(attribution.utm_source.as_ref().expect("a source").as_str(), "/reset?code=***");
        assert_eq!(attribution.utm_term.as_ref().expect("a term").as_str(), "is the token=x?");
        let page = attribution.landing_page.as_ref().expect("a page").as_str();
        assert!(page.ends_with("?token=*") && page.len() == 1000, "{page}");
        assert_eq!(attribution.clone().masked(), attribution);
    }

    #[test]
    fn advertising_parameters_become_attribution() {
        let read = intake(json!({
            "email": "a@b.example", "utm_source": "x".repeat(500), "gclid": 5, "fbclid": "\t", "utm_term": ["a", "b"],
            "attribution": {"utm_medium": "y".repeat(300), "utm_id": "z"}, "referrer": "r".repeat(900), "attribution[utm_campaign]": "spring", "consent": "on"
        }))
        .expect("valid");
        let attribution = read.enquiry.attribution.expect("attribution");
        assert_eq!(attribution.utm_source.expect("a source").as_str().len(), 200);
        assert_eq!(attribution.utm_campaign.expect("a campaign").as_str(), "spring");
        assert_eq!(attribution.utm_medium.expect("a medium").as_str().len(), 200);
        assert_eq!(attribution.referrer.expect("a page").as_str().len(), 900);
        assert_eq!((attribution.gclid.expect("an id").as_str(), attribution.fbclid), ("5", None));
        assert_eq!((attribution.utm_term.expect("a term").as_str(), &read.enquiry.extra["utm_id"]), ("a", &json!("z")));
        assert!(read.enquiry.consent.expect("consent").marketing);
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let error = intake(json!({
            "first_name": "a\r\nBcc: x@y.example", "email": "nope", "industry": "baking", "company": "x".repeat(201),
            "big": "y".repeat(1025), "a\nb": "c"
        }))
        .expect_err("broken");
        let Error::Invalid(found) = error else { panic!("expected violations") };
        let mut places: Vec<_> = found.0.iter().map(|v| (v.pointer.as_str(), v.rule.code())).collect();
        places.sort_unstable();
        assert_eq!(
            places,
            [
                ("/a\nb", "control_character"),
                ("/company", "too_long"),
                ("/email", "invalid_email"),
                ("/extra", "too_long"),
                ("/first_name", "control_character"),
                ("/industry", "not_allowed")
            ]
        );
    }

    #[test]
    fn values_that_the_table_can_t_hold_are_refused() {
        let check = |value: Value, expected: bool| {
            let taken = intake(json!({"email": "a@b.example", "x": value.clone()})).is_ok();
            assert_eq!(taken, expected, "{value}");
        };
        check(json!(-0.0), true);
        check(json!(u64::MAX), true);
        check(json!(7.7e-242), false);
        check(json!([1e200]), false);
        check(json!({"": 1}), false);
        check(json!({"a": {"b": [1.5, "x", null]}}), true);
    }

    #[test]
    fn what_becomes_of_a_post() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time");
        let check = |fields: Value, limits: Limits, verdict: Verdict, checks: &[Check]| {
            let mut all = json!({"email": "a@b.example"});
            let map = all.as_object_mut().expect("an object");
            map.extend(fields.as_object().cloned().expect("an object"));
            let read = intake(all.clone()).expect("valid");
            let (found, findings) = screen(&read.enquiry, &read.controls, limits, now);
            let found_checks: Vec<Check> = findings.iter().map(|finding| finding.check).collect();
            assert_eq!((found, found_checks.as_slice()), (verdict, checks), "{all}");
        };
        let none = Limits::default();
        check(json!({}), none, Verdict::Accepted, &[]);
        check(json!({"_gotcha": "http://x"}), none, Verdict::Spam, &[Check::Honeypot]);
        check(json!({"_started_at": now.as_millisecond() - 500}), none, Verdict::Held, &[Check::Timing]);
        check(json!({"_started_at": "2026-11-20T11:59:50Z"}), none, Verdict::Accepted, &[]);
        check(json!({"_started_at": "2026-11-18T11:59:50Z"}), none, Verdict::Held, &[Check::Timing]);
        check(json!({"_started_at": "whenever"}), none, Verdict::Accepted, &[]);
        check(json!({"first_name": "see http://x.example"}), none, Verdict::Held, &[Check::Content]);
        check(json!({}), Limits { email: true, ..none }, Verdict::Held, &[Check::EmailLimit]);
        check(
            json!({"_gotcha": "x"}),
            Limits { form: true, ..none },
            Verdict::Spam,
            &[Check::Honeypot, Check::FormLimit],
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(name in "\\PC{0,20}", value in "\\PC{0,200}", number: i64) {
            let _ = intake(json!({"email": "a@b.example", &name: value}));
            let read = intake(json!({"email": "a@b.example", "_started_at": number})).expect("valid");
            let _ = screen(&read.enquiry, &read.controls, Limits::default(), Timestamp::UNIX_EPOCH);
        }
    }
}
