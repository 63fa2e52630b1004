//! Conflicts that a person has decided: whose word stands, written where everybody finds it.

use serde_json::{Map, Value};

use super::differ;
use super::import::Transfer;
use super::plan::{Conflict, Incoming, Outcome, Resolve};
use crate::error::Error;
use crate::event::Event;
use crate::id::TaskId;
use crate::task::hold::Head;
use crate::task::restate::Restated;
use crate::task::{Task, Tasks};
use crate::text::one_line;

/// So many fields are named in a version's reason; the versions themselves have all of them.
const NAMED: usize = 8;
/// And so much of each value in the journal.
const VALUE: usize = 200;

/// A task that is to say what comes in.
pub(super) struct Theirs {
    head: Head,
    read: Task,
    source: Map<String, Value>,
    conflict: Conflict,
}

impl Theirs {
    pub fn new(head: &Head, incoming: &Incoming, conflict: Conflict) -> Theirs {
        let (read, source) = (incoming.task.clone(), incoming.source.clone());
        Theirs { head: head.clone(), read, source, conflict }
    }
}

impl Transfer<'_> {
    /// Each task gets versions that say what comes in; what it said before stays in its history. One
    /// that was changed since it was looked at stays as it is, and a conflict.
    pub(super) async fn settle(
        &self,
        theirs: Vec<Theirs>,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let tasks = Tasks::new(self.session);
        for Theirs { head, read, source, conflict } in theirs {
            let mend = |task: &mut Task| differ::keep_again(task, &source, &read);
            match tasks.restate(head, &read, &reason(&conflict), &mend).await? {
                Restated::Done => {}
                Restated::Moved(by) => {
                    outcome.resolved.retain(|resolved| resolved.id != conflict.id);
                    outcome.conflicts.push(Conflict { changed_by: Some(by), ..conflict });
                }
            }
        }
        Ok(())
    }

    /// What is here stays, and leaves no version that could say so.
    pub(super) async fn note_ours(&self, outcome: &Outcome) {
        if outcome.resolution != Some(Resolve::Ours) {
            return;
        }
        for conflict in &outcome.resolved {
            let sides = conflict.differences.iter().map(|side| {
                let (here, incoming) = (side.here.to_string(), side.incoming.to_string());
                let (here, incoming) = (one_line(&here, VALUE), one_line(&incoming, VALUE));
                format!("{} stays {here}, and is not {incoming}", one_line(&side.field, 60))
            });
            let words = format!("import, ours: {}", sides.collect::<Vec<_>>().join("; "));
            let event = Event::new("import_resolved").message(words);
            let event = match TaskId::parse(&conflict.id) {
                Ok(task) => event.task(&task),
                Err(_) => event,
            };
            self.session.journal(event).await;
        }
    }
}

fn reason(conflict: &Conflict) -> String {
    let fields: Vec<String> =
        conflict.differences.iter().take(NAMED).map(|it| one_line(&it.field, 60)).collect();
    let more = conflict.differences.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("import, theirs: {}{more}", fields.join(", "))
}
