//! Tasks: what can be held, by whom, and what became of it.

pub mod archive;
mod claim;
pub mod comment;
pub mod create;
pub mod edit;
pub mod fields;
mod finish;
pub mod graph;
pub mod hold;
pub mod layers;
pub mod lifecycle;
pub mod model;
pub mod query;
pub(crate) mod restate;
pub mod rules;
pub mod segment;
pub mod verbs;
pub mod wait;

pub use archive::{Archive, Archiving};
pub use comment::{Comment, CommentKind, CommentView, Commented};
pub use create::Draft;
pub use edit::Edge;
pub use fields::{Dependency, DependencyKind, Fields, IssueType, Priority, Question, Word};
pub use graph::{Graph, Node, Wait};
pub use lifecycle::{Move, Verdict};
pub use model::{
    ActName, ArtifactRef, Evidence, Handoff, HandoffState, Holder, Status, Task, TaskVersion,
};
pub use query::{BlockedView, Board, Filter, Sort};
pub use rules::{Actor, Outcome, Refusal};
pub use segment::{Archived, SegmentRef};
pub use verbs::{Claimed, Finish, Finished, StepView, Tasks};
pub use wait::{WaitFor, Waited};
