//! `store`: where everything is, how large it is, what it costs; and `store policy`.

use std::fmt::Write;
use std::path::PathBuf;

use brigade_core::error::{Error, Kind};
use brigade_core::id::ProjectName;
use brigade_core::policy::{self, Role};
use brigade_core::store::address::{Address, Cloud};
use brigade_core::store::presets;
use brigade_core::store::prices::{self, Cost, Month, Price};
use brigade_core::text::{counted, one_line};
use brigade_core::usage::{REQUESTS, Usage};
use serde::Serialize;

use crate::args::{self, StoreVerb};
use crate::context::Context;
use crate::report::Plain;

/// Largest price file that is read.
const MAX_PRICES: u64 = 256 * 1024;

#[derive(Debug, Serialize)]
struct Out {
    project: ProjectName,
    place: String,
    /// The preset, as `init --backend` takes it; `null` for a folder and a server of one's own.
    backend: Option<&'static str>,
    conditions: Option<String>,
    credentials: Option<String>,
    /// Where a copy is carried on.
    replica: Option<String>,
    #[serde(flatten)]
    usage: Usage,
    month: Month,
    /// US dollars; `null` where no price is known.
    cost: Option<Cost>,
    price: Option<Price>,
    requests: Vec<Verb>,
}

#[derive(Debug, Serialize)]
struct Verb {
    verb: &'static str,
    requests: &'static str,
}

pub async fn store(ctx: &mut Context, args: args::Store) -> Result<(), Error> {
    match args.verb {
        None => {}
        Some(StoreVerb::Policy(wanted)) => return print_policy(ctx, &wanted),
        Some(StoreVerb::Replica(wanted)) => return super::replica::replica(ctx, wanted).await,
        Some(StoreVerb::Replicate(wanted)) => return super::replica::replicate(ctx, wanted).await,
    }
    let usage = ctx.with_project(async |project| Usage::of(project.session()).await).await?;
    // Where the project is now: it may have been followed.
    let site = ctx.site()?;
    let preset = presets::of(&site.place);
    let price = preset.map(|preset| price_of(ctx, preset.name)).transpose()?.flatten();
    let month = usage.month();
    let shown = match (&site.place.address, &site.place.endpoint) {
        (address, Some(endpoint)) => format!("{address} at {endpoint}"),
        (address, None) => address.to_string(),
    };
    ctx.report.answer(&Out {
        project: site.project.clone(),
        place: shown,
        backend: preset.map(|preset| preset.name),
        conditions: preset.map(presets::Preset::verdict),
        credentials: ctx.credentials_source(&site.place)?,
        replica: site.config.replica.as_ref().map(ToString::to_string),
        cost: price.as_ref().map(|price| price.of(month)),
        price,
        month,
        usage,
        requests: REQUESTS.iter().map(|(verb, requests)| Verb { verb, requests }).collect(),
    })
}

fn price_of(ctx: &Context, store: &str) -> Result<Option<Price>, Error> {
    let path = ctx.env.config_home().join("prices.toml");
    let mut all = match own_prices(&path)? {
        Some(own) => prices::with_own(&own).map_err(|error| Error::Face {
            kind: Kind::Data,
            message: format!("{} cannot be used: {}", path.display(), one_line(&error, 200)),
            hint: Some("mend it, or move it away to use the published prices".into()),
        })?,
        None => prices::published(),
    };
    Ok(all.remove(store))
}

