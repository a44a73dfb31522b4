//! The secret of a one-machine deployment, generated at the first start and stored in the data folder, with a check value
//! by which a damaged or foreign secret is noticed.

use crate::data::{DataError, SECRET, SECRET_CHECK, TABLE, unusable};
use daybook_store::{Keyring, Purpose, fill_random};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// What to do about a secret that can't be used.
const REMEDY: &str = "put the file back from a backup, or name another folder with --data to start anew";

/// The text whose signature is the check value.
const CHECKED: &[u8] = b"the secret of this data folder";

/// The keyring in a folder, created with the table. Only its owner can read the file.
///
/// A table without its secret, or with another one, is refused, as its data couldn't be verified or decrypted.
pub fn keyring(folder: &Path) -> Result<Keyring, DataError> {
    let path = folder.join(SECRET);
    let refused = |why: String| unusable(folder, format!("{why}; {REMEDY}"));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => match folder.join(TABLE).exists() {
            true => return Err(refused("its data needs the file `secret`, which is missing".to_owned())),
            false => make(&path).map_err(|error| unusable(folder, error))?,
        },
        Err(error) => return Err(refused(format!("the file `secret` can't be read ({error})"))),
    };
    let keys = match text.trim() {
        "" => return Err(refused("the file `secret` is empty".to_owned())),
        text if text.split(',').any(|part| part.trim().contains(char::is_control)) => None,
        text => Keyring::parse(text).ok(),
    };
    let keys = keys.ok_or_else(|| refused("the file `secret` is damaged".to_owned()))?;
    match fs::read_to_string(folder.join(SECRET_CHECK)) {
        Ok(check) if keys.verify(Purpose::DataFolder, CHECKED, check.trim()) => Ok(keys),
        Ok(_) => {
            Err(refused(format!("the file `secret` is damaged or that of another folder, as `{SECRET_CHECK}` shows")))
        }
        // Earlier versions had no check value.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(keys),
        Err(error) => Err(refused(format!("the file `{SECRET_CHECK}` can't be read ({error})"))),
    }
}

/// Writes the check value of a keyring that is used with the table of a folder. After the secret was replaced, the value
/// is made by the new key, so that the old one can be removed.
pub fn write_check(folder: &Path, keys: &Keyring) -> Result<(), DataError> {
    let path = folder.join(SECRET_CHECK);
    let check = keys.sign(Purpose::DataFolder, CHECKED);
    match fs::read_to_string(&path) {
        Ok(found) if found.trim() == check => Ok(()),
        _ => write_private(&path, &check).map_err(|error| unusable(folder, error)),
    }
}

fn make(path: &Path) -> io::Result<String> {
    let mut bytes = [0; 32];
    fill_random(&mut bytes).map_err(|error| io::Error::other(error.chain()))?;
    let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    write_private(path, &secret)?;
    Ok(secret)
}

/// Writes a file that only its owner can read, all or nothing, and syncs it to the disk.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Renamed once it is complete, so that a crash leaves no partial file.
    let unfinished = path.with_extension("new");
    let _ = fs::remove_file(&unfinished);
    let mut file = options.open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    // The name, too, must be on the disk before there is data that needs the file.
    #[cfg(unix)]
    fs::File::open(path.parent().unwrap_or(path))?.sync_all()?;
    Ok(())
}
