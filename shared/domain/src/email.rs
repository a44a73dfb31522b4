//! E-mail addresses: parsing, normalisation for comparison, and search for an address in texts and JSON.

use crate::Rule;
use crate::text::trimmed_line;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// One address (RFC 5321 and 6531): a local part, `@`, and a domain name with a dot; at most 254 bytes.
///
/// Kept as entered (in NFC). Two addresses belong to the same person if [`EmailAddress::normalized`] is equal: NFC, lower
/// case, domain in ASCII (IDNA). Plus tags are significant, since some hosts give them to different people.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Parses an address.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let text = &trimmed_line(text)?.nfc().collect::<String>();
        let options =
            email_address::Options::default().with_required_tld().without_domain_literal().without_display_text();
        email_address::EmailAddress::parse_with_options(text, options).map_err(|_| Rule::Email)?;
        // A quoted local part may hold commas, semicolons and spaces, which mail systems read as several addresses.
        let plain = !text.contains(['"', ',', ';', ' ', '<', '>', '(', ')']) && text.len() <= 254;
        let (_, domain) = text.rsplit_once('@').ok_or(Rule::Email)?;
        if !plain || idna::domain_to_ascii(domain).is_err() {
            return Err(Rule::Email);
        }
        Ok(EmailAddress(text.to_owned()))
    }

    /// The address as entered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which addresses are compared.
    pub fn normalized(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let local: String = local.nfc().flat_map(char::to_lowercase).collect();
        let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase());
        format!("{local}@{domain}")
    }

    /// A text as addresses are compared, also where it is none.
    pub fn normalized_text(text: &str) -> String {
        match EmailAddress::parse(text) {
            Ok(address) => address.normalized(),
            Err(_) => text.nfc().flat_map(char::to_lowercase).collect(),
        }
    }

    /// Whether a text contains the address in any spelling: normalised, or with its domain in Unicode.
    pub fn is_in(&self, text: &str) -> bool {
        let normalized = self.normalized();
        let (local, domain) = normalized.rsplit_once('@').unwrap_or((&normalized, ""));
        let (unicode, _) = idna::domain_to_unicode(domain);
        let text: String = text.nfc().flat_map(char::to_lowercase).collect();
        names(&text, &normalized) || (unicode != domain && names(&text, &format!("{local}@{unicode}")))
    }

    /// Whether a JSON value contains the address in a string or a name, or percent-encoded in a URL within a string.
    pub fn is_in_json(&self, json: &Value) -> bool {
        any_text(json, &|text| self.is_in(text) || self.is_in_query(text))
    }

    /// Whether a query or path contains the address percent-encoded, with `%40` for `@`.
    fn is_in_query(&self, text: &str) -> bool {
        let decoded = |part: &str| self.is_in(&percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy());
        text.contains('%') && text.split(['&', '=', '?', '/', ';']).any(decoded)
    }
}

/// Whether a text or a name within a JSON value meets a condition.
pub(crate) fn any_text(json: &Value, is_met: &impl Fn(&str) -> bool) -> bool {
    match json {
        Value::String(text) => is_met(text),
        Value::Array(list) => list.iter().any(|value| any_text(value, is_met)),
        Value::Object(map) => map.iter().any(|(name, value)| is_met(name) || any_text(value, is_met)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Reads an address that may be missing. An empty one in the store is none: versions that required an address read it, too.
pub(crate) fn or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<EmailAddress>, D::Error> {
    Ok(Option::<EmailAddress>::deserialize(from)?.filter(|address| !address.as_str().is_empty()))
}

/// Whether a text contains the address itself, not only as a part of a longer address.
fn names(text: &str, address: &str) -> bool {
    // The characters of a local part, without those that also commonly precede an address in a text.
    let of_local =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '\'' | '!' | '#' | '$' | '%' | '^' | '~');
    let of_domain = |rest: &str| {
        let mut rest = rest.chars();
        match rest.next() {
            Some('.') => rest.next().is_some_and(char::is_alphanumeric),
            Some(c) => c.is_alphanumeric() || c == '-',
            None => false,
        }
    };
    text.match_indices(address).any(|(at, _)| {
        // An apostrophe is a quotation mark only at the start of a word.
        let before = text[..at].strip_suffix('\'').filter(|before| !before.ends_with(char::is_alphanumeric));
        !before.unwrap_or(&text[..at]).ends_with(of_local) && !of_domain(&text[at + address.len()..])
    })
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for EmailAddress {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EmailAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::open::read(from, EmailAddress::parse, |text| Some(EmailAddress(text.to_owned())))
    }
}

impl utoipa::PartialSchema for EmailAddress {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::Custom("email".to_owned())))
            .max_length(Some(254))
            .into()
    }
}

impl utoipa::ToSchema for EmailAddress {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_that_are_one() {
        let same = |a: &str, b: &str| {
            let read = |text| EmailAddress::parse(text).expect("an address").normalized();
            assert_eq!(read(a), read(b));
        };
        same("Zhang.San@Example.COM", " zhang.san@example.com ");
        same("anna@bücher.example", "ANNA@xn--bcher-kva.example");
        same("jose\u{301}@example.com", "jos\u{e9}@example.com");
        same("\u{2068}zhang@example.com\u{2069}", "zhang@example.com");
    }

    #[test]
    fn an_address_is_found_in_texts_and_not_in_others_addresses() {
        let check = |address: &str, text: &str, expected: bool| {
            let address = EmailAddress::parse(address).expect("an address");
            assert_eq!(address.is_in_json(&Value::from(text)), expected, "{address} in {text}");
        };
        for text in [
            "ada@example.com",
            "Call:\nada@example.com",
            "write to ada@EXAMPLE.com.",
            "<ada@example.com>",
            "'ada@example.com'",
            "search=ada%40example.com&limit=1",
            "q=to+ada%40example.com",
            "/api/x/ADA%40example.com",
            "https://example.com/?email=ada%40example.com#top",
        ] {
            check("ada@example.com", text, true);
        }
        for text in [
            "",
            "ada",
            "panda@example.com",
            "l.ada@example.com",
            "l+ada@example.com",
            "o'ada@example.com",
            "q=l%2Bada%40example.com",
            "ada@example.community",
            "ada@example.com.cn",
        ] {
            check("ada@example.com", text, false);
        }
        check("anna@bücher.example", "ANNA@xn--bcher-kva.example", true);
        check("anna@xn--bcher-kva.example", "anna@Bücher.example", true);
        let nested = serde_json::json!({"a": [{"ada@example.com": 1}]});
        assert!(EmailAddress::parse("ada@example.com").expect("an address").is_in_json(&nested));
    }

    #[test]
    fn texts_that_are_no_address() {
        for bad in [
            "",
            "a",
            "a@",
            "@b.example",
            "a@b",
            "a b@c.example",
            "a@b.example,c@d.example",
            "a@[127.0.0.1]",
            "Anna <a@b.example>",
            "a@b.example\r\nBcc: x@y.example",
            "a@b.example\n",
            "a\u{202e}b@c.example",
            "\"a,b\"@c.example",
            "a@b..example",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing(local in "[a-zA-Z0-9.+_-]{1,20}", domain in "[a-zA-Z]{1,10}\\.[a-z]{2,5}") {
            if let Ok(address) = EmailAddress::parse(&format!("{local}@{domain}")) {
                let once = address.normalized();
                prop_assert_eq!(EmailAddress::parse(&once).expect("still an address").normalized(), once);
            }
        }
    }
}
