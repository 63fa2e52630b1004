//! The verbs that change tasks as issues: `create`, `update`, `close`, `review`, `comment`, `log`,
//! `label`, `dep`, `ask-human`, `approve`, `reject`.

use std::collections::BTreeSet;

use brigade_core::Project;
use brigade_core::error::Error;
use brigade_core::id::{AgentId, TaskId};
use brigade_core::task::{
    Comment, CommentKind, Dependency, DependencyKind, Draft, Edge, Fields, Finish, Move, Outcome,
    Status, StepView, Task, Verdict, Word,
};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::issue_words::{self, Lines, ShownAs};
use super::{input, tasks_file};
use crate::args::issues as args;
use crate::args::parse_span;
use crate::context::Context;

pub async fn create(ctx: &Context, args: args::Create) -> Result<(), Error> {
    let drafts = drafts(ctx, &args)?;
    let is_one = args.file.is_none();
    let made = ctx
        .with_project(async |project| {
            let (tasks, mut drafts) = (project.tasks(), drafts);
            if is_one && let Some(draft) = drafts.pop() {
                return Ok(vec![tasks.create(draft).await?]);
            }
            let titles: Vec<String> = drafts.iter().map(|draft| draft.title.clone()).collect();
            let (made, ended) = tasks.create_all(drafts).await;
            if let (Err(_), Some(title)) = (&ended, titles.get(made.len())) {
                ctx.report.note(&format!(
                    "{} of the tasks are made, those before '{title}': {}",
                    made.len(),
                    issue_words::ids(&made)
                ));
            }
            ended.map(|()| made)
        })
        .await?;
    let words = if args.claim { "Created and claimed" } else { "Created" };
    ctx.report.answer(&ShownAs { words, views: made, is_one })
}

fn drafts(ctx: &Context, args: &args::Create) -> Result<Vec<Draft>, Error> {
    let common = fields(ctx, args)?;
    let Some(file) = &args.file else {
        let title = args.name.as_ref().or(args.title.as_ref());
        let title = title.ok_or_else(|| {
            Error::Usage("a task needs a title: 'brigade create \"Fix the login\"'".into())
        })?;
        let (id, title) = (args.id.clone(), title.clone());
        return Ok(vec![Draft { id, title, fields: common, claim: args.claim }]);
    };
    let text = match file.to_str() {
        Some("-") => input::text("-")?,
        _ => input::file(file)?,
    };
    let drafts = tasks_file::read(&text, &common)?;
    Ok(drafts.into_iter().map(|draft| Draft { claim: args.claim, ..draft }).collect())
}

fn fields(ctx: &Context, args: &args::Create) -> Result<Fields, Error> {
    let mut task_fields = Fields::default();
    said(ctx, &args.saying)?.apply(&mut task_fields);
    task_fields.labels = args.labels.iter().cloned().collect();
    let mut edges: Vec<(DependencyKind, TaskId)> = args.deps.clone();
    edges.extend(args.depends_on.iter().map(|on| (DependencyKind::Blocks, on.clone())));
    edges.extend(args.parent.iter().map(|on| (DependencyKind::ParentChild, on.clone())));
    for (kind, on) in edges {
        if task_fields.dependencies.iter().any(|edge| edge.on == on) {
            return Err(Error::Usage(format!("{on} is named twice as a dependency")));
        }
        task_fields.dependencies.push(Dependency::new(on, kind));
    }
    Ok(task_fields)
}

/// What the arguments say of a task, read and checked.
#[derive(Clone, Debug, Default)]
struct Said {
    description: Option<String>,
    design: Option<String>,
    acceptance: Option<String>,
    notes: Option<String>,
    issue: args::Saying,
    assignee: Option<Option<AgentId>>,
    due: Option<Option<Timestamp>>,
    defer: Option<Option<Timestamp>>,
}

