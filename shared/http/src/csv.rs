//! Tables as CSV (RFC 4180), whose cells no spreadsheet takes for formulas.

use daybook_store::{Error, Result};

/// A table that is being written.
#[derive(Debug)]
pub struct Csv(csv::Writer<Counted>);

/// What was written, counted.
#[derive(Debug, Default)]
struct Counted(Vec<u8>);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Csv {
    /// A table with these columns. Begins with a byte order mark, by which spreadsheets know UTF-8.
    pub fn with_header(columns: &[&str]) -> Result<Csv> {
        let mut csv = Csv(csv::WriterBuilder::new().from_writer(Counted("\u{feff}".into())));
        csv.0.write_record(columns).map_err(|error| Error::internal("write a table", error))?;
        Ok(csv)
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[String]) -> Result<()> {
        let cells = cells.iter().map(|cell| inert(cell));
        self.0.write_record(cells).map_err(|error| Error::internal("write a table", error))?;
        self.0.flush().map_err(|error| Error::internal("write a table", error))
    }

    /// How many bytes it has so far.
    pub fn len(&self) -> usize {
        self.0.get_ref().0.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole of it.
    pub fn finish(self) -> Result<String> {
        let written = self.0.into_inner().map_err(|error| Error::internal("write a table", error.to_string()))?;
        String::from_utf8(written.0).map_err(|error| Error::internal("write a table", error))
    }
}

/// A text as a cell that is only text: what spreadsheets would take for a formula begins with `'` (OWASP, "CSV
/// Injection"; ASVS 1.2.10), also where it is written in full width.
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
        let mut csv = Csv::with_header(&["cell"]).expect("a table");
        for cell in payloads.iter().chain(&plain) {
            csv.row(&[(*cell).to_owned()]).expect("a row");
        }
        let text = csv.finish().expect("a table");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
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
