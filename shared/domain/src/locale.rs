//! Locales: the languages of messages and mails, and their negotiation.

use crate::choices;

choices! {
    /// A language of messages and mails.
    #[derive(Default)]
    Locale as "Locale" {
        /// Simplified Chinese.
        Chinese = "zh-CN",
        /// English.
        #[default] English = "en",
    }
}

impl Locale {
    /// The supported language with the highest weight in an `Accept-Language` header (RFC 9110).
    pub fn accepted(header: &str) -> Option<Locale> {
        let mut ranked: Vec<(f32, Locale)> = header
            .split(',')
            .filter_map(|part| {
                let (tag, weight) = part.split_once(';').unwrap_or((part, "q=1"));
                let weight: f32 = weight.trim().strip_prefix("q=")?.trim().parse().ok()?;
                Some((weight, Locale::of_tag(tag.trim())?))
            })
            .filter(|(weight, _)| *weight > 0.0)
            .collect();
        ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        ranked.first().map(|(_, locale)| *locale)
    }

    /// The supported language of a tag such as `zh-Hans-CN`.
    pub fn of_tag(tag: &str) -> Option<Locale> {
        match tag.split(['-', '_']).next()?.to_ascii_lowercase().as_str() {
            "zh" => Some(Locale::Chinese),
            "en" => Some(Locale::English),
            _ => None,
        }
    }

    /// The text in this language; the English one for a language that only a newer version knows.
    pub fn pick<T>(self, english: T, chinese: T) -> T {
        match self {
            Locale::Chinese => chinese,
            Locale::English | Locale::Unknown(_) => english,
        }
    }

    /// The tag of the language (BCP 47).
    pub fn tag(self) -> &'static str {
        self.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_with_the_greatest_weight_wins() {
        let check = |header: &str, expected| assert_eq!(Locale::accepted(header), expected, "{header}");
        check("zh-CN,zh;q=0.9,en;q=0.8", Some(Locale::Chinese));
        check("de, en;q=0.5, zh;q=0.7", Some(Locale::Chinese));
        check("en-GB", Some(Locale::English));
        check("en;q=0.5, zh; q=0.9", Some(Locale::Chinese));
        check("fr", None);
        check("zh;q=0, en;q=0.1", Some(Locale::English));
        check("", None);
    }
}
