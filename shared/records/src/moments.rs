//! Conversion of times without an offset, and of days, to timestamps in the given or the organisation's time zone.

use crate::context::Fields;
use daybook_domain::organization::Organization;
use daybook_domain::{Moment, Record, Rule, Timestamp, Violations, Zone};
use daybook_store::{Cx, Result};
use serde_json::Value;
use std::time::Duration;

/// The fields with their times converted to timestamps. Invalid times are set to `null` and reported as violations.
pub(crate) async fn with_offsets<T: Record>(cx: &Cx, mut fields: Fields) -> Result<(Fields, Violations)> {
    let mut violations = Violations::default();
    if T::MOMENTS.is_empty() {
        return Ok((fields, violations));
    }
    let zone = match fields.remove("timezone") {
        Some(Value::String(name)) => {
            Zone::parse(&name).map_err(|rule| violations.add("/timezone", rule)).ok().or(Some(Zone::default()))
        }
        Some(Value::Null) | None => None,
        Some(_) => {
            violations.add("/timezone", Rule::Zone);
            Some(Zone::default())
        }
    };
    let mut clock = Clock { cx, zone, is_deadline: false };
    for name in T::MOMENTS {
        clock.is_deadline = T::DEADLINES.contains(name);
        match fields.get_mut(*name) {
            Some(Value::Array(list)) => {
                for (n, one) in list.iter_mut().enumerate() {
                    if let Some(at) = one.get_mut("at") {
                        clock.set(at, &format!("/{name}/{n}/at"), &mut violations).await?;
                    }
                }
            }
            Some(value) => clock.set(value, &format!("/{name}"), &mut violations).await?,
            None => {}
        }
    }
    Ok((fields, violations))
}

/// Converts times to timestamps.
struct Clock<'a> {
    cx: &'a Cx,
    /// The time zone, once it is read.
    zone: Option<Zone>,
    /// Whether a day without a time means the end of the day.
    is_deadline: bool,
}

impl Clock<'_> {
    async fn set(&mut self, value: &mut Value, pointer: &str, violations: &mut Violations) -> Result<()> {
        let Some(text) = value.as_str().filter(|text| text.parse::<Timestamp>().is_err()) else { return Ok(()) };
        let moment = match Moment::parse(text) {
            Ok(moment) => moment,
            Err(rule) => {
                violations.add(pointer, rule);
                *value = Value::Null;
                return Ok(());
            }
        };
        let zone = match self.zone.take() {
            Some(zone) => zone,
            None => {
                let organization = self.cx.find_often::<Organization>(self.cx.org).await?;
                organization.map(|organization| organization.timezone.clone()).unwrap_or_default()
            }
        };
        // A deadline without a time is the end of the day.
        let whole_day = self.is_deadline && moment.is_day();
        match moment.in_zone(&zone) {
            Ok(at) if whole_day => {
                *value = Value::from(zone.next_midnight(at).minus(Duration::from_secs(1)).to_string());
            }
            Ok(at) => *value = Value::from(at.to_string()),
            Err(rule) => violations.add(pointer, rule),
        }
        self.zone = Some(zone);
        Ok(())
    }
}