fn own_prices(path: &PathBuf) -> Result<Option<String>, Error> {
    let failed = |source| Error::File { doing: format!("reading {}", path.display()), source };
    match std::fs::metadata(path) {
        Ok(seen) if seen.is_file() && seen.len() <= MAX_PRICES => {
            std::fs::read_to_string(path).map(Some).map_err(failed)
        }
        Ok(_) => Err(failed(std::io::Error::other("it is no plain file, or too large"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn print_policy(ctx: &Context, wanted: &args::Policy) -> Result<(), Error> {
    let site = ctx.site()?;
    let role = match (wanted.reader, wanted.write_once) {
        (true, _) => Role::Reader,
        (_, true) => Role::WriteOnce,
        _ => Role::Agent(ctx.identity(&site)?.agent),
    };
    let layout = brigade_core::key::Layout::new(site.project.clone());
    if role == Role::WriteOnce && site.place.endpoint.is_some() {
        ctx.report.warning(
            "this rests on a condition of AWS's (s3:if-none-match). A server that does not know it may \
             shut everybody out but the bucket's owner, as Ceph 16.2 does: try it on another bucket first",
        );
    }
    match policy::of(&site.place, &layout, &role) {
        Some(policy) => ctx.report.document(&policy),
        None => Err(Error::Face {
            kind: Kind::Usage,
            message: match &site.place.address {
                Address::Dir(_) => "a folder has no policy: its files are its owner's alone".into(),
                Address::Bucket { cloud, .. } => format!(
                    "{} is not ruled by policies of this kind",
                    match cloud {
                        Cloud::Azure => "Azure Blob Storage",
                        _ => "Google Cloud Storage",
                    }
                ),
            },
            hint: Some("docs/security.md says what to set there".into()),
        }),
    }
}

impl Plain for Out {
    fn plain(&self) -> String {
        let size = |bytes| indicatif::HumanBytes(bytes).to_string();
        let mut out = format!("Project '{}' is in {}", self.project, one_line(&self.place, 200));
        if let Some(words) = &self.conditions {
            let _ = write!(out, "\nPut-if-absent there: {words}");
        }
        if let Some(words) = &self.credentials {
            let _ = write!(out, "\nCredentials: {words}");
        }
        if let Some(words) = &self.replica {
            let _ = write!(out, "\nA copy is carried on in {words} ('brigade store replica')");
        }
        let _ = write!(
            out,
            "\n\n{}, {}",
            counted(self.usage.objects, "object"),
            size(self.usage.bytes)
        );
        for (room, of) in &self.usage.rooms {
            let (room, size) = (one_line(room, 40), size(of.bytes));
            let _ = write!(out, "\n  {room:<20} {:>9}  {size}", of.objects);
        }
        out += "\n\nWhat a verb asks of the store:";
        for Verb { verb, requests } in &self.requests {
            let _ = write!(out, "\n  {verb:<34} {requests}");
        }
        out += &self.costs();
        out
    }
}

impl Out {
    fn costs(&self) -> String {
        let Month { puts, lists, gets, .. } = self.month;
        let Some((price, cost)) = self.price.as_ref().zip(self.cost.as_ref()) else {
            return match self.backend {
                Some(_) => {
                    "\n\nA month costs: unknown, no price of this store is known. Say it in \
                            prices.toml in brigade's config folder"
                        .into()
                }
                None => String::new(),
            };
        };
        let mut out =
            String::from("\n\nA month like the last one, in US dollars, before what is free:");
        for (what, count, part) in [
            ("kept", indicatif::HumanBytes(self.month.bytes).to_string(), cost.storage),
            ("put", puts.to_string(), cost.puts),
            ("listed (assumed)", lists.to_string(), cost.lists),
            ("read (assumed)", gets.to_string(), cost.gets),
            ("together", String::new(), cost.total),
        ] {
            let _ = write!(out, "\n  {what:<18} {count:>12}  {}", dollars(part));
        }
        if let Some(note) = &price.note {
            let _ = write!(out, "\n  {}", one_line(note, 200));
        }
        let region = price.region.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
        let _ = write!(
            out,
            "\nPrices{} as of {}: {}",
            one_line(&region, 60),
            one_line(&price.as_of, 20),
            one_line(&price.source, 200)
        );
        out
    }
}

fn dollars(part: Option<f64>) -> String {
    part.map_or("unknown".into(), |amount| format!("{amount:.4}"))
}
