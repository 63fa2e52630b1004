//! Heads of task logs, and the one way in which a version is appended to one.

use jiff::Timestamp;

use super::model::{ActName, Handoff, TaskVersion};
use super::rules::Obstacle;
use super::segment::Archived;
use crate::error::Error;
use crate::id::{SessionId, TaskId};
use crate::key::{Key, MAX_NUMBER, Number, Room};
use crate::record::{self, Record};
use crate::session::handle::Found;
use crate::session::past::{LOOKS, Past};
use crate::session::state::{Hold, Purpose, State};
use crate::session::write::{Committed, StepSlot};
use crate::session::{Session, lease};
use crate::signature::Origin;
use crate::store::Depth;

/// The newest version of a task.
#[derive(Clone, Debug)]
pub struct Head {
    pub version: Number,
    /// Of ten thousand of them, each is moved several times.
    pub record: Box<Record<TaskVersion>>,
    pub origin: Origin,
    /// When it was stored, by the store's clock.
    pub modified: Timestamp,
    /// When nothing stood behind it, by the same clock, where that is known.
    pub newest_at: Option<Timestamp>,
}

/// What a version is put behind; see [`Head`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind {
    pub version: Number,
    pub newest_at: Option<Timestamp>,
}

impl Head {
    pub(crate) fn of(version: Number, found: Found<TaskVersion>) -> Head {
        let Found { record, origin, modified, .. } = found;
        Head { version, record: Box::new(record), origin, modified, newest_at: None }
    }

    pub(crate) fn behind(&self) -> Behind {
        Behind { version: self.version, newest_at: self.newest_at }
    }
}

/// How an attempt to put the version after a head ended.
pub(crate) enum Placed {
    /// With when it was stored.
    Won(Box<Record<TaskVersion>>, Number, Option<Timestamp>),
    /// Somebody was first; this is the newest version now.
    Lost(Box<Head>),
}

/// The newest version of a task, or `None` when there is no such task. `known` is a version that is
/// there for sure.
pub(crate) async fn head(
    session: &Session,
    task: &TaskId,
    known: Option<Number>,
) -> Result<Option<Head>, Error> {
    for _ in 0..LOOKS {
        let (version, told) = newest(session, task, known).await?;
        let Some(version) = version.or(known) else { return Ok(None) };
        if let Some(head) = read(session, task, version).await? {
            return Ok(Some(Head { newest_at: told, ..head }));
        }
        // It was archived between the listing and the look.
    }
    Err(moving(task))
}

/// The newest version, by a listing of what came after one that is there for sure.
pub(crate) async fn newest_after(
    session: &Session,
    task: &TaskId,
    known: Head,
) -> Result<Head, Error> {
    for _ in 0..LOOKS {
        let (version, told) = newest(session, task, Some(known.version)).await?;
        let Some(version) = version else { return Ok(Head { newest_at: told, ..known }) };
        if let Some(head) = read(session, task, version).await? {
            return Ok(Head { newest_at: told, ..head });
        }
    }
    Err(moving(task))
}

/// The same for a log that has hardly moved on: one request when it has not.
pub(crate) async fn next_after(
    session: &Session,
    task: &TaskId,
    known: Head,
) -> Result<Head, Error> {
    // In a folder a listing costs no more.
    if session.quiet().is_zero() {
        return newest_after(session, task, known).await;
    }
    let key = Key::Step { task: task.clone(), version: known.version + 1 };
    let path = session.layout.path(&key);
    let answer = session.store.get(&path).await?;
    let told = answer.store_time;
    match answer.value {
        Some(object) => {
            let next = session.found(&path, &object, told)?;
            newest_after(session, task, Head::of(known.version + 1, next)).await
        }
        // That nothing is there says nothing of a log that was archived since.
        None if session.may_be_archived(known.newest_at, told) => {
            newest_after(session, task, known).await
        }
        None => Ok(Head { newest_at: told, ..known }),
    }
}

