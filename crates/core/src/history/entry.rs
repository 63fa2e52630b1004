//! One entry of the journal, and what each kind of document says as one.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::hlc::Hlc;
use crate::id::{AgentId, Mailbox, MemoryKey, SessionId, TaskId};
use crate::key::{Key, Number, Scope};
use crate::record::Raw;
use crate::signature::Origin;
use crate::store::ObjectPath;
use crate::task::{ActName, Evidence, Task, TaskVersion};
use crate::text::one_line;

/// Longest piece of somebody's text in a summary, in characters.
const QUOTE: usize = 160;
/// Longest name of an act that we repeat.
const ACT: usize = 60;

/// One act.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// By the writer's wall clock.
    pub at: Timestamp,
    /// What the journal is ordered by.
    pub hlc: Hlc,
    pub agent: AgentId,
    pub sid: SessionId,
    /// `claim`, `takeover`, `memory_set`, `send`, `claim_refused` …
    pub act: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Whom it was for: a message's mailbox, a handoff's next agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Mailbox>,
    /// Who stood in the way, or from whom it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<AgentId>,
    /// The key of shared memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<MemoryKey>,
    /// The number in its log or stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Number>,
    /// One line for people, without anything that moves a cursor.
    pub summary: String,
    pub refused: bool,
    /// What is known of who wrote it.
    #[serde(rename = "signature", skip_serializing_if = "Origin::is_silent")]
    pub origin: Origin,
    /// The object that says so.
    pub path: String,
    pub detail: Value,
}

impl Entry {
    /// The journal's total order.
    pub fn order(&self) -> (Hlc, &SessionId, &str) {
        (self.hlc, &self.sid, &self.path)
    }

    pub(super) fn was_taken_from(&mut self, holder: &AgentId) {
        if *holder == self.agent {
            return;
        }
        if let Some(task) = &self.task {
            let words = taken(task);
            self.summary = self.summary.replacen(&words, &format!("{words} from {holder}"), 1);
        }
        self.by = Some(holder.clone());
    }
}

/// What a document says as an entry; `None` when it is none: a sign of life that is not the last.
pub(super) fn of(key: &Key, path: &ObjectPath, raw: Raw, origin: Origin) -> Option<Entry> {
    let entry = Entry {
        at: raw.at,
        hlc: raw.hlc,
        agent: raw.agent.clone(),
        sid: raw.sid.clone(),
        act: String::new(),
        task: None,
        to: None,
        by: None,
        key: None,
        version: None,
        summary: String::new(),
        refused: false,
        origin,
        path: path.to_string(),
        detail: Value::Null,
    };
    let agent = &raw.agent;
    let body = &raw.body;
    let entry = match key {
        Key::Project if body.contains_key("came_from") => entry
            .act("project_arrived")
            .says(format!("{agent} brought the project {}", quote(body, "name"))),
        Key::Project => entry
            .act("project_started")
            .says(format!("{agent} started the project {}", quote(body, "name"))),
        Key::Moved if body.contains_key("replica") => return None,
        Key::Moved => entry.act("project_moved").says(format!("{agent} moved the project away")),
        Key::Hello { .. } => entry.act("session_started").says(arrival(agent, body)),
        Key::Beat { .. } if body.get("ended") == Some(&Value::Bool(true)) => {
            entry.act("session_ended").says(format!("{agent} signed off"))
        }
        Key::Beat { .. }
        | Key::Cursor { .. }
        | Key::Replica
        | Key::ArtifactBody { .. }
        | Key::Transcript { .. }
        | Key::Segment { .. } => return None,
        Key::Name { agent: name } => Entry { by: Some(name.clone()), ..entry.act("name_taken") }
            .says(format!("the name {name} was given out")),
        Key::Step { task, version } => return Some(step(entry, task, *version, body)),
        Key::Comment { task, n, .. } => {
            Entry { task: Some(task.clone()), version: Some(*n), ..entry.act("comment") }
                .says(format!("{agent} on {task}: {}", quote(body, "text")))
        }
        Key::File { version, .. } => return files(entry, *version, raw.body),
        Key::Memory { key, version } => {
            let value = body.get("value").map_or(String::new(), Value::to_string);
            let words = format!("{agent} set {key} = {}", one_line(&value, QUOTE));
            Entry { key: Some(key.clone()), version: Some(*version), ..entry.act("memory_set") }
                .says(words)
        }
        Key::Message { to, n, .. } => message(entry, to, *n, body),
        Key::Ack { to, sid, n, .. } => {
            Entry { to: Some(to.clone()), version: Some(*n), ..entry.act("acknowledge") }
                .says(format!("{agent} acknowledged {to}/{}/{n}", sid.short()))
        }
        Key::Artifact { scope, name, version } => {
            let place = match scope {
                Scope::Task(task) => format!(" for {task}"),
                Scope::Shared => String::new(),
            };
            let (task, version) = (scope.task().cloned(), Some(*version));
            Entry { task, version, ..entry.act("artifact_upload") }
                .says(format!("{agent} uploaded {}{place}", one_line(name.as_str(), QUOTE)))
        }
        Key::Barrier { name, .. } => {
            entry.act("barrier_arrive").says(format!("{agent} arrived at the barrier {name}"))
        }
        Key::Event { n, .. } => event(entry, *n, body),
    };
    Some(Entry { detail: Value::Object(raw.body), ..entry })
}

