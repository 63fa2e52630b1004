//! The harnesses that are known. One line each.

use serde_json::Value;

use super::adapter::{Adapter, Filter, Found};
use super::adapters::*;
use super::places::Places;
use super::trouble::{Hindrance, Trouble};
use super::turn::Turn;

#[rustfmt::skip]
pub const ALL: &[&dyn Adapter] = &[
    &claude_code::ClaudeCode,
    &codex::Codex,
    &copilot_cli::CopilotCli,
    &gemini_cli::GeminiCli,
    &hermes::Hermes,
    &kimi::Kimi,
    &openclaw::OpenClaw,
    &opencode::OpenCode,
    &pi::Pi,
    &qwen_code::QwenCode,
];

/// The adapter of a harness by its name.
pub fn named(harness: &str) -> Option<&'static dyn Adapter> {
    ALL.iter().copied().find(|adapter| adapter.harness() == harness)
}

/// What reads a harness's records; those of one that is not known are shown as they are.
pub fn reading(harness: &str) -> &'static dyn Adapter {
    named(harness).unwrap_or(&Unknown)
}

struct Unknown;

impl Adapter for Unknown {
    fn harness(&self) -> &'static str {
        "unknown"
    }

    fn discover(&self, _: &Places, _: &Filter) -> Found {
        Found::default()
    }

    fn parse(&self, row: &Value) -> Vec<Turn> {
        vec![Turn::raw("record", row.to_string().as_bytes())]
    }
}

/// The sessions of all harnesses. One whose id cannot be one is said and left out.
pub fn discover(places: &Places, filter: &Filter) -> Found {
    discover_with(ALL, places, filter)
}

/// The sessions of some harnesses.
pub fn discover_with(adapters: &[&dyn Adapter], places: &Places, filter: &Filter) -> Found {
    let mut all = Found::default();
    for adapter in adapters {
        let mut found = adapter.discover(places, filter);
        found.sessions.retain(|session| {
            if !session.has_sound_id() {
                let path = session.sources.first().map(|source| source.form.path());
                let detail = format!("a session of {}", session.harness);
                let path = path.unwrap_or(&places.home);
                all.trouble.push(Trouble::new(path, Hindrance::BadName, detail));
            }
            session.has_sound_id()
        });
        all.sessions.append(&mut found.sessions);
        all.trouble.append(&mut found.trouble);
    }
    all
}
