//! Lookup of pipelines: by id, by stage, or the default one.

use daybook_domain::pipeline::{Pipeline, StageKey};
use daybook_domain::{Claim, ClaimKind, Error as Domain, PipelineId, RecordType, Rule, Stored};
use daybook_store::{Cx, PageAsk, Result};

/// The pipeline with this id, or else the one with this stage, or else the default one.
pub async fn pipeline_of(cx: &Cx, id: Option<PipelineId>, stage: Option<&StageKey>) -> Result<Pipeline> {
    if let Some(id) = id.filter(|id| *id != PipelineId::default_of(cx.org)) {
        let found = cx.find_often::<Pipeline>(id).await?;
        let unknown = || Domain::invalid("/pipeline_id", Rule::Id { prefix: PipelineId::PREFIX.to_owned() });
        return Ok(found.ok_or_else(unknown)?.into_inner());
    }
    let default = cx.find_often::<Pipeline>(PipelineId::default_of(cx.org)).await?;
    let default = default.map_or_else(|| Pipeline::default_of(cx.org), Stored::into_inner);
    match stage.filter(|stage| id.is_none() && default.stage(stage).is_none()) {
        None => Ok(default),
        Some(stage) => {
            let claim = Claim { kind: ClaimKind::Stage, value: stage.as_str().to_owned() };
            let holder = cx.holder(RecordType::Pipeline, &claim).await?.current;
            let other = match holder {
                Some(id) => cx.find_often::<Pipeline>(id).await?,
                None => None,
            };
            // If no pipeline has the stage, the default one is returned, whose stages the error will list.
            Ok(other.map_or(default, Stored::into_inner))
        }
    }
}

fn oldest_first(cursor: Option<&str>) -> PageAsk<'_> {
    PageAsk { limit: 100, ascending: true, cursor, ..PageAsk::default() }
}

/// The pipelines of an organisation, the default one first.
pub async fn pipelines(cx: &Cx) -> Result<Vec<Pipeline>> {
    let unscoped = cx.unscoped();
    let mut page = unscoped.list::<Pipeline>(&oldest_first(None)).await?;
    let mut all = page.items;
    while let Some(cursor) = page.next_cursor {
        page = unscoped.list::<Pipeline>(&oldest_first(Some(&cursor))).await?;
        all.append(&mut page.items);
    }
    match all.iter().position(|one| one.id == PipelineId::default_of(cx.org)) {
        Some(at) => all[..=at].rotate_right(1),
        None => all.insert(0, Pipeline::default_of(cx.org)),
    }
    Ok(all)
}
