//! Transcripts that OpenClaw has put away inside of its database: those of sessions that were reset or
//! deleted, until it has written them into files, and those in cold storage.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;

use super::id_and_source;
use crate::transcript::database::Database;
use crate::transcript::files;
use crate::transcript::json;
use crate::transcript::source::{Archive, Form, Session, Source};
use crate::transcript::trouble::Trouble;

const ALL: &str = "SELECT session_id, generation, reason, archive_name, created_at \
                   FROM session_transcript_archives ORDER BY created_at, session_id";
const ONE: &str = "SELECT archive_blob FROM session_transcript_archives \
                   WHERE session_id || '/' || generation = ?1";
const START: &str = "SELECT substr(archive_blob, 1, 262144) FROM session_transcript_archives \
                     WHERE session_id || '/' || generation = ?1";
const COLD: &str =
    "SELECT archive_blob FROM session_transcript_cold_archives WHERE session_id = ?1";
const COLD_START: &str = "SELECT substr(archive_blob, 1, 262144) \
                          FROM session_transcript_cold_archives WHERE session_id = ?1";

/// Adds what was put away to the sessions to which it belongs. What is a file by now has the same name
/// there.
pub fn add(
    database: &Database,
    root: &Path,
    path: &Path,
    sessions: &mut Vec<Session>,
) -> Result<(), Trouble> {
    if !database.has_table("session_transcript_archives")? {
        return Ok(());
    }
    for row in database.objects(ALL, &[])? {
        let (Some(id), Some(generation)) =
            (json::owned(&row, "session_id"), json::text(&row, "generation"))
        else {
            continue;
        };
        let reason = json::text(&row, "reason").unwrap_or("archived");
        let published = json::text(&row, "archive_name").and_then(id_and_source);
        let name = match published.filter(|(owner, _)| *owner == id) {
            Some((_, name)) => name,
            None => format!("{reason}/{generation}"),
        };
        let key = format!("{id}/{generation}");
        let head = head(database, START, &key)?;
        let source = source(&name, root, path, ONE, key);
        if let Some(known) = sessions.iter_mut().find(|known| known.id == id) {
            known.sources.push(source);
            continue;
        }
        sessions.push(Session {
            harness: "openclaw",
            id,
            cwd: json::owned(&head, "cwd"),
            started: json::owned(&head, "timestamp")
                .or_else(|| json::time_text(&row, "created_at")),
            title: None,
            parent: None,
            archived: reason == "deleted",
            sources: vec![source],
        });
    }
    Ok(())
}

/// A session's own transcript, where it lies in cold storage within the database; and its first event.
pub fn cold(
    database: &Database,
    root: &Path,
    path: &Path,
    id: &str,
) -> Result<(Source, Value), Trouble> {
    let head = head(database, COLD_START, id)?;
    Ok((source("main", root, path, COLD, id.to_owned()), head))
}

fn source(name: &str, root: &Path, path: &Path, query: &'static str, key: String) -> Source {
    let form = Form::Archive(Archive { database: path.to_owned(), query, key });
    Source { name: name.to_owned(), agent: None, root: root.to_owned(), form }
}

/// The first line, out of the first bytes of what may be compressed.
fn head(database: &Database, query: &str, key: &str) -> Result<Value, Trouble> {
    let mut bytes = Vec::new();
    database.each(query, &[&key], &mut |row| {
        bytes = row.get_ref(0)?.as_bytes().unwrap_or_default().to_vec();
        Ok(false)
    })?;
    let mut line = Vec::new();
    if let Ok(text) = files::unpacked(bytes) {
        // What is cut ends in an error; the line was mostly whole before.
        let _ = BufReader::new(text.take(262_144)).read_until(b'\n', &mut line);
    }
    Ok(serde_json::from_slice(&line).unwrap_or_default())
}
