//! Public form intake: parsing of posted forms, and spam screening.
//!
//! A form may send any field. Known fields are validated, advertising parameters become attribution, fields with a leading
//! underscore control the request and aren't stored, and all others are kept as `extra`. Secrets are masked in `extra`
//! and in the URLs of the attribution.

use crate::ask::{Asked, Nothing};
use crate::enquiry::{Attribution, DEMO_DATA, Enquiry, check_reachable};
use crate::error::{Error, Rule, Unit, Violation, Violations};
use crate::extra::{is_blank, violations_of};
use crate::masking::masked_fields;
use crate::names::{Applied, Names};
use crate::read::{escape, read};
use crate::submission::{Check, Finding, Verdict};
use crate::text::breaks_a_line;
use crate::{Locale, Phone, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The fields that control a request. They aren't stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Controls {
    /// The form that was posted.
    pub form_id: Option<String>,
    /// The honeypot: a hidden field that people leave empty.
    #[serde(rename = "_gotcha")]
    pub gotcha: Option<String>,
    /// When the form was opened, by the visitor's clock: milliseconds or seconds since 1970, or RFC 3339.
    #[serde(rename = "_started_at")]
    pub started_at: Option<String>,
    /// When it was sent, by the same clock.
    #[serde(rename = "_sent_at")]
    pub sent_at: Option<String>,
    /// For how many milliseconds it was open, instead of these two.
    #[serde(rename = "_elapsed")]
    pub elapsed: Option<String>,
    /// The URL to redirect the visitor to afterwards; only to the form's allowed origins.
    #[serde(rename = "_next")]
    pub next: Option<String>,
    /// The token from the response to an earlier submission, which allows adding to it.
    pub submission_token: Option<String>,
}

/// The name of the honeypot.
pub const GOTCHA: &str = "_gotcha";

impl Controls {
    /// Takes a field if it is a control field or is never stored; returns whether it did.
    fn take(&mut self, name: &str, value: &Value) -> bool {
        match name {
            "form_id" => self.form_id = text_of(value),
            "submission_token" => self.submission_token = text_of(value),
            // Read only by the captcha check.
            "captcha_token" => {}
            GOTCHA => self.gotcha = text_of(value),
            "_started_at" => self.started_at = text_of(value),
            "_sent_at" => self.sent_at = text_of(value),
            "_elapsed" => self.elapsed = text_of(value),
            "_next" => self.next = text_of(value),
            _ => return name.starts_with('_'),
        }
        true
    }

    /// For how many milliseconds the form was open, if that was sent. One time alone says nothing, as the visitor's clock may
    /// be years off.
    fn open_for(&self) -> Option<i64> {
        if let Some(elapsed) = self.elapsed.as_deref().and_then(|text| text.trim().parse::<f64>().ok()) {
            return Some(elapsed as i64);
        }
        let [started, sent] = [&self.started_at, &self.sent_at].map(|text| time_of(text.as_deref()?));
        Some(sent?.as_millisecond() - started?.as_millisecond())
    }
}

/// A time as pages write it: RFC 3339, or milliseconds or seconds since 1970.
fn time_of(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(number) if number.abs() < FIRST_MILLISECONDS => Timestamp::from_millisecond((number * 1000.0) as i64).ok(),
        Ok(number) => Timestamp::from_millisecond(number as i64).ok(),
        Err(_) => text.parse().ok(),
    }
}

/// Numbers below this are seconds: as milliseconds they would lie in 1973 or before, as seconds it is the year 5138.
const FIRST_MILLISECONDS: f64 = 1e11;

/// The least milliseconds for which a form must have been open.
const LEAST_OPEN: i64 = 2_000;

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

/// How often a form is read: with usual names, without those whose values don't fit, and without those that then do.
const ATTEMPTS: usize = 3;

