//! Looking at claims on files: the heads of their logs, and which claims count.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Serialize;

use super::model::{FileClaim, FileVersion};
use crate::error::Error;
use crate::glob::{FileKey, FilePattern};
use crate::id::{AgentId, SessionId, TaskId};
use crate::key::{Key, Number, Room};
use crate::roster::{self, HolderLease, Life, SessionRow};
use crate::session::Session;
use crate::session::handle::{Found, Listing};
use crate::signature::Origin;
use crate::store::Depth;
use crate::task::hold::{self, Head};
use crate::task::{Holder, Task};

/// How many objects are fetched at once, as everywhere.
const FETCHES: usize = 16;

/// The newest version of the log of a path or glob.
#[derive(Clone, Debug)]
pub(super) struct FileHead {
    pub file: FileKey,
    pub version: Number,
    pub origin: Origin,
    pub body: FileVersion,
}

/// A claim with what it is on.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub head: FileHead,
    pub claim: FileClaim,
}

/// Another claim that a claim does not go together with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileConflict {
    pub pattern: FilePattern,
    pub agent: AgentId,
    pub sid: SessionId,
}

/// One claim that counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileRow {
    pub pattern: FilePattern,
    pub agent: AgentId,
    pub sid: SessionId,
    pub shared: bool,
    /// Not good yet.
    pub tried: bool,
    pub task: Option<TaskId>,
    pub since: Timestamp,
    /// The session's lease; `null` where the store tells no time.
    pub until: Option<Timestamp>,
    /// Why it was claimed although others had it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forced: Option<String>,
    pub conflicts: Vec<FileConflict>,
    /// Of the newest version of the path's log, which carries along what the others had claimed.
    #[serde(rename = "signature", skip_serializing_if = "Origin::is_silent")]
    pub origin: Origin,
}

impl FileHead {
    fn new(file: FileKey, version: Number, found: Found<FileVersion>) -> FileHead {
        FileHead { file, version, origin: found.origin, body: found.record.body }
    }
}

/// What is known of the sessions and tasks behind claims; each is asked for once in a look.
#[derive(Debug, Default)]
pub(super) struct Known {
    leases: BTreeMap<SessionId, HolderLease>,
    tasks: BTreeMap<TaskId, Option<Task>>,
}

/// The heads of the logs of a listing, of those that may overlap one of `asked`; of all when nothing
/// is asked for. One that cannot be read is an error: nobody knows who has claimed what it is about.
pub(super) async fn heads(
    session: &Session,
    asked: &[FilePattern],
) -> Result<Vec<FileHead>, Error> {
    let listing = session.list(&Room::Files, Depth::All).await?;
    let meant = |pattern: &FilePattern| {
        asked.is_empty() || asked.iter().any(|asked| asked.overlaps(pattern))
    };
    let wanted = newest(session, &listing)
        .into_iter()
        .filter(|(file, _)| file.pattern().is_none_or(|pattern| meant(&pattern)));
    let read = |(file, version): (FileKey, Number)| async move {
        let key = Key::File { file: file.clone(), version };
        let found = session.read::<FileVersion>(&key).await?;
        Ok::<_, Error>(found.map(|found| FileHead::new(file, version, found)))
    };
    let found: Vec<Option<FileHead>> =
        stream::iter(wanted.map(read)).buffered(FETCHES).try_collect().await?;
    // What a document says of itself counts only where its key says the same.
    let own = |head: &FileHead| FileKey::of(&head.body.pattern) == head.file;
    Ok(found.into_iter().flatten().filter(|head| own(head) && meant(&head.body.pattern)).collect())
}

/// The newest version of the log behind a head that is there for sure.
pub(super) async fn newest_of(
    session: &Session,
    file: &FileKey,
) -> Result<Option<FileHead>, Error> {
    let listing = session.list(&Room::FileLog(file.clone()), Depth::Children).await?;
    let Some(version) = newest(session, &listing).remove(file) else { return Ok(None) };
    let key = Key::File { file: file.clone(), version };
    let found = session.read::<FileVersion>(&key).await?;
    Ok(found.map(|found| FileHead::new(file.clone(), version, found)))
}

fn newest(session: &Session, listing: &Listing) -> BTreeMap<FileKey, Number> {
    let mut newest = BTreeMap::new();
    for row in &listing.objects {
        if let Some(Key::File { file, version }) = session.layout.parse(&row.path) {
            let head = newest.entry(file).or_insert(version);
            *head = version.max(*head);
        }
    }
    newest
}

