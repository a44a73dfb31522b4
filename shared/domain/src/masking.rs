//! Masking of secrets in JSON values, queries and URLs, by the names of fields.
//!
//! Applied before anything is stored: to requests in the journal, to the free-form fields of submissions and leads, and
//! to the URLs of their attribution.

mod names;

pub use names::is_secret;

pub(crate) use names::NAME_BYTES;
use names::{decoded, holds_value, plain};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The text stored in place of a secret.
pub const MASK: &str = "***";

/// The fields that hold the name in an entry of a list of fields.
const NAMES: [&str; 9] = ["name", "key", "field", "id", "label", "type", "title", "question", "header"];

/// The fields that hold the value in an entry of a list of fields.
const VALUES: [&str; 8] = ["value", "values", "val", "answer", "content", "text", "data", "response"];

/// The most words and characters of a text that is taken as the name of a field: longer ones are questions or prose.
const NAME_WORDS: usize = 3;
const NAME_CHARACTERS: usize = 60;

/// The most bytes of the scheme of a URL.
const SCHEME_BYTES: usize = 20;

/// A JSON value with secrets masked at any depth, also in names and URLs.
pub fn masked(value: &Value) -> Value {
    masked_where(value, &is_secret)
}

/// The fields of an object with secrets masked at any depth, also in names and URLs.
pub fn masked_fields(fields: &Map<String, Value>) -> Map<String, Value> {
    masked_object(fields, &is_secret)
}

