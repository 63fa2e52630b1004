//! The arguments of the verbs on tasks as issues: create, update, list, ready, dep and their kind.

use std::path::PathBuf;

use brigade_core::id::{AgentId, TaskId};
use brigade_core::task::query::Sort;
use brigade_core::task::{DependencyKind, IssueType, Priority, Status, Word};
use clap::{Args, Subcommand, ValueEnum, ValueHint};

/// What is said of a task, at its creation and later.
#[derive(Clone, Debug, Default, Args)]
pub struct Saying {
    /// What it is about ('-' reads it from standard input)
    #[arg(long, short = 'd', value_name = "TEXT", allow_hyphen_values = true)]
    pub description: Option<String>,
    /// How it is to be done
    #[arg(long, value_name = "TEXT")]
    pub design: Option<String>,
    /// When it counts as done
    #[arg(long, value_name = "TEXT", visible_alias = "acceptance-criteria")]
    pub acceptance: Option<String>,
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
    /// 0 to 4, P0 to P4, or critical, high, medium, low
    #[arg(long, short = 'p', value_name = "PRIORITY")]
    pub priority: Option<Priority>,
    /// bug, feature, task, epic, chore, or a word of your own
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    pub issue_type: Option<IssueType>,
    /// Who is to do it ('' for nobody); holding it is another matter
    #[arg(long, short = 'a', value_name = "AGENT")]
    pub assignee: Option<String>,
    /// How long it will take, in minutes
    #[arg(long, value_name = "MINUTES")]
    pub estimate: Option<u32>,
    /// What it is called elsewhere: gh-9, JIRA-12
    #[arg(long, value_name = "REF")]
    pub external_ref: Option<String>,
    /// Until when: 2026-12-24, 2026-12-24T18:00:00Z, or 3d from now ('' for no date)
    #[arg(long, value_name = "DATE")]
    pub due: Option<String>,
    /// Not ready before then, in the same words
    #[arg(long, value_name = "DATE")]
    pub defer: Option<String>,
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Paths and globs that it is about
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    pub files: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Create {
    /// One line; or --title
    #[arg(value_name = "TITLE", conflicts_with_all = ["title", "file"])]
    pub name: Option<String>,
    #[arg(long, value_name = "TITLE", conflicts_with = "file")]
    pub title: Option<String>,
    /// Make all the tasks of a file: '## ' headings of markdown, a list, or JSON ('-' for standard input)
    #[arg(long, short = 'f', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// This id instead of the next number
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    pub id: Option<TaskId>,
    #[command(flatten)]
    pub saying: Saying,
    #[arg(
        long,
        short = 'l',
        visible_alias = "label",
        value_name = "LABELS",
        value_delimiter = ','
    )]
    pub labels: Vec<Word>,
    /// What it has to do with others: blocks:bd-1 (it waits for bd-1), related:bd-2, …
    #[arg(long, value_name = "KIND:ID", value_delimiter = ',', value_parser = parse_edge)]
    pub deps: Vec<(DependencyKind, TaskId)>,
    /// It waits for these
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub depends_on: Vec<TaskId>,
    /// It is a part of this one
    #[arg(long, value_name = "ID")]
    pub parent: Option<TaskId>,
    /// Take it in the same act
    #[arg(long)]
    pub claim: bool,
}

#[derive(Debug, Args)]
pub struct Update {
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<TaskId>,
    /// open claimed in_progress review blocked closed, or backlog in-progress done; in_progress claims it
    #[arg(long, short = 's', value_name = "STATUS", value_parser = parse_status)]
    pub status: Option<Status>,
    #[arg(long, value_name = "TITLE")]
    pub title: Option<String>,
    #[command(flatten)]
    pub saying: Saying,
    /// These labels instead of those it has ('' for none)
    #[arg(long, short = 'l', value_name = "LABELS")]
    pub labels: Option<String>,
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    pub add_label: Vec<Word>,
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    pub remove_label: Vec<Word>,
    /// Even where there is no such move, or somebody else holds it; say why
    #[arg(long)]
    pub force: bool,
    /// Why; stays with the task
    #[arg(long, short = 'm', value_name = "WHY")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct Close {
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<TaskId>,
    /// What became of it; stays with the task
    #[arg(long, short = 'r', visible_alias = "note", short_alias = 'm', value_name = "TEXT")]
    pub reason: Option<String>,
    /// Whoever holds it: an explicit takeover, recorded
    #[arg(long, requires = "reason")]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct Review {
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<TaskId>,
    /// What the reviewer should know
    #[arg(long, short = 'm', visible_alias = "reason", value_name = "TEXT")]
    pub note: Option<String>,
    /// Who is to look at it
    #[arg(long, value_name = "AGENT")]
    pub to: Option<AgentId>,
}

