//! How pushes go.

use daybook_domain::Timestamp;

/// How a push went.
pub enum Pushed {
    /// The contact with this id is equal to the lead, but for what HubSpot left out.
    Equal {
        id: String,
        left_out: Option<String>,
        /// The properties that hold something of ours.
        written: Vec<String>,
    },
    /// There is nothing to push, and why.
    Left(String),
    /// Not now.
    NotNow { at: Timestamp, reason: String },
    /// It fails until an administrator mends the cause, which this tells.
    Never(String),
}
