//! Bounded texts: single lines and multi-line prose.

use crate::error::{Rule, Unit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A single line of at most `MAX` characters: trimmed, not empty, without control characters.
///
/// Line and paragraph separators count as control characters, so a line is safe in a mail header. So do characters that
/// change the direction of text; at the ends they are trimmed, since texts pasted from chats have them there.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line<const MAX: usize>(String);

/// A text of at most `MAX` characters: trimmed, not empty, without control characters except line breaks and tabs.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prose<const MAX: usize>(String);

/// Whether a character ends or distorts a line: control characters, the separators U+2028 and U+2029, and characters that
/// change the direction of text.
pub fn breaks_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || changes_direction(c)
}

/// Whether a character changes the direction of the text after it: bidirectional embeddings, overrides and isolates. The
/// marks LRM, RLM and ALM don't.
pub fn changes_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A line without white space and direction characters at its ends, or the rule that it breaks.
pub(crate) fn trimmed_line(text: &str) -> Result<&str, Rule> {
    // A trailing line break is a control character, which isn't trimmed.
    let text = text.trim_matches(|c: char| changes_direction(c) || (c.is_whitespace() && !breaks_a_line(c)));
    if text.chars().any(breaks_a_line) { Err(Rule::ControlCharacter) } else { Ok(text) }
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
        bounded(trimmed_line(text)?, MAX, |_| false).map(Line)
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
            /// A stored text, which another version may have validated.
            pub(crate) fn kept(text: &str) -> Self {
                $name(text.to_owned())
            }

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
                // Another version may have other rules.
                crate::open::read(from, Self::parse, |text| Some(Self::kept(text)))
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

    #[test]
    fn direction_characters_are_trimmed_and_refused_within_a_line() {
        let check = |text: &str, expected: Result<&str, Rule>| {
            assert_eq!(Line::<20>::parse(text), expected.map(|good| Line(good.to_owned())), "{text:?}");
        };
        check("\u{202a}+86 138\u{202c}", Ok("+86 138"));
        check(" \u{2068} abc \u{2069} ", Ok("abc"));
        check("\u{202e}", Err(Rule::TooShort { min: 1 }));
        for c in ['\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}'] {
            check(&format!("a{c}b"), Err(Rule::ControlCharacter));
        }
        for c in ['\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'] {
            check(&format!("a{c}b"), Err(Rule::ControlCharacter));
        }
        for c in ['\u{200e}', '\u{200f}', '\u{61c}', '\u{200b}'] {
            check(&format!("a{c}b"), Ok(&format!("a{c}b")));
        }
        check("\u{202a}abc\u{202c}\n", Err(Rule::ControlCharacter));
        let stored: Line<20> = serde_json::from_str(r#""a\u202eb""#).expect("a line of an earlier version");
        assert_eq!(stored.as_str(), "a\u{202e}b");
        assert_eq!(Prose::<20>::parse("a\u{202e}b").expect("prose").as_str(), "a\u{202e}b");
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
