//! Secrets that came in with a request.

use crate::error::{Rule, Unit};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A password that somebody chooses: at least 8 characters, no other rule (ASVS 6.2).
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password, min_length = 8, max_length = 1024)]
pub struct NewPassword(Secret);

impl NewPassword {
    /// The fewest characters.
    pub const SHORTEST: usize = 8;

    /// The password itself.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The password.
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

/// A password or the like, of at most 1,024 bytes. Serialises and prints as `***`, so it reaches
/// neither journal nor log nor message; its memory is wiped when it is dropped.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// The most bytes a secret may have; hashing longer ones would be a way to keep a server busy.
    pub const MAX_BYTES: usize = 1024;

    /// Wraps a secret.
    pub fn new(secret: String) -> Secret {
        Secret(SecretString::from(secret))
    }

    /// The secret itself, exactly as it came.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("***")
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
