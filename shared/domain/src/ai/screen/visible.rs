//! Invisible characters, which can carry data past the reader.

/// Takes invisible characters out of a stream and makes line ends `\n`.
#[derive(Debug, Default)]
pub(super) struct Visible {
    /// The last character that was kept.
    last: Option<char>,
    /// Whether a joiner waits for the symbol after it.
    joins: bool,
    /// Whether the last character was a carriage return, which a line feed may follow.
    returned: bool,
}

impl Visible {
    /// Appends the visible characters of the text.
    pub(super) fn add(&mut self, text: &str, visible: &mut String) {
        for character in text.chars() {
            let returned = std::mem::replace(&mut self.returned, character == '\r');
            match character {
                '\n' if returned => {}
                '\r' | '\u{2028}' | '\u{2029}' => self.keep('\n', visible),
                // A variation selector that shows the symbol before it in colour.
                '\u{FE0F}' if self.last.is_some_and(is_symbol) && !self.joins => self.keep(character, visible),
                '\u{200D}' => self.joins = self.last.is_some_and(|last| is_symbol(last) || last == '\u{FE0F}'),
                _ if is_invisible(character) => {}
                _ => {
                    if self.joins && is_symbol(character) {
                        visible.push('\u{200D}');
                    }
                    self.keep(character, visible);
                }
            }
        }
    }

    fn keep(&mut self, character: char, visible: &mut String) {
        visible.push(character);
        self.last = Some(character);
        self.joins = false;
    }
}

/// Whether the character is an emoji or another symbol that selectors and joiners apply to.
fn is_symbol(character: char) -> bool {
    matches!(character, '©' | '®' | '‼' | '⁉' | '〰' | '〽' | '㊗' | '㊙')
        || matches!(character, '\u{2100}'..='\u{214F}' | '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// Whether the character is shown as no glyph: controls besides tab and line feed, the default-ignorable code points of
/// Unicode (TR 44, `Default_Ignorable_Code_Point`), interlinear annotations and noncharacters.
pub(super) fn is_invisible(character: char) -> bool {
    match character {
        '\t' | '\n' => false,
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{AD}' | '\u{34F}' | '\u{61C}' => true,
        '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{3164}' | '\u{FFA0}' => true,
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' => true,
        '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}' => true,
        '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}' => true,
        _ => u32::from(character) & 0xFFFE == 0xFFFE,
    }
}
