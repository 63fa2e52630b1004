//! `export`, `import`, `bundle` and `restore`.

use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brigade_core::error::{Error, Kind};
use brigade_core::id::ProjectName;
use brigade_core::store::Store;
use brigade_core::store::address::Address;
use brigade_core::store::open::{self, Place};
use brigade_core::task::Status;
use brigade_core::text::{counted, one_line};
use brigade_core::transfer::{
    self, Batch, Bundle, Bundled, Conflict, Exported, Options, Outcome, Remark, Resolve, Restored,
    Transfer,
};
use serde::Serialize;

use crate::args::{self, From, Side};
use crate::context::{Context, Site};
use crate::report::Plain;

/// How many findings of one kind are told in words; `--json` has all.
const TOLD: usize = 20;

pub async fn export(ctx: &Context, args: args::Export) -> Result<(), Error> {
    let status = args.status.as_deref().map(status).transpose()?;
    let exported =
        ctx.with_project(async |project| project.transfer().export(status).await).await?;
    let Some(file) = &args.output else { return print(ctx, exported) };
    let path = ctx.env.cwd.join(file);
    transfer::publish(&path, &*ctx.world.entropy, |out| {
        exported
            .iter()
            .try_for_each(|issue| writeln!(out, "{}", issue.line()))
            .map_err(|source| Error::File { doing: format!("writing {}", path.display()), source })
    })?;
    ctx.report.answer(&Out { exported: exported.len(), file: file.display().to_string() })
}

/// Lines for whoever pipes them on; with `--json` one document, as everywhere.
fn print(ctx: &Context, exported: Vec<Exported>) -> Result<(), Error> {
    if ctx.report.is_json() {
        let issues: Vec<_> = exported.into_iter().map(|issue| issue.fields).collect();
        return ctx.report.document(&serde_json::json!({ "issues": issues }));
    }
    let lines: String = exported.iter().map(|issue| issue.line() + "\n").collect();
    ctx.report.foreign_bytes(lines.as_bytes())
}

pub async fn import(ctx: &Context, args: args::Import) -> Result<u8, Error> {
    let resolve = args.resolve.map(|side| match side {
        Side::Ours => Resolve::Ours,
        Side::Theirs => Resolve::Theirs,
    });
    let (skip_existing, dry_run) = (args.skip_existing, args.dry_run);
    let options = Options { skip_existing, resolve, dry_run };
    let outcome = ctx
        .with_project(async |project| {
            let transfer = project.transfer();
            let batch = read(ctx, &args, &transfer).await?;
            transfer.import(batch, options).await
        })
        .await?;
    ctx.report.answer(&outcome)?;
    Ok(outcome.kind().map_or(0, Kind::exit_code))
}

async fn read(ctx: &Context, args: &args::Import, transfer: &Transfer<'_>) -> Result<Batch, Error> {
    match (args.from, &args.place) {
        (None | Some(From::Beads | From::Tracer), place) => {
            let file = args.input.clone().or(place.as_ref().map(PathBuf::from));
            transfer.lines(&mut *input(ctx, file.as_deref())?)
        }
        (Some(From::Track), place) => {
            transfer.track(&ctx.env.cwd.join(place.as_deref().unwrap_or(".track")))
        }
        (Some(From::Tracecraft), Some(place)) => transfer.tracecraft(store_at(ctx, place)?).await,
        (Some(From::Tracecraft), None) => Err(Error::Face {
            kind: Kind::Usage,
            message: "where is the tracecraft project?".into(),
            hint: Some(
                "'brigade import --from tracecraft s3://bucket/project', or a folder".into(),
            ),
        }),
    }
}

/// Another store than the project's, to be read.
fn store_at(ctx: &Context, place: &str) -> Result<Arc<dyn Store>, Error> {
    let address: Address =
        place.parse().map_err(|error| Error::Usage(format!("{place}: {error}")))?;
    let address = match address {
        Address::Dir(path) => Address::Dir(ctx.env.cwd.join(path)),
        bucket => bucket,
    };
    let place = Place { endpoint: ctx.globals.endpoint.clone(), ..Place::new(address) };
    let place = place.or_from_lookup(&ctx.env.lookup());
    let credentials = ctx.credentials(&place)?;
    Ok(open::open(&place, &credentials, ctx.world.clone())?)
}

pub async fn bundle(ctx: &Context, args: args::Bundle) -> Result<(), Error> {
    let path = ctx.env.cwd.join(&args.output);
    let bundled = ctx.with_project(async |project| project.transfer().bundle(&path).await).await?;
    ctx.report.answer(&bundled)
}

/// A project that is restored need not be set up: where there is none, its folder is made here.
pub async fn restore(ctx: &mut Context, args: args::Restore) -> Result<(), Error> {
    let bundle = Bundle::open(&ctx.env.cwd.join(&args.file))?;
    let project = ProjectName::parse(&bundle.head.project)?;
    let site = match ctx.site() {
        Err(error) if error.kind() == Kind::NotSetUp => super::init::bare(ctx, &project)?,
        site => site?,
    };
    let is_named = ctx.globals.project.is_some()
        || ctx.env.get("BRIGADE_PROJECT").is_some()
        || site.config.project.is_some();
    let site = if is_named { site } else { Site { project, ..site } };
    let credentials = ctx.credentials(&site.place)?;
    open::create_place(&site.place, &credentials, ctx.world.clone()).await?;
    let identity = ctx.identity(&site)?;
    let restored = ctx.open_as(&site, &identity)?.transfer().restore(&bundle).await?;
    ctx.report.answer(&restored)
}

