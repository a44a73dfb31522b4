//! The secret of a one-machine deployment: made at the first start, kept in the data folder.

use daybook_store::{Keyring, fill_random};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// The keyring in a folder, made where there is none. Readable by its owner alone.
pub fn keyring(folder: &Path) -> io::Result<Keyring> {
    let path = folder.join("secret");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path)?,
        Err(error) => return Err(error),
    };
    Keyring::parse(text.trim())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display())))
}

fn make(path: &Path) -> io::Result<String> {
    let mut bytes = [0; 32];
    fill_random(&mut bytes).map_err(|error| io::Error::other(error.chain()))?;
    let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Under its own name only once it is whole: a crash on the way leaves nothing to trip over.
    let unfinished = path.with_extension("new");
    let _ = fs::remove_file(&unfinished);
    let mut file = options.open(&unfinished)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    Ok(secret)
}
