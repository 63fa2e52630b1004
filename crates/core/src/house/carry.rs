//! Carrying objects from one store to another, each held against its SHA-256. What is here already is
//! not sent again, so a journey that was broken off goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::mover::{Progress, Stage};
use super::porter::{Porter, Sizes, Taken, another, hash_of, rows};
use crate::error::{Error, Kind};
use crate::key::Key;
use crate::session::Session;
use crate::store::{Listed, ObjectPath, Store};
use crate::transfer::batches;

/// How many objects are read back at once.
const READS: usize = 16;

/// An object as it was found in the old place.
#[derive(Clone, Debug)]
struct Carried {
    /// What the listing told, by which a change is seen.
    size: u64,
    modified: Timestamp,
    /// Of what was read.
    bytes: u64,
    sha256: String,
    /// It was read back from the new place.
    is_proved: bool,
}

pub(super) struct Carrier<'a> {
    session: &'a Session,
    to: &'a Arc<dyn Store>,
    progress: &'a (dyn Fn(Progress) + Sync),
    pub porter: Porter<'a>,
    carried: BTreeMap<ObjectPath, Carried>,
    /// What lay in the new place before, by size.
    there: BTreeMap<ObjectPath, u64>,
}

impl<'a> Carrier<'a> {
    /// Looks at what is in the new place: nothing, or a part of this very project.
    pub async fn new(
        session: &'a Session,
        to: &'a Arc<dyn Store>,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Result<Carrier<'a>, Error> {
        let there = rows(&**to, &session.layout).await?;
        let there = there.into_iter().map(|row| (row.path, row.size)).collect();
        let carried = BTreeMap::new();
        // What lies there by name and size is read back before anything counts.
        let porter = Porter::new(session, to, Sizes::Believed);
        Ok(Carrier { session, to, progress, porter, carried, there })
    }

    pub fn objects(&self) -> u64 {
        self.carried.len() as u64
    }

    pub fn bytes(&self) -> u64 {
        self.carried.values().map(|object| object.bytes).sum()
    }

    /// What would be sent: objects, their bytes, and how many of them are there already.
    pub async fn weigh(&self) -> Result<(u64, u64, u64), Error> {
        let rows = rows(&*self.session.store, &self.session.layout).await?;
        self.refuse_others(&rows)?;
        let there = rows.iter().filter(|row| self.there.get(&row.path) == Some(&row.size)).count();
        Ok((rows.len() as u64, rows.iter().map(|row| row.size).sum(), there as u64))
    }

    /// Takes along all that a listing shows which begins now, and takes back what is gone since.
    pub async fn pass(&mut self) -> Result<(), Error> {
        self.tell(Stage::Listing, 0, 0);
        let rows = rows(&*self.session.store, &self.session.layout).await?;
        self.refuse_others(&rows)?;
        self.take_back(&rows).await?;
        let open: Vec<Listed> = rows.into_iter().filter(|row| self.is_open(row)).collect();
        let mut done = 0;
        for batch in batches(&open) {
            self.tell(Stage::Copying, done, open.len() as u64);
            self.carry(batch).await?;
            done += batch.len() as u64;
        }
        self.tell(Stage::Copying, done, open.len() as u64);
        Ok(())
    }

    /// Reads back whatever was not read back yet.
    pub async fn prove(&mut self) -> Result<(), Error> {
        let open: Vec<(ObjectPath, Carried)> = self
            .carried
            .iter()
            .filter(|(_, object)| !object.is_proved)
            .map(|(path, object)| (path.clone(), object.clone()))
            .collect();
        let total = open.len() as u64;
        let to = self.to;
        let read = |(path, object): (ObjectPath, Carried)| async move {
            let found = hash_of(&**to, &path).await?;
            Ok::<_, Error>((path, object.sha256, found))
        };
        let mut answers = stream::iter(open.into_iter().map(read)).buffered(READS);
        let mut done = 0;
        while let Some((path, expected, found)) = answers.try_next().await? {
            if found.as_ref() != Some(&expected) {
                return Err(damaged(&path, found.is_some()));
            }
            if let Some(object) = self.carried.get_mut(&path) {
                object.is_proved = true;
            }
            done += 1;
            if done % 64 == 0 || done == total {
                (self.progress)(Progress { stage: Stage::Verifying, done, total });
            }
        }
        Ok(())
    }

    /// What the new place lists is what was carried, neither more nor less.
    pub async fn count(&self) -> Result<(), Error> {
        let there = rows(&**self.to, &self.session.layout).await?;
        let listed: BTreeMap<&ObjectPath, u64> =
            there.iter().map(|row| (&row.path, row.size)).collect();
        let carried: BTreeMap<&ObjectPath, u64> =
            self.carried.iter().map(|(path, object)| (path, object.bytes)).collect();
        if listed == carried {
            return Ok(());
        }
        let odd = listed
            .keys()
            .chain(carried.keys())
            .find(|path| listed.get(**path) != carried.get(**path));
        let odd = odd.map(ToString::to_string).unwrap_or_default();
        Err(Error::Face {
            kind: Kind::Data,
            message: format!(
                "{} lists {} objects and {} were carried; they differ at {odd}",
                self.to.place(),
                listed.len(),
                carried.len()
            ),
            hint: Some("nobody works there yet; run the same command again".into()),
        })
    }

    /// In the new place there may be a part of this project. Anything else belongs to another one; mail
    /// that its reader has deleted meanwhile, and parts of sessions that were compacted, are taken
    /// away.
    fn refuse_others(&self, rows: &[Listed]) -> Result<(), Error> {
        let here: BTreeSet<&ObjectPath> = rows.iter().map(|row| &row.path).collect();
        let layout = &self.session.layout;
        let strange = self.there.keys().find(|path| {
            !here.contains(path)
                && !self.carried.contains_key(*path)
                && !matches!(layout.parse(path), Some(Key::Message { .. } | Key::Transcript { .. }))
        });
        strange.map_or(Ok(()), |path| Err(another(path, &self.to.place())))
    }

    async fn take_back(&mut self, rows: &[Listed]) -> Result<(), Error> {
        let here: BTreeSet<&ObjectPath> = rows.iter().map(|row| &row.path).collect();
        let gone: BTreeSet<ObjectPath> = self
            .carried
            .keys()
            .chain(self.there.keys())
            .filter(|path| !here.contains(path))
            .cloned()
            .collect();
        for path in gone {
            self.to.delete(&path).await?;
            self.carried.remove(&path);
            self.there.remove(&path);
        }
        Ok(())
    }

    /// Not carried yet, or written again since.
    fn is_open(&self, row: &Listed) -> bool {
        self.carried.get(&row.path).is_none_or(|object| {
            !self.porter.is_once(&row.path)
                && (object.size, object.modified) != (row.size, row.modified)
        })
    }

    async fn carry(&mut self, batch: &[Listed]) -> Result<(), Error> {
        for taken in self.porter.carry(batch, &self.there).await? {
            let Taken { path, size, modified, bytes, sha256 } = taken;
            let carried = Carried { size, modified, bytes, sha256, is_proved: false };
            self.carried.insert(path, carried);
        }
        Ok(())
    }

    fn tell(&self, stage: Stage, done: u64, total: u64) {
        (self.progress)(Progress { stage, done, total });
    }
}

fn damaged(path: &ObjectPath, is_there: bool) -> Error {
    let what = if is_there { "is not what was sent" } else { "is not there" };
    Error::Face {
        kind: Kind::Data,
        message: format!("{path} was read back from the new place and {what}"),
        hint: Some("nobody works there yet; look at that store before you go on".into()),
    }
}
