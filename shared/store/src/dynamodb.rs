//! The storage engine on DynamoDB, through the AWS SDK.

mod expression;
mod failure;

use crate::condition;
use crate::engine::{Act, Action, Engine, Failure, Part, Position, QueryAsk, QueryPage};
use crate::item::{Item, attribute, key_item, key_of, text};
use crate::meter::Meter;
use crate::schema::{EXPIRES_AT, Index, Key, PK, Range, SK};
use crate::{Error, Result};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, ConditionCheck, ConsumedCapacity, Delete, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, KeysAndAttributes, Projection, ProjectionType, Put, ReturnConsumedCapacity, ReturnValue,
    ReturnValuesOnConditionCheckFailure as OnFailure, ScalarAttributeType, Select, TimeToLiveSpecification,
    TransactWriteItem, Update,
};
use expression::Words;
use failure::{from_sdk, of_transaction, of_write};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::Arc;

/// Sets an action's condition, names and values on a request builder of the SDK, or on a part of one: the builders have
/// the same methods, but share no trait.
macro_rules! on_condition {
    ($builder:expr, $words:expr, $action:ident) => {{
        let mut words = $words;
        let condition = words.condition(&$action.condition);
        on_condition!($builder, words, condition => text)
    }};
    ($builder:expr, $words:expr, $condition:expr => text) => {{
        let (words, condition): (Words, Option<String>) = ($words, $condition);
        $builder
            .set_return_values_on_condition_check_failure(condition.as_ref().map(|_| OnFailure::AllOld))
            .set_condition_expression(condition)
            .set_expression_attribute_names(words.names())
            .set_expression_attribute_values(words.into_values())
    }};
}

/// A table of DynamoDB, by name.
#[derive(Clone, Debug)]
pub struct DynamoDb {
    client: Client,
    name: String,
    meter: Option<Arc<Meter>>,
}

impl DynamoDb {
    /// The table of this name.
    pub fn new(client: Client, name: impl Into<String>) -> DynamoDb {
        DynamoDb { client, name: name.into(), meter: None }
    }

    /// The table of this name, with the SDK's configuration.
    pub fn connect(sdk: &SdkConfig, name: &str) -> DynamoDb {
        DynamoDb::new(Client::new(sdk), name)
    }

    /// The same, with its calls and capacity units counted.
    #[must_use]
    pub fn metered(self, meter: Option<Arc<Meter>>) -> DynamoDb {
        DynamoDb { meter, ..self }
    }

