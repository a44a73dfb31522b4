//! How a person is called, and how they are known: by e-mail address, or by phone number where there is no address.

use crate::email::any_text;
use crate::words::normalize;
use crate::{EmailAddress, Line, Phone};
use serde_json::Value;

/// The address or number that a person's data is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// By e-mail address.
    Address(EmailAddress),
    /// By phone number, in the form in which numbers are compared.
    Number(String),
}

/// The fewest digits by which a number is recognised within a text: shorter ones are parts of any other number.
const FEWEST_DIGITS: usize = 7;

impl Identity {
    /// The form in which it is compared, which is what [`crate::Record::person`] returns.
    pub fn normalized(&self) -> String {
        match self {
            Identity::Address(address) => address.normalized(),
            Identity::Number(number) => number.clone(),
        }
    }

    /// Whether a JSON value contains it in a string or a name.
    pub fn is_in_json(&self, json: &Value) -> bool {
        match self {
            Identity::Address(address) => address.is_in_json(json),
            Identity::Number(number) => {
                let digits = digits_to_find(number);
                digits.len() >= FEWEST_DIGITS && any_text(json, &|text| has_number(text, &digits))
            }
        }
    }
}

/// The digits by which a compared number is found in texts: without country code and extension, as people write it both ways.
fn digits_to_find(number: &str) -> String {
    let number = number.split(';').next().unwrap_or_default();
    Phone::national_digits(number).unwrap_or_else(|| number.to_owned())
}

/// Whether a text has a number with these last digits. Signs between the digits of a number don't matter.
fn has_number(text: &str, digits: &str) -> bool {
    let between = |c: char| matches!(c, ' ' | '-' | '.' | '/' | '(' | ')');
    let folded = normalize(text);
    let numbers = folded.split(|c: char| !c.is_ascii_digit() && !between(c));
    let bare = numbers.map(|number| number.chars().filter(char::is_ascii_digit).collect::<String>());
    bare.into_iter().any(|number| number.ends_with(digits))
}

/// The most common Chinese family names.
const FAMILY_NAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙史陶黎贺毛郝顾龚邵万覃武钱戴严莫孔向常";

/// A person's given and family name as written in running text, or else the e-mail address or phone number. Chinese names
/// have the family name first and no space.
///
/// Forms designed abroad often put the family name in `first_name`; if only that one is a common family name, it comes
/// first.
pub fn display_name(
    (first, last): (Option<&Line<100>>, Option<&Line<100>>),
    email: Option<&EmailAddress>,
    phone: Option<&Phone>,
) -> String {
    let name = name_of(first, last);
    let reached = || email.map(EmailAddress::as_str).or(phone.map(Phone::as_str)).unwrap_or_default().to_owned();
    if name.is_empty() { reached() } else { name }
}

/// A person's name as written in running text; empty if no name was given.
pub fn name_of(first: Option<&Line<100>>, last: Option<&Line<100>>) -> String {
    let (first, last) = (first.map_or("", Line::as_str), last.map_or("", Line::as_str));
    let is_family = |name: &str| name.chars().count() == 1 && FAMILY_NAMES.contains(name);
    let name = match (crate::words::is_han(first), crate::words::is_han(last)) {
        (true, true) if is_family(first) && !is_family(last) => format!("{first}{last}"),
        (true, true) => format!("{last}{first}"),
        _ => format!("{first} {last}"),
    };
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_is_found_as_people_write_it() {
        let check = |text: &str, expected: bool| {
            for number in ["+8613800138000", "+8613800138000;ext=5"] {
                let found = Identity::Number(number.to_owned()).is_in_json(&json!({"note": [text]}));
                assert_eq!(found, expected, "{text}");
            }
        };
        check("13800138000", true);
        check("call +86 138-0013-8000, please", true);
        check("请拨打 １３８ 0013 8000。", true);
        check("0086 (138) 0013.8000", true);
        check("13800138001", false);
        check("138001380001", false);
        check("no number", false);
        assert!(!Identity::Number("12345".to_owned()).is_in_json(&json!("12345")));
    }

    #[test]
    fn names_are_written_as_people_of_their_language_do() {
        let check = |first: &str, last: &str, expected: &str| {
            let line = |text| Line::parse(text).ok();
            let email = EmailAddress::parse("a@b.example").expect("an address");
            assert_eq!(display_name((line(first).as_ref(), line(last).as_ref()), Some(&email), None), expected);
        };
        check("小明", "王", "王小明");
        check("张", "三", "张三");
        check("Ada", "Lovelace", "Ada Lovelace");
        check("Ada", "", "Ada");
        check("", "王", "王");
        check("", "", "a@b.example");
    }
}
