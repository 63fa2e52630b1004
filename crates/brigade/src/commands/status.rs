//! `status`, and what `brigade` alone says.

use std::fmt::Write;
use std::time::Duration;

use brigade_core::Project;
use brigade_core::error::Error;
use brigade_core::files::FileRow;
use brigade_core::status::{AgentRow, Snapshot, TaskRow};
use brigade_core::text::{clock_and_distance, counted, one_line, span};
use jiff::SignedDuration;
use serde::Serialize;

use crate::args;
use crate::context::Context;
use crate::replica;
use crate::report::Plain;

/// However often somebody wants to look, a store is not asked more often than this.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);
/// How many rows of a kind one screen takes.
const ROWS: usize = 40;

pub async fn status(ctx: &Context, args: args::Status) -> Result<(), Error> {
    if args.watch {
        return top(ctx, args.interval).await;
    }
    let snapshot = ctx.with_project(async |p| p.status().snapshot().await).await?;
    tell_of_the_copy(ctx)?;
    ctx.report.answer(&Screen(snapshot))
}

/// A copy that is not carried on is said where people look; it costs no request.
fn tell_of_the_copy(ctx: &Context) -> Result<(), Error> {
    if let Some(words) = replica::trouble(ctx, &ctx.site()?) {
        ctx.report.warning(&words);
    }
    Ok(())
}

/// The view that follows the project on a terminal; anywhere else a snapshot when one has changed.
pub async fn top(ctx: &Context, interval: Duration) -> Result<(), Error> {
    ctx.with_project(async |project| {
        if ctx.report.draws {
            crate::top::run(ctx, project, interval, essence).await
        } else {
            watch(ctx, project, interval).await
        }
    })
    .await
}

async fn watch(ctx: &Context, project: &Project, interval: Duration) -> Result<(), Error> {
    let mut shown = String::new();
    loop {
        let snapshot = project.status().snapshot().await?;
        let essence = essence(&snapshot);
        if ctx.report.is_json() {
            if essence != shown {
                ctx.report.row(&Screen(snapshot))?;
            }
        } else if essence != shown {
            ctx.report.lines(&format!("{}\n", Screen(snapshot).plain()))?;
        }
        shown = essence;
        ctx.tell_notices(project);
        project.history().wait(interval.max(SHORTEST_LOOK)).await;
    }
}

/// A snapshot without what changes by itself: the time, and ages that follow from it.
fn essence(snapshot: &Snapshot) -> String {
    let tasks: Vec<_> =
        snapshot.tasks.iter().map(|task| (&task.id, task.version, task.lease)).collect();
    let agents: Vec<_> =
        snapshot.agents.iter().map(|row| (&row.session.sid, row.session.life)).collect();
    let attention: Vec<_> =
        snapshot.attention.iter().map(|item| (item.what, &item.task, &item.agent)).collect();
    let files: Vec<_> =
        snapshot.files.iter().map(|row| (&row.pattern, &row.sid, row.tried)).collect();
    let counts =
        (&snapshot.mail.boxes, snapshot.mail.unread, snapshot.memory_keys, snapshot.artifacts);
    format!("{tasks:?}{agents:?}{attention:?}{files:?}{counts:?}")
}

/// Where the caller stands, and what to do next.
pub async fn stand(ctx: &Context) -> Result<(), Error> {
    let snapshot = ctx.with_project(async |p| p.status().snapshot().await).await?;
    let next = next_steps(&snapshot);
    tell_of_the_copy(ctx)?;
    ctx.report.answer(&Stand { snapshot, next })
}

/// At most four commands, the most useful first.
fn next_steps(snapshot: &Snapshot) -> Vec<String> {
    let mut next: Vec<String> =
        snapshot.attention.iter().map(|attention| attention.hint.clone()).collect();
    if snapshot.mail.unread > 0 {
        next.push("brigade inbox --new".into());
    }
    for task in &snapshot.me.holds {
        next.push(format!("brigade complete {task} --note '…' --to <agent>"));
    }
    if snapshot.me.holds.is_empty() {
        let is_any_ready = snapshot.tasks.iter().any(|task| task.ready);
        next.push(match (is_any_ready, snapshot.tasks.is_empty()) {
            (true, _) => "brigade next --claim".into(),
            (false, true) => "brigade create \"…\"".into(),
            (false, false) => "brigade blocked".into(),
        });
    }
    next.push("brigade status".into());
    let mut seen = std::collections::BTreeSet::new();
    next.retain(|command| seen.insert(command.clone()));
    next.truncate(4);
    next
}

#[derive(Serialize)]
struct Screen(Snapshot);

