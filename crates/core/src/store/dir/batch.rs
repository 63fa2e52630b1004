//! Many new objects for the price of two waits: all of them are written, then the file system is
//! asked once to keep what it has; only then each gets its name, and the names are kept as one, too.
//!
//! The promise stays that of a single put: nothing has a name before its bytes are on disk, and
//! nothing is acknowledged before its name is. Where the file system is not known to keep all it has on request, or there is
//! no such request, objects go one by one.

use bytes::Bytes;

use super::create::{self, Temp};
use super::fault::Fault;
use super::sys::Handle;
use super::way::{self, Destination};
use super::{DirStore, body, sys};
use crate::store::api::MAX_OBJECT;
use crate::store::{Answer, ObjectPath, Put, StoreErrorKind};

/// From so many objects on, two waits for the whole file system are less than three for each.
const ENOUGH: usize = 8;

/// One object of a batch, on its way.
enum Way {
    Open(Destination),
    Done(Result<Put, Fault>),
}

impl DirStore {
    /// `None` where this is not possible, or not worth it; nothing was done then.
    pub(super) fn write_batch(
        &self,
        objects: &[(ObjectPath, Bytes)],
    ) -> Option<Vec<Result<Answer<Put>, Fault>>> {
        if !self.can_keep_all(objects.len()) {
            return None;
        }
        let root = self.root().ok()?;
        let mut ways: Vec<Way> =
            objects.iter().map(|(path, bytes)| self.destination(path, bytes)).collect();
        let mut temps: Vec<Option<Result<Temp<'_>, Fault>>> = Vec::with_capacity(ways.len());
        for (way, (_, bytes)) in ways.iter().zip(objects) {
            temps.push(match way {
                Way::Open(place) => Some(self.temp(place, bytes)),
                Way::Done(_) => None,
            });
        }
        let kept = keep_all(&root);
        let named: Vec<Option<Result<Put, Fault>>> = temps
            .into_iter()
            .zip(objects)
            .map(|(temp, (path, _))| temp.map(|temp| name(temp, path, &kept)))
            .collect();
        // After a refusal too: what the loser is told must not be undone by a power cut.
        let settled = keep_all(&root);
        if settled.is_ok() {
            ways.iter().for_each(mark_settled);
        }
        let time = self.time(&root);
        let answers = ways.drain(..).zip(named).map(|(way, named)| {
            let put = match (way, named) {
                (Way::Done(outcome), _) => outcome?,
                (Way::Open(_), Some(outcome)) => outcome?,
                (Way::Open(_), None) => return Err(lost_track()),
            };
            settled.as_ref().map_err(|error| unsure(*error))?;
            Ok(Answer::new(put, time))
        });
        Some(answers.collect())
    }

    fn destination(&self, path: &ObjectPath, bytes: &Bytes) -> Way {
        let open = || -> Result<Way, Fault> {
            if bytes.len() as u64 > MAX_OBJECT {
                return Err(body::too_large());
            }
            let name = way::file_name(path)?;
            let place = way::open_or_make(self.root()?, &path.folder())?;
            match create::is_taken(place.folder.at(), name)? {
                true => Ok(Way::Done(Ok(Put::Refused))),
                false => Ok(Way::Open(place)),
            }
        };
        open().unwrap_or_else(|fault| Way::Done(Err(fault)))
    }

    fn temp<'a>(&self, place: &'a Destination, bytes: &[u8]) -> Result<Temp<'a>, Fault> {
        let temp = Temp::create(place.folder.at(), &*self.world.entropy)?;
        temp.write(bytes)?;
        Ok(temp)
    }

    /// Keeps whatever is there already for the price of one wait; `None` where this is not possible,
    /// or not worth it.
    pub(super) fn keep_many(&self, count: usize) -> Option<Result<(), Fault>> {
        if !self.can_keep_all(count) {
            return None;
        }
        let root = self.root().ok()?;
        Some(keep_all(&root).map_err(unsure))
    }

    /// Whoever watches the calls plays power cuts on what each single sync has kept.
    fn can_keep_all(&self, count: usize) -> bool {
        count >= ENOUGH && !self.watch.is_watched() && sys::keeps_all_on_request(&self.root)
    }
}

fn name(
    temp: Result<Temp<'_>, Fault>,
    path: &ObjectPath,
    kept: &Result<(), sys::Errno>,
) -> Result<Put, Fault> {
    let temp = temp?;
    if let Err(error) = kept {
        return Err(Fault::writing(*error));
    }
    temp.publish(way::file_name(path)?)
}

/// A mark that stays only makes the next one sync the folder once more.
fn mark_settled(way: &Way) {
    if let Way::Open(place) = way {
        for grown in &place.grown {
            let _ = sys::mark_settled(grown.made.at());
        }
    }
}

fn keep_all(root: &Handle) -> Result<(), sys::Errno> {
    sys::sync_all(root.at())
}

fn unsure(error: sys::Errno) -> Fault {
    Fault::unsure("written, but maybe not safe from a power cut", error)
}

fn lost_track() -> Fault {
    Fault::new(StoreErrorKind::Failed, "it was not written")
}
