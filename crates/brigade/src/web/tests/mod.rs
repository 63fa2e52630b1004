//! The pages as a browser asks for them, over a store in memory and a clock that stands still.

mod acts;
mod guard;
mod hostile;
mod pages;
mod replay;
mod sessions;
mod stage;
mod watch;
