//! Names of form fields: what pages call the fields that Daybook knows, by a table of usual names and by a form's own.

use crate::ask::Asked;
use crate::enquiry::Enquiry;
use crate::error::{Rule, Unit, Violations};
use crate::extra::is_blank;
use crate::message::split_name;
use crate::read::escape;
use crate::webhook;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A person's full name, which is split into given and family name.
pub const FULL_NAME: &str = "name";

/// What a visitor writes: the message of a contact form, else the requirements.
pub const MESSAGE: &str = "message";

/// The subject of a message.
pub const SUBJECT: &str = "subject";

/// The field that keeps all others.
pub const EXTRA: &str = "extra";

/// The most names of a form's own table.
const MOST_NAMES: usize = 100;

/// The fields that names can stand for, each with its usual names: in lower case, without spaces, hyphens, underscores
/// and dots. A `your` before them is left out, too.
const USUAL: [(&str, &[&str]); 10] = [
    (
        FULL_NAME,
        &[
            "name",
            "fullname",
            "contactname",
            "contactperson",
            "姓名",
            "名字",
            "联系人",
            "您的姓名",
            "お名前",
            "氏名",
            "이름",
        ],
    ),
    ("first_name", &["firstname", "fname", "givenname", "forename", "vorname", "prenom", "prénom", "名"]),
    ("last_name", &["lastname", "lname", "surname", "familyname", "nachname", "姓", "姓氏"]),
    (
        "email",
        &[
            "email",
            "emailaddress",
            "mail",
            "mailaddress",
            "contactemail",
            "邮箱",
            "电子邮箱",
            "电子邮件",
            "邮箱地址",
            "邮件",
            "郵箱",
            "電子郵件",
            "メールアドレス",
            "이메일",
        ],
    ),
    (
        "phone",
        &[
            "phone",
            "phonenumber",
            "tel",
            "telephone",
            "telephonenumber",
            "mobile",
            "mobilephone",
            "mobilenumber",
            "cell",
            "cellphone",
            "contactphone",
            "contactnumber",
            "telefon",
            "电话",
            "电话号码",
            "手机",
            "手机号",
            "手机号码",
            "联系电话",
            "联系方式",
            "電話",
            "電話番号",
            "전화번호",
        ],
    ),
    (
        "company",
        &[
            "company",
            "companyname",
            "organization",
            "organisation",
            "organizationname",
            "organisationname",
            "business",
            "businessname",
            "firma",
            "公司",
            "公司名称",
            "公司名",
            "单位",
            "单位名称",
            "企业名称",
            "公司名稱",
            "会社名",
            "회사명",
        ],
    ),
    ("job_title", &["jobtitle", "jobrole", "职位", "职务", "岗位", "役職"]),
    (
        MESSAGE,
        &[
            "message",
            "msg",
            "comment",
            "comments",
            "enquiry",
            "inquiry",
            "question",
            "questions",
            "requirements",
            "nachricht",
            "留言",
            "留言内容",
            "需求",
            "需求描述",
            "咨询内容",
            "内容",
            "备注",
            "メッセージ",
            "お問い合わせ内容",
            "문의내용",
        ],
    ),
    (SUBJECT, &["subject", "messagesubject", "betreff", "主题", "标题", "件名", "제목"]),
    ("source", &["leadsource"]),
];

/// How the names of a form's fields are read.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Whether usual names stand for fields.
    pub usual: bool,
    /// The form's own table: its names, and the fields that they stand for.
    pub own: &'a Map<String, Value>,
}

/// Fields under the names that Daybook knows.
pub(crate) struct Applied {
    pub fields: Map<String, Value>,
    /// The page's names of those that have another one there.
    pub from: BTreeMap<&'static str, String>,
}

