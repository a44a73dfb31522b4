//! Opportunities: what may be sold to whom, and how far that has come.

use crate::choices;
use crate::field::Fields;
use crate::money::Money;
use crate::permission::Resource;
use crate::pipeline::{Pipeline, StageKey, StageType};
use crate::record::{OnTimelines, Personal, Record, Reference};
use crate::words::Words;
use crate::{
    AnyId, Change, Conflict, ContactId, Currency, CustomerId, Day, Edit, Error, Event, LeadId, Line, OpportunityId,
    Percent, PipelineId, Prose, RecordType, Rule, Several, Stamp, Timestamp, UserId, record_head,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// So many moves from stage to stage are remembered; of more the first ones are forgotten.
const MOST_PASSAGES: usize = 100;

choices! {
    /// How an opportunity stands.
    OpportunityStatus {
        /// It may be won or lost yet.
        Open = "open",
        /// It is won.
        Won = "won",
        /// It is lost.
        Lost = "lost",
    }
}

/// A time that an opportunity spent in a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Passage {
    /// The stage.
    pub stage: StageKey,
    /// When it came there.
    pub entered_at: Timestamp,
    /// When it left; not yet, where there is none.
    pub left_at: Option<Timestamp>,
    /// How long it was there, once it has left.
    pub seconds: Option<u64>,
}

/// Something that may be sold to a customer. Goes with its customer; tasks about it go with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Opportunity {
    /// The id.
    #[field(read_only)]
    pub id: OpportunityId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was made.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The customer; stays the same.
    #[field(fixed, required)]
    pub customer_id: CustomerId,
    /// What is to be sold.
    #[field(required)]
    pub title: Line<200>,
    /// What it is worth.
    pub value: Option<Money>,
    /// In which currency; `CNY` unless given.
    #[field(default = Currency::default())]
    pub currency: Currency,
    /// The pipeline that the stage is of; the default one unless given.
    pub pipeline_id: PipelineId,
    /// How far it has come; the first open stage of the pipeline unless given.
    pub stage: StageKey,
    /// How probable it is that it is won; the stage's own unless given.
    #[field(default = Percent::NONE)]
    pub probability: Percent,
    /// How it stands, as its stage says.
    #[field(read_only)]
    #[field(default = OpportunityStatus::Open)]
    pub status: OpportunityStatus,
    /// When it is to be decided.
    pub close_date: Option<Day>,
    /// Who decides for the customer.
    pub contact_id: Option<ContactId>,
    /// What is to be known of it.
    pub description: Option<Prose<10000>>,
    /// Why it was lost.
    pub lost_reason: Option<Line<200>>,
    /// Words to find it by.
    #[schema(value_type = Vec<Line<50>>, max_items = 50)]
    #[field(default = Several::default())]
    pub tags: Several<Line<50>, 50>,
    /// Where it came from.
    pub source: Option<Line<100>>,
    /// Whose it is; whoever makes it, unless given.
    #[field(default = by.actor.owner())]
    pub owner_id: Option<UserId>,
    /// When it was won or lost.
    #[field(read_only)]
    pub closed_at: Option<Timestamp>,
    /// The stages it went through, with the time it spent there.
    #[field(read_only)]
    #[field(default = Vec::new())]
    pub stage_history: Vec<Passage>,
    /// The lead it was.
    #[field(read_only)]
    pub lead_id: Option<LeadId>,
}

impl Opportunity {
    /// The opportunity with what follows from its stage in a pipeline. `probable` says whether the probability was
    /// given.
    fn settled(
        mut self,
        before: Option<&Opportunity>,
        pipeline: &Pipeline,
        probable: bool,
        at: Timestamp,
    ) -> Result<Opportunity, Error> {
        let moved = before.is_none_or(|before| before.stage != self.stage || before.pipeline_id != pipeline.id);
        if !moved {
            return Ok(self);
        }
        let stage = pipeline.stage(&self.stage).ok_or_else(|| {
            let allowed = pipeline.stages.iter().map(|stage| stage.key.as_str().to_owned()).collect();
            Error::invalid("/stage", Rule::OneOf { allowed })
        })?;
        self.pipeline_id = pipeline.id;
        if !probable {
            self.probability = stage.probability;
        }
        let same = |status| before.filter(|before| before.status == status).and_then(|before| before.closed_at);
        let closed = |status| (status, same(status).or(Some(at)));
        (self.status, self.closed_at) = match stage.kind {
            StageType::Open => (OpportunityStatus::Open, None),
            StageType::Won => closed(OpportunityStatus::Won),
            StageType::Lost => closed(OpportunityStatus::Lost),
            // What being there means, only a newer version can say.
            StageType::Unknown(_) => return Err(Error::Conflict(Conflict::NewerVersion)),
        };
        if stage.kind != StageType::Lost && before.is_some_and(|before| before.lost_reason == self.lost_reason) {
            self.lost_reason = None;
        }
        if let Some(last) = self.stage_history.last_mut() {
            last.left_at = Some(at);
            last.seconds = Some(last.entered_at.until(at).as_secs());
        }
        let passage = Passage { stage: self.stage.clone(), entered_at: at, left_at: None, seconds: None };
        self.stage_history.push(passage);
        let forgotten = self.stage_history.len().saturating_sub(MOST_PASSAGES);
        self.stage_history.drain(..forgotten);
        Ok(self)
    }
}

