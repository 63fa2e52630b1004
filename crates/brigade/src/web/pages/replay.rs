//! The run in time. The picture is drawn here; with JavaScript the viewer takes its place, the same
//! that `brigade replay --html` puts into a file.

mod folded;
mod lean;

use std::fmt;
use std::sync::Arc;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::IntoResponse;
use brigade_core::error::Error;
use brigade_core::replay::{Group, Picture, Replay, Window, draw};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::folded::{Folded, Run};
use crate::web::answer::{self, Answer, Page, Shell, Visit};
use crate::web::words;

/// The picture has numbers while a list of so many can be read beside it.
const NUMBERED: usize = 60;
/// Rows of the list that is there without JavaScript, the newest.
const ROWS: usize = 300;

/// The picture of a longer run is drawn when somebody asks for it: of fifty thousand events it has
/// four megabytes, and with JavaScript nobody sees it.
const DRAWN: usize = 2_000;

/// What part of the run is wanted, and what of it is drawn.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    pub since: String,
    pub until: String,
    pub agent: String,
    pub task: String,
    pub kind: String,
    /// The picture is wanted, however long the run is.
    pub picture: String,
    /// What the viewer draws instead of the whole document.
    pub lean: String,
}

#[derive(Template)]
#[template(path = "replay.html")]
struct ReplayPage {
    shell: Shell,
    wanted: Wanted,
    ending: String,
    is_bad: bool,
    agents: Vec<String>,
    kinds: Vec<&'static str>,
    events: usize,
    problems: usize,
    rows: Vec<Row>,
    /// `None` when the run is long and nobody has asked for it.
    picture: Option<Drawing>,
    reading: bool,
}

struct Row {
    n: usize,
    time: String,
    agent: String,
    words: String,
    problem: &'static str,
}

/// A picture of our own making, in which all that others wrote is escaped.
struct Drawing(String);

impl fmt::Display for Drawing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl HtmlSafe for Drawing {}

/// The document of `brigade replay --json`, and whether it is whole.
#[derive(Serialize)]
struct Document<'r> {
    #[serde(flatten)]
    replay: &'r Replay,
    /// The journal is still being read.
    reading: bool,
}

pub async fn replay(visit: Visit, Query(wanted): Query<Wanted>) -> Page {
    let run = read(&visit, &wanted).await?;
    let (replay, reading) = (&run.replay, run.reading);
    let one = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let picture = Picture {
        agents: one(&wanted.agent).into_iter().collect(),
        tasks: one(&wanted.task).into_iter().collect(),
        groups: Group::parse(&wanted.kind).into_iter().collect(),
        numbered: replay.events.len() <= NUMBERED,
        ..Picture::default()
    };
    let is_chosen = [&wanted.agent, &wanted.task, &wanted.kind, &wanted.picture]
        .into_iter()
        .any(|it| !it.is_empty());
    let start = replay.events.len().saturating_sub(ROWS);
    let rows = replay.events.iter().enumerate().skip(start).map(|(n, event)| Row {
        n: n + 1,
        time: event.at.strftime("%H:%M:%S").to_string(),
        agent: words::line(&event.agent),
        words: words::line(&event.words),
        problem: event.problem.map_or("", |problem| problem.as_words()),
    });
    answer::page(&ReplayPage {
        // The viewer fetches what is new by itself.
        shell: visit.shell("Replay", "replay", if reading { "journal" } else { "none" }),
        ending: words::line(&replay.ending.words),
        is_bad: !replay.ending.blocked.is_empty(),
        agents: replay.agents.iter().map(|lane| words::line(&lane.name)).collect(),
        kinds: Group::ALL.iter().map(|group| group.as_str()).collect(),
        events: replay.events.len(),
        problems: replay.problems().count(),
        rows: rows.collect(),
        picture: (is_chosen || replay.events.len() <= DRAWN)
            .then(|| Drawing(draw(replay, &picture))),
        wanted,
        reading,
    })
}

pub async fn api(visit: Visit, Query(wanted): Query<Wanted>) -> Answer {
    let run = read(&visit, &wanted).await?;
    if !wanted.lean.is_empty() {
        let json = [(header::CONTENT_TYPE, "application/json")];
        return Ok((json, run.lean()).into_response());
    }
    answer::json(&Document { replay: &run.replay, reading: run.reading })
}

/// One event in full, by its place in the run.
pub async fn event(visit: Visit, Path(n): Path<usize>, Query(wanted): Query<Wanted>) -> Answer {
    let run = read(&visit, &wanted).await?;
    let event = run.replay.events.get(n).ok_or_else(|| {
        Error::NotFound(format!("event {n}: the run has {}", run.replay.events.len()))
    })?;
    answer::json(event)
}

async fn read(visit: &Visit, wanted: &Wanted) -> Result<Arc<Run>, Error> {
    let moment = |name: &str, text: &str| match text.trim() {
        "" => Ok(None),
        text => text
            .parse::<Timestamp>()
            .map(Some)
            .map_err(|_| Error::Usage(format!("{name} takes a time such as 2026-11-20T20:00:00Z"))),
    };
    let window =
        Window { since: moment("since", &wanted.since)?, until: moment("until", &wanted.until)? };
    visit.app.folded.run(&visit.app.watch, window).await
}
