//! A local project and its copy elsewhere, with real processes: acts go on whatever the copy's place does,
//! and the copy is the project once nothing happens any more.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::support::{Said, Stage};

/// All objects below a project's folder, but for what belongs to the place.
fn objects(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, root: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, root, all);
                continue;
            }
            let name = path.strip_prefix(root).expect("below it").display().to_string();
            let own = ["moved.json", "replica.json"].contains(&name.as_str());
            if !own && !name.contains(".tmp-") && !name.starts_with("_proof") {
                all.insert(name, fs::read(&path).expect("readable"));
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(root, root, &mut all);
    all
}

fn config(stage: &Stage) -> String {
    fs::read_to_string(stage.work().join(".brigade/config.toml")).expect("a config")
}

/// What the processes behind the acts have come to, without carrying on by hand.
fn wait_until_carried(stage: &Stage) -> Value {
    for _ in 0..600 {
        let standing = stage.json("someone", &["store", "replica"]);
        if standing["behind"]["objects"] == 0 && standing["behind"]["deletions"] == 0 {
            return standing;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{:?}", stage.run("someone", &["store", "replica"]));
}

#[test]
fn acts_are_carried_on_behind_themselves_and_the_copy_is_looked_at() {
    let stage = Stage::empty();
    let said = stage.run("someone", &["init", "--project", "stage", "--replica", "../copy"]).ok();
    assert!(said.out.contains("a copy is carried on in "), "{}", said.out);
    assert!(config(&stage).contains("[replica]"), "{}", config(&stage));
    stage.run("ada", &["claim", "design"]).ok();
    stage.run("ada", &["memory", "set", "a.b", "one"]).ok();
    stage.run("ada", &["send", "bob", "hi"]).ok();
    stage.run("ada", &["complete", "design"]).ok();
    wait_until_carried(&stage);
    let copy = stage.work().join("../copy");
    let store = copy.to_str().unwrap();
    let read = stage.run("eve", &["memory", "get", "a.b", "--store", store]).ok();
    assert_eq!(read.out, "one\n");
    assert!(read.err.contains("is a copy of project stage, which is in"), "{}", read.err);
    for args in [&["status"][..], &["list"], &["events"], &["ready"], &["doctor"]] {
        let mut args = args.to_vec();
        args.extend(["--store", store]);
        let said = stage.run("eve", &args).ok();
        assert!(!said.out.contains("FAIL"), "{said:?}");
    }
    for args in [
        &["claim", "x"][..],
        &["send", "bob", "hi"],
        &["memory", "set", "a.b", "two"],
        &["init"],
        &["heartbeat"],
        &["move", "../elsewhere"],
        &["doctor", "--fix"],
    ] {
        let before = objects(&copy.join("stage"));
        let mut args = args.to_vec();
        args.extend(["--store", store]);
        let said = stage.run("eve", &args);
        assert!(said.code == 10 || args[0] == "doctor", "{args:?}: {said:?}");
        assert_eq!(objects(&copy.join("stage")), before, "{args:?}");
    }
    let verified = stage.json("ada", &["store", "replicate", "--verify"]);
    assert_eq!(verified["verified"]["differing"], Value::Array(vec![]), "{verified}");
    assert_eq!(objects(&copy.join("stage")), objects(&stage.work().join(".brigade/stage")));
    let off = stage.run("ada", &["store", "replica", "--off"]).ok();
    assert!(off.out.starts_with("No copy is carried on"), "{}", off.out);
    stage.run("ada", &["store", "replicate"]).exits(3);
}

#[test]
fn a_place_that_cannot_be_reached_delays_and_fails_no_act() {
    let stage = Stage::empty();
    stage.run("someone", &["init", "--project", "stage", "--replica", "../copy"]).ok();
    wait_until_carried(&stage);
    // The place goes away.
    fs::rename(stage.work().join("../copy"), stage.work().join("../gone")).unwrap();
    fs::write(stage.work().join("../copy"), "in the way").unwrap();
    stage.run("ada", &["claim", "design"]).ok();
    stage.run("ada", &["complete", "design"]).ok();
    stage.run("ada", &["store", "replicate"]).exits(8);
    let standing = stage.json("ada", &["store", "replica"]);
    assert!(standing["failures"].as_u64() >= Some(1), "{standing}");
    assert!(standing["behind"]["objects"].as_u64() >= Some(3), "{standing}");
    let status = stage.run("ada", &["status"]).ok();
    assert!(status.err.contains("is not carried on"), "{}", status.err);
    assert!(stage.run("ada", &["doctor", "--quick"]).ok().out.contains("warn  replica"));
    fs::remove_file(stage.work().join("../copy")).unwrap();
    fs::rename(stage.work().join("../gone"), stage.work().join("../copy")).unwrap();
    let done = stage.json("ada", &["store", "replicate"]);
    assert_eq!((&done["failures"], &done["behind"]["objects"]), (&0.into(), &0.into()), "{done}");
    assert_eq!(
        objects(&stage.work().join("../copy/stage")),
        objects(&stage.work().join(".brigade/stage"))
    );
}

#[test]
fn a_config_of_others_sends_nothing_anywhere() {
    let stage = Stage::local();
    let copy = stage.work().join("../trap");
    let named = format!("{}\n[replica]\nstore = \"{}\"\n", config(&stage), copy.display());
    fs::write(stage.work().join(".brigade/config.toml"), named).unwrap();
    stage.run("ada", &["claim", "design"]).ok();
    stage.run("ada", &["store", "replicate"]).exits(10);
    let standing = stage.run("ada", &["store", "replica"]).ok();
    assert!(standing.out.contains("not trusted"), "{}", standing.out);
    assert!(!copy.exists());
    stage.run("ada", &["trust"]).ok();
    // Trusted, and not there: nobody has named it to be made.
    stage.run("ada", &["store", "replicate"]).exits(8);
}

#[test]
fn a_project_that_is_lost_goes_on_from_its_copy() {
    let stage = Stage::empty();
    stage.run("someone", &["init", "--project", "stage", "--replica", "../copy"]).ok();
    stage.run("ada", &["claim", "design"]).ok();
    wait_until_carried(&stage);
    let here = stage.run("ada", &["store", "replica", "../copy", "--promote"]).exits(4);
    assert!(here.err.contains("and not lost"), "{}", here.err);
    fs::remove_dir_all(stage.work().join(".brigade")).unwrap();
    let done = stage.run("bob", &["store", "replica", "../copy", "--promote"]).ok();
    assert!(done.out.contains("each read back and equal"), "{}", done.out);
    assert_eq!(stage.json("bob", &["step-status", "design"])["assignee"], "ada");
    stage.run("bob", &["claim", "build"]).ok();
    // The copy is the old project's.
    stage.run("bob", &["store", "replica", "../copy"]).exits(4);
    stage.run("bob", &["store", "replica", "../next"]).ok();
    assert_eq!(
        objects(&stage.work().join("../next/stage")),
        objects(&stage.work().join(".brigade/stage"))
    );
}

/// A process that carries is killed at any moment, two more are at it, and agents work meanwhile.
fn killed_and_doubled(stage: &Stage, kills: u64) {
    let (mut killed, mut whole) = (0, 0);
    for n in 0..kills {
        let task = format!("t{n}");
        stage.run("ada", &["claim", &task]).ok();
        let mut carriers: Vec<_> =
            (0..2).map(|_| stage.spawn("ada", &["store", "replicate"])).collect();
        stage.run("ben", &["send", "ada", &task]).ok();
        std::thread::sleep(Duration::from_millis((n * 37) % 160));
        carriers[0].kill().expect("it is ours");
        for carrier in carriers {
            let said = Said::of(carrier.wait_with_output().expect("it ends"));
            match said.code {
                0 => whole += 1,
                -1 => killed += 1,
                _ => panic!("{said:?}"),
            }
        }
    }
    eprintln!("{killed} killed, {whole} came through");
    let done = stage.json("ada", &["store", "replicate", "--verify"]);
    assert_eq!(done["behind"]["objects"], 0, "{done}");
    assert_eq!(done["verified"]["differing"], Value::Array(vec![]), "{done}");
    assert_eq!((&done["kept"], &done["verified"]["only_there"]), (&0.into(), &0.into()), "{done}");
}

#[test]
fn carriers_that_are_killed_and_doubled_leave_one_whole_copy() {
    let stage = Stage::empty();
    stage.run("someone", &["init", "--project", "stage", "--replica", "../copy"]).ok();
    killed_and_doubled(&stage, 12);
    assert_eq!(
        objects(&stage.work().join("../copy/stage")),
        objects(&stage.work().join(".brigade/stage"))
    );
}

#[test]
fn a_real_bucket_holds_the_copy_and_gives_the_project_back() {
    for variable in ["BRIGADE_TEST_S3", "BRIGADE_TEST_S3_ALSO"] {
        let Ok(endpoint) = std::env::var(variable) else {
            eprintln!("skipped: no server, because {variable} is not set (see .ci/run)");
            continue;
        };
        let stage = Stage::empty();
        let bucket = format!("s3://brigade-cli/copy-{}", stage.name());
        let keys = ["--access-key", "AKIALOCALTEST", "--secret-key", "SKSKSKSKSKSK"];
        let mut args = vec!["init", "--project", "stage", "--replica", &bucket];
        args.extend(["--endpoint", &endpoint]);
        args.extend(keys);
        stage.run("someone", &args).ok();
        killed_and_doubled(&stage, 6);
        stage.run("ada", &["inbox", "--delete"]).ok();
        let carried = wait_until_carried(&stage);
        assert_eq!(carried["failures"], 0, "{carried}");
        let before = objects(&stage.work().join(".brigade/stage"));
        fs::remove_dir_all(stage.work().join(".brigade")).unwrap();
        let mut args = vec!["store", "replica", &bucket, "--promote", "--endpoint", &endpoint];
        args.extend(keys);
        stage.run("bob", &args).ok();
        let mut after = objects(&stage.work().join(".brigade/stage"));
        // The document that opens a place is its own.
        let opened = |all: &BTreeMap<String, Vec<u8>>| all.contains_key("project.json");
        assert!(opened(&before) && opened(&after));
        after.insert("project.json".into(), before["project.json"].clone());
        assert_eq!(after, before);
    }
}
