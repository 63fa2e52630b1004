//! Looking into other programs' folders: listing without leaving them, opening without hanging,
//! a look at the first or last lines of a file. Nothing here writes.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::trouble::{Hindrance, Trouble};

/// A folder with more entries is no folder of sessions, and listing it would take minutes.
const MOST_ENTRIES: usize = 200_000;

/// What is read of a file to learn whose session it is. Codex's first line is over 20 KB.
const HEAD_BYTES: usize = 256 * 1024;

/// A first line is read to its end, within reason.
const FIRST_LINE: usize = 4 * 1024 * 1024;

/// A zstd frame may ask for a window of this size at most; the harnesses write 2 MiB ones.
const ZSTD_WINDOW: usize = 128 * 1024 * 1024;

/// A folder that is looked through, with what went wrong on the way.
pub struct Tree {
    root: PathBuf,
    real_root: Option<PathBuf>,
    pub trouble: Vec<Trouble>,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub path: PathBuf,
    pub name: String,
    pub is_dir: bool,
}

impl Tree {
    /// A root that is not there has no entries and is no trouble: that harness is not used here.
    pub fn new(root: &Path) -> Tree {
        Tree { root: root.to_owned(), real_root: fs::canonicalize(root).ok(), trouble: Vec::new() }
    }

    pub fn is_there(&self) -> bool {
        self.real_root.is_some()
    }

    pub fn files(&mut self, dir: &Path) -> Vec<Entry> {
        self.list(dir).into_iter().filter(|entry| !entry.is_dir).collect()
    }

    pub fn folders(&mut self, dir: &Path) -> Vec<Entry> {
        self.list(dir).into_iter().filter(|entry| entry.is_dir).collect()
    }

    /// What lies in a folder, by name. What may not be read or leads elsewhere is noted and left out.
    pub fn list(&mut self, dir: &Path) -> Vec<Entry> {
        let listing = match fs::read_dir(dir) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.trouble.push(Trouble::of_io(dir, &error));
                return Vec::new();
            }
        };
        let mut entries = Vec::new();
        for (count, entry) in listing.enumerate() {
            if count == MOST_ENTRIES {
                let detail = format!("over {MOST_ENTRIES} entries");
                self.trouble.push(Trouble::new(dir, Hindrance::TooLarge, detail));
                break;
            }
            match entry {
                Ok(entry) => entries.extend(self.entry(&entry)),
                Err(error) => self.trouble.push(Trouble::of_io(dir, &error)),
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    fn entry(&mut self, entry: &fs::DirEntry) -> Option<Entry> {
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            self.trouble.push(Trouble::new(&path, Hindrance::BadName, "not UTF-8"));
            return None;
        };
        let mut kind = entry.file_type().ok()?;
        if kind.is_symlink() {
            let real = fs::canonicalize(&path).ok()?;
            let real_root = self.real_root.get_or_insert_with(|| self.root.clone());
            if !real.starts_with(real_root) {
                self.trouble.push(Trouble::new(&path, Hindrance::Outside, ""));
                return None;
            }
            kind = fs::metadata(&path).ok()?.file_type();
        }
        if !kind.is_dir() && !kind.is_file() {
            self.trouble.push(Trouble::new(&path, Hindrance::Special, ""));
            return None;
        }
        Some(Entry { path, name, is_dir: kind.is_dir() })
    }
}

/// Opens a regular file below `root`. A pipe that took its place would make a plain open wait for
/// ever, so the open does not block and what was opened is looked at.
pub fn open(root: &Path, path: &Path) -> Result<(File, Metadata), Trouble> {
    let failed = |error: io::Error| Trouble::of_io(path, &error);
    let real = fs::canonicalize(path).map_err(failed)?;
    if !real.starts_with(fs::canonicalize(root).map_err(failed)?) {
        return Err(Trouble::new(path, Hindrance::Outside, ""));
    }
    if !fs::metadata(&real).map_err(failed)?.is_file() {
        return Err(Trouble::new(path, Hindrance::Special, ""));
    }
    let file = without_waiting().open(&real).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(Trouble::new(path, Hindrance::Special, "")),
    }
}

#[cfg(unix)]
fn without_waiting() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    options.read(true).custom_flags(flags.bits().cast_signed());
    options
}

#[cfg(not(unix))]
fn without_waiting() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

