//! Where harnesses live on this machine: home, system and the variables that move them. All of it is
//! handed in; core reads no environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every variable that an adapter asks for. A face that reads the environment need read no other.
pub const VARIABLES: &[&str] = &[
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_PROJECT_DIR_NAME",
    "CODEX_HOME",
    "CODEX_SQLITE_HOME",
    "COPILOT_HOME",
    "GEMINI_CLI_HOME",
    "HERMES_HOME",
    "KIMI_CODE_HOME",
    "LOCALAPPDATA",
    "OPENCLAW_HOME",
    "OPENCLAW_PROFILE",
    "OPENCLAW_STATE_DIR",
    "OPENCODE_DB",
    "PI_CODING_AGENT_DIR",
    "PI_CODING_AGENT_SESSION_DIR",
    "XDG_DATA_HOME",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    Linux,
    MacOs,
    Windows,
}

impl Platform {
    /// The system that this program was built for.
    pub const HERE: Platform = if cfg!(windows) {
        Platform::Windows
    } else if cfg!(target_os = "macos") {
        Platform::MacOs
    } else {
        Platform::Linux
    };
}

/// One machine, as far as transcripts go.
#[derive(Clone, Debug)]
pub struct Places {
    pub home: PathBuf,
    pub platform: Platform,
    variables: BTreeMap<&'static str, String>,
}

impl Places {
    /// `lookup` gives a variable's value; an empty one counts as unset, as the harnesses take it.
    pub fn new(home: &Path, platform: Platform, lookup: &dyn Fn(&str) -> Option<String>) -> Places {
        let variables = VARIABLES
            .iter()
            .filter_map(|name| Some((*name, lookup(name).filter(|value| !value.is_empty())?)))
            .collect();
        Places { home: home.to_owned(), platform, variables }
    }

    pub fn variable(&self, name: &str) -> Option<&str> {
        debug_assert!(VARIABLES.contains(&name), "{name} belongs into VARIABLES");
        self.variables.get(name).map(String::as_str)
    }

    /// The folder that a variable names; `~/` at its start is the home folder.
    pub fn folder(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(|value| self.expand(value))
    }

    /// A path as it stands in a configuration.
    pub fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix("~/").or_else(|| path.strip_prefix("~\\")) {
            Some(rest) => self.home.join(rest),
            None if path == "~" => self.home.clone(),
            None => self.home.join(path),
        }
    }

    /// `~/.local/share`, or where `XDG_DATA_HOME` says.
    pub fn data(&self) -> PathBuf {
        self.folder("XDG_DATA_HOME").unwrap_or_else(|| self.home.join(".local/share"))
    }

    /// `%LOCALAPPDATA%`.
    pub fn local_app_data(&self) -> PathBuf {
        self.folder("LOCALAPPDATA").unwrap_or_else(|| self.home.join("AppData").join("Local"))
    }
}
