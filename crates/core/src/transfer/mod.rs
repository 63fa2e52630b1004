//! Bringing work in from other tools and taking it out again: issues a line, a .track folder, a
//! tracecraft project, and a whole project in one file.

mod beads;
mod bundle;
mod differ;
mod export;
mod file;
mod import;
mod issue;
mod line;
mod others;
mod plan;
mod read;
mod settle;
mod tracecraft;
mod tracer;
mod track;
mod write;

pub use bundle::{Bundle, Bundled, Head, Restored};
pub(crate) use bundle::{batches, hex};
pub use export::Exported;
pub use file::{Draft, publish};
pub use import::{Options, Transfer};
pub use line::Style;
pub use plan::{Batch, Conflict, Difference, Outcome, Remark, Resolve};
