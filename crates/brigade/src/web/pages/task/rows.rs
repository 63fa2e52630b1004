//! What stands in rows on a task's page.

use std::collections::BTreeSet;

use brigade_core::history::Entry;
use brigade_core::id::{AgentId, SessionId};
use brigade_core::linking::Transcript;
use brigade_core::task::query::Neighbour;
use brigade_core::task::{CommentView, Handoff, TaskVersion};

use super::Version;
use crate::web::pages::board;
use crate::web::words::{self, When};

pub struct Edge {
    pub id: String,
    pub url: String,
    pub title: String,
    pub status: String,
    pub tone: &'static str,
    pub kind: String,
}

pub struct Given {
    pub state: &'static str,
    pub tone: &'static str,
    pub from: String,
    pub to: String,
    pub note: String,
    pub next_action: String,
    pub files: Vec<String>,
    pub artifacts: Vec<String>,
    pub at: When,
}

/// A comment, or a message.
pub struct Said {
    pub by: String,
    pub url: String,
    pub what: String,
    pub tone: &'static str,
    pub text: String,
    pub aside: String,
    pub at: When,
}

pub struct Act {
    pub version: u32,
    pub act: &'static str,
    pub by: String,
    pub url: String,
    pub status: &'static str,
    pub tone: &'static str,
    pub reason: String,
    pub at: When,
}

/// The transcript of a session in which somebody held the task.
pub struct Heard {
    pub by: String,
    pub title: String,
    pub harness: String,
    /// The session from when the task was taken.
    pub url: String,
    pub since: Option<When>,
}

pub fn edge(other: &Neighbour) -> Edge {
    Edge {
        id: other.id.to_string(),
        url: words::task_url(&other.id),
        title: words::line(other.title.as_deref().unwrap_or("not there")),
        status: other.status.map_or("missing".into(), |status| status.to_string()),
        tone: other.status.map_or("", board::tone),
        kind: words::line(other.kind.as_str()),
    }
}

pub fn given(handoff: &Handoff, now: jiff::Timestamp) -> Given {
    use brigade_core::task::HandoffState::{Blocked, Complete, NeedsReview};
    let artifacts = handoff.artifacts.iter().map(|it| {
        format!("{} (version {}, {})", words::line(&it.name), it.version, words::bytes(it.size))
    });
    Given {
        state: handoff.state.as_str(),
        tone: match handoff.state {
            Complete => "good",
            Blocked => "bad",
            NeedsReview => "info",
        },
        from: handoff.from.to_string(),
        to: handoff.next_agent.as_ref().map_or(String::new(), ToString::to_string),
        note: words::block(handoff.note.as_deref().unwrap_or_default()),
        next_action: words::block(handoff.next_action.as_deref().unwrap_or_default()),
        files: handoff.changed_files.iter().flatten().map(|file| words::line(file)).collect(),
        artifacts: artifacts.collect(),
        at: When::new(handoff.at, now),
    }
}

pub fn said(comment: &CommentView, now: jiff::Timestamp) -> Said {
    use brigade_core::task::CommentKind::{Answer, Comment, Log, Other};
    let (what, tone) = match comment.kind {
        Comment | Other => ("", ""),
        Log => ("work log", ""),
        Answer => ("a person's answer", "good"),
    };
    Said {
        by: words::line(&comment.author),
        url: format!("/agent/{}", words::seg(&comment.author)),
        what: what.into(),
        tone,
        text: words::block(comment.origin.quote(&comment.text)),
        aside: comment.origin.aside(),
        at: When::new(comment.created_at, now),
    }
}

pub fn message(entry: &Entry, now: jiff::Timestamp) -> Said {
    let to = entry.to.as_ref().map_or(String::new(), |to| format!("to {to}"));
    let text = entry.detail["message"].as_str().unwrap_or_default();
    Said {
        by: entry.agent.to_string(),
        url: words::agent_url(&entry.agent),
        what: to,
        tone: if entry.detail["urgent"] == true { "warn" } else { "" },
        text: words::block(entry.origin.quote(text)),
        aside: entry.origin.aside(),
        at: When::new(entry.at, now),
    }
}

pub fn act((version, body, by): &Version, now: jiff::Timestamp) -> Act {
    let note = body.task.handoff.as_ref().filter(|_| body.act.hands_over());
    let note = note.and_then(|handoff| handoff.note.as_deref());
    Act {
        version: *version,
        act: body.act.as_str(),
        by: by.agent.to_string(),
        url: words::agent_url(&by.agent),
        status: body.task.status.as_str(),
        tone: board::tone(body.task.status),
        reason: words::line(body.reason.as_deref().or(note).unwrap_or_default()),
        at: When::new(body.task.updated_at, now),
    }
}

/// Who holds it after a version, and since when.
fn holder(version: &TaskVersion) -> Option<(&AgentId, &SessionId, jiff::Timestamp)> {
    version.task.holder.as_ref().map(|holder| (&holder.agent, &holder.sid, holder.since))
}

/// Everybody who ever held it, each with their session.
pub fn holders(versions: &[Version]) -> BTreeSet<(AgentId, SessionId)> {
    let holders = versions.iter().filter_map(|(_, version, _)| holder(version));
    holders.map(|(agent, sid, _)| (agent.clone(), sid.clone())).collect()
}

pub fn heard(transcript: &Transcript, versions: &[Version], now: jiff::Timestamp) -> Heard {
    let mut holders = versions.iter().filter_map(|(_, version, _)| holder(version));
    let since = holders.find(|(_, sid, _)| **sid == transcript.sid).map(|(.., since)| since);
    let id = &transcript.id;
    let page =
        format!("/session/{}/{}", words::seg(id.harness.as_str()), words::seg(id.id.as_str()));
    Heard {
        by: transcript.agent.to_string(),
        title: words::line(transcript.title.as_deref().unwrap_or(id.id.as_str())),
        harness: id.harness.to_string(),
        url: match since {
            Some(since) => format!("{page}?at={}", words::seg(&since.to_string())),
            None => page,
        },
        since: since.map(|since| When::new(since, now)),
    }
}
