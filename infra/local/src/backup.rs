//! Backups: a copy of a data folder as it is at one moment, also while its server runs, and the way back.
//!
//! A backup is a data folder itself. What is in it is verified by the journal's chain before it is called one.

use crate::DEFAULT_ORG;
use crate::data::{ADDRESS, DataError, TABLE, check_format, lock, table, unusable};
use crate::secrets::keyring;
use daybook_domain::{EmailAddress, EntryId, OrgId, Timestamp};
use daybook_embedded::{Copied, Durability, Local};
use daybook_store::chain::Anchor;
use daybook_store::engine::QueryAsk;
use daybook_store::item::text;
use daybook_store::schema::{Question, SK};
use daybook_store::{Clock, Env, Ids, Keyring, Purpose, Secrets, Settings, Table, TableOptions};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What else belongs to a data folder, in the order in which it is copied. Anchors come before the table, as they must not
/// tell of more than is in it; files after it, as jobs in it tell of them.
const BEFORE: [&str; 2] = ["secret", "anchors"];
const AFTER: [&str; 3] = ["mail.jsonl", "files", "format"];

/// How many days of the journal are verified at once.
const DAYS: u32 = 7;

const DAY: Duration = Duration::from_secs(86_400);

/// How long a running server may take to answer a call for a backup.
const CALL: Duration = Duration::from_secs(60);

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A folder can't be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// There is something where the copy is to be.
    #[error("{0} is there already, and nothing is overwritten; name a folder that isn't there yet")]
    Taken(PathBuf),
    /// A folder can't be copied into itself.
    #[error("nothing is copied into {0}, which is what is copied; name a folder outside it")]
    Inside(PathBuf),
    /// What is to be restored isn't a backup.
    #[error("{0} is no backup: it has no `{1}`")]
    NoBackup(PathBuf, &'static str),
    /// A file can't be copied.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// The table can't be copied or read.
    #[error("{}", .0.chain())]
    Table(#[from] daybook_store::Error),
    /// The running server can't be asked.
    #[error("the server that uses {0} doesn't make the backup: {1}")]
    Server(PathBuf, String),
    /// The journal isn't as it was written.
    #[error(
        "the journal isn't as it was written: {wrong} entries of {org} are wrong, {first} the first; nothing was kept in {folder}; \
         GET /api/audit-logs/verify says more"
    )]
    Tampered {
        /// The folder.
        folder: PathBuf,
        /// The organisation.
        org: OrgId,
        /// How many entries are wrong.
        wrong: usize,
        /// The first of them.
        first: String,
    },
}

type Result<T> = std::result::Result<T, BackupError>;

/// Makes a backup of a data folder, whether a server uses it or not, and verifies it.
pub async fn backup(data: &Path, folder: &Path) -> Result<()> {
    let began = Instant::now();
    let folder = std::path::absolute(folder).map_err(|error| BackupError::File(folder.to_owned(), error))?;
    refuse_taken(&folder)?;
    if !data.join("format").is_file() {
        return Err(BackupError::NoBackup(data.to_owned(), "format"));
    }
    let unfinished = unfinished(&folder)?;
    let bar = bar("copied");
    let shown = |copied: Copied| {
        bar.set_message(format!("{} entries, {}", HumanCount(copied.entries), HumanBytes(copied.bytes)));
        bar.tick();
        ControlFlow::Continue(())
    };
    let copied = match lock(data) {
        Ok(_lock) => {
            check_format(data)?;
            let table = table(data, Durability::default())?;
            copy(&table, data, unfinished.path(), shown)?
        }
        Err(DataError::InUse(_)) => ask(data, unfinished.path(), shown).await?,
        Err(error) => return Err(error.into()),
    };
    bar.finish_and_clear();
    let checked = verified(unfinished.path()).await?;
    let size = size_of(unfinished.path())?;
    finish(unfinished, &folder)?;
    eprintln!(
        "Backed up {} entries to {}: {} in {:.1} s. The journal's chain is whole: {} entries of {} organisations.",
        HumanCount(copied.entries),
        folder.display(),
        HumanBytes(size),
        began.elapsed().as_secs_f64(),
        HumanCount(checked.entries as u64),
        checked.organizations
    );
    Ok(())
}

