//! The table itself: single calls, with errors that say what was tried.

pub use crate::condition::Condition;
pub(crate) use crate::condition::{Follow, names, values};
use crate::error::Error;
use crate::feed::Feed;
pub use crate::item::{Item, attribute, key_item, parse_item, row_item};
use crate::memory::{Forgetting, Memory};
use crate::meter::Meter;
use crate::schema::{DATA, Index, Key, PK, Place, Range, SK, SortRange};
use crate::{Result, schema};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::get_item::builders::GetItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConsumedCapacity, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, KeysAndAttributes, Projection, ProjectionType, ReturnConsumedCapacity, ReturnValue,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, Select,
};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// The most items that are read by key at once (DynamoDB).
const MOST_READ: usize = 100;

/// The most items that are asked for at once where no number is given. DynamoDB's own bound, 1 MB, takes many times as
/// much memory while it is read: peaks of 50 MB were seen.
pub(crate) const MOST_ASKED: i32 = 250;

/// How a table is used.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// Where committed entries are told.
    pub feed: Feed,
    /// Counts calls and units.
    pub meter: Option<Arc<Meter>>,
    /// First pause before a call is tried again; 25 ms unless set.
    pub retry_base: Option<Duration>,
    /// Remembers sessions. Only where no other process writes the table.
    pub memory: Option<Arc<Memory>>,
}

/// The table, by name, through the SDK.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) options: TableOptions,
}

/// What became of a conditional write.
#[derive(Debug)]
pub enum Written {
    /// It was done; these are the attributes it set, where it was an update.
    Done(Item),
    /// The condition failed; this is the item as it is.
    Refused(Item),
}

/// What became of rows that were to be written together.
#[derive(Debug)]
pub(crate) enum PutAll {
    /// All were written.
    Done,
    /// Somebody else wrote one of them at the same time; none was.
    Contended,
    /// None was; says of each whether its condition failed.
    Refused(Vec<bool>),
}

impl Table {
    /// The table of this name.
    pub fn new(client: Client, name: impl Into<String>, options: TableOptions) -> Table {
        Table { client, name: name.into(), options }
    }

    /// The table of this name, as a configuration of the SDK reaches it.
    pub fn connect(sdk: &SdkConfig, name: &str, options: TableOptions) -> Table {
        Table::new(Client::new(sdk), name, options)
    }

    /// Opens the connection: reads an item that is never there, and doesn't mind what comes of it.
    pub(crate) async fn warm(&self) {
        if let Err(error) = self.get(&Place::Feed.key()).await {
            tracing::warn!(error = %error.chain(), "the table can't be read");
        }
    }