impl<A: Asked> Intake<A> {
    /// Parses the fields of a posted form, or returns all violations. `own_names` is the form's table of names.
    ///
    /// What a field under a usual name takes isn't known to the page, so a value that doesn't fit stays in `extra`.
    pub fn read(fields: Map<String, Value>, own_names: &Map<String, Value>) -> Result<Intake<A>, Error> {
        let names = Names { usual: A::USUAL_NAMES, own: own_names };
        let mut but_for = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            let Applied { fields: applied, from } = names.applied::<A>(fields.clone(), &but_for);
            let violations = match Intake::read_known(applied) {
                Err(Error::Invalid(violations)) => violations,
                outcome => return outcome,
            };
            let named = |violation: &Violation| {
                let field = violation.pointer.split('/').nth(1)?;
                from.get_key_value(field).map(|(field, name)| (*field, name.clone()))
            };
            let misfits = violations.0.iter().filter_map(named).filter(|(field, name)| {
                // A lead must have an address, and a message its text.
                names.is_usual::<A>(name) && *field != "email" && !A::FIELDS.contains(field)
            });
            let before = but_for.len();
            but_for.extend(misfits.map(|(_, name)| name).collect::<Vec<_>>());
            if but_for.len() == before {
                let told = violations.0.into_iter().map(|violation| match named(&violation) {
                    Some((field, name)) => {
                        let rest = &violation.pointer[1 + field.len()..];
                        Violation { pointer: format!("/{}{rest}", escape(&name)), ..violation }
                    }
                    None => violation,
                });
                return Err(Error::Invalid(Violations(told.collect())));
            }
        }
        Intake::read_known(fields)
    }

    /// Parses fields under the names that Daybook knows.
    fn read_known(fields: Map<String, Value>) -> Result<Intake<A>, Error> {
        let mut enquiry = Map::new();
        let mut asked = Map::new();
        let mut attribution = Map::new();
        let mut consent = Map::new();
        let mut extra = Map::new();
        let mut in_extra = BTreeSet::new();
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
            } else if Enquiry::FIELDS.contains(&name.as_str()) {
                enquiry.insert(name, value);
            } else if name == "extra" && value.is_object() {
                let inside = value.as_object().cloned().unwrap_or_default();
                in_extra.extend(inside.keys().cloned());
                extra.extend(inside);
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
        let place = |name: &str| match in_extra.contains(name) {
            true => format!("/extra/{}", escape(name)),
            false => format!("/{}", escape(name)),
        };
        let extra = stored_extra(extra, place, &mut violations);
        if enquiry.get("source").and_then(Value::as_str).is_some_and(|source| source.trim() == DEMO_DATA) {
            let rule = Rule::format(
                "another source: demo_data is reserved for demo leads",
                "是其他来源：demo_data 保留给演示线索",
            );
            violations.add("/source", rule);
        }
        let phone = enquiry.get("phone").and_then(Value::as_str).and_then(|text| Phone::parse(text).ok());
        if phone.is_some() || !enquiry.contains_key("phone") {
            let reachable = check_reachable(enquiry.contains_key("email"), phone.as_ref());
            if let Err((field, rule)) = reachable {
                violations.add(field, rule);
            }
        }
        let enquiry = noted(read::<Enquiry>(Value::Object(enquiry)), &mut violations)?;
        let asked = noted(read::<A>(Value::Object(asked)), &mut violations)?;
        let enquiry = enquiry.map(|mut enquiry| {
            let attribution = enquiry.attribution.take().map(Attribution::masked);
            Enquiry { attribution, extra, ..enquiry }
        });
        if violations.0.is_empty() && bytes_of(&(&enquiry, &asked)) > ENQUIRY_BYTES {
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
        let extra = stored_extra(extra, |name| format!("/{}", escape(name)), &mut violations);
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
fn stored_extra(
    extra: Map<String, Value>,
    place: impl Fn(&str) -> String,
    violations: &mut Violations,
) -> Map<String, Value> {
    let broken = violations_of(&extra, &place);
    if !broken.0.is_empty() {
        violations.extend(broken);
        return extra;
    }
    let masked = masked_fields(&extra);
    // A mask may be longer than what it replaces.
    violations.extend(violations_of(&masked, place));
    masked
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
    /// Whether the limit of its e-mail address, or else its phone number, is exceeded.
    pub email: bool,
}

/// The verdict on a submission, with the checks that failed. A failed check holds it; only the honeypot makes it spam.
pub fn screen(enquiry: &Enquiry, controls: &Controls, limits: Limits) -> (Verdict, Vec<Finding>) {
    let gotcha = controls.gotcha.is_some();
    // A clock that was set meanwhile may run backwards.
    let odd_timing = controls.open_for().is_some_and(|millis| (0..LEAST_OPEN).contains(&millis));
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
        Intake::read(value.as_object().cloned().expect("an object"), &Map::new())
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
        check(json!({"password": "x".repeat(5_001)}), false);
        check(json!({"list": vec![json!({"pin": 1}); 400]}), false);
        check(json!({"list": vec![json!({"pin": 1}); 300]}), true);
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
            "big": "y".repeat(5_001), "a\nb": "c", "extra": {"inside": 1e200}
        }))
        .expect_err("broken");
        let Error::Invalid(found) = error else { panic!("expected violations") };
        let mut places: Vec<_> = found.0.iter().map(|v| (v.pointer.as_str(), v.rule.code())).collect();
        places.sort_unstable();
        assert_eq!(
            places,
            [
                ("/a\nb", "control_character"),
                ("/big", "too_long"),
                ("/company", "too_long"),
                ("/email", "invalid_email"),
                ("/extra/inside", "invalid_format"),
                ("/first_name", "control_character"),
                ("/industry", "not_allowed")
            ]
        );
    }

    #[test]
    fn what_a_usual_name_doesn_t_fit_stays_as_it_is() {
        let read = |fields: Value| {
            let fields = fields.as_object().cloned().expect("an object");
            Intake::<crate::ask::Plain>::read(fields, &Map::new())
        };
        let fields = json!({
            "your-email": "a@b.example", "business": "x".repeat(250), "tel": "1".repeat(41), "questions": ["a", "b"],
            "name": "y".repeat(150)
        });
        let enquiry = read(fields.clone()).expect("valid").enquiry;
        assert_eq!(
            (enquiry.company, enquiry.phone, enquiry.requirements, enquiry.first_name),
            (None, None, None, None)
        );
        for name in ["business", "tel", "questions", "name"] {
            assert_eq!(enquiry.extra[name], fields[name], "{name}");
        }
        let Err(Error::Invalid(told)) = read(json!({"your-email": "nope"})) else { panic!("expected violations") };
        assert_eq!(told.0[0].pointer, "/your-email");
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
        let check = |fields: Value, limits: Limits, verdict: Verdict, checks: &[Check]| {
            let mut all = json!({"email": "a@b.example"});
            let map = all.as_object_mut().expect("an object");
            map.extend(fields.as_object().cloned().expect("an object"));
            let read = intake(all.clone()).expect("valid");
            let (found, findings) = screen(&read.enquiry, &read.controls, limits);
            let found_checks: Vec<Check> = findings.iter().map(|finding| finding.check).collect();
            assert_eq!((found, found_checks.as_slice()), (verdict, checks), "{all}");
        };
        let none = Limits::default();
        check(json!({}), none, Verdict::Accepted, &[]);
        check(json!({"_gotcha": "http://x"}), none, Verdict::Spam, &[Check::Honeypot]);
        check(json!({"_elapsed": 500}), none, Verdict::Held, &[Check::Timing]);
        check(json!({"_elapsed": "12500.5"}), none, Verdict::Accepted, &[]);
        let open = |started: Value, sent: Value| json!({"_started_at": started, "_sent_at": sent});
        let (millis, seconds) = (951_782_400_000_i64, 951_782_400_i64);
        check(open(json!(millis), json!(millis + 500)), none, Verdict::Held, &[Check::Timing]);
        check(open(json!(seconds), json!(seconds + 1)), none, Verdict::Held, &[Check::Timing]);
        check(open(json!(seconds), json!(millis + 5_000)), none, Verdict::Accepted, &[]);
        check(open(json!("2000-02-29T00:00:00Z"), json!(millis + 1_000)), none, Verdict::Held, &[Check::Timing]);
        // A tab that was open for days, a clock that was set back, and one time alone.
        check(open(json!(millis), json!(millis + 400_000_000)), none, Verdict::Accepted, &[]);
        check(open(json!(millis), json!(millis - 400_000_000)), none, Verdict::Accepted, &[]);
        check(json!({"_started_at": millis}), none, Verdict::Accepted, &[]);
        check(open(json!("whenever"), json!(millis)), none, Verdict::Accepted, &[]);
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
            let _ = intake(json!({"email": "a@b.example", &name: &value}));
            let read = intake(json!({"email": "a@b.example", "_started_at": number, "_sent_at": value})).expect("valid");
            let _ = screen(&read.enquiry, &read.controls, Limits::default());
        }
    }
}
