//! Whether something that is gone from a project was deleted there, or lost. A copy lets go only of what
//! brigade deletes, and only where what stands for it is to be seen: a folder that was emptied by
//! accident must not empty its copy.

use std::collections::BTreeSet;

use crate::id::Mailbox;
use crate::key::transcript::Piece;
use crate::key::{Key, Layout, Room};
use crate::store::{Folder, ObjectPath};

/// `here` is all that the project lists now.
pub(super) fn was_deleted(layout: &Layout, here: &BTreeSet<ObjectPath>, gone: &ObjectPath) -> bool {
    let Some(key) = layout.parse(gone) else { return false };
    match key {
        // By its reader, who has a cursor then.
        Key::Message { to: Mailbox::Agent(agent), .. } => {
            here.contains(&layout.path(&Key::Cursor { agent }))
        }
        // Archived: the newest version stays, and a later one names the segment.
        Key::Step { task, .. } => {
            below(here, &layout.folder(&Room::StepLog(task))).any(|path| path > gone)
        }
        Key::Comment { .. } => below(here, &layout.folder(&Room::Archive)).next().is_some(),
        // Merged: a compaction covers it.
        Key::Transcript { of, piece } if !matches!(piece, Piece::Head) => {
            below(here, &layout.folder(&Room::Compactions(of))).next().is_some()
        }
        _ => false,
    }
}

fn below<'a>(
    here: &'a BTreeSet<ObjectPath>,
    folder: &'a Folder,
) -> impl Iterator<Item = &'a ObjectPath> {
    let first = folder.join("!").ok();
    let from = first.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Included);
    here.range((from, std::ops::Bound::Unbounded)).take_while(move |path| folder.contains(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProjectName;

    fn paths(all: &[&str]) -> BTreeSet<ObjectPath> {
        all.iter().map(|path| ObjectPath::parse(*path).unwrap()).collect()
    }

    #[test]
    fn only_what_something_stands_for_was_deleted() {
        let layout = Layout::new(ProjectName::parse("p").unwrap());
        let (sid, seg) = ("ab".repeat(16), format!("p/archive/{}.jsonl", "cd".repeat(16)));
        let says = |here: &[&str], gone: &str| {
            was_deleted(&layout, &paths(here), &ObjectPath::parse(gone).unwrap())
        };
        let (mail, step) =
            (format!("p/messages/bob/{sid}/00000000.json"), "p/steps/x/00000001.json");
        assert!(says(&["p/messages/bob/_cursor.json"], &mail));
        assert!(!says(&["p/messages/eve/_cursor.json"], &mail));
        assert!(says(&["p/steps/x/00000000.json", "p/steps/x/00000002.json"], step));
        // The head of a log, or all of it, does not go by itself.
        assert!(!says(&["p/steps/x/00000000.json", "p/steps/y/00000009.json"], step));
        let comment = format!("p/comments/x/{sid}/00000000.json");
        assert!(says(&[&seg], &comment) && !says(&[step], &comment));
        for never in ["p/memory/a/00000000.json", "p/project.json", "p/whatever"] {
            assert!(!says(&[&seg, step], never), "{never}");
        }
        assert!(!says(&[], &mail) && !says(&[], step) && !says(&[], &comment));
    }
}
