//! Whether the project is still here. Its old place is closed with one note, `moved.json`, and
//! nothing counts that was put there after it.
//!
//! Whoever moves a project copies what is there after the note is. So a write counts when its writer
//! has seen, *after* it was answered, that the note is not there. In a folder each writer looks. In a
//! bucket that would cost a request for each write, so a look holds for a while there, counted from
//! before it was sent to after the write was answered, and whoever moves the project waits that long.

use std::sync::Arc;
use std::time::Duration;

use super::handle::Session;
use super::lease;
use super::state::View;
use super::trail::{Follower, Trail};
use crate::error::Error;
use crate::key::Key;
use crate::project::{Elsewhere, Moved, ReplicaState};
use crate::store::following::Following;

/// How often a look is tried that failed: until then it is open whether a write counts.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How often one command goes after its project: one that moved so often is worth a look.
const MOVES: u32 = 8;

/// Where the project was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Whereabouts {
    Here,
    /// It had left, and this session goes on where it is now.
    Followed,
}

impl Session {
    /// Goes after the project when it has moved; without this, that is an error.
    #[must_use]
    pub fn with_follower(mut self, follower: Arc<dyn Follower>) -> Session {
        let store = Following::new(self.store.clone());
        self.store = store.clone();
        self.trail = Some(Trail { store, follower });
        self
    }

    /// The way that this session's requests go, when it follows its project.
    pub fn way(&self) -> Option<Arc<Following>> {
        self.trail.as_ref().map(|trail| trail.store.clone())
    }

    /// Sees that the project is still here, or goes after it.
    pub(crate) async fn is_still_here(&self) -> Result<Whereabouts, Error> {
        for hop in 0..MOVES {
            let elsewhere = match self.has_left().await? {
                None if hop == 0 => return Ok(Whereabouts::Here),
                None => return Ok(Whereabouts::Followed),
                Some(copy) if copy.is_replica() => return Err(Error::Replica(Box::new(copy))),
                Some(elsewhere) => elsewhere,
            };
            let Some(trail) = &self.trail else {
                return Err(Error::Moved(Box::new(elsewhere)));
            };
            trail.store.go_to(trail.follower.follow(&elsewhere).await?);
        }
        Err(Error::NotSetUp(format!("the project has moved {MOVES} times since, or in a circle")))
    }

    /// The same for who only looks: a copy will do, and says what it is.
    pub(super) async fn can_be_looked_at(&self) -> Result<(), Error> {
        let Err(error) = self.is_still_here().await else { return Ok(()) };
        let Error::Replica(copy) = error else { return Err(error) };
        let state = self.read::<ReplicaState>(&Key::Replica).await?;
        let as_of = state.map_or("begun, and not whole yet".into(), |found| {
            format!("as of {}", found.record.body.as_of.strftime("%Y-%m-%d %H:%M:%SZ"))
        });
        self.notice(format!("{}; {as_of}", copy.as_replica()));
        Ok(())
    }

    /// An error when it has left, followed or not: for what cannot go on in the middle.
    pub(crate) async fn must_be_here(&self) -> Result<(), Error> {
        match self.has_left().await? {
            Some(copy) if copy.is_replica() => Err(Error::Replica(Box::new(copy))),
            Some(elsewhere) => Err(Error::Moved(Box::new(elsewhere))),
            None => Ok(()),
        }
    }

    /// Where a look is free it is made each time. Elsewhere one that was just made will do.
    async fn has_left(&self) -> Result<Option<Elsewhere>, Error> {
        let view = self.remembered()?.and_then(|state| state.view);
        let holds = |view: &View| {
            view.place == self.store.place()
                && lease::holds_still(view, self.now(), self.world.clock.since_boot())
        };
        if self.store.root().is_none() && view.as_ref().is_some_and(holds) {
            return Ok(None);
        }
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.look_around().await {
                Err(Error::Store(error)) if !error.is_final() => {}
                seen => return seen,
            }
            self.world.clock.sleep(self.world.jitter(pause)).await;
            pause *= 2;
        }
        self.look_around().await
    }

    async fn look_around(&self) -> Result<Option<Elsewhere>, Error> {
        let (sent_at, sent_boot_ms) = (self.now(), lease::millis(self.world.clock.since_boot()));
        let place = self.store.place();
        if let Some(elsewhere) = self.closing_note().await? {
            return Ok(Some(elsewhere));
        }
        // Where a look is free it is not remembered, and who only looks leaves nothing behind.
        if self.store.root().is_none() && self.remembered()?.is_some() {
            let seen = View { place, sent_at, sent_boot_ms };
            self.update(|state| {
                let holds = |view: &View| {
                    view.place == seen.place
                        && lease::holds_still(view, self.now(), self.world.clock.since_boot())
                };
                // A sibling's, sent later, stands.
                let is_older = |view: &View| holds(view) && view.sent_boot_ms >= seen.sent_boot_ms;
                if !state.view.as_ref().is_some_and(is_older) {
                    state.view = Some(seen.clone());
                }
            })?;
        }
        Ok(None)
    }

    /// The note that the project has left this place, if it is there.
    pub async fn note_of_a_move(&self) -> Result<Option<Elsewhere>, Error> {
        Ok(self.closing_note().await?.filter(|note| !note.is_replica()))
    }

    /// The note by which this place is closed to writers: the project has left, or it is a copy.
    pub async fn closing_note(&self) -> Result<Option<Elsewhere>, Error> {
        let found = self.read::<Moved>(&Key::Moved).await?;
        Ok(found.map(|found| Elsewhere {
            project: self.layout.project().clone(),
            place: self.store.place(),
            by: found.record.agent,
            at: found.record.at,
            note: found.record.body,
        }))
    }
}
