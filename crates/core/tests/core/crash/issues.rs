//! The verbs about tasks as issues, and what stands beside them: how each is run, and what must be
//! there once it was acknowledged.

use brigade_core::Project;
use brigade_core::board::Look;
use brigade_core::error::Error;
use brigade_core::files::Add;
use brigade_core::glob::FilePattern;
use brigade_core::task::{
    Comment, CommentKind, Dependency, DependencyKind, Draft, Edge, Filter, Sort, Status, Task,
    Verdict,
};
use brigade_core::transfer::{Options, Resolve};

use super::scene::{ACTOR, Scene};
use crate::verbs_support::{claim, heartbeat, id, name, plain};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issue {
    CreateNamed,
    CreateNumbered,
    CreateClaimed,
    /// `create --file`: several in one go, of which one waits for another.
    CreateMany,
    Edit,
    Label,
    /// `update --status open` of a task that was put up for review.
    PutBack,
    Comment,
    CommentAgain,
    AskHuman,
    Approve,
    Reject,
    MoveToWork,
    DepAdd,
    DepRemove,
    FilesAdd,
    FilesAddForced,
    FilesRelease,
    BoardPost,
    Import,
    ImportTheirs,
}

impl Issue {
    pub async fn set_up(self, scene: &Scene) {
        let house = &scene.house;
        let (actor, developer) = (house.sibling(ACTOR, &scene.local), house.agent("developer"));
        heartbeat(&actor).await;
        match self {
            Issue::CreateNamed | Issue::CreateNumbered | Issue::CreateClaimed => {}
            Issue::CreateMany | Issue::BoardPost | Issue::FilesAdd | Issue::Import => {}
            Issue::ImportTheirs => {
                heartbeat(&developer).await;
                house.create("design", &developer).await;
                house.create("api", &developer).await;
            }
            Issue::Label | Issue::Edit | Issue::Comment | Issue::AskHuman | Issue::MoveToWork => {
                heartbeat(&developer).await;
                house.create("design", &developer).await;
            }
            Issue::CommentAgain => {
                heartbeat(&developer).await;
                house.create("design", &developer).await;
                comment(&actor, "zero").await.unwrap();
            }
            Issue::Approve | Issue::Reject | Issue::PutBack => {
                claim(&developer, "design").await.unwrap();
                let review = brigade_core::task::Finish {
                    outcome: brigade_core::task::Outcome::Review,
                    ..plain()
                };
                developer.tasks().finish(&id("design"), &review).await.unwrap();
            }
            Issue::DepAdd | Issue::DepRemove => {
                heartbeat(&developer).await;
                house.create("design", &developer).await;
                house.create("api", &developer).await;
                if self == Issue::DepRemove {
                    actor.tasks().add_dependency(&edge()).await.unwrap();
                }
            }
            Issue::FilesAddForced => {
                developer.files().add(&files(None)).await.unwrap();
            }
            Issue::FilesRelease => {
                actor.files().add(&files(None)).await.unwrap();
            }
        }
    }

    pub async fn act(self, actor: &Project) -> Result<(), Error> {
        let tasks = actor.tasks();
        let design = id("design");
        match self {
            Issue::CreateNamed | Issue::CreateNumbered | Issue::CreateClaimed => {
                let id = (self != Issue::CreateNumbered).then(|| design.clone());
                let claim = self == Issue::CreateClaimed;
                let draft = Draft { id, title: "draw it".into(), claim, ..Draft::default() };
                tasks.create(draft).await.map(drop)
            }
            Issue::CreateMany => create_many(actor).await,
            Issue::Label => {
                let change = |task: &mut Task| {
                    task.fields.labels.insert("ui".parse().unwrap());
                    Ok(())
                };
                tasks.edit(&design, None, &change).await.map(drop)
            }
            Issue::PutBack => {
                let mv = brigade_core::task::Move { to: Status::Open, force: false, reason: None };
                tasks.move_to(&design, &mv).await.map(drop)
            }
            Issue::Edit => {
                let change = |task: &mut Task| {
                    task.title = "draw it".into();
                    task.fields.labels = ["ui".parse().unwrap()].into();
                    Ok(())
                };
                tasks.edit(&design, None, &change).await.map(drop)
            }
            Issue::Comment | Issue::CommentAgain => comment(actor, "one").await,
            Issue::AskHuman => tasks.ask_human(&design, "blue?").await.map(drop),
            Issue::Approve => tasks.answer(&design, Verdict::Approved, Some("one")).await.map(drop),
            Issue::Reject => tasks.answer(&design, Verdict::Rejected, Some("one")).await.map(drop),
            Issue::MoveToWork => {
                let to = Status::InProgress;
                let mv = brigade_core::task::Move { to, force: false, reason: None };
                tasks.move_to(&design, &mv).await.map(drop)
            }
            Issue::DepAdd => tasks.add_dependency(&edge()).await.map(drop),
            Issue::DepRemove => tasks.remove_dependency(&design, &id("api")).await.map(drop),
            Issue::FilesAdd => actor.files().add(&files(None)).await.map(drop),
            Issue::FilesAddForced => {
                actor.files().add(&files(Some("it is urgent"))).await.map(drop)
            }
            Issue::FilesRelease => actor.files().release(&[pattern()]).await.map(drop),
            Issue::BoardPost => actor.board().post("one".into(), None, None).await.map(drop),
            Issue::Import => import(actor, None).await,
            Issue::ImportTheirs => import(actor, Some(Resolve::Theirs)).await,
        }
    }

