//! Backup and restore: a consistent copy of a data folder, also while its server runs, and a new data folder from a
//! copy.
//!
//! A backup is itself a data folder. It is finished only after its journal's hash chain has been verified.

use crate::DEFAULT_ORG;
use crate::data::{
    ADDRESS, DataError, FORMAT_FILE, SECRET, SECRET_CHECK, TABLE, check_format, has_format, lock, make_private, table,
    unusable,
};
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

/// The other parts of a data folder, in the order in which they are copied. Anchors come before the table, as they
/// must not refer to entries that the copy lacks; files come after it, as its jobs refer to them. Parts that
/// don't exist are left out: folders of earlier versions have no check value of the secret.
const BEFORE: [&str; 3] = [SECRET, SECRET_CHECK, "anchors"];
const AFTER: [&str; 3] = ["mail.jsonl", "files", FORMAT_FILE];

/// How many days of the journal are verified per call.
const DAYS: u32 = 7;

const DAY: Duration = Duration::from_secs(86_400);

/// How long a running server may take to respond to a request for a backup.
const CALL: Duration = Duration::from_secs(60);

/// Why a backup or restore failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A folder can't be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The target folder isn't empty.
    #[error("{0} already exists and isn't overwritten; name a new or empty folder")]
    Taken(PathBuf),
    /// A folder can't be copied into itself.
    #[error("the folder {0} can't be copied into itself; name a folder outside it")]
    Inside(PathBuf),
    /// The folder to back up or restore isn't a data folder.
    #[error("{0} isn't a data folder or a backup: it has no `{1}`")]
    NoBackup(PathBuf, &'static str),
    /// A file can't be copied.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// The table can't be copied or read.
    #[error("{}", .0.chain())]
    Table(#[from] daybook_store::Error),
    /// The running server didn't make the backup.
    #[error("the server that uses {0} didn't make the backup: {1}")]
    Server(PathBuf, String),
    /// Entries of the journal are altered or missing.
    #[error(
        "the journal fails verification: {wrong} entries of {org} are altered or missing, {first} the first; \
         {folder} was not created; for details call GET /api/audit-logs/verify"
    )]
    Tampered {
        /// The folder.
        folder: PathBuf,
        /// The organisation.
        org: OrgId,
        /// The number of altered or missing entries.
        wrong: usize,
        /// The first of them.
        first: String,
    },
}

type Result<T> = std::result::Result<T, BackupError>;

/// Backs up a data folder, whether a server uses it or not, and verifies the copy.
pub async fn backup(data: &Path, folder: &Path) -> Result<()> {
    let began = Instant::now();
    let folder = std::path::absolute(folder).map_err(|error| BackupError::File(folder.to_owned(), error))?;
    refuse_taken(&folder)?;
    if !has_format(data) {
        return Err(BackupError::NoBackup(data.to_owned(), FORMAT_FILE));
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
            keyring(data)?;
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
        "Backed up {} entries to {}: {} in {:.1} s. The journal's chain is intact: {} entries of {} organisations.",
        HumanCount(copied.entries),
        folder.display(),
        HumanBytes(size),
        began.elapsed().as_secs_f64(),
        HumanCount(checked.entries as u64),
        checked.organizations
    );
    Ok(())
}

/// Restores a backup to a new data folder, and verifies it. Nothing is overwritten.
pub async fn restore(folder: &Path, data: &Path) -> Result<()> {
    let began = Instant::now();
    let data = std::path::absolute(data).map_err(|error| BackupError::File(data.to_owned(), error))?;
    for part in [SECRET, TABLE, FORMAT_FILE] {
        if !folder.join(part).exists() {
            return Err(BackupError::NoBackup(folder.to_owned(), part));
        }
    }
    // A server may run on the backup itself; a read-only backup can't be in use.
    let _lock = match lock(folder) {
        Err(error @ DataError::InUse(_)) => return Err(error.into()),
        other => other,
    };
    check_format(folder)?;
    keyring(folder)?;
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
        "Restored {} to {} in {:.1} s. The journal's chain is intact: {} entries of {} organisations.",
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
    progress: impl FnMut(Copied) -> ControlFlow<()>,
) -> Result<Copied> {
    refuse_taken(into)?;
    refuse_inside(into, data)?;
    for part in BEFORE {
        copy_tree(&data.join(part), &into.join(part), &mut |_| ())?;
    }
    let copied = table.copy_to(&into.join(TABLE), progress)?;
    for part in AFTER {
        copy_tree(&data.join(part), &into.join(part), &mut |_| ())?;
    }
    Ok(copied)
}

/// A private folder beside the target, in which a copy is made until it is complete; it is removed if that fails.
fn unfinished(folder: &Path) -> Result<TempDir> {
    let parent = folder.parent().unwrap_or(folder);
    let failed = |error| BackupError::File(parent.to_owned(), error);
    fs::create_dir_all(parent).map_err(failed)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    tempfile::Builder::new().prefix(&format!("{name}.unfinished-")).tempdir_in(parent).map_err(failed)
}

