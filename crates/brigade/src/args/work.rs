//! Arguments: one task at a time: taking it, ending it, waiting, and the files that go with it.

use std::ffi::OsString;
use std::time::Duration;

use brigade_core::id::{AgentId, BarrierName, TaskId};
use clap::{Args, ValueHint};

use super::parse_span;

#[derive(Debug, Args)]
pub struct OneTask {
    pub task: TaskId,
}

#[derive(Debug, Args)]
pub struct Claim {
    pub task: TaskId,
    /// How long this session's lease lasts: 90s, 15m, 2h (1m to 24h)
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub ttl: Option<Duration>,
    /// May be taken over when no act on the task is seen for so long, even from a live agent
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub progress_ttl: Option<Duration>,
    /// Wait for it, at most so long (15m when no time is given)
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "15m", value_parser = parse_span)]
    pub wait: Option<Duration>,
    /// Take it from whoever holds it; say why
    #[arg(long, requires = "reason")]
    pub force: bool,
    #[arg(long, value_name = "WHY")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct Complete {
    pub task: TaskId,
    /// What the next agent should know ('-' reads it from standard input)
    #[arg(long, default_value = "", hide_default_value = true)]
    pub note: String,
    /// Who goes on from here
    #[arg(long, value_name = "AGENT")]
    pub to: Option<AgentId>,
    /// What the next agent should do first
    #[arg(long, value_name = "TEXT")]
    pub next_action: Option<String>,
    /// It cannot go on: mark it blocked
    #[arg(long, conflicts_with = "needs_review")]
    pub blocked: bool,
    /// Somebody has to look at it
    #[arg(long)]
    pub needs_review: bool,
    /// Record the changed files, from git
    #[arg(long)]
    pub changed_files_from_git: bool,
    /// Finish it whoever holds it: an explicit takeover, recorded
    #[arg(long)]
    pub force: bool,
    #[arg(long, value_name = "WHY")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct Release {
    pub task: TaskId,
    #[arg(long, value_name = "WHY")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct Reopen {
    pub task: TaskId,
    #[arg(long, value_name = "WHY")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct WaitFor {
    #[arg(required = true)]
    pub tasks: Vec<TaskId>,
    /// One of them is enough
    #[arg(long)]
    pub any: bool,
    /// At most so long: seconds, or 90s, 15m, 2h
    #[arg(long, value_name = "TIME", default_value = "300", value_parser = parse_span)]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
pub struct Barrier {
    pub name: BarrierName,
    /// How many agents have to arrive
    #[arg(long, value_name = "N")]
    pub count: u32,
    /// At most so long: seconds, or 90s, 15m, 2h
    #[arg(long, value_name = "TIME", default_value = "300", value_parser = parse_span)]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
pub struct Run {
    /// How long the lease lasts: 90s, 15m, 2h (1m to 24h)
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub ttl: Option<Duration>,
    /// Claim this task first, and do not start without it
    #[arg(long, value_name = "TASK")]
    pub claim: Option<TaskId>,
    /// Leave what is still held when the command ends
    #[arg(long)]
    pub keep: bool,
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("act").args(["add", "check", "list", "release"]))]
pub struct Files {
    /// Claim paths, folders or globs ('src/**/*.rs'): nobody else gets what overlaps them
    #[arg(long, value_name = "PATH", num_args = 1.., value_hint = ValueHint::AnyPath)]
    pub add: Vec<String>,
    /// Whose they are: exit code 0 when free or yours, 4 when somebody else's
    #[arg(long, value_name = "PATH", num_args = 1.., value_hint = ValueHint::AnyPath)]
    pub check: Vec<String>,
    /// Everybody's claims, conflicts marked; with --agent those of one agent
    #[arg(long)]
    pub list: bool,
    /// Let go of these; they go by themselves when your lease ends
    #[arg(long, value_name = "PATH", num_args = 0.., value_hint = ValueHint::AnyPath)]
    pub release: Option<Vec<String>>,
    /// With --release: everything
    #[arg(long, requires = "release")]
    pub all: bool,
    /// The task that they are for: you let go of both together
    #[arg(long, value_name = "TASK", visible_alias = "task", requires = "add")]
    pub ticket: Option<TaskId>,
    /// Others may claim them as well, if they share, too
    #[arg(long, requires = "add")]
    pub shared: bool,
    /// Claim them whoever has them; say why
    #[arg(long, requires_all = ["add", "reason"])]
    pub force: bool,
    #[arg(long, value_name = "WHY", requires = "force")]
    pub reason: Option<String>,
}
