//! List cursors: the position of the next page, encrypted for the list and the actor who asked for it. The position may be
//! that of a record which the actor can't read.

use crate::keyring::sha256_base64;
use crate::{Cx, Purpose, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::{Error as Domain, Rule};

impl Cx {
    /// The cursors of the actor.
    pub fn cursors(&self) -> Cursors<'_> {
        Cursors { cx: self }
    }
}

/// Encrypts and decrypts the cursors of an actor.
#[derive(Clone, Copy, Debug)]
pub struct Cursors<'a> {
    cx: &'a Cx,
}

impl Cursors<'_> {
    /// A cursor: a position in a list, encrypted for this list (`binding`) and the actor.
    pub fn seal(self, place: &str, binding: &str) -> Result<String> {
        let text = format!("{}|{place}", self.list(binding));
        Ok(URL_SAFE_NO_PAD.encode(self.cx.env.keys.seal(Purpose::Cursor, text.as_bytes())?))
    }

    /// The position in a cursor; refused unless it was made for this list and actor.
    pub fn open(self, cursor: &str, binding: &str) -> Result<String> {
        let open = || -> Option<String> {
            let sealed = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
            let text = String::from_utf8(self.cx.env.keys.open(Purpose::Cursor, &sealed)?).ok()?;
            let (list, place) = text.split_once('|')?;
            (list == self.list(binding)).then(|| place.to_owned())
        };
        open().ok_or_else(|| Domain::query("cursor", Rule::Cursor).into())
    }

    /// The list of an actor, as a cursor names it.
    fn list(self, binding: &str) -> String {
        let actor = self.cx.actor.id().map(|id| id.to_string()).unwrap_or_default();
        sha256_base64(format!("{binding}|{actor}").as_bytes())
    }
}
