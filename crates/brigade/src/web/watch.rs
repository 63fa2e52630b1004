//! The one who looks at the store, for all browsers, and tells them what changed.

mod journal;
mod rooms;
mod told;
mod unread;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use brigade_core::clock::World;
use brigade_core::error::{Error, Kind};
use brigade_core::key::{Layout, Room};
use brigade_core::store::Store;
use brigade_core::store::still::{Look, Still};
use brigade_core::{Project, text};
use jiff::Timestamp;
use tokio::sync::{Notify, broadcast};

pub use told::{Health, News, Now, Trouble};

use self::journal::Journal;
use self::told::stands;
use self::unread::Unread;
use super::pace::Pace;

/// Mirrored transcripts are looked at when somebody asks for one.
const APART: &[&str] = &["sessions"];
/// News that a slow browser may be behind; one that missed more is told to read everything anew.
const NEWS: usize = 64;
/// While nothing is written, leases end all the same.
const LEASES: Duration = Duration::from_secs(15);

/// Looks, and remembers what it saw.
#[derive(Debug)]
pub struct Watch {
    still: Arc<Still>,
    project: Project,
    layout: Layout,
    world: World,
    tells: bool,
    seen: Mutex<Sight>,
    /// One look at a time; whoever waits for it has it, too.
    turn: tokio::sync::Mutex<Pace>,
    journal: tokio::sync::Mutex<Journal>,
    /// How many objects there were when the journal was read.
    read: AtomicUsize,
    news: broadcast::Sender<News>,
    viewers: AtomicUsize,
    came: Notify,
}

#[derive(Debug, Default)]
struct Sight {
    now: Option<Arc<Now>>,
    revision: u64,
    look: Look,
    looked_at: Option<Timestamp>,
    unread: Unread,
    /// When it was last tried, and how long it took, by the clock that nobody turns.
    tried: Option<Duration>,
    built: Duration,
    took: Duration,
    pause: Duration,
    trouble: Option<Trouble>,
}

/// One who is told of changes, until it goes.
#[derive(Debug)]
pub struct Viewer {
    watch: Arc<Watch>,
    pub news: broadcast::Receiver<News>,
}

impl Watch {
    /// `open` makes a project of a store: the one it is given cannot be written to.
    pub fn new(
        store: Arc<dyn Store>,
        layout: Layout,
        world: World,
        open: impl FnOnce(Arc<dyn Store>) -> Result<Project, Error>,
    ) -> Result<Watch, Error> {
        let tells = store.root().is_some();
        let still = Arc::new(Still::new(store, layout.folder(&Room::All), APART));
        let project = open(still.clone())?;
        Ok(Watch {
            still,
            project,
            layout,
            world,
            tells,
            seen: Mutex::default(),
            turn: tokio::sync::Mutex::new(Pace::new(tells)),
            journal: tokio::sync::Mutex::default(),
            read: AtomicUsize::new(0),
            news: broadcast::Sender::new(NEWS),
            viewers: AtomicUsize::new(0),
            came: Notify::new(),
        })
    }

    /// The project as it was seen last. It only reads.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Everything, not much older than this question. While the store fails: as it was seen last.
    pub async fn now(&self) -> Result<Arc<Now>, Error> {
        if self.is_old() {
            let mut pace = self.turn.lock().await;
            // Whoever waited for somebody else's look has it.
            if self.is_old() {
                self.look(&mut pace).await;
            }
        }
        self.last()
    }

    /// The same after a write of our own: what was written is in it.
    pub async fn after_write(&self) -> Result<Arc<Now>, Error> {
        let mut pace = self.turn.lock().await;
        self.look(&mut pace).await;
        drop(pace);
        self.last()
    }

    fn tell(&self, room: &'static str) {
        let revision = self.sight().revision;
        let rooms = BTreeSet::from([room]);
        let _ = self.news.send(News { revision, rooms, tasks: BTreeSet::new(), trouble: None });
    }

    pub fn trouble(&self) -> Option<Trouble> {
        self.sight().trouble.clone()
    }

    pub fn revision(&self) -> u64 {
        self.sight().revision
    }

    pub fn health(&self) -> Health {
        let sight = self.sight();
        Health {
            revision: sight.revision,
            place: self.still.place(),
            looked_at: sight.looked_at,
            objects: sight.look.objects,
            listings: sight.look.pages,
            looks: sight.look.number,
            pause_ms: u64::try_from(sight.pause.as_millis()).unwrap_or(u64::MAX),
            streams: self.viewers.load(Ordering::Relaxed),
            kept_bytes: self.still.kept_bytes(),
            trouble: sight.trouble.clone(),
        }
    }

