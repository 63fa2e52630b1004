//! opencode: the log of events, the tables before it, and the documents before those.

use std::fs;
use std::path::Path;

use brigade_core::transcript::adapter::Filter;
use brigade_core::transcript::reader::Budget;
use brigade_core::transcript::source::{Relation, Source};
use rusqlite::{Connection, params};

use super::support::*;

const HARNESS: &str = "opencode";

const SCHEMA: &str = "
    CREATE TABLE session (id text PRIMARY KEY, parent_id text, directory text NOT NULL,
        title text NOT NULL, time_created integer NOT NULL, time_archived integer);
    CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, data text NOT NULL);
    CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL, session_id text NOT NULL,
        data text NOT NULL);
    INSERT INTO session VALUES ('ses_1', NULL, '/work/demo', 'Stew', 1795199588153, NULL);
    INSERT INTO session VALUES ('ses_2', 'ses_1', '/work/demo', 'Stir', 1795199588154, NULL);
    INSERT INTO session VALUES ('ses_3', NULL, '/work/other', 'Other', 1795199588155, NULL);
    INSERT INTO message VALUES ('msg_1', 'ses_1', '{\"role\":\"user\"}');
    INSERT INTO message VALUES ('msg_2', 'ses_1', '{\"role\":\"assistant\"}');
";

const LOG: &str = "CREATE TABLE event (id text PRIMARY KEY, aggregate_id text NOT NULL,
    seq integer NOT NULL, type text NOT NULL, data text NOT NULL);";

const PARTS: [(&str, &str, &str); 5] = [
    ("prt_1", "msg_1", "\"type\":\"text\",\"text\":\"Stir the stew\""),
    ("prt_2", "msg_2", "\"type\":\"reasoning\",\"text\":\"A spoon.\""),
    (
        "prt_3",
        "msg_2",
        "\"type\":\"tool\",\"callID\":\"c1\",\"tool\":\"bash\",\"state\":{\"status\":\"error\",\
         \"input\":{\"command\":\"stir\"},\"error\":\"no spoon\",\"time\":{\"start\":1,\"end\":4}}",
    ),
    (
        "prt_4",
        "msg_2",
        "\"type\":\"step-finish\",\"cost\":0.5,\"tokens\":{\"input\":7,\"output\":2,\"cache\":{\"read\":5}}",
    ),
    ("prt_5", "msg_2", "\"type\":\"text\",\"text\":\"No spoon.\""),
];

const TOLD: [&str; 5] = [
    "user: Stir the stew",
    "thinking: A spoon.",
    "call bash: {\"command\":\"stir\"}",
    "result failed: no spoon",
    "assistant: No spoon.",
];

fn home(log: bool) -> (tempfile::TempDir, Connection) {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join(".local/share/opencode");
    fs::create_dir_all(&data).unwrap();
    let database = Connection::open(data.join("opencode.db")).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database.execute_batch(SCHEMA).unwrap();
    if log {
        database.execute_batch(LOG).unwrap();
    }
    (home, database)
}

/// A session of the log, and nobody who has it open.
pub fn stew() -> tempfile::TempDir {
    let (home, database) = home(true);
    for (seq, part) in (0..).zip(PARTS) {
        part_event(&database, seq, part);
    }
    home
}

fn event(database: &Connection, seq: i64, kind: &str, data: &str) {
    let insert = "INSERT INTO event VALUES (?1, 'ses_1', ?2, ?3, ?4)";
    database.execute(insert, params![format!("evt_{seq}"), seq, kind, data]).unwrap();
}

fn part_event(database: &Connection, seq: i64, (id, message, rest): (&str, &str, &str)) {
    let part = format!("{{\"part\":{{\"id\":\"{id}\",\"messageID\":\"{message}\",{rest}}}}}");
    event(database, seq, "message.part.updated.1", &part);
}

fn main(home: &Path) -> Source {
    let found = find(HARNESS, &places(home, &[]), &project("/work/demo"));
    assert!(found.trouble.is_empty(), "{:?}", found.trouble);
    session(&found, "ses_1").sources[0].clone()
}

