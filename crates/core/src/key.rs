//! Every key that brigade writes, on one screen, each with its life.

pub mod transcript;

use crate::codec::{decode, encode};
use crate::glob::FileKey;
use crate::id::{
    AgentId, ArtifactName, BarrierName, Harness, Mailbox, MemoryKey, Nonce, ProjectName, SessionId,
    SourceKey, TaskId, TranscriptId,
};
use crate::key::transcript::Piece;
use crate::store::{Folder, ObjectPath};

/// A number in a log or stream, from 0; eight digits in the key, so that names sort as numbers.
pub type Number = u32;
/// Past this a log is full; a task that changes hands every second gets there in three years.
pub const MAX_NUMBER: Number = 99_999_999;

/// Where an artifact belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Task(TaskId),
    Shared,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// What the project is, and what its store was proved to honour. Once.
    Project,
    /// The project has left this place, and where it is: nothing that is put after it counts. Once.
    Moved,
    /// How far a copy of the project has come that stands here. Replaced, by whoever carries it on.
    Replica,
    /// One session of an agent introduces itself. Once.
    Hello { agent: AgentId, sid: SessionId },
    /// It is alive. Replaced, by its session alone.
    Beat { agent: AgentId, sid: SessionId },
    /// Who was first to take a name that brigade handed out. Once.
    Name { agent: AgentId },
    /// The task after one act, and the act. Once: the log that decides who holds what.
    Step { task: TaskId, version: Number },
    /// A comment on a task, or a line of its work log; a stream for each session that writes. Once.
    Comment { task: TaskId, sid: SessionId, n: Number },
    /// Who may edit the files of one path or glob, after one act. Once: the log is its history.
    File { file: FileKey, version: Number },
    /// One value of a key of shared memory. Once: the log is its history.
    Memory { key: MemoryKey, version: Number },
    /// One message; a stream for each sending session. Once; deletable by the mailbox's owner below its cursor.
    Message { to: Mailbox, sid: SessionId, n: Number },
    /// How far an agent has read. Replaced, by the reader.
    Cursor { agent: AgentId },
    /// An agent has acknowledged a message. Once.
    Ack { to: Mailbox, sid: SessionId, n: Number, by: AgentId },
    /// One version of an artifact: size, hash and where its body is. Once.
    Artifact { scope: Scope, name: ArtifactName, version: Number },
    /// The bytes themselves, under the file's own name. Once.
    ArtifactBody { scope: Scope, name: ArtifactName, nonce: Nonce },
    /// An agent has arrived at a barrier. Once.
    Barrier { name: BarrierName, agent: AgentId },
    /// One act that left no other object: a refusal above all. Once.
    Event { sid: SessionId, n: Number },
    /// A piece of a mirrored session. Once.
    Transcript { of: TranscriptId, piece: Piece },
    /// Older versions and comments of closed tasks, many in one object. Once; named by its tasks.
    Segment { name: Nonce },
}

/// What may happen to a key after it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Never again.
    Once,
    /// Overwritten by its single writer; nothing safe depends on it.
    Replaced,
}

/// Folders that are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    All,
    Agents,
    AgentSessions(AgentId),
    Steps,
    StepLog(TaskId),
    Comments,
    CommentsOn(TaskId),
    CommentStream(TaskId, SessionId),
    Files,
    FileLog(FileKey),
    MemoryAll,
    MemoryUnder(MemoryKey),
    Messages,
    Mailbox(Mailbox),
    Stream(Mailbox, SessionId),
    Acks(Mailbox, SessionId, Number),
    AllAcks,
    Artifacts,
    ArtifactsOf(Scope),
    ArtifactLog(Scope, ArtifactName),
    Barrier(BarrierName),
    Events,
    EventStream(SessionId),
    Transcripts,
    TranscriptsOf(Harness),
    Transcript(TranscriptId),
    PartLog(TranscriptId, SourceKey),
    Compactions(TranscriptId),
    Archive,
    /// Where a store is proved; empty but for the moment of the proof.
    Proof,
}

/// Turns keys into paths of one project and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    project: ProjectName,
    /// Spelled once: every key of a long listing is held against it.
    root: Folder,
}

impl Key {
    pub fn life(&self) -> Life {
        match self {
            Key::Beat { .. } | Key::Cursor { .. } | Key::Replica => Life::Replaced,
            _ => Life::Once,
        }
    }
}

impl Scope {
    fn piece(&self) -> String {
        match self {
            Scope::Task(task) => encode(task.as_str()),
            Scope::Shared => "_shared".into(),
        }
    }

    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Scope::Task(task) => Some(task),
            Scope::Shared => None,
        }
    }
}

