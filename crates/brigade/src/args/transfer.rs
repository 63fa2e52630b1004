//! Arguments: work that comes in and goes out, and the archive.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::parse_span;

#[derive(Debug, Args)]
pub struct Export {
    /// The file; standard output when left out
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Only tasks of this status
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
}

/// Where work comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum From {
    Beads,
    Tracer,
    Track,
    Tracecraft,
}

/// Whose word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Side {
    Ours,
    Theirs,
}

#[derive(Debug, Args)]
pub struct Bundle {
    /// The file, a packed tar archive
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct Restore {
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct Import {
    /// With --from track: its folder; with --from tracecraft: the project's folder or s3://bucket/project
    #[arg(value_name = "PLACE", conflicts_with = "input")]
    pub place: Option<String>,
    /// What it comes from; issues a line are understood without it
    #[arg(long, value_name = "TOOL")]
    pub from: Option<From>,
    /// The file; standard input when left out
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input: Option<PathBuf>,
    /// Leave tasks that are here as they are
    #[arg(long)]
    pub skip_existing: bool,
    /// Where both sides say something else: what is here stays, or what comes in counts from now on.
    /// Either is recorded
    #[arg(long, value_name = "SIDE", conflicts_with = "skip_existing")]
    pub resolve: Option<Side>,
    /// Say what would happen, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Older versions and comments of tasks that were closed long ago go into segments, byte for byte. The
/// tasks are found, shown, searched and opened again as before.
#[derive(Debug, Args)]
pub struct Archive {
    /// Only tasks that were closed at least so long ago: 30d, 12h
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_span)]
    pub older_than: Duration,
    /// Say what would be archived, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}
