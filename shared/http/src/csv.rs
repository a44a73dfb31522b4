//! CSV output (RFC 4180), protected against formula injection in spreadsheets.

use daybook_store::{Error, Result};

/// The header line with the column names. It begins with a byte order mark, by which spreadsheets recognise UTF-8.
pub fn heading(columns: &[&str]) -> Result<Vec<u8>> {
    let mut line = "\u{feff}".as_bytes().to_vec();
    line.extend(written(columns.iter().map(|column| (*column).to_owned()))?);
    Ok(line)
}

/// One line of cells, each made inert.
pub fn row(cells: &[String]) -> Result<Vec<u8>> {
    written(cells.iter().map(|cell| inert(cell)))
}

fn written(cells: impl Iterator<Item = String>) -> Result<Vec<u8>> {
    let mut csv = csv::WriterBuilder::new().buffer_capacity(1024).from_writer(Vec::new());
    csv.write_record(cells).map_err(|error| Error::internal("write a table", error))?;
    csv.into_inner().map_err(|error| Error::internal("write a table", error.to_string()))
}

/// Makes a cell inert: text that spreadsheets would read as a formula is prefixed with `'` (OWASP, "CSV Injection";
/// ASVS 1.2.10), including formulas with full-width characters.
pub fn inert(text: &str) -> String {
    let first = text.trim_start_matches([' ', '\u{a0}', '\u{3000}']).chars().next().or(text.chars().next());
    let dangerous =
        |c: char| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\t' | '\r' | '\n' | '\0');
    match first {
        Some(first) if dangerous(first) => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_each_reads_back_but_for_its_mark() {
        let payloads = [
            "=1+1",
            "=cmd|' /C calc'!A0",
            "+1",
            "-1",
            "-2+3+cmd|' /C calc'!D2",
            "@SUM(A1:A9)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\0=1",
            " =1",
            "\u{a0}=1",
            "\u{3000}=1",
            "＝1+1",
            "＋1",
            "－1",
            "＠SUM(1)",
            "=HYPERLINK(\"http://x\",\"y\")",
            "=IMPORTXML(\"http://x\",\"//a\")",
            "=WEBSERVICE(\"http://x\")",
            "=\"a\"&\"b\"",
            "=1,2",
            "=1\n2",
            "=A1\"",
            "+49 30 1234",
            "+86-138-0013-8000",
            "-",
            "=",
            "@",
            "+",
            "=DDE(\"cmd\";\"/C calc\";\"x\")",
            "@=1",
            "+=1",
            "-=1",
            "==1",
            "=+1",
            "\t\t=1",
            "\r\n=1",
            "=1;=2",
            "=1|=2",
        ];
        let plain = ["", "a", "a=1", "1-1", "ada@example.com", "张三", "a\"b", "a,b", "a\nb", "'=1", "{\"a\":1}", " a"];
        let mut text = heading(&["cell"]).expect("a line");
        for cell in payloads.iter().chain(&plain) {
            text.extend(row(&[(*cell).to_owned()]).expect("a line"));
        }
        let mut reader = csv::Reader::from_reader(&text[..]);
        let cells: Vec<String> = reader.records().map(|row| row.expect("a row")[0].to_owned()).collect();
        assert_eq!(cells.len(), payloads.len() + plain.len());
        for (cell, given) in cells.iter().zip(payloads) {
            assert_eq!(cell, &format!("'{given}"));
        }
        for (cell, given) in cells[payloads.len()..].iter().zip(plain) {
            assert_eq!(cell, given);
        }
    }
}
