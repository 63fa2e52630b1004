//! What a mirror is made of on this machine: where harnesses live, its key, what is secret here.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brigade_core::error::{Error, Kind};
use brigade_core::mirror::{FileCursors, KEY_BYTES, MirrorKey, PART_BYTES, Setup};
use brigade_core::transcript::adapter::{self, Filter};
use brigade_core::transcript::places::{Places, Platform};
use brigade_core::transcript::redact::{self, Literal, Redactor};
use brigade_core::transcript::registry;

use crate::args::session::Mirror;
use crate::context::{Context, Site};
use crate::env::Env;
use crate::place;

/// A larger rule file, or `.env` file, is none.
const MOST_TEXT: u64 = 4 * 1024 * 1024;
/// The rules that always count, in the user's own config folder. None is read from a project: what
/// came with a clone could switch rules off.
const RULES: &str = "redaction.toml";

pub fn setup(ctx: &Context, site: &Site, args: &Mirror) -> Result<Setup, Error> {
    let folders = folders(ctx, args.cwd.as_deref());
    let plain = plain(ctx, site, &args.rules, args.no_redact, &folders)?;
    let everything = args.all || (args.session_id.is_some() && args.cwd.is_none());
    let filter = match everything {
        true => Filter::everything(),
        false => Filter::folders(folders.iter().map(PathBuf::as_path), Platform::HERE),
    };
    Ok(Setup {
        filter,
        harness: harness(args.harness.as_deref())?,
        session: args.session_id.clone(),
        min_bytes: args.min_bytes,
        finish: args.ended,
        lean: args.lean,
        dry_run: args.dry_run,
        ..plain
    })
}

/// The machine, its key and its rules, for looking at what was mirrored.
pub fn for_looking(
    ctx: &Context,
    site: &Site,
    rules: &[PathBuf],
    no_redact: bool,
) -> Result<Setup, Error> {
    plain(ctx, site, rules, no_redact, &folders(ctx, None))
}

/// The rules by which anything else is looked at that leaves this folder.
pub fn redactor_here(ctx: &Context) -> Result<Redactor, Error> {
    redactor(ctx, &[], &key(ctx)?, &folders(ctx, None))
}

/// The same for a file that is read elsewhere: its marks need not be those of any other, so their key
/// is thrown away.
pub fn redactor_of_a_file(ctx: &Context) -> Result<Redactor, Error> {
    let key = MirrorKey::new(&MirrorKey::draw(&*ctx.world.entropy));
    redactor(ctx, &[], &key, &folders(ctx, None))
}

fn plain(
    ctx: &Context,
    site: &Site,
    rules: &[PathBuf],
    no_redact: bool,
    folders: &[PathBuf],
) -> Result<Setup, Error> {
    let key = key(ctx)?;
    let redactor = match no_redact {
        true => None,
        false => Some(Arc::new(redactor(ctx, rules, &key, folders)?)),
    };
    Ok(Setup {
        places: places(&ctx.env),
        filter: Filter::everything(),
        harness: None,
        session: None,
        key,
        redactor,
        local: Arc::new(FileCursors::new(ctx.project_state(site).join("mirror"))),
        min_bytes: 0,
        part_bytes: PART_BYTES,
        finish: false,
        lean: false,
        dry_run: false,
    })
}

pub fn places(env: &Env) -> Places {
    let home = env.get("HOME").or_else(|| env.get("USERPROFILE")).unwrap_or("/");
    Places::new(Path::new(home), Platform::HERE, &env.lookup())
}

pub fn harness(named: Option<&str>) -> Result<Option<&'static str>, Error> {
    let Some(named) = named.filter(|named| *named != "all") else { return Ok(None) };
    registry::named(named).map(|adapter| Some(adapter.harness())).ok_or_else(|| {
        let known: Vec<&str> = registry::ALL.iter().map(|adapter| adapter.harness()).collect();
        Error::Usage(format!("there is no harness {named}; there are {}", known.join(", ")))
    })
}