/// The device and inode of a file; zeroes where the system has none, and then its content decides.
#[cfg(unix)]
pub fn device_and_inode(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
pub fn device_and_inode(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Changes whenever the file does, as far as its metadata tells.
pub fn stamp(metadata: &Metadata) -> String {
    let (device, inode) = device_and_inode(metadata);
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let nanos = modified.map_or(0, |time| time.as_nanos());
    format!("{device}.{inode}.{}.{nanos}.{}", metadata.len(), changed(metadata))
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> i128 {
    use std::os::unix::fs::MetadataExt;
    i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> i128 {
    0
}

pub fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}

/// What a zstd stream holds, as it is read.
pub fn decompressed(input: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let input = BufReader::new(input);
    let decoder =
        ruzstd::decoding::StreamingDecoder::new_with_max_window_size(input, ZSTD_WINDOW as u64)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    Ok(Box::new(decoder))
}

/// What may be compressed or not, as it is read. No line of JSON begins like a zstd frame.
pub fn unpacked(bytes: Vec<u8>) -> io::Result<Box<dyn Read + Send>> {
    const FRAME: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
    let is_packed = bytes.starts_with(FRAME);
    let input = io::Cursor::new(bytes);
    if is_packed { decompressed(input) } else { Ok(Box::new(input)) }
}

/// The whole lines among a file's first bytes that are JSON, and of one that goes on behind them the
/// fields that are whole: a row may be larger than all that is looked at.
pub fn first_lines(root: &Path, path: &Path) -> Result<Vec<Value>, Trouble> {
    let head = head(root, path, &mut |head| head.len() >= HEAD_BYTES)?;
    let mut lines = parsed_lines(&head);
    let last = head.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    if serde_json::from_slice::<Value>(last).is_err() {
        let mut fields = Map::new();
        // It ends in an error where the line is cut; what came before it has been kept.
        let _ = Fields(&mut fields).deserialize(&mut serde_json::Deserializer::from_slice(last));
        lines.extend((!fields.is_empty()).then_some(Value::Object(fields)));
    }
    Ok(lines)
}

/// Keeps the fields of an object one by one.
struct Fields<'f>(&'f mut Map<String, Value>);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, words: &mut fmt::Formatter<'_>) -> fmt::Result {
        words.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry()? {
            self.0.insert(key, value);
        }
        Ok(())
    }
}

/// A file's first line, when that is JSON. Of thousands of files no more is read than needed.
pub fn first_line(root: &Path, path: &Path) -> Result<Option<Value>, Trouble> {
    let enough = &mut |head: &[u8]| head.len() >= FIRST_LINE || head.contains(&b'\n');
    Ok(parsed_lines(&head(root, path, enough)?).into_iter().next())
}

fn head(
    root: &Path,
    path: &Path,
    enough: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Vec<u8>, Trouble> {
    const BLOCK: usize = 32 * 1024;
    let (file, _) = open(root, path)?;
    let mut input: Box<dyn Read + Send> = match is_compressed(path) {
        true => decompressed(file).map_err(|error| Trouble::of_io(path, &error))?,
        false => Box::new(file),
    };
    let mut head = Vec::new();
    while !enough(&head) {
        let have = head.len();
        head.resize(have + BLOCK, 0);
        let read = input.read(&mut head[have..]);
        head.truncate(have + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if have > 0 => break,
            Err(error) => return Err(Trouble::of_io(path, &error)),
        }
    }
    Ok(head)
}

/// The lines among a file's last 64 KiB that are JSON.
pub fn last_lines(root: &Path, path: &Path) -> Result<Vec<Value>, Trouble> {
    const TAIL_BYTES: u64 = 64 * 1024;
    let failed = |error: io::Error| Trouble::of_io(path, &error);
    let (mut file, metadata) = open(root, path)?;
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(TAIL_BYTES))).map_err(failed)?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail).map_err(failed)?;
    Ok(parsed_lines(&tail))
}

/// A small document, whole.
pub fn document(root: &Path, path: &Path, most: u64) -> Result<Vec<u8>, Trouble> {
    let (file, metadata) = open(root, path)?;
    if metadata.len() > most {
        let detail = format!("{} bytes, at most {most} are taken", metadata.len());
        return Err(Trouble::new(path, Hindrance::TooLarge, detail));
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(|error| Trouble::of_io(path, &error))?;
    Ok(bytes)
}

fn parsed_lines(bytes: &[u8]) -> Vec<Value> {
    bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter_map(|line| {
            let start = line.iter().position(|byte| *byte != 0)?;
            serde_json::from_slice(&line[start..]).ok()
        })
        .collect()
}
