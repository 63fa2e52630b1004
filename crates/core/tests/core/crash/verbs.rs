//! Every verb that writes: what has to be there before it, how it is run, and what must be there
//! once it was acknowledged.

use std::time::Duration;

use brigade_core::Project;
use brigade_core::artifact::{Source, from_stream, silent};
use brigade_core::error::{Error, Kind};
use brigade_core::event::Event;
use brigade_core::id::{ArtifactName, BarrierName, MemoryKey};
use brigade_core::key::{Key, Room, Scope};
use brigade_core::mail::Reading;
use brigade_core::memory::Expected;
use brigade_core::project::ProjectDocument;
use brigade_core::record;
use brigade_core::task::{ActName, Archive, Comment, CommentKind, Finish, Outcome, Status};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::issues::Issue;
use super::scene::{ACTOR, Pages, Scene};
use crate::verbs_support::{
    LEASE_IS_OVER, claim, complete, heartbeat, id, key, name, plain, proved, release, seize, send,
    words,
};

const A_DAY: Duration = Duration::from_secs(25 * 60 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Init,
    Hello,
    Heartbeat,
    SignOff,
    TakeName,
    ClaimNew,
    ClaimOpen,
    ClaimRefused,
    ClaimOfOwnOther,
    Takeover,
    Complete,
    CompleteOpen,
    Block,
    Review,
    Release,
    Reopen,
    Reclaim,
    Send,
    Broadcast,
    Inbox,
    InboxDelete,
    Ack,
    Set,
    SetIfVersion,
    Upload,
    UploadNext,
    Arrive,
    Archive,
    Issue(Issue),
}

impl Verb {
    pub const ALL: [Verb; 49] = [
        Verb::Init,
        Verb::Hello,
        Verb::Heartbeat,
        Verb::SignOff,
        Verb::TakeName,
        Verb::ClaimNew,
        Verb::ClaimOpen,
        Verb::ClaimRefused,
        Verb::ClaimOfOwnOther,
        Verb::Takeover,
        Verb::Complete,
        Verb::CompleteOpen,
        Verb::Block,
        Verb::Review,
        Verb::Release,
        Verb::Reopen,
        Verb::Reclaim,
        Verb::Send,
        Verb::Broadcast,
        Verb::Inbox,
        Verb::InboxDelete,
        Verb::Ack,
        Verb::Set,
        Verb::SetIfVersion,
        Verb::Upload,
        Verb::UploadNext,
        Verb::Arrive,
        Verb::Archive,
        Verb::Issue(Issue::CreateNamed),
        Verb::Issue(Issue::CreateNumbered),
        Verb::Issue(Issue::CreateClaimed),
        Verb::Issue(Issue::CreateMany),
        Verb::Issue(Issue::Edit),
        Verb::Issue(Issue::Label),
        Verb::Issue(Issue::PutBack),
        Verb::Issue(Issue::Comment),
        Verb::Issue(Issue::CommentAgain),
        Verb::Issue(Issue::AskHuman),
        Verb::Issue(Issue::Approve),
        Verb::Issue(Issue::Reject),
        Verb::Issue(Issue::MoveToWork),
        Verb::Issue(Issue::DepAdd),
        Verb::Issue(Issue::DepRemove),
        Verb::Issue(Issue::FilesAdd),
        Verb::Issue(Issue::FilesAddForced),
        Verb::Issue(Issue::FilesRelease),
        Verb::Issue(Issue::BoardPost),
        Verb::Issue(Issue::Import),
        Verb::Issue(Issue::ImportTheirs),
    ];

