//! What requests are answered with, as far as the store keeps it.

use crate::{Error, Result};
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

/// A reply as commit keeps it: without its type, so that the program holds one commit, rather than one per type of reply.
#[derive(Clone, Debug)]
pub(crate) struct KeptReply {
    /// What kind of answer it is.
    pub answer: Answer,
    /// The reply as JSON, for a repeat of the request; none where it holds a secret, or no repeat is recognised.
    pub json: Option<String>,
}

impl KeptReply {
    /// The reply of a request; `repeats` says whether a repeat of it would be recognised.
    pub fn of<R: Reply>(reply: &R, repeats: bool) -> Result<KeptReply> {
        let json = (repeats && !R::SECRET).then(|| serde_json::to_string(reply)).transpose();
        let json = json.map_err(|error| Error::internal("write a reply as JSON", error))?;
        Ok(KeptReply { answer: R::ANSWER, json })
    }
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
