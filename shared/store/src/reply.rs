//! Replies to requests, as stored for repeats (idempotency) and recorded in the journal.

use crate::{Error, Result};
use daybook_domain::{OrgId, choices};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The reply of a handler. It is stored with the change, so that a repeat gets the same.
pub trait Reply: Serialize + DeserializeOwned + Send {
    /// The kind of response.
    const ANSWER: Answer;
    /// Whether it holds a secret; then it isn't stored, and a repeat is refused.
    const SECRET: bool = false;
}

/// A reply without its type, so that the program has one `commit` rather than one per type of reply.
#[derive(Clone, Debug)]
pub(crate) struct KeptReply {
    /// The kind of response.
    pub answer: Answer,
    /// The reply as JSON, for a repeat of the request; none where it holds a secret, or no repeat is recognised.
    pub json: Option<String>,
}

impl KeptReply {
    /// The reply to a request; `repeats` is whether a repeat of it would be recognised.
    pub fn of<R: Reply>(reply: &R, repeats: bool) -> Result<KeptReply> {
        let json = (repeats && !R::SECRET).then(|| serde_json::to_string(reply)).transpose();
        let json = json.map_err(|error| Error::internal("write a reply as JSON", error))?;
        Ok(KeptReply { answer: R::ANSWER, json })
    }
}

impl Reply for () {
    const ANSWER: Answer = Answer::Ok;
}

/// The recorded reply to a request that was refused.
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
    /// Refused: no valid credentials.
    Unauthenticated
    /// Refused: a missing permission.
    Forbidden
}

choices! {
    /// The kinds of responses that the journal records.
    Answer {
        /// Done.
        Ok = "ok",
        /// A record was created.
        Created = "created",
        /// Accepted; the work is done later.
        Accepted = "accepted",
        /// Done, with a redirect.
        SeeOther = "see_other",
        /// Done; there is nothing to answer.
        NoContent = "no_content",
        /// Refused: no valid credentials.
        Unauthenticated = "unauthenticated",
        /// Refused: a missing permission.
        Forbidden = "forbidden",
    }
}

/// The idempotency of a request: it has an effect once, and repeats get the same reply.
#[derive(Clone, Debug)]
pub struct Once {
    /// The organisation in which the key is stored: the one the request was sent to, even where the change is made in
    /// another.
    pub org: OrgId,
    /// SHA-256 of scope and key.
    pub hash: String,
    /// SHA-256 of the typed input.
    pub fingerprint: String,
    /// How long the key is remembered.
    pub kept: Duration,
    /// Whether the client sent the key; otherwise it is derived.
    pub from_client: bool,
}
