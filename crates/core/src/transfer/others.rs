//! What comes with tasks from elsewhere: shared memory, mail, and files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::import::{Options, Transfer};
use super::plan::{Conflict, Difference, IncomingFile, Letter, Outcome, Remark, Resolve, Values};
use super::write::{Scribe, Written};
use crate::artifact::{Artifacts, Source, silent};
use crate::error::{Error, Kind};
use crate::id::{AgentId, Mailbox, SessionId};
use crate::key::{Key, Number};
use crate::mail;
use crate::memory::{self, Memory};
use crate::store::Store;

/// Values that are still to be written, with the version of the first.
pub(super) type MissingValues = Vec<(Values, usize)>;
/// Messages that are still to be written, by stream, with the number of the first.
pub(super) type MissingLetters = BTreeMap<(Mailbox, SessionId), (Number, Vec<Letter>)>;

impl Transfer<'_> {
    /// A key that is new, or whose history is the beginning of the incoming one, is gone on with; one
    /// that begins with all of the incoming values has moved on since.
    pub(super) async fn compare_values(
        &self,
        incoming: Vec<Values>,
        options: Options,
        outcome: &mut Outcome,
    ) -> Result<MissingValues, Error> {
        let mut missing = Vec::new();
        for mut values in incoming {
            let here = match Memory::new(self.session).history(&values.key).await {
                Ok(history) => history,
                Err(error) if error.kind() == Kind::NotFound => Vec::new(),
                Err(error) => return Err(error),
            };
            if let Some(newest) = here.last() {
                let key = Key::Memory { key: values.key.clone(), version: newest.version };
                outcome.seen.push(self.session.layout.path(&key));
            }
            let alike =
                here.iter().zip(&values.values).all(|(here, there)| here.value == there.value);
            if alike && here.len() >= values.values.len() {
                outcome.unchanged += 1;
            } else if alike {
                outcome.memories += values.values.len() - here.len();
                values.values.drain(..here.len());
                missing.push((values, here.len()));
            } else if options.skip_existing {
                outcome.skipped += 1;
            } else {
                let newest = |value: Option<&Value>| value.cloned().unwrap_or_default();
                let difference = Difference {
                    field: "value".into(),
                    here: newest(here.last().map(|value| &value.value)),
                    incoming: newest(values.values.last().map(|value| &value.value)),
                };
                let id = format!("memory {}", values.key);
                let conflict = Conflict::new(id, values.place.clone(), vec![difference]);
                match options.resolve {
                    None => outcome.conflicts.push(conflict),
                    Some(Resolve::Ours) => outcome.resolved.push(conflict),
                    Some(Resolve::Theirs) => {
                        outcome.resolved.push(conflict);
                        // The newest word goes on top; the one before it stays in the history.
                        values.values.drain(..values.values.len() - 1);
                        missing.push((values, here.len()));
                    }
                }
            }
        }
        Ok(missing)
    }

    pub(super) async fn write_values(
        &self,
        scribe: &mut Scribe<'_>,
        missing: MissingValues,
    ) -> Result<(), Error> {
        for (values, first) in missing {
            let mut items = Vec::new();
            for (number, one) in values.values.into_iter().enumerate() {
                let version = number_of(first + number)?;
                let key = Key::Memory { key: values.key.clone(), version };
                let by = one.by.unwrap_or_else(|| self.session.agent.clone());
                let at = one.at.unwrap_or_else(|| self.session.now());
                let sid = scribe.sid().clone();
                let body = memory::stored(values.key.clone(), one.value);
                items.push(scribe.document_of(&key, by, sid, at, body)?);
            }
            for written in scribe.put_in_order(items).await? {
                if let Written::Other(..) = written {
                    return Err(moved(&format!("memory {}", values.key)));
                }
            }
        }
        Ok(())
    }

    /// Mail is a stream of each sender. That of an imported sender has an id that follows from the
    /// names alone, so a second import finds what the first has brought.
    pub(super) async fn compare_letters(
        &self,
        incoming: Vec<Letter>,
        outcome: &mut Outcome,
    ) -> Result<MissingLetters, Error> {
        let mut streams: BTreeMap<(Mailbox, SessionId), Vec<Letter>> = BTreeMap::new();
        for letter in incoming {
            let sid = stream_of(&letter.from, &letter.to);
            streams.entry((letter.to.clone(), sid)).or_default().push(letter);
        }
        let mut missing = MissingLetters::new();
        for ((to, sid), mut letters) in streams {
            letters.sort_by_key(|letter| letter.at);
            let here = mail::stream(self.session, &to, &sid).await?;
            let known: BTreeSet<_> =
                here.iter().map(|(_, at, text)| (*at, text.as_str())).collect();
            let next = here.iter().map(|(n, ..)| n + 1).max().unwrap_or(0);
            if let Some(n) = next.checked_sub(1) {
                let key = Key::Message { to: to.clone(), sid: sid.clone(), n };
                outcome.seen.push(self.session.layout.path(&key));
            }
            let count = letters.len();
            letters.retain(|letter| !known.contains(&(letter.at, letter.text.as_str())));
            outcome.unchanged += count - letters.len();
            outcome.messages += letters.len();
            if !letters.is_empty() {
                missing.insert((to, sid), (next, letters));
            }
        }
        Ok(missing)
    }

    pub(super) async fn write_letters(
        &self,
        scribe: &mut Scribe<'_>,
        missing: MissingLetters,
    ) -> Result<(), Error> {
        for ((to, sid), (first, letters)) in missing {
            let mut items = Vec::new();
            for (n, letter) in (first..).zip(letters) {
                let key = Key::Message { to: to.clone(), sid: sid.clone(), n };
                let body = mail::letter(to.clone(), letter.text, letter.task);
                items.push(scribe.document_of(&key, letter.from, sid.clone(), letter.at, body)?);
            }
            for written in scribe.put_in_order(items).await? {
                if let Written::Other(..) = written {
                    return Err(moved(&format!("the mail to {to}")));
                }
            }
        }
        Ok(())
    }

    /// Files are uploaded as any agent would; the newest version having the same bytes makes no new
    /// one. What is gone meanwhile is told.
    pub(super) async fn write_files(
        &self,
        from: &dyn Store,
        files: Vec<IncomingFile>,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let artifacts = Artifacts::new(self.session);
        for file in files {
            let Some(body) = from.get_body(&file.path).await?.value else {
                let what = "it was there a moment ago and is not now".to_owned();
                outcome.remarks.push(Remark { place: file.place, what });
                continue;
            };
            let source = Source::stream(body);
            let up = artifacts.upload(&file.scope, &file.name, source, &silent()).await?;
            match up.unchanged {
                true => outcome.unchanged += 1,
                false => outcome.artifacts += 1,
            }
        }
        Ok(())
    }
}

fn stream_of(from: &AgentId, to: &Mailbox) -> SessionId {
    let digest = Sha256::digest(format!("imported mail\n{from}\n{to}"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    SessionId::parse(&hex).expect("16 bytes are 32 hex digits")
}

fn number_of(index: usize) -> Result<Number, Error> {
    Number::try_from(index).map_err(|_| Error::Usage("a key has too many values".into()))
}

/// Somebody else wrote to it while the import was at it.
fn moved(what: &str) -> Error {
    Error::Face {
        kind: Kind::Held,
        message: format!("{what} was written to by somebody else during the import"),
        hint: Some(
            "run the same import again: what it has written already is unchanged then".into(),
        ),
    }
}
