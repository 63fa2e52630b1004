//! One look at a source: is it what it was, what is new, and from where on is it another story?

use serde::{Deserialize, Serialize};

use super::cursor::{self, Cursor, Digest, Hasher, Mark, Position};
use super::documents::Documents;
use super::feed::Feed;
use super::lines::Lines;
use super::rows::RowFeed;
use crate::transcript::source::{Form, Source};
use crate::transcript::trouble::{Hindrance, Trouble};

/// Reads sources. It holds nothing between two looks; the cursor does.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    hasher: Hasher,
}

/// How much one look may take.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub records: usize,
    /// Of record bytes. One record more than this may be in memory.
    pub bytes: usize,
    /// The session has ended: an unfinished last line is handed on, marked as torn.
    pub finish: bool,
    /// Compare everything that was read before, also what a look at the end cannot see.
    pub thorough: bool,
}

/// What one look brought.
#[derive(Clone, Debug, Serialize)]
pub struct Batch {
    /// In the order of the source, after what `revision` keeps.
    pub records: Vec<Record>,
    /// To be kept together with the records. `None`: the source was never read and cannot be now.
    pub next_cursor: Option<Cursor>,
    /// What was handed on before no longer holds from some record on.
    pub revision: Option<Revision>,
    /// Bytes of an unfinished line that wait for their end.
    pub held_back_bytes: u64,
    /// Why nothing could be read; or, with records, what is to be known about them.
    pub trouble: Option<Trouble>,
    /// The budget ended before the source did.
    pub more: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Its number in the stream, from 0.
    pub index: u64,
    pub generation: u64,
    pub part: Part,
    /// Where it lies in the source.
    pub from: Position,
    #[serde(serialize_with = "as_text")]
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "kebab-case")]
pub enum Part {
    Whole,
    /// A piece of a line that is longer than [`super::lines::LINE_CAP`].
    Chunk {
        number: u64,
        last: bool,
    },
    /// The line never ended.
    Torn,
}

/// The source was truncated, rewritten or replaced: of the earlier records the first `keep` still
/// stand, all later ones are void, and the batch goes on from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revision {
    pub generation: u64,
    pub keep: u64,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { records: 4_096, bytes: 8 * 1024 * 1024, finish: false, thorough: false }
    }
}

impl Reader {
    /// Its cursors may leave the machine, and mean nothing to readers with another key.
    pub fn keyed(key: &[u8]) -> Reader {
        Reader { hasher: Hasher::keyed(key) }
    }

    /// Reads on from a cursor, or from the start.
    pub fn read(&self, source: &Source, cursor: Option<&Cursor>, budget: &Budget) -> Batch {
        let mut first = None;
        self.read_all(source, cursor, budget, &mut |batch| {
            first = Some(batch);
            false
        });
        first.expect("a look hands on one batch at least")
    }

    /// Reads on to the end, batch by batch, as long as `each` asks for more. A file stays open
    /// meanwhile, so that a compressed one is unpacked once and not once for each batch. A database
    /// is opened anew for each, because a snapshot that stays open keeps its writer from tidying up.
    pub fn read_all(
        &self,
        source: &Source,
        cursor: Option<&Cursor>,
        budget: &Budget,
        each: &mut dyn FnMut(Batch) -> bool,
    ) {
        let mut last = cursor.cloned();
        let in_one = !matches!(source.form, Form::Rows(_));
        loop {
            let mut again = false;
            let from = last.clone();
            let seen = self.look(source, from.as_ref(), budget, &mut |batch| {
                last.clone_from(&batch.next_cursor);
                let more = batch.more;
                let wanted = each(batch);
                again = more && wanted && !in_one;
                more && wanted && in_one
            });
            if let Err(trouble) = seen {
                let held_back_bytes = last.as_ref().map_or(0, |cursor| cursor.held_back);
                let trouble = Some(trouble);
                each(Batch { trouble, held_back_bytes, ..Batch::nothing(last.clone()) });
            }
            if !again {
                return;
            }
        }
    }
}

impl Batch {
    fn nothing(next_cursor: Option<Cursor>) -> Batch {
        Batch {
            records: Vec::new(),
            next_cursor,
            revision: None,
            held_back_bytes: 0,
            trouble: None,
            more: false,
        }
    }
}

