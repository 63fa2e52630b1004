//! The journal of a project: every act there was, refusals included, in one order.
//!
//! An act that committed a document is its own entry; what left no other object has one below
//! `events/`. Both are read from one listing, the documents that it names, and the segments of what
//! was archived.

mod entry;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use entry::Entry;

use crate::error::Error;
use crate::id::{AgentId, TaskId};
use crate::key::{Key, Life, Room};
use crate::session::Session;
use crate::session::handle::Listing;
use crate::session::past::LOOKS;
use crate::store::{Listed, Object, ObjectPath};
use crate::survey;

/// How many documents are read before it is looked whether that is enough.
const BATCH: usize = 128;
/// The store's time and a writer's stamp of one act are hardly further apart: stamps that run ahead
/// by more are not followed (`hlc.rs`).
const BLUR: SignedDuration = SignedDuration::from_secs(60);
/// Stores date in whole seconds, some of them.
const TICK: SignedDuration = SignedDuration::from_secs(2);
/// Writers whose clock is wrong by more than this are not found by `since`.
const WRONG_CLOCK: SignedDuration = SignedDuration::from_hours(24);

/// Which entries are wanted; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// By the writers' clocks.
    pub since: Option<Timestamp>,
    /// Whose acts.
    pub agent: Option<AgentId>,
    pub task: Option<TaskId>,
    /// The act's name: `claim`, `memory_set`.
    pub act: Option<String>,
    /// Only what was refused.
    pub refused: bool,
    /// The newest so many.
    pub limit: Option<usize>,
}

/// What a follower has been given; it starts empty.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    objects: BTreeMap<ObjectPath, Sight>,
}

/// How an object was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// It has nothing more to tell.
    Done,
    /// As it was written then; it may be written again.
    At(Timestamp),
    /// So fresh that another write of it could bear the same time.
    Young,
}

/// The verbs about the journal.
#[derive(Debug)]
pub struct History<'a> {
    session: &'a Session,
}

/// An object that may hold an entry.
#[derive(Clone, Debug)]
struct Candidate {
    key: Key,
    row: Listed,
    /// Out of a segment.
    object: Option<Object>,
}

/// What there is at one moment.
struct Everything {
    listing: Listing,
    archived: BTreeMap<ObjectPath, Object>,
}

