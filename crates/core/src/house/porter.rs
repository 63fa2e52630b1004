//! Taking objects across: read here, put there, each surely, and hashed on the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind};
use crate::key::{Key, Layout, Life, Room};
use crate::session::Session;
use crate::store::api::MAX_OBJECT;
use crate::store::{Folder, If, List, Listed, ObjectPath, Put, Store, StoreError, StoreErrorKind};
use crate::survey;
use crate::transfer::hex;

/// How many objects are put at once.
const PUTS: usize = 120;
/// How often one object is tried.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What an object there of the same name and size is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sizes {
    /// It is not sent again; whoever asked reads it back later.
    Believed,
    /// It is read and compared now.
    Tried,
}

/// An object as it was read on the way.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub path: ObjectPath,
    /// What the listing told, by which a change is seen.
    pub size: u64,
    pub modified: Timestamp,
    /// Of what was read.
    pub bytes: u64,
    pub sha256: String,
}

pub(super) struct Porter<'a> {
    session: &'a Session,
    to: &'a Arc<dyn Store>,
    sizes: Sizes,
    /// Objects and bytes that were sent.
    pub sent: u64,
    pub sent_bytes: u64,
    /// Were there, byte for byte.
    pub unchanged: u64,
}

impl<'a> Porter<'a> {
    pub fn new(session: &'a Session, to: &'a Arc<dyn Store>, sizes: Sizes) -> Porter<'a> {
        Porter { session, to, sizes, sent: 0, sent_bytes: 0, unchanged: 0 }
    }

    /// Takes a batch across; `there` is what the other place has listed. What is gone here meanwhile
    /// is left out.
    pub async fn carry(
        &mut self,
        batch: &[Listed],
        there: &BTreeMap<ObjectPath, u64>,
    ) -> Result<Vec<Taken>, Error> {
        match batch {
            [large] if large.size > MAX_OBJECT => {
                Ok(self.carry_large(large, there).await?.into_iter().collect())
            }
            batch => self.carry_small(batch, there).await,
        }
    }

    /// Whether a key is never written again. The document that opens a place is put there by others
    /// than those who carry, so it is carried only into copies, where it follows the project's moves.
    pub fn is_once(&self, path: &ObjectPath) -> bool {
        let key = self.session.layout.parse(path);
        key.is_some_and(|key| key.life() == Life::Once && key != Key::Project)
    }

    async fn carry_small(
        &mut self,
        batch: &[Listed],
        there: &BTreeMap<ObjectPath, u64>,
    ) -> Result<Vec<Taken>, Error> {
        let paths = batch.iter().map(|row| row.path.clone()).collect();
        let found = survey::fetch(self.session, paths).await;
        let (mut all, mut fresh) = (Vec::with_capacity(batch.len()), Vec::new());
        for (row, (path, answer)) in batch.iter().zip(found) {
            // What is gone was mail, deleted by its reader.
            let Some(object) = answer?.value else { continue };
            let bytes = object.bytes.len() as u64;
            all.push(taken(row, bytes, Sha256::new_with_prefix(&object.bytes)));
            if !self.is_once(&path) {
                // Always: these have one writer here, and there nobody writes but who carries.
                self.put_surely(&path, object.bytes, If::Always).await?;
            } else if there.get(&path) != Some(&bytes) {
                fresh.push((path, object.bytes));
            } else if self.sizes == Sizes::Believed || self.is_there(&path, &object.bytes).await? {
                self.unchanged += 1;
            } else {
                return Err(another(&path, &self.to.place()));
            }
        }
        for objects in fresh.chunks(PUTS) {
            let answers = self.to.put_many(objects.to_vec()).await;
            for ((path, bytes), answer) in objects.iter().zip(answers) {
                match answer {
                    Ok(answer) if answer.value == Put::Stored => self.count_sent(bytes),
                    _ => self.put_surely(path, bytes.clone(), If::Absent).await?,
                }
            }
        }
        Ok(all)
    }

    async fn is_there(&self, path: &ObjectPath, bytes: &Bytes) -> Result<bool, Error> {
        Ok(self.to.get(path).await?.value.is_some_and(|there| there.bytes == bytes))
    }

    /// A refusal is believed only after a look, and an error not at all.
    async fn put_surely(
        &mut self,
        path: &ObjectPath,
        bytes: Bytes,
        condition: If,
    ) -> Result<(), Error> {
        let world = &self.session.world;
        let (mut pause, mut last) = (FIRST_PAUSE, None);
        for _ in 0..TRIES {
            match self.to.put(path, bytes.clone(), condition).await {
                Ok(answer) if answer.value == Put::Stored => {
                    self.count_sent(&bytes);
                    return Ok(());
                }
                Ok(_) => match self.to.get(path).await?.value {
                    Some(there) if there.bytes == bytes => {
                        self.count_sent(&bytes);
                        return Ok(());
                    }
                    Some(_) => return Err(another(path, &self.to.place())),
                    None => {}
                },
                Err(error) if error.is_final() => return Err(error.into()),
                Err(error) => {
                    // It may have been stored all the same.
                    if condition == If::Absent && self.is_there(path, &bytes).await.unwrap_or(false)
                    {
                        self.count_sent(&bytes);
                        return Ok(());
                    }
                    last = Some(error);
                }
            }
            world.clock.sleep(world.jitter(pause)).await;
            pause *= 2;
        }
        Err(last.map_or_else(|| busy(path, &self.to.place()), Error::from))
    }

    async fn carry_large(
        &mut self,
        row: &Listed,
        there: &BTreeMap<ObjectPath, u64>,
    ) -> Result<Option<Taken>, Error> {
        let Some(body) = self.session.store.get_body(&row.path).await?.value else {
            return Ok(None);
        };
        let hasher = Arc::new(Mutex::new((Sha256::new(), 0)));
        let seen = hasher.clone();
        let body = body.inspect_ok(move |piece| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.0.update(piece);
            seen.1 += piece.len() as u64;
        });
        let is_there = there.get(&row.path) == Some(&row.size);
        if is_there {
            let failed = |source| Error::File { doing: format!("reading {}", row.path), source };
            body.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(failed)?;
            self.unchanged += 1;
        } else {
            self.to.put_body(&row.path, body.boxed()).await?;
            (self.sent, self.sent_bytes) = (self.sent + 1, self.sent_bytes + row.size);
        }
        let (hasher, bytes) = hasher.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let taken = taken(row, bytes, hasher);
        let is_tried = is_there && self.sizes == Sizes::Tried;
        if is_tried && hash_of(&**self.to, &row.path).await?.as_ref() != Some(&taken.sha256) {
            return Err(another(&row.path, &self.to.place()));
        }
        Ok(Some(taken))
    }

    fn count_sent(&mut self, bytes: &Bytes) {
        self.sent += 1;
        self.sent_bytes += bytes.len() as u64;
    }
}