impl Names<'_> {
    /// The fields under the names that Daybook knows.
    pub fn known<A: Asked>(&self, fields: Map<String, Value>) -> Map<String, Value> {
        self.applied::<A>(fields, &BTreeSet::new()).fields
    }

    /// The fields under the names that Daybook knows, but for some of the page's names. A field that is sent under its own
    /// name takes precedence over one under another name, which is then kept as it is.
    pub(crate) fn applied<A: Asked>(&self, fields: Map<String, Value>, but_for: &BTreeSet<String>) -> Applied {
        let fields = if self.usual { webhook::fields_of(fields) } else { fields };
        let (mut known, mut others, mut from) = (Map::new(), Vec::new(), BTreeMap::new());
        for (name, value) in fields {
            match self.meant::<A>(&name).filter(|_| !but_for.contains(&name)) {
                Some(field) if field != name && !is_blank(&value) => others.push((field, name, value)),
                _ => {
                    known.insert(name, value);
                }
            }
        }
        for (field, name, value) in others {
            let is_taken = |field: &str| known.get(field).is_some_and(|value| !is_blank(value));
            match (field, value) {
                (EXTRA, value) => put_aside(&mut known, name, value),
                (field, value) if is_taken(field) => {
                    known.insert(name, value);
                }
                (field, value) => {
                    known.insert(field.to_owned(), value);
                    from.insert(field, name);
                }
            }
        }
        let is_split = self.usual || self.own.values().any(|field| field == FULL_NAME);
        let name = from.get(FULL_NAME).cloned().unwrap_or_else(|| FULL_NAME.to_owned());
        if is_split && !but_for.contains(&name) && split_full_name(&mut known) {
            from.extend([("first_name", name.clone()), ("last_name", name)]);
        }
        Applied { fields: known, from }
    }

    /// Whether a name stands for a field by the table of usual names alone; a message's `name` is a field of its own.
    pub(crate) fn is_usual<A: Asked>(&self, name: &str) -> bool {
        let is_of_message = name == FULL_NAME && A::FIELDS.contains(&MESSAGE);
        !is_of_message && !self.own.contains_key(name)
    }

    /// Whether a name stands for a field, or is its name.
    pub fn means<A: Asked>(&self, name: &str, field: &str) -> bool {
        name == field || self.meant::<A>(name) == Some(field)
    }

    /// The field that a name stands for. Names that begin with `_` stand for none: they control the request.
    fn meant<A: Asked>(&self, name: &str) -> Option<&'static str> {
        if let Some(field) = self.own.get(name).and_then(Value::as_str) {
            return field_of::<A>(field);
        }
        let is_known = Enquiry::FIELDS.contains(&name) || A::FIELDS.contains(&name);
        if !self.usual || is_known || name.starts_with('_') {
            return None;
        }
        let plain = plain(name);
        let short = plain.strip_prefix("your").filter(|rest| !rest.is_empty()).unwrap_or(&plain);
        let (field, _) = USUAL.iter().find(|(_, names)| names.contains(&short) || names.contains(&plain.as_str()))?;
        field_of::<A>(field)
    }
}

/// Where a kind of request keeps a field; none if it has no such field.
fn field_of<A: Asked>(field: &str) -> Option<&'static str> {
    let of_request = A::FIELDS.iter().copied().find(|known| *known == field);
    of_request.or_else(|| match field {
        MESSAGE => Some("requirements"),
        EXTRA => Some(EXTRA),
        FULL_NAME => Some(FULL_NAME),
        _ => Enquiry::FIELDS.iter().copied().find(|known| *known == field),
    })
}

/// A name in lower case, without what separates its words.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '-' | '_' | '.' | '\u{3000}')).flat_map(char::to_lowercase).collect()
}

/// Keeps a field in `extra`, though its name is that of a known one.
fn put_aside(fields: &mut Map<String, Value>, name: String, value: Value) {
    let mut extra = match fields.remove(EXTRA) {
        Some(Value::Object(extra)) => extra,
        Some(other) => Map::from_iter([(EXTRA.to_owned(), other)]),
        None => Map::new(),
    };
    let value = match extra.remove(&name) {
        Some(earlier) => Value::Array(vec![earlier, value]),
        None => value,
    };
    extra.insert(name, value);
    fields.insert(EXTRA.to_owned(), Value::Object(extra));
}

/// Splits a full `name` into given and family name, unless the form fills in one of these; returns whether it did.
fn split_full_name(fields: &mut Map<String, Value>) -> bool {
    let given = |name: &str| fields.get(name).is_some_and(|value| !is_blank(value));
    if given("first_name") || given("last_name") {
        return false;
    }
    let name = fields.get(FULL_NAME).and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    let Some(name) = name else { return false };
    let (first, last) = split_name(name);
    let (first, last) = (Value::from(first), Value::from(last));
    fields.remove(FULL_NAME);
    fields.insert("first_name".to_owned(), first);
    if !is_blank(&last) {
        fields.insert("last_name".to_owned(), last);
    }
    true
}

/// The fields that a form's own table may name.
fn targets() -> impl Iterator<Item = &'static str> {
    USUAL.iter().map(|(field, _)| *field).chain(Enquiry::FIELDS.iter().copied()).chain([EXTRA])
}

