//! `init`: a project here. Nothing is asked; everything that was decided is said.

use std::path::{Path, PathBuf};

use brigade_core::error::{Error, Kind};
use brigade_core::id::{AgentId, IdShape, ProjectName};
use brigade_core::key::Key;
use brigade_core::project::{Elsewhere, ProjectDocument, Started};
use brigade_core::session::lease;
use brigade_core::signature::PublicKey;
use brigade_core::store::address::Address;
use brigade_core::store::dir::filesystem;
use brigade_core::store::hub::Visibility;
use brigade_core::store::open::{self, Created, Credentials, Place};
use brigade_core::store::{presets, probe};
use brigade_core::{Project, key};
use serde::Serialize;

use super::hub;
use super::replica::Wanted;
use crate::agents_md::{self, Written};
use crate::args;
use crate::config::{self, Config, Keys};
use crate::context::{Context, Site, default_project};
use crate::identity::Identity;
use crate::place;
use crate::report::Plain;
use crate::signing;

/// Of a project that is committed: what is written again and again by one machine alone.
const GIT_IGNORE: &str = "\
# What belongs to one machine: signs of life, read marks, unfinished files.
beat.json
_cursor.json
.tmp-*
_proof/
";
/// Bodies are hashed: not one of their bytes may change at a checkout.
const GIT_ATTRIBUTES: &str = "* -text\n";

/// What `init` has done, for the user and for scripts.
#[derive(Debug, Serialize)]
pub struct Initialized {
    project: ProjectName,
    agent: AgentId,
    store: String,
    config: String,
    /// Somebody had started the project before; this joined it.
    joined: bool,
    bucket_created: bool,
    claims: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys_kept_in: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_key: Option<PublicKey>,
    /// The file with the block for agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    agents_md: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agents_md_changed: Option<bool>,
    /// Of a bucket whose store tells who may read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    visibility: Option<Visibility>,
    /// Where a copy is carried on.
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<String>,
    #[serde(skip)]
    is_local: bool,
}

/// The block for agents was taken away.
#[derive(Debug, Serialize)]
struct Unblocked {
    file: String,
    #[serde(rename = "removed", serialize_with = "changed")]
    written: Written,
}

fn changed<S: serde::Serializer>(written: &Written, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_bool(*written != Written::AsItWas)
}

impl Plain for Unblocked {
    fn plain(&self) -> String {
        match self.written {
            Written::AsItWas => format!("{} has no block of brigade's", self.file),
            _ => format!("Took the block for agents out of {}", self.file),
        }
    }
}

