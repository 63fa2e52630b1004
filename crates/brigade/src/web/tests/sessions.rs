//! Transcripts: on the page of the task, at the moment of an event, and as they grow.

use std::sync::Arc;

use axum::http::StatusCode;
use brigade_core::Project;
use brigade_core::id::{AgentId, TranscriptId};
use brigade_core::mirror::{Draft, Head, Next, PartPut};
use brigade_core::session::{Profile, RamState, Session};
use brigade_core::transcript::reader::{Budget, Part, Reader};
use brigade_core::transcript::redact::{Carry, Counts};
use brigade_core::transcript::source::Source;
use serde_json::{Value, json};

use super::stage::{Stage, claim, create};

const ID: &str = "33333333-3333-4333-8333-333333333333";

/// An agent that runs in a session of Claude Code.
fn inside(stage: &Stage) -> Project {
    let agent = AgentId::parse("developer").unwrap();
    let profile = Profile {
        harness: Some("claude-code".into()),
        harness_session: Some(ID.into()),
        ..Profile::default()
    };
    let (store, state) = (stage.store.clone(), Arc::new(RamState::default()));
    let session = Session::new(store, stage.world.clone(), stage.layout.clone(), agent, state);
    Project::new(session.with_profile(profile))
}

fn id() -> TranscriptId {
    TranscriptId::parse("claude-code", ID).unwrap()
}

async fn introduce(who: &Project) {
    let head = Head {
        harness: "claude-code".into(),
        session: ID.into(),
        cwd: None,
        branch: None,
        started: None,
        title: Some("Spoons".into()),
        parent: None,
        host: None,
        own: false,
        tasks: Vec::new(),
    };
    who.sessions().introduce(&id(), head).await.unwrap();
}

fn says(at: &str, words: &str) -> String {
    json!({"type": "user", "uuid": at, "timestamp": at, "message": {"content": words}}).to_string()
}

async fn put(who: &Project, n: u32, first: u64, lines: &[String]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{}\n").unwrap();
    let folder = file.path().parent().unwrap().to_owned();
    let of = Source::lines("main", folder, vec![file.path().to_owned()]);
    let cursor = Reader::default().read(&of, None, &Budget::default()).next_cursor.unwrap();
    let draft = Draft {
        source: "main".into(),
        speaker: None,
        file: None,
        before: None,
        generation: 0,
        keep: None,
        first,
        bytes: 1,
        records: lines.iter().map(|line| (Part::Whole, line.as_bytes().to_vec())).collect(),
        key: "k".into(),
        redacted: true,
        redactions: Counts::default(),
        held_back: 0,
        tasks: Vec::new(),
        next: Next { cursor, carry: Carry::default() },
    };
    let put = who.sessions().append(&id(), n, 0, draft).await.unwrap();
    assert!(matches!(put, PartPut::Won(_)), "{put:?}");
}

/// Ten parts of ten records, one each second.
async fn talk(who: &Project) {
    introduce(who).await;
    for part in 0..10 {
        let lines: Vec<String> = (0..10)
            .map(|n| says(&format!("2026-11-01T10:{part:02}:{n:02}Z"), &format!("word {part}-{n}")))
            .collect();
        put(who, part, u64::from(part) * 10, &lines).await;
    }
}

fn words(turns: &Value) -> Vec<String> {
    let text = |turn: &Value| turn["text"][0][1].as_str().unwrap().to_owned();
    turns.as_array().unwrap().iter().map(text).collect()
}

#[tokio::test(start_paused = true)]
async fn a_task_leads_to_the_transcripts_of_those_who_held_it() {
    let stage = Stage::reading().await;
    let developer = inside(&stage);
    create(&developer, "build", "Build it", &[]).await;
    claim(&developer, "build").await;
    let before = stage.get("/task/build").await.body;
    assert!(!before.contains("Its transcripts"), "{before}");
    talk(&developer).await;
    let page = stage.get("/task/build").await.body;
    assert!(page.contains("Its transcripts") && page.contains("Spoons"), "{page}");
    let link = format!("/session/claude-code/{ID}?at=");
    assert!(page.contains(&link), "{page}");
    let all: Value = serde_json::from_str(&stage.get("/api/tasks/build").await.body).unwrap();
    assert_eq!(all["transcripts"][0]["id"], ID, "{}", all["transcripts"]);
}

#[tokio::test(start_paused = true)]
async fn a_moment_shows_what_was_said_before_it_and_what_came_next() {
    let stage = Stage::reading().await;
    talk(&inside(&stage)).await;
    let at = async |time: &str| -> Value {
        let said = stage.get(&format!("/api/sessions/claude-code/{ID}/at?time={time}")).await;
        assert_eq!(said.status, StatusCode::OK, "{}", said.body);
        serde_json::from_str(&said.body).unwrap()
    };
    let middle = at("2026-11-01T10:04:02.500Z").await;
    assert_eq!(
        words(&middle["turns"]),
        [
            "word 3-5", "word 3-6", "word 3-7", "word 3-8", "word 3-9", "word 4-0", "word 4-1",
            "word 4-2", "word 4-3", "word 4-4", "word 4-5"
        ]
    );
    let later = |turn: &Value| turn["later"] == true;
    let first_later = middle["turns"].as_array().unwrap().iter().position(later);
    assert_eq!(first_later, Some(8));
    let page = stage.get(middle["page"].as_str().unwrap()).await.body;
    assert!(page.contains("word 4-2") && !page.contains("word 3-9"), "{page}");
    assert_eq!(words(&at("2020-01-01T00:00:00Z").await["turns"]).first().unwrap(), "word 0-0");
    assert_eq!(words(&at("2030-01-01T00:00:00Z").await["turns"]).last().unwrap(), "word 9-9");
    let odd = stage.get(&format!("/api/sessions/claude-code/{ID}/at?time=soon")).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_page_leads_to_what_comes_after_it() {
    let stage = Stage::reading().await;
    let developer = inside(&stage);
    talk(&developer).await;
    let more = |page: &str| -> String {
        let from = page.split_once("data-more=\"").unwrap().1;
        from.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&")
    };
    let page = stage.get(&format!("/session/claude-code/{ID}")).await.body;
    assert!(page.contains("data-end"), "{page}");
    let end = more(&page);
    let nothing = stage.get(&end).await.body;
    assert!(!nothing.contains("word") && more(&nothing) == end, "{nothing}");
    put(&developer, 10, 100, &[says("2026-11-01T11:00:00Z", "said meanwhile")]).await;
    let page = stage.get(&end).await.body;
    assert!(page.contains("said meanwhile") && !page.contains("word 9-9"), "{page}");
    assert!(stage.get(&more(&page)).await.body.contains("Nothing was said here"));
}
