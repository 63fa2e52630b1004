//! What this machine keeps of a project changes no answer, whatever is done to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use brigade_core::Project;
use brigade_core::cache::Drawer;
use brigade_core::history::Filter as Wanted;
use brigade_core::store::cached::Cached;
use brigade_core::store::counted::{Counted, Counts};
use brigade_core::store::{
    Answer, Body, If, List, Object, ObjectPath, Page, Put, Store, StoreError,
};
use brigade_core::task::{Filter, Sort};
use brigade_core::testing::TestEntropy;
use brigade_core::usage::Usage;
use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::one_in;
use crate::verbs_support::{
    House, claim, complete, heartbeat, key, ram_state, release, seize, send,
};

/// Long enough for an object to be kept.
const OLD: Duration = Duration::from_secs(3);

/// One who looks and never acts, with or without a drawer.
fn viewer(house: &House, store: Arc<dyn Store>, drawer: Option<&Path>) -> Project {
    let Some(drawer) = drawer.map(Drawer::at) else {
        return house.through(store, "viewer", &ram_state());
    };
    let store = Arc::new(Cached::new(store, drawer.clone(), &house.world));
    let session = house.session(store, "viewer", &ram_state());
    Project::new(session.with_drawer(Some(drawer)))
}

/// Everything that is answered from what may be kept.
async fn answers(who: &Project) -> Value {
    let board = who.tasks().board().await.unwrap();
    let (list, ready) = (board.list(&Filter::default(), Sort::Id), board.ready(&Filter::default()));
    let journal = who.history().entries(&Wanted::default()).await.unwrap();
    let sessions = who.agents().sessions().await.unwrap();
    let all = who.tasks().all().await.unwrap();
    let status = who.status().snapshot().await.unwrap();
    let answers = json!({
        "list": list, "ready": ready, "journal": journal, "sessions": sessions, "all": all,
        "status": status, "notices": who.session().take_notices(),
    });
    assert!(answers["list"].as_array().is_some_and(|tasks| !tasks.is_empty()));
    answers
}

/// What a disk, another program or another version of brigade may do to what is kept.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Truncate,
    Flip,
    Garbage,
    Newer,
    /// What was kept of another project, under the names of ours.
    Foreign,
    Delete,
    DeleteAll,
    /// A file where a folder should be, so that nothing can be kept.
    InTheWay,
}

const HARMS: [Harm; 8] = [
    Harm::Truncate,
    Harm::Flip,
    Harm::Garbage,
    Harm::Newer,
    Harm::Foreign,
    Harm::Delete,
    Harm::DeleteAll,
    Harm::InTheWay,
];

impl Harm {
    fn to(self, drawer: &Path, other: &Path, chance: &TestEntropy) {
        let mut files = files(drawer);
        files.sort();
        let Some(file) = files.get(chance.below(files.len() as u64) as usize) else { return };
        let Ok(mut bytes) = fs::read(file) else { return };
        let at = chance.below(bytes.len() as u64) as usize;
        match self {
            Harm::Truncate => bytes.truncate(at),
            Harm::Flip => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x10),
            Harm::Garbage => bytes.iter_mut().for_each(|byte| *byte = chance.below(256) as u8),
            Harm::Newer => bytes.iter_mut().skip(7).take(1).for_each(|byte| *byte ^= 0x80),
            Harm::Foreign => {
                for theirs in self::files(other) {
                    let name = theirs.file_name().expect("it has a name");
                    fs::copy(&theirs, drawer.join(name)).unwrap();
                }
                return;
            }
            Harm::Delete => return fs::remove_file(file).unwrap(),
            Harm::DeleteAll => return fs::remove_dir_all(drawer).unwrap(),
            Harm::InTheWay => {
                fs::remove_dir_all(drawer).unwrap();
                return fs::write(drawer, "no folder").unwrap();
            }
        }
        fs::write(file, bytes).unwrap();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// An act at random by one of three, and some time.
async fn act(house: &House, team: &[Project], chance: &TestEntropy) {
    let who = &team[chance.below(team.len() as u64) as usize];
    let task = format!("t-{}", chance.below(6));
    // A refusal is an answer, too.
    match chance.below(7) {
        0 | 1 => drop(claim(who, &task).await),
        2 => drop(complete(who, &task).await),
        3 => drop(release(who, &task).await),
        4 => drop(seize(who, &task, "because").await),
        5 => drop(send(who, "viewer", "hello").await),
        _ => drop(who.memory().set(&key("k"), json!(chance.below(9)), None).await),
    }
    house.pass(Duration::from_millis(chance.below(4000)));
}

fn local() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(one_in(16))]

    #[test]
    fn the_answers_are_the_same_with_and_without_a_cache(seed: u64) {
        local().block_on(async {
            let chance = TestEntropy::new(seed);
            let (house, foreign) = (House::seeded(seed).await, House::seeded(!seed).await);
            let place = tempfile::tempdir().unwrap();
            let (drawer, other) = (place.path().join("ours"), place.path().join("theirs"));
            let teams = [&house, &foreign].map(|house| {
                ["ada", "bob", "cy"].map(|name| house.agent(name))
            });
            claim(&teams[0][0], "t-0").await.unwrap();
            claim(&teams[1][0], "t-0").await.unwrap();
            for _ in 0..12 {
                for (house, team) in [&house, &foreign].into_iter().zip(&teams) {
                    for _ in 0..chance.below(6) {
                        act(house, team, &chance).await;
                    }
                }
                answers(&viewer(&foreign, foreign.store.clone(), Some(&other))).await;
                let kept = viewer(&house, house.store.clone(), Some(&drawer));
                let plain = viewer(&house, house.store.clone(), None);
                assert_eq!(answers(&kept).await, answers(&plain).await);
                drop(kept);
                if chance.below(2) == 0 {
                    HARMS[chance.below(8) as usize].to(&drawer, &other, &chance);
                }
            }
        });
    }
}

