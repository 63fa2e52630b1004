//! Claude Code in its three eras.

use std::fs;
use std::path::Path;

use brigade_core::transcript::adapter::Filter;
use brigade_core::transcript::adapters::claude_code::encoded;
use brigade_core::transcript::places::{Places, Platform};

use super::support::*;

const HARNESS: &str = "claude-code";

fn home(era: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    copy_tree(&fixtures(HARNESS).join(era), &home.path().join(".claude"));
    home
}

#[test]
fn sidechains_in_the_main_file_are_told_apart() {
    let home = home("1.0");
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    let session = session(&found, "1111");
    assert_eq!(session.cwd.as_deref(), Some("/work/demo"));
    assert_eq!(session.title.as_deref(), Some("Tidy the kitchen"));
    let timeline = timeline(HARNESS, &session.sources[0]);
    assert_eq!(
        story(&timeline),
        [
            "title: Tidy the kitchen",
            "user: List the spoons",
            "assistant: I look.",
            "call Bash: {\"command\":\"ls spoons\"}",
            "result: big⏎small",
            "call Task: {\"prompt\":\"count them\",\"subagent_type\":\"general-purpose\"}",
            "[sidechain] user: count them",
            "[sidechain] assistant: Two.",
            "result: Two.",
            "assistant: There are two spoons. ✓",
        ]
    );
    // Four answers, though one of them was written as two rows with the same usage.
    assert_eq!(timeline.usage().output, 4 * 7);
}

#[test]
fn subagents_beside_the_session_belong_to_it_and_are_no_sessions() {
    let home = home("2.0");
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    assert_eq!(ids(&found), ["22222222-2222-4222-8222-222222222222"]);
    let sources = &found.sessions[0].sources;
    assert_eq!(sources.len(), 2);
    assert_eq!(sources[1].agent.as_deref(), Some("0a1b2c3"));
    let story = story(&timeline(HARNESS, &sources[1]));
    assert_eq!(story, ["[0a1b2c3] user: count forks", "[0a1b2c3] assistant: Three."]);
}

#[test]
fn subagents_in_their_own_folder_are_sources_with_their_description() {
    let home = home("2.1");
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    let session = session(&found, "3333");
    let names: Vec<&str> = session.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "main",
            "subagents/agent-a0123456789abcdef",
            "subagents/agent-a0123456789abcdef.meta",
            "subagents/deep/agent-adeep",
        ]
    );
    let told = story(&timeline(HARNESS, &session.sources[2]));
    assert_eq!(told, ["[a0123456789abcdef] subagent general-purpose: fold napkins"]);
    assert_eq!(session.title.as_deref(), Some("Set table"));
    let told = story(&timeline(HARNESS, &session.sources[0]));
    assert_eq!(
        told,
        [
            "user: Set the table",
            "call Agent: {\"prompt\":\"fold napkins\"}",
            "result: started",
            "compaction Some(2154): The table was half set.",
            "assistant: Done: key=AKIAIOSFODNN7EXAMPLE",
            "system: <local-command-caveat>not for you</local-command-caveat>",
            "title: Table",
            "raw spoon-polish",
            "title: Set table",
        ]
    );
}

#[test]
fn only_sessions_of_the_project_are_found_whatever_their_folder_is_called() {
    let home = home("2.1");
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    // 4444 shares the folder's encoded name, 7777 is elsewhere; 5555 was moved here, 6666 lies below.
    let mut first: Vec<&str> = ids(&found).iter().map(|id| &id[..4]).collect();
    first.sort_unstable();
    assert_eq!(first, ["3333", "5555", "6666"]);
    let all = find(HARNESS, &places(home.path(), &[]), &Filter::everything());
    assert_eq!(all.sessions.len(), 5);
}

#[test]
fn a_session_that_begins_with_a_row_larger_than_what_is_looked_at_is_found() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".claude/projects/-work-demo-below");
    fs::create_dir_all(&folder).unwrap();
    let row = serde_json::json!({ "type": "user", "message": { "content": "x".repeat(1 << 20) } });
    let row = row.to_string().replacen('{', "{\"cwd\":\"/work/demo/below\",", 1);
    fs::write(folder.join("large.jsonl"), row + "\n").unwrap();
    fs::write(folder.join("other.jsonl"), "{\"cwd\":\"/work/demo-below\",\"x\":\"").unwrap();
    let found = find(HARNESS, &places(home.path(), &[]), &project("/work/demo"));
    assert_eq!(ids(&found), ["large"]);
}

#[test]
fn its_variables_move_it() {
    let home = home("2.1");
    let config = home.path().join(".claude");
    let moved = home.path().join("elsewhere");
    fs::rename(&config, &moved).unwrap();
    let variables = [("CLAUDE_CONFIG_DIR", moved.to_str().unwrap())];
    let nowhere = Path::new("/nowhere");
    let found = find(HARNESS, &places(nowhere, &variables), &project("/work/demo"));
    assert_eq!(found.sessions.len(), 3);
    fs::rename(moved.join("projects/-work-demo"), moved.join("projects/fixed_name")).unwrap();
    let variables = [variables[0], ("CLAUDE_CODE_PROJECT_DIR_NAME", "fixed_name")];
    let found = find(HARNESS, &places(nowhere, &variables), &project("/work/demo"));
    assert_eq!(found.sessions.len(), 3);
}

#[test]
fn on_windows_names_differ_in_case() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".claude/projects").join(encoded("C:\\Work\\Demo"));
    fs::create_dir_all(&folder).unwrap();
    let row =
        "{\"type\":\"user\",\"cwd\":\"C:\\\\Work\\\\Demo\",\"message\":{\"content\":\"hi\"}}\n";
    fs::write(folder.join("s.jsonl"), row).unwrap();
    let filter = Filter::folders([Path::new("c:\\work\\demo")], Platform::Windows);
    let places = Places::new(home.path(), Platform::Windows, &|_| None);
    assert_eq!(ids(&find(HARNESS, &places, &filter)), ["s"]);
}

#[test]
fn the_samples_are_understood() {
    let Some(samples) = samples(HARNESS) else { return };
    for version in ["1.0.120", "2.1.329"] {
        let root = samples.join("generated").join(version);
        let variables = [("CLAUDE_CONFIG_DIR", root.to_str().unwrap())];
        let found =
            find(HARNESS, &places(Path::new("/nowhere"), &variables), &Filter::everything());
        assert!(!found.sessions.is_empty() && found.trouble.is_empty(), "{found:?}");
        for session in &found.sessions {
            let cwd = session.cwd.as_deref().unwrap();
            let own = find(HARNESS, &places(Path::new("/nowhere"), &variables), &project(cwd));
            assert!(ids(&own).contains(&session.id.as_str()), "{cwd} does not find its own");
            for source in &session.sources {
                let turns = turns(HARNESS, source);
                assert_eq!(raw_kinds(&turns), [""; 0], "{}", source.name);
            }
        }
    }
    for file_name in fs::read_dir(samples.join("public")).unwrap() {
        assert_eq!(raw_kinds(&turns(HARNESS, &file(&file_name.unwrap().path()))), [""; 0]);
    }
}
