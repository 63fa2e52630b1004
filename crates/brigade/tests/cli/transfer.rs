//! Work in and out: issues, bundles, and a project that is committed with the code.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::support::Stage;

const ISSUES: &str = r#"{"id":"bd-1","title":"One","status":"open","priority":1,"issue_type":"task","created_at":"2026-03-01T09:00:00Z","updated_at":"2026-03-01T09:00:00Z","unknown":{"deep":[1]}}
{"id":"bd-2","title":"Two","status":"closed","priority":2,"issue_type":"bug","created_at":"2026-03-01T09:00:00Z","updated_at":"2026-03-02T09:00:00Z","closed_at":"2026-03-02T09:00:00Z","comments":[{"id":7,"issue_id":"bd-2","author":"ada","text":"fixed","created_at":"2026-03-02T08:00:00Z"}]}
"#;

fn write(stage: &Stage, name: &str, text: impl AsRef<[u8]>) {
    fs::write(stage.work().join(name), text).expect("a file");
}

#[test]
fn issues_go_in_and_out_unchanged_through_files_and_pipes() {
    let stage = Stage::local();
    write(&stage, "issues.jsonl", ISSUES);
    let dry = stage.run("me", &["import", "-i", "issues.jsonl", "--dry-run"]).ok();
    assert_eq!(dry.out, "Would import 2 tasks, 1 comment\n");
    assert_eq!(stage.run("me", &["export"]).ok().out, "");
    let said = stage.run("me", &["import", "-i", "issues.jsonl"]).ok();
    assert_eq!(said.out, "Imported 2 tasks, 1 comment\n");
    assert_eq!(stage.run("me", &["export"]).ok().out, ISSUES);
    stage.run("me", &["export", "-o", "out.jsonl"]).ok();
    assert_eq!(fs::read_to_string(stage.work().join("out.jsonl")).unwrap(), ISSUES);
    let closed = stage.run("me", &["export", "--status", "closed"]).ok().out;
    assert_eq!(closed.lines().count(), 1);
    stage.run("me", &["export", "--status", "nonsense"]).exits(2);
    let again = stage.json("me", &["import", "-i", "out.jsonl"]);
    assert_eq!((&again["imported"], &again["unchanged"]), (&Value::from(0), &Value::from(2)));
    assert_eq!(stage.json("me", &["export"])["issues"][0]["unknown"]["deep"][0], 1);
}