    /// What has to be there before.
    pub async fn set_up(self, scene: &Scene) {
        if self == Verb::Init {
            return;
        }
        let house = &scene.house;
        let (actor, developer) = (house.sibling(ACTOR, &scene.local), house.agent("developer"));
        match self {
            Verb::Issue(issue) => issue.set_up(scene).await,
            Verb::Init | Verb::Hello | Verb::TakeName | Verb::ClaimNew => {}
            Verb::Heartbeat | Verb::Upload | Verb::Arrive => heartbeat(&actor).await,
            Verb::SignOff => {
                claim(&actor, "design").await.unwrap();
                claim(&actor, "api").await.unwrap();
                scene.pages.held.lock().unwrap().extend([id("design"), id("api")]);
            }
            Verb::ClaimOpen | Verb::CompleteOpen => {
                heartbeat(&developer).await;
                house.create("design", &developer).await;
            }
            Verb::ClaimRefused | Verb::Takeover => {
                heartbeat(&actor).await;
                claim(&developer, "design").await.unwrap();
            }
            Verb::ClaimOfOwnOther => drop(claim(&house.agent(ACTOR), "design").await.unwrap()),
            Verb::Complete | Verb::Block | Verb::Review | Verb::Release => {
                claim(&actor, "design").await.unwrap();
            }
            Verb::Reopen => {
                claim(&developer, "design").await.unwrap();
                complete(&developer, "design").await.unwrap();
            }
            Verb::Reclaim => {
                claim(&developer, "design").await.unwrap();
                claim(&developer, "api").await.unwrap();
                house.pass(LEASE_IS_OVER);
            }
            Verb::Send | Verb::Broadcast => {
                heartbeat(&developer).await;
                send(&actor, "developer", "zero").await.unwrap();
                send(&actor, "_broadcast", "zero to all").await.unwrap();
            }
            Verb::Inbox | Verb::InboxDelete | Verb::Ack => {
                heartbeat(&actor).await;
                send(&developer, ACTOR, "one").await.unwrap();
                send(&developer, ACTOR, "two").await.unwrap();
                send(&house.agent("tester"), "_broadcast", "three").await.unwrap();
            }
            Verb::Set | Verb::SetIfVersion => {
                actor.memory().set(&contract(), json!("v0"), None).await.unwrap();
            }
            Verb::UploadNext => upload(&actor, "first").await.unwrap(),
            Verb::Archive => {
                for task in ["api", "design"] {
                    claim(&actor, task).await.unwrap();
                    let said = Comment::new(CommentKind::Comment, "as agreed");
                    actor.tasks().comment(&id(task), said).await.unwrap();
                    complete(&actor, task).await.unwrap();
                    actor.tasks().reopen(&id(task), None).await.unwrap();
                    claim(&actor, task).await.unwrap();
                    complete(&actor, task).await.unwrap();
                }
                // In a bucket only what was left alone for a day is archived.
                if house.store.root().is_none() {
                    house.pass(A_DAY);
                    heartbeat(&actor).await;
                }
            }
        }
    }

    pub async fn act(self, actor: &Project, pages: &Pages) -> Result<(), Error> {
        match self {
            // All verbs stand in one future, which would be large for a stack.
            Verb::Issue(issue) => Box::pin(issue.act(actor)).await,
            Verb::Archive => {
                let wish = Archive { older_than: Duration::ZERO, dry_run: false };
                actor.tasks().archive(&wish).await.map(drop)
            }
            Verb::Init => {
                actor.start(ProjectDocument::new("demo", proved())).await?;
                actor.agents().register().await.map(drop)
            }
            Verb::Hello => actor.agents().register().await.map(drop),
            Verb::Heartbeat => actor.agents().heartbeat(Some("thinking".into())).await.map(drop),
            Verb::SignOff => {
                actor.reclaim().release_all().await?;
                actor.agents().deregister().await
            }
            Verb::TakeName => actor.agents().take_free_name().await.map(drop),
            Verb::ClaimNew | Verb::ClaimOpen | Verb::ClaimRefused | Verb::ClaimOfOwnOther => {
                claim(actor, "design").await.map(drop)
            }
            Verb::Takeover => seize(actor, "design", "it is late").await.map(drop),
            Verb::Complete | Verb::CompleteOpen => finish(actor, Outcome::Complete).await,
            Verb::Block => finish(actor, Outcome::Block).await,
            Verb::Review => finish(actor, Outcome::Review).await,
            Verb::Release => release(actor, "design").await.map(drop),
            Verb::Reopen => actor.tasks().reopen(&id("design"), None).await.map(drop),
            Verb::Reclaim => {
                let mut rows = actor.reclaim().stale(Some(Duration::ZERO)).await?;
                rows.retain(|row| row.agent == name("developer"));
                actor.reclaim().reclaim(&rows, true).await.map(drop)
            }
            Verb::Send => send(actor, "developer", "one").await.map(drop),
            Verb::Broadcast => send(actor, "_broadcast", "one").await.map(drop),
            Verb::Inbox | Verb::InboxDelete => {
                let reading = if self == Verb::Inbox { Reading::New } else { Reading::All };
                let delivery = actor.mail().read(reading, None).await?;
                pages.show(words(&delivery.messages));
                match self {
                    Verb::Inbox => actor.mail().delivered(&delivery).await,
                    _ => actor.mail().delete(&delivery).await.map(drop),
                }
            }
            Verb::Ack => {
                for message in actor.mail().read(Reading::All, None).await?.messages {
                    actor.mail().acknowledge(&message.id).await?;
                }
                Ok(())
            }
            Verb::Set => set(actor, None).await,
            Verb::SetIfVersion => set(actor, Some(Expected::Version(0))).await,
            Verb::Upload | Verb::UploadNext => upload(actor, "plan").await,
            Verb::Arrive => {
                let timeout = Duration::from_secs(5);
                actor.barriers().arrive(&ready(), 1, timeout, &mut |_| ()).await.map(drop)
            }
        }
    }