impl Record for Opportunity {
    const TYPE: RecordType = RecordType::Opportunity;
    type Id = OpportunityId;
    type Context = Option<Pipeline>;
    const RESOURCE: Resource = Resource::Opportunities;
    const PERSONAL: Personal = Personal::Yes;
    const ON_TIMELINES: OnTimelines = OnTimelines::Permitted("An opportunity was seen.");
    const CASCADES_FROM: &'static [RecordType] = &[RecordType::Customer];
    const SAMPLE: &'static str = r#"{"customer_id": "cus_{id}", "title": "ERP", "currency": "CNY", "pipeline_id": "pipe_{id}", "stage": "first", "probability": 10, "status": "open", "tags": [], "stage_history": []}"#;
    const SEARCHED: bool = true;
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("stage", &[]));
    const OWNER: Option<&'static str> = Some("owner_id");
    const PARENTS: &'static [&'static str] = &["customer_id", "contact_id"];
    const DATE: Option<&'static str> = Some("close_date");

    record_head!(undated);

    fn event(change: Change<'_, Opportunity>) -> Event {
        match change {
            Change::Create(_) => Event::OpportunityCreated,
            Change::Update(before, after) if before.stage != after.stage => Event::OpportunityStageChanged,
            Change::Update(..) => Event::OpportunityUpdated,
            Change::Delete(_) => Event::OpportunityDeleted,
            Change::Restore(_) => Event::OpportunityRestored,
        }
    }

    fn also(change: Change<'_, Opportunity>) -> Vec<Event> {
        let after = match change {
            Change::Create(after) => after,
            Change::Update(before, after) if before.status != after.status => after,
            _ => return Vec::new(),
        };
        match after.status {
            OpportunityStatus::Won => vec![Event::OpportunityWon],
            OpportunityStatus::Lost => vec![Event::OpportunityLost],
            OpportunityStatus::Open | OpportunityStatus::Unknown(_) => Vec::new(),
        }
    }

    /// It begins in the first stage.
    fn defaults(by: &Stamp, pipeline: &Option<Pipeline>) -> Map<String, Value> {
        let mut fields = <Opportunity as Fields>::defaults(by);
        if let Some(pipeline) = pipeline {
            fields.insert("pipeline_id".to_owned(), Value::from(pipeline.id.to_string()));
            fields.extend(pipeline.first().map(|stage| ("stage".to_owned(), Value::from(stage.key.as_str()))));
        }
        fields
    }

    /// Of a pipeline that it enters without a stage it is in the first one. Nothing goes back to a stage that was removed.
    fn settle(edit: Edit<'_, Opportunity>, pipeline: &Option<Pipeline>) -> Result<Opportunity, Error> {
        let (stage, probability) = (edit.gives("stage"), edit.gives("probability"));
        let Edit { before, mut wanted, again, at, .. } = edit;
        let has_stage = |pipeline: &Pipeline| pipeline.stage(&wanted.stage).is_some();
        if again {
            let stays = before.is_some_and(|before| before.stage == wanted.stage);
            let is_there = pipeline.as_ref().is_some_and(|one| one.id == wanted.pipeline_id && has_stage(one));
            return if stays || is_there { Ok(wanted) } else { Err(Error::Conflict(Conflict::StageGone)) };
        }
        let Some(pipeline) = pipeline else { return Ok(wanted) };
        let is_known = has_stage(pipeline);
        let enters = before.is_none_or(|before| before.pipeline_id != pipeline.id);
        if !stage && enters && !is_known {
            let first = pipeline.first().ok_or_else(|| Error::invalid("/pipeline_id", Rule::Required))?;
            wanted.stage = first.key.clone();
        }
        wanted.settled(before, pipeline, probability, at)
    }

    fn date(&self) -> Timestamp {
        self.close_date.map_or(Timestamp::END, Day::begin)
    }

    fn words(&self) -> Words {
        Words::default().with(Some(self.title.as_str()))
    }

    fn parents(&self) -> Vec<AnyId> {
        [self.customer_id.into()].into_iter().chain(self.contact_id.map(AnyId::from)).collect()
    }

    fn about(&self) -> Vec<AnyId> {
        vec![self.customer_id.into()]
    }

    fn references(&self) -> Vec<Reference> {
        Reference::list(&[
            (Some(self.customer_id.into()), "/customer_id"),
            (self.contact_id.map(Into::into), "/contact_id"),
            (self.owner_id.map(Into::into), "/owner_id"),
            (Some(self.pipeline_id.into()), "/pipeline_id"),
        ])
    }

    fn owner(&self) -> Option<UserId> {
        self.owner_id
    }

    fn state(&self) -> Option<&str> {
        Some(self.stage.as_str())
    }
}

crate::as_text!(Passage);
