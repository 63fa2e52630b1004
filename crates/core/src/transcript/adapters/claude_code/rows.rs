//! What the rows of a Claude Code transcript say.

use serde_json::Value;

use crate::transcript::adapter::stamped;
use crate::transcript::json;
use crate::transcript::turn::{Body, Turn, Usage};

/// Rows that are the harness's own affair. Any other type that is not handled is shown raw.
const BOOKKEEPING: &[&str] = &[
    "agent-color",
    "agent-name",
    "agent-setting",
    "api-request",
    "api-request-blob",
    "api-request-resumed",
    "api-request-shape",
    "artifact-autoreact-ledger",
    "artifact-comment-monitor",
    "atis-latch",
    "attachment",
    "attribution-snapshot",
    "bridge-session",
    "content-replacement",
    "continued-in",
    "cost-state",
    "data-flow-incomplete",
    "data-flow-records",
    "derived-from",
    "dev-mods",
    "ended-by-model",
    "file-history-delta",
    "file-history-snapshot",
    "fork-context-ref",
    "frame-link",
    "history-suppression",
    "isolation-latch",
    "last-prompt",
    "memory-mode",
    "mode",
    "observer-ref",
    "permission-mode",
    "pr-link",
    "progress",
    "queue-operation",
    "resume-head-vouch",
    "session-owner",
    "tag",
    "tools-used",
    "worktree-state",
];

pub fn turns(row: &Value) -> Vec<Turn> {
    let mut common = Turn::new(Body::User { text: String::new() });
    common.id = json::owned(row, "uuid");
    common.parent = json::owned(row, "parentUuid");
    common.at = json::time(row, "timestamp");
    common.agent = json::owned(row, "agentId")
        .or_else(|| json::flag(row, "isSidechain").then(|| "sidechain".to_owned()));
    common.model = json::owned(row, "message.model");
    let turns = match json::text(row, "type") {
        Some("user") => user(row),
        Some("assistant") => assistant(row),
        Some("system") => vec![system(row)],
        Some("summary") => vec![about(json::owned(row, "summary"), None)],
        Some("custom-title") => vec![about(json::owned(row, "customTitle"), None)],
        Some("ai-title") => vec![about(json::owned(row, "aiTitle"), None)],
        Some("relocated") => vec![about(None, json::owned(row, "relocatedCwd"))],
        Some(kind) if BOOKKEEPING.contains(&kind) => vec![Turn::note(kind, row)],
        None if json::text(row, "agentType").is_some() => vec![subagent(row)],
        kind => vec![Turn::raw(kind.unwrap_or("row"), row.to_string().as_bytes())],
    };
    let mut turns = stamped(turns, &common);
    turns.splice(0..0, version(row));
    turns
}

/// Which version of the harness it is stands in every row of a conversation; it is told where a
/// conversation begins.
fn version(row: &Value) -> Option<Turn> {
    let version =
        json::owned(row, "version").filter(|_| row.get("parentUuid") == Some(&Value::Null));
    let body = Body::Session { session: None, cwd: None, title: None, version: Some(version?) };
    Some(Turn::new(body))
}

fn user(row: &Value) -> Vec<Turn> {
    let Some(content) = json::at(row, "message.content") else {
        return vec![Turn::raw("user", row.to_string().as_bytes())];
    };
    if json::flag(row, "isCompactSummary") {
        let summary = Some(json::prose(content));
        return vec![Turn::new(Body::Compaction { summary, tokens_before: None })];
    }
    let said = |text: String| match json::flag(row, "isMeta") {
        true => Turn::system(text),
        false => Turn::user(text),
    };
    match content {
        Value::String(text) => vec![said(text.clone())],
        Value::Array(blocks) => blocks
            .iter()
            .map(|block| match (json::text(block, "type"), block.get("text")) {
                (Some("text"), Some(text)) => said(json::prose(text)),
                (Some("tool_result"), _) => result(block, json::at(row, "toolUseResult")),
                (Some(kind @ ("image" | "document")), _) => Turn::note(kind, block),
                _ => Turn::raw("user block", block.to_string().as_bytes()),
            })
            .collect(),
        other => vec![Turn::raw("user", other.to_string().as_bytes())],
    }
}

