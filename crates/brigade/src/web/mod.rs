//! The dashboard: one look at the store that all browsers share, as pages and as JSON.
//!
//! What is shown is worked out in core. Here it is asked for, put into templates, and kept from
//! everybody whom it is not for.

mod acts;
mod answer;
mod api;
mod app;
mod fall;
mod files;
mod guard;
mod pace;
mod pages;
mod router;
mod stream;
mod watch;
mod words;

#[cfg(test)]
mod tests;

pub use app::App;
pub use fall::keep_looking;
pub use guard::Guard;
pub use router::router;
pub use watch::Watch;
