//! Tracer's and .track's documents, typed as they are written, and what else a task as an issue does.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::Value;

use super::support::{Said, Stage};

/// The binary under another name.
fn called(stage: &Stage, name: &str) -> PathBuf {
    let link = stage.work().join(name);
    symlink(env!("CARGO_BIN_EXE_brigade"), &link).expect("a symlink");
    link
}

struct Tool<'s> {
    stage: &'s Stage,
    program: PathBuf,
}

impl Tool<'_> {
    fn run(&self, agent: &str, args: &[&str]) -> Said {
        Said::of(self.stage.command_at(&self.program, agent, args).output().expect("it runs"))
    }

    #[track_caller]
    fn ok(&self, agent: &str, args: &[&str]) -> String {
        self.run(agent, args).ok().out
    }

    fn json(&self, agent: &str, args: &[&str]) -> Value {
        let said = self.run(agent, &[args, &["--json"]].concat());
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("no JSON: {said:?}"))
    }
}

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().expect("rows").iter().filter_map(|row| row["id"].as_str()).collect()
}

#[test]
fn real_multi_agent_example_of_tracer_runs_as_written() {
    for (place, stage) in Stage::on_every_store() {
        let tracer = Tool { program: called(&stage, "tracer"), stage: &stage };
        tracer.ok("", &["create", "Implement auth API", "-p", "1", "-t", "feature"]);
        tracer.ok("", &["create", "Write auth tests", "-p", "1", "-t", "task"]);
        tracer.ok("", &["create", "Update documentation", "-p", "2", "-t", "task"]);
        tracer.ok("", &["dep", "add", "bd-2", "bd-1", "--type", "blocks"]);
        tracer.ok("", &["dep", "add", "bd-3", "bd-1", "--type", "blocks"]);
        let began = tracer.ok("claude-1", &["update", "bd-1", "--status", "in_progress"]);
        assert!(
            began.contains("[P1, in_progress, feature, Assignee: claude-1]"),
            "{place}: {began}"
        );
        tracer.ok("claude-1", &["comment", "bd-1", "Starting JWT implementation"]);
        assert_eq!(ids(&tracer.json("cursor-2", &["ready"])).len(), 0, "{place}");
        let page = tracer.ok("cursor-2", &["show", "bd-1"]);
        assert!(page.contains("Assignee: claude-1"), "{page}");
        assert!(page.contains("claude-1 (0 s ago): \"Starting JWT implementation\""), "{page}");
        tracer.ok("cursor-2", &["comment", "bd-1", "I'll start on tests as soon as API is ready"]);
        let refused = tracer.run("cursor-2", &["update", "bd-1", "--status", "in_progress"]);
        assert_eq!(refused.code, 4, "{refused:?}");
        tracer.ok("claude-1", &["comment", "bd-1", "API complete and tested"]);
        tracer.ok("claude-1", &["close", "bd-1", "--reason", "Implementation complete"]);
        assert_eq!(ids(&tracer.json("cursor-2", &["ready"])), ["bd-2", "bd-3"], "{place}");
        tracer.ok("cursor-2", &["update", "bd-2", "--status", "in_progress"]);
        tracer.ok("gpt-4", &["update", "bd-3", "--status", "in_progress"]);
        let active = tracer.ok("", &["list", "--status", "in_progress"]);
        assert_eq!(
            active,
            "bd-2 Write auth tests [P1, in_progress, Assignee: cursor-2]\n\
             bd-3 Update documentation [P2, in_progress, Assignee: gpt-4]\n",
            "{place}"
        );
        // The handoff pattern, and the script that looks at the assignee first.
        tracer.ok("cursor-2", &["update", "bd-2", "--status", "blocked"]);
        tracer.ok("gpt-4", &["show", "bd-2"]);
        let new =
            tracer.json("gpt-4", &["create", "Implement OAuth flow", "-t", "task", "-p", "0"]);
        assert_eq!(new["id"], "bd-4");
        tracer.ok("gpt-4", &["dep", "add", "bd-4", "bd-2", "--type", "related"]);
        assert_eq!(tracer.json("", &["show", "bd-4"])["assignee"], "");
        tracer.ok("cursor-2", &["update", "bd-4", "--status", "in_progress"]);
        assert_eq!(tracer.json("", &["show", "bd-4"])["assignee"], "cursor-2");
        let mine = tracer.json("", &["list", "--assignee", "gpt-4"]);
        assert_eq!(ids(&mine), ["bd-3"]);
        let circle = tracer.run("", &["dep", "add", "bd-1", "bd-3"]);
        assert_eq!(
            (circle.code, circle.err.contains("bd-1 → bd-3 → bd-1")),
            (6, true),
            "{circle:?}"
        );
    }
}