    /// Makes the table, with its indexes and TTL; for the embedded engine (AWS has the template).
    pub async fn create(&self) -> Result<()> {
        let failed = |error: &dyn std::fmt::Display| Error::internal("create the table", error.to_string());
        let attribute_of = |name: &str| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let schema_of = |pk: &str, sk: &str| {
            [(pk, KeyType::Hash), (sk, KeyType::Range)]
                .into_iter()
                .map(|(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build())
                .collect::<Result<Vec<_>, _>>()
        };
        let mut call = self.client.create_table().table_name(&self.name).billing_mode(BillingMode::PayPerRequest);
        call = call.set_key_schema(Some(schema_of(PK, SK).map_err(|e| failed(&e))?));
        for name in [PK, SK].into_iter().chain(Index::ALL.into_iter().flat_map(|index| [index.pk(), index.sk()])) {
            call = call.attribute_definitions(attribute_of(name).map_err(|e| failed(&e))?);
        }
        for index in Index::ALL {
            let built = GlobalSecondaryIndex::builder()
                .index_name(index.name())
                .set_key_schema(Some(schema_of(index.pk(), index.sk()).map_err(|e| failed(&e))?))
                .projection(Projection::builder().projection_type(ProjectionType::All).build())
                .build();
            call = call.global_secondary_indexes(built.map_err(|e| failed(&e))?);
        }
        match call.send().await {
            Ok(_) => {}
            Err(error) if error.code() == Some("ResourceInUseException") => return Ok(()),
            Err(error) => return Err(from_sdk("create the table", error)),
        }
        let ttl = aws_sdk_dynamodb::types::TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(schema::EXPIRES_AT)
            .build()
            .map_err(|e| failed(&e))?;
        let set = self.client.update_time_to_live().table_name(&self.name).time_to_live_specification(ttl).send().await;
        set.map(|_| ()).map_err(|error| from_sdk("set the table's TTL", error))
    }

    /// An item by key that is asked for again and again: from memory, where this process is the only one that
    /// writes the table.
    pub(crate) async fn get_often(&self, key: &Key) -> Result<Option<Item>> {
        let Some(memory) = &self.options.memory else { return self.get(key).await };
        if let Some(item) = memory.recall(key) {
            return Ok(Some(item));
        }
        let writes = memory.writes();
        let item = self.get(key).await?;
        if let Some(item) = &item {
            memory.remember(key, item, writes);
        }
        Ok(item)
    }

    /// Items by key that are asked for again and again, in the order of the keys: those that aren't remembered
    /// with one call.
    pub async fn get_all_often<const N: usize>(&self, keys: [Key; N]) -> Result<[Option<Item>; N]> {
        let recalled = |key: &Key| self.options.memory.as_ref().and_then(|memory| memory.recall(key));
        let mut items = keys.each_ref().map(recalled);
        let missing: Vec<Key> =
            keys.iter().zip(&items).filter(|(_, item)| item.is_none()).map(|(key, _)| key.clone()).collect();
        if missing.is_empty() {
            return Ok(items);
        }
        let writes = self.options.memory.as_ref().map(|memory| memory.writes());
        for item in self.get_items(&missing, None).await? {
            let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
            let at = keys.iter().position(|key| text(PK) == Some(&key.pk) && text(SK) == Some(&key.sk));
            let Some(at) = at else { continue };
            if let (Some(memory), Some(writes)) = (&self.options.memory, writes) {
                memory.remember(&keys[at], &item, writes);
            }
            items[at] = Some(item);
        }
        Ok(items)
    }

    /// Something is about to be written, or may have been.
    pub(crate) fn forget(&self) -> Forgetting<'_> {
        Forgetting::in_memory(self.options.memory.as_deref())
    }

    /// An item by key, as it is after every write that was acknowledged.
    pub async fn get(&self, key: &Key) -> Result<Option<Item>> {
        self.got(self.client.get_item().table_name(&self.name).set_key(Some(key_item(key))).consistent_read(true)).await
    }

    /// A record's item by key, with nothing but the record, as it is after every write that was acknowledged.
    pub(crate) async fn get_record(&self, key: &Key) -> Result<Option<Item>> {
        let call = self.client.get_item().table_name(&self.name).set_key(Some(key_item(key))).consistent_read(true);
        self.got(call.projection_expression("#only").expression_attribute_names("#only", DATA)).await
    }

    async fn got(&self, call: GetItemFluentBuilder) -> Result<Option<Item>> {
        let reply = call.set_return_consumed_capacity(self.metered()).send().await;
        let reply = reply.map_err(|error| from_sdk("read an item", error))?;
        self.meter(0, reply.consumed_capacity.as_slice(), false);
        Ok(reply.item)
    }

    /// Writes an item if a condition holds.
    pub async fn put(&self, key: &Key, row: &impl Serialize, condition: Option<Condition>) -> Result<Written> {
        let _forgetting = self.forget().key(key);
        let mut call = self.client.put_item().table_name(&self.name);
        call = call.set_item(Some(row_item(key, row)?)).set_return_consumed_capacity(self.metered());
        if let Some(condition) = condition {
            call = call
                .condition_expression(condition.expression)
                .set_expression_attribute_names(names("", condition.expression))
                .set_expression_attribute_values(values(condition.values))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        }
        match call.send().await {
            Ok(reply) => {
                self.meter(1, reply.consumed_capacity.as_slice(), true);
                Ok(Written::Done(Item::new()))
            }
            Err(error) => refused_or_error("write a row", error),
        }
    }

