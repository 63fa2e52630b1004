//! A project moves to another place, with real processes at work in the old one.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::support::{Said, Stage};

fn config(stage: &Stage) -> String {
    fs::read_to_string(stage.work().join(".brigade/config.toml")).expect("a config")
}

/// A note that a peer has put into a folder's store.
fn forge_note(stage: &Stage, to: &str) {
    let note = format!(
        r#"{{"schema":1,"kind":"moved","nonce":"00112233445566778899aabbccddeeff","agent":"mallory",
        "sid":"00112233445566778899aabbccddeeff","at":"2026-11-20T20:00:00Z",
        "hlc":"1795202011123-0000","id":"ffeeddccbbaa99887766554433221100","to":{{"store":"{to}"}}}}"#
    );
    fs::write(stage.work().join(".brigade/stage/moved.json"), note).expect("a note");
}

#[test]
fn a_local_project_moves_out_and_home_again_and_commands_follow() {
    let stage = Stage::local();
    stage.run("ada", &["claim", "design"]).ok();
    stage.run("ada", &["memory", "set", "a.b", "one"]).ok();
    let dry = stage.run("ada", &["move", "../house", "--dry-run"]).ok();
    assert!(dry.out.starts_with("Would move project 'stage' from "), "{}", dry.out);
    assert!(!stage.work().join("../house").exists(), "a dry run makes nothing");
    let moved = stage.run("ada", &["move", "../house"]).ok();
    assert!(moved.out.contains("each read back and equal"), "{}", moved.out);
    assert!(config(&stage).contains("house"), "{}", config(&stage));
    // The session that holds the task goes on with it.
    stage.run("ada", &["complete", "design"]).ok();
    assert_eq!(stage.json("bob", &["step-status", "design"])["status"], "closed");
    let again = stage.run("ada", &["move", "../house"]).exits(2);
    assert!(again.err.contains("the project is there already"), "{}", again.err);
    let home = stage.json("ada", &["move", "local"]);
    assert!(home["to"].as_str().unwrap().ends_with(".brigade/home-2"), "{home}");
    assert_eq!(stage.run("bob", &["memory", "get", "a.b"]).ok().out, "one\n");
    // Who still names the first place is led through the second to the third.
    let old = stage.work().join(".brigade");
    let followed =
        stage.run("bob", &["memory", "get", "a.b", "--store", old.to_str().unwrap()]).ok();
    assert_eq!(followed.out, "one\n");
    assert_eq!(followed.err.matches("from here on brigade goes there").count(), 2, "{followed:?}");
    let closed = stage.run("ada", &["move", old.to_str().unwrap()]).exits(4);
    assert!(closed.err.contains("stays closed"), "{}", closed.err);
}

#[test]
fn a_note_of_a_peer_leads_nowhere_that_is_not_trusted() {
    let stage = Stage::local();
    stage.run("ada", &["claim", "design"]).ok();
    let trap = stage.work().join("../trap");
    fs::create_dir_all(&trap).unwrap();
    for place in [trap.to_str().unwrap(), "s3://evil", "ftp://x", "s3://a\\nb\\u001b[2J"] {
        forge_note(&stage, place);
        for args in [&["claim", "x"][..], &["status"], &["send", "bob", "hi"], &["inbox"]] {
            let said = stage.run("ada", args);
            assert!([9, 10].contains(&said.code), "{place}: {said:?}");
            assert!(!said.err.contains('\u{1b}'), "{said:?}");
        }
    }
    forge_note(&stage, trap.to_str().unwrap());
    let said = stage.run("ada", &["claim", "x"]).exits(10);
    assert!(said.err.contains("not trusted yet") && said.err.contains("move --follow"), "{said:?}");
    assert_eq!(fs::read_dir(&trap).unwrap().count(), 0, "nothing went there");
    assert!(!config(&stage).contains("trap"));
}

#[test]
fn another_user_follows_when_they_say_so() {
    let stage = Stage::local();
    stage.run("ada", &["claim", "design"]).ok();
    stage.run("ada", &["move", "../house"]).ok();
    let before = "project = \"stage\"\n";
    fs::write(stage.work().join(".brigade/config.toml"), before).unwrap();
    let other = stage.work().join("../other-home");
    let run = |args: &[&str]| {
        let output = stage.command("eve", args).env("HOME", &other).output().expect("it runs");
        Said::of(output)
    };
    let said = run(&["claim", "x"]).exits(10);
    assert!(said.err.contains("brigade move --follow"), "{}", said.err);
    let said = run(&["move", "--follow"]).ok();
    assert!(said.out.contains("From here on this project's data goes to"), "{}", said.out);
    run(&["claim", "x"]).ok();
    assert!(run(&["move", "--follow"]).ok().out.contains("has not moved"));
}

