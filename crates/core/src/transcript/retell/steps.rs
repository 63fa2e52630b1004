//! Turns put together as formats for training and replay want them: one step for each answer of a
//! model, with the calls it made and what came back.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::Value;

use crate::transcript::turn::{Body, Turn, Usage, Withdrawn};

/// So many steps wait for one whose calls have no results yet.
const PATIENCE: usize = 128;

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Answer(Answer),
    /// Anything that is no answer of a model.
    Turn(Turn),
}

/// One answer of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub at: Option<Timestamp>,
    pub agent: Option<String>,
    pub model: Option<String>,
    pub withdrawn: Option<Withdrawn>,
    pub thinking: Option<String>,
    pub text: Option<String>,
    pub calls: Vec<Call>,
    /// As many as the harness told of; usually one.
    pub usage: Vec<Usage>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub id: Option<String>,
    pub tool: String,
    pub input: Value,
    pub result: Option<Turn>,
}

/// Puts turns together; a step is given when nothing can be added to it any more.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    waiting: VecDeque<Step>,
}

impl Steps {
    pub fn push(&mut self, turn: Turn) {
        match &turn.body {
            Body::Thinking { .. } | Body::Assistant { .. } | Body::ToolCall { .. } => {
                self.answered(turn);
            }
            Body::ToolResult { call, .. } => match self.asked(call.clone().as_deref()) {
                Some(asked) => asked.result = Some(turn),
                None => self.waiting.push_back(Step::Turn(turn)),
            },
            Body::Usage(usage) if !usage.cumulative => {
                let usage = usage.clone();
                self.used(&turn, usage);
            }
            Body::Usage(_) => {}
            _ => self.waiting.push_back(Step::Turn(turn)),
        }
    }

    /// The next step to which nothing can be added any more; `as_it_is`, whatever may still come.
    pub fn next(&mut self, as_it_is: bool) -> Option<Step> {
        let ready = match self.waiting.front()? {
            _ if as_it_is => true,
            Step::Turn(_) => true,
            Step::Answer(answer) => {
                self.waiting.len() > PATIENCE
                    || self.waiting.len() > 1 && answer.calls.iter().all(|it| it.result.is_some())
            }
        };
        if ready { self.waiting.pop_front() } else { None }
    }

    fn answered(&mut self, turn: Turn) {
        let open = match self.waiting.back_mut() {
            Some(Step::Answer(answer)) if answer.takes(&turn) => answer,
            _ => {
                self.waiting.push_back(Step::Answer(Answer {
                    at: turn.at,
                    agent: turn.agent.clone(),
                    withdrawn: turn.withdrawn,
                    ..Answer::default()
                }));
                let Some(Step::Answer(answer)) = self.waiting.back_mut() else { return };
                answer
            }
        };
        open.model = open.model.take().or(turn.model);
        match turn.body {
            Body::Thinking { text } => join(&mut open.thinking, text),
            Body::Assistant { text } => join(&mut open.text, text),
            Body::ToolCall { call, tool, input } => {
                open.calls.push(Call { id: call, tool, input, result: None });
            }
            _ => {}
        }
    }

    fn asked(&mut self, call: Option<&str>) -> Option<&mut Call> {
        let answers = self.waiting.iter_mut().rev().filter_map(|step| match step {
            Step::Answer(answer) => Some(answer),
            Step::Turn(_) => None,
        });
        let mut calls = answers.flat_map(|answer| answer.calls.iter_mut().rev());
        match call {
            Some(_) => calls.find(|own| own.result.is_none() && own.id.as_deref() == call),
            None => calls.next().filter(|own| own.result.is_none() && own.id.is_none()),
        }
    }

