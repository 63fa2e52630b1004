//! `copy` and `move`. A move closes the old place with a note, waits until nobody relies on a look
//! from before the note, and takes what is there then: no write counts that could come later
//! (see `session::whereabouts`). The new place is opened last, with the project's document.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::carry::Carrier;
use super::porter::another;
use crate::error::{Error, Kind};
use crate::id::Nonce;
use crate::key::{Key, Room};
use crate::log::{self, Appended, Patience};
use crate::project::{CameFrom, Destination, Elsewhere, Moved, ProjectDocument};
use crate::record::{self, Document, Record};
use crate::session::{Session, lease};
use crate::store::probe::{self, Proof};
use crate::store::{Object, Store};

/// Longest pause between two words on how long it still takes.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// What to do with the old place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// It stays as it is, and the copy is a project of its own.
    Copy,
    /// It is closed, and everybody follows.
    Move,
}

/// Where a project is to go.
pub struct Errand<'a> {
    pub way: Way,
    pub to: Arc<dyn Store>,
    /// The same place as it is told to others.
    pub destination: Destination,
    pub dry_run: bool,
    /// Go on where claims are not safe.
    pub accept_racy_store: bool,
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    /// Objects; seconds where it waits.
    pub done: u64,
    pub total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Proving,
    Listing,
    Copying,
    Verifying,
    /// The old place is closed, and old looks at it run out.
    Waiting,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Relocated {
    pub way: Way,
    pub project: String,
    pub from: String,
    pub to: String,
    pub dry_run: bool,
    /// It had been moved there before, whole.
    pub was_done: bool,
    /// In the new place; its project document comes on top.
    pub objects: u64,
    pub bytes: u64,
    pub sent: u64,
    pub sent_bytes: u64,
    /// Were there already, byte for byte.
    pub unchanged: u64,
    /// Claims are safe in the new place; `null` when it was not tried.
    pub claims_are_safe: Option<bool>,
}

/// The verbs that take a project to another place.
#[derive(Debug)]
pub struct Mover<'a> {
    session: &'a Session,
}

