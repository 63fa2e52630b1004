//! Pi: one file for each session, in a folder for each working folder or all in one. The first line
//! names the working folder, so no folder name has to be decoded.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::transcript::adapter::{Adapter, Filter, Found, stamped};
use crate::transcript::files::{self, Tree};
use crate::transcript::json;
use crate::transcript::places::Places;
use crate::transcript::source::{Parent, Relation, Session, Source};
use crate::transcript::turn::{Body, Turn, Usage};

pub struct Pi;

/// A settings file is some kilobytes.
const SETTINGS_CAP: u64 = 4 * 1024 * 1024;

impl Adapter for Pi {
    fn harness(&self) -> &'static str {
        "pi"
    }

    fn discover(&self, places: &Places, filter: &Filter) -> Found {
        let root = root(places);
        let mut tree = Tree::new(&root);
        let mut folders = vec![root.clone()];
        folders.extend(tree.folders(&root).into_iter().map(|folder| folder.path));
        let mut sessions = Vec::new();
        for folder in folders {
            for file in tree.files(&folder) {
                let Some(stem) = file.name.strip_suffix(".jsonl") else { continue };
                match files::first_line(&root, &file.path) {
                    Ok(head) => sessions.extend(session(&root, &file.path, stem, head, filter)),
                    Err(trouble) => tree.trouble.push(trouble),
                }
            }
        }
        Found { sessions, trouble: tree.trouble }
    }

    fn files_root(&self, places: &Places) -> Option<PathBuf> {
        Some(root(places))
    }

    fn parse(&self, row: &Value) -> Vec<Turn> {
        turns(row)
    }
}

fn root(places: &Places) -> PathBuf {
    let agent = places.folder("PI_CODING_AGENT_DIR");
    let agent = agent.unwrap_or_else(|| places.home.join(".pi").join("agent"));
    let set = || {
        let bytes = files::document(&agent, &agent.join("settings.json"), SETTINGS_CAP).ok()?;
        let settings: Value = serde_json::from_slice(&bytes).ok()?;
        Some(places.expand(json::text(&settings, "sessionDir")?))
    };
    let named = places.folder("PI_CODING_AGENT_SESSION_DIR").or_else(set);
    named.unwrap_or_else(|| agent.join("sessions"))
}

fn session(
    root: &Path,
    path: &Path,
    stem: &str,
    head: Option<Value>,
    filter: &Filter,
) -> Option<Session> {
    let head = head.unwrap_or(Value::Null);
    let cwd = json::owned(&head, "cwd");
    if !filter.wants(cwd.as_deref()) {
        return None;
    }
    let id = json::owned(&head, "id").unwrap_or_else(|| id_of(stem).to_owned());
    let origin = json::text(&head, "parentSession").or_else(|| json::text(&head, "branchedFrom"));
    let parent = origin.map(|origin| {
        let name = origin.rsplit(['/', '\\']).next().unwrap_or(origin);
        let stem = name.strip_suffix(".jsonl").unwrap_or(name);
        Parent { id: id_of(stem).to_owned(), relation: Relation::Fork }
    });
    let tail = files::last_lines(root, path).unwrap_or_default();
    Some(Session {
        harness: "pi",
        id,
        cwd,
        started: json::owned(&head, "timestamp"),
        title: tail.iter().rev().find_map(|row| json::owned(row, "name")),
        parent,
        archived: false,
        sources: vec![Source::lines("main", root.to_owned(), vec![path.to_owned()])],
    })
}

/// `2026-11-20T18-34-56-003Z_<id>`
fn id_of(stem: &str) -> &str {
    stem.split_once('_').map_or(stem, |(_, id)| id)
}

