//! What Codex calls its threads: that stands in its index, not in the rollouts.

use std::collections::HashMap;
use std::path::Path;

use crate::transcript::database::Database;
use crate::transcript::files::Tree;
use crate::transcript::json;
use crate::transcript::trouble::Trouble;

/// Titles by thread. What is wrong with the index is nobody's trouble: no transcript is in it.
pub fn titles(folder: &Path) -> HashMap<String, String> {
    read(folder).unwrap_or_default()
}

fn read(folder: &Path) -> Result<HashMap<String, String>, Trouble> {
    let mut titles = HashMap::new();
    let Some(path) = newest(folder) else { return Ok(titles) };
    let database = Database::open(folder, &folder.join(path))?;
    let has_names = "SELECT count(*) FROM pragma_table_info('threads') WHERE name = 'name'";
    // A title is the thread's first words unless its user has given it a name.
    let query = match database.one(has_names, &[])? {
        Some(1) => "SELECT id, coalesce(nullif(name, ''), title) AS title FROM threads",
        _ => "SELECT id, title FROM threads",
    };
    for row in database.objects(query, &[])? {
        if let (Some(id), Some(title)) = (json::owned(&row, "id"), json::owned(&row, "title")) {
            titles.insert(id, title);
        }
    }
    database.settled()?;
    Ok(titles)
}

/// `state_5.sqlite`: the number rises with the form of the index, and older ones stay.
fn newest(folder: &Path) -> Option<String> {
    let number = |name: &str| -> Option<u32> {
        name.strip_prefix("state_")?.strip_suffix(".sqlite")?.parse().ok()
    };
    let files = Tree::new(folder).files(folder);
    let indexes = files.into_iter().filter_map(|file| Some((number(&file.name)?, file.name)));
    Some(indexes.max()?.1)
}
