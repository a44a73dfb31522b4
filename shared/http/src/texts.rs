//! Texts of posted forms: from bytes in the charset of a page to text, without a replacement character.
//!
//! A page posts in its own charset. It is named by the field `_charset_`, which browsers fill in, by the request's or the
//! part's `Content-Type`, or not at all: then the bytes are UTF-8, or else in the charset that the form is known to use.

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{Encoding, GB18030, UTF_8};
use mime::Mime;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The field whose value browsers replace by the charset of the page.
const CHARSET_FIELD: &[u8] = b"_charset_";

/// A charset; every one of the web's has a label.
pub(crate) type Charset = &'static Encoding;

/// A field as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct RawField {
    /// Its name.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// The charset that its part of the body names.
    pub charset: Option<Charset>,
    /// Whether it was a file; its bytes aren't kept.
    pub is_file: bool,
}

/// Fields as they were sent, and the charset that the request names.
#[derive(Clone, Debug)]
pub(crate) struct RawFields {
    pub fields: Vec<RawField>,
    pub charset: Option<Charset>,
}

/// Fields as texts.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// Names and values.
    pub pairs: Vec<(String, String)>,
    /// The values that are in no charset that was named or is likely, in Base64.
    pub unreadable: BTreeMap<String, String>,
    /// The names of files.
    pub files: Vec<String>,
}

/// The charset of a label, such as `GBK` or `utf8`.
fn charset_of(label: &str) -> Option<Charset> {
    Encoding::for_label(label.trim().as_bytes())
}

/// The charset of a media type.
pub(crate) fn charset_in(kind: &Mime) -> Option<Charset> {
    charset_of(kind.get_param(mime::CHARSET)?.as_str())
}

/// What a form's bytes are in if nothing says so and they aren't UTF-8.
pub(crate) fn likely(charset: Option<&str>, is_chinese: bool) -> Option<Charset> {
    charset.and_then(charset_of).or(is_chinese.then_some(GB18030))
}

/// The text of bytes in the charset that their sender names, or in UTF-8. Clients name Latin 1 by habit, so UTF-8 goes before
/// a charset in which any bytes are text.
pub(crate) fn named_text(charset: Option<Charset>, bytes: &[u8]) -> Option<String> {
    let named = |charset: Option<Charset>| text_in(charset?, bytes);
    match charset.is_some_and(Encoding::is_single_byte) {
        true => text_in(UTF_8, bytes).or_else(|| named(charset)),
        false => named(charset).or_else(|| text_in(UTF_8, bytes)),
    }
}

/// The text of bytes in a charset, without its byte order mark; none if they aren't in it.
pub(crate) fn text_in(charset: Charset, bytes: &[u8]) -> Option<String> {
    let (bytes, charset) = match Encoding::for_bom(bytes) {
        Some((marked, length)) => (&bytes[length..], marked),
        None => (bytes, charset),
    };
    charset.decode_without_bom_handling_and_without_replacement(bytes).map(|text| text.into_owned())
}

/// The text of a field of a form in the charset of its page. Browsers write characters that the charset doesn't have as numbers,
/// as HTML does: `&#128512;`.
fn form_text(charset: Charset, bytes: &[u8]) -> Option<String> {
    let text = text_in(charset, bytes)?;
    if charset == UTF_8 || !text.contains("&#") {
        return Some(text);
    }
    let mut parts = text.split("&#");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let number = part.split_once(';').and_then(|(digits, rest)| Some((digits.parse::<u32>().ok()?, rest)));
        // What the charset has was typed like this.
        match number
            .filter(|(number, _)| *number >= 0x80)
            .and_then(|(number, rest)| Some((char::from_u32(number)?, rest)))
        {
            Some((character, rest)) => {
                whole.push(character);
                whole.push_str(rest);
            }
            None => {
                whole.push_str("&#");
                whole.push_str(part);
            }
        }
    }
    Some(whole)
}

/// The fields of a URL-encoded body.
pub(crate) fn url_encoded(body: &Bytes, charset: Option<Charset>) -> RawFields {
    let decoded = |part: &[u8]| {
        let spaced: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&spaced).collect::<Vec<u8>>()
    };
    let fields = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        RawField { name: decoded(name), value: decoded(value), charset: None, is_file: false }
    });
    RawFields { fields: fields.collect(), charset }
}

