//! What is read as a whole: JSON documents that are written anew, where a change shows as another
//! stream from the first changed document on, and archives in a database.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cursor::{Digest, Identity, Position};
use super::feed::{Feed, Item};
use super::read::Part;
use crate::transcript::database::Database;
use crate::transcript::files::{self, Tree};
use crate::transcript::source::{Archive, Folder};
use crate::transcript::trouble::{Hindrance, Trouble};

/// A larger document is reported and skipped. The largest that were seen have some megabytes.
pub const DOCUMENT_CAP: u64 = 64 * 1024 * 1024;

pub struct Documents {
    root: PathBuf,
    stamp: String,
    identity: Identity,
    pieces: Pieces,
    at: usize,
}

enum Pieces {
    Ready(Vec<Vec<u8>>),
    Paths(Vec<PathBuf>),
}

impl Documents {
    pub fn single(root: &Path, path: &Path, split: Option<&str>) -> Result<Documents, Trouble> {
        let (_, metadata) = files::open(root, path)?;
        let bytes = files::document(root, path, DOCUMENT_CAP)?;
        let half = |_| Trouble::new(path, Hindrance::Damaged, "no whole JSON document");
        let value: Value = serde_json::from_slice(&bytes).map_err(half)?;
        let (device, inode) = files::device_and_inode(&metadata);
        Ok(Documents {
            root: root.to_owned(),
            stamp: files::stamp(&metadata),
            identity: Identity { device, inode, ..Identity::default() },
            pieces: Pieces::Ready(pieces(value, split)),
            at: 0,
        })
    }

    /// The lines of a field of a database. It is read whole: what is put away is not written again.
    pub fn archive(root: &Path, archive: &Archive) -> Result<Documents, Trouble> {
        let path = &archive.database;
        let database = Database::open(root, path)?;
        let mut packed = None;
        database.each(archive.query, &[&archive.key], &mut |row| {
            packed = row.get_ref(0)?.as_bytes().ok().map(<[u8]>::to_vec);
            Ok(false)
        })?;
        database.settled()?;
        let packed = packed.ok_or_else(|| Trouble::new(path, Hindrance::Gone, "its archive"))?;
        let stamp = Digest::of(&packed).to_string();
        let mut text = Vec::new();
        files::unpacked(packed)
            .and_then(|input| input.take(DOCUMENT_CAP + 1).read_to_end(&mut text))
            .map_err(|error| Trouble::of_io(path, &error))?;
        if text.len() as u64 > DOCUMENT_CAP {
            let detail = format!("an archive of more than {DOCUMENT_CAP} bytes");
            return Err(Trouble::new(path, Hindrance::TooLarge, detail));
        }
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        Ok(Documents {
            root: root.to_owned(),
            stamp,
            identity: Identity::default(),
            pieces: Pieces::Ready(lines.map(<[u8]>::to_vec).collect()),
            at: 0,
        })
    }

    pub fn folder(root: &Path, folder: &Folder) -> Result<Documents, Trouble> {
        let mut tree = Tree::new(root);
        let mut paths: Vec<PathBuf> = folder.first.clone();
        for entry in json_files(&mut tree, &folder.each) {
            let stem = entry.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            paths.push(entry);
            if let (Some(under), Some(stem)) = (&folder.under, stem) {
                paths.extend(json_files(&mut tree, &under.join(stem)));
            }
        }
        let mut stamps = String::new();
        paths.retain(|path| match files::open(root, path) {
            Ok((_, metadata)) => {
                stamps.push_str(&files::stamp(&metadata));
                stamps.push('\n');
                true
            }
            Err(_) => false,
        });
        if paths.is_empty() {
            return Err(Trouble::new(&folder.each, Hindrance::Gone, ""));
        }
        Ok(Documents {
            root: root.to_owned(),
            stamp: Digest::of(stamps.as_bytes()).to_string(),
            identity: Identity::default(),
            pieces: Pieces::Paths(paths),
            at: 0,
        })
    }
}

impl Feed for Documents {
    fn identity(&mut self, _: Option<u64>) -> Result<Identity, Trouble> {
        Ok(self.identity.clone())
    }

    fn stamp(&self) -> String {
        self.stamp.clone()
    }

    fn window(&self) -> Option<u64> {
        None
    }

    fn seek(&mut self, at: Position) -> Result<(), Trouble> {
        self.at = usize::try_from(at.offset).unwrap_or(usize::MAX);
        Ok(())
    }

    fn next(&mut self, _: bool) -> Result<Option<Item>, Trouble> {
        let bytes = match &self.pieces {
            Pieces::Ready(pieces) => pieces.get(self.at).cloned(),
            Pieces::Paths(paths) => match paths.get(self.at) {
                Some(path) => Some(document(&self.root, path)?),
                None => None,
            },
        };
        let from = Position { offset: self.at as u64, chunk: 0 };
        let to = Position { offset: from.offset + 1, chunk: 0 };
        Ok(bytes.map(|bytes| {
            self.at += 1;
            Item { bytes, part: Part::Whole, from, to }
        }))
    }

    fn held_back(&self) -> u64 {
        0
    }

    fn settled(&mut self) -> Result<(), Trouble> {
        Ok(())
    }
}

/// The document without its list, then each item of the list.
fn pieces(mut value: Value, split: Option<&str>) -> Vec<Vec<u8>> {
    let items = split
        .and_then(|key| value.as_object_mut()?.remove(key))
        .and_then(|items| match items {
            Value::Array(items) => Some(items),
            _ => None,
        })
        .unwrap_or_default();
    let mut pieces = vec![value.to_string().into_bytes()];
    pieces.extend(items.iter().map(|item| item.to_string().into_bytes()));
    pieces
}

fn json_files(tree: &mut Tree, dir: &Path) -> Vec<PathBuf> {
    let files = tree.files(dir).into_iter();
    files.filter(|file| file.name.ends_with(".json")).map(|file| file.path).collect()
}

/// `{"path":…,"document":…}`; one that is half written stands in it as text, and is revised when it
/// is whole.
fn document(root: &Path, path: &Path) -> Result<Vec<u8>, Trouble> {
    let bytes = files::document(root, path, DOCUMENT_CAP)?;
    let below = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    let record = match serde_json::from_slice::<Value>(&bytes) {
        Ok(document) => json!({ "path": below, "document": document }),
        Err(_) => json!({ "path": below, "text": String::from_utf8_lossy(&bytes) }),
    };
    Ok(record.to_string().into_bytes())
}
