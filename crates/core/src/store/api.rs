//! What brigade asks of a store: whole objects, each put at once or not at all, listed in order.
//!
//! The contract is a suite (`contract.rs`): a store that passes it may carry claims.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;

use crate::clock::Clock;

/// Longest key in bytes. S3 allows 1,024; what a user's prefix may take is left over.
pub const MAX_PATH: usize = 900;
/// Longest piece between two slashes: what every file system we know can name.
pub const MAX_SEGMENT: usize = 255;
/// Largest object read whole, so that nobody's upload can fill our memory. Bodies are streamed.
pub const MAX_OBJECT: u64 = 4 * 1024 * 1024;

/// The page that is asked for when all rows are wanted. Buckets cut it to their own (1,000 mostly); a
/// folder reads itself anew for each page, and so gives what it has in one.
pub const FULL_PAGE: usize = 100_000;

/// How many of many puts are under way at once, as many as fetches.
const PUTS: usize = 16;

/// A key inside the store, checked once: no empty, `.` or `..` piece, nothing that a file system
/// or a URL reads in its own way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectPath(Box<str>);

/// The keys below one slash; empty for all of them. Always empty or ending in `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folder(Box<str>);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{reason}: {}", shorten(path))]
pub struct BadPath {
    pub path: String,
    pub reason: &'static str,
}

/// The condition on a put. There is no compare-and-swap: nothing contested is written twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum If {
    /// Only if nothing is there: the one safety primitive.
    Absent,
    /// Whatever is there. For objects with a single writer whose loss costs nothing.
    Always,
}

/// What the store said to a put. A refusal is not yet a fact: look before you believe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Stored,
    /// The condition failed (HTTP 412, `EEXIST`), or the store asked to try again (HTTP 409).
    Refused,
}

/// A value with the time on the store's own clock when it was given, where the store tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    pub value: T,
    pub store_time: Option<Timestamp>,
}

/// One object, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub bytes: Bytes,
    /// When it was last written, by the store's clock.
    pub modified: Timestamp,
}

/// One object's line in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub path: ObjectPath,
    pub size: u64,
    pub modified: Timestamp,
}

/// How deep a listing looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every object below the folder.
    All,
    /// The objects right in the folder, and the names of the folders in it.
    Children,
}

/// One page of a listing to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    pub folder: Folder,
    pub depth: Depth,
    /// Only keys that sort after this one.
    pub after: Option<ObjectPath>,
    /// Where the page before this one ended: its `next`, given back unread.
    pub token: Option<String>,
    /// At most this many rows; stores may give fewer. S3 gives 1,000 at most.
    pub limit: usize,
}

/// One page, in byte order of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<Listed>,
    /// Only with `Depth::Children`.
    pub folders: Vec<Folder>,
    /// Hand it to the next `List` to go on; `None` at the end.
    pub next: Option<String>,
}

/// A body too large for one hand.
pub type Body = BoxStream<'static, std::io::Result<Bytes>>;

