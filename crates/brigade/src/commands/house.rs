//! `copy` and `move`: the project goes to another place.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use brigade_core::codec;
use brigade_core::error::{Error, Kind};
use brigade_core::house::{Errand, Progress, Relocated, Stage, Way};
use brigade_core::project::Destination;
use brigade_core::store::address::Address;
use brigade_core::store::open::{self, Credentials, Place};
use brigade_core::text::counted;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::args;
use crate::config::{self, Keys};
use crate::context::{Context, Site};
use crate::follow;
use crate::report::Plain;

/// The word for a free folder in the project's own.
const LOCAL: &str = "local";
/// How many homes are looked at for a free one.
const HOMES: u32 = 1_000;

pub async fn copy(ctx: &mut Context, args: args::Copied) -> Result<(), Error> {
    let (_, _, relocated) = relocate(ctx, Way::Copy, &args.to, &args.destination).await?;
    ctx.report.answer(&relocated)
}

pub async fn depart(ctx: &mut Context, args: args::Moved) -> Result<(), Error> {
    let Some(to) = &args.to else { return follow_others(ctx).await };
    let (site, place, relocated) = relocate(ctx, Way::Move, to, &args.destination).await?;
    if !relocated.dry_run {
        follow::adopt(ctx, &site, &place)?;
    }
    ctx.report.answer(&relocated)
}

async fn relocate(
    ctx: &mut Context,
    way: Way,
    to: &str,
    args: &args::Destination,
) -> Result<(Site, Place, Relocated), Error> {
    // It is the server of the place to go to; the project's own stands in its config.
    let endpoint = ctx.globals.endpoint.take();
    let site = ctx.site()?;
    let place = destination(ctx, &site, to, endpoint, args.region.clone())?;
    if place == site.place {
        return Err(Error::Usage("the project is there already".into()));
    }
    let credentials = match (&args.access_key, &args.secret_key) {
        (Some(access), Some(secret)) => Credentials::s3_keys(access, secret, None),
        _ => ctx.credentials(&place)?,
    };
    let identity = ctx.identity(&site)?;
    let project = ctx.open_uncached(&site, &identity)?;
    if !args.dry_run {
        open::create_place(&place, &credentials, ctx.world.clone()).await?;
        if let (Some(access_key), Some(secret_key), false) =
            (&args.access_key, &args.secret_key, args.no_save_keys)
        {
            let (access_key, secret_key) = (access_key.clone(), secret_key.clone());
            config::keep_keys(&ctx.env, &place, Keys { access_key, secret_key })?;
        }
        // Named by the user, so data may go there; whoever of theirs follows needs it, too.
        config::trust(&ctx.env, &place)?;
    }
    let store = match open::open(&place, &credentials, ctx.world.clone()) {
        Err(error) if args.dry_run && is_missing_folder(&place) => {
            let _ = error;
            Arc::new(brigade_core::store::ram::RamStore::new(ctx.world.clone()))
        }
        store => store?,
    };
    let bar = Bar::new(ctx);
    let tell = |progress: Progress| bar.show(progress);
    let errand = Errand {
        way,
        to: store,
        destination: Destination::of(&place),
        dry_run: args.dry_run,
        accept_racy_store: args.allow_racy_store,
        progress: &tell,
    };
    let relocated = project.mover().run(&errand).await;
    bar.finish();
    ctx.tell_notices(&project);
    Ok((site, place, relocated?))
}

/// A folder that a dry run does not make is as good as an empty one.
fn is_missing_folder(place: &Place) -> bool {
    matches!(&place.address, Address::Dir(path) if !path.exists())
}

async fn follow_others(ctx: &mut Context) -> Result<(), Error> {
    let site = ctx.site()?;
    let identity = ctx.identity(&site)?;
    let project = ctx.open_uncached(&site, &identity)?;
    let Some(elsewhere) = project.session().note_of_a_move().await? else {
        return ctx
            .report
            .answer(&Followed { moved: false, to: project.session().store().place() });
    };
    config::trust(&ctx.env, &follow::place_of(&elsewhere)?)?;
    follow::follow(ctx, &site, &elsewhere).await?;
    ctx.report.answer(&Followed { moved: true, to: elsewhere.note.to.to_string() })
}

