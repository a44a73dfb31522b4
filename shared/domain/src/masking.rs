//! Masking of secrets: which names denote a secret, and the masking of JSON values, queries and URLs.
//!
//! Applied before anything is stored: to requests in the journal, and to the free-form fields of submissions and leads.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

/// The text stored in place of a secret.
pub const MASK: &str = "***";

/// Names of secrets without separators: a word of a name contains one, or consecutive words of a name make one up.
const PARTS: [&str; 20] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "authorization",
    "apikey",
    "accesskey",
    "privatekey",
    "cookie",
    "card",
    "credential",
    "sessionid",
    "securitycode",
    "verificationcode",
    "密码",
    "口令",
    "验证码",
    "密钥",
];

/// Abbreviations that denote a secret as a word of a name.
const WORDS: [&str; 7] = ["pwd", "otp", "totp", "cvv", "cvc", "ssn", "jwt"];

/// Names that denote a secret only as the whole name of a field: `postal_code` and `boarding_pass` are no secrets.
const WHOLE: [&str; 4] = ["code", "pin", "pass", "auth"];

/// Ordinary words that contain one of [`PARTS`].
const ORDINARY: [&str; 2] = ["secretar", "discard"];

/// The fields that hold the name in an entry of a list of fields.
const NAMES: [&str; 5] = ["name", "key", "field", "id", "label"];

/// The fields that hold the value in an entry of a list of fields.
const VALUES: [&str; 6] = ["value", "values", "val", "answer", "content", "text"];

/// How often a name may be percent-encoded.
const ENCODINGS: usize = 4;

/// The most bytes of joined words that are compared with [`PARTS`].
const LONGEST: usize = 20;

/// The most bytes of a text that is taken as the name of a field.
const NAME_BYTES: usize = 200;

/// Whether the name of a field denotes a secret. Names are compared decoded, in lower case and without separators.
pub fn is_secret(name: &str) -> bool {
    let name = plain(name);
    let last = name.trim_end_matches(|c: char| !c.is_alphanumeric()).rsplit(['.', '[', '/', '?']).next();
    let last: String = last.unwrap_or_default().chars().filter(|c| c.is_alphanumeric()).collect();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    WHOLE.contains(&last.as_str())
        || words.iter().any(|word| WORDS.contains(word) || has_part(word))
        || (0..words.len()).any(|first| starts_with_part(&words[first..]))
}

/// A JSON value with secrets masked at any depth, also in URLs.
pub fn masked(value: &Value) -> Value {
    masked_where(value, &is_secret)
}

/// The fields of an object with secrets masked at any depth, also in URLs.
pub fn masked_fields(fields: &Map<String, Value>) -> Map<String, Value> {
    masked_object(fields, &is_secret)
}

