//! Names, parsed at the door: inside there are no bare id strings and nobody checks again.

#[macro_use]
mod forms;
mod mirrored;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Entropy;
use crate::codec;

pub use mirrored::{Harness, NativeId, SourceKey, TranscriptId};

/// Longest name of an agent, task, project or barrier, in characters. People and models type them.
pub const MAX_NAME: usize = 100;
/// Longest memory key, in spelled bytes, dots included.
pub const MAX_MEMORY_KEY: usize = 500;
/// Longest path of an artifact inside its task, in spelled bytes, its file name counted twice as in
/// the key of its body. What the longest project and task leave over of a key is 453.
pub const MAX_ARTIFACT_NAME: usize = 450;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {} {reason}", quote(text))]
pub struct BadName {
    pub what: &'static str,
    pub text: String,
    pub reason: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Box<str>);

        impl $type {
            pub fn parse(text: &str) -> Result<$type, BadName> {
                check_name($what, text).map(|()| $type(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        text_form!($type);
    };
}

name!(
    /// Who acts: `designer`, `claude-2`.
    AgentId,
    "agent"
);
name!(
    /// What can be held: tracecraft's step, Tracer's issue, .track's ticket.
    TaskId,
    "task"
);
name!(
    /// The namespace of one run inside a store.
    ProjectName,
    "project"
);
name!(BarrierName, "barrier");

/// How numbered tasks are called: `bd-1`, `T-0001`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdShape {
    pub prefix: String,
    /// Fewer digits than this are filled up with zeros.
    pub width: usize,
}

impl IdShape {
    /// Of an example such as `T-0001`.
    pub fn like(example: &str) -> Result<IdShape, BadName> {
        let prefix = example.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let digits = example.len() - prefix.len();
        if digits == 0 || digits > 9 {
            return Err(bad("id", example, "does not end in a number of 1 to 9 digits".into()));
        }
        let filled = example[prefix.len()..].starts_with('0');
        IdShape::new(prefix, if filled { digits } else { 0 })
    }

    /// Of a prefix such as `myapp`, which is parted from the number by a dash.
    pub fn with_prefix(prefix: &str) -> Result<IdShape, BadName> {
        IdShape::new(&format!("{}-", prefix.trim_end_matches('-')), 0)
    }

    fn new(prefix: &str, width: usize) -> Result<IdShape, BadName> {
        // The longest number must still make a name.
        TaskId::parse(&format!("{prefix}{}", u32::MAX))?;
        Ok(IdShape { prefix: prefix.into(), width })
    }

    pub fn id(&self, number: u32) -> Result<TaskId, BadName> {
        TaskId::parse(&format!("{}{number:0width$}", self.prefix, width = self.width))
    }

    /// The number in an id of this shape.
    pub fn number(&self, id: &TaskId) -> Option<u32> {
        let number = id.as_str().strip_prefix(&self.prefix)?.parse().ok()?;
        (self.id(number).ok()? == *id).then_some(number)
    }
}

impl Default for IdShape {
    fn default() -> IdShape {
        IdShape { prefix: "bd-".into(), width: 0 }
    }
}

/// A key of shared memory; its dots are path separators.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MemoryKey(Box<str>);
text_form!(MemoryKey);

/// The name of an artifact: a relative path of plain pieces, `site/index.html`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactName(Box<str>);
text_form!(ArtifactName);

/// One session of an agent: 128 random bits in hex, never used twice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(Box<str>);
text_form!(SessionId);

/// What tells our write from any other: 128 random bits in hex, drawn for each document.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce(Box<str>);
text_form!(Nonce);

/// Where mail goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Mailbox {
    Agent(AgentId),
    Broadcast,
}

impl Mailbox {
    pub const BROADCAST: &'static str = "_broadcast";

