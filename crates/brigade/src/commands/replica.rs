//! `store replica` and `store replicate`: a copy of the project, carried on beside it.

mod promote;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use brigade_core::Project;
use brigade_core::error::{Error, Kind};
use brigade_core::house::{Flush, Flushed, Verified};
use brigade_core::key::{Layout, Room};
use brigade_core::project::Destination;
use brigade_core::store::Store;
use brigade_core::store::open::{self, Credentials, Place};

pub use self::standing::check;
use self::standing::{Standing, standing};
use super::house;
use crate::args;
use crate::config::{self, Config, Keys};
use crate::context::{Context, Site};
use crate::replica::{self, Desk};

/// In the background: so long it waits for more acts of a burst, and so long it is at it at most.
const GATHER: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// How long a command that was typed waits for the process that is at it, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// A copy that is asked for.
#[derive(Debug, Default)]
pub struct Wanted {
    pub to: String,
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub keys: Option<(String, String)>,
}

pub async fn replica(ctx: &mut Context, args: args::Replica) -> Result<(), Error> {
    let keys = args.access_key.clone().zip(args.secret_key.clone());
    let wanted = args.to.clone().map(|to| Wanted {
        to,
        endpoint: ctx.globals.endpoint.take(),
        region: args.region.clone(),
        keys,
    });
    if args.promote {
        return promote::promote(ctx, wanted).await;
    }
    let site = ctx.site()?;
    if args.off {
        let folder = own_folder(ctx, &site)?;
        Config { replica: None, ..Config::read(&folder)? }.write(&folder)?;
        let site = Site { config: Config::read(&folder)?, ..site };
        return ctx.report.answer(&standing(ctx, &site).await?);
    }
    if let Some(wanted) = wanted {
        own_folder(ctx, &site)?;
        begin(ctx, &site, &wanted).await?;
    }
    let site = ctx.site()?;
    ctx.report.answer(&standing(ctx, &site).await?)
}

/// Makes a place the copy of a folder's own project, and takes everything there.
pub async fn begin(ctx: &Context, site: &Site, wanted: &Wanted) -> Result<Place, Error> {
    let folder = site.folder.clone().ok_or_else(no_copy)?;
    let (endpoint, region) = (wanted.endpoint.clone(), wanted.region.clone());
    let place = house::destination(ctx, site, &wanted.to, endpoint, region)?;
    if place == site.place {
        return Err(Error::Usage("the project itself is there".into()));
    }
    let credentials = credentials(ctx, &place, wanted)?;
    open::create_place(&place, &credentials, ctx.world.clone()).await?;
    keep_keys(ctx, &place, wanted)?;
    // Named by the user, so data may go there.
    config::trust(&ctx.env, &place)?;
    let desk = Desk::of(ctx, site, &place);
    let _lock = wait_for(ctx, &desk).await?;
    carry(ctx, site, &place, &desk, true).await?;
    Config { replica: Some(Destination::of(&place)), ..Config::read(&folder)? }.write(&folder)?;
    Ok(place)
}

pub async fn replicate(ctx: &mut Context, args: args::Replicate) -> Result<(), Error> {
    let site = ctx.site()?;
    let folder = own_folder(ctx, &site)?;
    let Some(place) = replica::trusted_place(ctx, &site)? else {
        return Err(match site.config.replica_place(&folder)? {
            Some(place) => config::untrusted(&place, &folder.join("config.toml")),
            None => no_copy(),
        });
    };
    let desk = Desk::of(ctx, &site, &place);
    if args.in_background {
        return in_background(ctx, &site, &place, &desk).await;
    }
    if args.follow {
        return follow(ctx, &site, &place, &desk, args.interval).await;
    }
    let lock = wait_for(ctx, &desk).await?;
    desk.take_wish();
    let flushed = carry(ctx, &site, &place, &desk, true).await?;
    let verified = match args.verify {
        true => Some(verify(ctx, &site, &place, &desk).await?),
        false => None,
    };
    drop(lock);
    let differs = verified.as_ref().is_some_and(|verified| !verified.differing.is_empty());
    let standing = standing(ctx, &site).await?;
    ctx.report.answer(&Standing { flushed: Some(flushed), verified, ..standing })?;
    if differs {
        return Err(Error::Face {
            kind: Kind::Data,
            message: "the copy holds objects that are not what the project has".into(),
            hint: Some("somebody else has written to it: begin another copy elsewhere".into()),
        });
    }
    Ok(())
}

/// Serves every wish that is there, and ends. Who finds another process at it leaves it to that one,
/// which looks for wishes once more when it has let go.
async fn in_background(
    ctx: &Context,
    site: &Site,
    place: &Place,
    desk: &Desk,
) -> Result<(), Error> {
    let clock = &ctx.world.clock;
    let started = clock.since_boot();
    while desk.is_wished() && clock.since_boot().saturating_sub(started) < LONGEST {
        let Some(lock) = desk.lock()? else { return Ok(()) };
        while desk.is_wished() && clock.since_boot().saturating_sub(started) < LONGEST {
            clock.sleep(GATHER).await;
            desk.take_wish();
            if let Err(error) = carry(ctx, site, place, desk, false).await {
                desk.wish()?;
                return Err(error);
            }
        }
        drop(lock);
    }
    Ok(())
}