pub async fn init(ctx: &mut Context, mut args: args::Init) -> Result<(), Error> {
    let agents_md = args.agents_md.as_ref().map(|named| {
        let top = place::repository(&ctx.env.cwd).unwrap_or_else(|| ctx.env.cwd.clone());
        agents_md::file(&ctx.env.cwd, &top, named.as_deref())
    });
    if let Some(file) = agents_md.as_ref().filter(|_| args.remove) {
        let written = agents_md::remove(file)?;
        return ctx.report.answer(&Unblocked { file: file.display().to_string(), written });
    }
    let folder = folder(ctx);
    config::check_folder(&ctx.env, &folder)?;
    let before = if folder.is_dir() { Config::read(&folder)? } else { Config::default() };
    let copy = asked_copy(ctx, &mut args);
    let place = asked_place(ctx, &args)?;
    let named = place.is_some();
    let place = match (place, before.place(&folder)?) {
        (Some(place), _) => place,
        (None, Some(place)) if config::is_trusted(&ctx.env, &place)? => place,
        (None, Some(place)) => {
            return Err(config::untrusted(&place, &folder.join("config.toml")));
        }
        (None, None) => Place::new(Address::Dir(folder.clone())),
    };
    let is_local = place.address == Address::Dir(folder.clone());
    let config = Config {
        project: Some(project_name(ctx, &before, &folder)),
        // What is committed must not make one agent of all who clone it.
        agent: ctx.globals.agent.clone().or(before.agent.clone()).filter(|_| !args.git),
        store: (!is_local).then(|| place.address.to_string()),
        endpoint: place.endpoint.clone(),
        region: place.region.clone(),
        account: place.account.clone(),
        ttl_seconds: args.ttl.map(|ttl| lease::clamp(ttl).as_secs()).or(before.ttl_seconds),
        replica: before.replica.clone(),
        extra: before.extra.clone(),
    };
    let credentials = credentials(ctx, &args, &place)?;
    // The folder comes first: for a local store it is the place itself.
    make_folder(&folder, args.git)?;
    name_known_losers(ctx, &place, args.backend.as_deref());
    let hub = hub::prepare(ctx, &place, args.public).await?;
    let created = match hub.as_ref().and_then(|bucket| bucket.created) {
        Some(created) => created,
        None => open::create_place(&place, &credentials, ctx.world.clone()).await?,
    };
    let site = Site {
        folder: Some(folder.clone()),
        project: config.project.clone().unwrap_or_else(|| default_project(&folder)),
        config: config.clone(),
        place: place.clone(),
    };
    let keys_kept_in = keep_keys(ctx, &args, &place)?;
    let signing_key = signing_key(ctx, &args, &site)?;
    let identity = ctx.identity(&site)?;
    let project = open_with(ctx, &site, &identity, &credentials)?;
    let Begun { started, claims, requires_signatures } = start(ctx, &project, &args).await?;
    if requires_signatures {
        heed(ctx, &site, signing_key.is_some())?;
    } else if args.require_signatures {
        ctx.report.note(
            "the project was started without this wish, so it is yours alone: others type 'brigade \
             keys require'",
        );
    }
    if named || !is_local {
        config::trust(&ctx.env, &place)?;
    }
    config.write(&folder)?;
    if let Some(agent) = &ctx.globals.agent {
        remember_name(ctx, &site, agent)?;
        warn_of_other_name(ctx, &before, agent);
    }
    project.agents().register().await?;
    ctx.tell_notices(&project);
    let replica = match copy {
        Some(wanted) => Some(super::replica::begin(ctx, &site, &wanted).await?),
        None => None,
    };
    for warning in project.session().store().root().map(filesystem::warnings).unwrap_or_default() {
        ctx.report.warning(&warning);
    }
    // Last: what is wrong with this file is no reason to have no project.
    let agents_md = agents_md
        .map(|file| Ok::<_, Error>((file.display().to_string(), agents_md::write(&file)?)))
        .transpose()?;
    ctx.report.answer(&Initialized {
        project: site.project.clone(),
        agent: identity.agent.clone(),
        store: project.session().store().place(),
        config: folder.join("config.toml").display().to_string(),
        joined: started == Started::WasThere,
        bucket_created: created == Created::Made && !is_local,
        claims,
        keys_kept_in: keys_kept_in.map(|path| path.display().to_string()),
        signing_key,
        agents_md: agents_md.as_ref().map(|(file, _)| file.clone()),
        agents_md_changed: agents_md.map(|(_, written)| written != Written::AsItWas),
        visibility: hub.and_then(|bucket| bucket.visibility),
        replica: replica.map(|place| config::place_name(&place)),
        is_local,
    })
}

/// The key that is signed with from here on, the project's own document included.
fn signing_key(ctx: &Context, args: &args::Init, site: &Site) -> Result<Option<PublicKey>, Error> {
    let own = signing::own_key(&ctx.env)?.map(|signer| signer.public());
    if !args.sign {
        return Ok(own);
    }
    if args.require_signatures {
        signing::decide(&ctx.env, &ctx.site_name(site), |of| of.require = true)?;
    }
    match own {
        Some(own) => Ok(Some(own)),
        None => signing::generate(&ctx.env, &ctx.world, false).map(Some),
    }
}

/// A folder here whose project is about to come from elsewhere.
pub fn bare(ctx: &Context, project: &ProjectName) -> Result<Site, Error> {
    let folder = folder(ctx);
    config::check_folder(&ctx.env, &folder)?;
    make_folder(&folder, false)?;
    let project = ctx.globals.project.clone().unwrap_or_else(|| project.clone());
    let config = Config { project: Some(project.clone()), ..Config::default() };
    config.write(&folder)?;
    let place = Place::new(Address::Dir(folder.clone()));
    Ok(Site { folder: Some(folder), config, place, project })
}