/// A server whose listings tell milliseconds, and whose answers the whole seconds of HTTP.
#[derive(Debug)]
struct HttpDates(Arc<dyn Store>);

#[async_trait]
impl Store for HttpDates {
    async fn get(&self, path: &ObjectPath) -> Result<Answer<Option<Object>>, StoreError> {
        let mut answer = self.0.get(path).await?;
        if let Some(object) = &mut answer.value {
            object.modified = Timestamp::from_second(object.modified.as_second()).unwrap();
        }
        Ok(answer)
    }

    async fn put(
        &self,
        path: &ObjectPath,
        body: Bytes,
        condition: If,
    ) -> Result<Answer<Put>, StoreError> {
        self.0.put(path, body, condition).await
    }

    async fn list(&self, ask: &List) -> Result<Answer<Page>, StoreError> {
        self.0.list(ask).await
    }

    async fn delete(&self, path: &ObjectPath) -> Result<Answer<()>, StoreError> {
        self.0.delete(path).await
    }

    async fn put_body(&self, path: &ObjectPath, body: Body) -> Result<Answer<u64>, StoreError> {
        self.0.put_body(path, body).await
    }

    async fn get_body(&self, path: &ObjectPath) -> Result<Answer<Option<Body>>, StoreError> {
        self.0.get_body(path).await
    }

    fn place(&self) -> String {
        self.0.place()
    }
}

const NONE: Counts =
    Counts { get: 0, put_absent: 0, put_always: 0, list: 0, delete: 0, put_body: 0, get_body: 0 };

