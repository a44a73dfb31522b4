//! The board view of a pipeline: its stages, each with the first page of its opportunities.

use daybook_domain::opportunity::Opportunity;
use daybook_domain::pipeline::{Pipeline, Stage};
use daybook_domain::{Error as Domain, PipelineId, Rule};
use daybook_http::{Argument, Call, Cx, Data, Operation, Result, limit_of, query_pairs};
use daybook_store::{PageAsk, RECORD_BYTES, Total, bytes_of};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most opportunities per stage by default.
const DEFAULT_LIMIT: usize = 20;

/// The query parameters of the board.
#[derive(Debug)]
pub struct BoardQuery {
    pipeline: Option<PipelineId>,
    limit: usize,
}

impl Argument for BoardQuery {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let mut query = BoardQuery { pipeline: None, limit: DEFAULT_LIMIT };
        for (name, value) in query_pairs(call)? {
            let outcome = match name.as_str() {
                "pipeline_id" => value
                    .parse()
                    .map(|id| query.pipeline = Some(id))
                    .map_err(|_| Rule::Id { prefix: PipelineId::PREFIX.to_owned() }),
                "limit" => limit_of(&value).map(|limit| query.limit = limit),
                _ => Err(Rule::OneOf { allowed: vec!["pipeline_id".to_owned(), "limit".to_owned()] }),
            };
            outcome.map_err(|rule| Domain::query(&name, rule))?;
        }
        Ok(query)
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        operation.query_parameter("pipeline_id", "The pipeline; by default the organisation's default pipeline.");
        operation.number_parameter("limit", "The most opportunities per stage; 20 by default.", (1, 200));
    }
}

/// A pipeline's stages with their opportunities.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Board {
    /// The pipeline.
    pipeline: Pipeline,
    /// Its stages in order, followed by retired stages that still have opportunities.
    columns: Vec<Column>,
}

/// A stage with its opportunities.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Column {
    /// The stage.
    stage: Stage,
    /// Its first opportunities: those without a close date, then by close date, the latest first. At least one if the
    /// stage has any; fewer than asked for if the board would exceed 4 MB.
    opportunities: Vec<Opportunity>,
    /// The number of its opportunities, exact up to 10,000; left out for callers who see only their own.
    count: Option<usize>,
    /// The cursor for `/api/opportunities?stage=`, if there are more.
    next_cursor: Option<String>,
}

/// Returns the stages of a pipeline, each with its first opportunities.
pub async fn board(cx: Cx, query: BoardQuery) -> Result<Data<Board>> {
    let pipeline = daybook_records::pipeline_of(&cx, query.pipeline, None).await?;
    let mut columns = Vec::with_capacity(pipeline.stages.len());
    // Each column has room for at least one opportunity, however large the others are.
    let mut bytes_before = pipeline.all_stages().count() * RECORD_BYTES;
    for (at, stage) in pipeline.all_stages().enumerate() {
        bytes_before -= RECORD_BYTES;
        let mut ask =
            PageAsk { state: Some(stage.key.as_str()), limit: query.limit, bytes_before, ..PageAsk::default() };
        ask.with_total = cx.counts::<Opportunity>(&ask);
        let page = cx.list::<Opportunity>(&ask).await?;
        let is_retired = at >= pipeline.stages.len();
        if is_retired && page.items.is_empty() && page.next_cursor.is_none() {
            continue;
        }
        let count = page.total.map(|total| match total {
            Total::Exactly(count) | Total::Over(count) => count,
        });
        bytes_before += bytes_of(&page.items)?;
        columns.push(Column { stage: stage.clone(), opportunities: page.items, count, next_cursor: page.next_cursor });
    }
    Ok(Data(Board { pipeline, columns }))
}
