//! `replay`: the demo's run as a story, as a document and as files.

use std::path::PathBuf;

use serde_json::Value;

use super::support::{Said, Stage};

/// The acts of the demo, in the order in which each agent does them.
const DEMO: [(&str, &[&str]); 3] = [
    (
        "designer",
        &[
            "project_started",
            "session_started",
            "claim",
            "memory_set",
            "memory_set",
            "send",
            "complete",
        ],
    ),
    (
        "developer",
        &[
            "session_started",
            "claim_refused",
            "claim",
            "comment",
            "artifact_upload",
            "broadcast",
            "complete",
        ],
    ),
    ("reviewer", &["session_started", "claim", "send", "block"]),
];

/// All that our page is made of.
const TAGS: &[&str] = &[
    "doctype", "html", "head", "meta", "title", "style", "body", "header", "h1", "p", "main",
    "div", "details", "summary", "svg", "g", "path", "rect", "circle", "text", "table", "thead",
    "tbody", "tr", "th", "td", "strong", "script",
];

/// The demo, played, and a command in its folder.
struct Demo(Stage);

impl Demo {
    fn play() -> Demo {
        let stage = Stage::empty();
        stage.run("", &["demo", "--dir", "run", "--fast"]).ok();
        Demo(stage)
    }

    fn folder(&self) -> PathBuf {
        self.0.work().join("run")
    }

    fn run(&self, args: &[&str]) -> Said {
        let mut command = self.0.command("looker", args);
        Said::of(command.current_dir(self.folder()).output().expect("the binary runs"))
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(args).ok().out).expect("one document")
    }
}

fn acts_of<'r>(replay: &'r Value, agent: &str) -> Vec<&'r str> {
    let events = replay["events"].as_array().expect("a list").iter();
    events
        .filter(|event| event["agent"] == agent)
        .map(|event| event["act"].as_str().expect("a name"))
        .collect()
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let start = text.find(from).unwrap_or_else(|| panic!("no {from}")) + from.len();
    let end = text[start..].find(to).unwrap_or_else(|| panic!("no {to}"));
    &text[start..start + end]
}

#[test]
fn the_eighteen_events_of_the_demo_are_all_there_and_the_blocked_handoff_is_red() {
    let demo = Demo::play();
    let replay = demo.json(&["replay", "--json"]);
    assert_eq!(replay["events"].as_array().unwrap().len(), 18);
    for (agent, acts) in DEMO {
        assert_eq!(acts_of(&replay, agent), acts, "{agent}");
    }
    let bars: Vec<(&str, &str)> = replay["bars"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bar| (bar["task"].as_str().unwrap(), bar["end"].as_str().unwrap()))
        .collect();
    assert_eq!(
        bars,
        [
            ("design", "completed"),
            ("build", "completed"),
            ("review", "blocked"),
            ("review", "open")
        ]
    );
    let handoffs =
        replay["arrows"].as_array().unwrap().iter().filter(|arrow| arrow["kind"] == "handoff");
    let handoffs: Vec<(&str, &str)> = handoffs
        .map(|arrow| (arrow["from"].as_str().unwrap(), arrow["to"].as_str().unwrap()))
        .collect();
    assert_eq!(handoffs, [("designer", "developer"), ("developer", "reviewer")]);
    assert_eq!(replay["ending"]["blocked"], serde_json::json!(["review"]));
    demo.run(&["replay", "--html", "run.html"]).ok();
    let page = std::fs::read_to_string(demo.folder().join("run.html")).unwrap();
    let picture = between(&page, "<svg", "</svg>");
    assert_eq!(picture.matches("class=\"bar bad\"").count(), 1, "{picture}");
    assert!(picture.contains("review, reviewer (blocked)"), "{picture}");
    // Without JavaScript every act is a row.
    assert_eq!(between(&page, "<tbody>", "</tbody>").matches("<tr").count(), 18);
}

