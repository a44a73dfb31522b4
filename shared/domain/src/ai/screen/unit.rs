//! Text as renderers and browsers read it: with entities and percent-encoding decoded and fullwidth forms folded.

use super::visible::is_invisible;

/// The longest text that is looked through for the end of a construct, in bytes.
const LOOKAHEAD: usize = 256;

/// The longest name and the longest number of an entity, in bytes.
const LONGEST_ENTITY: usize = 32;

/// Read at the end of the text.
pub(super) const END: char = '\u{FDD0}';

/// Read where the text is too long to be looked through.
pub(super) const CUT: char = '\u{FDD1}';

/// The entities that stand for ASCII characters, of HTML's list of named character references.
const NAMED: &[(&str, char)] = &[
    ("AMP", '&'),
    ("DiacriticalGrave", '`'),
    ("GT", '>'),
    ("Hat", '^'),
    ("LT", '<'),
    ("NewLine", '\n'),
    ("QUOT", '"'),
    ("Tab", '\t'),
    ("UnderBar", '_'),
    ("VerticalLine", '|'),
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("midast", '*'),
    ("nbsp", '\u{A0}'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("sol", '/'),
    ("verbar", '|'),
    ("vert", '|'),
];

/// The entities that stand for invisible characters.
const INVISIBLE: &[&str] = &[
    "ApplyFunction",
    "InvisibleComma",
    "InvisibleTimes",
    "NegativeMediumSpace",
    "NegativeThickSpace",
    "NegativeThinSpace",
    "NegativeVeryThinSpace",
    "NoBreak",
    "ZeroWidthSpace",
    "af",
    "ic",
    "it",
    "lrm",
    "rlm",
    "shy",
    "zwj",
    "zwnj",
];

/// A piece of text that may be read as one character.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    /// The length in bytes.
    pub(super) length: usize,
    /// The character, in lower case; `None` if URL parsers ignore it.
    pub(super) read: Option<char>,
    /// How the character is written.
    pub(super) form: Form,
}

/// How a character is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// As itself.
    Plain,
    /// As an entity or percent-encoded.
    Encoded,
    /// As an entity that must not be decoded, as it would become invisible.
    Escaped,
}

impl Unit {
    /// The first unit of the text; `None` if more text is needed.
    pub(super) fn first(text: &str, ended: bool) -> Option<Unit> {
        let first = text.chars().next()?;
        match first {
            '&' => Unit::entity(text, ended),
            '%' => Unit::percent(text, ended),
            _ => Some(Unit::of(first.len_utf8(), first)),
        }
    }

    fn of(length: usize, character: char) -> Unit {
        Unit { length, read: Some(folded(character)), form: Form::Plain }
    }

    /// An entity that is shown as it is written.
    fn undecoded(length: usize) -> Unit {
        Unit { length, read: Some('&'), form: Form::Escaped }
    }

    /// A decoded character, which URL parsers ignore if it is a control. A decoded space or angle bracket ends no URL,
    /// so it is read as a similar character.
    fn decoded(length: usize, character: char) -> Unit {
        let read = match character {
            ' ' => Some('\u{A0}'),
            '<' => Some('＜'),
            '>' => Some('＞'),
            _ => (!character.is_control()).then(|| folded(character)),
        };
        Unit { length, read, form: Form::Encoded }
    }

    /// Reads a named entity, also without its semicolon, or a numeric one.
    fn entity(text: &str, ended: bool) -> Option<Unit> {
        let body = &text[1..];
        // Some renderers drop the backslash of `&\#104;` first.
        let escape = usize::from(body.starts_with('\\'));
        if body[escape..].starts_with('#') {
            return Unit::numeric(text, 2 + escape, ended);
        }
        if body.len() == escape && !ended {
            return None;
        }
        let run = body.bytes().take(LONGEST_ENTITY).take_while(u8::is_ascii_alphanumeric).count();
        if run == body.len() && !ended {
            return None;
        }
        let (name, is_closed) = (&body[..run], body[run..].starts_with(';'));
        if is_closed && INVISIBLE.contains(&name) {
            return Some(Unit::undecoded(run + 2));
        }
        let listed = NAMED.iter().filter(|(listed, _)| name.starts_with(listed)).max_by_key(|(listed, _)| listed.len());
        Some(match listed {
            Some((listed, character)) => {
                let length = 1 + listed.len() + usize::from(is_closed && listed.len() == run);
                Unit::decoded(length, *character)
            }
            None => Unit::of(1, '&'),
        })
    }

