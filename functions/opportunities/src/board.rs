//! The board: the stages of a pipeline, each with its first opportunities.

use daybook_domain::opportunity::Opportunity;
use daybook_domain::pipeline::{Pipeline, Stage};
use daybook_domain::{Error as Domain, PipelineId, Rule};
use daybook_http::{Argument, Call, Cx, Data, Operation, Result, limit_of, query_pairs};
use daybook_store::{PageAsk, RECORD_BYTES, Total, bytes_of};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most opportunities of a stage unless the query says how many.
const DEFAULT_LIMIT: usize = 20;

/// Which board.
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
        operation.query_parameter("pipeline_id", "The pipeline; the default one unless given.");
        operation.query_parameter("limit", "The most opportunities of each stage: 1 to 200, usually 20.");
    }
}

/// The stages of a pipeline, with what is in them.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Board {
    /// The pipeline.
    pipeline: Pipeline,
    /// Its stages, in their order, and after them the retired ones that opportunities are in yet.
    columns: Vec<Column>,
}

/// A stage, with what is in it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Column {
    /// The stage.
    stage: Stage,
    /// Its first opportunities, the last close date first, those without one before them; one at least where there is
    /// one, and fewer than asked for where the board would have more than 4 MB.
    opportunities: Vec<Opportunity>,
    /// How many it has, exactly up to 10,000; left out for those who see only their own.
    count: Option<usize>,
    /// Goes on with `/api/opportunities?stage=`, where there are more.
    next_cursor: Option<String>,
}

/// Shows the stages of a pipeline, each with its first opportunities.
pub async fn board(cx: Cx, query: BoardQuery) -> Result<Data<Board>> {
    let pipeline = daybook_records::pipeline_of(&cx, query.pipeline, None).await?;
    let mut columns = Vec::with_capacity(pipeline.stages.len());
    // Each column has one at least where there is one, however much the others have.
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