impl<'a> Mover<'a> {
    pub fn new(session: &'a Session) -> Mover<'a> {
        Mover { session }
    }

    /// Run again after whatever stopped it, it goes on.
    pub async fn run(&self, errand: &Errand<'_>) -> Result<Relocated, Error> {
        let found = self.session.read::<ProjectDocument>(&Key::Project).await?;
        let Some(here) = found.map(|found| found.record) else {
            let (project, place) = (self.session.layout.project(), self.session.store.place());
            return Err(Error::NotSetUp(format!("there is no project {project} in {place}")));
        };
        if errand.way == Way::Move
            && let Some(copy) = self.session.closing_note().await?.filter(Elsewhere::is_replica)
        {
            return Err(Error::Replica(Box::new(copy)));
        }
        let note = self.note_for(errand).await?;
        if let Some(there) = self.opened(errand).await? {
            return self.was_done(errand, &here, note.as_ref(), &there);
        }
        let mut carrier = Carrier::new(self.session, &errand.to, errand.progress).await?;
        if errand.dry_run {
            let (objects, bytes, unchanged) = carrier.weigh().await?;
            return Ok(Relocated { objects, bytes, unchanged, ..self.relocated(errand) });
        }
        let proof = self.prove(errand).await?;
        carrier.pass().await?;
        carrier.prove().await?;
        let id = match errand.way {
            Way::Copy => None,
            Way::Move => {
                let id = self.close(errand).await?;
                self.wait(errand).await;
                carrier.pass().await?;
                carrier.prove().await?;
                Some(id)
            }
        };
        carrier.count().await?;
        let claims_are_safe = Some(proof.carries_claims());
        self.open(errand, here, proof, id).await?;
        Ok(Relocated {
            objects: carrier.objects(),
            bytes: carrier.bytes(),
            sent: carrier.porter.sent,
            sent_bytes: carrier.porter.sent_bytes,
            unchanged: carrier.porter.unchanged,
            claims_are_safe,
            ..self.relocated(errand)
        })
    }

    /// Whether the project is open in a place: what follows an old place's note waits for this.
    pub async fn is_open(session: &Session, note: &Moved) -> Result<bool, Error> {
        let found = session.read::<ProjectDocument>(&Key::Project).await?;
        Ok(found.is_some_and(|found| came_by(&found.record, &note.id)))
    }

    /// The note of a move that was begun, when it leads to the same place.
    async fn note_for(&self, errand: &Errand<'_>) -> Result<Option<Moved>, Error> {
        match self.session.note_of_a_move().await? {
            Some(elsewhere)
                if errand.way == Way::Copy || elsewhere.note.to != errand.destination =>
            {
                Err(Error::Moved(Box::new(elsewhere)))
            }
            found => Ok(found.map(|elsewhere| elsewhere.note)),
        }
    }

    /// The project's document in the new place. A place that was left stays closed for ever: a late
    /// write there must never be taken for one of today.
    async fn opened(&self, errand: &Errand<'_>) -> Result<Option<Record<ProjectDocument>>, Error> {
        let layout = &self.session.layout;
        if let Some(note) = errand.to.get(&layout.path(&Key::Moved)).await?.value {
            let note: Record<Moved> = record::decode(&layout.path(&Key::Moved), &note.bytes)?;
            let what = match note.body.replica {
                Some(_) => "is a copy that is carried on, and nobody works there",
                None => "was left by this project before, and stays closed",
            };
            return Err(Error::Face {
                kind: Kind::Held,
                message: format!("{} {what}", errand.to.place()),
                hint: Some(
                    "choose another folder or prefix; 'brigade move local' finds one here".into(),
                ),
            });
        }
        let path = layout.path(&Key::Project);
        let found = errand.to.get(&path).await?.value;
        Ok(found.map(|object| record::decode(&path, &object.bytes)).transpose()?)
    }

    fn was_done(
        &self,
        errand: &Errand<'_>,
        here: &Record<ProjectDocument>,
        note: Option<&Moved>,
        there: &Record<ProjectDocument>,
    ) -> Result<Relocated, Error> {
        if note.is_some_and(|note| came_by(there, &note.id)) {
            return Ok(Relocated { was_done: true, ..self.relocated(errand) });
        }
        let is_copy = there.body.came_from.as_ref().is_some_and(|from| from.project == here.nonce);
        let what = if is_copy { "a copy of it" } else { "another project of this name" };
        let what = if there.nonce == here.nonce { "this very project" } else { what };
        Err(Error::Face {
            kind: Kind::Held,
            message: format!("{what} is in {} already", errand.to.place()),
            hint: Some("choose another folder, bucket or prefix".into()),
        })
    }

    async fn prove(&self, errand: &Errand<'_>) -> Result<Proof, Error> {
        (errand.progress)(Progress { stage: Stage::Proving, done: 0, total: 0 });
        let under = self.session.layout.folder(&Room::Proof);
        let proof = probe::short(&*errand.to, &self.session.world, &under).await?;
        if proof.carries_claims() || errand.accept_racy_store {
            return Ok(proof);
        }
        Err(Error::Face {
            kind: Kind::Store,
            message: format!(
                "{} does not keep what claims need: {}",
                errand.to.place(),
                proof.explain().join("; ")
            ),
            hint: Some(
                "choose another store, or go on with best-effort claims: --allow-racy-store".into(),
            ),
        })
    }

    /// Puts the note. From here on the move can only be finished.
    async fn close(&self, errand: &Errand<'_>) -> Result<Nonce, Error> {
        let session = self.session;
        let id = Nonce::draw(&*session.world.entropy);
        let note = Moved { id: id.clone(), to: errand.destination.clone(), replica: None };
        let what = "the note that closes the old place";
        let lost = match self.put(&*session.store, &Key::Moved, note, what).await? {
            None => return Ok(id),
            Some(lost) => lost,
        };
        let path = session.layout.path(&Key::Moved);
        let there: Record<Moved> = record::decode(&path, &lost.bytes)?;
        if there.body.to == errand.destination {
            return Ok(there.body.id);
        }
        match session.note_of_a_move().await? {
            Some(elsewhere) => Err(Error::Moved(Box::new(elsewhere))),
            None => Err(Error::Unknown { what: what.into() }),
        }
    }

    /// Counted from now, whenever the note was put: whoever goes on with a move that was broken off
    /// knows nothing of the time before by a clock of its own.
    async fn wait(&self, errand: &Errand<'_>) {
        if self.session.store.root().is_some() {
            // In a folder every writer looks after it has put.
            return;
        }
        let clock = &self.session.world.clock;
        let (started, span) = (clock.since_boot(), lease::until_old_looks_are_over());
        loop {
            let passed = clock.since_boot().saturating_sub(started);
            let (done, total) = (passed.as_secs(), span.as_secs());
            (errand.progress)(Progress { stage: Stage::Waiting, done, total });
            let left = span.saturating_sub(passed);
            if left.is_zero() {
                return;
            }
            clock.sleep(left.min(TOLD_EVERY)).await;
        }
    }

    async fn open(
        &self,
        errand: &Errand<'_>,
        here: Record<ProjectDocument>,
        proof: Proof,
        id: Option<Nonce>,
    ) -> Result<(), Error> {
        let came_from = CameFrom {
            id: id.clone(),
            place: self.session.store.place(),
            at: self.session.now(),
            project: here.nonce,
        };
        let document = ProjectDocument {
            accepts_racy_store: errand.accept_racy_store && !proof.carries_claims(),
            proof,
            came_from: Some(came_from),
            ..here.body
        };
        let what = "the document that opens the new place";
        let Some(lost) = self.put(&*errand.to, &Key::Project, document, what).await? else {
            return Ok(());
        };
        // Somebody else who finished the same move.
        let path = self.session.layout.path(&Key::Project);
        let there: Record<ProjectDocument> = record::decode(&path, &lost.bytes)?;
        match id {
            Some(id) if came_by(&there, &id) => Ok(()),
            _ => Err(another(&path, &errand.to.place())),
        }
    }

    /// Puts one document in one of the two places; what was there before, if it lost.
    async fn put<T: Document>(
        &self,
        store: &dyn Store,
        key: &Key,
        body: T,
        what: &str,
    ) -> Result<Option<Object>, Error> {
        let session = self.session;
        let state = session.update(|state| state.hlc = state.hlc.tick(session.now()))?;
        let record = session.stamp(&state, body);
        let path = session.layout.path(key);
        let bytes = session.seal(&path, &record)?;
        let patience = Patience::default();
        match log::append(store, &session.world, &path, &record.nonce, &bytes, patience).await? {
            Appended::Won { .. } => Ok(None),
            Appended::Lost(object) => Ok(Some(object)),
            Appended::Unknown => Err(Error::Unknown { what: what.into() }),
        }
    }

    fn relocated(&self, errand: &Errand<'_>) -> Relocated {
        Relocated {
            way: errand.way,
            project: self.session.layout.project().to_string(),
            from: self.session.store.place(),
            to: errand.to.place(),
            dry_run: errand.dry_run,
            was_done: false,
            objects: 0,
            bytes: 0,
            sent: 0,
            sent_bytes: 0,
            unchanged: 0,
            claims_are_safe: None,
        }
    }
}

fn came_by(document: &Record<ProjectDocument>, id: &Nonce) -> bool {
    document.body.came_from.as_ref().and_then(|from| from.id.as_ref()) == Some(id)
}
