//! The models that Daybook knows: their providers, limits and prices, and the older names that stand for them.

use super::usage::{MicroUsd, TokenCount};
use crate::{Day, Line, Rule, Timestamp};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// Who runs a model. Written as `openai`, `anthropic`, `offline` or `server:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// OpenAI.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// A configured server with OpenAI's interface, by its name.
    Compatible(Line<50>),
    /// Daybook itself, without a language model.
    Offline,
}

/// A language model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The name by which its provider knows it.
    pub name: String,
    /// Who runs it.
    pub provider: Provider,
    /// The most tokens of a request and its answer together.
    pub context: u64,
    /// The most tokens of an answer.
    pub max_output: u32,
    /// Whether it takes a temperature.
    pub takes_temperature: bool,
    /// The model to try after this one failed before the first token of its answer.
    pub next: Option<String>,
    /// Its prices.
    pub prices: Prices,
}

/// The prices of a model, at least one, the earliest first.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Vec<Price>")]
pub struct Prices(Vec<Price>);

/// The price of a model's tokens from a day on, in US dollars per million tokens.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The first day in UTC on which it applies.
    pub from: Day,
    /// Where it was read.
    pub source: String,
    /// Tokens of the request that were neither read from nor written to the cache.
    pub input: Rate,
    /// Tokens that were read from the cache.
    pub cached: Rate,
    /// Tokens that were written to the cache.
    pub cache_write: Rate,
    /// Tokens of the answer.
    pub output: Rate,
    /// The surcharge on long requests.
    pub over: Option<Threshold>,
}

/// A surcharge on all tokens of requests with more than a number of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The most tokens of a request without the surcharge.
    pub input_tokens: u64,
    /// The factor of the prices of input and cache.
    pub input: Rate,
    /// The factor of the price of output.
    pub output: Rate,
}

/// An exact decimal of a price list: at least zero, below a million, with at most six decimals. A JSON number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(Decimal);

/// The known models and their aliases.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    models: BTreeMap<String, Model>,
    aliases: BTreeMap<String, String>,
}

/// The form of a catalogue in JSON.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Listed {
    models: Vec<Model>,
    aliases: BTreeMap<String, String>,
}

static BUILT_IN: LazyLock<Catalogue> = LazyLock::new(|| {
    let none = Catalogue::default();
    none.with(include_str!("models.json")).expect("a test reads the built-in catalogue")
});

impl Catalogue {
    /// The built-in catalogue.
    pub fn built_in() -> &'static Catalogue {
        &BUILT_IN
    }

    /// The catalogue with the models and aliases of a JSON text added, `{"models": […], "aliases": {"old": "new"}}`. A model
    /// or an alias replaces the one with the same name. The error says what is wrong with the text.
    pub fn with(&self, json: &str) -> Result<Catalogue, String> {
        let listed: Listed = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let mut both = self.clone();
        both.models.extend(listed.models.into_iter().map(|model| (model.name.clone(), model)));
        both.aliases.extend(listed.aliases);
        both.check().map(|()| both)
    }

    /// The model with a name or an alias.
    pub fn find(&self, name: &str) -> Option<&Model> {
        self.models.get(name).or_else(|| self.models.get(self.aliases.get(name)?))
    }

    /// All models, in the order of their names.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.values()
    }

    /// The names of all models, without aliases, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// Checks what relates one entry to another.
    fn check(&self) -> Result<(), String> {
        for model in self.models.values() {
            let name = &model.name;
            if name.is_empty() {
                return Err("a model has an empty name".to_owned());
            }
            if model.max_output == 0 || u64::from(model.max_output) > model.context {
                return Err(format!("max_output of the model {name} isn't between 1 and its context"));
            }
            if let Some(next) = &model.next
                && self.find(next).is_none_or(|next| next.name == *name)
            {
                return Err(format!("next of the model {name} is {next}, which isn't another model"));
            }
        }
        for (alias, name) in &self.aliases {
            if self.models.contains_key(alias) {
                return Err(format!("the alias {alias} is also the name of a model"));
            }
            if !self.models.contains_key(name) {
                return Err(format!("the alias {alias} stands for {name}, which isn't a model"));
            }
        }
        Ok(())
    }
}