    /// Creates the table with its indexes and TTL; for emulators (on AWS, the template creates it).
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
            Err(error) if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => {
                return Ok(());
            }
            Err(error) => return Err(from_sdk("create the table", error)),
        }
        let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES_AT).build();
        let ttl = ttl.map_err(|e| failed(&e))?;
        let set = self.client.update_time_to_live().table_name(&self.name).time_to_live_specification(ttl).send().await;
        set.map(|_| ()).map_err(|error| from_sdk("set the table's TTL", error))
    }

    async fn get_one(&self, key: &Key, part: Part) -> Result<Vec<Item>> {
        let call = self.client.get_item().table_name(&self.name).set_key(Some(key_item(key))).consistent_read(true);
        let mut words = Words::default();
        let only = only(&mut words, part);
        let call = call.set_projection_expression(only).set_expression_attribute_names(words.names());
        let reply = call.set_return_consumed_capacity(self.counted()).send().await;
        let reply = reply.map_err(|error| from_sdk("read an item", error))?;
        self.count(0, reply.consumed_capacity.as_slice(), false);
        Ok(reply.item.into_iter().collect())
    }

    async fn get_many(&self, keys: &[Key], part: Part) -> Result<Vec<Item>> {
        let mut items = Vec::with_capacity(keys.len());
        let mut open: Vec<Item> = keys.iter().map(key_item).collect();
        while !open.is_empty() {
            let mut words = Words::default();
            let only = only(&mut words, part);
            let asked = KeysAndAttributes::builder()
                .set_keys(Some(open))
                .consistent_read(true)
                .set_projection_expression(only)
                .set_expression_attribute_names(words.names());
            let asked = asked.build().map_err(|error| Error::internal("read items", error))?;
            let call = self.client.batch_get_item().request_items(&self.name, asked);
            let reply = call.set_return_consumed_capacity(self.counted()).send().await;
            let reply = reply.map_err(|error| from_sdk("read items", error))?;
            self.count(0, reply.consumed_capacity(), false);
            items.extend(reply.responses.into_iter().flat_map(|mut tables| tables.remove(&self.name)).flatten());
            let left = reply.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
            open = left.map(|left| left.keys).unwrap_or_default();
        }
        Ok(items)
    }

    async fn page(&self, range: &Range, ask: QueryAsk) -> Result<QueryPage> {
        let mut words = Words::default();
        let wanted = words.range(range);
        let only = only(&mut words, ask.part);
        let reply = self
            .client
            .query()
            .table_name(&self.name)
            .set_index_name(range.index.map(|index| index.name().to_owned()))
            .key_condition_expression(wanted)
            .set_projection_expression(only)
            .set_expression_attribute_names(words.names())
            .set_expression_attribute_values(words.into_values())
            .scan_index_forward(!ask.descending)
            .consistent_read(range.index.is_none())
            .set_limit(ask.limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
            .set_exclusive_start_key(ask.after.map(|after| start_key(&after, range)))
            .set_select((ask.part == Part::Count).then_some(Select::Count))
            .set_return_consumed_capacity(self.counted())
            .send()
            .await
            .map_err(|error| from_sdk("list items", error))?;
        self.count(0, reply.consumed_capacity.as_slice(), false);
        let more = reply.last_evaluated_key.map(|key| position(&key, range)).transpose()?;
        Ok(QueryPage { items: reply.items.unwrap_or_default(), count: reply.count.max(0) as usize, more })
    }

    async fn put(&self, action: &Action, item: &Item) -> Result<Item, Failure> {
        let call = self.client.put_item().table_name(&self.name).set_item(Some(item.clone()));
        let call = on_condition!(call, Words::default(), action).set_return_consumed_capacity(self.counted());
        let reply = call.send().await.map_err(of_write)?;
        self.count(1, reply.consumed_capacity.as_slice(), true);
        Ok(Item::new())
    }

    async fn update(&self, action: &Action, update: &condition::Update) -> Result<Item, Failure> {
        let mut words = Words::default();
        let call = self.client.update_item().table_name(&self.name).set_key(Some(key_item(&action.key)));
        let call = call.update_expression(words.update(update)).return_values(ReturnValue::UpdatedNew);
        let call = on_condition!(call, words, action).set_return_consumed_capacity(self.counted());
        let reply = call.send().await.map_err(of_write)?;
        self.count(1, reply.consumed_capacity.as_slice(), true);
        Ok(reply.attributes.unwrap_or_default())
    }

    async fn delete(&self, action: &Action) -> Result<Item, Failure> {
        let call = self.client.delete_item().table_name(&self.name).set_key(Some(key_item(&action.key)));
        let call = on_condition!(call, Words::default(), action).set_return_consumed_capacity(self.counted());
        let reply = call.send().await.map_err(of_write)?;
        self.count(1, reply.consumed_capacity.as_slice(), true);
        Ok(Item::new())
    }

    async fn all(&self, actions: &[Action]) -> Result<(), Failure> {
        let items = actions.iter().map(|action| self.part(action)).collect::<Result<Vec<_>, _>>();
        let items = items.map_err(|error| Failure::Invalid(error.into()))?;
        let call = self.client.transact_write_items().set_transact_items(Some(items));
        // No retries by the SDK: it would report a repeat of a committed transaction as done. Each attempt reports its
        // own outcome.
        let once_only = aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled());
        let call = call.set_return_consumed_capacity(self.counted()).customize().config_override(once_only);
        let reply = call.send().await.map_err(of_transaction)?;
        self.count(actions.len(), reply.consumed_capacity(), true);
        Ok(())
    }

    /// An action as part of a transaction.
    fn part(&self, action: &Action) -> Result<TransactWriteItem, BuildError> {
        let mut words = Words::default();
        let (item, key) = (TransactWriteItem::builder(), Some(key_item(&action.key)));
        Ok(match &action.act {
            Act::Put(row) => {
                let put = Put::builder().table_name(&self.name).set_item(Some(row.clone()));
                item.put(on_condition!(put, words, action).build()?)
            }
            Act::Update(update) => {
                let all = Update::builder().table_name(&self.name).set_key(key);
                let all = all.update_expression(words.update(update));
                item.update(on_condition!(all, words, action).build()?)
            }
            Act::Delete => {
                let delete = Delete::builder().table_name(&self.name).set_key(key);
                item.delete(on_condition!(delete, words, action).build()?)
            }
            Act::Check => {
                let check = ConditionCheck::builder().table_name(&self.name).set_key(key);
                // A condition check needs an expression, even where it always holds.
                let condition = words.part(&action.condition);
                item.condition_check(on_condition!(check, words, Some(condition) => text).build()?)
            }
        }
        .build())
    }

    fn counted(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }

    fn count(&self, items: usize, used: &[ConsumedCapacity], write: bool) {
        if let Some(meter) = &self.meter {
            let total: f64 = used.iter().filter_map(|part| part.capacity_units).sum();
            meter.add(items, if write { 0.0 } else { total }, if write { total } else { 0.0 });
        }
    }
}

