//! Codex: legacy and paginated, archived and compressed, threads of subagents.

use std::fs;
use std::path::Path;

use brigade_core::transcript::adapter::Filter;
use brigade_core::transcript::reader::Budget;
use brigade_core::transcript::source::Relation;
use brigade_core::transcript::trouble::Hindrance;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::support::*;

const HARNESS: &str = "codex";

fn home(era: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    copy_tree(&fixtures(HARNESS).join(era), &home.path().join(".codex"));
    home
}

#[test]
fn the_legacy_dialect_tells_each_thing_once() {
    let home = home("legacy");
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    assert_eq!(found.sessions.len(), 1);
    let timeline = timeline(HARNESS, &found.sessions[0].sources[0]);
    assert_eq!(
        story(&timeline),
        [
            "system: <environment_context>⏎  <cwd>/work/demo</cwd>",
            "user: Wash the cups",
            "thinking: **Soap** first",
            "call shell: {\"command\":[\"wash\",\"cups\"]}",
            "result exit 0: clean",
            "assistant: Cups are clean.",
            "compaction None: Cups were washed.",
        ]
    );
    let usage = timeline.usage();
    assert_eq!((usage.input, usage.cache_read, usage.output), (150, 150, 10));
}

#[test]
fn titles_stand_in_the_newest_index_and_a_name_goes_first() {
    let home = home("paginated");
    let root = home.path().join(".codex");
    let index = |number: u32, columns: &str, rows: &str| {
        let path = root.join(format!("state_{number}.sqlite"));
        let database = rusqlite::Connection::open(path).unwrap();
        database.pragma_update(None, "journal_mode", "WAL").unwrap();
        let thread = |n: u32| format!("'0aaaaaaa-0000-7000-8000-00000000000{n}'");
        let rows = rows.replace("two", &thread(2)).replace("four", &thread(4));
        let made = format!("CREATE TABLE threads (id TEXT PRIMARY KEY, {columns}); {rows}");
        database.execute_batch(&made).unwrap();
    };
    index(4, "title TEXT", "INSERT INTO threads VALUES (two, 'An older index')");
    let title = |id: &str| {
        let found = find(HARNESS, &places(home.path(), &[]), &Filter::everything());
        assert!(found.trouble.is_empty(), "{:?}", found.trouble);
        session(&found, id).title.clone()
    };
    assert_eq!(title("000000000002").as_deref(), Some("An older index"));
    let rows = "INSERT INTO threads VALUES (two, 'Dry the cups', 'Cups'), (four, 'Wash', '')";
    index(10, "title TEXT, name TEXT", rows);
    assert_eq!(title("000000000002").as_deref(), Some("Cups"));
    assert_eq!(title("000000000004").as_deref(), Some("Wash"));
    fs::write(root.join("state_11.sqlite"), "no database").unwrap();
    assert_eq!(title("000000000002"), None);
}

#[test]
fn the_paginated_dialect_adds_exit_codes_and_names_its_subagents() {
    let home = home("paginated");
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    let root = session(&found, "000000000002");
    assert_eq!(
        story(&timeline(HARNESS, &root.sources[0])),
        [
            "user: Dry the cups",
            "thinking: Towel",
            "call exec_command: {\"cmd\":\"dry\"}",
            "result exit 3 failed: Chunk ID: 1⏎dry⏎",
            "subagent Nia: stack",
            "assistant: Dry.",
            "raw new_kind_of_item",
        ]
    );
    assert_eq!(root.sources[1].name, "rollouts/0bbbbbbb-0000-7000-8000-000000000001");
    let child = session(&found, "000000000003");
    let parent = child.parent.as_ref().unwrap();
    assert_eq!((parent.id.as_str(), parent.relation), (root.id.as_str(), Relation::Subagent));
}

#[test]
fn the_archive_is_searched_and_other_projects_are_not_published() {
    let home = home("paginated");
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    assert!(ids(&found).iter().all(|id| !id.ends_with('4')), "{:?}", ids(&found));
    let archived = session(&found, "000000000005");
    assert!(archived.archived);
    assert_eq!(archived.parent.as_ref().unwrap().relation, Relation::Fork);
}

#[test]
fn a_session_that_is_archived_compressed_and_brought_back_is_read_on_without_a_revision() {
    let home = home("legacy");
    let places = places(home.path(), &[]);
    let look =
        || find(HARNESS, &places, &project("/work/demo")).sessions.remove(0).sources.remove(0);
    let root = home.path().join(".codex");
    let live = root.join("sessions/2026/11/02");
    let name = fs::read_dir(&live).unwrap().next().unwrap().unwrap().file_name();
    let plain = live.join(&name);
    let whole = fs::read(&plain).unwrap();
    let half = whole.iter().take(whole.len() / 2).rposition(|byte| *byte == b'\n').unwrap() + 1;

    fs::write(&plain, &whole[..half]).unwrap();
    let mut mirror = Mirror::default();
    mirror.follow(&look(), &Budget::default());
    let read = mirror.records.len();
    assert!(read > 2);

    let archive = root.join("archived_sessions");
    fs::create_dir_all(&archive).unwrap();
    fs::rename(&plain, archive.join(&name)).unwrap();
    mirror.follow(&look(), &Budget::default());
    let packed = format!("{}.zst", name.to_str().unwrap());
    let bytes = compress_to_vec(&whole[..half], CompressionLevel::Fastest);
    fs::write(archive.join(&packed), bytes).unwrap();
    fs::remove_file(archive.join(&name)).unwrap();
    let batch = mirror.follow(&look(), &Budget::default());
    assert!(batch.trouble.is_none(), "{:?}", batch.trouble);
    assert_eq!(mirror.records.len(), read);

    // Both exist: the plain one is newer.
    fs::write(&plain, &whole).unwrap();
    mirror.follow(&look(), &Budget::default());
    assert_eq!(mirror.records, fresh(&look()));
    assert!(mirror.records.len() > read);
    assert!(mirror.revisions.is_empty(), "{:?}", mirror.revisions);
}

#[test]
fn a_home_that_is_named_and_missing_is_said() {
    let variables = [("CODEX_HOME", "/nowhere/at/all")];
    let found = find(HARNESS, &places(Path::new("/nowhere"), &variables), &Filter::everything());
    assert_eq!(found.trouble[0].what, Hindrance::Gone);
    let unset = find(HARNESS, &places(Path::new("/nowhere"), &[]), &Filter::everything());
    assert!(unset.trouble.is_empty());
}

#[test]
fn the_samples_are_understood() {
    let Some(samples) = samples(HARNESS) else { return };
    for version in ["0.58.0", "0.169.0"] {
        let root = samples.join("generated").join(version);
        let variables = [("CODEX_HOME", root.to_str().unwrap())];
        let found = find(
            HARNESS,
            &places(Path::new("/nowhere"), &variables),
            &project("/home/dev/wk/lab/proj"),
        );
        assert!(!found.sessions.is_empty() && found.trouble.is_empty(), "{found:?}");
        for session in &found.sessions {
            let turns = turns(HARNESS, &session.sources[0]);
            assert_eq!(raw_kinds(&turns), [""; 0], "{}", session.id);
        }
    }
    for entry in fs::read_dir(samples.join("public")).unwrap() {
        assert_eq!(raw_kinds(&turns(HARNESS, &file(&entry.unwrap().path()))), [""; 0]);
    }
}
