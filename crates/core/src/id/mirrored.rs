//! Names of what is mirrored from other programs: a harness, one of its sessions, a source in it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{BadName, bad};
use crate::codec;

/// The name of a harness: `claude-code`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Harness(Box<str>);

/// A session by the name that its harness gave it. It is free text, and is spelled out in keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NativeId(Box<str>);

/// One mirrored session.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TranscriptId {
    pub harness: Harness,
    pub id: NativeId,
}

/// A source of a session as a piece of a key. A name that is too long for one has its hash instead;
/// the name itself stands in each of the source's parts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey(Box<str>);

/// Longest name of a harness.
const MAX_HARNESS: usize = 32;

impl Harness {
    pub fn parse(text: &str) -> Result<Harness, BadName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let starts = text.starts_with(|letter: char| letter.is_ascii_lowercase());
        if starts && text.len() <= MAX_HARNESS && text.bytes().all(plain) {
            Ok(Harness(text.into()))
        } else {
            Err(bad("harness", text, "is not made of small letters, digits and '-'".into()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl NativeId {
    pub fn parse(text: &str) -> Result<NativeId, BadName> {
        let fail = |reason: &str| Err(bad("session id", text, reason.into()));
        if text.is_empty() {
            return fail("is empty");
        }
        if text.chars().any(char::is_control) {
            return fail("has a control character");
        }
        if codec::encode(text).len() > codec::MAX_ENCODED {
            return fail("is too long to be spelled in a key");
        }
        Ok(NativeId(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TranscriptId {
    pub fn parse(harness: &str, id: &str) -> Result<TranscriptId, BadName> {
        Ok(TranscriptId { harness: Harness::parse(harness)?, id: NativeId::parse(id)? })
    }
}

impl SourceKey {
    pub fn of(name: &str) -> SourceKey {
        let piece = codec::encode(name);
        if (1..=codec::MAX_ENCODED).contains(&piece.len()) {
            return SourceKey(piece.into());
        }
        let hash = Sha256::digest(name.as_bytes());
        let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        SourceKey(format!("_{hex}").into())
    }

    /// `None` for a piece that no name has.
    pub fn parse(piece: &str) -> Option<SourceKey> {
        let is_hash = piece.strip_prefix('_').is_some_and(|hex| {
            hex.len() == 32 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
        let spelled =
            (1..=codec::MAX_ENCODED).contains(&piece.len()) && codec::decode(piece).is_some();
        (is_hash || spelled).then(|| SourceKey(piece.into()))
    }

    pub fn piece(&self) -> &str {
        &self.0
    }

    /// The name behind it; the piece itself where that is a hash.
    pub fn name(&self) -> String {
        codec::decode(&self.0).unwrap_or_else(|| self.0.to_string())
    }
}

text_form!(Harness);
text_form!(NativeId);
shown!(SourceKey);

impl fmt::Display for TranscriptId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.harness, self.id)
    }
}

impl fmt::Debug for TranscriptId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_any_name_is_one_piece_and_two_names_are_two() {
        let long = "subagents/".repeat(40);
        for name in ["main", "subagents/agent-a1", "../../etc/passwd", "", &long] {
            let key = SourceKey::of(name);
            assert!(!key.piece().contains('/') && key.piece().len() <= 200, "{key}");
            assert_eq!(SourceKey::parse(key.piece()), Some(key), "{name}");
        }
        assert_ne!(SourceKey::of(&long), SourceKey::of(&format!("{long}x")));
        assert_ne!(SourceKey::of(SourceKey::of(&long).piece()), SourceKey::of(&long));
    }

    #[test]
    fn a_session_id_may_be_any_text_but_leads_nowhere() {
        assert_eq!(NativeId::parse("../../x").unwrap().as_str(), "../../x");
        for bad in ["", "a\nb", &"é".repeat(100)] {
            assert!(NativeId::parse(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "Claude", "a/b", "_x", "-x"] {
            assert!(Harness::parse(bad).is_err(), "{bad:?}");
        }
    }
}
