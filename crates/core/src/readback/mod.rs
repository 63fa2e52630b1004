//! Mirrored sessions read back: opened with all that belongs to them, told, searched, followed.

mod follow;
mod moment;
mod open;
mod told;

pub use follow::Follower;
pub use open::Readback;
pub use told::{Place, Told, Written};
