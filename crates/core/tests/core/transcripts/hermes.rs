//! Hermes: a database whose rows are taken back, switched off and written anew.

use std::path::Path;

use brigade_core::transcript::adapter::Filter;
use brigade_core::transcript::places::{Places, Platform};
use brigade_core::transcript::reader::Budget;
use brigade_core::transcript::source::Relation;
use proptest::prelude::*;
use rusqlite::{Connection, params};

use super::support::*;
use crate::support::one_in;

const HARNESS: &str = "hermes";

const SCHEMA: &str = "
    CREATE TABLE schema_version (version INTEGER NOT NULL);
    INSERT INTO schema_version VALUES (22);
    CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT NOT NULL, model TEXT,
        model_config TEXT, parent_session_id TEXT, started_at REAL NOT NULL, title TEXT, cwd TEXT,
        git_repo_root TEXT, input_tokens INTEGER DEFAULT 0, output_tokens INTEGER DEFAULT 0,
        cache_read_tokens INTEGER DEFAULT 0, archived INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
        role TEXT NOT NULL, content TEXT, tool_call_id TEXT, tool_calls TEXT, tool_name TEXT,
        timestamp REAL NOT NULL, reasoning TEXT, active INTEGER NOT NULL DEFAULT 1,
        compacted INTEGER NOT NULL DEFAULT 0, api_content TEXT);
    INSERT INTO sessions (id, source, started_at, cwd, title, input_tokens, output_tokens)
        VALUES ('h1', 'cli', 1795199792.5, '/work/demo', 'Dishes', 10, 3);
    INSERT INTO sessions (id, source, started_at, parent_session_id)
        VALUES ('h2', 'subagent', 1795199793.5, 'h1');
    INSERT INTO sessions (id, source, started_at, cwd) VALUES ('h3', 'cli', 1795199794.5, '/work/other');
";

fn database(path: &Path) -> Connection {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let database = Connection::open(path).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database.execute_batch(SCHEMA).unwrap();
    database
}

fn say(database: &Connection, role: &str, text: &str) {
    let insert =
        "INSERT INTO messages (session_id, role, content, timestamp) VALUES ('h1', ?1, ?2, 1)";
    database.execute(insert, params![role, text]).unwrap();
}

/// A session with its tools and with what was taken back, and nobody who has it open.
pub fn dishes() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let database = database(&home.path().join(".hermes/state.db"));
    say(&database, "user", "Dry the plates");
    let call = "[{\"id\":\"c1\",\"function\":{\"name\":\"terminal\",\"arguments\":\"{\\\"command\\\":\\\"dry\\\"}\"}}]";
    let insert = "INSERT INTO messages (session_id, role, content, tool_calls, reasoning, timestamp) \
                  VALUES ('h1', 'assistant', 'I dry.', ?1, 'A towel.', 2)";
    database.execute(insert, params![call]).unwrap();
    let insert = "INSERT INTO messages (session_id, role, content, tool_call_id, tool_name, timestamp) \
                  VALUES ('h1', 'tool', '{\"output\":\"dry\",\"exit_code\":1,\"error\":null}', 'c1', 'terminal', 3)";
    database.execute(insert, []).unwrap();
    say(&database, "user", "No, wet");
    database.execute_batch("UPDATE messages SET active = 0 WHERE content = 'No, wet'").unwrap();
    home
}

#[test]
fn a_session_is_told_with_its_tools_and_what_was_taken_back() {
    let home = dishes();
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    assert_eq!(ids(&found), ["h1", "h2"]);
    let child = found.sessions[1].parent.as_ref().unwrap();
    assert_eq!((child.id.as_str(), child.relation), ("h1", Relation::Subagent));
    assert_eq!(found.sessions[0].title.as_deref(), Some("Dishes"));
    assert_eq!(
        story(&timeline(HARNESS, &found.sessions[0].sources[0])),
        [
            "user: Dry the plates",
            "thinking: A towel.",
            "assistant: I dry.",
            "call terminal: {\"command\":\"dry\"}",
            "result exit 1 failed: dry",
            "user: No, wet (Rewound)",
        ]
    );
    let about = timeline(HARNESS, &found.sessions[0].sources[1]);
    assert_eq!(story(&about), ["title: Dishes"]);
    assert_eq!(about.usage().output, 3);
}

