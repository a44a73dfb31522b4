//! Secrets in requests, such as passwords: never printed or serialised, and wiped from memory.

use crate::error::{Rule, Unit};
use crate::masking::MASK;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization as _;

/// A new password: at least 8 characters, no other rule (ASVS 6.2).
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password, min_length = 8, max_length = 1024)]
pub struct NewPassword(Secret);

impl NewPassword {
    /// The minimum length in characters.
    pub const SHORTEST: usize = 8;

    /// The password in plain text.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The password as a secret.
    pub fn into_secret(self) -> Secret {
        self.0
    }
}

impl<'de> Deserialize<'de> for NewPassword {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let secret = Secret::deserialize(from)?;
        if secret.expose().chars().count() < NewPassword::SHORTEST {
            return Err(serde::de::Error::custom(Rule::TooShort { min: NewPassword::SHORTEST }));
        }
        Ok(NewPassword(secret))
    }
}

/// A secret such as a password, of at most 1,024 bytes. It serialises and prints as `***`, so that it appears in no
/// journal, log or message; its memory is wiped when it is dropped.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// The most bytes of a secret: hashing longer ones could be used for denial of service.
    pub const MAX_BYTES: usize = 1024;

    /// Wraps a secret.
    pub fn new(secret: String) -> Secret {
        Secret(SecretString::from(secret))
    }

    /// The secret in plain text, exactly as received.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The secret as any keyboard types it: accents composed (NFC), and full-width letters, digits and signs as ASCII.
    #[must_use]
    pub fn folded(&self) -> Secret {
        let narrow = |c: char| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            '\u{3000}' => ' ',
            other => other,
        };
        Secret::new(self.expose().nfc().map(narrow).collect())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.len() > Secret::MAX_BYTES {
            let rule = Rule::TooLong { max: Secret::MAX_BYTES, unit: Unit::Bytes };
            return Err(serde::de::Error::custom(rule));
        }
        Ok(Secret::new(text))
    }
}

impl utoipa::PartialSchema for Secret {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::Custom("password".to_owned())))
            .max_length(Some(Secret::MAX_BYTES))
            .into()
    }
}

impl utoipa::ToSchema for Secret {}