/// Until the user ends it. What fails is told once, and tried again.
async fn follow(
    ctx: &Context,
    site: &Site,
    place: &Place,
    desk: &Desk,
    interval: Duration,
) -> Result<(), Error> {
    let store = ctx.store(site)?;
    let under = Layout::new(site.project.clone()).folder(&Room::All);
    let mut told: Option<String> = None;
    ctx.report.progress(&format!("carrying the copy on in {}", config::place_name(place)));
    loop {
        if let Some(lock) = desk.lock()? {
            desk.take_wish();
            match carry(ctx, site, place, desk, false).await {
                Ok(_) => told = None,
                Err(error @ Error::Moved(_)) => return Err(error),
                Err(error) => {
                    let words = error.to_string();
                    if told.as_ref() != Some(&words) {
                        ctx.report.warning(&words);
                    }
                    told = Some(words);
                }
            }
            drop(lock);
        }
        tokio::select! {
            () = store.wait(&under, interval, &*ctx.world.clock) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// One flush by who holds the lock; how it ended is noted.
async fn carry(
    ctx: &Context,
    site: &Site,
    place: &Place,
    desk: &Desk,
    look: bool,
) -> Result<Flushed, Error> {
    let outcome = try_to_carry(ctx, site, place, desk, look).await;
    desk.note(ctx.world.clock.now(), outcome.as_ref().err())?;
    outcome
}

async fn try_to_carry(
    ctx: &Context,
    site: &Site,
    place: &Place,
    desk: &Desk,
    look: bool,
) -> Result<Flushed, Error> {
    let (project, to) = both(ctx, site, place)?;
    let clock = &ctx.world.clock;
    let started = clock.since_boot();
    let is_over = || !look && clock.since_boot().saturating_sub(started) > LONGEST;
    let flush = Flush {
        to,
        truth: Destination::of(&site.place),
        look,
        is_over: &is_over,
        save: &|cursor| desk.keep(cursor),
    };
    let mut cursor = desk.cursor();
    project.replica().flush(&mut cursor, &flush).await
}

async fn verify(ctx: &Context, site: &Site, place: &Place, desk: &Desk) -> Result<Verified, Error> {
    let (project, to) = both(ctx, site, place)?;
    let mut cursor = desk.cursor();
    let verified = project.replica().verify(&mut cursor, &to).await?;
    desk.keep(&cursor)?;
    Ok(verified)
}

/// The project, past all that this machine keeps of it, and the place of its copy.
fn both(ctx: &Context, site: &Site, place: &Place) -> Result<(Project, Arc<dyn Store>), Error> {
    let world = || ctx.world.clone();
    let identity = ctx.identity(site)?;
    let here = open::open(&site.place, &ctx.credentials(&site.place)?, world())?;
    let to = open::open(place, &ctx.credentials(place)?, world())?;
    Ok((ctx.looker(site, &identity, here)?, to))
}

async fn wait_for(ctx: &Context, desk: &Desk) -> Result<std::fs::File, Error> {
    let clock = &ctx.world.clock;
    let started = clock.since_boot();
    loop {
        if let Some(lock) = desk.lock()? {
            return Ok(lock);
        }
        if clock.since_boot().saturating_sub(started) > PATIENCE {
            return Err(Error::TimedOut("another process is carrying the copy on".into()));
        }
        clock.sleep(PAUSE).await;
    }
}

fn credentials(ctx: &Context, place: &Place, wanted: &Wanted) -> Result<Credentials, Error> {
    match &wanted.keys {
        Some((access, secret)) => Ok(Credentials::s3_keys(access, secret, None)),
        None => ctx.credentials(place),
    }
}

/// The process in the background needs them again.
fn keep_keys(ctx: &Context, place: &Place, wanted: &Wanted) -> Result<(), Error> {
    let Some((access_key, secret_key)) = wanted.keys.clone() else { return Ok(()) };
    config::keep_keys(&ctx.env, place, Keys { access_key, secret_key }).map(drop)
}

/// The folder whose config says where the copy is.
fn own_folder(ctx: &Context, site: &Site) -> Result<std::path::PathBuf, Error> {
    match &site.folder {
        Some(folder) if !ctx.is_elsewhere() => Ok(folder.clone()),
        _ => Err(Error::Usage(
            "a copy belongs to the project of a .brigade folder, and not to one named by --store"
                .into(),
        )),
    }
}

fn no_copy() -> Error {
    Error::Face {
        kind: Kind::NotFound,
        message: "no copy of this project is carried on".into(),
        hint: Some("begin one with 'brigade store replica ADDRESS'".into()),
    }
}
