//! What a file or a folder of another tool holds, held against what is here: all of it is read and
//! judged before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use serde::Serialize;
use serde_json::{Map, Value};

use super::differ;
use super::line::{self, Found};
use super::read::{self, Reader, Said};
use crate::error::Kind;
use crate::id::{AgentId, MemoryKey, TaskId};
use crate::record::MAX_DOCUMENT;
use crate::store::ObjectPath;
use crate::task::{Graph, Node, Task};

/// What a document takes beside its task, generously.
const ENVELOPE: usize = 4 * 1024;

/// Everything that was found, not yet held against what is here.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) issues: Vec<Incoming>,
    pub(super) values: Vec<Values>,
    pub(super) letters: Vec<Letter>,
    pub(super) files: Vec<IncomingFile>,
    /// Where the files are.
    pub(super) from: Option<std::sync::Arc<dyn crate::store::Store>>,
    /// What cannot be imported; with any of it, nothing is.
    pub faults: Vec<Remark>,
    /// What can be, and should be known.
    pub remarks: Vec<Remark>,
}

/// One task, with the fields that its source has for it.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub place: String,
    pub source: Map<String, Value>,
    pub task: Task,
    pub said: Vec<Said>,
}

/// All values of one key of shared memory, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub place: String,
    pub key: MemoryKey,
    pub values: Vec<OneValue>,
}

#[derive(Clone, Debug)]
pub(super) struct OneValue {
    pub value: Value,
    pub by: Option<AgentId>,
    pub at: Option<jiff::Timestamp>,
}

/// A message between agents.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub from: AgentId,
    pub to: crate::id::Mailbox,
    pub at: jiff::Timestamp,
    pub text: String,
    pub task: Option<TaskId>,
}

/// A file that agents passed on.
pub(super) struct IncomingFile {
    pub place: String,
    pub scope: crate::key::Scope,
    pub name: crate::id::ArtifactName,
    /// Where its bytes are in the place that is imported from.
    pub path: crate::store::ObjectPath,
}

/// Something to know about one piece of what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// `line 7`, or a path.
    pub place: String,
    pub what: String,
}

/// A name that stands for one thing here and for another one there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conflict {
    pub id: String,
    pub place: String,
    pub differences: Vec<Difference>,
    /// Who holds it here, and so decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<AgentId>,
    /// Who has changed it since it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<AgentId>,
}

impl Conflict {
    pub(super) fn new(id: String, place: String, differences: Vec<Difference>) -> Conflict {
        Conflict { id, place, differences, held_by: None, changed_by: None }
    }
}

/// Whose word stands where both sides say something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolve {
    /// What is here.
    Ours,
    /// What comes in. What was here stays in the history.
    Theirs,
}

/// One field, as it is here and as it was to become.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    pub field: String,
    pub here: Value,
    pub incoming: Value,
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    pub dry_run: bool,
    /// Nothing was written, because of the faults or conflicts below.
    pub refused: bool,
    pub imported: usize,
    pub unchanged: usize,
    pub skipped: usize,
    /// Conflicts that were decided, and how.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resolved: Vec<Conflict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolve>,
    pub comments: usize,
    pub memories: usize,
    pub messages: usize,
    pub artifacts: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Remark>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
    /// What was found here already, of an import maybe that was stopped before it was on the disk.
    #[serde(skip)]
    pub(super) seen: Vec<ObjectPath>,
}

impl Outcome {
    /// What would have been written was not.
    pub(super) fn forget_counts(&mut self) {
        let (unchanged, dry_run) = (self.unchanged, self.dry_run);
        let (conflicts, faults) =
            (std::mem::take(&mut self.conflicts), std::mem::take(&mut self.faults));
        let remarks = std::mem::take(&mut self.remarks);
        let refused = self.refused;
        *self = Outcome {
            dry_run,
            refused,
            unchanged,
            conflicts,
            faults,
            remarks,
            ..Outcome::default()
        };
    }

    /// What kind of failure this is; `None` when it is none.
    pub fn kind(&self) -> Option<Kind> {
        if !self.faults.is_empty() {
            Some(Kind::Data)
        } else if !self.conflicts.is_empty() {
            Some(Kind::Held)
        } else {
            None
        }
    }
}

impl Batch {
    /// Reads issues, one a line.
    pub(super) fn lines(input: &mut dyn BufRead, reader: &Reader) -> std::io::Result<Batch> {
        let mut batch = Batch::default();
        let mut seen: BTreeMap<TaskId, usize> = BTreeMap::new();
        line::each(input, |number, found| {
            let place = format!("line {number}");
            match found {
                Found::Blank => {}
                Found::Damaged(what) => batch.faults.push(Remark { place, what }),
                Found::Line(line, style) => {
                    let source = line.into_map();
                    match source.get("_type").and_then(Value::as_str) {
                        Some("memory") => batch.memory(place, &source),
                        None | Some("issue") => {
                            batch.issue(place, source, &style, reader, &mut seen);
                        }
                        Some(other) => batch.faults.push(Remark {
                            place,
                            what: format!(
                                "it is a {}, and no issue",
                                crate::text::one_line(other, 60)
                            ),
                        }),
                    }
                }
            }
        })?;
        Ok(batch)
    }

