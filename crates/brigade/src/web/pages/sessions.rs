//! Sessions: mirrored transcripts, and one of them as a conversation. A session is read part by
//! part and never held whole, however large it is.

mod read;
mod said;

use askama::Template;
use axum::extract::{Path, Query};
use brigade_core::id::TranscriptId;
use brigade_core::mirror::StoredSession;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::read::{Around, Read, around, read};
use self::said::Said;
use crate::web::answer::{self, Answer, Page, Shell, Visit};
use crate::web::words::{self, When};

/// Sessions on the page.
const ROWS: usize = 500;
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// A subagent's own records.
    pub source: String,
    /// From which part on, and how many of its records before that are left out.
    pub part: u32,
    pub skip: u64,
    pub text: String,
    /// Instead of a place: the moment from which on it is shown.
    #[serde(alias = "time")]
    pub at: String,
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    shell: Shell,
    rows: Vec<Row>,
    total: usize,
}

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage {
    shell: Shell,
    row: Row,
    wanted: Wanted,
    sources: Vec<(String, String, bool)>,
    turns: Vec<Said>,
    hits: Option<Vec<(String, String)>>,
    first: Option<String>,
    next: Option<String>,
    last: Option<String>,
    /// Where what follows is read, and whether nothing follows yet.
    more: String,
    is_end: bool,
    url: String,
    command: String,
}

/// One session, as pages show it.
pub struct Row {
    pub title: String,
    pub id: String,
    pub url: String,
    pub harness: String,
    pub cwd: String,
    pub by: String,
    pub by_url: String,
    pub tasks: Vec<(String, String)>,
    pub size: String,
    pub subagents: usize,
    pub modified: Option<When>,
    pub started: String,
    pub parent: String,
}

#[derive(Serialize)]
struct Conversation {
    session: StoredSession,
    source: String,
    turns: Vec<Said>,
    /// Where the next page begins; `null` at the end.
    next: Option<(u32, u64)>,
    /// At the end: where to read on when more has come.
    end: Option<(u32, u64)>,
}

/// What was said around a moment.
#[derive(Serialize)]
struct Moment {
    harness: String,
    id: String,
    title: String,
    /// The page of the session at that moment.
    page: String,
    turns: Vec<Then>,
}

#[derive(Serialize)]
struct Then {
    #[serde(flatten)]
    said: Said,
    /// It was said after that moment.
    later: bool,
}

pub async fn sessions(visit: Visit) -> Page {
    let now = visit.app.watch.now().await?.snapshot.at;
    let mut all = visit.app.watch.project().sessions().list(None).await?;
    all.sort_by_key(|session| std::cmp::Reverse(session.modified));
    let rows = all.iter().take(ROWS).map(|session| row(session, now)).collect();
    let shell = visit.shell("Sessions", "sessions", "none");
    answer::page(&SessionsPage { shell, rows, total: all.len() })
}

pub async fn api_all(visit: Visit) -> Answer {
    visit.app.watch.now().await?;
    answer::json(&visit.app.watch.project().sessions().list(None).await?)
}

pub async fn session(
    visit: Visit,
    Path((harness, id)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Page {
    let now = visit.app.watch.now().await?.snapshot.at;
    let id = TranscriptId::parse(&harness, &id)?;
    let Read { session, source, turns, goes_on, wanted, hits } = read(&visit, id, wanted).await?;
    let next = goes_on.next();
    let row = row(&session, now);
    let of_source = format!("source={}", words::seg(&source.name()));
    let at = |part: u32, skip: u64| format!("{}?{of_source}&part={part}&skip={skip}", row.url);
    let is_start = wanted.part == 0 && wanted.skip == 0;
    let newest = session.sources.iter().find(|it| it.key == source).map_or(0, |it| it.parts);
    let last = newest.checked_sub(1).and_then(|last| u32::try_from(last).ok());
    let sources = session.sources.iter().map(|it| {
        let link = format!("{}?source={}", row.url, words::seg(&it.name));
        (words::line(&it.name), link, it.key == source)
    });
    let hits = hits.map(|hits| {
        let link = |(part, skip, words): (u32, u64, String)| (at(part, skip), words);
        hits.into_iter().map(link).collect()
    });
    answer::page(&SessionPage {
        shell: visit.shell(&row.title, "sessions", "none"),
        sources: sources.collect(),
        hits,
        first: (!is_start).then(|| at(0, 0)),
        last: last.filter(|_| next.is_some()).map(|last| at(last, 0)),
        next: next.map(|(part, skip)| at(part, skip)),
        more: at(goes_on.place().0, goes_on.place().1),
        is_end: next.is_none(),
        url: row.url.clone(),
        command: format!("brigade session list --harness {}", words::word(&row.harness)),
        row,
        wanted,
        turns,
    })
}

pub async fn api(
    visit: Visit,
    Path((harness, id)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    visit.app.watch.now().await?;
    let id = TranscriptId::parse(&harness, &id)?;
    let Read { session, source, turns, goes_on, .. } = read(&visit, id, wanted).await?;
    let next = goes_on.next();
    let end = next.is_none().then(|| goes_on.place());
    answer::json(&Conversation { session, source: source.name(), turns, next, end })
}

/// What was said around one moment: what stands beside the replay.
pub async fn api_at(
    visit: Visit,
    Path((harness, id)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let now = visit.app.watch.now().await?.snapshot.at;
    let id = TranscriptId::parse(&harness, &id)?;
    let at = words::seg(&wanted.at);
    let Around { session, turns } = around(&visit, id, wanted).await?;
    let Row { title, url, .. } = row(&session, now);
    let turns = turns.into_iter().map(|(later, said)| Then { said, later });
    answer::json(&Moment {
        harness: session.harness.to_string(),
        id: session.id.clone(),
        title,
        page: format!("{url}?at={at}"),
        turns: turns.collect(),
    })
}

pub fn row(session: &StoredSession, now: Timestamp) -> Row {
    let head = session.head.as_ref();
    let text = |of: fn(&brigade_core::mirror::Head) -> Option<&String>| {
        words::line(head.and_then(of).map_or("", String::as_str))
    };
    let title = text(|head| head.title.as_ref());
    let by = session.mirrored_by.as_ref();
    Row {
        title: if title.is_empty() { words::line(&session.id) } else { title },
        id: words::line(&session.id),
        url: format!(
            "/session/{}/{}",
            words::seg(session.harness.as_str()),
            words::seg(&session.id)
        ),
        harness: session.harness.to_string(),
        cwd: text(|head| head.cwd.as_ref()),
        by: by.map_or(String::new(), ToString::to_string),
        by_url: by.map_or(String::new(), words::agent_url),
        tasks: head
            .map(|head| head.tasks.iter().map(|it| (it.to_string(), words::task_url(it))).collect())
            .unwrap_or_default(),
        size: words::bytes(session.stored_bytes),
        subagents: session.sources.len().saturating_sub(1),
        modified: session.modified.map(|at| When::new(at, now)),
        started: text(|head| head.started.as_ref()),
        parent: head
            .and_then(|head| head.parent.as_ref())
            .map_or(String::new(), |parent| words::line(&parent.id)),
    }
}
