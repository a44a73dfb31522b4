//! Names in mails to addresses that aren't proven: shown only if they hold no link.
//!
//! Anyone can register an organisation or be invited under a name of their choice, and mail programs make links of what
//! looks like one.

use daybook_domain::text::breaks_a_line;

/// The text, unless it is empty or holds a link, an address, a domain name or invisible characters.
pub fn without_link(text: &str) -> Option<&str> {
    let chars: Vec<char> = text.chars().map(narrow).collect();
    let plain: String = chars.iter().flat_map(|c| c.to_lowercase()).collect();
    let is_domain = |at: usize| {
        let follows = chars.get(at + 1..at + 3).is_some_and(|next| next.iter().all(|c| c.is_alphabetic()));
        chars[at] == '.' && at > 0 && chars[at - 1].is_alphanumeric() && follows
    };
    let holds_link = plain.contains(['/', '\\', '@'])
        || plain.contains("www.")
        || chars.iter().any(|c| breaks_a_line(*c) || is_invisible(*c))
        || (0..chars.len()).any(is_domain);
    Some(text).filter(|text| !text.trim().is_empty() && !holds_link)
}

/// The ASCII character of a full-width one; other characters unchanged. In domain names an ideographic full stop is a dot.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3002}' | '\u{ff61}' => '.',
        c => c,
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_shown_and_texts_with_links() {
        for text in ["Ada Lovelace", "示例科技有限公司", "R&D", "Acme Inc.", "St. John", "A. B. Smith", "Version 2.0"]
        {
            assert_eq!(without_link(text), Some(text));
        }
        for text in [
            "",
            " ",
            "https://evil.example",
            "ftp://x",
            "see www.evil",
            "evil.example",
            "Win at EVIL.example now",
            "1688.com",
            "例子.中国",
            "evil．example",
            "evil。com",
            "a/b",
            "a\\b",
            "ada@example",
            "evil\u{200b}.example",
            "a\u{202e}b",
            "a\nb",
        ] {
            assert_eq!(without_link(text), None, "{text:?}");
        }
    }
}
