//! Objects that are never written again, kept on this machine in a few files of many.
//!
//! A pack is written once under a name that nobody else draws, and packs are merged by writing
//! another: so any number of processes read, add and tidy up at once, without a lock. What two of
//! them keep twice is merged later; what one of them drops from under another is fetched again.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::SignedDuration;

use super::bytes::{In, Out};
use super::drawer::{Drawer, HEAD, sum};
use crate::clock::Entropy;
use crate::id::Nonce;
use crate::store::api::{Answer, Listed, Object};

const NAME: &str = "objects-";
/// Past so many packs the smaller ones are merged: each one is opened at every look.
const MOST_PACKS: usize = 8;
/// What is kept of one project; then its oldest pack goes.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// Largest object kept: documents are no larger, and bodies are not kept.
const MOST_OBJECT: usize = 256 * 1024;
/// Memory that fetched objects take before they are written down: for those who run for days.
const MOST_FRESH: usize = 4 * 1024 * 1024;
/// An object younger than this when it was fetched is not kept. Stores date in seconds: a project
/// deleted and made again within one could put another object there with the same size and time.
const YOUNG: SignedDuration = SignedDuration::from_secs(2);
/// Larger packs are not merged any more.
const MOST_MERGED: u64 = 64 * 1024 * 1024;
/// Where the index begins, and its checksum.
const TRAILER: u64 = 16;

/// The objects of one project that this machine has seen before.
#[derive(Debug)]
pub struct Packs {
    drawer: Drawer,
    entropy: Arc<dyn Entropy>,
    /// Fewer fetched objects than this are not worth a file.
    worth: usize,
    index: Mutex<Option<Index>>,
    fresh: Mutex<Fresh>,
}

#[derive(Debug, Default)]
struct Index {
    packs: Vec<File>,
    places: HashMap<u64, Place>,
}

/// Where a record lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    pack: usize,
    offset: u64,
    length: u64,
}

/// Records by path, and how much they take.
#[derive(Debug, Default)]
struct Fresh {
    records: BTreeMap<String, Vec<u8>>,
    size: usize,
}

impl Packs {
    pub fn new(drawer: Drawer, entropy: Arc<dyn Entropy>, worth: usize) -> Packs {
        Packs { drawer, entropy, worth, index: Mutex::default(), fresh: Mutex::default() }
    }

    /// The object of this row, if it was kept as the row says that it is.
    pub fn find(&self, row: &Listed) -> Option<Object> {
        let mut index = locked(&self.index);
        let index = index.get_or_insert_with(|| open(&self.drawer));
        let place = index.places.get(&sum(row.path.as_str().as_bytes()))?;
        let mut record = vec![0; usize::try_from(place.length).ok()?];
        index.packs[place.pack].read_exact_at(&mut record, place.offset).ok()?;
        let (path, size, modified, bytes) = read(&record)?;
        let same = path == row.path.as_str() && size == row.size && modified == row.modified;
        same.then(|| Object { bytes: Bytes::copy_from_slice(bytes), modified })
    }

    /// Keeps what the store gave for this row.
    pub fn add(&self, row: &Listed, answer: &Answer<Option<Object>>) {
        let (Some(object), Some(now)) = (&answer.value, answer.store_time) else { return };
        let same_time = super::is_as_listed(object.modified, row.modified);
        let as_listed = same_time && object.bytes.len() as u64 == row.size;
        let old = now.duration_since(row.modified) >= YOUNG;
        if !as_listed || !old || object.bytes.len() > MOST_OBJECT {
            return;
        }
        let record = write(row, &object.bytes);
        let mut fresh = locked(&self.fresh);
        fresh.size += record.len();
        fresh.records.insert(row.path.to_string(), record);
        if fresh.size > MOST_FRESH {
            self.put_away(std::mem::take(&mut fresh));
        }
    }

    fn put_away(&self, fresh: Fresh) {
        let name = format!("{NAME}{}", Nonce::draw(&*self.entropy));
        self.drawer.keep(&name, &pack(&self.drawer, fresh.records.values()), &*self.entropy);
        // What comes next looks at the new pack, too.
        *locked(&self.index) = None;
        self.tidy();
    }

    /// Few packs, and not too much in them.
    fn tidy(&self) {
        let mut names = self.drawer.names(NAME);
        if names.len() > MOST_PACKS {
            self.merge(&names);
            self.drawer.sweep();
            names = self.drawer.names(NAME);
        }
        let mut total: u64 = names.iter().map(|(_, size)| size).sum();
        for (name, size) in names {
            if total <= MOST_BYTES {
                break;
            }
            self.drawer.discard(&name);
            total -= size;
        }
    }

