//! A copy that is carried on: whatever is put in the project is put there a moment later. The place of a
//! copy is closed by a note from its first moment, like one that a project has left, so nothing that
//! anybody else puts there ever counts (decision 0018).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::cursor::Cursor;
use super::evidence::was_deleted;
use super::porter::{Porter, Sizes, hash_of, rows};
use crate::error::{Error, Kind};
use crate::id::Nonce;
use crate::key::{Key, Life, Room};
use crate::log::{self, Appended, Patience};
use crate::project::{Destination, Moved, ProjectDocument, ReplicaState};
use crate::record::{self, Record};
use crate::session::Session;
use crate::store::{If, List, Listed, ObjectPath, Store, StoreError, StoreErrorKind};
use crate::text::counted;
use crate::transfer::batches;

/// How often one flush looks whether something came meanwhile.
const ROUNDS: u32 = 5;
/// A copy that nothing happens to says so often enough that it is still carried on.
const TOLD_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often a copy is held against its own listing without being asked.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How much is sent between two notes on this machine of how far it is.
const NOTE_EVERY: u64 = 500;

/// One run of carrying on.
pub struct Flush<'a> {
    pub to: Arc<dyn Store>,
    /// Where the project itself is, as it is told to those who look at the copy.
    pub truth: Destination,
    /// Hold the copy against its own listing, before and after.
    pub look: bool,
    /// Ends in between when this says so; the next one goes on.
    pub is_over: &'a (dyn Fn() -> bool + Sync),
    /// Keeps the cursor on this machine.
    pub save: &'a (dyn Fn(&Cursor) -> Result<(), Error> + Sync),
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flushed {
    pub objects: u64,
    pub bytes: u64,
    pub sent: u64,
    pub sent_bytes: u64,
    pub deleted: u64,
    /// Gone from the project, and not by any act of brigade's: the copy keeps them.
    pub kept: u64,
    /// Were taken there before and were not there any more; they were taken again.
    pub lost_there: u64,
    pub as_of: Option<Timestamp>,
    /// Nothing was left to be taken at the end.
    pub is_whole: bool,
}

/// How much a copy lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Behind {
    pub objects: u64,
    pub bytes: u64,
    /// Deleted here and still there.
    pub deletions: u64,
}

/// Each object of the project, held against the copy's by its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub equal: u64,
    /// Written once, and not the same there.
    pub differing: Vec<String>,
    /// Not there; or of what is written again, an older one.
    pub behind: Vec<String>,
    /// There, and not in the project any more.
    pub only_there: u64,
}

/// The verbs of a project's copy.
#[derive(Debug)]
pub struct Replica<'a> {
    session: &'a Session,
}

