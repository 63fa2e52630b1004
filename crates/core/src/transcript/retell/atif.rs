//! The Agent Trajectory Interchange Format, version 1.7 (Harbor's RFC 0001): one JSON document, with
//! subagents as trajectories of their own inside it.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::about::{About, Voice};
use super::retelling::Form;
use super::steps::{Answer, Call, Step, Steps};
use super::tally::Tally;
use crate::text::inert_json;
use crate::transcript::turn::{Body, Turn, Usage, Withdrawn};

const VERSION: &str = "ATIF-v1.7";

/// Harbor wants a version; not every harness writes its own down.
const NO_VERSION: &str = "unknown";

#[derive(Default)]
pub struct Atif {
    about: About,
    steps: Steps,
    trajectory: Trajectory,
    subagents: usize,
    unnamed: u64,
    /// Where a subagent does not say which version it is, it is the session's.
    version: Option<String>,
}

/// What is known of the trajectory that is being written.
#[derive(Default)]
struct Trajectory {
    /// `None` for the session's own.
    agent: Option<String>,
    version: Option<String>,
    written: u64,
    notes: u64,
    usage: Usage,
    /// The harness's own last sum.
    sum: Option<Usage>,
}

#[derive(Default, Serialize)]
struct Row {
    step_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_name: Option<String>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observation: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    llm_call_count: Option<usize>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extra: Map<String, Value>,
}

impl Form for Atif {
    fn begin(&mut self, about: &About, _: &mut String) {
        self.about = about.clone();
    }

    fn voice(&mut self, voice: &Voice, out: &mut String) {
        self.drain(true, out);
        self.close(out);
        out.push_str(if self.subagents == 0 { ",\n\"subagent_trajectories\":[\n" } else { "},\n" });
        self.subagents += 1;
        self.trajectory = Trajectory { agent: voice.agent.clone(), ..Trajectory::default() };
    }

    fn turn(&mut self, turn: Turn, out: &mut String) {
        match &turn.body {
            Body::Session { version: Some(version), .. } => {
                self.trajectory.version.get_or_insert_with(|| version.clone());
                self.version.get_or_insert_with(|| version.clone());
            }
            Body::Usage(usage) if usage.cumulative => self.trajectory.sum = Some(usage.clone()),
            Body::Note { .. } => self.trajectory.notes += 1,
            _ => {}
        }
        self.steps.push(turn);
        self.drain(false, out);
    }

    fn end(&mut self, _: &Tally, out: &mut String) {
        self.drain(true, out);
        self.close(out);
        out.push_str(if self.subagents > 0 { "}\n]}\n" } else { "}\n" });
    }
}

impl Atif {
    fn drain(&mut self, as_it_is: bool, out: &mut String) {
        while let Some(step) = self.steps.next(as_it_is) {
            self.step(&step, out);
        }
    }

    fn step(&mut self, step: &Step, out: &mut String) {
        let row = match step {
            Step::Answer(answer) => self.answer(answer),
            Step::Turn(turn) => match other(turn) {
                Some(row) => self.common(row, turn.agent.as_deref(), turn.withdrawn),
                None => return,
            },
        };
        self.row(row, out);
    }

    fn row(&mut self, mut row: Row, out: &mut String) {
        if self.trajectory.written == 0 {
            self.open(out);
        } else {
            out.push_str(",\n");
        }
        self.trajectory.written += 1;
        row.step_id = self.trajectory.written;
        push(&row, out);
    }

    /// The head of a trajectory. It waits for the first step: by then the harness has mostly said
    /// which version it is.
    fn open(&self, out: &mut String) {
        let about = &self.about;
        let mut extra = Map::new();
        let id = match &self.trajectory.agent {
            Some(agent) => format!("{}/{agent}", about.session),
            None => {
                if let Value::Object(all) = json!(about) {
                    extra.extend(all.into_iter().filter(|(key, _)| key != "session"));
                }
                about.session.clone()
            }
        };
        let version = self.trajectory.version.as_ref().or(self.version.as_ref());
        let version = version.map_or(NO_VERSION, String::as_str);
        let mut agent = json!({ "name": about.harness, "version": version });
        if let Some(name) = &self.trajectory.agent {
            agent["extra"] = json!({ "subagent": name });
        }
        let mut head = json!({
            "schema_version": VERSION,
            "session_id": about.session,
            "trajectory_id": id,
            "agent": agent,
        });
        if !extra.is_empty() {
            head["extra"] = Value::Object(extra);
        }
        push(&head, out);
        // Its brace stays open for what follows.
        out.pop();
        out.push_str(",\n\"steps\":[\n");
    }

    /// Ends the steps; the trajectory's own brace stays open.
    fn close(&mut self, out: &mut String) {
        if self.trajectory.written == 0 {
            let row = Row { source: "system", ..Row::default() };
            self.row(row, out);
        }
        let trajectory = &self.trajectory;
        let usage = trajectory.sum.as_ref().unwrap_or(&trajectory.usage);
        let mut sums = json!({ "total_steps": trajectory.written });
        if let Some(metrics) = metrics(std::slice::from_ref(usage)) {
            for (to, from) in [
                ("total_prompt_tokens", "prompt_tokens"),
                ("total_completion_tokens", "completion_tokens"),
                ("total_cached_tokens", "cached_tokens"),
                ("total_cost_usd", "cost_usd"),
                ("extra", "extra"),
            ] {
                if let Some(value) = metrics.get(from) {
                    sums[to] = value.clone();
                }
            }
        }
        out.push_str("\n],\n\"final_metrics\":");
        push(&sums, out);
        if trajectory.notes > 0 {
            let words = format!("{} records of book-keeping are left out", trajectory.notes);
            out.push_str(",\n\"notes\":");
            push(&words, out);
        }
    }