    /// What a second run may be answered: that it was done, in so many words.
    pub fn may_say(self, error: &Error) -> bool {
        let words = error.to_string();
        match self {
            Verb::Issue(issue) => issue.may_say(&words),
            Verb::ClaimRefused => error.kind() == Kind::Held && words.contains("held by developer"),
            Verb::Complete | Verb::CompleteOpen => words == "task design was completed by designer",
            Verb::Block => words.starts_with("task design is blocked by designer"),
            Verb::Review | Verb::Release => words == "task design is held by nobody",
            Verb::Reopen => words.starts_with("task design is open"),
            Verb::SetIfVersion => {
                words == "memory contract is at version 1, not at 0: designer has set it"
            }
            _ => false,
        }
    }

    /// Whether a session that remembers nothing can finish what another one had begun: what that
    /// one holds stays with it until its lease ends.
    pub fn needs_its_memory(self) -> bool {
        match self {
            Verb::Issue(issue) => issue.needs_its_memory(),
            _ => matches!(self, Verb::SignOff | Verb::Reclaim),
        }
    }

    /// Run again, it may only look, and say that all is done: mail that comes back unread and a hold
    /// of a session that has ended are read, and taken back, once more.
    pub fn finds_nothing_left_to_do(self) -> bool {
        matches!(
            self,
            Verb::Inbox | Verb::InboxDelete | Verb::SignOff | Verb::Reclaim | Verb::Archive
        )
    }

