//! Every fault of a text that is JSON and no policy by its form: fields of a wrong type, with a wrong name, missing. Each field is read
//! alone, beside others that are right, so that the first wrong one does not hide the rest. For broken policies only: it reads several
//! times what a policy is read once for.

use drl_core::caps::LIMITS_PER_POLICY_MAX;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{LimitDocument, PolicyDocument};
use crate::{Fault, Faults};

/// The fields that every limit has, and what may stand there.
const LIMIT_FIELDS: [(&str, &str); 2] = [("requests", "a whole number"), ("window", "1ms to 366d, like 10s or 1h30m")];

/// Every fault of `json`, also those of values; empty when a field alone shows none (one that stands there twice).
pub(super) fn faults(json: &[u8]) -> Faults {
    let mut faults = Faults::default();
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(json) else { return faults };
    let mut mended = Map::from_iter([("limits".to_owned(), json!([]))]);
    if !fields.contains_key("limits") {
        faults.push(Fault::new("limits", r#"missing; write 1 to 8 limits, [{"requests":100,"window":"1m"}]"#));
    }
    for (name, value) in fields {
        let value = match value {
            Value::Array(limits) if name == "limits" => mend_limits(limits, &mut faults),
            value => value,
        };
        let mut alone = Map::from_iter([("limits".to_owned(), json!([]))]);
        alone.insert(name.clone(), value.clone());
        match read::<PolicyDocument>(Value::Object(alone)) {
            Ok(_) => drop(mended.insert(name, value)),
            Err(fault) => faults.push(fault),
        }
    }
    // The whole is not judged: what was mended could make a fault that nobody wrote.
    if let Ok(document) = read::<PolicyDocument>(Value::Object(mended)) {
        document.values(&mut faults);
    }
    faults
}

/// The limits with possible values in the place of those that cannot be read; their faults go to `faults`.
fn mend_limits(limits: Vec<Value>, faults: &mut Faults) -> Value {
    // Of a list that is far too long the first ones are judged.
    let judged = limits.len().min(LIMITS_PER_POLICY_MAX.saturating_add(1));
    let mended = limits.into_iter().take(judged).enumerate().map(|(index, limit)| match limit {
        Value::Object(fields) => Value::Object(mend_limit(&format!("limits[{index}]"), fields, faults)),
        other => other,
    });
    Value::Array(mended.collect())
}

fn mend_limit(place: &str, fields: Map<String, Value>, faults: &mut Faults) -> Map<String, Value> {
    let whole = || Map::from_iter([("requests".to_owned(), json!(1)), ("window".to_owned(), json!("1s"))]);
    let mut mended = whole();
    for (missing, allowed) in LIMIT_FIELDS.into_iter().filter(|(name, _)| !fields.contains_key(*name)) {
        faults.push(Fault::new(format!("{place}.{missing}"), format!("missing; write {allowed}")));
    }
    for (name, value) in fields {
        let mut alone = whole();
        alone.insert(name.clone(), value.clone());
        match read::<LimitDocument>(Value::Object(alone)) {
            Ok(_) => drop(mended.insert(name, value)),
            Err(fault) => faults.push_all_within(place, fault.into()),
        }
    }
    mended
}

fn read<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, Fault> {
    serde_path_to_error::deserialize::<_, T>(value).map_err(|error| {
        let path = error.path().to_string();
        Fault::new(if path == "." { "" } else { &path }, error.inner().to_string())
    })
}
