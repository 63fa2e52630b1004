//! Shared memory: each key is a log of values, so nothing that was set is ever lost.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::event::Event;
use crate::id::{AgentId, MemoryKey};
use crate::key::{Key, MAX_NUMBER, Number, Room};
use crate::record::{self, Document, Record};
use crate::session::Session;
use crate::session::state::Purpose;
use crate::session::write::Committed;
use crate::signature::Origin;
use crate::store::{Depth, Listed};

/// How often a plain set goes after a moving head. Each loss means that somebody else's set landed.
const SET_TRIES: u32 = 1_000;

/// One value of one key, as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    key: MemoryKey,
    value: Value,
}

impl Document for Stored {
    const KIND: &'static str = "memory";
}

/// A value as an import stores it.
pub(crate) fn stored(key: MemoryKey, value: Value) -> Stored {
    Stored { key, value }
}

/// One value of one key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryValue {
    pub key: MemoryKey,
    pub value: Value,
    pub version: Number,
    pub set_by: AgentId,
    pub set_at: Timestamp,
    /// What is known of who wrote it.
    #[serde(rename = "signature", skip_serializing_if = "Origin::is_silent")]
    pub origin: Origin,
}

/// The verbs about shared memory.
#[derive(Debug)]
pub struct Memory<'a> {
    session: &'a Session,
}

