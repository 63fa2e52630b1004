//! Signing keys and marks, as users and their files meet them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::support::{Said, Stage};

fn key_file(stage: &Stage) -> PathBuf {
    stage.home().join(".config/brigade/signing-key.toml")
}

/// Another user on another machine: a home of their own, the same project.
fn elsewhere(stage: &Stage, agent: &str, args: &[&str]) -> Said {
    let mut command = stage.command(agent, args);
    command.env("HOME", stage.home().join("elsewhere"));
    Said::of(command.output().expect("the binary runs"))
}

fn own_key(said: &Said) -> String {
    let listed: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
    listed["key"].as_str().unwrap_or_else(|| panic!("{said:?}")).to_owned()
}

/// Every JSON document of the project, by its path.
fn documents(folder: &Path) -> Vec<(PathBuf, Value)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(documents(&path));
        } else if let Ok(value) = serde_json::from_slice(&fs::read(&path).expect("a document")) {
            all.push((path, value));
        }
    }
    all
}

#[test]
fn init_with_sign_makes_a_key_for_its_user_alone_and_all_is_signed_from_the_first_document_on() {
    let stage = Stage::empty();
    let said = stage.run("designer", &["init", "--project", "stage", "--sign"]).ok();
    assert!(said.out.contains("What you write is signed with ed25519:"), "{said:?}");
    stage.run("designer", &["claim", "design"]).ok();
    stage.run("designer", &["send", "developer", "hello"]).ok();
    stage.run("developer", &["inbox", "--new"]).ok();
    let file = key_file(&stage);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = fs::read_to_string(&file).unwrap();
    let secret = secret.split("secret = \"").nth(1).unwrap()[..64].to_owned();
    let written = documents(&stage.work().join(".brigade/stage"));
    assert!(written.len() >= 5, "{written:?}");
    for (path, document) in written {
        let key = document["signature"]["key"].as_str().unwrap_or_default();
        assert!(key.starts_with("ed25519:"), "{}", path.display());
        assert!(!document.to_string().contains(&secret), "{}", path.display());
    }
    for look in [&["keys", "list"][..], &["doctor", "--quick"], &["status", "--json"]] {
        let said = stage.run("designer", look).ok();
        assert!(!said.out.contains(&secret) && !said.err.contains(&secret), "{said:?}");
    }
    // It is there: nothing is replaced unasked, and a second `init --sign` keeps it.
    stage.run("designer", &["keys", "generate"]).exits(2);
    stage.run("developer", &["init", "--sign"]).ok();
    assert!(fs::read_to_string(&file).unwrap().contains(&secret));
}

#[test]
fn whoever_uses_no_signatures_sees_what_it_always_saw() {
    let stage = Stage::local();
    stage.run("designer", &["send", "developer", "hello"]).ok();
    let inbox = stage.run("developer", &["inbox"]).ok();
    assert!(inbox.out.contains("(direct) designer: hello"), "{inbox:?}");
    assert_eq!(stage.json("developer", &["inbox"])["messages"][0].get("signature"), None);
    assert!(!stage.run("developer", &["doctor", "--quick"]).out.contains("signature"));
}

