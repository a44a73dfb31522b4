//! The words by which a record is found.

use crate::{EmailAddress, Phone};
use unicode_normalization::UnicodeNormalization;

/// The most tokens a record has; each is an item of its own.
pub const MOST_TOKENS: usize = 24;

/// The most characters a token has.
pub const TOKEN_CHARACTERS: usize = 32;

/// The tokens that find a record, most useful first, and the text that further words are looked for in.
///
/// Latin words and numbers are tokens, so that a prefix finds them; of a run of Chinese characters
/// every suffix is one, so that any part finds it. When there are more than [`MOST_TOKENS`], the last
/// are dropped, in the order in which the parts were added; the text still holds them.
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

    /// Adds a name, a company or another text.
    pub fn with(mut self, text: Option<&str>) -> Words {
        let Some(text) = text else { return self };
        let text = normalize(text);
        for run in runs(&text) {
            self.add_run(&run);
        }
        self.add_text(&text);
        self
    }

    /// Adds a person's name. Chinese names are written without a blank and in either order of the
    /// fields, so both are found.
    pub fn with_name(self, first: Option<&str>, last: Option<&str>) -> Words {
        match (first, last) {
            (Some(first), Some(last)) if is_han(first) && is_han(last) => {
                self.with(Some(&format!("{first}{last}"))).with(Some(&format!("{last}{first}")))
            }
            _ => self.with(first).with(last),
        }
    }

    /// Adds an address: the whole of it, and its parts but for the last, which half the world shares.
    pub fn with_email(mut self, email: Option<&EmailAddress>) -> Words {
        let Some(email) = email else { return self };
        let address = email.normalized();
        self.add_token(&address);
        // People look for an international address as it is written, not as it is encoded.
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

    /// Adds a number: its digits, the digits within its country, and the last four.
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
        // As it was written, with the 0 or 00 that people dial.
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
        // A token is found by any beginning of it, so one that begins another would find nothing more.
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

/// What somebody looks for: the word to find records by, and others that must be there too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    main: String,
    rest: Vec<String>,
}

impl Terms {
    /// The terms of a text: an address, a number, or words. None where it holds no letter or digit.
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

    /// What a token of a record found begins with.
    pub fn prefix(&self) -> String {
        self.main.chars().take(TOKEN_CHARACTERS).collect()
    }

    /// Whether a record's text, found by the prefix, has all the terms: Latin words by their beginning,
    /// Chinese by any part.
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

/// The form in which words are compared: NFKC, lower case.
pub fn normalize(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// The words of a normalised text: runs of letters and digits, Chinese apart from the rest.
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

/// Whether a text is written without blanks between words throughout.
pub fn is_han(text: &str) -> bool {
    text.chars().all(is_han_character)
}

/// Whether a character is written without blanks between words: Han, kana and hangul.
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
