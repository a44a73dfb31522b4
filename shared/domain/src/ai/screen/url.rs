//! URLs in text, as the linkers of Markdown renderers and the URL parsers of browsers find them.

use super::unit::{Ahead, CUT, END};

/// What is known about the text at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// No URL begins here.
    Harmless,
    /// A URL begins here that must be removed.
    Foreign,
    /// A URL with an allowed host begins here; the length up to the end of the host, in bytes.
    Allowed(usize),
}

/// The hosts that URLs may name.
#[derive(Debug)]
pub(super) struct Hosts(Vec<String>);

/// The schemes that renderers link or that run code.
const SCHEMES: &[&str] =
    &["data", "file", "ftp", "ftps", "http", "https", "javascript", "mailto", "vbscript", "ws", "wss", "xmpp"];

/// The commands of LaTeX that link, load or style.
const COMMANDS: &[&str] = &["href", "htmlData", "htmlStyle", "includegraphics", "style", "url"];

/// The colon of Chinese text, which begins a URL only if slashes follow.
const WIDE_COLON: char = '：';

/// The longest name of a host, in bytes (RFC 1035).
const LONGEST_HOST: usize = 253;

/// The generic top-level domains of names that linkers accept without a scheme.
const GENERIC: &[&str] = &[
    "aero", "app", "asia", "biz", "cloud", "com", "coop", "dev", "edu", "gov", "info", "link", "live", "mil", "museum",
    "name", "net", "online", "org", "page", "pro", "shop", "site", "store", "tech", "top", "web", "xxx", "xyz", "рф",
];

/// The top-level domains of countries (ISO 3166-1, with the exceptional ones of IANA's root zone).
const COUNTRIES: &str = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br \
    bs bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et \
    eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in \
    io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh \
    mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm \
    pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf \
    tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw";

impl Hosts {
    /// The hosts of a configuration: names, or `*.` and a name for its subdomains.
    pub(super) fn new(names: Vec<String>) -> Hosts {
        Hosts(names.into_iter().map(|name| name.trim().to_ascii_lowercase()).collect())
    }

    fn allows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let is_name = !host.is_empty() && host.split('.').all(|label| !label.is_empty());
        let matches = |allowed: &String| match allowed.strip_prefix('*') {
            Some(domain) => domain.starts_with('.') && host.len() > domain.len() && host.ends_with(domain),
            None => host == *allowed,
        };
        is_name && self.0.iter().any(matches)
    }
}

/// Judges text that may begin with a scheme or with `www.`.
pub(super) fn with_scheme(text: &str, ended: bool, hosts: &Hosts) -> Option<Verdict> {
    let mut ahead = Ahead::new(text, ended);
    let mut name = String::new();
    let is_wide = loop {
        let is_wide = ahead.rest().starts_with(WIDE_COLON);
        match ahead.read()? {
            ':' if SCHEMES.contains(&name.as_str()) => break is_wide,
            '.' if name == "www" => return Some(foreign_if(begins_host(ahead)?)),
            CUT => return Some(Verdict::Foreign),
            character => name.push(character),
        }
        if !SCHEMES.iter().chain(&["www"]).any(|scheme| scheme.starts_with(&name)) {
            return Some(Verdict::Harmless);
        }
    };
    let next = ahead.peek()?;
    let is_url = match name.as_str() {
        _ if is_wide && next != '/' => false,
        "data" => begins_media_type(ahead)?,
        "file" => next == '/',
        "mailto" | "xmpp" => begins_host(ahead)?,
        _ if next == '/' => begins_authority(ahead)?,
        _ => next.is_ascii() && continues_host(next) || next == CUT,
    };
    if is_url { judged(text, ended, hosts) } else { Some(Verdict::Harmless) }
}

/// Judges a colon: a URL of any scheme goes on with `//`.
pub(super) fn after_scheme(text: &str, ended: bool) -> Option<Verdict> {
    let mut ahead = Ahead::new(text, ended);
    ahead.read()?;
    let colon = ahead;
    Some(foreign_if(ahead.read()? == '/' && ahead.read()? == '/' && begins_authority(colon)?))
}

/// Judges the dot after a word that ends in `www`.
pub(super) fn after_www(text: &str, ended: bool) -> Option<Verdict> {
    let mut ahead = Ahead::new(text, ended);
    ahead.read()?;
    Some(foreign_if(begins_host(ahead)?))
}

