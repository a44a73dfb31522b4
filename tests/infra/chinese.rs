//! Chinese texts: they hold no English fragments, and no half-width punctuation beside Chinese characters.

use crate::root;
use std::fs;
use std::path::{Path, PathBuf};

/// The files below a folder with one of these extensions.
fn files(folder: &Path, extensions: &[&str], into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, extensions, into);
        } else if path.extension().is_some_and(|found| extensions.iter().any(|extension| found == *extension)) {
            into.push(path);
        }
    }
}

fn is_chinese(letter: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&letter)
}

/// The string literals of a source file that contain Chinese characters.
fn chinese_literals(source: &str) -> Vec<String> {
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    // Escaped quotes, and quotes as characters, don't end a literal.
    let code = code.replace("\\\\", "/").replace("\\\"", "'").replace("'\"'", "' '");
    let literals = code.split('"').skip(1).step_by(2);
    literals.filter(|text| text.chars().any(is_chinese)).map(str::to_owned).collect()
}

/// Whether two English words stand side by side. Names of fields, paths and examples are single words.
fn has_english(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    letters.windows(3).any(|three| three[0].is_ascii_alphabetic() && three[1] == ' ' && three[2].is_ascii_alphabetic())
}

/// Whether half-width punctuation follows or precedes a Chinese character.
fn has_half_width(line: &str) -> bool {
    let letters: Vec<char> = line.chars().collect();
    let half_width = |letter: char| ",:;!?()".contains(letter);
    letters
        .windows(2)
        .any(|two| (is_chinese(two[0]) && half_width(two[1])) || (half_width(two[0]) && is_chinese(two[1])))
}

#[test]
fn chinese_texts_hold_no_english() {
    assert_eq!(chinese_literals("// \"中\"\nf('\"', \"a\\\\\", \"中 \\\"x\\\"\")"), ["中 'x'"]);
    assert!(has_english("必须是 a day") && !has_english("必须是 first_name"));
    let mut sources = Vec::new();
    for folder in ["shared", "functions"] {
        files(&root().join(folder), &["rs"], &mut sources);
    }
    for file in sources {
        for text in chinese_literals(&fs::read_to_string(&file).expect("a source file")) {
            assert!(!has_english(&text), "{}: {text}", file.display());
        }
    }
}

#[test]
fn chinese_texts_have_full_width_punctuation() {
    assert!(has_half_width("错误:未知") && has_half_width("GET,中") && !has_half_width("错误：未知"));
    let mut texts = Vec::new();
    for folder in ["shared", "functions", "infra/local/src", "infra/local/templates"] {
        files(&root().join(folder), &["rs", "html", "txt", "js"], &mut texts);
    }
    for file in texts {
        for (number, line) in fs::read_to_string(&file).expect("a text file").lines().enumerate() {
            assert!(!has_half_width(line), "{}:{}: {line}", file.display(), number + 1);
        }
    }
}