#[test]
fn real_quick_start_of_track_runs_as_written() {
    for (place, stage) in Stage::on_every_store() {
        let track = Tool { program: called(&stage, "track"), stage: &stage };
        let folder = stage.work().join("own");
        std::fs::create_dir(&folder).expect("a folder");
        let at = |args: &[&str]| -> Said {
            let mut command = stage.command_at(&track.program, "", args);
            Said::of(command.current_dir(&folder).output().expect("it runs"))
        };
        let project = format!("track{}", stage.name());
        let mut init = vec!["init", "--id", "T-0001", "--project", &project];
        if place != "folder" {
            let bucket = ["--endpoint", &place, "--bucket", "brigade-cli"];
            let keys = ["--access-key", "AKIALOCALTEST", "--secret-key", "SKSKSKSKSKSK"];
            init.extend(bucket.into_iter().chain(keys));
        }
        at(&init).ok();
        let made = at(&["create", "--title", "Fix auth bug", "--priority", "high"]).ok().out;
        assert!(made.starts_with("Created T-0001 Fix auth bug [P1, open]"), "{place}: {made}");
        at(&["register", "--agent", "agent-alpha"]).ok();
        at(&["claim", "T-0001", "--agent", "agent-alpha"]).ok();
        let early = at(&["update", "T-0001", "--status", "in-progress", "--agent", "agent-beta"]);
        assert_eq!(early.code, 4, "{early:?}");
        at(&["update", "T-0001", "--status", "in-progress", "--agent", "agent-alpha"]).ok();
        at(&[
            "log",
            "T-0001",
            "--agent",
            "agent-alpha",
            "-m",
            "Found root cause in token_refresh()",
        ])
        .ok();
        let shown = at(&["show", "T-0001"]).ok().out;
        assert!(shown.contains("Found root cause in token_refresh()"), "{shown}");
        let listed = at(&["list"]).ok().out;
        assert!(listed.starts_with("T-0001 Fix auth bug [P1, in_progress, Assignee: agent-alpha]"));
        // The lifecycle is kept, and --force goes past it.
        at(&["create", "--title", "Later", "--depends-on", "T-0001", "-l", "backend"]).ok();
        let waits = at(&["claim", "T-0002", "--agent", "agent-beta"]);
        assert_eq!((waits.code, waits.err.contains("waits for T-0001")), (6, true), "{waits:?}");
        let jump = at(&["update", "T-0002", "--status", "review", "--agent", "agent-beta"]);
        assert_eq!(jump.code, 2, "{jump:?}");
        at(&["update", "T-0001", "--status", "review", "--agent", "agent-alpha"]).ok();
        at(&["update", "T-0001", "--status", "done", "--agent", "agent-beta"]).ok();
        assert_eq!(
            at(&["list", "--status", "backlog", "--label", "backend"]).ok().out.lines().count(),
            1
        );
        assert!(!at(&["list"]).ok().out.contains("T-0001"), "done ones are hidden");
        // As it is typed there; under its own name brigade asks why.
        let forced = ["update", "T-0002", "--status", "done", "--agent", "agent-beta", "--force"];
        let mut brigade = stage.command("", &forced);
        let unasked = Said::of(brigade.current_dir(&folder).output().expect("it runs"));
        assert_eq!((unasked.code, unasked.err.contains("--reason")), (2, true), "{unasked:?}");
        at(&forced).ok();
        assert!(at(&["show", "T-0002"]).ok().out.contains("Status: closed"));
        at(&["deregister", "--agent", "agent-alpha", "--release-tickets"]).ok();
    }
}

