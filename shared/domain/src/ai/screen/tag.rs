//! Tags of HTML in text.

use super::url::{self, Hosts};

/// The longest tag, in bytes.
const LONGEST: usize = 4096;

/// A length that the names of elements don't reach, in bytes.
const LONGEST_NAME: usize = 32;

/// The elements of formatting, which are kept if they have no attributes. Those of code aren't among them: some
/// renderers show the text after their tags unescaped.
const PLAIN: &str = "b blockquote br caption del details em h1 h2 h3 h4 h5 h6 hr i li mark ol p s strong sub summary \
    sup table tbody td tfoot th thead tr u ul";

/// All other elements of HTML, and those of SVG and MathML that link or load. What isn't an element stays as it is,
/// such as the type parameter in `Vec<T>`.
const ELEMENTS: &str = "a abbr acronym address animate animatemotion animatetransform annotation annotation-xml \
    applet area article aside audio base basefont bdi bdo bgsound big blink body button canvas center cite code col \
    colgroup command content data datalist dd desc dfn dialog dir div dl dt element embed feimage fencedframe \
    fieldset figcaption figure font footer foreignobject form frame frameset head header hgroup html iframe image \
    img input ins isindex kbd keygen label legend link listing main malignmark map marquee math mathml menu menuitem \
    meta meter mglyph mi mn mo ms mtext multicol nav nextid nobr noembed noframes noscript object optgroup option \
    output param picture plaintext portal pre progress q rb rbc rp rt rtc ruby samp script search section select \
    selectedcontent semantics set shadow slot small source spacer span strike style svg template textarea time title \
    track tt use var video wbr xml xmp xss";

/// The attributes that link, load, style or run code on elements of any name, besides those that begin with `on`.
const ATTRIBUTES: &[&str] = &[
    "action",
    "background",
    "data",
    "formaction",
    "href",
    "is",
    "ping",
    "poster",
    "src",
    "srcdoc",
    "srcset",
    "style",
    "xlink:href",
];

/// Whether the `<` that the text begins with can stay: it begins no tag, or one of formatting without attributes, or
/// one of an unknown element without harmful attributes, or it is around an allowed URL. `None` if more text is needed.
///
/// In a destination, `<` begins a URL with spaces in it; there it stays around an allowed URL only.
pub(super) fn is_kept(text: &str, ended: bool, in_destination: bool, hosts: &Hosts) -> Option<bool> {
    let body = &text[1..text.floor_char_boundary(LONGEST)];
    let is_cut = text.len() > 1 + body.len();
    let undecided = if is_cut { Some(false) } else { None };
    let Some(first) = body.chars().next() else { return if ended { Some(true) } else { undecided } };
    if !first.is_ascii_alphabetic() && !matches!(first, '/' | '!' | '?') {
        return Some(!in_destination);
    }
    let named = body.strip_prefix('/').unwrap_or(body);
    match named.chars().next() {
        None if !ended => return undecided,
        Some(letter) if letter.is_ascii_alphabetic() => {}
        _ => return Some(false),
    }
    match autolink(named, ended || is_cut, hosts)? {
        Some(false) => return Some(false),
        None if in_destination => return Some(false),
        _ => {}
    }
    let start = &named[..named.floor_char_boundary(LONGEST_NAME)];
    let name_end = start.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>'));
    if name_end.is_none() && start.len() == named.len() && !ended {
        return undecided;
    }
    let (name, rest) = named.split_at(name_end.unwrap_or(start.len()));
    let name = name.to_ascii_lowercase();
    let is_in = |list: &str| list.split_ascii_whitespace().any(|element| element == name);
    if is_in(PLAIN) {
        let rest = rest.trim_start();
        let rest = rest.strip_prefix('/').unwrap_or(rest).trim_start();
        return if rest.is_empty() && !ended { undecided } else { Some(rest.starts_with('>')) };
    }
    if is_in(ELEMENTS) {
        return Some(false);
    }
    match named.find('>') {
        Some(end) => Some(!has_harmful_attribute(&named[..end])),
        None if ended && !is_cut => Some(!has_harmful_attribute(named)),
        None => undecided,
    }
}

/// Judges `<scheme:…>` and `<name@host>`: `None` if it is neither, else whether it is an allowed URL up to `>`. A space
/// or another character after the host could make user information of it.
fn autolink(text: &str, ended: bool, hosts: &Hosts) -> Option<Option<bool>> {
    let end = text.find(|c: char| c.is_ascii_whitespace() || matches!(c, '<' | '>'));
    let (token, after) = text.split_at(end.unwrap_or(text.len()));
    let is_address = token.contains('@');
    let is_url = token.split_once(':').is_some_and(|(_, rest)| !rest.is_empty() || after.starts_with(['<', '>']));
    if is_address || is_url {
        let Some(length) = url::allowed(text, ended, hosts)? else { return Some(Some(false)) };
        let ends_host = text[length..].starts_with(['/', '?', '#', '>']);
        return if after.is_empty() && !ended && ends_host {
            None
        } else {
            Some(Some(ends_host && after.starts_with('>')))
        };
    }
    if end.is_none() && !ended { None } else { Some(None) }
}

/// Whether a tag has an attribute with a quoted value, in which `>` wouldn't end it, or one that isn't harmless.
fn has_harmful_attribute(tag: &str) -> bool {
    tag.match_indices('=').any(|(at, _)| {
        let is_boundary = |c: char| !c.is_ascii_alphabetic() && !matches!(c, ':' | '-');
        let name = tag[..at].trim_end().rsplit(is_boundary).next().unwrap_or_default().to_ascii_lowercase();
        let is_quoted = tag[at + 1..].trim_start().starts_with(['"', '\'', '`']);
        is_quoted || name.starts_with("on") || ATTRIBUTES.contains(&name.as_str())
    })
}
