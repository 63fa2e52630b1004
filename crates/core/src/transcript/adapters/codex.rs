//! Codex: one file for each thread, by date or put away in the archive, plain or compressed.

mod rows;
mod titles;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::transcript::adapter::{Adapter, Filter, Found};
use crate::transcript::files::{self, Tree};
use crate::transcript::json;
use crate::transcript::places::Places;
use crate::transcript::source::{Parent, Relation, Session, Source};
use crate::transcript::trouble::{Hindrance, Trouble};
use crate::transcript::turn::Turn;

pub struct Codex;

/// Thread, and rollout within it; each with the places where it may lie.
type Rollouts = BTreeMap<(String, Option<String>), Vec<PathBuf>>;

impl Adapter for Codex {
    fn harness(&self) -> &'static str {
        "codex"
    }

    fn discover(&self, places: &Places, filter: &Filter) -> Found {
        let named = places.folder("CODEX_HOME");
        let root = named.clone().unwrap_or_else(|| places.home.join(".codex"));
        let mut tree = Tree::new(&root);
        if let Some(named) = named.filter(|_| !tree.is_there()) {
            let detail = "CODEX_HOME names it; codex itself refuses to run so";
            tree.trouble.push(Trouble::new(&named, Hindrance::Gone, detail));
        }
        let mut rollouts = Rollouts::new();
        by_date(&mut tree, &root.join("sessions"), 0, &mut rollouts);
        collect(&mut tree, &root.join("archived_sessions"), &mut rollouts);
        let index = places.folder("CODEX_SQLITE_HOME").unwrap_or_else(|| root.clone());
        let mut titles = match rollouts.is_empty() {
            true => HashMap::new(),
            false => titles::titles(&index),
        };
        let mut sessions: BTreeMap<String, Session> = BTreeMap::new();
        for ((thread, rollout), mut paths) in rollouts {
            // Where both exist the plain file is the newer one.
            paths.sort_by_key(|path| (files::is_compressed(path), is_archived(path)));
            let name = rollout.map_or("main".to_owned(), |rollout| format!("rollouts/{rollout}"));
            let source = Source::lines(&name, root.clone(), paths.clone());
            if let Some(session) = sessions.get_mut(&thread) {
                session.sources.push(source);
                continue;
            }
            match session(&root, &thread, &paths, source) {
                Ok(mut session) if filter.wants(session.cwd.as_deref()) => {
                    session.title = titles.remove(&thread);
                    sessions.insert(thread, session);
                }
                Ok(_) => {}
                Err(trouble) => tree.trouble.push(trouble),
            }
        }
        Found { sessions: sessions.into_values().collect(), trouble: tree.trouble }
    }

    fn files_root(&self, places: &Places) -> Option<PathBuf> {
        Some(places.folder("CODEX_HOME").unwrap_or_else(|| places.home.join(".codex")))
    }

    fn parse(&self, row: &Value) -> Vec<Turn> {
        rows::turns(row)
    }
}

/// `sessions/2026/11/20/…`
fn by_date(tree: &mut Tree, folder: &Path, depth: usize, rollouts: &mut Rollouts) {
    if depth == 3 {
        return collect(tree, folder, rollouts);
    }
    for entry in tree.folders(folder) {
        if entry.name.bytes().all(|byte| byte.is_ascii_digit()) {
            by_date(tree, &entry.path, depth + 1, rollouts);
        }
    }
}

fn collect(tree: &mut Tree, folder: &Path, rollouts: &mut Rollouts) {
    for entry in tree.files(folder) {
        if let Some(key) = thread_and_rollout(&entry.name) {
            rollouts.entry(key).or_default().push(entry.path);
        }
    }
}

/// `rollout-2026-11-20T18-27-41-<thread>[_<rollout>].jsonl[.zst]`
fn thread_and_rollout(name: &str) -> Option<(String, Option<String>)> {
    const STAMP: usize = "2026-11-20T18-27-41-".len();
    let name = name.strip_suffix(".zst").unwrap_or(name).strip_suffix(".jsonl")?;
    let rest = name.strip_prefix("rollout-")?.get(STAMP..).filter(|rest| !rest.is_empty())?;
    Some(match rest.split_once('_') {
        Some((thread, rollout)) => (thread.to_owned(), Some(rollout.to_owned())),
        None => (rest.to_owned(), None),
    })
}

fn is_archived(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with("archived_sessions"))
}

/// The first line says whose session it is. A fork copies its origin's first line behind its own.
fn session(
    root: &Path,
    thread: &str,
    paths: &[PathBuf],
    source: Source,
) -> Result<Session, Trouble> {
    let path = paths.first().map(PathBuf::as_path).unwrap_or(root);
    let first = files::first_line(root, path)?;
    let meta = first.as_ref().and_then(|row| json::at(row, "payload")).unwrap_or(&Value::Null);
    let spawned = json::owned(meta, "parent_thread_id")
        .or_else(|| json::owned(meta, "source.subagent.thread_spawn.parent_thread_id"));
    let parent = match spawned {
        Some(id) => Some(Parent { id, relation: Relation::Subagent }),
        None => {
            json::owned(meta, "forked_from_id").map(|id| Parent { id, relation: Relation::Fork })
        }
    };
    Ok(Session {
        harness: "codex",
        id: thread.to_owned(),
        cwd: json::owned(meta, "cwd"),
        started: json::owned(meta, "timestamp"),
        title: None,
        parent,
        archived: is_archived(path),
        sources: vec![source],
    })
}