#[test]
fn the_story_is_told_in_lines_with_its_problems_marked() {
    let demo = Demo::play();
    let said = demo.run(&["replay"]).ok().out;
    assert!(said.starts_with("replaydemo: 3 agents, 18 events in "), "{said}");
    assert!(
        said.contains("2 problems; it ends blocked: review (missing auth check, needs rework)")
    );
    let marked: Vec<&str> = said.lines().filter(|line| line.starts_with('!')).collect();
    assert_eq!(marked.len(), 2, "{said}");
    assert!(marked[0].contains("developer was refused: task design is held by designer"));
    assert!(marked[1].ends_with("reviewer blocked review: missing auth check, needs rework"));
    assert_eq!(said.lines().count(), 3 + 18);
}

#[test]
fn a_window_is_given_by_times_and_spans() {
    let demo = Demo::play();
    let all = demo.json(&["replay", "--json"]);
    let claim =
        all["events"].as_array().unwrap().iter().find(|event| event["act"] == "block").unwrap();
    let part = demo.json(&["replay", "--json", "--since", claim["at"].as_str().unwrap()]);
    assert_eq!(part["events"].as_array().unwrap().last().unwrap()["act"], "block");
    assert!(
        part["events"].as_array().unwrap().len() < 18
            && !part["before"].as_array().unwrap().is_empty()
    );
    assert_eq!(part["ending"], all["ending"]);
    let recent = demo.json(&["replay", "--json", "--since", "1h", "--until", "0s"]);
    assert_eq!(recent["events"].as_array().unwrap().len(), 18);
    let said = demo.run(&["replay", "--since", "yesterday"]).exits(2);
    assert!(said.err.contains("--since takes a time"), "{said:?}");
    demo.run(&["replay", "--since", "1m", "--until", "1h"]).exits(2);
    let none = demo.run(&["replay", "--until", "2001-01-01T00:00:00Z"]).ok();
    assert_eq!(none.out, "replaydemo: nothing has happened yet\n");
}

#[test]
fn the_file_holds_nothing_that_a_browser_would_run_or_fetch() {
    let stage = Stage::local();
    let bad = "</script><script>alert(1)</script><img src=https://example.com/x onerror=alert(2)>";
    stage.run("mallory", &["create", bad, "--id", "<b>$(id)"]).ok();
    stage.run("mallory", &["claim", "<b>$(id)"]).ok();
    stage.run("mallory' onload='x", &["send", "_broadcast", bad]).ok();
    stage.run("mallory", &["memory", "set", "a.b", "\u{2028}<!--<script>\u{1b}[2J"]).ok();
    stage
        .run("mallory", &["comment", "<b>$(id)", "javascript:alert(3) <svg/onload=alert(4)>"])
        .ok();
    stage.run("mallory", &["complete", "<b>$(id)", "--blocked", "--note", bad]).ok();
    stage.run("looker", &["replay", "--html", "run.html"]).ok();
    let page = std::fs::read_to_string(stage.work().join("run.html")).unwrap();
    let lower = page.to_lowercase();
    // One block of data, one script, one picture: ours.
    assert_eq!(lower.matches("<script").count(), 2, "a script of somebody else's");
    assert_eq!((lower.matches("<svg").count(), lower.matches("<style").count()), (1, 1));
    let script = between(&page, "<script type=\"module\">", "</script>");
    let data = between(&page, "id=\"replay-data\">", "</script>");
    let outside = page.replace(script, "").replace(data, "");
    for tag in outside.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        let name = tag.trim_start_matches(['/', '!']).split(' ').next().unwrap_or_default();
        assert!(TAGS.contains(&name.trim()), "a tag of somebody else's: <{tag}>");
        for attribute in [" src=", " href=", " style=", " onload=", " onerror=", " onclick="] {
            // Behind a quotation mark is a value of ours, in which theirs are escaped.
            let bare: String = tag.split('"').step_by(2).collect();
            assert!(!bare.contains(attribute), "<{tag}>");
        }
    }
    assert!(!data.contains('<') && !data.contains('>'), "markup in the data");
    assert!(!page.contains(['\u{1b}', '\u{2028}']), "a control character");
    let data: Value = serde_json::from_str(data).unwrap();
    let words = data["events"].to_string();
    assert!(words.contains("onerror=alert(2)"), "it is there as text: {words}");
    let command =
        data["events"].as_array().unwrap().iter().find(|event| event["act"] == "block").unwrap();
    assert_eq!(command["command"], "brigade handoff '<b>$(id)'");
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
}