    /// What was acknowledged and is not there.
    pub async fn missing(self, scene: &Scene) -> Vec<String> {
        let house = &scene.house;
        let reader = house.agent("reader");
        let mut missing = Vec::new();
        let mut expect = |is_there: bool, what: &str| {
            if !is_there {
                missing.push(format!("{self:?}: {what} is missing"));
            }
        };
        let head = async || house.log("design").await.pop().map(|record| record.body.task);
        let is = async |status: Status| head().await.is_some_and(|task| task.status == status);
        match self {
            // Looked at below.
            Verb::Issue(_) => {}
            Verb::Init => expect(reader.document().await.is_ok(), "the project"),
            Verb::Hello | Verb::Heartbeat => {
                let alive = reader.agents().sessions().await.unwrap();
                let alive = alive.iter().any(|row| row.is_alive() && row.agent == name(ACTOR));
                expect(alive, "a living session");
            }
            Verb::SignOff => {
                let held = scene.pages.held.lock().unwrap().clone();
                for task in held {
                    let task = house.log(task.as_str()).await.pop().unwrap().body.task;
                    expect(task.holder.is_none(), "the release");
                }
            }
            Verb::TakeName => {
                let mut names = house.keys(&Room::All).await;
                names.retain(|path| matches!(house.layout.parse(path), Some(Key::Name { .. })));
                expect(!names.is_empty(), "the name");
            }
            Verb::ClaimNew | Verb::ClaimOpen | Verb::ClaimOfOwnOther | Verb::Takeover => {
                let holder = head().await.and_then(|task| task.holder);
                expect(holder.is_some_and(|holder| holder.agent == name(ACTOR)), "the hold");
            }
            Verb::ClaimRefused => {
                let journal = house.journal().await;
                let refusal =
                    |(who, entry): &(String, Event)| who == ACTOR && entry.act == "claim_refused";
                expect(journal.iter().any(refusal), "the journal entry");
            }
            Verb::Complete | Verb::CompleteOpen => expect(is(Status::Closed).await, "the end"),
            Verb::Block => expect(is(Status::Blocked).await, "the block"),
            Verb::Review => expect(is(Status::Review).await, "the review"),
            Verb::Release | Verb::Reopen => expect(is(Status::Open).await, "the open task"),
            Verb::Reclaim => {
                for task in ["design", "api"] {
                    let task = house.log(task).await.pop().unwrap().body.task;
                    expect(task.holder.is_none(), "the task taken back");
                }
            }
            Verb::Send | Verb::Broadcast => {
                let who = if self == Verb::Send { "developer" } else { "reader" };
                let mail = house.agent(who);
                let mail = mail.mail().read(Reading::All, None).await.unwrap();
                expect(words(&mail.messages).contains(&"one".into()), "the message");
            }
            Verb::Inbox | Verb::InboxDelete => {
                let shown = scene.pages.shown();
                for text in ["one", "two", "three"] {
                    expect(shown.contains(&text.into()), "the message shown");
                }
                let unread = house.agent(ACTOR).mail().unread().await.unwrap();
                expect(unread == 0, "the mark that it was read");
                let own = Room::Mailbox(ACTOR.parse().unwrap());
                let own = house.keys(&own).await;
                let left = own.iter().filter(|path| !path.as_str().ends_with("_cursor.json"));
                let due = if self == Verb::Inbox { 2 } else { 0 };
                expect(left.count() == due, "the deletion");
            }
            Verb::Ack => {
                let acks = reader.mail().acknowledgements().await.unwrap();
                expect(acks.len() == 3, "an acknowledgement");
            }
            Verb::Set | Verb::SetIfVersion => {
                let value = reader.memory().get(&contract(), None).await;
                expect(value.is_ok_and(|found| found.value == json!("v1")), "the value");
            }
            Verb::Upload | Verb::UploadNext => {
                expect(content(&reader).await.as_deref() == Some(&*long("plan")), "the artifact");
            }
            Verb::Arrive => {
                let arrival = Key::Barrier { name: ready(), agent: name(ACTOR) };
                let path = house.layout.path(&arrival);
                let found = house.store.get(&path).await.unwrap().value;
                let is_whole = found.is_some_and(|found| record::nonce_of(&found.bytes).is_some());
                expect(is_whole, "the arrival");
            }
            Verb::Archive => {
                for task in ["api", "design"] {
                    let history = reader.tasks().history(&id(task)).await.unwrap();
                    let acts: Vec<ActName> = history.iter().map(|(_, it, _)| it.act).collect();
                    let (claim, complete) = (ActName::Claim, ActName::Complete);
                    let due = [claim, complete, ActName::Reopen, claim, complete, ActName::Edit];
                    expect(acts == due, "a version");
                    let said = reader.tasks().comments(&id(task)).await.unwrap();
                    expect(said.len() == 1, "the comment, once");
                    let left = house.keys(&Room::StepLog(id(task))).await.len();
                    let left = left + house.keys(&Room::CommentsOn(id(task))).await.len();
                    expect(left == 2, "the end of the archiving");
                }
            }
        }
        if let Verb::Issue(issue) = self {
            missing.extend(issue.missing(scene).await);
        }
        missing
    }

    /// The act that a task's log may have once in each generation.
    pub fn ends(act: ActName) -> bool {
        matches!(act, ActName::Complete | ActName::Block | ActName::Review | ActName::Release)
    }
}

pub fn contract() -> MemoryKey {
    key("contract")
}

fn ready() -> BarrierName {
    BarrierName::parse("ready").unwrap()
}

fn plan() -> ArtifactName {
    ArtifactName::parse("plan.md").unwrap()
}

/// More than one write, so that a body can be cut in its midst.
fn long(words: &str) -> Vec<u8> {
    format!("{words} ").repeat(500).into_bytes()
}

async fn finish(actor: &Project, outcome: Outcome) -> Result<(), Error> {
    let finish = Finish { outcome, note: Some("see the plan".into()), ..plain() };
    actor.tasks().finish(&id("design"), &finish).await.map(drop)
}

async fn set(actor: &Project, expected: Option<Expected>) -> Result<(), Error> {
    actor.memory().set(&contract(), json!("v1"), expected).await.map(drop)
}

async fn upload(actor: &Project, content: &str) -> Result<(), Error> {
    let bytes = long(content);
    let (first, second) = bytes.split_at(700);
    let pieces = [first, second].map(|piece| Ok(Bytes::copy_from_slice(piece)));
    let source = Source::stream(stream::iter(pieces).boxed());
    actor.artifacts().upload(&Scope::Shared, &plan(), source, &silent()).await.map(drop)
}

async fn content(reader: &Project) -> Option<Vec<u8>> {
    let opened = reader.artifacts().open(&Scope::Shared, &plan(), None, &silent()).await.ok()?;
    let artifact = opened.artifact.clone();
    let pieces: Result<Vec<Bytes>, Error> =
        opened.body.map_err(|error| from_stream(error, &artifact)).try_collect().await;
    Some(pieces.ok()?.concat())
}
