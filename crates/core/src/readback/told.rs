//! One mirrored session, told in any of its forms. Records pass one by one; nothing holds them all.

use std::io::{self, Write};

use serde::Serialize;

use crate::error::Error;
use crate::key::Number;
use crate::linking::Link;
use crate::mirror::{OpenedSession, SourceRow, StoredRecord};
use crate::transcript::adapter::Adapter;
use crate::transcript::reader::Part;
use crate::transcript::registry;
use crate::transcript::retell::{
    About, Conversation, Entry, Finder, Format, Hit, Retelling, Tally, Voice, place,
};

/// How much of a document is held before it is written.
const CHUNK: usize = 256 * 1024;

/// A session that was opened, with what belongs to it.
#[derive(Debug)]
pub struct Told<'a> {
    pub opened: OpenedSession<'a>,
    pub link: Link,
}

/// What came of writing a session out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    pub records: u64,
    pub bytes: u64,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    pub source: String,
    /// The record's number in its source.
    pub record: u64,
    #[serde(flatten)]
    pub hit: Hit,
}

impl<'a> Told<'a> {
    pub(super) fn new(opened: OpenedSession<'a>, link: Link) -> Told<'a> {
        Told { opened, link }
    }

    pub fn about(&self) -> About {
        let stored = &self.opened.stored;
        let head = stored.head.as_ref();
        let mut agents: Vec<String> =
            self.link.agents.iter().map(|speaker| speaker.agent.to_string()).collect();
        agents.dedup();
        About {
            harness: stored.harness.to_string(),
            session: stored.id.clone(),
            title: head.and_then(|head| head.title.clone()),
            cwd: head.and_then(|head| head.cwd.clone()),
            started: head.and_then(|head| head.started.clone()),
            parent: head.and_then(|head| head.parent.as_ref()).map(|parent| parent.id.clone()),
            agents,
            tasks: self.link.tasks.iter().map(ToString::to_string).collect(),
        }
    }

    /// Its sources in the order in which it is told; of one name only, when one is given.
    pub fn sources(&self, only: Option<&str>) -> Result<Vec<&SourceRow>, Error> {
        let mut sources: Vec<&SourceRow> = self.opened.sources().iter().collect();
        sources.sort_by_key(|source| place(&source.name));
        let Some(only) = only else { return Ok(sources) };
        let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
        sources.retain(|source| source.name == only);
        match sources.is_empty() {
            false => Ok(sources),
            true => Err(Error::Face {
                kind: crate::error::Kind::NotFound,
                message: format!("session {} has no source {only}", self.opened.id),
                hint: Some(format!("it has {}", names.join(", "))),
            }),
        }
    }

    /// The source that is the session's own voice.
    pub fn own(&self) -> Option<&SourceRow> {
        let sources = self.opened.sources();
        sources.iter().find(|source| source.name == "main").or(sources.first())
    }

    pub fn adapter(&self) -> &'static dyn Adapter {
        registry::reading(self.opened.stored.harness.as_str())
    }

    /// Hands on every record that still holds, source by source.
    pub async fn each(
        &self,
        only: Option<&str>,
        each: &mut (dyn FnMut(&Voice, StoredRecord) -> Result<(), Error> + Send),
    ) -> Result<(), Error> {
        for source in self.sources(only)? {
            self.each_of(source, 0, each).await?;
        }
        Ok(())
    }

    async fn each_of(
        &self,
        source: &SourceRow,
        from: Number,
        each: &mut (dyn FnMut(&Voice, StoredRecord) -> Result<(), Error> + Send),
    ) -> Result<(), Error> {
        let mut records = self.opened.records_from(&source.key, from);
        let mut voice = Voice { source: source.name.clone(), agent: None };
        while let Some(record) = records.next().await? {
            if let Some(part) = records.part() {
                voice.agent.clone_from(&part.head.speaker);
            }
            if !record.void {
                each(&voice, record)?;
            }
        }
        Ok(())
    }

    /// Tells the session entry by entry, and gives its sums.
    pub async fn entries(
        &self,
        only: Option<&str>,
        each: &mut (dyn FnMut(Entry) -> Result<(), Error> + Send),
    ) -> Result<Tally, Error> {
        let mut conversation = Conversation::new(self.adapter());
        let mut last: Option<Voice> = None;
        self.each(only, &mut |voice, record| {
            let mut told = Vec::new();
            if last.as_ref() != Some(voice) {
                last = Some(voice.clone());
                told = conversation.voice(voice.clone());
            }
            told.extend(conversation.record(record.part, &record.bytes));
            told.into_iter().try_for_each(&mut *each)
        })
        .await?;
        conversation.flush().into_iter().try_for_each(each)?;
        Ok(conversation.tally().clone())
    }