/// The one trait that every store and every decorator keeps.
///
/// Each call is one logical act on the store. `put` with [`If::Absent`] is sent exactly once
/// (our own loop owns every further attempt); the other calls may retry inside.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// One object whole, at most [`MAX_OBJECT`] bytes; `None` when the store says that it is not there.
    async fn get(&self, path: &ObjectPath) -> Result<Answer<Option<Object>>, StoreError>;

    /// An object that a listing has just shown and that is never written again. A store that keeps
    /// copies on this machine may answer with one of the same size and time.
    async fn get_listed(&self, row: &Listed) -> Result<Answer<Option<Object>>, StoreError> {
        self.get(&row.path).await
    }

    /// Puts one object whole, or nothing. An error leaves it open whether it was stored,
    /// unless [`StoreError::is_final`].
    async fn put(
        &self,
        path: &ObjectPath,
        body: Bytes,
        condition: If,
    ) -> Result<Answer<Put>, StoreError>;

    /// Puts many objects, each only if nothing is there, and answers for each in their order. They
    /// are single puts, and none waits for another: a store may save time with them, and no promise.
    async fn put_many(
        &self,
        objects: Vec<(ObjectPath, Bytes)>,
    ) -> Vec<Result<Answer<Put>, StoreError>> {
        let mut puts = Vec::with_capacity(objects.len());
        for (path, body) in objects {
            puts.push(async move { self.put(&path, body, If::Absent).await });
        }
        stream::iter(puts).buffered(PUTS).collect().await
    }

    /// One page of keys in byte order. A folder that is not there is empty.
    async fn list(&self, ask: &List) -> Result<Answer<Page>, StoreError>;

    /// Removes one object; one that is not there is fine.
    async fn delete(&self, path: &ObjectPath) -> Result<Answer<()>, StoreError>;

    /// Streams a body to a key that nobody else can name (it carries a nonce). Nothing is visible
    /// before the end; an error from the stream leaves nothing visible. Returns the bytes written.
    async fn put_body(&self, path: &ObjectPath, body: Body) -> Result<Answer<u64>, StoreError>;

    /// Streams a body back; `None` when it is not there.
    async fn get_body(&self, path: &ObjectPath) -> Result<Answer<Option<Body>>, StoreError>;

    /// Returns when what is under this key, and was just seen there, outlasts a power cut. Asked
    /// where something is acknowledged that another process has put, one maybe that was killed before
    /// it could make sure itself. A store that shows nothing before it lasts has nothing to do.
    async fn secure(&self, _path: &ObjectPath) -> Result<(), StoreError> {
        Ok(())
    }

    /// The same for many. A store may save time with them, and no promise.
    async fn secure_many(&self, paths: &[ObjectPath]) -> Result<(), StoreError> {
        for path in paths {
            self.secure(path).await?;
        }
        Ok(())
    }

    /// Returns when something below `folder` may have changed, or after `pause`. Stores that can
    /// watch come back early; the others just wait.
    async fn wait(&self, _folder: &Folder, pause: Duration, clock: &dyn Clock) {
        clock.sleep(pause).await;
    }

    /// Where things go, as a person would say it: never with a secret in it.
    fn place(&self) -> String;

    /// The local folder behind this store, if there is one.
    fn root(&self) -> Option<&Path> {
        None
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{kind} while {doing}{}", detail_suffix(detail))]
pub struct StoreError {
    pub kind: StoreErrorKind,
    /// What was tried, on what: `putting steps/design/00000001.json in s3://bucket`.
    pub doing: String,
    /// The store's own words, if it had any.
    pub detail: String,
}

/// What went wrong, by what the user can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StoreErrorKind {
    /// No connection came about, so nothing was sent: the one kind besides the final ones by which
    /// a writer knows that nothing was written.
    #[error("the store could not be reached")]
    Unreachable,
    #[error("the store did not answer in time")]
    Timeout,
    #[error("the store asked to slow down")]
    Throttled,
    #[error("the store failed")]
    Failed,
    #[error("the store refused the credentials")]
    Denied,
    #[error("the bucket or folder is not there")]
    NoPlace,
    #[error("the store cannot do this")]
    Unsupported,
    #[error("no space is left")]
    Full,
    #[error("the store is read-only")]
    ReadOnly,
    #[error("the object is too large")]
    TooLarge,
    #[error("the place is not safe to follow")]
    Unsafe,
    #[error("the body could not be read")]
    Body,
}

impl StoreError {
    pub fn new(
        kind: StoreErrorKind,
        doing: impl Into<String>,
        detail: impl fmt::Display,
    ) -> StoreError {
        StoreError { kind, doing: doing.into(), detail: detail.to_string() }
    }

    /// True when the store itself said that nothing was written and that asking again is useless.
    pub fn is_final(&self) -> bool {
        use StoreErrorKind::*;
        matches!(
            self.kind,
            Denied | NoPlace | Unsupported | Full | ReadOnly | TooLarge | Unsafe | Body
        )
    }
}

