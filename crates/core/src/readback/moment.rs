//! Where a session stood at a moment, found without reading all that was said before it.

use jiff::Timestamp;

use super::told::Told;
use crate::error::Error;
use crate::key::Number;
use crate::mirror::{SourceRow, StoredRecord};
use crate::transcript::reader::Part;

/// A part whose first records bear no time is passed over after so many.
const PEEK: usize = 200;

impl Told<'_> {
    /// The part in which a source stood at that moment, and how many of its records are not later.
    /// A source is taken to be in the order of its times; about eight parts of a hundred are opened.
    pub async fn place_at(
        &self,
        source: &SourceRow,
        moment: Timestamp,
    ) -> Result<(Number, u64), Error> {
        let (mut low, mut high) = (0, Number::try_from(source.parts).unwrap_or(Number::MAX));
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            match self.begins(source, middle).await? {
                Some(begins) if begins <= moment => low = middle,
                _ => high = middle,
            }
        }
        let mut records = self.opened.records_from(&source.key, low);
        let (mut seen, mut before) = (0, 0);
        while let Some(record) = records.next().await? {
            if record.n != low {
                break;
            }
            seen += 1;
            match self.time(&record) {
                Some(at) if at > moment => break,
                Some(_) => before = seen,
                None => {}
            }
        }
        Ok((low, before))
    }

    /// The first time that is told in a part.
    async fn begins(&self, source: &SourceRow, part: Number) -> Result<Option<Timestamp>, Error> {
        let mut records = self.opened.records_from(&source.key, part);
        for _ in 0..PEEK {
            let Some(record) = records.next().await? else { return Ok(None) };
            if let Some(at) = self.time(&record) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn time(&self, record: &StoredRecord) -> Option<Timestamp> {
        if record.part != Part::Whole {
            return None;
        }
        let value = serde_json::from_slice(&record.bytes).ok()?;
        self.adapter().parse(&value).into_iter().find_map(|turn| turn.at)
    }
}
