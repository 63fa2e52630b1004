//! `session`: mirrored transcripts of other programs' sessions.

mod compact;
mod mirror;
mod restore;
mod running;
mod setup;
mod verify;

use brigade_core::error::Error;

use super::session_read;
use crate::args::session::Session;
use crate::context::Context;

pub use setup::redactor_here as redactor;
pub use setup::redactor_of_a_file;

/// Runs one of the verbs; the number is the exit code.
pub async fn session(ctx: &Context, verb: Session) -> Result<u8, Error> {
    match verb {
        Session::Mirror(args) => return mirror::mirror(ctx, *args).await,
        Session::Verify(args) => return verify::verify(ctx, args).await,
        Session::Compact(args) => compact::compact(ctx, args).await?,
        Session::Restore(args) => restore::restore(ctx, args).await?,
        Session::Stop(args) => running::stop(ctx, args).await?,
        Session::Read(verb) => session_read::read(ctx, verb).await?,
    }
    Ok(0)
}