fn said(ctx: &Context, saying: &args::Saying) -> Result<Said, Error> {
    let text = |value: &Option<String>| value.as_deref().map(input::text).transpose();
    let now = ctx.world.clock.now();
    let date = |value: &Option<String>, what: &str| {
        value.as_deref().map(|text| moment(text, now, what)).transpose()
    };
    Ok(Said {
        description: text(&saying.description)?,
        design: text(&saying.design)?,
        acceptance: text(&saying.acceptance)?,
        notes: text(&saying.notes)?,
        assignee: match saying.assignee.as_deref() {
            None => None,
            Some("") => Some(None),
            Some(name) => Some(Some(AgentId::parse(name)?)),
        },
        due: date(&saying.due, "--due")?,
        defer: date(&saying.defer, "--defer")?,
        issue: saying.clone(),
    })
}

impl Said {
    fn apply(&self, fields: &mut Fields) {
        let put = |slot: &mut Option<String>, value: &Option<String>| {
            if let Some(value) = value {
                *slot = Some(value.clone()).filter(|text| !text.is_empty());
            }
        };
        put(&mut fields.description, &self.description);
        put(&mut fields.design, &self.design);
        put(&mut fields.acceptance_criteria, &self.acceptance);
        put(&mut fields.notes, &self.notes);
        put(&mut fields.external_ref, &self.issue.external_ref);
        put(&mut fields.branch, &self.issue.branch);
        if let Some(priority) = self.issue.priority {
            fields.priority = priority;
        }
        if let Some(issue_type) = &self.issue.issue_type {
            fields.issue_type = issue_type.clone();
        }
        if let Some(assignee) = &self.assignee {
            fields.assigned_to.clone_from(assignee);
        }
        if let Some(estimate) = self.issue.estimate {
            fields.estimated_minutes = Some(estimate);
        }
        if let Some(due) = self.due {
            fields.due_at = due;
        }
        if let Some(defer) = self.defer {
            fields.defer_until = defer;
        }
        if !self.issue.files.is_empty() {
            fields.files = self.issue.files.iter().cloned().collect();
        }
    }

    fn is_nothing(&self) -> bool {
        let mut probe = Fields { estimated_minutes: None, ..Fields::default() };
        let before = probe.clone();
        self.apply(&mut probe);
        let clears = [&self.description, &self.design, &self.acceptance, &self.notes]
            .into_iter()
            .chain([&self.issue.external_ref, &self.issue.branch])
            .any(Option::is_some);
        // A value may be what the default says, and is asked for all the same.
        probe == before
            && !clears
            && self.issue.priority.is_none()
            && self.issue.issue_type.is_none()
            && self.assignee.is_none()
            && self.due.is_none()
            && self.defer.is_none()
    }
}

/// A date, a moment, or how far from now; `None` for the empty text, which takes it away.
fn moment(text: &str, now: Timestamp, option: &str) -> Result<Option<Timestamp>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Some(moment));
    }
    if let Ok(date) = text.parse::<Date>()
        && let Ok(midnight) = date.to_zoned(TimeZone::UTC)
    {
        return Ok(Some(midnight.timestamp()));
    }
    let span = parse_span(text.trim_start_matches('+')).ok();
    let later = span.and_then(|span| SignedDuration::try_from(span).ok());
    later.and_then(|span| now.checked_add(span).ok()).map(Some).ok_or_else(|| {
        Error::Usage(format!(
            "{option} takes a date (2026-12-24, midnight UTC), a moment (2026-12-24T18:00:00Z) or \
             a span from now (3d, 2h)"
        ))
    })
}

