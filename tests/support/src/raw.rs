//! Direct access to the table, without Daybook and without faults, to write items and to check what is stored.

use daybook_embedded::{Durability, Local};
use daybook_emulator::{Emulator, TABLE, client_of};
use daybook_store::condition::Condition;
use daybook_store::engine::{Action, Engine};
use daybook_store::item::{AttributeValue, Item};
use daybook_store::{DynamoDb, Meter};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The engine of a world's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The embedded table, in memory.
    Memory,
    /// The embedded table, in a folder.
    Disk,
    /// The emulator of DynamoDB, by the SDK.
    Emulator,
}

impl Over {
    /// The engine named by `TABLE`; memory by default.
    pub fn asked_for() -> Over {
        match std::env::var("TABLE").as_deref() {
            Ok("disk") => Over::Disk,
            Ok("emulator") => Over::Emulator,
            Ok("memory") | Err(_) => Over::Memory,
            Ok(other) => panic!("TABLE must be memory, disk or emulator, not {other}"),
        }
    }
}

/// A table with direct access.
#[derive(Clone, Debug)]
pub struct Raw {
    kept: Kept,
    engine: Arc<dyn Engine>,
}

#[derive(Clone, Debug)]
enum Kept {
    Local(Local),
    Emulator(Emulator),
}

impl Raw {
    /// An empty table.
    pub async fn make(over: Over, folder: &Path) -> Raw {
        let kept = match over {
            Over::Memory => Kept::Local(Local::in_memory()),
            Over::Disk => {
                Kept::Local(Local::open(&folder.join("table"), Durability::default()).expect("a table in a folder"))
            }
            Over::Emulator => Kept::Emulator(Emulator::in_memory().expect("an emulator")),
        };
        let engine: Arc<dyn Engine> = match &kept {
            Kept::Local(local) => Arc::new(local.clone()),
            Kept::Emulator(emulator) => {
                let client = client_of(emulator.clone().into_client(), Duration::from_millis(1));
                let table = DynamoDb::new(client, TABLE);
                table.create().await.expect("a table");
                Arc::new(table)
            }
        };
        Raw { kept, engine }
    }

    /// The engine without faults.
    pub fn engine(&self) -> Arc<dyn Engine> {
        self.engine.clone()
    }

    /// The emulator's engine with faults on the wire; none for the other engines.
    pub(crate) fn on_the_wire(&self, faults: &crate::Faults, meter: Option<Arc<Meter>>) -> Option<Arc<dyn Engine>> {
        let Kept::Emulator(emulator) = &self.kept else { return None };
        let client = client_of(faults.before(emulator.clone().into_client()), Duration::from_millis(1));
        Some(Arc::new(DynamoDb::new(client, TABLE).metered(meter)))
    }

    /// Writes an item unconditionally, as an attacker with write access would.
    pub async fn put(&self, item: Item) {
        let action = Action::put(item, Condition::ALWAYS).expect("an item with its key");
        self.engine.write(&action).await.expect("a write");
    }

    /// Removes expired items and returns their number; the emulator uses the machine's clock.
    pub fn remove_expired(&self, now: i64) -> usize {
        match &self.kept {
            Kept::Local(local) => local.remove_expired(now).expect("a sweep"),
            Kept::Emulator(emulator) => emulator.remove_expired().expect("a sweep"),
        }
    }

    /// All items, in DynamoDB's JSON.
    pub fn everything(&self) -> Vec<Value> {
        match &self.kept {
            Kept::Local(local) => local.everything().expect("all items").iter().map(json_of).collect(),
            Kept::Emulator(emulator) => emulator.everything(TABLE).expect("all items"),
        }
    }
}

/// An item in DynamoDB's JSON.
pub fn json_of(item: &Item) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.clone(), value_of(value))).collect::<Map<_, _>>())
}

fn value_of(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(number) => json!({"N": number}),
        AttributeValue::Bool(flag) => json!({"BOOL": flag}),
        AttributeValue::Null(flag) => json!({"NULL": flag}),
        AttributeValue::L(list) => json!({"L": list.iter().map(value_of).collect::<Vec<_>>()}),
        AttributeValue::M(map) => json!({"M": json_of(map)}),
        other => panic!("{other:?} isn't stored"),
    }
}
