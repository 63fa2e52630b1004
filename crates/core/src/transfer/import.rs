//! The import: what is new is written, what is here is compared, and nothing is ever overwritten.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::issue::comment_mark;
use super::others::{MissingLetters, MissingValues};
use super::plan::{self, Batch, Conflict, Incoming, Outcome, Resolve};
use super::read::Reader;
use super::read::Said;
use super::settle::Theirs;
use super::write::{Scribe, Written};
use crate::error::Error;
use crate::event::Event;
use crate::id::{AgentId, SessionId, TaskId};
use crate::key::{Key, Room};
use crate::record;
use crate::session::Session;
use crate::session::handle::Listing;
use crate::store::{Object, ObjectPath};
use crate::survey;
use crate::task::hold::Head;
use crate::task::{ActName, Comment, CommentView, Task, TaskVersion, Tasks};

/// How an import is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Leave what is here as it is, and do not call it a conflict.
    pub skip_existing: bool,
    /// Whose word stands where both say something else; nobody's by default.
    pub resolve: Option<Resolve>,
    /// Say what would happen, and write nothing.
    pub dry_run: bool,
}

/// The verbs that move work from and to other tools.
#[derive(Debug)]
pub struct Transfer<'a> {
    pub(super) session: &'a Session,
}

/// What is to be written of the tasks.
#[derive(Default)]
struct Todo {
    new: Vec<Incoming>,
    /// Of tasks that are here already.
    said: Vec<(TaskId, Said)>,
    /// What is to say something else.
    theirs: Vec<Theirs>,
}

