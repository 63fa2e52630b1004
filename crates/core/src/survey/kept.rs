//! The newest version of each task, kept on this machine in a form that is read in little time.
//!
//! Each is used for as long as the store lists an object of that path, size and time, and told that
//! it was old enough then for no other one to bear the same. Most of a document's reading goes into
//! fields that it shares with none: here every field has its place. What is signed is not kept: a
//! signature is checked against the bytes that it was given for, each time.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cache::{Drawer, In, Out, is_as_listed};
use crate::clock::Entropy;
use crate::hlc::Hlc;
use crate::id::{AgentId, Nonce, SessionId, TaskId};
use crate::key::Number;
use crate::record::{Document, Record};
use crate::signature::{Origin, Standing};
use crate::store::Listed;
use crate::task::fields::Fields;
use crate::task::hold::Head;
use crate::task::{ActName, Evidence, Handoff, Holder, Status, Task, TaskVersion};

const NAME: &str = "heads";
/// See `cache::pack`: younger ones are not kept.
const YOUNG: SignedDuration = SignedDuration::from_secs(2);
/// So few that are not kept, or this share of all, are not worth a new file.
const WORTH: usize = 16;
const SHARE: usize = 64;
/// Each thread decodes at least so many; starting one takes as long as 20.
const A_THREAD: usize = 1000;

/// What was kept, by path.
#[derive(Debug)]
pub(super) struct Kept<'a>(HashMap<&'a str, Entry<'a>>);

#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    size: u64,
    modified: Timestamp,
    head: &'a [u8],
}

pub(super) fn load(drawer: &Drawer) -> Option<Vec<u8>> {
    drawer.load(NAME)
}

