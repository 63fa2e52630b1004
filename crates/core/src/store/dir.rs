//! The store in a local folder: one file per object, and no lock files.
//!
//! Calls block where they stand, inside `async` functions: the command line runs on one thread, a
//! call takes micro- to milliseconds, and handing it to another thread costs more than it saves.

mod batch;
mod body;
pub mod calls;
mod create;
mod fault;
pub mod filesystem;
mod recall;
mod sweep;
mod sys;
#[cfg(test)]
mod tests;
mod time;
mod walk;
mod watch;
mod way;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;

use super::api::MAX_OBJECT;
use super::{
    Answer, Body, Folder, If, List, Object, ObjectPath, Page, Put, Store, StoreError,
    StoreErrorKind,
};
use crate::cache::Drawer;
use crate::clock::{Clock, World};
use calls::{Watch, Watcher};
use create::Temp;
use fault::Fault;
use recall::Recall;
use sweep::Act;
use sys::{Errno, Handle};
use time::StoreClock;
use watch::Watches;

/// Objects as files below one folder, safe to share between processes, and over NFS between
/// machines. Create-once is `link(2)`, or a rename that does not replace.
#[derive(Debug)]
pub struct DirStore {
    root: PathBuf,
    world: World,
    clock: StoreClock,
    watches: Watches,
    watch: Watch,
    recall: Option<Recall>,
}

impl DirStore {
    /// Takes the folder as it is. It may be reached by a symlink; below it none is followed.
    pub fn open(root: &Path, world: World) -> Result<DirStore, StoreError> {
        DirStore::opened(root, world, Watch::default())
    }

    /// Makes the folder, and what is missing on the way to it, for its owner alone. One that is
    /// there already may be of somebody who was killed: it is made to last all the same.
    pub fn create(root: &Path, world: World) -> Result<DirStore, StoreError> {
        DirStore::created(root, world, Watch::default())
    }

    /// [`DirStore::open`], and the watcher is told of every call to the file system.
    pub fn open_watched(
        root: &Path,
        world: World,
        watcher: Arc<dyn Watcher>,
    ) -> Result<DirStore, StoreError> {
        DirStore::opened(root, world, Watch::by(watcher))
    }

    /// [`DirStore::create`], watched in the same way.
    pub fn create_watched(
        root: &Path,
        world: World,
        watcher: Arc<dyn Watcher>,
    ) -> Result<DirStore, StoreError> {
        DirStore::created(root, world, Watch::by(watcher))
    }

    fn opened(root: &Path, world: World, watch: Watch) -> Result<DirStore, StoreError> {
        let store = DirStore {
            root: root.to_owned(),
            world,
            clock: StoreClock::default(),
            watches: Watches::default(),
            watch,
            recall: None,
        };
        store.told("opening", "", store.root())?;
        Ok(store)
    }

    fn created(root: &Path, world: World, watch: Watch) -> Result<DirStore, StoreError> {
        make_root(root, &watch)
            .map_err(|fault| fault.while_doing(format!("making {}", root.display())))?;
        DirStore::opened(root, world, watch)
    }

    /// Keeps there what whole listings find, where folders can be trusted to tell of a change.
    #[must_use]
    pub fn remembering(self, drawer: Drawer) -> DirStore {
        let entropy = self.world.entropy.clone();
        let tells = filesystem::dates_changes(&self.root);
        DirStore { recall: tells.then(|| Recall::new(drawer, entropy)), ..self }
    }

    /// Temp files that nobody has written to for `older_than`: what killed processes left behind.
    pub fn stale_temps(&self, older_than: Duration) -> Result<u64, StoreError> {
        self.told("looking for leftovers in", "", self.temps(older_than, Act::Count))
    }

    /// Removes these temp files and says how many. One that somebody still was about to name
    /// fails that put, openly; so let `older_than` be longer than anybody pauses.
    pub fn sweep(&self, older_than: Duration) -> Result<u64, StoreError> {
        self.told("sweeping", "", self.temps(older_than, Act::Remove))
    }

    fn temps(&self, older_than: Duration, act: Act) -> Result<u64, Fault> {
        let root = self.root()?;
        let now = self.time(&root).ok_or_else(|| {
            Fault::new(StoreErrorKind::ReadOnly, "the age of files cannot be told")
        })?;
        sweep::temps(root, now, older_than, act)
    }

