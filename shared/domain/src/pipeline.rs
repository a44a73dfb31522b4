//! Pipelines: the stages of opportunities, configured by each organisation.

use crate::choices;
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{Claim, ClaimKind, Record, TRASH};
use crate::words::normalize;
use crate::{
    Conflict, Edit, Error, Line, OrgId, Percent, PipelineId, RecordType, Rule, Timestamp, Unit, Violations,
    record_events, record_head,
};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// The most stages, and the most retired stages, of a pipeline.
const MOST_STAGES: usize = 20;

choices! {
    /// The type of a stage, which determines the status of its opportunities.
    StageType {
        /// Opportunities are neither won nor lost yet.
        Open = "open",
        /// Opportunities are won.
        Won = "won",
        /// Opportunities are lost.
        Lost = "lost",
    }
}

/// The key of a stage: 1 to 40 lower-case letters, digits and `_`. Unique in the organisation, so that a stage identifies
/// its pipeline.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct StageKey(String);

impl StageKey {
    /// Parses a key.
    pub fn parse(text: &str) -> Result<StageKey, Rule> {
        let good = (1..=40).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let rule = || Rule::format("1 to 40 lower-case letters, digits and _", "是 1 至 40 个小写字母、数字或 _");
        good.then(|| StageKey(text.to_owned())).ok_or_else(rule)
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StageKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        StageKey::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for StageKey {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let object = utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String);
        object.pattern(Some("^[a-z0-9_]{1,40}$")).examples([serde_json::json!("proposal")]).into()
    }
}

impl utoipa::ToSchema for StageKey {}

/// A stage of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stage {
    /// Its key.
    pub key: StageKey,
    /// Its name.
    pub name: Line<100>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: StageType,
    /// The probability of winning opportunities in this stage, in percent, unless they have their own.
    pub probability: Percent,
}

/// A retired stage: one that was removed from its pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Retired {
    /// The stage.
    pub stage: Stage,
    /// When it was removed.
    pub retired_at: Timestamp,
}

/// The stages of opportunities, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Pipeline {
    /// The id.
    #[field(read_only)]
    pub id: PipelineId,
    /// The version; 0 for the default pipeline before its first change.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The name; unique in the organisation.
    #[field(required)]
    pub name: Line<100>,
    /// Its stages, 1 to 20, at least one of them open.
    #[field(required)]
    pub stages: Vec<Stage>,
    /// Retired stages, last removed first, at most 20; none in a new pipeline. Opportunities can't be moved to them; those
    /// that entered one while it was being removed, or were restored from the trash, stay there until they are moved.
    /// Leaving one out frees its key, at the earliest 30 days after it was removed.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub retired: Vec<Retired>,
}

impl Pipeline {
    /// The default pipeline of an organisation, as it is before any change.
    pub fn default_of(org: OrgId) -> Pipeline {
        let stage = |key: &str, name: &str, kind, probability| {
            let (key, name) = (StageKey::parse(key).ok()?, Line::parse(name).ok()?);
            Some(Stage { key, name, kind, probability: Percent::new(probability)? })
        };
        let stages = [
            stage("lead", "线索 Lead", StageType::Open, 20),
            stage("proposal", "方案 Proposal", StageType::Open, 60),
            stage("negotiation", "谈判 Negotiation", StageType::Open, 80),
            stage("closed", "成交 Closed", StageType::Won, 100),
            stage("lost", "丢单 Lost", StageType::Lost, 0),
        ];
        Pipeline {
            id: PipelineId::default_of(org),
            version: 0,
            created_at: org.time(),
            updated_at: org.time(),
            name: Line::parse("Sales").expect("a line"),
            stages: stages.into_iter().flatten().collect(),
            retired: Vec::new(),
        }
    }