impl<'a> Memory<'a> {
    pub fn new(session: &'a Session) -> Memory<'a> {
        Memory { session }
    }

    /// Sets a value. With `if_version` only on top of exactly that version (compare-and-swap; give
    /// `None` inside for a key that must not exist yet); without it, on top of whatever is there.
    pub async fn set(
        &self,
        key: &MemoryKey,
        value: Value,
        if_version: Option<Expected>,
    ) -> Result<MemoryValue, Error> {
        let state = self.session.begin().await?;
        let folder = self.folder(key);
        let mut next = match if_version {
            Some(Expected::Absent) => 0,
            Some(Expected::Version(version)) => version.saturating_add(1),
            None => state.heads.get(&folder).map_or(0, |head| head + 1),
        };
        // A swap on a version that is not there yet would leave a gap in the log.
        if let Some(Expected::Version(version)) = if_version
            && state.heads.get(&folder).is_none_or(|head| *head < version)
        {
            self.must_be_there(key, version).await?;
        }
        for _ in 0..SET_TRIES {
            if next > MAX_NUMBER {
                return Err(Error::Usage(format!(
                    "memory {key} has as many versions as a log holds"
                )));
            }
            let slot = Key::Memory { key: key.clone(), version: next };
            let body = Stored { key: key.clone(), value: value.clone() };
            let purpose = Purpose::Memory { folder: folder.clone(), version: next };
            let what = format!("memory {key}");
            let remember = |state: &mut crate::session::State| state.remember_head(&folder, next);
            match self.session.commit(&slot, body, purpose, &what, remember).await? {
                Committed::Won(record) => {
                    return Ok(seen(*record, self.session.own_origin(), next));
                }
                Committed::Lost(object) if if_version.is_some() => {
                    let path = self.session.layout.path(&slot);
                    let winner: Record<Stored> = record::decode(&path, &object.bytes)?;
                    return Err(self.conflict(key, next, if_version, &winner).await);
                }
                Committed::Lost(_) => next = self.head(key, Some(next)).await?.map_or(0, |h| h + 1),
            }
        }
        Err(Error::TimedOut(format!("memory {key} is set by others faster than by this command")))
    }

    /// The newest value, or one version of it.
    pub async fn get(
        &self,
        key: &MemoryKey,
        version: Option<Number>,
    ) -> Result<MemoryValue, Error> {
        self.session.touch().await?;
        let missing = || Error::NotFound(format!("nothing is set under {key}"));
        let version = match version {
            Some(version) => version,
            None => self.head(key, None).await?.ok_or_else(missing)?,
        };
        let slot = Key::Memory { key: key.clone(), version };
        let found = self.session.read::<Stored>(&slot).await?;
        let found = found.ok_or_else(|| no_version(key, version))?;
        if found.origin.is_bad() {
            return Err(Error::BadSignature(format!("memory {key} (version {version})")));
        }
        Ok(seen(found.record, found.origin, version))
    }

    /// All values of one key, oldest first.
    pub async fn history(&self, key: &MemoryKey) -> Result<Vec<MemoryValue>, Error> {
        self.session.touch().await?;
        let room = Room::MemoryUnder(key.clone());
        let listing = self.session.list(&room, Depth::Children).await?;
        let values = self.values(listing.objects, listing.store_time).await?;
        if values.is_empty() {
            return Err(Error::NotFound(format!("nothing was ever set under {key}")));
        }
        Ok(values)
    }

    /// The newest value of each key below `prefix`, the prefix itself included.
    pub async fn list(&self, prefix: Option<&MemoryKey>) -> Result<Vec<MemoryValue>, Error> {
        let (heads, told) = self.heads(prefix).await?;
        self.values(heads.into_values().map(|(row, _)| row).collect(), told).await
    }

    /// The keys below `prefix` with their newest version: one listing, nothing fetched.
    pub async fn keys(
        &self,
        prefix: Option<&MemoryKey>,
    ) -> Result<Vec<(MemoryKey, Number)>, Error> {
        let (heads, _) = self.heads(prefix).await?;
        Ok(heads.into_iter().map(|(key, (_, version))| (key, version)).collect())
    }

    /// The newest version of each key, and the store's time of the listing that showed them.
    async fn heads(
        &self,
        prefix: Option<&MemoryKey>,
    ) -> Result<(BTreeMap<MemoryKey, (Listed, Number)>, Option<Timestamp>), Error> {
        self.session.touch().await?;
        let room = prefix.map_or(Room::MemoryAll, |key| Room::MemoryUnder(key.clone()));
        let listing = self.session.list(&room, Depth::All).await?;
        let mut heads = BTreeMap::new();
        for row in listing.objects {
            if let Some(Key::Memory { key, version }) = self.session.layout.parse(&row.path) {
                heads.insert(key, (row, version));
            }
        }
        Ok((heads, listing.store_time))
    }

    async fn values(
        &self,
        rows: Vec<Listed>,
        told: Option<Timestamp>,
    ) -> Result<Vec<MemoryValue>, Error> {
        let documents = self.session.read_listed::<Stored>(rows, told).await?;
        Ok(documents
            .into_iter()
            .filter_map(|(path, found)| match self.session.layout.parse(&path) {
                Some(Key::Memory { version, .. }) => {
                    Some(seen(found.record, found.origin, version))
                }
                _ => None,
            })
            .collect())
    }

    /// The newest version there is; `at_least` is one that is known to be there.
    async fn head(
        &self,
        key: &MemoryKey,
        at_least: Option<Number>,
    ) -> Result<Option<Number>, Error> {
        let after = at_least
            .map(|version| self.session.layout.path(&Key::Memory { key: key.clone(), version }));
        let room = Room::MemoryUnder(key.clone());
        let listing = self.session.list_after(&room, Depth::Children, after).await?;
        let last = listing.objects.iter().rev().find_map(|row| {
            match self.session.layout.parse(&row.path) {
                Some(Key::Memory { version, .. }) => Some(version),
                _ => None,
            }
        });
        Ok(last.or(at_least))
    }

    async fn must_be_there(&self, key: &MemoryKey, version: Number) -> Result<(), Error> {
        let slot = Key::Memory { key: key.clone(), version };
        match self.session.read::<Stored>(&slot).await? {
            Some(_) => Ok(()),
            None => Err(no_version(key, version)),
        }
    }

    async fn conflict(
        &self,
        key: &MemoryKey,
        tried: Number,
        expected: Option<Expected>,
        winner: &Record<Stored>,
    ) -> Error {
        let found = self.head(key, Some(tried)).await.ok().flatten().unwrap_or(tried);
        let error = Error::Conflict {
            key: key.to_string(),
            expected: match expected {
                Some(Expected::Version(version)) => format!("at {version}"),
                _ => "unset".into(),
            },
            found,
            by: winner.agent.clone(),
        };
        let event = Event::new("memory_refused").by(Some(winner.agent.clone())).message(&error);
        self.session.journal(event).await;
        error
    }

    fn folder(&self, key: &MemoryKey) -> String {
        self.session.layout.folder(&Room::MemoryUnder(key.clone())).to_string()
    }
}

/// What a compare-and-swap expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing was ever set.
    Absent,
    Version(Number),
}

fn no_version(key: &MemoryKey, version: Number) -> Error {
    Error::NotFound(format!("memory {key} has no version {version}"))
}

fn seen(record: Record<Stored>, origin: Origin, version: Number) -> MemoryValue {
    MemoryValue {
        key: record.body.key,
        value: record.body.value,
        version,
        set_by: record.agent,
        set_at: record.at,
        origin,
    }
}
