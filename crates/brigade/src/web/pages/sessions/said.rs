//! A turn of a conversation as pages show it.

use brigade_core::transcript::turn::{Body, Turn, Withdrawn};
use jiff::Timestamp;
use serde::Serialize;

use crate::web::words;

/// How much of one text is shown.
const SHOWN: usize = 20_000;
/// How much of a folded text its first line says.
const FOLDED: usize = 140;
/// How a mark in place of a secret starts.
const MARK: &str = "[REDACTED:";

/// One turn of the conversation.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    /// Where it stands: the anchor of a deep link.
    pub place: String,
    pub kind: &'static str,
    pub speaker: String,
    /// What a folded one says of itself; empty for what is open.
    pub fold: String,
    /// Pieces of the text, and whether each stands for a secret.
    pub text: Vec<(bool, String)>,
    pub failed: bool,
    pub withdrawn: &'static str,
    pub at: Option<Timestamp>,
}

/// One turn for a reader; `None` for what only the harness needs.
pub fn told(turn: Turn, place: String, void: bool) -> Option<Said> {
    let (kind, speaker, fold, text, failed) = match turn.body {
        Body::User { text } => ("user", "user".to_owned(), String::new(), text, false),
        Body::Assistant { text } => {
            ("assistant", turn.model.unwrap_or("assistant".into()), String::new(), text, false)
        }
        Body::Thinking { text } => ("aside", "thinking".into(), first(&text), text, false),
        Body::System { text } => ("aside", "system".into(), first(&text), text, false),
        Body::ToolCall { tool, input, .. } => {
            // Its first line would be a brace.
            let (fold, input) = match input {
                serde_json::Value::String(text) => (first(&text), text),
                other => {
                    let pretty = serde_json::to_string_pretty(&other).unwrap_or_default();
                    (first(&other.to_string()), pretty)
                }
            };
            ("tool", format!("calls {tool}"), fold, input, false)
        }
        Body::ToolResult { tool, output, failed, exit_code, .. } => {
            let tool = tool.map_or(String::new(), |tool| format!(" of {tool}"));
            let code = exit_code.map_or(String::new(), |code| format!(", exit code {code}"));
            let failed = failed.unwrap_or(exit_code.is_some_and(|code| code != 0));
            let fold = first(&output);
            ("tool", format!("result{tool}{code}"), fold, output, failed)
        }
        Body::Compaction { summary, .. } => {
            let text = summary.unwrap_or_default();
            ("mark", "what came before is summed up".into(), first(&text), text, false)
        }
        Body::SubagentStart { name, task, .. } => {
            let name = name.unwrap_or_default();
            let text = task.unwrap_or_default();
            ("mark", format!("starts the subagent {name}"), first(&text), text, false)
        }
        Body::SubagentEnd { name, outcome } => {
            let (name, text) = (name.unwrap_or_default(), outcome.unwrap_or_default());
            ("mark", format!("the subagent {name} ends"), first(&text), text, false)
        }
        Body::Raw { what, text } => ("aside", what, first(&text), text, false),
        Body::Session { .. } | Body::Usage(_) | Body::Retract(_) | Body::Note { .. } => {
            return None;
        }
    };
    let speaker = turn.agent.map_or(speaker.clone(), |agent| format!("{agent}: {speaker}"));
    let withdrawn = match turn.withdrawn {
        Some(Withdrawn::Rewound) => "taken back",
        Some(Withdrawn::Compacted) => "summed up later",
        None if void => "taken back",
        None => "",
    };
    let text = pieces(&words::block(&cut(&text)));
    let speaker = words::line(&speaker);
    Some(Said { place, kind, speaker, fold, text, failed, withdrawn, at: turn.at })
}

fn first(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    brigade_core::text::one_line(line, FOLDED)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}… ({} bytes in all)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

/// A text in pieces; what stands for a secret is one of its own.
fn pieces(text: &str) -> Vec<(bool, String)> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(start) = rest.find(MARK) {
        let Some(len) = rest[start..].find(']') else { break };
        let end = start + len + 1;
        pieces.push((false, rest[..start].to_owned()));
        pieces.push((true, rest[start..end].to_owned()));
        rest = &rest[end..];
    }
    pieces.push((false, rest.to_owned()));
    pieces.retain(|(_, piece)| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_secret_is_a_piece_of_its_own() {
        let of = |text: &str| -> Vec<String> {
            pieces(text).into_iter().map(|(mark, text)| format!("{mark} {text}")).collect()
        };
        assert_eq!(
            of("a [REDACTED:aws:12345678] b"),
            ["false a ", "true [REDACTED:aws:12345678]", "false  b"]
        );
        assert_eq!(of("[REDACTED:"), ["false [REDACTED:"]);
        assert!(of("").is_empty());
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let text = cut(&"ü".repeat(SHOWN + 1));
        assert!(text.ends_with(&format!("… ({} bytes in all)", 2 * (SHOWN + 1))));
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn what_only_the_harness_needs_is_not_told() {
        assert!(told(Turn::note("x", &serde_json::Value::Null), String::new(), false).is_none());
        let call = Turn::call(None, Some("Bash"), serde_json::json!({ "command": "ls" }));
        let said = told(call, "p0-0-0".into(), true).unwrap();
        assert_eq!(
            (said.kind, &*said.speaker, said.withdrawn),
            ("tool", "calls Bash", "taken back")
        );
        assert_eq!(said.fold, r#"{"command":"ls"}"#);
    }
}
