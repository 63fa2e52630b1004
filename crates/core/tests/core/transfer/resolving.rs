//! A person decides whose word stands: it is written, recorded, and never lost.

use brigade_core::Project;
use brigade_core::error::Kind;
use brigade_core::history::Filter as Wanted;
use brigade_core::id::MemoryKey;
use brigade_core::task::{ActName, Status, Task};
use brigade_core::transfer::{Options, Outcome, Resolve};
use serde_json::Value;

use super::{export, import, import_as};
use crate::verbs_support::{House, claim, complete, id};

const LINES: &str = r#"{"id":"bd-1","title":"One","status":"open","priority":1,"issue_type":"task","created_at":"2026-03-01T09:00:00Z","updated_at":"2026-03-01T09:00:00Z","unknown":{"deep":[1]},"labels":["a","b"]}
{"id":"bd-2","title":"Two","status":"closed","priority":2,"issue_type":"bug","created_at":"2026-03-01T09:00:00Z","updated_at":"2026-03-02T09:00:00Z","closed_at":"2026-03-02T09:00:00Z"}
"#;
/// One is closed there with a comment and other labels, two is open again.
const OTHERS: &str = r#"{"id":"bd-1","title":"Uno","status":"closed","priority":0,"issue_type":"task","created_at":"2026-03-01T09:00:00Z","updated_at":"2026-03-09T09:00:00Z","closed_at":"2026-03-09T09:00:00Z","unknown":{"deep":[2]},"labels":["b","c"],"dependencies":[{"issue_id":"bd-1","depends_on_id":"bd-2","type":"blocks","created_at":"2026-03-02T09:00:00Z","created_by":"ada"}],"comments":[{"id":7,"issue_id":"bd-1","author":"ada","text":"done","created_at":"2026-03-08T08:00:00Z"}]}
{"id":"bd-2","title":"Two","status":"in_progress","priority":2,"issue_type":"bug","assignee":"bob","created_at":"2026-03-01T09:00:00Z","updated_at":"2026-03-10T09:00:00Z"}
"#;

async fn decided(project: &Project, text: &str, side: Resolve) -> Outcome {
    let options = Options { resolve: Some(side), ..Options::default() };
    import_as(project, text, options).await
}

async fn task(project: &Project, name: &str) -> Task {
    project.tasks().show(&id(name)).await.unwrap().task
}

#[tokio::test]
async fn theirs_is_what_the_task_says_from_then_on_and_ours_stays_in_its_history() {
    let project = House::new().await.agent("me");
    import(&project, LINES).await;
    assert_eq!(import(&project, OTHERS).await.kind(), Some(Kind::Held));
    let outcome = decided(&project, OTHERS, Resolve::Theirs).await;
    assert_eq!((outcome.kind(), outcome.comments), (None, 1), "{outcome:?}");
    let names: Vec<&str> = outcome.resolved.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(names, ["bd-1", "bd-2"]);
    let one = task(&project, "bd-1").await;
    assert_eq!((&*one.title, one.status, one.holder), ("Uno", Status::Closed, None));
    assert_eq!((one.fields.labels.len(), one.fields.dependencies.len()), (2, 1));
    let two = task(&project, "bd-2").await;
    // Nobody is at it here: who is to do it is.
    assert_eq!((two.status, two.fields.assigned_to.unwrap().as_str()), (Status::Open, "bob"));
    let history = project.tasks().history(&id("bd-1")).await.unwrap();
    assert_eq!(history[0].1.task.title, "One");
    let last = &history.last().unwrap().1;
    assert_eq!(last.act, ActName::Edit);
    let reason = last.reason.clone().unwrap();
    assert!(reason.starts_with("import, theirs: ") && reason.contains("title"), "{reason}");
    // The other tool's own words come back, and the same file has nothing more to say.
    let exported = export(&project).await;
    let fields = |text: &str| -> Vec<Value> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.collect()
    };
    for (out, theirs) in fields(&exported).iter().zip(fields(OTHERS)) {
        for (key, value) in theirs.as_object().unwrap() {
            assert_eq!(out.get(key), Some(value), "{key} of {out}");
        }
    }
    let again = import(&project, OTHERS).await;
    assert_eq!((again.kind(), again.unchanged, again.comments), (None, 2, 0), "{again:?}");
    let report = project.doctor().examine(quick()).await;
    assert!(report.check("task_logs").unwrap().verdict == brigade_core::doctor::Verdict::Ok);
}

