//! Letting go: completing, blocking, handing to review and releasing, by the holder alone.

use super::hold::{self, Head, Placed};
use super::model::{ActName, Evidence, Handoff, HandoffState, Task, TaskVersion};
use super::rules::{self, Obstacle, Outcome, Refusal};
use super::verbs::{Claimed, Finish, Finished, ROUNDS, Tasks, moving};
use crate::error::{Error, Kind};
use crate::id::{AgentId, TaskId};
use crate::session::State;
use crate::signature::Origin;

/// An act that only a holder may do.
struct HolderAct<'a> {
    id: &'a TaskId,
    name: ActName,
    /// The version after it, by the rules.
    next: &'a (dyn Fn(&Task) -> Result<TaskVersion, Obstacle> + Sync),
    /// Whether a task that nobody holds any more shows this very act.
    is_done: &'a (dyn Fn(&Task) -> bool + Sync),
    /// It includes taking a task that nobody holds.
    takes: bool,
    force: bool,
    reason: Option<String>,
}

impl Tasks<'_> {
    pub(super) async fn try_finish(&self, id: &TaskId, finish: &Finish) -> Result<Finished, Error> {
        let state = self.session.begin().await?;
        let actor = self.actor(&state);
        let handoff = self.handoff(&state, id, finish);
        self.act_as_holder(
            &state,
            HolderAct {
                id,
                name: match finish.outcome {
                    Outcome::Complete => ActName::Complete,
                    Outcome::Block => ActName::Block,
                    Outcome::Review => ActName::Review,
                },
                next: &|task| {
                    let now = self.session.now();
                    let mut next =
                        rules::finish(task, &actor, finish.outcome, handoff.clone(), now)?;
                    let limit = state.facts.as_ref().map_or(0, |facts| facts.review_limit);
                    rules::limit_reviews(&mut next, limit, &actor, now);
                    Ok(next)
                },
                is_done: &|task| task.handoff.as_ref().is_some_and(|done| same(done, &handoff)),
                takes: true,
                force: finish.force,
                reason: finish.reason.clone(),
            },
        )
        .await
    }

    pub(super) async fn try_release(
        &self,
        id: &TaskId,
        reason: Option<String>,
    ) -> Result<Finished, Error> {
        let state = self.session.begin().await?;
        let actor = self.actor(&state);
        self.act_as_holder(
            &state,
            HolderAct {
                id,
                name: ActName::Release,
                next: &|task| rules::release(task, &actor, reason.clone(), self.session.now()),
                is_done: &|_| true,
                takes: false,
                force: false,
                reason: None,
            },
        )
        .await
    }

    /// Begins to work on what this session holds.
    pub(super) async fn start(
        &self,
        state: &State,
        id: &TaskId,
        is_atomic: bool,
    ) -> Result<Claimed, Error> {
        let actor = self.actor(state);
        let act = HolderAct {
            id,
            name: ActName::Start,
            next: &|task| rules::start(task, &actor, self.session.now()),
            is_done: &|_| false,
            takes: false,
            force: false,
            reason: None,
        };
        let begun = self.act_as_holder(state, act).await?;
        let task = self.session.update(|_| {})?.holds.remove(id).map(|hold| hold.task);
        let task = task.ok_or_else(|| Refusal::NotHeld { task: id.clone() })?;
        let told = self.claimed(state, begun.version, &task, is_atomic);
        Ok(Claimed { already_held: true, ..told })
    }

    /// Optimistic behind the hold that is remembered, again on top of whatever else landed while the
    /// hold is still ours, and refused when it is not.
    async fn act_as_holder(&self, state: &State, act: HolderAct<'_>) -> Result<Finished, Error> {
        let id = act.id;
        let held = state.holds.get(id).map(|hold| hold.task.generation);
        let ours = held.or_else(|| state.fenced.get(id).copied());
        let mut head = match hold::remembered(self.session, state, id) {
            Some(head) => head,
            None => self.head(id).await?,
        };
        for _ in 0..ROUNDS {
            let task = &head.record.body.task;
            let is_ours = task.holder.as_ref().is_some_and(|holder| holder.sid == state.sid);
            let next = if is_ours && !hold::is_known(self.session, &head).await? {
                self.renew(state).await?;
                self.takeover(state, task, Evidence::LeaseLapsed, None)
            } else {
                match (act.next)(task) {
                    Ok(next) => next,
                    // The same command again, after an outcome that was unknown: it is done.
                    Err(_) if self.has_done(state, &head, &act) => {
                        hold::secure(self.session, id, head.version).await?;
                        return Ok(self.finished(head.version, head.record.body.task, true));
                    }
                    Err(obstacle) => self.way_around(state, &head, obstacle, &act, ours).await?,
                }
            };
            let is_the_act = next.act == act.name;
            let behind = Some(head.behind());
            let placed = hold::place_as(self.session, &state.sid, id, behind, next).await;
            match placed.map_err(|error| if is_the_act { error } else { not_yet(error, &act) })? {
                Placed::Won(record, version, _) if is_the_act => {
                    return Ok(self.finished(version, record.body.task, false));
                }
                Placed::Won(record, version, newest_at) => {
                    let modified = self.session.now();
                    let origin = Origin::default();
                    head = Head { version, record, origin, modified, newest_at };
                }
                Placed::Lost(newest) => head = *newest,
            }
        }
        Err(moving(id))
    }

    /// This session has done it before, in the same way, and nothing has happened since.
    fn has_done(&self, state: &State, head: &Head, act: &HolderAct<'_>) -> bool {
        let Head { record, .. } = head;
        record.sid == state.sid
            && record.body.act == act.name
            && record.body.task.holder.is_none()
            && (act.is_done)(&record.body.task)
    }

    /// What an act does that found the task not its own: take it where that is right, or say no.
    async fn way_around(
        &self,
        state: &State,
        head: &Head,
        obstacle: Obstacle,
        act: &HolderAct<'_>,
        ours: Option<u64>,
    ) -> Result<TaskVersion, Error> {
        let task = &head.record.body.task;
        let forced = |reason: Option<String>| {
            self.allow_claims(state)?;
            Ok(self.takeover(state, task, Evidence::Forced, reason))
        };
        let fence = || self.fence(state, head, ours);
        match obstacle {
            Obstacle::Held(holder) if act.force => {
                self.session.notice(format!("{} was taken from {}", act.id, holder.agent));
                forced(act.reason.clone())
            }
            Obstacle::Held(holder) => {
                fence()?;
                if holder.agent == self.session.agent {
                    return Ok(self.takeover(state, task, Evidence::SameAgent, None));
                }
                let until = self.lease_of(&holder).await?;
                let (task, by, now) = (act.id.clone(), holder.agent, self.session.now());
                Err(Refusal::Held { task, by, until, now }.into())
            }
            // Nobody holds it: finishing it includes taking it.
            Obstacle::Refused(Refusal::NotHeld { .. }) if act.takes => {
                match rules::claim(task, &self.actor(state), None, self.session.now()) {
                    Err(Obstacle::Refused(refusal)) if act.force => {
                        forced(act.reason.clone().or_else(|| Some(refusal.to_string())))
                    }
                    next => {
                        if !act.force {
                            fence()?;
                        }
                        self.tell_of_best_effort(state, act.id)?;
                        next.map_err(|other| hold::in_the_way(act.id, other, self.session.now()))
                    }
                }
            }
            Obstacle::Refused(refusal) if act.force => {
                forced(act.reason.clone().or_else(|| Some(refusal.to_string())))
            }
            Obstacle::Refused(refusal @ Refusal::NotHeld { .. }) => {
                fence()?;
                Err(refusal.into())
            }
            obstacle => Err(hold::in_the_way(act.id, obstacle, self.session.now())),
        }
    }

    /// Refuses what a session says late of a task that was taken from it, however often it says it.
    /// Only a claim makes it a holder again.
    fn fence(&self, state: &State, head: &Head, ours: Option<u64>) -> Result<(), Error> {
        let task = &head.record.body.task;
        let Some(yours) = ours.filter(|ours| *ours < task.generation) else {
            return Ok(());
        };
        // Nobody holds it, and it was this session itself that let go last.
        if task.holder.is_none() && head.record.sid == state.sid {
            return Ok(());
        }
        self.session.update(|state| {
            // A command beside this one may have claimed it anew since: that hold stands.
            if state.holds.get(&task.id).is_some_and(|hold| hold.task.generation > yours) {
                return;
            }
            state.holds.remove(&task.id);
            state.fenced.insert(task.id.clone(), yours);
        })?;
        let holder = task.holder.as_ref().map(|holder| holder.agent.clone());
        let by = holder.or_else(|| task.last_holder.clone());
        let by = by.unwrap_or_else(|| head.record.agent.clone());
        Err(Refusal::Fenced { task: task.id.clone(), by, theirs: task.generation, yours }.into())
    }

    fn takeover(
        &self,
        state: &State,
        task: &Task,
        evidence: Evidence,
        reason: Option<String>,
    ) -> TaskVersion {
        rules::takeover(task, &self.actor(state), evidence, reason, self.session.now())
    }

    fn tell_of_best_effort(&self, state: &State, id: &TaskId) -> Result<(), Error> {
        if !self.allow_claims(state)? {
            self.session
                .notice(format!("the claim of {id} is best effort: this store failed its proof"));
        }
        Ok(())
    }

    fn handoff(&self, state: &State, id: &TaskId, finish: &Finish) -> Handoff {
        Handoff {
            state: match finish.outcome {
                Outcome::Complete => HandoffState::Complete,
                Outcome::Block => HandoffState::Blocked,
                Outcome::Review => HandoffState::NeedsReview,
            },
            from: self.session.agent.clone(),
            next_agent: finish.next_agent.clone(),
            note: finish.note.clone(),
            next_action: finish.next_action.clone(),
            changed_files: finish.changed_files.clone(),
            artifacts: state.artifacts.get(id).cloned().unwrap_or_default(),
            at: self.session.now(),
        }
    }
}

/// Two handoffs that say the same, whenever and with whatever files.
fn same(one: &Handoff, other: &Handoff) -> bool {
    let said = |handoff: &Handoff| -> (HandoffState, AgentId, _, _, _) {
        let Handoff { state, from, next_agent, note, next_action, .. } = handoff.clone();
        (state, from, next_agent, note, next_action)
    };
    said(one) == said(other)
}

/// The outcome of what comes before the act is unknown, so the act itself was not tried.
fn not_yet(error: Error, act: &HolderAct<'_>) -> Error {
    match error {
        Error::Unknown { what } => Error::Face {
            kind: Kind::Unknown,
            message: format!(
                "it is not known whether {what} was stored: the store did not answer. The {} that \
                 was to follow was not tried",
                act.name.as_str()
            ),
            hint: Some("run the same command again: it settles what is unknown first".into()),
        },
        error => error,
    }
}
