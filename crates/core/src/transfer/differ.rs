//! What a source said otherwise than we would: kept with the task field by field, together with what
//! we made of it, so that its own words are exported again for as long as that has not changed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::beads;
use super::issue::{IMPORTED, fields};
use super::line::Style;
use super::read::aligned;
use crate::task::Task;

/// Kept in the task as `imported`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<String, Pair>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    order: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    escapes: bool,
    /// When the task was last changed before it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    as_of: Option<Timestamp>,
}

/// One field: what the source said (nothing, when it had no such field), and what we would write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair {
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some")]
    source: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some")]
    read: Option<Value>,
}

/// Puts into a fresh task whatever of its source its own fields do not say.
pub(super) fn keep(task: &mut Task, source: &Map<String, Value>, style: &Style) {
    let ours = fields(task);
    let mut kept = Kept { order: style.order.clone(), escapes: style.escapes, ..Kept::default() };
    let keys = source.keys().chain(ours.keys().filter(|key| !source.contains_key(*key)));
    for key in keys.filter(|key| !is_spoken(key, source)) {
        let (said, read) = (source.get(key), ours.get(key));
        if said == read {
            continue;
        }
        let read = match key.as_str() {
            "labels" | "dependencies" => aligned(source, key, task).or(read.cloned()),
            _ => read.cloned(),
        };
        kept.fields.insert(key.clone(), Pair { source: said.cloned(), read });
        if beads::COUNTED.contains(&key.as_str()) {
            kept.as_of = Some(task.updated_at);
        }
    }
    if kept != Kept::default() {
        let kept = serde_json::to_value(kept).expect("it has text keys only");
        task.extra.insert(IMPORTED.into(), kept);
    }
}

/// The same for a task that was here already and now says what `read` says, which was made of this
/// source.
pub(super) fn keep_again(task: &mut Task, source: &Map<String, Value>, read: &Task) {
    let (_, style) = exported(read);
    keep(task, source, &style);
}

/// The fields of a task as they are exported, but for its comments; and how its line was written.
pub(super) fn exported(task: &Task) -> (Map<String, Value>, Style) {
    let mut out = fields(task);
    // What nobody can read there was not put there by us: the task says all that we know.
    let kept = task.extra.get(IMPORTED).cloned();
    let kept: Kept = kept.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default();
    for (key, pair) in &kept.fields {
        let is_counted = beads::COUNTED.contains(&key.as_str());
        if is_counted && kept.as_of != Some(task.updated_at) {
            continue;
        }
        let said = match (out.get(key), &pair.read) {
            (Some(Value::Array(now)), Some(Value::Array(read))) => {
                Some(woven(now, read, pair.source.as_ref()))
            }
            (now, read) if now == read.as_ref() => pair.source.clone(),
            // Nothing was understood, and there is nothing: all as it was.
            (None, Some(Value::Array(read))) if read.iter().all(Value::is_null) => {
                pair.source.clone()
            }
            // All that was understood is gone; what never was stays.
            (None, Some(Value::Array(read))) => {
                let left = woven(&[], read, pair.source.as_ref());
                left.as_array().is_some_and(|left| !left.is_empty()).then_some(left)
            }
            (now, _) => now.cloned(),
        };
        match said {
            Some(value) => drop(out.insert(key.clone(), value)),
            None => drop(out.remove(key)),
        }
    }
    (out, Style { order: kept.order, escapes: kept.escapes })
}

/// Comments are objects of their own; only a list without any is kept here.
fn is_spoken(key: &str, source: &Map<String, Value>) -> bool {
    let list = source.get(key).and_then(Value::as_array);
    key == "comments" && list.is_some_and(|list| !list.is_empty())
}

/// A list as it is now, with the source's own words for each element that has not changed, and the
/// elements that were never understood.
fn woven(now: &[Value], read: &[Value], source: Option<&Value>) -> Value {
    let Some(Value::Array(source)) = source else { return now.into() };
    let understood = read.iter().filter(|value| !value.is_null());
    if sorted(understood) == sorted(now.iter()) {
        return source.as_slice().into();
    }
    let said = |value: &Value| {
        let place = read.iter().position(|known| known == value);
        place.and_then(|place| source.get(place)).unwrap_or(value).clone()
    };
    let lost = read.iter().zip(source).filter(|(read, _)| read.is_null());
    now.iter().map(said).chain(lost.map(|(_, source)| source.clone())).collect()
}

/// Labels have no order of their own here, and one said twice is one.
fn sorted<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let mut texts: Vec<String> = values.map(Value::to_string).collect();
    texts.sort();
    texts.dedup();
    texts
}

/// A `null` that was said is not the same as nothing.
fn some<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}
