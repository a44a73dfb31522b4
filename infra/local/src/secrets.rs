//! The secret of a one-machine deployment, generated at the first start and stored in the data folder.

use daybook_store::{Keyring, fill_random};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// The keyring in a folder, created if there is none. Only its owner can read the file.
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
    // Renamed once it is complete, so that a crash leaves no partial secret.
    let unfinished = path.with_extension("new");
    let _ = fs::remove_file(&unfinished);
    let mut file = options.open(&unfinished)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    Ok(secret)
}
