//! What can go wrong below the handlers.

use std::error::Error as StdError;

/// An error of the store: the client's to act on, or the system's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something the client can act on.
    #[error(transparent)]
    Domain(#[from] daybook_domain::Error),
    /// The table can't be reached, or was too busy for too long. Nothing is lost: the same request may be sent again.
    #[error("{operation} failed")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The table, or another part, did something it never should. A defect, or wrong rights.
    #[error("{operation} failed")]
    Internal {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    /// A defect, with the operation it showed in.
    pub fn internal(operation: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::Internal { operation, source: source.into() }
    }

    /// A failure that may pass.
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
