//! From the entries of the journal to a replay.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use serde_json::Value;

use super::board::{self, Board, Slot};
use super::model::{Arrow, ArrowKind, Ending, Event, FORM, Lane, Replay, Stay};
use super::{act, axis, bars};
use crate::history::Entry;
use crate::id::Mailbox;
use crate::text::one_line;

/// A number of events that a replay refers to by `u32`. What comes after is left out; a store holds
/// less.
const MOST_EVENTS: usize = u32::MAX as usize - 1;
/// So many tasks are named in the line about the end.
const NAMED: usize = 5;

/// What part of a run is wanted; all of it by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Replay {
    /// The replay of these entries, in whatever order they come and whichever of them are missing.
    /// They may be somebody else's: a journal is large.
    pub fn of<E: Borrow<Entry>>(
        project: &str,
        entries: impl IntoIterator<Item = E>,
        window: &Window,
    ) -> Replay {
        let mut entries: Vec<E> = entries.into_iter().collect();
        entries.sort_by(|a, b| a.borrow().order().cmp(&b.borrow().order()));
        entries.dedup_by(|a, b| (*a).borrow().path == (*b).borrow().path);
        entries.truncate(MOST_EVENTS);
        let mut all: Vec<Event> = entries.iter().map(|entry| act::of(entry.borrow())).collect();
        let cut = |moment: Option<Timestamp>, otherwise: usize| {
            moment.map_or(otherwise, |moment| all.partition_point(|event| event.at < moment))
        };
        let start = cut(window.since, 0);
        let end = window
            .until
            .map_or(all.len(), |until| all.partition_point(|event| event.at <= until))
            .max(start);
        let bars = bars::of(&all[..end], start);
        all.truncate(end);
        let events = all.split_off(start);
        let agents = lanes(&events, &entries[start..end], &bars);
        let mut replay = Replay {
            form: FORM,
            project: project.to_owned(),
            since: events.first().map(|event| event.at),
            until: events.last().map(|event| event.at),
            ending: Ending::default(),
            agents,
            before: latest(all),
            arrows: arrows(&events),
            gaps: axis::gaps(&events),
            events,
            bars,
            redactions: None,
        };
        replay.ending = ending(&replay);
        replay
    }
}

/// Of the events before a window, the last on each slot.
fn latest(all: Vec<Event>) -> Vec<Event> {
    let mut seen: HashSet<Slot<'_>> = HashSet::new();
    let mut keep = vec![false; all.len()];
    for (n, event) in all.iter().enumerate().rev() {
        keep[n] = board::slot(event).is_some_and(|slot| seen.insert(slot));
    }
    let mut keep = keep.into_iter();
    all.into_iter().filter(|_| keep.next().unwrap_or(false)).collect()
}

fn lanes<E: Borrow<Entry>>(events: &[Event], entries: &[E], bars: &[super::Bar]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut lane_of = |lanes: &mut Vec<Lane>, name: &str| {
        *known.entry(name.to_owned()).or_insert_with(|| {
            lanes.push(Lane {
                name: name.to_owned(),
                events: 0,
                problems: 0,
                rows: 1,
                sessions: Vec::new(),
            });
            lanes.len() - 1
        })
    };
    for (n, (event, entry)) in (0_u32..).zip(events.iter().zip(entries)) {
        let at = lane_of(&mut lanes, &event.agent);
        let lane = &mut lanes[at];
        lane.events += 1;
        lane.problems += u32::from(event.problem.is_some());
        stay(lane, n, event, entry.borrow());
    }
    for bar in bars {
        let at = lane_of(&mut lanes, &bar.agent);
        lanes[at].rows = lanes[at].rows.max(bar.row + 1);
    }
    // Whom something was for and who never came has a lane, too: it is empty.
    for to in events.iter().filter_map(|event| event.to.as_deref()) {
        if to != Mailbox::BROADCAST {
            lane_of(&mut lanes, to);
        }
    }
    lanes
}

fn stay(lane: &mut Lane, n: u32, event: &Event, entry: &Entry) {
    let at = lane.sessions.iter().rposition(|stay| stay.sid == event.sid);
    let at = at.unwrap_or_else(|| {
        let sid = event.sid.clone();
        let new =
            Stay { sid, from: n, until: n, ended: false, harness: None, harness_session: None };
        lane.sessions.push(new);
        lane.sessions.len() - 1
    });
    let stay = &mut lane.sessions[at];
    stay.until = n;
    stay.ended = event.act == "session_ended";
    if event.act == "session_started" {
        let text = |name: &str| {
            entry.detail.get(name).and_then(Value::as_str).map(|text| one_line(text, 200))
        };
        stay.harness = text("harness");
        stay.harness_session = text("harness_session");
    }
}

fn arrows(events: &[Event]) -> Vec<Arrow> {
    let mut taken: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (n, event) in (0_u32..).zip(events) {
        if matches!(event.act.as_str(), "claim" | "takeover") {
            taken.entry(&event.agent).or_default().push(n);
        }
    }
    let next = |agent: &str, after: u32| {
        let taken = taken.get(agent)?;
        taken.get(taken.partition_point(|n| *n <= after)).copied()
    };
    (0_u32..)
        .zip(events)
        .filter_map(|(n, event)| {
            let arrow = |kind, from: &str, to: &str, lands| {
                let (from, to) = (from.to_owned(), to.to_owned());
                Some(Arrow { kind, event: n, from, to, lands })
            };
            match event.act.as_str() {
                "send" | "broadcast" => {
                    arrow(ArrowKind::Mail, &event.agent, event.to.as_deref()?, None)
                }
                "complete" | "block" | "review" => {
                    let to = event.to.as_deref()?;
                    arrow(ArrowKind::Handoff, &event.agent, to, next(to, n))
                }
                "takeover" => {
                    arrow(ArrowKind::Takeover, event.by.as_deref()?, &event.agent, Some(n))
                }
                _ => None,
            }
        })
        .collect()
}

fn ending(replay: &Replay) -> Ending {
    let mut board = Board::new(replay);
    board.seek(replay.events.len());
    let mut ending = Ending::default();
    let mut notes = Vec::new();
    for (task, change) in board.tasks() {
        ending.tasks += 1;
        ending.closed += usize::from(change.is_closed());
        if change.is_blocked() {
            ending.blocked.push(task.to_owned());
            notes.extend(change.note.as_deref());
        } else if change.holder.is_some() {
            ending.held.push(task.to_owned());
        }
    }
    let named = |tasks: &[String]| match tasks.len() {
        0..=NAMED => tasks.join(", "),
        more => format!("{} and {} more", tasks[..NAMED].join(", "), more - NAMED),
    };
    let reason = match notes.as_slice() {
        [note] if ending.blocked.len() == 1 => format!(" ({})", one_line(note, 200)),
        _ => String::new(),
    };
    ending.words = match (replay.events.is_empty(), ending.tasks) {
        (true, _) => "nothing has happened".into(),
        (_, 0) => "there are no tasks".into(),
        _ if !ending.blocked.is_empty() => {
            format!("it ends blocked: {}{reason}", named(&ending.blocked))
        }
        _ if !ending.held.is_empty() => format!("still held: {}", named(&ending.held)),
        (_, tasks) if ending.closed == tasks => "every task is closed".into(),
        (_, tasks) => format!("{} of {tasks} tasks are closed", ending.closed),
    };
    ending
}
