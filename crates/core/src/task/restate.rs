//! A task is made to say what another account of it says: by the acts that lead there, each behind
//! the version that was looked at, so that nothing that came since is lost.

use jiff::Timestamp;

use super::fields::Fields;
use super::hold::{self, Head, Placed};
use super::model::{Evidence, Handoff, HandoffState, Status, Task, TaskVersion};
use super::rules::{self, Actor, Obstacle, Outcome};
use super::verbs::Tasks;
use crate::error::Error;
use crate::id::AgentId;

/// What came of it.
pub(crate) enum Restated {
    Done,
    /// This agent has written to it since it was looked at.
    Moved(AgentId),
}

impl Tasks<'_> {
    /// `mend` has the last word on what the task says. No other agent may hold it.
    pub(crate) async fn restate(
        &self,
        head: Head,
        wanted: &Task,
        reason: &str,
        mend: &(dyn Fn(&mut Task) + Sync),
    ) -> Result<Restated, Error> {
        let state = self.session.begin().await?;
        let (actor, now) = (self.actor(&state), self.session.now());
        let id = head.record.body.task.id.clone();
        let steps = steps(&head.record.body.task, wanted, &actor, reason, now, mend);
        let steps = steps.map_err(|obstacle| hold::in_the_way(&id, obstacle, now))?;
        if steps.iter().any(|step| step.task.holder.is_some()) {
            self.allow_claims(&state)?;
        }
        let mut behind = head.behind();
        for step in steps {
            match hold::place_as(self.session, &state.sid, &id, Some(behind), step).await? {
                Placed::Won(_, version, newest_at) => behind = hold::Behind { version, newest_at },
                Placed::Lost(head) => return Ok(Restated::Moved(head.record.agent)),
            }
        }
        Ok(Restated::Done)
    }
}

/// Each version that leads from one account of a task to the other. Whether somebody is at it does
/// not come along: who is to do it does.
fn steps(
    current: &Task,
    wanted: &Task,
    actor: &Actor,
    reason: &str,
    now: Timestamp,
    mend: &dyn Fn(&mut Task),
) -> Result<Vec<TaskVersion>, Obstacle> {
    let why = || Some(reason.to_owned());
    let mut steps: Vec<TaskVersion> = Vec::new();
    let mut task = current.clone();
    let mut go = |step: TaskVersion| {
        let after = step.task.clone();
        steps.push(step);
        after
    };
    let outcome = ending(wanted.status);
    let is_there = match outcome {
        Some(_) => task.status == wanted.status,
        None => ending(task.status).is_none(),
    };
    if !is_there && ending(task.status).is_some() && task.holder.is_none() {
        task = go(rules::reopen(&task, why(), now).map_err(Obstacle::Refused)?);
    }
    if let Some((outcome, state)) = outcome.filter(|_| !is_there) {
        if task.holder.is_none() {
            // What waits for a person is held by no claim; whoever decides here is one.
            let claim = rules::claim(&task, actor, None, now);
            task = go(claim
                .unwrap_or_else(|_| rules::takeover(&task, actor, Evidence::Forced, why(), now)));
        }
        if task.holder.as_ref().is_some_and(|holder| holder.sid != actor.sid) {
            task = go(rules::takeover(&task, actor, Evidence::SameAgent, why(), now));
        }
        let handoff = Handoff {
            state,
            from: actor.agent.clone(),
            next_agent: wanted.next_agent.clone(),
            note: wanted.fields.close_reason.clone().or_else(why),
            next_action: None,
            changed_files: None,
            artifacts: Vec::new(),
            at: now,
        };
        task = go(rules::finish(&task, actor, outcome, handoff, now)?);
    }
    let edit = rules::edit(&task, why(), now, |task| {
        say(task, wanted);
        task.updated_at = now;
        mend(task);
    });
    steps.extend(edit);
    Ok(steps)
}

fn ending(status: Status) -> Option<(Outcome, HandoffState)> {
    match status {
        Status::Closed => Some((Outcome::Complete, HandoffState::Complete)),
        Status::Blocked => Some((Outcome::Block, HandoffState::Blocked)),
        Status::Review => Some((Outcome::Review, HandoffState::NeedsReview)),
        Status::Open | Status::Claimed | Status::InProgress => None,
    }
}

/// All that an edit may change, as the other account has it.
fn say(task: &mut Task, wanted: &Task) {
    task.title.clone_from(&wanted.title);
    task.created_at = wanted.created_at;
    task.created_by.clone_from(&wanted.created_by);
    if task.status == Status::Closed && wanted.closed_at.is_some() {
        task.closed_at = wanted.closed_at;
    }
    if wanted.handoff.is_some() {
        task.handoff.clone_from(&wanted.handoff);
    }
    task.next_agent.clone_from(&wanted.next_agent);
    task.fields = Fields { archive: task.fields.archive.clone(), ..wanted.fields.clone() };
    task.extra.clone_from(&wanted.extra);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SessionId, TaskId};

    const STATUSES: [Status; 6] = [
        Status::Open,
        Status::Claimed,
        Status::InProgress,
        Status::Review,
        Status::Blocked,
        Status::Closed,
    ];

    fn actor() -> Actor {
        let sid = SessionId::parse(&"ab".repeat(16)).unwrap();
        Actor { agent: AgentId::parse("ada").unwrap(), sid }
    }

    fn task(status: Status, title: &str) -> Task {
        let now = Timestamp::from_second(1_795_202_011).unwrap();
        let id = TaskId::parse("bd-1").unwrap();
        Task { status, ..rules::create(&id, title, &actor(), now) }
    }

    #[test]
    fn from_every_status_to_every_other_one_by_acts_that_are_legal() {
        let now = Timestamp::from_second(1_795_300_000).unwrap();
        for from in STATUSES {
            for to in STATUSES {
                let (current, wanted) = (task(from, "ours"), task(to, "theirs"));
                let steps = steps(&current, &wanted, &actor(), "why", now, &|_| {}).unwrap();
                let last = &steps.last().unwrap().task;
                assert_eq!((&*last.title, last.holder.is_some()), ("theirs", false), "{from} {to}");
                let ends = ending(to).is_some();
                assert_eq!(
                    last.status == to,
                    ends || from == to || to == Status::Open && ending(from).is_some()
                );
                assert_eq!(ending(last.status).is_some(), ends, "{from} {to}");
                let first = TaskVersion {
                    act: crate::task::ActName::Create,
                    reason: None,
                    evidence: None,
                    task: current,
                };
                let mut before = &first;
                for step in &steps {
                    assert_eq!(rules::fault(Some(before), step, &actor()), None, "{from} {to}");
                    assert_eq!(
                        step.reason.is_some(),
                        step.evidence.is_some() || step.reason.is_some()
                    );
                    before = step;
                }
            }
        }
    }

    #[test]
    fn what_says_the_same_already_is_left_alone() {
        let now = Timestamp::from_second(1_795_300_000).unwrap();
        let same = task(Status::Blocked, "one");
        let mut wanted = same.clone();
        wanted.updated_at = now;
        let steps = steps(&same, &wanted, &actor(), "why", same.updated_at, &|_| {}).unwrap();
        assert!(steps.is_empty(), "{steps:?}");
    }
}
