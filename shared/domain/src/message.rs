//! Messages sent through contact forms, and the splitting of full names.

use crate::words::is_han;
use crate::{Line, Prose};
use serde::{Deserialize, Serialize};

/// A message through a contact form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Message {
    /// The subject.
    pub subject: Option<Line<200>>,
    /// The text.
    pub message: Prose<10000>,
}

/// Chinese family names with two characters.
const LONG_FAMILY_NAMES: [&str; 14] =
    ["欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "长孙", "司徒", "夏侯", "令狐", "端木"];

/// Splits a full name into given name and family name. The family name comes first in Chinese names, last in others.
pub(crate) fn split_name(name: &str) -> (&str, &str) {
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