fn moving(task: &TaskId) -> Error {
    Error::TimedOut(format!("task {task} is archived faster than this command can follow"))
}

async fn newest(
    session: &Session,
    task: &TaskId,
    after: Option<Number>,
) -> Result<(Option<Number>, Option<Timestamp>), Error> {
    let slot = |version| Key::Step { task: task.clone(), version };
    let after = after.map(|version| session.layout.path(&slot(version)));
    let listing = session.list_after(&Room::StepLog(task.clone()), Depth::Children, after).await?;
    let newest =
        listing.objects.iter().rev().find_map(|row| match session.layout.parse(&row.path) {
            Some(Key::Step { version, .. }) => Some(version),
            _ => None,
        });
    Ok((newest, listing.store_time))
}

async fn read(session: &Session, task: &TaskId, version: Number) -> Result<Option<Head>, Error> {
    let found = session.read::<TaskVersion>(&Key::Step { task: task.clone(), version }).await?;
    Ok(found.map(|found| Head::of(version, found)))
}

/// What is known of who wrote a handoff that stands in version `from` and came with an earlier one:
/// the newest version that handed over, if it did so in the same words. `archived` says where older
/// versions are, as version `from` does.
pub(crate) async fn origin_of(
    session: &Session,
    task: &TaskId,
    handoff: &Handoff,
    from: Number,
    archived: Option<&Archived>,
) -> Result<Origin, Error> {
    let nobodys = Origin { policy: session.own_origin().policy, ..Origin::default() };
    let (mut past, mut archived) = (Past::default(), archived.cloned());
    for version in (0..from).rev() {
        let head = match archived.as_ref().filter(|archived| version < archived.floor) {
            None => read(session, task, version).await?,
            Some(archived) => read_past(session, &mut past, archived, task, version).await?,
        };
        let Some(head) = head else { break };
        let TaskVersion { act, task, .. } = &head.record.body;
        archived = archived.or_else(|| task.fields.archive.clone());
        if task.handoff.as_ref() != Some(handoff) {
            break;
        }
        if act.hands_over() {
            return Ok(head.origin);
        }
    }
    Ok(nobodys)
}

async fn read_past(
    session: &Session,
    past: &mut Past,
    archived: &Archived,
    task: &TaskId,
    version: Number,
) -> Result<Option<Head>, Error> {
    let path = session.layout.path(&Key::Step { task: task.clone(), version });
    let object = past.find(session, archived, &path).await?;
    let found = object.map(|object| session.found_in_past(&path, &object)).transpose()?;
    Ok(found.map(|found| Head::of(version, found)))
}

/// Puts `next` right behind version `behind` (`None`: as the first), and remembers what that means
/// for our holds.
pub(crate) async fn place(
    session: &Session,
    task: &TaskId,
    behind: Option<Behind>,
    next: TaskVersion,
) -> Result<Placed, Error> {
    let sid = session.actor()?.sid;
    place_as(session, &sid, task, behind, next).await
}

