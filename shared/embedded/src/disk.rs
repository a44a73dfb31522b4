//! A key-value store in a folder on disk: an LSM tree (`fjall`) whose write-ahead log is handed to the operating system
//! before a write is acknowledged, and synced to disk in groups.

use crate::ordered::{Batch, Bounds, Ordered, OrderedError, Read, Visit, is_empty};
use fjall::compaction::Leveled;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable as _};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long writes are collected before they are synced to disk as a group: with the sync itself, less than 100 ms.
const GROUP: Duration = Duration::from_millis(50);

/// The bytes that must be free on the disk for a write to be accepted: what the store itself may need next to go on.
const KEPT_FREE: u64 = 128 << 20;

/// The maximum bytes of blocks in the cache.
const CACHE: u64 = 12 << 20;

/// The maximum bytes of new entries in memory (memtable) before they are flushed to a file.
const NEW: u64 = 4 << 20;

/// The number of threads that write files. The first only flushes memtables, which would pile up in memory behind a
/// long compaction; the others compact files.
const WRITERS: usize = 2;

/// The number of level-0 files that triggers a compaction, and the bytes of a compacted file. New entries are spread
/// over the whole range of keys, so that each compaction rewrites all of the first level.
const MERGED_AT: u8 = 12;
const FILE: u64 = 8 << 20;

/// The `nice` value of the threads that write files: requests have priority where processor time is short.
const STAND_BACK: i32 = 5;

/// Writes wait while this many memtables wait to be flushed, or this many level-0 files wait for compaction.
const MOST_SEALED: usize = 3;
const MOST_UNMERGED: usize = 18;

/// How long a write waits for that at most, and in what steps.
const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(2);

/// The name of the only keyspace.
const KEYSPACE: &str = "table";

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Once the operating system has it: the write survives the end of the process, a crash included, and reaches the
    /// disk within 100 ms.
    #[default]
    Process,
    /// Once it is synced to disk: the write survives a power failure.
    Disk,
}

impl std::str::FromStr for Durability {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Durability, &'static str> {
        match text {
            "process" => Ok(Durability::Process),
            "disk" => Ok(Durability::Disk),
            _ => Err("must be process or disk"),
        }
    }
}

/// The error of a folder that can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("the table in {0} can't be opened: {1}")]
pub struct OpenError(PathBuf, String);

impl OpenError {
    /// The error for a folder, with its cause.
    pub(crate) fn of(folder: &Path, why: impl std::fmt::Display) -> OpenError {
        OpenError(folder.to_owned(), why.to_string())
    }
}

/// A key-value store in a folder.
pub struct Disk {
    shared: Arc<Shared>,
    syncing: Option<JoinHandle<()>>,
}

struct Shared {
    folder: PathBuf,
    durability: Durability,
    /// The bytes that must be free on the disk for a write to be accepted.
    kept_free: AtomicU64,
    /// `None` after a failure; the next call reopens the store.
    open: RwLock<Option<Open>>,
    /// The progress of writes.
    written: Mutex<Written>,
    more: Condvar,
    synced: watch::Sender<Synced>,
}

struct Open {
    database: Database,
    keyspace: Keyspace,
}

/// The progress of syncs, in numbers of writes.
#[derive(Clone, Copy, Debug, Default)]
struct Synced {
    /// Writes up to this number are on the disk, except those covered by `unknown`.
    upto: u64,
    /// A sync of the writes up to this number failed, so it isn't known whether the disk has them.
    unknown: u64,
}

#[derive(Default)]
struct Written {
    /// The number of writes so far.
    count: u64,
    over: bool,
}

impl Disk {
    /// Opens the store in a folder, which is created if missing.
    pub fn open(folder: &Path, durability: Durability) -> Result<Disk, OpenError> {
        let open = Open::at(folder).map_err(|error| OpenError::of(folder, error))?;
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            durability,
            kept_free: AtomicU64::new(KEPT_FREE),
            open: RwLock::new(Some(open)),
            written: Mutex::default(),
            more: Condvar::new(),
            synced: watch::Sender::new(Synced::default()),
        });
        let own = shared.clone();
        let syncing = std::thread::Builder::new().name("table-sync".to_owned()).spawn(move || own.sync_on());
        let syncing = syncing.map_err(|error| OpenError::of(folder, error))?;
        Ok(Disk { shared, syncing: Some(syncing) })
    }

    /// Creates a store in an empty folder, from keys that `tell` passes in ascending order; synced to disk on return.
    pub(crate) fn filled(
        folder: &Path,
        tell: impl FnOnce(&mut dyn FnMut(&[u8], &[u8]) -> Result<(), OrderedError>) -> Result<(), OrderedError>,
    ) -> Result<(), OrderedError> {
        let failed = |error: fjall::Error| OrderedError::Refused(format!("{}: {error}", folder.display()));
        let Open { database, keyspace } = Open::at(folder).map_err(failed)?;
        if !keyspace.is_empty().map_err(failed)? {
            return Err(OrderedError::Refused(format!("{} must be empty", folder.display())));
        }
        let mut filling = keyspace.start_ingestion().map_err(failed)?;
        tell(&mut |key, value| filling.write(key, value).map_err(failed))?;
        filling.finish().map_err(failed)?;
        database.persist(PersistMode::SyncAll).map_err(failed)
    }
}

