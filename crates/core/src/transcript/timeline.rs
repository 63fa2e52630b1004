//! A session as its reader sees it: turns in order, each once, with what was taken back marked.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::turn::{Body, Retract, Turn, Usage, Withdrawn};

/// An echo stands this near to what it repeats.
const ECHO_REACH: usize = 64;

/// What a turn takes besides its text.
const TURN_WEIGHT: usize = 256;

/// Turns folded together. It holds a whole session, unless [`Timeline::settled`] is asked for what
/// has stood long enough.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    turns: VecDeque<Turn>,
    /// How many turns have left; places are counted from the first one there ever was.
    gone: usize,
    weight: usize,
    by_id: HashMap<(String, &'static str), usize>,
    by_call: HashMap<String, usize>,
    /// What the last ones that left said, and whether they were echoes.
    left: VecDeque<(u64, bool)>,
}

impl Timeline {
    pub fn of(turns: impl IntoIterator<Item = Turn>) -> Timeline {
        let mut timeline = Timeline::default();
        turns.into_iter().for_each(|turn| timeline.push(turn));
        timeline
    }

    /// Those that have not left.
    pub fn turns(&self) -> &VecDeque<Turn> {
        &self.turns
    }

    /// The oldest turns, as many as are above `most` bytes. They are never changed again: what is
    /// said of them later stands as a turn of its own.
    pub fn settled(&mut self, most: usize) -> Vec<Turn> {
        let mut settled = Vec::new();
        while self.weight > most {
            let Some(turn) = self.turns.pop_front() else { break };
            self.weight = self.weight.saturating_sub(weight(&turn));
            self.forget(&turn);
            self.gone += 1;
            if let Some(likeness) = likeness(&turn) {
                self.left.push_back((likeness, turn.echo));
                self.left.drain(..self.left.len().saturating_sub(ECHO_REACH));
            }
            settled.push(turn);
        }
        settled
    }

    pub fn push(&mut self, turn: Turn) {
        if let Body::Retract(retract) = &turn.body {
            if !self.retract(retract) && self.gone > 0 {
                self.append(turn);
            }
            return;
        }
        if self.completes_result(&turn) || self.completes_compaction(&turn) {
            return;
        }
        if self.meets_echo(&turn) {
            return;
        }
        let known = turn.id.as_ref().and_then(|id| self.by_id.get(&(id.clone(), turn.body.kind())));
        match known.map(|place| place - self.gone) {
            // What was taken back and is said again stands where it is said again.
            Some(at) if self.turns[at].withdrawn.is_none() => self.replace(at, turn),
            _ => self.append(turn),
        }
    }

    /// Tokens over the session: the harness's own last sum where it keeps one, else of all answers.
    pub fn usage(&self) -> Usage {
        let mut total = Usage { cumulative: true, ..Usage::default() };
        let mut last_sum: Option<&Usage> = None;
        for turn in &self.turns {
            let Body::Usage(usage) = &turn.body else { continue };
            if usage.cumulative {
                last_sum = Some(usage);
                continue;
            }
            total.add(usage);
        }
        last_sum.cloned().unwrap_or(total)
    }

    fn replace(&mut self, at: usize, turn: Turn) {
        self.weight = self.weight.saturating_sub(weight(&self.turns[at])) + weight(&turn);
        self.turns[at] = turn;
    }

    /// A turn that leaves is not found any more.
    fn forget(&mut self, turn: &Turn) {
        let place = self.gone;
        if let Some(id) = &turn.id {
            let key = (id.clone(), turn.body.kind());
            if self.by_id.get(&key) == Some(&place) {
                self.by_id.remove(&key);
            }
        }
        if let Body::ToolResult { call: Some(call), .. } = &turn.body
            && self.by_call.get(call) == Some(&place)
        {
            self.by_call.remove(call);
        }
    }

    fn append(&mut self, turn: Turn) {
        let place = self.gone + self.turns.len();
        self.weight += weight(&turn);
        if let Some(id) = &turn.id {
            self.by_id.insert((id.clone(), turn.body.kind()), place);
        }
        if let Body::ToolResult { call: Some(call), .. } = &turn.body {
            self.by_call.insert(call.clone(), place);
        }
        self.turns.push_back(turn);
    }

    /// Whether anything was there to be taken back.
    fn retract(&mut self, retract: &Retract) -> bool {
        let withdraw = |turn: &mut Turn| {
            turn.withdrawn.get_or_insert(Withdrawn::Rewound);
        };
        match retract {
            // Of those that have left nobody else says it.
            Retract::All => {
                self.turns.iter_mut().for_each(withdraw);
                self.gone == 0
            }
            Retract::These(ids) => {
                let mut met = 0;
                for turn in &mut self.turns {
                    let id = turn.id.as_ref();
                    if id.is_some_and(|id| ids.iter().any(|gone| belongs(id, gone))) {
                        withdraw(turn);
                        met += 1;
                    }
                }
                met >= ids.len()
            }
            Retract::From(id) => {
                let named = |turn: &Turn| turn.id.as_ref().is_some_and(|own| belongs(own, id));
                let Some(at) = self.turns.iter().position(named) else { return false };
                self.turns.range_mut(at..).for_each(withdraw);
                true
            }
        }
    }