    /// Writes rows if the conditions of all of them hold; says of each whether its condition failed, where it is
    /// known. None of the rows is written unless all are.
    pub(crate) async fn put_all(&self, rows: Vec<(Item, Condition)>) -> Result<PutAll> {
        let mut call = self.client.transact_write_items().set_return_consumed_capacity(self.metered());
        let count = rows.len();
        for (item, condition) in rows {
            let put = aws_sdk_dynamodb::types::Put::builder()
                .table_name(&self.name)
                .set_item(Some(item))
                .condition_expression(condition.expression)
                .set_expression_attribute_names(names("", condition.expression))
                .set_expression_attribute_values(values(condition.values))
                .build()
                .map_err(|error| Error::internal("write rows", error))?;
            call = call.transact_items(aws_sdk_dynamodb::types::TransactWriteItem::builder().put(put).build());
        }
        // A repeat by the SDK of what went through would be taken for done; each of our tries has to tell by itself.
        match call.send().await {
            Ok(reply) => {
                self.meter(count, reply.consumed_capacity(), true);
                Ok(PutAll::Done)
            }
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    let codes: Vec<&str> =
                        cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
                    if codes.contains(&"TransactionConflict") {
                        return Ok(PutAll::Contended);
                    }
                    Ok(PutAll::Refused(codes.iter().map(|code| *code == "ConditionalCheckFailed").collect()))
                }
                _ => Err(from_sdk("write rows", error)),
            },
        }
    }

    /// Changes attributes of an item (and makes it where there is none) if a condition holds.
    pub async fn update(
        &self,
        key: &Key,
        expression: &str,
        mut set: Vec<(&'static str, AttributeValue)>,
        condition: Condition,
    ) -> Result<Written> {
        set.extend(condition.values);
        let _forgetting = self.forget().key(key);
        let call = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key_item(key)))
            .update_expression(expression)
            .condition_expression(condition.expression)
            .set_expression_attribute_names(names(expression, condition.expression))
            .set_expression_attribute_values(values(set))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.metered());
        match call.send().await {
            Ok(reply) => {
                self.meter(1, reply.consumed_capacity.as_slice(), true);
                Ok(Written::Done(reply.attributes.unwrap_or_default()))
            }
            Err(error) => refused_or_error("change a row", error),
        }
    }

    /// Writes the next version of a row that is there, if a condition holds: attributes that only a newer version of
    /// Daybook knows stay.
    pub(crate) async fn follow(&self, key: &Key, row: &impl Serialize, condition: Condition) -> Result<Written> {
        let _forgetting = self.forget().key(key);
        let follow = Follow::of(row)?;
        let call = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key_item(key)))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(follow.names(condition.expression))
            .set_expression_attribute_values(follow.values(condition.values))
            .update_expression(follow.expression)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.metered());
        match call.send().await {
            Ok(reply) => {
                self.meter(1, reply.consumed_capacity.as_slice(), true);
                Ok(Written::Done(Item::new()))
            }
            Err(error) => refused_or_error("write a row", error),
        }
    }

    /// Removes an item, if it is there.
    pub async fn delete(&self, key: &Key) -> Result<()> {
        let _forgetting = self.forget().key(key);
        let call = self.client.delete_item().table_name(&self.name).set_key(Some(key_item(key)));
        let reply = call.set_return_consumed_capacity(self.metered()).send().await;
        let reply = reply.map_err(|error| from_sdk("remove a row", error))?;
        self.meter(1, reply.consumed_capacity.as_slice(), true);
        Ok(())
    }

    /// Removes an item if a condition holds.
    pub(crate) async fn delete_if(&self, key: &Key, condition: Condition) -> Result<()> {
        let _forgetting = self.forget().key(key);
        let call = self.client.delete_item().table_name(&self.name).set_key(Some(key_item(key)));
        let call = call.condition_expression(condition.expression);
        let call = call.set_expression_attribute_values(values(condition.values));
        match call.set_return_consumed_capacity(self.metered()).send().await {
            Ok(reply) => self.meter(1, reply.consumed_capacity.as_slice(), true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {}
            Err(error) => return Err(from_sdk("remove a row", error)),
        }
        Ok(())
    }

    /// One page of the items that answer a question: at most `limit`, at most 1 MB.
    pub async fn query(&self, range: &Range, ask: QueryAsk) -> Result<QueryPage> {
        let reply = self.asked(range, ask).send().await.map_err(|error| from_sdk("list items", error))?;
        self.meter(0, reply.consumed_capacity.as_slice(), false);
        Ok(QueryPage { items: reply.items.unwrap_or_default(), more: reply.last_evaluated_key })
    }

    fn asked(&self, range: &Range, ask: QueryAsk) -> QueryFluentBuilder {
        let (pk_name, sk_name) = range.index.map_or((PK, SK), |index| (index.pk(), index.sk()));
        let (expression, bound) = match &range.sk {
            SortRange::All => ("#pk = :pk", None),
            SortRange::Prefix(prefix) => ("#pk = :pk AND begins_with(#sk, :sk)", Some(prefix)),
            SortRange::From(from) => ("#pk = :pk AND #sk >= :sk", Some(from)),
            SortRange::UpTo(to) => ("#pk = :pk AND #sk <= :sk", Some(to)),
            SortRange::Between(from, _) => ("#pk = :pk AND #sk BETWEEN :sk AND :end", Some(from)),
        };
        let call = self
            .client
            .query()
            .table_name(&self.name)
            .set_index_name(range.index.map(|index| index.name().to_owned()))
            .key_condition_expression(expression)
            .expression_attribute_names("#pk", pk_name)
            .expression_attribute_values(":pk", AttributeValue::S(range.pk.clone()))
            .scan_index_forward(!ask.descending)
            .consistent_read(range.index.is_none())
            .set_limit(ask.limit)
            .set_exclusive_start_key(ask.after)
            .set_return_consumed_capacity(self.metered());
        let call = match ask.only {
            Some(name) => call.projection_expression("#only").expression_attribute_names("#only", name),
            None => call,
        };
        let call = match &range.sk {
            SortRange::Between(_, end) => call.expression_attribute_values(":end", AttributeValue::S(end.clone())),
            _ => call,
        };
        match bound {
            Some(bound) => call
                .expression_attribute_names("#sk", sk_name)
                .expression_attribute_values(":sk", AttributeValue::S(bound.clone())),
            None => call,
        }
    }

    /// Items by key, as they are after every write that was acknowledged, in no particular order.
    pub(crate) async fn get_all(&self, keys: &[Key]) -> Result<Vec<Item>> {
        self.get_items(keys, None).await
    }

    /// Records' items by key, as they are after every write that was acknowledged, in no particular order.
    pub(crate) async fn get_records(&self, keys: &[Key]) -> Result<Vec<Item>> {
        self.get_items(keys, Some(DATA)).await
    }

    async fn get_items(&self, keys: &[Key], only: Option<&'static str>) -> Result<Vec<Item>> {
        let mut items = Vec::with_capacity(keys.len());
        for some in keys.chunks(MOST_READ) {
            let mut open: Vec<Item> = some.iter().map(key_item).collect();
            while !open.is_empty() {
                let mut asked = KeysAndAttributes::builder().set_keys(Some(open)).consistent_read(true);
                if let Some(only) = only {
                    asked = asked.projection_expression("#only").expression_attribute_names("#only", only);
                }
                let asked = asked.build().map_err(|error| Error::internal("read items", error))?;
                let call = self.client.batch_get_item().request_items(&self.name, asked);
                let reply = call.set_return_consumed_capacity(self.metered()).send().await;
                let reply = reply.map_err(|error| from_sdk("read items", error))?;
                self.meter(0, reply.consumed_capacity(), false);
                items.extend(reply.responses.into_iter().flat_map(|mut tables| tables.remove(&self.name)).flatten());
                let left = reply.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
                open = left.map(|left| left.keys).unwrap_or_default();
            }
        }
        Ok(items)
    }

    /// How many items answer a question, as far as they are counted.
    pub async fn count(&self, range: &Range, most: usize) -> Result<usize> {
        let (mut counted, mut after) = (0, None);
        loop {
            let limit = i32::try_from(most - counted).ok();
            let call = self.asked(range, QueryAsk { limit, after, ..QueryAsk::default() });
            let reply = call.select(Select::Count).send().await.map_err(|error| from_sdk("count items", error))?;
            self.meter(0, reply.consumed_capacity.as_slice(), false);
            counted += reply.count.max(0) as usize;
            match reply.last_evaluated_key {
                Some(more) if counted < most => after = Some(more),
                _ => return Ok(counted),
            }
        }
    }

    /// All items that answer a question whose answer is known to be small.
    pub async fn query_all(&self, range: &Range) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let page = self.query(range, QueryAsk { limit: Some(MOST_ASKED), after, ..QueryAsk::default() }).await?;
            items.extend(page.items);
            match page.more {
                Some(more) => after = Some(more),
                None => return Ok(items),
            }
        }
    }

    pub(crate) fn metered(&self) -> Option<ReturnConsumedCapacity> {
        self.options.meter.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }

    pub(crate) fn meter(&self, items: usize, used: &[ConsumedCapacity], write: bool) {
        if let Some(meter) = &self.options.meter {
            let total: f64 = used.iter().filter_map(|part| part.capacity_units).sum();
            meter.add(items, if write { 0.0 } else { total }, if write { total } else { 0.0 });
        }
    }
}