impl Open {
    fn at(folder: &Path) -> fjall::Result<Open> {
        let merging = Leveled::default().with_l0_threshold(MERGED_AT).with_table_target_size(FILE);
        let options = KeyspaceCreateOptions::default().max_memtable_size(NEW).compaction_strategy(Arc::new(merging));
        // Threads have the priority of the thread that starts them.
        let opened = std::thread::scope(|scope| {
            let opening = scope.spawn(|| {
                let _ = rustix::process::setpriority_process(None, STAND_BACK);
                Database::builder(folder).cache_size(CACHE).worker_threads(WRITERS).open()
            });
            opening.join()
        });
        let database = opened.unwrap_or(Err(fjall::Error::Unrecoverable))?;
        let keyspace = database.keyspace(KEYSPACE, || options)?;
        Ok(Open { database, keyspace })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.shared.written().over = true;
        self.shared.more.notify_all();
        if let Some(syncing) = self.syncing.take() {
            let _ = syncing.join();
        }
    }
}

impl Shared {
    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, reopened if it failed before.
    fn opened(&self) -> Result<RwLockReadGuard<'_, Option<Open>>, OrderedError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        if open.is_some() {
            return Ok(open);
        }
        drop(open);
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            let again = Open::at(&self.folder).and_then(|again| {
                // What was recovered from the log must be on the disk before any read returns it.
                again.database.persist(PersistMode::SyncAll)?;
                Ok(again)
            });
            *open = Some(again.map_err(|error| OrderedError::Refused(error.to_string()))?);
            tracing::warn!("the table was reopened");
        }
        drop(open);
        Ok(self.open.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes the store after a failure: its memory may differ from what is on the disk.
    fn close(&self) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Refuses writes while less than `kept_free` bytes are free on the disk.
    fn check_room(&self) -> Result<(), OrderedError> {
        let kept_free = self.kept_free.load(Ordering::Relaxed);
        match rustix::fs::statvfs(&self.folder) {
            Ok(found) if found.f_bavail.saturating_mul(found.f_frsize) < kept_free => {
                let why = format!("the disk is full (under {} MB free): nothing written, make room", kept_free >> 20);
                Err(OrderedError::Refused(why))
            }
            _ => Ok(()),
        }
    }

    /// Back-pressure: waits while flushes and compactions are slower than new entries. `fjall` would stall by itself,
    /// but without a limit and in long steps.
    fn wait_for_writers(&self) -> Result<(), OrderedError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let open = self.opened()?;
            let Some(Open { keyspace, .. }) = &*open else { return Err(closed()) };
            if keyspace.sealed_memtable_count() < MOST_SEALED && keyspace.l0_table_count() < MOST_UNMERGED {
                return Ok(());
            }
            drop(open);
            if Instant::now() > until {
                return Err(OrderedError::Refused("the disk is too slow for the load; nothing was written".to_owned()));
            }
            std::thread::sleep(STEP);
        }
    }

    fn apply(&self, batch: Batch) -> Result<(), OrderedError> {
        // A batch that only removes keys frees space.
        if batch.iter().any(|(_, value)| value.is_some()) {
            self.check_room()?;
        }
        self.wait_for_writers()?;
        let open = self.opened()?;
        let Some(Open { database, keyspace }) = &*open else { return Err(closed()) };
        let mut writes = database.batch().durability(Some(PersistMode::Buffer));
        for (key, value) in batch {
            match value {
                Some(value) => writes.insert(keyspace, key, value),
                None => writes.remove(keyspace, key),
            }
        }
        let done = writes.commit();
        if done.is_ok() {
            // Counted before the store can be closed: closing it marks all counted writes as unknown.
            self.written().count += 1;
            self.more.notify_one();
        }
        drop(open);
        match done {
            Ok(()) => Ok(()),
            // An earlier write made the store fail.
            Err(fjall::Error::Poisoned) => {
                self.close();
                Err(OrderedError::Refused("the table failed and is being reopened".to_owned()))
            }
            Err(error) => {
                self.close();
                Err(OrderedError::Unknown(format!("a write to the disk failed: {error}")))
            }
        }
    }

    /// Syncs writes to disk in groups, until the store is dropped.
    fn sync_on(&self) {
        let mut synced = 0;
        loop {
            let mut written = self.written();
            while written.count == synced && !written.over {
                written = self.more.wait(written).unwrap_or_else(PoisonError::into_inner);
            }
            if written.count == synced {
                return;
            }
            let over = written.over;
            drop(written);
            if self.durability == Durability::Process && !over {
                std::thread::sleep(GROUP);
            }
            let mut count = self.written().count;
            let handed = self.opened().and_then(|open| match &*open {
                Some(Open { database, .. }) => database.persist(PersistMode::SyncData).map_err(unreadable),
                None => Err(closed()),
            });
            if let Err(error) = &handed {
                tracing::error!(%error, "the sync to disk failed; the table is reopened");
                self.close();
                count = self.written().count;
            }
            synced = count;
            self.synced.send_modify(|known| {
                known.upto = count;
                known.unknown = if handed.is_err() { count } else { known.unknown };
            });
        }
    }

    /// Waits until every write so far is synced to disk.
    async fn synced(&self) -> Result<(), OrderedError> {
        let count = self.written().count;
        let mut synced = self.synced.subscribe();
        match synced.wait_for(|known| known.upto >= count).await {
            Ok(known) if known.unknown < count => Ok(()),
            _ => Err(OrderedError::Unknown("a sync failed, so the write may not be on the disk".to_owned())),
        }
    }
}

