//! The Session Trace Simple Format of the Hugging Face Hub: a line about the session, then one line
//! for each message.

use serde::Serialize;

use super::about::{About, Voice};
use super::retelling::Form;
use super::steps::{Answer, Step, Steps};
use super::tally::Tally;
use crate::text::inert_json;
use crate::transcript::turn::{Body, Turn, Withdrawn};

/// Tells the session's own voice, and every subagent that speaks within it.
#[derive(Default)]
pub struct Sts {
    steps: Steps,
    /// Calls that came without a name of their own.
    unnamed: u64,
}

#[derive(Serialize)]
struct Header<'a> {
    r#type: &'static str,
    harness: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    agents: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tasks: &'a [String],
}

#[derive(Serialize)]
struct Envelope<'a> {
    r#type: &'static str,
    message: Message<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    /// Beyond the format: the subagent that speaks within this voice.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    /// Beyond the format: taken back, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn: Option<Withdrawn>,
}

#[derive(Serialize)]
struct ToolCall<'a> {
    id: &'a str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    /// JSON as text.
    arguments: String,
}

impl Form for Sts {
    fn begin(&mut self, about: &About, out: &mut String) {
        let header = Header {
            r#type: "session",
            harness: &about.harness,
            id: &about.session,
            name: about.title.as_deref(),
            cwd: about.cwd.as_deref(),
            started: about.started.as_deref(),
            parent: about.parent.as_deref(),
            agents: &about.agents,
            tasks: &about.tasks,
        };
        line(&header, out);
    }

    fn voice(&mut self, _: &Voice, out: &mut String) {
        self.drain(true, out);
    }

    fn turn(&mut self, turn: Turn, out: &mut String) {
        self.steps.push(turn);
        self.drain(false, out);
    }

    fn end(&mut self, _: &Tally, out: &mut String) {
        self.drain(true, out);
    }
}

impl Sts {
    fn drain(&mut self, as_it_is: bool, out: &mut String) {
        while let Some(step) = self.steps.next(as_it_is) {
            self.step(&step, out);
        }
    }

    fn step(&mut self, step: &Step, out: &mut String) {
        match step {
            Step::Answer(answer) => self.answer(answer, out),
            Step::Turn(turn) => other(turn, out),
        }
    }

    fn answer(&mut self, answer: &Answer, out: &mut String) {
        let mut named = Vec::new();
        for call in &answer.calls {
            named.push(call.id.clone().unwrap_or_else(|| {
                self.unnamed += 1;
                format!("call-{}", self.unnamed)
            }));
        }
        let calls = named.iter().zip(&answer.calls);
        let tool_calls = calls.map(|(id, call)| ToolCall {
            id,
            function: Function { name: &call.tool, arguments: call.input.to_string() },
        });
        message(
            Message {
                role: "assistant",
                content: answer.text.as_deref().unwrap_or_default(),
                reasoning_content: answer.thinking.as_deref(),
                tool_calls: tool_calls.collect(),
                timestamp: answer.at.map(|at| at.as_millisecond()),
                model: answer.model.as_deref(),
                agent: answer.agent.as_deref(),
                withdrawn: answer.withdrawn,
                ..Message::default()
            },
            out,
        );
        for (id, call) in named.iter().zip(&answer.calls) {
            if let Some(result) = &call.result {
                tool(result, id, out);
            }
        }
    }
}

fn other(turn: &Turn, out: &mut String) {
    let said = |role, content| Message {
        role,
        content,
        timestamp: turn.at.map(|at| at.as_millisecond()),
        agent: turn.agent.as_deref(),
        withdrawn: turn.withdrawn,
        ..Message::default()
    };
    match &turn.body {
        Body::User { text } => message(said("user", text), out),
        Body::System { text } => message(said("system", text), out),
        Body::Compaction { summary, .. } => {
            message(said("system", summary.as_deref().unwrap_or("(compacted)")), out);
        }
        Body::ToolResult { call, .. } => tool(turn, call.as_deref().unwrap_or_default(), out),
        _ => {}
    }
}

fn tool(result: &Turn, call: &str, out: &mut String) {
    let Body::ToolResult { output, .. } = &result.body else { return };
    message(
        Message {
            role: "tool",
            content: output,
            tool_call_id: Some(call),
            timestamp: result.at.map(|at| at.as_millisecond()),
            agent: result.agent.as_deref(),
            withdrawn: result.withdrawn,
            ..Message::default()
        },
        out,
    );
}

fn message(message: Message<'_>, out: &mut String) {
    line(&Envelope { r#type: "message", message }, out);
}

fn line(value: &impl Serialize, out: &mut String) {
    let json = serde_json::to_string(value).expect("text and numbers are always JSON");
    out.push_str(&inert_json(&json));
    out.push('\n');
}