impl Plain for Screen {
    fn plain(&self) -> String {
        let Screen(now) = self;
        let mut words = format!("{} in {}, as {}", now.project, now.place, now.me.agent);
        attention(&mut words, now);
        // What is done comes last: it is what a reader looks for least.
        let mut tasks: Vec<&TaskRow> = now.tasks.iter().collect();
        tasks.sort_by_key(|task| task.step_status == "complete");
        section(&mut words, "Tasks", &tasks, |task| task_line(task, now));
        section(&mut words, "Agents", &now.agents, agent_line);
        if !now.files.is_empty() {
            section(&mut words, "Files", &now.files, file_line);
        }
        let _ = write!(
            words,
            "\n\n{} unread, {}, {}",
            now.mail.unread,
            counted(now.memory_keys, "memory key"),
            counted(now.artifacts, "artifact")
        );
        words
    }
}

#[derive(Serialize)]
struct Stand {
    #[serde(flatten)]
    snapshot: Snapshot,
    next: Vec<String>,
}

impl Plain for Stand {
    fn plain(&self) -> String {
        let now = &self.snapshot;
        let mut words =
            format!("You are {} in project {} ({})", now.me.agent, now.project, now.place);
        match now.me.holds.as_slice() {
            [] => words += "\nYou hold nothing",
            holds => {
                let names: Vec<&str> = holds.iter().map(|task| task.as_str()).collect();
                let _ = write!(words, "\nYou hold {}", names.join(", "));
                if let Some(until) = now.me.lease_until {
                    let _ = write!(words, " until {}", clock_and_distance(until, now.at));
                }
            }
        }
        let _ = write!(words, "; {} unread", now.mail.unread);
        let counts: Vec<String> =
            now.counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
        if !counts.is_empty() {
            let _ = write!(words, "; tasks: {}", counts.join(", "));
        }
        attention(&mut words, now);
        words += "\n\nNext:";
        for command in &self.next {
            let _ = write!(words, "\n  {command}");
        }
        words
    }
}

fn attention(words: &mut String, now: &Snapshot) {
    if now.attention.is_empty() {
        return;
    }
    words.push_str("\n\nNeeds a look:");
    for attention in now.attention.iter().take(ROWS) {
        let _ = write!(words, "\n  ! {}\n      {}", attention.words, attention.hint);
    }
    more(words, now.attention.len());
}

fn section<T>(words: &mut String, title: &str, rows: &[T], line: impl Fn(&T) -> String) {
    if rows.is_empty() {
        let _ = write!(words, "\n\n{title}: none");
        return;
    }
    let _ = write!(words, "\n\n{title}:");
    for row in rows.iter().take(ROWS) {
        let _ = write!(words, "\n  {}", line(row));
    }
    more(words, rows.len());
}

fn more(words: &mut String, rows: usize) {
    if rows > ROWS {
        let _ = write!(words, "\n  … and {} more (--json has all)", rows - ROWS);
    }
}

fn task_line(task: &TaskRow, now: &Snapshot) -> String {
    let mut words = format!("{:<20} {:<12}", task.id, task.status);
    if let Some(holder) = &task.holder {
        let _ = write!(words, " {holder}");
        if let Some(until) = task.lease_until {
            let clock = now.store_time.unwrap_or(now.at);
            let _ = write!(words, " until {}", clock_and_distance(until, clock));
        }
    }
    if task.title != task.id.as_str() {
        let _ = write!(words, "  {}", one_line(&task.title, 60));
    }
    if !task.blocked_by.is_empty() {
        let on: Vec<&str> = task.blocked_by.iter().take(3).map(|on| on.as_str()).collect();
        let _ = write!(words, "  waits for {}", on.join(", "));
    }
    if let Some(next) = &task.next_agent {
        let _ = write!(words, " → {next}");
    }
    if let Some(note) = &task.note {
        let _ = write!(words, "  \"{}\"", one_line(note, 80));
    }
    words += &task.origin.aside();
    words.trim_end().to_owned()
}

fn file_line(row: &FileRow) -> String {
    let task = row.task.as_ref().map_or(String::new(), |task| format!(" for {task}"));
    let shared = if row.shared { ", shared" } else { "" };
    let mark = if row.conflicts.is_empty() { "" } else { "  ! overlaps another claim" };
    let aside = row.origin.aside();
    format!("{:<32} {}{task}{shared}{aside}{mark}", row.pattern, row.agent)
}

fn agent_line(row: &AgentRow) -> String {
    let seen = row.session.last_seen_ms_ago.map_or("unknown".into(), |ms| {
        let time = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        format!("{} ago", span(time))
    });
    let life = if row.session.is_alive() { "alive" } else { "stale" };
    let tasks: Vec<&str> = row.tasks.iter().map(|task| task.as_str()).collect();
    let tasks = if tasks.is_empty() { String::new() } else { format!("  {}", tasks.join(", ")) };
    format!("{:<20} {life:<6} seen {seen}{tasks}", row.session.agent)
}
