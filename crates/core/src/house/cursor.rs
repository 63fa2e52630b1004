//! What is known here of a copy: which objects were taken there, so that nothing is sent or read twice.
//!
//! It lives on the machine that carries. Lost, it is made again from a listing of the copy.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::porter::Taken;
use crate::id::Nonce;
use crate::store::{Listed, ObjectPath};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Of the copy's note; another one there is another copy.
    pub id: Option<Nonce>,
    /// Nonce of the project's document when it was taken there.
    pub project: Option<Nonce>,
    /// All that was acknowledged before is there.
    pub as_of: Option<Timestamp>,
    /// When the copy was last held against its own listing.
    pub looked_at: Option<Timestamp>,
    /// When the copy was last told how far it has come.
    pub told_at: Option<Timestamp>,
    /// Gone here without anything that says why; kept there.
    #[serde(default)]
    pub kept: u64,
    pub objects: BTreeMap<String, Known>,
}

/// One object as it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub size: u64,
    /// By which a change is seen; `None` for what is written once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
}

impl Cursor {
    pub fn bytes(&self) -> u64 {
        self.objects.values().map(|known| known.size).sum()
    }

    /// Whether this row of a listing of the project has been taken already.
    pub(super) fn has(&self, row: &Listed) -> bool {
        self.objects.get(row.path.as_str()).is_some_and(|known| {
            known.modified.is_none_or(|modified| (known.size, modified) == (row.size, row.modified))
        })
    }

    pub(super) fn take(&mut self, taken: &Taken, is_once: bool) {
        let modified = (!is_once).then_some(taken.modified);
        // Of what is written again, the listing's size tells a change; of the rest, what was read.
        let size = if is_once { taken.bytes } else { taken.size };
        self.objects.insert(taken.path.to_string(), Known { size, modified });
    }

    /// Forgets what the copy's own listing does not show as it was taken; says how much that is.
    pub(super) fn keep_only(&mut self, there: &BTreeMap<ObjectPath, u64>) -> u64 {
        let there: BTreeMap<&str, u64> =
            there.iter().map(|(path, size)| (path.as_str(), *size)).collect();
        let before = self.objects.len();
        self.objects.retain(|path, known| {
            let size = there.get(path.as_str());
            // What is written again may have been read a moment after it was listed.
            size.is_some_and(|size| known.modified.is_some() || *size == known.size)
        });
        (before - self.objects.len()) as u64
    }
}