impl<'a> History<'a> {
    pub fn new(session: &'a Session) -> History<'a> {
        History { session }
    }

    /// The journal, oldest first. One listing while the project fits a page, then one request for
    /// each document that may be wanted.
    pub async fn entries(&self, filter: &Filter) -> Result<Vec<Entry>, Error> {
        self.session.touch().await?;
        for _ in 0..LOOKS {
            let all = self.everything().await?;
            if let Some(entries) = self.read(&all, filter, &Seen::default()).await? {
                return Ok(entries);
            }
        }
        Err(busy())
    }

    /// The entries that came since the last call with the same `seen`; the first call gives what
    /// there is, up to the limit. After an error nothing counts as seen.
    pub async fn follow(&self, seen: &mut Seen, filter: &Filter) -> Result<Vec<Entry>, Error> {
        self.session.touch().await?;
        let first = seen.objects.is_empty();
        let filter = Filter { limit: filter.limit.filter(|_| first), ..filter.clone() };
        for _ in 0..LOOKS {
            let all = self.everything().await?;
            if let Some(entries) = self.read(&all, &filter, seen).await? {
                self.note(seen, all, &entries);
                return Ok(entries);
            }
        }
        Err(busy())
    }

    async fn everything(&self) -> Result<Everything, Error> {
        let listing = survey::everything(self.session).await?;
        let archived = survey::archived(self.session, &listing).await?;
        Ok(Everything { listing, archived })
    }

    /// The entries of these objects, oldest first, for whoever knows what is new: a request for each
    /// that may hold one.
    pub async fn of(&self, paths: &[ObjectPath]) -> Result<Vec<Entry>, Error> {
        let keys: BTreeMap<&ObjectPath, Key> = paths
            .iter()
            .filter_map(|path| Some((path, self.session.layout.parse(path)?)))
            .filter(|(_, key)| holds_entries(key))
            .collect();
        let wanted = keys.keys().map(|path| (*path).clone()).collect();
        let mut entries = Vec::new();
        for (path, answer) in survey::fetch(self.session, wanted).await {
            let Some(object) = answer?.value else { continue };
            entries.extend(self.entry(&keys[&path], &path, &object.bytes));
        }
        entries.sort_by(|a, b| a.order().cmp(&b.order()));
        self.name_the_fenced(&mut entries, &BTreeMap::new()).await?;
        Ok(entries)
    }

    /// Waits until something may have happened.
    pub async fn wait(&self, pause: Duration) {
        let folder = self.session.layout.folder(&Room::All);
        self.session.store.wait(&folder, pause, &*self.session.world.clock).await;
    }

    /// What of a listing may hold a wanted entry, newest first by the store's clock.
    fn candidates(&self, all: &Everything, filter: &Filter, seen: &Seen) -> Vec<Candidate> {
        // Where both are there, the segment says what was first.
        let is_live = |row: &&Listed| !all.archived.contains_key(&row.path);
        let live = all.listing.objects.iter().filter(is_live).map(|row| (row.clone(), None));
        let archived = all.archived.iter().map(|(path, object)| {
            let (size, modified) = (object.bytes.len() as u64, object.modified);
            (Listed { path: path.clone(), size, modified }, Some(object.clone()))
        });
        let mut rows: Vec<Candidate> = live
            .chain(archived)
            .filter_map(|(row, object)| {
                let key = self.session.layout.parse(&row.path)?;
                let again = match seen.objects.get(&row.path) {
                    Some(Sight::Done) => true,
                    Some(Sight::At(then)) => *then == row.modified,
                    Some(Sight::Young) | None => false,
                };
                let wanted = !again && filter.may_want(&key, row.modified);
                wanted.then_some(Candidate { key, row, object })
            })
            .collect();
        rows.sort_by(|Candidate { row: a, .. }, Candidate { row: b, .. }| {
            (b.modified, &b.path).cmp(&(a.modified, &a.path))
        });
        rows
    }

    fn note(&self, seen: &mut Seen, all: Everything, told: &[Entry]) {
        let Everything { listing, archived } = all;
        let told: BTreeSet<&str> = told.iter().map(|entry| &*entry.path).collect();
        let objects = listing.objects.into_iter().map(|row| {
            let life = self.session.layout.parse(&row.path).map(|key| key.life());
            let over = life != Some(Life::Replaced)
                || told.contains(row.path.as_str())
                || seen.objects.get(&row.path) == Some(&Sight::Done);
            let old = listing.store_time.is_some_and(|now| now.duration_since(row.modified) > TICK);
            let sight = match (over, old) {
                (true, _) => Sight::Done,
                (false, true) => Sight::At(row.modified),
                (false, false) => Sight::Young,
            };
            (row.path, sight)
        });
        let archived = archived.into_keys().map(|path| (path, Sight::Done));
        seen.objects = objects.chain(archived).collect();
    }

    /// Reads from the newest on, as far as the limit asks for. `None` when something was archived
    /// between the listing and the look.
    async fn read(
        &self,
        all: &Everything,
        filter: &Filter,
        seen: &Seen,
    ) -> Result<Option<Vec<Entry>>, Error> {
        let rows = self.candidates(all, filter, seen);
        let limit = filter.limit.unwrap_or(usize::MAX);
        if limit == 0 {
            return Ok(Some(Vec::new()));
        }
        let mut entries = Vec::new();
        let mut oldest_wanted = Timestamp::MIN;
        for batch in rows.chunks(BATCH) {
            if batch[0].row.modified < oldest_wanted {
                break;
            }
            let Some(read) = self.read_batch(batch, filter).await? else { return Ok(None) };
            entries.extend(read);
            if let Some((stored, _)) = entries.get(limit - 1) {
                oldest_wanted = stored.checked_sub(BLUR).unwrap_or(Timestamp::MIN);
            }
        }
        let mut entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
        entries.sort_by(|a, b| a.order().cmp(&b.order()));
        entries.drain(..entries.len().saturating_sub(limit));
        self.name_the_fenced(&mut entries, &all.archived).await?;
        Ok(Some(entries))
    }

    async fn read_batch(
        &self,
        batch: &[Candidate],
        filter: &Filter,
    ) -> Result<Option<Vec<(Timestamp, Entry)>>, Error> {
        let live = batch.iter().filter(|candidate| candidate.object.is_none());
        let rows = live.map(|candidate| candidate.row.clone()).collect();
        let mut entries = Vec::new();
        let mut answers = survey::fetch_listed(self.session, rows).await.into_iter();
        for Candidate { key, row, object } in batch {
            let object = match object {
                Some(object) => Some(object.clone()),
                None => match answers.next() {
                    Some((_, answer)) => answer?.value,
                    None => None,
                },
            };
            let Some(object) = object else {
                if matches!(key, Key::Step { .. } | Key::Comment { .. }) {
                    return Ok(None);
                }
                // A message that its reader has deleted meanwhile.
                continue;
            };
            let entry = self.entry(key, &row.path, &object.bytes);
            entries.extend(
                entry.filter(|entry| filter.wants(entry)).map(|entry| (row.modified, entry)),
            );
        }
        Ok(Some(entries))
    }

    /// What a document says; one that cannot be read is told of and left out.
    fn entry(&self, key: &Key, path: &ObjectPath, bytes: &[u8]) -> Option<Entry> {
        match survey::decode(key, path, bytes)? {
            Ok(raw) => {
                let origin = self.session.origin(path, bytes, &raw.agent);
                entry::of(key, path, raw, origin)
            }
            Err(unreadable) => {
                self.session.notice(unreadable.to_string());
                None
            }
        }
    }

    /// A takeover's own document says who holds the task now; who held it before stands in the
    /// version that it follows.
    async fn name_the_fenced(
        &self,
        entries: &mut [Entry],
        archived: &BTreeMap<ObjectPath, Object>,
    ) -> Result<(), Error> {
        let before = |entry: &Entry| match (entry.act.as_str(), &entry.task, entry.version) {
            ("takeover", Some(task), Some(version)) if version > 0 => {
                Some(Key::Step { task: task.clone(), version: version - 1 })
            }
            _ => None,
        };
        let paths: BTreeMap<ObjectPath, Key> = entries
            .iter()
            .filter_map(before)
            .map(|key| (self.session.layout.path(&key), key))
            .collect();
        let mut holders: BTreeMap<ObjectPath, AgentId> = BTreeMap::new();
        let live: Vec<ObjectPath> =
            paths.keys().filter(|path| !archived.contains_key(*path)).cloned().collect();
        let mut objects: Vec<(ObjectPath, Object)> = paths
            .keys()
            .filter_map(|path| Some((path.clone(), archived.get(path)?.clone())))
            .collect();
        for (path, answer) in survey::fetch(self.session, live).await {
            objects.extend(answer?.value.map(|object| (path, object)));
        }
        for (path, object) in objects {
            if let Some(Ok(raw)) = survey::decode(&paths[&path], &path, &object.bytes)
                && let Some(holder) = entry::holder(&raw)
            {
                holders.insert(path, holder);
            }
        }
        for entry in entries {
            let holder = before(entry).and_then(|key| holders.get(&self.session.layout.path(&key)));
            if let Some(holder) = holder {
                entry.was_taken_from(holder);
            }
        }
        Ok(())
    }
}

impl Filter {
    /// Whether the object may hold a wanted entry, as far as its key and its age tell.
    fn may_want(&self, key: &Key, modified: Timestamp) -> bool {
        let young_enough =
            self.since.is_none_or(|since| modified.duration_since(since) >= -WRONG_CLOCK);
        holds_entries(key)
            && young_enough
            && (!self.refused || matches!(key, Key::Event { .. }))
            && self.task.as_ref().is_none_or(|task| may_be_about(key, task))
            && self.agent.as_ref().is_none_or(|agent| may_be_by(key, agent))
    }

