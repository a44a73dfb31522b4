//! Pipelines. The default one is there from the start, and stored once somebody changes it.

use daybook_crm::make;
use daybook_domain::Record;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::pipeline::{Pipeline, Stage};
use daybook_domain::{Conflict, Error as Domain, PipelineId, Rule, Stored};
use daybook_http::{Created, Cx, Data, IfMatch, Listed, New, PageQuery, Patch, Path, Result};
use daybook_store::{Decision, Page, Tx};

/// What cursors of this list are for.
const CURSOR: &str = "pipelines";

/// Lists the pipelines, the default one first.
pub async fn list(cx: Cx, query: PageQuery) -> Result<Listed<Pipeline>> {
    let mut all = daybook_crm::pipelines(&cx).await?;
    if let Some(cursor) = &query.cursor {
        let last: PipelineId =
            cx.open_place(cursor, CURSOR)?.parse().map_err(|_| Domain::query("cursor", Rule::Cursor))?;
        let usual = PipelineId::default_of(cx.org);
        all.retain(|pipeline| pipeline.id != usual && (last == usual || pipeline.id > last));
    }
    let more = all.len() > query.limit;
    all.truncate(query.limit);
    let next = all.last().filter(|_| more).map(|last| cx.seal_place(&last.id.to_string(), CURSOR));
    Ok(Listed(Page::of(all, query.limit, next)))
}

/// Makes a pipeline. The keys of its stages are no other pipeline's.
pub async fn create(cx: Cx, new: New<Pipeline>) -> Result<Created<Pipeline>> {
    let pipeline: Pipeline = make(&cx, new.fields).await?;
    apart(&cx, &pipeline).await?;
    cx.commit(Tx::create(&pipeline), Created(pipeline)).await
}

/// Reads a pipeline.
pub async fn read(cx: Cx, Path(id): Path<PipelineId>) -> Result<Data<Pipeline>> {
    match cx.find::<Pipeline>(id).await? {
        Some(pipeline) => Ok(Data::stored(pipeline)),
        None if id == PipelineId::default_of(cx.org) => Ok(Data(Pipeline::default_of(cx.org))),
        None => Err(Domain::not_found(Pipeline::TYPE).into()),
    }
}

/// Changes the fields that are named. A stage that opportunities are seen in stays, and means what it meant; one that is
/// removed is retired, as what was just made, or is in the trash, may be in it yet.
pub async fn update(
    cx: Cx,
    Path(id): Path<PipelineId>,
    IfMatch(version): IfMatch,
    patch: Patch<Pipeline>,
) -> Result<Data<Pipeline>> {
    let before = read(cx.clone(), Path(id)).await?.0;
    if before.version > 0 {
        let alter = |before: Stored<Pipeline>| {
            let (cx, patch) = (&cx, &patch);
            async move {
                let wanted = changed(cx, patch, &before).await?;
                if wanted == *before {
                    return Ok(Decision::Nothing(Data::stored(before)));
                }
                let after = wanted.following(&before, cx.now());
                Ok(Decision::Commit(Tx::update(&before, &after), Data(after)))
            }
        };
        return cx.alter(id, version, alter).await;
    }
    let wanted = changed(&cx, &patch, &before).await?;
    if version.is_some_and(|version| version > 0) {
        return Err(Domain::Stale { version: 0, current: Default::default() }.into());
    }
    let first = Pipeline { version: 1, created_at: cx.now(), updated_at: cx.now(), ..wanted };
    cx.commit(Tx::create(&first), Data(first)).await
}

/// A pipeline with fields laid over it, if no opportunities are in the stages that it loses.
async fn changed(cx: &Cx, patch: &Patch<Pipeline>, before: &Pipeline) -> Result<Pipeline> {
    let wanted = patch.over(before)?.checked()?.retiring(before, cx.now())?;
    apart(cx, &wanted).await?;
    empty(cx, wanted.leaves(before)).await?;
    Ok(wanted)
}

/// Moves a pipeline to the trash, unless opportunities are in it. The default one stays.
pub async fn delete(cx: Cx, Path(id): Path<PipelineId>, IfMatch(version): IfMatch) -> Result<Data<Pipeline>> {
    if id == PipelineId::default_of(cx.org) {
        return Err(Domain::Conflict(Conflict::StageInUse).into());
    }
    empty(&cx, cx.get::<Pipeline>(id).await?.all_stages()).await?;
    cx.remove(id, version, Data::<Pipeline>).await
}

/// Takes a pipeline back from the trash.
pub async fn restore(cx: Cx, Path(id): Path<PipelineId>, IfMatch(version): IfMatch) -> Result<Data<Pipeline>> {
    cx.restore(id, version, Data::<Pipeline>).await
}

/// Refused where a stage is one of the default pipeline's, which may not be stored yet.
async fn apart(cx: &Cx, pipeline: &Pipeline) -> Result<()> {
    let usual = PipelineId::default_of(cx.org);
    if pipeline.id == usual || cx.find::<Pipeline>(usual).await?.is_some() {
        return Ok(());
    }
    let taken = Pipeline::default_of(cx.org).keys();
    match pipeline.stages.iter().any(|stage| taken.contains(&stage.key.as_str().to_owned())) {
        true => Err(Domain::Duplicate { field: "stages", existing_id: Some(usual.into()) }.into()),
        false => Ok(()),
    }
}

/// Refused while opportunities are in one of these stages.
async fn empty<'a>(cx: &Cx, stages: impl IntoIterator<Item = &'a Stage>) -> Result<()> {
    let keys: Vec<&str> = stages.into_iter().map(|stage| stage.key.as_str()).collect();
    match cx.is_any_in::<Opportunity>(&keys).await? {
        true => Err(Domain::Conflict(Conflict::StageInUse).into()),
        false => Ok(()),
    }
}
