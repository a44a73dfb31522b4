//! The fake HubSpot's HTTP answers.

pub(super) use crate::connection::Reply;

/// The correlation id, by which HubSpot's support finds a request.
pub(super) fn correlation(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}
