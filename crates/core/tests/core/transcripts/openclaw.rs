//! OpenClaw: the time of files and the time of the database.

use std::fs;
use std::path::Path;

use brigade_core::transcript::adapter::Filter;
use brigade_core::transcript::reader::Budget;
use brigade_core::transcript::source::Relation;
use brigade_core::transcript::trouble::Hindrance;
use rusqlite::{Connection, params};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::pi::told;
use super::support::*;

const HARNESS: &str = "openclaw";

#[test]
fn files_are_sessions_and_trajectories_are_not() {
    let home = home_with(HARNESS, ".openclaw");
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    assert_eq!(ids(&found), ["o1"]);
    let sources = &found.sessions[0].sources;
    assert_eq!(sources[0].name, "main");
    assert_eq!(sources[1].name, "reset/2026-11-02T00-00-00.000Z");
    assert_eq!(story(&timeline(HARNESS, &sources[0])), told("pears"));
    assert_eq!(story(&timeline(HARNESS, &sources[1])), told("plums"));
    assert_eq!(find(HARNESS, &places(home.path(), &[]), &Filter::everything()).sessions.len(), 2);
}

#[test]
fn its_variables_mean_what_the_harness_means() {
    let filter = project("/work/demo");
    let count = |home: &Path, variables: &[(&str, &str)]| {
        find(HARNESS, &places(home, variables), &filter).sessions.len()
    };
    let home = home_with(HARNESS, ".openclaw");
    let nowhere = Path::new("/nowhere");
    let path = home.path().to_str().unwrap();
    let state = home.path().join(".openclaw");
    // OPENCLAW_HOME stands for the home folder, OPENCLAW_STATE_DIR is the folder itself.
    assert_eq!(count(nowhere, &[("OPENCLAW_HOME", path)]), 1);
    assert_eq!(count(nowhere, &[("OPENCLAW_HOME", state.to_str().unwrap())]), 0);
    assert_eq!(count(nowhere, &[("OPENCLAW_STATE_DIR", state.to_str().unwrap())]), 1);
    assert_eq!(count(home.path(), &[("OPENCLAW_PROFILE", "work")]), 0);
    fs::rename(&state, home.path().join(".openclaw-work")).unwrap();
    assert_eq!(count(home.path(), &[("OPENCLAW_PROFILE", "work")]), 1);
    assert_eq!(count(home.path(), &[("OPENCLAW_PROFILE", "../x")]), 0);
    // A profile that was named on the harness's own command line is in no variable.
    assert_eq!(count(home.path(), &[]), 1);
}

/// The tables that matter, as the harness makes them.
const SCHEMA: &str = "
    CREATE TABLE schema_meta (meta_key TEXT PRIMARY KEY, schema_version INTEGER NOT NULL);
    INSERT INTO schema_meta VALUES ('primary', 23);
    CREATE TABLE transcript_events (session_id TEXT NOT NULL, seq INTEGER NOT NULL,
        event_json TEXT, created_at INTEGER NOT NULL, event_zstd BLOB, event_utf8_bytes INTEGER,
        navigation_json TEXT, PRIMARY KEY (session_id, seq));
    CREATE TABLE session_windows (session_id TEXT PRIMARY KEY, session_key TEXT NOT NULL,
        previous_session_id TEXT, reason TEXT, created_at INTEGER NOT NULL,
        parent_session_key TEXT, spawned_by TEXT, display_name TEXT);
    CREATE TABLE session_nodes (session_key TEXT PRIMARY KEY, current_session_id TEXT NOT NULL,
        label TEXT, archived_at INTEGER);
    CREATE TABLE transcript_rewrite_watermarks (session_id TEXT PRIMARY KEY, generation TEXT NOT NULL);
    CREATE TABLE session_transcript_cold_archives (session_id TEXT PRIMARY KEY, archive_name TEXT,
        storage TEXT NOT NULL DEFAULT 'file', archive_blob BLOB);
    CREATE TABLE session_transcript_archives (session_id TEXT NOT NULL, generation TEXT NOT NULL,
        session_key TEXT NOT NULL, reason TEXT NOT NULL, encoding TEXT NOT NULL,
        archive_blob BLOB NOT NULL, archive_name TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
        published_at INTEGER, PRIMARY KEY (session_id, generation));
";

struct Agent {
    home: tempfile::TempDir,
    database: Connection,
}

