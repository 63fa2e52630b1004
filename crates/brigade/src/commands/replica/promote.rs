//! A project that is lost goes on from its copy.

use std::sync::Arc;

use brigade_core::codec;
use brigade_core::error::{Error, Kind};
use brigade_core::house::{Errand, Relocated, Way};
use brigade_core::id::ProjectName;
use brigade_core::key::{Key, Layout};
use brigade_core::project::Destination;
use brigade_core::store::address::Address;
use brigade_core::store::open::{self, Credentials, Place};
use brigade_core::store::{Folder, List, Store};
use brigade_core::text::counted;
use serde::Serialize;

use super::super::{house, init};
use super::{Wanted, credentials, no_copy};
use crate::config::{self, Config};
use crate::context::{Context, Site};
use crate::place;
use crate::report::Plain;

/// The project is lost: its copy becomes a new one, in this folder. The copy itself stays what it is, so
/// that nothing which the old project may still send there is ever taken for work on the new one.
pub async fn promote(ctx: &mut Context, wanted: Option<Wanted>) -> Result<(), Error> {
    let (from, credentials) = source(ctx, wanted)?;
    let store = open::open(&from, &credentials, ctx.world.clone())?;
    let project = which(ctx, &from, &store).await?;
    ctx.globals.project = Some(project.clone());
    refuse_while_here(ctx).await?;
    let site = match ctx.site() {
        Ok(site) => site,
        Err(error) if error.kind() == Kind::NotSetUp => init::bare(ctx, &project)?,
        Err(error) => return Err(error),
    };
    let folder = site.folder.clone().ok_or_else(no_copy)?;
    let home = Place::new(house::home(&site)?);
    open::create_place(&home, &Credentials::default(), ctx.world.clone()).await?;
    let to = open::open(&home, &Credentials::default(), ctx.world.clone())?;
    let copy = Site { place: from.clone(), ..site.clone() };
    let identity = ctx.identity(&site)?;
    let errand = Errand {
        way: Way::Copy,
        to,
        destination: Destination::of(&home),
        dry_run: false,
        accept_racy_store: false,
        progress: &|_| {},
    };
    let relocated = ctx.looker(&copy, &identity, store)?.mover().run(&errand).await?;
    config::trust(&ctx.env, &home)?;
    let is_own = home.address == Address::Dir(folder.clone());
    Config {
        project: Some(project),
        store: (!is_own).then(|| home.address.to_string()),
        endpoint: None,
        region: None,
        account: None,
        replica: None,
        ..Config::read(&folder)?
    }
    .write(&folder)?;
    ctx.report.answer(&Promoted { from: config::place_name(&from), relocated })
}

fn source(ctx: &Context, wanted: Option<Wanted>) -> Result<(Place, Credentials), Error> {
    let Some(wanted) = wanted else {
        let folder = place::find(&ctx.env).ok_or_else(no_copy)?;
        let named = Config::read(&folder)?.replica_place(&folder)?.ok_or_else(no_copy)?;
        let credentials = ctx.credentials(&named)?;
        return Ok((named, credentials));
    };
    let address: Address =
        wanted.to.parse().map_err(|error| Error::Usage(format!("{:.100}: {error}", wanted.to)))?;
    let address = match address {
        Address::Dir(path) => Address::Dir(ctx.env.cwd.join(path)),
        bucket @ Address::Bucket { .. } => bucket,
    };
    let (endpoint, region) = (wanted.endpoint.clone(), wanted.region.clone());
    let place = Place { endpoint, region, ..Place::new(address) }.or_from_lookup(&ctx.env.lookup());
    let credentials = credentials(ctx, &place, &wanted)?;
    Ok((place, credentials))
}

/// The project that was named, or the only one that has a copy there.
async fn which(ctx: &Context, from: &Place, store: &Arc<dyn Store>) -> Result<ProjectName, Error> {
    let configured = place::find(&ctx.env).map(|folder| Config::read(&folder)).transpose()?;
    let named = ctx.globals.project.clone().or(configured.and_then(|config| config.project));
    let mut found = Vec::new();
    for folder in store.list(&List::children(Folder::root())).await?.value.folders {
        let name = codec::decode(folder.name()).and_then(|name| ProjectName::parse(&name).ok());
        let Some(name) = name else { continue };
        let path = Layout::new(name.clone()).path(&Key::Replica);
        if store.get(&path).await?.value.is_some() {
            found.push(name);
        }
    }
    match named {
        Some(named) if found.contains(&named) => Ok(named),
        None if found.len() == 1 => Ok(found.remove(0)),
        named => {
            let of = named.map(|name| format!(" of project {name}")).unwrap_or_default();
            let names: Vec<&str> = found.iter().map(ProjectName::as_str).collect();
            Err(Error::Face {
                kind: Kind::NotFound,
                message: match names.is_empty() {
                    true => format!("there is no copy{of} in {}", config::place_name(from)),
                    false => format!("name the copy{of}: there are {}", names.join(", ")),
                },
                hint: (!names.is_empty()).then(|| "with --project".into()),
            })
        }
    }
}

/// A project that is there is not lost.
async fn refuse_while_here(ctx: &Context) -> Result<(), Error> {
    let Ok(site) = ctx.site() else { return Ok(()) };
    let Ok(store) = ctx.store(&site) else { return Ok(()) };
    let path = Layout::new(site.project.clone()).path(&Key::Project);
    match store.get(&path).await {
        Ok(answer) if answer.value.is_some() => Err(Error::Face {
            kind: Kind::Held,
            message: format!("project {} is in {}, and not lost", site.project, store.place()),
            hint: Some("'brigade copy DEST' makes another one beside it".into()),
        }),
        _ => Ok(()),
    }
}

#[derive(Serialize)]
struct Promoted {
    from: String,
    #[serde(flatten)]
    relocated: Relocated,
}

impl Plain for Promoted {
    fn plain(&self) -> String {
        let Relocated { project, to, objects, .. } = &self.relocated;
        format!(
            "Project '{project}' goes on in {to}: {} out of the copy in {}, each read \
             back and equal\nThe copy stays as it is. Begin another one elsewhere with 'brigade store \
             replica ADDRESS'",
            counted(*objects, "object"),
            self.from
        )
    }
}
