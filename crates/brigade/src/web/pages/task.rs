//! One task: all there is about it, and what a person may do with it.

mod rows;

use askama::Template;
use axum::extract::Path;
use brigade_core::error::Error;
use brigade_core::history::Entry;
use brigade_core::id::TaskId;
use brigade_core::key::Scope;
use brigade_core::linking::Transcript;
use brigade_core::task::query::Neighbour;
use brigade_core::task::{CommentView, Status, StepView, TaskVersion};
use serde::Serialize;
use serde_json::json;

use self::rows::{Act, Edge, Given, Heard, Said, act, edge, given, heard, message, said};
use super::{artifacts, board};
use crate::web::answer::{self, Answer, Page, Shell, Visit};
use crate::web::words::{self, When};

/// Newest acts, comments and messages that are shown; the API has all.
const ROWS: usize = 200;

#[derive(Template)]
#[template(path = "task.html")]
struct TaskPage {
    shell: Shell,
    id: String,
    url: String,
    title: String,
    status: Status,
    tone: &'static str,
    priority: u8,
    ready: bool,
    waits: Vec<(String, String)>,
    question: Option<(String, String)>,
    facts: Vec<(&'static str, String, String)>,
    dates: Vec<(&'static str, When)>,
    labels: Vec<String>,
    files: Vec<String>,
    texts: Vec<(&'static str, String)>,
    depends_on: Vec<Edge>,
    dependents: Vec<Edge>,
    handoffs: Vec<Given>,
    comments: Vec<Said>,
    messages: Vec<Said>,
    acts: Vec<Act>,
    artifacts: Vec<artifacts::Row>,
    transcripts: Vec<Heard>,
    commands: Vec<String>,
    held: bool,
    answers: bool,
    assigned: String,
}

/// The same for the API.
#[derive(Serialize)]
struct TaskView {
    #[serde(flatten)]
    view: StepView,
    ready: bool,
    blocked_by: Vec<TaskId>,
    depends_on: Vec<Neighbour>,
    dependents: Vec<Neighbour>,
    comments: Vec<CommentView>,
    history: Vec<serde_json::Value>,
    artifacts: Vec<brigade_core::artifact::Artifact>,
    messages: Vec<Entry>,
    transcripts: Vec<Transcript>,
}

pub async fn task(visit: Visit, Path(id): Path<String>) -> Page {
    let id = TaskId::parse(&id)?;
    let all = all(&visit, &id).await?;
    let now = visit.app.watch.now().await?;
    let clock = now.snapshot.at;
    let task = &all.view.task;
    let fields = &task.fields;
    let acts = versions(&visit, &id).await?;
    let handoffs = acts.iter().filter(|(_, version, _)| version.act.hands_over());
    let handoffs = handoffs.filter_map(|(_, version, _)| version.task.handoff.as_ref());
    let word = words::word(id.as_str());
    answer::page(&TaskPage {
        shell: visit.shell(id.as_str(), "board", "tasks comments artifacts mail agents"),
        id: id.to_string(),
        url: words::task_url(&id),
        title: words::line(&task.title),
        status: task.status,
        tone: board::tone(task.status),
        priority: fields.priority.number(),
        ready: all.ready,
        waits: all.blocked_by.iter().map(|on| (on.to_string(), words::task_url(on))).collect(),
        question: fields
            .needs_human
            .as_ref()
            .map(|it| (it.by.to_string(), words::block(&it.question))),
        facts: facts(&all.view),
        dates: dates(&all.view, clock),
        labels: fields.labels.iter().map(|label| words::line(label.as_str())).collect(),
        files: fields.files.iter().map(|file| words::line(file)).collect(),
        texts: texts(&all.view),
        depends_on: all.depends_on.iter().map(edge).collect(),
        dependents: all.dependents.iter().map(edge).collect(),
        handoffs: handoffs.rev().map(|it| given(it, clock)).collect(),
        comments: all.comments.iter().rev().take(ROWS).map(|it| said(it, clock)).collect(),
        messages: all.messages.iter().rev().take(ROWS).map(|it| message(it, clock)).collect(),
        transcripts: all.transcripts.iter().map(|it| heard(it, &acts, clock)).collect(),
        acts: acts.iter().rev().take(ROWS).map(|it| act(it, clock)).collect(),
        artifacts: all.artifacts.iter().map(|it| artifacts::row(it, clock)).collect(),
        commands: commands(&all, &word),
        held: task.holder.is_some(),
        answers: fields.needs_human.is_some() || task.status == Status::Review,
        assigned: fields.assigned_to.as_ref().map_or(String::new(), ToString::to_string),
    })
}

pub async fn api(visit: Visit, Path(id): Path<String>) -> Answer {
    answer::json(&all(&visit, &TaskId::parse(&id)?).await?)
}

async fn all(visit: &Visit, id: &TaskId) -> Result<TaskView, Error> {
    let watch = &visit.app.watch;
    let now = watch.now().await?;
    let tasks = watch.project().tasks();
    let view = tasks.show(id).await?;
    let (depends_on, dependents) = now.board.neighbours(id);
    let row = now.snapshot.tasks.iter().find(|row| row.id == *id);
    let versions = versions(visit, id).await?;
    let linking = watch.project().linking();
    let transcripts = linking.transcripts(&rows::holders(&versions)).await?;
    let history = versions.into_iter().map(|(version, body, by)| {
        json!({
            "version": version, "act": body.act, "by": by.agent, "sid": by.sid,
            "at": body.task.updated_at, "status": body.task.status, "reason": body.reason,
            "evidence": body.evidence, "generation": body.task.generation,
            "handoff": body.task.handoff.filter(|_| body.act.hands_over()),
        })
    });
    let history = history.collect();
    let journal = watch.journal_so_far().await?;
    let messages = journal.iter().flat_map(|it| it.iter());
    let messages = messages.filter(|entry| is_message(entry) && entry.task.as_ref() == Some(id));
    Ok(TaskView {
        ready: row.is_some_and(|row| row.ready),
        blocked_by: row.map(|row| row.blocked_by.clone()).unwrap_or_default(),
        depends_on,
        dependents,
        comments: tasks.comments(id).await?,
        history,
        artifacts: watch.project().artifacts().list(Some(&Scope::Task(id.clone()))).await?,
        messages: messages.cloned().collect(),
        transcripts,
        view,
    })
}

type Version = (u32, TaskVersion, brigade_core::task::Actor);

async fn versions(visit: &Visit, id: &TaskId) -> Result<Vec<Version>, Error> {
    visit.app.watch.project().tasks().history(id).await
}

pub fn is_message(entry: &Entry) -> bool {
    matches!(entry.act.as_str(), "send" | "broadcast")
}

/// Name, value and link; those that say something.
fn facts(view: &StepView) -> Vec<(&'static str, String, String)> {
    let (task, fields) = (&view.task, &view.task.fields);
    let agent = |agent: &brigade_core::id::AgentId| (agent.to_string(), words::agent_url(agent));
    let plain = |text: &str| (words::line(text), String::new());
    let rows = [
        ("Held by", task.holder.as_ref().map(|holder| agent(&holder.agent))),
        ("Next", task.next_agent.as_ref().map(agent)),
        ("Assigned to", fields.assigned_to.as_ref().map(agent)),
        ("Last held by", task.last_holder.as_ref().filter(|_| task.holder.is_none()).map(agent)),
        ("Type", Some(plain(fields.issue_type.as_str()))),
        ("Estimate", fields.estimated_minutes.map(|minutes| plain(&format!("{minutes} min")))),
        ("Known as", fields.external_ref.as_deref().map(plain)),
        ("Branch", fields.branch.as_deref().map(plain)),
        ("Reviews", (fields.review_rounds > 0).then(|| plain(&fields.review_rounds.to_string()))),
        ("Closed by", fields.closed_by.as_ref().map(agent)),
        ("Close reason", fields.close_reason.as_deref().map(plain)),
        ("Made by", Some(agent(&task.created_by))),
        ("Generation", Some(plain(&task.generation.to_string()))),
        ("Version", Some(plain(&view.version.to_string()))),
        ("Signature", view.origin.mark().map(plain)),
    ];
    let said = |(name, value): (&'static str, Option<(String, String)>)| {
        value.map(|(text, link)| (name, text, link))
    };
    rows.into_iter().filter_map(said).collect()
}

fn dates(view: &StepView, now: jiff::Timestamp) -> Vec<(&'static str, When)> {
    let (task, fields) = (&view.task, &view.task.fields);
    let rows = [
        ("Held since", task.holder.as_ref().map(|holder| holder.since)),
        ("Due", fields.due_at),
        ("Not before", fields.defer_until),
        ("Changed", Some(task.updated_at)),
        ("Made", Some(task.created_at)),
        ("Closed", task.closed_at),
    ];
    rows.into_iter().filter_map(|(name, at)| Some((name, When::new(at?, now)))).collect()
}

fn texts(view: &StepView) -> Vec<(&'static str, String)> {
    let fields = &view.task.fields;
    let rows = [
        ("Description", &fields.description),
        ("Design", &fields.design),
        ("Acceptance criteria", &fields.acceptance_criteria),
        ("Notes", &fields.notes),
    ];
    let said = rows.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)));
    said.filter(|(_, text)| !text.trim().is_empty())
        .map(|(name, text)| (name, words::block(text)))
        .collect()
}

/// What one may type next.
fn commands(all: &TaskView, id: &str) -> Vec<String> {
    let task = &all.view.task;
    let mut commands = vec![format!("brigade show {id}")];
    if task.fields.needs_human.is_some() || task.status == Status::Review {
        commands.push(format!("brigade approve {id} -m …"));
        commands.push(format!("brigade reject {id} -m …"));
    }
    match task.status {
        Status::Open => commands.push(format!("brigade claim {id}")),
        Status::Claimed | Status::InProgress => {
            commands.push(format!("brigade claim {id} --wait"));
        }
        Status::Blocked | Status::Closed => commands.push(format!("brigade reopen {id}")),
        Status::Review => {}
    }
    if task.handoff.is_some() {
        commands.push(format!("brigade handoff {id}"));
    }
    commands.push(format!("brigade comment {id} …"));
    commands.push(format!("brigade history {id}"));
    commands
}