/// What became of a path or glob. What was only tried on the way to it is no entry.
fn files(entry: Entry, version: Number, body: serde_json::Map<String, Value>) -> Option<Entry> {
    let (agent, pattern) = (entry.agent.clone(), quote(&body, "pattern"));
    let (act, says) = match body.get("act")?.as_str()? {
        "add" => ("files_add", format!("{agent} took the files {pattern}")),
        "force" => ("files_force", format!("{agent} took the files {pattern} by force")),
        "release" => ("files_release", format!("{agent} let go of the files {pattern}")),
        "evict" => {
            ("files_evict", format!("{agent} cleared the files {pattern} of a claim that was over"))
        }
        "try" | "withdraw" => return None,
        _ => ("files", format!("{agent} changed who has the files {pattern}")),
    };
    let entry = Entry { version: Some(version), ..entry.act(act) }.says(says);
    Some(Entry { detail: Value::Object(body), ..entry })
}

/// Who holds the task after this version.
pub(super) fn holder(raw: &Raw) -> Option<AgentId> {
    let holder = raw.body.get("task")?.get("holder")?.get("agent")?.as_str()?;
    AgentId::parse(holder).ok()
}

impl Entry {
    fn act(self, act: &str) -> Entry {
        Entry { act: act.to_owned(), ..self }
    }

    fn says(self, summary: String) -> Entry {
        Entry { summary, ..self }
    }
}

fn arrival(agent: &AgentId, body: &Map<String, Value>) -> String {
    let host = match text(body, "host") {
        Some(host) => format!(" on {}", one_line(host, QUOTE)),
        None => String::new(),
    };
    let harness = match text(body, "harness") {
        Some(harness) => format!(" in {}", one_line(harness, QUOTE)),
        None => String::new(),
    };
    format!("{agent} started a session{host}{harness}")
}

fn message(entry: Entry, to: &Mailbox, n: Number, body: &Map<String, Value>) -> Entry {
    let urgent = if body.get("urgent") == Some(&Value::Bool(true)) { ", urgently" } else { "" };
    let (act, whom) = match to {
        Mailbox::Agent(reader) => ("send", format!("to {reader}")),
        Mailbox::Broadcast => ("broadcast", "to all".to_owned()),
    };
    let summary = format!("{} {whom}{urgent}: {}", entry.agent, quote(body, "message"));
    Entry {
        to: Some(to.clone()),
        task: text(body, "task").and_then(|task| TaskId::parse(task).ok()),
        version: Some(n),
        ..entry.act(act)
    }
    .says(summary)
}

fn event(entry: Entry, n: Number, body: &Map<String, Value>) -> Entry {
    let act = one_line(text(body, "act").unwrap_or("event"), ACT);
    let refused = act.ends_with("_refused");
    let what = match text(body, "message") {
        Some(message) => one_line(message, 2 * QUOTE),
        None => act.replace('_', " "),
    };
    let was = if refused { " was refused" } else { "" };
    let summary = format!("{}{was}: {what}", entry.agent);
    Entry {
        task: text(body, "task").and_then(|task| TaskId::parse(task).ok()),
        by: text(body, "by").and_then(|by| AgentId::parse(by).ok()),
        version: Some(n),
        refused,
        ..entry.act(&act)
    }
    .says(summary)
}