fn input(ctx: &Context, file: Option<&Path>) -> Result<Box<dyn BufRead>, Error> {
    let Some(file) = file.filter(|file| *file != Path::new("-")) else {
        return Ok(Box::new(super::input::stdin()));
    };
    let path = ctx.env.cwd.join(file);
    let unread = |source| Error::File { doing: format!("reading {}", path.display()), source };
    if path.is_dir() {
        return Err(Error::Face {
            kind: Kind::Usage,
            message: format!("{} is a folder", path.display()),
            hint: Some("a file of issues is wanted, one a line".into()),
        });
    }
    Ok(Box::new(BufReader::new(File::open(&path).map_err(unread)?)))
}

fn status(word: &str) -> Result<Status, Error> {
    Status::parse(word).ok_or_else(|| {
        let word = one_line(word, 60);
        Error::Usage(format!(
            "there is no status '{word}': open, claimed, in_progress, review, blocked or closed"
        ))
    })
}

#[derive(Serialize)]
struct Out {
    exported: usize,
    file: String,
}

impl Plain for Out {
    fn plain(&self) -> String {
        format!("Exported {} to {}", counted(self.exported, "task"), self.file)
    }
}

impl Plain for Bundled {
    fn plain(&self) -> String {
        let size = |bytes| indicatif::HumanBytes(bytes).to_string();
        let mut words = format!(
            "Bundled project '{}': {}, {}, packed {}",
            self.project,
            counted(self.objects, "object"),
            size(self.bytes),
            size(self.packed)
        );
        if self.gone > 0 {
            let _ = write!(words, "\n{} were deleted while it was written", self.gone);
        }
        words
    }
}

impl Plain for Restored {
    fn plain(&self) -> String {
        let mut words = format!(
            "Restored {} of project '{}' to {}",
            counted(self.restored, "object"),
            self.project,
            self.place
        );
        for (count, what) in
            [(self.unchanged, "were there already"), (self.left, "are newer there and were left")]
        {
            if count > 0 {
                let _ = write!(words, "; {count} {what}");
            }
        }
        words
    }
}

impl Plain for Outcome {
    fn plain(&self) -> String {
        let mut words = String::new();
        remarks(&mut words, "", &self.remarks);
        remarks(&mut words, "cannot be imported: ", &self.faults);
        if self.dry_run {
            conflicts(&mut words, &self.resolved);
        }
        conflicts(&mut words, &self.conflicts);
        let _ = match (self.refused, self.dry_run) {
            (true, _) => write!(words, "Nothing was imported: {}", self.obstacles()),
            (false, true) => write!(words, "Would import {}", self.counts()),
            (false, false) => write!(words, "Imported {}", self.counts()),
        };
        if self.refused && self.faults.is_empty() {
            words += match self.conflicts.iter().any(|conflict| conflict.held_by.is_some()) {
                true => {
                    "\nhint: what somebody holds is theirs to change: wait until they let go, \
                         or decide with --resolve ours"
                }
                false => {
                    "\nhint: decide with --resolve ours or --resolve theirs, or leave what is \
                          here as it is with --skip-existing"
                }
            };
        }
        words
    }
}

trait Counts {
    fn counts(&self) -> String;
    fn obstacles(&self) -> String;
}

impl Counts for Outcome {
    fn counts(&self) -> String {
        let mut parts = vec![counted(self.imported, "task")];
        for (count, what) in [
            (self.comments, "comment"),
            (self.memories, "memory value"),
            (self.messages, "message"),
            (self.artifacts, "artifact"),
        ] {
            if count > 0 {
                parts.push(counted(count, what));
            }
        }
        let mut words = parts.join(", ");
        let settled = match self.resolution {
            Some(Resolve::Theirs) => "say now what came in",
            _ => "stay as they are here, which is recorded",
        };
        for (count, what) in [
            (self.unchanged, "unchanged"),
            (self.skipped, "left as they are"),
            (self.resolved.len(), settled),
        ] {
            if count > 0 {
                let _ = write!(words, "; {count} {what}");
            }
        }
        words
    }

    fn obstacles(&self) -> String {
        let faults = self.faults.len();
        match (faults, self.conflicts.len()) {
            (0, conflicts) => format!("{conflicts} are here already, with other content"),
            (_, 0) => format!("{faults} could not be read"),
            (_, conflicts) => {
                format!("{faults} could not be read, {conflicts} are here with other content")
            }
        }
    }
}

fn remarks(words: &mut String, what: &str, remarks: &[Remark]) {
    for remark in remarks.iter().take(TOLD) {
        let (place, says) = (one_line(&remark.place, 200), one_line(&remark.what, 400));
        let _ = writeln!(words, "{place}: {what}{says}");
    }
    if remarks.len() > TOLD {
        let _ = writeln!(words, "… and {} more", remarks.len() - TOLD);
    }
}

fn conflicts(words: &mut String, conflicts: &[Conflict]) {
    for conflict in conflicts.iter().take(TOLD) {
        let (place, id) = (one_line(&conflict.place, 200), one_line(&conflict.id, 200));
        let why = match (&conflict.held_by, &conflict.changed_by) {
            (Some(by), _) => format!(", and {by} holds it"),
            (None, Some(by)) => format!(", and {by} has changed it meanwhile: import it again"),
            (None, None) => String::new(),
        };
        let _ = writeln!(words, "{place}: {id} is here already, with other content{why}");
        for side in &conflict.differences {
            let value = |value: &serde_json::Value| match value.is_null() {
                true => "nothing".to_owned(),
                false => one_line(&value.to_string(), 100),
            };
            let field = one_line(&side.field, 60);
            let _ = writeln!(words, "  {field}: here {}", value(&side.here));
            let _ =
                writeln!(words, "  {:1$}  incoming {2}", "", field.len(), value(&side.incoming));
        }
    }
    if conflicts.len() > TOLD {
        let _ = writeln!(words, "… and {} more", conflicts.len() - TOLD);
    }
}
