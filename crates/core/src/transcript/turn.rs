//! One model for what happened in a session, over all harnesses.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much of a record that was not understood a turn shows; the record itself has all of it.
pub const RAW_SHOWN: usize = 4 * 1024;

/// One thing that happened, in the order in which the harness wrote it down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The harness's own name for it. A later turn of the same name and kind takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it follows, where the harness keeps a tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The subagent that did it; without one, the session's own agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// It repeats what another record says more fully, and counts only where that one is missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub echo: bool,
    /// Taken back by its harness, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawn>,
    #[serde(flatten)]
    pub body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Withdrawn {
    /// The user went back to before it.
    Rewound,
    /// A summary stands for it now.
    Compacted,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Body {
    /// What the session is: its first words about itself.
    Session {
        session: Option<String>,
        cwd: Option<String>,
        title: Option<String>,
        version: Option<String>,
    },
    User {
        text: String,
    },
    Assistant {
        text: String,
    },
    Thinking {
        text: String,
    },
    /// Said to the model by the harness, not by a person.
    System {
        text: String,
    },
    ToolCall {
        call: Option<String>,
        tool: String,
        input: Value,
    },
    ToolResult {
        call: Option<String>,
        tool: Option<String>,
        output: String,
        failed: Option<bool>,
        exit_code: Option<i64>,
        duration_ms: Option<u64>,
    },
    /// What came before is summed up, and the model no longer sees it.
    Compaction {
        summary: Option<String>,
        tokens_before: Option<u64>,
    },
    Usage(Usage),
    SubagentStart {
        name: Option<String>,
        task: Option<String>,
        session: Option<String>,
    },
    SubagentEnd {
        name: Option<String>,
        outcome: Option<String>,
    },
    /// Turns that no longer hold.
    Retract(Retract),
    /// The harness's own book-keeping: understood, and of no interest to a reader.
    Note {
        what: String,
        text: String,
    },
    /// Not understood; shown as it stands.
    Raw {
        what: String,
        text: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retract {
    /// This turn and all that came after it.
    From(String),
    These(Vec<String>),
    /// All that came before.
    All,
}

/// Tokens of one answer, or of all answers so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub reasoning: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// The sum over the session so far, and not of one answer.
    #[serde(default)]
    pub cumulative: bool,
}

impl Usage {
    /// Adds the tokens and the cost of one more answer.
    pub fn add(&mut self, more: &Usage) {
        self.input += more.input;
        self.output += more.output;
        self.cache_read += more.cache_read;
        self.cache_write += more.cache_write;
        self.reasoning += more.reasoning;
        if let Some(cost) = more.cost_usd {
            *self.cost_usd.get_or_insert(0.0) += cost;
        }
    }
}

impl Turn {
    pub fn new(body: Body) -> Turn {
        Turn {
            id: None,
            parent: None,
            at: None,
            agent: None,
            model: None,
            echo: false,
            withdrawn: None,
            body,
        }
    }

    pub fn raw(what: &str, bytes: &[u8]) -> Turn {
        Turn::new(Body::Raw { what: what.to_owned(), text: shown(bytes) })
    }

    pub fn note(what: impl Into<String>, value: &Value) -> Turn {
        let text = shown(value.to_string().as_bytes());
        Turn::new(Body::Note { what: what.into(), text })
    }

    pub fn user(text: impl Into<String>) -> Turn {
        Turn::new(Body::User { text: text.into() })
    }

    pub fn assistant(text: impl Into<String>) -> Turn {
        Turn::new(Body::Assistant { text: text.into() })
    }

    pub fn thinking(text: impl Into<String>) -> Turn {
        Turn::new(Body::Thinking { text: text.into() })
    }

    pub fn system(text: impl Into<String>) -> Turn {
        Turn::new(Body::System { text: text.into() })
    }

    pub fn call(call: Option<&str>, tool: Option<&str>, input: Value) -> Turn {
        let tool = tool.unwrap_or("unknown").to_owned();
        Turn::new(Body::ToolCall { call: call.map(str::to_owned), tool, input })
    }

    pub fn result(call: Option<&str>, output: impl Into<String>) -> Turn {
        Turn::new(Body::ToolResult {
            call: call.map(str::to_owned),
            tool: None,
            output: output.into(),
            failed: None,
            exit_code: None,
            duration_ms: None,
        })
    }
}

impl Body {
    /// Its name in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::Session { .. } => "session",
            Body::User { .. } => "user",
            Body::Assistant { .. } => "assistant",
            Body::Thinking { .. } => "thinking",
            Body::System { .. } => "system",
            Body::ToolCall { .. } => "tool-call",
            Body::ToolResult { .. } => "tool-result",
            Body::Compaction { .. } => "compaction",
            Body::Usage(_) => "usage",
            Body::SubagentStart { .. } => "subagent-start",
            Body::SubagentEnd { .. } => "subagent-end",
            Body::Retract(_) => "retract",
            Body::Note { .. } => "note",
            Body::Raw { .. } => "raw",
        }
    }
}

/// Bytes as text, cut where a reader has seen enough.
fn shown(bytes: &[u8]) -> String {
    let cut = bytes.len().min(RAW_SHOWN);
    let mut text = String::from_utf8_lossy(&bytes[..cut]).into_owned();
    if cut < bytes.len() {
        text.push_str(&format!("… ({} bytes in all)", bytes.len()));
    }
    text
}
