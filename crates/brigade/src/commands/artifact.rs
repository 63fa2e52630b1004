//! `artifact upload`, `download`, `list`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use brigade_core::Project;
use brigade_core::artifact::{
    Artifact, Destination, Downloaded, Opened, Passing, Progress, Source, Trouble, Uploaded,
    UploadedTree, silent,
};
use brigade_core::error::{Error, Kind};
use brigade_core::id::{ArtifactName, TaskId};
use brigade_core::key::{Number, Scope};
use brigade_core::text::{counted, one_line};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::secrets;
use crate::args;
use crate::context::Context;
use crate::report::Plain;

pub async fn upload(ctx: &Context, args: args::Upload) -> Result<(), Error> {
    let path = ctx.env.cwd.join(&args.path);
    let scope = scope(args.step);
    let name = match &args.name {
        Some(name) => ArtifactName::parse(name)?,
        None => own_name(&path)?,
    };
    let care = secrets::care(ctx, &args.secrets).transpose()?;
    let bar = Bar::new(ctx);
    let outcome = ctx
        .with_project(async |project| {
            let artifacts = match &care {
                Some(care) => project.artifacts().with_care(care.clone()),
                None => project.artifacts(),
            };
            if path.is_dir() {
                let tree = artifacts.upload_tree(&scope, &name, &path, &bar.told).await?;
                return Ok(Up::Tree(tree));
            }
            let source = Source::file(&path)?;
            artifacts.upload(&scope, &name, source, &bar.told).await.map(Up::File)
        })
        .await;
    bar.finish();
    secrets::tell(ctx, care.as_ref());
    match outcome? {
        Up::File(file) => ctx.report.answer(&file),
        Up::Tree(tree) => {
            tell_troubles(ctx, "skipped", &tree.skipped);
            tell_troubles(ctx, "not uploaded", &tree.failed);
            ctx.report.answer(&tree)?;
            unfinished(&tree.failed, "uploaded")
        }
    }
}

pub async fn download(ctx: &Context, args: args::Download) -> Result<(), Error> {
    let name = ArtifactName::parse(&args.name)?;
    let bar = Bar::new(ctx);
    let outcome = ctx
        .with_project(async |project| {
            let (scope, newest) = find(project, &name, args.step.clone()).await?;
            let version = args.version.or(newest);
            if args.output.as_deref() == Some(Path::new("-")) {
                let opened = project.artifacts().open(&scope, &name, version, &silent()).await?;
                print(ctx, opened).await?;
                return Ok(None);
            }
            let to = Destination {
                path: args
                    .output
                    .as_ref()
                    .map_or_else(|| ctx.env.cwd.clone(), |path| ctx.env.cwd.join(path)),
                overwrite: args.overwrite,
            };
            project.artifacts().download(&scope, &name, version, &to, &bar.told).await.map(Some)
        })
        .await;
    bar.finish();
    let Some(down) = outcome? else { return Ok(()) };
    tell_troubles(ctx, "not downloaded", &down.failed);
    ctx.report.answer(&down)?;
    unfinished(&down.failed, "downloaded")
}

pub async fn list(ctx: &Context, args: args::ArtifactList) -> Result<(), Error> {
    let wanted = args.step.map(Scope::Task);
    let artifacts = ctx
        .with_project(async |project| {
            let newest = project.artifacts().list(wanted.as_ref()).await?;
            if !args.versions {
                return Ok(newest);
            }
            let mut all = Vec::new();
            for artifact in newest {
                all.extend(project.artifacts().versions(&artifact.scope(), &artifact.name).await?);
            }
            Ok(all)
        })
        .await?;
    ctx.report.answer(&List { artifacts })
}

enum Up {
    File(Uploaded),
    Tree(UploadedTree),
}

fn scope(task: Option<TaskId>) -> Scope {
    task.map_or(Scope::Shared, Scope::Task)
}

/// The name that a path ends in, also for `.` and `..`.
fn own_name(path: &Path) -> Result<ArtifactName, Error> {
    let whole = path.canonicalize();
    let path = if path.file_name().is_some() { path } else { whole.as_deref().unwrap_or(path) };
    let name = path.file_name().and_then(|name| name.to_str());
    ArtifactName::parse(name.unwrap_or_default()).map_err(|error| Error::Face {
        kind: Kind::Usage,
        message: error.to_string(),
        hint: Some("give it a name with --name".into()),
    })
}