    /// The last entries of one source that a reader is told of, without reading all that is before
    /// them.
    pub async fn tail(&self, source: &SourceRow, count: usize) -> Result<Vec<Entry>, Error> {
        let parts = Number::try_from(source.parts).unwrap_or(Number::MAX);
        let mut back = 4;
        loop {
            let from = parts.saturating_sub(back);
            let mut conversation = Conversation::new(self.adapter());
            let mut voiced = false;
            let mut told = std::collections::VecDeque::new();
            self.each_of(source, from, &mut |voice, record| {
                if !std::mem::replace(&mut voiced, true) {
                    conversation.voice(voice.clone());
                }
                let entries = conversation.record(record.part, &record.bytes);
                told.extend(entries.into_iter().filter(Entry::is_told));
                told.drain(..told.len().saturating_sub(count));
                Ok(())
            })
            .await?;
            told.extend(conversation.flush().into_iter().filter(Entry::is_told));
            told.drain(..told.len().saturating_sub(count));
            if told.len() >= count || from == 0 {
                return Ok(told.into());
            }
            back = back.saturating_mul(4);
        }
    }

    /// The records of one source as they are stored.
    pub async fn write_raw(
        &self,
        source: &SourceRow,
        out: &mut (dyn Write + Send),
    ) -> Result<Written, Error> {
        let mut written = Written::default();
        self.each_of(source, 0, &mut |_, record| {
            let end: &[u8] = match record.part {
                Part::Whole | Part::Chunk { last: true, .. } => b"\n",
                Part::Chunk { last: false, .. } | Part::Torn => b"",
            };
            out.write_all(&record.bytes).and_then(|()| out.write_all(end)).map_err(unwritten)?;
            written.records += 1;
            written.bytes += (record.bytes.len() + end.len()) as u64;
            Ok(())
        })
        .await?;
        Ok(written)
    }

    /// The session as a document.
    pub async fn write(
        &self,
        format: Format,
        only: Option<&str>,
        out: &mut (dyn Write + Send),
    ) -> Result<(Written, Tally), Error> {
        let mut text = String::new();
        let mut written = Written::default();
        let mut about = self.about();
        if let Some(only) = only.filter(|only| self.own().is_some_and(|own| own.name != **only)) {
            about.session = format!("{}/{only}", about.session);
        }
        let mut retelling = Retelling::new(self.adapter(), format, &about, &mut text);
        let mut last: Option<Voice> = None;
        self.each(only, &mut |voice, record| {
            if last.as_ref() != Some(voice) {
                last = Some(voice.clone());
                retelling.voice(voice.clone(), &mut text);
            }
            retelling.record(record.part, &record.bytes, &mut text);
            written.records += 1;
            if text.len() >= CHUNK {
                written.bytes += text.len() as u64;
                out.write_all(text.as_bytes()).map_err(unwritten)?;
                text.clear();
            }
            Ok(())
        })
        .await?;
        let tally = retelling.end(&mut text);
        written.bytes += text.len() as u64;
        out.write_all(text.as_bytes()).map_err(unwritten)?;
        Ok((written, tally))
    }

    /// Its sums.
    pub async fn tally(&self) -> Result<Tally, Error> {
        self.entries(None, &mut |_| Ok(())).await
    }

    /// Where something was said, as many as asked for.
    pub async fn find(&self, finder: &mut Finder, most: usize) -> Result<Vec<Place>, Error> {
        let adapter = self.adapter();
        let mut found = Vec::new();
        for source in self.sources(None)? {
            let mut records = self.opened.records(&source.key);
            while found.len() < most
                && let Some(record) = records.next().await?
            {
                if record.void {
                    continue;
                }
                let speaker = records.part().and_then(|part| part.head.speaker.as_deref());
                let hits = finder.record(adapter, speaker, record.part, &record.bytes);
                found.extend(hits.into_iter().map(|hit| Place {
                    source: source.name.clone(),
                    record: record.index,
                    hit,
                }));
            }
        }
        found.truncate(most);
        Ok(found)
    }
}

fn unwritten(source: io::Error) -> Error {
    Error::File { doing: "writing a session".into(), source }
}