#[test]
fn what_is_not_signed_with_a_trusted_key_is_marked_where_that_is_asked_for() {
    let stage = Stage::local();
    stage.run("reader", &["keys", "generate"]).ok();
    stage.run("reader", &["keys", "require"]).ok();
    elsewhere(&stage, "designer", &["send", "reader", "one"]).ok();
    let generated = elsewhere(&stage, "designer", &["keys", "generate", "--json"]).ok();
    let key = own_key(&generated);
    elsewhere(&stage, "builder", &["send", "reader", "two"]).ok();
    elsewhere(&stage, "builder", &["memory", "set", "shared", "words"]).ok();
    elsewhere(&stage, "builder", &["claim", "design"]).ok();
    elsewhere(&stage, "builder", &["complete", "design", "--note", "look"]).ok();
    elsewhere(&stage, "builder", &["files", "--add", "src/login"]).ok();
    let files = stage.json("reader", &["files", "--list"]);
    assert_eq!(files["files"][0]["signature"], "unknown_key", "{files}");
    let inbox = stage.run("reader", &["inbox"]).ok().out;
    assert!(inbox.contains("(direct, unsigned) designer: one"), "{inbox}");
    assert!(inbox.contains("(direct, unknown key) builder: two"), "{inbox}");
    let listed = stage.run("reader", &["keys", "list"]).ok().out;
    assert!(listed.contains(&format!("{key}  unknown used by builder")), "{listed}");
    let value = stage.json("reader", &["memory", "get", "shared", "--with-meta"]);
    assert_eq!(value["signature"], "unknown_key");
    let plain = stage.run("reader", &["memory", "get", "shared"]).ok();
    assert_eq!(plain.out, "words\n");
    assert!(plain.err.contains("says it is by builder): unknown key"), "{plain:?}");
    elsewhere(&stage, "builder", &["comment", "design", "a word"]).ok();
    let page = stage.run("reader", &["show", "design"]).ok().out;
    assert!(page.contains("builder (unknown key) ("), "{page}");
    for look in [
        &["step-status", "design"][..],
        &["handoff", "design"],
        &["files", "--list"],
        &["events"],
        &["list", "--all"],
        &["show", "design"],
        &["search", "word"],
    ] {
        let said = stage.run("reader", look).ok();
        assert!(said.out.contains("unknown key"), "{look:?}: {said:?}");
    }
    // Trusted for another name only, it is still nobody's; then it counts; then no more.
    let mark = |stage: &Stage| stage.json("reader", &["inbox"])["messages"][1]["signature"].clone();
    stage.run("reader", &["keys", "trust", &key, "--only", "designer"]).ok();
    assert_eq!(mark(&stage), "unknown_key");
    stage.run("reader", &["keys", "trust", &key]).ok();
    assert_eq!(mark(&stage), "verified");
    let inbox = stage.run("reader", &["inbox"]).ok().out;
    assert!(inbox.contains("(direct) builder: two"), "{inbox}");
    stage.run("reader", &["keys", "revoke", &key]).ok();
    assert_eq!(mark(&stage), "unknown_key");
    stage.run("reader", &["keys", "require", "--off"]).ok();
    let inbox = stage.run("reader", &["inbox"]).ok().out;
    assert!(inbox.contains("(direct) designer: one"), "{inbox}");
    stage.run("reader", &["keys", "trust", &key[..40]]).exits(2);
}

#[test]
fn a_document_that_was_changed_is_told_to_everybody_and_its_text_is_left_out() {
    let stage = Stage::local();
    elsewhere(&stage, "designer", &["keys", "generate"]).ok();
    elsewhere(&stage, "designer", &["send", "reader", "the truth"]).ok();
    elsewhere(&stage, "designer", &["memory", "set", "shared", "the truth"]).ok();
    for (path, document) in documents(&stage.work().join(".brigade/stage")) {
        if document.to_string().contains("the truth") {
            let text = fs::read_to_string(&path).unwrap().replace("the truth", "a big lie");
            fs::write(&path, text).unwrap();
        }
    }
    let inbox = stage.run("reader", &["inbox"]).ok().out;
    assert!(inbox.contains("(direct, BAD SIGNATURE) designer: [left out"), "{inbox}");
    assert!(!inbox.contains("a big lie"), "{inbox}");
    assert_eq!(stage.json("reader", &["inbox"])["messages"][0]["signature"], "bad");
    let refused = stage.run("reader", &["memory", "get", "shared"]).exits(9);
    assert!(refused.out.is_empty() && refused.err.contains("does not fit"), "{refused:?}");
    let doctor = stage.run("reader", &["doctor", "--quick"]).exits(9);
    assert!(doctor.out.contains("FAIL  signatures"), "{doctor:?}");
}

