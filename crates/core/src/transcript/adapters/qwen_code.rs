//! Qwen Code: rows like Claude Code's, messages like Gemini's.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::transcript::adapter::{Adapter, Filter, Found, stamped};
use crate::transcript::files::{self, Tree};
use crate::transcript::json;
use crate::transcript::places::Places;
use crate::transcript::source::{Session, Source};
use crate::transcript::turn::{Body, Turn, Usage};

pub struct QwenCode;

impl Adapter for QwenCode {
    fn harness(&self) -> &'static str {
        "qwen-code"
    }

    fn discover(&self, places: &Places, filter: &Filter) -> Found {
        let root = places.home.join(".qwen").join("projects");
        let mut tree = Tree::new(&root);
        let mut sessions = Vec::new();
        for project in tree.folders(&root) {
            for file in tree.files(&project.path.join("chats")) {
                let Some(id) = file.name.strip_suffix(".jsonl") else { continue };
                let head = match files::first_line(&root, &file.path) {
                    Ok(head) => head.unwrap_or(Value::Null),
                    Err(trouble) => {
                        tree.trouble.push(trouble);
                        continue;
                    }
                };
                let cwd = json::owned(&head, "cwd");
                if !filter.wants(cwd.as_deref()) {
                    continue;
                }
                let mut sources =
                    vec![Source::lines("main", root.clone(), vec![file.path.clone()])];
                let helpers = project.path.join("subagents").join(id);
                subagents(&mut tree, &root, &helpers, &mut sources);
                sessions.push(Session {
                    harness: "qwen-code",
                    id: id.to_owned(),
                    cwd,
                    started: json::owned(&head, "timestamp"),
                    title: None,
                    parent: None,
                    archived: false,
                    sources,
                });
            }
        }
        Found { sessions, trouble: tree.trouble }
    }

    fn files_root(&self, places: &Places) -> Option<PathBuf> {
        Some(places.home.join(".qwen").join("projects"))
    }

    fn parse(&self, row: &Value) -> Vec<Turn> {
        let mut common = Turn::new(Body::User { text: String::new() });
        common.id = json::owned(row, "uuid");
        common.parent = json::owned(row, "parentUuid");
        common.at = json::time(row, "timestamp");
        common.agent = json::owned(row, "agentId");
        common.model = json::owned(row, "model");
        let mut turns = stamped(turns(row), &common);
        turns.splice(0..0, version(row));
        turns
    }
}

/// Told where a conversation begins, though every row has it.
fn version(row: &Value) -> Option<Turn> {
    let version =
        json::owned(row, "version").filter(|_| row.get("parentUuid") == Some(&Value::Null));
    let body = Body::Session { session: None, cwd: None, title: None, version: Some(version?) };
    Some(Turn::new(body))
}

fn subagents(tree: &mut Tree, root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for file in tree.files(folder) {
        let agent = file.name.strip_prefix("agent-").unwrap_or(&file.name);
        if let Some(agent) = agent.strip_suffix(".jsonl") {
            let name = format!("subagents/agent-{agent}");
            let source = Source::lines(&name, root.to_owned(), vec![file.path]);
            sources.push(source.spoken_by(agent));
        } else if let Some(agent) = agent.strip_suffix(".meta.json") {
            let name = format!("subagents/agent-{agent}.meta");
            sources.push(Source::document(&name, root.to_owned(), file.path).spoken_by(agent));
        }
    }
}

fn turns(row: &Value) -> Vec<Turn> {
    match json::text(row, "type") {
        Some("user") => {
            let own = json::text(row, "provenance") == Some("system");
            parts(row, &|text| if own { Turn::system(text) } else { Turn::user(text) })
        }
        Some("assistant") => {
            let mut turns = parts(row, &|text| Turn::assistant(text));
            turns.extend(json::at(row, "usageMetadata").map(usage));
            turns
        }
        Some("tool_result") => parts(row, &|text| Turn::result(None, text)),
        Some("system") => {
            let subtype = json::text(row, "subtype").unwrap_or("system");
            vec![match subtype.contains("compress") {
                true => Turn::new(Body::Compaction {
                    summary: json::owned(row, "systemPayload.summary"),
                    tokens_before: json::count(row, "systemPayload.info.originalTokenCount"),
                }),
                false => Turn::note(subtype, row),
            }]
        }
        None if json::text(row, "agentType").is_some() => {
            vec![Turn::new(Body::SubagentStart {
                name: json::owned(row, "agentType"),
                task: json::owned(row, "description"),
                session: None,
            })]
        }
        kind => vec![Turn::raw(kind.unwrap_or("row"), row.to_string().as_bytes())],
    }
}

fn parts(row: &Value, said: &dyn Fn(String) -> Turn) -> Vec<Turn> {
    let parts = json::list(row, "message.parts");
    if parts.is_empty() {
        return vec![Turn::note("message without parts", row)];
    }
    let part = |part: &Value| {
        if let Some(text) = part.get("text").and_then(Value::as_str) {
            return match json::flag(part, "thought") {
                true => Turn::thinking(text),
                false => said(text.to_owned()),
            };
        }
        if let Some(call) = part.get("functionCall") {
            let input = call.get("args").cloned().unwrap_or(Value::Null);
            return Turn::call(json::text(call, "id"), json::text(call, "name"), input);
        }
        match part.get("functionResponse") {
            Some(response) => result(row, response),
            None => Turn::raw("part", part.to_string().as_bytes()),
        }
    };
    parts.iter().map(part).collect()
}

fn result(row: &Value, response: &Value) -> Turn {
    let told = response.get("response").unwrap_or(&Value::Null);
    let error = told.get("error");
    let mut turn = Turn::result(json::text(response, "id"), json::prose(error.unwrap_or(told)));
    if let Body::ToolResult { tool, failed, .. } = &mut turn.body {
        *tool = json::owned(response, "name");
        let status = json::text(row, "toolCallResult.status").map(|status| status != "success");
        *failed = error.map(|_| true).or(status);
    }
    turn
}

fn usage(usage: &Value) -> Turn {
    let count = |key: &str| json::count(usage, key).unwrap_or(0);
    let cached = count("cachedContentTokenCount");
    Turn::new(Body::Usage(Usage {
        input: count("promptTokenCount").saturating_sub(cached),
        output: count("candidatesTokenCount"),
        cache_read: cached,
        cache_write: 0,
        reasoning: count("thoughtsTokenCount"),
        cost_usd: None,
        cumulative: false,
    }))
}