/// Notes what is wrong with a form's own table.
pub(crate) fn check(own: &Map<String, Value>, violations: &mut Violations) {
    if own.len() > MOST_NAMES {
        violations.add("/field_names", Rule::TooLong { max: MOST_NAMES, unit: Unit::Entries });
        return;
    }
    for (name, field) in own {
        let is_known = field.as_str().is_some_and(|field| targets().any(|known| known == field));
        if name.is_empty() || !is_known {
            let mut allowed: Vec<String> = targets().map(str::to_owned).collect();
            allowed.sort_unstable();
            allowed.dedup();
            violations.add(format!("/field_names/{}", escape(name)), Rule::OneOf { allowed });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Nothing;
    use crate::message::Message;
    use serde_json::json;

    fn applied<A: Asked>(usual: bool, own: Value, fields: Value) -> Value {
        let own = own.as_object().cloned().expect("an object");
        let fields = fields.as_object().cloned().expect("an object");
        Value::Object(Names { usual, own: &own }.applied::<A>(fields, &BTreeSet::new()).fields)
    }

    #[test]
    fn usual_names_stand_for_fields() {
        let fields = json!({
            "your-name": "Ada Lovelace", "your-email": "a@b.example", "Phone Number": "1", "company_name": "C",
            "comments": "Hello", "subject": "S", "colour": "red", "_phone": "2"
        });
        let lead = json!({
            "first_name": "Ada", "last_name": "Lovelace", "email": "a@b.example", "phone": "1", "company": "C",
            "requirements": "Hello", "subject": "S", "colour": "red", "_phone": "2"
        });
        assert_eq!(applied::<Nothing>(true, json!({}), fields.clone()), lead);
        let contact = applied::<Message>(true, json!({}), fields.clone());
        assert_eq!((&contact["message"], &contact["subject"]), (&json!("Hello"), &json!("S")));
        assert_eq!(applied::<Nothing>(false, json!({}), fields.clone()), fields);
        let chinese = json!({"姓名": "张三", "手机号": "1", "公司名称": "C", "留言": "你好"});
        let read = json!({"first_name": "三", "last_name": "张", "phone": "1", "company": "C", "requirements": "你好"});
        assert_eq!(applied::<Nothing>(true, json!({}), chinese), read);
    }

    #[test]
    fn a_field_under_its_own_name_takes_precedence_and_nothing_is_lost() {
        let fields = json!({"email": "a@b.example", "mail": "c@d.example", "tel": "1", "mobile": "2", "phone": ""});
        let read = applied::<Nothing>(true, json!({}), fields);
        assert_eq!((&read["email"], &read["mail"]), (&json!("a@b.example"), &json!("c@d.example")));
        let phones = [&read["phone"], &read["tel"], &read["mobile"]].map(|value| value.as_str().unwrap_or_default());
        assert!(phones.contains(&"1") && phones.contains(&"2"), "{read}");
        let own = json!({"phone": "extra"});
        let aside = applied::<Nothing>(true, own.clone(), json!({"phone": "1", "extra": {"phone": "2"}}));
        assert_eq!(aside, json!({"extra": {"phone": ["2", "1"]}}));
        let aside = applied::<Nothing>(true, own, json!({"phone": "1", "extra": "x"}));
        assert_eq!(aside, json!({"extra": {"extra": "x", "phone": "1"}}));
        let both = json!({"name": "Ada Lovelace", "first_name": "Eva"});
        assert_eq!(applied::<Nothing>(true, json!({}), both.clone()), both);
    }

    #[test]
    fn a_form_has_names_of_its_own() {
        let own = json!({"q1": "company", "phone": "extra", "frage": "message"});
        let fields = json!({"q1": "C", "phone": "none", "frage": "Hello", "tel": "1"});
        let read = applied::<Nothing>(true, own.clone(), fields);
        assert_eq!(read, json!({"company": "C", "extra": {"phone": "none"}, "requirements": "Hello", "phone": "1"}));
        let mut violations = Violations::default();
        let table = json!({"a": "company", "b": "nothing", "c": 1, "": "email"});
        check(table.as_object().expect("an object"), &mut violations);
        let places: Vec<&str> = violations.0.iter().map(|one| one.pointer.as_str()).collect();
        assert_eq!(places, ["/field_names/", "/field_names/b", "/field_names/c"]);
    }

    #[test]
    fn no_usual_name_stands_for_two_fields() {
        let mut all: Vec<&str> = USUAL.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        assert!(all.iter().all(|name| plain(name) == *name), "a usual name isn't in its plain form");
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
