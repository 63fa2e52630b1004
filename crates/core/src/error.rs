//! What can go wrong with a verb, by what it means to the one who asked.

use crate::files::FilesHeld;
use crate::id::{AgentId, BadName};
use crate::key::Number;
use crate::project::Elsewhere;
use crate::record::{TooLarge, Unreadable};
use crate::session::StateError;
use crate::store::{BadPath, StoreError};
use crate::task::{Refusal, Status};

/// The kinds of failure. Each has one exit code; `docs/exit-codes.md` is the table for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Unexpected,
    Usage,
    NotFound,
    Held,
    Unknown,
    Blocked,
    TimedOut,
    Store,
    Data,
    NotSetUp,
}

impl Kind {
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Unexpected => 1,
            Kind::Usage => 2,
            Kind::NotFound => 3,
            Kind::Held => 4,
            Kind::Unknown => 5,
            Kind::Blocked => 6,
            Kind::TimedOut => 7,
            Kind::Store => 8,
            Kind::Data => 9,
            Kind::NotSetUp => 10,
        }
    }

    /// The stable word for it in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Unexpected => "unexpected",
            Kind::Usage => "usage",
            Kind::NotFound => "not_found",
            Kind::Held => "held",
            Kind::Unknown => "unknown_outcome",
            Kind::Blocked => "blocked",
            Kind::TimedOut => "timed_out",
            Kind::Store => "store",
            Kind::Data => "data",
            Kind::NotSetUp => "not_set_up",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Name(#[from] BadName),
    #[error(transparent)]
    Path(#[from] BadPath),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("it is not known whether {what} was stored: the store did not answer")]
    Unknown { what: String },
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    TimedOut(String),
    #[error("{0}")]
    NotSetUp(String),
    #[error("memory {key} is at version {found}, not {expected}: {by} has set it")]
    Conflict { key: String, expected: String, found: Number, by: AgentId },
    #[error("claims are refused here: this store lost the race when it was proved")]
    RacyStore,
    #[error("the bytes of {what} are not what was uploaded (sha256 {found}, not {expected})")]
    Corrupt { what: String, expected: String, found: String },
    #[error(
        "the signature of {0} does not fit: it was changed since, or put there by somebody else"
    )]
    BadSignature(String),
    /// A failure that only a face can meet, with its own next step.
    #[error("{message}")]
    Face { kind: Kind, message: String, hint: Option<String> },
    /// Everybody follows; a face asks its user first where data may not go there yet.
    #[error("{0}")]
    Moved(Box<Elsewhere>),
    /// What was opened is a copy that is looked at; nobody acts there.
    #[error("{}: it is looked at, and nothing else is written to it", .0.as_replica())]
    Replica(Box<Elsewhere>),
    #[error(transparent)]
    Files(#[from] Box<FilesHeld>),
    #[error("the bytes of {what} are gone from the store: {path} is not there")]
    Gone { what: String, path: String },
    #[error("{doing}: {source}")]
    File { doing: String, source: std::io::Error },
}

impl Error {
    pub fn kind(&self) -> Kind {
        match self {
            Error::Name(_) | Error::Path(_) | Error::Usage(_) | Error::TooLarge(_) => Kind::Usage,
            Error::Store(_) => Kind::Store,
            Error::RacyStore => Kind::Store,
            Error::Unreadable(_) | Error::Corrupt { .. } | Error::Gone { .. } => Kind::Data,
            Error::BadSignature(_) => Kind::Data,
            Error::State(_) | Error::File { .. } => Kind::Unexpected,
            Error::Unknown { .. } => Kind::Unknown,
            Error::Face { kind, .. } => *kind,
            Error::NotFound(_) => Kind::NotFound,
            Error::TimedOut(_) => Kind::TimedOut,
            Error::NotSetUp(_) | Error::Moved(_) | Error::Replica(_) => Kind::NotSetUp,
            Error::Conflict { .. } | Error::Files(_) => Kind::Held,
            Error::Refused(refusal) => match refusal {
                Refusal::NotFound { .. } => Kind::NotFound,
                Refusal::Held { .. } | Refusal::Closed { .. } | Refusal::Fenced { .. } => {
                    Kind::Held
                }
                Refusal::Blocked { .. }
                | Refusal::Waits { .. }
                | Refusal::NeedsHuman { .. }
                | Refusal::Circle { .. } => Kind::Blocked,
                Refusal::Taken { .. } => Kind::Held,
                Refusal::NotHeld { .. } | Refusal::NotFinished { .. } | Refusal::Move { .. } => {
                    Kind::Usage
                }
            },
        }
    }

