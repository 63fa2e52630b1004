//! What a session is made of: its sources, and how each becomes an ordered stream of whole records.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::codec;

/// One session of one harness, as found on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    pub harness: &'static str,
    /// The harness's own name for it. It is free text: where a name is stored, it is encoded.
    pub id: String,
    pub cwd: Option<String>,
    /// As the harness wrote it: RFC 3339.
    pub started: Option<String>,
    pub title: Option<String>,
    pub parent: Option<Parent>,
    /// Put away by its user; still readable.
    pub archived: bool,
    pub sources: Vec<Source>,
}

/// How a session came out of another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    pub id: String,
    pub relation: Relation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    Subagent,
    Fork,
    /// The same conversation goes on under a new name.
    Continued,
}

/// One stream of records of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Unique in its session: `main`, `subagents/agent-a1`, `session`.
    pub name: String,
    /// The subagent that speaks here, when this is not the session's own voice.
    pub agent: Option<String>,
    /// Nothing outside of this folder is read for this source.
    pub root: PathBuf,
    pub form: Form,
}

/// How a source becomes records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum Form {
    /// One record a line. The first of these paths that is there is read; one that ends in `.zst` is
    /// decompressed on the way.
    Lines { paths: Vec<PathBuf> },
    /// One JSON document that is written anew as a whole. With `split`, the items of that list
    /// follow as records of their own.
    Document { path: PathBuf, split: Option<&'static str> },
    /// A folder of JSON documents.
    Folder(Folder),
    /// Rows of an SQLite database.
    Rows(Rows),
    /// One field of a database that holds many lines.
    Archive(Archive),
}

/// A query for one text or blob, which may be compressed; `?1` is `key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Archive {
    pub database: PathBuf,
    pub query: &'static str,
    pub key: String,
}

/// `first`, then each document of `each` in the order of their names, and after each those that lie
/// in `under/<its name>/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Folder {
    pub first: Vec<PathBuf>,
    pub each: PathBuf,
    pub under: Option<PathBuf>,
}

/// A query with a stable order; `?1` is `key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rows {
    pub database: PathBuf,
    pub query: &'static str,
    pub key: String,
    /// A query for one text that changes when rows were rewritten. `None`: any row may change at any
    /// time, and all of them are compared when the database has changed.
    pub token: Option<&'static str>,
    pub render: Render,
    /// A query for the schema's version, and the newest that we know.
    pub version: Option<(&'static str, i64)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Render {
    /// `{"table":…,"row":{column: value}}`; the columns named in `json` hold JSON and stand in it as
    /// values.
    Row { table: &'static str, json: &'static [&'static str] },
    /// The row is one text in the first column, or zstd of it in the second, with the text's length
    /// in the third.
    Text,
}

impl Session {
    /// Its id as one piece of a stored key, with nothing in it that leads anywhere else.
    pub fn key_piece(&self) -> String {
        codec::encode(&self.id)
    }

    /// Whether this can be a session's id. Some stand in the transcript itself, where anybody may
    /// have written anything.
    pub fn has_sound_id(&self) -> bool {
        let fits = (1..=codec::MAX_ENCODED).contains(&self.key_piece().len());
        fits && !self.id.chars().any(char::is_control)
    }
}

impl Form {
    /// Where it lies, for people.
    pub fn path(&self) -> &Path {
        match self {
            Form::Lines { paths } => paths.first().map_or(Path::new(""), PathBuf::as_path),
            Form::Document { path, .. } => path,
            Form::Folder(folder) => &folder.each,
            Form::Rows(rows) => &rows.database,
            Form::Archive(archive) => &archive.database,
        }
    }
}

impl Source {
    pub fn lines(name: &str, root: PathBuf, paths: Vec<PathBuf>) -> Source {
        Source { name: name.to_owned(), agent: None, root, form: Form::Lines { paths } }
    }

    pub fn document(name: &str, root: PathBuf, path: PathBuf) -> Source {
        let form = Form::Document { path, split: None };
        Source { name: name.to_owned(), agent: None, root, form }
    }

    pub fn rows(name: &str, root: PathBuf, rows: Rows) -> Source {
        Source { name: name.to_owned(), agent: None, root, form: Form::Rows(rows) }
    }

    pub fn spoken_by(mut self, agent: &str) -> Source {
        self.agent = Some(agent.to_owned());
        self
    }
}