impl Agent {
    fn new() -> Agent {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".openclaw/agents/main/agent");
        fs::create_dir_all(&folder).unwrap();
        let database = Connection::open(folder.join("openclaw-agent.sqlite")).unwrap();
        database.pragma_update(None, "journal_mode", "WAL").unwrap();
        database.execute_batch(SCHEMA).unwrap();
        let agent = Agent { home, database };
        agent.session("d1", "agent:main:main", None);
        agent
    }

    fn session(&self, id: &str, key: &str, spawned_by: Option<&str>) {
        let window = "INSERT INTO session_windows (session_id, session_key, created_at, spawned_by) \
                      VALUES (?1, ?2, 1, ?3)";
        self.database.execute(window, params![id, key, spawned_by]).unwrap();
        let node = "INSERT INTO session_nodes (session_key, current_session_id) VALUES (?1, ?2)";
        self.database.execute(node, params![key, id]).unwrap();
        let header = format!(
            "{{\"type\":\"session\",\"version\":4,\"id\":\"{id}\",\"cwd\":\"/work/demo\"}}"
        );
        self.event(id, 0, &header);
        let mark = "INSERT INTO transcript_rewrite_watermarks VALUES (?1, 'g1')";
        self.database.execute(mark, params![id]).unwrap();
    }

    fn event(&self, id: &str, seq: i64, text: &str) {
        let insert = "INSERT INTO transcript_events (session_id, seq, event_json, created_at) \
                      VALUES (?1, ?2, ?3, 1)";
        self.database.execute(insert, params![id, seq, text]).unwrap();
    }

    fn packed(&self, id: &str, seq: i64, text: &str) {
        let insert = "INSERT INTO transcript_events \
                      (session_id, seq, created_at, event_zstd, event_utf8_bytes) \
                      VALUES (?1, ?2, 1, ?3, ?4)";
        let bytes = compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        self.database.execute(insert, params![id, seq, bytes, text.len() as i64]).unwrap();
    }

    fn source(&self, id: &str) -> brigade_core::transcript::source::Source {
        let found = find(HARNESS, &places(self.home.path(), &[]), &project("/work/demo"));
        assert!(found.trouble.is_empty(), "{:?}", found.trouble);
        session(&found, id).sources[0].clone()
    }
}

/// A session with a subagent in the database, and nobody who has it open.
pub fn home_with_database() -> tempfile::TempDir {
    let agent = Agent::new();
    agent.session("d2", "agent:main:sub", Some("agent:main:main"));
    for (seq, row) in
        include_str!("../../fixtures/transcripts/openclaw/agents/main/sessions/o1.jsonl")
            .lines()
            .enumerate()
            .skip(1)
    {
        agent.event("d1", seq as i64, row);
        agent.packed("d2", seq as i64, row);
    }
    agent.home
}

fn said(seq: i64) -> String {
    format!(
        "{{\"type\":\"message\",\"id\":\"m{seq}\",\"message\":{{\"role\":\"user\",\"content\":\"{seq}\"}}}}"
    )
}

#[test]
fn the_database_is_followed_while_its_writer_has_it_open() {
    let agent = Agent::new();
    let source = agent.source("d1");
    let mut mirror = Mirror::default();
    for seq in 1..600 {
        agent.event("d1", seq, &said(seq));
        if seq % 97 == 0 {
            mirror.follow(&source, &Budget { records: 50, ..Budget::default() });
            assert_eq!(mirror.records.len() as i64, seq + 1);
        }
    }
    agent.packed("d1", 600, &said(600));
    mirror.follow(&source, &Budget::default());
    assert_eq!(mirror.lines()[600], said(600));
    assert!(mirror.revisions.is_empty());
    assert_eq!(story(&timeline(HARNESS, &source))[599], "user: 600");
}

#[test]
fn a_rewrite_under_a_new_generation_is_a_revision() {
    let agent = Agent::new();
    let source = agent.source("d1");
    for seq in 1..100 {
        agent.event("d1", seq, &said(seq));
    }
    let mut mirror = Mirror::default();
    mirror.follow(&source, &Budget::default());
    let rewrite = "UPDATE transcript_events SET event_json = '{\"type\":\"reset\"}' WHERE seq = 3; \
                   UPDATE transcript_rewrite_watermarks SET generation = 'g2'";
    agent.database.execute_batch(rewrite).unwrap();
    mirror.follow(&source, &Budget::default());
    assert!(mirror.revisions[0] <= 3, "{:?}", mirror.revisions);
    assert_eq!(mirror.records, fresh(&source));
}

#[test]
fn a_session_that_was_moved_to_cold_storage_is_read_on_from_there() {
    let agent = Agent::new();
    for seq in 1..40 {
        agent.event("d1", seq, &said(seq));
    }
    let mut mirror = Mirror::default();
    mirror.follow(&agent.source("d1"), &Budget::default());
    let text: String = mirror.lines().iter().map(|line| format!("{line}\n")).collect();
    let cold = agent.home.path().join(".openclaw/agents/main/sessions/cold");
    fs::create_dir_all(&cold).unwrap();
    let bytes = compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
    fs::write(cold.join("d1.jsonl.zst"), bytes).unwrap();
    let moved = "DELETE FROM transcript_events; \
                 INSERT INTO session_transcript_cold_archives (session_id, archive_name) \
                 VALUES ('d1', 'd1.jsonl.zst')";
    agent.database.execute_batch(moved).unwrap();
    let batch = mirror.follow(&agent.source("d1"), &Budget::default());
    assert!(batch.trouble.is_none(), "{:?}", batch.trouble);
    // Or into a field of the database.
    let bytes = fs::read(cold.join("d1.jsonl.zst")).unwrap();
    fs::remove_file(cold.join("d1.jsonl.zst")).unwrap();
    let moved = "UPDATE session_transcript_cold_archives SET storage = 'sqlite', archive_blob = ?1";
    agent.database.execute(moved, params![bytes]).unwrap();
    let batch = mirror.follow(&agent.source("d1"), &Budget::default());
    assert!(batch.trouble.is_none(), "{:?}", batch.trouble);
    assert_eq!(mirror.records.len(), 40);
    assert!(mirror.revisions.is_empty(), "{:?}", mirror.revisions);
}

