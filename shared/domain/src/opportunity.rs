//! Opportunities: possible sales to customers, moving through the stages of a pipeline.

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

/// The most entries of the stage history; beyond that the oldest are dropped.
const MOST_PASSAGES: usize = 100;

choices! {
    /// The status of an opportunity.
    OpportunityStatus {
        /// It is neither won nor lost yet.
        Open = "open",
        /// It is won.
        Won = "won",
        /// It is lost.
        Lost = "lost",
    }
}

/// A stay of an opportunity in a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Passage {
    /// The stage.
    pub stage: StageKey,
    /// When it entered the stage.
    pub entered_at: Timestamp,
    /// When it left the stage; none if it is still there.
    pub left_at: Option<Timestamp>,
    /// The duration of the stay in seconds, once it has left.
    pub seconds: Option<u64>,
}

/// A possible sale to a customer. Deleting the customer cascades to it; deleting it cascades to tasks about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Opportunity {
    /// The id.
    #[field(read_only)]
    pub id: OpportunityId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The customer; can't be changed.
    #[field(fixed, required)]
    pub customer_id: CustomerId,
    /// The title: what is to be sold.
    #[field(required)]
    pub title: Line<200>,
    /// The value.
    pub value: Option<Money>,
    /// The currency of the value; `CNY` unless given.
    #[field(default = Currency::default())]
    pub currency: Currency,
    /// The pipeline of the stage; the default pipeline unless given.
    pub pipeline_id: PipelineId,
    /// The stage; the first open stage of the pipeline unless given.
    pub stage: StageKey,
    /// The probability of winning it, in percent; the stage's probability unless given.
    #[field(default = Percent::NONE)]
    pub probability: Percent,
    /// The status, derived from the stage.
    #[field(read_only)]
    #[field(default = OpportunityStatus::Open)]
    pub status: OpportunityStatus,
    /// The expected day of the decision.
    pub close_date: Option<Day>,
    /// The contact who decides for the customer.
    pub contact_id: Option<ContactId>,
    /// A description in free text.
    pub description: Option<Prose<10000>>,
    /// Why it was lost.
    pub lost_reason: Option<Line<200>>,
    /// Tags to find it by.
    #[schema(value_type = Vec<Line<50>>, max_items = 50)]
    #[field(default = Several::default())]
    pub tags: Several<Line<50>, 50>,
    /// The source, such as a website or a campaign.
    pub source: Option<Line<100>>,
    /// The owner; the creator unless given.
    #[field(default = by.actor.owner())]
    pub owner_id: Option<UserId>,
    /// When it was won or lost.
    #[field(read_only)]
    pub closed_at: Option<Timestamp>,
    /// The stages it went through, with the time spent in each.
    #[field(read_only)]
    #[field(default = Vec::new())]
    pub stage_history: Vec<Passage>,
    /// The lead it was converted from.
    #[field(read_only)]
    pub lead_id: Option<LeadId>,
}

impl Opportunity {
    /// The opportunity with the fields derived from its stage in a pipeline. `probable`: whether the probability was given.
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
            // Only a newer version knows what this stage type means.
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
    const ON_TIMELINES: OnTimelines = OnTimelines::Yes("An opportunity was created.");
    const CASCADES_FROM: &'static [RecordType] = &[RecordType::Customer];
    const IN_SCOPE_OF: &'static [RecordType] = &[RecordType::Customer, RecordType::Contact];
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

    /// A new opportunity starts in the first open stage.
    fn defaults(by: &Stamp, pipeline: &Option<Pipeline>) -> Map<String, Value> {
        let mut fields = <Opportunity as Fields>::defaults(by);
        if let Some(pipeline) = pipeline {
            fields.insert("pipeline_id".to_owned(), Value::from(pipeline.id.to_string()));
            fields.extend(pipeline.first().map(|stage| ("stage".to_owned(), Value::from(stage.key.as_str()))));
        }
        fields
    }

    /// If it enters a pipeline without a stage given, it gets the first one. Undo can't return it to a removed stage.
    fn settle(edit: Edit<'_, Opportunity>, pipeline: &Option<Pipeline>) -> Result<Opportunity, Error> {
        let (stage, probability) = (edit.gives("stage"), edit.gives("probability"));
        let Edit { before, mut wanted, again, at, .. } = edit;
        let has_stage = |pipeline: &Pipeline| pipeline.stage(&wanted.stage).is_some();
        if again {
            let stays = before.is_some_and(|before| before.stage == wanted.stage);
            let is_there = pipeline.as_ref().is_some_and(|one| one.id == wanted.pipeline_id && has_stage(one));
            return if stays || is_there { Ok(wanted) } else { Err(Error::Conflict(Conflict::StageGone)) };
        }
        // Earlier versions took any number of decimal places.
        let is_new = before.is_none_or(|before| (before.value, before.currency) != (wanted.value, wanted.currency));
        if let Some(value) = wanted.value.filter(|_| is_new) {
            value.check_in(wanted.currency).map_err(|rule| Error::invalid("/value", rule))?;
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
