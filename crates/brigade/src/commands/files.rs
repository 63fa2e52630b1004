//! `files`: who may edit what.

use std::fmt::Write;

use brigade_core::error::Error;
use brigade_core::files::{Add, Added, Checked, FileRow, Released, Verdict};
use brigade_core::glob::FilePattern;
use brigade_core::text::clock_and_distance;
use jiff::Timestamp;
use serde::Serialize;

use crate::args;
use crate::context::Context;
use crate::report::Plain;
use crate::tree::Tree;

/// Runs one of the four; the number is the exit code.
pub async fn files(ctx: &Context, args: args::Files) -> Result<u8, Error> {
    if !args.add.is_empty() {
        add(ctx, &args).await?;
    } else if !args.check.is_empty() {
        return check(ctx, &args).await;
    } else if args.release.is_some() {
        release(ctx, &args).await?;
    } else {
        list(ctx).await?;
    }
    Ok(0)
}

async fn add(ctx: &Context, args: &args::Files) -> Result<(), Error> {
    let add = Add {
        files: patterns(ctx, &args.add)?,
        shared: args.shared,
        task: args.ticket.clone(),
        force: args.reason.clone().filter(|_| args.force),
    };
    let added = ctx.with_project(async |p| p.files().add(&add).await).await?;
    if added.best_effort {
        ctx.report.warning("claims are best effort here: two agents could both have these files");
    }
    if added.task.is_some() && !added.with_task {
        ctx.report.note(
            "you do not hold that task: these files stay yours until it is closed, or \
                         until you release them",
        );
    }
    ctx.report.answer(&Taken { added, now: ctx.world.clock.now() })
}

/// The answer stands on standard output either way; the exit code is for scripts and hooks.
async fn check(ctx: &Context, args: &args::Files) -> Result<u8, Error> {
    let files = patterns(ctx, &args.check)?;
    let checked = ctx.with_project(async |p| p.files().check(&files).await).await?;
    let held = checked.iter().find_map(|one| one.held.clone());
    let code = held.map_or(0, |held| Error::from(Box::new(held)).kind().exit_code());
    ctx.report.answer(&Answers { files: checked, now: ctx.world.clock.now() })?;
    Ok(code)
}

async fn list(ctx: &Context) -> Result<(), Error> {
    // An agent that is named here, and not by the environment, is whose files are asked for.
    let agent = ctx.globals.agent.clone();
    let rows = ctx.with_project(async |p| p.files().list(agent.as_ref()).await).await?;
    ctx.report.answer(&Rows { files: rows, now: ctx.world.clock.now() })
}

async fn release(ctx: &Context, args: &args::Files) -> Result<(), Error> {
    let named = args.release.as_deref().unwrap_or_default();
    if named.is_empty() != args.all {
        return Err(Error::Usage("give the paths to release, or --all, and not both".into()));
    }
    let files = patterns(ctx, named)?;
    let released = ctx.with_project(async |p| p.files().release(&files).await).await?;
    ctx.report.answer(&released)
}

fn patterns(ctx: &Context, typed: &[String]) -> Result<Vec<FilePattern>, Error> {
    if typed.is_empty() {
        return Ok(Vec::new());
    }
    let tree = Tree::around(&ctx.env, &ctx.site()?)?;
    typed.iter().map(|typed| tree.pattern(typed)).collect()
}

#[derive(Serialize)]
struct Taken {
    #[serde(flatten)]
    added: Added,
    #[serde(skip)]
    now: Timestamp,
}

impl Plain for Taken {
    fn plain(&self) -> String {
        let Taken { added, now } = self;
        let how = if added.shared { "You share" } else { "You have" };
        let until = clock_and_distance(added.lease_until, *now);
        let mut words = String::new();
        for file in &added.files {
            let already = if file.already_held { " already" } else { "" };
            let _ = write!(words, "{how} {}{already}, until {until}", file.pattern);
            if let Some(task) = &added.task {
                let _ = write!(words, ", for {task}");
            }
            words.push('\n');
        }
        if !added.forced_over.is_empty() {
            let names: Vec<&str> = added.forced_over.iter().map(|name| name.as_str()).collect();
            let _ = write!(words, "By force: {} had claimed it as well", names.join(", "));
        }
        words.trim_end().to_owned()
    }
}

#[derive(Serialize)]
struct Answers {
    files: Vec<Checked>,
    #[serde(skip)]
    now: Timestamp,
}

impl Plain for Answers {
    fn plain(&self) -> String {
        let line = |one: &Checked| match one.verdict {
            Verdict::Free => format!("{} is free", one.pattern),
            Verdict::Mine => format!("{} is yours", one.pattern),
            Verdict::Held => {
                let rows = one.claims.iter().map(|row| format!("\n  {}", row_words(row, self.now)));
                format!("{} is somebody else's:{}", one.pattern, rows.collect::<String>())
            }
        };
        self.files.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[derive(Serialize)]
struct Rows {
    files: Vec<FileRow>,
    #[serde(skip)]
    now: Timestamp,
}

impl Plain for Rows {
    fn plain(&self) -> String {
        if self.files.is_empty() {
            return "Nobody has claimed a file.".into();
        }
        let mut words = String::new();
        for row in &self.files {
            let mark = if row.conflicts.is_empty() { ' ' } else { '!' };
            let _ = writeln!(words, "{mark} {}", row_words(row, self.now));
            for other in &row.conflicts {
                let _ = writeln!(words, "    overlaps {} of {}", other.pattern, other.agent);
            }
        }
        words.trim_end().to_owned()
    }
}

fn row_words(row: &FileRow, now: Timestamp) -> String {
    let mut words = format!("{:<32} {}", row.pattern, row.agent);
    if let Some(task) = &row.task {
        let _ = write!(words, " for {task}");
    }
    if row.shared {
        words += ", shared";
    }
    if row.tried {
        words += ", being claimed";
    }
    if let Some(until) = row.until {
        let _ = write!(words, ", until {}", clock_and_distance(until, now));
    }
    if let Some(why) = &row.forced {
        let _ = write!(words, ", by force: {}", brigade_core::text::one_line(why, 160));
    }
    words + &row.origin.aside()
}

impl Plain for Released {
    fn plain(&self) -> String {
        if self.released.is_empty() {
            return "You had no files.".into();
        }
        let names: Vec<&str> = self.released.iter().map(|pattern| pattern.as_str()).collect();
        format!("Released {}", names.join(", "))
    }
}