/// Renames a complete copy to its target, which may be an empty folder. Other users of the machine can't read it.
fn finish(unfinished: TempDir, folder: &Path) -> Result<()> {
    let failed = |error| BackupError::File(folder.to_owned(), error);
    // Copies have the permissions of their originals, which earlier versions let other users read. Some file systems
    // have no permissions.
    if let Err(error) = make_private(unfinished.path()) {
        eprintln!("Other users of this machine may read {}: {error}", folder.display());
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => fs::rename(unfinished.path(), folder).map_err(failed)?,
    }
    // The temporary folder has been renamed, so there is nothing to remove.
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

/// A request for a backup, signed with the secret of the data folder: a process that can read the secret may request
/// it.
#[derive(Serialize, Deserialize)]
pub(crate) struct BackupRequest {
    pub folder: String,
    expires: i64,
    signature: String,
}

impl BackupRequest {
    /// Whether its signature is valid and it hasn't expired.
    pub fn is_good(&self, env: &Env) -> bool {
        let signed = signed(&self.folder, self.expires);
        let genuine = env.keys.verify(Purpose::Backup, signed.as_bytes(), &self.signature);
        genuine && self.expires >= env.clock.now().as_second()
    }
}

fn signed(folder: &str, expires: i64) -> String {
    format!("{folder}|{expires}")
}

/// Requests the backup from the server that uses the data folder.
async fn ask(data: &Path, into: &Path, mut progress: impl FnMut(Copied) -> ControlFlow<()>) -> Result<Copied> {
    let failed = |why: String| BackupError::Server(data.to_owned(), why);
    let at = fs::read_to_string(data.join(ADDRESS)).map_err(|error| failed(format!("{ADDRESS}: {error}")))?;
    let keys = keyring(data)?;
    let expires = Clock::System.now().plus(CALL).as_second();
    let folder = into.to_str().ok_or_else(|| failed(format!("{} isn't UTF-8", into.display())))?.to_owned();
    let signature = keys.sign(Purpose::Backup, signed(&folder, expires).as_bytes());
    let asked = BackupRequest { folder, expires, signature };
    // The server is on this machine, so no proxy may be used.
    let client = reqwest::Client::builder().no_proxy().read_timeout(CALL).build();
    let client = client.map_err(|error| failed(error.to_string()))?;
    let call = client.post(format!("{}/_local/backup", at.trim())).json(&asked);
    let mut answer = call.send().await.map_err(|error| failed(error.to_string()))?;
    if !answer.status().is_success() {
        return Err(failed(answer.text().await.unwrap_or_default()));
    }
    let (mut received, mut last) = (Vec::new(), Copied::default());
    while let Some(more) = answer.chunk().await.map_err(|error| failed(error.to_string()))? {
        received.extend(more);
        while let Some(end) = received.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&received[..end]).into_owned();
            received.drain(..=end);
            match Progress::read(&line) {
                Some(Progress::Copied(copied)) => {
                    let _ = progress(copied);
                    last = copied;
                }
                Some(Progress::Done) => return Ok(last),
                Some(Progress::Failed(why)) => return Err(failed(why)),
                None => return Err(failed(format!("unexpected response `{line}`"))),
            }
        }
    }
    Err(failed("the connection was closed before the backup was complete".to_owned()))
}

/// A progress line that a server sends while it makes a backup.
pub(crate) enum Progress {
    /// The amount copied so far.
    Copied(Copied),
    /// The backup is complete.
    Done,
    /// The backup failed, for this reason.
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

/// The result of a verification.
struct Checked {
    organizations: usize,
    entries: usize,
}

/// Verifies the journals in a data folder by their chains and anchors, as of the newest entry: entries are chained
/// shortly after they are written, and a copy can be taken in between.
async fn verified(folder: &Path) -> Result<Checked> {
    for part in [SECRET, TABLE] {
        if !folder.join(part).exists() {
            return Err(BackupError::NoBackup(folder.to_owned(), part));
        }
    }
    let keys = keyring(folder)?;
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

/// The existing anchors of `DAYS` days.
fn anchors_of(env: &Env, folder: &Path, org: OrgId, first: Timestamp) -> Vec<Anchor> {
    let anchor = |n: u32| {
        let day = first.plus(DAY * n);
        let bytes = fs::read(folder.join("anchors").join(Anchor::key(org, day))).ok()?;
        Some(Anchor::parse(env, &bytes, org, day))
    };
    (0..DAYS).filter_map(anchor).collect()
}

/// An environment to read a journal with.
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

/// Fails unless the folder is missing or empty.
fn refuse_taken(folder: &Path) -> Result<()> {
    let empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    };
    if empty { Ok(()) } else { Err(BackupError::Taken(folder.to_owned())) }
}

/// Copies a file, or a folder with its content, if it exists, and syncs each file to disk. Temporary files, and files
/// that are removed meanwhile, are left out.
fn copy_tree(from: &Path, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<()> {
    let failed = |error| BackupError::File(from.to_owned(), error);
    if from.is_dir() {
        fs::create_dir_all(to).map_err(failed)?;
        for entry in fs::read_dir(from).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if !name.to_string_lossy().starts_with(".tmp") {
                copy_tree(&from.join(&name), &to.join(&name), progress)?;
            }
        }
        return fs::File::open(to).and_then(|folder| folder.sync_all()).map_err(failed);
    }
    match fs::copy(from, to) {
        Ok(bytes) => {
            fs::File::open(to).and_then(|copy| copy.sync_all()).map_err(failed)?;
            progress(bytes);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// The bytes that a folder takes on the disk.
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

/// The bytes that a file takes on the disk: log files are longer than their content.
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
