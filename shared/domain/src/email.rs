//! E-mail addresses.

use crate::Rule;
use crate::text::breaks_a_line;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// One address (RFC 5321 and 6531): a local part, `@`, and a domain name with a dot; at most 254 bytes.
///
/// Kept as it was written (in NFC). Two addresses are the same person's when [`EmailAddress::normalized`] is
/// equal: NFC, lower case, domain in ASCII (IDNA). Plus tags count, since some hosts give them to
/// different people.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// The address a text is.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        if text.chars().any(breaks_a_line) {
            return Err(Rule::ControlCharacter);
        }
        let text = &text.trim().nfc().collect::<String>();
        let options =
            email_address::Options::default().with_required_tld().without_domain_literal().without_display_text();
        email_address::EmailAddress::parse_with_options(text, options).map_err(|_| Rule::Email)?;
        // A quoted local part may hold commas, semicolons and blanks, which mail systems take for more addresses.
        let plain = !text.contains(['"', ',', ';', ' ', '<', '>', '(', ')']) && text.len() <= 254;
        let (_, domain) = text.rsplit_once('@').ok_or(Rule::Email)?;
        if !plain || idna::domain_to_ascii(domain).is_err() {
            return Err(Rule::Email);
        }
        Ok(EmailAddress(text.to_owned()))
    }

    /// The address as it was written.
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
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        EmailAddress::parse(&text).map_err(serde::de::Error::custom)
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
