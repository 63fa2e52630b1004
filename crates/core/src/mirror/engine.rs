//! The mirror: what is new in the sessions of this machine goes into the store, each record once.
//!
//! A part is put first and its place remembered after. So a stop at any moment costs a lost race
//! against ourselves at the next start, and nothing else: the loser reads what is there and goes on
//! behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

use super::append::{Draft, PartPut};
use super::look::{self, Sessions};
use super::model::{Head, Next};
use super::read::{StoredPart, part_path};
use super::receipt::{Found, Round, SessionReceipt, SourceReceipt};
use super::secret::MirrorKey;
use super::state::{CursorStore, End, Ends};
use super::title;
use super::wash::{self, Washed, Washer};
use crate::error::Error;
use crate::id::{SourceKey, TaskId, TranscriptId};
use crate::key::{MAX_NUMBER, Number};
use crate::session::Session as Caller;
use crate::transcript::adapter::{Adapter, Filter};
use crate::transcript::places::Places;
use crate::transcript::reader::{Budget, Reader};
use crate::transcript::redact::Redactor;
use crate::transcript::registry;
use crate::transcript::source::{Form, Session, Source};

/// Bytes of records in one part, and one record more.
pub const PART_BYTES: usize = 2 * 1024 * 1024;
const PART_RECORDS: usize = 20_000;
/// How often one source is taken up again in one round because another mirror was faster.
const TRIES: u32 = 1_000;

/// What is mirrored, and how.
#[derive(Clone)]
pub struct Setup {
    pub places: Places,
    pub filter: Filter,
    /// One harness; without it all of them.
    pub harness: Option<&'static str>,
    /// One session, by its harness's name for it.
    pub session: Option<String>,
    pub key: MirrorKey,
    /// Without it, everything goes as it is.
    pub redactor: Option<Arc<Redactor>>,
    pub local: Arc<dyn CursorStore>,
    /// Less than this waits for more.
    pub min_bytes: u64,
    /// As much goes into one part, and one record more: [`PART_BYTES`].
    pub part_bytes: usize,
    /// The sessions have ended: an unfinished last line goes too, marked as torn.
    pub finish: bool,
    /// Leave out rows that are bulky and say nothing.
    pub lean: bool,
    /// Look only, and say what would go.
    pub dry_run: bool,
}

/// A mirror at work. What it knows of the store it keeps from round to round.
pub struct Mirror<'a> {
    caller: &'a Caller,
    setup: Setup,
    found: Vec<Session>,
    known: BTreeMap<TranscriptId, Known>,
}

#[derive(Default)]
struct Known {
    ends: Ends,
    /// What the store held when it was looked at; not looked at before there is something to put.
    seen: Option<Seen>,
}

struct Seen {
    introduced: bool,
    compactions: Number,
    newest: BTreeMap<SourceKey, Number>,
    /// Sources whose end we know to be the store's.
    sure: BTreeSet<String>,
}

/// What came of one part.
enum Step {
    On,
    /// The log ends elsewhere than we thought.
    Again,
    Enough,
}

