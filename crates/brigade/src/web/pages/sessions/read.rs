//! Reading a session for a page: some of its records, never all of them.

use std::collections::VecDeque;

use brigade_core::error::Error;
use brigade_core::id::{SourceKey, TranscriptId};
use brigade_core::mirror::{OpenedSession, SourceRow, StoredRecord, StoredSession};
use brigade_core::transcript::turn::Turn;
use brigade_core::transcript::{reader, registry};
use jiff::Timestamp;

use super::Wanted;
use super::said::{Said, told};
use crate::web::answer::Visit;
use crate::web::words;

/// Records of one page.
const RECORDS: usize = 200;
/// Bytes of records on one page: one of them may be large.
const BYTES: usize = 1024 * 1024;
/// Places that a search names.
const HITS: usize = 100;
/// A page that is opened at a moment begins so many records before it.
const LEAD: u64 = 5;
/// Turns that are shown around a moment.
const EARLIER: usize = 8;
const LATER: usize = 3;

/// What was read of a session for one page.
pub struct Read {
    pub session: StoredSession,
    pub source: SourceKey,
    pub turns: Vec<Said>,
    pub goes_on: GoesOn,
    /// As it was asked, with the place in it.
    pub wanted: Wanted,
    /// Part, records before it in the part, and the words around it.
    pub hits: Option<Vec<(u32, u64, String)>>,
}

/// Where to read on: part, and records before it in the part.
#[derive(Clone, Copy, Debug)]
pub enum GoesOn {
    Next((u32, u64)),
    /// Nothing is there yet.
    End((u32, u64)),
}

/// What was said around a moment, and whether it was later.
pub struct Around {
    pub session: StoredSession,
    pub turns: Vec<(bool, Said)>,
}

impl GoesOn {
    pub fn next(self) -> Option<(u32, u64)> {
        match self {
            GoesOn::Next(place) => Some(place),
            GoesOn::End(_) => None,
        }
    }

    pub fn place(self) -> (u32, u64) {
        match self {
            GoesOn::Next(place) | GoesOn::End(place) => place,
        }
    }
}

/// One page.
pub async fn read(visit: &Visit, id: TranscriptId, wanted: Wanted) -> Result<Read, Error> {
    let app = visit.app.clone();
    apart(async move || {
        let told = app.watch.project().readback().open_alone(&id).await?;
        let opened = &told.opened;
        let source = source(opened, &wanted.source)?;
        let mut wanted = wanted;
        if let Some(moment) = moment(&wanted.at)? {
            let (part, before) = told.place_at(source, moment).await?;
            (wanted.part, wanted.skip) = (part, before.saturating_sub(LEAD));
        }
        let (turns, goes_on) = turns(opened, &source.key, &wanted).await?;
        let hits = match wanted.text.trim() {
            "" => None,
            text => Some(search(opened, &source.key, text).await?),
        };
        let (session, source) = (opened.stored.clone(), source.key.clone());
        Ok(Read { session, source, turns, goes_on, wanted, hits })
    })
    .await
}

/// What was said around one moment.
pub async fn around(visit: &Visit, id: TranscriptId, wanted: Wanted) -> Result<Around, Error> {
    let app = visit.app.clone();
    let at = moment(&wanted.at)?.ok_or_else(|| Error::Usage("a moment wants its ?time=".into()))?;
    apart(async move || {
        let told = app.watch.project().readback().open_alone(&id).await?;
        let source = source(&told.opened, &wanted.source)?;
        let (part, before) = told.place_at(source, at).await?;
        let mut records = told.opened.records_from(&source.key, part.saturating_sub(1));
        let (mut place, mut around) = (Places::default(), VecDeque::new());
        let mut later = 0;
        while let Some(record) = records.next().await? {
            let of = place.of(record.n);
            let is_later = (of.0, of.1) >= (part, before);
            for said in said(&told.opened, &record, of) {
                around.push_back((is_later, said));
                later += usize::from(is_later);
                if around.len() - later > EARLIER {
                    around.pop_front();
                }
            }
            if later >= LATER {
                break;
            }
        }
        around.truncate(EARLIER + LATER);
        Ok(Around { session: told.opened.stored.clone(), turns: around.into() })
    })
    .await
}

