//! `doctor`: what core examines, and what only this machine's user can see.

use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use brigade_core::doctor::{Check, Options, Report, Verdict};
use brigade_core::error::{Error, Kind};
use brigade_core::store::open::Place;
use brigade_core::store::presets;
use brigade_core::text::one_line;

use super::hub;
use crate::args;
use crate::context::{Context, Site};
use crate::identity::Identity;
use crate::report::Plain;
use crate::signing;

/// Checks whose failure means that the store is at fault, and not what is in it.
const STORE_CHECKS: &[&str] = &["store", "proof", "clock"];

pub async fn doctor(ctx: &Context, args: args::Doctor) -> Result<u8, Error> {
    let site = ctx.site()?;
    let identity = ctx.identity(&site)?;
    let project = ctx.open_uncached(&site, &identity)?;
    // What is examined is the place where the project is. One that cannot be read is examined, too.
    if let Ok(Some(elsewhere)) = project.session().note_of_a_move().await {
        return Err(Error::Moved(Box::new(elsewhere)));
    }
    let copy = project.session().closing_note().await.ok().flatten();
    if let Some(copy) = copy.as_ref().filter(|_| args.fix) {
        return Err(Error::Replica(Box::new(copy.clone())));
    }
    // A copy is not raced: nothing is put there but by who carries it on.
    let quick = args.quick || copy.is_some();
    let options = Options { quick, deep: args.deep, fix: args.fix };
    let mut report = project.doctor().examine(options).await;
    for check in own_checks(ctx, &site, &identity) {
        report.add(check);
    }
    if let Some(check) = known_of(&site.place) {
        report.add(check);
    }
    if let Some(copy) = copy {
        report.add(Check::ok("copy", copy.as_replica()));
    }
    if let Some(check) = super::replica::check(ctx, &site).await {
        report.add(check);
    }
    if let Some(check) = hub::check(ctx, &site.place).await {
        report.add(check);
    }
    ctx.tell_notices(&project);
    ctx.report.answer(&report)?;
    Ok(exit_code(&report))
}

/// What is known of this store, whatever the proof has shown.
fn known_of(place: &Place) -> Option<Check> {
    let preset = presets::of(place)?;
    let words = format!("{}: {}", preset.title, preset.verdict());
    let check = match preset.loses_races() {
        true => Check::warn("store known as", words),
        false => Check::ok("store known as", words),
    };
    Some(check.found(preset.limits.iter().map(|limit| (*limit).to_owned()).collect()))
}

fn own_checks(ctx: &Context, site: &Site, identity: &Identity) -> Vec<Check> {
    let mut checks = vec![Check::ok(
        "identity",
        format!("you are {}, named by {}", identity.agent, identity.named_by),
    )];
    match ctx.credentials_source(&site.place) {
        Ok(Some(source)) => checks.push(Check::ok("credentials", source)),
        Ok(None) => {}
        Err(error) => checks.push(Check::warn("credentials", error.to_string())),
    }
    let config_home = ctx.env.config_home();
    let private = [
        ctx.state_file(site, identity),
        config_home.join("keys.toml"),
        config_home.join("trusted.toml"),
        signing::signers_file(&ctx.env),
    ];
    let open: Vec<String> = private.iter().filter_map(|path| readable_by_others(path)).collect();
    checks.push(if open.is_empty() {
        Check::ok("private files", "only you can read what is kept for you")
    } else {
        let mut check = Check::warn("private files", "others on this machine can read them");
        check.hint = Some("chmod 600 on each of them".into());
        check.found(open)
    });
    checks
}

fn readable_by_others(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.mode();
    (mode & 0o077 != 0).then(|| format!("{} has mode {:o}", path.display(), mode & 0o777))
}

fn exit_code(report: &Report) -> u8 {
    let mut failed = report.checks.iter().filter(|check| check.verdict == Verdict::Fail).peekable();
    if failed.peek().is_none() {
        0
    } else if failed.any(|check| STORE_CHECKS.contains(&check.name)) {
        Kind::Store.exit_code()
    } else {
        Kind::Data.exit_code()
    }
}

impl Plain for Report {
    fn plain(&self) -> String {
        let mut words = format!("{}\n", self.place);
        for check in &self.checks {
            let mark = match (check.verdict, check.fixed) {
                (_, true) => "fixed",
                (Verdict::Ok, _) => "ok",
                (Verdict::Warn, _) => "warn",
                (Verdict::Fail, _) => "FAIL",
            };
            let _ = write!(words, "\n{mark:<5} {:<16} {}", check.name, one_line(&check.words, 300));
            for finding in &check.findings {
                let _ = write!(words, "\n{:23}{}", "", one_line(finding, 300));
            }
            if check.more > 0 {
                let _ = write!(words, "\n{:23}… and {} more", "", check.more);
            }
            if let Some(hint) = &check.hint {
                let _ = write!(words, "\n{:23}hint: {hint}", "");
            }
            if check.fixable && !check.fixed {
                let _ = write!(words, "\n{:23}'brigade doctor --fix' mends it", "");
            }
        }
        words
    }
}