impl Layout {
    pub fn new(project: ProjectName) -> Layout {
        let root = Folder::parse(encode(project.as_str()))
            .expect("spelled names are short and have no bad pieces");
        Layout { project, root }
    }

    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    pub fn path(&self, key: &Key) -> ObjectPath {
        let rest = match key {
            Key::Project => "project.json".into(),
            Key::Moved => "moved.json".into(),
            Key::Replica => "replica.json".into(),
            Key::Hello { agent, sid } => format!("agents/{}/{sid}/hello.json", spell(agent)),
            Key::Beat { agent, sid } => format!("agents/{}/{sid}/beat.json", spell(agent)),
            Key::Name { agent } => format!("agents/{}/name.json", spell(agent)),
            Key::Step { task, version } => {
                format!("steps/{}/{version:08}.json", encode(task.as_str()))
            }
            Key::Comment { task, sid, n } => {
                format!("comments/{}/{sid}/{n:08}.json", encode(task.as_str()))
            }
            Key::File { file, version } => format!("files/{}/{version:08}.json", file.piece()),
            Key::Memory { key, version } => {
                format!("memory/{}/{version:08}.json", memory_pieces(key))
            }
            Key::Message { to, sid, n } => format!("messages/{}/{sid}/{n:08}.json", box_piece(to)),
            Key::Cursor { agent } => format!("messages/{}/_cursor.json", spell(agent)),
            Key::Ack { to, sid, n, by } => {
                format!("acks/{}/{sid}/{n:08}/{}.json", box_piece(to), spell(by))
            }
            Key::Artifact { scope, name, version } => {
                format!("artifacts/{}/{}/{version:08}.json", scope.piece(), name_pieces(name))
            }
            Key::ArtifactBody { scope, name, nonce } => format!(
                "artifacts/{}/{}/_{nonce}/{}",
                scope.piece(),
                name_pieces(name),
                encode(name.file_name())
            ),
            Key::Barrier { name, agent } => {
                format!("barriers/{}/{}.json", encode(name.as_str()), spell(agent))
            }
            Key::Event { sid, n } => format!("events/{sid}/{n:08}.json"),
            Key::Transcript { of, piece } => transcript::path(of, piece),
            Key::Segment { name } => format!("archive/{name}.jsonl"),
        };
        self.join(&rest)
    }

    pub fn folder(&self, room: &Room) -> Folder {
        let rest = match room {
            Room::All => return self.root.clone(),
            Room::Agents => "agents".into(),
            Room::AgentSessions(agent) => format!("agents/{}", spell(agent)),
            Room::Steps => "steps".into(),
            Room::StepLog(task) => format!("steps/{}", encode(task.as_str())),
            Room::Comments => "comments".into(),
            Room::CommentsOn(task) => format!("comments/{}", encode(task.as_str())),
            Room::CommentStream(task, sid) => format!("comments/{}/{sid}", encode(task.as_str())),
            Room::Files => "files".into(),
            Room::FileLog(file) => format!("files/{}", file.piece()),
            Room::MemoryAll => "memory".into(),
            Room::MemoryUnder(key) => format!("memory/{}", memory_pieces(key)),
            Room::Messages => "messages".into(),
            Room::Mailbox(to) => format!("messages/{}", box_piece(to)),
            Room::Stream(to, sid) => format!("messages/{}/{sid}", box_piece(to)),
            Room::Acks(to, sid, n) => format!("acks/{}/{sid}/{n:08}", box_piece(to)),
            Room::AllAcks => "acks".into(),
            Room::Artifacts => "artifacts".into(),
            Room::ArtifactsOf(scope) => format!("artifacts/{}", scope.piece()),
            Room::ArtifactLog(scope, name) => {
                format!("artifacts/{}/{}", scope.piece(), name_pieces(name))
            }
            Room::Barrier(name) => format!("barriers/{}", encode(name.as_str())),
            Room::Events => "events".into(),
            Room::EventStream(sid) => format!("events/{sid}"),
            Room::Transcripts => "sessions".into(),
            Room::TranscriptsOf(harness) => format!("sessions/{harness}"),
            Room::Transcript(of) => transcript::folder(of),
            Room::PartLog(of, source) => format!("{}/parts/{source}", transcript::folder(of)),
            Room::Compactions(of) => format!("{}/compactions", transcript::folder(of)),
            Room::Archive => "archive".into(),
            Room::Proof => "_proof".into(),
        };
        Folder::parse(format!("{}/{rest}", encode(self.project.as_str())))
            .expect("spelled names are short and have no bad pieces")
    }

