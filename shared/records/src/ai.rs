//! The AI settings of an organisation, which it has from the start.

use daybook_domain::ai_settings::AiSettings;
use daybook_domain::{AiSettingsId, Stored};
use daybook_store::{Cx, Result};

/// The AI settings of the caller's organisation.
pub async fn ai_settings(cx: &Cx) -> Result<AiSettings> {
    let found = cx.unscoped().find_often::<AiSettings>(AiSettingsId::of(cx.org)).await?;
    Ok(found.map_or_else(|| AiSettings::default_of(cx.org), Stored::into_inner))
}
