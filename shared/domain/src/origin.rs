//! The origins of web pages.

/// The origin of an absolute http(s) address, `None` for anything else.
///
/// Refuses what browsers read differently from how it looks: user names, backslashes, blanks, controls.
pub fn origin_of(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https") {
        return None;
    }
    let host = rest.split(['/', '?', '#']).next()?;
    let plain = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'));
    let whole = address.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    (plain && whole && !host.is_empty()).then(|| format!("{scheme}://{}", host.to_ascii_lowercase()))
}