#[test]
fn a_rewind_revises_the_end_and_a_changed_counter_only_the_session_row() {
    let home = tempfile::tempdir().unwrap();
    let database = database(&home.path().join(".hermes/state.db"));
    for number in 0..50 {
        say(&database, "user", &number.to_string());
    }
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    let [main, row] = &found.sessions[0].sources[..] else { panic!("two sources") };
    let (mut said, mut about) = (Mirror::default(), Mirror::default());
    said.follow(main, &Budget::default());
    about.follow(row, &Budget::default());
    database.execute_batch("UPDATE sessions SET output_tokens = 4 WHERE id = 'h1'").unwrap();
    said.follow(main, &Budget::default());
    about.follow(row, &Budget::default());
    assert!(said.revisions.is_empty());
    assert_eq!(about.revisions, [0]);
    database.execute_batch("UPDATE messages SET active = 0 WHERE id > 48").unwrap();
    said.follow(main, &Budget::default());
    assert_eq!(said.revisions, [48]);
    assert_eq!(said.records, fresh(main));
}

#[test]
fn profiles_and_windows_have_their_places() {
    let home = tempfile::tempdir().unwrap();
    drop(database(&home.path().join("AppData/Local/hermes/profiles/work/state.db")));
    let windows = Places::new(home.path(), Platform::Windows, &|_| None);
    assert_eq!(find(HARNESS, &windows, &Filter::everything()).sessions.len(), 3);
    let root = home.path().join("AppData/Local/hermes");
    let named = [("HERMES_HOME", root.to_str().unwrap())];
    let found = find(HARNESS, &places(Path::new("/nowhere"), &named), &project("/work/demo"));
    assert_eq!(found.sessions.len(), 2);
}

proptest! {
    #![proptest_config(one_in(10))]

    #[test]
    fn whatever_is_done_to_the_rows_the_mirror_holds_what_they_hold(
        steps in proptest::collection::vec((0_u8..7, 0_i64..20), 1..25),
    ) {
        let home = tempfile::tempdir().unwrap();
        let database = database(&home.path().join(".hermes/state.db"));
        let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
        let source = &found.sessions[0].sources[0];
        let mut mirror = Mirror::default();
        for (kind, number) in steps {
            match kind {
                0..3 => say(&database, "user", &number.to_string()),
                3 => drop(database.execute("DELETE FROM messages WHERE id = ?1", [number])),
                4 => drop(database.execute("UPDATE messages SET active = 0, compacted = 1 WHERE id < ?1", [number])),
                5 => drop(database.execute("UPDATE messages SET api_content = 'x' WHERE id = ?1", [number])),
                _ => {
                    // As the harness replaces a conversation: all rows go, the kept ones come anew.
                    let again = "CREATE TEMP TABLE kept AS SELECT role, content FROM messages WHERE id > ?1";
                    database.execute(again, [number]).ok();
                    database.execute_batch("DELETE FROM messages; \
                        INSERT INTO messages (session_id, role, content, timestamp) \
                        SELECT 'h1', role, content, 1 FROM temp.kept; DROP TABLE temp.kept").ok();
                }
            }
            let batch = mirror.look(source, &Budget { records: 3, ..Budget::default() });
            if batch.more {
                mirror.follow(source, &Budget::default());
            }
            prop_assert_eq!(&mirror.records, &fresh(source));
        }
    }
}

#[test]
fn the_samples_are_understood() {
    let Some(samples) = samples(HARNESS) else { return };
    let copy = tempfile::tempdir().unwrap();
    copy_tree(&samples.join("generated/0.19.0"), copy.path());
    samples_are_understood(HARNESS, &[("HERMES_HOME", copy.path())], copy.path());
}
