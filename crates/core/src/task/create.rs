//! Creating tasks: under a name that is given, or under the next free number.

use std::collections::BTreeSet;

use super::fields::{DependencyKind, Fields};
use super::hold::{self, Head, Placed};
use super::model::{ActName, Task, TaskVersion};
use super::rules::{self, Refusal};
use super::verbs::{StepView, Tasks, view};
use crate::error::Error;
use crate::id::{IdShape, TaskId};
use crate::key::Room;
use crate::session::State;
use crate::store::Depth;

/// Longest title, in characters.
pub const MAX_TITLE: usize = 500;
/// So many numbers in a row are tried before it is looked which are free: others create, too.
const TRIES: u32 = 16;
/// How often it is looked.
const LOOKS: u32 = 64;

/// A task that is to be made.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Without one it gets the next number.
    pub id: Option<TaskId>,
    pub title: String,
    pub fields: Fields,
    /// Take it in the same act.
    pub claim: bool,
}

impl Tasks<'_> {
    /// Makes a task. One request when the next number is known and nothing is depended on.
    pub async fn create(&self, draft: Draft) -> Result<StepView, Error> {
        self.create_beside(draft, &[]).await
    }

    /// The same next to tasks that this command has just made: these need not be looked for.
    async fn create_beside(&self, draft: Draft, made: &[StepView]) -> Result<StepView, Error> {
        let title = checked_title(&draft.title)?;
        let draft = Draft { title, ..draft };
        let state = self.session.begin().await?;
        if draft.claim {
            self.allow_claims(&state)?;
        }
        self.check_dependencies(&draft, made).await?;
        match &draft.id {
            Some(id) => {
                let made = self.make(&state, id, &draft).await?;
                made.ok_or_else(|| Refusal::Taken { task: id.clone() }.into())
            }
            None => self.create_numbered(&state, &draft).await,
        }
    }

    /// Makes tasks one after the other, and says which are there when one is refused. One of the same
    /// name and title that this agent has made is that task: the same file can be given again after
    /// a stop.
    pub async fn create_all(&self, drafts: Vec<Draft>) -> (Vec<StepView>, Result<(), Error>) {
        let mut made = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let there = match self.create_beside(draft.clone(), &made).await {
                Ok(view) => Ok(view),
                Err(error) => self.made_before(&draft, error).await,
            };
            match there {
                Ok(view) => made.push(view),
                Err(error) => return (made, Err(error)),
            }
        }
        (made, Ok(()))
    }

    /// The task that an earlier run has made of this draft, or the error that speaks against it.
    async fn made_before(&self, draft: &Draft, error: Error) -> Result<StepView, Error> {
        let (Error::Refused(Refusal::Taken { .. }), Some(id)) = (&error, &draft.id) else {
            return Err(error);
        };
        let Head { version, record, origin, .. } = self.head(id).await?;
        let task = record.body.task;
        let is_it = task.created_by == self.session.agent && task.title == draft.title.trim();
        if !is_it {
            return Err(error);
        }
        hold::secure(self.session, id, version).await?;
        Ok(view(version, task, origin))
    }

    async fn create_numbered(&self, state: &State, draft: &Draft) -> Result<StepView, Error> {
        let shape = state.facts.as_ref().map(|facts| facts.id_shape.clone()).unwrap_or_default();
        let mut next = state.next_numbers.get(&shape.prefix).copied();
        for _ in 0..LOOKS {
            let first = match next {
                Some(number) => number,
                None => self.first_free(&shape).await?,
            };
            for number in first..first.saturating_add(TRIES) {
                let made = self.make(state, &shape.id(number)?, draft).await?;
                if let Some(made) = made {
                    self.session.update(|state| {
                        let known = state.next_numbers.entry(shape.prefix.clone()).or_default();
                        *known = (*known).max(number.saturating_add(1));
                    })?;
                    return Ok(made);
                }
            }
            // Others have made many since: look how far they are.
            next = None;
        }
        Err(Error::TimedOut("others take numbers faster than this command can follow".into()))
    }

    /// The number after the highest one there is.
    async fn first_free(&self, shape: &IdShape) -> Result<u32, Error> {
        let listing = self.session.list(&Room::Steps, Depth::Children).await?;
        let taken = listing.folders.iter().filter_map(|folder| {
            let id = TaskId::parse(&crate::codec::decode(folder.name())?).ok()?;
            shape.number(&id)
        });
        Ok(taken.max().map_or(1, |last| last.saturating_add(1)))
    }

    /// Puts the first version of a task; `None` when there is one of that name.
    async fn make(
        &self,
        state: &State,
        id: &TaskId,
        draft: &Draft,
    ) -> Result<Option<StepView>, Error> {
        let first = self.first_version(state, id, draft);
        Ok(match hold::place_as(self.session, &state.sid, id, None, first).await? {
            Placed::Won(record, version, _) => {
                Some(view(version, record.body.task, self.session.own_origin()))
            }
            Placed::Lost(_) => None,
        })
    }

    fn first_version(&self, state: &State, id: &TaskId, draft: &Draft) -> TaskVersion {
        let (actor, now) = (self.actor(state), self.session.now());
        let mut fields = draft.fields.clone();
        for edge in &mut fields.dependencies {
            edge.created_at = now;
            edge.created_by = actor.agent.clone();
        }
        let task = Task { fields, ..rules::create(id, &draft.title, &actor, now) };
        if draft.claim {
            return rules::claim(&task, &actor, None, now)
                .expect("nobody holds a task that was just made");
        }
        TaskVersion { act: ActName::Create, reason: None, evidence: None, task }
    }

    /// What a new task depends on must be there, and must be closed when it is taken at once.
    async fn check_dependencies(&self, draft: &Draft, made: &[StepView]) -> Result<(), Error> {
        let mut open = Vec::new();
        let edges = &draft.fields.dependencies;
        let named: BTreeSet<&TaskId> = edges.iter().map(|edge| &edge.on).collect();
        let is_made = |id: &TaskId| made.iter().any(|view| view.task.id == *id);
        for on in named {
            if draft.id.as_ref() == Some(on) {
                return Err(Refusal::Circle { task: on.clone(), circle: vec![on.clone()] }.into());
            }
            if !is_made(on) {
                self.head(on).await?;
            }
        }
        if draft.claim {
            for edge in edges {
                open.extend(self.open_along(&edge.on, &edge.kind).await?);
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = open.iter().map(TaskId::as_str).collect();
        Err(Error::Usage(format!(
            "it would wait for {}: a task that waits cannot be claimed; leave --claim away",
            names.join(", ")
        )))
    }

    /// The open tasks in the way of one that has such an edge to `on`.
    async fn open_along(&self, on: &TaskId, kind: &DependencyKind) -> Result<Vec<TaskId>, Error> {
        match kind {
            DependencyKind::Blocks => {
                let head = self.head(on).await?;
                let is_open = head.record.body.task.status != super::model::Status::Closed;
                Ok(is_open.then(|| on.clone()).into_iter().collect())
            }
            DependencyKind::ParentChild => {
                let head = self.head(on).await?;
                self.open_blockers_of(&head.record.body.task).await
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// A title on one line, of a length that a list can show.
pub fn checked_title(title: &str) -> Result<String, Error> {
    let title = title.trim();
    if title.is_empty() {
        return Err(Error::Usage("a task needs a title".into()));
    }
    if title.chars().count() > MAX_TITLE {
        return Err(Error::Usage(format!(
            "this title has {} characters; one holds {MAX_TITLE}. The rest belongs into the \
             description (-d, or --file)",
            title.chars().count()
        )));
    }
    if title.chars().any(char::is_control) {
        return Err(Error::Usage("a title is one line without control characters".into()));
    }
    Ok(title.to_owned())
}
