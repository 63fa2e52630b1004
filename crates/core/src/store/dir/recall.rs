//! What whole listings found in each folder, kept on this machine for the next one.
//!
//! A name that comes or goes, and a file that is renamed over another, change the time of their
//! folder. So one look at a folder's times says whether what was found in it still stands, and ten
//! thousand logs need not be read again. Times that were younger than `YOUNG` when a folder was read
//! say nothing: another change could bear the same ones.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::fault::Fault;
use super::sys::{self, At, Handle, Kind, Meta};
use super::walk::{LOOKS, each_name, has_vanished};
use super::way;
use crate::cache::{Drawer, In, Out};
use crate::clock::Entropy;
use crate::store::api::MAX_PATH;
use crate::store::{Depth, List, Listed, ObjectPath, Page};

/// The file that it is kept in.
const NAME: &str = "folders";
/// More than the steps in which any local file system dates, which are 10 ms at most.
const YOUNG: SignedDuration = SignedDuration::from_secs(2);
/// A handful of folders is read again in less time than the file takes to be written.
const WORTH: usize = 16;
/// And of many folders this share.
const SHARE: usize = 64;
/// Each thread looks at so many folders at least; starting one takes as long as 20.
const A_THREAD: usize = 1000;

/// The memory of one place.
#[derive(Debug)]
pub(super) struct Recall {
    drawer: Drawer,
    entropy: Arc<dyn Entropy>,
    pub(super) young: SignedDuration,
    known: Mutex<Option<Arc<Known>>>,
}

/// Folders as they were found, block behind block.
#[derive(Debug, Default)]
struct Known {
    blocks: Vec<u8>,
    /// Where the block of a folder begins and ends, by the checksum of its key.
    places: HashMap<u64, (usize, usize)>,
}

/// By what a folder is known to be the same with the same names in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    id: (i128, i128),
    modified: Timestamp,
    changed: Timestamp,
}

/// A folder of the walk: open, or to be opened from its parent when that is needed.
struct Here<'f> {
    parent: Option<(At<'f>, &'f str)>,
    open: Option<Handle>,
    /// What it was a moment ago, when all of its neighbours were looked at.
    seen: Option<Seen>,
}

type Seen = Result<Meta, sys::Errno>;

struct Walk<'k> {
    known: &'k Known,
    /// Times before this one are old enough.
    old: Option<Timestamp>,
    limit: usize,
    page: Page,
    /// Folders that are as they are known, by the checksum of their key.
    same: HashSet<u64>,
    /// Blocks of those that are not.
    fresh: Vec<Vec<u8>>,
}

impl Recall {
    pub fn new(drawer: Drawer, entropy: Arc<dyn Entropy>) -> Recall {
        Recall { drawer, entropy, young: YOUNG, known: Mutex::default() }
    }

    /// Whether the answer is the whole of a folder, as far as one page goes.
    pub fn serves(ask: &List) -> bool {
        ask.depth == Depth::All && ask.after.is_none() && ask.token.is_none()
    }

    /// The page that `walk::page` gives.
    pub fn page(&self, folder: Handle, ask: &List, now: Option<Timestamp>) -> Result<Page, Fault> {
        let known = self.known();
        let mut walk = Walk {
            known: &known,
            old: now.and_then(|now| now.checked_sub(self.young).ok()),
            limit: ask.limit.max(1),
            page: Page::default(),
            same: HashSet::new(),
            fresh: Vec::new(),
        };
        let here = Here { parent: None, open: Some(folder), seen: None };
        walk.folder(here, &mut ask.folder.as_str().to_owned())?;
        let Walk { page, same, fresh, .. } = walk;
        if fresh.len() > WORTH + known.places.len() / SHARE {
            // A page that is not the end has not seen all that lies below the folder.
            let whole = page.next.is_none().then_some(ask.folder.as_str());
            self.learn(&known, &same, &fresh, whole);
        }
        Ok(page)
    }

