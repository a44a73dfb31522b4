//! Web origins: the scheme and host of a URL.

/// The origin of an absolute http(s) URL, `None` for anything else.
///
/// Refuses URLs that browsers interpret differently from how they look: user names, backslashes, spaces, control characters.
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