/// Judges a slash or question mark after a name such as `example.com`, which some renderers link.
pub(super) fn after_domain(text: &str, ended: bool) -> Option<Verdict> {
    let mut ahead = Ahead::new(text, ended);
    let first = ahead.read()?;
    let next = ahead.read()?;
    Some(foreign_if(match next {
        _ if first == '?' => next.is_alphanumeric() || matches!(next, '%' | '&' | '=' | '_' | '-' | '+' | '$' | CUT),
        ')' | ']' | '}' | '>' | '|' | END => false,
        '"' | '\'' | '`' | ',' => ahead.read()?.is_alphanumeric(),
        _ => !next.is_whitespace(),
    }))
}

/// Judges a slash: `//` and the name of a host make a URL, and `//` and any word do where a value begins.
pub(super) fn relative_to_scheme(text: &str, ended: bool, begins_value: bool) -> Option<Verdict> {
    let mut ahead = Ahead::new(text, ended);
    ahead.read()?;
    let slash = ahead;
    if ahead.read()? != '/' || !begins_authority(slash)? {
        return Some(Verdict::Harmless);
    }
    if begins_value {
        return Some(Verdict::Foreign);
    }
    let mut host = String::new();
    loop {
        match ahead.read()? {
            '/' if host.is_empty() => {}
            '@' | '[' | '%' | CUT => return Some(Verdict::Foreign),
            '.' | ':' if ahead.peek()?.is_alphanumeric() => return Some(Verdict::Foreign),
            '/' | '?' | '#' | END => break,
            next if next.is_whitespace() => break,
            next => host.push(next),
        }
    }
    Some(foreign_if(host.starts_with("localhost")))
}

/// Judges the destination of a link, an image, a definition or a style: foreign if it has a scheme or names a host.
pub(super) fn destination(text: &str, ended: bool, hosts: &Hosts) -> Option<Verdict> {
    let mut ahead = Ahead::new(text, ended);
    let first = ahead.read_raw()?;
    let mut character = first;
    if matches!(first, '/' | '\\') {
        character = ahead.read_raw()?;
        let is_escape = first == '\\' && character.is_ascii_digit();
        if matches!(character, '/' | '\\' | CUT) || is_escape {
            return Some(Verdict::Foreign);
        }
        if first == '/' {
            return Some(Verdict::Harmless);
        }
    }
    let mut name = String::new();
    let is_wide = loop {
        match character {
            'a'..='z' => name.push(character),
            '0'..='9' | '+' | '-' | '.' if !name.is_empty() => name.push(character),
            CUT => return Some(Verdict::Foreign),
            _ => return Some(Verdict::Harmless),
        }
        let is_wide = ahead.rest().starts_with(WIDE_COLON);
        character = ahead.read()?;
        if character == ':' {
            break is_wide;
        }
    };
    match ahead.read()? {
        next if is_wide && next != '/' => Some(Verdict::Harmless),
        // A path of code, such as `std::mem::take`.
        ':' if !SCHEMES.contains(&name.as_str()) => Some(Verdict::Harmless),
        END => Some(Verdict::Harmless),
        next if next.is_ascii_whitespace() => Some(Verdict::Harmless),
        _ => judged(text, ended, hosts),
    }
}

/// Judges a command of LaTeX, which begins with a backslash.
pub(super) fn command(text: &str, ended: bool) -> Option<Verdict> {
    let mut ahead = Ahead::new(text, ended);
    ahead.read_raw()?;
    let rest = ahead.rest();
    let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (name, after) = rest.split_at(length);
    if after.is_empty() && !ended && COMMANDS.iter().any(|command| command.starts_with(name)) {
        return None;
    }
    if !COMMANDS.contains(&name) {
        return Some(Verdict::Harmless);
    }
    match after.trim_start().chars().next() {
        None if ahead.is_cut() => Some(Verdict::Foreign),
        None if !ended => None,
        next => Some(foreign_if(matches!(next, Some('{' | '[' | '%')))),
    }
}

