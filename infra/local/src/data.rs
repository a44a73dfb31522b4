//! The data folder of a one-machine server: its lock, its format version, and the location of its parts.

use daybook_embedded::{Durability, Local};
use std::fmt::Display;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The version of the data format. Other versions are refused.
const FORMAT: &str = "4";

/// The file with the address of the server that uses the folder.
pub(crate) const ADDRESS: &str = "address";

/// The folder of the table.
pub(crate) const TABLE: &str = "table";

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

/// Refuses data of another format version at the start, rather than with every request.
pub(crate) fn check_format(folder: &Path) -> Result<(), DataError> {
    let file = folder.join("format");
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