    /// The stage with this key; not a retired one.
    pub fn stage(&self, key: &StageKey) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.key == *key)
    }

    /// The initial stage of opportunities: the first open one.
    pub fn first(&self) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.kind == StageType::Open)
    }

    /// The keys of all stages, retired ones last.
    pub fn keys(&self) -> Vec<String> {
        self.all_stages().map(|stage| stage.key.as_str().to_owned()).collect()
    }

    /// All stages, retired ones last.
    pub fn all_stages(&self) -> impl Iterator<Item = &Stage> {
        self.stages.iter().chain(self.retired.iter().map(|retired| &retired.stage))
    }

    /// The pipeline as a new version of an earlier one: removed stages are retired, and the type of a stage can't change.
    /// Refused if a retired stage would be dropped that an opportunity in the trash may be in.
    pub fn retiring(self, before: &Pipeline, at: Timestamp) -> Result<Pipeline, Error> {
        let mut violations = Violations::default();
        let known = |key: &StageKey| before.all_stages().find(|stage| stage.key == *key);
        for (n, stage) in self.stages.iter().enumerate() {
            if known(&stage.key).is_some_and(|known| known.kind != stage.kind) {
                violations.add(format!("/stages/{n}/type"), Rule::ReadOnly);
            }
        }
        for (n, retired) in self.retired.iter().enumerate() {
            if !before.retired.contains(retired) {
                violations.add(format!("/retired/{n}"), Rule::ReadOnly);
            }
        }
        violations.into_result()?;
        let removed = before.stages.iter().map(|stage| Retired { stage: stage.clone(), retired_at: at });
        let kept = before.retired.iter().filter(|retired| self.retired.contains(retired)).cloned();
        let gone = removed.chain(kept).filter(|retired| self.stage(&retired.stage.key).is_none());
        let after = Pipeline { retired: gone.take(MOST_STAGES).collect(), ..self.clone() };
        let forgotten =
            before.retired.iter().filter(|retired| after.all_stages().all(|stage| stage.key != retired.stage.key));
        match forgotten.into_iter().any(|retired| retired.retired_at.plus(TRASH) > at) {
            true => Err(Error::Conflict(Conflict::StageInUse)),
            false => Ok(after),
        }
    }

    /// The stages of an earlier version that must be empty of opportunities: those being retired, and retired ones being
    /// dropped.
    pub fn leaves<'a>(&self, before: &'a Pipeline) -> Vec<&'a Stage> {
        let was_retired = |stage: &Stage| before.stage(&stage.key).is_none();
        let is_retired = |stage: &Stage| self.retired.iter().any(|retired| retired.stage.key == stage.key);
        let stays = |stage: &&Stage| self.stage(&stage.key).is_some() || (was_retired(stage) && is_retired(stage));
        before.all_stages().filter(|stage| !stays(stage)).collect()
    }

    /// The pipeline, if its stages have distinct keys and at least one is open.
    pub fn checked(self) -> Result<Pipeline, Error> {
        let wrong = |rule| Err(Error::invalid("/stages", rule));
        if self.stages.len() > MOST_STAGES {
            return wrong(Rule::TooLong { max: MOST_STAGES, unit: Unit::Entries });
        }
        if self.first().is_none() {
            return wrong(Rule::format("at least one stage of type open", "包含至少一个类型为 open 的阶段"));
        }
        let twice = |(at, stage): (usize, &Stage)| self.stages[..at].iter().any(|other| other.key == stage.key);
        if let Some(at) = self.stages.iter().enumerate().position(twice) {
            let rule = Rule::format("a key that no other stage has", "与其他阶段的 key 不同");
            return Err(Error::invalid(format!("/stages/{at}/key"), rule));
        }
        Ok(self)
    }
}

impl Record for Pipeline {
    const TYPE: RecordType = RecordType::Pipeline;
    type Id = PipelineId;
    type Context = ();
    const RESOURCE: Resource = Resource::Pipelines;
    const FROM_START: bool = true;
    const SAMPLE: &'static str =
        r#"{"name": "Partners", "stages": [{"key": "first", "name": "First", "type": "open", "probability": 10}]}"#;

    const KEPT: &'static [&'static str] = &["id", "version", "created_at", "updated_at", "retired"];

    record_head!();
    record_events!(PipelineCreated, PipelineUpdated, PipelineDeleted, PipelineRestored);

    /// Removed stages are retired.
    fn settle(edit: Edit<'_, Pipeline>, (): &()) -> Result<Pipeline, Error> {
        match edit.before {
            Some(before) => edit.wanted.checked()?.retiring(before, edit.at),
            None if !edit.wanted.retired.is_empty() => Err(Error::invalid("/retired", Rule::ReadOnly)),
            None => edit.wanted.checked(),
        }
    }

    fn claims(&self) -> Vec<Claim> {
        let name = Claim { kind: ClaimKind::Name, value: normalize(self.name.as_str()) };
        let keys = self.keys().into_iter().map(|value| Claim { kind: ClaimKind::Stage, value });
        [name].into_iter().chain(keys).collect()
    }
}