/// A version of a task. One that a later brigade wrote in its own way keeps its place and its act.
fn step(entry: Entry, id: &TaskId, version: Number, body: &Map<String, Value>) -> Entry {
    let entry = Entry { task: Some(id.clone()), version: Some(version), ..entry };
    let Ok(step) = serde_json::from_value::<TaskVersion>(Value::Object(body.clone())) else {
        let act = one_line(text(body, "act").unwrap_or("step"), ACT);
        let summary = format!("{} {} {id}", entry.agent, act.replace('_', " "));
        return Entry { detail: Value::Object(body.clone()), ..entry.act(&act) }.says(summary);
    };
    let TaskVersion { act, reason, evidence, task } = step;
    let summary = format!(
        "{} {}{}",
        entry.agent,
        done(act, &task),
        why(act, reason.as_deref(), evidence.as_ref(), &task)
    );
    let finishes = matches!(act, ActName::Complete | ActName::Block | ActName::Review);
    let to = task.next_agent.clone().filter(|_| finishes).map(Mailbox::Agent);
    let handoff = task.handoff.as_ref().filter(|_| finishes);
    let detail = json!({
        "title": task.title,
        "status": task.status,
        "priority": task.fields.priority,
        "generation": task.generation,
        "holder": task.holder,
        "next_agent": task.next_agent,
        "needs_human": task.fields.needs_human,
        "reason": reason,
        "evidence": evidence,
        "handoff": handoff,
    });
    let archives = task.fields.archive.as_ref().is_some_and(|archive| archive.floor == version);
    if act == ActName::Edit && archives {
        let summary = format!("{} archived {id}", entry.agent);
        return Entry { detail, ..entry.act("archive") }.says(summary);
    }
    Entry { to, detail, ..entry.act(act.as_str()) }.says(summary)
}

fn done(act: ActName, task: &Task) -> String {
    let id = &task.id;
    let next = task.next_agent.as_ref();
    let next = |words: &str| next.map_or(String::new(), |agent| format!("{words} {agent}"));
    match act {
        ActName::Create => format!("created {id}"),
        ActName::Edit => format!("edited {id}"),
        ActName::Claim => format!("claimed {id}"),
        ActName::Takeover => taken(id),
        ActName::Start => format!("began {id}"),
        ActName::Release => format!("released {id}"),
        ActName::Block => format!("blocked {id}{}", next(", for")),
        ActName::Review => format!("put {id} up for review{}", next(" by")),
        ActName::Complete => format!("completed {id}{}", next(", next is")),
        ActName::Reopen => format!("reopened {id}"),
    }
}

fn taken(task: &TaskId) -> String {
    format!("took {task} over")
}

fn why(act: ActName, reason: Option<&str>, evidence: Option<&Evidence>, task: &Task) -> String {
    let evidence = evidence.map(|evidence| match evidence {
        Evidence::LeaseEnded { .. } | Evidence::BeatUnchanged { .. } => "its lease had ended",
        Evidence::SessionEnded => "its session had ended",
        Evidence::SameAgent => "from another session of the same agent",
        Evidence::LeaseLapsed => "again, after the lease had lapsed",
        Evidence::NoProgress { .. } => "it showed no progress",
        Evidence::Forced => "by force",
    });
    let words = match act {
        ActName::Create => Some(task.title.as_str()).filter(|title| *title != task.id.as_str()),
        ActName::Complete | ActName::Block | ActName::Review => {
            task.handoff.as_ref().and_then(|handoff| handoff.note.as_deref())
        }
        _ => reason,
    };
    let words = words.map(|words| one_line(words, QUOTE)).filter(|words| !words.is_empty());
    match (evidence, words) {
        (Some(evidence), Some(words)) => format!(" ({evidence}): {words}"),
        (Some(evidence), None) => format!(" ({evidence})"),
        (None, Some(words)) => format!(": {words}"),
        (None, None) => String::new(),
    }
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str()
}

fn quote(body: &Map<String, Value>, name: &str) -> String {
    one_line(text(body, name).unwrap_or_default(), QUOTE)
}
