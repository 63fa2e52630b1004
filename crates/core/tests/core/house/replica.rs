//! A copy that is carried on: equal once nothing happens any more, whatever was stopped, doubled or lied
//! to on the way; looked at and not written to; and never emptied because the project was lost.

mod broken;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use brigade_core::Project;
use brigade_core::error::{Error, Kind};
use brigade_core::house::{Cursor, Flush, Flushed, Way};
use brigade_core::key::{Key, Room};
use brigade_core::mail::Reading;
use brigade_core::project::ReplicaState;
use brigade_core::store::{If, Store};
use brigade_core::task::{Archive, Comment, CommentKind};
use serde_json::{Value, json};

use super::{destination_called, new_place, objects, relocate};
use crate::verbs_support::{
    House, claim, complete, heartbeat, id, inbox, key, ram_state, refusal, release, send,
};

/// Carries on as `who` would, with what this machine knows in `cursor`.
pub async fn flush(
    who: &Project,
    to: &Arc<dyn Store>,
    cursor: &mut Cursor,
    look: bool,
) -> Result<Flushed, Error> {
    let flush = Flush {
        to: to.clone(),
        truth: destination_called("/home/ann/project/.brigade"),
        look,
        is_over: &|| false,
        save: &|_| Ok(()),
    };
    who.replica().flush(cursor, &flush).await
}

/// A project that somebody is at work on.
pub async fn scene() -> (House, Arc<dyn Store>) {
    let house = House::new().await;
    let designer = house.agent("designer");
    claim(&designer, "design").await.unwrap();
    complete(&designer, "design").await.unwrap();
    send(&designer, "developer", "one").await.unwrap();
    designer.memory().set(&key("a.b"), json!(1), None).await.unwrap();
    let to = new_place(&house);
    (house, to)
}

/// The copy is the project, byte for byte.
pub async fn assert_equal(house: &House, to: &Arc<dyn Store>) {
    assert_eq!(objects(to).await, objects(&house.store).await);
    let project = house.layout.path(&Key::Project);
    let of = |store: Arc<dyn Store>| {
        let project = project.clone();
        async move { store.get(&project).await.unwrap().value.unwrap().bytes }
    };
    assert_eq!(of(to.clone()).await, of(house.store.clone()).await);
}

fn hasty(house: &House, who: &str) -> Project {
    let session = house.session(house.store.clone(), who, &ram_state());
    Project::new(session.with_quiet(Duration::ZERO))
}

#[tokio::test(start_paused = true)]
async fn the_copy_is_the_project_and_what_comes_later_comes_along_alone() {
    let (house, to) = scene().await;
    let (carrier, mut cursor) = (house.agent("carrier"), Cursor::default());
    let first = flush(&carrier, &to, &mut cursor, false).await.unwrap();
    assert!(first.is_whole && first.sent >= 5 && first.lost_there == 0, "{first:?}");
    assert_equal(&house, &to).await;
    let again = flush(&carrier, &to, &mut cursor, false).await.unwrap();
    assert_eq!((again.sent, again.deleted, again.is_whole), (0, 0, true));
    claim(&house.agent("developer"), "build").await.unwrap();
    let later = flush(&carrier, &to, &mut cursor, false).await.unwrap();
    // The task, and the session's introduction.
    assert_eq!((later.sent, later.is_whole), (2, true));
    assert_equal(&house, &to).await;
    assert_eq!(carrier.replica().behind(&cursor).await.unwrap().objects, 0);
    let other = house.agent("developer");
    heartbeat(&other).await;
    heartbeat(&other).await;
    assert_eq!(carrier.replica().behind(&cursor).await.unwrap().objects, 2, "hello and beat");
    // Another machine knows nothing of it, and sends nothing twice.
    flush(&carrier, &to, &mut cursor, false).await.unwrap();
    let other = flush(&carrier, &to, &mut Cursor::default(), false).await.unwrap();
    // Of what is written again, the beat; all the rest was compared.
    assert_eq!((other.sent, other.is_whole), (1, true));
}

