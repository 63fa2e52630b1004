//! OpenClaw: one database for each agent since 2026.8, before that one file for each session. The
//! rows of both are Pi's.

mod archives;
mod database;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::pi;
use crate::transcript::adapter::{Adapter, Filter, Found};
use crate::transcript::files::{self, Tree};
use crate::transcript::json;
use crate::transcript::places::Places;
use crate::transcript::source::{Session, Source};
use crate::transcript::turn::Turn;

pub struct OpenClaw;

impl Adapter for OpenClaw {
    fn harness(&self) -> &'static str {
        "openclaw"
    }

    fn discover(&self, places: &Places, filter: &Filter) -> Found {
        let mut found = Found::default();
        for root in roots(places) {
            let mut tree = Tree::new(&root);
            for agent in tree.folders(&root.join("agents")) {
                let stored = agent.path.join("agent").join("openclaw-agent.sqlite");
                let mut sessions = match stored.exists() {
                    true => database::sessions(&root, &agent.path, &stored, &mut tree.trouble),
                    false => Vec::new(),
                };
                // What the database took over is read there, though the old files stay for a while.
                for session in from_files(&mut tree, &root, &agent.path.join("sessions")) {
                    match sessions.iter_mut().find(|known| known.id == session.id) {
                        None => sessions.push(session),
                        Some(known) => {
                            // An archive that was written into a file may still be in the database.
                            let is_file =
                                |one: &Source| session.sources.iter().any(|s| s.name == one.name);
                            known.sources.retain(|one| one.name == "main" || !is_file(one));
                            let apart = session.sources.into_iter().filter(|s| s.name != "main");
                            known.sources.extend(apart);
                        }
                    }
                }
                sessions.retain(|session| filter.wants(session.cwd.as_deref()));
                found.sessions.append(&mut sessions);
            }
            found.trouble.append(&mut tree.trouble);
        }
        found
    }

    fn parse(&self, row: &Value) -> Vec<Turn> {
        pi::turns(row)
    }
}

/// `OPENCLAW_STATE_DIR` is the folder itself; `OPENCLAW_HOME` stands for the home folder. The older
/// names of the program had folders of their own.
fn roots(places: &Places) -> Vec<PathBuf> {
    if let Some(state) = places.folder("OPENCLAW_STATE_DIR") {
        return vec![state];
    }
    let home = places.folder("OPENCLAW_HOME").unwrap_or_else(|| places.home.clone());
    match places.variable("OPENCLAW_PROFILE").filter(|profile| *profile != "default") {
        Some(profile) if profile.contains(['/', '\\']) => Vec::new(),
        Some(profile) => vec![home.join(format!(".openclaw-{profile}"))],
        None => {
            let mut roots: Vec<PathBuf> =
                [".openclaw", ".clawdbot", ".moltbot"].map(|name| home.join(name)).into();
            // `--profile work` and `--dev` are told to the harness alone.
            let profiles = Tree::new(&home).folders(&home).into_iter();
            roots.extend(
                profiles.filter(|one| one.name.starts_with(".openclaw-")).map(|one| one.path),
            );
            roots
        }
    }
}

/// `<id>.jsonl`, and what a reset or deletion left of a session: `<id>.jsonl.reset.<time>`,
/// `<id>.jsonl.deleted.<time>.zst`. Trajectories are diagnostics and repeat what was said.
fn from_files(tree: &mut Tree, root: &Path, folder: &Path) -> Vec<Session> {
    let mut sessions: BTreeMap<String, Session> = BTreeMap::new();
    for file in tree.files(folder) {
        let Some((id, name)) = id_and_source(&file.name) else { continue };
        let head = match files::first_line(root, &file.path) {
            Ok(head) => head.unwrap_or(Value::Null),
            Err(trouble) => {
                tree.trouble.push(trouble);
                continue;
            }
        };
        let gone = name.starts_with("deleted");
        let session = sessions.entry(id.to_owned()).or_insert_with(|| Session {
            harness: "openclaw",
            id: id.to_owned(),
            cwd: json::owned(&head, "cwd"),
            started: json::owned(&head, "timestamp"),
            title: None,
            parent: None,
            archived: gone,
            sources: Vec::new(),
        });
        session.archived &= gone;
        session.sources.push(Source::lines(&name, root.to_owned(), vec![file.path]));
    }
    sessions.into_values().collect()
}

fn id_and_source(name: &str) -> Option<(&str, String)> {
    let (id, rest) = name.split_once(".jsonl")?;
    if id.is_empty() || id.ends_with(".trajectory") {
        return None;
    }
    let rest = rest.strip_suffix(".zst").unwrap_or(rest);
    match rest.strip_prefix('.').and_then(|rest| rest.split_once('.')) {
        None if rest.is_empty() => Some((id, "main".to_owned())),
        Some((kind @ ("reset" | "deleted"), time)) => Some((id, format!("{kind}/{time}"))),
        _ => None,
    }
}
