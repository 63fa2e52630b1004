//! Any store, with copies on this machine of objects that are never written again.
//!
//! Only `get_listed` looks at a copy, and only at one of the size and time that the store has just
//! listed. Everything else, and so everything contested, asks the store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Answer, Body, Folder, If, List, Listed, Object, ObjectPath, Page, Put, Store, StoreError,
};
use crate::cache::{Drawer, Packs};
use crate::clock::{Clock, World};

/// In a folder an object is read again in less time than a file takes to be written.
const WORTH_LOCALLY: usize = 64;

#[derive(Debug)]
pub struct Cached {
    inner: Arc<dyn Store>,
    packs: Packs,
}

impl Cached {
    pub fn new(inner: Arc<dyn Store>, drawer: Drawer, world: &World) -> Cached {
        let worth = if inner.root().is_some() { WORTH_LOCALLY } else { 1 };
        Cached { inner, packs: Packs::new(drawer, world.entropy.clone(), worth) }
    }
}

#[async_trait]
impl Store for Cached {
    async fn get(&self, path: &ObjectPath) -> Result<Answer<Option<Object>>, StoreError> {
        self.inner.get(path).await
    }

    async fn get_listed(&self, row: &Listed) -> Result<Answer<Option<Object>>, StoreError> {
        if let Some(object) = self.packs.find(row) {
            return Ok(Answer::new(Some(object), None));
        }
        let answer = self.inner.get_listed(row).await?;
        self.packs.add(row, &answer);
        Ok(answer)
    }

    async fn put(
        &self,
        path: &ObjectPath,
        body: Bytes,
        condition: If,
    ) -> Result<Answer<Put>, StoreError> {
        self.inner.put(path, body, condition).await
    }

    async fn put_many(
        &self,
        objects: Vec<(ObjectPath, Bytes)>,
    ) -> Vec<Result<Answer<Put>, StoreError>> {
        self.inner.put_many(objects).await
    }

    async fn list(&self, ask: &List) -> Result<Answer<Page>, StoreError> {
        self.inner.list(ask).await
    }

    async fn delete(&self, path: &ObjectPath) -> Result<Answer<()>, StoreError> {
        self.inner.delete(path).await
    }

    async fn put_body(&self, path: &ObjectPath, body: Body) -> Result<Answer<u64>, StoreError> {
        self.inner.put_body(path, body).await
    }

    async fn get_body(&self, path: &ObjectPath) -> Result<Answer<Option<Body>>, StoreError> {
        self.inner.get_body(path).await
    }

    async fn secure(&self, path: &ObjectPath) -> Result<(), StoreError> {
        self.inner.secure(path).await
    }

    async fn secure_many(&self, paths: &[ObjectPath]) -> Result<(), StoreError> {
        self.inner.secure_many(paths).await
    }

    async fn wait(&self, folder: &Folder, pause: Duration, clock: &dyn Clock) {
        self.inner.wait(folder, pause, clock).await;
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn root(&self) -> Option<&Path> {
        self.inner.root()
    }
}
