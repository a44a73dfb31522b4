//! The mailbox of the one-machine server: a mail transport that stores mails in a file instead of sending them.

use crate::{Mail, Mailer, SendError};
use daybook_domain::Timestamp;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A stored mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caught {
    /// The id of its delivery.
    pub id: String,
    /// The recipient.
    pub to: String,
    /// The sender.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML.
    pub html: String,
    /// When it was stored.
    pub at: Timestamp,
}

/// A mailbox, in memory or in a file with one JSON object per line.
///
/// It stores every mail that is sent, and knows which mails it has.
pub struct Outbox {
    inner: Mutex<Inner>,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Inner {
    /// The mails, if there is no file.
    mails: Vec<Caught>,
    /// The hashes of the mails' ids: there may be very many.
    ids: HashSet<(u64, u64)>,
    file: Option<File>,
}

/// A 128-bit hash of an id.
fn short(id: &str) -> (u64, u64) {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, id).hash(&mut hasher);
        hasher.finish()
    };
    (half(0), half(1))
}

/// The mails in the lines of a file.
fn parse(text: &[u8]) -> impl Iterator<Item = Caught> {
    text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

impl Outbox {
    /// A mailbox in memory, which is lost when the process ends.
    pub fn in_memory(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Outbox {
        Outbox { inner: Mutex::default(), now: Box::new(now) }
    }

    /// Opens the mailbox in a file. A last line that a crash cut off is dropped.
    pub fn open(path: &Path, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> io::Result<Outbox> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        let ids = parse(&text[..whole]).map(|mail| short(&mail.id)).collect();
        let inner = Inner { mails: Vec::new(), ids, file: Some(file) };
        Ok(Outbox { inner: Mutex::new(inner), now: Box::new(now) })
    }

    /// Every mail, the oldest first.
    pub fn mails(&self) -> Vec<Caught> {
        let mut inner = self.inner();
        let Some(file) = &mut inner.file else { return inner.mails.clone() };
        let mut text = Vec::new();
        // The file is opened for appending, so writes go to the end whatever was read.
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut text));
        if let Err(error) = read {
            eprintln!("the mailbox can't be read: {error}");
        }
        parse(&text).collect()
    }

    fn catch(&self, mail: &Mail) -> io::Result<()> {
        let caught = Caught {
            id: mail.id.clone(),
            to: mail.to.to_string(),
            from: format!("{} <{}>", mail.from.name, mail.from.address),
            subject: mail.content.subject.to_string(),
            text: mail.content.text.clone(),
            html: mail.content.html.clone(),
            at: (self.now)(),
        };
        let mut inner = self.inner();
        if let Some(file) = &mut inner.file {
            let mut line = serde_json::to_vec(&caught)?;
            line.push(b'\n');
            let whole = file.metadata()?.len();
            if let Err(error) = file.write_all(&line) {
                // A partial line would make the next one unreadable.
                file.set_len(whole)?;
                return Err(error);
            }
        }
        inner.ids.insert(short(&caught.id));
        if inner.file.is_none() {
            inner.mails.push(caught);
        }
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailer for Outbox {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<String, SendError>> {
        let caught =
            self.catch(mail).map(|()| mail.id.clone()).map_err(|error| SendError::Temporary(error.to_string()));
        Box::pin(async { caught })
    }

    fn was_sent<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Option<bool>> {
        let known = self.inner().ids.contains(&short(id));
        Box::pin(async move { Some(known) })
    }
}