/// What a row says; OpenClaw writes the same ones.
pub fn turns(row: &Value) -> Vec<Turn> {
    let mut common = Turn::new(Body::User { text: String::new() });
    common.id = json::owned(row, "id");
    common.parent = json::owned(row, "parentId");
    common.at = json::time(row, "timestamp").or_else(|| json::time(row, "message.timestamp"));
    common.model = json::owned(row, "message.model");
    let turns = match json::text(row, "type") {
        Some("session") => vec![Turn::new(Body::Session {
            session: json::owned(row, "id"),
            cwd: json::owned(row, "cwd"),
            title: None,
            // What stands under `version` is that of the file's form.
            version: None,
        })],
        Some("session_info") => vec![Turn::new(Body::Session {
            session: None,
            cwd: None,
            title: json::owned(row, "name"),
            version: None,
        })],
        Some("message") => message(row.get("message").unwrap_or(&Value::Null)),
        Some("compaction") => vec![Turn::new(Body::Compaction {
            summary: json::owned(row, "summary"),
            tokens_before: json::count(row, "tokensBefore"),
        })],
        Some("branch_summary") => vec![Turn::system(json::prose(&row["summary"]))],
        Some("custom_message") => vec![Turn::system(json::prose(&row["content"]))],
        Some(
            kind @ ("model_change"
            | "thinking_level_change"
            | "custom"
            | "label"
            | "context_edit"
            | "usage"
            | "reset"
            | "leaf"
            | "link"),
        ) => vec![Turn::note(kind, row)],
        kind => vec![Turn::raw(kind.unwrap_or("row"), row.to_string().as_bytes())],
    };
    stamped(turns, &common)
}

fn message(message: &Value) -> Vec<Turn> {
    let content = message.get("content").unwrap_or(&Value::Null);
    match json::text(message, "role") {
        Some("user") => blocks(content, &|text| Turn::user(text)),
        Some("assistant") => {
            let mut turns = blocks(content, &|text| Turn::assistant(text));
            if let Some(error) = json::text(message, "errorMessage") {
                turns.push(Turn::system(error));
            }
            if turns.is_empty() {
                turns.push(Turn::note("empty answer", message));
            }
            turns.extend(json::at(message, "usage").map(usage));
            turns
        }
        Some("toolResult") => vec![result(message, content)],
        Some("system") => {
            let text = json::prose(content);
            vec![match text.is_empty() {
                true => Turn::note("system", message),
                false => Turn::system(text),
            }]
        }
        Some("bashExecution") => {
            let command = message.get("command").cloned().unwrap_or(Value::Null);
            let mut end = Turn::result(None, json::prose(&message["output"]));
            if let Body::ToolResult { exit_code, .. } = &mut end.body {
                *exit_code = json::at(message, "exitCode").and_then(Value::as_i64);
            }
            vec![Turn::call(None, Some("bash"), command), end]
        }
        role => vec![Turn::raw(role.unwrap_or("message"), message.to_string().as_bytes())],
    }
}

fn blocks(content: &Value, said: &dyn Fn(String) -> Turn) -> Vec<Turn> {
    let Value::Array(blocks) = content else { return vec![said(json::prose(content))] };
    let block = |block: &Value| match json::text(block, "type") {
        Some("text") => said(json::prose(block)),
        Some("thinking") => {
            Turn::thinking(block.get("thinking").map_or(String::new(), json::prose))
        }
        Some("toolCall") => {
            let input = block.get("arguments").cloned().unwrap_or(Value::Null);
            Turn::call(json::text(block, "id"), json::text(block, "name"), input)
        }
        Some(kind @ ("image" | "document")) => Turn::note(kind, block),
        _ => Turn::raw("block", block.to_string().as_bytes()),
    };
    blocks.iter().map(block).collect()
}

fn result(message: &Value, content: &Value) -> Turn {
    let mut turn = Turn::result(json::text(message, "toolCallId"), json::prose(content));
    if let Body::ToolResult { tool, failed, exit_code, duration_ms, .. } = &mut turn.body {
        *tool = json::owned(message, "toolName");
        *failed = json::at(message, "isError").and_then(Value::as_bool);
        *exit_code = json::at(message, "details.exitCode").and_then(Value::as_i64);
        *duration_ms = json::count(message, "durationMs")
            .or_else(|| json::count(message, "details.durationMs"));
    }
    turn
}

fn usage(usage: &Value) -> Turn {
    let count = |key: &str| json::count(usage, key).unwrap_or(0);
    Turn::new(Body::Usage(Usage {
        input: count("input"),
        output: count("output"),
        cache_read: count("cacheRead"),
        cache_write: count("cacheWrite"),
        reasoning: count("reasoning"),
        cost_usd: json::number(usage, "cost.total"),
        cumulative: false,
    }))
}