pub async fn update(ctx: &Context, args: args::Update) -> Result<(), Error> {
    let said = said(ctx, &args.saying)?;
    let labels = args.labels.as_deref().map(labels).transpose()?;
    let edits = !said.is_nothing()
        || args.title.is_some()
        || labels.is_some()
        || !args.add_label.is_empty()
        || !args.remove_label.is_empty();
    if !edits && args.status.is_none() {
        return Err(Error::Usage(
            "say what is to change: --status, --priority, --title, --add-label, … ('brigade help \
             update' lists them)"
                .into(),
        ));
    }
    let title = args.title.as_deref().map(brigade_core::task::create::checked_title).transpose()?;
    let change = |task: &mut Task| {
        if let Some(title) = &title {
            task.title.clone_from(title);
        }
        said.apply(&mut task.fields);
        if let Some(labels) = &labels {
            task.fields.labels.clone_from(labels);
        }
        task.fields.labels.extend(args.add_label.iter().cloned());
        task.fields.labels.retain(|label| !args.remove_label.contains(label));
        Ok(())
    };
    let reason = match (&args.reason, args.force) {
        (None, true) => Some(unasked_reason(ctx)?),
        (reason, _) => reason.clone(),
    };
    let mv = args.status.map(|to| Move { to, force: args.force, reason });
    each(ctx, "Updated", &args.ids, async |project, id| {
        let mut view = None;
        if edits {
            view = Some(project.tasks().edit(id, args.reason.as_deref(), &change).await?);
        }
        if let Some(mv) = &mv {
            view = Some(project.tasks().move_to(id, mv).await?);
        }
        view.ok_or_else(|| Error::Usage("nothing was asked for".into()))
    })
    .await
}

/// Whoever forces something says why. A user of .track cannot: that tool has no word for it.
fn unasked_reason(ctx: &Context) -> Result<String, Error> {
    match ctx.report.program() {
        "track" => Ok("forced with track, which asks for no reason".into()),
        _ => Err(Error::Usage("--force needs --reason: say why, it stays with the task".into())),
    }
}

fn labels(text: &str) -> Result<BTreeSet<Word>, Error> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    Ok(words.map(str::parse).collect::<Result<_, _>>()?)
}

pub async fn close(ctx: &Context, args: args::Close) -> Result<(), Error> {
    let finish = Finish {
        outcome: Outcome::Complete,
        note: args.reason.clone(),
        next_agent: None,
        next_action: None,
        changed_files: None,
        force: args.force,
        reason: args.reason.clone(),
    };
    each(ctx, "Closed", &args.ids, async |project, id| {
        project.tasks().finish(id, &finish).await?;
        project.tasks().show(id).await
    })
    .await
}

pub async fn review(ctx: &Context, args: args::Review) -> Result<(), Error> {
    let finish = Finish {
        outcome: Outcome::Review,
        note: args.note.clone(),
        next_agent: args.to.clone(),
        next_action: None,
        changed_files: None,
        force: false,
        reason: None,
    };
    each(ctx, "Up for review:", &args.ids, async |project, id| {
        project.tasks().finish(id, &finish).await?;
        project.tasks().show(id).await
    })
    .await
}

/// One act on each task; one that is refused does not keep the others from theirs. The first refusal
/// gives the exit code.
async fn each(
    ctx: &Context,
    words: &'static str,
    ids: &[TaskId],
    act: impl AsyncFn(&Project, &TaskId) -> Result<StepView, Error>,
) -> Result<(), Error> {
    let mut failed = None;
    let mut views = Vec::new();
    ctx.with_project(async |project| {
        for id in ids {
            match act(project, id).await {
                Ok(view) => views.push(view),
                Err(error) if failed.is_none() => failed = Some(error),
                Err(error) => ctx.report.warning(&error.to_string()),
            }
        }
        Ok(())
    })
    .await?;
    if !views.is_empty() {
        ctx.report.answer(&ShownAs { words, views, is_one: ids.len() == 1 })?;
    }
    failed.map_or(Ok(()), Err)
}

pub async fn comment(ctx: &Context, args: args::CommentOn) -> Result<(), Error> {
    let comment = Comment::new(CommentKind::Comment, input::text(&args.text)?);
    let said = ctx.with_project(async |p| p.tasks().comment(&args.id, comment).await).await?;
    ctx.report.answer(&Lines { lines: format!("Commented on {}", args.id), value: said })
}

