//! Bounded lists without duplicates.

use crate::error::{Rule, Unit};
use serde::{Deserialize, Deserializer, Serialize};

/// At most `MOST` values without duplicates, in the given order. `null` is read as the empty list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Several<T, const MOST: usize>(Vec<T>);

impl<T: PartialEq, const MOST: usize> Several<T, MOST> {
    /// The values without duplicates, if they are within the limit.
    pub fn new(values: Vec<T>) -> Result<Self, Rule> {
        let mut once: Vec<T> = Vec::with_capacity(values.len());
        for value in values {
            if !once.contains(&value) {
                once.push(value);
            }
        }
        match once.len() {
            n if n > MOST => Err(Rule::TooLong { max: MOST, unit: Unit::Entries }),
            _ => Ok(Several(once)),
        }
    }

    /// The values.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MOST: usize> Default for Several<T, MOST> {
    fn default() -> Self {
        Several(Vec::new())
    }
}

impl<'de, T: Deserialize<'de> + PartialEq, const MOST: usize> Deserialize<'de> for Several<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::open::list(from, |values| Several::<T, MOST>::new(values).map(|several| several.0)).map(Several)
    }
}
