//! Extensible enumerations and values: parsed strictly in requests, tolerantly from the store.
//!
//! A record that a newer version wrote may have a status, an event or a permission that this version doesn't know. Such a
//! value is kept when it is read from the store ([`Unknown`]) and written back unchanged; in a request it is refused.
//!
//! One `Deserialize` serves both: [`read`] asks its deserializer for the newtype [`OPEN`]. The deserializer of requests
//! (`crate::door`) passes the text itself, which is then validated; any other one passes the newtype, which isn't.

use crate::Rule;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

/// The newtype name that identifies an extensible value to the deserializer.
pub(crate) const OPEN: &str = "daybook open word";

/// The most unknown values that a process keeps, and the most bytes of one. What is stored was validated by the version
/// that wrote it, so these limits are only reached if data is corrupt.
const MOST: usize = 4_096;
const LONGEST: usize = 200;

/// An enumeration value that this version doesn't know. Interned: each is kept once per process, so that it is as cheap to
/// copy as a known value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unknown(&'static str);

impl Unknown {
    /// The value of a text; none if a limit is exceeded.
    pub fn of(text: &str) -> Option<Unknown> {
        static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(word) = kept.get(text) {
            return Some(Unknown(word));
        }
        if kept.len() >= MOST || text.len() > LONGEST {
            return None;
        }
        let word: &'static str = Box::leak(text.into());
        kept.insert(word);
        Some(Unknown(word))
    }

    /// The value as text.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {:?}", self.0)
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0)
    }
}

/// Deserializes a text: `strict` validates it in a request; from the store a text that breaks the rule is read by `kept`.
pub fn read<'de, T, D: Deserializer<'de>>(
    from: D,
    strict: fn(&str) -> Result<T, Rule>,
    kept: fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    from.deserialize_newtype_struct(OPEN, Open { strict, kept, of: PhantomData })
}

/// Deserializes an enumeration value: only known ones in a request, any value from the store.
pub fn word<'de, T, D: Deserializer<'de>>(
    from: D,
    names: &'static [&'static str],
    known: fn(&str) -> Option<T>,
    unknown: fn(Unknown) -> T,
) -> Result<T, D::Error> {
    struct Word<T> {
        names: &'static [&'static str],
        known: fn(&str) -> Option<T>,
        unknown: fn(Unknown) -> T,
    }
    impl<'de, T> Visitor<'de> for Word<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            (self.known)(text).ok_or_else(|| E::unknown_variant(text, self.names))
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
            let text = Cow::<'de, str>::deserialize(from)?;
            let word = (self.known)(&text).or_else(|| Unknown::of(&text).map(self.unknown));
            word.ok_or_else(|| D::Error::unknown_variant(&text, self.names))
        }
    }
    from.deserialize_newtype_struct(OPEN, Word { names, known, unknown })
}

struct Open<T> {
    strict: fn(&str) -> Result<T, Rule>,
    kept: fn(&str) -> Option<T>,
    of: PhantomData<T>,
}

impl<'de, T> Visitor<'de> for Open<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.strict)(text).map_err(E::custom)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        (self.strict)(&text).or_else(|rule| (self.kept)(&text).ok_or_else(|| D::Error::custom(rule)))
    }
}

/// Deserializes a list, `null` as empty: its limit applies in a request, not from the store.
pub fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
    strict: fn(Vec<T>) -> Result<Vec<T>, Rule>,
) -> Result<Vec<T>, D::Error> {
    struct List<T>(fn(Vec<T>) -> Result<Vec<T>, Rule>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
            let values = Vec::deserialize(SeqAccessDeserializer::new(list))?;
            (self.0)(values).map_err(A::Error::custom)
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Vec<T>, D::Error> {
            Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
        }
    }
    from.deserialize_newtype_struct(OPEN, List(strict))
}

/// The schema of an enumeration with these values. Written out, since derives don't see names from a macro's table.
pub fn one_of(names: &[&str], description: Option<&str>) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .description(description.map(str::trim))
        .enum_values(Some(names.iter().map(|name| (*name).to_owned())))
        .into()
}

/// Defines enumerations of the API, each with a further variant for values of newer versions.
#[macro_export]
macro_rules! choices {
    ($(
        $(#[doc = $doc:literal])+
        $(#[derive($($derive:ident),+)])?
        $name:ident $(as $schema:literal)? { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }
    )*) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord $($(, $derive)+)?)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A value that only a newer version knows.
            Unknown($crate::open::Unknown),
        }

        impl $name {
            /// The names of all known values.
            pub const NAMES: &'static [&'static str] = &[$($text),*];

            /// The name of the value.
            pub fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                    $name::Unknown(word) => word.as_str(),
                }
            }

            /// The value with this name, if known.
            pub fn named(name: &str) -> Option<$name> {
                match name { $($text => Some($name::$variant),)* _ => None }
            }
        }

        impl $crate::field::FieldType for $name {
            const KIND: $crate::field::FieldKind = $crate::field::FieldKind::OneOf($name::NAMES);
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::open::word(from, $name::NAMES, $name::named, $name::Unknown)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::choices!(@schema $name $($schema)? [$($doc)+])
            }
        }

        impl utoipa::ToSchema for $name {
            $(fn name() -> std::borrow::Cow<'static, str> {
                $schema.into()
            })?
        }
    )*};
    (@schema $name:ident [$($doc:literal)+]) => { $crate::open::one_of($name::NAMES, None) };
    (@schema $name:ident $schema:literal [$($doc:literal)+]) => {
        $crate::open::one_of($name::NAMES, Some(concat!($($doc),+)))
    };
}
#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    choices! {
        /// A colour.
        Colour {
            /// Red.
            Red = "red",
        }
    }

    #[test]
    fn a_new_word_is_kept_from_the_store_and_refused_at_the_door() {
        let stored: Vec<Colour> = serde_json::from_str(r#"["red","teal","teal"]"#).expect("kept");
        assert_eq!((stored[0], stored[1] == stored[2], stored[1].name()), (Colour::Red, true, "teal"));
        assert_eq!(serde_json::to_value(&stored).expect("written"), json!(["red", "teal", "teal"]));

        #[derive(Debug, Deserialize, utoipa::ToSchema)]
        struct Asked {
            #[expect(dead_code, reason = "it is refused")]
            colour: Colour,
        }
        let error = crate::read::read::<Asked>(json!({"colour": "teal"})).expect_err("refused");
        let crate::Error::Invalid(violations) = error else { panic!("{error:?}") };
        assert_eq!(violations.0[0].rule, Rule::OneOf { allowed: vec!["red".to_owned()] });
    }

    #[test]
    fn words_without_bounds_are_not_kept() {
        assert_eq!(Unknown::of(&"x".repeat(LONGEST + 1)), None);
        assert_eq!(Unknown::of("word").map(Unknown::as_str), Some("word"));
    }
}