    /// Somebody wants to be told of changes.
    pub fn attend(self: &Arc<Watch>) -> Viewer {
        self.viewers.fetch_add(1, Ordering::Relaxed);
        self.came.notify_one();
        Viewer { watch: self.clone(), news: self.news.subscribe() }
    }

    /// Looks for as long as somebody watches, and rests while nobody does. It never ends.
    pub async fn keep_looking(&self) {
        let clock = self.world.clock.clone();
        loop {
            while self.viewers.load(Ordering::Relaxed) == 0 {
                self.came.notified().await;
            }
            let mut pace = self.turn.lock().await;
            let pause = self.look(&mut pace).await;
            let breath = pace.breath(self.sight().took);
            drop(pace);
            clock.sleep(breath).await;
            // A lease that ends is no change in the store.
            self.still.rest(pause.min(if self.tells { LEASES } else { pause }), &*clock).await;
        }
    }

    /// One look; what changed is told. Returns the pause before the next one.
    async fn look(&self, pace: &mut Pace) -> Duration {
        let started = self.world.clock.since_boot();
        let looked = self.still.look().await;
        let outcome = match looked {
            Ok(look) => {
                self.sight().unread.note(&look);
                self.build(look, started).await
            }
            Err(error) => Err(error.into()),
        };
        let took = self.world.clock.since_boot().saturating_sub(started);
        let mut sight = self.sight();
        sight.tried = Some(self.world.clock.since_boot());
        sight.took = took;
        let pause = match outcome {
            Ok(quiet) => pace.after(quiet, took, sight.look.pages),
            Err(error) => {
                self.note_trouble(&mut sight, &error);
                pace.after_failure()
            }
        };
        sight.pause = pause;
        pause
    }

    /// Puts together what is shown, where something changed or a lease may have ended.
    async fn build(&self, look: Look, started: Duration) -> Result<bool, Error> {
        let (quiet, had_trouble) = (look.is_quiet(), self.sight().trouble.is_some());
        let is_due = {
            let sight = self.sight();
            sight.now.is_none() || started.saturating_sub(sight.built) >= LEASES
        };
        if quiet && !is_due && !had_trouble {
            let mut sight = self.sight();
            sight.looked_at = Some(self.world.clock.now());
            sight.look = look;
            return Ok(true);
        }
        let snapshot = self.project.status().snapshot().await?;
        let board = self.project.tasks().board().await?;
        let mut news = self.news_of(&look);
        if had_trouble {
            // What a look found whose rest failed was never told.
            news.rooms.insert("all");
        }
        let mut sight = self.sight();
        if let Some(before) = &sight.now
            && stands(&before.snapshot) != stands(&snapshot)
        {
            news.rooms.insert("agents");
        }
        let is_news = sight.now.is_none() || !news.rooms.is_empty();
        sight.revision += u64::from(is_news);
        news.revision = sight.revision;
        let revision = sight.revision;
        sight.now = Some(Arc::new(Now { revision, snapshot, board }));
        sight.looked_at = Some(self.world.clock.now());
        sight.built = started;
        sight.look = look;
        sight.trouble = None;
        if is_news {
            // An error only says that nobody listens.
            let _ = self.news.send(news);
        }
        Ok(quiet)
    }

    fn note_trouble(&self, sight: &mut Sight, error: &Error) {
        let message = text::one_line(&error.to_string(), 500);
        let is_new = sight.trouble.as_ref().is_none_or(|trouble| trouble.message != message);
        let since = sight.trouble.as_ref().map(|trouble| trouble.since);
        sight.trouble = Some(Trouble {
            message: message.clone(),
            hint: error.hint(),
            since: since.unwrap_or_else(|| self.world.clock.now()),
            kind: error.kind(),
        });
        if is_new {
            let rooms = BTreeSet::from(["store"]);
            let (revision, tasks) = (sight.revision, BTreeSet::new());
            let _ = self.news.send(News { revision, rooms, tasks, trouble: Some(message) });
        }
    }

    fn is_old(&self) -> bool {
        let sight = self.sight();
        let now = self.world.clock.since_boot();
        let fresh = Pace::new(self.tells).fresh(sight.took);
        sight.tried.is_none_or(|tried| now.saturating_sub(tried) > fresh)
    }

    fn last(&self) -> Result<Arc<Now>, Error> {
        let sight = self.sight();
        match (&sight.now, &sight.trouble) {
            (Some(now), _) => Ok(now.clone()),
            (None, trouble) => Err(Error::Face {
                kind: trouble.as_ref().map_or(Kind::Store, |trouble| trouble.kind),
                message: trouble
                    .as_ref()
                    .map_or("nothing was seen yet".into(), |it| it.message.clone()),
                hint: trouble.as_ref().and_then(|trouble| trouble.hint.clone()),
            }),
        }
    }

    fn sight(&self) -> std::sync::MutexGuard<'_, Sight> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.watch.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}