#[tokio::test(start_paused = true)]
async fn mail_that_was_deleted_and_tasks_that_were_archived_go_from_the_copy_as_well() {
    let (house, to) = scene().await;
    let (carrier, mut cursor) = (house.agent("carrier"), Cursor::default());
    let designer = house.agent("designer");
    let said = Comment::new(CommentKind::Comment, "about it");
    designer.tasks().comment(&id("design"), said).await.unwrap();
    for _ in 0..2 {
        designer.tasks().reopen(&id("design"), Some("again".into())).await.unwrap();
        claim(&designer, "design").await.unwrap();
        complete(&designer, "design").await.unwrap();
    }
    flush(&carrier, &to, &mut cursor, false).await.unwrap();
    let reader = house.agent("developer");
    let mail = reader.mail().read(Reading::New, None).await.unwrap();
    assert_eq!(reader.mail().delete(&mail).await.unwrap(), 1);
    let wish = Archive { older_than: Duration::ZERO, dry_run: false };
    hasty(&house, "archivist").tasks().archive(&wish).await.unwrap();
    let done = flush(&carrier, &to, &mut cursor, false).await.unwrap();
    assert!(done.deleted >= 6 && done.kept == 0, "{done:?}");
    assert_equal(&house, &to).await;
    // Who lost the cursor finds the same by the copy's own listing.
    let mail = || send(&designer, "developer", "two");
    mail().await.unwrap();
    flush(&carrier, &to, &mut cursor, false).await.unwrap();
    let two = reader.mail().read(Reading::New, None).await.unwrap();
    reader.mail().delete(&two).await.unwrap();
    let done = flush(&carrier, &to, &mut Cursor::default(), false).await.unwrap();
    assert_eq!(done.deleted, 1);
    assert_equal(&house, &to).await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_looked_at_and_nobody_acts_there() {
    let (house, to) = scene().await;
    flush(&house.agent("carrier"), &to, &mut Cursor::default(), false).await.unwrap();
    let before = objects(&to).await;
    let there = House::at(to.clone(), house.world.clone(), house.clock.clone());
    let reader = there.agent("developer");
    let snapshot = reader.status().snapshot().await.unwrap();
    assert_eq!(snapshot.tasks.len(), 1);
    let notices = reader.session().take_notices();
    let told = notices.iter().any(|words| {
        words.contains("is a copy of project demo, which is in /home/ann")
            && words.contains("as of")
    });
    assert!(told, "{notices:?}");
    assert_eq!(reader.memory().get(&key("a.b"), None).await.unwrap().value, json!(1));
    let (kind, words) = refusal(claim(&reader, "build").await);
    assert_eq!(kind, Kind::NotSetUp);
    assert!(words.contains("it is looked at, and nothing else is written to it"), "{words}");
    refusal(send(&reader, "designer", "hi").await);
    refusal(release(&reader, "design").await);
    refusal(reader.memory().set(&key("a.b"), json!(2), None).await);
    refusal(relocate(&reader, Way::Move, &new_place(&house)).await);
    refusal(relocate(&house.agent("mover"), Way::Move, &to).await);
    assert_eq!(objects(&to).await, before);
}

#[tokio::test(start_paused = true)]
async fn when_the_project_is_lost_the_copy_gives_a_new_one() {
    let (house, to) = scene().await;
    flush(&house.agent("carrier"), &to, &mut Cursor::default(), false).await.unwrap();
    let (copy, home) =
        (House::at(to.clone(), house.world.clone(), house.clock.clone()), new_place(&house));
    relocate(&copy.agent("heir"), Way::Copy, &home).await.unwrap();
    let there = House::at(home.clone(), house.world.clone(), house.clock.clone());
    assert_eq!(inbox(&there.agent("developer")).await, ["one"]);
    claim(&there.agent("developer"), "build").await.unwrap();
    // What is left of the old one goes on with its copy; the new one is another truth.
    let heir = there.agent("heir");
    let (kind, words) = refusal(flush(&heir, &to, &mut Cursor::default(), false).await);
    assert_eq!(kind, Kind::Held, "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_project_that_is_lost_or_damaged_does_not_empty_its_copy() {
    let (house, to) = scene().await;
    let (carrier, mut cursor) = (house.agent("carrier"), Cursor::default());
    flush(&carrier, &to, &mut cursor, false).await.unwrap();
    let before = objects(&to).await;
    // All but the project's document and one agent's.
    for (path, _) in objects(&house.store).await {
        if !path.as_str().contains("/agents/") {
            house.store.delete(&path).await.unwrap();
        }
    }
    for mut cursor in [cursor.clone(), Cursor::default()] {
        let done = flush(&carrier, &to, &mut cursor, true).await.unwrap();
        assert_eq!(done.deleted, 0);
        assert!(done.kept >= 4, "{done:?}");
    }
    house.store.delete(&house.layout.path(&Key::Project)).await.unwrap();
    refusal(flush(&carrier, &to, &mut cursor, true).await);
    assert_eq!(objects(&to).await, before);
}

#[tokio::test(start_paused = true)]
async fn a_copy_follows_its_project_when_that_moves() {
    let (house, to) = scene().await;
    let (mut cursor, home) = (Cursor::default(), new_place(&house));
    flush(&house.agent("carrier"), &to, &mut cursor, false).await.unwrap();
    relocate(&house.agent("mover"), Way::Move, &home).await.unwrap();
    let left = flush(&house.agent("carrier"), &to, &mut cursor, false).await;
    assert!(matches!(left, Err(Error::Moved(_))), "{left:?}");
    let there = House::at(home, house.world.clone(), house.clock.clone());
    claim(&there.agent("developer"), "build").await.unwrap();
    let done = flush(&there.agent("carrier"), &to, &mut cursor, false).await.unwrap();
    assert!(done.is_whole, "{done:?}");
    assert_equal(&there, &to).await;
    // Whoever has no cursor is told by the copy how it came.
    flush(&there.agent("carrier"), &to, &mut Cursor::default(), false).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_others_have_in_a_place_is_no_copy() {
    let (house, to) = scene().await;
    let strange = house.layout.folder(&Room::Steps).join("x/00000000.json").unwrap();
    to.put(&strange, "{}".into(), If::Absent).await.unwrap();
    let (kind, _) =
        refusal(flush(&house.agent("carrier"), &to, &mut Cursor::default(), false).await);
    assert_eq!(kind, Kind::Held);
    assert_eq!(objects(&to).await.len(), 1);
    // A copy whose object says something else is never overwritten.
    let to = new_place(&house);
    let carrier = house.agent("carrier");
    flush(&carrier, &to, &mut Cursor::default(), false).await.unwrap();
    let memory = house.layout.folder(&Room::MemoryAll).join("a/b/00000000.json").unwrap();
    to.delete(&memory).await.unwrap();
    to.put(&memory, "other".into(), If::Absent).await.unwrap();
    let (kind, words) = refusal(flush(&carrier, &to, &mut Cursor::default(), false).await);
    assert_eq!(kind, Kind::Held, "{words}");
    assert_eq!(to.get(&memory).await.unwrap().value.unwrap().bytes, "other");
}

#[tokio::test(start_paused = true)]
async fn the_copy_says_how_far_it_has_come() {
    let (house, to) = scene().await;
    let (carrier, mut cursor) = (house.agent("carrier"), Cursor::default());
    let saved = Mutex::new(0);
    let done = flush(&carrier, &to, &mut cursor, false).await.unwrap();
    *saved.lock().unwrap() += 1;
    let state = to.get(&house.layout.path(&Key::Replica)).await.unwrap().value.unwrap();
    let told: Value = serde_json::from_slice(&state.bytes).unwrap();
    assert_eq!(told["kind"], "replica");
    let told: ReplicaState = serde_json::from_value(told).unwrap();
    assert_eq!((Some(told.as_of), told.objects), (done.as_of, done.objects));
}