/// A JSON value with the values of some fields masked at any depth, and secrets in URLs.
pub fn masked_where(value: &Value, is_hidden: &impl Fn(&str) -> bool) -> Value {
    match value {
        Value::Object(fields) => Value::Object(masked_object(fields, is_hidden)),
        Value::Array(list) => match list.as_slice() {
            [Value::String(name), _] if is_name(name) && is_hidden(name) => {
                Value::Array(vec![Value::from(name.as_str()), Value::from(MASK)])
            }
            list => Value::Array(list.iter().map(|one| masked_where(one, is_hidden)).collect()),
        },
        Value::String(text) => Value::from(masked_url(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A query string with secrets masked.
pub fn masked_query(query: &str) -> String {
    let names_secret =
        |(field, name): (&str, &str)| NAMES.contains(&plain(field).as_str()) && is_name(name) && is_secret(name);
    let is_entry = query.split('&').filter_map(|pair| pair.split_once('=')).any(names_secret);
    let shown = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_value = is_entry && VALUES.contains(&plain(name).as_str());
        if !is_value && !is_secret(name) && !is_url_with_secret(&decoded(value)) {
            return pair.to_owned();
        }
        match (decoded(name).contains('='), pair.contains('=')) {
            // The encoded name holds a pair itself.
            (true, _) => MASK.to_owned(),
            (false, true) => format!("{name}={MASK}"),
            (false, false) => pair.to_owned(),
        }
    };
    query.split('&').map(shown).collect::<Vec<_>>().join("&")
}

fn masked_object(fields: &Map<String, Value>, is_hidden: &impl Fn(&str) -> bool) -> Map<String, Value> {
    let names_secret = |(field, name): (&String, &Value)| {
        let name = name.as_str().filter(|name| is_name(name) && is_hidden(name));
        name.is_some() && NAMES.contains(&plain(field).as_str())
    };
    let is_entry = fields.iter().any(names_secret);
    let shown = |(field, value): (&String, &Value)| {
        let hides = is_hidden(field) || (is_entry && VALUES.contains(&plain(field).as_str()));
        let shown = if hides { Value::from(MASK) } else { masked_where(value, is_hidden) };
        (field.clone(), shown)
    };
    fields.iter().map(shown).collect()
}

/// A text with secrets masked in its query and fragment, if it is a URL.
fn masked_url(text: &str) -> String {
    if !is_url(text) {
        return text.to_owned();
    }
    let (address, fragment) = match text.split_once('#') {
        Some((address, fragment)) => (address, ["#", &masked_query(fragment)].concat()),
        None => (text, String::new()),
    };
    match address.split_once('?') {
        Some((page, query)) => format!("{page}?{}{fragment}", masked_query(query)),
        None => format!("{address}{fragment}"),
    }
}

fn is_url(text: &str) -> bool {
    let text = text.trim_start();
    let starts = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

/// Whether a decoded text is a URL with a parameter that is a secret, at any depth of nested URLs.
fn is_url_with_secret(text: &str) -> bool {
    let mut parts = text.split(['?', '&', '#']).filter_map(|part| part.split_once('='));
    is_url(text) && parts.any(|(name, _)| is_secret(name))
}

/// Whether a text is short enough to be the name of a field.
fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES
}

fn has_part(word: &str) -> bool {
    let word = ORDINARY.iter().fold(word.to_owned(), |word, ordinary| word.replace(ordinary, ""));
    PARTS.iter().any(|part| word.contains(part))
}

/// Whether the first words, joined, are one of the parts, also in the plural. `car_dealer` isn't a card.
fn starts_with_part(words: &[&str]) -> bool {
    let mut joined = String::new();
    for word in words {
        joined.push_str(word);
        if joined.len() > LONGEST {
            return false;
        }
        let singular = joined.strip_suffix('s').unwrap_or(&joined);
        if PARTS.contains(&joined.as_str()) || PARTS.contains(&singular) {
            return true;
        }
    }
    false
}

/// A name as it is compared: decoded, in NFKC and lower case, without invisible characters.
fn plain(name: &str) -> String {
    let name = decoded(name);
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let is_invisible = |c: char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    name.as_str().nfkc().flat_map(char::to_lowercase).filter(|c| !is_invisible(*c)).collect()
}

/// A text without percent-encoding, even if it is encoded several times; `+` is a blank.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..ENCODINGS {
        if !text.contains(['%', '+']) {
            break;
        }
        let spaced = text.replace('+', " ");
        text = percent_decode_str(&spaced).decode_utf8_lossy().into_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn names_of_secrets() {
        for name in [
            "password",
            "Password",
            "new_password",
            "user[password]",
            "user.password",
            "pass word",
            "pass-word",
            "p%61ssword",
            "p%2561ssword",
            "pass+word",
            "ｐａｓｓｗｏｒｄ",
            "pass\u{200b}word",
            "passwd",
            "pwd",
            "user_pwd",
            "passphrase",
            "passcode",
            "client-secret",
            "refresh_token",
            "accessToken",
            "Authorization",
            "api-key",
            "api_keys",
            "API Key",
            "x-api-key-id",
            "cookie",
            "card",
            "credit_card_number",
            "creditCard",
            "credentials",
            "private_key",
            "session-id",
            "code",
            "user[code]",
            "pin",
            "otp",
            "otp_code",
            "cvv",
            "CVC",
            "pass",
            "auth",
            "ssn",
            "密码",
            "登录密码",
            "口令",
            "短信验证码",
            "API密钥",
        ] {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn names_of_other_fields() {
        for name in [
            "",
            "%",
            "name",
            "postal_code",
            "country_code",
            "author",
            "compass",
            "compass_code",
            "passport_country",
            "car_dealer",
            "secretary",
            "discarded",
            "boarding_pass",
            "pincode_area",
            "keyword",
            "session",
            "message",
            "公司",
            "邮政编码",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

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
        check(json!({"name": "Ada", "value": "x"}), json!({"name": "Ada", "value": "x"}));
        check(json!([["token", "x"], ["a", "b"]]), json!([["token", "***"], ["a", "b"]]));
        check(json!(["token", "a", "b"]), json!(["token", "a", "b"]));
    }

    #[test]
    fn secrets_of_urls_are_masked() {
        let check = |text: &str, expected: &str| assert_eq!(masked(&json!([text])), json!([expected]), "{text}");
        check("https://a.example/x?a=1&token=x", "https://a.example/x?a=1&token=***");
        check("HTTP://a.example?p%61ssword=x#access_token=y", "HTTP://a.example?p%61ssword=***#access_token=***");
        check("https://a.example/#/account?code=x", "https://a.example/#/account?code=***");
        check("https://a.example/?next=https%3A%2F%2Fb.example%2F%3Ftoken%3Dx", "https://a.example/?next=***");
        check("https://a.example/?q=1", "https://a.example/?q=1");
        check("is the token=x?", "is the token=x?");
    }

    #[test]
    fn secrets_of_queries_are_masked() {
        let check = |query: &str, expected: &str| assert_eq!(masked_query(query), expected, "{query}");
        check("a=1&access_token=x&b", "a=1&access_token=***&b");
        check("p%61ssword=x", "p%61ssword=***");
        check("user%5Bpassword%5D=x=y", "user%5Bpassword%5D=***");
        check("name=password&value=x", "name=password&value=***");
        check("password%3Dx", "***");
        check("", "");
    }

    proptest! {
        #[test]
        fn masking_twice_changes_nothing(query in "\\PC{0,60}") {
            let once = masked_query(&query);
            prop_assert_eq!(masked_query(&once), once);
        }
    }
}