    /// Two records about one tool's end become one turn; the fuller output stays.
    fn completes_result(&mut self, turn: &Turn) -> bool {
        let Body::ToolResult { call: Some(call), .. } = &turn.body else { return false };
        let Some(at) = self.by_call.get(call).map(|place| place - self.gone) else { return false };
        let known = &mut self.turns[at];
        if known.withdrawn.is_some() || (!turn.echo && !known.echo && known.id != turn.id) {
            return false;
        }
        let mut merged = if known.echo && !turn.echo { turn.clone() } else { known.clone() };
        let other = if known.echo && !turn.echo { known.clone() } else { turn.clone() };
        if let (
            Body::ToolResult { tool, output, failed, exit_code, duration_ms, .. },
            Body::ToolResult {
                tool: other_tool,
                output: other_output,
                failed: other_failed,
                exit_code: other_exit,
                duration_ms: other_duration,
                ..
            },
        ) = (&mut merged.body, other.body)
        {
            *tool = tool.take().or(other_tool);
            *failed = failed.or(other_failed);
            *exit_code = exit_code.or(other_exit);
            *duration_ms = duration_ms.or(other_duration);
            if output.is_empty() {
                *output = other_output;
            }
        }
        self.replace(at, merged);
        true
    }

    /// A summary that follows its boundary belongs to it.
    fn completes_compaction(&mut self, turn: &Turn) -> bool {
        let Body::Compaction { summary: Some(summary), tokens_before } = &turn.body else {
            return false;
        };
        let Some(parent) = &turn.parent else { return false };
        let Some(place) = self.by_id.get(&(parent.clone(), "compaction")) else { return false };
        match &mut self.turns[place - self.gone].body {
            Body::Compaction { summary: known @ None, tokens_before: before } => {
                self.weight += summary.len();
                *known = Some(summary.clone());
                *before = before.or(*tokens_before);
                true
            }
            _ => false,
        }
    }

    /// What has left was told, with its echo or without.
    fn echoes_what_left(&self, turn: &Turn) -> bool {
        let Some(likeness) = likeness(turn) else { return false };
        self.left.iter().any(|(left, echo)| *left == likeness && *echo != turn.echo)
    }

    /// An echo of what is there is dropped; what was echoed before takes the echo's place.
    fn meets_echo(&mut self, turn: &Turn) -> bool {
        let near = self.turns.len().saturating_sub(ECHO_REACH);
        let same = |known: &&mut Turn| {
            known.echo != turn.echo
                && known.withdrawn.is_none()
                && known.agent == turn.agent
                && alike(&known.body, &turn.body)
        };
        let Some(known) = self.turns.range_mut(near..).rev().find(same) else {
            return self.turns.len() < ECHO_REACH && self.echoes_what_left(turn);
        };
        if known.echo {
            self.weight = self.weight.saturating_sub(weight(known)) + weight(turn);
            *known = turn.clone();
        }
        true
    }
}

/// What [`alike`] compares, and whose result it is, as a number.
fn likeness(turn: &Turn) -> Option<u64> {
    let said = match &turn.body {
        Body::User { text } | Body::Assistant { text } | Body::Thinking { text } => text.trim(),
        Body::ToolCall { call, .. } | Body::ToolResult { call, .. } => call.as_deref()?,
        _ => return None,
    };
    let mut hasher = DefaultHasher::new();
    (turn.body.kind(), &turn.agent, said).hash(&mut hasher);
    Some(hasher.finish())
}

/// A record of several turns names them `id`, `id/1`, `id/2`.
fn belongs(own: &str, id: &str) -> bool {
    own.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// About how much memory a turn takes.
fn weight(turn: &Turn) -> usize {
    let text = match &turn.body {
        Body::User { text }
        | Body::Assistant { text }
        | Body::Thinking { text }
        | Body::System { text }
        | Body::Note { text, .. }
        | Body::Raw { text, .. } => text.len(),
        Body::ToolCall { input, .. } => value_weight(input),
        Body::ToolResult { output, .. } => output.len(),
        Body::Compaction { summary, .. } => summary.as_ref().map_or(0, String::len),
        Body::SubagentStart { task, .. } => task.as_ref().map_or(0, String::len),
        Body::SubagentEnd { outcome, .. } => outcome.as_ref().map_or(0, String::len),
        Body::Session { .. } | Body::Usage(_) | Body::Retract(_) => 0,
    };
    TURN_WEIGHT + text
}

fn value_weight(value: &Value) -> usize {
    const NODE: usize = 32;
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_weight).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| NODE + name.len() + value_weight(value)).sum()
        }
        _ => 0,
    }
}

fn alike(one: &Body, other: &Body) -> bool {
    match (one, other) {
        (Body::User { text: a }, Body::User { text: b })
        | (Body::Assistant { text: a }, Body::Assistant { text: b })
        | (Body::Thinking { text: a }, Body::Thinking { text: b }) => a.trim() == b.trim(),
        (Body::ToolCall { call: a, .. }, Body::ToolCall { call: b, .. }) => a.is_some() && a == b,
        _ => false,
    }
}