/// Makes a data folder of a backup, and verifies it. Nothing is overwritten.
pub async fn restore(folder: &Path, data: &Path) -> Result<()> {
    let began = Instant::now();
    let data = std::path::absolute(data).map_err(|error| BackupError::File(data.to_owned(), error))?;
    for part in ["secret", TABLE, "format"] {
        if !folder.join(part).exists() {
            return Err(BackupError::NoBackup(folder.to_owned(), part));
        }
    }
    // A backup may be served itself; one that can't be written to isn't.
    let _lock = match lock(folder) {
        Err(error @ DataError::InUse(_)) => return Err(error.into()),
        other => other,
    };
    check_format(folder)?;
    refuse_taken(&data)?;
    let unfinished = unfinished(&data)?;
    refuse_inside(unfinished.path(), folder)?;
    let bar = bar("restored");
    let mut bytes = 0;
    for part in BEFORE.into_iter().chain([TABLE]).chain(AFTER) {
        copy_tree(&folder.join(part), &unfinished.path().join(part), &mut |more| {
            bytes += more;
            bar.set_message(format!("{}", HumanBytes(bytes)));
            bar.tick();
        })?;
    }
    bar.finish_and_clear();
    let checked = verified(unfinished.path()).await?;
    finish(unfinished, &data)?;
    eprintln!(
        "Restored {} to {} in {:.1} s. The journal's chain is whole: {} entries of {} organisations.",
        HumanBytes(bytes),
        data.display(),
        began.elapsed().as_secs_f64(),
        HumanCount(checked.entries as u64),
        checked.organizations
    );
    Ok(())
}

/// Copies a data folder, whose table this process has open, into an empty folder.
pub(crate) fn copy(
    table: &Local,
    data: &Path,
    into: &Path,
    told: impl FnMut(Copied) -> ControlFlow<()>,
) -> Result<Copied> {
    refuse_taken(into)?;
    refuse_inside(into, data)?;
    for part in BEFORE {
        copy_tree(&data.join(part), &into.join(part), &mut |_| ())?;
    }
    let copied = table.copy_to(&into.join(TABLE), told)?;
    for part in AFTER {
        copy_tree(&data.join(part), &into.join(part), &mut |_| ())?;
    }
    Ok(copied)
}

/// A folder of this user alone beside another one, in which a copy is made until it is whole; it goes if it doesn't become so.
fn unfinished(folder: &Path) -> Result<TempDir> {
    let parent = folder.parent().unwrap_or(folder);
    let failed = |error| BackupError::File(parent.to_owned(), error);
    fs::create_dir_all(parent).map_err(failed)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    tempfile::Builder::new().prefix(&format!("{name}.unfinished-")).tempdir_in(parent).map_err(failed)
}

/// Gives a whole copy its name, where there may be an empty folder, and no more than that.
fn finish(unfinished: TempDir, folder: &Path) -> Result<()> {
    let failed = |error| BackupError::File(folder.to_owned(), error);
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => fs::rename(unfinished.path(), folder).map_err(failed)?,
    }
    // There is nothing left to go with it.
    let _ = unfinished.keep();
    let parent = folder.parent().unwrap_or(folder);
    fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)
}

/// Refuses to copy a folder into itself.
fn refuse_inside(into: &Path, folder: &Path) -> Result<()> {
    let real = |path: &Path| path.canonicalize().map_err(|error| BackupError::File(path.to_owned(), error));
    match real(into)?.starts_with(real(folder)?) {
        true => Err(BackupError::Inside(folder.to_owned())),
        false => Ok(()),
    }
}

/// A call for a backup, signed with the secret of the data folder: who can read the secret may ask.
#[derive(Serialize, Deserialize)]
pub(crate) struct BackupRequest {
    pub folder: String,
    expires: i64,
    signature: String,
}

impl BackupRequest {
    /// Whether it is genuine, and of now.
    pub fn is_good(&self, env: &Env) -> bool {
        let signed = signed(&self.folder, self.expires);
        let genuine = env.keys.verify(Purpose::Backup, signed.as_bytes(), &self.signature);
        genuine && self.expires >= env.clock.now().as_second()
    }
}