#[test]
fn a_copy_leaves_the_project_where_it_is() {
    let stage = Stage::local();
    stage.run("ada", &["claim", "design"]).ok();
    let copied = stage.json("ada", &["copy", "../copy"]);
    assert_eq!((&copied["way"], &copied["was_done"]), (&Value::from("copy"), &Value::from(false)));
    assert!(!config(&stage).contains("copy"));
    stage.run("ada", &["claim", "only-here"]).ok();
    let copy = stage.work().join("../copy");
    let store = copy.to_str().unwrap();
    stage.run("bob", &["step-status", "design", "--store", store]).ok();
    stage.run("bob", &["step-status", "only-here", "--store", store]).exits(3);
    stage.run("ada", &["copy", "../copy"]).exits(4);
}

#[test]
fn a_move_without_a_place_and_to_a_bad_one_are_refused() {
    let stage = Stage::local();
    stage.run("ada", &["move"]).exits(2);
    stage.run("ada", &["move", "ftp://x"]).exits(2);
    stage.run("ada", &["move", "--follow", "../x"]).exits(2);
    stage.run("ada", &["copy", "s3://a:b@c"]).exits(2);
    Stage::empty().run("ada", &["move", "../x"]).exits(10);
}

/// Of Azure's emulator, as it is published.
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// What one agent was told is done.
#[derive(Default)]
struct Told {
    messages: Vec<String>,
    values: Vec<String>,
    claims: BTreeMap<String, Vec<String>>,
}

/// Works until it is told to stop.
fn work(stage: &Stage, name: &str, told: &Mutex<Told>, is_over: &AtomicBool, pause: Duration) {
    for n in 0.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        std::thread::sleep(pause);
        let word = format!("{name}-{n}");
        let shared = format!("shared-{}", n / 4);
        let args: &[&str] = match n % 4 {
            0 => &["send", "reader", &word],
            1 => &["memory", "set", "team.value", &word],
            2 => &["claim", &word],
            _ => &["claim", &shared],
        };
        let said = stage.run(name, args);
        let mut told = told.lock().expect("nobody panicked");
        match (said.code, n % 4) {
            (0, 0) => told.messages.push(word),
            (0, 1) => told.values.push(word),
            (0, 2) => told.claims.entry(word).or_default().push(name.into()),
            (0, _) => told.claims.entry(shared).or_default().push(name.into()),
            // Somebody else's; or nobody knows, and it is not counted.
            (4 | 5, _) => {}
            // The move takes longer than a command waits.
            (7, _) if said.err.contains("still on its way") => {}
            _ => panic!("{args:?}: {said:?}"),
        }
    }
}

/// Three agents work while the project goes to each of these places in turn.
fn moves_under_work(stage: &Stage, places: &[Vec<&str>]) {
    moves_under_kills(stage, places, 0, Duration::ZERO);
}