    fn known(&self) -> Arc<Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let load = || Arc::new(self.drawer.load(NAME).and_then(Known::parse).unwrap_or_default());
        known.get_or_insert_with(load).clone()
    }

    /// Keeps what was found, and what is known of folders that were not looked at.
    fn learn(&self, known: &Known, same: &HashSet<u64>, fresh: &[Vec<u8>], whole: Option<&str>) {
        let mut blocks = fresh.concat();
        let new: HashSet<u64> = fresh.iter().filter_map(|block| key_hash(block)).collect();
        for (hash, (start, end)) in &known.places {
            let block = &known.blocks[*start..*end];
            let below = |whole: &str| key_of(block).is_some_and(|key| key.starts_with(whole));
            let gone = !same.contains(hash) && whole.is_some_and(below);
            if !gone && !new.contains(hash) {
                blocks.extend_from_slice(block);
            }
        }
        self.drawer.keep(NAME, &blocks, &*self.entropy);
        let known = Known::parse(blocks).map(Arc::new);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

impl Known {
    fn parse(blocks: Vec<u8>) -> Option<Known> {
        let mut places = HashMap::new();
        let mut rest = In(&blocks);
        while !rest.is_empty() {
            let before = blocks.len() - rest.0.len();
            let block = rest.bytes()?;
            let start = blocks.len() - rest.0.len() - block.len();
            let key = In(block).text()?;
            places.insert(crate::cache::sum(key.as_bytes()), (before, start + block.len()));
        }
        Some(Known { blocks, places })
    }

    /// The rows of a folder, if it is the one that is known.
    fn rows(&self, key: &str, stamp: &Stamp) -> Option<(u64, &[u8])> {
        let hash = crate::cache::sum(key.as_bytes());
        let (start, end) = *self.places.get(&hash)?;
        let mut block = In(In(&self.blocks[start..end]).bytes()?);
        let same = block.text()? == key && read_stamp(&mut block)? == *stamp;
        same.then_some((hash, block.0))
    }
}

impl Here<'_> {
    /// `None` when it is gone.
    fn open(&mut self) -> Result<Option<&Handle>, Fault> {
        if let (None, Some((parent, name))) = (&self.open, self.parent) {
            self.open = match sys::open_folder(parent, name) {
                Ok(folder) => Some(folder),
                Err(error) if has_vanished(error) => None,
                Err(error) => return Err(Fault::reading(error)),
            };
        }
        Ok(self.open.as_ref())
    }

    /// What it is now, opened or not; `None` when it is gone or no folder any more.
    fn meta(&mut self) -> Result<Option<Meta>, Fault> {
        let meta = match (self.seen.take(), &self.open, self.parent) {
            (Some(seen), ..) => seen,
            (None, Some(open), _) => sys::stat(open.at()),
            (None, None, Some((parent, name))) => sys::stat_at(parent, name),
            (None, None, None) => return Ok(None),
        };
        match meta {
            Ok(meta) => Ok(Some(meta).filter(|meta| meta.kind == Kind::Folder)),
            Err(error) if has_vanished(error) => Ok(None),
            Err(error) => Err(Fault::reading(error)),
        }
    }
}

impl<'k> Walk<'k> {
    fn folder(&mut self, mut here: Here<'_>, key: &mut String) -> Result<(), Fault> {
        let Some(meta) = here.meta()? else { return Ok(()) };
        let known: &'k Known = self.known;
        let rows = match known.rows(key, &stamp(&meta)) {
            Some((hash, rows)) => {
                self.same.insert(hash);
                Cow::Borrowed(rows)
            }
            None => match self.read(&mut here, key)? {
                Some(rows) => Cow::Owned(rows),
                None => return Ok(()),
            },
        };
        let mut ahead = match here.open() {
            Ok(Some(folder)) if rows.len() > A_THREAD => self.look_ahead(folder, &rows),
            _ => Vec::new(),
        }
        .into_iter();
        let mut rows = In(&rows);
        while self.page.next.is_none() && !rows.is_empty() {
            let Some((name, file)) = read_row(&mut rows) else { break };
            let length = key.len();
            key.push_str(name);
            match file {
                Some((size, modified)) => self.object(key, size, modified),
                None => {
                    if let Some(folder) = here.open()? {
                        let name = name.trim_end_matches('/');
                        let (parent, seen) = (Some((folder.at(), name)), ahead.next());
                        self.folder(Here { parent, open: None, seen }, key)?;
                    }
                }
            }
            key.truncate(length);
        }
        Ok(())
    }

    /// What the first folders of these rows are now, in their order: none where it is not worth the
    /// threads that share the work.
    fn look_ahead(&self, folder: &Handle, rows: &[u8]) -> Vec<Seen> {
        let (mut names, mut rows) = (Vec::new(), In(rows));
        while let Some((name, file)) = read_row(&mut rows) {
            if file.is_none() && names.len() < self.limit {
                names.push(name.trim_end_matches('/'));
            }
        }
        let spare = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = spare.min(names.len() / A_THREAD);
        if threads < 2 || folder.is_watched() {
            return Vec::new();
        }
        let look = |names: &[&str]| -> Vec<Seen> {
            names.iter().map(|name| sys::stat_at(folder.at(), name)).collect()
        };
        let (first, others) = names.split_at(names.len().div_ceil(threads));
        std::thread::scope(|scope| {
            let others: Vec<_> = others
                .chunks(names.len().div_ceil(threads))
                .map(|names| (names, scope.spawn(move || look(names))))
                .collect();
            let mut seen = look(first);
            for (names, thread) in others {
                seen.extend(thread.join().unwrap_or_else(|_| look(names)));
            }
            seen
        })
    }