fn signed(folder: &str, expires: i64) -> String {
    format!("{folder}|{expires}")
}

/// Asks the server that uses a data folder for the backup.
async fn ask(data: &Path, into: &Path, mut told: impl FnMut(Copied) -> ControlFlow<()>) -> Result<Copied> {
    let failed = |why: String| BackupError::Server(data.to_owned(), why);
    let at = fs::read_to_string(data.join(ADDRESS)).map_err(|error| failed(format!("{ADDRESS}: {error}")))?;
    let keys = keyring(data).map_err(|error| unusable(data, error))?;
    let expires = Clock::System.now().plus(CALL).as_second();
    let folder = into.to_str().ok_or_else(|| failed(format!("{} isn't UTF-8", into.display())))?.to_owned();
    let signature = keys.sign(Purpose::Backup, signed(&folder, expires).as_bytes());
    let asked = BackupRequest { folder, expires, signature };
    // It is on this machine, and no proxy is to hear of it.
    let client = reqwest::Client::builder().no_proxy().read_timeout(CALL).build();
    let client = client.map_err(|error| failed(error.to_string()))?;
    let call = client.post(format!("{}/_local/backup", at.trim())).json(&asked);
    let mut answer = call.send().await.map_err(|error| failed(error.to_string()))?;
    if !answer.status().is_success() {
        return Err(failed(answer.text().await.unwrap_or_default()));
    }
    let (mut said, mut last) = (Vec::new(), Copied::default());
    while let Some(more) = answer.chunk().await.map_err(|error| failed(error.to_string()))? {
        said.extend(more);
        while let Some(end) = said.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&said[..end]).into_owned();
            said.drain(..=end);
            match Progress::read(&line) {
                Some(Progress::Copied(copied)) => {
                    let _ = told(copied);
                    last = copied;
                }
                Some(Progress::Done) => return Ok(last),
                Some(Progress::Failed(why)) => return Err(failed(why)),
                None => return Err(failed(format!("it said `{line}`"))),
            }
        }
    }
    Err(failed("it broke off".to_owned()))
}

/// A line of what a server says while it makes a backup.
pub(crate) enum Progress {
    /// It has come so far.
    Copied(Copied),
    /// It is done.
    Done,
    /// It failed.
    Failed(String),
}

impl Progress {
    /// The line.
    pub fn line(&self) -> String {
        match self {
            Progress::Copied(Copied { entries, bytes }) => format!("copied {entries} {bytes}\n"),
            Progress::Done => "done\n".to_owned(),
            Progress::Failed(why) => format!("failed {}\n", why.replace('\n', " ")),
        }
    }

    fn read(line: &str) -> Option<Progress> {
        match line.split_once(' ') {
            None if line == "done" => Some(Progress::Done),
            Some(("copied", numbers)) => {
                let (entries, bytes) = numbers.split_once(' ')?;
                Some(Progress::Copied(Copied { entries: entries.parse().ok()?, bytes: bytes.parse().ok()? }))
            }
            Some(("failed", why)) => Some(Progress::Failed(why.to_owned())),
            _ => None,
        }
    }
}

/// What was verified.
struct Checked {
    organizations: usize,
    entries: usize,
}

/// Verifies the journals in a data folder, by their chains and anchors, as of the newest entry: entries are chained
/// some moments after they are written, and a copy has all moments in it.
async fn verified(folder: &Path) -> Result<Checked> {
    for part in ["secret", TABLE] {
        if !folder.join(part).exists() {
            return Err(BackupError::NoBackup(folder.to_owned(), part));
        }
    }
    let keys = keyring(folder).map_err(|error| unusable(folder, error))?;
    let table = table(folder, Durability::default())?;
    let env = env_of(table.clone(), keys.clone(), Clock::System)?;
    let mut checked = Checked { organizations: 0, entries: 0 };
    for org in env.organizations().await? {
        checked.organizations += 1;
        let Some(newest) = newest(&env, org).await? else { continue };
        let then = env_of(table.clone(), keys.clone(), Clock::fake(newest.time()))?;
        let cx = then.system(org, "backup");
        let mut day = org.time().start_of_day();
        while day <= newest.time() {
            let anchors = anchors_of(&then, folder, org, day);
            let found = cx.verify(day, DAYS, &anchors).await?;
            if let Some((first, what)) = found.first_wrong {
                let first = format!("{first} ({what:?})");
                return Err(BackupError::Tampered { folder: folder.to_owned(), org, wrong: found.wrong, first });
            }
            checked.entries += found.entries;
            day = day.plus(DAY * DAYS);
        }
    }
    Ok(checked)
}