#[tokio::test]
async fn ours_stays_and_the_journal_says_what_was_turned_away() {
    let house = House::new().await;
    let project = house.agent("me");
    import(&project, LINES).await;
    let before = export(&project).await;
    let outcome = decided(&project, OTHERS, Resolve::Ours).await;
    assert_eq!((outcome.kind(), outcome.resolved.len(), outcome.comments), (None, 2, 1));
    assert_eq!(task(&project, "bd-1").await.title, "One");
    let without = |text: &str| text.split(",\"comments\"").next().unwrap().to_owned();
    assert!(export(&project).await.starts_with(&without(&before)[..40]));
    assert_eq!(project.tasks().history(&id("bd-1")).await.unwrap().len(), 1);
    let wanted = Wanted { task: Some(id("bd-1")), ..Wanted::default() };
    let entries = project.history().entries(&wanted).await.unwrap();
    let told = entries.iter().find(|entry| entry.act == "import_resolved").unwrap();
    let words = "import, ours: closed_at stays null, and is not \"2026-03-09T09:00:00Z\"";
    assert!(told.summary.contains(words), "{told:?}");
}

#[tokio::test]
async fn a_dry_run_shows_what_would_be_decided_and_writes_nothing() {
    let project = House::new().await.agent("me");
    import(&project, LINES).await;
    let before = export(&project).await;
    let options = Options { resolve: Some(Resolve::Theirs), dry_run: true, ..Options::default() };
    let outcome = import_as(&project, OTHERS, options).await;
    assert_eq!((outcome.kind(), outcome.resolved.len()), (None, 2));
    assert_eq!(export(&project).await, before);
}

#[tokio::test]
async fn what_somebody_else_holds_stays_theirs_and_nothing_is_imported() {
    let house = House::new().await;
    let (project, other) = (house.agent("me"), house.agent("other"));
    import(&project, LINES).await;
    claim(&other, "bd-1").await.unwrap();
    let outcome = decided(&project, OTHERS, Resolve::Theirs).await;
    assert_eq!((outcome.kind(), outcome.refused), (Some(Kind::Held), true));
    let held: Vec<_> = outcome.conflicts.iter().filter_map(|it| it.held_by.as_ref()).collect();
    assert_eq!(held, [&crate::verbs_support::name("other")]);
    assert_eq!(task(&project, "bd-2").await.status, Status::Closed);
    complete(&other, "bd-1").await.unwrap();
    assert_eq!(decided(&project, OTHERS, Resolve::Theirs).await.kind(), None);
}

#[tokio::test]
async fn what_i_hold_myself_stays_mine_unless_it_is_over_there() {
    let house = House::new().await;
    let project = house.agent("me");
    import(&project, LINES).await;
    claim(&project, "bd-1").await.unwrap();
    let open = LINES.replace("\"One\"", "\"Uno\"");
    assert_eq!(decided(&project, &open, Resolve::Theirs).await.kind(), None);
    let one = task(&project, "bd-1").await;
    assert_eq!((&*one.title, one.status), ("Uno", Status::Claimed));
    assert_eq!(decided(&project, OTHERS, Resolve::Theirs).await.kind(), None);
    assert_eq!(task(&project, "bd-1").await.status, Status::Closed);
    let report = project.doctor().examine(quick()).await;
    assert!(report.check("task_logs").unwrap().verdict == brigade_core::doctor::Verdict::Ok);
}

#[tokio::test]
async fn a_value_of_shared_memory_is_decided_like_a_task() {
    let project = House::new().await.agent("me");
    let text = r#"{"_type":"memory","key":"build.tool","value":"just"}"#;
    import(&project, text).await;
    let other = text.replace("just", "make");
    let values = async || -> Vec<Value> {
        let key = MemoryKey::parse("build.tool").unwrap();
        let history = project.memory().history(&key).await.unwrap();
        history.into_iter().map(|it| it.value).collect()
    };
    assert_eq!(decided(&project, &other, Resolve::Ours).await.kind(), None);
    assert_eq!(values().await, ["just"]);
    assert_eq!(decided(&project, &other, Resolve::Theirs).await.kind(), None);
    assert_eq!(values().await, ["just", "make"]);
}

fn quick() -> brigade_core::doctor::Options {
    brigade_core::doctor::Options { quick: true, deep: false, fix: false }
}