    /// The next step, as the command to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Refused(refusal) => return refusal_hint(refusal),
            Error::Face { hint, .. } => return hint.clone(),
            Error::Unknown { .. } => {
                "'brigade heartbeat' finds out and says so; do it again only if it was not stored".into()
            }
            Error::Conflict { key, .. } => format!("read it with 'brigade memory get {key} --with-meta' and set it again with --if-version"),
            Error::Files(held) => held.hint(),
            Error::Moved(_) => "'brigade move --follow' goes there, if that is where it should go".into(),
            Error::Replica(_) => "work where the project is; if that is lost, go on from the copy with 'brigade store replica ADDRESS --promote'".into(),
            Error::NotSetUp(_) => "start with 'brigade init'".into(),
            Error::RacyStore => "use another store, or accept best-effort claims with 'brigade init --allow-racy-store'; 'brigade doctor' shows the proof".into(),
            Error::Store(_) => "'brigade doctor' looks at the store step by step".into(),
            Error::Unreadable(Unreadable::Newer { .. }) => "update brigade".into(),
            Error::Unreadable(Unreadable::Foreign { .. }) => "'brigade doctor' lists what does not belong there".into(),
            Error::Corrupt { .. } | Error::Gone { .. } => "whoever has the file uploads it again, as a new version".into(),
            Error::BadSignature(_) => "do not use it; an older version may be whole (--version), and 'brigade doctor' lists every signature that does not fit".into(),
            Error::State(_) => "the state folder holds nothing that cannot be made again; see docs/bucket.md".into(),
            _ => return None,
        })
    }
}

fn refusal_hint(refusal: &Refusal) -> Option<String> {
    Some(match refusal {
        Refusal::NotFound { task } => {
            format!("'brigade status' lists the tasks; 'brigade claim {task}' makes this one")
        }
        Refusal::Held { task, .. } => format!(
            "take other work, wait with 'brigade claim {task} --wait', or take it from them with \
             'brigade claim {task} --force --reason …'"
        ),
        Refusal::Closed { task, .. } => format!(
            "'brigade handoff {task}' shows what was done; 'brigade reopen {task}' opens it again"
        ),
        Refusal::Blocked { task, .. } => {
            format!("when the obstacle is gone: 'brigade reopen {task}', then claim it")
        }
        Refusal::Fenced { task, by, .. } => {
            format!(
                "stop working on it; tell {by} what you have with 'brigade send {by} … --step {task}'"
            )
        }
        Refusal::NotHeld { task } => format!("claim it first: 'brigade claim {task}'"),
        Refusal::NotFinished { .. } => return None,
        Refusal::Waits { task, .. } => format!(
            "take other work with 'brigade next --claim', wait for it with 'brigade claim {task} \
             --wait', or claim it all the same with --force --reason …"
        ),
        Refusal::NeedsHuman { task, .. } => format!(
            "a person answers with 'brigade approve {task} -m …' or 'brigade reject {task} -m …'; \
             other work: 'brigade next --claim'"
        ),
        Refusal::Circle { .. } => {
            "take one of these edges away first: 'brigade dep remove TASK TASK'".into()
        }
        Refusal::Taken { task } => {
            format!("'brigade show {task}' shows it; leave --id away to get the next free number")
        }
        Refusal::Move { task, to: Status::Closed, .. } => format!(
            "'brigade close {task}' closes it from here; --force makes the move and records why"
        ),
        Refusal::Move { task, .. } => {
            format!(
                "claim it first: 'brigade claim {task}'; --force makes the move and records why"
            )
        }
    })
}
