//! What a reader looks at as one thing: a turn, or a call of a tool together with its result.

use std::collections::VecDeque;

use serde::Serialize;

use crate::transcript::turn::{Body, Turn};

/// So many entries wait for one that has no result yet. Results of calls that go on beside others
/// are rarely further away; then they stand alone.
const PATIENCE: usize = 128;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Entry {
    Turn(Turn),
    Tool {
        call: Turn,
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<Box<Turn>>,
    },
}

impl Entry {
    /// The turn that it begins with.
    pub fn turn(&self) -> &Turn {
        match self {
            Entry::Turn(turn) | Entry::Tool { call: turn, .. } => turn,
        }
    }

    /// Whether a reader is told of it: not of book-keeping, and not of tokens answer by answer.
    pub fn is_told(&self) -> bool {
        let body = &self.turn().body;
        !matches!(body, Body::Usage(_) | Body::Note { .. } | Body::Session { title: None, .. })
    }
}

/// Puts results to their calls, and keeps the order otherwise.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    waiting: VecDeque<Entry>,
    /// Harnesses write it again and again.
    title: Option<String>,
}

impl Pairs {
    pub fn push(&mut self, turn: Turn) {
        match &turn.body {
            Body::Session { title: Some(title), .. } => {
                if self.title.as_ref() != Some(title) {
                    self.title = Some(title.clone());
                    self.waiting.push_back(Entry::Turn(turn));
                }
            }
            Body::ToolResult { call, .. } => {
                let known = call.clone();
                match self.asked(known.as_deref()) {
                    Some(result) => *result = Some(Box::new(turn)),
                    None => self.waiting.push_back(Entry::Turn(turn)),
                }
            }
            Body::ToolCall { .. } => {
                self.waiting.push_back(Entry::Tool { call: turn, result: None });
            }
            _ => self.waiting.push_back(Entry::Turn(turn)),
        }
    }

    /// The next entry to which nothing can be added any more; `as_it_is`, whatever may still come.
    pub fn next(&mut self, as_it_is: bool) -> Option<Entry> {
        let open = matches!(self.waiting.front(), Some(Entry::Tool { result: None, .. }));
        match !as_it_is && open && self.waiting.len() <= PATIENCE {
            true => None,
            false => self.waiting.pop_front(),
        }
    }

    /// Where a result belongs. One that does not name its call belongs to the call just before it.
    fn asked(&mut self, call: Option<&str>) -> Option<&mut Option<Box<Turn>>> {
        let Some(call) = call else {
            return match self.waiting.back_mut() {
                Some(Entry::Tool { result: result @ None, .. }) => Some(result),
                _ => None,
            };
        };
        self.waiting.iter_mut().rev().find_map(|entry| match entry {
            Entry::Tool { call: turn, result: result @ None } => match &turn.body {
                Body::ToolCall { call: Some(own), .. } if own == call => Some(result),
                _ => None,
            },
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(turns: Vec<Turn>) -> Vec<String> {
        let mut pairs = Pairs::default();
        let mut entries = Vec::new();
        for turn in turns {
            pairs.push(turn);
            entries.extend(std::iter::from_fn(|| pairs.next(false)));
        }
        entries.extend(std::iter::from_fn(|| pairs.next(true)));
        let tell = |entry: &Entry| match entry {
            Entry::Turn(Turn { body: Body::User { text }, .. }) => text.clone(),
            Entry::Turn(turn) => format!("{:?}", turn.body),
            Entry::Tool { call, result } => {
                let Body::ToolCall { tool, .. } = &call.body else { unreachable!() };
                let result = result.as_ref().map(|result| match &result.body {
                    Body::ToolResult { output, .. } => output.as_str(),
                    _ => unreachable!(),
                });
                format!("{tool}→{}", result.unwrap_or("?"))
            }
        };
        entries.iter().map(tell).collect()
    }

    fn call(id: &str, tool: &str) -> Turn {
        Turn::call(Some(id), Some(tool), json!({}))
    }

    #[test]
    fn results_find_their_calls_whatever_stands_between() {
        let turns = vec![
            call("1", "a"),
            call("2", "b"),
            Turn::user("wait"),
            Turn::result(Some("2"), "two"),
            Turn::result(Some("1"), "one"),
        ];
        assert_eq!(all(turns), ["a→one", "b→two", "wait"]);
    }

    #[test]
    fn a_call_without_a_result_holds_nothing_up_for_ever() {
        let mut pairs = Pairs::default();
        pairs.push(call("1", "a"));
        for _ in 0..PATIENCE {
            pairs.push(Turn::user("on"));
        }
        assert!(matches!(pairs.next(false), Some(Entry::Tool { result: None, .. })));
        assert!(pairs.next(false).is_some());
    }

    #[test]
    fn a_title_is_told_when_it_changes() {
        let title = |title: &str| {
            let title = Some(title.to_owned());
            Turn::new(Body::Session { session: None, cwd: None, title, version: None })
        };
        assert_eq!(all(vec![title("a"), title("a"), title("b"), title("a")]).len(), 3);
    }

    #[test]
    fn a_result_that_names_no_call_belongs_to_the_one_before_it() {
        let turns = vec![Turn::call(None, Some("bash"), json!("ls")), Turn::result(None, "x")];
        assert_eq!(all(turns), ["bash→x"]);
        assert!(all(vec![Turn::user("u"), Turn::result(None, "x")])[1].starts_with("ToolResult"));
    }
}
