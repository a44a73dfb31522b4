//! Posted forms as handler arguments. Their fields are read when their form is known, as it may have a charset, and names of
//! its own.

use crate::call::{Call, content_type, is_form, is_plain_form, query_pairs};
use crate::handler::Argument;
use crate::input::malformed;
use crate::operation::Operation;
use crate::texts::{
    Charset, RawField, RawFields, Texts, charset_in, exact, gathered, likely, lines, named_text, text_in, url_encoded,
};
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_DISPOSITION;
use daybook_domain::ask::{Asked, Nothing};
use daybook_domain::enquiry::Enquiry;
use daybook_domain::form::Form;
use daybook_domain::intake::Controls;
use daybook_domain::read::escape;
use daybook_domain::{Error as Domain, Locale, Malformed, Rule, Violations};
use daybook_store::{Error, Result, sha256_hex};
use encoding_rs::UTF_8;
use futures::stream;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::marker::PhantomData;

const FORMS: &[&str] = &["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// A posted form: JSON, URL-encoded or multipart. Known fields are validated; the rest is kept as `extra`.
#[derive(Clone, Debug)]
pub struct Posted<A = Nothing> {
    /// What was sent.
    pub sent: Sent,
    /// How it was posted.
    pub by: PostedBy,
    of: PhantomData<fn() -> A>,
}

/// A posted follow-up to an earlier form. It doesn't repeat the visitor's own data.
#[derive(Clone, Debug)]
pub struct PostedLater<A> {
    /// What was sent.
    pub sent: Sent,
    /// How it was posted.
    pub by: PostedBy,
    of: PhantomData<fn() -> A>,
}

/// How a form was posted: its form id, origin, language and hash.
#[derive(Clone, Debug)]
pub struct PostedBy {
    /// The form id: from the path, the header or a field.
    pub form: Option<String>,
    /// The origin of the page, from the `Origin` header.
    pub origin: Option<String>,
    /// The first of the browser's languages that Daybook supports.
    pub locale: Option<Locale>,
    /// Whether a page posted it without a script: its visitor can't correct what a script or a person at a keyboard could.
    pub is_plain: bool,
    /// SHA-256 of what was sent, to detect double clicks.
    pub content: String,
}

/// The fields of a posted form, before its charset is known.
#[derive(Clone, Debug)]
pub struct Sent {
    body: SentBody,
    query: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
enum SentBody {
    Fields(Map<String, Value>),
    Raw(RawFields),
    /// JSON that isn't in UTF-8.
    Json(Bytes),
}

impl SentBody {
    /// The fields as texts, if nothing of the form is needed for that.
    fn of(raw: RawFields) -> Result<SentBody> {
        Ok(match raw.plain() {
            Some(texts) => {
                no_files(&texts.files)?;
                SentBody::Fields(gathered(texts.pairs))
            }
            None => SentBody::Raw(raw),
        })
    }
}

/// The fields of a posted form.
#[derive(Clone, Debug)]
pub struct Fields {
    /// The readable ones.
    pub fields: Map<String, Value>,
    /// The bytes of those that are in no charset that was named or is likely, in Base64.
    pub unreadable: BTreeMap<String, String>,
}

impl Sent {
    async fn of(call: &Call) -> Result<Sent> {
        let query = query_pairs(call)?;
        let body = body(call).await?;
        Ok(Sent { body, query })
    }

    /// The fields of the body and of the query string, for a form with this charset and language, and a browser in that one.
    pub fn fields(self, form: &Form, browser: Option<Locale>) -> Result<Fields> {
        let is_chinese = form.locale == Locale::Chinese || browser == Some(Locale::Chinese);
        let likely = likely(form.charset.map(|charset| charset.name()), is_chinese);
        let (mut fields, unreadable) = match self.body {
            SentBody::Fields(fields) => (fields, BTreeMap::new()),
            SentBody::Raw(raw) => {
                let Texts { pairs, unreadable, files } = raw.texts(likely);
                no_files(&files)?;
                (gathered(pairs), unreadable)
            }
            SentBody::Json(bytes) => {
                let text = likely.and_then(|charset| text_in(charset, &bytes));
                (object(&text.ok_or(Domain::Malformed(Malformed::Charset))?)?, BTreeMap::new())
            }
        };
        for (name, value) in self.query {
            fields.entry(name).or_insert(Value::from(value));
        }
        Ok(Fields { fields, unreadable })
    }

    /// The form that a field names.
    fn form(&self) -> Option<String> {
        let in_query = || self.query.iter().find(|(name, _)| name == FORM).map(|(_, form)| form.clone());
        let in_body = match &self.body {
            SentBody::Fields(fields) => fields.get(FORM).and_then(Value::as_str).map(str::to_owned),
            SentBody::Raw(raw) => {
                let field = raw.fields.iter().find(|field| field.name == FORM.as_bytes());
                field.and_then(|field| text_in(UTF_8, &field.value))
            }
            SentBody::Json(_) => None,
        };
        in_body.filter(|form| !form.is_empty()).or_else(in_query)
    }
}

/// Refuses files by the names of their fields.
fn no_files(names: &[String]) -> Result<()> {
    let mut violations = Violations::default();
    for name in names {
        let rule = Rule::of_type("text; this form takes no files", "文本；此表单不接收文件");
        violations.add(format!("/{}", escape(name)), rule);
    }
    Ok(violations.into_result()?)
}

/// The field that names a form.
const FORM: &str = "form_id";

/// The path parameter that holds a form's id.
const FORM_IN_PATH: &str = "form_id";

impl PostedBy {
    /// A body that can't be read yet can't name its form, whose charset it needs.
    fn of(call: &Call, sent: &Sent) -> Result<PostedBy> {
        let in_path = call.path.iter().find(|(name, _)| name == FORM_IN_PATH).map(|(_, form)| form.clone());
        let named = in_path.or_else(|| call.header("x-form-key").map(str::to_owned));
        let form = named.or_else(|| sent.form());
        if form.is_none() && matches!(sent.body, SentBody::Json(_)) {
            return Err(Domain::Malformed(Malformed::Charset).into());
        }
        Ok(PostedBy {
            form,
            origin: call.header("origin").filter(|origin| *origin != "null").map(str::to_owned),
            locale: call.header("accept-language").and_then(Locale::accepted),
            is_plain: is_plain_form(call),
            content: sent.hash(),
        })
    }
}

impl Sent {
    /// SHA-256 of the fields that count: a repeat of the same post has another time, and another token.
    fn hash(&self) -> String {
        let counts = |name: &[u8]| match name {
            b"_gotcha" | b"_next" => true,
            name => !name.starts_with(b"_") && name != b"captcha_token",
        };
        let mut parts: Vec<Vec<u8>> = match &self.body {
            SentBody::Fields(fields) => {
                let mut fields = fields.clone();
                fields.retain(|name, _| counts(name.as_bytes()));
                vec![Value::Object(fields).to_string().into_bytes()]
            }
            SentBody::Raw(raw) => {
                let fields = raw.fields.iter().filter(|field| counts(&field.name));
                fields.flat_map(|field| [field.name.clone(), field.value.clone()]).collect()
            }
            SentBody::Json(bytes) => vec![bytes.to_vec()],
        };
        let query = self.query.iter().filter(|(name, _)| counts(name.as_bytes()));
        parts.extend(query.flat_map(|(name, value)| [name.clone().into_bytes(), value.clone().into_bytes()]));
        // Lengths keep the parts apart.
        let whole: Vec<u8> = parts.iter().flat_map(|part| [&part.len().to_be_bytes()[..], part].concat()).collect();
        sha256_hex(&whole)
    }
}

const FORM_KEY: &str = "The key of the posted form; the default form if it is missing.";

macro_rules! posted_argument {
    ($name:ident, $who:ty) => {
        impl<A: Asked> Argument for $name<A> {
            /// A form's URL may carry the campaign parameters of an advertisement.
            const READS_QUERY: bool = true;

            async fn read(call: &Call) -> Result<Self> {
                let sent = Sent::of(call).await?;
                let by = PostedBy::of(call, &sent)?;
                Ok($name { sent, by, of: PhantomData })
            }

            fn fingerprint(&self) -> Value {
                serde_json::json!([self.by.content, self.by.form])
            }

            fn scope(&self) -> Option<String> {
                self.by.form.clone()
            }

            fn describe(operation: &mut Operation) {
                let who = operation.inline::<$who>();
                let asked = operation.inline::<A>();
                let controls = operation.inline::<Controls>();
                let schema = operation.open(vec![who, asked, controls]);
                operation.body(FORMS, schema);
                operation.header_parameter("X-Form-Key", FORM_KEY);
            }
        }
    };
}

posted_argument!(Posted, Enquiry);
posted_argument!(PostedLater, Nothing);

/// The body of a posted form. Files are refused.
async fn body(call: &Call) -> Result<SentBody> {
    let kind = content_type(&call.headers);
    let charset = kind.as_ref().and_then(charset_in);
    // By `navigator.sendBeacon`, a script sends a text; a form can do so, too.
    if kind.as_ref().is_some_and(|kind| kind.essence_str() == mime::TEXT_PLAIN.essence_str()) {
        return plain_text(&call.body, charset);
    }
    if !is_form(&call.headers) {
        if kind.is_none_or(|kind| kind.subtype() != mime::JSON && kind.suffix() != Some(mime::JSON)) {
            return Err(Domain::MediaType { expected: FORMS }.into());
        }
        return json(&call.body, charset);
    }
    let boundary = kind.as_ref().and_then(|kind| kind.get_param("boundary"));
    let raw = match boundary {
        Some(boundary) => RawFields { fields: parts(call, boundary.as_str()).await?, charset },
        None if kind.as_ref().is_some_and(|kind| kind.type_() == mime::MULTIPART) => {
            return Err(Domain::Malformed(Malformed::Boundary).into());
        }
        // JSON sent by curl without a Content-Type header has this media type.
        None if call.body.trim_ascii_start().starts_with(b"{") => {
            return Err(Domain::MediaType { expected: FORMS }.into());
        }
        None => url_encoded(&call.body, charset),
    };
    SentBody::of(raw)
}

fn json(body: &Bytes, charset: Option<Charset>) -> Result<SentBody> {
    match named_text(charset, body) {
        Some(text) => Ok(SentBody::Fields(object(&text)?)),
        None => Ok(SentBody::Json(body.clone())),
    }
}

/// The fields of a text: of JSON, or a line `name=value` for each (the form encoding `text/plain` of HTML).
fn plain_text(body: &Bytes, charset: Option<Charset>) -> Result<SentBody> {
    if body.trim_ascii_start().starts_with(b"{") {
        return json(body, charset);
    }
    SentBody::of(lines(body, charset))
}

fn object(text: &str) -> Result<Map<String, Value>> {
    match serde_json::from_str(&exact(text)).map_err(|error| malformed(&error))? {
        Value::Object(fields) => Ok(fields),
        _ => Err(Domain::invalid("", Rule::object()).into()),
    }
}

async fn parts(call: &Call, boundary: &str) -> Result<Vec<RawField>> {
    let unreadable = |_| Error::from(Domain::Malformed(Malformed::Form));
    let body = stream::iter([Ok::<_, Infallible>(call.body.clone())]);
    let mut form = multer::Multipart::new(body, boundary);
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        // Browsers send an empty file for a file field that was left empty.
        let of_header = |parameter: &[u8]| parameter_in(field.headers(), parameter);
        let is_file = match field.file_name() {
            Some(name) => !name.is_empty(),
            None => of_header(b"; filename=\"").is_some_and(|name| !name.is_empty()),
        };
        let name = match field.name() {
            Some(name) => name.as_bytes().to_vec(),
            None => of_header(b"; name=\"").unwrap_or_default(),
        };
        let charset = field.content_type().and_then(charset_in);
        let value = field.bytes().await.map_err(unreadable)?.to_vec();
        fields.push(RawField { name, value: if is_file { Vec::new() } else { value }, charset, is_file });
    }
    Ok(fields)
}

/// A parameter of a part's header whose bytes aren't UTF-8. In no charset that pages post in, `"` is a part of another
/// character.
fn parameter_in(headers: &HeaderMap, begin: &[u8]) -> Option<Vec<u8>> {
    let header = headers.get(CONTENT_DISPOSITION)?.as_bytes();
    let at = header.windows(begin.len()).position(|some| some == begin)? + begin.len();
    Some(header[at..].split(|byte| *byte == b'"').next().unwrap_or_default().to_vec())
}
