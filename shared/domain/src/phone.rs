//! Phone numbers: kept as entered, and parsed to E.164 if possible.

use crate::text::changes_direction;
use crate::words::normalize;
use crate::{Line, Rule, Violations};
use rlibphonenumber::{PhoneNumber, PhoneNumberFormat, Region};
use serde::{Deserialize, Deserializer, Serialize};

/// What an extension begins with, folded; longer ones before those that they begin with.
const EXTENSIONS: [&str; 12] =
    ["转分机", "转接", "转", "分机号", "分机", ";ext", "extension", "extn", "ext", "内线", "x", "#"];

/// The most digits of an extension.
const MOST_DIGITS: usize = 7;

/// Whether a character may be a part of a number, rather than the begin of its extension.
fn is_of_number(letter: char) -> bool {
    matches!(normalize(&letter.to_string()).as_str(), "+" | "-" | "(" | ")" | "." | "/" | " " | "~")
        || letter.is_numeric()
        || letter.is_whitespace()
        || matches!(letter, '‐'..='―' | '−' | '·' | ',')
}

/// A phone number as entered, at most 40 characters. Its format is never a reason to refuse a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, max_length = 40, examples("+86-138-0013-8000"))]
pub struct Phone(Line<40>);

impl Phone {
    /// Parses a number: one line of at most 40 characters. Characters that change the direction of text are dropped, since
    /// numbers pasted from contacts and chats have them.
    pub fn parse(text: &str) -> Result<Phone, Rule> {
        let number: String = text.chars().filter(|c| !changes_direction(*c)).collect();
        Line::parse(&number).map(Phone)
    }

    /// The number as entered.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The default country of numbers without a country code, for organisations and forms that set none (ISO 3166).
    pub const DEFAULT_COUNTRY: &'static str = "CN";

    /// Adds a violation if the text isn't a country code of two capital letters.
    pub(crate) fn check_country(country: &Line<2>, violations: &mut Violations) {
        if country.as_str().len() != 2 || !country.as_str().bytes().all(|letter| letter.is_ascii_uppercase()) {
            let rule = Rule::format(
                "two capital letters such as CN (ISO 3166)",
                "是两个大写字母的国家代码，例如 CN（ISO 3166）",
            );
            violations.add("/phone_country", rule);
        }
    }

    /// The default country of organisations and forms.
    pub(crate) fn default_country() -> Line<2> {
        Line::parse(Phone::DEFAULT_COUNTRY).expect("two letters")
    }

    /// Whether the number includes a country code.
    pub fn names_its_country(&self) -> bool {
        self.as_str().trim_start().starts_with(['+', '＋'])
    }

    /// The number in E.164 (`+8613800138000`), if it is valid in its own or the given country (ISO 3166, `CN`). An extension
    /// is no part of it.
    pub fn e164(&self, country: &str) -> Option<String> {
        let number = PhoneNumber::parse(self.split().0, Region::from_code(country).ok()).ok()?;
        number.is_valid().then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
    }

    /// The digits of its extension, as people write one: `转801`, `分机 801`, `ext. 5`, `x5`, `#5`, `;ext=5`.
    pub fn extension(&self) -> Option<String> {
        self.split().1
    }

    /// The form in which numbers are compared: E.164, given as `e164`, or else all digits; with the extension, as a switchboard
    /// has one number for many people. None without a digit.
    pub fn compared(&self, e164: Option<&str>) -> Option<String> {
        let (number, extension) = self.split();
        let number = match e164 {
            Some(e164) => e164.to_owned(),
            None => normalize(number).chars().filter(char::is_ascii_digit).collect(),
        };
        let whole = match extension {
            Some(extension) => format!("{number};ext={extension}"),
            None => number.clone(),
        };
        (!number.is_empty()).then_some(whole)
    }

    /// A text as numbers of no country are compared, also where it is none.
    pub fn compared_text(text: &str) -> String {
        Phone::parse(text).ok().and_then(|phone| phone.compared(None)).unwrap_or_else(|| text.to_owned())
    }

    /// The number before its extension, and the digits of that.
    fn split(&self) -> (&str, Option<String>) {
        let number = self.as_str();
        let begins = number.char_indices().find(|(at, letter)| *at > 0 && !is_of_number(*letter));
        let Some((at, _)) = begins else { return (number, None) };
        let (before, extension) = number.split_at(at);
        let folded = normalize(extension);
        let digits = EXTENSIONS.iter().find_map(|word| folded.strip_prefix(word));
        let digits = digits.map(|rest| rest.trim_matches(|c: char| c.is_whitespace() || ".:=-)".contains(c)));
        let digits = digits.filter(|digits| {
            (1..=MOST_DIGITS).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
        });
        match digits {
            Some(digits) => (before.trim_end_matches([' ', ',', '-', '(']), Some(digits.to_owned())),
            None => (number, None),
        }
    }

    /// The digits of an E.164 number without the country code.
    pub fn national_digits(e164: &str) -> Option<String> {
        Some(PhoneNumber::parse(e164, None).ok()?.national_number.to_string())
    }
}

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::open::read(from, Phone::parse, |text| Some(Phone(Line::kept(text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_their_e164() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Phone::parse(text).expect("one line").e164("CN").as_deref(), expected, "{text}");
        };
        check("+86-138-0013-8000", Some("+8613800138000"));
        check("138 0013 8000", Some("+8613800138000"));
        check("+49 30 901820", Some("+4930901820"));
        check("\u{202a}+86 138\u{202c} 0013 8000\u{202c}", Some("+8613800138000"));
        check("010-65529988转801", Some("+861065529988"));
        check("010 6552 9988 转 801", Some("+861065529988"));
        check("(010) 6552-9988 分机：801", Some("+861065529988"));
        check("010-65529988（分机801）", Some("+861065529988"));
        check("+86 10 65529988 ext. 5", Some("+861065529988"));
        check("+49 30 901820 EXT 12", Some("+4930901820"));
        check("+1 202-456-1111 x1234", Some("+12024561111"));
        check("+1 202-456-1111 #12", Some("+12024561111"));
        check("+1 202-456-1111;ext=12", Some("+12024561111"));
        check("０１０－６５５２９９８８　转８０１", Some("+861065529988"));
        check("转801", None);
        check("x5", None);
        check("010-65529988 ask for Ada", None);
        check("call me", None);
        check("12", None);
    }
}