/// The folders whose sessions are meant: the working trees of the repository around, or the folder.
fn folders(ctx: &Context, named: Option<&Path>) -> Vec<PathBuf> {
    let around = match named {
        Some(folder) => ctx.env.cwd.join(folder),
        None => ctx.env.cwd.clone(),
    };
    adapter::worktrees(&place::repository(&around).unwrap_or(around))
}

fn redactor(
    ctx: &Context,
    rules: &[PathBuf],
    key: &MirrorKey,
    folders: &[PathBuf],
) -> Result<Redactor, Error> {
    let mut literals = redact::from_environment(ctx.env.all());
    folders.iter().for_each(|folder| literals.extend(dotenv(folder)));
    let mut builder = Redactor::builder(key.marks()).literals(literals);
    let own = ctx.env.config_home().join(RULES);
    let mut files: Vec<PathBuf> = rules.iter().map(|file| ctx.env.cwd.join(file)).collect();
    if own.exists() {
        files.push(own);
    }
    for file in &files {
        let text = text(file).map_err(|reason| unusable(file, &reason.to_string()))?;
        builder = builder.rules_toml(&text);
    }
    let named = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    builder.build().map_err(|error| unusable(Path::new(&named), &error.to_string()))
}

fn unusable(file: &Path, reason: &str) -> Error {
    Error::Face {
        kind: Kind::Usage,
        message: format!("the rules of {} cannot be used: {reason}", file.display()),
        hint: Some(
            "nothing leaves this machine before that is mended: half a set of rules is none".into(),
        ),
    }
}

/// The values of a folder's `.env` files.
fn dotenv(folder: &Path) -> Vec<Literal> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_dotenv = |name: &str| name == ".env" || name.starts_with(".env.");
    let mut literals = Vec::new();
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(is_dotenv)
            && let Ok(text) = text(&entry.path())
        {
            literals.extend(redact::from_dotenv(&text));
        }
    }
    literals
}

/// A text of bounded size; a pipe in its place is none.
fn text(path: &Path) -> std::io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no plain file"));
    }
    let mut text = String::new();
    fs::File::open(path)?.take(MOST_TEXT).read_to_string(&mut text)?;
    Ok(text)
}

/// The user's own key on this machine; drawn when there is none.
pub fn key(ctx: &Context) -> Result<MirrorKey, Error> {
    let path = ctx.env.state_home().join("mirror.key");
    let failed = |doing: &'static str| {
        let path = path.clone();
        move |source| Error::File { doing: format!("{doing} {}", path.display()), source }
    };
    if let Some(folder) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder).map_err(failed("making"))?;
    }
    if !path.exists() {
        let secret = MirrorKey::draw(&*ctx.world.entropy);
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        // Whole under another name first: who else is drawing one gets this one, or we get theirs.
        let mut drawn = [0; 8];
        ctx.world.entropy.fill(&mut drawn);
        let temp = path.with_extension(format!("{:016x}", u64::from_le_bytes(drawn)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&temp).map_err(failed("writing"))?;
        writeln!(file, "{hex}").map_err(failed("writing"))?;
        let linked = fs::hard_link(&temp, &path);
        fs::remove_file(&temp).map_err(failed("writing"))?;
        if let Err(error) = linked
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(failed("writing")(error));
        }
    }
    let hex = text(&path).map_err(failed("reading"))?;
    let secret = bytes(hex.trim()).ok_or_else(|| Error::Face {
        kind: Kind::Data,
        message: format!("{} holds no key of a mirror", path.display()),
        hint: Some(
            "put the file aside and mirror again: a new key is drawn, and what is stored \
             already is compared anew"
                .into(),
        ),
    })?;
    Ok(MirrorKey::new(&secret))
}

fn bytes(hex: &str) -> Option<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    if hex.len() != KEY_BYTES * 2 || !hex.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}
