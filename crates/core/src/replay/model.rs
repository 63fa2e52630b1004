//! The replay as a value. It serializes to the document that `docs/replay.md` describes.
//!
//! Names are text here and not parsed types: where a secret was taken out of one, it is a name no
//! more. Events are referred to by their place in `events`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of this form. Fields may be added under the same number.
pub const FORM: u32 = 1;

/// A whole run, or a window of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    pub form: u32,
    pub project: String,
    /// Of the first event and of the last one; `null` when there is none.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub ending: Ending,
    pub agents: Vec<Lane>,
    /// What the board is made of at the start of a window: the last event before it on each task,
    /// key, file and session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Event>,
    pub events: Vec<Event>,
    pub bars: Vec<Bar>,
    pub arrows: Vec<Arrow>,
    /// Stretches between two events that are drawn shorter, or longer, than they were.
    pub gaps: Vec<Gap>,
    /// How many secrets were taken out; `null` when nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redactions: Option<u64>,
}

/// One act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// On the one clock of the run, on which nothing happens before what it follows from.
    pub at: Timestamp,
    /// By the writer's own clock, where that was more than a second away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_at: Option<Timestamp>,
    pub agent: String,
    /// The start of its session's name.
    pub sid: String,
    pub group: Group,
    /// As in the journal: `claim`, `claim_refused`, `memory_set` …
    pub act: String,
    /// One line for people.
    pub words: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Whom it was for; `_broadcast` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Who stood in the way, or from whom it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The memory key, artifact, files or barrier that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What was said in full, where the line has less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What is to be told of its signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The task after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What to type to see more of it.
    pub command: String,
    /// The object in the store that says so.
    pub path: String,
}

/// Kinds of acts, as one would filter them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// A task was taken, begun or let go of.
    Claim,
    /// A task was finished or handed over.
    Handoff,
    /// Somebody was told no, or waited in vain.
    Refusal,
    /// A task was made or changed.
    Task,
    Mail,
    Memory,
    Artifact,
    Comment,
    Files,
    Session,
    Other,
}

/// What went wrong, or needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// A task cannot go on.
    Blocked,
    Refused,
    TimedOut,
    /// A task was taken from whoever held it, because that one was gone.
    TakenOver,
    /// The same, or files, by force.
    Forced,
    /// A person was asked.
    NeedsHuman,
    /// Two stores were merged, and this was one too many.
    LostInMerge,
    BadSignature,
}

/// A task after an act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `open`, `claimed`, `in_progress`, `review`, `blocked`, `closed`.
    pub status: String,
    pub title: String,
    pub generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The note of a handoff that was just made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    pub name: String,
    pub events: u32,
    pub problems: u32,
    /// How many bars lie side by side at most.
    pub rows: u32,
    pub sessions: Vec<Stay>,
}

/// One session of an agent, from its first event to its last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stay {
    pub sid: String,
    pub from: u32,
    pub until: u32,
    /// It signed off.
    pub ended: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness: Option<String>,
    /// What the harness calls it: its transcript has this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness_session: Option<String>,
}

/// A stretch of time in which an agent held a task, or in which one that it held was stuck.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    pub agent: String,
    pub task: String,
    pub kind: BarKind,
    /// Which of the bars side by side, from 0.
    pub row: u32,
    /// The event that begins it; `null` when it began before the window.
    pub from: Option<u32>,
    /// The event that ends it; `null` when it went on.
    pub until: Option<u32>,
    pub end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarKind {
    Held,
    /// Blocked, and nobody has taken it up again.
    Stuck,
}

/// How a bar ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Completed,
    Blocked,
    Review,
    Released,
    TakenOver,
    /// The same agent went on in another session.
    GoesOn,
    Reopened,
    /// It had not ended.
    Open,
}

/// Something that went from one agent to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrow {
    pub kind: ArrowKind,
    pub event: u32,
    pub from: String,
    /// `_broadcast` for all.
    pub to: String,
    /// The event with which the other took it up, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lands: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrowKind {
    Mail,
    Handoff,
    Takeover,
}

/// A stretch that is drawn shorter or longer than it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// It lies between this event and the next.
    pub after: u32,
    pub lasted_ms: u64,
    pub shown_ms: u64,
}

/// How it stood at the last event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// One line for people.
    pub words: String,
    pub tasks: usize,
    pub closed: usize,
    pub blocked: Vec<String>,
    pub held: Vec<String>,
}

impl Replay {
    /// The events that went wrong, in order.
    pub fn problems(&self) -> impl Iterator<Item = (usize, Problem)> {
        let numbered = self.events.iter().enumerate();
        numbered.filter_map(|(n, event)| Some((n, event.problem?)))
    }
}

impl Group {
    pub const ALL: [Group; 11] = [
        Group::Claim,
        Group::Handoff,
        Group::Refusal,
        Group::Task,
        Group::Mail,
        Group::Memory,
        Group::Artifact,
        Group::Comment,
        Group::Files,
        Group::Session,
        Group::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Group::Claim => "claim",
            Group::Handoff => "handoff",
            Group::Refusal => "refusal",
            Group::Task => "task",
            Group::Mail => "mail",
            Group::Memory => "memory",
            Group::Artifact => "artifact",
            Group::Comment => "comment",
            Group::Files => "files",
            Group::Session => "session",
            Group::Other => "other",
        }
    }

    pub fn parse(text: &str) -> Option<Group> {
        Group::ALL.into_iter().find(|group| group.as_str() == text)
    }
}

impl ArrowKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ArrowKind::Mail => "mail",
            ArrowKind::Handoff => "handoff",
            ArrowKind::Takeover => "takeover",
        }
    }
}

impl Problem {
    /// What it is called on a screen.
    pub fn as_words(self) -> &'static str {
        match self {
            Problem::Blocked => "blocked",
            Problem::Refused => "refused",
            Problem::TimedOut => "timed out",
            Problem::TakenOver => "taken over",
            Problem::Forced => "by force",
            Problem::NeedsHuman => "needs a person",
            Problem::LostInMerge => "lost in a merge",
            Problem::BadSignature => "bad signature",
        }
    }
}

impl Change {
    pub fn is_closed(&self) -> bool {
        self.status == "closed"
    }

    pub fn is_blocked(&self) -> bool {
        self.status == "blocked"
    }
}