/// Where the artifact is: the task that was named, the shared ones, or the only task that has it.
/// With it the newest version, where looking has told it.
async fn find(
    project: &Project,
    name: &ArtifactName,
    task: Option<TaskId>,
) -> Result<(Scope, Option<Number>), Error> {
    if let Some(task) = task {
        return Ok((Scope::Task(task), None));
    }
    if let Some(newest) = project.artifacts().newest_shared(name).await? {
        return Ok((Scope::Shared, Some(newest)));
    }
    let places = project.artifacts().find(name).await?;
    if places.contains(&Scope::Shared) {
        return Ok((Scope::Shared, None));
    }
    match places.as_slice() {
        [] => Err(Error::Face {
            kind: Kind::NotFound,
            message: format!("there is no artifact {name}"),
            hint: Some("'brigade artifact list' shows them all".into()),
        }),
        [only] => Ok((only.clone(), None)),
        several => {
            let tasks: Vec<&str> =
                several.iter().filter_map(Scope::task).map(TaskId::as_str).collect();
            Err(Error::Face {
                kind: Kind::Usage,
                message: format!("several tasks have an artifact {name}: {}", tasks.join(", ")),
                hint: Some("say which with --step".into()),
            })
        }
    }
}

async fn print(ctx: &Context, mut opened: Opened) -> Result<(), Error> {
    while let Some(piece) = opened.body.next().await {
        let piece =
            piece.map_err(|error| brigade_core::artifact::from_stream(error, &opened.artifact))?;
        ctx.report.foreign_bytes(&piece)?;
    }
    Ok(())
}

fn tell_troubles(ctx: &Context, what: &str, troubles: &[Trouble]) {
    for trouble in troubles {
        let path = one_line(&trouble.path, 200);
        ctx.report.note(&format!("{what}: {path}: {}", trouble.error));
    }
}

fn unfinished(failed: &[Trouble], what: &str) -> Result<(), Error> {
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(Error::Face {
            kind: first.error.kind(),
            message: format!("{} file(s) could not be {what}", failed.len()),
            hint: Some("the same command again goes on where this one stopped".into()),
        }),
    }
}

/// A progress bar on a terminal, nothing anywhere else.
struct Bar {
    bar: Arc<Mutex<Option<ProgressBar>>>,
    told: Progress,
}

impl Bar {
    fn new(ctx: &Context) -> Bar {
        let bar: Arc<Mutex<Option<ProgressBar>>> = Arc::default();
        if !ctx.report.progress {
            return Bar { bar, told: silent() };
        }
        let shown = bar.clone();
        let told = Arc::new(move |passing: Passing<'_>| {
            let mut slot = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let bar = slot.get_or_insert_with(|| new_bar(passing.total));
            bar.set_message(one_line(passing.name.as_str(), 40));
            if let Some(total) = passing.total {
                bar.set_length(total);
            }
            bar.set_position(passing.done);
        });
        Bar { bar, told }
    }

    fn finish(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let style = ProgressStyle::with_template(
        "{msg:20} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    );
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Plain for Uploaded {
    fn plain(&self) -> String {
        let place = self.task.as_ref().map_or("shared".into(), |task| format!("step {task}"));
        match self.unchanged {
            true => format!("{} is unchanged ({place}, version {})", self.name, self.version),
            false => format!(
                "Uploaded {} ({place}, version {}, {})",
                self.name,
                self.version,
                bytes(self.size)
            ),
        }
    }
}

impl Plain for UploadedTree {
    fn plain(&self) -> String {
        let size: u64 = self.files.iter().map(|file| file.size).sum();
        let unchanged = self.files.iter().filter(|file| file.unchanged).count();
        let mut words = format!("Uploaded {} ({})", counted(self.files.len(), "file"), bytes(size));
        if unchanged > 0 {
            let _ = write!(words, ", {unchanged} of them unchanged");
        }
        words
    }
}

impl Plain for Downloaded {
    fn plain(&self) -> String {
        let row = |path: &PathBuf, artifact: &Artifact, unchanged: bool| {
            let there = if unchanged { ", was there already" } else { "" };
            format!(
                "Downloaded {} version {} -> {} ({}{there})",
                artifact.name,
                artifact.version,
                path.display(),
                bytes(artifact.size)
            )
        };
        let rows: Vec<String> =
            self.files.iter().map(|file| row(&file.path, &file.artifact, file.unchanged)).collect();
        rows.join("\n")
    }
}

#[derive(Serialize)]
struct List {
    artifacts: Vec<Artifact>,
}

impl Plain for List {
    fn plain(&self) -> String {
        if self.artifacts.is_empty() {
            return "No artifacts found.".into();
        }
        let mut words =
            format!("{:<16} {:<32} {:>3} {:>10}  {}", "STEP", "NAME", "V", "SIZE", "BY");
        for artifact in &self.artifacts {
            let step = artifact.task.as_ref().map_or("-", |task| task.as_str());
            let _ = write!(
                words,
                "\n{step:<16} {:<32} {:>3} {:>10}  {}{}",
                artifact.name,
                artifact.version,
                bytes(artifact.size),
                artifact.uploaded_by,
                artifact.origin.aside()
            );
        }
        words
    }
}

/// A size in the unit that a person would use.
fn bytes(size: u64) -> String {
    indicatif::HumanBytes(size).to_string()
}