impl<'a> Transfer<'a> {
    pub fn new(session: &'a Session) -> Transfer<'a> {
        Transfer { session }
    }

    /// Reads issues, one a line, as beads, Tracer and `export` write them.
    pub fn lines(&self, input: &mut dyn BufRead) -> Result<Batch, Error> {
        let reading = |source| Error::File { doing: "reading the issues".into(), source };
        Batch::lines(input, &self.reader()).map_err(reading)
    }

    /// Writes what is new. With a fault or a conflict nothing is written at all. It can be run again:
    /// whatever an interrupted run has written is unchanged then.
    pub async fn import(&self, batch: Batch, options: Options) -> Result<Outcome, Error> {
        if options.dry_run {
            self.session.touch().await?;
        } else {
            self.session.begin().await?;
        }
        let (dry_run, resolution) = (options.dry_run, options.resolve);
        let mut outcome = Outcome { dry_run, resolution, ..Outcome::default() };
        let Batch { issues, values, letters, files, from, faults, remarks } = batch;
        (outcome.faults, outcome.remarks) = (faults, remarks);
        let mut todo = self.compare(issues, options, &mut outcome).await?;
        let values = self.compare_values(values, options, &mut outcome).await?;
        let letters = self.compare_letters(letters, &mut outcome).await?;
        outcome.refused = outcome.kind().is_some();
        if outcome.refused {
            outcome.forget_counts();
        }
        if outcome.refused || options.dry_run {
            outcome.artifacts = files.len();
            return Ok(outcome);
        }
        // An import that was stopped has shown it, and may not have had it on the disk.
        self.session.store.secure_many(&outcome.seen).await?;
        let theirs = std::mem::take(&mut todo.theirs);
        let mut scribe = Scribe::new(self.session)?;
        let written = self.write_all(&mut scribe, todo, values, letters, &mut outcome).await;
        scribe.finish()?;
        written?;
        self.settle(theirs, &mut outcome).await?;
        self.note_ours(&outcome).await;
        if let Some(from) = from {
            self.write_files(&*from, files, &mut outcome).await?;
        }
        self.note(&outcome).await;
        Ok(outcome)
    }

    async fn write_all(
        &self,
        scribe: &mut Scribe<'_>,
        todo: Todo,
        values: MissingValues,
        letters: MissingLetters,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        self.write(scribe, todo, outcome).await?;
        self.write_values(scribe, values).await?;
        self.write_letters(scribe, letters).await
    }

    pub(super) fn reader(&self) -> Reader {
        let world = &self.session.world;
        Reader {
            agent: self.session.agent.clone(),
            sid: SessionId::draw(&*world.entropy),
            now: world.clock.now(),
        }
    }

    async fn compare(
        &self,
        issues: Vec<Incoming>,
        options: Options,
        outcome: &mut Outcome,
    ) -> Result<Todo, Error> {
        let listing = survey::rooms_in_turn(self.session, Room::Comments, Room::Steps).await?;
        let heads = survey::heads(self.session, &listing).await?;
        let here: BTreeMap<TaskId, Head> =
            heads.into_iter().map(|head| (head.record.body.task.id.clone(), head)).collect();
        let mut todo = Todo::default();
        let (mut said, mut found) = (None, BTreeSet::new());
        for incoming in issues {
            let id = incoming.task.id.clone();
            let Some(head) = here.get(&id) else {
                outcome.comments += incoming.said.len();
                todo.new.push(incoming);
                continue;
            };
            let task = &head.record.body.task;
            found.insert(&task.id);
            let differences = plan::differences(task, &incoming.source);
            if differences.is_empty() {
                outcome.unchanged += 1;
            } else if options.skip_existing {
                outcome.skipped += 1;
                continue;
            } else {
                let (id, place) = (id.to_string(), incoming.place.clone());
                let conflict = Conflict::new(id, place, differences);
                match (options.resolve, other_holder(task, &self.session.agent)) {
                    (Some(Resolve::Ours), _) => outcome.resolved.push(conflict),
                    (Some(Resolve::Theirs), None) => {
                        outcome.resolved.push(conflict.clone());
                        todo.theirs.push(Theirs::new(head, &incoming, conflict));
                    }
                    (resolve, held_by) => {
                        // Without a decision nobody was asked yet.
                        let held_by = resolve.and(held_by);
                        outcome.conflicts.push(Conflict { held_by, ..conflict });
                        continue;
                    }
                }
            }
            if incoming.said.is_empty() {
                continue;
            }
            if said.is_none() {
                let known: Vec<&Task> = here.values().map(task_of).collect();
                let views = Tasks::new(self.session).read_comments(&listing, &known).await?;
                said = Some(marks(views));
            }
            let known = said.as_mut().and_then(|said| said.get_mut(&id));
            let missing = missing(incoming.said, known);
            outcome.comments += missing.len();
            todo.said.extend(missing.into_iter().map(|said| (id.clone(), said)));
        }
        outcome.imported = todo.new.len();
        outcome.seen.extend(self.where_it_lies(&listing, &found));
        let new: Vec<&Incoming> = todo.new.iter().collect();
        let here: Vec<&Task> = here.values().map(task_of).collect();
        outcome.remarks.extend(plan::graph_remarks(&here, &new));
        Ok(todo)
    }

    /// The versions and comments of these tasks.
    fn where_it_lies(&self, listing: &Listing, tasks: &BTreeSet<&TaskId>) -> Vec<ObjectPath> {
        let is_theirs = |path: &ObjectPath| match self.session.layout.parse(path) {
            Some(Key::Step { task, .. } | Key::Comment { task, .. }) => tasks.contains(&task),
            _ => false,
        };
        let paths = listing.objects.iter().map(|row| &row.path);
        paths.filter(|path| is_theirs(path)).cloned().collect()
    }

    async fn write(
        &self,
        scribe: &mut Scribe<'_>,
        todo: Todo,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let mut said = todo.said;
        let mut items = Vec::with_capacity(todo.new.len());
        let mut sources = Vec::with_capacity(todo.new.len());
        for incoming in todo.new {
            let key = Key::Step { task: incoming.task.id.clone(), version: 0 };
            let (act, reason) = (ActName::Create, Some("import".to_owned()));
            said.extend(incoming.said.into_iter().map(|said| (incoming.task.id.clone(), said)));
            let version = TaskVersion { act, reason, evidence: None, task: incoming.task };
            items.push(scribe.document(&key, version)?);
            sources.push((incoming.place, incoming.source));
        }
        let mut taken = BTreeSet::new();
        for (written, (place, source)) in scribe.put(items).await?.into_iter().zip(sources) {
            if let Written::Other(object, path) = written {
                // Somebody made it since we looked.
                taken.extend(judge_late(&object, &path, place, &source, outcome)?);
            }
        }
        said.retain(|(task, _)| !taken.contains(task));
        let mut streams: BTreeMap<TaskId, u32> = BTreeMap::new();
        let mut items = Vec::with_capacity(said.len());
        for (task, said) in said {
            let next = streams.entry(task.clone()).or_default();
            let key = Key::Comment { task, sid: scribe.sid().clone(), n: *next };
            *next += 1;
            let mut comment = Comment::new(said.kind.unwrap_or_default(), said.text);
            comment.author = said.author;
            comment.created_at = said.created_at;
            comment.imported = said.imported;
            items.push(scribe.document(&key, comment)?);
        }
        scribe.put(items).await?;
        Ok(())
    }

    /// Each document of an import tells who brought it; this tells that it was one import.
    async fn note(&self, outcome: &Outcome) {
        if outcome.imported + outcome.comments + outcome.memories + outcome.messages == 0 {
            return;
        }
        let words = format!(
            "imported {} tasks, {} comments, {} values and {} messages",
            outcome.imported, outcome.comments, outcome.memories, outcome.messages
        );
        self.session.journal(Event::new("import").message(words)).await;
    }
}

fn task_of(head: &Head) -> &Task {
    &head.record.body.task
}

/// Who else holds a task. What an earlier session of this agent has is its own.
fn other_holder(task: &Task, me: &AgentId) -> Option<AgentId> {
    task.holder.as_ref().map(|holder| holder.agent.clone()).filter(|agent| agent != me)
}

/// The name, when it is a conflict.
fn judge_late(
    object: &Object,
    path: &ObjectPath,
    place: String,
    source: &Map<String, Value>,
    outcome: &mut Outcome,
) -> Result<Option<TaskId>, Error> {
    let task = record::decode::<TaskVersion>(path, &object.bytes)?.body.task;
    let differences = plan::differences(&task, source);
    outcome.imported -= 1;
    if differences.is_empty() {
        outcome.unchanged += 1;
        return Ok(None);
    }
    outcome.conflicts.push(Conflict::new(task.id.to_string(), place, differences));
    Ok(Some(task.id))
}

type Marks = BTreeMap<TaskId, BTreeMap<(String, Timestamp, String), usize>>;

fn marks(views: Vec<CommentView>) -> Marks {
    let mut marks = Marks::new();
    for view in views {
        let mark = comment_mark(&view.author, view.created_at, &view.text);
        *marks.entry(view.task).or_default().entry(mark).or_default() += 1;
    }
    marks
}

/// The comments that are not here yet.
fn missing(
    said: Vec<Said>,
    known: Option<&mut BTreeMap<(String, Timestamp, String), usize>>,
) -> Vec<Said> {
    let Some(known) = known else { return said };
    let is_new = |said: &Said| {
        let is_it = |(author, at, text): &(String, Timestamp, String)| {
            *text == said.text
                && said.author.as_ref().is_none_or(|said| said == author)
                && said.created_at.is_none_or(|said| said == *at)
        };
        let found = known.iter_mut().find(|(mark, count)| **count > 0 && is_it(mark));
        found.map(|(_, count)| *count -= 1).is_none()
    };
    said.into_iter().filter(is_new).collect()
}
