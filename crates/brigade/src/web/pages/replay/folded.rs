//! The run as it was folded last, once for all browsers that look at the same part of it.

use std::sync::{Arc, OnceLock, Weak};

use brigade_core::error::Error;
use brigade_core::history::Entry;
use brigade_core::replay::{Replay, Window};
use bytes::Bytes;

use super::lean;
use crate::web::watch::Watch;

/// A desk for one run. Of the journal behind it only a weak hand is kept, so that what comes anew is
/// added to that journal and not to a copy of it.
#[derive(Debug, Default)]
pub struct Folded(tokio::sync::Mutex<Option<Kept>>);

/// Of which journal, which part of it, and what it was folded to.
type Kept = (Weak<Vec<Entry>>, Window, Arc<Run>);

/// A run, and what the viewer is sent of it.
#[derive(Debug)]
pub struct Run {
    pub replay: Replay,
    /// The journal is still being read.
    pub reading: bool,
    lean: OnceLock<Bytes>,
}

impl Folded {
    pub async fn run(&self, watch: &Arc<Watch>, window: Window) -> Result<Arc<Run>, Error> {
        let journal = watch.journal_so_far().await?;
        let mut kept = self.0.lock().await;
        if let (Some(journal), Some((of, part, run))) = (&journal, &*kept)
            && *part == window
            && of.upgrade().is_some_and(|of| Arc::ptr_eq(&of, journal))
        {
            return Ok(run.clone());
        }
        let project = watch.project().session().layout().project().to_string();
        let (reading, entries) = (journal.is_none(), journal.unwrap_or_default());
        let of = Arc::downgrade(&entries);
        let fold = move || {
            let replay = Replay::of(&project, entries.iter(), &window);
            Arc::new(Run { replay, reading, lean: OnceLock::new() })
        };
        // Fifty thousand events take half a second, in which other pages are not to wait.
        let run = tokio::task::spawn_blocking(fold).await;
        let run = run.map_err(|_| Error::TimedOut("the server is about to end".into()))?;
        *kept = (!reading).then(|| (of, window, run.clone()));
        Ok(run)
    }
}

impl Run {
    /// What the viewer draws, and nothing else.
    pub fn lean(&self) -> Bytes {
        self.lean.get_or_init(|| lean::document(&self.replay, self.reading).into()).clone()
    }
}
