//! The pipelines API: the stages of opportunities. The default pipeline exists from the start and is stored once it is
//! changed.

use daybook_domain::Record;
use daybook_domain::pipeline::Pipeline;
use daybook_domain::{Conflict, Error as Domain, PipelineId, Rule};
use daybook_http::{Cx, Data, IfMatch, Listed, PageQuery, Patch, Path, Result};
use daybook_records::{amended, stored_first};
use daybook_store::{Page, Tx, is_at};

/// The purpose of this list's cursors, which ties a cursor to the list.
const CURSOR: &str = "pipelines";

/// Lists the pipelines, the default one first.
pub async fn list(cx: Cx, query: PageQuery) -> Result<Listed<Pipeline>> {
    let mut all = daybook_records::pipelines(&cx).await?;
    if let Some(cursor) = &query.cursor {
        let last: PipelineId =
            cx.cursors().open(cursor, CURSOR)?.parse().map_err(|_| Domain::query("cursor", Rule::Cursor))?;
        let default = PipelineId::default_of(cx.org);
        all.retain(|pipeline| pipeline.id != default && (last == default || pipeline.id > last));
    }
    let more = all.len() > query.limit;
    all.truncate(query.limit);
    let next = all.last().filter(|_| more).map(|last| cx.cursors().seal(&last.id.to_string(), CURSOR)).transpose()?;
    Ok(Listed(Page::of(all, query.limit, next)))
}

/// Reads a pipeline.
pub async fn read(cx: Cx, Path(id): Path<PipelineId>) -> Result<Data<Pipeline>> {
    match cx.find::<Pipeline>(id).await? {
        Some(pipeline) => Ok(Data::stored(pipeline)),
        None if id == PipelineId::default_of(cx.org) => Ok(Data(Pipeline::default_of(cx.org))),
        None => Err(Domain::not_found(Pipeline::TYPE).into()),
    }
}

/// Changes the given fields. A stage that visible opportunities are in stays, and keeps its meaning. A removed stage
/// is retired, as an opportunity that was just created, or one in the trash, may still be in it.
pub async fn update(
    cx: Cx,
    Path(id): Path<PipelineId>,
    IfMatch(version): IfMatch,
    patch: Patch<Pipeline>,
) -> Result<Data<Pipeline>> {
    let default = Pipeline::default_of(cx.org);
    if id != default.id || cx.find::<Pipeline>(id).await?.is_some() {
        return daybook_records::amend(&cx, id, version, patch.fields, Data).await;
    }
    // The default pipeline isn't stored until it is changed.
    let draft = amended::<Pipeline>(&cx, &default, patch.fields).await?;
    is_at(&default, version)?;
    let draft = draft.with(|pipeline| Pipeline { created_at: cx.now(), ..pipeline });
    let (first, tx) = stored_first(&cx, Tx::default(), &default, draft).await?;
    cx.commit(tx, Data(first)).await
}

/// Moves a pipeline to the trash, unless opportunities are in it. The default pipeline can't be deleted.
pub async fn delete(cx: Cx, Path(id): Path<PipelineId>, IfMatch(version): IfMatch) -> Result<Data<Pipeline>> {
    if id == PipelineId::default_of(cx.org) {
        return Err(Domain::Conflict(Conflict::StageInUse).into());
    }
    daybook_records::remove(&cx, id, version, Data::<Pipeline>).await
}

/// Restores a pipeline from the trash.
pub async fn restore(cx: Cx, Path(id): Path<PipelineId>, IfMatch(version): IfMatch) -> Result<Data<Pipeline>> {
    daybook_records::restore(&cx, id, version, Data::<Pipeline>).await
}
