//! Which kinds of things changed, by the objects that did.

use std::collections::BTreeSet;

use brigade_core::key::Key;
use brigade_core::store::ObjectPath;
use brigade_core::store::still::Look;

use super::Watch;
use super::told::News;

/// Tasks that one piece of news names; more are "tasks".
const NAMED: usize = 200;

impl Watch {
    pub(super) fn news_of(&self, look: &Look) -> News {
        let (mut rooms, mut tasks) = (BTreeSet::new(), BTreeSet::new());
        for path in look.changed.iter().chain(&look.gone) {
            let (room, task) = self.room_of(path);
            rooms.insert(room);
            tasks.extend(task);
        }
        if tasks.len() > NAMED {
            tasks.clear();
        }
        News { revision: 0, rooms, tasks, trouble: None }
    }

    fn room_of(&self, path: &ObjectPath) -> (&'static str, Option<String>) {
        match self.layout.parse(path) {
            Some(Key::Step { task, .. }) => ("tasks", Some(task.to_string())),
            Some(Key::Comment { task, .. }) => ("comments", Some(task.to_string())),
            Some(Key::Hello { .. } | Key::Beat { .. } | Key::Name { .. }) => ("agents", None),
            Some(Key::File { .. }) => ("files", None),
            Some(Key::Memory { .. }) => ("memory", None),
            Some(Key::Message { .. } | Key::Ack { .. } | Key::Cursor { .. }) => ("mail", None),
            Some(Key::Artifact { .. } | Key::ArtifactBody { .. }) => ("artifacts", None),
            Some(Key::Event { .. }) => ("events", None),
            _ => ("other", None),
        }
    }
}