    /// The key behind a path of this project; `None` for anything that brigade does not write.
    pub fn parse(&self, path: &ObjectPath) -> Option<Key> {
        let rest = path.as_str().strip_prefix(self.root.as_str())?;
        let pieces: Vec<&str> = rest.split('/').collect();
        let key = match pieces.as_slice() {
            ["project.json"] => Key::Project,
            ["moved.json"] => Key::Moved,
            ["replica.json"] => Key::Replica,
            ["agents", agent, "name.json"] => Key::Name { agent: name(agent)? },
            ["agents", agent, sid, "hello.json"] => {
                Key::Hello { agent: name(agent)?, sid: SessionId::parse(sid).ok()? }
            }
            ["agents", agent, sid, "beat.json"] => {
                Key::Beat { agent: name(agent)?, sid: SessionId::parse(sid).ok()? }
            }
            ["steps", task, file] => {
                Key::Step { task: TaskId::parse(&decode(task)?).ok()?, version: number(file)? }
            }
            ["comments", task, sid, file] => Key::Comment {
                task: TaskId::parse(&decode(task)?).ok()?,
                sid: SessionId::parse(sid).ok()?,
                n: number(file)?,
            },
            ["files", pattern, file] => {
                Key::File { file: FileKey::parse(pattern)?, version: number(file)? }
            }
            ["memory", key @ .., file] => {
                let pieces: Option<Vec<String>> = key.iter().map(|piece| decode(piece)).collect();
                Key::Memory {
                    key: MemoryKey::parse(&pieces?.join(".")).ok()?,
                    version: number(file)?,
                }
            }
            ["messages", agent, "_cursor.json"] => Key::Cursor { agent: name(agent)? },
            ["messages", to, sid, file] => Key::Message {
                to: mailbox(to)?,
                sid: SessionId::parse(sid).ok()?,
                n: number(file)?,
            },
            ["acks", to, sid, n, by] => Key::Ack {
                to: mailbox(to)?,
                sid: SessionId::parse(sid).ok()?,
                n: number(&format!("{n}.json"))?,
                by: name(by.strip_suffix(".json")?)?,
            },
            ["artifacts", scope, rest @ ..] => artifact(scope, rest)?,
            ["barriers", barrier, agent] => Key::Barrier {
                name: BarrierName::parse(&decode(barrier)?).ok()?,
                agent: name(agent.strip_suffix(".json")?)?,
            },
            ["events", sid, file] => {
                Key::Event { sid: SessionId::parse(sid).ok()?, n: number(file)? }
            }
            ["sessions", rest @ ..] => {
                let (of, piece) = transcript::parse(rest)?;
                Key::Transcript { of, piece }
            }
            ["archive", file] => {
                Key::Segment { name: Nonce::parse(file.strip_suffix(".jsonl")?).ok()? }
            }
            _ => return None,
        };
        (self.path(&key) == *path).then_some(key)
    }

    fn join(&self, rest: &str) -> ObjectPath {
        self.root.join(rest).expect("spelled names are short and have no bad pieces")
    }
}

fn artifact(scope: &str, rest: &[&str]) -> Option<Key> {
    let scope = match scope {
        "_shared" => Scope::Shared,
        task => Scope::Task(TaskId::parse(&decode(task)?).ok()?),
    };
    let names = |pieces: &[&str]| -> Option<ArtifactName> {
        let pieces: Option<Vec<String>> = pieces.iter().map(|piece| decode(piece)).collect();
        ArtifactName::parse(&pieces?.join("/")).ok()
    };
    match rest {
        [pieces @ .., body, _file] if body.starts_with('_') => Some(Key::ArtifactBody {
            scope,
            name: names(pieces)?,
            nonce: Nonce::parse(&body[1..]).ok()?,
        }),
        [pieces @ .., file] => {
            Some(Key::Artifact { scope, name: names(pieces)?, version: number(file)? })
        }
        [] => None,
    }
}

