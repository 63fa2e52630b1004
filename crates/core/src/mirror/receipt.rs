//! What a mirror says of its work: only what it has seen done.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::error::Error;
use crate::transcript::redact::{Counts, Span};
use crate::transcript::trouble::Trouble;

/// One round over all sessions.
#[derive(Debug, Default, Serialize)]
pub struct Round {
    pub sessions: Vec<SessionReceipt>,
    /// What was in the way of finding sessions.
    pub trouble: Vec<Trouble>,
    /// Why the round ended before all sessions were seen.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_words")]
    pub stopped: Option<Error>,
}

#[derive(Debug, Serialize)]
pub struct SessionReceipt {
    pub harness: String,
    pub id: String,
    pub title: Option<String>,
    pub sources: Vec<SourceReceipt>,
}

/// What became of one source.
#[derive(Debug, Default, Serialize)]
pub struct SourceReceipt {
    pub source: String,
    /// Parts, and records in them, that are in the store by this round.
    pub parts: u64,
    pub records: u64,
    /// Of these records as they were, and as they are stored.
    pub bytes: u64,
    pub stored_bytes: u64,
    pub redactions: Counts,
    /// Bytes of rows that were left out because they were asked to be.
    pub left_out_bytes: u64,
    /// Bytes of an unfinished line at the end.
    pub held_back_bytes: u64,
    /// Bytes that wait because they are too few.
    pub waiting_bytes: u64,
    /// The source was truncated or rewritten: only so many of the earlier records still hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<u64>,
    /// Another mirror was faster, so many times.
    pub lost: u64,
    /// Why it could not be read, or only in part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// Of a dry run: what would be taken out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Found>,
}

/// A place where something would be taken out; never what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    pub rule: String,
    pub preview: String,
    pub mark: String,
}

/// All rounds of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    pub sessions: usize,
    pub parts: u64,
    pub records: u64,
    pub bytes: u64,
    pub stored_bytes: u64,
    pub redactions: BTreeMap<String, u64>,
    pub left_out_bytes: u64,
    pub held_back_bytes: u64,
    pub waiting_bytes: u64,
    /// Sources that could not be read, or only in part.
    pub troubled: usize,
}

impl Round {
    pub fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for session in &self.sessions {
            sum.sessions += 1;
            for source in &session.sources {
                sum.parts += source.parts;
                sum.records += source.records;
                sum.bytes += source.bytes;
                sum.stored_bytes += source.stored_bytes;
                sum.left_out_bytes += source.left_out_bytes;
                sum.held_back_bytes += source.held_back_bytes;
                sum.waiting_bytes += source.waiting_bytes;
                sum.troubled +=
                    usize::from(source.trouble.as_ref().is_some_and(Trouble::is_in_the_way));
                for (rule, count) in source.redactions.iter() {
                    *sum.redactions.entry(rule.to_owned()).or_default() += count;
                }
            }
        }
        sum
    }
}

impl Sum {
    /// Takes a later round of the same run in: what was done adds up, what waits is the newest.
    pub fn then(&mut self, later: &Sum) {
        self.sessions = self.sessions.max(later.sessions);
        self.parts += later.parts;
        self.records += later.records;
        self.bytes += later.bytes;
        self.stored_bytes += later.stored_bytes;
        self.left_out_bytes += later.left_out_bytes;
        for (rule, count) in &later.redactions {
            *self.redactions.entry(rule.clone()).or_default() += count;
        }
        self.held_back_bytes = later.held_back_bytes;
        self.waiting_bytes = later.waiting_bytes;
        self.troubled = later.troubled;
    }
}

impl From<&Span> for Found {
    fn from(span: &Span) -> Found {
        let (rule, preview) = (span.rule.clone(), span.preview.clone());
        Found { rule, preview, mark: span.mark.clone() }
    }
}

fn in_words<S: Serializer>(error: &Option<Error>, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&error.as_ref().map(ToString::to_string).unwrap_or_default())
}
