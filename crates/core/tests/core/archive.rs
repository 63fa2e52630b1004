//! Archiving closed tasks: nothing is missing and nothing is doubled for any reader, names stay taken,
//! and who comes late to a log that was archived meanwhile is told the truth.

use std::sync::Arc;
use std::time::Duration;

use brigade_core::Project;
use brigade_core::doctor::{Options, Verdict};
use brigade_core::error::{Error, Kind};
use brigade_core::history::Filter as Wanted;
use brigade_core::key::{Key, Room};
use brigade_core::store::counted::{Counted, Counts};
use brigade_core::store::{If, Store};
use brigade_core::task::{
    ActName, Archive, Archiving, Comment, CommentKind, DependencyKind, Draft, Edge, Filter, Sort,
    Status, WaitFor,
};
use serde_json::{Value, json};

use crate::verbs_support::{
    Gate, House, Puts, claim, complete, heartbeat, id, name, ram_state, refusal, release, seize,
    state,
};

/// So long a log in a bucket is left alone before it is archived.
const A_DAY: Duration = Duration::from_secs(25 * 60 * 60);

/// A session for which no log needs to be left alone: each act looks twice.
pub fn hasty(house: &House, who: &str) -> Project {
    hasty_through(house, house.store.clone(), who)
}

pub fn hasty_through(house: &House, store: Arc<dyn Store>, who: &str) -> Project {
    let session = house.session(store, who, &ram_state());
    Project::new(session.with_quiet(Duration::ZERO))
}

pub async fn archive(who: &Project) -> Archiving {
    let wish = Archive { older_than: Duration::ZERO, dry_run: false };
    who.tasks().archive(&wish).await.unwrap()
}

pub async fn say(who: &Project, task: &str, words: &str) {
    let said = Comment::new(CommentKind::Comment, words);
    who.tasks().comment(&id(task), said).await.unwrap();
}

/// A task that was worked on, reviewed, opened again and closed.
pub async fn worked_on(who: &Project, task: &str) {
    claim(who, task).await.unwrap();
    say(who, task, &format!("about {task}")).await;
    complete(who, task).await.unwrap();
    who.tasks().reopen(&id(task), Some("not yet".into())).await.unwrap();
    claim(who, task).await.unwrap();
    say(who, task, "and again").await;
    complete(who, task).await.unwrap();
}

/// What a reader sees, but for what only archiving changes.
pub async fn seen(who: &Project) -> Value {
    let tasks = who.tasks();
    let board = tasks.board().await.unwrap();
    let mut details = Vec::new();
    for task in board.list(&Filter::default(), Sort::Id) {
        let history = tasks.history(&task.id).await.unwrap();
        let history: Vec<Value> = history
            .iter()
            .filter(|(_, it, _)| it.reason.as_deref() != Some("archived"))
            .map(|(version, it, by)| json!([version, it, by.agent, by.sid]))
            .collect();
        let comments = tasks.comments(&task.id).await.unwrap();
        let tree = board.tree(&task.id, 50);
        details.push(json!([task.id, history, comments, tree, board.neighbours(&task.id)]));
    }
    let closed = Filter { statuses: vec![Status::Closed], ..Filter::default() };
    let export = who.transfer().export(None).await.unwrap();
    let export: Vec<String> = export.iter().map(|issue| issue.line()).collect();
    let journal = who.history().entries(&Wanted::default()).await.unwrap();
    let journal: Vec<_> = journal
        .iter()
        .filter(|entry| entry.act != "archive" && entry.agent != name("archivist"))
        .collect();
    let mut all = json!({
        "details": details,
        "closed": board.list(&closed, Sort::Updated),
        "ready": board.ready(&Filter::default()),
        "blocked": board.blocked(&Filter::default()),
        "stats": board.stats(),
        "comments": tasks.all_comments().await.unwrap(),
        "export": export,
        "journal": journal,
        "notices": who.session().take_notices(),
    });
    forget_where(&mut all);
    all
}