/// `BRIGADE_DIR`, the folder that is there already, or a new one here; for a linked worktree, in the
/// main one, so that all worktrees are one project.
fn folder(ctx: &Context) -> PathBuf {
    place::find(&ctx.env).unwrap_or_else(|| {
        place::repository(&ctx.env.cwd)
            .and_then(|top| place::main_worktree(&top))
            .unwrap_or_else(|| ctx.env.cwd.clone())
            .join(place::FOLDER)
    })
}

/// The copy that is to be carried on. Where no other bucket is named, what finds a bucket is for this.
fn asked_copy(ctx: &mut Context, args: &mut args::Init) -> Option<Wanted> {
    let to = args.replica.take()?;
    let is_local = args.bucket.is_none() && ctx.globals.store.is_none();
    Some(match is_local {
        true => Wanted {
            to,
            endpoint: ctx.globals.endpoint.take(),
            region: args.region.take(),
            keys: args.access_key.take().zip(args.secret_key.take()),
        },
        false => Wanted { to, ..Wanted::default() },
    })
}

/// The place that the arguments name, or `None` when they name none.
fn asked_place(ctx: &Context, args: &args::Init) -> Result<Option<Place>, Error> {
    let usage = |words: &str| Err(Error::Usage(words.into()));
    let scheme = match args.backend.as_deref() {
        None | Some("s3") => "s3",
        Some("dir" | "local") if args.bucket.is_some() => {
            return usage("a local project has no bucket");
        }
        Some("dir" | "local") => return Ok(None),
        Some(name) => return preset_place(ctx, args, name).map(Some),
    };
    let text = match (&args.bucket, &ctx.globals.store) {
        (Some(_), Some(_)) => return usage("give --bucket or --store, not both"),
        (Some(bucket), None) => format!("{scheme}://{bucket}"),
        (None, Some(store)) => store.clone(),
        (None, None) if ctx.globals.endpoint.is_some() => {
            return usage("--endpoint needs a --bucket");
        }
        (None, None) if args.access_key.is_some() => return usage("keys need a --bucket"),
        (None, None) if args.backend.is_some() => return usage("--backend needs a --bucket"),
        (None, None) => return Ok(None),
    };
    let address: Address = text.parse().map_err(|error| Error::Usage(format!("{error}")))?;
    let address = match address {
        Address::Dir(path) => Address::Dir(ctx.env.cwd.join(path)),
        bucket @ Address::Bucket { .. } => bucket,
    };
    let place = Place {
        endpoint: ctx.globals.endpoint.clone(),
        region: args.region.clone(),
        ..Place::new(address)
    };
    Ok(Some(place.or_from_lookup(&ctx.env.lookup())))
}

/// A place in a store that people name.
fn preset_place(ctx: &Context, args: &args::Init, name: &str) -> Result<Place, Error> {
    let usage = |words: String| Error::Usage(words);
    let preset = presets::named(name).ok_or_else(|| {
        let names: Vec<&str> = presets::PRESETS.iter().map(|preset| preset.name).collect();
        usage(format!("--backend takes dir, {}", names.join(", ")))
    })?;
    let Some(bucket) = &args.bucket else {
        return Err(usage(format!("--backend {name} needs a --bucket: {}", preset.line())));
    };
    if args.public && preset.name != "hf" {
        return Err(usage("--public is for buckets of Hugging Face".into()));
    }
    let lookup = ctx.env.lookup();
    let region = args.region.clone().or_else(|| match preset.name {
        "aws" => lookup("AWS_REGION").or_else(|| lookup("AWS_DEFAULT_REGION")),
        _ => None,
    });
    let said = presets::Said {
        endpoint: ctx.globals.endpoint.as_deref(),
        region: region.as_deref(),
        account: args.account.as_deref(),
    };
    let place = preset.place(bucket, &said).map_err(|error| usage(error.to_string()))?;
    // Another store's variables say nothing of one that was named.
    Ok(match preset.endpoint {
        Some(_) => place,
        None => place.or_from_lookup(&lookup),
    })
}

