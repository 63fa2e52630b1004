//! `session mirror`: once, or as long as sessions go on.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use brigade_core::Project;
use brigade_core::error::{Error, Kind};
use brigade_core::mirror::{Mirror, Round, SourceReceipt, Sum, Watch};
use brigade_core::text::{counted, one_line};
use brigade_core::transcript::trouble::{Hindrance, Trouble};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::running::{self, Running};
use super::setup;
use crate::args;
use crate::context::Context;
use crate::report::Plain;

/// How often a following mirror looks around by itself, for what no watch has told.
const LOOK_AROUND: Duration = Duration::from_secs(30);
/// How many places a dry run shows of one source.
const MOST_SHOWN: usize = 20;

pub async fn mirror(ctx: &Context, args: args::session::Mirror) -> Result<u8, Error> {
    let site = ctx.site()?;
    let setup = setup::setup(ctx, &site, &args)?;
    if args.no_redact {
        ctx.report.warning("nothing is redacted: secrets go into the store as they are");
    }
    let identity = ctx.identity(&site)?;
    let project = ctx.open_as(&site, &identity)?;
    let mirror = Mirror::new(project.sessions(), setup);
    let outcome = match args.follow {
        true => follow(ctx, &site, &project, mirror, &args).await,
        false => once(ctx, &project, mirror, &args).await,
    };
    ctx.tell_notices(&project);
    outcome
}

async fn once(
    ctx: &Context,
    project: &Project,
    mut mirror: Mirror<'_>,
    args: &args::session::Mirror,
) -> Result<u8, Error> {
    let mut round = mirror.round().await;
    ctx.tell_notices(project);
    let told: BTreeSet<String> = troubles(&round).map(Trouble::to_string).collect();
    told.iter().for_each(|words| ctx.report.warning(words));
    if round.sessions.is_empty() && round.stopped.is_none() {
        return Err(nothing_found(args, exit_code(&round) != 0));
    }
    let stopped = round.stopped.take();
    let code = exit_code(&round);
    ctx.report.answer(&Receipt { sum: round.sum(), dry_run: args.dry_run, round })?;
    stopped.map_or(Ok(code), Err)
}

async fn follow(
    ctx: &Context,
    site: &crate::context::Site,
    project: &Project,
    mut mirror: Mirror<'_>,
    args: &args::session::Mirror,
) -> Result<u8, Error> {
    let mut drawn = [0; 4];
    ctx.world.entropy.fill(&mut drawn);
    let number: String = drawn.iter().map(|byte| format!("{byte:02x}")).collect();
    let running = Running {
        mirror: number.clone(),
        pid: std::process::id(),
        session: args.session_id.clone(),
        harness: args.harness.clone(),
    };
    let mut stop = Stop::listen()?;
    let _registered = running::register(ctx, site, &running)?;
    ctx.report.note(&format!("mirror {number} follows; 'brigade session stop {number}' ends it"));
    let (mut watch, mut sum) = (Watch::new(), Sum::default());
    let (mut around, mut known) = (true, BTreeSet::new());
    loop {
        let round = if around { mirror.round().await } else { mirror.again().await };
        let is_blind = watch.on(mirror.roots());
        tell(ctx, project, &round, around, &mut known);
        sum.then(&round.sum());
        if let Some(error) = round.stopped.filter(is_hopeless) {
            return Err(error);
        }
        mirror.setup().min_bytes = args.min_bytes;
        if is_blind {
            around = true;
            continue;
        }
        tokio::select! {
            () = stop.asked() => break,
            () = watch.changed() => {
                tokio::select! {
                    () = stop.asked() => break,
                    () = ctx.world.clock.sleep(args.interval) => {}
                }
                around = watch.take().iter().any(|path| !mirror.follows(path));
            }
            () = ctx.world.clock.sleep(LOOK_AROUND) => {
                // What has waited so long for more goes now.
                mirror.setup().min_bytes = 0;
                around = true;
            }
        }
    }
    mirror.setup().min_bytes = 0;
    let round = mirror.round().await;
    tell(ctx, project, &round, true, &mut known);
    sum.then(&round.sum());
    ctx.report.answer(&Followed { mirror: number, sum })?;
    let code = exit_code(&round);
    round.stopped.map_or(Ok(code), Err)
}

/// What another try cannot mend.
fn is_hopeless(error: &Error) -> bool {
    match error {
        Error::Store(error) => error.is_final(),
        Error::Unknown { .. } => false,
        _ => true,
    }
}