impl<T> Answer<T> {
    pub fn new(value: T, store_time: Option<Timestamp>) -> Answer<T> {
        Answer { value, store_time }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: change(self.value), store_time: self.store_time }
    }
}

impl List {
    /// Everything below `folder`, a full page at a time.
    pub fn all(folder: Folder) -> List {
        List { folder, depth: Depth::All, after: None, token: None, limit: FULL_PAGE }
    }

    /// What lies right in `folder`.
    pub fn children(folder: Folder) -> List {
        List { depth: Depth::Children, ..List::all(folder) }
    }

    #[must_use]
    pub fn after(self, path: ObjectPath) -> List {
        List { after: Some(path), ..self }
    }
}

impl ObjectPath {
    pub fn parse(path: impl Into<String>) -> Result<ObjectPath, BadPath> {
        let path = path.into();
        match fault(&path) {
            Some(reason) => Err(BadPath { path, reason }),
            None => Ok(ObjectPath(path.into())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the last slash.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> Folder {
        let end = self.0.rfind('/').map_or(0, |at| at + 1);
        Folder(self.0[..end].into())
    }
}

impl Folder {
    pub fn root() -> Folder {
        Folder("".into())
    }

    /// Takes a path without its closing slash; empty means the root.
    pub fn parse(path: impl Into<String>) -> Result<Folder, BadPath> {
        let path = path.into();
        if path.is_empty() {
            return Ok(Folder::root());
        }
        ObjectPath::parse(path).map(|path| Folder(format!("{}/", path.0).into()))
    }

    /// Empty, or ending in `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last piece, without slashes.
    pub fn name(&self) -> &str {
        self.0.trim_end_matches('/').rsplit('/').next().unwrap_or("")
    }

    pub fn contains(&self, path: &ObjectPath) -> bool {
        path.as_str().starts_with(self.as_str())
    }

    pub fn join(&self, rest: &str) -> Result<ObjectPath, BadPath> {
        ObjectPath::parse(format!("{}{rest}", self.0))
    }
}

fn fault(path: &str) -> Option<&'static str> {
    if path.len() > MAX_PATH {
        return Some("the key is longer than 900 bytes");
    }
    path.split('/').find_map(|piece| match piece {
        "" => Some("the key has an empty piece"),
        "." | ".." => Some("the key has a dot piece"),
        piece if piece.len() > MAX_SEGMENT => {
            Some("the key has a piece that is longer than 255 bytes")
        }
        piece if piece.contains('\\') => Some("the key has a backslash"),
        piece if piece.chars().any(char::is_control) => Some("the key has a control character"),
        _ => None,
    })
}

fn detail_suffix(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

/// Enough of a hostile name to recognise it, escaped and never all of it.
fn shorten(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    format!("{short:?}{}", if short.len() < text.len() { "…" } else { "" })
}

macro_rules! shown_as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{:?}", &*self.0)
            }
        }
    )*};
}
shown_as_text!(ObjectPath, Folder);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_no_piece_that_a_file_system_would_follow() {
        for bad in ["", "/a", "a//b", "a/", "a/../b", "./a", "a\\b", "a/\u{7}", "a/\0"] {
            assert!(ObjectPath::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ObjectPath::parse("a/".to_owned() + &"x".repeat(256)).is_err());
        assert!(ObjectPath::parse("x/".repeat(600)).is_err());
        assert_eq!(ObjectPath::parse("steps/design/1.json").unwrap().file_name(), "1.json");
    }

    #[test]
    fn a_folder_is_empty_or_ends_in_a_slash() {
        assert_eq!(Folder::parse("").unwrap().as_str(), "");
        let folder = Folder::parse("steps/design").unwrap();
        assert_eq!(folder.as_str(), "steps/design/");
        assert_eq!(folder.name(), "design");
        assert_eq!(folder.join("1.json").unwrap().folder(), folder);
    }
}
