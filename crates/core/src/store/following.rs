//! A store that goes on in another place from some moment on: that of a project that has moved.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Answer, Body, Folder, If, List, Listed, Object, ObjectPath, Page, Put, Store, StoreError,
};
use crate::clock::Clock;

/// Where the requests go. A project that moves more than once makes a chain of these.
#[derive(Debug)]
pub struct Following {
    first: Arc<dyn Store>,
    next: OnceLock<Arc<Following>>,
    /// Something was sent that changes the store.
    has_written: AtomicBool,
}

impl Following {
    pub fn new(first: Arc<dyn Store>) -> Arc<Following> {
        Arc::new(Following { first, next: OnceLock::new(), has_written: AtomicBool::new(false) })
    }

    /// From here on requests go there. Of two that lead away from one place the first counts.
    pub fn go_to(&self, store: Arc<dyn Store>) {
        match self.next.get() {
            Some(next) => next.go_to(store),
            None => drop(self.next.set(Following::new(store))),
        }
    }

    /// Whether anything was sent that changes the store, here or where it goes on.
    pub fn has_written(&self) -> bool {
        self.has_written.load(Ordering::Relaxed)
    }

    fn writes(&self) -> &dyn Store {
        self.has_written.store(true, Ordering::Relaxed);
        self.now()
    }

    fn now(&self) -> &dyn Store {
        self.next.get().map_or(&*self.first, |next| next.now())
    }
}

#[async_trait]
impl Store for Following {
    async fn get(&self, path: &ObjectPath) -> Result<Answer<Option<Object>>, StoreError> {
        self.now().get(path).await
    }

    async fn get_listed(&self, row: &Listed) -> Result<Answer<Option<Object>>, StoreError> {
        self.now().get_listed(row).await
    }

    async fn put(
        &self,
        path: &ObjectPath,
        body: Bytes,
        condition: If,
    ) -> Result<Answer<Put>, StoreError> {
        self.writes().put(path, body, condition).await
    }

    async fn put_many(
        &self,
        objects: Vec<(ObjectPath, Bytes)>,
    ) -> Vec<Result<Answer<Put>, StoreError>> {
        self.writes().put_many(objects).await
    }

    async fn list(&self, ask: &List) -> Result<Answer<Page>, StoreError> {
        self.now().list(ask).await
    }

    async fn delete(&self, path: &ObjectPath) -> Result<Answer<()>, StoreError> {
        self.writes().delete(path).await
    }

    async fn put_body(&self, path: &ObjectPath, body: Body) -> Result<Answer<u64>, StoreError> {
        self.writes().put_body(path, body).await
    }

    async fn get_body(&self, path: &ObjectPath) -> Result<Answer<Option<Body>>, StoreError> {
        self.now().get_body(path).await
    }

    async fn secure(&self, path: &ObjectPath) -> Result<(), StoreError> {
        self.now().secure(path).await
    }

    async fn secure_many(&self, paths: &[ObjectPath]) -> Result<(), StoreError> {
        self.now().secure_many(paths).await
    }

    async fn wait(&self, folder: &Folder, pause: Duration, clock: &dyn Clock) {
        self.now().wait(folder, pause, clock).await;
    }

    fn place(&self) -> String {
        self.now().place()
    }

    fn root(&self) -> Option<&Path> {
        self.now().root()
    }
}