impl Model {
    /// The cost of an answer at a time.
    pub fn cost(&self, used: &TokenCount, at: Timestamp) -> MicroUsd {
        let price = self.prices.at(at);
        let (input_factor, output_factor) = price.factors(used.input);
        let fresh = used.input.saturating_sub(used.cached).saturating_sub(used.cache_written);
        let input = price
            .input
            .of(fresh)
            .saturating_add(price.cached.of(used.cached))
            .saturating_add(price.cache_write.of(used.cache_written));
        let output = price.output.of(used.output);
        sum(input.saturating_mul(input_factor.0), output.saturating_mul(output_factor.0))
    }

    /// The most that a request with at most these tokens can cost: all input at the highest of its prices.
    pub fn most(&self, input: u64, output: u64, at: Timestamp) -> MicroUsd {
        let price = self.prices.at(at);
        let (input_factor, output_factor) = price.factors(input);
        let dearest = price.input.max(price.cached).max(price.cache_write);
        // Below the threshold the factor is 1.
        let input = dearest.of(input).saturating_mul(input_factor.max(Rate::ONE).0);
        let output = price.output.of(output).saturating_mul(output_factor.max(Rate::ONE).0);
        sum(input, output)
    }
}

/// A dollar per million tokens is a millionth of a dollar per token.
fn sum(input: Decimal, output: Decimal) -> MicroUsd {
    MicroUsd::rounded_up(input.saturating_add(output))
}

impl Prices {
    /// The newest price that applies at a time; before all of them, the earliest.
    pub fn at(&self, at: Timestamp) -> &Price {
        let later = self.0.partition_point(|price| price.from.begin() <= at);
        &self.0[later.saturating_sub(1)]
    }
}

impl TryFrom<Vec<Price>> for Prices {
    type Error = &'static str;

    fn try_from(mut prices: Vec<Price>) -> Result<Prices, &'static str> {
        if prices.is_empty() {
            return Err("expected at least one price");
        }
        prices.sort_by_key(|price| price.from);
        Ok(Prices(prices))
    }
}

impl Price {
    /// The factors of input and output for a request with this many tokens.
    fn factors(&self, input: u64) -> (Rate, Rate) {
        let over = self.over.filter(|over| input > over.input_tokens);
        over.map_or((Rate::ONE, Rate::ONE), |over| (over.input, over.output))
    }
}

impl Rate {
    /// 1.
    pub const ONE: Rate = Rate(Decimal::ONE);

    /// The rate, if it is within the bounds.
    pub fn new(rate: Decimal) -> Option<Rate> {
        let rate = rate.normalize();
        let within = rate >= Decimal::ZERO && rate < Decimal::from(1_000_000) && rate.scale() <= 6;
        within.then_some(Rate(rate))
    }

    /// The rate as a decimal.
    pub fn amount(self) -> Decimal {
        self.0
    }

    /// The price of tokens at this rate, in millionths of a dollar.
    fn of(self, tokens: u64) -> Decimal {
        self.0.saturating_mul(Decimal::from(tokens))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.0.to_f64().unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The shortest notation of a double has the digits that were written.
        let rate = f64::deserialize(from)?.to_string().parse().ok().and_then(Rate::new);
        rate.ok_or_else(|| serde::de::Error::custom("expected a number from 0 to 999999 with at most 6 decimals"))
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Provider::OpenAi => f.write_str("openai"),
            Provider::Anthropic => f.write_str("anthropic"),
            Provider::Compatible(name) => write!(f, "server:{name}"),
            Provider::Offline => f.write_str("offline"),
        }
    }
}

impl FromStr for Provider {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Provider, Rule> {
        match text {
            "openai" => Ok(Provider::OpenAi),
            "anthropic" => Ok(Provider::Anthropic),
            "offline" => Ok(Provider::Offline),
            _ => match text.strip_prefix("server:") {
                Some(name) => Line::parse(name).map(Provider::Compatible),
                None => Err(Rule::format(
                    "openai, anthropic, offline or server:NAME",
                    "是 openai、anthropic、offline 或 server:NAME",
                )),
            },
        }
    }
}

impl Serialize for Provider {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