/// A store that is known to lose races is named before it hurts. The proof decides.
fn name_known_losers(ctx: &Context, place: &Place, backend: Option<&str>) {
    let preset = backend.and_then(presets::named).or_else(|| presets::of(place));
    if let Some(preset) = preset.filter(|preset| preset.loses_races()) {
        ctx.report.warning(&format!(
            "{} is known not to keep what claims need ({}). Two agents may then hold one task",
            preset.title,
            preset.verdict()
        ));
    }
}

fn project_name(ctx: &Context, before: &Config, folder: &Path) -> ProjectName {
    let given = ctx.globals.project.clone();
    given.or(before.project.clone()).unwrap_or_else(|| default_project(folder))
}

fn credentials(ctx: &Context, args: &args::Init, place: &Place) -> Result<Credentials, Error> {
    match (&args.access_key, &args.secret_key) {
        (Some(access), Some(secret)) => Ok(Credentials::s3_keys(access, secret, None)),
        _ => ctx.credentials(place),
    }
}

/// Keys given on the command line are needed again by the next command.
fn keep_keys(ctx: &Context, args: &args::Init, place: &Place) -> Result<Option<PathBuf>, Error> {
    match (&args.access_key, &args.secret_key) {
        (Some(access_key), Some(secret_key)) if !args.no_save_keys => {
            let keys = Keys { access_key: access_key.clone(), secret_key: secret_key.clone() };
            config::keep_keys(&ctx.env, place, keys).map(Some)
        }
        _ => Ok(None),
    }
}

/// Git never sees the folder: with a `.gitignore` of its own nothing of the user's is touched.
/// With `git` it sees all but what belongs to one machine, and leaves line ends alone.
fn make_folder(folder: &Path, git: bool) -> Result<(), Error> {
    if git {
        config::write_private(&folder.join(".gitattributes"), GIT_ATTRIBUTES, 0o644)?;
        return config::write_private(&folder.join(".gitignore"), GIT_IGNORE, 0o644);
    }
    let ignore = folder.join(".gitignore");
    if ignore.exists() {
        return Ok(());
    }
    let words = "# Coordination of agents, kept out of the repository.\n\
                 # To commit this project's history, empty this file.\n*\n";
    config::write_private(&ignore, words, 0o644)
}

fn open_with(
    ctx: &Context,
    site: &Site,
    identity: &Identity,
    credentials: &Credentials,
) -> Result<Project, Error> {
    let store = open::open(&site.place, credentials, ctx.world.clone())?;
    ctx.project(site, identity, store, None)
}

/// What was found or made.
struct Begun {
    started: Started,
    claims: &'static str,
    requires_signatures: bool,
}

impl Begun {
    fn of(started: Started, document: &ProjectDocument) -> Begun {
        let requires_signatures = document.requires_signatures;
        Begun { started, claims: claims_word(document), requires_signatures }
    }
}

/// Keeps the project's wish on this machine, where nobody who can write to the store takes it back.
fn heed(ctx: &Context, site: &Site, has_key: bool) -> Result<(), Error> {
    signing::decide(&ctx.env, &ctx.site_name(site), |of| of.require = true)?;
    if !has_key {
        ctx.report.note(
            "this project wants everything signed; 'brigade keys generate' makes a key for you",
        );
    }
    Ok(())
}

