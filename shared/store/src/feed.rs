//! Where committed entries are told, on one machine.

use crate::journal::{EntryRef, SignedFact};
use tokio::sync::mpsc;

/// Where committed entries are told, besides the table's stream.
#[derive(Clone, Debug, Default)]
pub enum Feed {
    /// Nowhere: the table has a stream.
    #[default]
    Stream,
    /// To the workers in this process.
    Local(mpsc::UnboundedSender<Committed>),
}

/// A committed entry, as the workers in this process are told of it.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The entry.
    pub entry: EntryRef,
    /// What it says; none where nobody heard whether it was committed, so that somebody has to look.
    pub fact: Option<Box<SignedFact>>,
}
