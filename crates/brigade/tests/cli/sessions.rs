//! Sessions of other programs, mirrored as users type it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::support::{Said, Stage};

pub(super) const SESSION: &str = "5efa6a34-0000-4000-8000-000000000001";
/// The example key of the AWS manual.
pub(super) const SECRET: &str = "AKIAIOSFODNN7EXAMPLE";

/// Where Claude Code keeps the sessions of the stage's folder.
fn folder(stage: &Stage) -> PathBuf {
    let work = stage.work().canonicalize().expect("it is there");
    let name: String = work
        .to_string_lossy()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    let folder = stage.home().join(".claude/projects").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn line(stage: &Stage, text: &str) -> String {
    let cwd = stage.work().canonicalize().expect("it is there");
    let row = serde_json::json!({
        "type": "user", "cwd": cwd, "sessionId": SESSION,
        "message": { "role": "user", "content": text },
    });
    format!("{row}\n")
}

pub(super) fn say(stage: &Stage, session: &str, text: &str) {
    let path = folder(stage).join(format!("{session}.jsonl"));
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.expect("it opens").write_all(line(stage, text).as_bytes()).expect("it is written");
}

/// All that is in the project's folder below `sessions/`.
pub(super) fn stored(stage: &Stage) -> String {
    fn walk(folder: &std::path::Path, all: &mut String) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => walk(&path, all),
                false => *all += &String::from_utf8_lossy(&fs::read(&path).expect("it is read")),
            }
        }
    }
    let mut all = String::new();
    walk(&stage.work().join(".brigade"), &mut all);
    all
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_session_is_mirrored_without_its_secrets_and_listed() {
    let stage = Stage::local();
    say(&stage, SESSION, &format!("the key is {SECRET}"));
    say(&stage, SESSION, "and the word is tangerine-4711-orange");
    fs::write(stage.work().join(".env"), "SHOP_TOKEN=tangerine-4711-orange\n").expect("a file");
    let dry = stage.run("claude-1", &["session", "mirror", "--dry-run"]).ok();
    assert!(dry.out.contains("would store 2 records") && !dry.out.contains(SECRET), "{dry:?}");
    assert!(!stored(&stage).contains("parts"));
    let said = stage.run("claude-1", &["session", "mirror"]).ok();
    assert!(said.out.contains("stored 2 records of 1 session"), "{said:?}");
    assert!(said.out.contains("aws-access-key-id 1, dotenv-value 1"), "{said:?}");
    let all = stored(&stage);
    assert!(all.contains("[REDACTED:aws-access-key-id:"));
    assert!(!all.contains(SECRET) && !all.contains("tangerine"));
    let again = stage.json("claude-1", &["session", "mirror"]);
    assert_eq!(again["sum"]["records"], 0);
    let list = stage.json("x", &["session", "list"]);
    assert_eq!(list["sessions"][0]["id"], SESSION);
    let key = stage.home().join(".local/state/brigade/mirror.key");
    assert_eq!(fs::metadata(key).expect("a key").permissions().mode() & 0o777, 0o600);
    // What was mirrored is of no interest to doctor, and nobody else's.
    stage.run("x", &["doctor"]).ok();
}

#[test]
fn what_cannot_be_meant_or_used_is_said() {
    let stage = Stage::local();
    stage.run("x", &["session", "mirror"]).exits(3);
    stage.run("x", &["session", "mirror", "--harness", "emacs"]).exits(2);
    stage.run("x", &["session", "mirror", "--session-id", "../../etc"]).exits(3);
    say(&stage, SESSION, "a tangerine");
    fs::write(stage.work().join("rules.toml"), "[[rules]]\nid = 'x'\nregex = '('\n")
        .expect("a file");
    let said = stage.run("x", &["session", "mirror", "--rules", "rules.toml"]).exits(2);
    assert!(said.err.contains("rules.toml cannot be used") && said.err.contains("half a set"));
    assert!(!stored(&stage).contains("tangerine"));
    // A rule that came with a clone is nobody's: only the user's own folder counts.
    let own = stage.home().join(".config/brigade");
    fs::create_dir_all(&own).expect("a folder");
    fs::write(own.join("redaction.toml"), "[[rules]]\nid = 'fruit'\nregex = 'tanger[a-z]+'\n")
        .expect("a file");
    let said = stage.run("x", &["session", "mirror"]).ok();
    assert!(said.out.contains("fruit 1"), "{said:?}");
    fs::set_permissions(
        folder(&stage).join(format!("{SESSION}.jsonl")),
        fs::Permissions::from_mode(0o000),
    )
    .expect("it is set");
    if fs::read(folder(&stage).join(format!("{SESSION}.jsonl"))).is_err() {
        say(&stage, "another", "once more");
        let said = stage.run("x", &["session", "mirror"]).exits(9);
        assert!(said.out.contains("stored 1 record") && said.err.contains("may not be read"));
    } else {
        eprintln!("skipped: this user may read everything");
    }
}

