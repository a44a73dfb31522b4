//! The data folder of a one-machine server: its lock, its format version, and the location of its parts.

use daybook_embedded::{Durability, Local};
use std::fmt::Display;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The version of the data format. Other versions are refused.
const FORMAT: &str = "4";

/// The file with the address of the server that uses the folder.
pub(crate) const ADDRESS: &str = "address";

/// The folder of the table.
pub(crate) const TABLE: &str = "table";

/// The file with the version of the format. A folder without it isn't a data folder.
pub(crate) const FORMAT_FILE: &str = "format";

/// The file with the secret.
pub(crate) const SECRET: &str = "secret";

/// The file with the check value of the secret, which folders of earlier versions lack.
pub(crate) const SECRET_CHECK: &str = "secret-check";

/// The parts of a data folder.
const PARTS: [&str; 9] = ["lock", FORMAT_FILE, ADDRESS, SECRET, SECRET_CHECK, "mail.jsonl", TABLE, "files", "anchors"];

/// The permissions of users other than a file's owner.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// Why a data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The folder can't be used, for this reason.
    #[error("the folder {0} can't be used: {1}")]
    Unusable(PathBuf, String),
    /// Another process uses it.
    #[error("the folder {0} can't be used: another server is using it")]
    InUse(PathBuf),
}

/// The error that a folder can't be used.
pub(crate) fn unusable(folder: &Path, why: impl Display) -> DataError {
    DataError::Unusable(folder.to_owned(), why.to_string())
}

/// Locks a folder for this process: two servers on one folder would send the same mail twice.
pub(crate) fn lock(folder: &Path) -> Result<File, DataError> {
    let file = File::create(folder.join("lock")).map_err(|error| unusable(folder, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DataError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(unusable(folder, error)),
    }
}

/// Whether Daybook made the data in a folder.
pub(crate) fn has_format(folder: &Path) -> bool {
    folder.join(FORMAT_FILE).is_file()
}

/// Whether a folder exists and is empty.
pub(crate) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Refuses data of another format version at the start, rather than with every request.
pub(crate) fn check_format(folder: &Path) -> Result<(), DataError> {
    let file = folder.join(FORMAT_FILE);
    let found = match std::fs::read_to_string(&file) {
        Ok(text) if !text.is_empty() => text.trim().to_owned(),
        _ if folder.join("daybook.db").exists() => "1".to_owned(),
        _ => return std::fs::write(&file, FORMAT).map_err(|error| unusable(folder, error)),
    };
    match found == FORMAT {
        true => Ok(()),
        false => Err(unusable(
            folder,
            format!(
                "another version of Daybook made its data (format {found}, this version has {FORMAT}); \
             name another folder with --data, or remove this one"
            ),
        )),
    }
}

/// The table in a folder.
pub(crate) fn table(folder: &Path, durability: Durability) -> Result<Local, DataError> {
    Local::open(&folder.join(TABLE), durability).map_err(|error| unusable(folder, error))
}

/// Takes the permissions for a data folder and its parts from the other users of the machine. Other files in the folder
/// keep theirs, and links aren't followed.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    restrict(folder)?;
    PARTS.iter().try_for_each(|part| restrict_all(&folder.join(part)))
}

/// Restricts a file, or a folder with its content, if it exists.
fn restrict_all(path: &Path) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if found.is_symlink() {
        return Ok(());
    }
    restrict(path)?;
    if found.is_dir() {
        for entry in std::fs::read_dir(path)? {
            restrict_all(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)?.permissions().mode();
    match mode & OTHERS {
        0 => Ok(()),
        _ => std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & !OTHERS)),
    }
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> io::Result<()> {
    Ok(())
}