    /// Reads an entity such as `&#104;` or `&#x68`, whose number begins at an index.
    fn numeric(text: &str, start: usize, ended: bool) -> Option<Unit> {
        let is_hex = text[start..].starts_with(['x', 'X']);
        let (start, radix) = if is_hex { (start + 1, 16) } else { (start, 10) };
        let digits = text[start..].chars().take(LONGEST_ENTITY).take_while(|digit| digit.is_digit(radix)).count();
        if start + digits == text.len() && !ended {
            return None;
        }
        if digits == 0 {
            return Some(Unit::of(1, '&'));
        }
        let after = &text[start + digits..];
        if digits == LONGEST_ENTITY {
            return Some(Unit::undecoded(start + digits));
        }
        let length = start + digits + usize::from(after.starts_with(';'));
        let code = u32::from_str_radix(&text[start..start + digits], radix).ok();
        let character = code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        let is_escaped = is_invisible(character) && character != '\r';
        Some(if is_escaped { Unit::undecoded(length) } else { Unit::decoded(length, character) })
    }

    /// Reads a percent-encoded byte.
    fn percent(text: &str, ended: bool) -> Option<Unit> {
        let mut digits = text[1..].chars();
        let mut value = 0;
        for _ in 0..2 {
            match digits.next() {
                Some(digit) if digit.is_ascii_hexdigit() => value = value * 16 + digit.to_digit(16)?,
                None if !ended => return None,
                _ => return Some(Unit::of(1, '%')),
            }
        }
        let ascii = char::from_u32(value).filter(char::is_ascii);
        Some(Unit::decoded(3, ascii.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

/// The character in lower case, as ASCII if it is a fullwidth form or another kind of full stop.
fn folded(character: char) -> char {
    match character {
        '\u{FF01}'..='\u{FF5E}' => {
            char::from_u32(u32::from(character) - 0xFEE0).unwrap_or(character).to_ascii_lowercase()
        }
        '。' | '｡' | '․' | '‥' | '…' | '﹒' | '⒈'..='⒛' | '🄀' => '.',
        _ => character.to_ascii_lowercase(),
    }
}

/// The text that follows, read unit by unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead<'a> {
    rest: &'a str,
    edge: Edge,
}

/// What is at the edge of the text that can be read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Edge {
    /// Text that has not come yet.
    Unknown,
    /// The end of the answer.
    End,
    /// Text that is too far away.
    Cut,
}

impl<'a> Ahead<'a> {
    /// The beginning of the text.
    pub(super) fn new(text: &'a str, ended: bool) -> Ahead<'a> {
        let cut = text.floor_char_boundary(LOOKAHEAD);
        let edge = if cut < text.len() {
            Edge::Cut
        } else if ended {
            Edge::End
        } else {
            Edge::Unknown
        };
        Ahead { rest: &text[..cut], edge }
    }

    /// The text that is not read yet.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Whether the text goes on where it can't be read.
    pub(super) fn is_cut(&self) -> bool {
        self.edge == Edge::Cut
    }

    /// Reads the next character, past backslashes, which Markdown may drop; `None` if more text is needed.
    pub(super) fn read(&mut self) -> Option<char> {
        loop {
            match self.read_raw()? {
                '\\' => {}
                character => return Some(character),
            }
        }
    }

    /// The character that `read` reads next.
    pub(super) fn peek(mut self) -> Option<char> {
        self.read()
    }

    /// Reads the next character, which may be a backslash; `None` if more text is needed.
    pub(super) fn read_raw(&mut self) -> Option<char> {
        loop {
            let unit = Unit::first(self.rest, self.edge == Edge::End);
            let Some(unit) = unit else {
                return match self.edge {
                    Edge::Unknown => None,
                    Edge::End => Some(END),
                    Edge::Cut => Some(CUT),
                };
            };
            self.rest = &self.rest[unit.length..];
            if unit.read.is_some() {
                return unit.read;
            }
        }
    }
}
