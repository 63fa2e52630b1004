//! `replay`: the run as a story, as a document, as a file to look at.

mod page;
mod story;

use std::path::Path;

use brigade_core::error::Error;
use brigade_core::replay::{Window, trace};
use brigade_core::text::counted;
use brigade_core::transfer;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::args::{parse_span, replay as args};
use crate::commands::session;
use crate::context::Context;
use crate::report::Plain;

use story::Story;

pub async fn replay(ctx: &Context, args: args::Replay) -> Result<(), Error> {
    let now = ctx.world.clock.now();
    let moment = |name: &str, text: &Option<String>| {
        text.as_deref().map(|text| moment(name, text, now)).transpose()
    };
    let window =
        Window { since: moment("--since", &args.since)?, until: moment("--until", &args.until)? };
    if let (Some(since), Some(until)) = (window.since, window.until)
        && since > until
    {
        return Err(Error::Usage("--since is later than --until".into()));
    }
    let replay = ctx.with_project(async |project| project.replay().read(&window).await).await?;
    if args.html.is_none() && args.perfetto.is_none() {
        return ctx.report.answer(&Story { replay: &replay, is_full: args.full });
    }
    let replay = match args.no_redact {
        true => replay,
        false => replay.redacted(&session::redactor_of_a_file(ctx)?),
    };
    let mut files = Vec::new();
    if let Some(file) = &args.html {
        files.push(write(ctx, file, page::page(&replay).as_bytes())?);
    }
    if let Some(file) = &args.perfetto {
        let trace = serde_json::to_vec(&trace(&replay)).expect("a trace has text keys only");
        files.push(write(ctx, file, &trace)?);
    }
    ctx.report.answer(&Written {
        files,
        agents: replay.agents.len(),
        events: replay.events.len(),
        problems: replay.problems().count(),
        ending: replay.ending.words.clone(),
        redactions: replay.redactions,
    })
}

/// A time, or how long ago it was.
fn moment(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let span = parse_span(text).map_err(|_| {
        Error::Usage(format!("{name} takes a time (2026-11-20T20:00:00Z) or a span (10m, 2h)"))
    })?;
    let back = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    Ok(now.checked_sub(back).unwrap_or(Timestamp::MIN))
}

fn write(ctx: &Context, file: &Path, bytes: &[u8]) -> Result<File, Error> {
    let path = ctx.env.cwd.join(file);
    transfer::publish(&path, &*ctx.world.entropy, |out| {
        out.write_all(bytes)
            .map_err(|source| Error::File { doing: format!("writing {}", path.display()), source })
    })?;
    Ok(File { file: file.display().to_string(), size: bytes.len() })
}

#[derive(Serialize)]
struct File {
    file: String,
    size: usize,
}

#[derive(Serialize)]
struct Written {
    files: Vec<File>,
    agents: usize,
    events: usize,
    problems: usize,
    ending: String,
    /// `null` when nobody looked.
    redactions: Option<u64>,
}

impl Plain for Written {
    fn plain(&self) -> String {
        let mut lines: Vec<String> = self
            .files
            .iter()
            .map(|file| format!("Wrote {} ({} kB)", file.file, file.size.div_ceil(1000)))
            .collect();
        let redacted = match self.redactions {
            None => "nothing was redacted".into(),
            Some(0) => "no secrets found".into(),
            Some(count) => format!("{} taken out", counted(count, "secret")),
        };
        lines.push(format!(
            "{}, {}, {}; {}; {redacted}",
            counted(self.agents, "agent"),
            counted(self.events, "event"),
            counted(self.problems, "problem"),
            self.ending
        ));
        lines.join("\n")
    }
}