/// Starts the project or joins it; a store that loses races is refused before anything is written.
async fn start(ctx: &Context, project: &Project, args: &args::Init) -> Result<Begun, Error> {
    let shape = id_shape(ctx, args)?;
    let session = project.session();
    if let Some(copy) = session.closing_note().await?.filter(Elsewhere::is_replica) {
        return Err(Error::Replica(Box::new(copy)));
    }
    let path = session.layout().path(&Key::Project);
    if session.store().get(&path).await?.value.is_some() {
        let document = project.document().await?;
        return Ok(Begun::of(Started::WasThere, &document));
    }
    let under = session.layout().folder(&key::Room::Proof);
    let proof = probe::short(&**session.store(), &ctx.world, &under).await?;
    if !proof.carries_claims() && !args.allow_racy_store {
        return Err(Error::Face {
            kind: Kind::Store,
            message: format!(
                "{} does not keep what claims need: {}",
                session.store().place(),
                proof.explain().join("; ")
            ),
            hint: Some(
                "use another store, or go on with best-effort claims: 'brigade init … \
                 --allow-racy-store'"
                    .into(),
            ),
        });
    }
    let mut document = ProjectDocument::new(session.layout().project().as_str(), proof);
    document.accepts_racy_store = args.allow_racy_store;
    document.id_shape = shape;
    if let Some(limit) = args.review_limit {
        document.review_limit = limit;
    }
    document.requires_signatures = args.require_signatures;
    if let Some(ttl) = args.ttl {
        document.default_ttl_ms = lease::millis(lease::clamp(ttl));
    }
    let begun = Begun::of(Started::Made, &document);
    Ok(Begun { started: project.start(document).await?, ..begun })
}

/// How tasks are numbered: as asked, else as the tool numbered them by whose name we are called.
fn id_shape(ctx: &Context, args: &args::Init) -> Result<IdShape, Error> {
    Ok(match (&args.id, &args.prefix) {
        (Some(example), _) => IdShape::like(example)?,
        (None, Some(prefix)) => IdShape::with_prefix(prefix)?,
        (None, None) if ctx.report.program() == "track" => IdShape::like("T-0001")?,
        (None, None) => IdShape::default(),
    })
}

fn claims_word(document: &ProjectDocument) -> &'static str {
    use brigade_core::session::state::Claims;
    match document.claims() {
        Claims::Atomic => "atomic",
        Claims::BestEffort => "best effort",
        Claims::Refused => "refused",
    }
}

fn remember_name(ctx: &Context, site: &Site, agent: &AgentId) -> Result<(), Error> {
    match ctx.names_file(site) {
        Some(file) => config::write_private(&file, agent.as_str(), 0o600),
        None => Ok(()),
    }
}

fn warn_of_other_name(ctx: &Context, before: &Config, agent: &AgentId) {
    if let Some(other) = before.agent.as_ref().filter(|other| *other != agent) {
        ctx.report.note(&format!(
            "this folder was set up as {other} before. Where two agents share a terminal, name the \
             one that acts: BRIGADE_AGENT={agent} brigade …"
        ));
    }
}

impl Plain for Initialized {
    fn plain(&self) -> String {
        let verb = if self.joined { "Joined" } else { "Initialized" };
        let mut words = format!("{verb} project '{}' as agent '{}'", self.project, self.agent);
        let made = if self.bucket_created { " (created)" } else { "" };
        words += &match self.is_local {
            true => format!(
                "\nEverything goes to {} as plain JSON; {}",
                self.store,
                match &self.replica {
                    Some(place) => format!("a copy is carried on in {place}"),
                    None => "nothing leaves this machine".into(),
                }
            ),
            false => format!(
                "\nEverything goes to {}{made} as plain JSON{}",
                self.store,
                self.replica
                    .iter()
                    .map(|place| format!("; a copy is carried on in {place}"))
                    .collect::<String>()
            ),
        };
        words += match self.visibility {
            Some(Visibility::Private) => "\nThe bucket is private",
            Some(Visibility::Public) => {
                "\nThe bucket is PUBLIC: everybody on the internet can read it"
            }
            None => "",
        };
        words += match self.claims {
            "atomic" => {
                "\nClaims are atomic here: the store was raced, and each race had one winner"
            }
            "best effort" => {
                "\nClaims are BEST EFFORT here: the store lost races, and you accepted that"
            }
            _ => "\nClaims are REFUSED here: the store lost races",
        };
        if let Some(key) = &self.signing_key {
            words += &format!("\nWhat you write is signed with {key}");
        }
        if let Some(file) = &self.keys_kept_in {
            words += &format!("\nThe keys are kept in {file}, for you alone");
        }
        if let Some(file) = &self.agents_md {
            words += &match self.agents_md_changed {
                Some(true) => format!("\nThe block for agents is in {file}"),
                _ => format!("\nThe block for agents was in {file} already"),
            };
        }
        words
    }
}