    /// What the second run may be answered: that it was done, in so many words.
    pub fn may_say(self, words: &str) -> bool {
        match self {
            Issue::CreateNamed | Issue::CreateClaimed => words == "there is a task design already",
            Issue::Approve => words == "task design is closed, and waits for nobody's answer",
            Issue::Reject => words == "task design is open, and waits for nobody's answer",
            Issue::DepRemove => words == "design has nothing to do with api",
            Issue::FilesRelease => words == "you have no claim on src/**",
            _ => false,
        }
    }

    /// A new session of the agent cannot let go of what the old one has.
    pub fn needs_its_memory(self) -> bool {
        self == Issue::FilesRelease
    }

    /// How often something may be there that is said in one run, and was begun in two.
    pub fn says(self) -> bool {
        matches!(self, Issue::Comment | Issue::CommentAgain | Issue::BoardPost)
    }

    pub async fn missing(self, scene: &Scene) -> Vec<String> {
        let reader = scene.house.agent("reader");
        let board = reader.tasks().board().await.unwrap();
        let design = board.get(&id("design"));
        let is = |status| design.is_some_and(|task| task.status == status);
        let tasks = reader.tasks();
        let said = async || -> Vec<String> {
            let said = tasks.comments(&id("design")).await.unwrap();
            said.into_iter().map(|it| it.text).collect()
        };
        let has_said = async |words: &str| said().await.iter().any(|it| it == words);
        let edges = design.map(|task| task.fields.dependencies.len());
        let held = reader.files().list(Some(&name(ACTOR))).await.unwrap();
        let is_there = match self {
            Issue::CreateNamed => is(Status::Open),
            Issue::CreateClaimed => is(Status::Claimed),
            Issue::CreateNumbered => {
                board.list(&Filter::default(), Sort::Id).iter().any(|it| it.title == "draw it")
            }
            Issue::CreateMany => {
                let api = board.get(&id("api"));
                is(Status::Open) && api.is_some_and(|api| api.fields.dependencies.len() == 1)
            }
            Issue::Label => design.is_some_and(|task| task.fields.labels.len() == 1),
            Issue::PutBack => is(Status::Open),
            Issue::Edit => design.is_some_and(|task| task.title == "draw it"),
            Issue::Comment | Issue::CommentAgain => has_said("one").await,
            Issue::AskHuman => design.is_some_and(|task| task.fields.needs_human.is_some()),
            Issue::Approve => is(Status::Closed) && has_said("approved: one").await,
            Issue::Reject => is(Status::Open) && has_said("rejected: one").await,
            Issue::MoveToWork => is(Status::InProgress),
            Issue::DepAdd => edges == Some(1),
            Issue::DepRemove => edges == Some(0),
            Issue::FilesAdd | Issue::FilesAddForced => {
                // What the old session has had stays with it where nothing asks for more.
                held.iter().any(|row| !row.tried)
            }
            Issue::FilesRelease => held.is_empty(),
            Issue::BoardPost => {
                let notes =
                    reader.board().read(&Look { last: 5, ..Look::default() }).await.unwrap();
                notes.messages.iter().any(|it| it.message == "one")
            }
            Issue::Import | Issue::ImportTheirs => {
                let api = board.get(&id("api")).is_some_and(|task| task.status == Status::Closed);
                is(Status::Open) && api && said().await == ["first", "second"]
            }
        };
        if is_there { Vec::new() } else { vec![format!("{self:?}: what it does is missing")] }
    }
}

async fn comment(actor: &Project, words: &str) -> Result<(), Error> {
    let said = Comment::new(CommentKind::Comment, words);
    actor.tasks().comment(&id("design"), said).await.map(drop)
}

async fn create_many(actor: &Project) -> Result<(), Error> {
    let draft = |(name, on): (&str, Option<&str>)| {
        let mut draft = Draft { id: Some(id(name)), title: name.into(), ..Draft::default() };
        let edges = on.map(|on| Dependency::new(id(on), DependencyKind::Blocks));
        draft.fields.dependencies.extend(edges);
        draft
    };
    let drafts = [("design", None), ("api", Some("design"))].map(draft);
    actor.tasks().create_all(drafts.into()).await.1
}

async fn import(actor: &Project, resolve: Option<Resolve>) -> Result<(), Error> {
    let lines = r#"{"id":"design","title":"draw it","status":"open","priority":1,"issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","comments":[{"id":1,"author":"ada","text":"first","created_at":"2026-01-02T00:00:00Z"},{"id":2,"author":"bob","text":"second","created_at":"2026-01-03T00:00:00Z"}]}
{"id":"api","title":"say it","status":"closed","priority":2,"issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-04T00:00:00Z","closed_at":"2026-01-04T00:00:00Z"}
"#;
    let transfer = actor.transfer();
    let batch = transfer.lines(&mut lines.as_bytes())?;
    let outcome = transfer.import(batch, Options { resolve, ..Options::default() }).await?;
    assert!(outcome.conflicts.is_empty() && outcome.faults.is_empty(), "{outcome:?}");
    Ok(())
}

fn edge() -> Edge {
    Edge { from: id("design"), on: id("api"), kind: DependencyKind::Blocks }
}

fn pattern() -> FilePattern {
    FilePattern::parse("src/**").unwrap()
}

fn files(force: Option<&str>) -> Add {
    Add { files: vec![pattern()], force: force.map(str::to_owned), ..Add::default() }
}
