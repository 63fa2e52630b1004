//! Archiving on real servers: what readers see, who comes too late, and processes that archive at
//! once while others write.
//!
//! In a bucket a task is archived when it was left alone for a day. Here all go without that rest,
//! and so look twice at each act (`Session::with_quiet`).

use std::path::Path;
use std::process::{Child, Command, Stdio};

use brigade_core::Project;
use brigade_core::doctor::{Options, Verdict};
use brigade_core::error::{Error, Kind};
use brigade_core::project::ProjectDocument;
use brigade_core::task::{ActName, Comment, CommentKind};
use brigade_core::testing::{self, TestClock};

use super::servers::{Server, server, variable};
use crate::archive::{archive, hasty, hasty_through, rows, say, seen, worked_on};
use crate::support::fresh_folder;
use crate::verbs_support::{
    Gate, House, Puts, claim, complete, heartbeat, id, proved, refusal, seize, state,
};

/// What a process of its own is told: its role, the server's variable, the address, and where to
/// leave what it was told was done.
const ROLE: &str = "BRIGADE_TEST_ROLE";
const TASKS: [&str; 6] = ["api", "design", "docs", "pages", "schema", "server"];
const ROUNDS: usize = 6;
const TOLD: &str = "told";

/// One test for each server, so that each is told as passed or skipped by its own name.
macro_rules! on_each_server {
    ($($check:ident),* $(,)?) => { on_each_server! {
        @ s3 "BRIGADE_TEST_S3" "s3", s3_also "BRIGADE_TEST_S3_ALSO" "s3",
        azure "BRIGADE_TEST_AZURE" "az"; $($check),*
    } };
    (@ $($module:ident $variable:literal $scheme:literal),*; $check:ident $(, $more:ident)*) => {
        mod $check { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $module() {
                let address = concat!($scheme, "://brigade-test");
                if let Some(server) = super::server($variable, address) {
                    server.make().await;
                    Box::pin(super::there::$check(super::Site::fresh(&server, $variable))).await;
                }
            }
        )* }
        on_each_server! {
            @ s3 "BRIGADE_TEST_S3" "s3", s3_also "BRIGADE_TEST_S3_ALSO" "s3",
            azure "BRIGADE_TEST_AZURE" "az"; $($more),*
        }
    };
    (@ $($module:ident $variable:literal $scheme:literal),*;) => {};
}

on_each_server!(
    every_reader_sees_what_it_saw_before,
    who_comes_late_is_told_the_truth,
    processes_archive_at_once_while_others_write,
);

/// A project of its own on a server.
struct Site {
    variable: &'static str,
    address: String,
    house: House,
}

impl Site {
    fn fresh(server: &Server, variable: &'static str) -> Site {
        let folder = fresh_folder(&testing::real_world());
        let address = format!("{}/{}", server.address(), folder.as_str().trim_end_matches('/'));
        Site::at(server, variable, address)
    }

    fn at(server: &Server, variable: &'static str, address: String) -> Site {
        let store = server.elsewhere(&address).store();
        let house = House::at(store, testing::real_world(), TestClock::new());
        Site { variable, address, house }
    }

    async fn founded(self) -> Site {
        let founder = self.house.agent("founder");
        founder.start(ProjectDocument::new("demo", proved())).await.unwrap();
        self
    }

    /// A process that plays a part here.
    fn start(&self, role: &str, told: &Path) -> Child {
        let this = std::env::current_exe().unwrap();
        let mut command = Command::new(this);
        command
            .args(["--exact", "--ignored", "--nocapture", "cloud::archiving::one_of_several"])
            .env(ROLE, [role, self.variable, &self.address, told.to_str().unwrap()].join(" "))
            .stdout(Stdio::null());
        command.spawn().unwrap()
    }
}

/// The checks, apart from the modules that bear their names.
mod there {
    use super::*;