impl Ordered for Disk {
    fn get(&self, keys: &[&[u8]], read: Read<'_>) -> Result<(), OrderedError> {
        let open = self.shared.opened()?;
        let Some(Open { database, keyspace }) = &*open else { return Err(closed()) };
        let now = database.snapshot();
        for (at, key) in keys.iter().enumerate() {
            if let Some(value) = now.get(keyspace, key).map_err(unreadable)? {
                read(at, &value);
            }
        }
        Ok(())
    }

    fn visit(&self, bounds: Bounds, descending: bool, visit: Visit<'_>) -> Result<(), OrderedError> {
        if is_empty(&bounds) {
            return Ok(());
        }
        // The lock isn't held meanwhile: another thread may have to reopen the store.
        let mut range = match &*self.shared.opened()? {
            // A range of the keyspace itself could show half of a batch that is being written.
            Some(Open { database, keyspace }) => database.snapshot().range::<Vec<u8>, _>(keyspace, bounds),
            None => return Err(closed()),
        };
        loop {
            let next = if descending { range.next_back() } else { range.next() };
            let Some(entry) = next else { return Ok(()) };
            let (key, value) = entry.into_inner().map_err(unreadable)?;
            if visit(&key, &value).is_break() {
                return Ok(());
            }
        }
    }

    fn apply(&self, batch: Batch) -> Result<(), OrderedError> {
        self.shared.apply(batch)
    }

    fn settled(&self) -> Option<BoxFuture<'_, Result<(), OrderedError>>> {
        (self.shared.durability == Durability::Disk).then(|| self.shared.synced().boxed())
    }
}

fn closed() -> OrderedError {
    OrderedError::Refused("the table is being reopened".to_owned())
}

