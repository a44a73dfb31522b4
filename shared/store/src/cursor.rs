//! Cursors: where a list goes on, signed for the list and whoever asks.

use crate::{Cx, Purpose, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::{Actor, Error as Domain, Rule};

impl Cx {
    /// Where lists go on.
    pub fn cursors(&self) -> Cursors<'_> {
        Cursors { cx: self }
    }
}

/// The cursors of whoever asks.
#[derive(Clone, Copy, Debug)]
pub struct Cursors<'a> {
    cx: &'a Cx,
}

impl Cursors<'_> {
    /// A cursor: a place in a list, signed for this list and whoever asks.
    pub fn seal(self, place: &str, binding: &str) -> String {
        let signature =
            self.cx.sign(Purpose::Cursor, format!("{place}|{binding}|{}", actor_part(&self.cx.actor)).as_bytes());
        URL_SAFE_NO_PAD.encode(format!("{place}|{signature}"))
    }

    /// The place in a cursor, if it is one of ours for this list.
    pub fn open(self, cursor: &str, binding: &str) -> Result<String> {
        let open = || -> Option<String> {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
            let (place, signature) = text.rsplit_once('|')?;
            let message = format!("{place}|{binding}|{}", actor_part(&self.cx.actor));
            let genuine = self.cx.env.keys.verify(Purpose::Cursor, message.as_bytes(), signature);
            genuine.then(|| place.to_owned())
        };
        open().ok_or_else(|| Domain::query("cursor", Rule::Cursor).into())
    }
}

/// A cursor shows where another's list stands, so it is bound to who asked.
fn actor_part(actor: &Actor) -> String {
    actor.id().map(|id| id.to_string()).unwrap_or_default()
}