    fn issue(
        &mut self,
        place: String,
        source: Map<String, Value>,
        style: &line::Style,
        reader: &Reader,
        seen: &mut BTreeMap<TaskId, usize>,
    ) {
        let mut understood = match read::task(&source, reader) {
            Ok(understood) => understood,
            Err(what) => return self.faults.push(Remark { place, what }),
        };
        for what in std::mem::take(&mut understood.remarks) {
            self.remarks.push(Remark { place: place.clone(), what });
        }
        let mut task = understood.task;
        if let Some(before) = seen.get(&task.id).map(|index| &self.issues[*index]) {
            let what = format!("issue {} stands in {} already", task.id, before.place);
            let list = if before.source == source { &mut self.remarks } else { &mut self.faults };
            return list.push(Remark { place, what });
        }
        differ::keep(&mut task, &source, style);
        if let Some(what) = too_large(&task, &understood.said) {
            return self.faults.push(Remark { place, what });
        }
        seen.insert(task.id.clone(), self.issues.len());
        self.issues.push(Incoming { place, source, task, said: understood.said });
    }

    /// `bd remember`, as beads exports it on demand.
    fn memory(&mut self, place: String, source: &Map<String, Value>) {
        let key = source.get("key").and_then(Value::as_str).unwrap_or_default();
        match MemoryKey::parse(key) {
            Ok(key) => {
                let value = source.get("value").cloned().unwrap_or_default();
                let values = vec![OneValue { value, by: None, at: None }];
                self.values.push(Values { place, key, values });
            }
            Err(error) => self.faults.push(Remark { place, what: error.to_string() }),
        }
    }
}

/// All is measured before the first write; what follows from one document's size would come too late.
fn too_large(task: &Task, said: &[Said]) -> Option<String> {
    let size = |text: &dyn Fn() -> serde_json::Result<Vec<u8>>| {
        text().map_or(usize::MAX, |bytes| bytes.len() + ENVELOPE)
    };
    let task_size = size(&|| serde_json::to_vec_pretty(task));
    let said = said.iter().map(|said| {
        size(&|| serde_json::to_vec_pretty(&(&said.text, &said.author, &said.imported)))
    });
    let largest = said.max().unwrap_or(0).max(task_size);
    (largest > MAX_DOCUMENT)
        .then(|| format!("it would take {largest} bytes; a document holds {MAX_DOCUMENT}"))
}

/// How an incoming task differs from the one that is here; nothing when it does not.
pub(super) fn differences(here: &Task, incoming: &Map<String, Value>) -> Vec<Difference> {
    let (here, _) = differ::exported(here);
    let keys: BTreeSet<&String> = here.keys().chain(incoming.keys()).collect();
    keys.into_iter()
        .filter(|key| *key != "comments" && here.get(*key) != incoming.get(*key))
        .map(|key| Difference {
            field: key.clone(),
            here: here.get(key).cloned().unwrap_or_default(),
            incoming: incoming.get(key).cloned().unwrap_or_default(),
        })
        .collect()
}

/// What the graph says of the new tasks: edges that lead nowhere, and circles.
pub(super) fn graph_remarks(here: &[&Task], new: &[&Incoming]) -> Vec<Remark> {
    let tasks = here.iter().copied().chain(new.iter().map(|incoming| &incoming.task));
    let graph = Graph::new(tasks.map(|task| Node { task, is_held: task.holder.is_some() }));
    let places: BTreeMap<&TaskId, &str> =
        new.iter().map(|incoming| (&incoming.task.id, incoming.place.as_str())).collect();
    let mut remarks = Vec::new();
    for incoming in new {
        for edge in &incoming.task.fields.dependencies {
            if graph.get(&edge.on).is_none() {
                let what = format!(
                    "{} depends on {} ({}), which is neither here nor in what is imported",
                    incoming.task.id, edge.on, edge.kind
                );
                remarks.push(Remark { place: incoming.place.clone(), what });
            }
        }
    }
    for circle in graph.circles() {
        if let Some(place) = circle.iter().find_map(|id| places.get(id)) {
            let way: Vec<&str> = circle.iter().map(TaskId::as_str).collect();
            let what = format!("nothing in this circle can begin: {}", way.join(" → "));
            remarks.push(Remark { place: (*place).to_owned(), what });
        }
    }
    remarks
}

impl std::fmt::Debug for IncomingFile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("IncomingFile").field("place", &self.place).finish_non_exhaustive()
    }
}
