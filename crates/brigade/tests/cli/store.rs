//! `store`, presets, and credentials that appear nowhere.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::support::{Said, Stage};

#[test]
fn a_folder_is_weighed_room_by_room() {
    let stage = Stage::local();
    stage.run("ada", &["claim", "design"]).ok();
    stage.run("ada", &["send", "bob", "hello"]).ok();
    let seen = stage.json("ada", &["store"]);
    assert_eq!((&seen["backend"], &seen["cost"]), (&Value::Null, &Value::Null));
    assert_eq!(seen["rooms"]["steps"]["objects"], 1);
    assert_eq!(seen["rooms"]["messages"]["objects"], 1);
    let all: u64 = seen["rooms"]
        .as_object()
        .expect("rooms")
        .values()
        .map(|room| room["bytes"].as_u64().expect("a number"))
        .sum();
    assert_eq!(seen["bytes"], all);
    let said = stage.run("ada", &["store"]).ok().out;
    assert!(said.contains("objects,") && said.contains("claim, complete, send"), "{said}");
    stage.run("ada", &["store", "policy"]).exits(2);
}

#[test]
fn a_preset_that_misses_something_says_the_whole_line() {
    let stage = Stage::empty();
    for (args, words) in [
        (&["init", "--backend", "r2", "--bucket", "team"][..], "--account"),
        (&["init", "--backend", "b2", "--bucket", "team"], "--region"),
        (&["init", "--backend", "garage", "--bucket", "team"], "--endpoint"),
        (&["init", "--backend", "r2"], "needs a --bucket"),
        (&["init", "--backend", "dropbox", "--bucket", "x"], "hf"),
        (&["init", "--backend", "aws", "--bucket", "x", "--public"], "Hugging Face"),
    ] {
        let said = stage.run("ada", args).exits(2);
        assert!(said.err.contains(words), "{args:?}: {said:?}");
    }
    // Named before it hurts, and before anything is asked of it.
    let lost = ["init", "--backend", "garage", "--bucket", "x", "--endpoint", "http://127.0.0.1:1"];
    let keys = ["--access-key", "AKIAEXAMPLE", "--secret-key", "example"];
    let said = stage.run("ada", &[&lost[..], &keys].concat()).exits(8);
    assert!(said.err.contains("warning") && said.err.contains("Garage is known"), "{said:?}");
}

#[test]
fn a_policy_is_printed_for_the_bucket_that_is_named() {
    let stage = Stage::empty();
    let policy = |more: &[&str]| {
        let args = [&["store", "policy", "--store", "s3://team/pre", "--project", "shop"], more];
        let said = stage.run("ada", &args.concat()).ok();
        serde_json::from_str::<Value>(&said.out).expect("a policy")
    };
    assert_eq!(policy(&["--reader"])["Statement"].as_array().expect("some").len(), 1);
    assert!(policy(&[]).to_string().contains("team/pre/shop/agents/ada/*"));
    assert!(policy(&["--write-once"]).to_string().contains("s3:if-none-match"));
}

const SECRETS: [&str; 5] = [
    "example-env-secret",
    "example-profile-secret",
    "example-typed-secret",
    "hf_EXAMPLEPLANTED",
    "example-session-token",
];

#[test]
fn planted_credentials_appear_in_no_output_log_journal_or_config() {
    let stage = Stage::local();
    let aws = stage.home().join(".aws");
    fs::create_dir_all(&aws).expect("a folder");
    let profile = "[default]\naws_access_key_id = AKIAPROFILE\n\
                   aws_secret_access_key = example-profile-secret\n\
                   aws_session_token = example-session-token\n";
    fs::write(aws.join("credentials"), profile).expect("a profile");
    let bucket = ["--store", "s3://team", "--endpoint", "http://127.0.0.1:1"];
    let dest = ["move", "s3://team", "--endpoint", "http://127.0.0.1:1", "--dry-run"];
    let copy = ["copy", "s3://team", "--endpoint", "http://127.0.0.1:1"];
    let replica = ["store", "replica", "s3://team", "--endpoint", "http://127.0.0.1:1"];
    // A copy that is trusted and cannot be reached: what goes wrong behind an act is kept.
    let config = stage.work().join(".brigade/config.toml");
    let named = fs::read_to_string(&config).expect("a config")
        + "[replica]\nstore = \"s3://team\"\nendpoint = \"http://127.0.0.1:1\"\n";
    fs::write(&config, named).expect("a config");
    stage.run("ada", &["trust"]).ok();
    let typed = ["--access-key", "AKIATYPED", "--secret-key", "example-typed-secret"];
    let init = ["init", "--backend", "hf", "--bucket", "ada/x", "--endpoint", "http://127.0.0.1:1"];
    for with_env in [true, false] {
        for args in [
            [&["doctor", "--quick"][..], &bucket].concat(),
            [&["store"][..], &bucket].concat(),
            [&["claim", "x"][..], &bucket].concat(),
            [&["store", "--json"][..], &bucket].concat(),
            dest.to_vec(),
            [&dest[..], &typed].concat(),
            [&copy[..], &typed].concat(),
            replica.to_vec(),
            [&replica[..], &typed].concat(),
            [&replica[..], &["--promote", "--project", "other"], &typed].concat(),
            vec!["claim", "y"],
            vec!["store", "replicate", "--json"],
            vec!["store", "replica", "--json"],
            vec!["status"],
            vec!["doctor", "--quick", "--json"],
            vec!["events", "--json"],
        ] {
            expect_no_secret(&run(&stage, with_env, &args), &args);
        }
        let other = Stage::empty();
        let args = [&init[..], &typed].concat();
        expect_no_secret(&run(&other, with_env, &args), &args);
    }
    let said = run(&stage, false, &[&["doctor", "--quick"][..], &bucket].concat());
    assert!(said.out.contains("the AWS profile default"), "{said:?}");
    let mut looked = 0;
    for folder in [stage.work(), stage.home()] {
        expect_no_secret_below(&folder, &aws, &mut looked);
    }
    assert!(looked > 5, "only {looked} files were looked into");
}

fn run(stage: &Stage, with_env: bool, args: &[&str]) -> Said {
    let mut command = stage.command("ada", args);
    // Nobody is there to be asked.
    command.env("HF_TOKEN", SECRETS[3]).env("HF_ENDPOINT", "http://127.0.0.1:1");
    if with_env {
        command.env("AWS_ACCESS_KEY_ID", "AKIAENV").env("AWS_SECRET_ACCESS_KEY", SECRETS[0]);
    }
    Said::of(command.output().expect("it runs"))
}

fn expect_no_secret(said: &Said, args: &[&str]) {
    for secret in SECRETS {
        assert!(!said.out.contains(secret) && !said.err.contains(secret), "{args:?}: {said:?}");
    }
}

/// The user's own profile and the file of kept keys are where keys belong.
fn expect_no_secret_below(folder: &Path, but: &Path, looked: &mut usize) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path == but || path.ends_with("keys.toml") {
            continue;
        }
        if path.is_dir() {
            expect_no_secret_below(&path, but, looked);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            *looked += 1;
            for secret in SECRETS {
                assert!(!text.contains(secret), "{} has {secret}", path.display());
            }
        }
    }
}