fn unreadable(error: fjall::Error) -> OrderedError {
    OrderedError::Unreadable(format!("the disk can't be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;
    use std::ops::{Bound, ControlFlow};

    fn batch(n: u32, size: usize) -> Batch {
        (0..5).map(|part| (format!("{n:04}/{part}").into_bytes(), Some(vec![b'x'; size]))).collect()
    }

    /// The number of keys of each batch.
    fn kept(disk: &Disk) -> BTreeMap<String, usize> {
        let mut kept: BTreeMap<String, usize> = BTreeMap::new();
        let all = (Bound::Unbounded, Bound::Unbounded);
        disk.visit(all, false, &mut |key, _| {
            *kept.entry(String::from_utf8_lossy(&key[..4]).into_owned()).or_default() += 1;
            ControlFlow::Continue(())
        })
        .expect("all keys");
        kept
    }

    fn copied(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            match from.join(&name).is_dir() {
                true => copied(&from.join(&name), &to.join(&name)),
                false => drop(fs::copy(from.join(&name), to.join(&name)).expect("a copy")),
            }
        }
    }

    fn log_in(folder: &Path) -> PathBuf {
        let mut all: Vec<PathBuf> =
            fs::read_dir(folder).expect("a folder").map(|one| one.expect("one").path()).collect();
        all.retain(|path| path.extension().is_some_and(|extension| extension == "jnl"));
        all.into_iter().max().expect("a log")
    }

    #[test]
    fn a_log_that_ends_at_any_byte_opens_without_half_a_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
        let disk = Disk::open(&whole, Durability::Process).expect("a store");
        for n in 0..20 {
            disk.apply(batch(n, 10)).expect("a write");
        }
        // As after `kill -9`: acknowledged writes are in the log, and the store wasn't closed cleanly.
        copied(&whole, &cut);
        drop(disk);
        let log = fs::read(log_in(&cut)).expect("a log");
        let end = log.iter().rposition(|byte| *byte != 0).expect("some bytes") + 1;
        let step = if std::env::var("FULL").is_ok_and(|full| full == "1") { 1 } else { 37 };
        let mut least = 20;
        for at in (end.saturating_sub(800)..=end).rev().step_by(step) {
            // The log file is preallocated, so that a cut leaves its end either missing or full of zeros.
            for zeroed in [false, true] {
                let tried = folder.path().join("tried");
                copied(&cut, &tried);
                let mut bytes = log[..at].to_vec();
                if zeroed {
                    bytes.resize(end + 4096, 0);
                }
                fs::write(log_in(&tried), bytes).expect("a log");
                let disk = Disk::open(&tried, Durability::Process)
                    .unwrap_or_else(|error| panic!("cut at {at} of {end}, zeroed: {zeroed}: {error}"));
                let kept = kept(&disk);
                assert!(kept.values().all(|parts| *parts == 5), "cut at {at}: half a write: {kept:?}");
                assert!(kept.keys().zip(0..).all(|(n, expected)| *n == format!("{expected:04}")), "{kept:?}");
                assert!(at < end || kept.len() == 20, "an acknowledged write is gone: {kept:?}");
                least = least.min(kept.len());
                disk.apply(batch(99, 10)).expect("a write after it");
                drop(disk);
                let disk = Disk::open(&tried, Durability::Process).expect("it opens once more");
                assert_eq!(self::kept(&disk).len(), kept.len() + 1);
                drop(disk);
                fs::remove_dir_all(&tried).expect("it goes");
            }
        }
        assert!((10..20).contains(&least), "only whole writes were cut off: {least}");
    }

    #[test]
    fn a_full_disk_refuses_writes_and_takes_them_again_once_there_is_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::open(folder.path(), Durability::Process).expect("a store");
        disk.apply(batch(1, 10)).expect("a write");
        disk.shared.kept_free.store(u64::MAX, Ordering::Relaxed);
        let refused = disk.apply(batch(2, 10));
        assert!(matches!(&refused, Err(OrderedError::Refused(why)) if why.contains("full")), "{refused:?}");
        assert_eq!(kept(&disk).len(), 1);
        disk.shared.kept_free.store(0, Ordering::Relaxed);
        disk.apply(batch(2, 10)).expect("a write");
        assert_eq!(kept(&disk).len(), 2);
    }

    #[test]
    fn a_store_that_broke_is_opened_again_with_all_that_was_acknowledged() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::open(folder.path(), Durability::Process).expect("a store");
        disk.apply(batch(1, 10)).expect("a write");
        disk.shared.close();
        assert_eq!(kept(&disk).len(), 1);
        disk.shared.close();
        disk.apply(batch(2, 10)).expect("a write");
        assert_eq!(kept(&disk).len(), 2);
    }

    #[tokio::test]
    async fn writes_wait_for_the_disk_where_that_is_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::open(folder.path(), Durability::Disk).expect("a store");
        disk.apply(batch(1, 10)).expect("a write");
        let count = disk.shared.written().count;
        disk.settled().expect("a wait").await.expect("the disk has it");
        assert!(disk.shared.synced.borrow().upto >= count);
        drop(disk);
        let disk = Disk::open(folder.path(), Durability::Process).expect("a store");
        assert!(disk.settled().is_none());
    }
}