#[test]
fn a_project_may_ask_for_signatures_and_init_keeps_that_on_this_machine() {
    let stage = Stage::empty();
    stage.run("a", &["init", "--project", "stage", "--require-signatures"]).exits(2);
    let wish = ["init", "--project", "stage", "--sign", "--require-signatures"];
    stage.run("founder", &wish).ok();
    let joined = elsewhere(&stage, "newcomer", &["init"]).ok();
    assert!(joined.err.contains("wants everything signed"), "{joined:?}");
    elsewhere(&stage, "newcomer", &["send", "founder", "hello"]).ok();
    let inbox = stage.run("founder", &["inbox"]).ok().out;
    assert!(inbox.contains("(direct, unsigned) newcomer: hello"), "{inbox}");
    // Whoever takes the wish out of the store has not taken it from those who know it.
    let document = stage.work().join(".brigade/stage/project.json");
    let text = fs::read_to_string(&document).unwrap();
    fs::write(&document, text.replace("\"requires_signatures\": true", "\"x\": 1")).unwrap();
    elsewhere(&stage, "newcomer", &["send", "fresh", "hello"]).ok();
    let inbox = stage.run("fresh", &["inbox"]).ok().out;
    assert!(inbox.contains("(direct, unsigned) newcomer: hello"), "{inbox}");
    let signers = fs::read_to_string(stage.home().join(".config/brigade/signers.toml")).unwrap();
    assert!(signers.contains("require = true"), "{signers}");
}

#[test]
fn a_key_file_that_is_not_as_it_should_be_stops_every_command_and_is_left_as_it_is() {
    let stage = Stage::local();
    stage.run("reader", &["keys", "generate"]).ok();
    let file = key_file(&stage);
    let whole = fs::read(&file).unwrap();
    let private =
        |path: &Path| fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    let refused = |why: &str| {
        let before = documents(&stage.work().join(".brigade/stage")).len();
        for command in [&["claim", "x"][..], &["inbox"], &["keys", "list"], &["doctor"]] {
            let said = stage.run("reader", command).exits(9);
            assert!(said.err.contains(why) && said.err.contains("hint:"), "{said:?}");
        }
        assert_eq!(documents(&stage.work().join(".brigade/stage")).len(), before);
    };
    for mode in [0o644, 0o640, 0o602] {
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        refused("others can read or change it");
    }
    private(&file);
    for broken in [&b""[..], &whole[..whole.len() / 2], b"\xff\xfe", b"[[[["] {
        fs::write(&file, broken).unwrap();
        refused("cannot be used");
    }
    fs::remove_file(&file).unwrap();
    let real = stage.home().join("real.toml");
    fs::write(&real, &whole).unwrap();
    private(&real);
    symlink(&real, &file).unwrap();
    refused("it is a symlink");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    refused("it is no plain file");
    fs::remove_dir(&file).unwrap();
    fs::write(&file, &whole).unwrap();
    private(&file);
    stage.run("reader", &["claim", "x"]).ok();
    // A broken one can be replaced.
    fs::write(&file, "").unwrap();
    stage.run("reader", &["keys", "generate", "--replace"]).ok();
    stage.run("reader", &["claim", "y"]).ok();
}

/// Inside, the session leader of these processes is nobody: process 0, as `getsid` has it.
#[test]
fn a_session_that_was_begun_outside_of_the_pid_namespace_is_no_reason_to_panic() {
    let inside = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    match Command::new("unshare").args(inside).arg("true").output() {
        Ok(output) if output.status.success() => {}
        other => {
            let why = other.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
            eprintln!("skipped: no pid namespace can be made here: {why:?}");
            return;
        }
    }
    let stage = Stage::empty();
    let run = |args: &[&str]| {
        let brigade = stage.command("designer", args);
        let mut command = Command::new("unshare");
        command.args(inside).arg(brigade.get_program()).args(brigade.get_args());
        command.current_dir(stage.work()).env_clear();
        command.envs(brigade.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Said::of(command.output().expect("unshare runs"))
    };
    run(&["init", "--agent", "designer", "--project", "stage"]).ok();
    let said = run(&["claim", "design"]).ok();
    assert!(said.out.contains("Claimed step design as designer"), "{said:?}");
}
