//! Phone numbers: kept as entered, and parsed to E.164 if possible.

use crate::text::changes_direction;
use crate::{Line, Rule, Violations};
use rlibphonenumber::{PhoneNumber, PhoneNumberFormat, Region};
use serde::{Deserialize, Deserializer, Serialize};

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

    /// The number in E.164 (`+8613800138000`), if it is valid in its own or the given country (ISO 3166, `CN`).
    pub fn e164(&self, country: &str) -> Option<String> {
        let number = PhoneNumber::parse(self.as_str(), Region::from_code(country).ok()).ok()?;
        number.is_valid().then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
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
        check("call me", None);
        check("12", None);
    }
}
