//! A replay as the viewer is sent it: what is drawn, each name once. What stands beside one event is
//! asked for when somebody looks at it. `static/replay-page.js` unfolds it; nobody else should read it.

use std::collections::HashMap;

use brigade_core::replay::{Bar, Change, Ending, Event, Gap, Lane, Problem, Replay};
use serde::Serialize;

/// Where a text stands among the names; 0 is none.
type Name = u32;

#[derive(Serialize)]
struct Document<'r> {
    reading: bool,
    project: &'r str,
    ending: &'r Ending,
    agents: &'r [Lane],
    names: Vec<&'r str>,
    before: Vec<Row<'r>>,
    events: Vec<Row<'r>>,
    bars: &'r [Bar],
    arrows: Vec<Arrow>,
    gaps: &'r [Gap],
}

/// Milliseconds since the event before; agent, session, group, act, task, to, by, name; the words, the
/// problem, and the task after it.
type Row<'r> = (i64, [Name; 8], &'r str, Option<Problem>, Option<Step>);

/// Status, title, generation, holder, next, note.
type Step = (Name, Name, u64, Name, Name, Name);

/// Kind, event, from, to, and where it lands.
type Arrow = (Name, u32, Name, Name, Option<u32>);

#[derive(Default)]
struct Names<'r> {
    list: Vec<&'r str>,
    known: HashMap<&'r str, Name>,
}

pub fn document(replay: &Replay, reading: bool) -> Vec<u8> {
    let mut names = Names::default();
    names.of("");
    let before = names.rows(&replay.before);
    let events = names.rows(&replay.events);
    let arrows = replay.arrows.iter().map(|arrow| {
        let (from, to) = (names.of(&arrow.from), names.of(&arrow.to));
        (names.of(arrow.kind.as_str()), arrow.event, from, to, arrow.lands)
    });
    let arrows = arrows.collect();
    let document = Document {
        reading,
        project: &replay.project,
        ending: &replay.ending,
        agents: &replay.agents,
        names: names.list,
        before,
        events,
        bars: &replay.bars,
        arrows,
        gaps: &replay.gaps,
    };
    serde_json::to_vec(&document).expect("names and numbers are JSON")
}

impl<'r> Names<'r> {
    fn of(&mut self, text: &'r str) -> Name {
        *self.known.entry(text).or_insert_with(|| {
            self.list.push(text);
            Name::try_from(self.list.len() - 1).unwrap_or(0)
        })
    }

    fn maybe(&mut self, text: Option<&'r String>) -> Name {
        text.map_or(0, |text| self.of(text))
    }

    fn rows(&mut self, events: &'r [Event]) -> Vec<Row<'r>> {
        let mut last = 0;
        let rows = events.iter().map(|event| {
            let at = event.at.as_millisecond();
            let since = at - std::mem::replace(&mut last, at);
            let named = [
                self.of(&event.agent),
                self.of(&event.sid),
                self.of(event.group.as_str()),
                self.of(&event.act),
                self.maybe(event.task.as_ref()),
                self.maybe(event.to.as_ref()),
                self.maybe(event.by.as_ref()),
                self.maybe(event.name.as_ref()),
            ];
            let step = event.change.as_ref().map(|change| self.step(change));
            (since, named, event.words.as_str(), event.problem, step)
        });
        rows.collect()
    }

    fn step(&mut self, change: &'r Change) -> Step {
        (
            self.of(&change.status),
            self.of(&change.title),
            change.generation,
            self.maybe(change.holder.as_ref()),
            self.maybe(change.next.as_ref()),
            self.maybe(change.note.as_ref()),
        )
    }
}
