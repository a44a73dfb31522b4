//! Full-text search: tokens of records for prefix search, and parsing of search terms, for Latin and Chinese text.

use crate::{EmailAddress, Phone};
use unicode_normalization::UnicodeNormalization;

/// The most tokens of a record; each is a separate item in the table.
pub const MOST_TOKENS: usize = 24;

/// The most characters of a token.
pub const TOKEN_CHARACTERS: usize = 32;

/// The search tokens of a record, most useful first, and its text, which is searched for further terms.
///
/// Latin words and numbers are tokens, so that any prefix finds them. Of a run of Chinese characters every suffix is a
/// token, so that any part finds it. Beyond [`MOST_TOKENS`], tokens added last are dropped; the text still holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    tokens: Vec<String>,
    text: String,
}

impl Words {
    /// The tokens.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The text, normalised.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a text, such as a name or a company.
    pub fn with(mut self, text: Option<&str>) -> Words {
        let Some(text) = text else { return self };
        let text = normalize(text);
        for run in runs(&text) {
            self.add_run(&run);
        }
        self.add_text(&text);
        self
    }

    /// Adds a person's name. Chinese names are written without a space and in either order of the fields, so both orders
    /// are found.
    pub fn with_name(self, first: Option<&str>, last: Option<&str>) -> Words {
        match (first, last) {
            (Some(first), Some(last)) if is_han(first) && is_han(last) => {
                self.with(Some(&format!("{first}{last}"))).with(Some(&format!("{last}{first}")))
            }
            _ => self.with(first).with(last),
        }
    }

    /// Adds an e-mail address: the whole address, and its parts except the top-level domain, which is too common.
    pub fn with_email(mut self, email: Option<&EmailAddress>) -> Words {
        let Some(email) = email else { return self };
        let address = email.normalized();
        self.add_token(&address);
        // Users search for an international address as it is written, not as it is encoded.
        let written = normalize(email.as_str());
        if written != address {
            self.add_token(&written);
            self = self.with(Some(&written));
        }
        let parts = address.rsplit_once('.').map_or(address.as_str(), |(parts, _)| parts);
        for run in runs(&normalize(parts)) {
            self.add_run(&run);
        }
        self.add_text(&normalize(&address));
        self
    }

    /// Adds a phone number: its digits, the national digits, and the last four.
    pub fn with_phone(mut self, phone: Option<&Phone>, e164: Option<&str>) -> Words {
        let Some(phone) = phone else { return self };
        let digits = digits_of(phone.as_str());
        if digits.len() < 4 {
            return self;
        }
        let full = e164.map_or_else(|| digits.clone(), digits_of);
        self.add_token(&full);
        if let Some(national) = e164.and_then(Phone::national_digits) {
            self.add_token(&national);
        }
        // As entered, with the dialling prefix 0 or 00.
        self.add_token(&digits);
        self.add_token(&full[full.len() - 4..]);
        self.add_text(&full);
        self
    }

    fn add_run(&mut self, run: &str) {
        if run.starts_with(is_han_character) {
            for (start, _) in run.char_indices() {
                self.add_token(&run[start..]);
            }
        } else {
            self.add_token(run);
        }
    }

    fn add_token(&mut self, token: &str) {
        let token: String = token.chars().take(TOKEN_CHARACTERS).collect();
        // A token is found by any prefix, so a token that is a prefix of another one is redundant.
        if token.is_empty() || self.tokens.iter().any(|known| known.starts_with(&token)) {
            return;
        }
        self.tokens.retain(|known| !token.starts_with(known.as_str()));
        if self.tokens.len() < MOST_TOKENS {
            self.tokens.push(token);
        }
    }

    fn add_text(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text);
    }
}

/// Parsed search terms: the main term, which is looked up in the index, and further terms that must match too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    main: String,
    rest: Vec<String>,
}

impl Terms {
    /// Parses an e-mail address, a number or words. None if the text has no letter or digit.
    pub fn of(text: &str) -> Option<Terms> {
        let text = normalize(text);
        let text = text.trim();
        let digits = digits_of(text);
        let is_number =
            text.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '+' | '-' | '(' | ')' | '.' | '/'));
        if is_number && digits.len() >= 4 {
            return Some(Terms { main: digits, rest: Vec::new() });
        }
        if text.contains('@') && !text.starts_with('@') && !text.contains(' ') {
            return Some(Terms { main: text.to_owned(), rest: Vec::new() });
        }
        let mut words = runs(text);
        let longest = words.iter().enumerate().max_by_key(|(n, word)| (word.chars().count(), usize::MAX - n))?.0;
        let main = words.remove(longest);
        Some(Terms { main, rest: words })
    }

    /// The prefix to look up in the index of tokens.
    pub fn prefix(&self) -> String {
        self.main.chars().take(TOKEN_CHARACTERS).collect()
    }

    /// Whether the text of a record found by the prefix matches all terms: Latin words by prefix, Chinese by any part.
    pub fn match_text(&self, text: &str) -> bool {
        let whole = self.main.chars().count() <= TOKEN_CHARACTERS || text.contains(&self.main);
        whole
            && self.rest.iter().all(|term| {
                if term.starts_with(is_han_character) {
                    text.contains(term.as_str())
                } else {
                    runs(text).iter().any(|run| run.starts_with(term.as_str()))
                }
            })
    }
}

