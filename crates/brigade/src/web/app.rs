//! What every request is handed.

use std::sync::Arc;

use brigade_core::Project;

use super::guard::Guard;
use super::pages::replay::Folded;
use super::watch::Watch;

/// One server's state; a clone is another hand on it.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

#[derive(Debug)]
pub struct Parts {
    pub watch: Arc<Watch>,
    pub guard: Guard,
    /// The run as it was folded last.
    pub folded: Folded,
    /// Who acts when a person writes; `None` where pages only read.
    pub actor: Option<Project>,
    /// Changes when the server is about to end.
    pub stop: tokio::sync::watch::Receiver<()>,
}

impl App {
    pub fn new(
        watch: Arc<Watch>,
        guard: Guard,
        actor: Option<Project>,
        stop: tokio::sync::watch::Receiver<()>,
    ) -> App {
        App(Arc::new(Parts { watch, guard, folded: Folded::default(), actor, stop }))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