    fn answer(&mut self, answer: &Answer) -> Row {
        let mut tool_calls = Vec::new();
        let mut results = Vec::new();
        for call in &answer.calls {
            let id = call.id.clone().unwrap_or_else(|| {
                self.unnamed += 1;
                format!("call-{}", self.unnamed)
            });
            results.extend(call.result.as_ref().map(|turn| result(turn, Some(&id))));
            tool_calls.push(tool_call(&id, call));
        }
        for usage in &answer.usage {
            self.trajectory.usage.add(usage);
        }
        let row = Row {
            timestamp: answer.at.map(|at| at.to_string()),
            source: "agent",
            model_name: answer.model.clone(),
            message: answer.text.clone().unwrap_or_default(),
            reasoning_content: answer.thinking.clone(),
            tool_calls,
            observation: (!results.is_empty()).then(|| json!({ "results": results })),
            metrics: metrics(&answer.usage),
            llm_call_count: Some(answer.usage.len()).filter(|count| *count > 1),
            ..Row::default()
        };
        self.common(row, answer.agent.as_deref(), answer.withdrawn)
    }

    /// Who else spoke, and that it was taken back.
    fn common(&self, mut row: Row, agent: Option<&str>, withdrawn: Option<Withdrawn>) -> Row {
        if agent != self.trajectory.agent.as_deref() {
            row.extra.insert("agent".into(), json!(agent));
        }
        if let Some(why) = withdrawn {
            row.extra.insert("withdrawn".into(), json!(why));
        }
        row
    }
}

/// What is no answer, as a step; `None` for what is counted only.
fn other(turn: &Turn) -> Option<Row> {
    let mut row =
        Row { timestamp: turn.at.map(|at| at.to_string()), source: "system", ..Row::default() };
    match &turn.body {
        Body::User { text } => {
            row.source = "user";
            row.message.clone_from(text);
        }
        Body::System { text } => row.message.clone_from(text),
        Body::ToolResult { .. } => {
            row.observation = Some(json!({ "results": [result(turn, None)] }));
        }
        Body::Compaction { summary, tokens_before } => {
            row.message = "Context compaction".into();
            let content = summary.clone().unwrap_or_default();
            row.observation = Some(json!({ "results": [{ "content": content }] }));
            let how = json!({ "type": "compaction", "boundary": "replace" });
            row.extra.insert("context_management".into(), how);
            if let Some(tokens) = tokens_before {
                row.extra.insert("tokens_before".into(), json!(tokens));
            }
        }
        Body::SubagentStart { name, task, session } => {
            row.message = "Subagent started".into();
            let what = json!({ "name": name, "task": task, "session": session });
            row.extra.insert("subagent_start".into(), what);
        }
        Body::SubagentEnd { name, outcome } => {
            row.message = "Subagent ended".into();
            let what = json!({ "name": name, "outcome": outcome });
            row.extra.insert("subagent_end".into(), what);
        }
        Body::Retract(retract) => {
            row.message = "Taken back".into();
            row.extra.insert("retract".into(), json!(retract));
        }
        Body::Raw { what, text } => {
            row.extra.insert("raw".into(), json!({ "what": what, "text": text }));
        }
        _ => return None,
    }
    Some(row)
}

fn tool_call(id: &str, call: &Call) -> Value {
    // The format wants an object.
    let arguments = match &call.input {
        Value::Object(_) => call.input.clone(),
        Value::Null => json!({}),
        other => json!({ "input": other }),
    };
    json!({ "tool_call_id": id, "function_name": call.tool, "arguments": arguments })
}

fn result(turn: &Turn, call: Option<&str>) -> Value {
    let Body::ToolResult { call: own, tool, output, failed, exit_code, duration_ms } = &turn.body
    else {
        return json!({ "content": "" });
    };
    let mut row = json!({ "content": output });
    let mut extra = Map::new();
    match call {
        Some(call) => row["source_call_id"] = json!(call),
        // Its call is in no step that it could be put to.
        None => {
            extra.extend(own.as_ref().map(|id| ("tool_call_id".into(), json!(id))));
            extra.extend(tool.as_ref().map(|tool| ("tool".into(), json!(tool))));
        }
    }
    extra.extend(failed.map(|failed| ("failed".into(), json!(failed))));
    extra.extend(exit_code.map(|code| ("exit_code".into(), json!(code))));
    extra.extend(duration_ms.map(|took| ("duration_ms".into(), json!(took))));
    if !extra.is_empty() {
        row["extra"] = Value::Object(extra);
    }
    row
}

/// The prompt's tokens are all of them, also those that a cache had.
fn metrics(all: &[Usage]) -> Option<Value> {
    let mut usage = Usage::default();
    all.iter().for_each(|one| usage.add(one));
    if usage == Usage::default() {
        return None;
    }
    let mut metrics = json!({
        "prompt_tokens": usage.input + usage.cache_read + usage.cache_write,
        "completion_tokens": usage.output,
        "cached_tokens": usage.cache_read,
    });
    if let Some(cost) = usage.cost_usd {
        metrics["cost_usd"] = json!(cost);
    }
    let mut extra = Map::new();
    for (name, count) in
        [("cache_creation_input_tokens", usage.cache_write), ("reasoning_tokens", usage.reasoning)]
    {
        if count > 0 {
            extra.insert(name.into(), json!(count));
        }
    }
    if !extra.is_empty() {
        metrics["extra"] = Value::Object(extra);
    }
    Some(metrics)
}

fn push(value: &impl Serialize, out: &mut String) {
    let json = serde_json::to_string(value).expect("text and numbers are always JSON");
    out.push_str(&inert_json(&json));
}