    /// Harnesses tell what an answer took behind its first piece, behind all of it, or behind the
    /// results of its calls.
    fn used(&mut self, turn: &Turn, usage: Usage) {
        let answers = self.waiting.iter_mut().rev().filter_map(|step| match step {
            Step::Answer(answer) if answer.agent == turn.agent => Some(answer),
            _ => None,
        });
        let mut answers: Vec<&mut Answer> = answers.take(2).collect();
        // A second one can be for the answer before, when that has none.
        let fresh = answers.iter().position(|answer| answer.usage.is_empty()).unwrap_or(0);
        if let Some(answer) = answers.get_mut(fresh) {
            answer.usage.push(usage);
            answer.model = answer.model.take().or_else(|| turn.model.clone());
        }
    }
}

impl Answer {
    /// Whether this turn is of the same answer. After a result, and with new thoughts after words,
    /// the model has been asked again.
    fn takes(&self, turn: &Turn) -> bool {
        let same = self.agent == turn.agent
            && self.withdrawn == turn.withdrawn
            && (self.model.is_none() || turn.model.is_none() || self.model == turn.model);
        let asked_again = self.calls.iter().any(|call| call.result.is_some());
        let thinks_again = matches!(turn.body, Body::Thinking { .. })
            && (self.text.is_some() || !self.calls.is_empty());
        same && !asked_again && !thinks_again
    }
}

fn join(all: &mut Option<String>, more: String) {
    match all {
        Some(all) => {
            all.push_str("\n\n");
            all.push_str(&more);
        }
        None => *all = Some(more),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usage(output: u64) -> Turn {
        Turn::new(Body::Usage(Usage { output, ..Usage::default() }))
    }

    fn call(id: &str) -> Turn {
        Turn::call(Some(id), Some("tool"), json!({}))
    }

    /// `text/thinking/calls(with results)/usages` for an answer, the kind for anything else.
    fn told(turns: Vec<Turn>) -> Vec<String> {
        let mut steps = Steps::default();
        let mut all = Vec::new();
        for turn in turns {
            steps.push(turn);
            all.extend(std::iter::from_fn(|| steps.next(false)));
        }
        all.extend(std::iter::from_fn(|| steps.next(true)));
        let tell = |step: &Step| match step {
            Step::Turn(turn) => format!("{:?}", turn.body).chars().take(6).collect(),
            Step::Answer(answer) => {
                let done = answer.calls.iter().filter(|call| call.result.is_some()).count();
                let text = answer.text.as_deref().unwrap_or("-");
                let thinking = answer.thinking.as_deref().unwrap_or("-");
                format!("{text}/{thinking}/{done}of{}/{}", answer.calls.len(), answer.usage.len())
            }
        };
        all.iter().map(tell).collect()
    }

    #[test]
    fn one_answer_is_one_step_wherever_its_usage_stands() {
        let claude = vec![
            Turn::user("u"),
            Turn::thinking("t"),
            usage(7),
            Turn::assistant("a"),
            call("1"),
            call("2"),
            Turn::result(Some("1"), "one"),
            Turn::result(Some("2"), "two"),
            Turn::assistant("b"),
            usage(8),
        ];
        assert_eq!(told(claude), ["User {", "a/t/2of2/1", "b/-/0of0/1"]);
        let codex = vec![
            Turn::thinking("t"),
            call("1"),
            Turn::result(Some("1"), "one"),
            usage(7),
            Turn::assistant("b"),
            usage(8),
        ];
        assert_eq!(told(codex), ["-/t/1of1/1", "b/-/0of0/1"]);
    }

    #[test]
    fn thoughts_after_words_begin_another_answer() {
        let turns = vec![Turn::assistant("a"), Turn::thinking("t"), Turn::assistant("b")];
        assert_eq!(told(turns), ["a/-/0of0/0", "b/t/0of0/0"]);
    }

    #[test]
    fn a_result_without_its_call_stands_alone_and_a_call_without_result_waits_no_longer_than_so() {
        assert_eq!(told(vec![Turn::result(Some("x"), "?")]), ["ToolRe"]);
        let mut steps = Steps::default();
        steps.push(call("1"));
        (0..PATIENCE).for_each(|_| steps.push(Turn::user("u")));
        assert!(matches!(steps.next(false), Some(Step::Answer(_))));
    }
}
