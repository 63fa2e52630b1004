//! Sessions of other programs in the store: one numbered log of parts for each source of a session,
//! which any number of mirrors append to and none can double.

mod append;
mod compact;
mod engine;
mod lines;
mod look;
mod model;
mod part;
mod read;
mod receipt;
mod restore;
mod secret;
mod state;
mod title;
mod verify;
mod wash;
mod watch;

pub use append::{Draft, PartPut};
pub use compact::Compacted;
pub use engine::{Mirror, PART_BYTES, Setup};
pub use look::{OpenedSession, Sessions, SourceRow, StoredSession};
pub use model::{Compaction, Head, Merged, Next, Odd, PartHead};
pub use read::{Records, StoredPart, StoredRecord};
pub use receipt::{Found, Round, SessionReceipt, SourceReceipt, Sum};
pub use restore::{Restored, RestoredFile, Target};
pub use secret::{KEY_BYTES, MirrorKey};
pub use state::{CursorStore, End, Ends, FileCursors, RamCursors};
pub use verify::{Disk, Proof, SourceProof};
pub use watch::Watch;
