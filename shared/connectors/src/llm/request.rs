//! Requests in a wire format, and the readers of the answers to them.

use super::failure::Failure;
use super::{Finish, Part};
use serde_json::Value;

/// A request in a wire format.
pub(super) struct Request {
    /// The path below the base URL.
    pub path: &'static str,
    /// Headers of the format.
    pub headers: &'static [(&'static str, &'static str)],
    /// The header of the API key.
    pub key_header: KeyHeader,
    /// The body.
    pub body: Value,
    /// Reads the answer.
    pub reader: Box<dyn Reader>,
}

/// The header in which a provider expects the API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyHeader {
    /// `Authorization: Bearer`.
    Bearer,
    /// `x-api-key`; Amazon Bedrock expects [`KeyHeader::Bearer`] instead.
    ApiKey,
}

/// Reads the events of one answer in a wire format.
pub(super) trait Reader: Send {
    /// Returns the parts of the answer that an event adds. Unknown events add none.
    fn read(&mut self, event: &Value) -> Result<Vec<Part>, Failure>;

    /// Returns how the answer ended if the stream may end here without a further event. `None`: it was cut.
    fn at_end(&self) -> Option<Finish> {
        None
    }
}

/// The part for a piece of text, or none if it is empty or missing.
pub(super) fn text_of(piece: &Value) -> Vec<Part> {
    let piece = piece.as_str().filter(|piece| !piece.is_empty());
    piece.map(|piece| Part::Text(piece.to_owned())).into_iter().collect()
}

/// A number of tokens; 0 where the provider doesn't report it.
pub(super) fn tokens(count: &Value) -> u64 {
    count.as_u64().unwrap_or_default()
}