/// The same for the session that the version was made for.
pub(crate) async fn place_as(
    session: &Session,
    sid: &SessionId,
    task: &TaskId,
    behind: Option<Behind>,
    next: TaskVersion,
) -> Result<Placed, Error> {
    let version = behind.map_or(0, |behind| behind.version + 1);
    let known = behind.and_then(|behind| behind.newest_at);
    if version > MAX_NUMBER {
        return Err(Error::Usage(format!("task {task} has as many versions as a log holds")));
    }
    // The lease that it is won in is the one in which it was sent, however long the answer took.
    let state = session.update(|_| {})?;
    let epoch = state.lease.epoch;
    let mine = next.task.holder.as_ref().is_some_and(|holder| holder.sid == *sid);
    let after = next.task.clone();
    let remember = move |state: &mut State, stored: Option<Timestamp>| {
        // A command beside this one did something later, and heard of it first: that stands.
        if state.holds.get(&after.id).is_some_and(|hold| hold.version > version) {
            return;
        }
        if state.sid != *sid {
            // Signed off while it was under way: a new session's memory is not the place for it.
        } else if state.holds.get(&after.id).is_some_and(|hold| hold.version > version) {
            // A sibling command has won a newer one while this answer was on its way.
        } else if mine {
            let hold = Hold { version, epoch, known_at: stored, task: after.clone() };
            state.holds.insert(after.id.clone(), hold);
            state.fenced.remove(&after.id);
        } else if after.holder.is_none() {
            state.holds.remove(&after.id);
            state.artifacts.remove(&after.id);
        }
    };
    let what = format!("the {} of {task}", next.act.as_str());
    let slot = StepSlot { task, version, known };
    let purpose = Purpose::Step { task: task.clone(), version, epoch };
    match session.commit_step(sid, slot, next, purpose, &what, remember).await? {
        (Committed::Won(record), stored) => Ok(Placed::Won(record, version, stored)),
        (Committed::Lost(object), _) => {
            let path = session.layout.path(&Key::Step { task: task.clone(), version });
            let record: Record<TaskVersion> = record::decode(&path, &object.bytes)?;
            let origin = session.origin(&path, &object.bytes, &record.agent);
            let modified = object.modified;
            let record = Box::new(record);
            let there = Head { version, record, origin, modified, newest_at: None };
            // Only a busy log has moved on further since; one listing tells.
            Ok(Placed::Lost(Box::new(newest_after(session, task, there).await?)))
        }
    }
}

/// The version by which this session held a task when it last knew, without asking the store: what
/// an act goes behind first. The log says whether it was right.
pub(crate) fn remembered(session: &Session, state: &State, task: &TaskId) -> Option<Head> {
    let hold = state.holds.get(task)?;
    let (act, task) = (ActName::Claim, hold.task.clone());
    let modified = task.updated_at;
    let version = TaskVersion { act, reason: None, evidence: None, task };
    let (version, record) = (hold.version, Box::new(session.stamp(state, version)));
    Some(Head { version, record, origin: Origin::default(), modified, newest_at: hold.known_at })
}

/// Whether this session may act by a version that names it as the holder: it knows how it came to
/// hold it, in a lease that has not lapsed since. A sibling's claim that landed a moment ago, and
/// one of ours whose outcome was open until now, are known by their notes.
pub(crate) async fn is_known(session: &Session, head: &Head) -> Result<bool, Error> {
    let state = session.update(|_| {})?;
    let (now, boot) = (session.now(), session.world.clock.since_boot());
    if lease::mine(&state.lease, now, boot) == lease::Mine::Lapsed {
        return Ok(false);
    }
    let task = &head.record.body.task;
    if let Some(hold) = state.holds.get(&task.id)
        && hold.epoch == state.lease.epoch
        && hold.version <= head.version
        && hold.task.generation == task.generation
    {
        return Ok(true);
    }
    let Some(open) = state.undecided.iter().find(|open| open.nonce == head.record.nonce) else {
        return Ok(false);
    };
    let Purpose::Step { version, epoch, .. } = open.purpose else { return Ok(false) };
    // The command that put it may have been killed right after.
    secure(session, &task.id, head.version).await?;
    session.adopt(open, version, epoch)?;
    Ok(epoch == state.lease.epoch)
}

/// Makes sure that a version that was seen outlasts a power cut.
pub(crate) async fn secure(session: &Session, task: &TaskId, version: Number) -> Result<(), Error> {
    let path = session.layout.path(&Key::Step { task: task.clone(), version });
    Ok(session.store.secure(&path).await?)
}

/// Turns what the rules found in the way into an error, for acts that have no other way around it.
pub(crate) fn in_the_way(task: &TaskId, obstacle: Obstacle, now: Timestamp) -> Error {
    match obstacle {
        Obstacle::Refused(refusal) => refusal.into(),
        Obstacle::Held(holder) => {
            super::Refusal::Held { task: task.clone(), by: holder.agent, until: None, now }.into()
        }
        Obstacle::Mine => Error::Usage(format!("you hold {task} already")),
    }
}
