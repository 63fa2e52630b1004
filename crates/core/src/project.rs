//! The one handle that a face holds: a project in a store, seen by one session.

mod document;
mod moved;

pub use document::ProjectDocument;
pub use moved::{CameFrom, Destination, Elsewhere, Moved, ReplicaState};

use crate::error::Error;
use crate::key::Key;
use crate::session::Session;
use crate::session::act::Committed;
use crate::session::state::Purpose;

/// Who started a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    Made,
    WasThere,
}

/// A project, as one session sees it.
#[derive(Debug)]
pub struct Project {
    session: Session,
}

impl Project {
    pub fn new(session: Session) -> Project {
        Project { session }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Starts the project, unless somebody has.
    pub async fn start(&self, document: ProjectDocument) -> Result<Started, Error> {
        let what = format!("the start of project {}", self.session.layout().project());
        let committed =
            self.session.commit(&Key::Project, document, Purpose::Other, &what, |_| {}).await?;
        Ok(match committed {
            Committed::Won(_) => Started::Made,
            Committed::Lost(_) => Started::WasThere,
        })
    }

    /// The project's own document; an error when nobody has started it.
    pub async fn document(&self) -> Result<ProjectDocument, Error> {
        let session = &self.session;
        match session.read::<ProjectDocument>(&Key::Project).await? {
            Some(found) => Ok(found.record.body),
            None => Err(Error::NotSetUp(format!(
                "there is no project {} in {}",
                session.layout().project(),
                session.store().place()
            ))),
        }
    }

    pub fn tasks(&self) -> crate::task::Tasks<'_> {
        crate::task::Tasks::new(&self.session)
    }

    pub fn mail(&self) -> crate::mail::Mail<'_> {
        crate::mail::Mail::new(&self.session)
    }

    pub fn memory(&self) -> crate::memory::Memory<'_> {
        crate::memory::Memory::new(&self.session)
    }

    pub fn artifacts(&self) -> crate::artifact::Artifacts<'_> {
        crate::artifact::Artifacts::new(&self.session)
    }

    pub fn board(&self) -> crate::board::Board<'_> {
        crate::board::Board::new(&self.session)
    }

    pub fn prime(&self) -> crate::prime::Primer<'_> {
        crate::prime::Primer::new(&self.session)
    }

    pub fn files(&self) -> crate::files::Files<'_> {
        crate::files::Files::new(&self.session)
    }

    pub fn barriers(&self) -> crate::barrier::Barriers<'_> {
        crate::barrier::Barriers::new(&self.session)
    }

    pub fn reclaim(&self) -> crate::reclaim::Reclaim<'_> {
        crate::reclaim::Reclaim::new(&self.session)
    }

    pub fn agents(&self) -> crate::roster::Roster<'_> {
        crate::roster::Roster::new(&self.session)
    }

    pub fn history(&self) -> crate::history::History<'_> {
        crate::history::History::new(&self.session)
    }

    pub fn replay(&self) -> crate::replay::Replays<'_> {
        crate::replay::Replays::new(&self.session)
    }

    pub fn doctor(&self) -> crate::doctor::Doctor<'_> {
        crate::doctor::Doctor::new(&self.session)
    }

    pub fn transfer(&self) -> crate::transfer::Transfer<'_> {
        crate::transfer::Transfer::new(&self.session)
    }

    /// Mirrored sessions of other programs, as they are stored.
    pub fn sessions(&self) -> crate::mirror::Sessions<'_> {
        crate::mirror::Sessions::new(&self.session)
    }

    pub fn mover(&self) -> crate::house::Mover<'_> {
        crate::house::Mover::new(&self.session)
    }

    pub fn replica(&self) -> crate::house::Replica<'_> {
        crate::house::Replica::new(&self.session)
    }

    pub fn linking(&self) -> crate::linking::Linking<'_> {
        crate::linking::Linking::new(&self.session)
    }

    pub fn readback(&self) -> crate::readback::Readback<'_> {
        crate::readback::Readback::new(&self.session)
    }

    pub fn status(&self) -> crate::status::Status<'_> {
        crate::status::Status::new(&self.session)
    }
}
