//! The deserializer of request input: refuses unknown fields and values, and reports each violation as a [`Rule`].
//!
//! A custom deserializer, since only a deserializer sees both the names that a type knows and those that were sent: types
//! don't declare `deny_unknown_fields`, because they are read tolerantly from the store (`crate::open`).

use crate::Rule;
use crate::error::Requirement;
use crate::open::OPEN;
use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, Expected, IntoDeserializer, Unexpected, Visitor};
use serde_json::Value;
use std::fmt;

/// A value sent by a client.
#[derive(Clone, Debug)]
pub(crate) struct InputDeserializer<'de> {
    value: &'de Value,
    /// The stored values that it replaces: one value, or for an entry of a list all of the list's entries.
    before: Vec<&'de Value>,
    strictness: Strictness,
}

/// What happens to unknown fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// They are refused.
    Strict,
    /// They are ignored.
    Loose,
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// A required field is missing.
    Missing(&'static str),
    /// The type has no such field.
    UnknownField(String, Rule),
    /// The value breaks a rule.
    Broken(Rule),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Missing(field) => write!(f, "{field} is missing"),
            Refusal::UnknownField(field, _) => write!(f, "{field} is unknown"),
            Refusal::Broken(rule) => write!(f, "{rule:?}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    fn type_of(expected: &str) -> Refusal {
        Refusal::Broken(Rule::Type { expected: type_name(expected) })
    }

    fn unknown(field: &str, known: &[&str]) -> Refusal {
        let known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
        Refusal::UnknownField(field.to_owned(), Rule::unknown(field, &known))
    }
}

impl serde::de::Error for Refusal {
    /// Daybook's own types pass the broken rule as JSON; any other message is taken as what was expected.
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        let rule = serde_json::from_str(&message);
        let expected = || type_name(message.strip_prefix("expected ").unwrap_or(&message));
        Refusal::Broken(rule.unwrap_or_else(|_| Rule::Type { expected: expected() }))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Refusal::type_of(&expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Refusal::type_of(&expected.to_string())
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Refusal::type_of(&expected.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Refusal::Broken(Rule::OneOf { allowed: expected.iter().map(|&name| name.to_owned()).collect() })
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Refusal::unknown(field, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Refusal::Missing(field)
    }
}

/// The JSON name of what serde expected, in both languages. Serde has other texts, all in English; in Chinese they become
/// "a value of another type".
fn type_name(expected: &str) -> Requirement {
    let (english, chinese) = match expected {
        "a map" | "an object" => ("an object", "对象"),
        "a sequence" | "a list" => ("a list", "列表"),
        "string or map" | "a borrowed string" | "a string" => ("a string", "文本"),
        "f32" | "f64" | "a number" => ("a number", "数字"),
        "u8" | "u16" | "u32" | "u64" | "usize" => ("a whole number, 0 or more", "不小于 0 的整数"),
        "i8" | "i16" | "i32" | "i64" => ("a whole number", "整数"),
        "a boolean" => ("a boolean", "true 或 false"),
        "an amount" => ("an amount", "金额"),
        expected if expected.starts_with("struct ") => ("an object", "对象"),
        other => return Requirement::new(other.to_owned(), "其他类型的值"),
    };
    Requirement::new(english, chinese)
}

impl<'de> InputDeserializer<'de> {
    /// A value, and the stored one that it replaces.
    pub fn of(value: &'de Value, before: Option<&'de Value>, strictness: Strictness) -> InputDeserializer<'de> {
        InputDeserializer { value, before: before.into_iter().collect(), strictness }
    }

    /// The value of a field.
    fn field(&self, (name, value): (&'de String, &'de Value)) -> (&'de str, InputDeserializer<'de>) {
        let before = self.before.iter().filter_map(|before| before.get(name)).collect();
        (name.as_str(), InputDeserializer { value, before, strictness: self.strictness })
    }

    /// An entry of a list.
    fn entry(&self, value: &'de Value) -> InputDeserializer<'de> {
        let before = self.before.iter().filter_map(|before| before.as_array()).flatten().collect();
        InputDeserializer { value, before, strictness: self.strictness }
    }

    fn unfit(self, visitor: &dyn Expected) -> Refusal {
        Refusal::invalid_type(Unexpected::Other("a value"), visitor)
    }

    fn object<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.value {
            Value::Object(map) => visitor.visit_map(MapDeserializer::new(map.iter().map(|one| self.field(one)))),
            _ => Err(Refusal::type_of("an object")),
        }
    }
}

impl<'de> IntoDeserializer<'de, Refusal> for InputDeserializer<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Implements the methods that accept only texts, and those that accept values of any type.
macro_rules! forwarded {
    (text: $($text:ident)*; any: $($any:ident)*) => {
        $(fn $text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            match self.value {
                Value::String(text) => visitor.visit_borrowed_str(text),
                _ => Err(Refusal::type_of("a string")),
            }
        })*
        $(fn $any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            self.deserialize_any(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for InputDeserializer<'de> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(self.unfit(&visitor)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(list) => visitor.visit_seq(SeqDeserializer::new(list.iter().map(|one| self.entry(one)))),
            Value::Object(_) => self.object(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, v: V) -> Result<V::Value, Refusal> {
        let is_asked = name == OPEN && !self.before.contains(&self.value);
        if is_asked { self.deserialize_any(v) } else { v.visit_newtype_struct(self) }
    }

    /// Never a list: the names by which secrets are masked would be missing.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.object(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let checked = self.value.as_object().filter(|_| self.strictness == Strictness::Strict);
        let names = checked.into_iter().flat_map(|map| map.keys());
        match names.into_iter().find(|name| !fields.contains(&name.as_str())) {
            Some(name) => Err(Refusal::unknown(name, fields)),
            None => self.object(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.value {
            Value::String(text) if variants.contains(&text.as_str()) => {
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            Value::String(text) => Err(Refusal::unknown_variant(text, variants)),
            Value::Object(map) => {
                let fields = MapDeserializer::new(map.iter().map(|one| self.field(one)));
                visitor.visit_enum(MapAccessDeserializer::new(fields))
            }
            _ => Err(Refusal::type_of("a string")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_any(visitor)
    }

    forwarded! {
        text: deserialize_str deserialize_string deserialize_char deserialize_identifier;
        any: deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
            deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
            deserialize_f64 deserialize_seq deserialize_unit deserialize_bytes deserialize_byte_buf
            deserialize_ignored_any
    }
}
