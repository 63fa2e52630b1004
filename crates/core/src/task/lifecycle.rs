//! From one status to another, in the words of whoever asks: which moves there are, what each of
//! them is an act of, and what waits for a person.

use super::comment::{Comment, CommentKind};
use super::fields::Question;
use super::hold::{self, Head};
use super::model::{HandoffState, Status, Task};
use super::rules::{Outcome, Refusal};
use super::verbs::{Claim, Finish, StepView, Tasks};
use crate::error::Error;
use crate::id::TaskId;
use crate::key::Key;
use crate::store::ObjectPath;

/// A status that somebody wants a task to have.
#[derive(Clone, Debug)]
pub struct Move {
    pub to: Status,
    /// Even where there is no such move, and whoever holds it; `reason` says why.
    pub force: bool,
    pub reason: Option<String>,
}

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Approved,
    Rejected,
}

/// Whether a task may be moved so by hand: backlog → claimed → in progress → review → done, blocked
/// from any, and back to the backlog. Tracer's `update --status in_progress` claims on the way.
pub fn may_move(from: Status, to: Status) -> bool {
    use Status::{Blocked, Claimed, Closed, InProgress, Open, Review};
    from == to
        || matches!(
            (from, to),
            (Open, Claimed | InProgress | Blocked)
                | (Claimed, Open | InProgress | Review | Closed | Blocked)
                | (InProgress, Open | Review | Closed | Blocked)
                | (Review, Open | InProgress | Closed | Blocked)
                | (Blocked, Open | Claimed | InProgress)
        )
}