/// The newest entry of an organisation's journal.
async fn newest(env: &Env, org: OrgId) -> Result<Option<EntryId>> {
    let mut day = env.clock.now().start_of_day();
    while day >= org.time().start_of_day() {
        let (first, last) = (EntryId::first_at(day), EntryId::last_at(day.plus(DAY)));
        let ask = QueryAsk { limit: Some(1), descending: true, ..QueryAsk::default() };
        let page = env.table.query(&Question::Facts(org, day, first, last).range(), ask).await?;
        if let Some(sk) = page.items.first().and_then(|item| text(item, SK)) {
            return Ok(sk.parse().ok());
        }
        day = day.minus(DAY);
    }
    Ok(None)
}

/// The anchors of some days, as far as there are any.
fn anchors_of(env: &Env, folder: &Path, org: OrgId, first: Timestamp) -> Vec<Anchor> {
    let anchor = |n: u32| {
        let day = first.plus(DAY * n);
        let bytes = fs::read(folder.join("anchors").join(Anchor::key(org, day))).ok()?;
        Some(Anchor::parse(env, &bytes, org, day))
    };
    (0..DAYS).filter_map(anchor).collect()
}

/// What reading a journal needs.
fn env_of(table: Local, keys: Keyring, clock: Clock) -> Result<Arc<Env>> {
    let address = EmailAddress::parse("team@example.com").map_err(|rule| unusable(Path::new("."), rule))?;
    Ok(Arc::new(Env {
        table: Table::new(Arc::new(table), TableOptions::default()),
        ids: Ids::new(clock.clone()),
        clock,
        keys,
        settings: Settings::new(DEFAULT_ORG, address),
        secrets: Secrets::default(),
    }))
}

/// Refuses to write where something is.
fn refuse_taken(folder: &Path) -> Result<()> {
    let empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    };
    if empty { Ok(()) } else { Err(BackupError::Taken(folder.to_owned())) }
}

/// Copies a file, or a folder with all that is in it, if it is there; each is on the disk then. Files that are still being
/// written, and those that go meanwhile, are left out.
fn copy_tree(from: &Path, to: &Path, told: &mut dyn FnMut(u64)) -> Result<()> {
    let failed = |error| BackupError::File(from.to_owned(), error);
    if from.is_dir() {
        fs::create_dir_all(to).map_err(failed)?;
        for entry in fs::read_dir(from).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if !name.to_string_lossy().starts_with(".tmp") {
                copy_tree(&from.join(&name), &to.join(&name), told)?;
            }
        }
        return fs::File::open(to).and_then(|folder| folder.sync_all()).map_err(failed);
    }
    match fs::copy(from, to) {
        Ok(bytes) => {
            fs::File::open(to).and_then(|copy| copy.sync_all()).map_err(failed)?;
            told(bytes);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// The bytes of a folder on the disk.
fn size_of(folder: &Path) -> Result<u64> {
    let failed = |error| BackupError::File(folder.to_owned(), error);
    let mut size = 0;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let found = entry.metadata().map_err(failed)?;
        size += if found.is_dir() { size_of(&entry.path())? } else { allocated(&found) };
    }
    Ok(size)
}

/// The bytes that a file takes: logs are longer than what is in them.
#[cfg(unix)]
fn allocated(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(found) * 512
}

#[cfg(not(unix))]
fn allocated(found: &fs::Metadata) -> u64 {
    found.len()
}

fn bar(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{spinner}} {{msg}} {what}, {{elapsed}}"));
    let bar = ProgressBar::new_spinner();
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}
