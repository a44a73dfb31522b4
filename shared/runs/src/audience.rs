//! Readers of an answer that aren't connected to the process that generates it.

use daybook_domain::RunId;
use daybook_store::Cx;
use daybook_store::rows::run::Run;
use futures::future::BoxFuture;
use std::fmt;

/// The readers of answers whose connections another process has, such as a gateway.
pub trait Audience: fmt::Debug + Send + Sync {
    /// Sends the readers of an answer what they don't have of its text, and its end once it has ended. Called by the process
    /// that generates it, as the text is stored. A failure isn't its caller's: what wasn't sent is sent by the next call.
    fn tell<'a>(&'a self, cx: &'a Cx, id: RunId, run: &'a Run) -> BoxFuture<'a, ()>;
}