/// A JSON value with the values of some fields masked at any depth, and secrets in URLs.
pub fn masked_where(value: &Value, is_hidden: &impl Fn(&str) -> bool) -> Value {
    match value {
        Value::Object(fields) => Value::Object(masked_object(fields, is_hidden)),
        Value::Array(list) => match list.as_slice() {
            [Value::String(name), _] if is_identifier(name) && is_hidden(name) => {
                Value::Array(vec![Value::from(name.as_str()), Value::from(MASK)])
            }
            list => Value::Array(list.iter().map(|one| masked_where(one, is_hidden)).collect()),
        },
        Value::String(text) => Value::from(masked_url(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// The name of a field as it is stored: masked if it holds a secret itself, such as the name that a JSON body becomes
/// which is sent as a form.
pub fn masked_name(name: &str) -> &str {
    if is_secret(name) && holds_value(name) { MASK } else { name }
}

/// A query string with secrets masked.
pub fn masked_query(query: &str) -> String {
    let names_secret = |(field, name): (&str, &str)| {
        let entry = entry_of(field, &NAMES)?;
        (is_name(name) && is_secret(name)).then_some(entry)
    };
    let entries: BTreeSet<String> =
        query.split('&').filter_map(|pair| pair.split_once('=')).filter_map(names_secret).collect();
    let shown = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_hidden = is_secret(name);
        if !is_hidden && !is_value_of(name, &entries) && !is_url_with_secret(&decoded(value)) {
            return pair.to_owned();
        }
        match (is_hidden && holds_value(name), pair.contains('=')) {
            (true, _) => MASK.to_owned(),
            (false, true) => format!("{name}={MASK}"),
            (false, false) => pair.to_owned(),
        }
    };
    query.split('&').map(shown).collect::<Vec<_>>().join("&")
}

/// A text with the password of its user and the secrets of its query and fragment masked, if it is a URL, or an
/// absolute path with a query or a fragment.
pub fn masked_url(text: &str) -> String {
    let Some((start, host, rest)) = parts_of_url(text) else { return text.to_owned() };
    let host = match without_password(host) {
        Some((user, server)) => format!("{user}:{MASK}@{server}"),
        None => host.to_owned(),
    };
    let (address, fragment) = match rest.split_once('#') {
        Some((address, fragment)) => (address, ["#", &masked_query(fragment)].concat()),
        None => (rest, String::new()),
    };
    match address.split_once('?') {
        Some((page, query)) => format!("{start}{host}{page}?{}{fragment}", masked_query(query)),
        None => format!("{start}{host}{address}{fragment}"),
    }
}

fn masked_object(fields: &Map<String, Value>, is_hidden: &impl Fn(&str) -> bool) -> Map<String, Value> {
    let names_secret = |(field, named): (&String, &Value)| {
        let entry = entry_of(field, &NAMES)?;
        // A form with several entries of the same field names becomes lists.
        let list = named.as_array().into_iter().flatten();
        let mut names = list.chain([named]).filter_map(Value::as_str);
        names.any(|name| is_name(name) && is_hidden(name)).then_some(entry)
    };
    let entries: BTreeSet<String> = fields.iter().filter_map(names_secret).collect();
    let mut masked = 0;
    let shown = |(field, value): (&String, &Value)| {
        let hides_field = is_hidden(field);
        let name = match hides_field && holds_value(field) {
            // Numbered, as several fields may be masked.
            true => {
                masked += 1;
                if masked == 1 { MASK.to_owned() } else { format!("{MASK}{masked}") }
            }
            false => field.clone(),
        };
        let hides = hides_field || is_value_of(field, &entries);
        let shown = if hides { Value::from(MASK) } else { masked_where(value, is_hidden) };
        (name, shown)
    };
    fields.iter().map(shown).collect()
}

/// The entry of a field whose name ends with one of these: `fields[0]` of `fields[0][name]`, and none of `name`.
fn entry_of(field: &str, ends: &[&str]) -> Option<String> {
    if field.len() > NAME_BYTES {
        return None;
    }
    let field = plain(field);
    let field = field.strip_suffix("[]").unwrap_or(&field);
    let (entry, end) = match field.strip_suffix(']') {
        Some(inner) => inner.rsplit_once('[')?,
        None => field.rsplit_once('.').unwrap_or(("", field)),
    };
    ends.contains(&end).then(|| entry.to_owned())
}

/// Whether a field is the value of one of these entries.
fn is_value_of(field: &str, entries: &BTreeSet<String>) -> bool {
    !entries.is_empty() && entry_of(field, &VALUES).is_some_and(|entry| entries.contains(&entry))
}

/// The parts of a URL: its start up to `//`, its host, and the rest; of an absolute path with a query or a fragment,
/// only the rest.
fn parts_of_url(text: &str) -> Option<(&str, &str, &str)> {
    let trimmed = text.trim_start();
    let blanks = text.len() - trimmed.len();
    let is_scheme = |scheme: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        (1..=SCHEME_BYTES).contains(&scheme.len()) && scheme.chars().all(is_part)
    };
    let start = match trimmed.split_once("://") {
        Some((scheme, _)) if is_scheme(scheme) => scheme.len() + "://".len(),
        _ if trimmed.starts_with("//") => "//".len(),
        _ if trimmed.starts_with('/') && trimmed.contains(['?', '#']) => 0,
        _ => return None,
    };
    let (start, rest) = text.split_at(blanks + start);
    let (host, rest) = rest.split_at(rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()));
    Some((start, host, rest))
}

/// The user and the server of a host with a user and a password.
fn without_password(host: &str) -> Option<(&str, &str)> {
    let (user, server) = host.rsplit_once('@')?;
    let (user, _) = user.split_once(':')?;
    Some((user, server))
}

/// Whether a decoded text is a URL with a password, or with a parameter that is a secret, at any depth of nested URLs.
fn is_url_with_secret(text: &str) -> bool {
    let Some((_, host, _)) = parts_of_url(text) else { return false };
    let mut parts = text.split(['?', '&', '#']).filter_map(|part| part.split_once('='));
    without_password(host).is_some() || parts.any(|(name, _)| is_secret(name))
}

/// Whether a value is like the name of a field: names of people and questions aren't names of secrets.
fn is_name(text: &str) -> bool {
    let is_short =
        |text: &str| text.chars().count() <= NAME_CHARACTERS && text.split_whitespace().nth(NAME_WORDS).is_none();
    text.len() <= NAME_BYTES && is_short(&decoded(text))
}

/// Whether a text is an identifier, such as the first of a pair in a list of pairs.
fn is_identifier(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    (1..=NAME_CHARACTERS).contains(&text.len()) && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn secrets_are_masked_at_any_depth() {
        let check = |value: Value, expected: Value| assert_eq!(masked(&value), expected, "{value}");
        check(
            json!({"email": "a@b.example", "Password": "x", "list": [{"api-key": "y", "note": "z"}]}),
            json!({"email": "a@b.example", "Password": "***", "list": [{"api-key": "***", "note": "z"}]}),
        );
        check(json!({"refresh_token": {"a": 1}}), json!({"refresh_token": "***"}));
    }

    #[test]
    fn values_of_named_entries_are_masked() {
        let check = |value: Value, expected: Value| assert_eq!(masked(&value), expected, "{value}");
        check(json!([{"name": "password", "value": "x"}]), json!([{"name": "password", "value": "***"}]));
        check(json!({"Label": "密码", "Answer": ["x"]}), json!({"Label": "密码", "Answer": "***"}));
        check(json!({"key": "api_key", "val": 1, "n": 2}), json!({"key": "api_key", "val": "***", "n": 2}));
        check(json!({"type": "password", "data": "x"}), json!({"type": "password", "data": "***"}));
        check(json!({"question": "Your PIN", "n": 1}), json!({"question": "Your PIN", "n": 1}));
        check(json!({"title": "Your password", "response": 1}), json!({"title": "Your password", "response": "***"}));
        check(
            json!({"fields[0][name]": "pwd", "fields[0][value]": "x", "fields[1][value]": "y"}),
            json!({"fields[0][name]": "pwd", "fields[0][value]": "***", "fields[1][value]": "y"}),
        );
        check(json!({"a.0.header": "jwt", "a.0.text": "x"}), json!({"a.0.header": "jwt", "a.0.text": "***"}));
        check(
            json!({"name": ["email", "pin"], "value": ["a@b.example", "1"]}),
            json!({"name": ["email", "pin"], "value": "***"}),
        );
        check(json!([["token", "x"], ["a", "b"]]), json!([["token", "***"], ["a", "b"]]));
        check(json!(["user[password]", "x"]), json!(["user[password]", "***"]));
    }

    #[test]
    fn values_of_other_entries_are_kept() {
        for value in [
            json!({"name": "Ada", "value": "x"}),
            json!({"name": "Ricardo", "value": "x"}),
            json!({"label": "How do you share passwords today?", "answer": "In a book"}),
            json!({"question": "x".repeat(61) + "password", "answer": "y"}),
            json!({"fields[0][name]": "pwd", "fields[1][value]": "y"}),
            json!(["token", "a", "b"]),
            json!(["Access card reader", "Camera"]),
            json!(["API key", "Camera"]),
        ] {
            assert_eq!(masked(&value), value);
        }
    }

    #[test]
    fn names_that_hold_secrets_are_masked() {
        let check = |value: Value, expected: Value| assert_eq!(masked(&value), expected, "{value}");
        check(json!({"{\"email\": \"a@b.example\", \"password\": \"x\"}": ""}), json!({"***": "***"}));
        check(json!({"{\"pin\":\"1234\"}": ""}), json!({"***": "***"}));
        check(json!({"password：x": 1, "password%3Dx": 1}), json!({"***": "***", "***2": "***"}));
        check(json!({"Password:": "x"}), json!({"Password:": "***"}));
        check(json!({"og:title": "x", "a=b": "y"}), json!({"og:title": "x", "a=b": "y"}));
        check(Value::Object(Map::from_iter([("x".repeat(NAME_BYTES + 1), json!(1))])), json!({"***": "***"}));
        check(Value::Object(Map::from_iter([("x".repeat(NAME_BYTES), json!(1))])), json!({"x".repeat(NAME_BYTES): 1}));
    }

    #[test]
    fn secrets_of_urls_are_masked() {
        let check = |text: &str, expected: &str| assert_eq!(masked(&json!([text])), json!([expected]), "{text}");
        check("https://a.example/x?a=1&token=x", "https://a.example/x?a=1&token=***");
        check("HTTP://a.example?p%61ssword=x#access_token=y", "HTTP://a.example?p%61ssword=***#access_token=***");
        check("https://a.example/#/account?code=x", "https://a.example/#/account?code=***");
        check("https://a.example/?next=https%3A%2F%2Fb.example%2F%3Ftoken%3Dx", "https://a.example/?next=***");
        check("https://a.example/?next=%2Freset%3Ftoken%3Dx", "https://a.example/?next=***");
        check("https://a.example/?q=1", "https://a.example/?q=1");
        check("/reset?token=x", "/reset?token=***");
        check(" //a.example/reset?a=1&token=x", " //a.example/reset?a=1&token=***");
        check("https://ada:x@a.example/?q=1", "https://ada:***@a.example/?q=1");
        check("postgres://ada:x@y@a.example", "postgres://ada:***@a.example");
        check("//ada:x@a.example", "//ada:***@a.example");
        check("https://a.example/@ada:x", "https://a.example/@ada:x");
        check("https://ada@a.example:80/", "https://ada@a.example:80/");
        check("is the token=x?", "is the token=x?");
        check("and/or?", "and/or?");
    }

    #[test]
    fn secrets_of_queries_are_masked() {
        let check = |query: &str, expected: &str| assert_eq!(masked_query(query), expected, "{query}");
        check("a=1&access_token=x&b", "a=1&access_token=***&b");
        check("p%61ssword=x", "p%61ssword=***");
        check("user%5Bpassword%5D=x=y", "user%5Bpassword%5D=***");
        check("name=password&value=x", "name=password&value=***");
        check("f%5B0%5D.name=new+pin&f%5B0%5D.value=x", "f%5B0%5D.name=new+pin&f%5B0%5D.value=x");
        check("f%5B0%5D.name=new+pwd&f%5B0%5D.value=x", "f%5B0%5D.name=new+pwd&f%5B0%5D.value=***");
        check("f[0][name]=password&f[1][value]=x", "f[0][name]=password&f[1][value]=x");
        check("name=Ricardo&value=x", "name=Ricardo&value=x");
        check("back=%2Freset%3Ftoken%3Dx&a=%2Fb", "back=***&a=%2Fb");
        check("password%3Dx", "***");
        check("password:x&a:b", "***&a:b");
        check(&"x".repeat(NAME_BYTES + 1), "***");
        check("", "");
    }

    /// Before, names like these took a second in a request of 200 KB.
    #[test]
    fn long_names_cost_no_time() {
        let start = std::time::Instant::now();
        for name in ["p.a.s.s.w.o.r.".repeat(100_000), "\u{fdfa}".repeat(400_000), "%25".repeat(400_000)] {
            assert_eq!(masked(&json!({name.as_str(): 1})), json!({"***": "***"}));
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(1), "{:?}", start.elapsed());
    }

    proptest! {
        #[test]
        fn masking_twice_changes_nothing(query in "\\PC{0,60}") {
            let once = masked_query(&query);
            prop_assert_eq!(masked_query(&once), once);
        }
    }
}