fn number(file: &str) -> Option<Number> {
    let digits = file.strip_suffix(".json")?;
    (digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

fn name(piece: &str) -> Option<AgentId> {
    AgentId::parse(&decode(piece)?).ok()
}

fn mailbox(piece: &str) -> Option<Mailbox> {
    match piece {
        Mailbox::BROADCAST => Some(Mailbox::Broadcast),
        agent => name(agent).map(Mailbox::Agent),
    }
}

fn spell(agent: &AgentId) -> String {
    encode(agent.as_str())
}

fn box_piece(mailbox: &Mailbox) -> String {
    match mailbox {
        Mailbox::Agent(agent) => spell(agent),
        Mailbox::Broadcast => Mailbox::BROADCAST.into(),
    }
}

fn memory_pieces(key: &MemoryKey) -> String {
    key.pieces().map(encode).collect::<Vec<_>>().join("/")
}

fn name_pieces(name: &ArtifactName) -> String {
    name.pieces().map(encode).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::transcript::Half;
    use super::*;

    fn layout() -> Layout {
        Layout::new(ProjectName::parse("replaydemo").unwrap())
    }

    #[test]
    fn the_keys_are_where_the_specification_says() {
        let sid = SessionId::parse(&"ab".repeat(16)).unwrap();
        let designer = AgentId::parse("designer").unwrap();
        let path = |key: &Key| layout().path(key).to_string();
        assert_eq!(
            path(&Key::Step { task: TaskId::parse("T-0001").unwrap(), version: 3 }),
            "replaydemo/steps/!t-0001/00000003.json"
        );
        assert_eq!(
            path(&Key::Memory { key: MemoryKey::parse("design.contract").unwrap(), version: 0 }),
            "replaydemo/memory/design/contract/00000000.json"
        );
        assert_eq!(
            path(&Key::Message { to: Mailbox::Broadcast, sid: sid.clone(), n: 7 }),
            format!("replaydemo/messages/_broadcast/{sid}/00000007.json")
        );
        assert_eq!(
            path(&Key::Cursor { agent: designer }),
            "replaydemo/messages/designer/_cursor.json"
        );
    }

    #[test]
    fn two_keys_never_share_a_path() {
        // A task called like the shared scope, a memory key that looks like a version.
        let shared = Key::Artifact {
            scope: Scope::Shared,
            name: ArtifactName::parse("x").unwrap(),
            version: 0,
        };
        let task = TaskId::parse("shared").unwrap();
        let own = Key::Artifact {
            scope: Scope::Task(task),
            name: ArtifactName::parse("x").unwrap(),
            version: 0,
        };
        assert_ne!(layout().path(&shared), layout().path(&own));
    }

    #[test]
    fn no_artifact_lies_where_another_one_has_a_file() {
        // On a directory a key cannot be a file and a folder at once.
        let (shared, nonce) = (Scope::Shared, Nonce::parse(&"ab".repeat(16)).unwrap());
        let named = |name: &str| ArtifactName::parse(name).unwrap();
        let files = [
            Key::Artifact { scope: shared.clone(), name: named("a"), version: 0 },
            Key::ArtifactBody { scope: shared.clone(), name: named("a"), nonce },
        ];
        for below in ["a/00000000.json", &format!("a/_{}/a", "ab".repeat(16))] {
            let key = Key::Artifact { scope: shared.clone(), name: named(below), version: 0 };
            for file in &files {
                let folder = format!("{}/", layout().path(file));
                assert!(!layout().path(&key).as_str().starts_with(&folder), "{below}");
            }
            assert_eq!(layout().parse(&layout().path(&key)), Some(key));
        }
    }

    #[test]
    fn the_longest_names_still_make_a_key() {
        let long = |piece: usize| "x".repeat(piece);
        let layout = Layout::new(ProjectName::parse(&"É".repeat(33)).unwrap());
        let scope = Scope::Task(TaskId::parse(&"É".repeat(33)).unwrap());
        let nonce = Nonce::parse(&"ab".repeat(16)).unwrap();
        let mut longest = 0;
        for piece in 1..=200 {
            let folders = format!("{}/{}/{}", long(100), long(100), long(piece));
            for name in
                [folders, long(piece)].iter().filter_map(|name| ArtifactName::parse(name).ok())
            {
                let (scope, nonce) = (scope.clone(), nonce.clone());
                let body = layout.path(&Key::ArtifactBody { scope, name, nonce });
                longest = longest.max(body.as_str().len());
            }
        }
        assert!(longest > 880, "{longest}");
    }

    fn any_key() -> impl Strategy<Value = Key> {
        let hex = "[0-9a-f]{32}";
        let word = "[A-Za-z0-9][A-Za-z0-9._é -]{0,10}[a-z0-9]";
        let agent = word.prop_map(|text| AgentId::parse(&text).unwrap()).boxed();
        let sid = hex.prop_map(|text| SessionId::parse(&text).unwrap()).boxed();
        let task = word.prop_map(|text| TaskId::parse(&text).unwrap()).boxed();
        let n = 0..=MAX_NUMBER;
        let to = prop_oneof![Just(Mailbox::Broadcast), agent.clone().prop_map(Mailbox::Agent)];
        let scope = prop_oneof![Just(Scope::Shared), task.clone().prop_map(Scope::Task)];
        let artifact = "[a-zA-Z_][a-z0-9]{0,4}(/([A-Za-z0-9._-]{0,5}[a-z]|[0-9]{8}\\.json)){0,3}"
            .prop_filter_map("a name", |text| ArtifactName::parse(&text).ok());
        let memory = "[a-zA-Z_0-9]{1,5}(\\.[A-Za-z0-9_]{1,8}){0,3}"
            .prop_map(|text| MemoryKey::parse(&text).unwrap());
        let files = prop_oneof!["[a-zA-Z.*]{1,20}(/[a-z?]{1,40}){0,8}", Just("x/".repeat(200))]
            .prop_filter_map("a pattern", |text| {
                Some(FileKey::of(&crate::glob::FilePattern::parse(&text).ok()?))
            });
        let transcript = ("[a-z][a-z0-9-]{0,8}", "[A-Za-z0-9./_ é-]{1,30}")
            .prop_map(|(harness, id)| TranscriptId::parse(&harness, &id).unwrap());
        let source = "([A-Za-z0-9._-]{0,9}/){0,40}[a-zA-Z._]{0,9}"
            .prop_map(|name| SourceKey::of(&name))
            .boxed();
        let nonce = hex.prop_map(|text| Nonce::parse(&text).unwrap()).boxed();
        let half = prop_oneof![Just(Half::Records), Just(Half::Index), Just(Half::Live)];
        let piece = prop_oneof![
            Just(Piece::Head),
            (source.clone(), n.clone()).prop_map(|(source, n)| Piece::Part { source, n }),
            (source.clone(), nonce.clone())
                .prop_map(|(source, nonce)| Piece::Body { source, nonce }),
            n.clone().prop_map(|k| Piece::Compaction { k }),
            (source, nonce, half).prop_map(|(source, nonce, half)| Piece::Merged {
                nonce,
                source,
                half
            }),
        ];
        prop_oneof![
            Just(Key::Project),
            Just(Key::Moved),
            Just(Key::Replica),
            (agent.clone(), sid.clone()).prop_map(|(agent, sid)| Key::Hello { agent, sid }),
            (agent.clone(), sid.clone()).prop_map(|(agent, sid)| Key::Beat { agent, sid }),
            agent.clone().prop_map(|agent| Key::Name { agent }),
            (task.clone(), n.clone()).prop_map(|(task, version)| Key::Step { task, version }),
            (task, sid.clone(), n.clone()).prop_map(|(task, sid, n)| Key::Comment { task, sid, n }),
            (memory, n.clone()).prop_map(|(key, version)| Key::Memory { key, version }),
            (files, n.clone()).prop_map(|(file, version)| Key::File { file, version }),
            (to.clone(), sid.clone(), n.clone()).prop_map(|(to, sid, n)| Key::Message {
                to,
                sid,
                n
            }),
            agent.clone().prop_map(|agent| Key::Cursor { agent }),
            (to, sid.clone(), n.clone(), agent.clone()).prop_map(|(to, sid, n, by)| Key::Ack {
                to,
                sid,
                n,
                by
            }),
            (scope.clone(), artifact.clone(), n.clone())
                .prop_map(|(scope, name, version)| Key::Artifact { scope, name, version }),
            (scope, artifact, hex).prop_map(|(scope, name, nonce)| Key::ArtifactBody {
                scope,
                name,
                nonce: Nonce::parse(&nonce).unwrap()
            }),
            (word, agent).prop_map(|(name, agent)| Key::Barrier {
                name: BarrierName::parse(&name).unwrap(),
                agent
            }),
            (sid, n.clone()).prop_map(|(sid, n)| Key::Event { sid, n }),
            (transcript, piece).prop_map(|(of, piece)| Key::Transcript { of, piece }),
        ]
    }

    proptest! {
        #[test]
        fn every_key_comes_back_from_its_path(key in any_key()) {
            prop_assert_eq!(layout().parse(&layout().path(&key)), Some(key));
        }

        #[test]
        fn no_path_is_taken_for_a_key_that_is_elsewhere(path in "replaydemo/[a-z_]{1,9}(/[a-zA-Z0-9_%!.-]{1,12}){0,4}") {
            if let Ok(path) = ObjectPath::parse(path)
                && let Some(key) = layout().parse(&path) {
                prop_assert_eq!(layout().path(&key), path);
            }
        }
    }
}
