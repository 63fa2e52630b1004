//! Sessions told as documents: whole, in the order that holds, and harmless whatever stands in them.

mod atif;
mod documents;
mod hostile;
mod windows;

use brigade_core::transcript::adapter::Filter;
use brigade_core::transcript::places::Places;
use brigade_core::transcript::reader::{Budget, Part, Reader};
use brigade_core::transcript::registry;
use brigade_core::transcript::retell::{About, Format, Retelling, Tally, Voice, place};
use brigade_core::transcript::source::Session;

use super::support::*;
use super::{hermes, openclaw, opencode};

/// The records of one voice.
pub type Spoken = (Voice, Vec<(Part, Vec<u8>)>);

/// A session's records by voice, in the order in which it is told.
pub fn voices(session: &Session) -> Vec<Spoken> {
    let mut voices: Vec<Spoken> = Vec::new();
    for source in &session.sources {
        let mut records = Vec::new();
        Reader::default().read_all(source, None, &Budget::default(), &mut |batch| {
            assert!(batch.trouble.is_none(), "{:?}", batch.trouble);
            records.extend(batch.records.into_iter().map(|record| (record.part, record.bytes)));
            true
        });
        let voice = Voice { source: source.name.clone(), agent: source.agent.clone() };
        voices.push((voice, records));
    }
    voices.sort_by_key(|(voice, _)| place(&voice.source));
    voices
}

pub fn about(session: &Session) -> About {
    About {
        harness: session.harness.to_owned(),
        session: session.id.clone(),
        title: session.title.clone(),
        cwd: session.cwd.clone(),
        started: session.started.clone(),
        parent: session.parent.as_ref().map(|parent| parent.id.clone()),
        agents: vec!["cook".into()],
        tasks: vec!["bd-1".into()],
    }
}

pub fn told(session: &Session, format: Format) -> (String, Tally) {
    let adapter = registry::named(session.harness).unwrap();
    let mut out = String::new();
    let mut retelling = Retelling::new(adapter, format, &about(session), &mut out);
    for (voice, records) in voices(session) {
        retelling.voice(voice, &mut out);
        for (part, bytes) in records {
            retelling.record(part, &bytes, &mut out);
        }
    }
    let tally = retelling.end(&mut out);
    (out, tally)
}

/// A session as if its one source held these lines.
pub fn told_lines(harness: &str, format: Format, about: &About, lines: &[String]) -> String {
    let mut out = String::new();
    let adapter = registry::named(harness).unwrap();
    let mut retelling = Retelling::new(adapter, format, about, &mut out);
    retelling.voice(Voice { source: "main".into(), agent: None }, &mut out);
    for line in lines {
        retelling.record(Part::Whole, line.as_bytes(), &mut out);
    }
    retelling.end(&mut out);
    out
}

/// Sessions, and the folders that they lie in.
pub struct Kitchen {
    _homes: Vec<tempfile::TempDir>,
    pub sessions: Vec<Session>,
}

/// Every session of every fixture, in files and in databases.
pub fn every_session() -> Kitchen {
    let mut all = Kitchen { _homes: Vec::new(), sessions: Vec::new() };
    for (fixture, folder, harness) in [
        ("claude-code/1.0", ".claude", "claude-code"),
        ("claude-code/2.0", ".claude", "claude-code"),
        ("claude-code/2.1", ".claude", "claude-code"),
        ("codex/legacy", ".codex", "codex"),
        ("codex/paginated", ".codex", "codex"),
        ("copilot-cli", ".copilot", "copilot-cli"),
        ("gemini-cli", ".gemini", "gemini-cli"),
        ("kimi", ".kimi-code", "kimi"),
        ("openclaw", ".openclaw", "openclaw"),
        ("opencode", ".local/share/opencode", "opencode"),
        ("pi", ".pi/agent", "pi"),
        ("qwen-code", ".qwen", "qwen-code"),
    ] {
        let home = home_with(fixture, folder);
        all.sessions.extend(sessions(home.path(), harness));
        all._homes.push(home);
    }
    for (home, harness) in [
        (hermes::dishes(), "hermes"),
        (openclaw::home_with_database(), "openclaw"),
        (opencode::stew(), "opencode"),
    ] {
        let mut sessions = sessions(home.path(), harness);
        for session in &mut sessions {
            // Of a source without records nothing is ever stored.
            session.sources.retain(|source| !fresh(source).is_empty());
        }
        all.sessions.extend(sessions);
        all._homes.push(home);
    }
    all
}

pub fn sessions(home: &std::path::Path, harness: &str) -> Vec<Session> {
    let places: Places = places(home, &[]);
    let found = find(harness, &places, &Filter::everything());
    assert!(!found.sessions.is_empty(), "{harness} in {}", home.display());
    found.sessions
}