    fn object(&mut self, key: &str, size: u64, modified: Timestamp) {
        let Ok(path) = ObjectPath::parse(key) else { return };
        if self.page.objects.len() >= self.limit {
            self.page.next = self.page.objects.last().map(|row| row.path.to_string());
            return;
        }
        self.page.objects.push(Listed { path, size, modified });
    }

    /// The rows of a folder as it is now, in the byte order of keys.
    fn read(&mut self, here: &mut Here<'_>, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        if here.open()?.is_none() {
            return Ok(None);
        }
        // Before the names are: a change in between makes the times differ next time.
        let Some(mut meta) = here.meta()? else { return Ok(None) };
        let Some(folder) = here.open()? else { return Ok(None) };
        let (mut rows, mut is_whole) = rows(folder, key)?;
        for _ in 0..LOOKS {
            if is_whole {
                break;
            }
            meta = sys::stat(folder.at()).map_err(Fault::reading)?;
            (rows, is_whole) = self::rows(folder, key)?;
        }
        if self.old.is_some_and(|old| meta.modified.max(meta.changed) < old) {
            self.fresh.push(block(key, &stamp(&meta), &rows.0));
        }
        Ok(Some(rows.0))
    }
}

/// What is in a folder, and whether each name was still there when its file was looked at: what has
/// come in the place of one that was not may have come too late for this reading.
fn rows(folder: &Handle, key: &str) -> Result<(Out, bool), Fault> {
    let (mut rows, mut is_whole) = (Out::default(), true);
    for name in names(folder, key)? {
        if name.ends_with('/') {
            write_row(&mut rows, &name, None);
            continue;
        }
        match sys::stat_at(folder.at(), &name) {
            Ok(Meta { kind: Kind::File, size, modified, .. }) => {
                write_row(&mut rows, &name, Some((size, modified)));
            }
            Ok(_) => {}
            Err(error) if has_vanished(error) => is_whole = false,
            Err(error) => return Err(Fault::reading(error)),
        }
    }
    Ok((rows, is_whole))
}

/// The names in a folder that may be pieces of keys, folders with their slash.
fn names(folder: &Handle, key: &str) -> Result<Vec<Box<str>>, Fault> {
    let again = folder.try_clone().map_err(|error| {
        Fault::reading(sys::Errno::from_io_error(&error).unwrap_or(sys::Errno::IO))
    })?;
    let mut dir = sys::read_folder(again).map_err(Fault::reading)?;
    // It shares its place with the handle that it was made from.
    dir.rewind();
    let mut names: Vec<Box<str>> = Vec::new();
    each_name(&mut dir, |name, kind| {
        let fits = !way::is_hidden(name) && key.len() + name.len() <= MAX_PATH;
        match kind {
            Kind::File if fits => names.push(name.into()),
            Kind::Folder if fits => names.push(format!("{name}/").into()),
            _ => {}
        }
        std::ops::ControlFlow::Continue(())
    })?;
    names.sort_unstable();
    Ok(names)
}

fn stamp(meta: &Meta) -> Stamp {
    Stamp { id: meta.id, modified: meta.modified, changed: meta.changed }
}

fn block(key: &str, stamp: &Stamp, rows: &[u8]) -> Vec<u8> {
    let mut inner = Out::default();
    inner.text(key);
    inner.0.extend_from_slice(&stamp.id.0.to_le_bytes());
    inner.0.extend_from_slice(&stamp.id.1.to_le_bytes());
    inner.time(stamp.modified);
    inner.time(stamp.changed);
    inner.0.extend_from_slice(rows);
    let mut block = Out::default();
    block.bytes(&inner.0);
    block.0
}

fn key_of(block: &[u8]) -> Option<&str> {
    In(In(block).bytes()?).text()
}

fn key_hash(block: &[u8]) -> Option<u64> {
    key_of(block).map(|key| crate::cache::sum(key.as_bytes()))
}

fn read_stamp(block: &mut In<'_>) -> Option<Stamp> {
    let mut id = || Some(i128::from_le_bytes(block.exactly(16)?.try_into().ok()?));
    let id = (id()?, id()?);
    Some(Stamp { id, modified: block.time()?, changed: block.time()? })
}

fn write_row(rows: &mut Out, name: &str, file: Option<(u64, Timestamp)>) {
    rows.text(name);
    if let Some((size, modified)) = file {
        rows.number(size);
        rows.time(modified);
    }
}

/// A name, and size and time if it is a file's.
fn read_row<'a>(rows: &mut In<'a>) -> Option<(&'a str, Option<(u64, Timestamp)>)> {
    let name = rows.text()?;
    let file = match name.ends_with('/') {
        true => None,
        false => Some((rows.number()?, rows.time()?)),
    };
    Some((name, file))
}
