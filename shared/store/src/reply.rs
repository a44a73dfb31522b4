//! What requests are answered with, as far as the store keeps it.

use daybook_domain::{OrgId, choices};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a handler answers with. It is kept with the change, so that a repeat gets the same.
pub trait Reply: Serialize + DeserializeOwned + Send {
    /// What kind of answer it is.
    const ANSWER: Answer;
    /// Whether it holds a secret; then it isn't kept, and a repeat is refused.
    const SECRET: bool = false;
}

impl Reply for () {
    const ANSWER: Answer = Answer::Ok;
}

/// What is recorded of a request that was refused.
macro_rules! refused {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        pub struct $name;

        impl Reply for $name {
            const ANSWER: Answer = Answer::$name;
        }
    )*};
}

refused! {
    /// Nobody known.
    Unauthenticated
    /// Not for them.
    Forbidden
}

choices! {
    /// Kinds of answers, as the journal knows them.
    Answer {
        /// Done.
        Ok = "ok",
        /// Something was made.
        Created = "created",
        /// It will be done.
        Accepted = "accepted",
        /// Done, go there.
        SeeOther = "see_other",
        /// Refused: nobody known.
        Unauthenticated = "unauthenticated",
        /// Refused: not for them.
        Forbidden = "forbidden",
    }
}

/// The idempotency of a request: it has an effect once, and repeats get the same reply.
#[derive(Clone, Debug)]
pub struct Once {
    /// The organisation the key is kept in: the one that was asked, wherever the change goes.
    pub org: OrgId,
    /// SHA-256 of scope and key.
    pub hash: String,
    /// SHA-256 of the typed input.
    pub fingerprint: String,
    /// How long the key is remembered.
    pub kept: Duration,
    /// Whether the client sent the key, rather than us deriving one.
    pub from_client: bool,
}