    fn read(&self, path: &ObjectPath) -> Result<Answer<Option<Object>>, Fault> {
        let Answer { value, store_time } = self.look(path)?;
        let object = value.map(|(file, meta)| body::whole(&file, &meta)).transpose()?;
        Ok(Answer::new(object, store_time))
    }

    /// The time is taken before the look: taken after it, it could make an object look old that
    /// was renewed in between.
    fn look(&self, path: &ObjectPath) -> Result<Answer<Option<(Handle, sys::Meta)>>, Fault> {
        let root = self.root()?;
        let time = self.time(&root);
        Ok(Answer::new(way::open_object(root, path)?, time))
    }

    fn write(&self, path: &ObjectPath, bytes: &[u8], condition: If) -> Result<Answer<Put>, Fault> {
        if bytes.len() as u64 > MAX_OBJECT {
            return Err(body::too_large());
        }
        let name = way::file_name(path)?;
        let place = way::open_or_make(self.root()?, &path.folder())?;
        // Only to spare the loser a file; the race is decided where the name is given.
        if condition == If::Absent && create::is_taken(place.folder.at(), name)? {
            create::settle(&place)?;
            return Ok(Answer::new(Put::Refused, self.time(&place.folder)));
        }
        let temp = Temp::create(place.folder.at(), &*self.world.entropy)?;
        temp.write(bytes)?;
        let written = temp.finish()?;
        let put = match condition {
            If::Absent => temp.publish(name)?,
            If::Always => temp.replace(name).map(|()| Put::Stored)?,
        };
        // After a refusal too: what the loser is told must not be undone by a power cut.
        create::settle(&place)?;
        Ok(Answer::new(put, Some(written.modified)))
    }

    async fn write_body(&self, path: &ObjectPath, mut body: Body) -> Result<Answer<u64>, Fault> {
        let name = way::file_name(path)?;
        let place = way::open_or_make(self.root()?, &path.folder())?;
        let temp = Temp::create(place.folder.at(), &*self.world.entropy)?;
        let mut size = 0;
        let unread = |error| Fault::new(StoreErrorKind::Body, error);
        while let Some(piece) = body.try_next().await.map_err(unread)? {
            temp.write(&piece)?;
            size += piece.len() as u64;
        }
        let written = temp.finish()?;
        match temp.publish(name)? {
            Put::Stored => create::settle(&place)?,
            Put::Refused => {
                let detail = "something has this name already, and it was to be new";
                return Err(Fault::new(StoreErrorKind::Failed, detail));
            }
        }
        Ok(Answer::new(size, Some(written.modified)))
    }

    fn page(&self, ask: &List) -> Result<Answer<Page>, Fault> {
        let root = self.root()?;
        let time = self.time(&root);
        let folder = way::open(root, &ask.folder)?;
        let page = folder.map(|folder| match &self.recall {
            Some(recall) if Recall::serves(ask) => recall.page(folder, ask, time),
            _ => walk::page(folder, ask),
        });
        let page = page.transpose()?;
        Ok(Answer::new(page.unwrap_or_default(), time))
    }

    /// Folders stay, empty as they may be: one removed here could be the one in which somebody
    /// else is just putting an object.
    fn remove(&self, path: &ObjectPath) -> Result<Answer<()>, Fault> {
        let root = self.root()?;
        let time = self.time(&root);
        let name = way::file_name(path)?;
        let Some(folder) = way::open(root, &path.folder())? else {
            return Ok(Answer::new((), time));
        };
        match sys::stat_at(folder.at(), name) {
            Ok(found) if found.kind == sys::Kind::Folder => return Ok(Answer::new((), time)),
            Ok(found) => way::obstacle(found.kind, name).map_or(Ok(()), Err)?,
            Err(error) if way::is_absence(error) => return Ok(Answer::new((), time)),
            Err(error) => return Err(Fault::reading(error)),
        }
        match sys::unlink(folder.at(), name) {
            Ok(()) => create::settle(&way::Destination { folder, grown: Vec::new() })?,
            Err(Errno::NOENT) => {}
            Err(error) => return Err(Fault::writing(error)),
        }
        Ok(Answer::new((), time))
    }

    /// Opened for each call: a root that was removed, or mounted anew, is noticed.
    fn root(&self) -> Result<Handle, Fault> {
        way::root(&self.root, &self.watch)
    }

    fn time(&self, root: &Handle) -> Option<Timestamp> {
        self.clock.now(root.at(), &*self.world.entropy)
    }