#[tokio::test(start_paused = true)]
async fn what_a_listing_dates_to_the_millisecond_is_kept_too() {
    let (house, place) = (House::new().await, tempfile::tempdir().unwrap());
    let ada = house.agent("ada");
    for task in 0..40 {
        house.pass(Duration::from_millis(137));
        claim(&ada, &format!("t-{task}")).await.unwrap();
    }
    house.pass(OLD);
    let store = Counted::new(Arc::new(HttpDates(house.store.clone())));
    let look = async || {
        let before = store.counts();
        let who = viewer(&house, Arc::new(store.clone()), Some(place.path()));
        who.tasks().board().await.unwrap();
        (store.counts() - before).get
    };
    assert!(look().await > 40);
    assert_eq!(look().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_look_lists_and_reads_what_changed() {
    let (house, place) = (House::new().await, tempfile::tempdir().unwrap());
    let (ada, store) = (house.agent("ada"), Counted::new(house.store.clone()));
    for task in 0..40 {
        claim(&ada, &format!("t-{task}")).await.unwrap();
    }
    house.pass(OLD);
    let look = async || {
        let who = viewer(&house, Arc::new(store.clone()), Some(place.path()));
        let before = store.counts();
        let tasks = who.tasks().board().await.unwrap().tasks().count();
        (tasks, store.counts() - before)
    };
    // A look whether the project is still here, the newest versions and the introduction of who holds them; there is no beat yet.
    assert_eq!(look().await, (40, Counts { list: 1, get: 42, ..NONE }));
    assert_eq!(look().await, (40, Counts { list: 1, get: 1, ..NONE }));
    heartbeat(&ada).await;
    complete(&ada, "t-7").await.unwrap();
    // Too young to be kept, and so read again and again: another one could bear its time.
    assert_eq!(look().await, (40, Counts { list: 1, get: 3, ..NONE }));
    assert_eq!(look().await, (40, Counts { list: 1, get: 3, ..NONE }));
    house.pass(OLD);
    assert_eq!(look().await, (40, Counts { list: 1, get: 3, ..NONE }));
    // A beat is written again and again, and never kept.
    assert_eq!(look().await, (40, Counts { list: 1, get: 2, ..NONE }));
}

#[tokio::test(start_paused = true)]
async fn the_journal_is_read_once() {
    let (house, place) = (House::new().await, tempfile::tempdir().unwrap());
    let ada = house.agent("ada");
    for task in 0..20 {
        claim(&ada, &format!("t-{task}")).await.unwrap();
        complete(&ada, &format!("t-{task}")).await.unwrap();
    }
    house.pass(OLD);
    let store = Counted::new(house.store.clone());
    let read = async || {
        let who = viewer(&house, Arc::new(store.clone()), Some(place.path()));
        let before = store.counts();
        let entries = who.history().entries(&Wanted::default()).await.unwrap();
        (entries.len(), store.counts() - before)
    };
    let (entries, first) = read().await;
    assert!(entries >= 40 && first.get >= 40, "{entries} {first:?}");
    assert_eq!(read().await, (entries, Counts { list: 1, get: 1, ..NONE }));
    send(&ada, "bob", "hello").await.unwrap();
    let (more, third) = read().await;
    assert!(more > entries && third.get <= 3, "{more} {third:?}");
}

#[tokio::test(start_paused = true)]
async fn a_project_made_again_in_its_place_is_not_mixed_up_with_the_old_one() {
    let place = tempfile::tempdir().unwrap();
    for seed in 1..4 {
        // The same names at the same times in documents of the same size, but other nonces.
        let house = House::seeded(seed).await;
        let ada = house.agent("ada");
        claim(&ada, "t-0").await.unwrap();
        let kept = viewer(&house, house.store.clone(), Some(place.path()));
        let plain = viewer(&house, house.store.clone(), None);
        assert_eq!(answers(&kept).await, answers(&plain).await, "{seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_for_its_owner_alone_and_has_few_files() {
    use std::os::unix::fs::PermissionsExt;
    let (house, place) = (House::new().await, tempfile::tempdir().unwrap());
    let (ada, drawer) = (house.agent("ada"), place.path().join("cache"));
    for task in 0..40 {
        claim(&ada, &format!("t-{task}")).await.unwrap();
        house.pass(OLD);
        answers(&viewer(&house, house.store.clone(), Some(&drawer))).await;
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&drawer), 0o700);
    let files = files(&drawer);
    assert!(files.iter().all(|file| mode(file) == 0o600));
    assert!((2..=12).contains(&files.len()), "{files:?}");
}

/// Each look of a person or an agent, but for the board's and the journal's above.
const LOOKS: [&str; 8] =
    ["status", "prime", "agents", "keys", "memory", "history", "sessions", "usage"];

async fn look_at(who: &Project, what: &str) {
    match what {
        "status" => drop(who.status().snapshot().await.unwrap()),
        "prime" => drop(who.prime().read().await.unwrap()),
        "agents" => drop(who.agents().sessions().await.unwrap()),
        "keys" => drop(who.memory().keys(None).await.unwrap()),
        "memory" => drop(who.memory().list(None).await.unwrap()),
        "history" => drop(who.memory().history(&key("k.v0")).await.unwrap()),
        "sessions" => drop(who.sessions().list(None).await.unwrap()),
        _ => drop(Usage::of(who.session()).await.unwrap()),
    }
}

#[tokio::test(start_paused = true)]
async fn no_look_at_an_idle_project_reads_again_what_does_not_change() {
    let (house, place) = (House::new().await, tempfile::tempdir().unwrap());
    let ada = house.agent("ada");
    for task in 0..12 {
        claim(&ada, &format!("t-{task}")).await.unwrap();
        ada.memory().set(&key(&format!("k.v{task}")), json!(task), None).await.unwrap();
        send(&ada, "bob", "hello").await.unwrap();
    }
    heartbeat(&ada).await;
    house.pass(OLD);
    let store = Counted::new(house.store.clone());
    for what in LOOKS {
        let mut costs = Counts::default();
        for _ in 0..2 {
            let who = viewer(&house, Arc::new(store.clone()), Some(place.path()));
            let before = store.counts();
            look_at(&who, what).await;
            costs = store.counts() - before;
        }
        // The note of a move, the one beat, and what one command keeps nothing of: the project's own
        // document, which says whether claims are safe.
        assert!(costs.list <= 2 && costs.get <= 3, "{what}: {costs:?}");
        assert_eq!(costs.total(), costs.list + costs.get, "{what}");
        eprintln!("{what}: {} lists, {} gets", costs.list, costs.get);
    }
}
