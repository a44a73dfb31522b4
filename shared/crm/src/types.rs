//! The types of record that people work with.

use crate::pipelines::{pipeline_of, pipelines};
use crate::work::{Fields, Work};
use daybook_domain::contact::{Contact, Group};
use daybook_domain::customer::Customer;
use daybook_domain::interaction::Interaction;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::pipeline::{Pipeline, StageKey};
use daybook_domain::task::Task;
use daybook_domain::view::View;
use daybook_domain::{
    AnyId, ContactId, CustomerId, Error as Domain, GroupId, InteractionId, OpportunityId, PipelineId, Record,
    RecordType, Rule, Stamp, TaskId, Timestamp, ViewId, with_record_type,
};
use daybook_http::{Cx, ListQuery, Result, pairs_of};
use serde_json::{Value, json};

fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

/// The parts of a type that depends on nothing but its fields.
macro_rules! alone {
    () => {
        type Setting = ();

        async fn setting(_: &Cx, _: &Fields, _: bool) -> Result<()> {
            Ok(())
        }
    };
}

impl Work for Customer {
    type Id = CustomerId;
    alone!();

    fn defaults(by: &Stamp, _: &Self::Setting) -> Fields {
        fields(json!({"type": "person", "status": "active", "tags": [], "owner_id": by.actor.owner()}))
    }
}

impl Work for Contact {
    type Id = ContactId;
    alone!();

    fn defaults(by: &Stamp, _: &Self::Setting) -> Fields {
        fields(json!({"customer_ids": [], "group_ids": [], "tags": [], "owner_id": by.actor.owner()}))
    }

    fn settled(self, before: Option<&Self>, _: &Fields, (): &(), _: Timestamp) -> Result<Self, Domain> {
        self.settled(before)
    }
}

impl Work for Group {
    type Id = GroupId;
    alone!();
}

impl Work for Interaction {
    type Id = InteractionId;
    alone!();

    fn defaults(by: &Stamp, _: &Self::Setting) -> Fields {
        fields(json!({"occurred_at": by.at, "owner_id": by.actor.owner()}))
    }

    fn settled(self, _: Option<&Self>, _: &Fields, (): &(), _: Timestamp) -> Result<Self, Domain> {
        self.checked()
    }
}

impl Work for Opportunity {
    type Id = OpportunityId;
    /// The pipeline, where the fields say anything of it or of a stage.
    type Setting = Option<Pipeline>;

    fn defaults(by: &Stamp, pipeline: &Option<Pipeline>) -> Fields {
        let first = pipeline.as_ref().and_then(Pipeline::first).map(|stage| &stage.key);
        let of = pipeline.as_ref().map(|pipeline| pipeline.id);
        fields(json!({
            "currency": "CNY", "probability": 0, "status": "open", "tags": [], "stage_history": [],
            "stage": first, "pipeline_id": of, "owner_id": by.actor.owner(),
        }))
    }

    async fn setting(cx: &Cx, fields: &Fields, is_new: bool) -> Result<Option<Pipeline>> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        // What can't be read is told of with all else that can't.
        let stage = text("stage").and_then(|key| StageKey::parse(key).ok());
        let pipeline = text("pipeline_id").and_then(|id| id.parse().ok());
        match is_new || stage.is_some() || pipeline.is_some() {
            true => pipeline_of(cx, pipeline, stage.as_ref()).await.map(Some),
            false => Ok(None),
        }
    }

    async fn states(cx: &Cx) -> Result<Vec<String>> {
        Ok(pipelines(cx).await?.iter().flat_map(Pipeline::keys).collect())
    }

    fn settled(
        mut self,
        before: Option<&Self>,
        fields: &Fields,
        pipeline: &Option<Pipeline>,
        at: Timestamp,
    ) -> Result<Self, Domain> {
        let Some(pipeline) = pipeline else { return Ok(self) };
        let named = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
        let enters = before.is_none_or(|before| before.pipeline_id != pipeline.id);
        if !named("stage") && enters && pipeline.stage(&self.stage).is_none() {
            let first = pipeline.first().ok_or_else(|| Domain::invalid("/pipeline_id", Rule::Required))?;
            self.stage = first.key.clone();
        }
        self.settled(before, pipeline, named("probability"), at)
    }
}

impl Work for Task {
    type Id = TaskId;
    /// The customer, where the fields say what the task is about.
    type Setting = Option<Option<CustomerId>>;

    fn defaults(by: &Stamp, _: &Self::Setting) -> Fields {
        fields(json!({
            "status": "todo", "priority": "medium", "progress": 0, "reminders": [], "checklist": [], "tags": [],
            "assignee_id": by.actor.owner(),
        }))
    }

    async fn setting(cx: &Cx, fields: &Fields, _: bool) -> Result<Option<Option<CustomerId>>> {
        let Some(related) = fields.get("related_to") else { return Ok(None) };
        let id = related.get("id").and_then(Value::as_str).and_then(|id| id.parse::<AnyId>().ok());
        let customer = match id {
            Some(id) if id.kind == RecordType::Opportunity => {
                let found = cx.everybodys().find::<Opportunity>(id).await?;
                let gone = || Domain::invalid("/related_to/id", Rule::Id { prefix: OpportunityId::PREFIX.to_owned() });
                Some(found.ok_or_else(gone)?.customer_id)
            }
            Some(id) => CustomerId::try_from(id).ok(),
            None if related.is_null() => None,
            None => return Ok(None),
        };
        Ok(Some(customer))
    }

    fn settled(
        self,
        before: Option<&Self>,
        fields: &Fields,
        customer: &Option<Option<CustomerId>>,
        at: Timestamp,
    ) -> Result<Self, Domain> {
        let progressed = fields.get("progress").is_some_and(|value| !value.is_null());
        let customer = customer.unwrap_or_else(|| before.and_then(|before| before.customer_id));
        self.settled(before, progressed, customer, at)
    }
}

impl Work for Pipeline {
    type Id = PipelineId;
    alone!();

    fn settled(self, before: Option<&Self>, _: &Fields, (): &(), _: Timestamp) -> Result<Self, Domain> {
        match before {
            None if !self.retired.is_empty() => Err(Domain::invalid("/retired", Rule::ReadOnly)),
            _ => self.checked(),
        }
    }
}

impl Work for View {
    type Id = ViewId;
    alone!();

    fn defaults(by: &Stamp, _: &Self::Setting) -> Fields {
        fields(json!({"owner_id": by.actor.owner()}))
    }

    fn settled(self, _: Option<&Self>, _: &Fields, (): &(), _: Timestamp) -> Result<Self, Domain> {
        let query = self.query.as_str();
        if let Some(kind) = self.resource.record_type() {
            with_record_type!(kind, T => asks_for::<T>(query)?);
        }
        Ok(self)
    }
}

/// Whether a query asks for a page of a list; where to go on is no view's to say.
fn asks_for<T: Record>(query: &str) -> Result<(), Domain> {
    let unread = || Domain::invalid("/query", Rule::Format { expected: "a query, such as status=active".to_owned() });
    let pairs = pairs_of(query).map_err(|_| unread())?;
    if pairs.iter().any(|(name, _)| name == "cursor") {
        return Err(unread());
    }
    match ListQuery::<T>::of(pairs) {
        Ok(_) => Ok(()),
        Err(Domain::Query(violations)) => Err(Domain::Invalid(violations.under("/query"))),
        Err(other) => Err(other),
    }
}