/// The fields of a text: a line `name=value` for each, where further lines of a value have no `=`; or a single line that is
/// URL-encoded.
pub(crate) fn lines(body: &Bytes, charset: Option<Charset>) -> RawFields {
    if body.contains(&b'&') && !body.trim_ascii().contains(&b'\n') {
        return url_encoded(body, charset);
    }
    let mut fields: Vec<RawField> = Vec::new();
    for line in body.strip_suffix(b"\n").unwrap_or(body).split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line.iter().position(|byte| *byte == b'='), fields.last_mut()) {
            (Some(at), _) => {
                fields.push(RawField {
                    name: line[..at].to_vec(),
                    value: line[at + 1..].to_vec(),
                    charset: None,
                    is_file: false,
                });
            }
            (None, Some(last)) => {
                last.value.push(b'\n');
                last.value.extend(line);
            }
            (None, None) => {}
        }
    }
    RawFields { fields, charset }
}

impl RawFields {
    /// The fields as texts, if all of them are in the charsets that were named, or in UTF-8.
    pub fn plain(&self) -> Option<Texts> {
        let named = self.fields.iter().find(|field| field.name == CHARSET_FIELD);
        let named = named.and_then(|field| charset_of(std::str::from_utf8(&field.value).ok()?)).or(self.charset);
        // Clients name Latin 1 by habit, in which any bytes are text; what is UTF-8 can't be meant as that.
        let in_utf_8 = || self.all_in(Some(UTF_8), false);
        if named.is_some_and(Encoding::is_single_byte) && self.fields.iter().any(|field| !field.value.is_ascii()) {
            return in_utf_8().or_else(|| self.all_in(named, true));
        }
        // Where a part names its charset, those that name none are in UTF-8.
        let of_parts = self.fields.iter().any(|field| field.charset.is_some()).then_some(UTF_8);
        self.all_in(named.or(of_parts), true).or_else(in_utf_8)
    }

    /// The fields as texts; those that aren't in UTF-8 nor in the likely charset are left in bytes.
    pub fn texts(&self, likely: Option<Charset>) -> Texts {
        if let Some(texts) = self.plain().or_else(|| self.all_in(Some(likely?), false)) {
            return texts;
        }
        let mut texts = Texts::default();
        for RawField { name, value, charset, is_file } in &self.fields {
            let name = text_in(UTF_8, name).unwrap_or_else(|| percent_encode(name, NON_ALPHANUMERIC).to_string());
            if *is_file {
                texts.files.push(name);
                continue;
            }
            match charset.and_then(|charset| text_in(charset, value)).or_else(|| text_in(UTF_8, value)) {
                Some(value) => texts.pairs.push((name, value)),
                None => {
                    texts.unreadable.insert(name, STANDARD.encode(value));
                }
            }
        }
        texts
    }

    /// All fields in one charset, or in the charsets of their parts if these count.
    fn all_in(&self, charset: Option<Charset>, with_parts: bool) -> Option<Texts> {
        let mut texts = Texts::default();
        for field in &self.fields {
            // The type of a file's part says nothing about the name of its field.
            let charset = field.charset.filter(|_| with_parts && !field.is_file).or(charset)?;
            let name = form_text(charset, &field.name)?;
            match field.is_file {
                true => texts.files.push(name),
                false => texts.pairs.push((name, form_text(charset, &field.value)?)),
            }
        }
        Some(texts)
    }
}

/// Fields whose bytes are kept, as texts in a charset; none if any of them isn't in it.
pub fn decoded(unreadable: &Map<String, Value>, charset: &str) -> Option<Map<String, Value>> {
    let charset = charset_of(charset)?;
    let text = |(name, bytes): (&String, &Value)| {
        let name = form_text(charset, &percent_decode(name.as_bytes()).collect::<Vec<u8>>())?;
        let bytes = STANDARD.decode(bytes.as_str()?).ok()?;
        Some((name, Value::from(form_text(charset, &bytes)?)))
    };
    unreadable.iter().map(text).collect()
}

/// JSON whose integers of more than 64 bits are texts, as numbers would lose their last digits.
pub(crate) fn exact(json: &str) -> Cow<'_, str> {
    let (mut exact, mut copied, mut at) = (String::new(), 0, 0);
    let bytes = json.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let begun = at;
                while at < bytes.len() && matches!(bytes[at], b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') {
                    at += 1;
                }
                let number = &json[begun..at];
                let is_integer = number.strip_prefix('-').unwrap_or(number).bytes().all(|byte| byte.is_ascii_digit());
                if is_integer && number.parse::<u64>().is_err() && number.parse::<i64>().is_err() && number != "-" {
                    exact.push_str(&json[copied..begun]);
                    exact.push_str(&format!("\"{number}\""));
                    copied = at;
                }
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    exact.push_str(&json[copied..]);
    Cow::Owned(exact)
}