pub async fn log(ctx: &Context, args: args::LogLine) -> Result<(), Error> {
    let Some(message) = &args.message else {
        let said = ctx
            .with_project(async |project| {
                project.tasks().show(&args.id).await?;
                project.tasks().comments(&args.id).await
            })
            .await?;
        let lines: Vec<_> =
            said.into_iter().filter(|comment| comment.kind == CommentKind::Log).collect();
        let words = match lines.is_empty() {
            true => format!("Nobody has logged anything for {}", args.id),
            false => issue_words::comments(&lines, ctx.world.clock.now(), "", lines.len()),
        };
        return issue_words::quoting(ctx, || {
            ctx.report.answer(&Lines { lines: words, value: &lines })
        });
    };
    let comment = Comment::new(CommentKind::Log, input::text(message)?);
    let said = ctx.with_project(async |p| p.tasks().comment(&args.id, comment).await).await?;
    ctx.report.answer(&Lines { lines: format!("Logged for {}", args.id), value: said })
}

pub async fn label(ctx: &Context, verb: args::LabelVerb) -> Result<(), Error> {
    let (add, remove, id) = match verb {
        args::LabelVerb::Add(args) => (args.labels, Vec::new(), args.id),
        args::LabelVerb::Remove(args) => (Vec::new(), args.labels, args.id),
        args::LabelVerb::List => return super::lists::labels(ctx).await,
    };
    each(ctx, "Labelled", &[id], async |project, id| {
        let change = |task: &mut Task| {
            task.fields.labels.extend(add.iter().cloned());
            task.fields.labels.retain(|label| !remove.contains(label));
            Ok(())
        };
        project.tasks().edit(id, None, &change).await
    })
    .await
}

pub async fn dep(ctx: &Context, verb: args::Dep) -> Result<(), Error> {
    match verb {
        args::Dep::Add(args::DepAdd { id, on, kind }) => {
            let edge = Edge { from: id, on, kind };
            let view = ctx.with_project(async |p| p.tasks().add_dependency(&edge).await).await?;
            let words = match edge.kind {
                DependencyKind::Blocks => format!("{} waits for {}", edge.from, edge.on),
                DependencyKind::ParentChild => format!("{} is a part of {}", edge.from, edge.on),
                kind => format!("{} {kind} {}", edge.from, edge.on),
            };
            ctx.report.answer(&Lines { lines: words, value: view })
        }
        args::Dep::Remove(args::DepRemove { id, on }) => {
            let view =
                ctx.with_project(async |p| p.tasks().remove_dependency(&id, &on).await).await?;
            let words = format!("{id} has nothing to do with {on} any more");
            ctx.report.answer(&Lines { lines: words, value: view })
        }
        args::Dep::Tree(args) => super::lists::tree(ctx, args).await,
        args::Dep::Cycles => super::lists::cycles(ctx).await,
    }
}

pub async fn ask_human(ctx: &Context, args: args::Ask) -> Result<(), Error> {
    let question = input::text(&args.question)?;
    let asking = async |p: &Project| p.tasks().ask_human(&args.id, &question).await;
    let view = ctx.with_project(asking).await?;
    let words = format!("{} waits for a person now; 'brigade status' shows it", args.id);
    ctx.report.answer(&Lines { lines: words, value: view })
}

pub async fn answer(ctx: &Context, args: args::Answer, verdict: Verdict) -> Result<(), Error> {
    let words = args.message.as_deref().map(input::text).transpose()?;
    let view = ctx
        .with_project(async |p| p.tasks().answer(&args.id, verdict, words.as_deref()).await)
        .await?;
    let verb = match verdict {
        Verdict::Approved => "Approved",
        Verdict::Rejected => "Rejected",
    };
    let now_is = match view.task.status {
        Status::Closed => "it is closed".to_owned(),
        status => format!("it is {status}"),
    };
    ctx.report.answer(&Lines { lines: format!("{verb} {}: {now_is}", args.id), value: view })
}