impl Tasks<'_> {
    /// Brings a task to a status by the acts that lead there. Each of them is refused when somebody
    /// else holds it.
    pub async fn move_to(&self, id: &TaskId, mv: &Move) -> Result<StepView, Error> {
        let outcome = self.try_move(id, mv).await;
        self.journalled("move_refused", id, outcome).await?;
        let head = self.head(id).await?;
        Ok(super::verbs::view(head.version, head.record.body.task, head.origin))
    }

    async fn try_move(&self, id: &TaskId, mv: &Move) -> Result<(), Error> {
        let state = self.session.begin().await?;
        let Head { version, record, .. } = self.head(id).await?;
        let task = record.body.task;
        let (from, to) = (task.status, mv.to);
        if !may_move(from, to) && !mv.force {
            return Err(Refusal::Move { task: id.clone(), from, to }.into());
        }
        let is_mine = task.holder.as_ref().is_some_and(|holder| holder.sid == state.sid);
        match to {
            // It may be the word of a command that was stopped before it was on the disk.
            Status::Claimed if from == to && is_mine => {
                hold::secure(self.session, id, version).await?;
            }
            Status::Claimed | Status::InProgress => self.take_up(&task, mv).await?,
            Status::Open if from == to && task.holder.is_none() => {
                hold::secure(self.session, id, version).await?;
            }
            Status::Open => self.put_back(&task, mv).await?,
            Status::Review | Status::Blocked | Status::Closed if from == to => {
                hold::secure(self.session, id, version).await?;
            }
            Status::Review => self.finish_with(id, Outcome::Review, mv).await?,
            Status::Blocked => self.finish_with(id, Outcome::Block, mv).await?,
            Status::Closed => self.finish_with(id, Outcome::Complete, mv).await?,
        }
        Ok(())
    }

    async fn take_up(&self, task: &Task, mv: &Move) -> Result<(), Error> {
        if matches!(task.status, Status::Blocked | Status::Closed) {
            self.try_reopen(&task.id, mv.reason.clone()).await?;
        }
        let claim = Claim {
            start: mv.to == Status::InProgress,
            force: mv.force,
            reason: mv.reason.clone(),
            ..Claim::default()
        };
        self.try_claim(&task.id, &claim, &mut None).await.map(drop)
    }

    async fn put_back(&self, task: &Task, mv: &Move) -> Result<(), Error> {
        match task.status {
            Status::Closed | Status::Blocked | Status::Review => {
                self.try_reopen(&task.id, mv.reason.clone()).await.map(drop)
            }
            _ => {
                if mv.force {
                    let (force, reason) = (true, mv.reason.clone());
                    let claim = Claim { force, reason, ..Claim::default() };
                    self.try_claim(&task.id, &claim, &mut None).await?;
                }
                self.try_release(&task.id, mv.reason.clone()).await.map(drop)
            }
        }
    }

    async fn finish_with(&self, id: &TaskId, outcome: Outcome, mv: &Move) -> Result<(), Error> {
        let finish = Finish {
            outcome,
            note: mv.reason.clone(),
            next_agent: None,
            next_action: None,
            changed_files: None,
            force: mv.force,
            reason: mv.reason.clone(),
        };
        self.try_finish(id, &finish).await.map(drop)
    }

    /// Turns a task to a person: no agent claims it before one has answered. Whoever holds it goes
    /// on holding it.
    pub async fn ask_human(&self, id: &TaskId, question: &str) -> Result<StepView, Error> {
        let question = question.trim();
        if question.is_empty() {
            return Err(Error::Usage("say what you want to hear from a person".into()));
        }
        let asked = Question {
            question: question.to_owned(),
            by: self.session.agent.clone(),
            at: self.session.now(),
        };
        self.edit(id, None, &|task| {
            if task.status == Status::Closed {
                return Err(super::rules::closed(task).into());
            }
            task.fields.needs_human = Some(asked.clone());
            Ok(())
        })
        .await
    }

    /// A person's answer. What was up for review is closed, or open again for whoever did it; what
    /// waited for an answer goes on. The words stay with the task as a comment.
    pub async fn answer(
        &self,
        id: &TaskId,
        verdict: Verdict,
        words: Option<&str>,
    ) -> Result<StepView, Error> {
        let before = self.head(id).await?.record.body.task;
        let said = match (verdict, words) {
            (Verdict::Approved, None) => "approved".to_owned(),
            (Verdict::Approved, Some(words)) => format!("approved: {words}"),
            (Verdict::Rejected, None) => "rejected".to_owned(),
            (Verdict::Rejected, Some(words)) => format!("rejected: {words}"),
        };
        // A command that was stopped on the way has said it already, and may hold the task.
        let before_it = self.earlier_answer(&before, &said).await?;
        let is_said = before_it.is_some();
        let is_begun =
            verdict == Verdict::Approved && is_said && self.is_taken_from_review(&before);
        if before.fields.needs_human.is_none() && before.status != Status::Review && !is_begun {
            return Err(Error::Usage(format!(
                "task {id} is {}, and waits for nobody's answer",
                before.status
            )));
        }
        match before_it {
            // It may have been stopped before it was on the disk.
            Some(path) => self.session.store.secure(&path).await?,
            None => {
                let answer = Comment::new(CommentKind::Answer, said.clone());
                self.comment(id, answer).await?;
            }
        }
        if before.fields.needs_human.is_some() {
            self.edit(id, Some(&said), &|task| {
                task.fields.needs_human = None;
                // A person has looked at it: the rounds are counted anew.
                task.fields.review_rounds = 0;
                Ok(())
            })
            .await?;
        }
        if before.status == Status::Review || is_begun {
            let to = match verdict {
                Verdict::Approved => Status::Closed,
                Verdict::Rejected => Status::Open,
            };
            let mv = Move { to, force: false, reason: Some(said) };
            return self.move_to(id, &mv).await;
        }
        let head = self.head(id).await?;
        Ok(super::verbs::view(head.version, head.record.body.task, head.origin))
    }

    /// Where this agent has given this answer since the task was put up for one.
    async fn earlier_answer(&self, task: &Task, words: &str) -> Result<Option<ObjectPath>, Error> {
        let asked = task.fields.needs_human.as_ref().map(|question| question.at);
        let put_up = task.handoff.as_ref().map(|handoff| handoff.at);
        let Some(since) = asked.into_iter().chain(put_up).max() else { return Ok(None) };
        let said = self.comments(&task.id).await?;
        let found = said.into_iter().find(|it| {
            it.kind == CommentKind::Answer
                && it.text == words
                && it.author == self.session.agent.as_str()
                && it.created_at >= since
        });
        Ok(found.map(|it| {
            let (sid, n) = it.place;
            self.session.layout.path(&Key::Comment { task: it.task, sid, n })
        }))
    }

    /// Taken by this agent out of a review, and not worked on since.
    fn is_taken_from_review(&self, task: &Task) -> bool {
        let is_mine = task.holder.as_ref().is_some_and(|it| it.agent == self.session.agent);
        let is_reviewed =
            task.handoff.as_ref().is_some_and(|it| it.state == HandoffState::NeedsReview);
        is_mine && is_reviewed && task.status == Status::Claimed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_of_a_ticket_are_those_of_track_and_of_tracer() {
        use Status::{Blocked, Claimed, Closed, InProgress, Open, Review};
        for (from, to) in [
            (Open, Claimed),
            (Open, InProgress),
            (Claimed, InProgress),
            (InProgress, Review),
            (Review, Closed),
            (Review, InProgress),
            (InProgress, Open),
            (InProgress, Blocked),
        ] {
            assert!(may_move(from, to), "{from} to {to}");
        }
        for (from, to) in [
            (Open, Review),
            (Open, Closed),
            (Closed, Open),
            (Closed, InProgress),
            (Blocked, Closed),
        ] {
            assert!(!may_move(from, to), "{from} to {to}");
        }
    }
}
