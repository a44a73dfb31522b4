//! What somebody writes through a contact form.

use crate::intake::{Ask, Asked};
use crate::words::is_han;
use crate::{Line, Prose};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A message through a contact form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Message {
    /// What it is about.
    pub subject: Option<Line<200>>,
    /// The message.
    pub message: Prose<10000>,
}

impl Asked for Message {
    const FIELDS: &'static [&'static str] = &["subject", "message"];

    /// A whole `name` becomes given and family name, unless the form has fields for these.
    fn prepare(fields: &mut Map<String, Value>) {
        let given = |fields: &Map<String, Value>, name: &str| {
            fields.get(name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty())
        };
        if !given(fields, "name") || given(fields, "first_name") || given(fields, "last_name") {
            return;
        }
        let Some(Value::String(name)) = fields.remove("name") else { return };
        let (first, last) = split_name(&name);
        fields.insert("first_name".to_owned(), first.into());
        if !last.is_empty() {
            fields.insert("last_name".to_owned(), last.into());
        }
    }

    fn into_ask(self) -> Ask {
        Ask::Contact(self)
    }
}

/// Chinese family names of two characters.
const LONG_FAMILY_NAMES: [&str; 14] =
    ["欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "长孙", "司徒", "夏侯", "令狐", "端木"];

/// A whole name as given name and family name: Chinese with the family name first, others with it last.
fn split_name(name: &str) -> (&str, &str) {
    let name = name.trim_matches(' ');
    if is_han(name) && (2..=4).contains(&name.chars().count()) {
        let family = if LONG_FAMILY_NAMES.iter().any(|long| name.starts_with(long) && name != *long) { 2 } else { 1 };
        let end = name.char_indices().nth(family).map_or(name.len(), |(at, _)| at);
        return (&name[end..], &name[..end]);
    }
    name.rsplit_once(' ').map_or((name, ""), |(first, last)| (first.trim_end_matches(' '), last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_split_as_people_of_their_language_do() {
        for (name, expected) in [
            ("张三", ("三", "张")),
            ("欧阳娜娜", ("娜娜", "欧阳")),
            ("Ada Lovelace", ("Ada", "Lovelace")),
            ("Ada King  Lovelace", ("Ada King", "Lovelace")),
            ("Ada", ("Ada", "")),
            ("王", ("王", "")),
        ] {
            assert_eq!(split_name(name), expected, "{name}");
        }
    }
}
