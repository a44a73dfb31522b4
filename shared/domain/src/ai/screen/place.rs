//! What the text shown so far means for the text that follows.

use super::url::is_top_level_domain;

/// The longest label of a name that is compared, in bytes.
const LONGEST_LABEL: usize = 24;

/// The place where the next text is shown.
#[derive(Debug)]
pub(super) struct Place {
    /// The last character, in lower case.
    pub(super) last: char,
    /// The state of the host of the last allowed URL.
    pub(super) authority: Authority,
    /// How many letters `w` come last.
    w_count: usize,
    spot: Spot,
    name: Option<Name>,
}

/// Where a destination of Markdown or CSS can begin.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Spot {
    Text,
    /// After `]`.
    Bracket,
    /// After `](`, `]:` or `url(`.
    Destination,
}

/// Whether the host of an allowed URL could go on in the text after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Authority {
    /// Ended by a space or a path.
    Closed,
    /// Further labels would make another host.
    Open,
    /// It has a character that no host has, so only an `@` could make another host.
    Invalid,
}

/// A run of letters, digits, hyphens and dots, which can be the name of a host.
#[derive(Debug)]
struct Name {
    /// Whether it follows nothing that makes it a part of a path or of an address.
    may_be_host: bool,
    has_dot: bool,
    has_port: bool,
    /// The label after the last dot, at most `LONGEST_LABEL` bytes of it.
    label: String,
}

impl Default for Place {
    fn default() -> Place {
        Place { last: '\n', authority: Authority::Closed, w_count: 0, spot: Spot::Text, name: None }
    }
}

impl Place {
    /// Notes a character that is shown.
    pub(super) fn note(&mut self, character: char) {
        self.spot = match (self.spot, character) {
            (_, ']') => Spot::Bracket,
            (Spot::Bracket, '(' | ':') => Spot::Destination,
            (Spot::Destination, _) if precedes_destination(character) => Spot::Destination,
            (_, '(') if self.name.as_ref().is_some_and(|name| name.label == "url") => Spot::Destination,
            _ => Spot::Text,
        };
        self.authority = match (self.authority, character) {
            (Authority::Closed, _) | (_, '/' | '?' | '#') => Authority::Closed,
            _ if character.is_ascii_whitespace() => Authority::Closed,
            (_, '[' | ']' | '<' | '>' | '^' | '|' | ':') => Authority::Invalid,
            (authority, _) => authority,
        };
        self.name = self.continued(character);
        self.w_count = if character == 'w' { self.w_count + 1 } else { 0 };
        self.last = character;
    }

    /// Notes a character that is shown encoded. It ends no host, and not all renderers decode it, so no word either.
    pub(super) fn note_encoded(&mut self, character: char) {
        let authority = self.authority;
        self.note(character);
        self.authority = authority;
        if character.is_alphanumeric() {
            self.last = ';';
        }
    }

    /// The name that the character belongs to.
    fn continued(&mut self, character: char) -> Option<Name> {
        let is_domain = self.follows_domain();
        match (self.name.take(), character) {
            (Some(name), '0'..='9') if name.has_port => Some(name),
            (Some(name), _) if name.has_port => None,
            (Some(name), ':') if is_domain => Some(Name { has_port: true, ..name }),
            (Some(name), '.') => Some(Name { has_dot: true, label: String::new(), ..name }),
            (name, _) if is_label(character) => {
                let may_be_host = self.may_begin_host();
                let begun = || Name { may_be_host, has_dot: false, has_port: false, label: String::new() };
                let mut name = name.unwrap_or_else(begun);
                if name.label.len() < LONGEST_LABEL {
                    name.label.push(character);
                }
                Some(name)
            }
            _ => None,
        }
    }

    /// Whether a destination of Markdown or CSS begins here.
    pub(super) fn is_destination(&self) -> bool {
        self.spot == Spot::Destination
    }

    /// Whether a value begins here: of an attribute, of a call, or an argument in LaTeX.
    pub(super) fn begins_value(&self) -> bool {
        matches!(self.last, '(' | '"' | '\'' | '=' | '{' | '<')
    }

    /// Whether a word that ends in `www` ends here.
    pub(super) fn follows_www(&self) -> bool {
        self.w_count >= 3
    }

    /// Whether the name of a host can begin here.
    fn may_begin_host(&self) -> bool {
        !self.last.is_alphanumeric() && !matches!(self.last, '.' | '/' | '\\' | '-' | '_' | '@')
    }

    /// Whether a name such as `example.com` ends here, perhaps with a port.
    pub(super) fn follows_domain(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.may_be_host && name.has_dot && is_top_level_domain(&name.label))
    }
}

/// Whether the character may stand before a destination, so that the destination is still to come.
pub(super) fn precedes_destination(character: char) -> bool {
    character.is_whitespace() || matches!(character, '<' | '"' | '\'')
}

/// Whether the character can be part of a label.
fn is_label(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_')
}
