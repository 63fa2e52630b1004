//! What a session is called that its harness gave no title: by the first words that its user said.

use serde_json::Value;

use crate::text::one_line;
use crate::transcript::reader::Part;
use crate::transcript::registry;
use crate::transcript::turn::Body;

/// How far into a session its user is looked for.
const RECORDS: usize = 200;
const LETTERS: usize = 80;

/// The first words of the user in records that are to be stored: without secrets therefore.
pub(super) fn first_words(harness: &str, records: &[(Part, Vec<u8>)]) -> Option<String> {
    let adapter = registry::named(harness)?;
    let rows = records.iter().take(RECORDS).filter_map(|(part, bytes)| match part {
        Part::Whole => serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object),
        _ => None,
    });
    rows.flat_map(|row| adapter.parse(&row)).find_map(|turn| match &turn.body {
        Body::User { text } => title(text),
        _ => None,
    })
}

/// `None` for what a harness says in the user's name, which it puts between tags.
fn title(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    (!line.starts_with('<')).then(|| one_line(line, LETTERS))
}
