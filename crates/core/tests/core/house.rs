//! Moving house: a project goes to another store while others work, and nothing that was
//! acknowledged is lost.

mod killed;
mod model;
mod replica;
mod team;
mod whole;

use std::sync::Arc;

use brigade_core::Project;
use brigade_core::error::Error;
use brigade_core::house::{Errand, Progress, Relocated, Way};
use brigade_core::id::ProjectName;
use brigade_core::key::{Key, Layout, Room};
use brigade_core::project::Destination;
use brigade_core::store::ram::RamStore;
use brigade_core::store::{List, ObjectPath, Store};
use bytes::Bytes;

use crate::verbs_support::House;

/// A second store in the same world.
pub fn new_place(house: &House) -> Arc<dyn Store> {
    Arc::new(RamStore::new(house.world.clone()))
}

pub fn destination() -> Destination {
    destination_called("s3://new-place")
}

pub fn destination_called(store: &str) -> Destination {
    Destination { store: store.into(), endpoint: None, region: None, account: None }
}

pub async fn relocate(mover: &Project, way: Way, to: &Arc<dyn Store>) -> Result<Relocated, Error> {
    let silent = |_: Progress| {};
    let errand = Errand {
        way,
        to: to.clone(),
        destination: destination(),
        dry_run: false,
        accept_racy_store: false,
        progress: &silent,
    };
    mover.mover().run(&errand).await
}

/// What a project has in a store, but for what belongs to the place.
pub async fn objects(store: &Arc<dyn Store>) -> Vec<(ObjectPath, Bytes)> {
    let layout = Layout::new(ProjectName::parse("demo").unwrap());
    let own = [Key::Project, Key::Moved, Key::Replica].map(|key| layout.path(&key));
    let mut ask = List::all(layout.folder(&Room::All));
    let mut all = Vec::new();
    loop {
        let page = store.list(&ask).await.unwrap().value;
        for row in page.objects.into_iter().filter(|row| !own.contains(&row.path)) {
            let bytes = match store.get(&row.path).await {
                Ok(answer) => answer.value.unwrap().bytes,
                // Too large to be read whole: its size stands for it.
                Err(_) => Bytes::from(row.size.to_string()),
            };
            all.push((row.path, bytes));
        }
        match page.next {
            Some(next) => ask.token = Some(next),
            None => return all,
        }
    }
}