    pub fn parse(text: &str) -> Result<Mailbox, BadName> {
        match text {
            Mailbox::BROADCAST => Ok(Mailbox::Broadcast),
            _ => AgentId::parse(text).map(Mailbox::Agent),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Mailbox::Agent(agent) => agent.as_str(),
            Mailbox::Broadcast => Mailbox::BROADCAST,
        }
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl TryFrom<String> for Mailbox {
    type Error = BadName;
    fn try_from(text: String) -> Result<Mailbox, BadName> {
        Mailbox::parse(&text)
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> String {
        mailbox.as_str().into()
    }
}

impl std::str::FromStr for Mailbox {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Mailbox, BadName> {
        Mailbox::parse(text)
    }
}

impl MemoryKey {
    pub fn parse(text: &str) -> Result<MemoryKey, BadName> {
        let fail = |reason: String| bad("memory key", text, reason);
        if text.is_empty() {
            return Err(fail("is empty".into()));
        }
        for piece in text.split('.') {
            check_piece(piece).map_err(|reason| fail(reason.into()))?;
        }
        let spelled: usize = text.split('.').map(|piece| codec::encode(piece).len() + 1).sum();
        if spelled > MAX_MEMORY_KEY {
            return Err(fail("is too long".into()));
        }
        Ok(MemoryKey(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn pieces(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl ArtifactName {
    pub fn parse(text: &str) -> Result<ArtifactName, BadName> {
        let fail = |reason: &str| bad("artifact", text, reason.into());
        if text.is_empty() {
            return Err(fail("has no name"));
        }
        let (mut spelled, mut last) = (0, 0);
        for piece in text.split('/') {
            if matches!(piece, "." | "..") {
                return Err(fail("leads out of its folder"));
            }
            check_piece(piece).map_err(fail)?;
            last = codec::encode(piece).len();
            spelled += last + 1;
        }
        if spelled + last > MAX_ARTIFACT_NAME {
            return Err(fail("is too long"));
        }
        Ok(ArtifactName(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn pieces(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The file's own name, without its folders.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

macro_rules! drawn {
    ($type:ident, $what:literal) => {
        impl $type {
            pub fn draw(entropy: &dyn Entropy) -> $type {
                let mut bytes = [0; 16];
                entropy.fill(&mut bytes);
                $type(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
            }

            pub fn parse(text: &str) -> Result<$type, BadName> {
                let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                if text.len() == 32 && text.bytes().all(hex) {
                    Ok($type(text.into()))
                } else {
                    Err(bad($what, text, "is not 32 hex digits".into()))
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Enough of it for a person to tell two apart.
            pub fn short(&self) -> &str {
                &self.0[..8]
            }
        }
    };
}
drawn!(SessionId, "session");
drawn!(Nonce, "nonce");

fn check_name(what: &'static str, text: &str) -> Result<(), BadName> {
    let fail = |reason: &str| Err(bad(what, text, reason.into()));
    if text.chars().count() > MAX_NAME {
        return fail("is longer than 100 characters");
    }
    if codec::encode(text).len() > codec::MAX_ENCODED {
        return fail("is too long to be spelled in a key");
    }
    if let Err(reason) = check_piece(text) {
        return fail(reason);
    }
    if text.contains(['/', '\\']) {
        return fail("has a slash; use '-', '.' or '_'");
    }
    if text.starts_with(['-', '_']) {
        return fail("starts with '-' or '_', which is kept for options and for brigade itself");
    }
    Ok(())
}

/// What no name may have, wherever it stands.
fn check_piece(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        Err("is empty or has an empty piece")
    } else if text.chars().all(|letter| letter == '.') {
        Err("is made of dots only")
    } else if text.chars().any(char::is_control) {
        Err("has a control character")
    } else if text.chars().any(is_invisible) {
        Err("has an invisible or direction-changing character")
    } else if text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
        || text.chars().any(|letter| letter.is_whitespace() && letter != ' ')
    {
        Err("has white space at an end, or other than a plain blank")
    } else if codec::encode(text).len() > codec::MAX_ENCODED {
        Err("is too long to be spelled in a key")
    } else {
        Ok(())
    }
}

/// Characters that make two names look alike or turn a line around: Unicode's format characters
/// (category Cf), variation selectors, and the fillers that draw nothing.
pub fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn bad(what: &'static str, text: &str, reason: String) -> BadName {
    BadName { what, text: text.chars().take(200).collect(), reason }
}

/// Enough of a hostile name to recognise it, escaped.
fn quote(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    // `escape_debug` leaves some of the invisible ones as they are.
    let escape = |letter: char| match is_invisible(letter) {
        true => letter.escape_unicode().to_string(),
        false => letter.escape_debug().to_string(),
    };
    format!("'{}{more}'", short.chars().map(escape).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_use_are_names() {
        for name in ["designer", "T-0001", "bd-1", "write tests", "été", "claude:2", "a.b"] {
            assert!(TaskId::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_would_mislead_are_refused() {
        let long = "x".repeat(1 << 20);
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a\\b",
            "a\nb",
            "\u{202e}a",
            "a\u{200b}",
            " a",
            "-x",
            "_x",
            &long,
        ] {
            assert!(AgentId::parse(name).is_err(), "{:?}", &name[..name.len().min(20)]);
        }
    }

    #[test]
    fn an_error_shows_a_hostile_name_short_and_escaped() {
        let error = TaskId::parse(&"\u{1b}[2J".repeat(1000)).unwrap_err().to_string();
        assert!(error.len() < 400 && !error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn dots_part_a_memory_key() {
        let key = MemoryKey::parse("design.api.v2").unwrap();
        assert_eq!(key.pieces().collect::<Vec<_>>(), ["design", "api", "v2"]);
        assert!(MemoryKey::parse("design..api").is_err());
        assert!(MemoryKey::parse(".").is_err());
    }

    #[test]
    fn an_artifact_stays_in_its_folder() {
        assert!(ArtifactName::parse("site/index.html").is_ok());
        for name in ["../x", "a/../b", "/etc/passwd", "a//b", "a/", "."] {
            assert!(ArtifactName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn broadcast_is_a_mailbox_and_no_agent() {
        assert_eq!(Mailbox::parse("_broadcast"), Ok(Mailbox::Broadcast));
        assert!(AgentId::parse("_broadcast").is_err());
    }
}
