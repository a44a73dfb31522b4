//! Titles of conversations, taken from their first message.

use crate::Line;
use crate::text::breaks_a_line;

/// The most characters of a title that is taken from a message.
const LONGEST: usize = 60;

/// The most characters of a line that are read, far more than a title needs.
const READ: usize = 1_000;

/// The title of a conversation that begins with this message: its first line with text, without Markdown marks, at most 60
/// characters. None if there is no such line.
pub fn title_of(text: &str) -> Option<Line<200>> {
    let line = text.lines().filter(|line| !is_fence(line)).map(plain).find(|line| has_text(line))?;
    Line::parse(&shortened(&line)).ok()
}

/// Whether a line has more than marks: a letter, a digit or a character outside ASCII.
fn has_text(line: &str) -> bool {
    line.contains(|c: char| c.is_alphanumeric() || !c.is_ascii())
}

/// Whether a line begins or ends a block of code.
fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

/// A line without Markdown marks and with single spaces.
fn plain(line: &str) -> String {
    let line: String = line.chars().take(READ).map(|c| if breaks_a_line(c) { ' ' } else { c }).collect();
    let line = without_links(without_block_marks(&line));
    let words = line.split_whitespace().map(without_emphasis).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// A line without the marks of headings, quotations and list items before it.
fn without_block_marks(line: &str) -> &str {
    let mut line = line.trim();
    loop {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let numbered = line[digits..].strip_prefix(['.', ')']).filter(|_| (1..=3).contains(&digits));
        let marked = line.trim_start_matches('#');
        let headed = Some(marked).filter(|rest| rest.len() < line.len());
        let listed = line.strip_prefix(['-', '*', '+']);
        let spaced = numbered.or(headed).or(listed).filter(|rest| rest.starts_with(' '));
        match spaced.or(line.strip_prefix('>')) {
            Some(rest) => line = rest.trim_start(),
            None => return line,
        }
    }
}

/// A line with each link and image replaced by its text.
fn without_links(line: &str) -> String {
    let (mut plain, mut rest) = (String::new(), line);
    while let Some((before, after)) = rest.split_once('[') {
        let link = after.split_once("](").and_then(|(text, after)| Some((text, after.split_once(')')?.1)));
        match link.filter(|(text, _)| !text.contains(['[', ']'])) {
            Some((text, after)) => {
                plain.push_str(before.strip_suffix('!').unwrap_or(before));
                plain.push_str(text);
                rest = after;
            }
            None => {
                plain.push_str(before);
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

/// A word without the marks of emphasis, code and deletion. A lone `*` and single underscores are no marks.
fn without_emphasis(word: &str) -> String {
    if word == "*" {
        return word.to_owned();
    }
    word.replace(['*', '`'], "").replace("~~", "").replace("__", "")
}

/// A line cut at a word's end, with an ellipsis, if it is too long.
fn shortened(line: &str) -> String {
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    let cut = line.char_indices().nth(LONGEST - 1).map_or(line.len(), |(at, _)| at);
    let (head, tail) = line.split_at(cut);
    // Scripts without spaces between words are cut between characters.
    let border = head.rfind(' ').filter(|at| !tail.starts_with(' ') && *at >= head.len() / 2);
    let head = border.map_or(head, |at| &head[..at]);
    format!("{}…", head.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, title: Option<&str>) {
        assert_eq!(title_of(text).as_ref().map(Line::as_str), title, "{text:?}");
    }

    #[test]
    fn a_title_is_the_first_line_with_text() {
        check("Write to Ada", Some("Write to Ada"));
        check("\n  \r\n 帮我写一封邮件 \n谢谢", Some("帮我写一封邮件"));
        check("---\n***\nHello", Some("Hello"));
        check("```rust\nfn main() {}\n```", Some("fn main() {}"));
        check("a\u{202e}b\tc", Some("a b c"));
        for empty in ["", " \n\t", "***", "```\n```", "# "] {
            check(empty, None);
        }
    }

    #[test]
    fn a_title_has_no_markdown_marks() {
        check("## 1. **Bold** and `code`", Some("Bold and code"));
        check("> - quoted *item*", Some("quoted item"));
        check("2 * 3 of snake_case, __init__", Some("2 * 3 of snake_case, init"));
        check("see [the site](https://example.com/x) or ![a logo](y.png) [1]", Some("see the site or a logo [1]"));
        check("2026. was a year? -5 #tag", Some("2026. was a year? -5 #tag"));
    }

    #[test]
    fn a_long_title_is_cut_at_a_word() {
        let long = "the quick brown fox jumps over the lazy dog and then the next one after it";
        check(long, Some("the quick brown fox jumps over the lazy dog and then the…"));
        check(&"长".repeat(61), Some(&format!("{}…", "长".repeat(59))));
        check(&"x".repeat(60), Some(&"x".repeat(60)));
    }
}
