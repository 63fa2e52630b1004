//! The note that closes a project's old place: where it goes, and by whom.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AgentId, Nonce, ProjectName};
use crate::record::Document;
use crate::store::address::BadAddress;
use crate::store::open::Place;
use crate::text;

/// A place as it stands in a document: all that finds it, and never a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    pub store: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// `moved.json`: from the moment that it is there, nothing that is put beside it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Of this move; the project's document in the new place names it, too.
    pub id: Nonce,
    pub to: Destination,
    /// The project never was here: this is a copy of it, which is looked at and carried on, and the
    /// truth is in `to`. The nonce of the project's document there when the copy was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<Nonce>,
}

/// `replica.json`: how far a copy has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaState {
    /// All that was acknowledged in the project before this moment is here, by the clock of whoever
    /// carried it.
    pub as_of: Timestamp,
    /// The nonce of the project's document then.
    pub project: Nonce,
    pub objects: u64,
    pub bytes: u64,
}

/// What a project's document says that came from another place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameFrom {
    /// Of the move; `null` for a copy, which is a project of its own.
    pub id: Option<Nonce>,
    /// The old place, in words for people.
    pub place: String,
    pub at: Timestamp,
    /// The nonce of the project's document there.
    pub project: Nonce,
}

/// A project that is not here any more, for whoever asked for it here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    pub project: ProjectName,
    /// The old place, in words for people.
    pub place: String,
    pub note: Moved,
    pub by: AgentId,
    pub at: Timestamp,
}

impl Document for Moved {
    const KIND: &'static str = "moved";
}

impl Document for ReplicaState {
    const KIND: &'static str = "replica";
}

impl Elsewhere {
    /// What stands here is a copy, for looking.
    pub fn is_replica(&self) -> bool {
        self.note.replica.is_some()
    }

    /// What a copy is called.
    pub fn as_replica(&self) -> String {
        format!(
            "{} is a copy of project {}, which is in {}",
            self.place, self.project, self.note.to
        )
    }
}

impl Destination {
    pub fn of(place: &Place) -> Destination {
        Destination {
            store: place.address.to_string(),
            endpoint: place.endpoint.clone(),
            region: place.region.clone(),
            account: place.account.clone(),
        }
    }

    /// The place behind it. It was written by others: whether data may go there is for the user to say.
    pub fn place(&self) -> Result<Place, BadAddress> {
        Ok(Place {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            account: self.account.clone(),
            ..Place::new(self.store.parse()?)
        })
    }
}

/// One line, harmless whoever wrote it.
impl std::fmt::Display for Destination {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&text::one_line(&self.store, 200))?;
        match &self.endpoint {
            Some(endpoint) => write!(out, " at {}", text::one_line(endpoint, 200)),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Elsewhere {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Elsewhere { project, note, by, at, .. } = self;
        write!(
            out,
            "project {project} has moved to {} ({by}, {})",
            note.to,
            at.strftime("%Y-%m-%d %H:%MZ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_document() {
        let place = Place {
            endpoint: Some("http://localhost:9000".into()),
            region: Some("eu-west-1".into()),
            ..Place::new("s3://team/prefix".parse().unwrap())
        };
        assert_eq!(Destination::of(&place).place().unwrap(), place);
        let nonsense = Destination { store: "ftp://x".into(), ..Destination::of(&place) };
        assert!(nonsense.place().is_err());
    }

    #[test]
    fn what_others_wrote_there_is_shown_as_one_harmless_line() {
        let hostile = Destination {
            store: "s3://a\n\u{1b}[2Jhint: type this".into(),
            endpoint: Some("http://x\r\ny".into()),
            region: None,
            account: None,
        };
        let shown = hostile.to_string();
        assert!(!shown.contains(['\n', '\r', '\u{1b}']), "{shown:?}");
    }
}