pub fn destination(
    ctx: &Context,
    site: &Site,
    to: &str,
    endpoint: Option<String>,
    region: Option<String>,
) -> Result<Place, Error> {
    if to == LOCAL {
        return home(site).map(Place::new);
    }
    let address: Address =
        to.parse().map_err(|error| Error::Usage(format!("{to:.100}: {error}")))?;
    let address = match address {
        Address::Dir(path) => Address::Dir(ctx.env.cwd.join(path)),
        bucket @ Address::Bucket { .. } => bucket,
    };
    Ok(Place { endpoint, region, ..Place::new(address) }.or_from_lookup(&ctx.env.lookup()))
}

/// A folder in the project's own where it never was: the old one stays closed when it has left.
pub fn home(site: &Site) -> Result<Address, Error> {
    let Some(folder) = &site.folder else {
        return Err(Error::Face {
            kind: Kind::NotSetUp,
            message: "there is no .brigade folder here or above for it to live in".into(),
            hint: Some("name a folder: 'brigade move FOLDER'".into()),
        });
    };
    let project = codec::encode(site.project.as_str());
    let is_free = |home: &Path| {
        let in_it = home.join(&project);
        // One that a move was broken off for has no document yet, and is gone on with.
        !in_it.join("moved.json").exists() && !in_it.join("project.json").exists()
    };
    if is_free(folder) {
        return Ok(Address::Dir(folder.clone()));
    }
    let homes = (2..HOMES).map(|n| folder.join(format!("home-{n}")));
    let free = homes.into_iter().find(|home| is_free(home));
    free.map(Address::Dir).ok_or_else(|| Error::Usage("no folder is free in .brigade".into()))
}

#[derive(Serialize)]
struct Followed {
    moved: bool,
    to: String,
}

impl Plain for Followed {
    fn plain(&self) -> String {
        match self.moved {
            true => format!("From here on this project's data goes to {}", self.to),
            false => format!("The project has not moved; it is in {}", self.to),
        }
    }
}

/// On a terminal; elsewhere a word when something takes long.
struct Bar {
    bar: Option<ProgressBar>,
    told: Mutex<Option<Stage>>,
    tell: Box<dyn Fn(&str) + Sync>,
}

impl Bar {
    fn new(ctx: &Context) -> Bar {
        let style = ProgressStyle::with_template("{msg:10} {wide_bar} {pos}/{len} {eta}");
        let bar = ctx.report.progress.then(|| match style {
            Ok(style) => ProgressBar::no_length().with_style(style),
            Err(_) => ProgressBar::no_length(),
        });
        let report = ctx.report.clone();
        let tell = Box::new(move |words: &str| {
            if !report.is_json() {
                report.progress(words);
            }
        });
        Bar { bar, told: Mutex::default(), tell }
    }

    fn show(&self, Progress { stage, done, total }: Progress) {
        let word = match stage {
            Stage::Proving => "proving",
            Stage::Listing => "listing",
            Stage::Copying => "copying",
            Stage::Verifying => "verifying",
            Stage::Waiting => "waiting",
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = told.replace(stage) != Some(stage);
        match &self.bar {
            Some(bar) => {
                bar.set_message(word);
                bar.set_length(total);
                bar.set_position(done);
            }
            None if is_new && stage == Stage::Waiting => (self.tell)(&format!(
                "the old place is closed; waiting {total} s until nobody relies on it"
            )),
            None => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Plain for Relocated {
    fn plain(&self) -> String {
        let size = |bytes| indicatif::HumanBytes(bytes).to_string();
        let Relocated { project, from, to, objects, .. } = self;
        if self.was_done {
            return format!("Project '{project}' was moved to {to} before; nothing was left to do");
        }
        let (verb, would) = match self.way {
            Way::Copy => ("Copied", "Would copy"),
            Way::Move => ("Moved", "Would move"),
        };
        if self.dry_run {
            let there = match self.unchanged {
                0 => String::new(),
                some => format!("; {some} are there already"),
            };
            return format!(
                "{would} project '{project}' from {from} to {to}: {}, {}{there}",
                counted(*objects, "object"),
                size(self.bytes)
            );
        }
        let mut words = format!(
            "{verb} project '{project}' from {from} to {to}: {}, {}, each read back and equal",
            counted(*objects, "object"),
            size(self.bytes)
        );
        words += match self.way {
            Way::Copy => {
                "\nIt is a project of its own from here on; the one here goes on as before"
            }
            Way::Move => {
                "\nThe old place is closed and leads there; it can be deleted when everybody has followed"
            }
        };
        if self.claims_are_safe == Some(false) {
            words += "\nClaims are BEST EFFORT there: the store lost races, and you accepted that";
        }
        words
    }
}