    pub async fn every_reader_sees_what_it_saw_before(site: Site) {
        let site = site.founded().await;
        let house = &site.house;
        let designer = hasty(house, "designer");
        for task in &TASKS[..3] {
            worked_on(&designer, task).await;
        }
        let before = seen(&hasty(house, "viewer")).await;
        let done = archive(&hasty(house, "archivist")).await;
        assert_eq!((done.archived.len(), done.objects, done.skipped.len()), (3, 3 * 7, 0));
        assert_eq!(rows(house, "design").await, ["00000000.json", "00000005.json"]);
        assert_eq!(seen(&hasty(house, "viewer")).await, before);
        designer.tasks().reopen(&id("design"), None).await.unwrap();
        claim(&designer, "design").await.unwrap();
        complete(&designer, "design").await.unwrap();
        assert_eq!(archive(&hasty(house, "archivist")).await.archived, [id("design")]);
        is_whole(&hasty(house, "founder")).await;
    }

    pub async fn who_comes_late_is_told_the_truth(site: Site) {
        let site = site.founded().await;
        let house = &site.house;
        let designer = hasty(house, "designer");
        heartbeat(&designer).await;
        house.create("design", &designer).await;
        // A put that is under way for so long that its slot is free again when it arrives.
        let gate = Gate::new(house.store.clone());
        let late = hasty_through(house, gate.clone(), "late");
        heartbeat(&late).await;
        gate.shut("steps/design/00000001", Puts::Late);
        let outcome = claim(&late, "design").await;
        assert!(matches!(outcome, Err(Error::Unknown { .. })), "{outcome:?}");
        gate.open();
        // A holder that goes by what it remembers.
        let zombie = hasty(house, "zombie");
        claim(&zombie, "api").await.unwrap();
        seize(&designer, "api", "it sleeps").await.unwrap();
        for task in ["api", "design"] {
            claim(&designer, task).await.unwrap();
            say(&designer, task, "mine").await;
            complete(&designer, task).await.unwrap();
        }
        let done = archive(&hasty(house, "archivist")).await;
        assert_eq!(done.archived, [id("api"), id("design")]);
        let before = seen(&hasty(house, "viewer")).await;

        assert!(gate.land().await >= 1);
        heartbeat(&late).await;
        let told = late.session().take_notices().join("\n");
        assert!(told.contains("whose outcome was unknown, was not stored"), "{told}");
        assert!(state(&late).holds.is_empty() && state(&late).undecided.is_empty());
        let (kind, words) = refusal(complete(&zombie, "api").await);
        assert_eq!((kind, &*words), (Kind::Held, "task api was completed by designer"));
        let tasks = |seen: &serde_json::Value| (seen["details"].clone(), seen["export"].clone());
        assert_eq!(tasks(&seen(&hasty(house, "viewer")).await), tasks(&before));
        assert_eq!(archive(&hasty(house, "archivist")).await.swept, 2);
        is_whole(&hasty(house, "founder")).await;
    }