#[test]
fn a_database_that_is_locked_or_newer_is_told_as_what_it_is() {
    let stage = Stage::local();
    let folder = stage.home().join(".hermes");
    fs::create_dir_all(&folder).expect("a folder");
    let database = rusqlite::Connection::open(folder.join("state.db")).expect("it opens");
    let cwd = stage.work().canonicalize().expect("it is there");
    let schema = format!(
        "CREATE TABLE schema_version (version INTEGER NOT NULL);
         INSERT INTO schema_version VALUES (99);
         CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT, started_at REAL, cwd TEXT);
         CREATE TABLE messages (id INTEGER PRIMARY KEY, session_id TEXT, role TEXT, content TEXT,
            timestamp REAL);
         INSERT INTO sessions VALUES ('h1', 'cli', 1.5, '{}');
         INSERT INTO messages VALUES (1, 'h1', 'user', 'hello', 1.5);",
        cwd.display()
    );
    database.execute_batch(&schema).expect("it is made");
    database.execute_batch("BEGIN EXCLUSIVE").expect("it is locked");
    let said = stage.run("x", &["session", "mirror"]).exits(9);
    assert!(
        said.err.contains("is being written") && said.err.contains("could be read"),
        "{said:?}"
    );
    database.execute_batch("COMMIT").expect("it is free");
    // It was read as it stands, so nothing says that it was not.
    let said = stage.run("x", &["session", "mirror"]).ok();
    assert_eq!(said.err.matches("a newer version").count(), 1, "{said:?}");
    assert!(said.out.contains("stored 2 records") && !said.out.contains("not read"), "{said:?}");
}

#[test]
fn a_following_mirror_stores_what_comes_until_it_is_stopped() {
    let stage = Stage::local();
    say(&stage, SESSION, "one");
    let child = stage.spawn("claude-1", &["session", "mirror", "-f", "--interval", "0s"]);
    until("the first line", || stored(&stage).contains("\"one\""));
    say(&stage, SESSION, "two");
    until("the second line", || stored(&stage).contains("\"two\""));
    say(&stage, "later", "three");
    until("a session that begins later", || stored(&stage).contains("\"three\""));
    // What is in the way is told once, however often it is met.
    let outside = stage.work().join("outside.jsonl");
    fs::write(&outside, "{}\n").expect("a file");
    std::os::unix::fs::symlink(outside, folder(&stage).join("out.jsonl")).expect("a link");
    for n in 0..3 {
        let text = format!("four {n}");
        say(&stage, &format!("later-{n}"), &text);
        until("a session that begins beside it", || stored(&stage).contains(&text));
    }
    stage.run("x", &["session", "stop", "no-such"]).exits(3);
    let said = stage.run("x", &["session", "stop", "--all"]).ok();
    assert!(said.out.starts_with("Stopped mirror "), "{said:?}");
    let ended = Said::of(child.wait_with_output().expect("it ends")).exits(9);
    assert!(ended.out.contains("stored 6 records of 5 sessions"), "{ended:?}");
    assert_eq!(ended.err.matches("leads out of").count(), 1, "{ended:?}");
    let none = stage.run("x", &["session", "stop", "--all"]).ok();
    assert!(none.out.starts_with("No mirror"), "{none:?}");
}

/// Writes that a harness makes: appends in pieces, and now and then it takes back or replaces.
fn write_file(stage: &Stage, writer: u64) {
    let path = folder(stage).join(format!("session-{writer}.jsonl"));
    for n in 0..40 {
        match (writer, n % 10) {
            (6, 7) => {
                let text = fs::read(&path).expect("it is read");
                let file = OpenOptions::new().write(true).open(&path).expect("it opens");
                file.set_len(text.len() as u64 * 2 / 3).expect("it is cut");
            }
            (7, 7) => {
                let text = fs::read(&path).expect("it is read");
                let aside = path.with_extension("tmp");
                fs::write(&aside, &text[text.len() / 3..]).expect("it is written");
                fs::rename(aside, &path).expect("it is renamed");
            }
            _ => {
                let row = line(stage, &format!("w{writer} n{n} {SECRET}"));
                let (start, end) = row.split_at(row.len() / 2);
                for piece in [start, end] {
                    let mut options = OpenOptions::new();
                    let mut file = options.create(true).append(true).open(&path).expect("it opens");
                    file.write_all(piece.as_bytes()).expect("it is written");
                    std::thread::sleep(Duration::from_millis(2 + writer));
                }
            }
        }
    }
    let mut file = OpenOptions::new().append(true).open(&path).expect("it opens");
    file.write_all(b"\n").expect("the last line has an end");
}

