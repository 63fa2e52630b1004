//! The copy that a project's config names: what this machine knows of it, and the process that carries
//! it on behind an act. Nothing of it ever delays or fails the act.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::time::Duration;

use brigade_core::error::Error;
use brigade_core::house::Cursor;
use brigade_core::store::open::Place;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::config;
use crate::context::{self, Context, Site};

/// How long a place that failed is left alone: from here on twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);

/// How the last tries went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    pub tried_at: Option<Timestamp>,
    pub succeeded_at: Option<Timestamp>,
    /// Since it last succeeded.
    #[serde(default)]
    pub failures: u32,
    #[serde(default)]
    pub error: Option<String>,
}

/// What this machine keeps of one copy.
#[derive(Clone, Debug)]
pub struct Desk {
    folder: PathBuf,
}

impl Desk {
    pub fn of(ctx: &Context, site: &Site, place: &Place) -> Desk {
        let name = context::tag(&config::place_name(place));
        Desk { folder: ctx.project_state(site).join("replica").join(name) }
    }

    /// What was taken there. What cannot be read is made again from the copy's own listing.
    pub fn cursor(&self) -> Cursor {
        let bytes = fs::read(self.folder.join("cursor.json")).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    pub fn keep(&self, cursor: &Cursor) -> Result<(), Error> {
        self.write("cursor.json", cursor)
    }

    pub fn last(&self) -> Last {
        let bytes = fs::read(self.folder.join("last.json")).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// How a try ended. Only who holds the lock says so.
    pub fn note(&self, now: Timestamp, error: Option<&Error>) -> Result<(), Error> {
        let before = self.last();
        let last = match error {
            None => Last { tried_at: Some(now), succeeded_at: Some(now), failures: 0, error: None },
            Some(error) => Last {
                tried_at: Some(now),
                succeeded_at: before.succeeded_at,
                failures: before.failures.saturating_add(1),
                error: Some(brigade_core::text::one_line(&error.to_string(), 500)),
            },
        };
        self.write("last.json", &last)
    }

    /// The right to carry on from this machine; `None` while another process has it. It goes with the
    /// process that holds it, however that ends.
    pub fn lock(&self) -> Result<Option<File>, Error> {
        let failed = |source| Error::File { doing: "locking the copy's cursor".into(), source };
        self.make_folder()?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(self.folder.join("lock")).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Says that something was put. Whoever carries on looks for it before it ends and after.
    pub fn wish(&self) -> Result<(), Error> {
        self.make_folder()?;
        let failed = |source| Error::File { doing: "noting that a copy is behind".into(), source };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(self.folder.join("wanted")).map(drop).map_err(failed)
    }

    pub fn is_wished(&self) -> bool {
        self.folder.join("wanted").exists()
    }

    pub fn take_wish(&self) {
        // One that cannot be taken is served again, which costs a listing.
        let _ = fs::remove_file(self.folder.join("wanted"));
    }

    /// Whether the place failed so lately that it is left alone.
    fn rests(&self, now: Timestamp) -> bool {
        let last = self.last();
        let Some(tried_at) = last.tried_at.filter(|_| last.failures > 0) else { return false };
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(last.failures.min(10));
        now.duration_since(tried_at).unsigned_abs() < pause.min(LONGEST_PAUSE)
    }

    fn make_folder(&self) -> Result<(), Error> {
        let failed =
            |source| Error::File { doing: format!("making {}", self.folder.display()), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed)
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value).expect("its keys are texts");
        config::write_private(&self.folder.join(name), &text, 0o600)
    }
}

/// The copy of a folder's own project, if its config names one and the user trusts it.
pub fn trusted_place(ctx: &Context, site: &Site) -> Result<Option<Place>, Error> {
    let Some(folder) = &site.folder else { return Ok(None) };
    let Some(place) = site.config.replica_place(folder)? else { return Ok(None) };
    Ok(config::is_trusted(&ctx.env, &place)?.then_some(place))
}

/// After an act: starts the process that carries the copy on, unless one is at it that will see it.
pub fn flush_later(ctx: &Context) {
    let opened = std::mem::take(&mut *ctx.opened.lock().unwrap_or_else(PoisonError::into_inner));
    if ctx.is_elsewhere() {
        return;
    }
    let written = opened.iter().find(|(_, way)| way.has_written());
    if let Some((site, _)) = written {
        // The act is done; that its copy is late is told by 'store replica', 'status' and 'doctor'.
        let _ = start(ctx, site);
    }
}

fn start(ctx: &Context, site: &Site) -> Result<(), Error> {
    let Some(place) = trusted_place(ctx, site)? else { return Ok(()) };
    let desk = Desk::of(ctx, site, &place);
    desk.wish()?;
    if desk.rests(ctx.world.clock.now()) || desk.lock()?.is_none() {
        return Ok(());
    }
    let mut command = Command::new(&ctx.env.exe);
    command.args(["store", "replicate", "--in-background"]);
    command.args(["--project", site.project.as_str()]);
    if let Some(agent) = &ctx.globals.agent {
        command.args(["--agent", agent.as_str()]);
    }
    command
        .current_dir(&ctx.env.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A key that ends the shell's command is not meant for it.
        .process_group(0)
        .spawn()
        .map(drop)
        .map_err(|source| Error::File { doing: "starting to carry the copy on".into(), source })
}

/// What is wrong with the copy, in one line; `None` when nothing is, or when there is none.
pub fn trouble(ctx: &Context, site: &Site) -> Option<String> {
    let named = site.config.replica.as_ref().filter(|_| !ctx.is_elsewhere())?;
    let Ok(Some(place)) = trusted_place(ctx, site) else {
        return Some(format!("no copy is carried on: {named} is not trusted ('brigade trust')"));
    };
    let desk = Desk::of(ctx, site, &place);
    let last = desk.last();
    let error = last.error.filter(|_| last.failures > 0)?;
    let since = last.succeeded_at.map_or("it was never reached".into(), |at| {
        format!("the last time was {}", at.strftime("%Y-%m-%d %H:%M:%SZ"))
    });
    Some(format!("the copy in {named} is not carried on, {since}: {error}"))
}