    fn told<T>(&self, act: &str, what: &str, result: Result<T, Fault>) -> Result<T, StoreError> {
        let root = self.root.display();
        result.map_err(|fault| match what {
            "" => fault.while_doing(format!("{act} {root}")),
            what => fault.while_doing(format!("{act} {what} in {root}")),
        })
    }
}

#[async_trait]
impl Store for DirStore {
    async fn get(&self, path: &ObjectPath) -> Result<Answer<Option<Object>>, StoreError> {
        self.told("getting", path.as_str(), self.read(path))
    }

    async fn put(
        &self,
        path: &ObjectPath,
        body: Bytes,
        condition: If,
    ) -> Result<Answer<Put>, StoreError> {
        self.told("putting", path.as_str(), self.write(path, &body, condition))
    }

    async fn put_many(
        &self,
        objects: Vec<(ObjectPath, Bytes)>,
    ) -> Vec<Result<Answer<Put>, StoreError>> {
        let answers = self.write_batch(&objects).unwrap_or_else(|| {
            let one = |(path, bytes): &(_, Bytes)| self.write(path, bytes, If::Absent);
            objects.iter().map(one).collect()
        });
        let told = answers.into_iter().zip(&objects);
        told.map(|(answer, (path, _))| self.told("putting", path.as_str(), answer)).collect()
    }

    async fn list(&self, ask: &List) -> Result<Answer<Page>, StoreError> {
        self.told("listing", ask.folder.as_str(), self.page(ask))
    }

    async fn delete(&self, path: &ObjectPath) -> Result<Answer<()>, StoreError> {
        self.told("deleting", path.as_str(), self.remove(path))
    }

    async fn put_body(&self, path: &ObjectPath, body: Body) -> Result<Answer<u64>, StoreError> {
        let result = self.write_body(path, body).await;
        self.told("putting", path.as_str(), result)
    }

    async fn get_body(&self, path: &ObjectPath) -> Result<Answer<Option<Body>>, StoreError> {
        let found = self.told("getting", path.as_str(), self.look(path))?;
        Ok(found.map(|found| found.map(|(file, _)| body::pieces(file))))
    }

    async fn secure(&self, path: &ObjectPath) -> Result<(), StoreError> {
        let secured =
            self.root().and_then(|root| create::settle(&way::open_or_make(root, &path.folder())?));
        self.told("making sure of", path.as_str(), secured)
    }

    async fn secure_many(&self, paths: &[ObjectPath]) -> Result<(), StoreError> {
        if let Some(kept) = self.keep_many(paths.len()) {
            return self.told("making sure of what is in", "", kept);
        }
        let mut folders = BTreeSet::new();
        for path in paths {
            if folders.insert(path.folder()) {
                self.secure(path).await?;
            }
        }
        Ok(())
    }

    async fn wait(&self, folder: &Folder, pause: Duration, clock: &dyn Clock) {
        self.watches.wait(&self.root, folder, pause, clock).await;
    }

    fn place(&self) -> String {
        self.root.display().to_string()
    }

    fn root(&self) -> Option<&Path> {
        Some(&self.root)
    }
}

/// `mkdir -p` for a folder that must still be there after a power cut.
fn make_root(root: &Path, watch: &Watch) -> Result<(), Fault> {
    let mut open: Vec<&Path> = Vec::new();
    for folder in root.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
        match sys::open_root(folder, watch).and_then(|here| sys::stat(here.at())) {
            Err(Errno::NOENT) => open.push(folder),
            Ok(found) if found.is_unsettled || folder == root => open.push(folder),
            // Anything else that is wrong with it, its first child will say.
            _ => break,
        }
    }
    for folder in open.into_iter().rev() {
        match sys::make_root(folder, watch) {
            // Somebody else made it; or it is a symlink to nowhere, as opening will say.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Fault::writing(error)),
        }
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = sys::open_root(parent.unwrap_or(Path::new(".")), &watch.below(".."));
        // A parent that we may not read cannot be synced either.
        if let (Ok(parent), Ok(made)) = (parent, sys::open_root(folder, watch)) {
            create::settle(&way::Destination { folder: parent, grown: Vec::new() })?;
            if sys::stat(made.at()).is_ok_and(|found| found.is_unsettled) {
                let _ = sys::mark_settled(made.at());
            }
        }
    }
    Ok(())
}
