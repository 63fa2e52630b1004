//! The story of a run as lines.

use std::collections::BTreeMap;
use std::fmt::Write;

use brigade_core::replay::{Event, Group, Problem, Replay};
use brigade_core::text::{counted, one_line, span};
use jiff::SignedDuration;
use serde::{Serialize, Serializer};

use crate::report::Plain;

/// A run of so many events is told in full.
const SHORT: usize = 60;
/// Of a long one, so many turning points are told: the last ones, and what weighs most of them.
const TURNS: usize = 40;

pub struct Story<'r> {
    pub replay: &'r Replay,
    pub is_full: bool,
}

/// `--json` is the replay itself.
impl Serialize for Story<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.replay.serialize(out)
    }
}

impl Plain for Story<'_> {
    fn plain(&self) -> String {
        let replay = self.replay;
        let mut words = head(replay);
        let told = told(replay, self.is_full);
        let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
        let mut told = told.into_iter().peekable();
        for (n, event) in replay.events.iter().enumerate() {
            if told.next_if_eq(&n).is_none() {
                *left_out.entry(event.group.as_str()).or_default() += 1;
                continue;
            }
            skipped(&mut words, &mut left_out);
            let _ = write!(words, "\n{}", line(replay, event));
        }
        let cut = !left_out.is_empty() || words.contains("\n    …");
        skipped(&mut words, &mut left_out);
        if cut {
            words += "\n(--full tells every act, --html FILE shows them)";
        }
        words
    }
}

fn head(replay: &Replay) -> String {
    let (Some(since), Some(until)) = (replay.since, replay.until) else {
        return format!("{}: nothing has happened yet", replay.project);
    };
    let problems = match replay.problems().count() {
        0 => "no problems".into(),
        count => counted(count, "problem"),
    };
    format!(
        "{}: {}, {} in {}, {problems}; {}\nfrom {} UTC; ! marks problems\n",
        replay.project,
        counted(replay.agents.len(), "agent"),
        counted(replay.events.len(), "event"),
        lasted(until.duration_since(since)),
        replay.ending.words,
        since.strftime("%Y-%m-%d %H:%M:%S"),
    )
}

/// The events that get a line.
fn told(replay: &Replay, is_full: bool) -> Vec<usize> {
    if is_full || replay.events.len() <= SHORT {
        return (0..replay.events.len()).collect();
    }
    let mut turns: Vec<(u8, usize)> = replay
        .events
        .iter()
        .enumerate()
        .filter_map(|(n, event)| Some((weight(event)?, n)))
        .collect();
    turns.sort_unstable();
    let start = turns.len().saturating_sub(TURNS);
    let mut told: Vec<usize> = turns[start..].iter().map(|(_, n)| *n).collect();
    told.sort_unstable();
    told
}

/// How much an event turned the run; `None` for everyday work.
fn weight(event: &Event) -> Option<u8> {
    match event.problem {
        Some(Problem::Refused | Problem::TimedOut) => Some(1),
        Some(_) => Some(2),
        None => is_turn(event).then_some(0),
    }
}

/// Where the run took another way.
fn is_turn(event: &Event) -> bool {
    event.group == Group::Handoff
        || matches!(event.act.as_str(), "reopen" | "broadcast" | "takeover")
}

fn line(replay: &Replay, event: &Event) -> String {
    let mark = if event.problem.is_some() { "!" } else { " " };
    let since = replay.since.unwrap_or(event.at);
    let signature = event.signature.as_ref().map_or(String::new(), |mark| format!("[{mark}] "));
    format!(
        "{mark} {:>9}  {signature}{}",
        passed(event.at.duration_since(since)),
        one_line(&event.words, 200)
    )
}

/// How long a run was; a short one to the tenth of a second.
pub fn lasted(time: SignedDuration) -> String {
    match time.as_millis() {
        ms @ 0..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => span(time),
    }
}

/// `0:07.4`, `12:03`, `3:12:03`: hours only when there are some, tenths only in the first minutes.
fn passed(time: SignedDuration) -> String {
    let ms = u64::try_from(time.as_millis()).unwrap_or(0);
    let (seconds, tenths) = (ms / 1000, ms % 1000 / 100);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0..10) => format!("{minutes}:{seconds:02}.{tenths}"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

fn skipped(words: &mut String, left_out: &mut BTreeMap<&str, usize>) {
    if left_out.is_empty() {
        return;
    }
    let kinds: Vec<String> =
        left_out.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let _ = write!(words, "\n    … {}", kinds.join(", "));
    left_out.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_as_a_person_would_count_it() {
        let words = |ms| passed(SignedDuration::from_millis(ms));
        assert_eq!(
            [words(7_450), words(723_000), words(11_523_000), words(-5)],
            ["0:07.4", "12:03", "3:12:03", "0:00.0"]
        );
    }
}