/// Which tasks.
#[derive(Clone, Debug, Default, Args)]
pub struct Which {
    #[arg(long, short = 'p', value_name = "PRIORITY", value_delimiter = ',')]
    pub priority: Vec<Priority>,
    #[arg(long = "type", short = 't', value_name = "TYPE", value_delimiter = ',')]
    pub issue_type: Vec<IssueType>,
    /// Held by, or meant for
    #[arg(long, short = 'a', value_name = "AGENT", conflicts_with = "unassigned")]
    pub assignee: Option<AgentId>,
    /// Neither held nor meant for anybody
    #[arg(long)]
    pub unassigned: bool,
    /// With all of these labels
    #[arg(
        long,
        short = 'l',
        visible_alias = "label",
        value_name = "LABELS",
        value_delimiter = ','
    )]
    pub labels: Vec<String>,
    /// With these words in title, description, design, acceptance criteria or notes
    #[arg(long, value_name = "WORDS")]
    pub text: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N")]
    pub limit: Option<usize>,
}

#[derive(Debug, Args)]
pub struct ListTasks {
    /// Only these: open claimed in_progress review blocked closed, or backlog in-progress done
    #[arg(long, short = 's', value_name = "STATUS", value_delimiter = ',', value_parser = parse_status)]
    pub status: Vec<Status>,
    /// The closed ones, too
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub which: Which,
    #[arg(long, value_name = "BY", default_value = "priority")]
    pub sort: SortBy,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SortBy {
    Priority,
    Created,
    Updated,
    Id,
}

#[derive(Debug, Args)]
pub struct Ready {
    #[command(flatten)]
    pub which: Which,
}

#[derive(Debug, Args)]
pub struct Next {
    /// Take it in the same act. A task with a label needs:ui goes to who registered with --capabilities ui
    #[arg(long)]
    pub claim: bool,
    /// Begin to work on it, too: its status is in_progress at once
    #[arg(long, requires = "claim")]
    pub start: bool,
    #[command(flatten)]
    pub which: Which,
}

#[derive(Debug, Args)]
pub struct Search {
    pub words: String,
    /// Only these statuses
    #[arg(long, short = 's', value_name = "STATUS", value_delimiter = ',', value_parser = parse_status)]
    pub status: Vec<Status>,
    /// Not in the comments
    #[arg(long)]
    pub no_comments: bool,
    #[command(flatten)]
    pub which: Which,
}

#[derive(Debug, Args)]
pub struct Show {
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<TaskId>,
    /// So many of the newest comments
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub comments: usize,
}

#[derive(Debug, Args)]
pub struct CommentOn {
    pub id: TaskId,
    /// The text ('-' reads it from standard input)
    pub text: String,
}

#[derive(Debug, Args)]
pub struct LogLine {
    pub id: TaskId,
    /// What was done ('-' reads it from standard input); without it the work log is shown
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub message: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum LabelVerb {
    /// Add labels to a task
    Add(LabelArgs),
    /// Take labels from a task
    Remove(LabelArgs),
    /// Every label in use, and how often
    List,
}

#[derive(Debug, Args)]
pub struct LabelArgs {
    pub id: TaskId,
    #[arg(required = true, value_delimiter = ',')]
    pub labels: Vec<Word>,
}

#[derive(Debug, Args)]
pub struct Epic {
    /// Only this one
    pub id: Option<TaskId>,
}

#[derive(Debug, Subcommand)]
pub enum Dep {
    /// Let a task wait for another one, or say what else they have to do with each other
    Add(DepAdd),
    /// Take that back
    Remove(DepRemove),
    /// What a task waits for, and what that waits for
    Tree(DepTree),
    /// Circles in which nothing can begin
    Cycles,
}

#[derive(Debug, Args)]
pub struct DepAdd {
    /// The one that waits
    pub id: TaskId,
    /// The one that it waits for
    pub on: TaskId,
    /// blocks, parent-child, related, discovered-from
    #[arg(long = "type", short = 't', value_name = "KIND", default_value = "blocks")]
    pub kind: DependencyKind,
}

#[derive(Debug, Args)]
pub struct DepRemove {
    pub id: TaskId,
    pub on: TaskId,
}

#[derive(Debug, Args)]
pub struct DepTree {
    pub id: TaskId,
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub max_depth: usize,
}

#[derive(Debug, Args)]
pub struct Ask {
    pub id: TaskId,
    /// What you want to hear from a person
    pub question: String,
}

#[derive(Debug, Args)]
pub struct Answer {
    pub id: TaskId,
    /// In your words; stays with the task
    #[arg(long, short = 'm', visible_alias = "reason", value_name = "TEXT")]
    pub message: Option<String>,
}

impl From<SortBy> for Sort {
    fn from(by: SortBy) -> Sort {
        match by {
            SortBy::Priority => Sort::Priority,
            SortBy::Created => Sort::Created,
            SortBy::Updated => Sort::Updated,
            SortBy::Id => Sort::Id,
        }
    }
}

fn parse_status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| {
        "give open, claimed, in_progress, review, blocked or closed (or backlog, in-progress, done)"
            .to_owned()
    })
}

/// `blocks:bd-1`, or `bd-1` alone.
fn parse_edge(text: &str) -> Result<(DependencyKind, TaskId), String> {
    let (kind, id) = match text.split_once(':') {
        Some((kind, id)) => (kind.parse().map_err(|error| format!("{error}"))?, id),
        None => (DependencyKind::Blocks, text),
    };
    Ok((kind, TaskId::parse(id).map_err(|error| error.to_string())?))
}