crate::as_text!(StageKey, Stage, Retired);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_stage_that_goes_is_retired_and_keeps_its_meaning() {
        let before = Pipeline::default_of(OrgId::new(uuid::Uuid::nil()));
        let keys = |stages: Vec<&Stage>| stages.iter().map(|stage| stage.key.as_str().to_owned()).collect::<Vec<_>>();
        let retired = |pipeline: &Pipeline| keys(pipeline.retired.iter().map(|one| &one.stage).collect());
        let noon: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time");
        let without = |pipeline: &Pipeline, key: &str| {
            let stages = pipeline.stages.iter().filter(|stage| stage.key.as_str() != key).cloned().collect();
            Pipeline { stages, ..pipeline.clone() }.retiring(pipeline, noon)
        };
        let after = without(&before, "proposal").expect("sound");
        assert_eq!((keys(after.leaves(&before)), retired(&after)), (vec!["proposal".into()], vec!["proposal".into()]));
        let later = without(&after, "lost").expect("sound");
        assert_eq!(
            (keys(later.leaves(&after)), retired(&later)),
            (vec!["lost".into()], vec!["lost".into(), "proposal".into()])
        );
        let whole = Pipeline { stages: before.stages.clone(), ..later.clone() }.retiring(&later, noon).expect("sound");
        assert_eq!((whole.leaves(&later).len(), &whole), (0, &before));
        // Leaving out a retired stage frees its key, once nothing can be restored to it from the trash.
        let forgetful = Pipeline { retired: vec![later.retired[0].clone()], ..later.clone() };
        let soon = forgetful.clone().retiring(&later, noon.plus(TRASH).minus(Duration::from_secs(1)));
        assert_eq!(soon, Err(Error::Conflict(Conflict::StageInUse)));
        let freed = forgetful.retiring(&later, noon.plus(TRASH)).expect("sound");
        assert_eq!((keys(freed.leaves(&later)), retired(&freed)), (vec!["proposal".into()], vec!["lost".into()]));
        // The type of a stage can't be changed, and clients can't add retired stages.
        let pointers = |wrong: Pipeline, before: &Pipeline| match wrong.retiring(before, noon) {
            Err(Error::Invalid(violations)) => violations.0.into_iter().map(|one| one.pointer).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        let mut other = before.clone();
        other.stages[1].kind = StageType::Won;
        assert_eq!(pointers(other.clone(), &later), ["/stages/1/type"]);
        assert_eq!(pointers(other, &before), ["/stages/1/type"]);
        let made_up = Pipeline { retired: later.retired.clone(), ..before.clone() };
        assert_eq!(pointers(made_up, &before), ["/retired/0", "/retired/1"]);
        // The twenty-first is dropped for good, unless an opportunity is in it or may be.
        let key = |number: usize| StageKey::parse(&format!("s{number}")).expect("a key");
        let stage = |number: usize, retired_at| Retired {
            stage: Stage { key: key(number), ..before.stages[0].clone() },
            retired_at,
        };
        let many = |at: Timestamp| Pipeline {
            retired: (0..MOST_STAGES).map(|number| stage(number, at)).collect(),
            ..before.clone()
        };
        assert_eq!(without(&many(noon), "proposal"), Err(Error::Conflict(Conflict::StageInUse)));
        let old = many(noon.minus(TRASH));
        let less = without(&old, "proposal").expect("sound");
        assert_eq!(
            (less.retired.len(), keys(less.leaves(&old))),
            (MOST_STAGES, vec!["proposal".into(), "s19".to_owned()])
        );
    }

    #[test]
    fn the_default_pipeline_is_as_the_contract_says() {
        let pipeline = Pipeline::default_of(OrgId::new(uuid::Uuid::nil())).checked().expect("sound");
        let found: Vec<_> = pipeline.stages.iter().map(|s| (s.key.as_str(), s.kind.name(), s.probability)).collect();
        let percent = |number| Percent::new(number).expect("a percentage");
        assert_eq!(
            found,
            [
                ("lead", "open", percent(20)),
                ("proposal", "open", percent(60)),
                ("negotiation", "open", percent(80)),
                ("closed", "won", percent(100)),
                ("lost", "lost", percent(0))
            ]
        );
    }
}