/// Hermes: rows come, go, and are switched off, with a write-ahead log.
fn write_database(stage: &Stage, writer: u64) {
    let folder = stage.home().join(".hermes/profiles").join(format!("p{writer}"));
    fs::create_dir_all(&folder).expect("a folder");
    let database = rusqlite::Connection::open(folder.join("state.db")).expect("it opens");
    database.busy_timeout(Duration::from_secs(30)).expect("it is set");
    let cwd = stage.work().canonicalize().expect("it is there");
    let id = format!("session-{writer}");
    let schema = format!(
        "PRAGMA journal_mode = WAL;
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
         INSERT INTO sessions (id, source, started_at, cwd) VALUES ('{id}', 'cli', 1.5, '{}');",
        cwd.display()
    );
    database.execute_batch(&schema).expect("it is made");
    for n in 0..40 {
        let act = match n % 8 {
            6 => "UPDATE messages SET active = 0 WHERE id = (SELECT max(id) FROM messages)".into(),
            7 => "DELETE FROM messages WHERE id > (SELECT max(id) - 2 FROM messages)".into(),
            _ => format!(
                "INSERT INTO messages (session_id, role, content, timestamp)
                 VALUES ('{id}', 'user', 'w{writer} n{n} {SECRET}', {n})"
            ),
        };
        database.execute_batch(&act).expect("it is done");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn ten_writers_and_a_mirror_that_is_killed_again_and_again_lose_and_double_nothing() {
    for (place, stage) in Stage::on_every_store() {
        let kills = std::thread::scope(|scope| {
            let stage = &stage;
            let mut writers: Vec<_> =
                (0..8).map(|writer| scope.spawn(move || write_file(stage, writer))).collect();
            writers
                .extend((8..10).map(|writer| scope.spawn(move || write_database(stage, writer))));
            let mut kills = 0;
            while writers.iter().any(|writer| !writer.is_finished()) || kills < 5 {
                let args = ["session", "mirror", "-f", "--interval", "0s"];
                let mut mirror = stage.spawn("mirror", &args);
                std::thread::sleep(Duration::from_millis(60 + 47 * (kills % 7)));
                mirror.kill().expect("it is killed");
                mirror.wait().expect("it ends");
                kills += 1;
            }
            kills
        });
        eprintln!("{place}: killed {kills} times");
        stage.run("mirror", &["session", "mirror"]).ok();
        for writer in 0..10 {
            let session = format!("session-{writer}");
            let proof = stage.json("mirror", &["session", "verify", &session]);
            for source in proof["sources"].as_array().expect("it has sources") {
                assert_eq!(source["disk"], "same", "{place}: {proof}");
                assert_eq!(source["not_mirrored"], 0, "{place}: {proof}");
            }
            if writer < 6 {
                assert_eq!(proof["sources"][0]["live_records"], 40, "{place}: {proof}");
            }
        }
        assert!(!stored(&stage).contains(SECRET));
    }
}

#[test]
fn a_session_is_compacted_and_written_back() {
    let stage = Stage::local();
    for n in 0..3 {
        say(&stage, SESSION, &format!("line {n}"));
        stage.run("x", &["session", "mirror"]).ok();
    }
    let path = folder(&stage).join(format!("{SESSION}.jsonl"));
    let before = fs::read(&path).expect("it is read");
    let said = stage.run("x", &["session", "compact", &SESSION[..8]]).ok();
    assert!(said.out.starts_with("merged 3 parts: 3 records"), "{said:?}");
    let refused = stage.run("x", &["session", "restore", SESSION]).exits(4);
    assert!(refused.err.contains("is there already"), "{refused:?}");
    fs::remove_file(&path).expect("it is gone");
    stage.run("x", &["session", "verify", SESSION]).exits(3);
    let said = stage.run("x", &["session", "restore", SESSION]).ok();
    assert!(said.out.starts_with("3 records in "), "{said:?}");
    assert_eq!(fs::read(&path).expect("it is back"), before);
    stage.run("x", &["session", "verify", SESSION]).ok();
    stage.run("x", &["session", "restore", "no-such"]).exits(3);
}
