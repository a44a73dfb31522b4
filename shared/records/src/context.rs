//! Contexts: the data that validation of a record reads from the table, such as an opportunity's pipeline. Defines how
//! each [`Record::Context`] is read.

use crate::ai::ai_settings;
use crate::pipelines::{pipeline_of, pipelines};
use daybook_domain::chat::{Conversation, Lifetime};
use daybook_domain::form::Form;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::organization::Organization;
use daybook_domain::pipeline::{Pipeline, StageKey};
use daybook_domain::task::Task;
use daybook_domain::{AnyId, CustomerId, Error as Domain, Line, OpportunityId, Record, RecordType, Rule};
use daybook_store::{Cx, Error, Result};
use serde_json::{Map, Value};
use std::time::Duration;

/// Fields of a record as JSON, as given by a client.
pub type Fields = Map<String, Value>;

/// Why a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// It is created.
    Create,
    /// It is updated.
    Update,
    /// An earlier version is restored (undo), even if records that it depended on have been deleted since.
    Undo,
}

/// A record type whose context can be read from the table.
pub trait Model: Record {
    /// Reads the context of these fields.
    fn context(cx: &Cx, given: &Fields, kind: WriteKind) -> impl Future<Output = Result<Self::Context>> + Send;

    /// The possible states of its records, if the organisation defines them.
    fn states(cx: &Cx) -> impl Future<Output = Result<Vec<String>>> + Send;
}

impl<T: Record<Context: Context<T>>> Model for T {
    fn context(cx: &Cx, given: &Fields, kind: WriteKind) -> impl Future<Output = Result<T::Context>> + Send {
        T::Context::read(cx, given, kind)
    }

    fn states(cx: &Cx) -> impl Future<Output = Result<Vec<String>>> + Send {
        T::Context::states(cx)
    }
}

/// The context of a record type.
pub trait Context<T>: Sized + Send {
    /// Reads the context.
    fn read(cx: &Cx, given: &Fields, kind: WriteKind) -> impl Future<Output = Result<Self>> + Send;

    /// The possible states of records of the type, if the organisation defines them.
    fn states(cx: &Cx) -> impl Future<Output = Result<Vec<String>>> + Send {
        let _ = cx;
        std::future::ready(Ok(Vec::new()))
    }
}

/// Most types have no context.
impl<T: Record<Context = ()>> Context<T> for () {
    async fn read(_: &Cx, _: &Fields, _: WriteKind) -> Result<()> {
        Ok(())
    }
}

/// The pipeline, if the record is created or the fields name a pipeline or a stage.
impl Context<Opportunity> for Option<Pipeline> {
    async fn read(cx: &Cx, given: &Fields, kind: WriteKind) -> Result<Option<Pipeline>> {
        let text = |name: &str| given.get(name).and_then(Value::as_str);
        // Invalid values are reported later, with all other violations.
        let stage = text("stage").and_then(|key| StageKey::parse(key).ok());
        let pipeline = text("pipeline_id").and_then(|id| id.parse().ok());
        if kind != WriteKind::Create && stage.is_none() && pipeline.is_none() {
            return Ok(None);
        }
        match pipeline_of(cx, pipeline, stage.as_ref()).await {
            Err(Error::Domain(Domain::Invalid(_))) if kind == WriteKind::Undo => Ok(None),
            found => found.map(Some),
        }
    }

    async fn states(cx: &Cx) -> Result<Vec<String>> {
        Ok(pipelines(cx).await?.iter().flat_map(Pipeline::keys).collect())
    }
}

/// The customer, if the fields say what the task is about.
impl Context<Task> for Option<Option<CustomerId>> {
    async fn read(cx: &Cx, given: &Fields, kind: WriteKind) -> Result<Option<Option<CustomerId>>> {
        let Some(related) = given.get("related_to").filter(|_| kind != WriteKind::Undo) else { return Ok(None) };
        let id = related.get("id").and_then(Value::as_str).and_then(|id| id.parse::<AnyId>().ok());
        let customer = match id {
            Some(id) if id.kind == RecordType::Opportunity => {
                let found = cx.unscoped().find::<Opportunity>(id).await?;
                let gone = || Domain::invalid("/related_to/id", Rule::Id { prefix: OpportunityId::PREFIX.to_owned() });
                Some(found.ok_or_else(gone)?.customer_id)
            }
            Some(id) => CustomerId::try_from(id).ok(),
            None if related.is_null() => None,
            None => return Ok(None),
        };
        Ok(Some(customer))
    }
}

/// The lifetime of temporary conversations, for a new one.
impl Context<Conversation> for Lifetime {
    async fn read(cx: &Cx, given: &Fields, kind: WriteKind) -> Result<Lifetime> {
        if kind != WriteKind::Create || given.get("temporary") != Some(&Value::Bool(true)) {
            return Ok(None);
        }
        let days = ai_settings(cx).await?.temporary_days;
        Ok(Some(Duration::from_secs(86_400 * u64::from(days))))
    }
}

/// The organisation's country, for a new form without one.
impl Context<Form> for Option<Line<2>> {
    async fn read(cx: &Cx, given: &Fields, kind: WriteKind) -> Result<Option<Line<2>>> {
        if kind != WriteKind::Create || given.get("phone_country").is_some_and(|country| !country.is_null()) {
            return Ok(None);
        }
        let organization = cx.find_often::<Organization>(cx.org).await?;
        Ok(organization.map(|organization| organization.phone_country.clone()))
    }
}
