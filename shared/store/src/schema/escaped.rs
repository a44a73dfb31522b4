//! Texts from clients as parts of keys.

use std::fmt::Write as _;

/// A text from a client as part of a key: without `#`, and cut at 700 bytes (a key has 1,024).
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '#' | '%' | '~' => {
                let _ = write!(safe, "%{:02x}", u32::from(c));
            }
            _ => safe.push(c),
        }
        if safe.len() > 700 {
            break;
        }
    }
    if safe.is_empty() { "-".to_owned() } else { safe }
}
