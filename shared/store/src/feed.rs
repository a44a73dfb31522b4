//! The local feed: passes committed journal entries to the workers in the same process.

use crate::journal::{EntryRef, SignedFact};
use tokio::sync::mpsc;

/// Where committed entries are published, besides the table's stream.
#[derive(Clone, Debug, Default)]
pub enum Feed {
    /// Nowhere else: the table has a stream.
    #[default]
    Stream,
    /// To the workers in this process.
    Local(mpsc::UnboundedSender<Committed>),
}

/// A committed entry on the local feed.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The entry.
    pub entry: EntryRef,
    /// The fact; none where the outcome of the commit is unknown and the receiver has to look it up.
    pub fact: Option<Box<SignedFact>>,
}
