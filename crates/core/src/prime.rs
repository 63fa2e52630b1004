//! What an agent needs to know when it starts, in one look: who it is, what it has, what waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::files::{self, FileRow};
use crate::id::{AgentId, MemoryKey, ProjectName, SessionId, TaskId};
use crate::key::{Key, Room};
use crate::mail::{Mail, Message, in_order};
use crate::memory::Memory;
use crate::roster::{self, HolderLease};
use crate::session::handle::Listing;
use crate::session::{Session, lease};
use crate::survey;
use crate::task::hold::Head;
use crate::task::{Graph, Holder, Node, Task};

/// The key of shared memory that holds the project's rules.
pub const RULES: &str = "project.rules";
/// How many unread messages are looked into, the newest by name of their stream.
const MESSAGES: usize = 20;
/// How many ready tasks are named.
const READY: usize = 20;

/// How many holders are asked for a sign of life at once.
const ASKED: usize = 16;

/// Everything an agent starts with.
#[derive(Clone, Debug, Serialize)]
pub struct Prime {
    pub project: ProjectName,
    /// Where it is, without a secret.
    pub place: String,
    pub agent: AgentId,
    /// `null` before this session's first act.
    pub sid: Option<SessionId>,
    pub lease_until: Option<Timestamp>,
    pub holds: Vec<WorkRow>,
    pub files: Vec<FileRow>,
    pub unread: usize,
    /// Unread ones, oldest first, urgent ones before all; none counts as read by this.
    pub messages: Vec<Message>,
    /// The most urgent first.
    pub ready: Vec<WorkRow>,
    pub ready_count: usize,
    /// What is set under `project.rules`.
    pub rules: Option<String>,
}

/// One task, as short as it can be said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkRow {
    pub id: TaskId,
    pub title: String,
    pub priority: u8,
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_action: Option<String>,
}

/// The one verb about starting.
#[derive(Debug)]
pub struct Primer<'a> {
    session: &'a Session,
}

impl<'a> Primer<'a> {
    pub fn new(session: &'a Session) -> Primer<'a> {
        Primer { session }
    }

    /// One listing while the project fits a page, else four at once. Then one request for each task's
    /// newest version, one for each path that was ever claimed, one or two for each session that holds
    /// something, one for each unread message up to a limit, and one for the rules.
    pub async fn read(&self) -> Result<Prime, Error> {
        self.session.touch().await?;
        let rooms = [Room::Agents, Room::Steps, Room::Files, Room::Messages, Room::MemoryAll];
        let listing = survey::rooms(self.session, &rooms).await?;
        let heads = survey::heads(self.session, &listing).await?;
        let state = self.session.remembered()?.filter(|state| !state.lease.ended);
        let sid = state.as_ref().map(|state| state.sid.clone());
        let tasks: Vec<&Task> = heads.iter().map(|head| &head.record.body.task).collect();
        let is_mine = |task: &Task| task.holder.as_ref().map(|holder| &holder.sid) == sid.as_ref();
        let mine = |task: &&&Task| sid.is_some() && is_mine(task);
        let ready = self.ready(&tasks, sid.as_ref()).await?;
        let mail = Mail::new(self.session);
        let mut unread = mail.unread_among(&listing).await?;
        let count = unread.len();
        let newest = unread.split_off(count.saturating_sub(MESSAGES));
        let mut messages = in_order(mail.peek(newest).await?);
        messages.sort_by_key(|message| !message.urgent);
        let lease_until = state.as_ref().and_then(|state| {
            let ttl = Duration::from_millis(state.lease.ttl_ms);
            Some(lease::add(state.lease.sent_at?, ttl))
        });
        Ok(Prime {
            project: self.session.layout.project().clone(),
            place: self.session.store.place(),
            agent: self.session.agent.clone(),
            lease_until,
            holds: tasks.iter().filter(mine).map(|task| row(task)).collect(),
            files: self.files(&listing, &heads, sid.as_ref()).await?,
            sid,
            unread: count,
            messages,
            ready_count: ready.len(),
            ready: ready.into_iter().take(READY).map(row).collect(),
            rules: self.rules(&listing).await?,
        })
    }

    /// What can be begun now. Whoever holds something is asked for a sign of life once.
    async fn ready<'t>(
        &self,
        tasks: &[&'t Task],
        own: Option<&SessionId>,
    ) -> Result<Vec<&'t Task>, Error> {
        let holders: BTreeMap<&SessionId, &Holder> = tasks
            .iter()
            .filter_map(|task| task.holder.as_ref())
            .filter(|holder| own != Some(&holder.sid))
            .map(|holder| (&holder.sid, holder))
            .collect();
        let judged = holders.into_iter().map(|(sid, holder)| async move {
            let lease = roster::judge(self.session, holder).await?;
            Ok::<_, Error>((sid, matches!(lease, HolderLease::Alive { .. })))
        });
        let mut alive: BTreeMap<&SessionId, bool> =
            stream::iter(judged).buffered(ASKED).try_collect().await?;
        alive.extend(own.map(|own| (own, true)));
        let is_held = |task: &Task| {
            task.holder.as_ref().is_some_and(|holder| alive.get(&holder.sid) == Some(&true))
        };
        let nodes = tasks.iter().map(|task| Node { task, is_held: is_held(task) });
        Ok(Graph::new(nodes).ready(self.session.now()))
    }

    async fn files(
        &self,
        listing: &Listing,
        heads: &[Head],
        sid: Option<&SessionId>,
    ) -> Result<Vec<FileRow>, Error> {
        let Some(sid) = sid else { return Ok(Vec::new()) };
        let mut rows = files::rows(self.session, listing, &[], heads).await?;
        rows.retain(|row| row.sid == *sid);
        Ok(rows)
    }

    async fn rules(&self, listing: &Listing) -> Result<Option<String>, Error> {
        let key = MemoryKey::parse(RULES)?;
        let versions: BTreeSet<_> = listing
            .objects
            .iter()
            .filter_map(|row| match self.session.layout.parse(&row.path) {
                Some(Key::Memory { key: of, version }) if of == key => Some(version),
                _ => None,
            })
            .collect();
        let Some(newest) = versions.last() else { return Ok(None) };
        let value = Memory::new(self.session).get(&key, Some(*newest)).await?.value;
        Ok(match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        })
    }
}

fn row(task: &Task) -> WorkRow {
    WorkRow {
        id: task.id.clone(),
        title: task.title.clone(),
        priority: task.fields.priority.number(),
        status: task.status.as_str(),
        next_action: task.handoff.as_ref().and_then(|handoff| handoff.next_action.clone()),
    }
}
