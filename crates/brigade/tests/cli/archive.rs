//! Archiving closed tasks, as it is typed; and while others work, look and open tasks again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::support::{Said, Stage};

const TASKS: [&str; 3] = ["api", "design", "schema"];
const WORKERS: usize = 4;
const ROUNDS: usize = 8;

#[test]
fn archived_tasks_are_found_shown_searched_and_opened_again() {
    let stage = Stage::local();
    let run = |args: &[&str]| stage.run("ada", args);
    run(&["create", "Design the API", "--id", "design", "-d", "all of it"]).ok();
    run(&["create", "Build it", "--id", "build", "--depends-on", "design"]).ok();
    run(&["claim", "design"]).ok();
    run(&["log", "design", "-m", "the wire format is settled"]).ok();
    run(&["comment", "design", "well done"]).ok();
    run(&["complete", "design", "--note", "see the contract"]).ok();
    let before = [
        run(&["history", "design"]).ok().out,
        run(&["log", "design"]).ok().out,
        run(&["search", "wire format"]).ok().out,
        run(&["ready"]).ok().out,
        run(&["dep", "tree", "build"]).ok().out,
        run(&["list", "--status", "closed"]).ok().out,
        run(&["stats"]).ok().out,
        run(&["export"]).ok().out,
    ];
    assert!(run(&["archive"]).ok().out.starts_with("Nothing to archive"));
    let would = run(&["archive", "--older-than", "0s", "--dry-run"]).ok().out;
    assert!(would.starts_with("Would archive 1 task:"), "{would}");
    let done = stage.json("ada", &["archive", "--older-than", "0s"]);
    assert_eq!(done["archived"], serde_json::json!(["design"]));
    let after = [
        // One line more, which says so.
        without(&run(&["history", "design"]).ok().out, "archived"),
        run(&["log", "design"]).ok().out,
        run(&["search", "wire format"]).ok().out,
        run(&["ready"]).ok().out,
        run(&["dep", "tree", "build"]).ok().out,
        run(&["list", "--status", "closed"]).ok().out,
        run(&["stats"]).ok().out,
        run(&["export"]).ok().out,
    ];
    assert_eq!(before.map(|out| ageless(&out)), after.map(|out| ageless(&out)));
    run(&["claim", "design"]).exits(4);
    run(&["create", "Another", "--id", "design"]).exits(4);
    run(&["doctor", "--quick"]).ok();
    run(&["reopen", "design"]).ok();
    run(&["claim", "design"]).ok();
    let shown = stage.json("ada", &["show", "design"]);
    assert_eq!(shown["comments"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown["history"].as_array().map(Vec::len), Some(6));
}

/// Between two looks a second may pass.
fn ageless(text: &str) -> String {
    let is_age = |word: &&str| word.trim_matches(['(', ')', ':']).parse::<u32>().is_err();
    text.split_whitespace().filter(is_age).collect::<Vec<_>>().join(" ")
}

fn without(text: &str, word: &str) -> String {
    text.lines().filter(|line| !line.contains(word)).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_is_missing_or_doubled_while_tasks_are_archived_and_worked_on() {
    let stage = Stage::local();
    for task in TASKS {
        stage.run("ada", &["create", task, "--id", task]).ok();
    }
    let is_over = AtomicBool::new(false);
    let (mut said, mut completed) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        let (stage, is_over) = (&stage, &is_over);
        let work = |at| scope.spawn(move || work(stage, at));
        let workers: Vec<_> = (0..WORKERS).map(work).collect();
        let archivist = scope.spawn(move || {
            let mut archived = 0;
            while !is_over.load(Ordering::Relaxed) {
                let done = stage.json("archivist", &["archive", "--older-than", "0s"]);
                archived += done["archived"].as_array().expect("a list").len();
            }
            archived
        });
        let reader = scope.spawn(move || {
            let mut looks = 0;
            while !is_over.load(Ordering::Relaxed) {
                look(stage);
                looks += 1;
            }
            looks
        });
        for worker in workers {
            let (words, ended) = worker.join().expect("a worker");
            said.extend(words);
            completed += ended;
        }
        is_over.store(true, Ordering::Relaxed);
        let archived = archivist.join().expect("the archivist");
        let looks = reader.join().expect("the reader");
        eprintln!(
            "{completed} completions, {} comments, {archived} archived, {looks} looks",
            said.len()
        );
        assert!(archived > 0 && looks > 0 && completed > 0);
    });
    stage.run("archivist", &["archive", "--older-than", "0s"]).ok();
    let (mut told, mut ends) = (Vec::new(), 0);
    for task in TASKS {
        let shown = stage.json("someone", &["show", task]);
        told.extend(texts(&shown));
        let history = shown["history"].as_array().expect("history");
        ends += history.iter().filter(|act| act["act"] == "complete").count();
    }
    assert_eq!(ends, completed, "each completion that was told is there once");
    let (mut said, mut told) = (said, told);
    said.sort();
    told.sort();
    assert_eq!(said, told, "each comment that was told is there once");
    let doctor = stage.run("someone", &["doctor", "--quick"]);
    assert!(doctor.code == 0, "{doctor:?}");
}

/// Claims, says something, completes, and opens again, whatever the others do; what it was told.
fn work(stage: &Stage, at: usize) -> (Vec<String>, usize) {
    let name = format!("worker-{at}");
    let (mut said, mut completed) = (Vec::new(), 0);
    for round in 0..ROUNDS {
        let task = TASKS[(at + round) % TASKS.len()];
        let run = |args: &[&str]| {
            let said = stage.run(&name, args);
            assert!([0, 2, 4].contains(&said.code), "{args:?}: {said:?}");
            said
        };
        let words = format!("{name} {round}");
        if run(&["comment", task, &words]).code == 0 {
            said.push(words.clone());
        }
        run(&["update", task, "--title", &words]);
        if run(&["claim", task]).code == 0 && run(&["complete", task]).code == 0 {
            completed += 1;
        }
        if round + WORKERS < ROUNDS || at.is_multiple_of(2) {
            run(&["reopen", task]);
        }
    }
    (said, completed)
}

/// Every look is whole: no task is missing, no log has a hole, nothing is said twice.
fn look(stage: &Stage) {
    let all = stage.json("reader", &["list", "--all"]);
    let names: BTreeSet<&str> =
        all.as_array().expect("a list").iter().filter_map(|task| task["id"].as_str()).collect();
    assert_eq!(names, TASKS.into_iter().collect(), "{all}");
    for task in TASKS {
        let shown = stage.json("reader", &["show", task]);
        let history = shown["history"].as_array().expect("history");
        let versions: Vec<u64> = history.iter().filter_map(|act| act["version"].as_u64()).collect();
        assert!(versions.iter().copied().eq(0..versions.len() as u64), "{task}: {versions:?}");
        let texts = texts(&shown);
        let unique: BTreeSet<&String> = texts.iter().collect();
        assert_eq!(unique.len(), texts.len(), "{task}: {texts:?}");
    }
    let journal = Said::ok(stage.run("reader", &["events", "--json", "--limit", "100000"]));
    let journal: Value = serde_json::from_str(&journal.out).expect("JSON");
    let paths: Vec<&str> = journal["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|entry| entry["path"].as_str())
        .collect();
    let unique: BTreeSet<&&str> = paths.iter().collect();
    assert_eq!(unique.len(), paths.len(), "an act is told twice");
}

fn texts(shown: &Value) -> Vec<String> {
    let comments = shown["comments"].as_array().expect("comments");
    comments.iter().filter_map(|it| Some(it["text"].as_str()?.to_owned())).collect()
}
