//! The sessions in an OpenClaw agent's database.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::archives;
use crate::transcript::database::Database;
use crate::transcript::files;
use crate::transcript::json;
use crate::transcript::source::{Parent, Relation, Render, Rows, Session, Source};
use crate::transcript::trouble::Trouble;

const EVENTS: &str = "SELECT event_json, event_zstd, event_utf8_bytes FROM transcript_events \
                      WHERE session_id = ?1 ORDER BY seq";
const GENERATION: &str =
    "SELECT generation FROM transcript_rewrite_watermarks WHERE session_id = ?1";
const VERSION: &str = "SELECT schema_version FROM schema_meta WHERE meta_key = 'primary'";
const HEADER: &str =
    "SELECT event_json FROM transcript_events WHERE session_id = ?1 ORDER BY seq LIMIT 1";

/// The newest schema whose meaning was looked at.
const KNOWN_SCHEMA: i64 = 23;

pub fn sessions(
    root: &Path,
    agent: &Path,
    path: &Path,
    trouble: &mut Vec<Trouble>,
) -> Vec<Session> {
    look(root, agent, path).unwrap_or_else(|failed| {
        trouble.push(failed);
        Vec::new()
    })
}

fn look(root: &Path, agent: &Path, path: &Path) -> Result<Vec<Session>, Trouble> {
    let database = Database::open(root, path)?;
    let windows = database.objects("SELECT * FROM session_windows ORDER BY created_at", &[])?;
    let nodes = database.objects("SELECT * FROM session_nodes", &[])?;
    let by_key: HashMap<&str, &Value> =
        nodes.iter().filter_map(|node| Some((json::text(node, "session_key")?, node))).collect();
    let rewrites = database.has_table("transcript_rewrite_watermarks")?;
    let cold = cold_archives(&database)?;
    let mut sessions = Vec::new();
    for window in &windows {
        let Some(id) = json::text(window, "session_id") else { continue };
        let mut header = database.objects(HEADER, &[&id])?;
        let mut header =
            header.pop().map(|row| json::unfolded(&row["event_json"])).unwrap_or_default();
        let node = json::text(window, "session_key").and_then(|key| by_key.get(key).copied());
        let node = node.unwrap_or(&Value::Null);
        let source = match cold.get(id).filter(|_| header.is_null()) {
            Some(Cold::Here) => {
                let (source, head) = archives::cold(&database, root, path, id)?;
                header = head;
                source
            }
            Some(Cold::File(archive)) => {
                let file = agent.join("sessions").join("cold").join(archive);
                header = files::first_line(root, &file).ok().flatten().unwrap_or_default();
                Source::lines("main", root.to_owned(), vec![file])
            }
            None => Source::rows(
                "main",
                root.to_owned(),
                Rows {
                    database: path.to_owned(),
                    query: EVENTS,
                    key: id.to_owned(),
                    token: rewrites.then_some(GENERATION),
                    render: Render::Text,
                    version: Some((VERSION, KNOWN_SCHEMA)),
                },
            ),
        };
        sessions.push(Session {
            harness: "openclaw",
            id: id.to_owned(),
            cwd: json::owned(&header, "cwd"),
            started: json::owned(&header, "timestamp")
                .or_else(|| json::time_text(window, "created_at")),
            title: ["display_name", "label"].iter().find_map(|key| json::owned(node, key)),
            parent: parent(window, node, &by_key),
            archived: json::at(node, "archived_at").is_some(),
            sources: vec![source],
        });
    }
    archives::add(&database, root, path, &mut sessions)?;
    database.settled()?;
    Ok(sessions)
}

/// Where the rows of a session in cold storage are.
enum Cold {
    File(String),
    Here,
}

fn cold_archives(database: &Database) -> Result<HashMap<String, Cold>, Trouble> {
    if !database.has_table("session_transcript_cold_archives")? {
        return Ok(HashMap::new());
    }
    let has_storage = "SELECT count(*) FROM pragma_table_info('session_transcript_cold_archives') \
                       WHERE name = 'storage'";
    let query = match database.one(has_storage, &[])? {
        Some(1) => "SELECT session_id, archive_name, storage FROM session_transcript_cold_archives",
        _ => "SELECT session_id, archive_name FROM session_transcript_cold_archives",
    };
    let archive = |row: &Value| {
        let id = json::owned(row, "session_id")?;
        if json::text(row, "storage") == Some("sqlite") {
            return Some((id, Cold::Here));
        }
        let name = json::owned(row, "archive_name").filter(|name| !name.contains(['/', '\\']))?;
        Some((id, Cold::File(name)))
    };
    Ok(database.objects(query, &[])?.iter().filter_map(archive).collect())
}

fn parent(window: &Value, node: &Value, by_key: &HashMap<&str, &Value>) -> Option<Parent> {
    let current = |key: &str| json::owned(by_key.get(key)?, "current_session_id");
    let spawned = ["spawned_by", "parent_session_key"]
        .iter()
        .find_map(|field| json::text(window, field).or_else(|| json::text(node, field)));
    if let Some(id) = spawned.and_then(current) {
        return Some(Parent { id, relation: Relation::Subagent });
    }
    let id = json::owned(window, "previous_session_id")
        .or_else(|| json::owned(node, "fork_source_session_id"))?;
    let relation = match json::text(window, "reason") {
        Some("fork" | "rewind") => Relation::Fork,
        _ => Relation::Continued,
    };
    Some(Parent { id, relation })
}