impl Engine for DynamoDb {
    fn get<'a>(&'a self, keys: &'a [Key], part: Part) -> BoxFuture<'a, Result<Vec<Item>>> {
        match keys {
            [key] => self.get_one(key, part).boxed(),
            keys => self.get_many(keys, part).boxed(),
        }
    }

    fn query<'a>(&'a self, range: &'a Range, ask: QueryAsk) -> BoxFuture<'a, Result<QueryPage>> {
        self.page(range, ask).boxed()
    }

    fn write<'a>(&'a self, action: &'a Action) -> BoxFuture<'a, Result<Item, Failure>> {
        match &action.act {
            Act::Put(item) => self.put(action, item).boxed(),
            Act::Update(update) => self.update(action, update).boxed(),
            Act::Delete => self.delete(action).boxed(),
            Act::Check => self.all(std::slice::from_ref(action)).map(|done| done.map(|()| Item::new())).boxed(),
        }
    }

    fn transact<'a>(&'a self, actions: &'a [Action]) -> BoxFuture<'a, Result<(), Failure>> {
        self.all(actions).boxed()
    }
}

fn only(words: &mut Words, part: Part) -> Option<String> {
    match part {
        Part::Only(name) => Some(words.name(name)),
        Part::Whole | Part::Count => None,
    }
}

/// A position as DynamoDB's exclusive start key.
fn start_key(position: &Position, range: &Range) -> Item {
    let mut item = key_item(&position.key);
    if let (Some(index), Some(indexed)) = (range.index, &position.indexed) {
        item.insert(index.pk().to_owned(), attribute(&indexed.pk));
        item.insert(index.sk().to_owned(), attribute(&indexed.sk));
    }
    item
}

/// The position in DynamoDB's last evaluated key.
fn position(item: &Item, range: &Range) -> Result<Position> {
    let indexed = range
        .index
        .and_then(|index| Some(Key { pk: text(item, index.pk())?.clone(), sk: text(item, index.sk())?.clone() }));
    let key = key_of(item).ok_or_else(|| Error::internal("list items", "the last evaluated key is incomplete"))?;
    Ok(Position { key, indexed })
}
