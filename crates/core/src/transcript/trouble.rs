//! What can be in the way of a transcript: each is reported, that one source is skipped, and the
//! next look tries it again.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::text::one_line;

/// Longer than any path that a system takes.
const PATH_SHOWN: usize = 4_096;

/// What is wrong with one file, folder or database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hindrance {
    /// It is not there: ended, moved, or never begun.
    Gone,
    /// We may not read it.
    Forbidden,
    /// A symbolic link that leads out of the harness's own folder.
    Outside,
    /// No regular file: a pipe, a socket, a device.
    Special,
    /// More than we are willing to take into memory, or to list.
    TooLarge,
    /// Its writer holds a lock, or wrote while we read.
    Busy,
    /// Written by a newer version than this program knows.
    Newer,
    /// It cannot be understood: half copied, half written, or damaged.
    Damaged,
    /// A name that no session can have.
    BadName,
    /// Anything else that the system said.
    Failed,
}

/// Something that kept us from reading one place, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    pub path: PathBuf,
    pub what: Hindrance,
    pub detail: String,
}

impl Trouble {
    /// Whether something was not read because of it. What a newer version wrote is read as it stands.
    pub fn is_in_the_way(&self) -> bool {
        self.what != Hindrance::Newer
    }

    pub fn new(path: &Path, what: Hindrance, detail: impl Into<String>) -> Trouble {
        Trouble { path: path.to_owned(), what, detail: detail.into() }
    }

    pub fn of_io(path: &Path, error: &io::Error) -> Trouble {
        let what = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Hindrance::Gone,
            io::ErrorKind::PermissionDenied => Hindrance::Forbidden,
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Hindrance::Damaged,
            _ => Hindrance::Failed,
        };
        Trouble::new(path, what, error.to_string())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.what {
            Hindrance::Gone => "is not there",
            Hindrance::Forbidden => "may not be read",
            Hindrance::Outside => "is a link that leads out of the harness's folder; skipped",
            Hindrance::Special => "is no regular file; skipped",
            Hindrance::TooLarge => "is too large; skipped",
            Hindrance::Busy => "is being written; the next look tries again",
            Hindrance::Newer => "was written by a newer version than this program knows",
            Hindrance::Damaged => "cannot be understood; the next look tries again",
            Hindrance::BadName => "has a name that no session can have; skipped",
            Hindrance::Failed => "could not be read",
        };
        // A name of somebody else's file may hold anything.
        write!(out, "{} {words}", one_line(&self.path.to_string_lossy(), PATH_SHOWN))?;
        match self.detail.is_empty() {
            true => Ok(()),
            false => write!(out, " ({})", self.detail),
        }
    }
}