/// The length of an allowed URL up to the end of its host, if the text begins with one.
pub(super) fn allowed(text: &str, ended: bool, hosts: &Hosts) -> Option<Option<usize>> {
    match judged(text, ended, hosts)? {
        Verdict::Allowed(length) => Some(Some(length)),
        Verdict::Harmless | Verdict::Foreign => Some(None),
    }
}

/// Judges a URL by its host. Only `https://` and an allowed name, written without any encoding, is allowed.
fn judged(text: &str, ended: bool, hosts: &Hosts) -> Option<Verdict> {
    const SCHEME: &str = "https://";
    let begun = text.len().min(SCHEME.len());
    if !text.as_bytes()[..begun].eq_ignore_ascii_case(&SCHEME.as_bytes()[..begun]) {
        return Some(Verdict::Foreign);
    }
    let rest = text.get(SCHEME.len()..).unwrap_or("");
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let run = rest.bytes().take(LONGEST_HOST + 1).take_while(is_host).count();
    if run == rest.len() && !ended {
        return None;
    }
    let host = rest[..run].trim_end_matches('.');
    if !hosts.allows(host) || !ends_host(&rest[host.len()..], ended)? {
        return Some(Verdict::Foreign);
    }
    Some(Verdict::Allowed(SCHEME.len() + host.len()))
}

/// Whether the text ends the host before it, so that no parser makes a port, user information or a longer name of it.
fn ends_host(text: &str, ended: bool) -> Option<bool> {
    let mut ahead = Ahead::new(text, ended);
    match text.chars().next() {
        None if ended => Some(true),
        None => None,
        Some('%' | '&' | '\\' | '@' | '+' | '=' | '$' | '(' | '{') => Some(false),
        Some(next) => match ahead.read()? {
            '.' | ':' => Some(!continues_host(ahead.read()?)),
            character => Some(character != '@' && (next.is_ascii() || is_cjk(next))),
        },
    }
}

/// Whether the slashes that follow lead to a host, rather than to the end of a sentence or of a string.
fn begins_authority(mut ahead: Ahead) -> Option<bool> {
    loop {
        match ahead.peek()? {
            '/' => ahead.read()?,
            _ => return begins_host(ahead),
        };
    }
}

/// Whether a host follows, perhaps after punctuation.
fn begins_host(mut ahead: Ahead) -> Option<bool> {
    loop {
        match ahead.read()? {
            '>' | END => return Some(false),
            // It becomes `&lt;`, which doesn't end a URL.
            '<' => return Some(true),
            next if next.is_ascii_whitespace() => return Some(false),
            next if continues_host(next) => return Some(true),
            _ => {}
        }
    }
}

/// Whether the type of a `data:` URL follows.
fn begins_media_type(mut ahead: Ahead) -> Option<bool> {
    let mut is_first = true;
    loop {
        match ahead.read()? {
            'a'..='z' => is_first = false,
            '/' => return Some(!is_first),
            ',' | ';' => return Some(is_first),
            CUT => return Some(true),
            _ => return Some(false),
        }
    }
}

/// Whether the character can belong to the host or path of a URL that goes on, rather than to the text around it.
pub(super) fn continues_host(character: char) -> bool {
    !character.is_whitespace()
        && !matches!(character, '*' | '_' | '~' | '"' | '\'' | '`' | ')' | ']' | '}' | '|' | '<' | '>')
        && !matches!(character, ',' | ';' | '.' | ':' | '!' | '?' | '、' | '」' | '』' | '》' | '】' | '”' | '’' | END)
}

/// Whether the character is of Chinese, Japanese or Korean text, which runs on after a URL without a space. The hosts
/// of URLs can't end in them: no top-level domain is ASCII and such a character (IANA's root zone).
fn is_cjk(character: char) -> bool {
    matches!(character, '\u{3000}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
        || matches!(character, '，' | '；' | '！' | '？' | '（' | '）' | '／' | '“' | '”' | '‘' | '’' | '—')
}

/// Whether the label is a top-level domain that linkers know.
pub(super) fn is_top_level_domain(label: &str) -> bool {
    let is_country = || COUNTRIES.split_ascii_whitespace().any(|country| country == label);
    GENERIC.contains(&label) || label.starts_with("xn--") || label.len() == 2 && is_country()
}

fn foreign_if(is_foreign: bool) -> Verdict {
    if is_foreign { Verdict::Foreign } else { Verdict::Harmless }
}