#[test]
fn what_a_reset_or_deletion_left_in_the_database_is_read_until_it_is_a_file() {
    let agent = Agent::new();
    let header = "{\"type\":\"session\",\"version\":4,\"cwd\":\"/work/demo\"}";
    let text = format!("{header}\n{}\n{}\n", said(1), said(2));
    let packed = compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
    let insert = "INSERT INTO session_transcript_archives VALUES \
                  (?1, 'g1', 'agent:main:main', ?2, ?3, ?4, ?5, 1, NULL)";
    let deleted = "d9.jsonl.deleted.2026-11-02T00-00-00.000Z.zst";
    let row = params!["d9", "deleted", "zstd", packed, deleted];
    agent.database.execute(insert, row).unwrap();
    let row = params!["d1", "reset", "identity", text.as_bytes(), "d1.jsonl.reset.2026-11-02"];
    agent.database.execute(insert, row).unwrap();

    let found = find(HARNESS, &places(agent.home.path(), &[]), &project("/work/demo"));
    assert!(found.trouble.is_empty(), "{:?}", found.trouble);
    assert_eq!(ids(&found), ["d1", "d9"]);
    assert!(found.sessions[1].archived && !found.sessions[0].archived);
    let reset = &found.sessions[0].sources[1];
    assert_eq!(reset.name, "reset/2026-11-02");
    assert_eq!(story(&timeline(HARNESS, reset)), ["user: 1", "user: 2"]);
    let mut mirror = Mirror::default();
    mirror.follow(&found.sessions[1].sources[0], &Budget::default());
    assert_eq!(mirror.lines()[1], said(1));

    // Written into its file it is the same source, and tells nothing new.
    let sessions = agent.home.path().join(".openclaw/agents/main/sessions");
    fs::create_dir_all(&sessions).unwrap();
    let bytes = compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
    fs::write(sessions.join(deleted), bytes).unwrap();
    let again = find(HARNESS, &places(agent.home.path(), &[]), &project("/work/demo"));
    let (before, after) = (&found.sessions[1].sources, &again.sessions[1].sources);
    assert_eq!(after.len(), 1);
    assert_eq!(before[0].name, after[0].name);
    mirror.follow(&after[0], &Budget::default());
    assert_eq!((mirror.records.len(), mirror.revisions.len()), (3, 0));
}

#[test]
fn subagents_know_their_parent_and_old_files_are_not_told_twice() {
    let agent = Agent::new();
    agent.session("d2", "agent:main:sub", Some("agent:main:main"));
    let sessions = agent.home.path().join(".openclaw/agents/main/sessions");
    fs::create_dir_all(&sessions).unwrap();
    fs::write(sessions.join("d1.jsonl"), "{\"type\":\"session\",\"cwd\":\"/work/demo\"}\n")
        .unwrap();
    let found = find(HARNESS, &places(agent.home.path(), &[]), &project("/work/demo"));
    assert_eq!(ids(&found), ["d1", "d2"]);
    assert_eq!(found.sessions[0].sources.len(), 1);
    let parent = found.sessions[1].parent.as_ref().unwrap();
    assert_eq!((parent.id.as_str(), parent.relation), ("d1", Relation::Subagent));
}

#[test]
fn a_newer_schema_that_still_answers_is_read_and_said() {
    let agent = Agent::new();
    agent.database.execute_batch("UPDATE schema_meta SET schema_version = 24").unwrap();
    let mut mirror = Mirror::default();
    let batch = mirror.follow(&agent.source("d1"), &Budget::default());
    assert_eq!(batch.trouble.unwrap().what, Hindrance::Newer);
    assert_eq!(mirror.records.len(), 1);
}

#[test]
fn the_samples_are_understood() {
    let Some(samples) = samples(HARNESS) else { return };
    for version in ["2026.5.28", "2026.7.1"] {
        let root = samples.join("generated").join(version);
        samples_are_understood(HARNESS, &[("OPENCLAW_STATE_DIR", &root)], &root);
    }
    let copy = tempfile::tempdir().unwrap();
    copy_tree(&samples.join("generated/2026.9.6"), copy.path());
    samples_are_understood(HARNESS, &[("OPENCLAW_STATE_DIR", copy.path())], copy.path());
}
