//! Names in mails to addresses that aren't proven: shown only if they hold no link.
//!
//! Anyone can register an organisation or be invited under a name of their choice, and mail programs make links of what
//! looks like one. So names are shown that hold only what names are made of.

use daybook_domain::text::breaks_a_line;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The signs in names, besides full stops.
const SIGNS: [char; 14] = ['&', '\'', '’', '-', '–', ',', '(', ')', '+', '·', '・', '、', '（', '）'];

/// The text, unless it is empty or holds anything but letters, digits, blanks and the signs in names. A full stop must
/// be followed by a blank or the end.
pub(crate) fn without_link(text: &str) -> Option<&str> {
    let compatible: String = text.nfkc().collect();
    Some(text).filter(|text| !text.trim().is_empty() && is_name(text) && is_name(&compatible))
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_shown = match c {
            '.' => chars.peek().is_none_or(|next| is_blank(*next)),
            c if is_invisible(c) => false,
            c => c.is_alphanumeric() || is_combining_mark(c) || is_blank(c) || SIGNS.contains(&c),
        };
        if !is_shown {
            return false;
        }
    }
    true
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() && !breaks_a_line(c)
}

/// The letters and combining marks that are invisible: fillers, joiners and variation selectors.
fn is_invisible(c: char) -> bool {
    let is_filler = matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}');
    let is_selector = matches!(c, '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    is_filler || is_selector || c == '\u{34f}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_shown() {
        for text in [
            "Ada Lovelace",
            "示例科技有限公司",
            "示例（北京）科技、贸易",
            "R&D",
            "Acme Inc.",
            "Acme Inc. (Berlin)",
            "St. John",
            "A. B. Smith",
            "Müller & Söhne, Köln",
            "L’Oréal – d'Arc + Co",
            "Zoe\u{308} Jean-Luc",
            "ขายใหม่",
            "हिन्दी",
            "山田・太郎",
            "Gal·la 3000",
            "1688",
        ] {
            assert_eq!(without_link(text), Some(text));
        }
    }

    #[test]
    fn texts_that_may_hold_links() {
        for text in [
            "",
            " ",
            "https://evil.example",
            "ftp://x",
            "see www.evil",
            "evil.example",
            "Win at EVIL.example now",
            "1688.com",
            "1.2.3.4:80",
            "Version 2.0",
            "例子.中国",
            "i❤️.ws",
            "i❤️ws",
            "ขายใหม่.com",
            "evil．example",
            "evil。com",
            "evil․com",
            "evil﹒com",
            "⒈com",
            "..com",
            "sale⁄evil",
            "mailto:x",
            "a/b",
            "a\\b",
            "ada@example",
            "ada＠example",
            "evil\u{200b}.example",
            "a\u{202e}b",
            "a\u{3164}b",
            "a\u{fe0f}b",
            "a\nb",
        ] {
            assert_eq!(without_link(text), None, "{text:?}");
        }
    }
}