/// Collects pairs into an object. The values of a repeated name become a list, without empty values.
pub(crate) fn gathered(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in pairs {
        match fields.get_mut(&name) {
            None => {
                fields.insert(name, Value::from(value));
            }
            Some(_) if value.is_empty() => {}
            Some(Value::Array(list)) => list.push(Value::from(value)),
            Some(first) if first.as_str() == Some("") => *first = Value::from(value),
            Some(first) => *first = Value::Array(vec![first.take(), Value::from(value)]),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{BIG5, EUC_KR, GBK, SHIFT_JIS, WINDOWS_1251};

    fn sent(charset: Charset, fields: &[(&str, &str)]) -> Bytes {
        let encoded = |text: &str| percent_encode(&charset.encode(text).0, NON_ALPHANUMERIC).to_string();
        fields
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect::<Vec<_>>()
            .join("&")
            .into()
    }

    fn value(texts: &Texts, name: &str) -> String {
        texts.pairs.iter().find(|(known, _)| known == name).expect("a field").1.clone()
    }

    #[test]
    fn every_charset_is_read_by_its_name() {
        for (charset, text) in [
            (GB18030, "张三的公司：欢迎"),
            (BIG5, "張三的公司"),
            (SHIFT_JIS, "山田太郎ソ表"),
            (EUC_KR, "김철수"),
            (WINDOWS_1251, "Иван"),
            (UTF_8, "žluťoučký 😀"),
            // As browsers write what GBK doesn't have.
            (GBK, "张三 😀 &#65; &# &#x;"),
        ] {
            let named = url_encoded(&sent(charset, &[(text, text)]), Some(charset)).plain().expect("texts");
            assert_eq!(value(&named, text), text, "{}", charset.name());
            let with_field = sent(charset, &[("_charset_", charset.name()), ("text", text)]);
            assert_eq!(value(&url_encoded(&with_field, None).plain().expect("texts"), "text"), text);
        }
    }

    #[test]
    fn integers_of_any_size_keep_their_digits() {
        for (json, expected) in [
            (
                r#"{"a": 18446744073709551616, "b": [-9223372036854775809]}"#,
                r#"{"a": "18446744073709551616", "b": ["-9223372036854775809"]}"#,
            ),
            (r#"{"a": 18446744073709551615, "b": -1.5e300}"#, r#"{"a": 18446744073709551615, "b": -1.5e300}"#),
            (r#"{"a\"": "99999999999999999999", "b": "\\"}"#, r#"{"a\"": "99999999999999999999", "b": "\\"}"#),
            ("{\"", "{\""),
            ("-", "-"),
        ] {
            assert_eq!(exact(json), expected);
        }
    }

    #[test]
    fn bytes_without_a_name_are_utf_8_or_what_is_likely_or_kept() {
        let body = sent(GB18030, &[("email", "a@b.example"), ("text", "张三联通")]);
        let raw = url_encoded(&body, None);
        assert!(raw.plain().is_none());
        assert_eq!(value(&raw.texts(likely(None, true)), "text"), "张三联通");
        let kept = raw.texts(likely(Some("utf-8"), false));
        assert_eq!((value(&kept, "email").as_str(), kept.pairs.len()), ("a@b.example", 1));
        assert_eq!(STANDARD.decode(&kept.unreadable["text"]).expect("Base64"), GB18030.encode("张三联通").0.to_vec());
        // Latin 1 is named by habit.
        let habit = url_encoded(&sent(UTF_8, &[("text", "张三 Zoë")]), charset_of("iso-8859-1"));
        assert_eq!(value(&habit.texts(None), "text"), "张三 Zoë");
        let latin_1 =
            url_encoded(&sent(charset_of("latin1").expect("a charset"), &[("text", "Zoë")]), charset_of("latin1"));
        assert_eq!(value(&latin_1.texts(None), "text"), "Zoë");
        // A wrong name is as good as none.
        let wrong = url_encoded(&sent(UTF_8, &[("text", "张三")]), charset_of("euc-jp"));
        assert_eq!(value(&wrong.texts(None), "text"), "张三");
    }
}