#[test]
fn a_conflict_shows_both_sides_and_has_its_own_code() {
    let stage = Stage::local();
    write(&stage, "issues.jsonl", ISSUES);
    stage.run("me", &["import", "-i", "issues.jsonl"]).ok();
    write(&stage, "other.jsonl", ISSUES.replace("\"One\"", "\"Uno\"").replace("bd-2", "bd-3"));
    let said = stage.run("me", &["import", "-i", "other.jsonl"]).exits(4);
    for words in ["bd-1 is here already", "here \"One\"", "incoming \"Uno\"", "--skip-existing"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert_eq!(stage.run("me", &["export"]).ok().out, ISSUES);
    let said = stage.run("me", &["import", "-i", "other.jsonl", "--skip-existing"]).ok();
    assert_eq!(said.out, "Imported 1 task, 1 comment; 1 left as they are\n");
}

#[test]
fn a_conflict_is_decided_for_one_side_and_the_decision_is_recorded() {
    let stage = Stage::local();
    write(&stage, "issues.jsonl", ISSUES);
    stage.run("me", &["import", "-i", "issues.jsonl"]).ok();
    write(&stage, "other.jsonl", ISSUES.replace("\"One\"", "\"Uno\""));
    let run = |args: &[&str]| stage.run("me", &[&["import", "-i", "other.jsonl"], args].concat());
    assert!(run(&[]).exits(4).out.contains("--resolve ours or --resolve theirs"));
    run(&["--resolve", "mine"]).exits(2);
    run(&["--resolve", "ours", "--skip-existing"]).exits(2);
    let said = run(&["--resolve", "theirs", "--dry-run"]).ok().out;
    assert!(said.contains("here \"One\"") && said.contains("Would import 0 tasks"), "{said}");
    let said = run(&["--resolve", "ours"]).ok().out;
    let words = "Imported 0 tasks; 1 unchanged; 1 stay as they are here, which is recorded\n";
    assert_eq!(said, words);
    assert!(stage.run("me", &["events"]).ok().out.contains("is not \"Uno\""));
    let said = run(&["--resolve", "theirs"]).ok().out;
    assert_eq!(said, "Imported 0 tasks; 1 unchanged; 1 say now what came in\n");
    let history = stage.run("me", &["history", "bd-1"]).ok().out;
    assert!(history.contains("import, theirs: title"), "{history}");
    assert_eq!(stage.json("me", &["show", "bd-1"])["title"], "Uno");
    let again = stage.json("me", &["import", "-i", "other.jsonl"]);
    assert_eq!(again["unchanged"], 2);
}

#[test]
fn what_cannot_be_imported_is_told_by_line_and_imports_nothing() {
    let stage = Stage::local();
    write(&stage, "bad.jsonl", format!("{ISSUES}{{\"id\":\n\u{1b}[2J\n"));
    let said = stage.run("me", &["import", "-i", "bad.jsonl"]).exits(9);
    assert!(said.out.contains("line 3: cannot be imported: it ends in the middle"), "{}", said.out);
    assert!(said.out.contains("line 4:") && !said.out.contains('\u{1b}'), "{}", said.out);
    assert_eq!(stage.run("me", &["export"]).ok().out, "");
    write(&stage, "binary", [0xff, 0xfe, 0, 10, 0]);
    stage.run("me", &["import", "-i", "binary"]).exits(9);
    stage.run("me", &["import", "-i", "."]).exits(2);
    stage.run("me", &["import", "-i", "nowhere"]).exits(1);
    stage.run("me", &["import", "--from", "track", "."]).exits(3);
    stage.run("me", &["import", "--from", "tracecraft", "."]).exits(3);
    stage.run("me", &["import", "--from", "tracecraft"]).exits(2);
    stage.run("me", &["import", "--from", "jira"]).exits(2);
}

#[test]
fn a_bundle_is_restored_where_there_was_nothing_and_nowhere_else() {
    let (stage, other) = (Stage::local(), Stage::empty());
    write(&stage, "issues.jsonl", ISSUES);
    stage.run("me", &["import", "-i", "issues.jsonl"]).ok();
    stage.run("me", &["claim", "bd-1"]).ok();
    let file = stage.work().join("all.bundle");
    let path = file.to_str().unwrap();
    stage.run("me", &["bundle", "-o", "all.bundle"]).ok();
    let listed = Command::new("tar").args(["--zstd", "-tf", path]).output();
    if let Some(listed) = listed.ok().filter(|listed| listed.status.success()) {
        let names = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(names.contains("project/project.json") && names.contains("manifest.jsonl"));
    } else {
        eprintln!("skipped: no tar with zstd here to read the bundle with");
    }
    other.run("you", &["restore", path]).ok();
    assert!(other.run("you", &["restore", path]).ok().out.contains("were there already"));
    let exported = stage.run("me", &["export"]).ok().out;
    assert_eq!(other.run("you", &["export"]).ok().out, exported);
    other.run("you", &["claim", "bd-1"]).exits(4);
    let third = Stage::local();
    third.run("you", &["restore", path]).exits(4);
    write(&third, "cut", &fs::read(&file).unwrap()[..300]);
    third.run("you", &["restore", "cut"]).exits(9);
}

/// A repository with a project in it that is committed, or nothing where there is no git.
fn repository() -> Option<Stage> {
    if Command::new("git").arg("--version").output().is_err() {
        eprintln!("skipped: no git here");
        return None;
    }
    let stage = Stage::empty();
    git(&stage, &["init", "-q", "-b", "main"]);
    stage.run("me", &["init", "--git", "--project", "stage"]).ok();
    write(&stage, "issues.jsonl", ISSUES);
    stage.run("me", &["import", "-i", "issues.jsonl"]).ok();
    commit(&stage);
    Some(stage)
}

fn git(stage: &Stage, args: &[&str]) -> bool {
    let who =
        ["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "commit.gpgsign=false"];
    let mut command = Command::new("git");
    command.env("HOME", stage.home()).env("GIT_CONFIG_NOSYSTEM", "1").current_dir(stage.work());
    command.args(who).args(args).output().expect("git runs").status.success()
}

fn commit(stage: &Stage) {
    assert!(git(stage, &["add", "-A"]) && git(stage, &["commit", "-q", "-m", "x"]));
}

/// Does one thing on a branch and another one on the main one, and merges: whether that went by itself.
fn merged(stage: &Stage, there: &[&[&str]], here: &[&[&str]]) -> bool {
    assert!(git(stage, &["checkout", "-q", "-b", "branch"]));
    for args in there {
        stage.run("ann", args).ok();
    }
    commit(stage);
    assert!(git(stage, &["checkout", "-q", "main"]));
    for args in here {
        stage.run("bob", args).ok();
    }
    commit(stage);
    git(stage, &["merge", "-q", "--no-edit", "branch"])
}

fn is_clean(stage: &Stage) -> bool {
    git(stage, &["diff", "--quiet"])
}

#[test]
fn branches_that_did_different_things_merge_by_themselves() {
    let Some(stage) = repository() else { return };
    assert!(merged(
        &stage,
        &[&["claim", "bd-1"], &["memory", "set", "a", "1"], &["send", "bob", "hello"]],
        &[&["claim", "design"], &["memory", "set", "b", "2"], &["complete", "design"]],
    ));
    assert!(is_clean(&stage));
    stage.run("me", &["doctor", "--quick"]).ok();
    let ids: Vec<Value> = stage.json("me", &["export"])["issues"].as_array().unwrap().clone();
    assert_eq!(ids.len(), 3);
}

#[test]
fn two_claims_of_one_task_on_two_branches_are_shown_and_none_is_dropped() {
    let Some(stage) = repository() else { return };
    assert!(!merged(&stage, &[&["claim", "bd-1"]], &[&["claim", "bd-1"]]));
    let shown = stage.run("me", &["doctor", "--quick"]).exits(9);
    assert!(
        shown.out.contains("claim by bob") && shown.out.contains("claim by ann"),
        "{}",
        shown.out
    );
    let fixed = stage.run("me", &["doctor", "--quick", "--fix"]).ok();
    assert!(fixed.out.contains("kept in the journal"), "{}", fixed.out);
    stage.run("me", &["doctor", "--quick"]).ok();
    let events = stage.run("me", &["events", "--json"]).ok().out;
    assert!(events.contains("merge_lost"), "{events}");
    let holder = stage.json("me", &["step-status", "bd-1"])["assignee"].clone();
    assert!(holder == "ann" || holder == "bob", "{holder}");
    commit(&stage);
}

#[test]
fn two_tasks_made_under_one_name_become_two_names() {
    let Some(stage) = repository() else { return };
    assert!(!merged(&stage, &[&["claim", "bd-3"]], &[&["claim", "bd-3"]]));
    stage.run("me", &["doctor", "--quick"]).exits(9);
    let fixed = stage.run("me", &["doctor", "--quick", "--fix"]).ok();
    assert!(fixed.out.contains("is bd-4 now"), "{}", fixed.out);
    let holders =
        ["bd-3", "bd-4"].map(|task| stage.json("me", &["step-status", task])["assignee"].clone());
    assert!(holders.contains(&"ann".into()) && holders.contains(&"bob".into()), "{holders:?}");
    stage.run("me", &["doctor", "--quick"]).ok();
}

#[test]
fn changes_of_different_fields_are_both_kept() {
    let Some(stage) = repository() else { return };
    let (title, label) =
        (["update", "bd-1", "--title", "New"], ["update", "bd-1", "--priority", "0"]);
    assert!(!merged(&stage, &[&title], &[&label]));
    let fixed = stage.run("me", &["doctor", "--quick", "--fix"]).ok();
    assert!(fixed.out.contains("is version 2 now"), "{}", fixed.out);
    let exported = stage.run("me", &["export"]).ok().out;
    assert!(
        exported.contains("\"title\":\"New\"") && exported.contains("\"priority\":0"),
        "{exported}"
    );
    stage.run("me", &["doctor", "--quick"]).ok();
}

#[test]
fn what_belongs_to_one_machine_is_not_committed() {
    let Some(stage) = repository() else { return };
    stage.run("me", &["heartbeat"]).ok();
    stage.run("me", &["inbox", "--new"]).ok();
    assert!(git(&stage, &["add", "-A"]));
    let tracked =
        Command::new("git").args(["ls-files"]).current_dir(stage.work()).output().unwrap();
    let tracked = String::from_utf8(tracked.stdout).unwrap();
    assert!(tracked.contains(".brigade/stage/steps/bd-1/00000000.json"), "{tracked}");
    assert!(!tracked.contains("beat.json") && !tracked.contains("_cursor.json"), "{tracked}");
    assert!(Path::new(&stage.work()).join(".brigade/.gitattributes").exists());
}