    /// Merges the small ones among these, which are in order of age.
    fn merge(&self, names: &[(String, u64)]) {
        let mut sizes: Vec<u64> = names.iter().map(|(_, size)| *size).collect();
        sizes.sort_unstable();
        let (mut limit, mut total) = (0, 0);
        for (at, size) in sizes.into_iter().enumerate() {
            // At least two; and one that is far larger than the rest together is left alone.
            if total + size > MOST_MERGED || (at > 1 && size > 4 * total) {
                break;
            }
            (limit, total) = (size, total + size);
        }
        let small: Vec<&String> =
            names.iter().filter(|(_, size)| *size <= limit).map(|(name, _)| name).collect();
        if small.len() < 2 {
            return;
        }
        let mut records: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for name in &small {
            let Some(bytes) = self.drawer.load(name) else { continue };
            for place in index_of(&bytes).unwrap_or_default() {
                let found =
                    slice(&bytes, &place).and_then(|record| Some((read(record)?.0, record)));
                if let Some((path, record)) = found {
                    records.insert(path.to_owned(), record.to_vec());
                }
            }
        }
        let name = format!("{NAME}{}", Nonce::draw(&*self.entropy));
        self.drawer.keep(&name, &pack(&self.drawer, records.values()), &*self.entropy);
        for name in small {
            self.drawer.discard(name);
        }
    }
}

impl Drop for Packs {
    fn drop(&mut self) {
        let fresh = std::mem::take(&mut *locked(&self.fresh));
        if fresh.records.len() >= self.worth.max(1) {
            self.put_away(fresh);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All packs that can be read. The checksum over a whole pack is for those who read all of it: here
/// the index has one of its own, and so has each record.
fn open(drawer: &Drawer) -> Index {
    let mut index = Index::default();
    for (name, _) in drawer.names(NAME) {
        let Some((file, places)) = open_pack(drawer, &name) else { continue };
        index.packs.push(file);
        let pack = index.packs.len() - 1;
        for (hash, place) in places {
            index.places.insert(hash, Place { pack, ..place });
        }
    }
    index
}

fn open_pack(drawer: &Drawer, name: &str) -> Option<(File, Vec<(u64, Place)>)> {
    let file = drawer.open(name)?;
    let end = file.metadata().ok()?.len();
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut trailer, end.checked_sub(TRAILER)?).ok()?;
    let starts = u64::from_le_bytes(trailer[..8].try_into().ok()?).checked_add(HEAD as u64)?;
    let length = end.checked_sub(TRAILER)?.checked_sub(starts)?;
    let mut index = vec![0; usize::try_from(length).ok()?];
    file.read_exact_at(&mut index, starts).ok()?;
    if drawer.seal(&index).to_le_bytes() != trailer[8..] {
        return None;
    }
    let mut places = entries(&index)?;
    for (_, place) in &mut places {
        place.offset += HEAD as u64;
        if place.offset + place.length > starts {
            return None;
        }
    }
    Some((file, places))
}

/// Records, then where each one lies, then where that begins.
fn pack<'a>(drawer: &Drawer, records: impl Iterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let (mut out, mut index) = (Out::default(), Out::default());
    for record in records {
        let path = read(record).map_or("", |(path, ..)| path);
        index.0.extend_from_slice(&sum(path.as_bytes()).to_le_bytes());
        index.number(out.0.len() as u64);
        index.number(record.len() as u64);
        out.0.extend_from_slice(record);
    }
    let starts = out.0.len() as u64;
    out.0.extend_from_slice(&index.0);
    out.0.extend_from_slice(&starts.to_le_bytes());
    out.0.extend_from_slice(&drawer.seal(&index.0).to_le_bytes());
    out.0
}

/// The places in a pack that was read whole and is what it was.
fn index_of(pack: &[u8]) -> Option<Vec<Place>> {
    let (rest, trailer) = pack.split_at_checked(pack.len().checked_sub(TRAILER as usize)?)?;
    let starts = usize::try_from(u64::from_le_bytes(trailer[..8].try_into().ok()?)).ok()?;
    Some(entries(rest.get(starts..)?)?.into_iter().map(|(_, place)| place).collect())
}

fn entries(index: &[u8]) -> Option<Vec<(u64, Place)>> {
    let (mut all, mut places) = (In(index), Vec::new());
    while !all.is_empty() {
        let hash = u64::from_le_bytes(all.exactly(8)?.try_into().ok()?);
        let (offset, length) = (all.number()?, all.number()?);
        offset.checked_add(length)?.checked_add(HEAD as u64)?;
        places.push((hash, Place { pack: 0, offset, length }));
    }
    Some(places)
}

fn slice<'a>(pack: &'a [u8], place: &Place) -> Option<&'a [u8]> {
    let start = usize::try_from(place.offset).ok()?;
    pack.get(start..start.checked_add(usize::try_from(place.length).ok()?)?)
}

fn write(row: &Listed, bytes: &[u8]) -> Vec<u8> {
    let mut out = Out(vec![0; 8]);
    out.text(row.path.as_str());
    out.time(row.modified);
    out.bytes(bytes);
    let sum = sum(&out.0[8..]).to_le_bytes();
    out.0[..8].copy_from_slice(&sum);
    out.0
}

fn read(record: &[u8]) -> Option<(&str, u64, jiff::Timestamp, &[u8])> {
    let (head, rest) = record.split_at_checked(8)?;
    if sum(rest).to_le_bytes() != head {
        return None;
    }
    let mut rest = In(rest);
    let (path, modified, bytes) = (rest.text()?, rest.time()?, rest.bytes()?);
    Some((path, bytes.len() as u64, modified, bytes))
}
