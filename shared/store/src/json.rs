//! Serialisation of records as JSON: objects, texts, and their sizes.

use crate::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::{self, Write};

/// A record as a JSON object.
pub fn object_of(record: &impl Serialize) -> Result<Map<String, Value>> {
    match serde_json::to_value(record) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::internal("write a record as JSON", "it is not an object")),
        Err(error) => Err(Error::internal("write a record as JSON", error)),
    }
}

/// A value as JSON text.
pub(crate) fn text_of(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("write a record as JSON", error))
}

/// The size of a value's JSON in bytes, without building the text.
pub fn bytes_of(value: &impl Serialize) -> Result<usize> {
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).map_err(|error| Error::internal("measure a record as JSON", error))?;
    Ok(count.0)
}

struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