/// How to ask for a page.
#[derive(Clone, Debug, Default)]
pub struct QueryAsk {
    /// The most items; as many as fit into 1 MB unless set.
    pub limit: Option<i32>,
    /// The last key of the page before.
    pub after: Option<Item>,
    /// Whether the last come first.
    pub descending: bool,
    /// The only attribute that is wanted of each item; all of them unless set.
    pub only: Option<&'static str>,
}

/// A page of items.
#[derive(Debug)]
pub struct QueryPage {
    /// The items.
    pub items: Vec<Item>,
    /// Where the next page begins, if there may be one.
    pub more: Option<Item>,
}

trait OldItem {
    fn old_item(&self) -> Option<Item>;
}

impl OldItem for aws_sdk_dynamodb::operation::put_item::PutItemError {
    fn old_item(&self) -> Option<Item> {
        match self {
            Self::ConditionalCheckFailedException(failed) => Some(failed.item.clone().unwrap_or_default()),
            _ => None,
        }
    }
}

impl OldItem for aws_sdk_dynamodb::operation::update_item::UpdateItemError {
    fn old_item(&self) -> Option<Item> {
        match self {
            Self::ConditionalCheckFailedException(failed) => Some(failed.item.clone().unwrap_or_default()),
            _ => None,
        }
    }
}

fn refused_or_error<E, R>(operation: &'static str, error: SdkError<E, R>) -> Result<Written>
where
    E: OldItem + ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match error.as_service_error().and_then(OldItem::old_item) {
        Some(item) => Ok(Written::Refused(item)),
        None => Err(from_sdk(operation, error)),
    }
}

/// An error of the SDK by what it means for the one who asked.
pub(crate) fn from_sdk<E, R>(operation: &'static str, error: SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let passing = match error.as_service_error().and_then(|service| service.code()) {
        Some(code) => is_passing(code),
        None => true,
    };
    if passing { Error::unavailable(operation, error) } else { Error::internal(operation, error) }
}

/// Whether an error code of DynamoDB means "not now".
pub(crate) fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "InternalServerError"
            | "InternalServerErrorException"
            | "ServiceUnavailable"
            | "TransactionConflictException"
            | "LimitExceededException"
            | "ReplicatedWriteConflictException"
    )
}
