//! Errors of the store: for the client to act on, transient, or internal.

use std::error::Error as StdError;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something the client can act on.
    #[error(transparent)]
    Domain(#[from] daybook_domain::Error),
    /// The table can't be reached, or was too busy for too long. Nothing is lost: the same request may be sent again.
    #[error("{operation} failed")]
    Unavailable {
        /// The operation that failed.
        operation: &'static str,
        /// Why it failed.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The table or another part failed unexpectedly: a defect, or missing permissions.
    #[error("{operation} failed")]
    Internal {
        /// The operation that failed.
        operation: &'static str,
        /// Why it failed.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    /// An internal error of an operation.
    pub fn internal(operation: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::Internal { operation, source: source.into() }
    }

    /// A transient error of an operation.
    pub fn unavailable(operation: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::Unavailable { operation, source: source.into() }
    }

    /// The error and everything that caused it, for the log.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = StdError::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