impl Known {
    /// Until when a claim counts; `None` when it does not, because its session is gone or the task
    /// that it was for is let go of.
    pub async fn counts(
        &mut self,
        session: &Session,
        claim: &FileClaim,
    ) -> Result<Option<Option<Timestamp>>, Error> {
        if let Some(bound) = &claim.task {
            let task = match self.tasks.get(&bound.id) {
                Some(task) => task.clone(),
                None => {
                    let head = hold::head(session, &bound.id, None).await?;
                    let task = head.map(|head| head.record.body.task);
                    self.tasks.insert(bound.id.clone(), task.clone());
                    task
                }
            };
            if claim.is_over_with(task.as_ref()) {
                return Ok(None);
            }
        }
        let lease = match self.leases.get(&claim.sid) {
            Some(lease) => lease.clone(),
            None => {
                let lease = roster::judge(session, &holder(claim)).await?;
                self.leases.insert(claim.sid.clone(), lease.clone());
                lease
            }
        };
        Ok(match lease {
            HolderLease::Alive { until } => Some(until),
            HolderLease::Gone(_) => None,
        })
    }
}

fn holder(claim: &FileClaim) -> Holder {
    Holder {
        agent: claim.agent.clone(),
        sid: claim.sid.clone(),
        since: claim.since,
        progress_ttl_ms: None,
    }
}

/// Every claim that counts, by what it is on, each with those that it does not go together with.
pub(super) fn told(counting: Vec<(Standing, Option<Timestamp>)>) -> Vec<FileRow> {
    let conflicts = |one: &Standing| {
        let against = counting.iter().filter(|(other, _)| {
            one.claim.excludes(&other.claim)
                && one.head.body.pattern.overlaps(&other.head.body.pattern)
        });
        against
            .map(|(other, _)| FileConflict {
                pattern: other.head.body.pattern.clone(),
                agent: other.claim.agent.clone(),
                sid: other.claim.sid.clone(),
            })
            .collect()
    };
    let row = |(one, until): &(Standing, Option<Timestamp>)| FileRow {
        pattern: one.head.body.pattern.clone(),
        agent: one.claim.agent.clone(),
        sid: one.claim.sid.clone(),
        shared: one.claim.shared,
        tried: one.claim.tried,
        task: one.claim.task.as_ref().map(|bound| bound.id.clone()),
        since: one.claim.since,
        until: *until,
        forced: one.claim.forced.as_ref().map(|forced| forced.reason.clone()),
        conflicts: conflicts(one),
        origin: one.head.origin,
    };
    let mut rows: Vec<FileRow> = counting.iter().map(row).collect();
    rows.sort_by(|a, b| (&a.pattern, a.since, &a.sid).cmp(&(&b.pattern, b.since, &b.sid)));
    rows
}

/// The same for somebody who has looked at the whole project: nothing more is asked but the heads of
/// the logs. One that cannot be read is told and left out.
pub(crate) async fn rows(
    session: &Session,
    listing: &Listing,
    sessions: &[SessionRow],
    tasks: &[Head],
) -> Result<Vec<FileRow>, Error> {
    let paths = newest(session, listing)
        .into_iter()
        .map(|(file, version)| session.layout.path(&Key::File { file, version }))
        .collect();
    let sessions: BTreeMap<&SessionId, &SessionRow> =
        sessions.iter().map(|row| (&row.sid, row)).collect();
    let tasks: BTreeMap<&TaskId, &Task> =
        tasks.iter().map(|head| (&head.record.body.task.id, &head.record.body.task)).collect();
    let mut counting = Vec::new();
    for (path, found) in session.read_all::<FileVersion>(paths).await? {
        let Some(Key::File { file, version }) = session.layout.parse(&path) else { continue };
        let head = FileHead::new(file, version, found);
        for claim in &head.body.claims {
            let row = sessions.get(&claim.sid);
            let is_gone = row.is_some_and(|row| matches!(row.life, Life::Stale | Life::Ended));
            let task = claim.task.as_ref().and_then(|bound| tasks.get(&bound.id)).copied();
            if !is_gone && !claim.is_over_with(task) {
                let standing = Standing { head: head.clone(), claim: claim.clone() };
                counting.push((standing, row.map(|row| row.lease_until)));
            }
        }
    }
    Ok(told(counting))
}
