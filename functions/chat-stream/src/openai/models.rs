//! The list of models: each under its own name and, for clients that treat some names in ways of their own, under
//! `daybook-NAME`; before them `daybook-default`.

use super::{DEFAULT, OURS, model_of};
use daybook_http::{Cx, Error, Foreign, Own, PathText, Result};
use daybook_runs::{Chat, allowed};
use serde_json::{Value, json};

fn shown(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": 0, "owned_by": "daybook"})
}

/// Lists the models that the caller may use.
pub async fn list(cx: Cx, Own(chat): Own<Chat>) -> Result<Foreign> {
    let settings = daybook_records::ai_settings(&cx).await?;
    let allowed = allowed(&chat, &cx, &settings).await?;
    let names: Vec<&str> = allowed.models().iter().map(|one| one.model.name.as_str()).collect();
    let ours = names.iter().map(|name| format!("{OURS}{name}"));
    let all = [DEFAULT.to_owned()].into_iter().filter(|_| !names.is_empty()).chain(ours);
    let data: Vec<Value> = all.chain(names.iter().map(|name| (*name).to_owned())).map(|id| shown(&id)).collect();
    Ok(Foreign::Json(json!({"object": "list", "data": data})))
}

/// Reads a model.
pub async fn read(cx: Cx, Own(chat): Own<Chat>, PathText(name): PathText) -> Result<Foreign> {
    let settings = daybook_records::ai_settings(&cx).await?;
    let allowed = allowed(&chat, &cx, &settings).await?;
    allowed.candidates(model_of(&chat, &name).unwrap_or(allowed.default_name())).map_err(Error::from)?;
    Ok(Foreign::Json(shown(&name)))
}