impl<'a> Mirror<'a> {
    pub fn new(sessions: Sessions<'a>, setup: Setup) -> Mirror<'a> {
        let (found, known) = (Vec::new(), BTreeMap::new());
        Mirror { caller: sessions.session, setup, found, known }
    }

    pub fn setup(&mut self) -> &mut Setup {
        &mut self.setup
    }

    /// Looks for sessions, and stores what is new in them. Costs no request when nothing is.
    pub async fn round(&mut self) -> Round {
        let setup = self.setup.clone();
        let found = blocking(move || match setup.harness.and_then(registry::named) {
            Some(adapter) => registry::discover_with(&[adapter], &setup.places, &setup.filter),
            None => registry::discover(&setup.places, &setup.filter),
        });
        let found = found.await;
        let wanted = self.setup.session.clone();
        self.found = found.sessions;
        self.found.retain(|session| wanted.as_ref().is_none_or(|id| session.id == *id));
        // A title is what somebody typed or what a model made of it: as likely to hold a secret as
        // the records are.
        if let Some(redactor) = &self.setup.redactor {
            for title in self.found.iter_mut().filter_map(|session| session.title.as_mut()) {
                *title = String::from_utf8_lossy(&redactor.text(title).bytes).into_owned();
            }
        }
        Round { trouble: found.trouble, ..self.again().await }
    }

    /// The same for the sessions that the last round has found.
    pub async fn again(&mut self) -> Round {
        let mut round = Round::default();
        for session in std::mem::take(&mut self.found) {
            if round.stopped.is_none()
                && let Err(error) = self.session(&session, &mut round).await
            {
                round.stopped = Some(error);
            }
            self.found.push(session);
        }
        round
    }

    /// The folders in which what was found lies.
    pub fn roots(&self) -> BTreeSet<&Path> {
        let sources = self.found.iter().flat_map(|session| &session.sources);
        sources.map(|source| source.root.as_path()).collect()
    }

    /// Whether a file is one of those that are followed, or belongs to one.
    pub fn follows(&self, path: &Path) -> bool {
        let path = path.as_os_str().as_encoded_bytes();
        let begins = |known: &Path| path.starts_with(known.as_os_str().as_encoded_bytes());
        self.found.iter().flat_map(|session| &session.sources).any(|source| match &source.form {
            Form::Lines { paths } => paths.iter().any(|path| begins(path)),
            Form::Document { path, .. } => begins(path),
            Form::Folder(folder) => begins(&folder.each),
            Form::Rows(rows) => begins(&rows.database),
            Form::Archive(archive) => begins(&archive.database),
        })
    }

    async fn session(&mut self, session: &Session, round: &mut Round) -> Result<(), Error> {
        let id = TranscriptId::parse(session.harness, &session.id)?;
        if !self.known.contains_key(&id) {
            let ends = self.setup.local.load(&id, self.setup.key.id());
            self.known.insert(id.clone(), Known { ends, seen: None });
        }
        round.sessions.push(SessionReceipt {
            harness: session.harness.to_owned(),
            id: session.id.clone(),
            title: session.title.clone(),
            sources: Vec::new(),
        });
        let receipts = round.sessions.len() - 1;
        for source in &session.sources {
            let name = source.name.clone();
            let mut receipt = SourceReceipt { source: name, ..SourceReceipt::default() };
            let outcome = self.source(&id, session, source, &mut receipt).await;
            round.sessions[receipts].sources.push(receipt);
            outcome?;
        }
        Ok(())
    }

    async fn source(
        &mut self,
        id: &TranscriptId,
        session: &Session,
        source: &Source,
        receipt: &mut SourceReceipt,
    ) -> Result<(), Error> {
        for _ in 0..TRIES {
            let (mut washed, reading) = self.read(id, session.harness, source);
            let mut step = Ok(Step::On);
            while matches!(step, Ok(Step::On))
                && let Some(washed) = washed.recv().await
            {
                receipt.held_back_bytes = washed.held_back;
                receipt.trouble = washed.trouble.clone().or(receipt.trouble.take());
                step = self.take(id, session, source, washed, receipt).await;
            }
            // Nobody may open a database twice in one process: POSIX drops all its locks with the
            // first close. So the reader has ended before the next one begins.
            drop(washed);
            joined(reading.await);
            if !matches!(step?, Step::Again) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads a source on a thread of its own, a part ahead of what is being stored.
    fn read(
        &self,
        id: &TranscriptId,
        harness: &str,
        source: &Source,
    ) -> (mpsc::Receiver<Washed>, JoinHandle<()>) {
        let (hand_on, washed) = mpsc::channel(1);
        let from = self.known[id].ends.get(&source.name).map(|end| end.next.clone());
        let reader = Reader::keyed(self.setup.key.cursors());
        let finish = self.setup.finish;
        let budget = Budget {
            records: PART_RECORDS,
            bytes: self.setup.part_bytes,
            finish,
            ..Budget::default()
        };
        let lean: Option<&'static dyn Adapter> =
            registry::named(harness).filter(|_| self.setup.lean);
        let washer = Washer { redactor: self.setup.redactor.clone(), lean };
        let source = source.clone();
        let reading = tokio::task::spawn_blocking(move || {
            wash::read(&source, from.as_ref(), &reader, &budget, washer, &mut |washed| {
                hand_on.blocking_send(washed).is_ok()
            });
        });
        (washed, reading)
    }

    async fn take(
        &mut self,
        id: &TranscriptId,
        session: &Session,
        source: &Source,
        washed: Washed,
        receipt: &mut SourceReceipt,
    ) -> Result<Step, Error> {
        if washed.is_empty() {
            return self.moved_on(id, source, &washed).map(|()| Step::On);
        }
        let too_few = washed.bytes < self.setup.min_bytes && !washed.more && !self.setup.finish;
        if too_few && washed.revision.is_none() && receipt.parts == 0 {
            receipt.waiting_bytes = washed.bytes;
            return Ok(Step::Enough);
        }
        if self.setup.dry_run {
            receipt.count(&washed, 0);
            receipt.findings.extend(washed.spans.iter().map(Found::from));
            return Ok(Step::On);
        }
        if !self.is_sure(id, session, source, &washed).await? {
            return Ok(Step::Again);
        }
        self.put(id, source, washed, receipt).await
    }

    /// Nothing to put, but the next look need not compare again what this one has compared.
    fn moved_on(
        &mut self,
        id: &TranscriptId,
        source: &Source,
        washed: &Washed,
    ) -> Result<(), Error> {
        let Some(known) = self.known.get_mut(id) else { return Ok(()) };
        if let (Some(end), Some(next)) = (known.ends.get_mut(&source.name), &washed.next)
            && end.next != *next
            && !self.setup.dry_run
        {
            end.next = next.clone();
            return self.remember(id);
        }
        Ok(())
    }

    /// Whether the log ends where we think. Looked up once for each session, and when it is not so,
    /// we know better afterwards.
    async fn is_sure(
        &mut self,
        id: &TranscriptId,
        session: &Session,
        source: &Source,
        washed: &Washed,
    ) -> Result<bool, Error> {
        let caller = self.caller;
        let known = self.known.entry(id.clone()).or_default();
        if known.seen.is_none() {
            caller.begin().await?;
            let (plan, _) = look::look(caller, id).await?;
            let ends =
                plan.sources.iter().filter_map(|(key, at)| Some((key.clone(), at.newest()?)));
            known.seen = Some(Seen {
                introduced: plan.head.is_some(),
                compactions: plan.compaction.as_ref().map_or(0, |(k, _)| k + 1),
                newest: ends.collect(),
                sure: BTreeSet::new(),
            });
        }
        let seen = known.seen.as_mut().expect("it was just looked at");
        if !seen.introduced {
            let mut head = head_of(caller, session)?;
            if head.title.is_none() && source.agent.is_none() {
                head.title = title::first_words(session.harness, &washed.records);
            }
            Sessions::new(caller).introduce(id, head).await?;
            seen.introduced = true;
        }
        if seen.sure.contains(&source.name) {
            return Ok(true);
        }
        let key = SourceKey::of(&source.name);
        let there = seen.newest.get(&key).copied();
        if there.is_some() && there == known.ends.get(&source.name).map(|end| end.n) {
            seen.sure.insert(source.name.clone());
            return Ok(true);
        }
        let Some(n) = there else {
            // An emptied store begins anew.
            let is_new = known.ends.remove(&source.name).is_none();
            seen.sure.insert(source.name.clone());
            return Ok(is_new);
        };
        let path = part_path(caller, id, &key, n);
        let Some(object) = caller.store.get(&path).await?.value else {
            // Compacted away since: look again.
            known.seen = None;
            return Ok(false);
        };
        let (part, next) = Sessions::new(caller).read_part(id, &key, n, &object)?;
        self.adopt(id, source, part, next)?;
        let seen = self.known.get_mut(id).and_then(|known| known.seen.as_mut());
        seen.expect("it was just looked at").sure.insert(source.name.clone());
        Ok(false)
    }

    async fn put(
        &mut self,
        id: &TranscriptId,
        source: &Source,
        washed: Washed,
        receipt: &mut SourceReceipt,
    ) -> Result<Step, Error> {
        let (caller, key) = (self.caller, self.setup.key.id().to_owned());
        let state = caller.begin().await?;
        let known = self.known.entry(id.clone()).or_default();
        let before = known.ends.get(&source.name);
        let n = before.map_or(0, |end| end.n + 1);
        if n > MAX_NUMBER {
            return Err(Error::Usage(format!("the log of {id} is full")));
        }
        let Some(next) = washed.next.clone() else { return Ok(Step::Enough) };
        let own = is_own(caller, id);
        let draft = Draft {
            source: source.name.clone(),
            speaker: source.agent.clone(),
            file: file_of(source),
            before: before.map(|end| end.nonce.clone()),
            generation: next.cursor.generation,
            keep: washed.revision.as_ref().map(|revision| revision.keep),
            first: washed.first,
            records: washed.records.clone(),
            bytes: washed.bytes,
            key,
            redacted: self.setup.redactor.is_some(),
            redactions: washed.counts.clone(),
            held_back: washed.held_back,
            tasks: if own { state.holds.keys().cloned().collect() } else { Vec::new() },
            next: next.clone(),
        };
        let compactions = known.seen.as_ref().map_or(0, |seen| seen.compactions);
        match Sessions::new(caller).append(id, n, compactions, draft).await? {
            PartPut::Won(part) => {
                receipt.count(&washed, part.head.stored);
                known.ends.insert(source.name.clone(), End { n, nonce: part.nonce, next });
                self.remember(id)?;
                Ok(Step::On)
            }
            PartPut::Lost(there) => {
                receipt.lost += 1;
                let (part, next) = *there;
                self.adopt(id, source, part, next)?;
                Ok(Step::Again)
            }
            PartPut::Covered => {
                known.seen = None;
                Ok(Step::Again)
            }
        }
    }

    /// Goes on behind a part that another mirror has put, or this one before it was stopped.
    fn adopt(
        &mut self,
        id: &TranscriptId,
        source: &Source,
        part: StoredPart,
        mut next: Next,
    ) -> Result<(), Error> {
        if part.head.key != self.setup.key.id() {
            self.caller.notice(format!(
                "{id} was mirrored with another key, from another machine maybe: {} is stored anew, \
                 and the older records are marked as taken back",
                source.name
            ));
            // Hashes of another key are met by none, so everything is a revision from the start.
            (next.cursor.complete, next.carry) = (false, Default::default());
        }
        let known = self.known.entry(id.clone()).or_default();
        let end = End { n: part.n, nonce: part.nonce, next };
        known.ends.insert(source.name.clone(), end);
        self.remember(id)
    }

    fn remember(&self, id: &TranscriptId) -> Result<(), Error> {
        let Some(known) = self.known.get(id) else { return Ok(()) };
        let saved = self.setup.local.save(id, self.setup.key.id(), &known.ends);
        saved.map_err(|source| Error::File { doing: "writing the mirror's cursors".into(), source })
    }
}

impl SourceReceipt {
    fn count(&mut self, washed: &Washed, stored: u64) {
        self.parts += u64::from(stored > 0 || washed.revision.is_some());
        self.records += washed.records.len() as u64;
        self.bytes += washed.bytes;
        self.stored_bytes += stored;
        self.left_out_bytes += washed.left_out;
        self.redactions.merge(&washed.counts);
        self.kept = washed.revision.as_ref().map(|revision| revision.keep).or(self.kept);
    }
}

/// A file's place below the harness's folder, as it would be called uncompressed.
fn file_of(source: &Source) -> Option<String> {
    let path = match &source.form {
        Form::Lines { paths } => paths.first()?,
        Form::Document { path, split: None } => path,
        _ => return None,
    };
    let below = path.strip_prefix(&source.root).ok()?.to_str()?;
    Some(below.strip_suffix(".zst").unwrap_or(below).to_owned())
}

fn head_of(caller: &Caller, session: &Session) -> Result<Head, Error> {
    let id = TranscriptId::parse(session.harness, &session.id)?;
    let own = is_own(caller, &id);
    let state = caller.remembered()?;
    let tasks: Vec<TaskId> = state
        .filter(|_| own)
        .map(|state| state.holds.keys().cloned().collect())
        .unwrap_or_default();
    let profile = &caller.profile;
    let is_here = session.cwd.is_some() && session.cwd == profile.worktree;
    Ok(Head {
        harness: session.harness.to_owned(),
        session: session.id.clone(),
        cwd: session.cwd.clone(),
        branch: profile.branch.clone().filter(|_| own || is_here),
        started: session.started.clone(),
        title: session.title.clone(),
        parent: session.parent.clone(),
        host: profile.host.clone(),
        own,
        tasks,
    })
}

/// Whether the caller runs inside of this very session.
fn is_own(caller: &Caller, id: &TranscriptId) -> bool {
    let profile = &caller.profile;
    profile.harness.as_deref() == Some(id.harness.as_str())
        && profile.harness_session.as_deref() == Some(id.id.as_str())
}

/// Work on files, beside the one thread on which everything else is done.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    joined(tokio::task::spawn_blocking(work).await)
}

fn joined<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