/// What asks us to stop.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stop {
    fn listen() -> Result<Stop, Error> {
        let on = |kind| {
            signal(kind)
                .map_err(|source| Error::File { doing: "listening for signals".into(), source })
        };
        Ok(Stop {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hangup: on(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// While it follows, what was stored is told beside the answer, and what is in the way once, until it
/// goes and comes again. `around`: this look saw everything.
fn tell(
    ctx: &Context,
    project: &Project,
    round: &Round,
    around: bool,
    known: &mut BTreeSet<String>,
) {
    ctx.tell_notices(project);
    let now: BTreeSet<String> = troubles(round).map(Trouble::to_string).collect();
    now.difference(known).for_each(|words| ctx.report.warning(words));
    if around {
        known.clear();
    }
    known.extend(now);
    if let Some(error) = &round.stopped {
        ctx.report.warning(&format!("{error}; the mirror tries again"));
    }
    let sum = round.sum();
    if sum.parts > 0 {
        ctx.report.progress(&words(&sum, "stored"));
    }
}

/// What is to be told of; that a session has ended meanwhile is not.
fn troubles(round: &Round) -> impl Iterator<Item = &Trouble> {
    let of_sources = round.sessions.iter().flat_map(|session| &session.sources);
    let all = round.trouble.iter().chain(of_sources.filter_map(|one| one.trouble.as_ref()));
    all.filter(|trouble| trouble.what != Hindrance::Gone)
}

/// 9 when something could not be read.
fn exit_code(round: &Round) -> u8 {
    match troubles(round).any(Trouble::is_in_the_way) {
        true => Kind::Data.exit_code(),
        false => 0,
    }
}

/// `unread`: there is something that could not be looked into.
fn nothing_found(args: &args::session::Mirror, unread: bool) -> Error {
    if unread {
        let message = "no session could be read: what was in the way is told above".into();
        let hint = "nothing was stored; run it again when that is mended";
        return Error::Face { kind: Kind::Data, message, hint: Some(hint.into()) };
    }
    let message = match &args.session_id {
        Some(id) => format!("no harness on this machine has a session {}", one_line(id, 100)),
        None => "no session on this machine was begun in this project's folders".into(),
    };
    let hint = "'--all' takes every session, '--cwd' those of another folder; docs/harnesses.md \
                says where they are looked for";
    Error::Face { kind: Kind::NotFound, message, hint: Some(hint.into()) }
}

#[derive(Serialize)]
struct Receipt {
    sum: Sum,
    dry_run: bool,
    #[serde(flatten)]
    round: Round,
}

#[derive(Serialize)]
struct Followed {
    mirror: String,
    #[serde(flatten)]
    sum: Sum,
}

impl Plain for Receipt {
    fn plain(&self) -> String {
        let mut lines = String::new();
        for session in &self.round.sessions {
            let news = session.sources.iter().filter(|source| has_news(source));
            for (place, source) in news.enumerate() {
                if place == 0 {
                    let _ = writeln!(lines, "{} {}", session.harness, one_line(&session.id, 100));
                }
                let _ = writeln!(lines, "  {}", source_words(source));
                for found in source.findings.iter().take(MOST_SHOWN) {
                    let _ =
                        writeln!(lines, "    {} → {}", one_line(&found.preview, 80), found.mark);
                }
            }
        }
        lines + &words(&self.sum, if self.dry_run { "would store" } else { "stored" })
    }
}

impl Plain for Followed {
    fn plain(&self) -> String {
        words(&self.sum, "stored")
    }
}

fn has_news(source: &SourceReceipt) -> bool {
    source.records > 0
        || source.kept.is_some()
        || source.waiting_bytes > 0
        || source.held_back_bytes > 0
        || source.trouble.is_some()
}

fn source_words(source: &SourceReceipt) -> String {
    let mut words = format!(
        "{}: {}, {}",
        one_line(&source.source, 80),
        counted(source.records, "record"),
        counted(source.bytes, "byte")
    );
    let mut add = |what: String| {
        let _ = write!(words, "; {what}");
    };
    if let Some(kept) = source.kept {
        add(format!("it was rewritten, of the earlier records {kept} still hold"));
    }
    if source.redactions.total() > 0 {
        add(format!("{} redacted", source.redactions.total()));
    }
    if source.waiting_bytes > 0 {
        add(format!("{} bytes wait for more", source.waiting_bytes));
    }
    if source.held_back_bytes > 0 {
        add(format!(
            "an unfinished line of {} is held back",
            counted(source.held_back_bytes, "byte")
        ));
    }
    if let Some(trouble) = &source.trouble {
        let what = if trouble.is_in_the_way() { "not read: " } else { "" };
        add(format!("{what}{}", one_line(&trouble.to_string(), 200)));
    }
    words
}

fn words(sum: &Sum, done: &str) -> String {
    let mut words = format!(
        "{done} {} of {}: {}",
        counted(sum.records, "record"),
        counted(sum.sessions, "session"),
        counted(sum.bytes, "byte"),
    );
    // A dry run makes none.
    if sum.parts > 0 {
        let (parts, bytes) = (counted(sum.parts, "part"), counted(sum.stored_bytes, "byte"));
        let _ = write!(words, " in {parts} ({bytes})");
    }
    if !sum.redactions.is_empty() {
        let rules: Vec<String> =
            sum.redactions.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
        let _ = write!(words, "; redacted: {}", rules.join(", "));
    }
    for (bytes, what) in [
        (sum.left_out_bytes, "bytes left out"),
        (sum.waiting_bytes, "bytes wait for more"),
        (sum.held_back_bytes, "bytes of unfinished lines held back"),
    ] {
        if bytes > 0 {
            let _ = write!(words, "; {bytes} {what}");
        }
    }
    if sum.troubled > 0 {
        let _ = write!(words, "; {} not read", counted(sum.troubled, "source"));
    }
    words
}