fn result(block: &Value, detail: Option<&Value>) -> Turn {
    let output = block.get("content").map_or(String::new(), json::prose);
    let mut turn = Turn::result(json::text(block, "tool_use_id"), output);
    if let Body::ToolResult { failed, exit_code, duration_ms, .. } = &mut turn.body {
        *failed = json::at(block, "is_error").and_then(Value::as_bool);
        *exit_code = detail.and_then(|detail| json::at(detail, "exitCode")?.as_i64());
        *duration_ms = detail.and_then(|detail| {
            json::count(detail, "durationMs").or_else(|| json::count(detail, "totalDurationMs"))
        });
    }
    turn
}

fn assistant(row: &Value) -> Vec<Turn> {
    let mut turns: Vec<Turn> = match json::at(row, "message.content") {
        Some(Value::String(text)) => vec![Turn::assistant(text.clone())],
        Some(Value::Array(blocks)) => blocks.iter().map(said).collect(),
        _ => vec![Turn::raw("assistant", row.to_string().as_bytes())],
    };
    if let Some(usage) = json::at(row, "message.usage") {
        // One answer is written as one row for each of its blocks, each with the whole usage.
        let mut turn = Turn::new(Body::Usage(Usage {
            input: json::count(usage, "input_tokens").unwrap_or(0),
            output: json::count(usage, "output_tokens").unwrap_or(0),
            cache_read: json::count(usage, "cache_read_input_tokens").unwrap_or(0),
            cache_write: json::count(usage, "cache_creation_input_tokens").unwrap_or(0),
            reasoning: json::count(usage, "output_tokens_details.thinking_tokens").unwrap_or(0),
            cost_usd: json::number(row, "costUSD"),
            cumulative: false,
        }));
        let answer = json::text(row, "message.id").or_else(|| json::text(row, "uuid"));
        turn.id = answer.map(|id| format!("usage:{id}"));
        turns.push(turn);
    }
    turns
}

fn said(block: &Value) -> Turn {
    let call = json::text(block, "id");
    match json::text(block, "type") {
        Some("text") => Turn::assistant(block.get("text").map_or(String::new(), json::prose)),
        Some("thinking") => {
            Turn::thinking(block.get("thinking").map_or(String::new(), json::prose))
        }
        Some("redacted_thinking") => Turn::note("redacted_thinking", block),
        Some("tool_use" | "server_tool_use" | "mcp_tool_use") => {
            let input = block.get("input").cloned().unwrap_or(Value::Null);
            Turn::call(call, json::text(block, "name"), input)
        }
        Some(kind) if kind.ends_with("tool_result") => result(block, None),
        _ => Turn::raw("assistant block", block.to_string().as_bytes()),
    }
}

fn system(row: &Value) -> Turn {
    match json::text(row, "subtype") {
        Some("compact_boundary" | "microcompact_boundary") => Turn::new(Body::Compaction {
            summary: None,
            tokens_before: json::count(row, "compactMetadata.preTokens"),
        }),
        subtype => match json::at(row, "content") {
            Some(content) => Turn::system(json::prose(content)),
            None => Turn::note(subtype.unwrap_or("system"), row),
        },
    }
}

fn about(title: Option<String>, cwd: Option<String>) -> Turn {
    Turn::new(Body::Session { session: None, cwd, title, version: None })
}

/// The document that lies beside a subagent's transcript.
fn subagent(row: &Value) -> Turn {
    Turn::new(Body::SubagentStart {
        name: json::owned(row, "agentType"),
        task: json::owned(row, "description"),
        session: None,
    })
}