/// The same with a mover that is killed so often on each way, at moments of all kinds.
fn moves_under_kills(stage: &Stage, places: &[Vec<&str>], kills: u64, pause: Duration) {
    stage.run("reader", &["register"]).ok();
    let (told, is_over) = (Mutex::new(Told::default()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for name in ["ada", "ben", "cyd"] {
            let (told, is_over) = (&told, &is_over);
            scope.spawn(move || work(stage, name, told, is_over, pause));
        }
        let stop = Stop(&is_over);
        for place in places {
            let before = told.lock().expect("nobody panicked").messages.len();
            while told.lock().expect("nobody panicked").messages.len() < before + 3 {
                std::thread::sleep(Duration::from_millis(20));
            }
            let args: Vec<&str> = ["move"].iter().chain(place).copied().collect();
            let mut done = false;
            for n in 0..kills {
                let mut mover = stage.spawn("mover", &args);
                std::thread::sleep(Duration::from_millis(40 + n * n * 90));
                mover.kill().expect("it is ours");
                let said = Said::of(mover.wait_with_output().expect("it ends"));
                done = is_there(&said);
                assert!(done || said.code == -1, "{said:?}");
                if done {
                    eprintln!("it was there before the kill {n}");
                    break;
                }
            }
            if !done {
                let said = stage.run("mover", &args);
                assert!(is_there(&said), "{said:?}");
            }
        }
        let before = told.lock().expect("nobody panicked").messages.len();
        while told.lock().expect("nobody panicked").messages.len() < before + 3 {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(stop);
    });
    judge(stage, &told.into_inner().expect("nobody panicked"));
}

/// It has come through; or one that was killed had opened the new place, and an agent was the first to
/// make it this folder's own.
fn is_there(said: &Said) -> bool {
    said.code == 0 || said.code == 2 && said.err.contains("the project is there already")
}

/// Ends the others when a test gives up, too.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn judge(stage: &Stage, told: &Told) {
    let mail = stage.json("reader", &["inbox", "--limit", "100000"]);
    let sent: Vec<&str> = mail["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter_map(|m| m["message"].as_str())
        .collect();
    for message in &told.messages {
        assert_eq!(sent.iter().filter(|sent| *sent == message).count(), 1, "message {message}");
    }
    let history = stage.run("reader", &["memory", "history", "team.value", "--json"]).ok().out;
    for value in &told.values {
        assert_eq!(history.matches(&format!("\"{value}\"")).count(), 1, "value {value}");
    }
    for (task, who) in &told.claims {
        let mut who = who.clone();
        who.dedup();
        assert_eq!(who.len(), 1, "{task} was given to {who:?}");
        let holder = stage.json("reader", &["step-status", task])["assignee"].clone();
        assert_eq!(holder, *who[0], "{task}");
    }
    let doctor = stage.run("reader", &["doctor", "--quick"]).ok();
    assert!(!doctor.out.contains("FAIL"), "{}", doctor.out);
    let acts = told.messages.len() + told.values.len() + told.claims.len();
    eprintln!("{acts} acts were acknowledged, and all of them are there");
    assert!(acts >= 10, "{acts}");
}

#[test]
fn three_agents_keep_working_while_a_folder_moves_out_and_home() {
    let stage = Stage::local();
    moves_under_work(&stage, &[vec!["../house"], vec!["local"]]);
}

#[test]
fn real_agents_keep_working_while_a_folder_moves_to_a_bucket() {
    for variable in ["BRIGADE_TEST_S3", "BRIGADE_TEST_S3_ALSO"] {
        let Ok(endpoint) = std::env::var(variable) else {
            eprintln!("skipped: no server, because {variable} is not set (see .ci/run)");
            continue;
        };
        let stage = Stage::local();
        let address = format!("s3://brigade-cli/{}", stage.name());
        let keys = ["--access-key", "AKIALOCALTEST", "--secret-key", "SKSKSKSKSKSK"];
        let mut to = vec![address.as_str(), "--endpoint", &endpoint];
        to.extend(keys);
        moves_under_work(&stage, &[to]);
        assert!(config(&stage).contains("s3://brigade-cli/"));
    }
}

#[test]
fn a_mover_that_is_killed_at_any_moment_ends_whole_while_three_agents_work() {
    let stage = Stage::local();
    for n in 0..40 {
        stage.run("ada", &["create", &format!("task {n}")]).ok();
    }
    let places = [vec!["../house"], vec!["../other"], vec!["local"]];
    moves_under_kills(&stage, &places, 6, Duration::ZERO);
}

/// Out of a bucket a move waits for more than two minutes.
#[test]
fn real_agents_keep_working_from_bucket_to_bucket_and_home_though_the_mover_is_killed() {
    let server = |variable| std::env::var(variable).ok().filter(|value| !value.is_empty());
    let Some(first) = server("BRIGADE_TEST_S3") else {
        eprintln!("skipped: no server, because BRIGADE_TEST_S3 is not set (see .ci/run)");
        return;
    };
    // Another server, or another bucket of the same.
    let second = server("BRIGADE_TEST_S3_ALSO").unwrap_or_else(|| first.clone());
    let stage = Stage::local();
    let (one, two) = (
        format!("s3://brigade-cli/{}", stage.name()),
        format!("s3://brigade-two/{}", stage.name()),
    );
    let keys = ["--access-key", "AKIALOCALTEST", "--secret-key", "SKSKSKSKSKSK"];
    let to = |address, endpoint| [&[address, "--endpoint", endpoint][..], &keys].concat();
    let places = [to(&one, &first), to(&two, &second), vec!["local"]];
    moves_under_kills(&stage, &places, 4, Duration::from_millis(250));
    assert!(config(&stage).contains(".brigade/home-"), "{}", config(&stage));
    for entry in fs::read_dir(stage.work().join(".brigade")).expect("a folder").flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        assert!(!text.contains("SKSKSKSK"), "{}", entry.path().display());
    }
}

#[test]
fn real_agents_keep_working_to_azure_and_home() {
    let Ok(endpoint) = std::env::var("BRIGADE_TEST_AZURE") else {
        eprintln!("skipped: no server, because BRIGADE_TEST_AZURE is not set (see .ci/run)");
        return;
    };
    // The emulator's public account and key.
    let stage = Stage::empty()
        .with_env("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1")
        .with_env("AZURE_STORAGE_ACCOUNT_KEY", AZURITE_KEY);
    stage.run("someone", &["init", "--project", "stage"]).ok();
    let address = format!("az://brigade-cli/{}", stage.name());
    let places = [vec![address.as_str(), "--endpoint", &endpoint], vec!["local"]];
    moves_under_kills(&stage, &places, 3, Duration::from_millis(250));
}