impl<'a> Replica<'a> {
    pub fn new(session: &'a Session) -> Replica<'a> {
        Replica { session }
    }

    /// Takes there what is not there yet, and begins the copy when there is none. Run again after
    /// whatever stopped it, it goes on. Two at once do the same puts.
    pub async fn flush(&self, cursor: &mut Cursor, flush: &Flush<'_>) -> Result<Flushed, Error> {
        let session = self.session;
        let here = self.truth().await?;
        self.claim(cursor, flush, &here).await?;
        let mut done = Flushed::default();
        let is_due = |at: Option<Timestamp>, every: Duration| {
            at.is_none_or(|at| session.now().duration_since(at).unsigned_abs() > every)
        };
        let looks = flush.look || is_due(cursor.looked_at, LOOK_EVERY);
        // The copy first: what it has and the project lacks after that, the project has let go of.
        let mut there = match looks {
            true => self.look(cursor, flush, &mut done).await?,
            false => BTreeMap::new(),
        };
        let (mut porter, before) = (Porter::new(session, &flush.to, Sizes::Tried), cursor.as_of);
        let passed = self.passes(cursor, flush, &mut there, &mut porter, &mut done).await;
        (done.sent, done.sent_bytes) = (porter.sent, porter.sent_bytes);
        (flush.save)(cursor)?;
        passed?;
        if cursor.project.as_ref() != Some(&here.nonce) {
            self.take_document(cursor, flush).await?;
        }
        let has_advanced = cursor.as_of != before;
        if looks && has_advanced {
            self.look_again(cursor, flush).await?;
        }
        let is_news = done.sent + done.deleted + done.lost_there > 0;
        if has_advanced && (is_news || is_due(cursor.told_at, TOLD_EVERY)) {
            self.tell(cursor, flush, &here).await?;
        }
        (flush.save)(cursor)?;
        (done.objects, done.bytes) = (cursor.objects.len() as u64, cursor.bytes());
        (done.as_of, done.kept) = (cursor.as_of, cursor.kept);
        Ok(done)
    }

    /// What a flush would take, without asking the copy anything.
    pub async fn behind(&self, cursor: &Cursor) -> Result<Behind, Error> {
        let rows = rows(&*self.session.store, &self.session.layout).await?;
        let open: Vec<&Listed> = rows.iter().filter(|row| !cursor.has(row)).collect();
        let deletions = self.gone(cursor, &BTreeMap::new(), &rows).0.len() as u64;
        let bytes = open.iter().map(|row| row.size).sum();
        Ok(Behind { objects: open.len() as u64, bytes, deletions })
    }

    /// Reads both and compares. What differs is forgotten by the cursor, so that the next flush sees it.
    pub async fn verify(
        &self,
        cursor: &mut Cursor,
        to: &Arc<dyn Store>,
    ) -> Result<Verified, Error> {
        let session = self.session;
        let there = listed(&**to, session).await?;
        let here = rows(&*session.store, &session.layout).await?;
        let mut found = Verified::default();
        for row in &here {
            let ours = hash_of(&*session.store, &row.path).await?;
            let theirs = hash_of(&**to, &row.path).await?;
            let key = session.layout.parse(&row.path);
            let is_once = key.is_some_and(|key| key.life() == Life::Once);
            match (ours == theirs, theirs.is_some() && is_once) {
                _ if ours.is_none() => {}
                (true, _) => found.equal += 1,
                (false, true) => found.differing.push(row.path.to_string()),
                (false, false) => found.behind.push(row.path.to_string()),
            }
        }
        for path in found.differing.iter().chain(&found.behind) {
            cursor.objects.remove(path);
        }
        let here: BTreeSet<&ObjectPath> = here.iter().map(|row| &row.path).collect();
        found.only_there = there.keys().filter(|path| !here.contains(path)).count() as u64;
        Ok(found)
    }

    /// The project's document; without it nothing is carried, and nothing is let go of.
    async fn truth(&self) -> Result<Record<ProjectDocument>, Error> {
        if let Some(note) = self.session.closing_note().await? {
            let note = Box::new(note);
            return Err(if note.is_replica() { Error::Replica(note) } else { Error::Moved(note) });
        }
        let found = self.session.read::<ProjectDocument>(&Key::Project).await?;
        found.map(|found| found.record).ok_or_else(|| {
            let (project, place) = (self.session.layout.project(), self.session.store.place());
            Error::NotSetUp(format!("there is no project {project} in {place}"))
        })
    }

    /// Sees that the other place is a copy of this very project, or makes it one.
    async fn claim(
        &self,
        cursor: &mut Cursor,
        flush: &Flush<'_>,
        here: &Record<ProjectDocument>,
    ) -> Result<(), Error> {
        let session = self.session;
        let path = session.layout.path(&Key::Moved);
        let note = match flush.to.get(&path).await?.value {
            Some(note) => note.bytes,
            None => match self.begin(flush, here).await? {
                Ok(id) => {
                    *cursor = Cursor { id: Some(id), ..Cursor::default() };
                    return Ok(());
                }
                Err(other) => other,
            },
        };
        let note: Record<Moved> = record::decode(&path, &note)?;
        if cursor.id.as_ref() != Some(&note.body.id) {
            *cursor = Cursor { id: Some(note.body.id.clone()), ..Cursor::default() };
        }
        let mut of: Vec<Nonce> = note.body.replica.into_iter().collect();
        if !is_of(here, &of) && !of.is_empty() {
            let path = session.layout.path(&Key::Replica);
            if let Some(state) = flush.to.get(&path).await?.value {
                of.push(record::decode::<ReplicaState>(&path, &state.bytes)?.body.project);
            }
            of.extend(cursor.project.clone());
        }
        if is_of(here, &of) { Ok(()) } else { Err(no_copy(&flush.to.place())) }
    }

    /// Puts the note that closes the copy's place to all others; the bytes of what is there, if
    /// somebody else has.
    async fn begin(
        &self,
        flush: &Flush<'_>,
        here: &Record<ProjectDocument>,
    ) -> Result<Result<Nonce, bytes::Bytes>, Error> {
        let session = self.session;
        let ask = List { limit: 1, ..List::all(session.layout.folder(&Room::All)) };
        if !flush.to.list(&ask).await?.value.objects.is_empty() {
            return Err(no_copy(&flush.to.place()));
        }
        let id = Nonce::draw(&*session.world.entropy);
        let replica = Some(here.nonce.clone());
        let note = Moved { id: id.clone(), to: flush.truth.clone(), replica };
        let state = session.update(|state| state.hlc = state.hlc.tick(session.now()))?;
        let record = session.stamp(&state, note);
        let path = session.layout.path(&Key::Moved);
        let bytes = session.seal(&path, &record)?;
        let (world, patience) = (&session.world, Patience::default());
        match log::append(&*flush.to, world, &path, &record.nonce, &bytes, patience).await? {
            Appended::Won { .. } => Ok(Ok(id)),
            Appended::Lost(object) => Ok(Err(object.bytes)),
            Appended::Unknown => {
                Err(Error::Unknown { what: "the note that begins the copy".into() })
            }
        }
    }

    async fn passes(
        &self,
        cursor: &mut Cursor,
        flush: &Flush<'_>,
        there: &mut BTreeMap<ObjectPath, u64>,
        porter: &mut Porter<'_>,
        done: &mut Flushed,
    ) -> Result<(), Error> {
        let session = self.session;
        let mut noted = 0;
        for _ in 0..ROUNDS {
            let began = session.now();
            let rows = rows(&*session.store, &session.layout).await?;
            let (gone, kept) = self.gone(cursor, there, &rows);
            cursor.kept = kept;
            let mut open: Vec<Listed> = rows.into_iter().filter(|row| !cursor.has(row)).collect();
            if open.is_empty() && gone.is_empty() {
                (cursor.as_of, done.is_whole) = (Some(began), true);
                return Ok(());
            }
            // What others point at goes before what points at it.
            open.sort_by_key(|row| rank(session.layout.parse(&row.path).as_ref()));
            for batch in batches(&open) {
                if (flush.is_over)() {
                    return Ok(());
                }
                for taken in porter.carry(batch, there).await? {
                    cursor.take(&taken, porter.is_once(&taken.path));
                }
                if porter.sent >= noted + NOTE_EVERY {
                    noted = porter.sent;
                    (flush.save)(cursor)?;
                }
            }
            for path in gone {
                flush.to.delete(&path).await?;
                cursor.objects.remove(path.as_str());
                there.remove(&path);
                done.deleted += 1;
            }
            // All that was there when this listing began.
            cursor.as_of = Some(began);
        }
        Ok(())
    }

    /// What the project has let go of, and how much is gone otherwise.
    fn gone(
        &self,
        cursor: &Cursor,
        there: &BTreeMap<ObjectPath, u64>,
        rows: &[Listed],
    ) -> (Vec<ObjectPath>, u64) {
        let layout = &self.session.layout;
        let here: BTreeSet<ObjectPath> = rows.iter().map(|row| row.path.clone()).collect();
        let known = cursor.objects.keys().filter_map(|path| ObjectPath::parse(path.as_str()).ok());
        let lacking: BTreeSet<ObjectPath> =
            known.chain(there.keys().cloned()).filter(|path| !here.contains(path)).collect();
        let (gone, kept): (Vec<ObjectPath>, Vec<ObjectPath>) =
            lacking.into_iter().partition(|path| was_deleted(layout, &here, path));
        (gone, kept.len() as u64)
    }

    /// What the copy lists; the cursor forgets what is not there.
    async fn look(
        &self,
        cursor: &mut Cursor,
        flush: &Flush<'_>,
        done: &mut Flushed,
    ) -> Result<BTreeMap<ObjectPath, u64>, Error> {
        let mut there = listed(&*flush.to, self.session).await?;
        done.lost_there = cursor.keep_only(&there);
        let path = self.session.layout.path(&Key::Project);
        if cursor.project.is_some() && flush.to.get(&path).await?.value.is_none() {
            cursor.project = None;
            done.lost_there += 1;
        }
        there.retain(|path, _| !cursor.objects.contains_key(path.as_str()));
        Ok(there)
    }

    /// A store that says that it has stored something and does not list it is no place for a copy.
    async fn look_again(&self, cursor: &mut Cursor, flush: &Flush<'_>) -> Result<(), Error> {
        let there = listed(&*flush.to, self.session).await?;
        let lost = cursor.keep_only(&there);
        if lost == 0 {
            cursor.looked_at = Some(self.session.now());
            return Ok(());
        }
        (cursor.as_of, cursor.looked_at) = (None, None);
        (flush.save)(cursor)?;
        let detail =
            format!("its listing lacks {} that it has just acknowledged", counted(lost, "object"));
        let doing = format!("looking at the copy in {}", flush.to.place());
        Err(StoreError::new(StoreErrorKind::Failed, doing, detail).into())
    }

    /// The project's own document goes last: with it the copy can be looked at as a project.
    async fn take_document(&self, cursor: &mut Cursor, flush: &Flush<'_>) -> Result<(), Error> {
        let path = self.session.layout.path(&Key::Project);
        let Some(object) = self.session.store.get(&path).await?.value else { return Ok(()) };
        let document: Record<ProjectDocument> = record::decode(&path, &object.bytes)?;
        // Always: nobody opens a place that is closed by a note, and it follows the project's moves.
        flush.to.put(&path, object.bytes, If::Always).await?;
        cursor.project = Some(document.nonce);
        Ok(())
    }

    async fn tell(
        &self,
        cursor: &mut Cursor,
        flush: &Flush<'_>,
        here: &Record<ProjectDocument>,
    ) -> Result<(), Error> {
        let Some(as_of) = cursor.as_of else { return Ok(()) };
        let session = self.session;
        let (objects, bytes) = (cursor.objects.len() as u64, cursor.bytes());
        let body = ReplicaState { as_of, project: here.nonce.clone(), objects, bytes };
        let state = session.update(|state| state.hlc = state.hlc.tick(session.now()))?;
        let path = session.layout.path(&Key::Replica);
        let sealed = session.seal(&path, &session.stamp(&state, body))?;
        // Always: for people; the next one who carries says it again.
        flush.to.put(&path, sealed, If::Always).await?;
        cursor.told_at = Some(session.now());
        Ok(())
    }
}

/// Whether a project's document is that of one of these, or of one that has moved since.
fn is_of(here: &Record<ProjectDocument>, of: &[Nonce]) -> bool {
    let moved = here.body.came_from.as_ref().filter(|from| from.id.is_some());
    of.contains(&here.nonce) || moved.is_some_and(|from| of.contains(&from.project))
}

async fn listed(
    store: &dyn Store,
    session: &Session,
) -> Result<BTreeMap<ObjectPath, u64>, StoreError> {
    let rows = rows(store, &session.layout).await?;
    Ok(rows.into_iter().map(|row| (row.path, row.size)).collect())
}

fn rank(key: Option<&Key>) -> u8 {
    use crate::key::transcript::Piece;
    match key {
        Some(Key::ArtifactBody { .. } | Key::Segment { .. }) => 0,
        Some(Key::Transcript { piece: Piece::Body { .. } | Piece::Merged { .. }, .. }) => 0,
        Some(Key::Artifact { .. } | Key::Comment { .. } | Key::Hello { .. }) => 1,
        _ => 2,
    }
}

fn no_copy(place: &str) -> Error {
    Error::Face {
        kind: Kind::Held,
        message: format!("{place} has something else under this project's name, and no copy of it"),
        hint: Some("choose another folder, bucket or prefix".into()),
    }
}
