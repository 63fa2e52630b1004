//! Arguments: mail, the board, shared memory and artifacts.

use std::path::PathBuf;

use brigade_core::id::{Mailbox, MemoryKey, TaskId};
use brigade_core::task::Word;
use clap::{Args, Subcommand, ValueHint};

#[derive(Debug, Args)]
pub struct Send {
    /// An agent, or _broadcast
    pub to: Mailbox,
    /// The text ('-' reads it from standard input)
    pub message: String,
    /// The task that it is about
    #[arg(long, value_name = "TASK", visible_alias = "task")]
    pub step: Option<TaskId>,
    /// Stands first in the inbox, and in everybody's status until it is acknowledged
    #[arg(long)]
    pub urgent: bool,
    #[command(flatten)]
    pub secrets: Secrets,
}

#[derive(Debug, Args)]
pub struct Inbox {
    /// Only what was not read before, and mark it as read (not with --step or --urgent, which show a part)
    #[arg(long)]
    pub new: bool,
    /// Only what was not read before, and leave it unread
    #[arg(long, conflicts_with_all = ["new", "delete", "follow"])]
    pub peek: bool,
    /// Read, then delete the direct messages (broadcasts stay)
    #[arg(long, conflicts_with_all = ["follow", "step", "urgent"])]
    pub delete: bool,
    /// Stay, and print messages as they come
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Only what is about this task
    #[arg(long, value_name = "TASK", visible_alias = "task")]
    pub step: Option<TaskId>,
    /// Only urgent ones
    #[arg(long)]
    pub urgent: bool,
    /// Acknowledge a message by its id, or all that is unread with 'all'
    #[arg(long, value_name = "ID")]
    pub ack: Option<String>,
    /// Who has acknowledged a message
    #[arg(long, value_name = "ID", conflicts_with = "ack")]
    pub acked_by: Option<String>,
    /// Show at most this many, the newest
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct Board {
    /// Write this ('-' reads it from standard input)
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub message: Option<String>,
    /// The task that it is about; alone: only what is about it
    #[arg(long, value_name = "TASK", visible_alias = "task")]
    pub ticket: Option<TaskId>,
    /// A word for what it is about; alone: only what has it
    #[arg(long, value_name = "TAG")]
    pub tag: Option<Word>,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "message")]
    pub last: usize,
}

/// What is done about secrets in what others will read.
#[derive(Clone, Copy, Debug, Args)]
pub struct Secrets {
    /// Replace what looks like a secret, before it is stored
    #[arg(long)]
    pub redact: bool,
    /// Do not look for secrets, and warn of none
    #[arg(long, conflicts_with = "redact")]
    pub no_scan: bool,
}

#[derive(Debug, Subcommand)]
pub enum Memory {
    /// Set a value (dots part the key)
    Set(MemorySet),
    /// Print a value
    Get(MemoryGet),
    /// List keys, or those below a prefix
    List(MemoryList),
    /// Every value that a key had, oldest first
    History(MemoryHistory),
}

#[derive(Debug, Args)]
pub struct MemorySet {
    pub key: MemoryKey,
    /// The value ('-' reads it from standard input)
    #[arg(allow_hyphen_values = true, required_unless_present = "file")]
    pub value: Option<String>,
    /// Take the value from a file
    #[arg(long, value_name = "FILE", conflicts_with = "value", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// The value is JSON
    #[arg(long = "as-json")]
    pub as_json: bool,
    /// Only if the newest version is this one; 'none' for a key that is not set
    #[arg(long, value_name = "VERSION")]
    pub if_version: Option<String>,
}

#[derive(Debug, Args)]
pub struct MemoryGet {
    pub key: MemoryKey,
    /// With version, time and author, as JSON
    #[arg(long)]
    pub with_meta: bool,
    /// This version instead of the newest
    #[arg(long, value_name = "N")]
    pub version: Option<u32>,
}

#[derive(Debug, Args)]
pub struct MemoryList {
    pub prefix: Option<MemoryKey>,
    /// Show the values too
    #[arg(long)]
    pub values: bool,
}

#[derive(Debug, Args)]
pub struct MemoryHistory {
    pub key: MemoryKey,
}

#[derive(Debug, Subcommand)]
pub enum Artifact {
    /// Upload a file or a folder
    Upload(Upload),
    /// Download an artifact, and check its hash
    Download(Download),
    /// List artifacts
    List(ArtifactList),
}

#[derive(Debug, Args)]
pub struct Upload {
    #[arg(value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// The task that it belongs to
    #[arg(long, value_name = "TASK", visible_alias = "task")]
    pub step: Option<TaskId>,
    /// Another name than the file's own
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub secrets: Secrets,
}

#[derive(Debug, Args)]
pub struct Download {
    pub name: String,
    /// The task that it belongs to
    #[arg(long, value_name = "TASK", visible_alias = "task")]
    pub step: Option<TaskId>,
    /// Where to: a file, a folder, or '-' (default: the current folder)
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub output: Option<PathBuf>,
    /// This version instead of the newest
    #[arg(long, value_name = "N")]
    pub version: Option<u32>,
    /// Replace a file that is there
    #[arg(long, visible_alias = "force")]
    pub overwrite: bool,
}

#[derive(Debug, Args)]
pub struct ArtifactList {
    /// Only those of this task
    #[arg(long, value_name = "TASK", visible_alias = "task")]
    pub step: Option<TaskId>,
    /// Every version, not just the newest
    #[arg(long)]
    pub versions: bool,
}
