//! The result of a push to HubSpot: equal, nothing to push, to be retried, or failed.

use daybook_domain::Timestamp;

/// The result of a push.
pub enum Pushed {
    /// The contact with this id is equal to the lead, except for properties that HubSpot refused.
    Equal {
        id: String,
        left_out: Option<String>,
        /// The properties with values written from here.
        written: Vec<String>,
    },
    /// There is nothing to push, for this reason.
    Left(String),
    /// To be retried at this time.
    Retry { at: Timestamp, reason: String },
    /// Fails until an administrator fixes the cause, which the reason names.
    Failed(String),
}