#[test]
fn an_answer_of_a_person_lets_a_task_go_on() {
    let stage = Stage::local();
    let it = Tool { program: PathBuf::from(env!("CARGO_BIN_EXE_brigade")), stage: &stage };
    it.ok("a", &["create", "Choose a database"]);
    it.ok("a", &["ask-human", "bd-1", "SQLite or Postgres?"]);
    let refused = it.run("b", &["claim", "bd-1"]);
    assert_eq!(
        (refused.code, refused.err.contains("SQLite or Postgres?")),
        (6, true),
        "{refused:?}"
    );
    assert_eq!(it.run("b", &["next", "--claim"]).code, 3);
    assert!(it.ok("b", &["status"]).contains("SQLite or Postgres?"));
    it.ok("boss", &["approve", "bd-1", "-m", "SQLite"]);
    it.ok("b", &["next", "--claim"]);
    it.ok("b", &["review", "bd-1", "-m", "please look"]);
    it.ok("boss", &["reject", "bd-1", "-m", "no tests"]);
    let page = it.json("b", &["show", "bd-1"]);
    assert_eq!(page["status"], "open");
    let said: Vec<&str> =
        page["comments"].as_array().unwrap().iter().filter_map(|c| c["text"].as_str()).collect();
    assert_eq!(said, ["approved: SQLite", "rejected: no tests"]);
    it.ok("b", &["claim", "bd-1"]);
    it.ok("b", &["review", "bd-1"]);
    it.ok("boss", &["approve", "bd-1"]);
    assert_eq!(it.json("b", &["show", "bd-1"])["status"], "closed");
}

#[test]
fn a_task_that_goes_to_and_fro_is_turned_to_a_person() {
    let stage = Stage::empty();
    stage.run("a", &["init", "--review-limit", "2"]).ok();
    let it = Tool { program: PathBuf::from(env!("CARGO_BIN_EXE_brigade")), stage: &stage };
    it.ok("a", &["create", "Polish it"]);
    for round in 0..2 {
        it.ok("a", &["update", "bd-1", "--status", "in_progress"]);
        it.ok("a", &["update", "bd-1", "--status", "review"]);
        if round == 0 {
            it.ok("b", &["update", "bd-1", "--status", "in_progress"]);
            it.ok("b", &["update", "bd-1", "--status", "open"]);
        }
    }
    let refused = it.run("a", &["update", "bd-1", "--status", "in_progress"]);
    assert_eq!(refused.code, 6, "{refused:?}");
    it.ok("boss", &["approve", "bd-1", "-m", "good enough"]);
    assert_eq!(it.json("a", &["show", "bd-1"])["status"], "closed");
}

