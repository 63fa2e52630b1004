//! Kimi Code 2: one folder for each session, one wire log for each of its agents.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::transcript::adapter::{Adapter, Filter, Found, stamped};
use crate::transcript::files::{self, Tree};
use crate::transcript::json;
use crate::transcript::places::Places;
use crate::transcript::source::{Session, Source};
use crate::transcript::turn::{Body, Turn, Usage};

pub struct Kimi;

const STATE_CAP: u64 = 16 * 1024 * 1024;

/// Begins of the names of rows that are the harness's own affair, or repeat what others say.
const BOOKKEEPING: &[&str] = &[
    "agent.",
    "file_history.",
    "llm.",
    "permission.",
    "plugin.",
    "profile.",
    "prompt.",
    "runtime.",
    "token_counting.",
    "turn.",
];

impl Adapter for Kimi {
    fn harness(&self) -> &'static str {
        "kimi"
    }

    fn discover(&self, places: &Places, filter: &Filter) -> Found {
        let root =
            places.folder("KIMI_CODE_HOME").unwrap_or_else(|| places.home.join(".kimi-code"));
        let mut tree = Tree::new(&root);
        let mut sessions = Vec::new();
        for project in tree.folders(&root.join("sessions")) {
            for folder in tree.folders(&project.path) {
                let state = folder.path.join("state.json");
                let state: Value = match files::document(&root, &state, STATE_CAP) {
                    Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
                    Err(trouble) => {
                        tree.trouble.push(trouble);
                        Value::Null
                    }
                };
                let cwd = json::owned(&state, "cwd");
                let sources = agents(&mut tree, &root, &folder.path.join("agents"));
                if sources.is_empty() || !filter.wants(cwd.as_deref()) {
                    continue;
                }
                sessions.push(Session {
                    harness: "kimi",
                    id: json::owned(&state, "id").unwrap_or(folder.name),
                    cwd,
                    started: json::time_text(&state, "createdAt"),
                    title: json::owned(&state, "title"),
                    parent: None,
                    archived: json::flag(&state, "archived"),
                    sources,
                });
            }
        }
        Found { sessions, trouble: tree.trouble }
    }

    fn files_root(&self, places: &Places) -> Option<PathBuf> {
        Some(places.folder("KIMI_CODE_HOME").unwrap_or_else(|| places.home.join(".kimi-code")))
    }

    fn parse(&self, row: &Value) -> Vec<Turn> {
        let mut common = Turn::new(Body::User { text: String::new() });
        common.at = json::time(row, "time").or_else(|| json::time(row, "created_at"));
        common.model = json::owned(row, "model");
        common.agent = json::owned(row, "agentId").filter(|agent| agent != "main");
        stamped(vec![turn(row)], &common)
    }
}

fn agents(tree: &mut Tree, root: &Path, folder: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    for agent in tree.folders(folder) {
        let wire = agent.path.join("wire.jsonl");
        if !wire.exists() {
            continue;
        }
        match agent.name.as_str() {
            "main" => sources.insert(0, Source::lines("main", root.to_owned(), vec![wire])),
            name => {
                let source = Source::lines(&format!("agents/{name}"), root.to_owned(), vec![wire]);
                sources.push(source.spoken_by(name));
            }
        }
    }
    sources
}

fn turn(row: &Value) -> Turn {
    match json::text(row, "type") {
        Some("metadata") => Turn::new(Body::Session {
            session: None,
            cwd: None,
            title: None,
            // That of the protocol stands there, and not the harness's own.
            version: None,
        }),
        Some("turn.prompt") => {
            let mut turn = Turn::user(row.get("input").map_or(String::new(), json::prose));
            // Later versions say it again, in the order in which the model sees it.
            turn.echo = true;
            turn
        }
        Some("context.append_message") => message(row),
        Some("context.append_loop_event") => event(row.get("event").unwrap_or(&Value::Null)),
        Some("usage.record") => usage(row.get("usage").unwrap_or(&Value::Null)),
        Some(kind) if kind.contains("compact") => Turn::new(Body::Compaction {
            summary: json::owned(row, "summary"),
            tokens_before: json::count(row, "tokensBefore"),
        }),
        Some(kind) if BOOKKEEPING.iter().any(|start| kind.starts_with(start)) => {
            Turn::note(kind, row)
        }
        kind => Turn::raw(kind.unwrap_or("row"), row.to_string().as_bytes()),
    }
}

fn message(row: &Value) -> Turn {
    let text = json::at(row, "message.content").map_or(String::new(), json::prose);
    let by_user = json::text(row, "message.origin.kind").is_none_or(|kind| kind == "user");
    let mut turn = match json::text(row, "message.role") {
        Some("user") if by_user => Turn::user(text),
        Some("assistant") => Turn::assistant(text),
        Some("tool") => Turn::result(json::text(row, "message.toolCallId"), text),
        _ => Turn::system(text),
    };
    turn.id = json::owned(row, "message.id");
    turn
}

fn event(event: &Value) -> Turn {
    let call = json::text(event, "toolCallId");
    let mut turn = match json::text(event, "type") {
        Some("content.part") => match json::text(event, "part.type") {
            Some("text") => Turn::assistant(json::prose(&event["part"]["text"])),
            Some("think") => Turn::thinking(json::prose(&event["part"]["think"])),
            Some(kind) => Turn::note(kind, event),
            None => Turn::raw("content.part", event.to_string().as_bytes()),
        },
        Some("tool.call") => {
            let input = event.get("args").cloned().unwrap_or(Value::Null);
            Turn::call(call, json::text(event, "name"), input)
        }
        Some("tool.result") => {
            let output = json::at(event, "result.output").map_or(String::new(), json::prose);
            let mut turn = Turn::result(call, output);
            if let Body::ToolResult { failed, duration_ms, .. } = &mut turn.body {
                *failed = Some(json::flag(event, "result.isError"));
                *duration_ms = json::count(event, "result.durationMs");
            }
            turn
        }
        Some(kind @ ("step.begin" | "step.end")) => Turn::note(kind, event),
        kind => Turn::raw(kind.unwrap_or("loop event"), event.to_string().as_bytes()),
    };
    turn.id = json::owned(event, "uuid");
    turn
}

fn usage(usage: &Value) -> Turn {
    let count = |key: &str| json::count(usage, key).unwrap_or(0);
    Turn::new(Body::Usage(Usage {
        input: count("inputOther"),
        output: count("output"),
        cache_read: count("inputCacheRead"),
        cache_write: count("inputCacheCreation"),
        reasoning: 0,
        cost_usd: None,
        cumulative: false,
    }))
}