/// Where the older versions are is all that a task says otherwise.
fn forget_where(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("archive");
            fields.values_mut().for_each(forget_where);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_where),
        _ => {}
    }
}

pub async fn rows(house: &House, task: &str) -> Vec<String> {
    let mut rows = house.keys(&Room::StepLog(id(task))).await;
    rows.extend(house.keys(&Room::CommentsOn(id(task))).await);
    rows.iter().map(|path| path.as_str().rsplit('/').next().unwrap().to_owned()).collect()
}

async fn is_well(who: &Project) {
    let options = Options { quick: true, deep: true, fix: false };
    let report = who.doctor().examine(options).await;
    let bad: Vec<_> = report.checks.iter().filter(|it| it.verdict != Verdict::Ok).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// A project with work of every kind in it, some of it closed a day ago.
async fn project() -> (House, Project) {
    let house = House::new().await;
    let designer = house.agent("designer");
    for task in ["api", "design", "schema"] {
        worked_on(&designer, task).await;
    }
    for title in ["build", "release"] {
        let draft = Draft { id: Some(id(title)), title: title.into(), ..Draft::default() };
        designer.tasks().create(draft).await.unwrap();
    }
    for (from, on) in [("build", "design"), ("release", "build")] {
        let edge = Edge { from: id(from), on: id(on), kind: DependencyKind::Blocks };
        designer.tasks().add_dependency(&edge).await.unwrap();
    }
    house.pass(A_DAY);
    (house, designer)
}

#[tokio::test(start_paused = true)]
async fn every_reader_sees_what_it_saw_before() {
    let (house, _) = project().await;
    let before = seen(&house.agent("viewer")).await;
    let done = archive(&house.agent("archivist")).await;
    let names: Vec<&str> = done.archived.iter().map(|id| id.as_str()).collect();
    assert_eq!(names, ["api", "design", "schema"]);
    assert_eq!((done.objects, done.segments.len()), (3 * 7, 1));
    let after = seen(&house.agent("viewer")).await;
    assert_eq!(before, after);
    for task in names {
        assert_eq!(rows(&house, task).await, ["00000000.json", "00000005.json"]);
    }
    is_well(&house.agent("founder")).await;
    let acts = house.agent("viewer").history().entries(&Wanted::default()).await.unwrap();
    assert_eq!(acts.iter().filter(|entry| entry.act == "archive").count(), 3);
    // There is nothing to do any more.
    let again = archive(&house.agent("archivist")).await;
    assert!(again.archived.is_empty() && again.swept == 0, "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn only_what_is_closed_long_enough_is_archived_and_a_dry_run_writes_nothing() {
    let (house, designer) = project().await;
    claim(&designer, "young").await.unwrap();
    complete(&designer, "young").await.unwrap();
    say(&designer, "young", "one").await;
    let archivist = house.agent("archivist");
    let all = house.keys(&Room::All).await;
    let wish = |days: u64, dry_run| {
        let older_than = Duration::from_secs(days * 86_400);
        Archive { older_than, dry_run }
    };
    let would = archivist.tasks().archive(&wish(0, true)).await.unwrap();
    assert_eq!(would.archived.len(), 3);
    assert_eq!(would.objects, 21);
    assert_eq!(house.keys(&Room::All).await, all);
    let done = archivist.tasks().archive(&wish(2, false)).await.unwrap();
    assert!(done.archived.is_empty());
    // In a bucket a log has to be left alone for a day, whatever the wish.
    let done = archivist.tasks().archive(&wish(0, false)).await.unwrap();
    assert!(!done.archived.contains(&id("young")));
    assert!(archivist.session().take_notices().iter().any(|it| it.contains("24 hours")));
    assert_eq!(house.log("young").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn names_of_archived_tasks_stay_taken() {
    let (house, designer) = project().await;
    let first = designer.tasks().create(Draft { title: "one".into(), ..Draft::default() }).await;
    let first = first.unwrap().task.id;
    claim(&designer, first.as_str()).await.unwrap();
    say(&designer, first.as_str(), "x").await;
    complete(&designer, first.as_str()).await.unwrap();
    house.pass(A_DAY);
    let archivist = house.agent("archivist");
    assert!(archive(&archivist).await.archived.contains(&first));
    for who in ["designer", "newcomer"] {
        let who = house.agent(who);
        let (kind, words) = refusal(claim(&who, "design").await);
        assert_eq!(kind, Kind::Held, "{words}");
        let draft = Draft { id: Some(id("design")), title: "again".into(), ..Draft::default() };
        let (_, words) = refusal(who.tasks().create(draft).await);
        assert!(words.contains("there is a task design already"), "{words}");
        let numbered = who.tasks().create(Draft { title: "two".into(), ..Draft::default() }).await;
        assert_ne!(numbered.unwrap().task.id, first);
    }
}

#[tokio::test(start_paused = true)]
async fn an_archived_task_is_opened_worked_on_and_archived_again() {
    let (house, designer) = project().await;
    let before = designer.tasks().history(&id("design")).await.unwrap().len();
    archive(&house.agent("archivist")).await;
    designer.tasks().reopen(&id("design"), None).await.unwrap();
    claim(&designer, "design").await.unwrap();
    say(&designer, "design", "a third time").await;
    complete(&designer, "design").await.unwrap();
    seize(&designer, "api", "it was not good").await.unwrap();
    release(&designer, "api").await.unwrap();
    house.pass(A_DAY);
    let seen_before = seen(&house.agent("viewer")).await;
    let done = archive(&house.agent("archivist")).await;
    assert_eq!(done.archived, [id("design")]);
    assert_eq!(seen(&house.agent("viewer")).await, seen_before);
    // Six versions, of which the first is there twice: archived with the first segment.
    let history = designer.tasks().history(&id("design")).await.unwrap();
    let versions: Vec<u32> = history.iter().map(|(version, ..)| *version).collect();
    assert_eq!(versions, (0..(before as u32 + 5)).collect::<Vec<_>>());
    assert_eq!(rows(&house, "design").await, ["00000000.json", "00000009.json"]);
    assert_eq!(designer.tasks().comments(&id("design")).await.unwrap().len(), 3);
    is_well(&house.agent("founder")).await;
}

#[tokio::test(start_paused = true)]
async fn a_comment_on_an_archived_task_stands_beside_the_archived_ones() {
    let (house, designer) = project().await;
    archive(&house.agent("archivist")).await;
    say(&designer, "design", "by the same session").await;
    house.pass(Duration::from_secs(1));
    say(&house.agent("tester"), "design", "by another").await;
    let said = designer.tasks().comments(&id("design")).await.unwrap();
    let words: Vec<&str> = said.iter().map(|said| said.text.as_str()).collect();
    assert_eq!(words, ["about design", "and again", "by the same session", "by another"]);
    // Two more objects are worth a version; they go into a segment of their own.
    house.pass(A_DAY);
    assert_eq!(archive(&house.agent("archivist")).await.archived, [id("design")]);
    assert_eq!(designer.tasks().comments(&id("design")).await.unwrap(), said);
    is_well(&house.agent("founder")).await;
}

/// The dangerous one: a holder that remembers its hold, and whose slot is free again.
#[tokio::test(start_paused = true)]
async fn a_late_holder_is_fenced_although_its_slot_is_free_again() {
    let house = House::new().await;
    let zombie = house.agent("zombie");
    claim(&zombie, "design").await.unwrap();
    let designer = house.agent("designer");
    seize(&designer, "design", "it sleeps").await.unwrap();
    say(&designer, "design", "mine").await;
    complete(&designer, "design").await.unwrap();
    // It stays alive all the while, so nothing tells it to look before it acts.
    for _ in 0..200 {
        house.pass(Duration::from_secs(8 * 60));
        heartbeat(&zombie).await;
    }
    assert_eq!(archive(&house.agent("archivist")).await.archived, [id("design")]);
    assert_eq!(rows(&house, "design").await, ["00000000.json", "00000003.json"]);
    let history = designer.tasks().history(&id("design")).await.unwrap();
    let (kind, words) = refusal(complete(&zombie, "design").await);
    assert_eq!((kind, &*words), (Kind::Held, "task design was completed by designer"));
    // What it put is there and says nothing to anybody.
    assert_eq!(rows(&house, "design").await.len(), 3);
    let told = designer.tasks().history(&id("design")).await.unwrap();
    assert_eq!(
        json!(told.iter().map(|it| &it.1).collect::<Vec<_>>()),
        json!(history.iter().map(|it| &it.1).collect::<Vec<_>>())
    );
    let report = designer.doctor().examine(Options { quick: true, deep: false, fix: false }).await;
    assert_eq!(report.check("task_logs").unwrap().verdict, Verdict::Ok);
    assert_eq!(report.check("archive_left_over").unwrap().verdict, Verdict::Warn);
    assert_eq!(archive(&house.agent("archivist")).await.swept, 1);
    assert_eq!(rows(&house, "design").await.len(), 2);
    is_well(&house.agent("founder")).await;
}

#[tokio::test(start_paused = true)]
async fn a_late_holder_that_claims_anew_is_not_told_that_it_still_holds() {
    let house = House::new().await;
    let zombie = house.agent("zombie");
    claim(&zombie, "design").await.unwrap();
    let designer = house.agent("designer");
    seize(&designer, "design", "it sleeps").await.unwrap();
    complete(&designer, "design").await.unwrap();
    say(&designer, "design", "done").await;
    for _ in 0..200 {
        house.pass(Duration::from_secs(8 * 60));
        heartbeat(&zombie).await;
    }
    archive(&house.agent("archivist")).await;
    let (_, words) = refusal(claim(&zombie, "design").await);
    assert_eq!(words, "task design was completed by designer");
}

#[tokio::test(start_paused = true)]
async fn a_put_that_lands_in_an_archived_slot_is_told_as_lost() {
    let house = House::new().await;
    let designer = hasty(&house, "designer");
    designer
        .tasks()
        .create(Draft { id: Some(id("design")), title: "d".into(), ..Draft::default() })
        .await
        .unwrap();
    let gate = Gate::new(house.store.clone());
    let late = hasty_through(&house, gate.clone(), "late");
    heartbeat(&late).await;
    gate.shut("steps/design/00000001", Puts::Late);
    let outcome = claim(&late, "design").await;
    assert!(matches!(outcome, Err(Error::Unknown { .. })), "{outcome:?}");
    gate.open();
    claim(&designer, "design").await.unwrap();
    complete(&designer, "design").await.unwrap();
    archive(&hasty(&house, "archivist")).await;
    assert_eq!(rows(&house, "design").await, ["00000000.json", "00000003.json"]);
    assert_eq!(gate.land().await, 1);
    assert_eq!(rows(&house, "design").await.len(), 3);
    // Its nonce stands in the slot, and it has lost all the same.
    heartbeat(&late).await;
    let told = late.session().take_notices().join("\n");
    assert!(
        told.contains("the claim of design, whose outcome was unknown, was not stored"),
        "{told}"
    );
    assert!(state(&late).holds.is_empty() && state(&late).undecided.is_empty());
    assert_eq!(designer.tasks().show(&id("design")).await.unwrap().task.status, Status::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_own_write_that_was_archived_while_it_was_unknown_is_told_as_stored() {
    let house = House::new().await;
    let designer = hasty(&house, "designer");
    designer
        .tasks()
        .create(Draft { id: Some(id("design")), title: "d".into(), ..Draft::default() })
        .await
        .unwrap();
    let gate = Gate::new(house.store.clone());
    let mine = hasty_through(&house, gate.clone(), "mine");
    heartbeat(&mine).await;
    gate.shut("steps/design/00000001", Puts::Unanswered);
    assert!(matches!(claim(&mine, "design").await, Err(Error::Unknown { .. })));
    gate.open();
    seize(&designer, "design", "nobody answers").await.unwrap();
    complete(&designer, "design").await.unwrap();
    archive(&hasty(&house, "archivist")).await;
    heartbeat(&mine).await;
    let told = mine.session().take_notices().join("\n");
    assert!(told.contains("your claim of design, whose outcome was unknown, was stored"), "{told}");
    let (_, words) = refusal(complete(&mine, "design").await);
    assert_eq!(words, "task design was completed by designer");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_task_hears_of_its_end_although_it_was_archived_in_between() {
    let house = House::new().await;
    let designer = hasty(&house, "designer");
    claim(&designer, "design").await.unwrap();
    let waiter = hasty(&house, "waiter");
    let wait = WaitFor { tasks: vec![id("design")], any: false, timeout: Duration::from_secs(600) };
    let tasks = waiter.tasks();
    let mut nothing = |_: &[_]| {};
    let ended = async {
        house.world.clock.sleep(Duration::from_millis(100)).await;
        complete(&designer, "design").await.unwrap();
        say(&designer, "design", "done").await;
        assert_eq!(archive(&hasty(&house, "archivist")).await.archived.len(), 1);
    };
    let (waited, ()) = futures::join!(tasks.wait_for(&wait, &mut nothing), ended);
    assert_eq!(waited.unwrap().complete, [id("design")]);
}

#[tokio::test(start_paused = true)]
async fn what_was_edited_meanwhile_stays_as_it_is() {
    let (house, designer) = project().await;
    let gate = Gate::new(house.store.clone());
    let archivist = house.through(gate.clone(), "archivist", &ram_state());
    heartbeat(&archivist).await;
    // Somebody is first in the slot that names the segment.
    house
        .append("design", &designer, |version| {
            version.act = ActName::Edit;
            version.task.title = "other".into();
        })
        .await;
    house.pass(A_DAY);
    let before = seen(&house.agent("viewer")).await;
    let done = archive(&archivist).await;
    assert_eq!(done.archived.len(), 3);
    assert_eq!(seen(&house.agent("viewer")).await, before);
}

#[tokio::test(start_paused = true)]
async fn a_long_log_goes_into_several_segments() {
    let (house, designer) = project().await;
    let long = "x".repeat(60_000);
    for round in 0..100 {
        say(&designer, "api", &format!("{round} {long}")).await;
    }
    house.pass(A_DAY);
    let before = seen(&house.agent("viewer")).await;
    let done = archive(&house.agent("archivist")).await;
    assert!(done.segments.len() >= 3, "{:?}", done.segments);
    assert_eq!(done.archived.len(), 3);
    assert_eq!(seen(&house.agent("viewer")).await, before);
    is_well(&house.agent("founder")).await;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_segment_is_told_and_hides_nothing_else() {
    let (house, _) = project().await;
    archive(&house.agent("archivist")).await;
    let segment = house.keys(&Room::Archive).await.remove(0);
    let bytes = house.store.get(&segment).await.unwrap().value.unwrap().bytes;
    let mut harmed = bytes.to_vec();
    let middle = harmed.len() / 2;
    harmed[middle] ^= 1;
    house.store.put(&segment, harmed.into(), If::Always).await.unwrap();
    let viewer = house.agent("viewer");
    let report = viewer.doctor().examine(Options { quick: true, deep: false, fix: false }).await;
    assert_eq!(report.check("archive").unwrap().verdict, Verdict::Fail);
    let board = viewer.tasks().board().await.unwrap();
    assert_eq!(board.list(&Filter::default(), Sort::Id).len(), 5);
    assert_eq!(viewer.tasks().history(&id("design")).await.unwrap().len(), 2);
    let told = viewer.session().take_notices().join("\n");
    assert!(told.contains("is damaged"), "{told}");
    // Nothing more goes while what went before cannot be read.
    assert_eq!(archive(&house.agent("archivist")).await.archived.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bundle_of_archived_tasks_is_the_whole_project() {
    let (house, _) = project().await;
    archive(&house.agent("archivist")).await;
    let before = seen(&house.agent("viewer")).await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("shop.brigade");
    house.agent("viewer").transfer().bundle(&file).await.unwrap();
    let other = House::at(
        Arc::new(brigade_core::store::ram::RamStore::new(house.world.clone())),
        house.world.clone(),
        house.clock.clone(),
    );
    let bundle = brigade_core::transfer::Bundle::open(&file).unwrap();
    other.agent("founder").transfer().restore(&bundle).await.unwrap();
    let mut after = seen(&other.agent("viewer")).await;
    // When each was stored is new.
    let mut before = before;
    for all in [&mut before, &mut after] {
        all["journal"].take();
    }
    assert_eq!(after, before);
}

#[tokio::test(start_paused = true)]
async fn the_usual_looks_cost_no_request_more_for_what_was_archived() {
    let (house, _) = project().await;
    let count = async || {
        let store = Counted::new(house.store.clone());
        let viewer = house.through(Arc::new(store.clone()), "viewer", &ram_state());
        viewer.tasks().board().await.unwrap();
        viewer.tasks().show(&id("design")).await.unwrap();
        viewer.status().snapshot().await.unwrap();
        store.counts()
    };
    let before: Counts = count().await;
    archive(&house.agent("archivist")).await;
    let after = count().await;
    // The archivist is one more session whose signs of life are read.
    assert!(after.get <= before.get + 4 && after.list == before.list, "{before:?} {after:?}");
}

#[tokio::test(start_paused = true)]
async fn an_act_within_hours_of_the_look_costs_no_second_one() {
    let (house, designer) = project().await;
    let store = Counted::new(house.store.clone());
    let holder = house.through(Arc::new(store.clone()), "holder", &ram_state());
    claim(&holder, "build").await.unwrap();
    let before = store.counts();
    complete(&holder, "build").await.unwrap();
    let cost = store.counts() - before;
    assert_eq!((cost.put_absent, cost.list, cost.get), (1, 0, 0));
    drop(designer);
    // A hold that is known since yesterday is looked at once more after the put.
    claim(&holder, "release").await.unwrap();
    for _ in 0..120 {
        house.pass(Duration::from_secs(8 * 60));
        heartbeat(&holder).await;
    }
    let before = store.counts();
    complete(&holder, "release").await.unwrap();
    let cost = store.counts() - before;
    assert_eq!((cost.put_absent, cost.list, cost.get), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn two_that_archive_at_once_lose_nothing() {
    let (house, _) = project().await;
    let before = seen(&house.agent("viewer")).await;
    let (one, other) = (house.agent("archivist"), house.agent("archivist"));
    let (first, second) = futures::join!(archive(&one), archive(&other));
    assert_eq!(first.archived.len() + second.archived.len(), 3);
    assert_eq!(seen(&house.agent("viewer")).await, before);
    is_well(&house.agent("founder")).await;
}

#[tokio::test(start_paused = true)]
async fn only_the_first_version_and_the_newest_stay() {
    let (house, _) = project().await;
    archive(&house.agent("archivist")).await;
    let path = house.layout.path(&Key::Step { task: id("design"), version: 5 });
    let bytes = house.store.get(&path).await.unwrap().value.unwrap().bytes;
    let head: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(head["task"]["archive"]["floor"], 5);
    assert_eq!(head["act"], "edit");
    let segment = house.keys(&Room::Archive).await.remove(0);
    let text = house.store.get(&segment).await.unwrap().value.unwrap().bytes;
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert_eq!(text.lines().count(), 22);
    let line: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert!(line["key"].as_str().unwrap().starts_with("steps/api/"));
}