    fn wants(&self, entry: &Entry) -> bool {
        self.since.is_none_or(|since| entry.at >= since)
            && self.agent.as_ref().is_none_or(|agent| entry.agent == *agent)
            && self.task.as_ref().is_none_or(|task| entry.task.as_ref() == Some(task))
            && self.act.as_ref().is_none_or(|act| entry.act == *act)
            && (!self.refused || entry.refused)
    }
}

/// Objects that are not said to hold none: reading them would cost and tell nothing.
fn holds_entries(key: &Key) -> bool {
    !matches!(
        key,
        Key::Cursor { .. }
            | Key::ArtifactBody { .. }
            | Key::Transcript { .. }
            | Key::Segment { .. }
    )
}

fn busy() -> Error {
    Error::TimedOut("tasks are archived faster than this command can follow".into())
}

fn may_be_about(key: &Key, task: &TaskId) -> bool {
    match key {
        Key::Step { task: of, .. } | Key::Comment { task: of, .. } => of == task,
        Key::Artifact { scope, .. } => scope.task() == Some(task),
        Key::Project
        | Key::Moved
        | Key::Replica
        | Key::Hello { .. }
        | Key::Beat { .. }
        | Key::Name { .. }
        | Key::File { .. }
        | Key::Memory { .. }
        | Key::Ack { .. }
        | Key::Barrier { .. } => false,
        _ => true,
    }
}

fn may_be_by(key: &Key, agent: &AgentId) -> bool {
    match key {
        Key::Hello { agent: of, .. }
        | Key::Beat { agent: of, .. }
        | Key::Ack { by: of, .. }
        | Key::Barrier { agent: of, .. } => of == agent,
        _ => true,
    }
}