    pub async fn processes_archive_at_once_while_others_write(site: Site) {
        let site = site.founded().await;
        let house = &site.house;
        let founder = hasty(house, "founder");
        for task in TASKS {
            worked_on(&founder, task).await;
        }
        let place = tempfile::tempdir().unwrap();
        let roles = ["archivist-0", "archivist-1", "worker-0", "worker-1"];
        let over = place.path().join("over");
        let running = roles.map(|role| (role, site.start(role, place.path())));
        let (workers, archivists): (Vec<_>, Vec<_>) =
            running.into_iter().partition(|(role, _)| role.starts_with("worker"));
        for (role, mut child) in workers {
            assert!(child.wait().unwrap().success(), "{role}");
        }
        std::fs::write(over, "").unwrap();
        for (role, mut child) in archivists {
            assert!(child.wait().unwrap().success(), "{role}");
        }
        let told = |role: &str| -> Vec<String> {
            let path = place.path().join(format!("{TOLD}-{role}"));
            std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
        };
        let archived: usize = roles[..2].iter().map(|role| told(role).len()).sum();
        assert!(archived > 0, "nothing was archived meanwhile");
        let mut said: Vec<String> = roles[2..].iter().flat_map(|role| told(role)).collect();
        let done = said.iter().filter(|words| *words == "completed").count();
        said.retain(|words| words != "completed");
        archive(&hasty(house, "archivist")).await;

        let viewer = hasty(house, "viewer");
        let (mut there, mut ends) = (Vec::new(), 0);
        for task in TASKS {
            let history = viewer.tasks().history(&id(task)).await.unwrap();
            let versions: Vec<u32> = history.iter().map(|(version, ..)| *version).collect();
            assert!(versions.iter().copied().eq(0..versions.len() as u32), "{task}: {versions:?}");
            let by_workers = history.iter().filter(|(.., by)| by.agent.as_str() != "founder");
            ends += by_workers.filter(|(_, it, _)| it.act == ActName::Complete).count();
            let said = viewer.tasks().comments(&id(task)).await.unwrap();
            there.extend(said.into_iter().filter(|it| it.author != "founder").map(|it| it.text));
        }
        eprintln!("{archived} archived meanwhile, {done} completed, {} comments", said.len());
        assert_eq!(ends, done, "each completion that was told is there once");
        said.sort();
        there.sort();
        assert_eq!(said, there, "each comment that was told is there once");
        is_whole(&founder).await;
    }
}

/// What a test above starts as processes; by itself it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part that other tests start as a process of its own"]
async fn one_of_several() {
    let Some(told) = variable(ROLE) else { return eprintln!("skipped: {ROLE} names no part") };
    let [role, variable, address, place] = told.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{told}")
    };
    let known = ["BRIGADE_TEST_S3", "BRIGADE_TEST_S3_ALSO", "BRIGADE_TEST_AZURE"];
    let variable = known.into_iter().find(|name| *name == variable).unwrap();
    let site = Site::at(&server(variable, address).unwrap(), variable, address.to_owned());
    let me = hasty(&site.house, role);
    let place = Path::new(place);
    let done = match role.strip_prefix("worker-") {
        Some(at) => work(&me, at.parse().unwrap()).await,
        None => archive_until(&me, &place.join("over")).await,
    };
    std::fs::write(place.join(format!("{TOLD}-{role}")), done.join("\n")).unwrap();
}

async fn archive_until(me: &Project, over: &Path) -> Vec<String> {
    let mut done = Vec::new();
    while !over.exists() {
        done.extend(archive(me).await.archived.iter().map(ToString::to_string));
    }
    done
}

/// Opens, comments, claims and completes, whatever the others do; what it was told was done.
async fn work(me: &Project, at: usize) -> Vec<String> {
    let mut done = Vec::new();
    for round in 0..ROUNDS {
        let task = TASKS[(2 * at + round) % TASKS.len()];
        let words = format!("worker {at} in round {round}");
        expected(me.tasks().reopen(&id(task), None).await);
        let comment = Comment::new(CommentKind::Comment, words.clone());
        if expected(me.tasks().comment(&id(task), comment).await) {
            done.push(words);
        }
        if expected(claim(me, task).await) && expected(complete(me, task).await) {
            done.push("completed".into());
        }
    }
    done
}

/// Whether it was done; a refusal is an answer, anything else is not.
fn expected<T>(outcome: Result<T, Error>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(error) if matches!(error.kind(), Kind::Held | Kind::Usage) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn is_whole(who: &Project) {
    let report = who.doctor().examine(Options { quick: true, deep: true, fix: false }).await;
    for name in ["task_logs", "archive"] {
        let check = report.check(name).unwrap();
        assert_eq!(check.verdict, Verdict::Ok, "{check:?}");
    }
    assert!(who.session().take_notices().iter().all(|words| !words.contains("damaged")));
}