fn taken(row: &Listed, bytes: u64, hasher: Sha256) -> Taken {
    let (path, size, modified) = (row.path.clone(), row.size, row.modified);
    Taken { path, size, modified, bytes, sha256: hex(hasher) }
}

/// All that a project has in a store, but for what belongs to the place itself: the document that
/// opens it, the note that closes it, what a copy says of itself, and its proofs.
pub(super) async fn rows(store: &dyn Store, layout: &Layout) -> Result<Vec<Listed>, StoreError> {
    let proof: Folder = layout.folder(&Room::Proof);
    let own = [Key::Project, Key::Moved, Key::Replica].map(|key| layout.path(&key));
    let mut ask = List::all(layout.folder(&Room::All));
    let mut rows = Vec::new();
    loop {
        let page = store.list(&ask).await?.value;
        let is_carried = |row: &Listed| !own.contains(&row.path) && !proof.contains(&row.path);
        rows.extend(page.objects.into_iter().filter(is_carried));
        ask.token = page.next;
        if ask.token.is_none() {
            return Ok(rows);
        }
    }
}

pub(super) async fn hash_of(store: &dyn Store, path: &ObjectPath) -> Result<Option<String>, Error> {
    let Some(mut body) = store.get_body(path).await?.value else { return Ok(None) };
    let mut hasher = Sha256::new();
    let failed = |source| Error::File { doing: format!("reading {path} back"), source };
    while let Some(piece) = body.try_next().await.map_err(failed)? {
        hasher.update(&piece);
    }
    Ok(Some(hex(hasher)))
}

pub(super) fn another(path: &ObjectPath, place: &str) -> Error {
    Error::Face {
        kind: Kind::Held,
        message: format!("{place} has another project of this name: {path} is there"),
        hint: Some("choose another folder, bucket or prefix".into()),
    }
}

fn busy(path: &ObjectPath, place: &str) -> Error {
    let doing = format!("putting {path} in {place}");
    let detail = "it refused each attempt and stored nothing";
    StoreError::new(StoreErrorKind::Throttled, doing, detail).into()
}
