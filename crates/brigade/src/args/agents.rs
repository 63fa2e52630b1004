//! Arguments: who is here, what they did, and whose signatures count.

use std::time::Duration;

use brigade_core::id::{AgentId, TaskId};
use brigade_core::signature::PublicKey;
use clap::{Args, Subcommand};

use super::parse_span;

#[derive(Debug, Args)]
pub struct Agents {
    /// Also sessions that have ended
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct Register {
    /// What this agent can do: python,ui
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub capabilities: Vec<String>,
    /// How long the lease lasts: 90s, 15m, 2h (1m to 24h)
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub ttl: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Deregister {
    /// Release what is still held
    #[arg(long, visible_alias = "release-tasks")]
    pub release_tickets: bool,
}

#[derive(Debug, Args)]
pub struct Heartbeat {
    /// What you are doing, for others to see
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub message: Option<String>,
}

#[derive(Debug, Args)]
pub struct Stale {
    /// Take back what they held, so that others can claim it
    #[arg(long)]
    pub reclaim: bool,
    /// Also list agents that were not seen for so many minutes
    #[arg(long, value_name = "MINUTES")]
    pub threshold: Option<u64>,
    /// With --reclaim and --threshold: also from agents whose lease still runs
    #[arg(long, requires_all = ["reclaim", "threshold"])]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct Events {
    /// Stay, and print acts as they come
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Only newer ones: a time (2026-11-20T20:00:00Z), or how long ago (10m, 2h)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only by this agent
    #[arg(long, value_name = "AGENT")]
    pub by: Option<AgentId>,
    /// Only about this task
    #[arg(long, value_name = "TASK", visible_alias = "task")]
    pub step: Option<TaskId>,
    /// Only this kind of act, such as claim or send
    #[arg(long, value_name = "ACT")]
    pub act: Option<String>,
    /// Only refusals
    #[arg(long)]
    pub refused: bool,
    /// At most this many, the newest
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a signing key: from then on all that you write is signed, in every project
    Generate(KeysGenerate),
    /// Your key, the keys that you trust, and those that are in use here
    List,
    /// Let the signatures of a key count in this project
    Trust(KeysTrust),
    /// Let them count no more
    Revoke(KeysRevoke),
    /// Have everything marked that is not signed with a key that you trust
    Require(KeysRequire),
}

#[derive(Debug, Args)]
pub struct KeysGenerate {
    /// Another key in place of the one that is there
    #[arg(long)]
    pub replace: bool,
}

#[derive(Debug, Args)]
pub struct KeysTrust {
    /// All of it, as its owner told you: ed25519: and 64 hex digits
    #[arg(value_parser = PublicKey::parse)]
    pub key: PublicKey,
    /// Only in the name of this agent (may be given again); any name when left out
    #[arg(long, value_name = "AGENT")]
    pub only: Vec<AgentId>,
}

#[derive(Debug, Args)]
pub struct KeysRevoke {
    #[arg(value_parser = PublicKey::parse)]
    pub key: PublicKey,
}

#[derive(Debug, Args)]
pub struct KeysRequire {
    /// Not any more
    #[arg(long)]
    pub off: bool,
}
