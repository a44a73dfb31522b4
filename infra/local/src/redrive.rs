//! Redrive on one machine: the server's next start dispatches the journal's entries again from a moment on.

use crate::serve::{Opened, ServeError, opened};
use crate::system::{StartError, System};
use daybook_domain::Timestamp;
use daybook_store::Clock;
use daybook_store::rows::checkpoint;
use std::path::Path;

/// Sets the checkpoint of a data folder, whose server must not run, back to a moment.
pub async fn redrive(from: Timestamp, data: &Path) -> Result<(), ServeError> {
    let Opened { _lock, options, .. } = opened(data, Clock::System)?;
    let system = System::start(options).await?;
    let now = system.env.clock.now();
    checkpoint::keep(&system.env, from.min(now)).await.map_err(StartError::from)?;
    eprintln!(
        "The server's next start dispatches what was committed since {from} again. Mails are sent once, whatever is."
    );
    Ok(())
}