impl<'a> Kept<'a> {
    pub fn parse(bytes: &'a [u8]) -> Option<Kept<'a>> {
        let (mut rest, mut entries) = (In(bytes), HashMap::new());
        while !rest.is_empty() {
            let (path, size, modified) = (rest.text()?, rest.number()?, rest.time()?);
            entries.insert(path, Entry { size, modified, head: rest.bytes()? });
        }
        Some(Kept(entries))
    }

    /// The heads of these rows, each where it is kept; by as many threads as there are to spare.
    pub fn heads(
        &self,
        rows: &[(Number, &Listed)],
        unsigned: &Origin,
        threads: usize,
    ) -> Vec<Option<Head>> {
        let threads = threads.min(rows.len() / A_THREAD).max(1);
        let decode = |rows: &[(Number, &Listed)]| -> Vec<Option<Head>> {
            rows.iter().map(|(version, row)| self.head(*version, row, unsigned)).collect()
        };
        if threads == 1 {
            return decode(rows);
        }
        let (first, others) = rows.split_at(rows.len().div_ceil(threads));
        std::thread::scope(|scope| {
            let others: Vec<_> = others
                .chunks(rows.len().div_ceil(threads))
                .map(|rows| (rows, scope.spawn(move || decode(rows))))
                .collect();
            let mut heads = decode(first);
            for (rows, thread) in others {
                heads.extend(thread.join().unwrap_or_else(|_| decode(rows)));
            }
            heads
        })
    }

    fn head(&self, version: Number, row: &Listed, unsigned: &Origin) -> Option<Head> {
        let entry = self.0.get(row.path.as_str())?;
        let same = entry.size == row.size && entry.modified == row.modified;
        let record = same.then(|| decode(entry.head))??;
        let (origin, modified) = (*unsigned, row.modified);
        Some(Head { version, record, origin, modified, newest_at: None })
    }
}

/// Writes all of them down, if enough of them were read from documents just now.
pub(super) fn keep(
    drawer: &Drawer,
    entropy: &dyn Entropy,
    heads: &[(&Listed, &Head)],
    read: usize,
    told: Option<Timestamp>,
) {
    let Some(told) = told else { return };
    if read <= WORTH + heads.len() / SHARE {
        return;
    }
    let mut out = Out::default();
    for (row, head) in heads {
        let old = told.duration_since(row.modified) >= YOUNG;
        let signed = head.origin.standing != Standing::Unsigned;
        if signed || !old || !is_as_listed(head.modified, row.modified) {
            continue;
        }
        out.text(row.path.as_str());
        out.number(row.size);
        out.time(row.modified);
        out.bytes(&encode(head));
    }
    drawer.keep(NAME, &out.0, entropy);
}

/// What of a version has no short form of its own.
#[derive(Deserialize)]
struct Rest {
    envelope: (u32, Map<String, Value>),
    version: (ActName, Option<String>, Option<Evidence>),
    task: (Status, Option<Holder>, Option<Handoff>, Fields, Map<String, Value>),
}

fn encode(head: &Head) -> Vec<u8> {
    // Taken apart to the last field: one that is added does not compile before it is kept, too.
    let Head { version: _, record, origin: _, modified: _, newest_at: _ } = head;
    let Record { schema, kind: _, nonce, agent, sid, at, hlc, body, extra } = &**record;
    let TaskVersion { act, reason, evidence, task } = body;
    let Task {
        id,
        title,
        status,
        generation,
        holder,
        next_agent,
        handoff,
        created_at,
        created_by,
        updated_at,
        last_holder,
        closed_at,
        fields,
        extra: more,
    } = task;
    let mut out = Out::default();
    for text in [nonce.as_str(), agent.as_str(), sid.as_str(), id.as_str(), title] {
        out.text(text);
    }
    out.text(&hlc.to_string());
    out.text(created_by.as_str());
    // A name is never empty.
    for name in [next_agent, last_holder] {
        out.text(name.as_ref().map_or("", AgentId::as_str));
    }
    out.number(*generation);
    for time in [at, created_at, updated_at] {
        out.time(*time);
    }
    out.number(u64::from(closed_at.is_some()));
    out.time(closed_at.unwrap_or_default());
    let rest = serde_json::json!([
        [schema, extra],
        [act, reason, evidence],
        [status, holder, handoff, fields, more],
    ]);
    out.text(&rest.to_string());
    out.0
}

fn decode(bytes: &[u8]) -> Option<Box<Record<TaskVersion>>> {
    let mut all = In(bytes);
    let nonce = Nonce::parse(all.text()?).ok()?;
    let agent = AgentId::parse(all.text()?).ok()?;
    let sid = SessionId::parse(all.text()?).ok()?;
    let id = TaskId::parse(all.text()?).ok()?;
    let title = all.text()?.to_owned();
    let hlc = Hlc::try_from(all.text()?.to_owned()).ok()?;
    let created_by = AgentId::parse(all.text()?).ok()?;
    let mut name = || match all.text()? {
        "" => Some(None),
        name => AgentId::parse(name).ok().map(Some),
    };
    let (next_agent, last_holder) = (name()?, name()?);
    let generation = all.number()?;
    let (at, created_at, updated_at) = (all.time()?, all.time()?, all.time()?);
    let (is_closed, closed_at) = (all.number()? == 1, all.time()?);
    let closed_at = is_closed.then_some(closed_at);
    let rest: Rest = serde_json::from_slice(all.bytes()?).ok()?;
    let (schema, extra) = rest.envelope;
    let (act, reason, evidence) = rest.version;
    let (status, holder, handoff, fields, more) = rest.task;
    let task = Task {
        id,
        title,
        status,
        generation,
        holder,
        next_agent,
        handoff,
        created_at,
        created_by,
        updated_at,
        last_holder,
        closed_at,
        fields,
        extra: more,
    };
    let body = TaskVersion { act, reason, evidence, task };
    let kind = TaskVersion::KIND.into();
    Some(Box::new(Record { schema, kind, nonce, agent, sid, at, hlc, body, extra }))
}
