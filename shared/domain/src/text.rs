//! Bounded texts: single lines and multi-line prose.

use crate::error::{Rule, Unit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A single line of at most `MAX` characters: trimmed, not empty, without control characters.
///
/// Line and paragraph separators count as control characters, so a line is safe in a mail header.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line<const MAX: usize>(String);

/// A text of at most `MAX` characters: trimmed, not empty, without control characters except line breaks and tabs.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prose<const MAX: usize>(String);

/// Whether a character ends or distorts a line: control characters, and the separators U+2028 and U+2029.
pub fn breaks_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn bounded(text: &str, max: usize, forbidden: impl Fn(char) -> bool) -> Result<String, Rule> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Rule::TooShort { min: 1 });
    }
    if text.chars().any(forbidden) {
        return Err(Rule::ControlCharacter);
    }
    if text.chars().count() > max {
        return Err(Rule::TooLong { max, unit: Unit::Characters });
    }
    Ok(text.to_owned())
}

impl<const MAX: usize> Line<MAX> {
    /// Parses a line, or returns the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        // Checked before trimming: a trailing line break is a control character too.
        if text.chars().any(breaks_a_line) {
            return Err(Rule::ControlCharacter);
        }
        bounded(text, MAX, |_| false).map(Line)
    }
}

impl<const MAX: usize> Prose<MAX> {
    /// Parses prose, or returns the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        bounded(&text.replace("\r\n", "\n"), MAX, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')).map(Prose)
    }
}

macro_rules! text {
    ($name:ident) => {
        impl<const MAX: usize> $name<MAX> {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<const MAX: usize> fmt::Display for $name<MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<const MAX: usize> fmt::Debug for $name<MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl<const MAX: usize> Serialize for $name<MAX> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de, const MAX: usize> Deserialize<'de> for $name<MAX> {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                // Another version may have a higher limit.
                crate::open::read(from, Self::parse, |text| Some($name(text.to_owned())))
            }
        }

        impl<const MAX: usize> utoipa::PartialSchema for $name<MAX> {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .min_length(Some(1))
                    .max_length(Some(MAX))
                    .into()
            }
        }

        impl<const MAX: usize> utoipa::ToSchema for $name<MAX> {
            fn name() -> std::borrow::Cow<'static, str> {
                format!("{}{MAX}", stringify!($name)).into()
            }
        }
    };
}

text!(Line);
text!(Prose);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_line_takes() {
        let check = |text: &str, expected: Result<&str, Rule>| {
            assert_eq!(Line::<5>::parse(text), expected.map(|good| Line(good.to_owned())), "{text:?}");
        };
        check(" abc ", Ok("abc"));
        check("示例科技有", Ok("示例科技有"));
        check("示例科技有限", Err(Rule::TooLong { max: 5, unit: Unit::Characters }));
        check("  ", Err(Rule::TooShort { min: 1 }));
        for bad in ["a\r\nb", "a\0", "a\u{85}b", "a\u{2028}b", "a\u{2029}", "abc\n", "\tabc"] {
            check(bad, Err(Rule::ControlCharacter));
        }
    }

    proptest! {
        #[test]
        fn prose_reads_back_what_it_took(text in any::<String>()) {
            if let Ok(prose) = Prose::<50>::parse(&text) {
                prop_assert_eq!(Prose::<50>::parse(prose.as_str()), Ok(prose.clone()));
                prop_assert!(prose.as_str().chars().count() <= 50);
            }
        }
    }
}