#[test]
fn what_looks_like_a_secret_leaves_in_no_file_unless_it_is_told_to() {
    let stage = Stage::local();
    let secret = concat!("ghp_", "0123456789abcdefghijABCDEFGHIJ456789");
    stage.run("designer", &["send", "_broadcast", &format!("use {secret}")]).ok();
    let line = ["replay", "--html", "run.html", "--perfetto", "run.json"];
    let said = stage.run("looker", &line).ok().out;
    assert!(said.contains(" taken out"), "{said}");
    let read = |file: &str| std::fs::read_to_string(stage.work().join(file)).unwrap();
    assert!(!read("run.html").contains(secret) && !read("run.json").contains(secret));
    stage.run("looker", &["replay", "--html", "run.html", "--no-redact"]).ok();
    assert!(read("run.html").contains(secret));
    let trace: Value = serde_json::from_str(&read("run.json")).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 5);
    let said = stage.run("looker", &["replay", "--html", "no/such/folder/run.html"]).exits(1);
    assert!(said.err.contains("no/such/folder"), "{said:?}");
}

#[test]
fn the_rules_of_whoever_gives_a_file_away_are_looked_through_as_well() {
    let stage = Stage::local();
    stage.run("designer", &["send", "_broadcast", "the codeword is tangerine"]).ok();
    let own = stage.home().join(".config/brigade");
    std::fs::create_dir_all(&own).unwrap();
    let rules = own.join("redaction.toml");
    std::fs::write(&rules, "[[rules]]\nid = 'fruit'\nregex = 'tanger[a-z]+'\n").unwrap();
    stage.run("looker", &["replay", "--html", "run.html"]).ok();
    let page = std::fs::read_to_string(stage.work().join("run.html")).unwrap();
    assert!(page.contains("the codeword is [REDACTED:fruit") && !page.contains("tangerine"));
    // Half a set of rules is none.
    std::fs::write(&rules, "[[rules]]\nid = 'fruit'\nregex = '('\n").unwrap();
    let said = stage.run("looker", &["replay", "--html", "other.html"]).exits(2);
    assert!(said.err.contains("redaction.toml cannot be used"), "{said:?}");
    assert!(!stage.work().join("other.html").exists());
}

#[test]
fn a_view_that_is_on_no_terminal_is_plain_text() {
    use std::io::{BufRead, BufReader};
    let stage = Stage::local();
    let mut top = stage.spawn("someone", &["top", "--interval", "1"]);
    let line = BufReader::new(top.stdout.take().expect("piped")).lines().next().unwrap().unwrap();
    top.kill().unwrap();
    top.wait().unwrap();
    assert!(line.starts_with("stage in ") && line.ends_with("as someone"), "{line}");
}

#[test]
fn a_view_on_a_terminal_leaves_it_as_it_was() {
    use std::io::{Read, Write};
    let stage = Stage::local();
    let script = PathBuf::from("/usr/bin/script");
    if !script.exists() {
        eprintln!("skipped: there is no script(1) to give us a terminal");
        return;
    }
    let line = format!("stty rows 30 cols 100; exec {} top", env!("CARGO_BIN_EXE_brigade"));
    let mut command = stage.command_at(&script, "someone", &["-qfec", &line, "/dev/null"]);
    command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    // Its name stands in the first line once the first look has ended; then it is told to quit.
    while !String::from_utf8_lossy(&seen).contains("Board") {
        let read = out.read(&mut piece).unwrap();
        assert!(read > 0, "it ended by itself: {}", String::from_utf8_lossy(&seen));
        seen.extend(&piece[..read]);
    }
    keys.write_all(b"q").unwrap();
    keys.flush().unwrap();
    out.read_to_end(&mut seen).unwrap();
    assert!(child.wait().unwrap().success());
    let seen = String::from_utf8_lossy(&seen).into_owned();
    let (entered, left) =
        (seen.find("\u{1b}[?1049h").unwrap(), seen.find("\u{1b}[?1049l").unwrap());
    assert!(
        entered < left && seen[left..].contains("\u{1b}[?25h"),
        "the cursor is hidden: {seen:?}"
    );
}