/// Normalises a text for comparison: NFKC, lower case.
pub fn normalize(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// The words of a normalised text: runs of letters and digits, with Chinese runs separate from others.
pub fn runs(text: &str) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    let mut previous: Option<bool> = None;
    for c in text.chars() {
        if !c.is_alphanumeric() {
            previous = None;
            continue;
        }
        let han = is_han_character(c);
        match runs.last_mut() {
            Some(run) if previous == Some(han) => run.push(c),
            _ => runs.push(c.to_string()),
        }
        previous = Some(han);
    }
    runs
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Whether a text is entirely in a script without spaces between words.
pub fn is_han(text: &str) -> bool {
    text.chars().all(is_han_character)
}

/// Whether a character is of a script without spaces between words: Han, kana or hangul.
fn is_han_character(c: char) -> bool {
    matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff | 0x20000..=0x323af)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chinese_is_found_by_any_part_and_latin_by_its_beginning() {
        let words = Words::default().with(Some("ABC 科技有限"));
        assert_eq!(words.tokens(), ["abc", "科技有限", "技有限", "有限", "限"]);
    }

    #[test]
    fn a_chinese_name_is_found_in_both_orders() {
        let words = Words::default().with_name(Some("张"), Some("三"));
        assert_eq!(words.tokens(), ["张三", "三张"]);
    }

    #[test]
    fn a_number_is_found_with_and_without_its_country_and_by_its_end() {
        let phone = Phone::parse("+86-138-0013-8000").expect("one line");
        let words = Words::default().with_phone(Some(&phone), Some("+8613800138000"));
        assert_eq!(words.tokens(), ["8613800138000", "13800138000", "8000"]);
    }

    #[test]
    fn full_width_letters_are_the_same_as_plain_ones() {
        assert_eq!(Words::default().with(Some("ＡＢＣ")).tokens(), ["abc"]);
    }

    #[test]
    fn what_people_type_finds_what_they_mean() {
        let phone = Phone::parse("+86-138-0013-8000").expect("one line");
        let email = EmailAddress::parse("Zhang.San@Example.com").expect("an address");
        let words = Words::default()
            .with_name(Some("三"), Some("张"))
            .with_phone(Some(&phone), Some("+8613800138000"))
            .with(Some("ABC 示例科技有限公司"))
            .with_email(Some(&email));
        let check = |text: &str, expected: bool| {
            let found = Terms::of(text).is_some_and(|terms| {
                let prefix = terms.prefix();
                words.tokens().iter().any(|token| token.starts_with(&prefix)) && terms.match_text(words.text())
            });
            assert_eq!(found, expected, "{text}");
        };
        for text in [
            "张三",
            "三",
            "张",
            "科技",
            "示例",
            "公司",
            "abc",
            "AB",
            "ＡＢＣ",
            "abc 科技",
            "科技 abc",
            "zhang",
            "san",
            "zhang.san@example.com",
            "ZHANG.SAN@ex",
            "138 0013 8000",
            "+86 138",
            "8000",
            "13800",
            "张三 ABC",
        ] {
            check(text, true);
        }
        for text in ["李四", "科技李", "bc", "abc 李", "zhang@example.com", "0013", "!!", "", "abd"] {
            check(text, false);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_terms_or_none_without_a_panic(text in "\\PC{0,80}", other in "\\PC{0,80}") {
            if let Some(terms) = Terms::of(&text) {
                prop_assert!(!terms.prefix().is_empty());
                let _ = terms.match_text(&normalize(&other));
            }
        }

        #[test]
        fn there_are_never_more_tokens_than_allowed(text in "\\PC{0,400}") {
            let words = Words::default().with(Some(&text));
            prop_assert!(words.tokens().len() <= MOST_TOKENS);
            for token in words.tokens() {
                prop_assert!(token.chars().count() <= TOKEN_CHARACTERS);
            }
        }
    }
}
