//! List cursors: the position of the next page, signed for the list and the actor who asked for it.

use crate::{Cx, Purpose, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::{Actor, Error as Domain, Rule};

impl Cx {
    /// The cursors of the actor.
    pub fn cursors(&self) -> Cursors<'_> {
        Cursors { cx: self }
    }
}

/// Signs and checks the cursors of an actor.
#[derive(Clone, Copy, Debug)]
pub struct Cursors<'a> {
    cx: &'a Cx,
}

impl Cursors<'_> {
    /// A cursor: a position in a list, signed for this list (`binding`) and the actor.
    pub fn seal(self, place: &str, binding: &str) -> String {
        let signature =
            self.cx.sign(Purpose::Cursor, format!("{place}|{binding}|{}", actor_part(&self.cx.actor)).as_bytes());
        URL_SAFE_NO_PAD.encode(format!("{place}|{signature}"))
    }

    /// The position in a cursor; refused unless it was signed for this list and actor.
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

/// The part of a signature that binds a cursor to the actor, as it reveals a position in the actor's list.
fn actor_part(actor: &Actor) -> String {
    actor.id().map(|id| id.to_string()).unwrap_or_default()
}