/// On a thread of its own: a reader of records stays on the thread where it began, and parsing many of
/// them would keep the other pages waiting.
async fn apart<T: Send + 'static>(
    work: impl AsyncFnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let runtime = tokio::runtime::Handle::current();
    let done = tokio::task::spawn_blocking(move || runtime.block_on(work())).await;
    done.map_err(|_| Error::TimedOut("the server is about to end".into()))?
}

fn moment(text: &str) -> Result<Option<Timestamp>, Error> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| Error::Usage("a moment is a time such as 2026-11-20T20:00:00Z".into())),
    }
}

fn source<'o>(opened: &'o OpenedSession<'_>, name: &str) -> Result<&'o SourceRow, Error> {
    let found = match name {
        "" => opened.sources().first(),
        name => opened.sources().iter().find(|it| it.name == name),
    };
    found.ok_or_else(|| Error::NotFound(format!("session {} has no source {name}", opened.id)))
}

/// Counts records within their parts.
#[derive(Default)]
struct Places {
    part: Option<u32>,
    next: u64,
}

impl Places {
    fn of(&mut self, part: u32) -> (u32, u64) {
        if self.part != Some(part) {
            (self.part, self.next) = (Some(part), 0);
        }
        self.next += 1;
        (part, self.next - 1)
    }
}

/// One page of turns, and where it goes on: at the next page, or at the end, where more may come.
async fn turns(
    opened: &OpenedSession<'_>,
    source: &SourceKey,
    wanted: &Wanted,
) -> Result<(Vec<Said>, GoesOn), Error> {
    let mut records = opened.records_from(source, wanted.part);
    let (mut told, mut count, mut bytes) = (Vec::new(), 0, 0);
    let mut place = Places::default();
    while let Some(record) = records.next().await? {
        let at = place.of(record.n);
        if at.0 == wanted.part && at.1 < wanted.skip {
            continue;
        }
        if count == RECORDS || bytes > BYTES {
            return Ok((told, GoesOn::Next(at)));
        }
        count += 1;
        bytes += record.bytes.len();
        told.extend(said(opened, &record, at));
    }
    // What comes, comes in a part of its own.
    let end = place.part.map_or((wanted.part, wanted.skip), |part| (part + 1, 0));
    Ok((told, GoesOn::End(end)))
}

fn said(opened: &OpenedSession<'_>, record: &StoredRecord, at: (u32, u64)) -> Vec<Said> {
    let turns = parse(opened, record).into_iter().enumerate();
    let said =
        turns.filter_map(|(of, turn)| told(turn, format!("p{}-{}-{of}", at.0, at.1), record.void));
    said.collect()
}

/// Where a text is found: part, records before it in the part, and the words around it.
async fn search(
    opened: &OpenedSession<'_>,
    source: &SourceKey,
    text: &str,
) -> Result<Vec<(u32, u64, String)>, Error> {
    let wanted = text.to_lowercase();
    let mut records = opened.records(source);
    let (mut hits, mut place) = (Vec::new(), Places::default());
    while let Some(record) = records.next().await? {
        let at = place.of(record.n);
        // What is nowhere in the record is in none of its turns; parsing costs more than looking.
        if !String::from_utf8_lossy(&record.bytes).to_lowercase().contains(wanted.as_str()) {
            continue;
        }
        for turn in parse(opened, &record) {
            let Some(said) = told(turn, String::new(), false) else { continue };
            let all: String = said.text.iter().map(|(_, piece)| piece.as_str()).collect();
            if let Some(from) = all.to_lowercase().find(&wanted) {
                let start = all.char_indices().map(|(at, _)| at).take_while(|at| *at <= from);
                let start = start.last().unwrap_or(0);
                let around = words::line(&all[start..]);
                hits.push((at.0, at.1, format!("{}: {around}", said.speaker)));
                break;
            }
        }
        if hits.len() == HITS {
            break;
        }
    }
    Ok(hits)
}

fn parse(opened: &OpenedSession<'_>, record: &StoredRecord) -> Vec<Turn> {
    let adapter = registry::named(opened.id.harness.as_str());
    let value = serde_json::from_slice(&record.bytes);
    match (adapter, value, record.part) {
        (Some(adapter), Ok(value), reader::Part::Whole) => adapter.parse(&value),
        _ => vec![Turn::raw("record", &record.bytes)],
    }
}