#[test]
fn every_field_is_set_changed_and_taken_away() {
    let stage = Stage::local();
    let it = Tool { program: PathBuf::from(env!("CARGO_BIN_EXE_brigade")), stage: &stage };
    it.ok("a", &["create", "Epic", "-t", "epic"]);
    let made = it.json(
        "a",
        &[
            "create",
            "Full",
            "-d",
            "what",
            "--design",
            "how",
            "--acceptance",
            "when",
            "--notes",
            "n",
            "-p",
            "critical",
            "-t",
            "Bug",
            "-a",
            "bob",
            "-l",
            "x,y",
            "--estimate",
            "90",
            "--external-ref",
            "gh-9",
            "--due",
            "2030-01-02",
            "--defer",
            "2029-01-02",
            "--branch",
            "fix/it",
            "--files",
            "src/**,README.md",
            "--parent",
            "bd-1",
        ],
    );
    for (field, value) in [
        ("description", "what"),
        ("design", "how"),
        ("acceptance_criteria", "when"),
        ("notes", "n"),
        ("issue_type", "bug"),
        ("assignee", "bob"),
        ("external_ref", "gh-9"),
        ("due_at", "2030-01-02T00:00:00Z"),
        ("defer_until", "2029-01-02T00:00:00Z"),
        ("branch", "fix/it"),
        ("status", "open"),
    ] {
        assert_eq!(made[field], value, "{field}: {made}");
    }
    assert_eq!(made["priority"], 0);
    assert_eq!(made["labels"], serde_json::json!(["x", "y"]));
    // Deferred: not ready, and not forgotten.
    assert_eq!(ids(&it.json("a", &["ready"])), ["bd-1"]);
    let changed = it.json(
        "b",
        &[
            "update",
            "bd-2",
            "--title",
            "Half",
            "-d",
            "",
            "--defer",
            "",
            "--assignee",
            "",
            "--add-label",
            "z",
            "--remove-label",
            "x",
            "-p",
            "3",
        ],
    );
    assert_eq!((&changed["title"], &changed["assignee"]), (&"Half".into(), &"".into()));
    assert_eq!(changed["labels"], serde_json::json!(["y", "z"]));
    assert!(changed.get("description").is_none() && changed.get("defer_until").is_none());
    assert_eq!(ids(&it.json("a", &["ready"])), ["bd-1", "bd-2"]);
    assert_eq!(it.json("a", &["epic", "bd-1"])[0]["total"], 1);
    // What two ids are told is told of each; one that is not there does not stop the other.
    let both = it.run("a", &["update", "bd-1", "bd-99", "--priority", "P4"]);
    assert_eq!((both.code, both.out.contains("Updated bd-1 Epic [P4")), (3, true), "{both:?}");
    // An edit by somebody else leaves the hold alone.
    it.ok("c", &["claim", "bd-2"]);
    it.ok("a", &["update", "bd-2", "--title", "Renamed"]);
    it.ok("c", &["complete", "bd-2"]);
}

#[test]
fn next_offers_what_the_agent_said_that_it_can_do() {
    let stage = Stage::local();
    let it = Tool { program: PathBuf::from(env!("CARGO_BIN_EXE_brigade")), stage: &stage };
    it.ok("a", &["create", "Draw it", "-p", "0", "-l", "needs:ui"]);
    it.ok("a", &["create", "Write it", "-p", "1"]);
    it.ok("designer", &["register", "--capabilities", "python,ui"]);
    // A later sign of life does not make it forget.
    it.ok("designer", &["heartbeat"]);
    assert_eq!(it.json("coder", &["next"])["id"], "bd-2");
    assert_eq!(it.json("designer", &["next"])["id"], "bd-1");
    assert_eq!(it.json("coder", &["next", "--claim", "--start"])["status"], "in_progress");
    assert_eq!(it.run("coder", &["next", "--claim"]).code, 3);
    assert_eq!(it.json("designer", &["next", "--claim"])["id"], "bd-1");
}

#[test]
fn bad_words_are_refused_and_nothing_is_made_of_them() {
    let stage = Stage::local();
    let it = Tool { program: PathBuf::from(env!("CARGO_BIN_EXE_brigade")), stage: &stage };
    let long = "x".repeat(501);
    for args in [
        &["create", ""] as &[&str],
        &["create", "two\nlines"],
        &["create", &long],
        &["create", "t", "-p", "9"],
        &["create", "t", "--due", "soon"],
        &["create", "t", "--id", "../x"],
        &["create", "t", "-l", "a\u{1b}[2J"],
        &["create"],
        &["create", "t", "--file", "x"],
        &["update", "bd-1"],
    ] {
        assert_eq!(it.run("a", args).code, 2, "{args:?}");
    }
    assert_eq!(it.run("a", &["create", "t", "--depends-on", "bd-7"]).code, 3);
    assert_eq!(it.run("a", &["show", "bd-7"]).code, 3);
    assert_eq!(it.run("a", &["dep", "add", "bd-7", "bd-8"]).code, 3);
    assert_eq!(ids(&it.json("a", &["list", "--all"])).len(), 0);
    it.ok("a", &["create", "t", "--id", "mine"]);
    let again = it.run("a", &["create", "u", "--id", "mine"]);
    assert_eq!((again.code, again.err.contains("there is a task mine already")), (4, true));
}
