//! Transcripts of every harness and era: found, read on through every change, and understood.

mod claude_code;
mod codex;
mod copilot_cli;
mod databases;
mod following;
mod gemini_cli;
pub mod hermes;
mod kimi;
pub mod openclaw;
pub mod opencode;
mod pi;
mod qwen_code;
pub mod retelling;
mod rules;
pub mod support;
