//! The fake HubSpot's HTTP answers.

use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Reply {
    /// JSON.
    pub(super) fn json(status: u16, body: &Value) -> Reply {
        let headers = vec![("content-type".to_owned(), "application/json;charset=utf-8".to_owned())];
        Reply { status, headers, body: body.to_string() }
    }

    /// An empty answer to a successful request.
    pub(super) fn empty() -> Reply {
        Reply { status: 204, headers: Vec::new(), body: String::new() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let Reply { status, headers, body } = self;
        let mut head: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        if *status != 204 {
            head.push(format!("content-length: {}\r\n", body.len()));
        }
        format!("HTTP/1.1 {status} \r\n{}\r\n{body}", head.concat()).into_bytes()
    }
}

/// The correlation id, by which HubSpot's support finds a request.
pub(super) fn correlation(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}
