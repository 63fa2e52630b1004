//! The journal, read once and read on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use brigade_core::error::Error;
use brigade_core::history::{Entry, Filter};
use brigade_core::store::ObjectPath;

use super::Watch;
use super::unread::Unread;

/// So many documents of the journal are read while a page waits.
const AT_ONCE: usize = 2_000;
#[derive(Debug, Default)]
pub struct Journal {
    is_read: bool,
    entries: Arc<Vec<Entry>>,
}

impl Watch {
    /// The whole journal, oldest first. What was read once is not read again.
    pub async fn journal(&self) -> Result<Arc<Vec<Entry>>, Error> {
        self.now().await?;
        let mut journal = self.journal.lock().await;
        let Unread { changed, gone, lost, objects } = self.take_unread();
        let is_first = !journal.is_read || lost;
        let new = match !is_first {
            // What changed since the first look is among what is there.
            false => self.project.history().entries(&Filter::default()).await,
            true => self.project.history().of(&changed).await,
        };
        let new = match new {
            Ok(new) => new,
            Err(error) => {
                self.sight().unread.put_back(changed, gone, lost);
                return Err(error);
            }
        };
        journal.is_read = true;
        self.read.store(objects, Ordering::Relaxed);
        if is_first {
            journal.entries = Arc::new(new);
        } else if !(new.is_empty() && gone.is_empty()) {
            // A message that its reader has deleted is not shown any longer, and what was written
            // again is told once.
            let old: BTreeSet<&str> = changed.iter().chain(&gone).map(ObjectPath::as_str).collect();
            let entries = Arc::make_mut(&mut journal.entries);
            entries.retain(|entry| !old.contains(entry.path.as_str()));
            entries.extend(new);
            entries.sort_by(|one, other| one.order().cmp(&other.order()));
        }
        Ok(journal.entries.clone())
    }

    /// The same where it is read in a moment; else `None`, and it is read meanwhile: who watches is
    /// told when it is there.
    pub async fn journal_so_far(self: &Arc<Watch>) -> Result<Option<Arc<Vec<Entry>>>, Error> {
        let read = self.read.load(Ordering::Relaxed);
        if self.sight().look.objects.saturating_sub(read) <= AT_ONCE {
            return self.journal().await.map(Some);
        }
        // Somebody who has the lock is at it already.
        if self.journal.try_lock().is_ok() {
            let watch = self.clone();
            tokio::spawn(async move {
                if watch.journal().await.is_ok() {
                    watch.tell("journal");
                }
            });
        }
        Ok(None)
    }

    fn take_unread(&self) -> Unread {
        let mut sight = self.sight();
        let objects = sight.look.objects;
        Unread { objects, ..std::mem::take(&mut sight.unread) }
    }
}
