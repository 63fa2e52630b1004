//! Moving house: a whole project goes to another place, as a copy, or for good while others work; or a
//! copy of it is carried on in the background.

mod carry;
mod cursor;
mod evidence;
mod mover;
mod porter;
mod replica;

pub use cursor::Cursor;
pub use mover::{Errand, Mover, Progress, Relocated, Stage, Way};
pub use replica::{Behind, Flush, Flushed, Replica, Verified};