#[test]
fn the_log_is_followed_and_parts_written_again_are_told_once() {
    let (home, database) = home(true);
    event(
        &database,
        0,
        "session.created.1",
        "{\"info\":{\"id\":\"ses_1\",\"directory\":\"/work/demo\"}}",
    );
    let pending = "\"type\":\"tool\",\"callID\":\"c1\",\"tool\":\"bash\",\"state\":{\"status\":\"pending\",\"input\":{}}";
    part_event(&database, 1, PARTS[0]);
    let source = main(home.path());
    let mut mirror = Mirror::default();
    mirror.follow(&source, &Budget::default());
    part_event(&database, 2, PARTS[1]);
    part_event(&database, 3, ("prt_3", "msg_2", pending));
    for (place, part) in PARTS[2..].iter().enumerate() {
        part_event(&database, 4 + place as i64, *part);
    }
    mirror.follow(&source, &Budget::default());
    assert_eq!(mirror.records.len(), 7);
    assert!(mirror.revisions.is_empty());
    let timeline = timeline(HARNESS, &source);
    assert_eq!(story(&timeline), TOLD);
    assert_eq!((timeline.usage().output, timeline.usage().cost_usd), (2, Some(0.5)));
    event(&database, 7, "message.removed.1", "{\"messageID\":\"msg_2\"}");
    let told = story(&super::support::timeline(HARNESS, &source));
    assert_eq!(told[0], "user: Stir the stew");
    assert!(told[1..].iter().all(|line| line.ends_with("(Rewound)")), "{told:?}");
    // Deleted, and begun anew under the same name.
    database.execute_batch("DELETE FROM event").unwrap();
    event(&database, 100, "session.created.1", "{\"info\":{\"id\":\"ses_1\"}}");
    mirror.follow(&source, &Budget::default());
    assert_eq!(mirror.records.len(), 1);
    let child = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    let parent = session(&child, "ses_2").parent.as_ref().unwrap();
    assert_eq!((parent.id.as_str(), parent.relation), ("ses_1", Relation::Subagent));
}

#[test]
fn tables_without_a_log_are_told_in_the_same_words() {
    let (home, database) = home(false);
    for (id, message, rest) in PARTS {
        let data = format!("{{{rest}}}");
        let insert = "INSERT INTO part VALUES (?1, ?2, 'ses_1', ?3)";
        database.execute(insert, params![id, message, data]).unwrap();
    }
    let source = main(home.path());
    assert_eq!(story(&timeline(HARNESS, &source)), TOLD);
    let mut mirror = Mirror::default();
    mirror.follow(&source, &Budget::default());
    let change =
        "UPDATE part SET data = '{\"type\":\"text\",\"text\":\"A fork.\"}' WHERE id = 'prt_5'";
    database.execute_batch(change).unwrap();
    mirror.follow(&source, &Budget::default());
    assert_eq!(mirror.revisions, [6]);
    assert_eq!(mirror.records, fresh(&source));
}

#[test]
fn documents_are_told_and_give_way_to_the_database() {
    let home = home_with(HARNESS, ".local/share/opencode");
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    assert_eq!(found.sessions[0].title.as_deref(), Some("Legacy stew"));
    let source = &found.sessions[0].sources[0];
    assert_eq!(
        story(&timeline(HARNESS, source)),
        [
            "title: Legacy stew",
            "user: Stir the stew",
            "call bash: {\"command\":\"stir\"}",
            "result exit 0: stirred",
            "assistant: Stirred.",
        ]
    );
    let mut mirror = Mirror::default();
    mirror.follow(source, &Budget::default());
    let part = home.path().join(".local/share/opencode/storage/part/msg_2/prt_3.json");
    fs::write(&part, "{\"id\":\"prt_3\",\"messageID\":\"msg_2\",\"type\":\"te").unwrap();
    mirror.follow(source, &Budget::default());
    assert_eq!(mirror.revisions, [5]);
    assert!(mirror.lines()[5].contains("\"text\""));
    let database = Connection::open(home.path().join(".local/share/opencode/opencode.db")).unwrap();
    database.execute_batch(&SCHEMA.replace("ses_1", "ses_l1")).unwrap();
    let found = find(HARNESS, &places(home.path(), &[]), &Filter::everything());
    assert_eq!(found.sessions.len(), 3);
}

#[test]
fn its_variables_move_it() {
    let (home, _database) = home(true);
    let data = home.path().join(".local/share");
    let count = |variables: &[(&str, &str)]| {
        find(HARNESS, &places(Path::new("/nowhere"), variables), &Filter::everything())
            .sessions
            .len()
    };
    let named = data.join("opencode/opencode.db");
    assert_eq!(count(&[("XDG_DATA_HOME", data.to_str().unwrap())]), 3);
    assert_eq!(count(&[("OPENCODE_DB", named.to_str().unwrap())]), 3);
    assert_eq!(count(&[("OPENCODE_DB", ":memory:")]), 0);
}

#[test]
fn the_samples_are_understood() {
    let Some(samples) = samples(HARNESS) else { return };
    let home = tempfile::tempdir().unwrap();
    copy_tree(&samples.join("generated/1.18.33"), &home.path().join("opencode"));
    samples_are_understood(HARNESS, &[("XDG_DATA_HOME", home.path())], home.path());
}
