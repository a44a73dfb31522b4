//! The secret of a one-machine deployment, generated at the first start and stored in the data folder.

use crate::data::{DataError, TABLE, unusable};
use daybook_store::{Keyring, fill_random};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// What to do about a secret that can't be used.
const REMEDY: &str = "put the file back from a backup, or name another folder with --data to start anew";

/// The keyring in a folder, created with the table. Only its owner can read the file.
///
/// A table without its secret is refused, as its data couldn't be verified or decrypted with a new one.
pub fn keyring(folder: &Path) -> Result<Keyring, DataError> {
    let path = folder.join("secret");
    let refused = |why: String| unusable(folder, format!("{why}; {REMEDY}"));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => match folder.join(TABLE).exists() {
            true => return Err(refused("its data needs the file `secret`, which is missing".to_owned())),
            false => make(&path).map_err(|error| unusable(folder, error))?,
        },
        Err(error) => return Err(refused(format!("the file `secret` can't be read ({error})"))),
    };
    match text.trim() {
        "" => Err(refused("the file `secret` is empty".to_owned())),
        text => Keyring::parse(text).map_err(|_| refused("the file `secret` is damaged".to_owned())),
    }
}

fn make(path: &Path) -> io::Result<String> {
    let mut bytes = [0; 32];
    fill_random(&mut bytes).map_err(|error| io::Error::other(error.chain()))?;
    let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Renamed once it is complete, so that a crash leaves no partial secret.
    let unfinished = path.with_extension("new");
    let _ = fs::remove_file(&unfinished);
    let mut file = options.open(&unfinished)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    // The name, too, must be on the disk before there is data that needs the secret.
    #[cfg(unix)]
    fs::File::open(path.parent().unwrap_or(path))?.sync_all()?;
    Ok(secret)
}