impl Reader {
    fn look(
        &self,
        source: &Source,
        cursor: Option<&Cursor>,
        budget: &Budget,
        each: &mut dyn FnMut(Batch) -> bool,
    ) -> Result<(), Trouble> {
        if let Some(cursor) = cursor.filter(|cursor| cursor.format > cursor::FORMAT) {
            let detail = format!("a cursor of form {}", cursor.format);
            return Err(Trouble::new(&source.root, Hindrance::Newer, detail));
        }
        let (mut feed, mut trouble) = open(source)?;
        let stamp = feed.stamp();
        if let Some(cursor) = cursor {
            let waits = budget.finish && cursor.held_back > 0;
            if cursor.complete && cursor.stamp == stamp && !waits && !budget.thorough {
                let held_back_bytes = cursor.held_back;
                each(Batch { trouble, held_back_bytes, ..Batch::nothing(Some(cursor.clone())) });
                return Ok(());
            }
        }
        let mut marks = match cursor {
            None => Vec::new(),
            Some(cursor) => self.common_marks(&mut *feed, cursor, budget)?,
        };
        let start = marks.last().copied().unwrap_or_default();
        let before = cursor.map(Cursor::position).unwrap_or_default();
        let mut generation = cursor.map_or(0, |cursor| cursor.generation);
        let mut revision = (start.records != before.records).then(|| {
            generation += 1;
            Revision { generation, keep: start.records }
        });
        feed.seek(start.at)?;
        loop {
            let (records, more) = self.take(&mut *feed, &mut marks, generation, budget)?;
            let identity = self.hasher.identity(feed.identity(None)?);
            let held_back = if more { 0 } else { feed.held_back() };
            feed.settled()?;
            let next = Cursor {
                format: cursor::FORMAT,
                identity,
                generation,
                stamp: stamp.clone(),
                complete: !more,
                held_back,
                marks: marks.clone(),
            };
            let batch = Batch {
                records,
                revision: revision.take(),
                held_back_bytes: held_back,
                trouble: trouble.take(),
                more,
                ..Batch::nothing(Some(next))
            };
            if !each(batch) {
                return Ok(());
            }
        }
    }

    /// The cursor's marks up to which the source is what it was. A source that is only appended to is
    /// compared near its end; when that differs, or it is another file now, from the start.
    fn common_marks(
        &self,
        feed: &mut dyn Feed,
        cursor: &Cursor,
        budget: &Budget,
    ) -> Result<Vec<Mark>, Trouble> {
        let end = cursor.position();
        let identity = self.hasher.identity(feed.identity(Some(cursor.identity.head_bytes))?);
        let same = identity == cursor.identity;
        if let Some(window) = feed.window().filter(|_| same && !budget.thorough) {
            let floor = end.at.offset.saturating_sub(window);
            let inside = |mark: &&Mark| mark.at.offset >= floor && mark.records < end.records;
            let nearest = || cursor.marks.iter().rev().nth(1).copied();
            let from =
                cursor.marks.iter().find(inside).copied().or_else(nearest).unwrap_or_default();
            if self.agreement(feed, from, cursor)?.last() == Some(&end) {
                return Ok(cursor.marks.clone());
            }
        }
        self.agreement(feed, Mark::default(), cursor)
    }

    /// Walks from a mark towards the cursor's end, and gives the marks that were met. What was moved
    /// into another kind of source has its marks at other places now, with the same hashes.
    fn agreement(
        &self,
        feed: &mut dyn Feed,
        from: Mark,
        cursor: &Cursor,
    ) -> Result<Vec<Mark>, Trouble> {
        let end = cursor.position();
        let mut met = Vec::new();
        let mut here = from;
        feed.seek(from.at)?;
        while here.records < end.records {
            let Some(item) = feed.next(true)? else { break };
            here = self.after(here, &item.bytes, item.part, item.to);
            let marks = &cursor.marks;
            if let Ok(place) = marks.binary_search_by_key(&here.records, |mark| mark.records) {
                if marks[place].chain != here.chain {
                    break;
                }
                met.push(here);
            }
        }
        Ok(met)
    }

    fn after(&self, mark: Mark, bytes: &[u8], part: Part, to: Position) -> Mark {
        let chain = self.hasher.then(mark.chain, part == Part::Torn, bytes);
        Mark { records: mark.records + 1, at: to, chain }
    }

    fn take(
        &self,
        feed: &mut dyn Feed,
        marks: &mut Vec<Mark>,
        generation: u64,
        budget: &Budget,
    ) -> Result<(Vec<Record>, bool), Trouble> {
        let mut records = Vec::new();
        let mut bytes = 0;
        loop {
            if records.len() >= budget.records.max(1) || bytes >= budget.bytes.max(1) {
                return Ok((records, true));
            }
            let Some(item) = feed.next(budget.finish)? else { return Ok((records, false)) };
            let before = marks.last().copied().unwrap_or_default();
            cursor::push(marks, self.after(before, &item.bytes, item.part, item.to));
            bytes += item.bytes.len();
            records.push(Record {
                index: before.records,
                generation,
                part: item.part,
                from: item.from,
                bytes: item.bytes,
            });
        }
    }
}

fn open(source: &Source) -> Result<(Box<dyn Feed>, Option<Trouble>), Trouble> {
    Ok(match &source.form {
        Form::Lines { paths } => (Box::new(Lines::open(&source.root, paths)?), None),
        Form::Document { path, split } => {
            (Box::new(Documents::single(&source.root, path, *split)?), None)
        }
        Form::Folder(folder) => (Box::new(Documents::folder(&source.root, folder)?), None),
        Form::Archive(archive) => (Box::new(Documents::archive(&source.root, archive)?), None),
        Form::Rows(rows) => {
            let (feed, notice) = RowFeed::open(&source.root, rows)?;
            (Box::new(feed), notice)
        }
    })
}

fn as_text<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

impl Record {
    /// Its hash, for naming and comparing.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}
